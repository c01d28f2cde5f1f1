package mysql

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"plumbline/sources"
	"plumbline/sources/sourcetest"
)

// until waits for a condition, for ten seconds at most.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// sleeping is a dataset whose every record takes the server a minute.
func sleeping(d *database) *sources.Dataset {
	d.exec("CREATE TABLE slow (k int PRIMARY KEY)")
	d.exec("INSERT INTO slow VALUES (1), (2)")
	return &sources.Dataset{Name: "slow", Key: []string{"k"}, Where: "SLEEP(60) = 0"}
}

// asleep counts the sleeping statements of the test's own user.
func (d *database) asleep() string {
	return d.one("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = ? AND INFO LIKE '%SLEEP(60)%'", d.user)
}

func TestCancelEndsTheStatementOnTheServer(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	s := d.open(sources.Options{Connections: 1})
	ds := sleeping(d)
	if _, err := s.planFor(t.Context(), ds); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := s.Scan(ctx, ds, sources.ScanRequest{})
			ended <- err
		}()
		until(t, "the statement to run", func() bool { return d.asleep() == "1" })
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the cancelled scan says %v", err)
		}
		until(t, "the statement to be gone", func() bool { return d.asleep() == "0" })
		if records := all(t, s, &sources.Dataset{Name: "slow", Key: []string{"k"}}, 10); len(records) != 2 {
			t.Errorf("after it there are %d records", len(records))
		}
	}
}

func TestTheServerEndsAStatementThatTakesTooLong(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	ds := sleeping(d)
	s := d.open(sources.Options{StatementTimeout: 300 * time.Millisecond})
	_, err := s.Scan(t.Context(), ds, sources.ScanRequest{})
	if sources.FailureOf(err) != sources.FailureTimeout || d.asleep() != "0" {
		t.Errorf("%v, class %d; %s statements sleep on", err, sources.FailureOf(err), d.asleep())
	}
}

