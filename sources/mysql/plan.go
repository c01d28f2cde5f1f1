package mysql

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
	dataset       *sources.Dataset
	schema, table string // "" for a query
	base          bool   // a table with indexes of its own
	from          string
	// columns are selected, in this order: the key's, the id's, the fields'.
	columns []*column
	// fields say which column, and what inside it, each field is.
	fields []fieldSource
	keys   int // columns of the key
	scanBy []*column
	scope  []scopeTerm
	types  map[string]sources.FieldType
	wire   [2]string // what a record's columns, and a key's alone, are on the wire
	served

	rowBytes atomic.Int64           // average of the last page, to size the next one's memory
	layout   atomic.Pointer[layout] // of what is written to
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
	columns, err := p.find(ctx, s)
	if err != nil {
		return nil, err
	}
	if err := p.choose(columns); err != nil {
		return nil, err
	}
	if err := p.permitted(); err != nil {
		return nil, err
	}
	if p.served, err = p.findIndexes(ctx, s); err != nil {
		return nil, err
	}
	return p, p.learnWire(ctx, s)
}

func supported(d *sources.Dataset) error {
	switch {
	case d.Unwind != "" || d.Filter != "" || d.Pipeline != "":
		return errors.New("unwind, filter and pipeline are MongoDB's; for MySQL write a query")
	case d.Format != "" || d.Endpoint != nil:
		return errors.New("format is Redis's and endpoint an HTTP API's; for MySQL name a table or write a query")
	case d.Name == "" && d.Query == "":
		return errors.New("the dataset names neither a table nor a query")
	case len(d.Key) == 0:
		return errors.New("the dataset has no key")
	}
	return nil
}

// find resolves what the dataset names, and returns all its columns.
func (p *plan) find(ctx context.Context, s *source) (map[string]*column, error) {
	if p.dataset.Query != "" {
		p.from = "(" + strings.TrimRight(p.dataset.Query, "; \t\r\n") + "\n) AS dataset"
		return columnsOfQuery(ctx, s, p.from)
	}
	t, err := findTable(ctx, s, p.dataset.Name)
	if err != nil {
		return nil, err
	}
	p.schema, p.table, p.base = t.schema, t.name, t.base
	p.from = ident(t.schema) + "." + ident(t.name)
	return columnsOf(ctx, s, t)
}

// learnWire asks once what the columns are on the wire, without reading a row.
func (p *plan) learnWire(ctx context.Context, s *source) error {
	for i, keysOnly := range []bool{false, true} {
		st := &statement{}
		st.text = fmt.Sprintf("SELECT %s FROM %s LIMIT 0", p.list(st, keysOnly), p.from)
		st.layout = nil
		res, err := s.run(ctx, st)
		if err != nil {
			return fmt.Errorf("look at the columns of %s: %w", p.title(), err)
		}
		p.wire[i] = layoutOnWire(res.fields[:len(st.columns)])
	}
	return nil
}

// choose finds the columns that the dataset names.
func (p *plan) choose(columns map[string]*column) error {
	d := p.dataset
	for _, name := range slices.Concat(d.Key, d.ID) {
		c, path, err := p.column(columns, name)
		if err != nil {
			return err
		}
		if path != "" || !c.typ.keyable() {
			return sources.Final(fmt.Errorf("%s is %s, which cannot be a key or id; use a query that selects it as a plain type", name, words(c, path)))
		}
		p.columns = append(p.columns, c)
		p.scanBy = append(p.scanBy, c)
		p.declare(name, c, path)
	}
	inside := map[*column]int{} // JSON that several fields reach into is read once
	for _, name := range d.Fields {
		c, path, err := p.column(columns, name)
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
		c, path, err := p.column(columns, term.Field)
		if err != nil {
			return err
		}
		p.scope = append(p.scope, scopeTerm{column: c, path: path, value: term.Value})
		p.declare(term.Field, c, path)
	}
	return nil
}

// column resolves a field's name: a column, or a path into one that holds JSON.
func (p *plan) column(columns map[string]*column, name string) (c *column, path string, err error) {
	if c := columns[name]; c != nil {
		return c, "", nil
	}
	for i := range len(name) {
		if name[i] != '.' {
			continue
		}
		if c := columns[name[:i]]; c != nil && c.typ.family == familyJSON && i+1 < len(name) {
			return c, name[i+1:], nil
		}
	}
	missing := &sources.NotFoundError{What: "column", Name: name, In: p.title()}
	for candidate := range columns {
		missing.Candidates = append(missing.Candidates, candidate)
	}
	slices.Sort(missing.Candidates)
	return nil, "", sources.Final(missing)
}

func (p *plan) title() string {
	if p.table != "" {
		return p.schema + "." + p.table
	}
	return "the query"
}

func words(c *column, path string) string {
	if path != "" {
		return "inside the " + c.declared + " column " + c.name
	}
	return "of type " + c.declared
}

// declare notes what the store says of a field.
func (p *plan) declare(name string, c *column, path string) {
	t := sources.FieldType{Declared: c.declared, Naive: c.typ.family == familyDatetime, Nullable: !c.notNull, Raw: c.form.raw}
	t.Kind, t.Strict = c.typ.kind()
	if t.Kind == sources.KindText && !c.bytewise() {
		t.Collation = c.collation
	}
	if path != "" {
		t = sources.FieldType{Declared: "in " + c.declared, Nullable: true}
	}
	p.types[name] = t
}

// permitted checks that our role may read what the dataset names. Columns that it
// may not even know of look missing.
func (p *plan) permitted() error {
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
	if len(denied) == 0 {
		return nil
	}
	return sources.Final(fmt.Errorf("our role may not read %s of %s; run: GRANT SELECT ON %s TO …", strings.Join(denied, ", "), p.title(), p.from))
}
