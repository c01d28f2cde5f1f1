// Package memory is the reference adapter: tables of values in memory, read and
// written through the whole contract of package sources. It is for tests. A test puts
// and deletes rows at any time, chooses the order in which a table is scanned
// and what a source offers, and makes reads wait or fail (see Config.Faults).
//
// A page is what the store held at one moment.
package memory

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"plumbline/sources"
)

// Store holds tables. Its methods may be called from many goroutines at once.
type Store struct {
	mu         sync.RWMutex
	tables     map[string]*table
	created    uint64 // how many tables were ever made
	predicates map[string]Predicate
	clock      func() time.Time
	changing   chan struct{} // held by whoever changes rows, from before he looks
}

// Predicate is a condition on a row; get returns a field by name or dotted path.
type Predicate func(get func(field string) sources.Value) bool

// Table says what a table is. Names of columns hold no dots.
type Table struct {
	Name    string
	Columns []Column
	// Unique are the columns that no two rows share: Put replaces the row that
	// has the same values there. Empty: Put always adds a row. A row with null
	// in one of them is always added, as in SQL.
	Unique []string
	// Index are the columns that an index serves, beside Unique.
	Index []string
	// Order is the order in which the table is scanned.
	Order Order
	// Hazards are what a write would touch beyond its record, as Preflight names it.
	Hazards []sources.Hazard
}

// Column is one column and what the table declares about it. The store keeps
// any value whatever is declared.
type Column struct {
	Name string
	sources.FieldType
	// Convert is what the store makes of a value that Become assigns, or an error
	// where it cannot take it; nil keeps every value as it is.
	Convert func(sources.Value) (sources.Value, error)
}

// Order is the order in which a table is scanned. The zero Order is that of
// sources.OrderExact; see Shuffled.
type Order struct{ seed uint64 }

// Shuffled is an order that has nothing to do with any other: stable, and
// different for each seed, which must not be 0. It stands for a linguistic
// collation, and shows who trusts an order across stores.
func Shuffled(seed uint64) Order { return Order{seed: seed} }

// Row is one row: a value for each column, and what may be wrong with it.
type Row struct {
	Values []sources.Value
	// Unreadable and Skipped, where not empty, are delivered as sources.Record has them.
	Unreadable, Skipped string
}

type table struct {
	Table
	columns map[string]int
	rows    []*row
	unique  map[string]*row
	version uint64 // rises with every change of the rows
	// identityNumber tells the table from others of its name, before and after.
	identityNumber uint64

	mu      sync.Mutex // guards indexes alone, under the store's lock
	indexes map[string]*index
}

// row never changes once it is in a table.
type row struct {
	Row
	serial uint64
	size   int
}

// NewStore makes an empty store.
func NewStore() *Store {
	return &Store{tables: map[string]*table{}, predicates: map[string]Predicate{}, changing: make(chan struct{}, 1)}
}

// Create makes an empty table, in place of one of that name. It panics on a
// table that makes no sense.
func (s *Store) Create(t Table) {
	made := newTable(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.created++
	made.identityNumber = s.created
	s.tables[t.Name] = made
}

// Register gives a predicate the text by which Dataset.Where and DeletedWhen name it.
func (s *Store) Register(text string, p Predicate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.predicates[text] = p
}

// Put adds a row of these values, one per column, or replaces the row that has
// the same in the unique columns. The store keeps the slice.
func (s *Store) Put(name string, values ...sources.Value) { s.PutRow(name, Row{Values: values}) }

// PutRow is Put for a row that cannot be read.
func (s *Store) PutRow(name string, r Row) {
	s.changing <- struct{}{}
	defer s.release()
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.table(name)
	if len(r.Values) != len(t.Columns) {
		panic(fmt.Sprintf("memory: table %s has %d columns, the row %d values", name, len(t.Columns), len(r.Values)))
	}
	key, keyed := t.identity(r.Values)
	if keyed {
		if was := t.unique[key]; was != nil {
			t.rows = slices.DeleteFunc(t.rows, func(r *row) bool { return r == was })
		}
	}
	t.version++
	added := t.add(r)
	if keyed {
		t.unique[key] = added
	}
}

// Delete removes every row for which p holds and returns how many.
func (s *Store) Delete(name string, p Predicate) int {
	s.changing <- struct{}{}
	defer s.release()
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.table(name)
	before := len(t.rows)
	t.rows = slices.DeleteFunc(t.rows, func(r *row) bool {
		gone := p(func(field string) sources.Value { return t.get(r, field) })
		if key, ok := t.identity(r.Values); gone && ok {
			delete(t.unique, key)
		}
		return gone
	})
	if len(t.rows) != before {
		t.version++
	}
	return before - len(t.rows)
}

// Update changes the values of every row for which p holds, in one step, and
// returns how many. to is asked for each column's value. Unique columns stay.
func (s *Store) Update(name string, p Predicate, to func(column string, v sources.Value) sources.Value) (n int) {
	s.changing <- struct{}{}
	defer s.release()
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.table(name)
	for _, r := range slices.Clone(t.rows) {
		if !p(func(field string) sources.Value { return t.get(r, field) }) {
			continue
		}
		is := &row{Row: Row{Values: make([]sources.Value, len(t.Columns)), Unreadable: r.Unreadable, Skipped: r.Skipped}}
		for i, c := range t.Columns {
			is.Values[i] = to(c.Name, r.Values[i])
			is.size += size(is.Values[i])
		}
		t.replace(r, is)
		n++
	}
	return n
}

// Changes is how many changes were made to a table, whoever made them.
func (s *Store) Changes(name string) int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return int64(s.table(name).version)
}

// Columns are the names of a table's columns.
func (s *Store) Columns(name string) (names []string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, c := range s.table(name).Columns {
		names = append(names, c.Name)
	}
	return names
}

// Rows returns the rows of a table in the order in which they were put.
func (s *Store) Rows(name string) []Row {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.table(name)
	rows := make([]Row, len(t.rows))
	for i, r := range t.rows {
		rows[i] = r.Row
	}
	return rows
}

// table panics for a table that a test forgot to create; the caller holds mu.
func (s *Store) table(name string) *table {
	t := s.tables[name]
	if t == nil {
		panic("memory: no table " + name)
	}
	return t
}

// identity is the encoding of the unique columns; ok is false where a row has none.
func (t *table) identity(values []sources.Value) (key string, ok bool) {
	k := make(sources.Key, len(t.Unique))
	for i, name := range t.Unique {
		k[i] = sources.Canonical(values[t.columns[name]])
	}
	return k.Encode(), k.Whole()
}

// get reads a field by name or dotted path; what is not there is absent.
func (t *table) get(r *row, field string) sources.Value {
	at, path, ok := t.field(field)
	if !ok {
		return sources.Value{}
	}
	return r.Values[at].Get(path)
}

func size(v sources.Value) int {
	n := 8 + len(v.AsText())
	for _, item := range v.Items() {
		n += size(item)
	}
	for _, f := range v.Fields() {
		n += len(f.Name) + size(f.Value)
	}
	return n
}
