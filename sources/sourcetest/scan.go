package sourcetest

import (
	"slices"
	"testing"

	"plumbline/sources"
)

const plenty = 8 << 20 // bytes that no page of the small tables reaches

func (s *suite) testScanLimits(t *testing.T) {
	s.eachShape(t, func(t *testing.T, f *fixture) {
		var order []int
		var limits []sources.Limit
		for n := 1; n <= len(f.rows)+1; n++ {
			limits = append(limits, sources.Limit{Records: n, Bytes: plenty})
		}
		for _, b := range []int{1, 10, 100, 1000, 1 + s.random.IntN(5000)} {
			limits = append(limits, sources.Limit{Records: 1 + s.random.IntN(len(f.rows)), Bytes: b}, sources.Limit{Records: 20_000, Bytes: b})
		}
		for _, limit := range limits {
			for _, raw := range []bool{false, true} {
				c := f.collect()
				_, err := s.readSpan(t, s.source, f, &f.dataset, sources.ScanRequest{Limit: limit, Raw: raw}, func(p *sources.Page) error {
					if f.table.Unique && p.Len() > limit.Records {
						t.Errorf("limit %+v: a page of %d records", limit, p.Len())
					}
					return c.add(p)
				})
				if err == nil {
					err = c.exactly(nil)
				}
				if err != nil {
					t.Fatalf("limit %+v, raw %v: %v", limit, raw, err)
				}
				if f.table.Unique && order != nil && !slices.Equal(order, c.order) {
					t.Fatalf("limit %+v, raw %v: rows came in the order %v, before in %v", limit, raw, c.order, order)
				}
				order = c.order
			}
		}
	})
}

// positions are the Next of every page of a scan by single positions.
func (s *suite) positions(t *testing.T, f *fixture) []sources.Position {
	t.Helper()
	c := f.collect()
	nexts, err := s.readSpan(t, s.source, f, &f.dataset, sources.ScanRequest{Limit: sources.Limit{Records: 1, Bytes: plenty}}, c.add)
	if err != nil {
		t.Fatalf("read positions: %v", err)
	}
	return nexts
}

func (s *suite) testScanPartitions(t *testing.T) {
	s.eachShape(t, func(t *testing.T, f *fixture) {
		all := s.positions(t, f)
		if f.table.Columns[0].Kind == sources.KindAbsent { // a partition's bounds are of one kind, its records of any
			all = slices.DeleteFunc(all, func(p sources.Position) bool { return p[0].Kind() != sources.KindInt })
		}
		byKey := s.scansByKey(t, f)
		for trial := range 40 {
			var cuts []sources.Position
			for _, p := range all {
				if trial == 0 || s.random.IntN(6) < 1+trial%5 {
					cuts = append(cuts, p)
				}
			}
			s.checkPartition(t, f, cuts, byKey)
		}
		splitter, ok := s.source.(sources.Splitter)
		if !ok {
			return
		}
		for _, parts := range []int{2, 3, 8, 100} {
			cuts, err := splitter.Split(t.Context(), &f.dataset, parts)
			if err != nil {
				t.Fatalf("split in %d: %v", parts, s.note(err))
			}
			if len(cuts) >= parts {
				t.Errorf("split in %d: %d cuts", parts, len(cuts))
			}
			s.checkPartition(t, f, cuts, byKey)
		}
	})
}

// checkPartition reads every span between cuts and expects every record once,
// those with null in their key in the last span where the scan is byKey.
func (s *suite) checkPartition(t *testing.T, f *fixture, cuts []sources.Position, byKey bool) {
	t.Helper()
	c := f.collect()
	for i := range len(cuts) + 1 {
		r := sources.ScanRequest{Limit: sources.Limit{Records: 1 + s.random.IntN(len(f.rows)+1), Bytes: plenty}, Raw: s.random.IntN(2) == 0}
		if i > 0 {
			r.After = cuts[i-1]
		}
		if i < len(cuts) {
			r.UpTo = cuts[i]
		}
		before := len(c.order)
		if _, err := s.readSpan(t, s.source, f, &f.dataset, r, c.add); err != nil {
			t.Fatalf("span %d of cuts %v, limit %+v: %v", i, cuts, r.Limit, err)
		}
		if i == len(cuts) || !sources.Key(cuts[i]).Whole() || !byKey {
			continue // a position behind a null lies behind all keys; where positions are no keys, null is nothing special
		}
		for _, n := range c.order[before:] {
			if !f.rows[n].Key.Whole() {
				t.Fatalf("the key %s came in a span whose upper end is %v, not in the open one", show(f.rows[n].Key), r.UpTo)
			}
		}
	}
	if err := c.exactly(nil); err != nil {
		t.Fatalf("cuts %v: %v", cuts, err)
	}
}

func (s *suite) testKeysOnly(t *testing.T) {
	s.eachShape(t, func(t *testing.T, f *fixture) {
		want, got := map[string]int{}, map[string]int{}
		for _, r := range f.rows {
			want[plain(r.Key).Encode()+plain(r.ID).Encode()]++
		}
		r := sources.ScanRequest{Limit: sources.Limit{Records: 5, Bytes: plenty}, KeysOnly: true, Raw: s.random.IntN(2) == 0}
		_, err := s.readSpan(t, s.source, f, &f.dataset, r, func(p *sources.Page) error {
			records, err := decode(p)
			for _, r := range records {
				if len(r.Fields) > 0 {
					t.Errorf("a record of keys alone has %d fields", len(r.Fields))
				}
				got[plain(r.Key).Encode()+plain(r.ID).Encode()]++
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for k, n := range want {
			if got[k] != n {
				t.Errorf("key %q came %d times, not %d", k, got[k], n)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d different keys came, not %d", len(got), len(want))
		}
	})
}

// plain is k with absent parts as nulls.
func plain(k sources.Key) sources.Key {
	out := slices.Clone(k)
	for i, v := range out {
		if v.IsAbsent() {
			out[i] = sources.Null()
		}
	}
	return out
}

func (s *suite) testTies(t *testing.T) {
	s.eachShape(t, func(t *testing.T, f *fixture) {
		if !s.scansByKey(t, f) {
			return
		}
		d := f.dataset
		d.ID = nil // so records that share a key share their position
		where := map[string]int{}
		page := 0
		_, err := s.readSpan(t, s.source, f, &d, sources.ScanRequest{Limit: sources.Limit{Records: 1 + s.random.IntN(4), Bytes: plenty}}, func(p *sources.Page) error {
			page++
			records, err := decode(p)
			for _, r := range records {
				k := plain(r.Key)
				if at, seen := where[k.Encode()]; seen && at != page && k.Whole() {
					t.Errorf("records with key %s came on pages %d and %d", show(k), at, page)
				}
				where[k.Encode()] = page
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// scansByKey says whether a position is made of the key. A document store may be
// driven by its documents' own identity instead; then records with one key have
// positions of their own, and null in a key is nothing special.
func (s *suite) scansByKey(t *testing.T, f *fixture) bool {
	t.Helper()
	describer, ok := s.source.(sources.Describer)
	if !ok {
		return true
	}
	desc, err := describer.Describe(t.Context(), &f.dataset)
	if err != nil {
		t.Fatal(s.note(err))
	}
	n := len(f.dataset.Key)
	return len(desc.ScanBy) >= n && slices.Equal(desc.ScanBy[:n], f.dataset.Key)
}
