// Package ledgertest makes ledgers for tests. Bringing a ledger's tables up to this
// version takes longer than most tests do: it is done once, and copied.
package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"plumbline/ledger"
)

// Engines are the engines a ledger is tested on.
func Engines() []string { return []string{"sqlite", "postgres"} }

// Templates are the ledgers that others are copied from. They are made when they
// are first asked for, and a database is dropped when no test has a copy any more.
type Templates struct {
	// Prepare, where it is set, adds to a ledger what is made once as well.
	Prepare func(context.Context, *ledger.Ledger) error

	mu       sync.Mutex
	file     []byte // of SQLite
	database string // on the server of PostgreSQL
	copies   int    // of the database that are there
}

// URL is where a ledger of this version is that nobody has opened yet: it has its
// tables, and no keys. It is gone when the test ends.
func (s *Templates) URL(t testing.TB, engine string) string {
	t.Helper()
	if engine == "sqlite" {
		path := filepath.Join(t.TempDir(), "ledger.db")
		if err := os.WriteFile(path, s.ofSQLite(t), 0o600); err != nil {
			t.Fatal(err)
		}
		return "sqlite://" + path
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.copies == 0 {
		s.database = newName()
		onServer(t, "CREATE DATABASE "+s.database)
		if err := s.prepare(t.Context(), onDatabase(t, s.database)); err != nil {
			onServer(t, "DROP DATABASE "+s.database+" WITH (FORCE)")
			t.Fatal(err)
		}
	}
	s.copies++
	t.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.copies--; s.copies == 0 {
			onServer(t, "DROP DATABASE "+s.database+" WITH (FORCE)")
		}
	})
	return create(t, " TEMPLATE "+s.database)
}

// Empty is where a ledger is to be: a database without tables, or a file that is
// not there. It is gone when the test ends.
func Empty(t testing.TB, engine string) string {
	t.Helper()
	if engine == "sqlite" {
		return "sqlite://" + filepath.Join(t.TempDir(), "ledger.db")
	}
	return create(t, "")
}

func (s *Templates) ofSQLite(t testing.TB) []byte {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		path := filepath.Join(t.TempDir(), "template.db")
		if err := s.prepare(t.Context(), "sqlite://"+path); err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s.file = file
	}
	return s.file
}

// prepare makes a template, without the keys that each ledger makes for itself.
func (s *Templates) prepare(ctx context.Context, at string) error {
	l, err := ledger.Open(ctx, at, ledger.Options{})
	if err != nil {
		return err
	}
	if s.Prepare != nil {
		err = s.Prepare(ctx, l)
	}
	if err == nil {
		_, err = l.DB().ExecContext(ctx, `DELETE FROM settings`)
	}
	return errors.Join(err, l.Close())
}

// create makes a database that is gone when the test ends.
func create(t testing.TB, from string) string {
	t.Helper()
	name := newName()
	onServer(t, "CREATE DATABASE "+name+from)
	t.Cleanup(func() { onServer(t, "DROP DATABASE "+name+" WITH (FORCE)") })
	return onDatabase(t, name)
}

func newName() string { return fmt.Sprintf("ledger_%d_%08x", os.Getpid(), rand.Uint32()) }

// server is the URL of the PostgreSQL that tests use.
func server(t testing.TB) string {
	t.Helper()
	at := os.Getenv("PLUMBLINE_TEST_POSTGRES_URL")
	if at == "" {
		t.Fatal("PLUMBLINE_TEST_POSTGRES_URL is not set: run `make test`, which starts the servers")
	}
	return at
}

func onDatabase(t testing.TB, name string) string {
	t.Helper()
	u, err := url.Parse(server(t))
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func onServer(t testing.TB, statement string) {
	t.Helper()
	ctx := context.Background() // a test's own is over when it cleans up
	c, err := pgx.Connect(ctx, server(t))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Exec(ctx, statement)
	if err = errors.Join(err, c.Close(ctx)); err != nil {
		t.Fatal(err)
	}
}
