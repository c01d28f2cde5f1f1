package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"plumbline/sources"
)

// schemaOf asks for a table, its columns and its indexes by one statement, which
// locks the table as a read of it does (pg_get_indexdef), and no partition
// (pg_partition_tree would lock each). An index that is being built, or made anew
// beside an old one, is none yet. The identity of a partitioned table is its oldest
// partition's too: that it gets new ones is no change of its identity.
const schemaOf = `WITH RECURSIVE found AS (
		SELECT c.oid, c.relfilenode, c.relkind
		FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w(schema, name, preference)
		JOIN pg_class c ON c.relname = w.name AND c.relkind IN ('r', 'v', 'm', 'p', 'f')
		JOIN pg_namespace n ON n.oid = c.relnamespace AND (n.nspname = w.schema OR w.schema = '' AND pg_table_is_visible(c.oid))
		ORDER BY w.preference LIMIT 1),
	parts AS (
		SELECT i.inhrelid AS oid FROM found f JOIN pg_inherits i ON i.inhparent = f.oid WHERE f.relkind = 'p'
		UNION ALL SELECT i.inhrelid FROM parts p JOIN pg_inherits i ON i.inhparent = p.oid)
	SELECT 'table', f.oid::text, f.relfilenode::text, coalesce((SELECT l.oid::text || '/' || l.relfilenode FROM parts p
			JOIN pg_class l ON l.oid = p.oid WHERE l.relkind <> 'p' ORDER BY l.oid LIMIT 1), '')
		FROM found f
	UNION ALL SELECT 'column', a.attname::text, format_type(a.atttypid, a.atttypmod), (NOT a.attnotnull)::text
		FROM found f JOIN pg_attribute a ON a.attrelid = f.oid WHERE a.attnum > 0 AND NOT a.attisdropped
	UNION ALL SELECT 'index', pg_get_indexdef(i.indexrelid), i.indisprimary::text, ''
		FROM found f JOIN pg_index i ON i.indrelid = f.oid JOIN pg_class x ON x.oid = i.indexrelid
		WHERE i.indisvalid AND i.indisready AND i.indislive AND x.relname !~ '_cc(new|old)[0-9]*$'`

// Schema implements sources.Shaper. TRUNCATE changes a table's identity, and so
// does whatever writes it anew (VACUUM FULL, CLUSTER, some ALTER TABLE).
func (s *source) Schema(ctx context.Context, d *sources.Dataset) (sources.Schema, error) {
	if d.Query != "" {
		return s.querySchema(ctx, d)
	}
	var schemas, tables []string
	for _, p := range names(d.Name) {
		schemas, tables = append(schemas, p[0]), append(tables, p[1])
	}
	rows, err := s.texts(ctx, schemaOf, array(schemas), array(tables))
	if err != nil {
		return sources.Schema{}, fmt.Errorf("look up the shape of %s: %w", d.Name, err)
	}
	if len(rows) == 0 {
		return sources.Schema{}, missingTable(ctx, s, d.Name)
	}
	var out sources.Schema
	for _, r := range rows {
		switch r[0] {
		case "table":
			out.Identity = strings.TrimSuffix(r[1]+"/"+r[2]+"/"+r[3], "/")
		case "column":
			out.Fields = append(out.Fields, sources.SchemaField{Name: r[1], Declared: r[2], Nullable: r[3] == "true"})
		case "index":
			words := strings.TrimPrefix(r[1], "CREATE ")
			if r[2] == "true" {
				words = "PRIMARY KEY: " + words
			}
			out.Constraints = append(out.Constraints, words)
		}
	}
	sortSchema(&out)
	return out, nil
}

// querySchema is the shape of what a query returns, which the server says without running it.
func (s *source) querySchema(ctx context.Context, d *sources.Dataset) (out sources.Schema, err error) {
	columns, err := columnsOfQuery(ctx, s, "("+strings.TrimRight(d.Query, "; \t\r\n")+"\n) AS dataset")
	if err != nil {
		return out, err
	}
	for _, c := range columns {
		out.Fields = append(out.Fields, sources.SchemaField{Name: c.name, Declared: c.declared, Nullable: true})
	}
	sortSchema(&out)
	return out, nil
}

func sortSchema(s *sources.Schema) {
	slices.SortFunc(s.Fields, func(a, b sources.SchemaField) int { return strings.Compare(a.Name, b.Name) })
	slices.Sort(s.Constraints)
}
