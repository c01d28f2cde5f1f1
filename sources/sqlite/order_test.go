package sqlite_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"plumbline/sources"
)

// TestStraysBelongToTheSpanWithAnOpenEnd: whatever else than the declared class
// a key column holds, cuts by keys of that class deliver each row once, and the
// strays at the end.
func TestStraysBelongToTheSpanWithAnOpenEnd(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	values := []string{"NULL", "NULL", "-5", "1", "2", "3.5", "900", "'1'", "'10'", "'a'", "'A'", "''", "'zz'", "x''", "x'61'", "x'ff'", "-9e999", "9e999"}
	for _, test := range []struct {
		name, create string
		key          []string
		cuts         []string
		exact        bool
	}{
		{"text key", "CREATE TABLE t (k TEXT, l TEXT, n INT)", []string{"k"}, []string{"", "1", "2", "a", "b"}, true},
		{"int key", "CREATE TABLE t (k INTEGER, l TEXT, n INT)", []string{"k"}, []string{"-6", "1", "2", "3", "1000"}, true},
		{"blob key", "CREATE TABLE t (k BLOB, l TEXT, n INT)", []string{"k"}, nil, false},
		{"real key", "CREATE TABLE t (k REAL, l TEXT, n INT)", []string{"k"}, nil, false},
		{"untyped key", "CREATE TABLE t (k, l TEXT, n INT)", []string{"k"}, nil, false},
		{"composite key", "CREATE TABLE t (k INTEGER, l TEXT, n INT)", []string{"k", "l"}, []string{"-6", "1", "2", "3", "1000"}, true},
		{"nocase key", "CREATE TABLE t (k TEXT COLLATE NOCASE, l TEXT, n INT)", []string{"k"}, nil, false},
		{"view", "CREATE TABLE u (k TEXT, l TEXT, n INT); CREATE VIEW t AS SELECT k, l, n FROM u", []string{"k"}, []string{"", "1", "b"}, true},
		{"view of a union", "CREATE TABLE u (k, l TEXT, n INT); CREATE VIEW t AS SELECT k, l, n FROM u WHERE n % 2 UNION ALL SELECT k, l, n FROM u WHERE n % 2 = 0", []string{"k"}, nil, false},
	} {
		for _, indexed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, indexed %v", test.name, indexed), func(t *testing.T) {
				s := newStore(t)
				table := "t"
				for _, statement := range strings.Split(test.create, "; ") {
					run(t, s.db, statement)
				}
				if strings.HasPrefix(test.name, "view") {
					table = "u"
				}
				if indexed {
					run(t, s.db, "CREATE INDEX ix ON "+table+" ("+strings.Join(test.key, ", ")+")")
				}
				n := 0
				for range 2 {
					for _, k := range values {
						for range 3 {
							run(t, s.db, fmt.Sprintf("INSERT INTO %s VALUES (%s, %s, %d)", table, k, values[random.IntN(len(values))], n))
							n++
						}
					}
				}
				d := sources.Dataset{Name: "t", Key: test.key, Fields: []string{"n"}}
				if exact := s.describe(t, &d).Order == sources.OrderExact; exact != test.exact {
					t.Errorf("exact order: %v", exact)
				}
				var cuts []sources.Position
				for _, cut := range test.cuts {
					p := sources.Position{sources.Text(cut)}
					if i, ok := sources.ParseInt(cut); ok && !strings.HasPrefix(test.name, "text") && !strings.HasPrefix(test.name, "view") {
						p[0] = sources.Int(i)
					}
					if len(test.key) > 1 {
						p = append(p, sources.Text("a"))
					}
					cuts = append(cuts, p)
				}
				s.checkPartition(t, &d, cuts, true, n, 1+random.IntN(40))
				s.checkPartition(t, &d, s.someNexts(t, &d, random), false, n, 1+random.IntN(5))
			})
		}
	}
}

