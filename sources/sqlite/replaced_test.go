package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"plumbline/checks"
	"plumbline/sources"
)

// numbered makes a file of n rows whose v is what it was told.
func numbered(t *testing.T, file string, n, v int) {
	t.Helper()
	db := create(t, file)
	run(t, db, "PRAGMA synchronous=OFF")
	run(t, db, "CREATE TABLE t (k INTEGER PRIMARY KEY, v INT)")
	run(t, db, fmt.Sprintf("INSERT INTO t SELECT value, %d", v)+series(1, n))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// replace puts another file in a file's place, as a restore or a published
// snapshot does.
func replace(t *testing.T, file string, n, v int) {
	t.Helper()
	numbered(t, file+".new", n, v)
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

func numberedDataset() *sources.Dataset {
	return &sources.Dataset{Name: "t", Key: []string{"k"}, Fields: []string{"v"}}
}

// reads are all ways of asking a source.
func reads(s *store, d *sources.Dataset) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"scan": func(ctx context.Context) error {
			_, err := s.scan(ctx, d, sources.ScanRequest{Limit: tiny()})
			return err
		},
		"lookup": func(ctx context.Context) error {
			_, err := s.source.Lookup(ctx, d, []sources.Key{{sources.Int(1)}}, nil, tiny())
			return err
		},
		"describe": func(ctx context.Context) error { _, err := s.source.(sources.Describer).Describe(ctx, d); return err },
		"count":    func(ctx context.Context) error { _, err := s.source.(sources.Counter).Count(ctx, d); return err },
		"split":    func(ctx context.Context) error { _, err := s.source.(sources.Splitter).Split(ctx, d, 4); return err },
		"explain":  func(ctx context.Context) error { _, err := s.source.(sources.Explainer).Explain(ctx, d); return err },
		"probe":    func(ctx context.Context) error { _, err := s.source.(sources.Prober).Probe(ctx); return err },
	}
}

func TestAReplacedFileIsReadAnew(t *testing.T) {
	folder := t.TempDir()
	t.Chdir(folder)
	numbered(t, filepath.Join(folder, "attached to.db"), 1, 1)
	for name, url := range map[string]sources.Secret{
		"an absolute path": fileURL(filepath.Join(folder, "shop %20 ü.db")),
		"a relative path":  "shop %20 ü.db",
		"a relative url":   "sqlite://shop%20%2520%20%C3%BC.db?mode=ro",
		"a file url":       "file:shop%20%2520%20%C3%BC.db?mode=ro&attach=other:" + sources.Secret(filepath.Join(folder, "attached to.db")),
		"a symbolic link":  fileURL(filepath.Join(folder, "link.db")),
	} {
		file := filepath.Join(folder, "shop %20 ü.db")
		numbered(t, file, 3, 10)
		if name == "a symbolic link" {
			if err := os.Symlink(file, filepath.Join(folder, "link.db")); err != nil {
				t.Fatal(err)
			}
		}
		s, d := &store{source: open(t, sources.Options{URL: url})}, numberedDataset()
		for round := 1; round < 4; round++ {
			records := s.scanAll(t, d, sources.Span{}, 2)
			found := s.lookup(t, d, sources.Key{sources.Int(2)})
			if len(records) != 3*round || records[0].Fields[0].AsInt() != int64(10*round) || found[0].Fields[0].AsInt() != int64(10*round) {
				t.Errorf("%s, file %d: %d records of %s, looked up %s", name, round, len(records), records[0].Fields[0], found[0].Fields[0])
			}
			replace(t, file, 3*(round+1), 10*(round+1))
		}
		// another table, with the same name and other columns
		db := create(t, file+".new")
		run(t, db, "CREATE TABLE t (v TEXT, k TEXT PRIMARY KEY)")
		run(t, db, "INSERT INTO t VALUES ('other', 'one')")
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
		if got := keys(s.scanAll(t, d, sources.Span{}, 2)); len(got) != 1 || got[0] != "text one" {
			t.Errorf("%s: a file of another schema reads as %v", name, got)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAReplacedAttachedFileIsReadAnew(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file, other := filepath.Join(folder, "main.db"), filepath.Join(folder, "other.db")
	numbered(t, file, 1, 1)
	numbered(t, other, 1, 1)
	s := &store{source: open(t, sources.Options{URL: fileURL(file) + "?attach=other:" + sources.Secret(other)})}
	d := &sources.Dataset{Name: "other.t", Key: []string{"k"}, Fields: []string{"v"}}
	for v := 1; v < 4; v++ {
		if got := s.lookup(t, d, sources.Key{sources.Int(1)})[0].Fields[0].AsInt(); got != int64(v) {
			t.Errorf("v is %d, not %d", got, v)
		}
		replace(t, other, 1, v+1)
	}
}

// TestAFileThatIsGoneIsAnErrorUntilItIsBack: a connection would read on in a
// file without a name, in which nothing ever changes.
func TestAFileThatIsGoneIsAnErrorUntilItIsBack(t *testing.T) {
	t.Parallel()
	for name := range reads(nil, nil) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "store.db")
			numbered(t, file, 20, 1)
			s := &store{source: open(t, sources.Options{URL: fileURL(file)})}
			read := reads(s, numberedDataset())[name]
			if err := read(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				err := read(t.Context())
				if err == nil || !strings.Contains(err.Error(), "the file is gone") || !strings.Contains(err.Error(), file) || sources.FailureOf(err) == sources.FailureFinal {
					t.Errorf("%v", err)
				}
			}
			numbered(t, file, 20, 2)
			if err := read(t.Context()); err != nil {
				t.Errorf("the file is back: %v", err)
			}
		})
	}
}

