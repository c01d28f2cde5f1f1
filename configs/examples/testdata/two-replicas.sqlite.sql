CREATE TABLE price_list (
  product_id INTEGER,
  name       TEXT,
  price      NUMERIC
);
CREATE INDEX price_list_product ON price_list (product_id);
INSERT INTO price_list (product_id, name, price) VALUES
  (1,   'Plumb bob',    12.5),
  (2,   'Chalk lime',   8.99),
  (4,   'Folding rule', 6.75),
  (4,   'Folding rule', 6.75),
  (900, 'Gift voucher', 10);
