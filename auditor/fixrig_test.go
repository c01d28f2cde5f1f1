package auditor_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"plumbline/access"
	"plumbline/auditor"
	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
	"plumbline/sources"
	"plumbline/sources/sqlite"
)

// store is an SQLite file with products, in which others write as they like.
type store struct {
	path string
	db   *sql.DB
}

func newStore(t testing.TB, name string, n int) *store {
	t.Helper()
	s := &store{path: filepath.Join(t.TempDir(), name+".db")}
	db, err := sql.Open("sqlite", "file:"+s.path+"?_pragma=journal_mode(wal)&_pragma=busy_timeout(10000)&_pragma=synchronous(off)")
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	s.db = db
	s.exec(t, `CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price INTEGER NOT NULL) STRICT`)
	for id := range n {
		s.exec(t, `INSERT INTO products VALUES ($1, $2, $3)`, id+1, fmt.Sprintf("product %d", id+1), 100*(id+1))
	}
	return s
}

func (s *store) exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	_, err := s.db.ExecContext(context.Background(), statement, args...)
	must(t, err)
}

// prices are what the store holds, by id.
func (s *store) prices(t testing.TB) map[int]int {
	t.Helper()
	rows, err := s.db.QueryContext(context.Background(), `SELECT id, price FROM products`)
	must(t, err)
	prices := map[int]int{}
	for rows.Next() {
		var id, price int
		must(t, rows.Scan(&id, &price))
		prices[id] = price
	}
	must(t, rows.Err())
	must(t, rows.Close())
	return prices
}

// fixWorld is a shop in SQLite with a check of its products, and who fixes it.
type fixWorld struct {
	ledger         *ledger.Ledger
	owner, replica *store
	readers        map[string]*sources.Reader
	policy         reconciler.Policy
	// clock is added to the time.
	mu    sync.Mutex
	ahead time.Duration
	opens int  // of the credentials that may write
	weak  bool // those credentials may only read
}

const fixRecords = 40

// proposing is a policy by which people approve plans.
func proposing() reconciler.Policy {
	return reconciler.Policy{Mode: reconciler.ModePropose, By: reconciler.Write, Allow: []reconciler.Allow{"update"}, MaxRecords: 100, MaxShare: 50, Approvals: 1}
}

// newFixWorld is one where the first so many records of the replica differ.
func newFixWorld(t testing.TB, engine string, policy reconciler.Policy, differ int) *fixWorld {
	t.Helper()
	w := &fixWorld{owner: newStore(t, "owner", fixRecords), replica: newStore(t, "replica", fixRecords), policy: policy, readers: map[string]*sources.Reader{}}
	w.ledger = openLedger(t, ledgerURL(t, engine), w.now)
	w.drift(t, differ)
	for name, s := range map[string]*store{"owner": w.owner, "replica": w.replica} {
		source, err := sqlite.Open(sources.Options{Name: name, URL: sources.Secret("file:" + s.path)})
		must(t, err)
		reader := sources.NewReader(name, source, sources.Limits{}, nil)
		t.Cleanup(func() { must(t, reader.Close()) })
		w.readers[name] = reader
	}
	return w
}

func (w *fixWorld) drift(t testing.TB, differ int) {
	t.Helper()
	w.replica.exec(t, `UPDATE products SET price = price + 1 WHERE id <= $1`, differ)
}

func (w *fixWorld) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead)
}

func (w *fixWorld) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += d
}

func (w *fixWorld) find(name string) (*sources.Reader, error) { return w.readers[name], nil }

// fixer opens what may write to the replica.
func (w *fixWorld) fixer(source string) (*sources.Fixer, func() error, error) {
	if source != "replica" {
		return nil, nil, fmt.Errorf("nothing is written to %s", source)
	}
	w.mu.Lock()
	w.opens++
	weak := w.weak
	w.mu.Unlock()
	opened, err := sqlite.Open(sources.Options{Name: source, URL: sources.Secret("file:" + w.replica.path), Connections: 2, Writable: !weak})
	if err != nil {
		return nil, nil, err
	}
	f := sources.NewFixer(source, opened, sources.Limits{Statement: 10 * time.Second})
	return f, f.Close, nil
}

