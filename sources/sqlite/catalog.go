package sqlite

import (
	"slices"
	"strings"

	"plumbline/sources"
)

// object is a table, view or query as the catalog has it.
type object struct {
	from    string // for a FROM clause
	name    string
	schema  string
	table   bool // it has indexes of its own; views and queries have not
	columns []column
	indexes []index
	rowid   string // the column that is the rowid by another name, "" where none is
	wr      bool   // WITHOUT ROWID
}

// index is one index, or the rowid, by the columns it orders.
type index struct {
	name    string
	columns []string
	unique  bool
	hint    string // keeps the planner to this index
}

// column finds a column as SQLite does: the case of ASCII letters does not count.
func (o *object) column(name string) *column {
	for i := range o.columns {
		if foldASCII(o.columns[i].name) == foldASCII(name) {
			return &o.columns[i]
		}
	}
	return nil
}

func foldASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

func (o *object) missing(name string) error {
	candidates := make([]string, len(o.columns))
	for i, c := range o.columns {
		candidates[i] = c.name
	}
	return sources.Final(&sources.NotFoundError{What: "column", Name: name, In: o.name, Candidates: candidates})
}

// find looks a dataset's table, view or query up.
func find(r reading, d *sources.Dataset) (*object, error) {
	if d.Query != "" {
		return findQuery(r, d)
	}
	found, strict, err := named(r, d)
	if err != nil {
		return nil, err
	}
	if err := found.readColumns(r, strict); err != nil {
		return nil, err
	}
	if !found.table {
		return found, nil
	}
	return found, found.readIndexes(r)
}

// named finds the table or view that a dataset names; strict is of a table that
// keeps every value to its column's type.
func named(r reading, d *sources.Dataset) (found *object, strict bool, err error) {
	var names []string
	schema, table := "", d.Name
	if first, rest, ok := strings.Cut(d.Name, "."); ok {
		schema, table = first, rest
	}
	text := "SELECT schema, name, type, wr, strict FROM pragma_table_list WHERE type IN ('table', 'view', 'virtual') ORDER BY schema <> 'main'"
	err = r.each(text, nil, func(v []any) (bool, error) {
		s, name := v[0].(string), v[1].(string)
		if s == "main" {
			names = append(names, name)
		} else {
			names = append(names, s+"."+name)
		}
		same := s == "main" && foldASCII(name) == foldASCII(d.Name) || foldASCII(s) == foldASCII(schema) && foldASCII(name) == foldASCII(table)
		if same && found == nil {
			found = &object{from: quote(s) + "." + quote(name), schema: s, name: name, table: v[2] == "table", wr: v[3] == int64(1)}
			strict = v[4] == int64(1)
		}
		return true, nil
	})
	if err != nil {
		return nil, false, err
	}
	if found == nil {
		return nil, false, sources.Final(&sources.NotFoundError{What: "table", Name: d.Name, Candidates: names})
	}
	return found, strict, nil
}

