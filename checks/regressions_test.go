package checks_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"plumbline/checks"
	"plumbline/sources"
	"plumbline/sources/memory"
)

// Two owner records of one key, in different pages because the store is read in
// another order, are told as a duplicate whatever the page size and whether or
// not extras are looked for.
func TestTwinsInDifferentPages(t *testing.T) {
	t.Parallel()
	s := openStores(t, "")
	var documents []any
	for i, email := range []string{"a", "b", "c", "d", "a"} {
		documents = append(documents, bson.D{{Key: "_id", Value: i}, {Key: "email", Value: email}, {Key: "n", Value: 1 + 98*(i/4)}})
	}
	_, err := s.mongo.Collection("users").InsertMany(context.Background(), documents)
	must(t, err)
	s.exec("CREATE TABLE users (email text PRIMARY KEY, n int)")
	s.exec("INSERT INTO users VALUES ('a', 1), ('b', 1), ('c', 1), ('d', 1)")
	for _, page := range []int{1, 2, 100} {
		for _, ignoreExtra := range []bool{false, true} {
			for _, kind := range []string{"mongodb", "postgres"} {
				s.open(kind, kind, "", sources.Limits{PageRecords: page})
			}
			check := &checks.Check{Name: "users", Owner: checks.Side{Source: "mongodb", Kind: "mongodb", Dataset: sources.Dataset{Name: "users", Key: []string{"email"}}},
				Edges: []checks.Edge{{Name: "postgres", IgnoreExtra: ignoreExtra, Rules: []checks.Rule{field("n", "n")},
					Replica: checks.Side{Source: "postgres", Kind: "postgres", Dataset: sources.Dataset{Name: "users", Key: []string{"email"}}}}}}
			run := checks.Run(t.Context(), check, 0, s.find, checks.Options{Settle: noSettle()})
			if got := found(run); run.Result != checks.Drift || len(got) == 0 || got[0] != "duplicate a" {
				t.Errorf("pages of %d, extras ignored %v: %s, %v, %+v", page, ignoreExtra, run.Result, got, run.Counts)
			}
		}
	}
}

