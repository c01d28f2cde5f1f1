package sourcetest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"plumbline/sources"
)

// testSample draws through a Reader, as everybody does: an adapter may leave it to
// the Reader to read all keys.
func (s *suite) testSample(t *testing.T) {
	reader := sources.NewReader(s.Adapter, s.source, sources.Limits{Attempts: 1}, nil)
	integers := func(n int) sources.Value { return sources.Int(int64(n)) }
	for _, test := range []struct {
		name string
		kind sources.Kind
		key  func(n int) sources.Value
	}{
		{"integers with gaps", sources.KindInt, integers},
		{"texts", sources.KindText, func(n int) sources.Value { return sources.Text(fmt.Sprintf("key %04d", n)) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := s.gapped(t, test.kind, test.key)
			population := len(f.rows)
			p := s.spread(t, reader, f, population)
			if p <= 0.001 { // by chance once in 1,000 times, and twice in a million
				t.Logf("p = %g that draws are uniform; once more", p)
				p = s.spread(t, reader, f, population)
			}
			if t.Logf("p = %.4f that draws are uniform", p); p <= 0.001 {
				t.Errorf("draws are not uniform: p = %g", p)
			}
			s.drawsAll(t, reader, f, population)
			s.drawsInScope(t, reader, f)
		})
	}
	t.Run("nothing to draw from", func(t *testing.T) {
		f := s.load(t, Table{Name: "drawn_empty", Key: []string{"k"}, Unique: true, Indexed: true, Columns: []Column{
			{Name: "k", Kind: sources.KindInt, NotNull: true}, {Name: serial, Kind: sources.KindInt, NotNull: true}}})
		draw, err := reader.Sample(t.Context(), &f.dataset, sources.SampleRequest{Keys: 10, Seed: 1})
		if s.note(err); err != nil || len(draw.Keys) > 0 {
			t.Errorf("a draw of nothing: %v, %v", draw, err)
		}
	})
	t.Run("a key of many copies is drawn like any other", func(t *testing.T) { s.drawsCopies(t, reader) })
}

// gapped is a table of keys with gaps of all lengths between them, every key of
// serial n: a run of 1 to 8 keys, then a gap of 1 to 8.
func (s *suite) gapped(t *testing.T, kind sources.Kind, key func(int) sources.Value) *fixture {
	table := Table{Name: "drawn_" + kind.String(), Key: []string{"k"}, Unique: true, Indexed: true, Columns: []Column{
		{Name: "k", Kind: kind, NotNull: true}, {Name: "tenant", Kind: sources.KindText, NotNull: true}, {Name: serial, Kind: sources.KindInt, NotNull: true}}}
	at := 0
	for run := 0; len(table.Rows) < 1000; run++ {
		for range 1 + run%8 {
			at++
			n := int64(len(table.Rows))
			tenant := []string{"eu", "us"}[n%2]
			table.Rows = append(table.Rows, []sources.Value{key(at), sources.Text(tenant), sources.Int(n)})
		}
		at += 1 + run/8%8
	}
	return s.load(t, table)
}

// spread draws many times and returns how likely it is that keys drawn uniformly
// are spread as unevenly, by the chi-square test over keys behind gaps of each
// length, keys behind others, and stretches of the table.
func (s *suite) spread(t *testing.T, reader *sources.Reader, f *fixture, population int) (p float64) {
	t.Helper()
	const draws, each, stretches = 25, 60, 20
	cells := map[string]int{} // keys of the table
	cellOf := make(map[string]string, population)
	for n, r := range f.rows {
		cell := fmt.Sprint("stretch ", n*stretches/population)
		if r.Key[0].Kind() == sources.KindInt && n > 0 {
			if gap := r.Key[0].AsInt() - f.rows[n-1].Key[0].AsInt(); gap > 1 {
				cell = fmt.Sprint("behind a gap of ", gap)
			}
		}
		cellOf[canonical(r.Key)] = cell
		cells[cell]++
	}
	met := map[string]int{}
	total := 0
	for range draws {
		draw := s.draw(t, reader, &f.dataset, each, s.random.Uint64())
		total += len(draw)
		for _, k := range draw {
			met[cellOf[canonical(k)]]++
		}
	}
	chi := 0.0
	for cell, keys := range cells {
		expected := float64(total) * float64(keys) / float64(population)
		chi += (float64(met[cell]) - expected) * (float64(met[cell]) - expected) / expected
	}
	return chiSquareTail(chi, len(cells)-1)
}

