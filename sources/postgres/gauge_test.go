package postgres

import (
	"context"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"plumbline/sources"
)

// asleep is a dataset whose reading takes the server longer than any test.
func asleep() *sources.Dataset {
	return &sources.Dataset{Query: "SELECT 1 AS id, pg_sleep(60)::text AS nap", Key: []string{"id"}, Fields: []string{"nap"}}
}

// until asks for the load until it is as wanted: other tests share the server.
func until(t *testing.T, src *source, wanted func(sources.Load) bool) sources.Load {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		load, err := src.Gauge(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if wanted(load) {
			return load
		}
		if time.Now().After(deadline) {
			t.Fatalf("the load stayed %+v", load)
		}
	}
}

func TestGaugeCountsStatementsOfOthersAndNoneOfOurs(t *testing.T) {
	d := newDatabase(t, "")
	src := d.openWith(sources.Options{Connections: 4})
	if _, err := src.Gauge(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var stuck sync.WaitGroup
	for range 3 { // every connection but the one that asks
		stuck.Go(func() {
			_, err := src.Lookup(ctx, asleep(), []sources.Key{{sources.Int(1)}}, nil, sources.Limit{Records: 10, Bytes: 1 << 20})
			if err == nil {
				t.Error("a statement that sleeps for a minute has ended")
			}
		})
	}
	for range 2 {
		other := connect(t, d.url)
		defer closeConn(t, other)
		stuck.Go(func() { _, _ = other.Exec(ctx, "SELECT pg_sleep(60)") })
	}
	until(t, src, func(l sources.Load) bool { return l.Active >= 2 })
	watcher := connect(t, d.url)
	defer closeConn(t, watcher)
	for ours := 0; ours < 3; { // all three are at work
		if err := watcher.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND application_name = 'plumbline' AND state = 'active'").Scan(&ours); err != nil {
			t.Fatal(err)
		}
	}
	load := until(t, src, func(l sources.Load) bool { return l.Active == 2 })
	if !load.ActiveKnown || load.Standby {
		t.Errorf("the load is %+v", load)
	}
	cancel()
	stuck.Wait()
}

func TestGaugeSaysWhatIsHiddenFromTheRole(t *testing.T) {
	d := newDatabase(t, "")
	role := strings.TrimPrefix(d.url.Path, "/") + "_guest"
	d.exec("CREATE ROLE " + role + " LOGIN PASSWORD 'guest'")
	t.Cleanup(func() { d.exec("DROP ROLE " + role) })
	guest := d.openWith(sources.Options{URL: d.as(url.UserPassword(role, "guest"))})
	load := until(t, guest, func(l sources.Load) bool { return !l.ActiveKnown }) // the test's own session is hidden from it
	if !strings.Contains(load.Note, "pg_monitor") {
		t.Errorf("the note is %q", load.Note)
	}
	d.exec("GRANT pg_monitor TO " + role)
	if load = until(t, guest, func(l sources.Load) bool { return l.ActiveKnown }); load.Note != "" {
		t.Errorf("the note is %q", load.Note)
	}
}

func TestLoadIsReadFromWhatTheServerSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		row  []string
		want sources.Load
	}{
		{"a primary without standbys", []string{"3", "0", "f", "", "0"}, sources.Load{Active: 3, ActiveKnown: true}},
		{"a primary", []string{"0", "0", "f", "2.5", "0"}, sources.Load{ActiveKnown: true, Lag: 2500 * time.Millisecond, LagKnown: true}},
		{"a standby", []string{"0", "0", "t", "0.25", "0"}, sources.Load{ActiveKnown: true, Lag: 250 * time.Millisecond, LagKnown: true, Standby: true}},
		{"a standby that replayed nothing", []string{"0", "0", "t", "", "0"}, sources.Load{ActiveKnown: true, Standby: true,
			Note: "this standby has replayed nothing since it began, so it does not know how late it is"}},
	} {
		got, err := loadOf(c.row)
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, c.want)
		}
	}
	if _, err := loadOf([]string{"many", "0", "f", "", "0"}); err == nil {
		t.Error("a number that is none was read")
	}
}

// hung reads a statement that hangs, and returns how long after it began it was
// gone from the server.
func hung(t *testing.T, d *database, limit time.Duration) time.Duration {
	t.Helper()
	src := d.openWith(sources.Options{StatementTimeout: limit})
	reader := sources.NewReader("shop", src, sources.Limits{Statement: limit, Attempts: 1}, nil)
	var running, began = 0, time.Now()
	ended := make(chan error, 1)
	go func() {
		ended <- reader.Lookup(t.Context(), asleep(), []sources.Key{{sources.Int(1)}}, func(*sources.Page) error { return nil })
	}()
	err := <-ended
	if sources.FailureOf(err) != sources.FailureTimeout {
		t.Errorf("the read ended with %v", err)
	}
	for {
		if err := d.conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND application_name = 'plumbline' AND state = 'active' AND datname = current_database()").Scan(&running); err != nil {
			t.Fatal(err)
		}
		if running == 0 {
			return time.Since(began)
		}
		if time.Since(began) > time.Minute {
			t.Fatal("the statement still runs after a minute")
		}
	}
}

func TestAHungStatementIsCancelledOnTheServer(t *testing.T) {
	d := newDatabase(t, "")
	t.Logf("gone %s after it began", hung(t, d, time.Second))
}

func TestSoakAHungStatementIsCancelledInTime(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return // make soak runs it
	}
	d := newDatabase(t, "")
	for range 10 {
		if took := hung(t, d, 2*time.Second); took > 4*time.Second {
			t.Errorf("a statement that may take 2 s was gone after %s", took)
		}
	}
}
