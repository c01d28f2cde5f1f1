package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"plumbline/sources"
)

// table is a table, view, materialized, partitioned or foreign table.
type table struct {
	oid          string
	database     string
	schema, name string
	kind         string // pg_class.relkind
	inherited    bool   // others inherit from it, and their rows are its rows
	usage        bool   // our role may use its schema
	writable     bool   // our role may write to it
	filtered     bool   // row-level security would hide rows from our role
}

func (t *table) title() string { return t.schema + "." + t.name }

func (t *table) from() string { return ident(t.schema) + "." + ident(t.name) }

// place tells the table from those of the same name in other databases.
func (t *table) place() string { return ident(t.database) + "." + t.from() }

// column is a column of a table or query.
type column struct {
	name     string
	number   string // pg_attribute.attnum; "" in a query
	typ      *dataType
	modifier int32
	form     form
	declared string
	notNull  bool
	readable bool
	collation
}

// collation is how a column's texts are ordered.
type collation struct {
	oid  string
	name string
	// quoted is its name in a statement.
	quoted string
	// bytes: by their bytes. nondeterministic: different bytes may be equal.
	bytes, nondeterministic bool
}

// names returns the ways to read a dataset's name, the likeliest first: schema
// and table, split at each dot; one name, "" as schema for the search path; and
// either as SQL quotes them.
func names(name string) (pairs [][2]string) {
	for i := range len(name) {
		if name[i] == '.' && i > 0 && i < len(name)-1 {
			pairs = append(pairs, [2]string{name[:i], name[i+1:]})
		}
	}
	pairs = append(pairs, [2]string{"", name})
	for _, p := range pairs {
		schema, table := unquote(p[0]), unquote(p[1])
		if schema != p[0] || table != p[1] {
			pairs = append(pairs, [2]string{schema, table})
		}
	}
	return pairs
}

// unquote takes the quotes off a quoted identifier; any other name is returned as it is.
func unquote(name string) string {
	if len(name) < 3 || name[0] != '"' || name[len(name)-1] != '"' {
		return name
	}
	inner := strings.ReplaceAll(name[1:len(name)-1], `""`, "\x00")
	if strings.Contains(inner, `"`) {
		return name
	}
	return strings.ReplaceAll(inner, "\x00", `"`)
}

// findTable looks a table up by schema.table, or by the search path. It
// returns a NotFoundError where there is none.
func findTable(ctx context.Context, s *source, name string) (*table, error) {
	var schemas, tables []string
	for _, p := range names(name) {
		schemas, tables = append(schemas, p[0]), append(tables, p[1])
	}
	rows, err := s.texts(ctx, `SELECT c.oid, n.nspname, c.relname, c.relkind,
			EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid), has_schema_privilege(n.oid, 'USAGE'),
			has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE'), row_security_active(c.oid), current_database()
		FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w(schema, name, preference)
		JOIN pg_class c ON c.relname = w.name AND c.relkind IN ('r', 'v', 'm', 'p', 'f')
		JOIN pg_namespace n ON n.oid = c.relnamespace AND (n.nspname = w.schema OR w.schema = '' AND pg_table_is_visible(c.oid))
		ORDER BY w.preference LIMIT 1`, array(schemas), array(tables))
	if err != nil {
		return nil, fmt.Errorf("look up table %s: %w", name, err)
	}
	if len(rows) == 0 {
		return nil, missingTable(ctx, s, name)
	}
	r := rows[0]
	return &table{oid: r[0], schema: r[1], name: r[2], kind: r[3], inherited: r[4] == "t", usage: r[5] == "t",
		writable: r[6] == "t", filtered: r[7] == "t", database: r[8]}, nil
}

func missingTable(ctx context.Context, s *source, name string) error {
	rows, err := s.texts(ctx, `SELECT n.nspname, c.relname, pg_table_is_visible(c.oid)
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema' LIMIT 5000`)
	if err != nil {
		return fmt.Errorf("list tables: %w", err)
	}
	missing := &sources.NotFoundError{What: "table", Name: name}
	for _, r := range rows {
		if strings.Contains(name, ".") || r[2] != "t" {
			missing.Candidates = append(missing.Candidates, r[0]+"."+r[1])
		} else {
			missing.Candidates = append(missing.Candidates, r[1])
		}
	}
	return sources.Final(missing)
}

// columnsOf reads a table's columns, by name.
func columnsOf(ctx context.Context, s *source, t *table) (map[string]*column, error) {
	rows, err := s.texts(ctx, `SELECT a.attname, a.attnum, a.atttypid, a.atttypmod, format_type(a.atttypid, a.atttypmod),
			a.attnotnull, has_column_privilege(a.attrelid, a.attnum, 'SELECT'), a.attcollation
		FROM pg_attribute a WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped`, t.oid)
	if err != nil {
		return nil, fmt.Errorf("look up the columns of %s: %w", t.title(), err)
	}
	columns := map[string]*column{}
	types := make([]string, len(rows))
	collations := make([]string, len(rows))
	for i, r := range rows {
		types[i], collations[i] = r[2], r[7]
	}
	known, err := typesOf(ctx, s, types)
	if err != nil {
		return nil, err
	}
	orders, err := collationsOf(ctx, s, collations)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		c := &column{name: r[0], number: r[1], declared: r[4], notNull: r[5] == "t", readable: r[6] == "t", collation: orders[r[7]]}
		if err := c.resolve(known, r[2], r[3]); err != nil {
			return nil, err
		}
		columns[c.name] = c
	}
	return columns, nil
}

