package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plumbline/sources"
)

func TestStatementTimeout(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec("CREATE TABLE k (id int PRIMARY KEY); INSERT INTO k VALUES (1)")
	s := d.openWith(sources.Options{StatementTimeout: 200 * time.Millisecond})
	slow := &sources.Dataset{Name: "k", Key: []string{"id"}, Where: "pg_sleep(30) IS NULL"}
	began := time.Now()
	_, err := tryScan(t.Context(), s, slow, sources.ScanRequest{})
	if sources.FailureOf(err) != sources.FailureTimeout || time.Since(began) > soon/2 {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
	if n := len(scanAll(t, s, &sources.Dataset{Name: "k", Key: []string{"id"}}, sources.ScanRequest{})); n != 1 {
		t.Errorf("afterwards: %d rows", n)
	}
}

// running counts what our sources are doing in the database.
func (d *database) running(state string) string {
	d.t.Helper()
	return d.one("SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'plumbline' AND state LIKE $1", state)
}

// eventually waits until a condition holds, asking the server itself to wait.
func (d *database) eventually(what string, holds func() bool) {
	d.t.Helper()
	for began := time.Now(); !holds(); {
		if time.Since(began) > soon {
			d.t.Fatalf("%s: not within %s", what, soon)
		}
		d.exec("SELECT pg_sleep(0.01)")
	}
}

func TestCancelEndsTheStatementOnTheServer(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec("CREATE TABLE k (id int PRIMARY KEY); INSERT INTO k VALUES (1)")
	s := d.openWith(sources.Options{Connections: 1})
	slow := &sources.Dataset{Name: "k", Key: []string{"id"}, Where: "pg_sleep(30) IS NULL"}
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			_, err := tryScan(ctx, s, slow, sources.ScanRequest{})
			ended <- err
		}()
		d.eventually("the statement runs", func() bool { return d.running("active") == "1" })
		cancelled := time.Now()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) || time.Since(cancelled) > soon/4 {
			t.Errorf("after %s: %v", time.Since(cancelled), err)
		}
		d.eventually("the statement ends", func() bool { return d.running("active") == "0" })
		if n := len(scanAll(t, s, &sources.Dataset{Name: "k", Key: []string{"id"}}, sources.ScanRequest{})); n != 1 {
			t.Errorf("afterwards: %d rows", n)
		}
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec("CREATE TABLE k (id int PRIMARY KEY); INSERT INTO k SELECT generate_series(1, 5000)")
	s := d.openWith(sources.Options{Connections: 3})
	var readers sync.WaitGroup
	var left atomic.Int32
	left.Store(20)
	for range 20 {
		readers.Go(func() {
			defer left.Add(-1)
			for range 5 {
				if records, err := tryScan(t.Context(), s, &sources.Dataset{Name: "k", Key: []string{"id"}}, sources.ScanRequest{Limit: sources.Limit{Records: 500}}); err != nil || len(records) != 5000 {
					t.Errorf("%d rows, %v", len(records), err)
				}
			}
		})
	}
	for left.Load() > 0 {
		if n := d.running("%"); n > "3" {
			t.Errorf("%s connections at once", n)
		}
	}
	readers.Wait()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	d.eventually("all connections close", func() bool { return d.running("%") == "0" })
	if _, err := s.Probe(t.Context()); err == nil {
		t.Error("a closed source still reads")
	}
}

// pooler stands for what may stand between us and a server, and either refuses
// the settings of a session or takes and drops them. It returns its address.
func pooler(t *testing.T, d *database, refuses bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer client.Close()
				if err := pass(client, d.url.Host, refuses); err != nil && !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		open.Wait()
	})
	return l.Addr().String()
}

func pass(client net.Conn, address string, refuses bool) error {
	var length [4]byte
	if _, err := io.ReadFull(client, length[:]); err != nil {
		return err
	}
	body := make([]byte, binary.BigEndian.Uint32(length[:])-4)
	if _, err := io.ReadFull(client, body); err != nil {
		return err
	}
	if refuses && strings.Contains(string(body), "statement_timeout") {
		words := "SFATAL\x00C08P01\x00Munsupported startup parameter: statement_timeout\x00\x00"
		_, err := client.Write(append(binary.BigEndian.AppendUint32([]byte{'E'}, uint32(4+len(words))), words...))
		return err
	}
	if pairs := strings.Split(string(body[4:]), "\x00"); len(body) > 16 { // not a cancellation, which has no pairs
		kept := string(body[:4])
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] == "user" || pairs[i] == "database" || pairs[i] == "application_name" {
				kept += pairs[i] + "\x00" + pairs[i+1] + "\x00"
			}
		}
		body = []byte(kept + "\x00")
	}
	server, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer server.Close()
	if _, err := server.Write(append(binary.BigEndian.AppendUint32(nil, uint32(4+len(body))), body...)); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(server, client)
		server.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(client, server)
	client.Close()
	<-done
	return nil
}

