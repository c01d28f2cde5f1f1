# The user that Plumbline reads billing's customers by, who may only read. The
# image's entry point runs this with its own docker_process_sql.
docker_process_sql <<SQL
CREATE USER plumbline_reader IDENTIFIED BY '$(cat /run/secrets/reader_password)';
GRANT SELECT ON billing.* TO plumbline_reader;
SQL
