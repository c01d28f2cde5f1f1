package sqlite

import (
	"fmt"
	"slices"
	"strings"

	"plumbline/sources"
)

// compiled is a dataset with everything resolved that its statements need.
type compiled struct {
	dataset *sources.Dataset
	file    int64 // the number of the opened whose schema this is
	object  *object
	keys    []*column // key, then id
	names   []string  // of keys
	fields  []field
	columns []*column // what the fields are made of, each once
	big     []int     // those of columns that may be large

	scope     string // a condition, "" where there is none
	scopeArgs []any
	where     string
	deleted   string

	scan, lookup      *index // nil where none serves
	scanName, keyName string
	unique            bool
	sorts             bool // a scan sorts, so that a page is asked for with a limit
	filtered          bool // a step of a statement may pass over many rows
	binary            bool // texts are kept in UTF-8, so that BINARY is the order of their bytes
}

// field is where a field's value comes from.
type field struct {
	column int // in compiled.columns
	path   string
}

func compile(r reading, d *sources.Dataset) (*compiled, error) {
	o, err := find(r, d)
	if err != nil {
		return nil, err
	}
	c := &compiled{dataset: d, file: r.file.number, object: o}
	if len(d.Key) == 0 {
		return nil, sources.Final(fmt.Errorf("dataset %s has no key", d.Title()))
	}
	for _, name := range slices.Concat(d.Key, d.ID) {
		column := o.column(name)
		switch {
		case column == nil:
			return nil, o.missing(name)
		case column.refine == jsonDoc:
			return nil, sources.Final(fmt.Errorf("column %s is %s and cannot be a key: its texts have many spellings", name, column.declared))
		}
		c.keys, c.names = append(c.keys, column), append(c.names, column.name)
	}
	if err := c.resolveFields(); err != nil {
		return nil, err
	}
	if err := c.resolveConditions(); err != nil {
		return nil, err
	}
	c.unique = o.unique(c.names)
	if c.scan, c.lookup = o.ordering(c.names), o.finding(c.names[:len(d.Key)]); c.scan != nil {
		c.scanName = c.scan.name
	}
	if c.lookup != nil {
		c.keyName = c.lookup.name
	}
	return c, c.prepare(r)
}

func (c *compiled) resolveFields() error {
	at := map[string]int{}
	for _, name := range c.dataset.Fields {
		column, path := c.object.column(name), ""
		if column == nil {
			first, rest, dotted := strings.Cut(name, ".")
			if column, path = c.object.column(first), rest; column == nil || !dotted {
				return c.object.missing(name)
			}
		}
		i, seen := at[column.name]
		if !seen {
			i = len(c.columns)
			at[column.name] = i
			c.columns = append(c.columns, column)
			if column.class != numberClass {
				c.big = append(c.big, i)
			}
		}
		c.fields = append(c.fields, field{i, path})
	}
	return nil
}

func (c *compiled) resolveConditions() error {
	var conditions []string
	for _, condition := range c.dataset.Scope {
		column := c.object.column(condition.Field)
		if column == nil {
			return c.object.missing(condition.Field)
		}
		args := column.spellings(condition.Value)
		if condition.Value.Kind() == sources.KindBool && len(args) == 0 {
			args = []any{map[bool]int64{true: 1}[condition.Value.AsBool()]}
		}
		if len(args) == 0 {
			return sources.Final(fmt.Errorf("scope %s: a %s column holds no %s", condition.Field, column.declared, condition.Value.Kind()))
		}
		either := make([]string, len(args))
		for i := range args { // in one collation, or another case would be another tenant's
			either[i] = quote(column.name) + " = ? COLLATE BINARY"
		}
		conditions = append(conditions, "("+strings.Join(either, " OR ")+")")
		c.scopeArgs = append(c.scopeArgs, args...)
	}
	c.scope = strings.Join(conditions, " AND ")
	if c.dataset.Where != "" {
		c.where = "(\n" + c.dataset.Where + "\n)"
	}
	if c.dataset.DeletedWhen != "" {
		c.deleted = "(\n" + c.dataset.DeletedWhen + "\n)"
	}
	return nil
}

// prepare lets SQLite compile the statements, so that what is wrong with them
// is known before any record is read, and looks at how it would run them.
func (c *compiled) prepare(r reading) error {
	err := r.each("PRAGMA encoding", nil, func(v []any) (bool, error) {
		c.binary = v[0] == "UTF-8"
		return true, nil
	})
	if err != nil {
		return err
	}
	scan, err := r.plan(c.scanText(c.example(), true))
	if err != nil {
		return err
	}
	lookup, err := r.plan(c.lookupText(1, 10))
	if err != nil {
		return err
	}
	if c.sorts = scan.sorts; !c.object.table && !c.sorts {
		c.scanName = scan.index
	}
	if !c.object.table {
		c.keyName = lookup.index
	}
	c.filtered = !c.object.table || c.scope != ""
	return nil
}

