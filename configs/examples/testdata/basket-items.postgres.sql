CREATE TABLE products (
  id         integer PRIMARY KEY,
  name       text NOT NULL,
  price      numeric(12,2) NOT NULL,
  updated_at timestamptz NOT NULL
);
INSERT INTO products (id, name, price, updated_at) VALUES
  (1, 'Plumb bob',     12.50, '2026-03-01T08:00:00Z'),
  (2, 'Chalk line',     8.99, '2026-03-01T08:00:00Z'),
  (3, 'Spirit level',  24.00, '2026-03-05T10:30:00Z'),
  (4, 'Folding rule',   6.75, '2026-03-01T08:00:00Z'),
  (5, 'In no basket', 199.00, '2026-03-01T08:00:00Z');
