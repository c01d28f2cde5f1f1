package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"plumbline/sources"
)

// promptly is how soon a cancelled read must be back, with room for a busy machine.
const promptly = 5 * time.Second

// crowd is a table large enough to be in the middle of.
func (s *suite) crowd(t *testing.T) *fixture {
	t.Helper()
	if f := s.shapes["crowd"]; f != nil {
		return f
	}
	table := Table{Name: "crowd", Key: []string{"k"}, Unique: true, Indexed: true, Columns: []Column{{Name: "k", Kind: sources.KindInt, NotNull: true},
		{Name: serial, Kind: sources.KindInt, NotNull: true}, {Name: "v", Kind: sources.KindText}}}
	for n := range int64(3000) {
		table.Rows = append(table.Rows, []sources.Value{sources.Int(n * 2), sources.Int(n), sources.Text(strings.Repeat(fmt.Sprint(n, " "), 20))})
	}
	f := s.load(t, table)
	s.shapes["crowd"] = f
	return f
}

// readOnce reads the whole crowd, by a scan where there is one.
func (s *suite) readOnce(ctx context.Context, src sources.Source, f *fixture, after sources.Position, size int) (sources.Page, error) {
	limit := sources.Limit{Records: size, Bytes: plenty}
	if s.Cannot[CannotScan] == "" {
		return src.(sources.Scanner).Scan(ctx, &f.dataset, sources.ScanRequest{Span: sources.Span{After: after}, Limit: limit})
	}
	keys := make([]sources.Key, len(f.rows))
	for i, r := range f.rows {
		keys[i] = r.Key
	}
	return src.Lookup(ctx, &f.dataset, keys, after, limit)
}