// TestNoScanReadsHalfOfEachOfTwoFiles: a page of one file is never followed by
// a page of the one that took its place.
func TestNoScanReadsHalfOfEachOfTwoFiles(t *testing.T) {
	t.Parallel()
	for _, described := range []bool{false, true} {
		file := filepath.Join(t.TempDir(), "store.db")
		numbered(t, file, 40, 1)
		s, d := &store{source: open(t, sources.Options{URL: fileURL(file)})}, numberedDataset()
		if described {
			s.describe(t, d)
		}
		first, err := s.scan(t.Context(), d, sources.ScanRequest{Limit: tiny()})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2200 { // many others are read meanwhile
			if _, err := s.scan(t.Context(), numberedDataset(), sources.ScanRequest{Limit: tiny()}); err != nil {
				t.Fatal(err)
			}
			if i%100 == 0 {
				if _, err := s.scan(t.Context(), d, sources.ScanRequest{Span: sources.Span{After: first.Next}, Limit: tiny()}); err != nil {
					t.Fatal(err)
				}
			}
		}
		replace(t, file, 40, 2)
		refused := func(span sources.Span) {
			t.Helper()
			page, err := s.scan(t.Context(), d, sources.ScanRequest{Span: span, Limit: tiny()})
			if err == nil || !strings.Contains(err.Error(), "the file was replaced while it was being read") || sources.FailureOf(err) == sources.FailureFinal || page.Len() > 0 {
				t.Errorf("described %v, after %v: %d records, %v", described, span.After, page.Len(), err)
			}
		}
		refused(sources.Span{After: first.Next})
		refused(sources.Span{After: first.Next}) // nor does trying again let it through
		if got := s.lookup(t, d, sources.Key{sources.Int(1)})[0].Fields[0].AsInt(); got != 2 {
			t.Errorf("a lookup reads %d", got)
		}
		refused(sources.Span{After: first.Next})
		if described { // cuts were made in the other file, so another segment's beginning is no beginning
			refused(sources.Span{})
			s.describe(t, d)
		}
		for _, r := range s.scanAll(t, d, sources.Span{}, 10) {
			if r.Fields[0].AsInt() != 2 {
				t.Errorf("%s is still %s", r.Key, r.Fields[0])
			}
		}
		fresh := numberedDataset()
		if n := len(s.scanAll(t, fresh, sources.Span{After: first.Next}, 10)); n != 30 {
			t.Errorf("a dataset that was never read: %d records", n)
		}
	}
}

// TestNoLookupReadsHalfOfEachOfTwoFiles: the copies of one key come in pages too.
func TestNoLookupReadsHalfOfEachOfTwoFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "store.db")
	make := func(file string) {
		db := create(t, file)
		run(t, db, "CREATE TABLE t (k INT, id INTEGER PRIMARY KEY)")
		run(t, db, "CREATE INDEX i ON t (k)")
		run(t, db, "INSERT INTO t SELECT 1, value"+series(1, 25))
	}
	make(file)
	src := open(t, sources.Options{URL: fileURL(file)})
	d := &sources.Dataset{Name: "t", Key: []string{"k"}, ID: []string{"id"}}
	one := []sources.Key{{sources.Int(1)}}
	first, err := src.Lookup(t.Context(), d, one, nil, tiny())
	if err != nil || first.Done {
		t.Fatal(first.Len(), err)
	}
	if second, err := src.Lookup(t.Context(), d, one, first.Next, tiny()); err != nil || second.Len() == 0 {
		t.Fatal(second.Len(), err)
	}
	make(file + ".new")
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
	if _, err := src.Lookup(t.Context(), d, one, first.Next, tiny()); err == nil || !strings.Contains(err.Error(), "was replaced") {
		t.Errorf("%v", err)
	}
	if again, err := src.Lookup(t.Context(), d, one, nil, tiny()); err != nil || again.Len() == 0 {
		t.Errorf("%d records, %v", again.Len(), err)
	}
}

