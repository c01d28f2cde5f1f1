CREATE TABLE payments (
  id      bigint PRIMARY KEY,
  paid_at timestamptz NOT NULL,
  amount  numeric(12,2) NOT NULL
);
INSERT INTO payments (id, paid_at, amount) VALUES
  (1, '2026-03-01T09:00:00Z', 10.00),
  (2, '2026-03-01T23:59:59Z', 0.99),
  (3, '2026-03-02T00:00:00Z', 5.00),
  (4, '2026-03-02T12:00:00+13:00', 7.50),
  (5, '2026-03-03T10:00:00Z', 100.00),
  (6, '2026-03-04T10:00:00Z', 20.00);
