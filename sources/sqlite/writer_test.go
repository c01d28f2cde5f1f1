package sqlite_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plumbline/sources"
	"plumbline/sources/sqlite"
)

// writer is the store's source, opened to write.
func writer(t testing.TB, s *store) sources.Writer {
	t.Helper()
	return open(t, sources.Options{Name: "store", URL: fileURL(s.file), Writable: true}).(sources.Writer)
}

func look(t testing.TB, w sources.Writer, d *sources.Dataset, key sources.Key, whole bool) *sources.Image {
	t.Helper()
	image, err := w.Look(t.Context(), d, key, nil, sources.Looking{Whole: whole})
	if err != nil || !image.Exists {
		t.Fatalf("look: %+v, %v", image, err)
	}
	return image
}

func become(t testing.TB, w sources.Writer, d *sources.Dataset, before *sources.Image, set ...sources.Assignment) *sources.Image {
	t.Helper()
	after, err := w.Become(t.Context(), d, before, set)
	if err != nil {
		t.Fatalf("become: %v", err)
	}
	return after
}

func mustWrite(t testing.TB, w sources.Writer, d *sources.Dataset, c *sources.Change) {
	t.Helper()
	if err := w.Write(t.Context(), d, c, time.Now().Add(time.Minute)); err != nil {
		t.Fatalf("%s: %v", c.Kind(), err)
	}
}

func notWritten(t testing.TB, err error) *sources.NotWritten {
	t.Helper()
	var not *sources.NotWritten
	if !errors.As(err, &not) {
		t.Fatalf("%v; it should certainly not be written", err)
	}
	return not
}

const until = time.Minute

func write(t testing.TB, w sources.Writer, d *sources.Dataset, c *sources.Change) error {
	t.Helper()
	return w.Write(t.Context(), d, c, time.Now().Add(until))
}

func text(field, v string) sources.Assignment {
	return sources.Assignment{Field: field, Value: sources.Text(v)}
}

func key(i int64) sources.Key { return sources.Key{sources.Int(i)} }

func TestWhatATriggerMakesOfTheRecordIsTakenBack(t *testing.T) {
	t.Parallel()
	s := newStore(t, "CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)", "CREATE TABLE log (x)", "INSERT INTO t VALUES (1, 'a')",
		"CREATE TRIGGER shout AFTER UPDATE OF v ON t WHEN new.v <> upper(new.v) BEGIN UPDATE t SET v = upper(new.v) WHERE k = new.k; INSERT INTO log VALUES (new.v); END")
	w, d := writer(t, s), &sources.Dataset{Name: "t", Key: []string{"k"}, Fields: []string{"v"}}
	before := look(t, w, d, key(1), false)
	was := everything(t, s.db)
	not := notWritten(t, write(t, w, d, &sources.Change{Key: key(1), Before: before, After: become(t, w, d, before, text("v", "b"))}))
	if not.Stale || not.Late || not.Err == nil {
		t.Errorf("%+v", not)
	}
	onlyDiffers(t, was, everything(t, s.db))
	mustWrite(t, w, d, &sources.Change{Key: key(1), Before: before, After: become(t, w, d, before, text("v", "B"))})
}

func TestATriggersOwnWordsAreNotPassedOn(t *testing.T) {
	t.Parallel()
	s := newStore(t, "CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)", "INSERT INTO t VALUES (1, 'secret')", "INSERT INTO t VALUES (2, 'secret')",
		"CREATE TRIGGER refuse BEFORE UPDATE ON t WHEN old.k = 1 BEGIN SELECT raise(ABORT, old.v); END",
		"CREATE TRIGGER ignore BEFORE UPDATE ON t WHEN old.k = 2 BEGIN SELECT raise(IGNORE); END")
	w, d := writer(t, s), &sources.Dataset{Name: "t", Key: []string{"k"}, Fields: []string{"v"}}
	for k := range int64(2) {
		before := look(t, w, d, key(k+1), false)
		not := notWritten(t, write(t, w, d, &sources.Change{Key: key(k + 1), Before: before, After: become(t, w, d, before, text("v", "b"))}))
		if strings.Contains(not.Error(), "secret") || not.Stale {
			t.Error(not)
		}
	}
}