// Whatever stands between us and the server, a statement runs under our settings.
func TestSettings(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec(fmt.Sprintf("ALTER DATABASE %s SET TimeZone = 'Asia/Kolkata'; ALTER DATABASE %s SET extra_float_digits = 0; ALTER DATABASE %s SET DateStyle = 'German'; ALTER DATABASE %s SET bytea_output = 'escape'; ALTER DATABASE %s SET row_security = on",
		d.url.Path[1:], d.url.Path[1:], d.url.Path[1:], d.url.Path[1:], d.url.Path[1:]))
	names := []string{"TimeZone", "transaction_read_only", "statement_timeout", "lock_timeout", "extra_float_digits", "standard_conforming_strings", "DateStyle",
		"IntervalStyle", "bytea_output", "client_encoding", "idle_in_transaction_session_timeout", "application_name", "work_mem", "row_security"}
	want := []string{"UTC", "on", "1500ms", "2s", "3", "on", "ISO, YMD", "postgres", "hex", "UTF8", "30s", "plumbline", "1234kB", "off"}
	ds := &sources.Dataset{Key: []string{"id"}, Fields: names, Query: "SELECT 1 AS id"}
	for _, name := range names {
		ds.Query += fmt.Sprintf(", current_setting(%s) AS %s", literal(name), ident(name))
	}
	for way, address := range map[string]string{"a server": d.url.Host, "a pooler that refuses": pooler(t, d, true), "a pooler that drops": pooler(t, d, false)} {
		u := *d.url
		u.Host = address
		through := &database{t: t, url: &u}
		for _, mode := range []string{"", "exec", "simple_protocol", "cache_statement"} {
			params := []string{"work_mem", "1234kB", "sslmode", "disable"}
			if mode != "" {
				params = append(params, "default_query_exec_mode", mode)
			}
			s := through.openWith(sources.Options{URL: through.as(nil, params...), StatementTimeout: 1500 * time.Millisecond})
			for range 3 {
				records := scanAll(t, s, ds, sources.ScanRequest{})
				for i, v := range records[0].Fields {
					if v.AsText() != want[i] {
						t.Errorf("behind %s, mode %q: %s is %q, want %q", way, mode, names[i], v, want[i])
					}
				}
			}
			facts, err := s.Probe(t.Context())
			if told := strings.Contains(fmt.Sprint(facts.Notes), "drops session settings"); err != nil || told != (way != "a server") {
				t.Errorf("behind %s: %+v, %v", way, facts, err)
			}
		}
	}
}