// TestReadsWhileFilesComeAndGo: whatever is read while files are replaced is of
// one file, and the last word is of the last file.
func TestReadsWhileFilesComeAndGo(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "store.db")
	numbered(t, file, 50, 1)
	s := &store{source: open(t, sources.Options{URL: fileURL(file), Connections: 3})}
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for whole := 0; ; {
				select {
				case <-done:
					if whole > 0 {
						return
					}
				default:
				}
				d, span, seen := numberedDataset(), sources.Span{}, map[int64]int{}
				for {
					page, err := s.scan(t.Context(), d, sources.ScanRequest{Span: span, Limit: tiny()})
					if err != nil {
						if !strings.Contains(err.Error(), "the file ") || sources.FailureOf(err) == sources.FailureFinal {
							t.Errorf("%v", err)
						}
						break
					}
					for _, r := range page.Records {
						seen[r.Fields[0].AsInt()]++
					}
					if span.After = page.Next; page.Done {
						whole++
						break
					}
				}
				if len(seen) > 1 {
					t.Errorf("one scan read several files: %v", seen)
				}
			}
		})
	}
	for v := 2; v < 40; v++ {
		if v%7 == 0 {
			if err := os.Remove(file); err != nil {
				t.Error(err)
			}
		}
		replace(t, file, 50, v)
		s.lookupOnce(t)
	}
	close(done)
	readers.Wait()
	if got := s.lookup(t, numberedDataset(), sources.Key{sources.Int(1)})[0].Fields[0].AsInt(); got != 39 {
		t.Errorf("the last file is not read, but %d", got)
	}
}

// lookupOnce lets the readers have their turn.
func (s *store) lookupOnce(t *testing.T) {
	t.Helper()
	if _, err := s.source.Lookup(t.Context(), numberedDataset(), []sources.Key{{sources.Int(1)}}, nil, tiny()); err != nil && !strings.Contains(err.Error(), "the file ") {
		t.Error(err)
	}
}

// TestACheckSeesThatAFileWasReplacedOrIsGone, by the readers that it was opened with.
func TestACheckSeesThatAFileWasReplacedOrIsGone(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	readers := map[string]*sources.Reader{}
	for _, name := range []string{"owner", "replica"} {
		numbered(t, filepath.Join(folder, name), 200, 1)
		readers[name] = sources.NewReader(name, open(t, sources.Options{Name: name, URL: fileURL(filepath.Join(folder, name))}), sources.Limits{PageRecords: 50, Attempts: 2}, nil)
	}
	side := func(name string) checks.Side {
		return checks.Side{Source: name, Kind: "sqlite", Dataset: *numberedDataset(), Forms: []checks.KeyForm{{}}}
	}
	check := &checks.Check{Name: "c", Owner: side("owner"), Edges: []checks.Edge{{Name: "replica", Replica: side("replica"),
		Rules: []checks.Rule{{Owner: checks.FieldRef{Name: "v"}, Replica: checks.FieldRef{Name: "v"}, Precision: -1}}}}}
	result := func() checks.Result {
		run := checks.Run(t.Context(), check, 0, func(name string) (*sources.Reader, error) { return readers[name], nil }, checks.Options{})
		return run.Result
	}
	if got := result(); got != checks.Clean {
		t.Fatalf("two files that agree: %s", got)
	}
	replace(t, filepath.Join(folder, "replica"), 200, 2)
	if got := result(); got != checks.Drift {
		t.Errorf("a replica that was replaced by another: %s", got)
	}
	replace(t, filepath.Join(folder, "owner"), 200, 2)
	if got := result(); got != checks.Clean {
		t.Errorf("both were replaced: %s", got)
	}
	if err := os.Remove(filepath.Join(folder, "owner")); err != nil {
		t.Fatal(err)
	}
	if got := result(); got != checks.Error && got != checks.Incomplete {
		t.Errorf("the owner is gone: %s", got)
	}
}
