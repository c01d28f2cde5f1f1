package memory_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"plumbline/sources"
	"plumbline/sources/memory"
	"plumbline/sources/sourcetest"
)

// TestConformance runs the suite in the exact order and in one that nobody
// shares, with and without raw pages.
func TestConformance(t *testing.T) {
	for _, variant := range []struct {
		name  string
		order memory.Order
		raw   bool
	}{{"exact order, raw pages", memory.Order{}, true}, {"shuffled order", memory.Shuffled(7), false}} {
		t.Run(variant.name, func(t *testing.T) { sourcetest.Run(t, harness(variant.order, variant.raw)) })
	}
}

func TestConformanceOfLookupsAlone(t *testing.T) {
	h := harness(memory.Order{}, false)
	open := h.Open
	h.Open = func(o sources.Options) (sources.Source, error) {
		src, err := open(o)
		return struct{ sources.Source }{src}, err
	}
	for _, ability := range []sourcetest.Ability{sourcetest.CannotScan, sourcetest.CannotSplit, sourcetest.CannotCount,
		sourcetest.CannotDescribe, sourcetest.CannotExplain, sourcetest.CannotProbe, sourcetest.CannotGauge, sourcetest.CannotSample, sourcetest.CannotRecent, sourcetest.CannotShape,
		sourcetest.CannotWrite, sourcetest.CannotDeliverRaw} {
		h.Cannot[ability] = "this source only looks keys up"
	}
	sourcetest.Run(t, h)
}

const throughLine = sources.Secret("through the line")

func harness(order memory.Order, raw bool) sourcetest.Harness {
	return harnessOf(memory.NewStore(), &line{}, order, raw)
}

func harnessOf(store *memory.Store, cable *line, order memory.Order, raw bool) sourcetest.Harness {
	h := sourcetest.Harness{
		Adapter: "memory",
		URL:     "memory",
		Open: func(o sources.Options) (sources.Source, error) {
			c := memory.Config{Raw: raw, Connections: o.Connections}
			if o.URL == throughLine {
				c.Faults = cable.befall
			}
			return store.Source(c), nil
		},
		Load: func(_ testing.TB, table sourcetest.Table) sources.Dataset { return load(store, order, table) },
		Holds: func(sources.Value) string {
			return ""
		},
		Condition: func(c sourcetest.Condition) string { return register(store, c) },
		Alter:     func(_ testing.TB, d sources.Dataset, c sourcetest.Change) { alter(store, d.Name, c) },
		Through: func(testing.TB) (sources.Secret, sourcetest.Line) {
			*cable = line{cut: -1}
			return throughLine, cable
		},
		Cannot: map[sourcetest.Ability]string{
			sourcetest.CannotTryToWrite:    "a predicate has no way to write",
			sourcetest.CannotBeUnreachable: "it is in our own memory",
		},
	}
	if !raw {
		h.Cannot[sourcetest.CannotDeliverRaw] = "switched off in this variant"
	}
	return h
}

func load(store *memory.Store, order memory.Order, table sourcetest.Table) sources.Dataset {
	made := memory.Table{Name: table.Name, Order: order}
	d := sources.Dataset{Name: table.Name, Key: table.Key, ID: table.ID}
	identity := append(append([]string{}, table.Key...), table.ID...)
	if table.Unique {
		made.Unique = identity
	} else if table.Indexed {
		made.Index = identity
	}
	isKey := map[string]bool{}
	for _, name := range identity {
		isKey[name] = true
	}
	for _, c := range table.Columns {
		made.Columns = append(made.Columns, memory.Column{Name: c.Name, FieldType: sources.FieldType{Declared: c.Kind.String(), Kind: c.Kind, Naive: c.Naive, Nullable: !c.NotNull}})
		if !isKey[c.Name] {
			d.Fields = append(d.Fields, c.Name)
		}
	}
	store.Create(made)
	for _, row := range table.Rows {
		store.Put(table.Name, row...)
	}
	return d
}

// alter changes the suite's table, whose columns are k, price, note and n.
func alter(store *memory.Store, table string, c sourcetest.Change) {
	const price, note = 1, 2
	text := sources.FieldType{Declared: "text", Kind: sources.KindText, Nullable: true}
	switch c {
	case sourcetest.WriteRow:
		store.Put(table, sources.Int(1), sources.Null(), sources.Text("another"), sources.Int(1))
	case sourcetest.IndexField:
		store.Alter(table, func(t *memory.Table) { t.Index = []string{"note"} }, nil)
	case sourcetest.AddField:
		store.Alter(table, func(t *memory.Table) { t.Columns = append(t.Columns, memory.Column{Name: "added", FieldType: text}) },
			func(v []sources.Value) []sources.Value { return append(v, sources.Null()) })
	case sourcetest.RetypeField:
		store.Alter(table, func(t *memory.Table) { t.Columns[price].FieldType = text },
			func(v []sources.Value) []sources.Value { v[price] = sources.Text(v[price].String()); return v })
	case sourcetest.RenameField:
		store.Alter(table, func(t *memory.Table) {
			t.Columns[note].Name = "remark"
			t.Index = []string{"remark"}
		}, nil)
	case sourcetest.DropField:
		store.Alter(table, func(t *memory.Table) { t.Columns = slices.Delete(t.Columns, price, price+1) },
			func(v []sources.Value) []sources.Value { return slices.Delete(v, price, price+1) })
	case sourcetest.Replace:
		store.Truncate(table)
	}
}

func register(store *memory.Store, c sourcetest.Condition) string {
	text := fmt.Sprintf("%s %s %s", c.Field, c.Test, c.Value)
	switch c.Test {
	case sourcetest.Equals:
		store.Register(text, func(get func(string) sources.Value) bool { return get(c.Field).Equal(c.Value) })
	case sourcetest.Above:
		store.Register(text, func(get func(string) sources.Value) bool {
			return get(c.Field).Kind() == sources.KindInt && get(c.Field).AsInt() > c.Value.AsInt()
		})
	case sourcetest.Filled:
		store.Register(text, func(get func(string) sources.Value) bool {
			return !get(c.Field).IsNull() && !get(c.Field).IsAbsent()
		})
	}
	return text
}

// line lets a store's reads break as a line would.
type line struct {
	mu      sync.Mutex
	cut     int // records until it breaks; -1 whole
	blocked bool
}

func (l *line) Cut(after int) { l.mu.Lock(); defer l.mu.Unlock(); l.cut = after }
func (l *line) Block()        { l.mu.Lock(); defer l.mu.Unlock(); l.blocked = true }
func (l *line) Mend()         { l.mu.Lock(); defer l.mu.Unlock(); l.blocked, l.cut = false, -1 }
func (l *line) Peak() int     { return 0 }

// befall lets a read break once as many records as were to come have come,
// taking each read for one of as many as the suite asks at once.
func (l *line) befall(context.Context, memory.Read) *memory.Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.blocked:
		return &memory.Fault{Hang: true}
	case l.cut < 0:
		return nil
	}
	f := &memory.Fault{Err: memory.ErrBroken, After: l.cut}
	l.cut = max(0, l.cut-700)
	return f
}
