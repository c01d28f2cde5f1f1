package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"plumbline/sources"
)

// Schema implements sources.Shaper. It is no read of those that Faults number,
// and meets those that befall every read.
func (s *source) Schema(ctx context.Context, d *sources.Dataset) (out sources.Schema, err error) {
	if s.config.Faults != nil {
		f := &fate{fault: s.config.Faults(ctx, Read{Op: "schema", Dataset: d})}
		if err := f.begin(ctx); err != nil {
			return out, err
		}
	}
	s.store.mu.RLock()
	defer s.store.mu.RUnlock()
	t := s.store.tables[d.Name]
	if t == nil {
		return out, sources.Final(&sources.NotFoundError{What: "table", Name: d.Name})
	}
	for _, c := range t.Columns {
		out.Fields = append(out.Fields, sources.SchemaField{Name: c.Name, Declared: cmp.Or(c.Declared, c.Kind.String()), Nullable: c.Nullable})
	}
	slices.SortFunc(out.Fields, func(a, b sources.SchemaField) int { return strings.Compare(a.Name, b.Name) })
	for words, columns := range map[string][]string{"UNIQUE": t.Unique, "INDEX": t.Index} {
		if len(columns) > 0 {
			out.Constraints = append(out.Constraints, words+" ("+strings.Join(columns, ", ")+")")
		}
	}
	slices.Sort(out.Constraints)
	out.Identity = fmt.Sprint(t.identityNumber)
	return out, nil
}

// Alter makes a table another in one step: to changes what it is, and row, which
// may be nil, what each of its rows holds. The table is still the same one.
func (s *Store) Alter(name string, to func(*Table), row func([]sources.Value) []sources.Value) {
	s.changing <- struct{}{}
	defer s.release()
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.table(name)
	is := was.Table
	is.Columns, is.Unique, is.Index = slices.Clone(is.Columns), slices.Clone(is.Unique), slices.Clone(is.Index)
	to(&is)
	made := newTable(is)
	made.identityNumber, made.version = was.identityNumber, was.version
	for _, r := range was.rows {
		values := slices.Clone(r.Values)
		if row != nil {
			values = row(values)
		}
		made.version++
		moved := made.add(Row{Values: values, Unreadable: r.Unreadable, Skipped: r.Skipped})
		if key, ok := made.identity(values); ok {
			made.unique[key] = moved
		}
	}
	s.tables[name] = made
}

// Rename gives a table another name.
func (s *Store) Rename(name, to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.table(name)
	delete(s.tables, name)
	t.Name = to
	s.tables[to] = t
}

// Truncate empties a table at a blow, which makes it another one.
func (s *Store) Truncate(name string) {
	s.mu.RLock()
	is := s.table(name).Table
	s.mu.RUnlock()
	s.Create(is)
}

// add appends a row as the table's newest.
func (t *table) add(r Row) *row {
	added := &row{Row: r, serial: t.version}
	for _, v := range r.Values {
		added.size += size(v)
	}
	t.rows = append(t.rows, added)
	return added
}

// newTable panics on a table that makes no sense.
func newTable(t Table) *table {
	made := &table{Table: t, columns: map[string]int{}, unique: map[string]*row{}, indexes: map[string]*index{}}
	for i, c := range t.Columns {
		if _, twice := made.columns[c.Name]; twice {
			panic(fmt.Sprintf("memory: table %s has two columns %s", t.Name, c.Name))
		}
		made.columns[c.Name] = i
	}
	for _, name := range append(slices.Clone(t.Unique), t.Index...) {
		if _, ok := made.columns[name]; !ok {
			panic(fmt.Sprintf("memory: table %s has no column %s", t.Name, name))
		}
	}
	return made
}