// example is the part of a scan that reads on after some key.
func (c *compiled) example() part {
	after := make(sources.Position, len(c.keys))
	for i, k := range c.keys {
		switch k.class {
		case numberClass:
			after[i] = sources.Int(0)
		case blobClass:
			after[i] = sources.Bytes(nil)
		default:
			after[i] = sources.Text("")
		}
	}
	return c.part(mainPhase, after, nil)
}

// exact says whether the scan's order is one that other stores have too.
func (c *compiled) exact() bool {
	for _, k := range c.keys {
		text := k.class == textClass && k.refine == plain && k.collation == "BINARY" && c.binary
		number := k.class == numberClass && k.integer && k.refine == plain
		if !text && !number {
			return false
		}
	}
	return true
}

// list writes what a record is made of: key and id, columns, whether a column
// is too large to read, and the two conditions.
func (c *compiled) list(keysOnly bool) string {
	var parts []string
	for _, k := range c.keys {
		parts = append(parts, "+"+quote(k.name)) // the plus keeps the driver from making times of texts
	}
	if !keysOnly {
		var large []string
		for i, column := range c.columns {
			name := quote(column.name)
			if slices.Contains(c.big, i) {
				over := fmt.Sprintf("octet_length(%s) > %d", name, sources.MaxRecordSize)
				large = append(large, over)
				parts = append(parts, fmt.Sprintf("iif(%s, NULL, %s)", over, name))
			} else {
				parts = append(parts, "+"+name)
			}
		}
		if len(large) > 0 {
			parts = append(parts, "("+strings.Join(large, " OR ")+")")
		}
	}
	for _, condition := range []string{c.where, c.deleted} {
		if condition != "" {
			parts = append(parts, condition+" IS TRUE")
		}
	}
	return strings.Join(parts, ", ")
}

// from writes the FROM clause, kept to an index where one is known to serve.
func (c *compiled) from(ix *index) string {
	if ix == nil {
		return c.object.from
	}
	return c.object.from + ix.hint
}

// row is one row of a statement that selects list.
type row struct {
	position sources.Position // as stored
	record   sources.Record
	size     int
}

// row makes a record of what a statement gave.
func (c *compiled) row(values []any, keysOnly bool) row {
	n, keys := len(c.keys), len(c.dataset.Key)
	out := row{position: make(sources.Position, n), size: 8 * len(values)}
	parts := make(sources.Key, n)
	for i, k := range c.keys {
		out.position[i] = stored(values[i])
		v, err := k.value(values[i], true)
		if err != nil { // no key is of a type that can be unreadable
			panic(err)
		}
		parts[i] = v
		out.size += out.position[i].Len()
	}
	out.record.Key, out.record.ID = parts[:keys:keys], parts[keys:]
	rest := values[n:]
	if !keysOnly {
		columns := rest[:len(c.columns)]
		if rest = rest[len(c.columns):]; len(c.big) > 0 {
			if rest[0] == int64(1) {
				out.record.Skipped = fmt.Sprintf("a value is larger than %d bytes", sources.MaxRecordSize)
			}
			rest = rest[1:]
		}
		c.fill(&out, columns)
	}
	if c.where != "" {
		out.record.OutOfScope = rest[0] != int64(1)
		rest = rest[1:]
	}
	if c.deleted != "" {
		out.record.Deleted = rest[0] == int64(1)
	}
	return out
}

// fill sets a record's fields.
func (c *compiled) fill(out *row, columns []any) {
	for _, raw := range columns {
		switch v := raw.(type) {
		case string:
			out.size += len(v)
		case []byte:
			out.size += len(v)
		}
	}
	if out.size > sources.MaxRecordSize && out.record.Skipped == "" {
		out.record.Skipped = fmt.Sprintf("larger than %d bytes", sources.MaxRecordSize)
	}
	if out.record.Skipped != "" {
		return
	}
	fields := make([]sources.Value, len(c.fields))
	for i, f := range c.fields {
		v, err := c.columns[f.column].value(columns[f.column], false)
		if text, ok := columns[f.column].(string); err == nil && f.path != "" && ok && c.columns[f.column].refine != jsonDoc {
			v, err = sources.ParseJSON([]byte(text))
		}
		if err != nil {
			out.record.Unreadable = err.Error()
			return
		}
		if fields[i] = v; f.path != "" {
			fields[i] = v.Get(f.path)
		}
	}
	out.record.Fields = fields
}