// someNexts are positions where pages of a scan ended, ascending.
func (s *store) someNexts(t *testing.T, d *sources.Dataset, random *rand.Rand) (cuts []sources.Position) {
	t.Helper()
	span := sources.Span{}
	for {
		page, err := s.scan(t.Context(), d, sources.ScanRequest{Span: span, Limit: sources.Limit{Records: 1, Bytes: 1}})
		if err != nil {
			t.Fatal(err)
		}
		if page.Done {
			return cuts
		}
		if span.After = page.Next; random.IntN(3) == 0 {
			cuts = append(cuts, page.Next)
		}
	}
}

// checkPartition reads the spans between cuts, in pages of a size, and expects
// each of so many rows once; where the cuts are regular keys, those with a null
// in the last span alone.
func (s *store) checkPartition(t *testing.T, d *sources.Dataset, cuts []sources.Position, regular bool, rows, size int) {
	t.Helper()
	seen := make([]int, rows)
	for i := range len(cuts) + 1 {
		span := sources.Span{}
		if i > 0 {
			span.After = cuts[i-1]
		}
		if i < len(cuts) {
			span.UpTo = cuts[i]
		}
		for _, r := range s.scanAll(t, d, span, size) {
			seen[r.Fields[0].AsInt()]++
			if i < len(cuts) && regular && !r.Key.Whole() {
				t.Errorf("key %s came in the span up to %v", r.Key, span.UpTo)
			}
		}
	}
	for n, times := range seen {
		if times != 1 {
			t.Errorf("cuts %v: row %d came %d times", cuts, n, times)
		}
	}
}

func TestKeysThatACollationCallsEqualAreScannedAndLookedUpApart(t *testing.T) {
	t.Parallel()
	s := newStore(t, "CREATE TABLE t (k TEXT COLLATE NOCASE, r TEXT COLLATE RTRIM, n INT)", "CREATE INDEX k ON t (k)", "CREATE INDEX r ON t (r)",
		"INSERT INTO t VALUES ('a', 'a', 0), ('A', 'a ', 1), ('b', 'a  ', 2), ('B', 'b', 3), ('á', ' b', 4), ('Á', 'b ', 5)")
	for column, collation := range map[string]string{"k": "NOCASE", "r": "RTRIM"} {
		d := sources.Dataset{Name: "t", Key: []string{column}, Fields: []string{"n"}}
		desc := s.describe(t, &d)
		if desc.Order != sources.OrderOwn || desc.Types[column].Collation != collation || desc.ScanIndex != column {
			t.Errorf("%s: %+v", column, desc)
		}
		for size := 1; size < 7; size++ {
			if r := s.scanAll(t, &d, sources.Span{}, size); len(r) != 6 {
				t.Errorf("%s: pages of %d: %v", column, size, keys(r))
			}
		}
		for _, r := range s.scanAll(t, &d, sources.Span{}, 10) {
			if found := s.lookup(t, &d, r.Key); len(found) != 1 || !found[0].Key.Equal(r.Key) {
				t.Errorf("%s: lookup of %q found %v", column, r.Key, keys(found))
			}
		}
	}
}

func TestTextInAnotherEncodingThanUTF8HasNoExactOrder(t *testing.T) {
	t.Parallel()
	s := &store{file: t.TempDir() + "/utf16.db"}
	s.db = create(t, s.file)
	for _, statement := range []string{"PRAGMA encoding = 'UTF-16le'", "CREATE TABLE t (k TEXT PRIMARY KEY, n INTEGER) STRICT", "INSERT INTO t VALUES ('😀', 1), ('\uffff', 2), ('a', 3)"} {
		run(t, s.db, statement)
	}
	s.source = open(t, sources.Options{URL: fileURL(s.file)})
	d := sources.Dataset{Name: "t", Key: []string{"k"}, Fields: []string{"n"}}
	if s.describe(t, &d).Order != sources.OrderOwn {
		t.Error("the order of UTF-16 is not that of UTF-8's bytes")
	}
	if r := s.scanAll(t, &d, sources.Span{}, 1); len(r) != 3 {
		t.Errorf("%v", keys(r))
	}
}

