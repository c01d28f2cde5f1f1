package memory_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"plumbline/sources"
	"plumbline/sources/memory"
)

func page10() sources.Limit { return sources.Limit{Records: 10, Bytes: 1 << 20} }

// numbers is a store with a table t of rows k, n = 0 … count-1.
func numbers(count int) (*memory.Store, *sources.Dataset) {
	s := memory.NewStore()
	s.Create(memory.Table{Name: "t", Unique: []string{"k"}, Columns: []memory.Column{
		{Name: "k", FieldType: sources.FieldType{Kind: sources.KindInt}}, {Name: "n", FieldType: sources.FieldType{Kind: sources.KindInt, Nullable: true}}}})
	for i := range count {
		s.Put("t", sources.Int(int64(i)), sources.Int(int64(i)))
	}
	return s, &sources.Dataset{Name: "t", Key: []string{"k"}, Fields: []string{"n"}}
}

func scan(ctx context.Context, src sources.Source, d *sources.Dataset, after sources.Position) (sources.Page, error) {
	return src.(sources.Scanner).Scan(ctx, d, sources.ScanRequest{Span: sources.Span{After: after}, Limit: page10()})
}

func TestPutReplacesAndDeleteRemovesBetweenPages(t *testing.T) {
	t.Parallel()
	s, d := numbers(30)
	src := s.Source(memory.Config{})
	first, err := scan(t.Context(), src, d, nil)
	if err != nil || first.Len() != 10 {
		t.Fatal(first.Len(), err)
	}
	s.Put("t", sources.Int(15), sources.Int(1500))
	s.Put("t", sources.Int(-1), sources.Int(-1))
	if gone := s.Delete("t", func(get func(string) sources.Value) bool { return get("k").AsInt() >= 20 }); gone != 10 {
		t.Errorf("%d rows went", gone)
	}
	second, err := scan(t.Context(), src, d, first.Next)
	if err != nil || second.Len() != 10 || !second.Done {
		t.Fatalf("%d records, done %v, %v", second.Len(), second.Done, err)
	}
	if got := second.Records[5].Fields[0].AsInt(); got != 1500 {
		t.Errorf("row 15 holds %d", got)
	}
	if n := len(s.Rows("t")); n != 21 {
		t.Errorf("%d rows", n)
	}
}

func TestRowsWithNullInTheirUniqueColumnsAreAdded(t *testing.T) {
	t.Parallel()
	s, _ := numbers(0)
	for range 3 {
		s.Put("t", sources.Null(), sources.Int(1))
	}
	if n := len(s.Rows("t")); n != 3 {
		t.Errorf("%d rows", n)
	}
}

func TestFaultsBefallTheReadsTheyAreMeantFor(t *testing.T) {
	t.Parallel()
	s, d := numbers(30)
	broken := errors.New("broken")
	for _, test := range []struct {
		name  string
		fault memory.Fault
		class sources.Failure
	}{
		{"before any record", memory.Fault{Err: broken}, sources.FailureTransient},
		{"after 5 records", memory.Fault{Err: broken, After: 5}, sources.FailureTransient},
		{"as a timeout", memory.Fault{Err: sources.Timeout(broken), After: 9}, sources.FailureTimeout},
		{"for good", memory.Fault{Err: sources.Final(broken)}, sources.FailureFinal},
	} {
		src := s.Source(memory.Config{Faults: memory.FailNth(test.fault, 2)})
		if page, err := scan(t.Context(), src, d, nil); err != nil || page.Len() != 10 {
			t.Errorf("%s: the first read: %d records, %v", test.name, page.Len(), err)
		}
		page, err := scan(t.Context(), src, d, nil)
		if !errors.Is(err, broken) || sources.FailureOf(err) != test.class || page.Len() != 0 || page.Next != nil {
			t.Errorf("%s: %+v, %v", test.name, page, err)
		}
		if page, err := scan(t.Context(), src, d, nil); err != nil || page.Len() != 10 {
			t.Errorf("%s: the third read: %d records, %v", test.name, page.Len(), err)
		}
	}
	late := s.Source(memory.Config{Faults: memory.FailNth(memory.Fault{Err: broken, After: 10}, 1)})
	if page, err := scan(t.Context(), late, d, nil); err != nil || page.Len() != 10 {
		t.Errorf("a page of 10 records fails only after more: %d, %v", page.Len(), err)
	}
}

func TestAReadThatHangsEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s, d := numbers(5)
	ctx, cancel := context.WithCancel(t.Context())
	src := s.Source(memory.Config{Connections: 1, Faults: func(_ context.Context, r memory.Read) *memory.Fault {
		if r.N == 1 {
			cancel()
			return &memory.Fault{Hang: true}
		}
		return nil
	}})
	if _, err := scan(ctx, src, d, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if page, err := scan(t.Context(), src, d, nil); err != nil || page.Len() != 5 {
		t.Errorf("afterwards: %d, %v", page.Len(), err)
	}
}

// TestAReaderOverRandomFaultsReadsEverythingOnce is how the checks' own
// property tests use this store.
func TestAReaderOverRandomFaultsReadsEverythingOnce(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	s, d := numbers(500)
	limits := sources.Limits{PageRecords: 7, Attempts: 50, Backoff: 1}
	r := sources.NewReader("memory", s.Source(memory.Config{Faults: memory.FailRandomly(seed, 0.3)}), limits, nil)
	seen := map[string]int{}
	stream := r.Stream(d, sources.ScanRequest{})
	for {
		page, err := stream.Next(t.Context())
		if err != nil {
			if len(seen) != 500 {
				t.Errorf("%d records, %v", len(seen), err)
			}
			break
		}
		for _, record := range page.Records {
			if seen[record.Key.Encode()]++; seen[record.Key.Encode()] > 1 {
				t.Errorf("key %s came again", record.Key)
			}
		}
	}
}

func TestWithoutTakesInterfacesAway(t *testing.T) {
	t.Parallel()
	s, _ := numbers(1)
	for i := range 32 {
		w := memory.Without{Scan: i&1 != 0, Split: i&2 != 0, Describe: i&4 != 0, Extras: i&8 != 0, Write: i&16 != 0}
		got := sources.NewReader("memory", s.Source(memory.Config{Without: w}), sources.Limits{}, nil).Capabilities()
		want := sources.Capabilities{Scan: !w.Scan, Split: !w.Scan && !w.Split, Describe: !w.Describe, Count: !w.Extras, Explain: !w.Extras, Probe: !w.Extras,
			Gauge: !w.Extras, Shape: !w.Extras, Write: w == memory.Without{}, Sample: w == memory.Without{}, Recent: w == memory.Without{}}
		if got != want {
			t.Errorf("%+v: %+v", w, got)
		}
	}
}

func TestShuffledOrderIsStableAndItsOwn(t *testing.T) {
	t.Parallel()
	orders := map[uint64]string{}
	for _, seed := range []uint64{1, 1, 2} {
		s := memory.NewStore()
		s.Create(memory.Table{Name: "t", Order: memory.Shuffled(seed), Columns: []memory.Column{{Name: "k", FieldType: sources.FieldType{Kind: sources.KindInt}}}})
		for i := range 10 {
			s.Put("t", sources.Int(int64(i)))
		}
		page, err := scan(t.Context(), s.Source(memory.Config{}), &sources.Dataset{Name: "t", Key: []string{"k"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		order := ""
		for _, r := range page.Records {
			order += r.Key.String()
		}
		if was, seen := orders[seed]; seen && was != order || order == "0123456789" {
			t.Errorf("seed %d: %s, before %s", seed, order, was)
		}
		orders[seed] = order
	}
	if orders[1] == orders[2] {
		t.Error("two seeds have one order")
	}
}

func TestUnreadableAndSkippedRowsAreDeliveredAsSuch(t *testing.T) {
	t.Parallel()
	s, d := numbers(2)
	s.PutRow("t", memory.Row{Values: []sources.Value{sources.Int(1), sources.Int(1)}, Unreadable: "a name twice"})
	s.PutRow("t", memory.Row{Values: []sources.Value{sources.Int(2), sources.Int(2)}, Skipped: "too large"})
	page, err := scan(t.Context(), s.Source(memory.Config{Raw: true}), d, nil)
	if err != nil || page.Len() != 3 || page.Records[1].Unreadable == "" || page.Records[2].Skipped == "" || page.Records[2].Fields != nil {
		t.Errorf("%+v, %v", page, err)
	}
}

func TestManyWritersAndReaders(t *testing.T) {
	t.Parallel()
	s, d := numbers(100)
	src := s.Source(memory.Config{Faults: memory.FailRandomly(1, 0.1)})
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 100 {
				s.Put("t", sources.Int(int64(i)), sources.Int(int64(g)))
				if page, err := scan(t.Context(), src, d, nil); err == nil && page.Len() != 10 {
					t.Errorf("a short page of %d", page.Len())
				}
			}
		})
	}
	all.Wait()
}
