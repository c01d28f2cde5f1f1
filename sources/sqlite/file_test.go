package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"plumbline/sources"
)

func tiny() sources.Limit { return sources.Limit{Records: 10, Bytes: 1 << 20} }

func TestAFileThatIsNotThereIsNamedAndNeverMade(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	junk := filepath.Join(folder, "junk.db")
	if err := os.WriteFile(junk, []byte(strings.Repeat("this is no database\n", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	there := newStore(t, "CREATE TABLE t (k INTEGER PRIMARY KEY)")
	missing := filepath.Join(folder, "missing.db")
	for name, url := range map[string]sources.Secret{
		"missing.db":   fileURL(missing),
		"elsewhere":    fileURL(filepath.Join(folder, "elsewhere", "x.db")),
		"junk.db":      fileURL(junk),
		folder:         fileURL(folder),
		"attached.db":  fileURL(there.file) + "?attach=other:" + sources.Secret(filepath.Join(folder, "attached.db")),
		"missing2.db":  sources.Secret(filepath.Join(folder, "missing2.db")),
		"missing3.db":  "file:" + sources.Secret(filepath.Join(folder, "missing3.db")) + "?mode=ro",
		"no/such/here": "sqlite://no/such/here",
	} {
		src := open(t, sources.Options{URL: url})
		_, err := src.Lookup(t.Context(), &sources.Dataset{Name: "t", Key: []string{"k"}}, []sources.Key{{sources.Int(1)}}, nil, tiny())
		if err == nil || sources.FailureOf(err) != sources.FailureFinal || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("reading made files: %v, %v", entries, err)
	}
}

func TestTruncatedFileIsAnErrorAndNoShortPage(t *testing.T) {
	t.Parallel()
	s := newStore(t, "CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)", "INSERT INTO t SELECT value, printf('%.*c', 500, 'x')"+series(1, 4000), "PRAGMA wal_checkpoint(TRUNCATE)")
	d := sources.Dataset{Name: "t", Key: []string{"k"}, Fields: []string{"v"}}
	info, err := os.Stat(s.file)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
	for part := 9; part > 0; part-- {
		if err := os.Truncate(s.file, info.Size()*int64(part)/10); err != nil {
			t.Fatal(err)
		}
		fresh := &store{file: s.file, source: open(t, sources.Options{URL: fileURL(s.file)})}
		seen, span := 0, sources.Span{}
		for {
			page, err := fresh.scan(t.Context(), &d, sources.ScanRequest{Span: span, Limit: sources.Limit{Records: 300, Bytes: 8 << 20}})
			if err != nil {
				if page.Len() > 0 {
					t.Errorf("an error came with %d records", page.Len())
				}
				break
			}
			if seen += page.Len(); page.Done {
				t.Fatalf("%d tenths of a file read to the end with %d records", part, seen)
			}
			span.After = page.Next
		}
	}
}

func TestTablesOfEveryKindAreRead(t *testing.T) {
	t.Parallel()
	other := newStore(t, "CREATE TABLE t (k INTEGER PRIMARY KEY, n INT)", "INSERT INTO t VALUES (1, 7)")
	s := newStore(t,
		"CREATE TABLE plain (k INTEGER PRIMARY KEY, n INT)",
		"CREATE TABLE wr (k TEXT, j INT, n INT, PRIMARY KEY (k, j)) WITHOUT ROWID",
		"CREATE TABLE strict (k TEXT PRIMARY KEY NOT NULL, n INTEGER) STRICT",
		`CREATE TABLE "odd ""name"".with.dots" ("the ""key""" INTEGER UNIQUE NOT NULL, "a.b" INT, [select] INT)`,
		"CREATE TABLE descending (k INTEGER PRIMARY KEY DESC, n INT)",
		"CREATE TABLE partial (k INT, n INT)", "CREATE UNIQUE INDEX p ON partial (k) WHERE n > 0", "CREATE INDEX e ON partial (k + 1)",
		"CREATE TABLE generated (k INTEGER PRIMARY KEY, n INT, m INT AS (n * 2) VIRTUAL)",
		"CREATE VIEW v AS SELECT k, n FROM plain WHERE n > 0",
		"INSERT INTO plain VALUES (1, 1), (2, 0), (3, 3)", "INSERT INTO wr VALUES ('a', 1, 1), ('a', 2, 2)", "INSERT INTO strict VALUES ('a', 1)",
		`INSERT INTO "odd ""name"".with.dots" VALUES (1, 2, 3)`, "INSERT INTO descending VALUES (2, 2), (1, 1), (NULL, 3)",
		"INSERT INTO partial VALUES (1, 1), (1, 0)", "INSERT INTO generated (k, n) VALUES (1, 21)")
	attached := &store{source: open(t, sources.Options{URL: fileURL(s.file) + "?attach=other:" + sources.Secret(other.file)})}
	for _, test := range []struct {
		store   *store
		d       sources.Dataset
		want    string
		index   string
		unique  bool
		inOrder bool
	}{
		{s, sources.Dataset{Name: "plain", Key: []string{"k"}, Fields: []string{"n"}}, "int 1 int 2 int 3", "rowid", true, true},
		{s, sources.Dataset{Name: "main.PLAIN", Key: []string{"K"}, Fields: []string{"N"}}, "int 1 int 2 int 3", "rowid", true, true},
		{s, sources.Dataset{Name: "wr", Key: []string{"k", "j"}, Fields: []string{"n"}}, "text a,int 1 text a,int 2", "sqlite_autoindex_wr_1", true, true},
		{s, sources.Dataset{Name: "strict", Key: []string{"k"}, Fields: []string{"n"}}, "text a", "sqlite_autoindex_strict_1", true, true},
		{s, sources.Dataset{Name: `odd "name".with.dots`, Key: []string{`the "key"`}, Fields: []string{"a.b", "select"}}, "int 1", `sqlite_autoindex_odd "name".with.dots_1`, true, true},
		{s, sources.Dataset{Name: "descending", Key: []string{"k"}, Fields: []string{"n"}}, "int 1 int 2 null null", "", false, false},
		{s, sources.Dataset{Name: "partial", Key: []string{"k"}, Fields: []string{"n"}}, "int 1 int 1", "", false, false},
		{s, sources.Dataset{Name: "generated", Key: []string{"k"}, Fields: []string{"m"}}, "int 1", "rowid", true, true},
		{s, sources.Dataset{Name: "v", Key: []string{"k"}, Fields: []string{"n"}}, "int 1 int 3", "rowid", false, true},
		{s, sources.Dataset{Query: "SELECT k * 10 AS ten, n FROM plain; ", Key: []string{"ten"}, Fields: []string{"n"}}, "int 10 int 20 int 30", "", false, false},
		{s, sources.Dataset{Query: "SELECT k, count(*) AS n FROM partial GROUP BY k -- per key", Key: []string{"k"}, Fields: []string{"n"}}, "int 1", "", false, false},
		{attached, sources.Dataset{Name: "other.t", Key: []string{"k"}, Fields: []string{"n"}}, "int 1", "rowid", true, true},
	} {
		desc := test.store.describe(t, &test.d)
		if desc.KeyIndex != test.index || desc.Unique != test.unique || (desc.ScanIndex != "") != test.inOrder {
			t.Errorf("%s: key index %q, scan index %q, unique %v", test.d.Title(), desc.KeyIndex, desc.ScanIndex, desc.Unique)
		}
		for size := 1; size < 4; size++ {
			records := test.store.scanAll(t, &test.d, sources.Span{}, size)
			if got := strings.Join(keys(records), " "); got != test.want {
				t.Errorf("%s: pages of %d: %s, not %s", test.d.Title(), size, got, test.want)
			}
			for _, r := range records {
				if r.Key.Whole() && len(test.store.lookup(t, &test.d, r.Key)) == 0 {
					t.Errorf("%s: lookup of %s found nothing", test.d.Title(), r.Key)
				}
			}
		}
	}
}

// TestAnUnknownColumnIsNoText: to SQLite "nmae" in double quotes is a text
// where there is no such column, and every comparison with it a lie.
func TestAnUnknownColumnIsNoText(t *testing.T) {
	t.Parallel()
	s := newStore(t, "CREATE TABLE people (k INTEGER PRIMARY KEY, name TEXT)", "INSERT INTO people VALUES (1, 'nmae')")
	for _, d := range []sources.Dataset{
		{Name: "people", Key: []string{"k"}, Fields: []string{"nmae"}},
		{Name: "people", Key: []string{"nmae"}},
		{Name: "people", Key: []string{"k"}, ID: []string{"nmae"}},
		{Name: "people", Key: []string{"k"}, Scope: []sources.Condition{{Field: "nmae", Value: sources.Text("nmae")}}},
		{Name: "people", Key: []string{"k"}, Fields: []string{"nmae.first"}},
		{Query: "SELECT * FROM people", Key: []string{"k"}, Fields: []string{"nmae"}},
		{Name: "people", Key: []string{"k"}, Where: `"nmae" = 'nmae'`},
		{Name: "people", Key: []string{"k"}, DeletedWhen: `"nmae" = 'nmae'`},
		{Query: `SELECT k, "nmae" FROM people`, Key: []string{"k"}},
		{Name: "people", Key: []string{"k"}, Where: "name = 'nmae' AND k = ?"},
	} {
		_, err := s.scan(t.Context(), &d, sources.ScanRequest{Limit: tiny()})
		if err == nil || sources.FailureOf(err) != sources.FailureFinal || !strings.Contains(err.Error(), "nmae") && !strings.Contains(err.Error(), "(?)") {
			t.Errorf("%+v: %v", d, err)
		}
		var nf *sources.NotFoundError
		if d.Where == "" && d.DeletedWhen == "" && d.Query == "" && d.Fields == nil && (!errors.As(err, &nf) || !strings.Contains(err.Error(), `did you mean "name"`)) {
			t.Errorf("%+v: %v", d, err)
		}
	}
}

func TestScopeIsExactWhateverTheCollationAndType(t *testing.T) {
	t.Parallel()
	s := newStore(t, "CREATE TABLE t (k INTEGER PRIMARY KEY, c TEXT COLLATE NOCASE, digits TEXT, flag BOOLEAN, n INT)",
		"INSERT INTO t VALUES (1, 'eu', '5', 1, 5), (2, 'EU', '05', 0, 6), (3, 'us', '5 ', 2, 7)")
	for _, test := range []struct {
		condition sources.Condition
		want      int
	}{{sources.Condition{Field: "c", Value: sources.Text("eu")}, 1}, {sources.Condition{Field: "digits", Value: sources.Int(5)}, 1},
		{sources.Condition{Field: "flag", Value: sources.Bool(true)}, 1}, {sources.Condition{Field: "n", Value: sources.Text("6")}, 1}} {
		d := sources.Dataset{Name: "t", Key: []string{"k"}, Scope: []sources.Condition{test.condition}}
		if r := s.scanAll(t, &d, sources.Span{}, 10); len(r) != test.want {
			t.Errorf("scope %s = %s: %v", test.condition.Field, test.condition.Value, keys(r))
		}
	}
}

func TestAStatementThatTakesTooLongIsATimeout(t *testing.T) {
	t.Parallel()
	s := newStore(t, "CREATE TABLE t (k INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (1)")
	impatient := open(t, sources.Options{URL: fileURL(s.file), StatementTimeout: 100 * time.Millisecond})
	endless := sources.Dataset{Query: "WITH RECURSIVE s(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM s WHERE k < 1e12) SELECT max(k) AS k FROM s", Key: []string{"k"}}
	began := time.Now()
	_, err := impatient.Lookup(t.Context(), &endless, []sources.Key{{sources.Int(1)}}, nil, tiny())
	if sources.FailureOf(err) != sources.FailureTimeout || !strings.Contains(err.Error(), "100ms") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := s.scan(ctx, &endless, sources.ScanRequest{Limit: tiny()}); !errors.Is(err, context.DeadlineExceeded) || sources.FailureOf(err) == sources.FailureTimeout {
		t.Errorf("the caller's own deadline: %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("two deadlines of 100 ms took %s", took)
	}
	d := sources.Dataset{Name: "t", Key: []string{"k"}}
	if r := s.lookup(t, &d, sources.Key{sources.Int(1)}); len(r) != 1 {
		t.Error("the source is of no use afterwards")
	}
}

func TestAFileThatAnotherProgramLocksIsReadLater(t *testing.T) {
	t.Parallel()
	s := newStore(t, "PRAGMA journal_mode=DELETE", "CREATE TABLE t (k INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (1)")
	d := sources.Dataset{Name: "t", Key: []string{"k"}}
	run(t, s.db, "BEGIN EXCLUSIVE")
	_, err := s.scan(t.Context(), &d, sources.ScanRequest{Limit: tiny()})
	if err == nil || sources.FailureOf(err) != sources.FailureTransient {
		t.Errorf("locked: %v", err)
	}
	run(t, s.db, "ROLLBACK")
	if r := s.scanAll(t, &d, sources.Span{}, 10); len(r) != 1 {
		t.Errorf("%v", keys(r))
	}
}

func TestASchemaThatChangesBetweenPagesIsReadAnew(t *testing.T) {
	t.Parallel()
	s := newStore(t, "CREATE TABLE t (k INT NOT NULL, n INT)", "CREATE UNIQUE INDEX one ON t (k)", "INSERT INTO t SELECT value, value"+series(1, 20))
	d := sources.Dataset{Name: "t", Key: []string{"k"}, Fields: []string{"n"}}
	first, err := s.scan(t.Context(), &d, sources.ScanRequest{Limit: tiny()})
	if err != nil {
		t.Fatal(err)
	}
	run(t, s.db, "DROP INDEX one")
	run(t, s.db, "ALTER TABLE t ADD COLUMN later TEXT")
	if r := s.scanAll(t, &d, sources.Span{After: first.Next}, 10); len(r) != 10 {
		t.Errorf("%v", keys(r))
	}
	run(t, s.db, "DROP TABLE t")
	if _, err := s.scan(t.Context(), &d, sources.ScanRequest{Limit: tiny()}); sources.FailureOf(err) != sources.FailureFinal {
		t.Errorf("%v", err)
	}
}

// TestPagesAreConsistentWhileAnotherConnectionWrites: a writer moves an amount
// between two rows, in transactions; every page holds the same sum.
func TestPagesAreConsistentWhileAnotherConnectionWrites(t *testing.T) {
	t.Parallel()
	s := newStore(t, "CREATE TABLE t (k INTEGER PRIMARY KEY, amount INT)", "INSERT INTO t SELECT value, 100"+series(1, 50))
	d := sources.Dataset{Name: "t", Key: []string{"k"}, Fields: []string{"amount"}}
	done := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := range 300 {
			from, to := i%50+1, (i*7)%50+1
			if _, err := s.db.Exec(fmt.Sprintf("BEGIN; UPDATE t SET amount = amount - 5 WHERE k = %d; UPDATE t SET amount = amount + 5 WHERE k = %d; COMMIT", from, to)); err != nil {
				t.Error(err)
				break
			}
		}
		close(done)
	})
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		page, err := s.scan(t.Context(), &d, sources.ScanRequest{Limit: sources.Limit{Records: 100, Bytes: 1 << 20}})
		if err != nil {
			t.Fatal(err)
		}
		sum := int64(0)
		for _, r := range page.Records {
			sum += r.Fields[0].AsInt()
		}
		if sum != 5000 || page.Len() != 50 {
			t.Fatalf("a page of %d records sums up to %d", page.Len(), sum)
		}
	}
	writer.Wait()
}
