package memory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"plumbline/sources"
)

// Config is how a store is read. The zero Config offers everything and fails never.
type Config struct {
	// Without lists optional interfaces that the source does not offer.
	Without Without
	// Raw delivers raw pages where they are asked for and may be.
	Raw bool
	// Faults makes reads wait or fail; nil never.
	Faults Faults
	// Connections bounds how many reads run at once; 0 means 4.
	Connections int
	// Writable lets Write change rows.
	Writable bool
	// Load says how busy the store is; nil where it does not say.
	Load func() (sources.Load, error)
}

// Without says which optional interfaces a source lacks.
type Without struct {
	Scan     bool // no sources.Scanner and no sources.Splitter
	Split    bool // no sources.Splitter
	Describe bool // no sources.Describer
	Extras   bool // no sources.Counter, Explainer, Prober and Gauger
	Write    bool // no sources.Writer, Sampler and Recenter; one that lacks anything else has none either
}

// Source reads the store. Many sources may read one store.
func (s *Store) Source(c Config) sources.Source {
	full := &source{store: s, config: c}
	full.connections = make(chan struct{}, sources.Options{Connections: c.Connections}.WithDefaults().Connections)
	return offer(full, c.Without)
}

// source is the whole adapter; see offer.
type source struct {
	store       *Store
	config      Config
	connections chan struct{}
	reads       atomic.Int64
	datasets    sync.Map // *sources.Dataset to *compiled
}

// Close gives nothing back: there is nothing.
func (s *source) Close() error { return nil }

// read runs one call: it waits for a connection, meets its fate, and looks at
// the store as it is at one moment.
func (s *source) read(ctx context.Context, op string, d *sources.Dataset, do func(c *compiled, f *fate) error) error {
	return s.readIn(ctx, op, d, false, do)
}

// readIn is read, in peace where nobody may be changing the store meanwhile.
func (s *source) readIn(ctx context.Context, op string, d *sources.Dataset, peace bool, do func(c *compiled, f *fate) error) error {
	select {
	case s.connections <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.connections }()
	f := s.fate(ctx, op, d)
	if err := f.begin(ctx); err != nil {
		return err
	}
	if d == nil {
		return do(nil, f)
	}
	if peace {
		if err := s.store.reserve(ctx); err != nil {
			return err
		}
		defer s.store.release()
	}
	s.store.mu.RLock()
	defer s.store.mu.RUnlock()
	c, err := s.compile(d)
	if err != nil {
		return sources.Final(err)
	}
	return do(c, f)
}

// fate decides what befalls one call.
func (s *source) fate(ctx context.Context, op string, d *sources.Dataset) *fate {
	if s.config.Faults == nil {
		return &fate{}
	}
	return &fate{fault: s.config.Faults(ctx, Read{N: int(s.reads.Add(1)), Op: op, Dataset: d})}
}

// compiled is a dataset with its names resolved.
type compiled struct {
	dataset        *sources.Dataset
	table          *table
	keys           []at // key, then id
	declared       []sources.Kind
	fields         []at
	scope          []at
	where, deleted Predicate
	order          string // the columns of key and id, as the name of an index
}

// at is a column and the path inside it.
type at struct {
	column int
	path   string
}

// compile resolves a dataset once; the caller holds the store's lock.
func (s *source) compile(d *sources.Dataset) (*compiled, error) {
	if known, ok := s.datasets.Load(d); ok {
		if c := known.(*compiled); c.table == s.store.tables[d.Name] {
			return c, nil
		}
	}
	t := s.store.tables[d.Name]
	if t == nil {
		names := make([]string, 0, len(s.store.tables))
		for name := range s.store.tables {
			names = append(names, name)
		}
		return nil, &sources.NotFoundError{What: "table", Name: d.Name, Candidates: names}
	}
	c := &compiled{dataset: d, table: t, order: strings.Join(append(slices.Clone(d.Key), d.ID...), ",")}
	if len(d.Key) == 0 {
		return nil, fmt.Errorf("dataset %s has no key", d.Title())
	}
	for _, group := range []struct {
		names []string
		into  *[]at
	}{{d.Key, &c.keys}, {d.ID, &c.keys}, {d.Fields, &c.fields}, {scopeNames(d), &c.scope}} {
		for _, name := range group.names {
			column, path, ok := t.field(name)
			if !ok {
				return nil, t.missing(name)
			}
			*group.into = append(*group.into, at{column, path})
		}
	}
	for _, k := range c.keys {
		c.declared = append(c.declared, t.Columns[k.column].Kind)
	}
	var err error
	if c.where, err = s.predicate(d.Where); err != nil {
		return nil, err
	}
	if c.deleted, err = s.predicate(d.DeletedWhen); err != nil {
		return nil, err
	}
	s.datasets.Store(d, c)
	return c, nil
}