func TestForeignKeysAreEnforcedAtTheCommitToo(t *testing.T) {
	t.Parallel()
	s := newStore(t, "CREATE TABLE p (k INTEGER PRIMARY KEY)", "INSERT INTO p VALUES (7)",
		"CREATE TABLE t (k INTEGER PRIMARY KEY, v INTEGER REFERENCES p (k) DEFERRABLE INITIALLY DEFERRED)", "INSERT INTO t VALUES (1, 7)")
	w, d := writer(t, s), &sources.Dataset{Name: "t", Key: []string{"k"}, Fields: []string{"v"}}
	before := look(t, w, d, key(1), false)
	after := become(t, w, d, before, sources.Assignment{Field: "v", Value: sources.Int(8)})
	if not := notWritten(t, write(t, w, d, &sources.Change{Key: key(1), Before: before, After: after})); not.Stale || not.Late {
		t.Error(not)
	}
	if now := look(t, w, d, key(1), false); string(now.Native) != string(before.Native) {
		t.Error("it was written")
	}
	run(t, s.db, "INSERT INTO p VALUES (8)")
	mustWrite(t, w, d, &sources.Change{Key: key(1), Before: before, After: after})
}

func TestWhatTheTableForbidsIsKnownBeforeItIsWritten(t *testing.T) {
	t.Parallel()
	s := newStore(t, `CREATE TABLE t (k INTEGER PRIMARY KEY, v INTEGER CHECK (v < 10), s TEXT NOT NULL ON CONFLICT REPLACE DEFAULT 'd', other TEXT CHECK (length(other) = 1), g AS (v * 2))`,
		"CREATE TABLE strict (k INTEGER PRIMARY KEY, v INTEGER, s TEXT) STRICT", "INSERT INTO t VALUES (1, 5, 'a', 'x')", "INSERT INTO strict VALUES (1, 5, 'a')")
	w := open(t, sources.Options{Name: "store", URL: fileURL(s.file)}).(sources.Writer) // reading is enough
	d := &sources.Dataset{Name: "t", Key: []string{"k"}, Fields: []string{"v", "s", "g"}}
	before := look(t, w, d, key(1), false)
	for _, a := range []sources.Assignment{{Field: "v", Value: sources.Int(10)}, {Field: "s", Value: sources.Null()}, {Field: "g", Value: sources.Int(1)},
		{Field: "k", Value: sources.Int(2)}, {Field: "v", Value: sources.Value{}}} {
		if _, err := w.Become(t.Context(), d, before, []sources.Assignment{a}); sources.FailureOf(err) != sources.FailureFinal {
			t.Errorf("%s becomes %s: %v", a.Field, a.Value, err)
		}
	}
	after := become(t, w, d, before, text("v", "7"), sources.Assignment{Field: "s", Value: sources.Int(12)})
	if got := after.Record.Fields; !got[0].Equal(sources.Int(7)) || !got[1].Equal(sources.Text("12")) || !got[2].Equal(sources.Int(14)) {
		t.Errorf("by the columns' affinities: %v", got)
	}
	strict := &sources.Dataset{Name: "strict", Key: []string{"k"}, Fields: []string{"v", "s"}}
	before = look(t, w, strict, key(1), true)
	if _, err := w.Become(t.Context(), strict, before, []sources.Assignment{text("v", "seven")}); sources.FailureOf(err) != sources.FailureFinal {
		t.Errorf("a text in a strict integer column: %v", err)
	}
}