// A lock on the table (of an ALTER, say) makes a read late, not stuck.
func TestAReadWaitsForALockForAMomentOnly(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	d.exec("CREATE TABLE locked (k int PRIMARY KEY)")
	s := d.open(sources.Options{})
	ds := &sources.Dataset{Name: "locked", Key: []string{"k"}}
	if _, err := s.planFor(t.Context(), ds); err != nil {
		t.Fatal(err)
	}
	c, err := d.sql.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, statement := range []string{"SET lock_wait_timeout = 5", "LOCK TABLES locked WRITE"} {
		if _, err := c.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	defer func() {
		if _, err := c.ExecContext(context.Background(), "UNLOCK TABLES"); err != nil {
			t.Error(err)
		}
	}()
	if _, err := s.Scan(t.Context(), ds, sources.ScanRequest{}); sources.FailureOf(err) != sources.FailureTimeout {
		t.Errorf("%v, class %d", err, sources.FailureOf(err))
	}
}

// Whatever the server's defaults are, a session of ours is in UTC, in utf8mb4,
// read-only, and without a limit on what a SELECT returns.
func TestTheSessionIsOursWhateverTheServersDefaults(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	d.exec("CREATE TABLE moments (k int PRIMARY KEY, at timestamp NOT NULL, name varchar(20) COLLATE utf8mb4_general_ci)")
	d.exec("INSERT INTO moments VALUES (1, '2024-07-01 12:00:00', 'é'), (2, '2024-07-01 12:00:00', 'é'), (3, '2024-07-01 12:00:00', 'é')")
	s := d.open(sources.Options{Connections: 1})
	ds := &sources.Dataset{Name: "moments", Key: []string{"k"}, Fields: []string{"at", "name"}, Where: `name = "é"`}
	for _, r := range all(t, s, ds, 10) {
		if r.Fields[0].String() != "2024-07-01T12:00:00Z" || r.Fields[1].AsText() != "é" || r.OutOfScope {
			t.Errorf("record %s: %s, out of scope: %v", r.Key, sources.Key(r.Fields), r.OutOfScope)
		}
	}
	c, err := s.pool.acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.pool.release(c)
	for _, change := range []string{"SET SESSION time_zone = '+05:30'", "SET SESSION sql_select_limit = 2", "SET NAMES latin1", "SET SESSION TRANSACTION READ WRITE",
		"SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED", "SET SESSION max_sort_length = 1024", "SET SESSION group_concat_max_len = 1024"} {
		if err := c.exec(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		if err := c.verify(t.Context()); sources.FailureOf(err) != sources.FailureFinal {
			t.Errorf("after %s the session is called ours: %v", change, err)
		}
		needed, _ := settings(c.mariadb, s.pool.statementTimeout)
		for _, again := range []string{needed, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY"} {
			if err := c.exec(t.Context(), again); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestFactsOfAReadingAndAWritingRole(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	d.exec("CREATE TABLE things (k int PRIMARY KEY, hidden int)")
	reading := d.open(sources.Options{URL: d.as(d.reader())})
	writing := d.open(sources.Options{})
	for s, writes := range map[*source]bool{reading: false, writing: true} {
		facts, err := s.Probe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if facts.CanWrite != writes || facts.Standby || facts.Product != "MariaDB" && facts.Product != "MySQL" {
			t.Errorf("facts %+v of a role that can write: %v", facts, writes)
		}
		desc, err := s.Describe(t.Context(), &sources.Dataset{Name: "things", Key: []string{"k"}})
		if err != nil || strings.Contains(strings.Join(desc.Warnings, ""), "may write") != writes {
			t.Errorf("the warnings are %q: %v", desc.Warnings, err)
		}
		load, err := s.Gauge(t.Context())
		if err != nil || !load.ActiveKnown || load.LagKnown || load.Note == "" {
			t.Errorf("the load is %+v: %v", load, err)
		}
	}
}

// A role that may read only some columns is told which it may not.
func TestAMissingRightIsNamed(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	d.exec("CREATE TABLE things (k int PRIMARY KEY, shown int, hidden int)")
	name := d.user + "_c"
	d.exec(fmt.Sprintf("CREATE USER '%s'@'%%' IDENTIFIED BY '%s'", name, password))
	t.Cleanup(func() { d.exec(fmt.Sprintf("DROP USER '%s'@'%%'", name)) })
	d.exec(fmt.Sprintf("GRANT SELECT (k, shown), INSERT (hidden) ON %s.things TO '%s'@'%%'", d.name, name))
	s := d.open(sources.Options{URL: d.as(url.UserPassword(name, password))})
	if _, err := s.Describe(t.Context(), &sources.Dataset{Name: "things", Key: []string{"k"}, Fields: []string{"shown"}}); err != nil {
		t.Error(err)
	}
	_, err := s.Describe(t.Context(), &sources.Dataset{Name: "things", Key: []string{"k"}, Fields: []string{"hidden"}})
	if sources.FailureOf(err) != sources.FailureFinal || !strings.Contains(err.Error(), "hidden") || !strings.Contains(err.Error(), "GRANT SELECT") {
		t.Errorf("a column that may not be read: %v", err)
	}
}

// Statements of others count, ours do not.
func TestGaugeCountsTheStatementsOfOthers(t *testing.T) {
	d := newDatabase(t)
	s := d.open(sources.Options{})
	other := d.open(sources.Options{})
	ds := sleeping(d)
	busy := func(s *source) int {
		load, err := s.Gauge(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return load.Active
	}
	if _, err := s.planFor(t.Context(), ds); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = s.Scan(ctx, ds, sources.ScanRequest{}) // cancelled below
	}()
	until(t, "the statement to run", func() bool { return d.asleep() == "1" })
	until(t, "it to count for others alone", func() bool { return busy(other) == busy(s)+1 })
	cancel()
	<-ended
}

// The shape follows every change of the table, and its identity one that replaces it.
func TestSchemaFollowsTheTable(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	s := d.open(sources.Options{})
	d.exec("CREATE TABLE things (k int PRIMARY KEY, v varchar(10) NOT NULL)")
	ds := &sources.Dataset{Name: "things", Key: []string{"k"}, Fields: []string{"v"}}
	last := ""
	for _, change := range []string{"", "ALTER TABLE things MODIFY v varchar(20) NOT NULL", "ALTER TABLE things MODIFY v varchar(20) NULL",
		"ALTER TABLE things MODIFY v varchar(20) COLLATE utf8mb4_bin", "ALTER TABLE things ADD w int", "CREATE INDEX by_v ON things (v)", "ALTER TABLE things DROP w"} {
		if change != "" {
			d.exec(change)
		}
		schema, err := s.Schema(t.Context(), ds)
		if err != nil {
			t.Fatal(err)
		}
		now := fmt.Sprint(schema.Fields, schema.Constraints)
		if now == last {
			t.Errorf("after %q the shape is the same: %s", change, now)
		}
		if last = now; schema.Identity == "" {
			t.Errorf("after %q the table has no identity", change)
		}
	}
	d.exec("ALTER TABLE things RENAME COLUMN v TO value")
	schema, err := s.Schema(t.Context(), ds)
	_, old := schema.Field("v")
	if _, there := schema.Field("value"); err != nil || old || !there {
		t.Errorf("after the column got another name: %+v, %v", schema, err)
	}
}

// A column that changes its type between two pages is an error, and the next read
// goes by what it is now.
func TestATypeThatChangesBetweenPagesIsSeen(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	s := d.open(sources.Options{})
	d.exec("CREATE TABLE things (k int PRIMARY KEY, v int)")
	d.exec("INSERT INTO things VALUES (1, 1), (2, 2)")
	ds := &sources.Dataset{Name: "things", Key: []string{"k"}, Fields: []string{"v"}}
	all(t, s, ds, 1)
	for _, change := range []string{"MODIFY v varchar(20)", "MODIFY v decimal(10,2)", "MODIFY v decimal(10,3)", "MODIFY v bigint", "MODIFY v varbinary(20)"} {
		d.exec("ALTER TABLE things " + change)
		if _, err := s.Scan(t.Context(), ds, sources.ScanRequest{}); !errors.Is(err, errChanged) {
			t.Errorf("after %s: %v", change, err)
		}
		if records := all(t, s, ds, 1); len(records) != 2 {
			t.Errorf("after %s there are %d records", change, len(records))
		}
	}
}

// A server that hangs does not keep a cancelled read: the line is given up.
func TestACancelledReadOverADeadLineIsBack(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	ds := sleeping(d)
	w := sourcetest.NewWire(t, "tcp", d.url.Host)
	u, err := url.Parse(d.as(d.own()).Reveal())
	if err != nil {
		t.Fatal(err)
	}
	u.Host = w.Address()
	s := d.open(sources.Options{URL: sources.Secret(u.String())})
	if _, err := s.planFor(t.Context(), ds); err != nil {
		t.Fatal(err)
	}
	w.Block()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Scan(ctx, ds, sources.ScanRequest{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the read says %v", err)
	}
	w.Mend()
}
