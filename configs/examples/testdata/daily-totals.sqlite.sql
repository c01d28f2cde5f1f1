CREATE TABLE bookings (
  number    INTEGER PRIMARY KEY,
  booked_on TEXT NOT NULL,
  cents     INTEGER NOT NULL
);
CREATE INDEX bookings_day ON bookings (booked_on);
INSERT INTO bookings (number, booked_on, cents) VALUES
  (1, '2026-03-01', 1000),
  (2, '2026-03-01', 99),
  (3, '2026-03-01', 750),
  (4, '2026-03-02', 500),
  (5, '2026-03-03', 9999),
  (6, '2026-03-05', 1);