// TestAFilterThatFewRowsPassIsReadInWindows scans for rows that lie further
// apart than a window, by scope, where and as strays of a composite key.
func TestAFilterThatFewRowsPassIsReadInWindows(t *testing.T) {
	t.Parallel()
	s := newStore(t, "CREATE TABLE t (k INTEGER, l TEXT, tenant TEXT, n INT)", "CREATE INDEX ix ON t (k, l)",
		`INSERT INTO t SELECT value / 7, iif(value % 13001 = 0, iif(value % 2, NULL, x'00'), 'l' || value), iif(value % 9973 = 0, 'rare', 'common'), value `+series(0, 59_999))
	rare := sources.Dataset{Name: "t", Key: []string{"k", "l"}, Fields: []string{"n"}, Scope: []sources.Condition{{Field: "tenant", Value: sources.Text("rare")}}}
	where := sources.Dataset{Name: "t", Key: []string{"k", "l"}, Fields: []string{"n"}, Where: "tenant = 'rare'"}
	all := sources.Dataset{Name: "t", Key: []string{"k", "l"}, Fields: []string{"n"}}
	for _, size := range []int{1, 3, 100} {
		if r := s.scanAll(t, &rare, sources.Span{}, size); len(r) != 7 {
			t.Errorf("scope: %v", keys(r))
		}
	}
	page, err := s.scan(t.Context(), &where, sources.ScanRequest{InScopeOnly: true, Limit: sources.Limit{Records: 100, Bytes: 1 << 20}})
	if err != nil || page.Len() != 7 || !page.Done {
		t.Errorf("where: %d records, %v", page.Len(), err)
	}
	s.checkPartition(t, &all, nil, true, 60_000, 20_000)
	s.checkPartition(t, &all, []sources.Position{{sources.Int(100), sources.Text("")}, {sources.Int(8000), sources.Text("l56003")}}, true, 60_000, 7_000)
}

// TestAPageThatFindsNothingEndsAllTheSame: a page stops after so many windows,
// empty or not, and the next goes on where it stopped; among strays too, which
// here lie at both ends of a table of 700,000 rows.
func TestAPageThatFindsNothingEndsAllTheSame(t *testing.T) {
	t.Parallel()
	s := newStore(t, "CREATE TABLE t (k INTEGER, l INTEGER, n INT)", "CREATE INDEX ix ON t (k, l)",
		"INSERT INTO t SELECT value / 3, iif(value IN (5, 350000, 699998), 'stray', value), value "+series(0, 699_999))
	rare := sources.Dataset{Name: "t", Key: []string{"k", "l"}, Scope: []sources.Condition{{Field: "n", Value: sources.Int(699_990)}}}
	pages, span := 0, sources.Span{}
	for done := false; !done; pages++ {
		page, err := s.scan(t.Context(), &rare, sources.ScanRequest{Span: span, Limit: tiny()})
		if err != nil || pages > 20 {
			t.Fatalf("page %d: %v", pages, err)
		}
		span.After, done = page.Next, page.Done
	}
	if pages < 2 {
		t.Errorf("700,000 rows were passed over in %d page", pages)
	}
	all := sources.Dataset{Name: "t", Key: []string{"k", "l"}}
	var strays []sources.Record
	span = sources.Span{After: sources.Position{sources.Int(233_332), sources.Int(699_990)}}
	for range 20 {
		page, err := s.scan(t.Context(), &all, sources.ScanRequest{Span: span, Limit: tiny()})
		if err != nil {
			t.Fatal(err)
		}
		if strays = append(strays, page.Records...); page.Done {
			break
		}
		span.After = page.Next
	}
	if got := strings.Join(keys(strays), " "); strings.Count(got, "stray") != 3 || len(strays) != 3+3 {
		t.Errorf("behind the last thousand: %s", got)
	}
}