func TestNothingCanBeWritten(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec(`CREATE TABLE k (id int PRIMARY KEY); INSERT INTO k VALUES (1), (2); CREATE SEQUENCE counter;
		CREATE FUNCTION wipe() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
			PERFORM set_config('default_transaction_read_only', 'off', false), set_config('transaction_read_only', 'off', false); DELETE FROM k; RETURN true; END $$;
		CREATE FUNCTION pass() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('default_transaction_read_only', 'off', false); RETURN true; END $$`)
	s := d.openWith(sources.Options{Connections: 1})
	key := []string{"id"}
	for _, ds := range []*sources.Dataset{
		{Name: "k", Key: key, Where: "wipe()"},
		{Name: "k", Key: key, DeletedWhen: "wipe()"},
		{Name: "k", Key: key, Where: "nextval('counter') > 0"},
		{Query: "SELECT id FROM k WHERE wipe()", Key: key},
		{Query: "DELETE FROM k RETURNING id", Key: key},
		{Query: "WITH gone AS (DELETE FROM k RETURNING id) SELECT id FROM gone", Key: key},
		{Query: "SELECT 1 AS id; DELETE FROM k", Key: key},
		{Query: "SELECT 1 AS id) AS d; COMMIT; DELETE FROM k; SELECT * FROM (SELECT 1 AS id", Key: key},
		{Query: "SELECT id FROM k FOR UPDATE", Key: key},
		{Query: "SELECT id FROM k) AS d; --", Key: key},
		{Name: "k", Key: key, Where: "true) IS TRUE FROM k; DELETE FROM k; --"},
	} {
		if _, err := tryScan(t.Context(), s, ds, sources.ScanRequest{}); sources.FailureOf(err) != sources.FailureFinal {
			t.Errorf("%+v: %v", ds, err)
		}
		// A session that was talked into writing by default still does not.
		if _, err := tryScan(t.Context(), s, &sources.Dataset{Name: "k", Key: key, Where: "pass()"}, sources.ScanRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	if rows, counted := d.one("SELECT count(*)::text FROM k"), d.one("SELECT is_called::text FROM counter"); rows != "2" || counted != "false" {
		t.Errorf("%s rows are left; the sequence was called: %s", rows, counted)
	}
}

// A column that changes its type under a cached plan is noticed before a byte is misread.
func TestTableChangesWhileRead(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec("CREATE TABLE k (id int PRIMARY KEY, v bigint); INSERT INTO k SELECT i, i FROM generate_series(1, 10) AS i")
	s := d.open()
	ds := &sources.Dataset{Name: "k", Key: []string{"id"}, Fields: []string{"v"}}
	read := func() (sources.Page, error) {
		return s.Scan(t.Context(), ds, sources.ScanRequest{Limit: sources.Limit{Records: 1, Bytes: 1000}})
	}
	for _, c := range []struct {
		ddl  string
		kind sources.Kind // KindAbsent: it cannot be read any more
	}{
		{"SELECT", sources.KindInt},
		{"ALTER TABLE k ALTER v TYPE double precision", sources.KindFloat},
		{"ALTER TABLE k ALTER v TYPE text", sources.KindText},
		{"DROP TABLE k; CREATE TABLE k (id int PRIMARY KEY, v date); INSERT INTO k VALUES (1, '2024-01-01')", sources.KindDate},
		{"ALTER TABLE k RENAME v TO w", sources.KindAbsent},
		{"ALTER TABLE k RENAME w TO v", sources.KindDate},
		{"DROP TABLE k", sources.KindAbsent},
	} {
		d.exec(c.ddl)
		page, err := read()
		if err != nil {
			if page.Len() > 0 {
				t.Errorf("%s: a page beside %v", c.ddl, err)
			}
			page, err = read()
		}
		switch {
		case c.kind == sources.KindAbsent:
			var missing *sources.NotFoundError
			if !errors.As(err, &missing) {
				t.Errorf("%s: %v", c.ddl, err)
			}
		case err != nil || page.Records[0].Fields[0].Kind() != c.kind:
			t.Errorf("%s: %+v, %v", c.ddl, page.Records, err)
		}
	}
}

func TestALockedTableIsTransient(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec("CREATE TABLE k (id int PRIMARY KEY)")
	s := d.open()
	ds := &sources.Dataset{Name: "k", Key: []string{"id"}}
	scanAll(t, s, ds, sources.ScanRequest{})
	d.exec("BEGIN; LOCK TABLE k")
	_, err := tryScan(t.Context(), s, ds, sources.ScanRequest{})
	if code(err) != "55P03" || sources.FailureOf(err) != sources.FailureTransient {
		t.Errorf("a locked table: %v", err)
	}
	d.exec("ROLLBACK")
	scanAll(t, s, ds, sources.ScanRequest{})
}

// A server that ends our sessions is asked again on new ones.
func TestTerminatedSessions(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec("CREATE TABLE k (id int PRIMARY KEY)")
	s := d.openWith(sources.Options{Connections: 4})
	ds := &sources.Dataset{Name: "k", Key: []string{"id"}}
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			if _, err := tryScan(t.Context(), s, ds, sources.ScanRequest{}); err != nil {
				t.Error(err)
			}
		})
	}
	readers.Wait()
	d.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'plumbline'")
	d.eventually("the sessions end", func() bool { return d.running("%") == "0" })
	if _, err := tryScan(t.Context(), s, ds, sources.ScanRequest{}); err == nil || sources.FailureOf(err) != sources.FailureTransient {
		t.Errorf("on a dead session: %v", err)
	}
	scanAll(t, s, ds, sources.ScanRequest{})
}

// A deadline that ends the dial is the context's error, never the store's, even
// where the dialer's clock strikes before the context's.
func TestADeadlineWhileConnecting(t *testing.T) {
	t.Parallel()
	s, err := Open(sources.Options{Name: "shop", URL: "postgres://reader@127.0.0.1:1/shop?sslmode=disable"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.(*source).pool.config.DialFunc = func(context.Context, string, string) (net.Conn, error) {
		return nil, os.ErrDeadlineExceeded // at once, so before ctx's own timer
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.(sources.Prober).Probe(ctx); err != context.DeadlineExceeded {
		t.Errorf("a dial that its deadline ended: %v", err)
	}
}
