package memory_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"plumbline/sources"
	"plumbline/sources/memory"
	"plumbline/sources/sourcetest"
)

func TestWriterConformance(t *testing.T) {
	sourcetest.RunWriter(t, writerHarness())
}

func writerHarness() sourcetest.WriterHarness {
	store := memory.NewStore()
	cable := &line{}
	h := harnessOf(store, cable, memory.Order{}, false)
	h.Open = func(o sources.Options) (sources.Source, error) {
		c := memory.Config{Connections: o.Connections, Writable: o.Writable}
		if o.URL == throughLine {
			c.Faults = cable.befall
		}
		return store.Source(c), nil
	}
	h.Cannot[sourcetest.CannotHoldLocks] = "other hands change a row in one step; see TestFrozenWriteHoldsOffAllOthers"
	h.Cannot[sourcetest.CannotFreeze] = "a frozen write hears of no clock; see TestFrozenWriteHoldsOffAllOthers"
	return sourcetest.WriterHarness{
		Harness: h,
		Change: func(_ testing.TB, d *sources.Dataset, n int64, set map[string]sources.Value) {
			change(store, d.Name, n, func(column string, v sources.Value) sources.Value {
				if to, ok := set[column]; ok {
					return to
				}
				return v
			})
		},
		Remove: func(_ testing.TB, d *sources.Dataset, n int64) {
			store.Delete(d.Name, func(get func(string) sources.Value) bool { return get("n").AsInt() == n })
		},
		Count: func(d *sources.Dataset, column string, n int64) error {
			if !change(store, d.Name, n, func(name string, v sources.Value) sources.Value {
				if name == column {
					return sources.Int(v.AsInt() + 1)
				}
				return v
			}) {
				return errors.New("no such row")
			}
			return nil
		},
		Dump: func(_ testing.TB, d *sources.Dataset) map[int64]string {
			all := map[int64]string{}
			for _, r := range store.Rows(d.Name) {
				var text strings.Builder
				n := int64(-1)
				for i, name := range store.Columns(d.Name) {
					v := r.Values[i]
					if name == "n" {
						n = v.AsInt()
					}
					fmt.Fprintf(&text, "%s=%s(%d) %q ", name, v.Kind(), v.Precision(), v.AppendEncoding(nil))
				}
				all[n] = text.String()
			}
			return all
		},
		Changes: func(_ testing.TB, d *sources.Dataset) int64 { return store.Changes(d.Name) },
		Hazards: func(testing.TB) []sourcetest.Hazardous { return hazards(store) },
	}
}

// change changes the values of the row of a serial in one step.
func change(store *memory.Store, name string, n int64, to func(column string, v sources.Value) sources.Value) bool {
	return store.Update(name, func(get func(string) sources.Value) bool { return get("n").AsInt() == n }, to) == 1
}

func hazards(store *memory.Store) []sourcetest.Hazardous {
	columns := []memory.Column{{Name: "k"}, {Name: "n"}, {Name: "v", FieldType: sources.FieldType{Nullable: true}}}
	d := func(name string) sources.Dataset {
		return sources.Dataset{Name: name, Key: []string{"k"}, Fields: []string{"n", "v"}}
	}
	store.Create(memory.Table{Name: "h_plain", Columns: columns, Unique: []string{"k"}})
	store.Create(memory.Table{Name: "h_trigger", Columns: columns, Unique: []string{"k"}, Hazards: []sources.Hazard{{Kind: sources.HazardTriggers, What: "a trigger"}}})
	store.Create(memory.Table{Name: "h_loose", Columns: columns})
	store.Create(memory.Table{Name: "h_wider", Columns: columns, Unique: []string{"k", "v"}})
	return []sourcetest.Hazardous{
		{Name: "nothing", Dataset: d("h_plain"), Fields: []string{"v"}, Deletes: true},
		{Name: "what the table says", Dataset: d("h_trigger"), Fields: []string{"v"}, Kinds: []sources.HazardKind{sources.HazardTriggers}},
		{Name: "no unique columns", Dataset: d("h_loose"), Fields: []string{"v"}, Refused: true},
		{Name: "a unique key of more columns", Dataset: d("h_wider"), Fields: []string{"n"}, Refused: true},
		{Name: "a field of the key", Dataset: d("h_plain"), Fields: []string{"k"}, Refused: true},
	}
}
