package mysql

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"plumbline/sources"
)

// column is a column of a table, view or query.
type column struct {
	name     string
	declared string // the type in the server's words
	typ      dataType
	notNull  bool
	readable bool
	writable bool
	// charset and collation are of a text; "" where the server does not say.
	charset, collation string
	form               columnForm
}

// whole is the expression whose output our forms take, all of it.
func (c *column) whole() string {
	if c.typ.name == "float" {
		return ident(c.name) + " + 0E0" // a float's own text is rounded
	}
	return ident(c.name)
}

// order is the expression that the column is ordered and compared by. An enum's
// own order is that of its numbers, and its comparisons are those of its texts.
func (c *column) order() string {
	switch {
	case c.typ.family == familyLabel:
		return "CONVERT(" + ident(c.name) + " USING utf8mb4) COLLATE utf8mb4_bin"
	case c.typ.name == "year": // compared as a year, 5 would be 2005
		return ident(c.name) + " + 0"
	}
	return ident(c.name)
}

// indexed says whether an index keeps the column in the order that we read it in.
func (c *column) indexed() bool { return c.typ.family != familyLabel && c.typ.name != "year" }

// bytewise says whether the column's own order is that of its values' UTF-8
// bytes, in which no two different texts are equal.
func (c *column) bytewise() bool {
	switch c.collation {
	case "utf8mb4_nopad_bin", "utf8mb4_0900_bin", "utf8mb3_nopad_bin", "utf8_nopad_bin", "ascii_nopad_bin":
		return true
	}
	return false
}

// table is what a dataset names.
type table struct {
	schema, name string
	base         bool // it has indexes of its own: no view
}

func (t *table) title() string { return t.schema + "." + t.name }

// findTable finds table, or schema.table; a name that holds a point may be either.
func findTable(ctx context.Context, s *source, name string) (*table, error) {
	type place struct{ schema, name string }
	places := []place{{s.pool.database, name}}
	if schema, rest, ok := strings.Cut(name, "."); ok {
		places = append(places, place{schema, rest})
	}
	for _, p := range places {
		if p.schema == "" {
			continue
		}
		rows, err := s.texts(ctx, `SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES
			WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?`, p.schema, p.name)
		if err != nil {
			return nil, fmt.Errorf("look up table %s: %w", name, err)
		}
		if len(rows) > 0 {
			return &table{schema: rows[0][0], name: rows[0][1], base: rows[0][2] == "BASE TABLE" || rows[0][2] == "SYSTEM VERSIONED"}, nil
		}
	}
	missing := &sources.NotFoundError{What: "table", Name: name}
	rows, err := s.texts(ctx, `SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES
		WHERE TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys') LIMIT 1000`)
	if err != nil {
		return nil, fmt.Errorf("look up the tables there are: %w", err)
	}
	for _, r := range rows {
		if r[0] == s.pool.database {
			missing.Candidates = append(missing.Candidates, r[1])
		}
		missing.Candidates = append(missing.Candidates, r[0]+"."+r[1])
	}
	return nil, sources.Final(missing)
}

// columnsOf reads the columns of a table.
func columnsOf(ctx context.Context, s *source, t *table) (map[string]*column, error) {
	rows, err := s.texts(ctx, `SELECT COLUMN_NAME, COLUMN_TYPE, DATA_TYPE, IS_NULLABLE, COALESCE(CHARACTER_SET_NAME, ''), COALESCE(COLLATION_NAME, ''),
			COALESCE(DATETIME_PRECISION, 0), COALESCE(NUMERIC_PRECISION, 0), COALESCE(NUMERIC_SCALE, 0), PRIVILEGES
		FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?`, t.schema, t.name)
	if err != nil {
		return nil, fmt.Errorf("look up the columns of %s: %w", t.title(), err)
	}
	documents, err := documentsOf(ctx, s, t)
	if err != nil {
		return nil, err
	}
	columns := map[string]*column{}
	for _, r := range rows {
		c := &column{name: r[0], declared: r[1], notNull: r[3] == "NO", charset: r[4], collation: r[5], typ: typeOf(strings.ToLower(r[2]))}
		c.readable = strings.Contains(r[9], "select")
		c.writable = strings.Contains(r[9], "insert") || strings.Contains(r[9], "update")
		c.typ.unsigned = c.typ.unsigned || c.typ.family == familyInt && strings.Contains(r[1], "unsigned")
		numbers := [3]int64{}
		for i := range numbers {
			if numbers[i], err = strconv.ParseInt(r[6+i], 10, 64); err != nil {
				return nil, fmt.Errorf("read the type of column %s: %w", c.name, err)
			}
		}
		c.typ.digits, c.typ.whole, c.typ.scale = int(numbers[0]), numbers[1]-numbers[2], numbers[2]
		if documents[c.name] {
			c.typ.family, c.declared = familyJSON, "json"
		}
		c.form = formOf(&c.typ)
		columns[c.name] = c
	}
	return columns, nil
}

// documentsOf are the columns that MariaDB keeps to JSON: texts with that check.
func documentsOf(ctx context.Context, s *source, t *table) (map[string]bool, error) {
	c, err := s.pool.acquire(ctx)
	if err != nil {
		return nil, err
	}
	mariadb := c.mariadb
	s.pool.release(c)
	documents := map[string]bool{}
	if !mariadb {
		return documents, nil
	}
	rows, err := s.texts(ctx, `SELECT CONSTRAINT_NAME, CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS
		WHERE CONSTRAINT_SCHEMA = ? AND TABLE_NAME = ? AND CHECK_CLAUSE LIKE 'json_valid(%'`, t.schema, t.name)
	if err != nil {
		return nil, fmt.Errorf("look up the checks of %s: %w", t.title(), err)
	}
	for _, r := range rows {
		name := strings.TrimSuffix(strings.TrimPrefix(r[1], "json_valid(`"), "`)")
		documents[strings.ReplaceAll(name, "``", "`")] = true
	}
	return documents, nil
}

// columnsOfQuery asks the server what a query returns, without running it.
func columnsOfQuery(ctx context.Context, s *source, from string) (map[string]*column, error) {
	res, err := s.run(ctx, &statement{text: "SELECT * FROM " + from + " LIMIT 0"})
	if err != nil {
		return nil, fmt.Errorf("describe the query: %w", err)
	}
	columns := map[string]*column{}
	for _, f := range res.fields {
		c := &column{name: f.name, declared: f.typ, notNull: !f.nullable, readable: true, typ: typeOf(f.typ)}
		if c.typ.family == familyDecimal {
			c.typ.scale, c.typ.whole = max(0, f.scale), maxDigits
		}
		c.typ.digits = int(min(max(0, f.scale), 6))
		c.form = formOf(&c.typ)
		columns[c.name] = c
	}
	return columns, nil
}

// maxDigits is how many digits a decimal can have.
const maxDigits = 65
