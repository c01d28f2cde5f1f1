package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"plumbline/sources"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is the URL of a server whose databases may be created and dropped.
func server(t testing.TB) *url.URL {
	t.Helper()
	text := os.Getenv("PLUMBLINE_TEST_POSTGRES_URL")
	if text == "" {
		t.Fatal("run `make test`, which starts a PostgreSQL, or set PLUMBLINE_TEST_POSTGRES_URL")
	}
	u, err := url.Parse(text)
	if err != nil {
		t.Fatalf("PLUMBLINE_TEST_POSTGRES_URL: %v", err)
	}
	return u
}

// database is a database of its own for one test, dropped when the test ends.
type database struct {
	t    testing.TB
	url  *url.URL
	conn *pgx.Conn
}

// newDatabase creates a database; options go behind CREATE DATABASE.
func newDatabase(t testing.TB, options string) *database {
	t.Helper()
	u := server(t)
	name := fmt.Sprintf("plumbline_%d_%08x", os.Getpid(), rand.Uint32())
	admin := connect(t, u)
	exec(t, admin, "CREATE DATABASE "+name+" "+options)
	own := *u
	own.Path = "/" + name
	d := &database{t: t, url: &own, conn: connect(t, &own)}
	t.Cleanup(func() {
		closeConn(t, d.conn)
		exec(t, admin, "DROP DATABASE "+name+" WITH (FORCE)")
		closeConn(t, admin)
	})
	return d
}

func connect(t testing.TB, u *url.URL) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(context.Background(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func closeConn(t testing.TB, c *pgx.Conn) {
	t.Helper()
	if err := c.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func exec(t testing.TB, c *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := c.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%v\nin: %s", err, sql)
	}
}

// exec runs SQL, several statements at once if without args.
func (d *database) exec(sql string, args ...any) {
	d.t.Helper()
	exec(d.t, d.conn, sql, args...)
}

// one reads a single text.
func (d *database) one(sql string, args ...any) (text string) {
	d.t.Helper()
	if err := d.conn.QueryRow(context.Background(), sql, args...).Scan(&text); err != nil {
		d.t.Fatalf("%v\nin: %s", err, sql)
	}
	return text
}

// as is the database's URL for another role, and with further parameters.
func (d *database) as(user *url.Userinfo, params ...string) sources.Secret {
	u := *d.url
	if user != nil {
		u.User = user
	}
	q := u.Query()
	for i := 0; i+1 < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	u.RawQuery = q.Encode()
	return sources.Secret(u.String())
}

func (d *database) open() *source { return d.openWith(sources.Options{}) }

func (d *database) openWith(o sources.Options) *source {
	d.t.Helper()
	if o.Name == "" {
		o.Name = "shop"
	}
	if o.URL == "" {
		o.URL = d.as(nil)
	}
	s, err := Open(o)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			d.t.Error(err)
		}
	})
	return s.(*source)
}

// scanAll reads a span to its end in pages of some records.
func scanAll(t testing.TB, s *source, d *sources.Dataset, r sources.ScanRequest) []sources.Record {
	t.Helper()
	records, err := tryScan(t.Context(), s, d, r)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func tryScan(ctx context.Context, s *source, d *sources.Dataset, r sources.ScanRequest) (records []sources.Record, err error) {
	if r.Records == 0 {
		r.Records = 1000
	}
	if r.Bytes == 0 {
		r.Bytes = 8 << 20
	}
	for {
		page, err := s.Scan(ctx, d, r)
		if err != nil {
			return records, err
		}
		if raw := page.Raw; raw != nil {
			for i := range raw.Len() {
				record, err := raw.Decode(raw.Row(i))
				if err != nil {
					return records, err
				}
				records = append(records, record)
			}
		}
		records = append(records, page.Records...)
		if page.Done {
			return records, nil
		}
		r.After = page.Next
	}
}

// lookupAll looks keys up to the end.
func lookupAll(t testing.TB, s *source, d *sources.Dataset, limit int, keys ...sources.Key) (records []sources.Record) {
	t.Helper()
	var after sources.Position
	for {
		page, err := s.Lookup(t.Context(), d, keys, after, sources.Limit{Records: limit, Bytes: 8 << 20})
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, page.Records...)
		if page.Done {
			return records
		}
		after = page.Next
	}
}

// soon is long enough for what should take moments.
const soon = 20 * time.Second
