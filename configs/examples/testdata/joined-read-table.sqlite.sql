CREATE TABLE order_view (
  order_id       INTEGER,
  order_state    TEXT,
  order_total    NUMERIC,
  customer_id    INTEGER,
  customer_name  TEXT,
  customer_email TEXT
);
CREATE INDEX order_view_order ON order_view (order_id);
CREATE INDEX order_view_customer ON order_view (customer_id, order_id);
INSERT INTO order_view VALUES
  (100, 'open',    10,    1, 'Ada Lovelace', 'ADA@example.com'),
  (101, 'open',    25.5,  1, 'Ada Byron',    'ada@example.com'),
  (102, 'shipped', 99.9,  2, 'Bob Moore',    'bob@example.com'),
  (102, 'shipped', 99.9,  2, 'Bob Moore',    'bob@example.com'),
  (103, 'paid',    12.01, 2, 'Bob Moore',    'bob@example.org'),
  (104, 'open',    30,    3, 'Cyd Charisse', 'cyd@example.com'),
  (999, 'open',    1,     8, 'Not a customer', 'gone@example.com');