// resolve gives a column its type, given as its object id and modifier.
func (c *column) resolve(known map[string]*catalogueType, oid, modifier string) error {
	t := known[oid]
	if t == nil {
		return fmt.Errorf("type %s of column %s is gone from the catalogue", oid, c.name)
	}
	for t.base != "" && known[t.base] != nil { // a domain
		if t.modifier != "-1" {
			modifier = t.modifier
		}
		t = known[t.base]
	}
	m, err := strconv.ParseInt(modifier, 10, 32)
	if err != nil {
		return fmt.Errorf("modifier of column %s: %w", c.name, err)
	}
	c.typ, c.modifier = t.dataType(known), int32(m)
	c.form = formOf(c.typ, c.modifier)
	return nil
}

// catalogueType is a row of pg_type.
type catalogueType struct {
	oid, name      string
	kind, category string
	base, modifier string // of a domain
	elem, array    string
	labels         []string
}

// typesOf reads types and what they are made of, by object id.
func typesOf(ctx context.Context, s *source, oids []string) (map[string]*catalogueType, error) {
	rows, err := s.texts(ctx, `WITH RECURSIVE parts AS (
			SELECT unnest($1::oid[]) AS oid
			UNION SELECT part FROM parts JOIN pg_type p USING (oid),
				LATERAL (VALUES (p.typbasetype), (CASE p.typcategory WHEN 'A' THEN p.typelem ELSE 0 END)) AS of (part) WHERE part <> 0)
		SELECT t.oid, t.typname, t.typtype, t.typcategory, t.typbasetype, t.typtypmod, t.typelem, t.typarray, e.enumlabel
		FROM parts JOIN pg_type t USING (oid) LEFT JOIN pg_enum e ON e.enumtypid = t.oid`, array(oids))
	if err != nil {
		return nil, fmt.Errorf("look up types: %w", err)
	}
	known := map[string]*catalogueType{}
	for _, r := range rows {
		t := known[r[0]]
		if t == nil {
			t = &catalogueType{oid: r[0], name: r[1], kind: r[2], category: r[3], modifier: r[5], elem: r[6], array: r[7]}
			known[t.oid] = t
		}
		if t.kind == "d" {
			t.base = r[4]
		}
		if t.kind == "e" {
			t.labels = append(t.labels, r[8])
		}
	}
	return known, nil
}

func (t *catalogueType) dataType(known map[string]*catalogueType) *dataType {
	d := &dataType{oid: number(t.oid), name: t.name, array: number(t.array), enum: t.kind == "e", labels: t.labels}
	elem := known[t.elem]
	for elem != nil && elem.base != "" {
		elem = known[elem.base]
	}
	if t.category == "A" && elem != nil {
		d.elem = elem.dataType(known)
	}
	return d
}

// number reads an object id that the server wrote; anything else is 0, no type's.
func number(oid string) uint32 {
	n, err := strconv.ParseUint(oid, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// collationsOf reads collations, by object id. The catalogue's columns differ
// from version to version, so rows are read as documents.
func collationsOf(ctx context.Context, s *source, oids []string) (map[string]collation, error) {
	rows, err := s.texts(ctx, `SELECT c.oid, c.collname, c.doc ->> 'collprovider', c.doc ->> 'collisdeterministic',
			coalesce(c.doc ->> 'collcollate', ''), d.doc ->> 'datlocprovider', d.doc ->> 'datcollate',
			coalesce(d.doc ->> 'datlocale', d.doc ->> 'daticulocale'), c.oid::regcollation
		FROM (SELECT oid, collname, to_jsonb(pg_collation) AS doc FROM pg_collation WHERE oid = ANY ($1::oid[])) c,
			(SELECT to_jsonb(pg_database) AS doc FROM pg_database WHERE datname = current_database()) d`, array(oids))
	if err != nil {
		return nil, fmt.Errorf("look up collations: %w", err)
	}
	orders := map[string]collation{}
	for _, r := range rows {
		c := collation{oid: r[0], name: r[1], quoted: r[8], nondeterministic: r[3] == "false"}
		provider, locale := r[2], r[4]
		if provider == "d" {
			if provider, locale = r[5], r[6]; provider == "i" {
				locale = r[7]
			}
			c.name = strings.TrimSuffix("default "+locale, " ")
		}
		c.bytes = provider == "b" || provider != "i" && (locale == "C" || locale == "POSIX")
		orders[c.oid] = c
	}
	return orders, nil
}
