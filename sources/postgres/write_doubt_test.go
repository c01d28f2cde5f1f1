package postgres

import (
	"errors"
	"strings"
	"testing"
	"time"

	"plumbline/sources"
)

// A commit that its time keeps from taking effect leaves no transaction open: the
// connection's next statement is answered.
func TestALateCommitLeavesItsConnectionSound(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec(`CREATE TABLE slow (k int PRIMARY KEY, v text); INSERT INTO slow VALUES (1, 'a');
		CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RETURN NEW; END $$;
		CREATE TRIGGER t BEFORE UPDATE ON slow FOR EACH ROW EXECUTE FUNCTION linger()`)
	ds := &sources.Dataset{Name: "slow", Key: []string{"k"}, Fields: []string{"v"}}
	s := d.openWith(sources.Options{Writable: true, Connections: 1})
	before := look(t, s, ds, 1, false)
	after, err := s.Become(t.Context(), ds, before, []sources.Assignment{{Field: "v", Value: sources.Text("b")}})
	if err != nil {
		t.Fatal(err)
	}
	before = look(t, s, ds, 1, false)
	c := &sources.Change{Key: sources.Key{sources.Int(1)}, Before: before, After: after}
	var not *sources.NotWritten
	if err := s.Write(t.Context(), ds, c, before.ReadAt.Add(500*time.Millisecond)); !errors.As(err, &not) || !not.Late {
		t.Fatalf("written though its time was over: %v", err)
	}
	now, err := s.Look(t.Context(), ds, c.Key, nil, sources.Looking{})
	if err != nil {
		t.Fatalf("the connection's next statement: %v", err)
	}
	if string(now.Native) != string(before.Native) {
		t.Error("the record was changed")
	}
}

// A record of another table is another record, though it has the same key and
// columns and holds the same: neither a role with another search path nor an undo
// after a change of the configuration writes it in the other's place.
func TestARecordOfAnotherTableIsAnotherRecord(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec(`CREATE TABLE prices (k int PRIMARY KEY, v text); INSERT INTO prices VALUES (1, 'a');
		CREATE SCHEMA archive; CREATE TABLE archive.prices (k int PRIMARY KEY, v text); INSERT INTO archive.prices VALUES (1, 'a')`)
	ds := &sources.Dataset{Name: "prices", Key: []string{"k"}, Fields: []string{"v"}}
	looks, elsewhere := d.open(), d.openWith(sources.Options{Writable: true, URL: d.as(nil, "search_path", "archive,public")})
	if a, b := look(t, looks, ds, 1, false), look(t, elsewhere, ds, 1, false); string(a.Native) == string(b.Native) {
		t.Error("records of two tables have one image")
	}
	var not *sources.NotWritten
	if _, err := fix(t, looks, elsewhere, ds, "v", sources.Text("b")); !errors.As(err, &not) || !not.Stale {
		t.Errorf("a change of one table's record was written to another: %v", err)
	}
	if now := look(t, elsewhere, ds, 1, false); now.Record.Fields[0].AsText() != "a" {
		t.Error("the other table's record was changed")
	}
}

// What code of the table's own makes of a record after the write is seen before it
// is committed.
func TestWhatATriggerMakesOfARecordAfterwardsIsTakenBack(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec(`CREATE TABLE goods (k int PRIMARY KEY, v text, w text); INSERT INTO goods VALUES (1, 'a', 'w');
		CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE goods SET v = v || '!' WHERE k = NEW.k; RETURN NULL; END $$;
		CREATE TRIGGER t AFTER UPDATE ON goods FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION again()`)
	ds := &sources.Dataset{Name: "goods", Key: []string{"k"}, Fields: []string{"v", "w"}}
	s := d.openWith(sources.Options{Writable: true})
	var not *sources.NotWritten
	if _, err := fix(t, s, s, ds, "v", sources.Text("b")); !errors.As(err, &not) || not.Stale || not.Late {
		t.Errorf("a trigger made something else of the record, and it is said to be written: %v", err)
	}
	if now := look(t, s, ds, 1, false); now.Record.Fields[0].AsText() != "a" {
		t.Errorf("the record holds %s", now.Record.Fields[0])
	}
}

// What a function raises may hold values, whichever code it gives it.
func TestWhatAFunctionRaisesIsNotTold(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec(`CREATE TABLE cards (k int PRIMARY KEY, v text); INSERT INTO cards VALUES (1, 'a');
		CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE check_violation USING MESSAGE = 'card ' || NEW.v || ' is bad'; END $$;
		CREATE TRIGGER t BEFORE UPDATE ON cards FOR EACH ROW EXECUTE FUNCTION no()`)
	ds := &sources.Dataset{Name: "cards", Key: []string{"k"}, Fields: []string{"v"}}
	s := d.openWith(sources.Options{Writable: true})
	_, err := fix(t, s, s, ds, "v", sources.Text("4111"))
	var not *sources.NotWritten
	if !errors.As(err, &not) || strings.Contains(err.Error(), "4111") {
		t.Errorf("told: %v", err)
	}
}
