package sourcetest

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"plumbline/sources"
)

// exactOrder compares keys as OrderExact does; it knows keys of one kind a part.
func exactOrder(a, b []sources.Value) int {
	for i := range a {
		c := 0
		switch {
		case a[i].Kind() == sources.KindInt:
			c = cmp.Compare(a[i].AsInt(), b[i].AsInt())
		case a[i].Kind() == sources.KindTime:
			c = a[i].AsTime().Compare(b[i].AsTime())
		case a[i].Kind() == sources.KindUUID, a[i].Kind() == sources.KindObjectID:
			c = strings.Compare(a[i].String(), b[i].String())
		default:
			c = strings.Compare(a[i].AsText(), b[i].AsText())
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

func (s *suite) testExactOrder(t *testing.T) {
	s.eachShape(t, func(t *testing.T, f *fixture) {
		d, err := s.source.(sources.Describer).Describe(t.Context(), &f.dataset)
		if err != nil {
			t.Fatal(s.note(err))
		}
		if d.Order != sources.OrderExact || !slices.Equal(d.ScanBy, f.dataset.Key) {
			t.Logf("conformance: %s scans %q in an order of its own, by %v", s.Adapter, f.table.Name, d.ScanBy)
			return
		}
		kinds := make([]sources.Kind, len(f.table.Key))
		for i, k := range f.table.Key {
			if kinds[i] = f.table.Columns[f.table.Column(k)].Kind; kinds[i] == sources.KindAbsent {
				kinds[i] = d.Types[f.dataset.Key[i]].Kind
			}
		}
		regular := func(k sources.Key) bool {
			for i, v := range k {
				if v.Kind() != kinds[i] {
					return false
				}
			}
			return true
		}
		s.checkAscending(t, f, regular)
		for range 60 {
			after, upTo := s.bound(f, regular), s.bound(f, regular)
			if after != nil && upTo != nil && exactOrder(after, upTo) > 0 {
				after, upTo = upTo, after
			}
			r := sources.ScanRequest{Span: sources.Span{After: s.respell(after), UpTo: s.respell(upTo)},
				Limit: sources.Limit{Records: 1 + s.random.IntN(20), Bytes: plenty}}
			c := f.collect()
			_, err := s.readSpan(t, s.source, f, &f.dataset, r, c.add)
			if err == nil {
				err = c.exactly(func(n int) bool {
					k := f.rows[n].Key
					if !regular(k) {
						return upTo == nil
					}
					return (after == nil || exactOrder(k, after) > 0) && (upTo == nil || exactOrder(k, upTo) <= 0)
				})
			}
			if err != nil {
				t.Fatalf("span (%s, %s]: %v", show(sources.Key(r.After)), show(sources.Key(r.UpTo)), err)
			}
		}
	})
}

func (s *suite) checkAscending(t *testing.T, f *fixture, regular func(sources.Key) bool) {
	t.Helper()
	c := f.collect()
	r := sources.ScanRequest{Limit: sources.Limit{Records: 7, Bytes: plenty}}
	if _, err := s.readSpan(t, s.source, f, &f.dataset, r, c.add); err != nil {
		t.Fatal(err)
	}
	var last sources.Key
	for _, n := range c.order {
		k := f.rows[n].Key
		if !regular(k) {
			continue
		}
		if last != nil && exactOrder(last, k) > 0 {
			t.Fatalf("%s came before %s, which is no exact order", show(last), show(k))
		}
		last = k
	}
}

// bound chooses a bound of a span: none, a key of the dataset, or one near it.
func (s *suite) bound(f *fixture, regular func(sources.Key) bool) sources.Position {
	if s.random.IntN(8) == 0 {
		return nil
	}
	k := f.rows[s.random.IntN(len(f.rows))].Key
	if !regular(k) {
		return nil
	}
	p := sources.Position(slices.Clone(k))
	last := len(p) - 1
	if s.random.IntN(2) == 0 {
		switch v := p[last]; v.Kind() {
		case sources.KindInt:
			if i := v.AsInt(); i > -1<<62 && i < 1<<62 {
				p[last] = sources.Int(i + int64(s.random.IntN(7)) - 3)
			}
		case sources.KindText:
			near := sources.Text(v.AsText() + string(rune('a'+s.random.IntN(26))))
			if s.HoldsKey(near) == "" {
				p[last] = near
			}
		case sources.KindUUID:
			u := v.AsUUID()
			u[15]++
			p[last] = sources.UUID(u)
		}
	}
	return p
}

// respell writes a bound as another store might hand it over.
func (s *suite) respell(p sources.Position) sources.Position {
	if s.random.IntN(2) == 0 {
		return p
	}
	out := slices.Clone(p)
	for i, v := range out {
		out[i] = sources.Canonical(v)
		if f, ok := asFloat(out[i]); ok && s.random.IntN(2) == 0 {
			out[i] = f
		}
	}
	return out
}

// asFloat is the float that is written as a decimal.
func asFloat(v sources.Value) (f sources.Value, ok bool) {
	f, err := sources.As(v, sources.KindFloat, nil)
	return f, err == nil && v.Kind() == sources.KindDecimal && sources.Canonical(f).Equal(v)
}
