-- The roles that Plumbline signs in with: one that may only read the shop, and
-- one that owns the ledger's database. Their passwords are the secrets.
DO $$ BEGIN
  EXECUTE format('CREATE ROLE plumbline_reader LOGIN PASSWORD %L', rtrim(pg_read_file('/run/secrets/reader_password')));
  EXECUTE format('CREATE ROLE plumbline_ledger LOGIN PASSWORD %L', rtrim(pg_read_file('/run/secrets/ledger_password')));
END $$;
ALTER ROLE plumbline_reader SET default_transaction_read_only = on;