// draw draws, and says what is wrong with the draw in itself.
func (s *suite) draw(t *testing.T, reader *sources.Reader, d *sources.Dataset, keys int, seed uint64) []sources.Key {
	t.Helper()
	draw, err := reader.Sample(t.Context(), d, sources.SampleRequest{Keys: keys, Seed: seed})
	if s.note(err); err != nil {
		t.Fatalf("draw %d keys with seed %d: %v", keys, seed, err)
	}
	seen := map[string]bool{}
	for _, k := range draw.Keys {
		if !k.Whole() || seen[canonical(k)] {
			t.Fatalf("seed %d: key %s is not whole, or was drawn twice", seed, show(k))
		}
		seen[canonical(k)] = true
	}
	if len(draw.Keys) >= 2*keys || draw.Method == "" {
		t.Fatalf("seed %d: a draw of %d keys has %d, by method %q", seed, keys, len(draw.Keys), draw.Method)
	}
	if draw.Population != 0 && draw.Population < int64(len(draw.Keys)) {
		t.Fatalf("seed %d: %d keys were drawn of %d", seed, len(draw.Keys), draw.Population)
	}
	if line := fmt.Sprintf("%s: %s", d.Title(), draw.Method); !s.told[line] {
		s.told[line] = true
		t.Log(line)
	}
	return draw.Keys
}

// drawsAll asks for more than there is, and for the same draw twice.
func (s *suite) drawsAll(t *testing.T, reader *sources.Reader, f *fixture, population int) {
	t.Helper()
	all, err := reader.Sample(t.Context(), &f.dataset, sources.SampleRequest{Keys: 2 * population, Seed: s.random.Uint64()})
	if s.note(err); err != nil {
		t.Fatalf("draw all: %v", err)
	}
	if len(all.Keys) != population || all.Population != 0 && all.Population != int64(population) {
		t.Errorf("a draw of twice as many as there are has %d of %d keys (it says %d)", len(all.Keys), population, all.Population)
	}
	seed := s.random.Uint64()
	once, again, other := s.draw(t, reader, &f.dataset, 50, seed), s.draw(t, reader, &f.dataset, 50, seed), s.draw(t, reader, &f.dataset, 50, seed+1)
	if !slices.EqualFunc(sorted(once), sorted(again), sameText) {
		t.Errorf("seed %d drew two different samples of the same data", seed)
	}
	if slices.EqualFunc(sorted(once), sorted(other), sameText) {
		t.Errorf("seeds %d and %d drew the same sample", seed, seed+1)
	}
}

func sameText(a, b string) bool { return a == b }

func sorted(keys []sources.Key) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = canonical(k)
	}
	slices.Sort(out)
	return out
}

// drawsInScope draws from one tenant, and from what a condition leaves.
func (s *suite) drawsInScope(t *testing.T, reader *sources.Reader, f *fixture) {
	t.Helper()
	serials := map[string]int{}
	for n, r := range f.rows {
		serials[canonical(r.Key)] = n
	}
	scoped, narrowed := f.dataset, f.dataset
	scoped.Scope = []sources.Condition{{Field: "tenant", Value: sources.Text("us")}}
	narrowed.Where = s.Condition(Condition{Field: serial, Test: Above, Value: sources.Int(700)})
	for _, test := range []struct {
		name string
		d    *sources.Dataset
		in   func(n int) bool
	}{
		{"scope", &scoped, func(n int) bool { return n%2 == 1 }},
		{"where", &narrowed, func(n int) bool { return n > 700 }},
	} {
		count := 0
		for n := range f.rows {
			if test.in(n) {
				count++
			}
		}
		for _, keys := range []int{20, 2 * count} {
			draw, err := reader.Sample(t.Context(), test.d, sources.SampleRequest{Keys: keys, Seed: s.random.Uint64()})
			if s.note(err); err != nil {
				t.Fatalf("draw with %s: %v", test.name, err)
			}
			for _, k := range draw.Keys {
				if !test.in(serials[canonical(k)]) {
					t.Fatalf("with %s, key %s was drawn, which is not in it", test.name, show(k))
				}
			}
			if keys > count && len(draw.Keys) != count || draw.Population != 0 && draw.Population != int64(count) {
				t.Errorf("with %s, a draw of %d of %d keys has %d, and says that there are %d", test.name, keys, count, len(draw.Keys), draw.Population)
			}
		}
	}
}

// drawsCopies draws from a table in which half of the keys have one record, and
// half have nine.
func (s *suite) drawsCopies(t *testing.T, reader *sources.Reader) {
	table := Table{Name: "drawn_copies", Key: []string{"k"}, ID: []string{"copy"}, Unique: true, Indexed: true, Columns: []Column{
		{Name: "k", Kind: sources.KindInt, NotNull: true}, {Name: "copy", Kind: sources.KindInt, NotNull: true}, {Name: serial, Kind: sources.KindInt, NotNull: true}}}
	const keys, draws, each = 200, 20, 20
	for k := range keys {
		for copies := range 1 + k%2*8 {
			table.Rows = append(table.Rows, []sources.Value{sources.Int(int64(k)), sources.Int(int64(copies)), sources.Int(int64(len(table.Rows)))})
		}
	}
	f := s.load(t, table)
	many := 0
	for range draws {
		for _, k := range s.draw(t, reader, &f.dataset, each, s.random.Uint64()) {
			if n, _ := k[0].Integer(); n%2 == 1 {
				many++
			}
		}
	}
	// Of 400 keys half are expected, give or take 10; were each record as likely, nine tenths.
	if many < 140 || many > 260 {
		t.Errorf("of %d keys drawn, %d are of those with nine copies, which half of the keys have", draws*each, many)
	}
}