func (w *fixWorld) check() *checks.Check {
	side := func(source string) checks.Side {
		return checks.Side{Source: source, Kind: "sqlite", Dataset: sources.Dataset{Name: "products", Key: []string{"id"}}}
	}
	return &checks.Check{Name: "products", Owner: side("owner"), Edges: []checks.Edge{{Name: "replica", Replica: side("replica"),
		Rules: []checks.Rule{{Owner: checks.FieldRef{Name: "price"}, Replica: checks.FieldRef{Name: "price"}, Precision: -1}}}}}
}

func (w *fixWorld) options() auditor.Options {
	return auditor.Options{Ledger: w.ledger, Hash: "one", Readers: w.find, Lens: lens(w.ledger), Now: w.now, Fixing: auditor.Fixing{Fixer: w.fixer, CanHide: true},
		Checks: []auditor.Check{{Check: w.check(), Hash: "products", Fixes: map[string]reconciler.Policy{"replica": w.policy}, FixHash: fmt.Sprint(w.policy)}}}
}

// start starts a process that works on the check, and its desk.
func (w *fixWorld) start(t testing.TB) (*auditor.Auditor, *auditor.Desk) {
	t.Helper()
	a := start(t, w.options())
	return a, auditor.NewDesk(w.ledger, a, w.now)
}

// people are accounts by their names.
func (w *fixWorld) people(t testing.TB, roles map[string]access.Role) map[string]context.Context {
	t.Helper()
	known := map[string]context.Context{}
	for name, role := range roles {
		account, err := w.ledger.CreateAccount(context.Background(), name, role, "correct horse battery staple")
		must(t, err)
		known[name] = access.With(context.Background(), &access.Attempt{Actor: access.Actor{Account: account.ID, Name: name, Role: role, Via: access.ByAPI}, Action: "test"})
	}
	return known
}

// again is the same person's next attempt.
func again(ctx context.Context) context.Context {
	return access.With(ctx, &access.Attempt{Actor: access.ActorOf(ctx), Action: "test"})
}

// ended waits for a plan's last word.
func (w *fixWorld) ended(t testing.TB, id string) *reconciler.Plan {
	t.Helper()
	var p *reconciler.Plan
	until(t, "plan "+id+" ended", func() bool {
		var err error
		p, err = w.ledger.Plan(context.Background(), id)
		must(t, err)
		return !p.State.Live()
	})
	return p
}

// auto waits for a plan that Plumbline drafted itself, after another.
func (w *fixWorld) auto(t testing.TB, after int64, state reconciler.PlanState) *reconciler.Plan {
	t.Helper()
	var found *reconciler.Plan
	until(t, "Plumbline drafted a plan that is "+string(state), func() bool {
		plans, _, err := w.ledger.Plans(context.Background(), ledger.PlanFilter{})
		must(t, err)
		i := slices.IndexFunc(plans, func(p *reconciler.Plan) bool { return p.Auto && p.Number > after && p.State == state })
		if i >= 0 {
			found = plans[i]
		}
		return i >= 0
	})
	return found
}

// states count the findings of the check by their state.
func (w *fixWorld) states(t testing.TB) map[drift.State]int {
	t.Helper()
	states := map[drift.State]int{}
	for after := ""; ; {
		list, next, err := w.ledger.Findings(context.Background(), ledger.FindingFilter{After: after, Limit: 500})
		must(t, err)
		for _, f := range list {
			states[f.State]++
		}
		if after = next; next == "" {
			return states
		}
	}
}

// acted are the actions of the audit log, the oldest first, by whom.
func (w *fixWorld) acted(t testing.TB) (list []string) {
	t.Helper()
	entries, _, err := w.ledger.AuditEntries(context.Background(), ledger.AuditFilter{Limit: 500})
	must(t, err)
	for _, e := range slices.Backward(entries) {
		list = append(list, e.Actor+": "+e.Action+" "+e.Object)
	}
	return list
}

// written is a log that is kept.
type written struct {
	mu  sync.Mutex
	all []byte
}

func (w *written) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, b...)
	return len(b), nil
}

func (w *written) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.all)
}
