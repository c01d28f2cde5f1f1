package ledger_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"plumbline/checks"
	"plumbline/ledger"
	"plumbline/ledger/ledgertest"
)

func (w *world) count(statement string, args ...any) (n int64) {
	w.Helper()
	must(w, w.DB().QueryRowContext(context.Background(), statement, args...).Scan(&n))
	return n
}

func whatIsOldIsPruned(t *testing.T, w *world) {
	w.drifted()
	for n := range 250 {
		w.scanned("search")
		must(t, w.Declare(t.Context(), 1, []ledger.Edge{{Check: "orders", Replica: "search"}, {Check: "orders", Replica: "cache"}},
			[]ledger.Schedule{{Check: "orders", Spec: fmt.Sprint(n), SlotAt: w.clock.now(), DueAt: w.clock.now()}}))
		was := got(w.Schedules(t.Context()))(t)[0]
		got(w.TakeSlot(t.Context(), was, was, []ledger.Slot{{Check: "orders", At: w.clock.pass(time.Second), Outcome: ledger.SlotMissed}}, nil, noJobs))(t)
	}
	if done := got(w.Prune(t.Context(), w.clock.now(), ledger.Retention{}))(t); done != (ledger.Pruned{}) {
		t.Errorf("pruned what is young: %+v", done)
	}
	w.clock.pass(3 * 24 * time.Hour)
	if done := got(w.Prune(t.Context(), w.clock.now(), ledger.Retention{}))(t); done != (ledger.Pruned{Segments: 250}) {
		t.Errorf("after 3 days: %+v", done)
	}
	w.clock.pass(40 * 24 * time.Hour)
	fresh := w.scanned("cache", w.suspects(1)...)
	if done := got(w.Prune(t.Context(), w.clock.now(), ledger.Retention{}))(t); done != (ledger.Pruned{Runs: 249, Slots: 250}) {
		t.Errorf("after 43 days: %+v", done)
	}
	if e := w.edge("search"); got(w.Run(t.Context(), e.LastRun))(t).Result != checks.Clean {
		t.Error("the last word on an edge is gone")
	}
	if w.again(fresh).State != ledger.Finished || len(got(w.History(t.Context(), time.Time{}))(t)) != 1 {
		t.Error("what is young is gone")
	}
	w.clock.pass(60 * 24 * time.Hour)
	done := got(w.Prune(t.Context(), w.clock.now(), ledger.Retention{Runs: 1000 * 24 * time.Hour}))(t)
	if done != (ledger.Pruned{Findings: 2, Segments: 1}) {
		t.Errorf("after 103 days: %+v", done)
	}
	if w.listed(ledger.FindingFilter{}) != "c1 s7 s6 s4 s3 s2 s1" {
		t.Errorf("left %s", w.listed(ledger.FindingFilter{}))
	}
	if n := w.count(`SELECT COUNT(*) FROM transitions WHERE finding NOT IN (SELECT id FROM findings)`); n != 0 {
		t.Errorf("%d lines of timelines of nothing", n)
	}
	w.recount()
}

