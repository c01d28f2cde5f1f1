package postgres

import (
	"context"
	"fmt"

	"plumbline/sources"
)

// Probe asks the server for its version, its state and our role's rights.
func (s *source) Probe(ctx context.Context) (sources.Facts, error) {
	rows, err := s.texts(ctx, `SELECT current_setting('server_version'), pg_is_in_recovery(),
			(SELECT rolsuper FROM pg_roles WHERE rolname = current_user) OR EXISTS (
				SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
				WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%'
				AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE')),
			current_user, current_setting('server_encoding')`)
	if err != nil {
		return sources.Facts{}, err
	}
	r := rows[0]
	facts := sources.Facts{Product: "PostgreSQL", Version: r[0], Standby: r[1] == "t", CanWrite: r[2] == "t",
		Notes: []string{fmt.Sprintf("role %s", r[3]), fmt.Sprintf("encoding %s", r[4])}}
	if s.pool.perTransaction.Load() {
		facts.Notes = append(facts.Notes, "something between us and the server drops session settings; each transaction makes its own")
	}
	return facts, nil
}
