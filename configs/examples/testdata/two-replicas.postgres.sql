CREATE TABLE products (
  id           bigint PRIMARY KEY,
  tenant       text NOT NULL,
  name         text NOT NULL,
  price        numeric(12,2) NOT NULL,
  discontinued boolean NOT NULL,
  updated_at   timestamptz NOT NULL
);
INSERT INTO products (id, tenant, name, price, discontinued, updated_at) VALUES
  (1, 'eu', 'Plumb bob',    12.50, false, '2026-03-01T08:00:00Z'),
  (2, 'eu', 'Chalk line',    8.99, false, '2026-03-01T08:00:00Z'),
  (3, 'eu', 'Spirit level', 24.00, false, '2026-03-05T10:30:00Z'),
  (4, 'eu', 'Folding rule',  6.75, false, '2026-03-01T08:00:00Z'),
  (5, 'eu', 'Old hammer',    9.00, true,  '2026-03-01T08:00:00Z'),
  (6, 'us', 'Tape measure',  5.00, false, '2026-03-01T08:00:00Z');