func (s *suite) testCancel(t *testing.T) {
	f := s.crowd(t)
	check := func(what string, err error, want error, began time.Time) {
		t.Helper()
		if s.note(err); !errors.Is(err, want) {
			t.Errorf("%s: %v; it is not %v", what, err, want)
		}
		if took := time.Since(began); took > promptly {
			t.Errorf("%s: back after %s", what, took)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	began := time.Now()
	_, err := s.readOnce(gone, s.source, f, nil, 100)
	check("a scan cancelled before it began", err, context.Canceled, began)
	_, err = s.source.Lookup(gone, &f.dataset, []sources.Key{f.rows[0].Key}, nil, sources.Limit{Records: 10, Bytes: plenty})
	check("a lookup cancelled before it began", err, context.Canceled, began)
	for range 30 { // cancelled at some moment: all of it or the context's error
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(s.random.IntN(8000))*time.Microsecond)
		began := time.Now()
		page, err := s.readOnce(ctx, s.source, f, nil, 3000)
		cancel()
		if err != nil {
			check("a read cancelled in its midst", err, context.DeadlineExceeded, began)
		} else if page.Len() != len(f.rows) {
			t.Fatalf("a cancelled read is a short page of %d records", page.Len())
		}
	}
	if s.Through != nil {
		url, line := s.Through(t)
		src := s.open(t, sources.Options{Name: s.Adapter, URL: url, Connections: 2})
		for range 2 { // the second time nothing is connected yet
			line.Block()
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			began := time.Now()
			var reads sync.WaitGroup
			errs := make([]error, 4) // two hold the connections there are, two wait for one
			for i := range errs {
				reads.Go(func() { _, errs[i] = s.readOnce(ctx, src, f, nil, 100) })
			}
			reads.Wait()
			cancel()
			for _, err := range errs {
				check("a read of a store that does not answer", err, context.DeadlineExceeded, began)
			}
			line.Mend()
			if page, err := s.readOnce(t.Context(), src, f, nil, 100); err != nil || page.Len() != 100 {
				t.Errorf("after the store answers again: %d records, %v", page.Len(), s.note(err))
			}
		}
		if err := src.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if page, err := s.readOnce(t.Context(), s.source, f, nil, 3000); err != nil || page.Len() != len(f.rows) {
		t.Errorf("after cancelled reads: %d records, %v", page.Len(), s.note(err))
	}
}

func (s *suite) testConcurrency(t *testing.T) {
	f := s.crowd(t)
	const connections = 3
	url, line := s.URL, Line(nil)
	if s.Through != nil {
		url, line = s.Through(t)
	}
	src := s.open(t, sources.Options{Name: s.Adapter, URL: url, Connections: connections})
	datasets := []*sources.Dataset{&f.dataset, {}, {}}
	*datasets[1], *datasets[2] = f.dataset, f.dataset // first used by many at once
	var all sync.WaitGroup
	problems := make(chan error, 16)
	for g := range 16 {
		all.Go(func() {
			for round := range 4 {
				if err := s.readSome(t.Context(), src, f, datasets[(g+round)%3], g); err != nil {
					problems <- fmt.Errorf("goroutine %d: %w", g, err)
					return
				}
			}
		})
	}
	all.Wait()
	close(problems)
	for err := range problems {
		t.Error(s.note(err))
	}
	if line == nil || line.Peak() == 0 {
		t.Logf("conformance: how many connections %s has open cannot be observed", s.Adapter)
	} else if peak := line.Peak(); peak > connections {
		t.Errorf("%d connections were open at once, %d allowed", peak, connections)
	}
	if err := src.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// readSome looks keys up and scans on from one of them.
func (s *suite) readSome(ctx context.Context, src sources.Source, f *fixture, d *sources.Dataset, g int) error {
	keys := []sources.Key{f.rows[g*10].Key, f.rows[g*20].Key, {sources.Int(3)}}
	page, err := src.Lookup(ctx, d, keys, nil, sources.Limit{Records: 10, Bytes: plenty})
	if err != nil {
		return fmt.Errorf("lookup: %w", err)
	}
	want := 2
	if g == 0 {
		want = 1
	}
	if page.Len() != want {
		return fmt.Errorf("lookup found %d records, not %d", page.Len(), want)
	}
	if s.Cannot[CannotScan] != "" {
		return nil
	}
	c := f.collect()
	r := sources.ScanRequest{Limit: sources.Limit{Records: 400 + g, Bytes: plenty}}
	for {
		page, err := src.(sources.Scanner).Scan(ctx, d, r)
		if err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		if err := c.add(&page); err != nil {
			return err
		}
		if page.Done {
			return c.exactly(nil)
		}
		r.After = page.Next
	}
}

// testCut reads over a line that breaks: what came came whole, the break is an
// error, and reading on after it loses and repeats nothing.
func (s *suite) testCut(t *testing.T) {
	f := s.crowd(t)
	url, line := s.Through(t)
	src := s.open(t, sources.Options{Name: s.Adapter, URL: url, Connections: 2})
	broken := 0
	for trial := range 25 {
		c := f.collect()
		var after sources.Position
		line.Cut(s.random.IntN([]int{1000, 300_000}[trial%2]))
		for calls, failures := 0, 0; ; calls++ {
			page, err := s.readOnce(t.Context(), src, f, after, 700)
			if err != nil {
				broken++
				failures++
				if sources.FailureOf(s.note(err)) == sources.FailureFinal {
					t.Fatalf("a cut line is called final: %v", err)
				}
				if page.Len() > 0 {
					t.Fatalf("an error came with %d records", page.Len())
				}
				if line.Mend(); failures > 5 { // stale connections of the pool may each fail once
					t.Fatalf("the line is whole again and reads still fail: %v", err)
				}
				continue
			}
			if err := c.add(&page); err != nil {
				t.Fatal(err)
			}
			if page.Done {
				break
			}
			after = page.Next
			if calls > 1000 {
				t.Fatal("the read has no end")
			}
		}
		line.Mend()
		if err := c.exactly(nil); err != nil {
			t.Fatalf("after a cut: %v", err)
		}
	}
	t.Logf("conformance: %s: %d reads were broken", s.Adapter, broken)
	if broken < 5 {
		t.Errorf("only %d reads were broken; the line does not cut", broken)
	}
	if err := src.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func (s *suite) testUnreachable(t *testing.T) {
	src, err := s.Open(sources.Options{Name: s.Adapter, URL: s.Unreachable.URL, Connections: 1})
	if err != nil {
		t.Fatalf("open reaches the store: %v", s.note(err))
	}
	f := s.crowd(t)
	d := f.dataset
	limit := sources.Limit{Records: 10, Bytes: plenty}
	reads := map[string]func(context.Context) error{"lookup": func(ctx context.Context) error {
		_, err := src.Lookup(ctx, &d, []sources.Key{f.rows[0].Key}, nil, limit)
		return err
	}}
	if scanner, ok := src.(sources.Scanner); ok {
		reads["scan"] = func(ctx context.Context) error {
			_, err := scanner.Scan(ctx, &d, sources.ScanRequest{Limit: limit})
			return err
		}
	}
	if describer, ok := src.(sources.Describer); ok {
		reads["describe"] = func(ctx context.Context) error { _, err := describer.Describe(ctx, &d); return err }
	}
	if prober, ok := src.(sources.Prober); ok {
		reads["probe"] = func(ctx context.Context) error { _, err := prober.Probe(ctx); return err }
	}
	for what, read := range reads {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		err := s.note(read(ctx))
		cancel()
		if err == nil {
			t.Errorf("%s of a store that is not there is no error", what)
			continue
		}
		if final := sources.FailureOf(err) == sources.FailureFinal; final != s.Unreachable.Final {
			t.Errorf("%s: %v; final: %v", what, err, final)
		}
		if !strings.Contains(err.Error(), s.Unreachable.Names) {
			t.Errorf("%s: %v; it does not name %s", what, err, s.Unreachable.Names)
		}
		t.Logf("conformance: %s: %s: %v", s.Adapter, what, err)
	}
	if err := src.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func (s *suite) testReadOnly(t *testing.T) {
	f := s.load(t, Table{Name: "untouched", Key: []string{"k"}, Unique: true, Indexed: true, Columns: []Column{{Name: "k", Kind: sources.KindInt, NotNull: true},
		{Name: serial, Kind: sources.KindInt, NotNull: true}}, Rows: [][]sources.Value{{sources.Int(1), sources.Int(0)}, {sources.Int(2), sources.Int(1)}}})
	keys := []sources.Key{f.rows[0].Key, f.rows[1].Key}
	limit := sources.Limit{Records: 10, Bytes: plenty}
	for i, d := range s.Writing(t, f.dataset) {
		_, err := s.lookup(t.Context(), &d, keys, nil, limit)
		if s.Cannot[CannotScan] == "" {
			if _, scanErr := s.scan(t.Context(), s.source, &d, sources.ScanRequest{Limit: limit}); scanErr != nil {
				err = scanErr
			}
		}
		t.Logf("conformance: %s: attempt %d to write while reading: %v", s.Adapter, i, err)
		c := f.collect()
		err = s.lookupAll(t, f, &f.dataset, keys, limit, c.add)
		if err == nil {
			err = c.exactly(nil)
		}
		if err != nil {
			t.Fatalf("after attempt %d to write: %v", i, err)
		}
	}
}

func (s *suite) testClose(t *testing.T) {
	f := s.crowd(t)
	before := goleak.IgnoreCurrent()
	for range 3 {
		src := s.open(t, sources.Options{Name: s.Adapter, URL: s.URL, Connections: 4})
		var all sync.WaitGroup
		for g := range 6 {
			all.Go(func() {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if g%3 == 0 {
					cancel()
				}
				_, err := s.readOnce(ctx, src, f, nil, 500)
				if (err != nil) != (g%3 == 0) {
					t.Errorf("goroutine %d: %v", g, err)
				}
			})
		}
		all.Wait()
		if err := src.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	unused := s.open(t, sources.Options{Name: s.Adapter, URL: s.URL})
	if err := unused.Close(); err != nil {
		t.Errorf("close of a source never used: %v", err)
	}
	if err := goleak.Find(before); err != nil {
		t.Errorf("after Close: %v", err)
	}
}