// An index that is unique by bytes does not make records unique in an order
// that calls different bytes equal: none may fall between two pages.
func TestUniqueByBytesInACaselessOrder(t *testing.T) {
	t.Parallel()
	s := openStores(t, "")
	s.exec("CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
	s.exec("CREATE TABLE people (email text COLLATE caseless NOT NULL, n int)")
	s.exec(`CREATE UNIQUE INDEX ON people (email COLLATE "C")`)
	s.exec("CREATE TABLE copies (email text PRIMARY KEY, n int)")
	s.exec("INSERT INTO people VALUES ('a', 1), ('A', 1), ('b', 1)")
	s.exec("INSERT INTO copies VALUES ('a', 1), ('b', 1)")
	s.open("postgres", "postgres", "", sources.Limits{PageRecords: 1})
	check := &checks.Check{Name: "people", Owner: checks.Side{Source: "postgres", Kind: "postgres", Dataset: sources.Dataset{Name: "people", Key: []string{"email"}}},
		Edges: []checks.Edge{{Name: "copies", Rules: []checks.Rule{field("n", "n")},
			Replica: checks.Side{Source: "postgres", Kind: "postgres", Dataset: sources.Dataset{Name: "copies", Key: []string{"email"}}}}}}
	run := checks.Run(t.Context(), check, 0, s.find, checks.Options{Settle: noSettle()})
	expect(t, run, []string{"missing A"})
}

// A key that a side spells otherwise than it would be asked for is unreadable,
// and never taken for a record that both sides lack.
func TestKeySpelledOtherwise(t *testing.T) {
	t.Parallel()
	stores := map[string]*memory.Store{}
	for _, name := range []string{"owner", "replica"} {
		stores[name] = memory.NewStore()
		stores[name].Create(memory.Table{Name: "records", Unique: []string{"id"},
			Columns: []memory.Column{{Name: "id", FieldType: sources.FieldType{Kind: sources.KindText, Strict: true}}}})
	}
	for _, id := range []string{"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A12"} {
		stores["owner"].Put("records", sources.Text(id))
	}
	stores["replica"].Put("records", sources.Text("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"))
	d := sources.Dataset{Name: "records", Key: []string{"id"}}
	check := &checks.Check{Name: "spelling", Owner: checks.Side{Source: "owner", Kind: "memory", Dataset: d, Forms: []checks.KeyForm{{As: sources.KindUUID}}},
		Edges: []checks.Edge{{Name: "replica", IgnoreExtra: true, Replica: checks.Side{Source: "replica", Kind: "memory", Dataset: d}}}}
	run := checks.Run(t.Context(), check, 0, func(name string) (*sources.Reader, error) {
		return sources.NewReader(name, stores[name].Source(memory.Config{}), sources.Limits{}, nil), nil
	}, checks.Options{Settle: noSettle()})
	if run.Result != checks.Drift || run.Counts.Unreadable != 2 {
		t.Errorf("%s, %+v, %v", run.Result, run.Counts, run.Differences)
	}
}

// copiesOf is an owner with records 1 and 2 and a replica with copies of them, told apart by "copy".
func copiesOf(check *checks.Check, replica *memory.Store) {
	integer := sources.FieldType{Kind: sources.KindInt}
	replica.Create(memory.Table{Name: "copies", Unique: []string{"id", "copy"}, Index: []string{"id"}, Columns: []memory.Column{
		{Name: "id", FieldType: integer}, {Name: "copy", FieldType: integer}, {Name: "value", FieldType: integer}, {Name: "deleted", FieldType: integer}}})
	replica.Register("is deleted", func(get func(string) sources.Value) bool { return get("deleted").AsInt() == 1 })
	check.Edges[0].Replica.Dataset = sources.Dataset{Name: "copies", Key: []string{"id"}, ID: []string{"copy"}, DeletedWhen: "is deleted"}
}

func putCopy(s *memory.Store, id, copied, value, deleted int64) {
	s.Put("copies", sources.Int(id), sources.Int(copied), sources.Int(value), sources.Int(deleted))
}

// An owner record all of whose copies are marked deleted is missing, also where
// only given keys are compared.
func TestAllCopiesDeleted(t *testing.T) {
	t.Parallel()
	owner, replica, check, find := pairOfStores()
	put(owner, 2, 1)
	copiesOf(check, replica)
	putCopy(replica, 1, 1, 1, 1)
	putCopy(replica, 2, 1, 1, 0)
	for _, keys := range [][]sources.Key{nil, {{sources.Int(1)}, {sources.Int(2)}}, {{sources.Int(1)}}} {
		run := checks.Run(t.Context(), check, 0, find, checks.Options{Settle: noSettle(), Keys: keys})
		if got := found(run); len(got) != 1 || got[0] != "missing 1" {
			t.Errorf("keys %v: %s, %v, %+v, %v", keys, run.Result, got, run.Counts, run.ReasonList())
		}
	}
}

// A copy that differed and is removed while it settles is no difference, unless
// it was the last one.
func TestCopyRemovedWhileSettling(t *testing.T) {
	t.Parallel()
	for _, left := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			_, replica, check, find := pairOfStores()
			copiesOf(check, replica)
			if left {
				putCopy(replica, 1, 1, 1, 0)
			}
			putCopy(replica, 1, 2, 9, 0)
			removed := make(chan struct{})
			go func() {
				defer close(removed)
				time.Sleep(time.Second)
				replica.Delete("copies", func(get func(string) sources.Value) bool { return get("copy").AsInt() == 2 })
			}()
			run := checks.Run(t.Context(), check, 0, find, checks.Options{})
			<-removed
			got := found(run)
			if left && (run.Result != checks.Clean || len(got) > 0) || !left && (len(got) != 1 || got[0] != "missing 1") {
				t.Errorf("another copy left %v: %s, %v, %+v, %v", left, run.Result, got, run.Counts, run.ReasonList())
			}
		})
	}
}
