-- The ledger's database. Plumbline makes its tables itself.
CREATE DATABASE plumbline OWNER plumbline_ledger;