func TestARecordDeletedSoftlySinceIsStale(t *testing.T) {
	t.Parallel()
	s := newStore(t, "CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT, gone INTEGER, tenant TEXT)", "INSERT INTO t VALUES (1, 'a', NULL, 'x')")
	w, d := writer(t, s), &sources.Dataset{Name: "t", Key: []string{"k"}, Fields: []string{"v"}, DeletedWhen: "gone IS NOT NULL", Scope: []sources.Condition{{Field: "tenant", Value: sources.Text("x")}}}
	before := look(t, w, d, key(1), false)
	c := &sources.Change{Key: key(1), Before: before, After: become(t, w, d, before, text("v", "b"))}
	for _, change := range []string{"UPDATE t SET gone = 1", "UPDATE t SET gone = NULL, tenant = 'X'"} {
		run(t, s.db, change)
		if not := notWritten(t, write(t, w, d, c)); !not.Stale {
			t.Errorf("%s: %v", change, not)
		}
	}
	run(t, s.db, "UPDATE t SET tenant = 'x'")
	mustWrite(t, w, d, c)
}

func TestPreviewShowsTheStatementAndNoValueOfAColumnThatIsNoField(t *testing.T) {
	t.Parallel()
	s := newStore(t, "CREATE TABLE t (k INTEGER PRIMARY KEY, V TEXT, password TEXT)", "INSERT INTO t VALUES (1, 'a', 'hunter2')")
	w, d := writer(t, s), &sources.Dataset{Name: "t", Key: []string{"k"}, Fields: []string{"v"}}
	before := look(t, w, d, key(1), false)
	p, err := w.Preview(d, &sources.Change{Key: key(1), Before: before, After: become(t, w, d, before, text("v", "b"))})
	want := `UPDATE OR ABORT "main"."t" SET "V" = ?1 WHERE "k" IS ?2 AND typeof("k") = 'integer' AND "V" COLLATE BINARY IS ?3 AND unixepoch('now', 'subsec') < ?4`
	if err != nil || p.Text != want || len(p.Args) != 4 || p.Args[0].Field != "v" || p.Args[0].Value.AsText() != "b" || p.Args[3].Field != "" {
		t.Errorf("%+v, %v", p, err)
	}
	whole := look(t, w, d, key(1), true)
	p, err = w.Preview(d, &sources.Change{Key: key(1), Before: &sources.Image{}, After: whole})
	if err != nil {
		t.Fatal(err)
	}
	for _, arg := range p.Args {
		if arg.Field == "password" && !arg.Value.IsAbsent() {
			t.Errorf("a preview shows the %s", arg.Field)
		}
	}
}

func TestNoFileIsMadeAndNoneThatMayNotBeWrittenIs(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing.db")
	d := &sources.Dataset{Name: "t", Key: []string{"k"}, Fields: []string{"v"}}
	w := open(t, sources.Options{Name: "store", URL: fileURL(missing), Writable: true}).(sources.Writer)
	s := newStore(t, "CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)", "INSERT INTO t VALUES (1, 'a')")
	there := writer(t, s)
	before := look(t, there, d, key(1), false)
	c := &sources.Change{Key: key(1), Before: before, After: become(t, there, d, before, text("v", "b"))}
	if not := notWritten(t, write(t, w, d, c)); not.Stale {
		t.Error(not)
	}
	if _, err := os.Stat(missing); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file was made: %v", err)
	}
	for _, o := range []sources.Options{{Name: "store", URL: fileURL(s.file) + "?mode=ro", Writable: true}, {Name: "store", URL: fileURL(s.file) + "?mode=rw"}} {
		if _, err := sqlite.Open(o); err == nil {
			t.Errorf("writable %v with %s is opened", o.Writable, o.URL.Reveal()[len(fileURL(s.file)):])
		}
	}
	mustWrite(t, open(t, sources.Options{Name: "store", URL: fileURL(s.file) + "?mode=rw", Writable: true}).(sources.Writer), d, c)
}

