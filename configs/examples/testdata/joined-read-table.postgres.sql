CREATE TABLE customers (
  id    bigint PRIMARY KEY,
  name  text NOT NULL,
  email text NOT NULL
);
INSERT INTO customers (id, name, email) VALUES
  (1, 'Ada Lovelace', 'ada@example.com'),
  (2, 'Bob Moore',    'bob@example.com'),
  (3, 'Cyd Charisse', 'cyd@example.com'),
  (4, 'Has ordered nothing', 'nobody@example.com');

CREATE TABLE orders (
  id          bigint PRIMARY KEY,
  customer_id bigint NOT NULL,
  state       smallint NOT NULL,
  total       numeric(12,2) NOT NULL
);
INSERT INTO orders (id, customer_id, state, total) VALUES
  (100, 1, 1, 10.00),
  (101, 1, 2, 25.50),
  (102, 2, 3, 99.90),
  (103, 2, 2, 12.00),
  (104, 3, 7, 30.00),
  (105, 3, 1, 42.00);