func (s *suite) testRecent(t *testing.T) {
	reader := sources.NewReader(s.Adapter, s.source, sources.Limits{Attempts: 1}, nil)
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(n int) sources.Value { return sources.Time(start.Add(time.Duration(n)*time.Minute), 3) }
	kind := sources.KindTime
	if !s.holds(t, at(0), aField) {
		kind, at = sources.KindInt, func(n int) sources.Value { return sources.Int(int64(n)) }
	}
	const rows = 400
	table := Table{Name: "changed", Key: []string{"k"}, Unique: true, Indexed: true, Columns: []Column{{Name: "k", Kind: sources.KindInt, NotNull: true},
		{Name: "tenant", Kind: sources.KindText, NotNull: true}, {Name: "changed", Kind: kind, Precision: 3}, {Name: serial, Kind: sources.KindInt, NotNull: true}}, AlsoIndexed: "changed"}
	order := rand.New(rand.NewPCG(s.random.Uint64(), 0)).Perm(rows)
	age := make(map[string]int, rows) // minutes, two records of each
	for n, i := range order {
		changed := at(i / 2)
		if i < 10 {
			changed = sources.Null()
		}
		key := sources.Int(int64(1000 + i))
		age[canonical(sources.Key{key})] = i / 2
		table.Rows = append(table.Rows, []sources.Value{key, sources.Text([]string{"eu", "us"}[i%4/2]), changed, sources.Int(int64(n))})
	}
	f := s.load(t, table)
	recent := func(d *sources.Dataset, q sources.RecentRequest) []sources.Key {
		t.Helper()
		q.By = "changed"
		keys, err := reader.Recent(t.Context(), d, q)
		if s.note(err); err != nil {
			t.Fatalf("recent %+v: %v", q, err)
		}
		if !slices.IsSortedFunc(keys, func(a, b sources.Key) int { return age[canonical(b)] - age[canonical(a)] }) {
			t.Errorf("recent %+v: the newest do not come first", q)
		}
		return keys
	}
	if keys := recent(&f.dataset, sources.RecentRequest{Keys: 31}); len(keys) != 31 || age[canonical(keys[30])] != rows/2-16 {
		t.Errorf("the last 31 to change are %d keys, the oldest of minute %d, not %d", len(keys), age[canonical(keys[len(keys)-1])], rows/2-16)
	}
	if keys := recent(&f.dataset, sources.RecentRequest{Keys: 2 * rows}); len(keys) != rows-10 {
		t.Errorf("of all, %d keys changed at some time, not %d", len(keys), rows-10)
	}
	scoped := f.dataset
	scoped.Scope = []sources.Condition{{Field: "tenant", Value: sources.Text("us")}}
	for _, k := range recent(&scoped, sources.RecentRequest{Keys: 20}) {
		if age[canonical(k)]%2 != 1 {
			t.Errorf("key %s is of another tenant", show(k))
		}
	}
	narrowed := f.dataset
	narrowed.Where = s.Condition(Condition{Field: "tenant", Test: Equals, Value: sources.Text("eu")})
	for _, k := range recent(&narrowed, sources.RecentRequest{Keys: 20}) {
		if age[canonical(k)]%2 != 0 {
			t.Errorf("key %s is out of scope", show(k))
		}
	}
	if kind == sources.KindTime {
		if keys := recent(&f.dataset, sources.RecentRequest{Keys: rows, Since: start.Add(180 * time.Minute)}); len(keys) != 40 {
			t.Errorf("%d keys changed in the last 20 minutes, not 40", len(keys))
		}
	}
	s.recentOfNothing(t, reader, f)
}

// recentOfNothing asks for a field that is not there, and for one without an index.
func (s *suite) recentOfNothing(t *testing.T, reader *sources.Reader, f *fixture) {
	t.Helper()
	keys, err := reader.Recent(t.Context(), &f.dataset, sources.RecentRequest{By: "chnged", Keys: 5})
	s.note(err)
	if s.Cannot[CannotMissFields] == "" {
		var missing *sources.NotFoundError
		if !errors.As(err, &missing) || missing.Name != "chnged" || sources.FailureOf(err) != sources.FailureFinal {
			t.Errorf("recent by a field that is not there: %v, %v; it names no field", keys, err)
		}
	} else if len(keys) > 0 || err != nil && !errors.Is(err, sources.ErrUnindexed) {
		t.Errorf("recent by a field that is not there: %v, %v", keys, err)
	}
}

// chiSquareTail is the probability that a chi-square of so many degrees of freedom
// is as great, by the transformation of Wilson and Hilferty, Proceedings of the
// National Academy of Sciences 17, 1931.
func chiSquareTail(chi float64, degrees int) float64 {
	k := float64(degrees)
	z := (math.Cbrt(chi/k) - (1 - 2/(9*k))) / math.Sqrt(2/(9*k))
	return 0.5 * math.Erfc(z/math.Sqrt2)
}
