package sourcetest

import (
	"fmt"
	"testing"

	"plumbline/sources"
)

// flagRow is what the suite knows of a row of the table of flags.
type flagRow struct {
	tenant string
	level  int64
	open   bool
	state  sources.Value
	gone   sources.Value
}

func (s *suite) flagTable(t *testing.T) (*fixture, []flagRow) {
	t.Helper()
	states := []sources.Value{sources.Text("gone"), sources.Text("GONE"), sources.Text("live"), sources.Text(""), sources.Null(), sources.Value{}}
	gones := []sources.Value{sources.Null(), sources.Text("2024-01-01"), sources.Value{}}
	open := s.holds(t, sources.Bool(true), aField)
	table := Table{Name: "flags", Key: []string{"k"}, Unique: true, Indexed: true, Columns: []Column{{Name: "k", Kind: sources.KindInt, NotNull: true},
		{Name: "tenant", Kind: sources.KindText, NotNull: true}, {Name: "level", Kind: sources.KindInt, NotNull: true}, {Name: "state", Kind: sources.KindText},
		{Name: "gone_at", Kind: sources.KindText}, {Name: serial, Kind: sources.KindInt, NotNull: true}}}
	if open {
		table.Columns = append(table.Columns, Column{Name: "open", Kind: sources.KindBool, NotNull: true})
	}
	var rows []flagRow
	for _, tenant := range []string{"eu", "us", "EU"} {
		for level := range int64(3) {
			for _, state := range states {
				for _, gone := range gones {
					if state.IsAbsent() && s.Holds(state) != "" || gone.IsAbsent() && s.Holds(gone) != "" {
						continue
					}
					n := int64(len(rows))
					r := flagRow{tenant: tenant, level: level, state: state, gone: gone, open: n%2 == 0}
					rows = append(rows, r)
					row := []sources.Value{sources.Int(1000 - n), sources.Text(tenant), sources.Int(level), state, gone, sources.Int(n)}
					if open {
						row = append(row, sources.Bool(r.open))
					}
					table.Rows = append(table.Rows, row)
				}
			}
		}
	}
	return s.load(t, table), rows
}