func answersAreRemembered(t *testing.T, w *world) {
	done := 0
	do := func() (int, []byte, error) { done++; return 202, []byte(fmt.Sprintf(`{"n":%d}`, done)), nil }
	for i := range 3 {
		status, body, replayed, err := w.Remember(t.Context(), "k", "POST /a", do)
		if err != nil || status != 202 || string(body) != `{"n":1}` || replayed != (i > 0) {
			t.Errorf("time %d: %d %s %v %v", i, status, body, replayed, err)
		}
	}
	if _, body, _, _ := w.Remember(t.Context(), "k", "POST /b", do); string(body) != `{"n":2}` {
		t.Errorf("another route got %s", body)
	}
	broken := errors.New("broken")
	if _, _, _, err := w.Remember(t.Context(), "bad", "POST /a", func() (int, []byte, error) { return 0, nil, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, body, replayed, err := w.Remember(t.Context(), "bad", "POST /a", do); err != nil || replayed || string(body) != `{"n":3}` {
		t.Errorf("after it failed: %s %v %v", body, replayed, err)
	}
	// While one works, the same key is told so; and it may use the ledger.
	_, _, _, err := w.Remember(t.Context(), "slow", "POST /a", func() (int, []byte, error) {
		_, _, _, err := w.Remember(t.Context(), "slow", "POST /a", do)
		if !errors.As(err, new(*ledger.InProgressError)) {
			t.Errorf("while it works: %v", err)
		}
		w.created("search")
		return 200, nil, nil
	})
	must(t, err)
	if status, body, replayed, err := w.Remember(t.Context(), "slow", "POST /a", do); err != nil || status != 200 || len(body) != 0 || !replayed {
		t.Errorf("an empty answer: %d %q %v %v", status, body, replayed, err)
	}
	w.clock.pass(25 * time.Hour)
	if _, body, replayed, err := w.Remember(t.Context(), "k", "POST /a", do); err != nil || replayed || string(body) != `{"n":4}` {
		t.Errorf("a day later: %s %v %v", body, replayed, err)
	}
}

func theLedgerSaysHowItIs(t *testing.T, w *world) {
	must(t, w.Ping(t.Context()))
	if size := got(w.Size(t.Context()))(t); size < 10_000 {
		t.Errorf("size %d", size)
	}
	if engine := w.Engine(); engine != "sqlite" && engine != "postgres" {
		t.Errorf("engine %q", engine)
	}
	again := openWorld(t, w.url, w.clock, ledger.Options{})
	if len(w.MaskKey()) != 32 || string(again.MaskKey()) != string(w.MaskKey()) {
		t.Error("the mask key does not last")
	}
	w.scanned("search", w.suspects(1)...)
	if e := again.edge("search"); e.Pending != 1 {
		t.Errorf("another process sees %+v", e)
	}
}

func newerLedgersAreLeftAlone(t *testing.T, w *world) {
	if _, err := w.DB().ExecContext(t.Context(), `INSERT INTO ledger_version (version_id, is_applied) VALUES (99, $1)`, true); err != nil {
		t.Fatal(err)
	}
	_, err := ledger.Open(t.Context(), w.url, ledger.Options{})
	var newer *ledger.TooNewError
	if !errors.As(err, &newer) || newer.Has != 99 || newer.Knows != w.count(`SELECT MAX(version_id) FROM ledger_version WHERE version_id < 99`) || !strings.Contains(err.Error(), "run the newer Plumbline") {
		t.Errorf("got %v", err)
	}
	if n := w.count(`SELECT COUNT(*) FROM edges`); n != 2 {
		t.Errorf("%d edges left", n)
	}
}

// Processes that open a new ledger at once all get it.
func TestManyOpenAtOnce(t *testing.T) {
	t.Parallel()
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			url := ledgertest.Empty(t, engine)
			var group sync.WaitGroup
			keys := make([]string, 6)
			for i := range keys {
				group.Go(func() {
					l, err := ledger.Open(t.Context(), url, ledger.Options{})
					if err != nil {
						t.Error(err)
						return
					}
					keys[i] = string(l.MaskKey())
					if err := errors.Join(l.Ping(t.Context()), l.Close()); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			for _, k := range keys {
				if k != keys[0] {
					t.Error("they have different mask keys")
				}
			}
		})
	}
}

func TestLedgersThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "text.db")
	must(t, os.WriteFile(text, []byte(strings.Repeat("this is no database\n", 100)), 0o600))
	for url, want := range map[string]string{
		"mysql://x":                                 "neither sqlite://path nor postgres://",
		"sqlite://":                                 "no path of a file",
		"sqlite://:memory:":                         "no path of a file",
		"sqlite://" + dir + "/no/such/dir/l.db":     "cannot be made or opened",
		"sqlite://" + text:                          "no SQLite database",
		"postgres://u:canary@[::1":                  "cannot be read",
		"postgres://u:canary@127.0.0.1:1/x":         "refused",
		"postgres://u:canary@127.0.0.1/x?sslmode=%": "cannot be read",
	} {
		l, err := ledger.Open(t.Context(), url, ledger.Options{})
		if err == nil {
			t.Errorf("%s opens", url)
			must(t, l.Close())
			continue
		}
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
}

// Odd characters of a path are part of it.
func TestPathsOfFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a b?c#d%41&_pragma=x.db")
	l, err := ledger.Open(t.Context(), "sqlite://"+path, ledger.Options{})
	must(t, err)
	must(t, l.Close())
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

// Another process that holds a file for too long is told of.
func TestAFileThatIsHeld(t *testing.T) {
	t.Parallel()
	url := address(t, "sqlite")
	l, err := ledger.Open(t.Context(), url, ledger.Options{})
	must(t, err)
	defer func() { must(t, l.Close()) }()
	holder, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(url, "sqlite://")+"?_txlock=immediate")
	must(t, err)
	tx, err := holder.BeginTx(t.Context(), nil)
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := l.Ping(ctx); err == nil {
		t.Error("it was written to")
	}
	if _, err := l.Edges(t.Context()); err != nil {
		t.Errorf("it cannot be read meanwhile: %v", err)
	}
	must(t, errors.Join(tx.Rollback(), holder.Close()))
	must(t, l.Ping(t.Context()))
}
