package sourcetest

import (
	"fmt"
	"strings"
	"testing"

	"plumbline/sources"
)

func (s *suite) testEmpty(t *testing.T) {
	table := Table{Name: "empty_table", Key: []string{"k"}, Unique: true, Indexed: true, Columns: []Column{{Name: "k", Kind: sources.KindInt, NotNull: true},
		{Name: serial, Kind: sources.KindInt, NotNull: true}}}
	f := s.load(t, table)
	c := f.collect()
	limit := sources.Limit{Records: 10, Bytes: plenty}
	if err := s.lookupAll(t, f, &f.dataset, []sources.Key{{sources.Int(1)}}, limit, c.add); err != nil {
		t.Errorf("lookup: %v", err)
	}
	if s.Cannot[CannotScan] == "" {
		spans := []sources.Span{{}}
		if s.scansByKey(t, f) { // so that a key is a position
			spans = append(spans, sources.Span{After: sources.Position{sources.Int(1)}}, sources.Span{UpTo: sources.Position{sources.Int(1)}})
		}
		for _, span := range spans {
			if _, err := s.readSpan(t, s.source, f, &f.dataset, sources.ScanRequest{Span: span, Limit: limit}, c.add); err != nil {
				t.Errorf("scan of %v: %v", span, err)
			}
		}
	}
	if splitter, ok := s.source.(sources.Splitter); ok {
		cuts, err := splitter.Split(t.Context(), &f.dataset, 4)
		if err != nil || len(cuts) > 3 {
			t.Errorf("split: %v, %v", cuts, s.note(err))
		}
	}
	if len(c.order) > 0 {
		t.Errorf("%d records came from nowhere", len(c.order))
	}
}

// testBigRecords: pages end at their bytes, and what is beyond MaxRecordSize is
// delivered without its values.
func (s *suite) testBigRecords(t *testing.T) {
	table := Table{Name: "big", Key: []string{"k"}, Unique: true, Indexed: true, Columns: []Column{{Name: "k", Kind: sources.KindInt, NotNull: true},
		{Name: serial, Kind: sources.KindInt, NotNull: true}, {Name: "v", Kind: sources.KindText}}}
	huge := sources.Text(strings.Repeat("x", sources.MaxRecordSize+1))
	fits := s.holds(t, huge, aField)
	for n := range int64(12) {
		v := sources.Text(strings.Repeat(string(rune('a'+n)), 1<<20))
		if n == 5 && fits {
			v = huge
		}
		table.Rows = append(table.Rows, []sources.Value{sources.Int(n), sources.Int(n), v})
	}
	f := s.load(t, table)
	var keys []sources.Key
	for _, r := range f.rows {
		keys = append(keys, r.Key)
	}
	limit := sources.Limit{Records: 100, Bytes: 3 << 20}
	check := func(way string, read func(each func(*sources.Page) error) error) {
		t.Helper()
		c := f.collect()
		pages := 0
		err := read(func(p *sources.Page) error {
			pages++
			records, err := decode(p)
			if err != nil {
				return err
			}
			if len(records) > 6 {
				return fmt.Errorf("a page of 3 MB holds %d records of 1 MB", len(records))
			}
			for i := range records {
				r := &records[i]
				n := r.Key[0].AsInt()
				if n != 5 || !fits {
					if err := c.one(r); err != nil {
						return err
					}
					continue
				}
				c.seen[5]++
				if r.Skipped == "" {
					return fmt.Errorf("the record of %d bytes is not skipped", sources.MaxRecordSize+1)
				}
			}
			return nil
		})
		if err == nil {
			err = c.exactly(nil)
		}
		if err != nil {
			t.Errorf("%s: %v", way, err)
		}
		if pages < 3 {
			t.Errorf("%s: 12 records of 1 MB came in %d pages of 3 MB", way, pages)
		}
	}
	check("lookup", func(each func(*sources.Page) error) error { return s.lookupAll(t, f, &f.dataset, keys, limit, each) })
	if s.Cannot[CannotScan] != "" {
		return
	}
	for _, raw := range []bool{false, true} {
		check(fmt.Sprintf("scan, raw %v", raw), func(each func(*sources.Page) error) error {
			_, err := s.readSpan(t, s.source, f, &f.dataset, sources.ScanRequest{Limit: limit, Raw: raw}, each)
			return err
		})
	}
}
