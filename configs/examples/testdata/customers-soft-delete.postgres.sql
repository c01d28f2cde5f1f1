CREATE TABLE customers (
  id          uuid PRIMARY KEY,
  email       text NOT NULL,
  middle_name text,
  deleted_at  timestamptz
);
INSERT INTO customers (id, email, middle_name, deleted_at) VALUES
  ('00000000-0000-4000-8000-000000000001', 'ada@example.com', NULL,    NULL),
  ('00000000-0000-4000-8000-000000000002', 'bob@example.com', 'James', NULL),
  ('00000000-0000-4000-8000-000000000003', 'cyd@example.com', NULL,    NULL),
  ('00000000-0000-4000-8000-000000000004', 'dee@example.com', NULL,    NULL),
  ('00000000-0000-4000-8000-000000000005', 'eve@example.com', NULL,    NULL),
  ('00000000-0000-4000-8000-000000000006', 'fay@example.com', NULL,    '2026-02-01T00:00:00Z'),
  ('00000000-0000-4000-8000-000000000007', 'gus@example.com', NULL,    '2026-02-01T00:00:00Z'),
  ('00000000-0000-4000-8000-000000000008', 'hal@example.com', NULL,    '2026-02-01T00:00:00Z');