// findQuery describes a query by what it would put out.
func findQuery(r reading, d *sources.Dataset) (*object, error) {
	o := &object{name: "query", from: queryFrom(d)}
	rows, err := r.query("SELECT * FROM " + o.from + " LIMIT 0")
	if err != nil {
		return nil, err
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	for _, t := range types {
		c := column{name: t.Name()}
		c.declare(t.DatabaseTypeName(), false, true)
		o.columns = append(o.columns, c)
	}
	if err := rows.Close(); err != nil {
		return nil, err
	}
	return o, o.readCollations(r)
}

// queryFrom is a query as a FROM clause has it.
func queryFrom(d *sources.Dataset) string {
	return "(\n" + strings.TrimRight(strings.TrimSpace(d.Query), ";") + "\n) AS " + quote("query")
}

func (o *object) readColumns(r reading, strict bool) error {
	primary := 0
	text := "SELECT name, type, \"notnull\", pk, hidden FROM pragma_table_xinfo(?, ?) WHERE hidden <> 1"
	err := r.each(text, []any{o.name, o.schema}, func(v []any) (bool, error) {
		c := column{name: v[0].(string), notNull: v[2] == int64(1), generated: o.table && v[4] != int64(0)}
		c.declare(v[1].(string), strict, !o.table)
		if v[3] != int64(0) {
			if primary++; strings.EqualFold(c.declared, "INTEGER") && o.table && !o.wr {
				o.rowid = c.name
			}
		}
		o.columns = append(o.columns, c)
		return true, nil
	})
	if err != nil {
		return err
	}
	if primary != 1 {
		o.rowid = ""
	}
	return o.readCollations(r)
}

// readCollations asks the compiler by what collation it would compare each
// column: the catalog does not say. In EXPLAIN's program, comparisons name it.
func (o *object) readCollations(r reading) error {
	for i := range o.columns {
		c := &o.columns[i]
		err := r.each("EXPLAIN SELECT +"+quote(c.name)+" = 'x' FROM "+o.from, nil, func(v []any) (bool, error) {
			if opcode, _ := v[1].(string); opcode == "Eq" || opcode == "Ne" {
				p4, _ := v[5].(string)
				c.collation, _, _ = strings.Cut(p4, "-")
			}
			return true, nil
		})
		if err != nil && !strings.Contains(err.Error(), "no such collation") { // a collation that only its own program has
			return err
		}
	}
	return nil
}

// readIndexes reads the indexes that can serve: whole ones, over columns alone,
// in the columns' own collations. One index of a rowid table has no name: the rowid.
func (o *object) readIndexes(r reading) error {
	if o.rowid != "" {
		c := o.column(o.rowid)
		if o.isRowid(r) {
			c.notNull, c.holds, c.collation = true, nil, "BINARY"
			o.indexes = append(o.indexes, index{name: "rowid", columns: []string{o.rowid}, unique: true, hint: " NOT INDEXED"})
		}
	}
	var names []index
	err := r.each("SELECT name, \"unique\", origin FROM pragma_index_list(?, ?) WHERE partial = 0", []any{o.name, o.schema}, func(v []any) (bool, error) {
		ix := index{name: v[0].(string), unique: v[1] == int64(1)}
		if ix.hint = " INDEXED BY " + quote(ix.name); o.wr && v[2] == "pk" {
			ix.hint = " NOT INDEXED"
		}
		names = append(names, ix)
		return true, nil
	})
	if err != nil {
		return err
	}
	for _, ix := range names {
		usable := true
		err := r.each("SELECT name, \"desc\", coll FROM pragma_index_xinfo(?, ?) WHERE key = 1 ORDER BY seqno", []any{ix.name, o.schema}, func(v []any) (bool, error) {
			name, _ := v[0].(string)
			c := o.column(name)
			if usable = usable && c != nil && v[1] == int64(0) && v[2] == c.collation; usable {
				ix.columns = append(ix.columns, c.name)
			}
			return true, nil
		})
		if err != nil {
			return err
		}
		ix.unique = ix.unique && usable
		if len(ix.columns) > 0 { // the first columns of an index serve too
			o.indexes = append(o.indexes, ix)
		}
	}
	slices.SortStableFunc(o.indexes, func(a, b index) int { return len(a.columns) - len(b.columns) }) // the narrower is read sooner
	return nil
}

// isRowid says whether the sole INTEGER PRIMARY KEY is the rowid: one written
// INTEGER PRIMARY KEY DESC is not, and has an index of its own.
func (o *object) isRowid(r reading) bool {
	rowid := true
	err := r.each("SELECT 1 FROM pragma_index_list(?, ?) WHERE origin = 'pk'", []any{o.name, o.schema}, func([]any) (bool, error) {
		rowid = false
		return false, nil
	})
	return err == nil && rowid
}

// ordering returns the index whose order is that of these columns.
func (o *object) ordering(columns []string) *index {
	for i := range o.indexes {
		ix := &o.indexes[i]
		n := min(len(ix.columns), len(columns))
		if slices.Equal(ix.columns[:n], columns[:n]) && (n == len(columns) || ix.unique && o.whole(ix.columns)) {
			return ix
		}
	}
	return nil
}

// finding returns the index that finds rows by the values of these columns.
func (o *object) finding(columns []string) *index {
	for i := range o.indexes {
		ix := &o.indexes[i]
		if len(ix.columns) >= len(columns) && !slices.ContainsFunc(columns, func(c string) bool { return !slices.Contains(ix.columns[:len(columns)], c) }) {
			return ix
		}
	}
	return nil
}

// unique says whether a constraint keeps two rows from sharing these columns.
func (o *object) unique(columns []string) bool {
	return slices.ContainsFunc(o.indexes, func(ix index) bool {
		return ix.unique && o.whole(ix.columns) && !slices.ContainsFunc(ix.columns, func(c string) bool { return !slices.Contains(columns, c) })
	})
}

// whole says whether none of the columns can be null; unique lets nulls repeat.
func (o *object) whole(columns []string) bool {
	return !slices.ContainsFunc(columns, func(name string) bool { return !o.column(name).notNull })
}
