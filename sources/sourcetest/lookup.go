package sourcetest

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"plumbline/sources"
)

// lookupAll reads every page of a lookup.
func (s *suite) lookupAll(t testing.TB, f *fixture, d *sources.Dataset, keys []sources.Key, limit sources.Limit, each func(*sources.Page) error) error {
	t.Helper()
	var after sources.Position
	for calls := 0; ; calls++ {
		if calls > 10*len(f.rows)+len(keys)+100 {
			return fmt.Errorf("after %d pages the lookup has no end", calls)
		}
		page, err := s.lookup(t.Context(), d, keys, after, limit)
		if err != nil {
			return err
		}
		if err := each(&page); err != nil {
			return err
		}
		if page.Done {
			return nil
		}
		if page.Next == nil {
			return fmt.Errorf("page %d is not the last and has no Next", calls)
		}
		after = page.Next
	}
}

func (s *suite) testLookup(t *testing.T) {
	s.eachShape(t, func(t *testing.T, f *fixture) {
		for trial := range 25 {
			var keys []sources.Key
			wanted := map[string]bool{}
			share := s.random.IntN(4)
			for _, r := range f.rows {
				if !r.Key.Whole() || trial > 0 && s.random.IntN(4) < share {
					continue
				}
				wanted[canonical(r.Key)] = true
				for range 1 + s.random.IntN(2) { // some keys are asked for twice
					keys = append(keys, sources.Key(s.respell(sources.Position(r.Key))))
				}
			}
			s.random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
			if len(keys) == 0 {
				continue
			}
			limit := sources.Limit{Records: 1 + s.random.IntN(len(f.rows)+1), Bytes: plenty}
			if trial%3 == 0 {
				limit.Bytes = 1 + s.random.IntN(2000)
			}
			var orders [2][]int
			for again := range orders {
				c := f.collect()
				err := s.lookupAll(t, f, &f.dataset, keys, limit, c.add)
				if err == nil {
					err = c.exactly(func(n int) bool { return wanted[canonical(f.rows[n].Key)] })
				}
				if err != nil {
					t.Fatalf("lookup of %d keys, limit %+v: %v", len(keys), limit, err)
				}
				orders[again] = c.order
			}
			if f.table.Unique && !slices.Equal(orders[0], orders[1]) {
				t.Fatalf("the same lookup came in the orders %v and %v", orders[0], orders[1])
			}
		}
		if err := s.lookupAll(t, f, &f.dataset, nil, sources.Limit{Records: 10, Bytes: plenty}, func(p *sources.Page) error {
			if p.Len() > 0 {
				return fmt.Errorf("a lookup of no keys delivered %d records", p.Len())
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
}

// strangers are values of every kind, most of which a column of another kind cannot hold.
func strangers() []sources.Value {
	return []sources.Value{sources.Int(123456789), sources.Int(math.MinInt64), sources.Int(math.MaxInt64), sources.Text("no such key"), sources.Text("12x"),
		sources.Text("5000000000000000000000"), sources.Text(""), sources.Text("\x00"), sources.Text("\xff"), sources.Text("1 "), sources.Text("+1"), sources.Text("0x1"),
		sources.Text("00000000-0000-0000-0000-00000000000g"), sources.Text("ffffffffffffffffffffffff"), sources.UUID([16]byte{5: 5}), sources.ObjectID([12]byte{3: 3}),
		sources.Decimal("25", -1, 1), sources.Decimal("1", 30, 0), sources.Decimal("1", -300, 0), sources.DecimalNaN(), sources.DecimalInfinity(1),
		sources.Float(0.25), sources.Float(math.NaN()), sources.Float(math.Inf(-1)), sources.Float(1e300), sources.Bool(true), sources.Bool(false),
		sources.Time(time.Date(2500, 1, 1, 0, 0, 0, 1, time.UTC), 9), sources.Time(time.Date(-5000, 1, 1, 0, 0, 0, 0, time.UTC), 3),
		sources.Time(time.Date(200_000, 1, 1, 0, 0, 0, 0, time.UTC), 3), sources.TimeInfinity(1, false), sources.NaiveTime(time.Unix(0, 0), 0),
		sources.Date(12), sources.Date(1 << 40), sources.DateInfinity(-1), sources.Duration(1, 2, 3), sources.Bytes([]byte("bytes")), sources.Bytes(nil),
		sources.ListOf([]sources.Value{sources.Int(1)})}
}

func (s *suite) testLookupStrangers(t *testing.T) {
	s.eachShape(t, func(t *testing.T, f *fixture) {
		there := map[string]bool{}
		for _, r := range f.rows {
			there[canonical(r.Key)] = true
		}
		var all []sources.Key
		for _, v := range strangers() {
			k := make(sources.Key, len(f.dataset.Key))
			for i := range k {
				k[i] = v
			}
			if !there[canonical(k)] {
				all = append(all, k)
			}
			if len(k) > 1 { // a strange last part behind parts that are there
				k = append(slices.Clone(f.rows[0].Key[:len(k)-1]), v)
				if k.Whole() && !there[canonical(k)] {
					all = append(all, k)
				}
			}
		}
		none := func(p *sources.Page) error {
			records, err := decode(p)
			for _, r := range records {
				return fmt.Errorf("found %s", show(r.Key))
			}
			return err
		}
		for _, k := range all {
			if err := s.lookupAll(t, f, &f.dataset, []sources.Key{k}, sources.Limit{Records: 10, Bytes: plenty}, none); err != nil {
				t.Errorf("lookup of %s: %v", show(k), err)
			}
		}
		c := f.collect() // strangers among keys that are there do no harm
		wanted := map[string]bool{}
		for _, r := range f.rows[:len(f.rows)/2] {
			if r.Key.Whole() {
				all = append(all, r.Key)
				wanted[canonical(r.Key)] = true
			}
		}
		s.random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		err := s.lookupAll(t, f, &f.dataset, all, sources.Limit{Records: 3, Bytes: plenty}, c.add)
		if err == nil {
			err = c.exactly(func(n int) bool { return wanted[canonical(f.rows[n].Key)] })
		}
		if err != nil {
			t.Errorf("lookup with strangers: %v", err)
		}
	})
}

func canonical(k sources.Key) string {
	out := make(sources.Key, len(k))
	for i, v := range k {
		out[i] = sources.Canonical(v)
	}
	return out.Encode()
}

func (s *suite) testLookupCopies(t *testing.T) {
	table := Table{Name: "copies", Key: []string{"product"}, ID: []string{"line"}, Unique: true, Indexed: true, Columns: []Column{
		{Name: "product", Kind: sources.KindInt, NotNull: true}, {Name: "line", Kind: sources.KindInt, NotNull: true}, {Name: serial, Kind: sources.KindInt, NotNull: true}}}
	for n := range 600 {
		product := int64(7)
		if n%6 == 0 {
			product = int64(n)
		}
		table.Rows = append(table.Rows, []sources.Value{sources.Int(product), sources.Int(int64((n * 7919) % 1000)), sources.Int(int64(n))})
	}
	f := s.load(t, table)
	keys := []sources.Key{{sources.Int(7)}, {sources.Int(0)}, {sources.Int(594)}, {sources.Int(7)}, {sources.Int(5)}}
	for _, size := range []int{1, 7, 100, 499, 500, 501, 502, 503, 1000} {
		c := f.collect()
		pages := 0
		err := s.lookupAll(t, f, &f.dataset, keys, sources.Limit{Records: size, Bytes: plenty}, func(p *sources.Page) error {
			pages++
			if p.Len() > size {
				t.Errorf("size %d: a page of %d records", size, p.Len())
			}
			return c.add(p)
		})
		if err == nil {
			err = c.exactly(func(n int) bool {
				k := f.rows[n].Key[0].AsInt()
				return k == 7 || k == 0 || k == 594
			})
		}
		if err != nil {
			t.Fatalf("size %d: %v", size, err)
		}
		if size == 100 && pages < 5 {
			t.Errorf("502 copies came in %d pages of at most 100", pages)
		}
	}
	c := f.collect()
	err := s.lookupAll(t, f, &f.dataset, keys[:1], sources.Limit{Records: 1000, Bytes: 1}, c.add)
	if err == nil {
		err = c.exactly(func(n int) bool { return f.rows[n].Key[0].AsInt() == 7 })
	}
	if err != nil {
		t.Fatalf("pages of one byte: %v", err)
	}
}

func (s *suite) testLookupLookalikes(t *testing.T) {
	sh := s.allShapes()[1]
	f, ok := s.shape(t, sh)
	if !ok {
		return
	}
	there := map[string]bool{}
	for _, r := range f.rows {
		there[r.Key[0].AsText()] = true
	}
	for _, text := range []string{"AB", "aB ", "a\u0300", "Á", "O'REILLY", "null", "Ωx", "A-B", "a\u00adb", "B ", "zZ", "SS", "\u200ba", "1.00", "012", " ", "   ", "😀A"} {
		key := sources.Key{sources.Text(text)}
		if s.HoldsKey(key[0]) != "" {
			continue
		}
		err := s.lookupAll(t, f, &f.dataset, []sources.Key{key}, sources.Limit{Records: 10, Bytes: plenty}, func(p *sources.Page) error {
			records, err := decode(p)
			for _, r := range records {
				if r.Key[0].AsText() != text {
					return fmt.Errorf("found %s", show(r.Key))
				}
				if !there[text] {
					return fmt.Errorf("found what is not there")
				}
			}
			return err
		})
		if err != nil {
			t.Errorf("lookup of %q: %v", text, err)
		}
	}
}
