package service_test

import (
	"bytes"
	"database/sql"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"plumbline/cmd/plumbline/service"
	"plumbline/configs"
	"plumbline/sources"
)

// stores makes SQLite files with a table t and declares them as sources.
func stores(t *testing.T, names ...string) map[string]configs.Source {
	t.Helper()
	declared := map[string]configs.Source{}
	dir := t.TempDir()
	for _, name := range names {
		file := filepath.Join(dir, name+".db")
		db, err := sql.Open("sqlite", file)
		if err != nil {
			t.Fatal(err)
		}
		_, err = db.Exec("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		declared[name] = configs.Source{Name: name, Kind: "sqlite", URL: sources.Secret("sqlite://" + file), Limits: configs.Limits{Connections: 2}}
	}
	return declared
}

func reads(t *testing.T, r *sources.Reader) error {
	return r.Lookup(t.Context(), &sources.Dataset{Name: "t", Key: []string{"id"}}, []sources.Key{{sources.Int(1)}}, func(*sources.Page) error { return nil })
}

// A source that is declared as it was keeps its reader over a change of the
// configuration; one that changed has another, and the old one is closed.
func TestReadersOfALaterConfiguration(t *testing.T) {
	t.Parallel()
	declared := stores(t, "kept", "changed", "dropped")
	before := service.NewReaders(declared, service.ReaderOptions{})
	old := before.All()
	later := map[string]configs.Source{"kept": declared["kept"], "changed": declared["changed"]}
	changed := later["changed"]
	changed.Connections = 1
	later["changed"] = changed
	after := before.Next(later)
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	now := after.All()
	if len(old) != 3 || len(now) != 2 || now["kept"] != old["kept"] || now["changed"] == old["changed"] {
		t.Errorf("before %v, after %v", old, now)
	}
	for name, r := range now {
		if err := reads(t, r); err != nil {
			t.Errorf("%s after the change: %v", name, err)
		}
	}
	for _, name := range []string{"changed", "dropped"} {
		if err := reads(t, old[name]); err == nil {
			t.Errorf("the reader of %s before the change still reads", name)
		}
	}
	if _, err := after.Find("dropped"); err == nil || !strings.Contains(err.Error(), "not declared") {
		t.Errorf("what is no longer declared: %v", err)
	}
	if err := after.Close(); err != nil {
		t.Fatal(err)
	}
	if err := reads(t, now["kept"]); err == nil {
		t.Error("the kept reader was never closed")
	}
}

// Without accounts nobody beyond this machine reaches us, whatever address is named.
func TestListenIsForThisMachineAloneUntilThereAreAccounts(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.com:0", "127.0.0.1.example.com:0"} {
		l, narrowed, err := service.Listen(address, false)
		if err != nil {
			t.Errorf("%q: %v", address, err)
			continue
		}
		if host, _, err := net.SplitHostPort(l.Addr().String()); err != nil || host != "127.0.0.1" || !narrowed {
			t.Errorf("%q is listened on as %s, narrowed %v", address, l.Addr(), narrowed)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, address := range []string{"127.0.0.1", ""} {
		if l, _, err := service.Listen(address, true); err == nil {
			t.Errorf("%q is listened on as %s", address, l.Addr())
		}
	}
	first, narrowed, err := service.Listen("localhost:0", false)
	if err != nil || narrowed {
		t.Fatalf("narrowed %v, %v", narrowed, err)
	}
	defer first.Close()
	var taken *service.TakenError
	if _, _, err := service.Listen(first.Addr().String(), true); !errors.As(err, &taken) {
		t.Errorf("a taken address: %v", err)
	}
	wide, narrowed, err := service.Listen("0.0.0.0:0", true)
	if err != nil || narrowed {
		t.Fatalf("with accounts: narrowed %v, %v", narrowed, err)
	}
	defer wide.Close()
}

func TestLogHidesSecrets(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := service.NewLog(&out, slog.LevelInfo, func(s string) string { return strings.ReplaceAll(s, "hunter2", "***") })
	log.With("url", "postgres://hunter2@db").WithGroup("job").Error("read hunter2", "err", errors.New("dial hunter2"), slog.Group("deep", "password", "hunter2"))
	log.Debug("too fine")
	if text := out.String(); strings.Contains(text, "hunter2") || strings.Count(text, "***") != 4 || strings.Contains(text, "too fine") {
		t.Errorf("logged %s", text)
	}
}