func (s *suite) testFlags(t *testing.T) {
	f, rows := s.flagTable(t)
	equals := func(field, text string) string {
		return s.Condition(Condition{Field: field, Test: Equals, Value: sources.Text(text)})
	}
	above := s.Condition(Condition{Field: serial, Test: Above, Value: sources.Int(10)})
	filled := s.Condition(Condition{Field: "gone_at", Test: Filled})
	type test struct {
		name           string
		scope          []sources.Condition
		where, deleted string
		exists         func(flagRow) bool
		in             func(int, flagRow) bool
		dead           func(flagRow) bool
	}
	all := func(flagRow) bool { return true }
	none := func(flagRow) bool { return false }
	in := func(int, flagRow) bool { return true }
	tests := []test{
		{name: "nothing", exists: all, in: in, dead: none},
		{name: "scope by a text", scope: []sources.Condition{{Field: "tenant", Value: sources.Text("eu")}},
			exists: func(r flagRow) bool { return r.tenant == "eu" }, in: in, dead: none},
		{name: "scope by a text and an int", scope: []sources.Condition{{Field: "tenant", Value: sources.Text("us")}, {Field: "level", Value: sources.Int(2)}},
			exists: func(r flagRow) bool { return r.tenant == "us" && r.level == 2 }, in: in, dead: none},
		{name: "where a text equals", where: equals("state", "gone"), exists: all,
			in: func(_ int, r flagRow) bool { return r.state.AsText() == "gone" }, dead: none},
		{name: "where a number is above", where: above, exists: all, in: func(n int, _ flagRow) bool { return n > 10 }, dead: none},
		{name: "deleted_when filled", deleted: filled, exists: all, in: in, dead: func(r flagRow) bool { return r.gone.AsText() != "" }},
		{name: "all three", scope: []sources.Condition{{Field: "tenant", Value: sources.Text("EU")}}, where: above, deleted: equals("state", "gone"),
			exists: func(r flagRow) bool { return r.tenant == "EU" }, in: func(n int, _ flagRow) bool { return n > 10 },
			dead: func(r flagRow) bool { return r.state.AsText() == "gone" }},
		{name: "scope that nothing meets", scope: []sources.Condition{{Field: "tenant", Value: sources.Text("nowhere")}}, exists: none, in: in, dead: none},
	}
	if f.table.Columns[len(f.table.Columns)-1].Name == "open" {
		tests = append(tests, test{name: "scope by a truth", scope: []sources.Condition{{Field: "open", Value: sources.Bool(true)}},
			exists: func(r flagRow) bool { return r.open }, in: in, dead: none})
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := f.dataset
			d.Scope, d.Where, d.DeletedWhen = test.scope, test.where, test.deleted
			check := func(what string, inScopeOnly bool, read func(each func(*sources.Page) error) error) {
				t.Helper()
				c := f.collect()
				err := read(func(p *sources.Page) error {
					records, err := decode(p)
					for i := range records {
						r := &records[i]
						if err := c.one(r); err != nil {
							return err
						}
						n := c.order[len(c.order)-1]
						if r.OutOfScope == test.in(n, rows[n]) || r.Deleted != test.dead(rows[n]) {
							return fmt.Errorf("row %d (%+v) came with OutOfScope %v and Deleted %v", n, rows[n], r.OutOfScope, r.Deleted)
						}
					}
					return err
				})
				if err == nil {
					err = c.exactly(func(n int) bool { return test.exists(rows[n]) && (!inScopeOnly || test.in(n, rows[n])) })
				}
				if err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
			var keys []sources.Key
			for _, r := range f.rows {
				keys = append(keys, r.Key)
			}
			limit := sources.Limit{Records: 1 + s.random.IntN(40), Bytes: plenty}
			check("lookup", false, func(each func(*sources.Page) error) error { return s.lookupAll(t, f, &d, keys, limit, each) })
			if s.Cannot[CannotScan] != "" {
				return
			}
			for _, inScopeOnly := range []bool{false, true} {
				check(fmt.Sprintf("scan, in scope only %v", inScopeOnly), inScopeOnly, func(each func(*sources.Page) error) error {
					_, err := s.readSpan(t, s.source, f, &d, sources.ScanRequest{Limit: limit, InScopeOnly: inScopeOnly, Raw: true}, each)
					return err
				})
			}
			s.checkFlagsOfKeys(t, f, &d, func(n int) (exists, in, dead bool) {
				return test.exists(rows[n]), test.in(n, rows[n]), test.dead(rows[n])
			})
		})
	}
}

// checkFlagsOfKeys checks that a scan of keys alone carries the same flags.
func (s *suite) checkFlagsOfKeys(t *testing.T, f *fixture, d *sources.Dataset, want func(n int) (exists, in, dead bool)) {
	t.Helper()
	byKey := map[string]int{}
	expected := 0
	for n, r := range f.rows {
		byKey[r.Key.Encode()] = n
		if exists, _, _ := want(n); exists {
			expected++
		}
	}
	_, err := s.readSpan(t, s.source, f, d, sources.ScanRequest{Limit: sources.Limit{Records: 9, Bytes: plenty}, KeysOnly: true}, func(p *sources.Page) error {
		records, err := decode(p)
		for _, r := range records {
			expected--
			exists, in, dead := want(byKey[r.Key.Encode()])
			if !exists || r.OutOfScope == in || r.Deleted != dead {
				return fmt.Errorf("key %s alone came with OutOfScope %v and Deleted %v", show(r.Key), r.OutOfScope, r.Deleted)
			}
		}
		return err
	})
	if err != nil {
		t.Errorf("keys alone: %v", err)
	}
	if expected != 0 {
		t.Errorf("keys alone: %d keys too few", expected)
	}
}