func scopeNames(d *sources.Dataset) []string {
	names := make([]string, len(d.Scope))
	for i, c := range d.Scope {
		names[i] = c.Field
	}
	return names
}

func (t *table) field(name string) (column int, path string, ok bool) {
	first, path, _ := strings.Cut(name, ".")
	column, ok = t.columns[first]
	return column, path, ok
}

func (t *table) missing(name string) error {
	candidates := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		candidates[i] = c.Name
	}
	return &sources.NotFoundError{What: "column", Name: name, In: t.Name, Candidates: candidates}
}

func (s *source) predicate(text string) (Predicate, error) {
	if text == "" {
		return nil, nil
	}
	p := s.store.predicates[text]
	if p == nil {
		return nil, fmt.Errorf("no predicate is registered as %q", text)
	}
	return p, nil
}

func (c *compiled) value(r *row, a at) sources.Value {
	v := r.Values[a.column]
	if a.path == "" {
		return v
	}
	return v.Get(a.path)
}

func (c *compiled) key(r *row) sources.Key {
	return sources.Key(c.position(r)[:len(c.dataset.Key)])
}

// position is a row's key and id.
func (c *compiled) position(r *row) sources.Position {
	p := make(sources.Position, len(c.keys))
	for i, a := range c.keys {
		p[i] = c.value(r, a)
	}
	return p
}

// exists says whether the scope's conditions hold.
func (c *compiled) exists(r *row) bool {
	for i, condition := range c.dataset.Scope {
		if !sources.Canonical(c.value(r, c.scope[i])).Equal(sources.Canonical(condition.Value)) {
			return false
		}
	}
	return true
}

func (c *compiled) holds(p Predicate, r *row) bool {
	return p(func(field string) sources.Value { return c.table.get(r, field) })
}

// record makes what is delivered for a row.
func (c *compiled) record(r *row, keysOnly bool) sources.Record {
	p := c.position(r)
	n := len(c.dataset.Key)
	out := sources.Record{Key: sources.Key(p[:n:n]), ID: sources.Key(p[n:]), Unreadable: r.Unreadable, Skipped: r.Skipped}
	out.OutOfScope = c.where != nil && !c.holds(c.where, r)
	out.Deleted = c.deleted != nil && c.holds(c.deleted, r)
	if !keysOnly && out.Skipped == "" && r.size > sources.MaxRecordSize {
		out.Skipped = fmt.Sprintf("larger than %d bytes", sources.MaxRecordSize)
	}
	if keysOnly || out.Skipped != "" {
		return out
	}
	out.Fields = make([]sources.Value, len(c.fields))
	for i, a := range c.fields {
		out.Fields[i] = c.value(r, a)
	}
	return out
}

// bound puts a position into the kinds that the columns declare: other stores
// write a uuid as its text, and integral decimals as ints.
func (c *compiled) bound(p sources.Position) sources.Position {
	if p == nil {
		return nil
	}
	out := slices.Clone(p)
	for i, v := range out {
		switch c.declared[i] {
		case sources.KindUUID, sources.KindObjectID, sources.KindFloat, sources.KindDecimal:
			if as, err := sources.As(v, c.declared[i], nil); err == nil && sources.Canonical(as).Equal(sources.Canonical(v)) {
				out[i] = as
			}
		}
	}
	return out
}