func TestMoreTiesThanWeHoldAreAFinalErrorThatProposesAnID(t *testing.T) {
	t.Parallel()
	s := newStore(t, "CREATE TABLE t (k INT, i INTEGER PRIMARY KEY)", "CREATE INDEX ix ON t (k, i)", "INSERT INTO t SELECT 7, value "+series(1, 100_001))
	d := sources.Dataset{Name: "t", Key: []string{"k"}}
	_, scanErr := s.scan(t.Context(), &d, sources.ScanRequest{Limit: sources.Limit{Records: 10, Bytes: 1 << 20}})
	_, lookupErr := s.source.Lookup(t.Context(), &d, []sources.Key{{sources.Int(7)}}, nil, sources.Limit{Records: 10, Bytes: 1 << 20})
	for _, err := range []error{scanErr, lookupErr} {
		if err == nil || sources.FailureOf(err) != sources.FailureFinal || !strings.Contains(err.Error(), "id:") {
			t.Errorf("%v", err)
		}
	}
	with := sources.Dataset{Name: "t", Key: []string{"k"}, ID: []string{"i"}}
	page, err := s.source.Lookup(t.Context(), &with, []sources.Key{{sources.Int(7)}}, nil, sources.Limit{Records: 10, Bytes: 1 << 20})
	if err != nil || page.Len() != 10 || page.Done {
		t.Errorf("with an id: %d records, %v", page.Len(), err)
	}
}

func TestSplitCutsNumbersEvenly(t *testing.T) {
	t.Parallel()
	s := newStore(t, "CREATE TABLE t (k INTEGER PRIMARY KEY, s TEXT UNIQUE, l INT NOT NULL, m TEXT NOT NULL, UNIQUE (l, m))",
		"INSERT INTO t SELECT value, 's' || value, value / 10, 'm' || value "+series(1, 1000))
	for _, test := range []struct {
		key  []string
		want int
	}{{[]string{"k"}, 3}, {[]string{"s"}, 0}, {[]string{"l", "m"}, 3}} {
		d := sources.Dataset{Name: "t", Key: test.key, Fields: []string{"k"}}
		cuts, err := s.source.(sources.Splitter).Split(t.Context(), &d, 4)
		if err != nil || len(cuts) != test.want {
			t.Fatalf("%v: %v, %v", test.key, cuts, err)
		}
		var counts []int
		for i := range len(cuts) + 1 {
			span := sources.Span{}
			if i > 0 {
				span.After = cuts[i-1]
			}
			if i < len(cuts) {
				span.UpTo = cuts[i]
			}
			counts = append(counts, len(s.scanAll(t, &d, span, 1000)))
		}
		if len(cuts) > 0 && (slices.Min(counts) < 200 || slices.Max(counts) > 300) {
			t.Errorf("%v: spans of %v records", test.key, counts)
		}
	}
}

// TestEachPageBeginsWhereThePageBeforeEnded reads the plans: whatever a dataset
// adds, a scan's bounds on the index are the page's own.
func TestEachPageBeginsWhereThePageBeforeEnded(t *testing.T) {
	t.Parallel()
	s := newStore(t, "CREATE TABLE t (k TEXT, l INTEGER, n INT)", "CREATE INDEX k ON t (k)", "CREATE INDEX kl ON t (k, l)", "CREATE INDEX n ON t (n)")
	for _, test := range []struct {
		d    sources.Dataset
		want string
	}{
		{sources.Dataset{Name: "t", Key: []string{"k"}}, "SEARCH t USING COVERING INDEX k (k>? AND k<?)"},
		{sources.Dataset{Name: "t", Key: []string{"k"}, Fields: []string{"n"}, Scope: []sources.Condition{{Field: "k", Value: sources.Text("x")}}}, "SEARCH t USING INDEX k (k>? AND k<?)"},
		{sources.Dataset{Name: "t", Key: []string{"k", "l"}, Fields: []string{"n"}, Scope: []sources.Condition{{Field: "n", Value: sources.Int(1)}}}, "SEARCH t USING INDEX kl ((k,l)>(?,?) AND k<?)"},
	} {
		statements, err := s.source.(sources.Explainer).Explain(t.Context(), &test.d)
		if err != nil {
			t.Fatal(err)
		}
		if got := statements[0]; strings.Replace(got.Plan, "main.t", "t", 1) != test.want || got.Sorts {
			t.Errorf("%v: %s\n%s", test.d.Key, got.Text, got.Plan)
		}
	}
}
