CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL, locale text);
INSERT INTO users (id, email, locale) VALUES
  (1, 'ada@example.com', 'en'),
  (2, 'bob@example.com', 'nb'),
  (3, 'cyd@example.com', 'fi'),
  (4, 'eve@example.com', NULL);
