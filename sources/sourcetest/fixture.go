package sourcetest

import (
	"fmt"
	"testing"

	"plumbline/sources"
)

// serial is the column, in every table of the suite, that tells rows apart.
const serial = "n"

// fixture is a table in the store, and what must come back from it.
type fixture struct {
	table   Table
	dataset sources.Dataset
	rows    []sources.Record // by serial
	at      int              // where in Record.Fields the serial is
}

// load puts a table into the store.
func (s *suite) load(t testing.TB, table Table) *fixture {
	t.Helper()
	f := &fixture{table: table, dataset: s.Load(t, table), at: -1}
	names := map[string]bool{}
	for _, k := range append(append([]string{}, table.Key...), table.ID...) {
		names[k] = true
	}
	var fields []int
	for i, c := range table.Columns {
		if !names[c.Name] {
			if c.Name == serial {
				f.at = len(fields)
			}
			fields = append(fields, i)
		}
	}
	if len(f.dataset.Key) != len(table.Key) || len(f.dataset.ID) != len(table.ID) || len(f.dataset.Fields) != len(fields) || f.at < 0 {
		t.Fatalf("Harness.Load of %s returned key %v, id %v and fields %v", table.Name, f.dataset.Key, f.dataset.ID, f.dataset.Fields)
	}
	for i, row := range table.Rows {
		if got := row[table.Column(serial)].AsInt(); got != int64(i) {
			t.Fatalf("row %d of %s has serial %d", i, table.Name, got)
		}
		r := sources.Record{Fields: make([]sources.Value, len(fields))}
		for _, k := range table.Key {
			r.Key = append(r.Key, row[table.Column(k)])
		}
		for _, k := range table.ID {
			r.ID = append(r.ID, row[table.Column(k)])
		}
		for j, c := range fields {
			r.Fields[j] = row[c]
		}
		f.rows = append(f.rows, r)
	}
	return f
}

// collector gathers records and says what is wrong with them.
type collector struct {
	f     *fixture
	seen  []int // how often each row came, by serial
	order []int
}

func (f *fixture) collect() *collector { return &collector{f: f, seen: make([]int, len(f.rows))} }

// add takes the records of a page over.
func (c *collector) add(page *sources.Page) error {
	records, err := decode(page)
	if err != nil {
		return err
	}
	for i := range records {
		if err := c.one(&records[i]); err != nil {
			return err
		}
	}
	return nil
}

func (c *collector) one(r *sources.Record) error {
	if r.Unreadable != "" || r.Skipped != "" {
		return fmt.Errorf("record %s is unreadable (%s) or skipped (%s)", r.Key, r.Unreadable, r.Skipped)
	}
	if len(r.Fields) != len(c.f.dataset.Fields) {
		return fmt.Errorf("record %s has %d fields, not %d", r.Key, len(r.Fields), len(c.f.dataset.Fields))
	}
	n, ok := r.Fields[c.f.at].Integer()
	if !ok || n < 0 || n >= int64(len(c.seen)) {
		return fmt.Errorf("record %s has the serial %s (%s)", r.Key, r.Fields[c.f.at], r.Fields[c.f.at].Kind())
	}
	c.seen[n]++
	c.order = append(c.order, int(n))
	return c.f.same(int(n), r)
}

// same says how a record differs from what was loaded as row n.
func (f *fixture) same(n int, r *sources.Record) error {
	want := &f.rows[n]
	if !sameParts(want.Key, r.Key) {
		return fmt.Errorf("row %d came with key %s, not %s", n, show(r.Key), show(want.Key))
	}
	if !sameParts(want.ID, r.ID) {
		return fmt.Errorf("row %d came with id %s, not %s", n, show(r.ID), show(want.ID))
	}
	for i, v := range r.Fields {
		if i < len(want.Fields) && !v.Equal(want.Fields[i]) {
			return fmt.Errorf("row %d: %s is the %s %s, not the %s %s", n, f.dataset.Fields[i], v.Kind(), clip(v.String()),
				want.Fields[i].Kind(), clip(want.Fields[i].String()))
		}
	}
	return nil
}

func sameParts(want, got sources.Key) bool {
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		missing := want[i].IsNull() || want[i].IsAbsent()
		if missing != (got[i].IsNull() || got[i].IsAbsent()) || !missing && !want[i].Equal(got[i]) {
			return false
		}
	}
	return true
}

func show(k sources.Key) string {
	text := ""
	for _, v := range k {
		text += fmt.Sprintf("%s %s, ", v.Kind(), clip(v.String()))
	}
	return text
}

// exactly says what is wrong unless just the wanted rows came, each once.
func (c *collector) exactly(want func(n int) bool) error {
	for n, times := range c.seen {
		expected := 0
		if want == nil || want(n) {
			expected = 1
		}
		if times != expected {
			return fmt.Errorf("row %d (key %s) came %d times, not %d", n, show(c.f.rows[n].Key), times, expected)
		}
	}
	return nil
}

// decode returns a page's records, raw or not.
func decode(page *sources.Page) ([]sources.Record, error) {
	if page.Raw == nil {
		return page.Records, nil
	}
	if len(page.Records) > 0 {
		return nil, fmt.Errorf("a page holds records and raw rows")
	}
	records := make([]sources.Record, page.Raw.Len())
	for i := range records {
		var err error
		if records[i], err = page.Raw.Decode(page.Raw.Row(i)); err != nil {
			return nil, fmt.Errorf("decode raw row %d: %w", i, err)
		}
	}
	return records, nil
}

// readSpan reads a span to its end in pages of the request's limit, and returns
// the Next of each page but the last.
func (s *suite) readSpan(t testing.TB, src sources.Source, f *fixture, d *sources.Dataset, r sources.ScanRequest, each func(*sources.Page) error) (nexts []sources.Position, err error) {
	t.Helper()
	for calls := 0; ; calls++ {
		if calls > 10*len(f.rows)+100 {
			return nexts, fmt.Errorf("after %d pages the span has no end", calls)
		}
		page, err := s.scan(t.Context(), src, d, r)
		if err != nil {
			return nexts, err
		}
		if err := each(&page); err != nil {
			return nexts, err
		}
		if page.Done {
			return nexts, nil
		}
		if page.Next == nil {
			return nexts, fmt.Errorf("page %d is not the last and has no Next", calls)
		}
		nexts = append(nexts, page.Next)
		r.After = page.Next
	}
}
