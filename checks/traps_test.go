package checks_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumbline/checks"
	"plumbline/sources"
)

// Tests that docs/comparing.md names for traps that no other test is about.

// stateCheck compares the state of live records in PostgreSQL with SQLite's.
func stateCheck() *checks.Check {
	return &checks.Check{Name: "states",
		Owner: checks.Side{Source: "postgres", Kind: "postgres", Dataset: sources.Dataset{Name: "owners", Key: []string{"id"}, Where: "state <> 'gone'"}},
		Edges: []checks.Edge{{Name: "sqlite", Rules: []checks.Rule{field("state", "state")}, Replica: checks.Side{Source: "sqlite", Kind: "sqlite",
			Dataset: sources.Dataset{Name: "copies", Key: []string{"id"}}}}}}
}

func TestARecordThatLeftTheFilterIsNeitherMissingNorExtra(t *testing.T) {
	t.Parallel()
	s := openStores(t, "")
	s.exec("CREATE TABLE owners AS SELECT id, CASE id WHEN 2 THEN 'gone' ELSE 'live' END AS state FROM generate_series(1, 4) id")
	s.exec("ALTER TABLE owners ADD PRIMARY KEY (id)")
	s.execLite("CREATE TABLE copies (id INTEGER PRIMARY KEY, state TEXT)")
	s.execLite("INSERT INTO copies VALUES (1, 'live'), (2, 'live'), (3, 'gone'), (4, 'live')")
	for _, plan := range []checks.PlanKind{"", checks.PlanKeys} {
		run := checks.Run(t.Context(), stateCheck(), 0, s.find, checks.Options{Settle: noSettle(), Plan: plan})
		if diff := cmp.Diff([]string{"mismatch 3"}, found(run)); diff != "" || run.Result != checks.Drift {
			t.Errorf("plan %q ended %s %v\n%s", plan, run.Result, run.ReasonList(), diff)
		}
	}
}

func TestARecordOfManyFieldsIsCompared(t *testing.T) {
	t.Parallel()
	const n = 400
	s := openStores(t, "")
	var columns, ones, lite []string
	check := &checks.Check{Name: "wide",
		Owner: checks.Side{Source: "postgres", Kind: "postgres", Dataset: sources.Dataset{Name: "wide", Key: []string{"id"}}},
		Edges: []checks.Edge{{Name: "sqlite", Replica: checks.Side{Source: "sqlite", Kind: "sqlite", Dataset: sources.Dataset{Name: "wide", Key: []string{"id"}}}}}}
	for i := range n {
		name := fmt.Sprintf("f%d", i)
		columns, ones, lite = append(columns, name+" text"), append(ones, "repeat('x', 15)"), append(lite, name+" TEXT")
		check.Edges[0].Rules = append(check.Edges[0].Rules, field(name, name))
	}
	s.exec("CREATE TABLE wide (id int PRIMARY KEY, " + strings.Join(columns, ", ") + ")")
	s.exec("INSERT INTO wide SELECT id, " + strings.Join(ones, ", ") + " FROM generate_series(1, 20) id")
	s.execLite("CREATE TABLE wide (id INTEGER PRIMARY KEY, " + strings.Join(lite, ", ") + ")")
	text := "'" + strings.Repeat("x", 15) + "'"
	for id := range 20 {
		s.execLite(fmt.Sprintf("INSERT INTO wide VALUES (%d, %s)", id+1, strings.Join(slices.Repeat([]string{text}, n), ", ")))
	}
	s.execLite("UPDATE wide SET f399 = f399 || 'y' WHERE id = 17")
	run := checks.Run(t.Context(), check, 0, s.find, checks.Options{Settle: noSettle()})
	if diff := cmp.Diff([]string{"mismatch 17"}, found(run)); diff != "" || run.Counts.Equal != 19 {
		t.Errorf("%s %v: %+v\n%s", run.Result, run.ReasonList(), run.Counts, diff)
	}
}

func TestNoTransactionIsLeftOpenBetweenPages(t *testing.T) {
	t.Parallel()
	s := openStores(t, "")
	s.exec("CREATE TABLE pages AS SELECT id FROM generate_series(1, 1000) id")
	s.exec("ALTER TABLE pages ADD PRIMARY KEY (id)")
	s.limits = sources.Limits{PageRecords: 100}
	reader, err := s.find("postgres")
	must(t, err)
	stream := reader.Stream(&sources.Dataset{Name: "pages", Key: []string{"id"}}, sources.ScanRequest{Raw: true})
	for range 3 {
		_, err := stream.Next(t.Context())
		must(t, err)
		var open int
		must(t, s.pg.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND (xact_start IS NOT NULL OR state LIKE 'idle in%')`).Scan(&open))
		if open != 0 {
			t.Fatalf("%d transactions are open between two pages", open)
		}
	}
}

func TestFailingRunsGiveTheirConnectionsBack(t *testing.T) {
	t.Parallel()
	s := openStores(t, "")
	s.exec("CREATE TABLE owners AS SELECT id, 'live' AS state, 0 AS zero FROM generate_series(1, 100) id")
	s.execLite("CREATE TABLE copies (id INTEGER PRIMARY KEY, state TEXT)")
	s.limits = sources.Limits{Attempts: 2, Backoff: time.Millisecond}
	check := stateCheck()
	check.Owner.Dataset.Where = "id / zero = 1" // fails while it is read, and not before
	connections := func() (n int) {
		must(t, s.pg.QueryRow(context.Background(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()`).Scan(&n))
		return n
	}
	var first, goroutines int
	for i := range 100 {
		if run := checks.Run(t.Context(), check, 0, s.find, checks.Options{Settle: noSettle()}); run.Result != checks.Error && run.Result != checks.Incomplete {
			t.Fatalf("run %d ended %s", i, run.Result)
		}
		if i == 9 {
			first, goroutines = connections(), runtime.NumGoroutine()
		}
	}
	if last := connections(); last > first || last > 5 { // four of the source and ours
		t.Errorf("%d connections after 10 failing runs, %d after 100", first, last)
	}
	if last := runtime.NumGoroutine(); last > goroutines+50 { // other tests run beside
		t.Errorf("%d goroutines after 10 failing runs, %d after 100", goroutines, last)
	}
}
