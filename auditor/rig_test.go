package auditor_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"plumbline/auditor"
	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/ledger/ledgertest"
	"plumbline/reconciler"
	"plumbline/sources"
	"plumbline/sources/memory"
)

// engines are the ledgers that every test of the service runs on.
func engines() []string { return ledgertest.Engines() }

// templates are what the ledgers of the tests are copied from, with the tables of
// the job engine.
var templates = &ledgertest.Templates{Prepare: auditor.MigrateJobs}

// ledgerURL is a ledger of a test's own, gone when the test ends.
func ledgerURL(t testing.TB, engine string) string {
	t.Helper()
	return templates.URL(t, engine)
}

func openLedger(t testing.TB, url string, now func() time.Time) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(context.Background(), url, ledger.Options{Now: now})
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	return l
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// shop is an owner and a replica in memory whose records are a key and a value.
type shop struct {
	owner, replica *memory.Store
	faults         struct {
		sync.Mutex
		owner, replica memory.Faults
	}
	readers map[string]*sources.Reader
}

const shopTable = "records"

func newShop(limits sources.Limits) *shop {
	s := &shop{owner: memory.NewStore(), replica: memory.NewStore(), readers: map[string]*sources.Reader{}}
	integer := sources.FieldType{Declared: "bigint", Kind: sources.KindInt, Strict: true, Raw: "int8"}
	for name, store := range map[string]*memory.Store{"owner": s.owner, "replica": s.replica} {
		store.Create(memory.Table{Name: shopTable, Unique: []string{"id"}, Columns: []memory.Column{
			{Name: "id", FieldType: integer}, {Name: "value", FieldType: integer}}})
		source := store.Source(memory.Config{Faults: func(ctx context.Context, r memory.Read) *memory.Fault {
			s.faults.Lock()
			befall := s.faults.owner
			if name == "replica" {
				befall = s.faults.replica
			}
			s.faults.Unlock()
			if befall == nil {
				return nil
			}
			return befall(ctx, r)
		}})
		s.readers[name] = sources.NewReader(name, source, limits, nil)
	}
	return s
}

func (s *shop) befall(owner, replica memory.Faults) {
	s.faults.Lock()
	defer s.faults.Unlock()
	s.faults.owner, s.faults.replica = owner, replica
}

func (s *shop) find(name string) (*sources.Reader, error) {
	if r := s.readers[name]; r != nil {
		return r, nil
	}
	return nil, fmt.Errorf("there is no source %s", name)
}

func put(s *memory.Store, key, value int64) { s.Put(shopTable, sources.Int(key), sources.Int(value)) }

// fill puts n records into both stores, and lets each of some differ.
func (s *shop) fill(r *rand.Rand, n int, share float64) (differ int) {
	for key := range int64(n) {
		if r.Float64() >= share {
			put(s.owner, key, key)
			put(s.replica, key, key)
			continue
		}
		differ++
		switch r.IntN(3) {
		case 0:
			put(s.owner, key, key)
		case 1:
			put(s.replica, key, key)
		default:
			put(s.owner, key, key)
			put(s.replica, key, -key-1)
		}
	}
	return differ
}

// check is a check of the shop, by name.
func (s *shop) check(name string, settle time.Duration) *checks.Check {
	side := func(source string) checks.Side {
		return checks.Side{Source: source, Kind: "memory", Dataset: sources.Dataset{Name: shopTable, Key: []string{"id"}}}
	}
	return &checks.Check{Name: name, Owner: side("owner"), Edges: []checks.Edge{{Name: "replica", Replica: side("replica"), Settle: settle,
		Rules: []checks.Rule{{Owner: checks.FieldRef{Name: "value"}, Replica: checks.FieldRef{Name: "value"}, Precision: -1}}}}}
}

func lens(l *ledger.Ledger) drift.Lens {
	return drift.Lens{Masker: drift.NewMasker(l.MaskKey()), Scrub: func(text string) string { return text }}
}

// heard is an observer that keeps what it hears.
type heard struct {
	sync.Mutex
	slots   map[ledger.SlotOutcome]int
	delays  []time.Duration
	runs    []*ledger.Run
	cleared int64
	healed  int
	items   map[reconciler.ItemState]int
}

func (h *heard) SlotTaken(_ string, outcome ledger.SlotOutcome, delay time.Duration) {
	h.Lock()
	defer h.Unlock()
	if h.slots == nil {
		h.slots = map[ledger.SlotOutcome]int{}
	}
	h.slots[outcome]++
	h.delays = append(h.delays, delay)
}

func (h *heard) RunConcluded(r *ledger.Run) {
	h.Lock()
	defer h.Unlock()
	h.runs = append(h.runs, r)
}

func (h *heard) SuspectsCleared(_ string, n int64) {
	h.Lock()
	defer h.Unlock()
	h.cleared += n
}

func (h *heard) Healed(string, time.Duration) {
	h.Lock()
	defer h.Unlock()
	h.healed++
}

func (h *heard) FixItem(_ string, _ reconciler.Route, result reconciler.ItemState) {
	h.Lock()
	defer h.Unlock()
	if h.items == nil {
		h.items = map[reconciler.ItemState]int{}
	}
	h.items[result]++
}

// start starts an auditor, which stops when the test ends.
func start(t testing.TB, o auditor.Options) *auditor.Auditor {
	t.Helper()
	if o.Hash == "" {
		o.Hash = "one"
	}
	if o.Lens.Masker == nil {
		o.Lens = lens(o.Ledger)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	a, err := auditor.Start(context.Background(), o)
	must(t, err)
	t.Cleanup(func() { must(t, a.Stop(context.Background())) })
	return a
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Logf("%s", b)
	return len(b), nil
}

// until polls until done, and fails after a minute.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("after a minute still not: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// finished waits until a run has its last word.
func finished(t testing.TB, l *ledger.Ledger, id string) *ledger.Run {
	t.Helper()
	var run *ledger.Run
	until(t, "run "+id+" finished", func() (done bool) {
		var err error
		run, err = l.Run(context.Background(), id)
		must(t, err)
		return run.State == ledger.Finished
	})
	return run
}

// runNow begins a run of a check by hand and waits for its last word.
func runNow(t testing.TB, a *auditor.Auditor, l *ledger.Ledger, check string) *ledger.Run {
	t.Helper()
	runs, err := a.Run(context.Background(), check, ledger.ByPerson, "ada", nil)
	must(t, err)
	return finished(t, l, runs[0].ID)
}

// openFindings lists the open findings of a check, by id, with their kinds.
func openFindings(t testing.TB, l *ledger.Ledger, check string) map[string]checks.DifferenceKind {
	t.Helper()
	open := map[string]checks.DifferenceKind{}
	after := ""
	for {
		list, next, err := l.Findings(context.Background(), ledger.FindingFilter{Check: check, State: "open", After: after, Limit: 500})
		must(t, err)
		for _, f := range list {
			if _, twice := open[f.ID]; twice {
				t.Fatalf("%s is listed twice", f.ID)
			}
			open[f.ID] = f.Kind
		}
		if after = next; next == "" {
			return open
		}
	}
}
