package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"plumbline/sources"
)

// plan is what is known of a dataset: where its rows come from and how to read them.
type plan struct {
	dataset *sources.Dataset
	table   *table // nil for a query
	from    string
	// columns are selected, in this order: the key's, the id's, the fields'.
	columns []*column
	// fields say which column, and what inside it, each field is.
	fields []fieldSource
	keys   int // columns of the key
	scanBy []*column
	scope  []scopeTerm
	types  map[string]sources.FieldType
	served

	rowBytes atomic.Int64                    // average of the last page, to size the next one's memory
	layout   atomic.Pointer[layout]          // of what is written to
	bare     atomic.Pointer[sources.Dataset] // the keys alone
}

// fieldSource is where a field's value comes from.
type fieldSource struct {
	column int
	path   string // inside its JSON; "" for the whole column
}

// scopeTerm is a condition on an immutable column.
type scopeTerm struct {
	column *column
	path   string
	value  sources.Value
}

// newPlan looks a dataset up in the catalogue.
func newPlan(ctx context.Context, s *source, d *sources.Dataset) (*plan, error) {
	if err := supported(d); err != nil {
		return nil, sources.Final(err)
	}
	p := &plan{dataset: d, types: map[string]sources.FieldType{}, keys: len(d.Key)}
	var columns map[string]*column
	var err error
	if d.Query != "" {
		query := strings.TrimRight(d.Query, "; \t\r\n")
		p.from = "(" + query + "\n) AS dataset"
		columns, err = columnsOfQuery(ctx, s, p.from)
	} else {
		if p.table, err = findTable(ctx, s, d.Name); err == nil {
			p.from = p.table.from()
			columns, err = columnsOf(ctx, s, p.table)
		}
	}
	if err != nil {
		return nil, err
	}
	if err := p.choose(columns); err != nil {
		return nil, err
	}
	if err := p.permitted(ctx, s); err != nil {
		return nil, err
	}
	p.served, err = p.findIndexes(ctx, s)
	return p, err
}

func supported(d *sources.Dataset) error {
	switch {
	case d.Unwind != "" || d.Filter != "" || d.Pipeline != "":
		return errors.New("unwind, filter and pipeline are MongoDB's; for PostgreSQL write a query")
	case d.Name == "" && d.Query == "":
		return errors.New("the dataset names neither a table nor a query")
	case len(d.Key) == 0:
		return errors.New("the dataset has no key")
	}
	return nil
}

// columnsOfQuery asks the server what a query returns, without running it.
func columnsOfQuery(ctx context.Context, s *source, from string) (map[string]*column, error) {
	res, err := s.run(ctx, &statement{text: "SELECT * FROM " + from + " LIMIT 0"})
	if err != nil {
		return nil, fmt.Errorf("describe the query: %w", err)
	}
	types := make([]string, len(res.fields))
	for i, f := range res.fields {
		types[i] = fmt.Sprint(f.typ)
	}
	known, err := typesOf(ctx, s, types)
	if err != nil {
		return nil, err
	}
	columns := map[string]*column{}
	for i, f := range res.fields {
		c := &column{name: f.name, readable: true}
		if err := c.resolve(known, types[i], fmt.Sprint(f.modifier)); err != nil {
			return nil, err
		}
		c.declared = known[types[i]].name
		if c.typ.text() || c.typ.oid == oidBpchar { // which collation it has, the server does not tell
			c.collation = collation{name: "of a query", nondeterministic: true}
		}
		columns[c.name] = c
	}
	return columns, nil
}

// choose finds the columns that the dataset names.
func (p *plan) choose(columns map[string]*column) error {
	d := p.dataset
	for _, name := range slices.Concat(d.Key, d.ID) {
		c, path, err := p.find(columns, name)
		if err != nil {
			return err
		}
		if path != "" || !comparable(c.typ) {
			return sources.Final(fmt.Errorf("%s is %s, which cannot be a key or id; use a query that selects it as a plain type",
				name, words(c, path)))
		}
		p.columns = append(p.columns, c)
		p.scanBy = append(p.scanBy, c)
		p.declare(name, c, path)
	}
	inside := map[*column]int{} // JSON that several fields reach into is read once
	for _, name := range d.Fields {
		c, path, err := p.find(columns, name)
		if err != nil {
			return err
		}
		at, ok := inside[c]
		if path == "" || !ok {
			p.columns = append(p.columns, c)
			at = len(p.columns) - 1
		}
		if path != "" {
			inside[c] = at
		}
		p.fields = append(p.fields, fieldSource{column: at, path: path})
		p.declare(name, c, path)
	}
	for _, term := range d.Scope {
		c, path, err := p.find(columns, term.Field)
		if err != nil {
			return err
		}
		p.scope = append(p.scope, scopeTerm{column: c, path: path, value: term.Value})
		p.declare(term.Field, c, path)
	}
	return nil
}

// find resolves a field's name: a column, or a path into one that holds JSON.
func (p *plan) find(columns map[string]*column, name string) (c *column, path string, err error) {
	if c := columns[name]; c != nil {
		return c, "", nil
	}
	for i := range len(name) {
		if name[i] != '.' {
			continue
		}
		if c := columns[name[:i]]; c != nil && c.typ.json() && i+1 < len(name) {
			return c, name[i+1:], nil
		}
	}
	missing := &sources.NotFoundError{What: "column", Name: name, In: p.title()}
	for candidate := range columns {
		missing.Candidates = append(missing.Candidates, candidate)
	}
	return nil, "", sources.Final(missing)
}

func (p *plan) title() string {
	if p.table != nil {
		return p.table.title()
	}
	return "the query"
}

func words(c *column, path string) string {
	if path != "" {
		return "inside the " + c.typ.name + " column " + c.name
	}
	return "of type " + c.declared
}

// declare notes what the store says of a field.
func (p *plan) declare(name string, c *column, path string) {
	t := sources.FieldType{Declared: c.declared, Kind: c.form.kind, Strict: c.form.kind != sources.KindAbsent, Naive: c.form.naive, Nullable: !c.notNull, Raw: c.form.raw}
	if c.typ.text() || c.typ.oid == oidBpchar {
		if !c.bytes {
			t.Collation = c.collation.name
		}
	}
	if path != "" {
		t = sources.FieldType{Declared: "in " + c.declared, Nullable: true}
	}
	p.types[name] = t
}

// permitted checks that our role may read what the dataset names.
func (p *plan) permitted(ctx context.Context, s *source) error {
	if p.table == nil {
		return nil
	}
	used := slices.Clone(p.columns)
	for _, term := range p.scope {
		used = append(used, term.column)
	}
	var denied []string
	for _, c := range used {
		if !c.readable && !slices.Contains(denied, c.name) {
			denied = append(denied, c.name)
		}
	}
	if len(denied) == 0 && p.table.usage && !p.table.filtered {
		return nil
	}
	rows, err := s.texts(ctx, "SELECT current_user")
	if err != nil {
		return fmt.Errorf("ask for our role: %w", err)
	}
	role := rows[0][0]
	if !p.table.usage {
		return sources.Final(fmt.Errorf("role %s may not use schema %s; run: GRANT USAGE ON SCHEMA %s TO %s",
			role, p.table.schema, ident(p.table.schema), ident(role)))
	}
	if len(denied) == 0 {
		return sources.Final(fmt.Errorf("row-level security is active on %s for role %s; %s", p.table.title(), role, seeAllRows(ident(role))))
	}
	return sources.Final(fmt.Errorf("role %s may not read %s of %s; run: GRANT SELECT ON %s TO %s",
		role, strings.Join(denied, ", "), p.table.title(), p.from, ident(role)))
}