func TestAReplacedFileIsLookedAtAnew(t *testing.T) {
	t.Parallel()
	schema := []string{"CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)", "INSERT INTO t VALUES (1, 'a')"}
	s, other := newStore(t, append(schema, "PRAGMA journal_mode=delete")...), newStore(t, append(schema, "UPDATE t SET v = 'of another file'", "PRAGMA journal_mode=delete")...)
	w, d := writer(t, s), &sources.Dataset{Name: "t", Key: []string{"k"}, Fields: []string{"v"}}
	before := look(t, w, d, key(1), false)
	first := &sources.Change{Key: key(1), Before: before, After: become(t, w, d, before, text("v", "b"))}
	mustWrite(t, w, d, first)
	if err := os.Rename(other.file, s.file); err != nil {
		t.Fatal(err)
	}
	if not := notWritten(t, write(t, w, d, &sources.Change{Key: key(1), Before: first.After, After: first.Before})); !not.Stale {
		t.Error(not)
	}
	before = look(t, w, d, key(1), false)
	mustWrite(t, w, d, &sources.Change{Key: key(1), Before: before, After: become(t, w, d, before, text("v", "b"))})
	if got := value(t, s.file); got != "b" {
		t.Errorf("the file at the path holds %q", got)
	}
}

// value reads the one record of a file as whoever opens it now.
func value(t *testing.T, file string) (v string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.QueryRow("SELECT v FROM t").Scan(&v), db.Close()); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTablesOfAttachedFilesAreWritten(t *testing.T) {
	t.Parallel()
	s, more := newStore(t, "CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)"), newStore(t, "CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT CHECK (v <> 'no'))", "INSERT INTO t VALUES (1, 'a')")
	w := open(t, sources.Options{Name: "store", URL: fileURL(s.file) + "?attach=more:" + sources.Secret(more.file), Writable: true}).(sources.Writer)
	d := &sources.Dataset{Name: "more.t", Key: []string{"k"}, Fields: []string{"v"}}
	before := look(t, w, d, key(1), true)
	if _, err := w.Become(t.Context(), d, before, []sources.Assignment{text("v", "no")}); err == nil {
		t.Error("the constraint of an attached table is passed over")
	}
	c := &sources.Change{Key: key(1), Before: before, After: become(t, w, d, before, text("v", "b"))}
	mustWrite(t, w, d, c)
	mustWrite(t, w, d, &sources.Change{Key: key(1), Before: c.After, After: &sources.Image{}})
	mustWrite(t, w, d, &sources.Change{Key: key(1), Before: &sources.Image{}, After: before})
	if got := value(t, more.file); got != "a" {
		t.Errorf("it holds %q", got)
	}
}

func TestChangesThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	s := newStore(t, "CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT, w TEXT)", "INSERT INTO t VALUES (1, 'a', 'w'), (2, 'b', 'w')")
	w, d := writer(t, s), &sources.Dataset{Name: "t", Key: []string{"k"}, Fields: []string{"v"}}
	one, two, whole := look(t, w, d, key(1), false), look(t, w, d, key(2), false), look(t, w, d, key(1), true)
	was := everything(t, s.db)
	for name, c := range map[string]*sources.Change{
		"nothing":                       {Key: key(1), Before: &sources.Image{}, After: &sources.Image{}},
		"what it is":                    {Key: key(1), Before: one, After: one},
		"another record's content":      {Key: key(1), Before: one, After: two},
		"a whole image and one of some": {Key: key(1), Before: one, After: whole},
		"a part put back":               {Key: key(3), Before: &sources.Image{}, After: one},
		"no image of ours":              {Key: key(1), Before: &sources.Image{Exists: true, Native: []byte("{}")}, After: &sources.Image{}},
		"no whole key":                  {Key: sources.Key{sources.Null()}, Before: one, After: &sources.Image{}},
	} {
		if not := notWritten(t, write(t, w, d, c)); not.Late || not.Err == nil {
			t.Errorf("%s: %+v", name, not)
		}
	}
	onlyDiffers(t, was, everything(t, s.db))
}
