package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/ledger/ledgertest"
	"plumbline/sources"
)

// engines are the databases that every test of the suite runs on.
func engines() []string { return ledgertest.Engines() }

// templates are what the ledgers of the tests are copied from.
var templates = &ledgertest.Templates{}

// address is where a ledger is that nobody has opened yet, gone when the test ends.
func address(t testing.TB, engine string) string {
	t.Helper()
	return templates.URL(t, engine)
}

func onServer(t testing.TB, server, statement string) {
	t.Helper()
	ctx := context.Background()
	c, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Exec(ctx, statement)
	if err = errors.Join(err, c.Close(ctx)); err != nil {
		t.Fatal(err)
	}
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// pass lets time pass and returns what it is then.
func (c *clock) pass(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
	return c.at
}

const settle = 30 * time.Second

// world is a ledger with one check: orders, copied into search and cache.
type world struct {
	testing.TB
	*ledger.Ledger
	url   string
	clock *clock
	check *checks.Check
	lens  drift.Lens

	mu      sync.Mutex
	changes []ledger.Change
}

func newWorld(t testing.TB, engine string) *world {
	t.Helper()
	return openWorld(t, address(t, engine), newClock(), ledger.Options{})
}

func openWorld(t testing.TB, url string, c *clock, o ledger.Options) *world {
	t.Helper()
	w := &world{TB: t, url: url, clock: c, check: ordersCheck()}
	o.Now = c.now
	o.Watch = func(change ledger.Change) {
		w.mu.Lock()
		w.changes = append(w.changes, change)
		w.mu.Unlock()
	}
	l, err := ledger.Open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	w.Ledger = l
	w.lens = drift.Lens{Masker: masker(), Scrub: func(s string) string { return s }}
	w.declare()
	return w
}

func ordersCheck() *checks.Check {
	rules := func() []checks.Rule {
		return []checks.Rule{{Owner: checks.FieldRef{Name: "status"}, Replica: checks.FieldRef{Name: "status"}},
			{Owner: checks.FieldRef{Name: "email"}, Replica: checks.FieldRef{Name: "email"}, Mask: checks.MaskFull}}
	}
	return &checks.Check{Name: "orders", Owner: checks.Side{Source: "shop", Dataset: sources.Dataset{Name: "orders", Key: []string{"id"}}},
		Edges: []checks.Edge{
			{Name: "search", Rules: rules(), Settle: settle, Replica: checks.Side{Source: "search", Dataset: sources.Dataset{Key: []string{"id"}}}},
			{Name: "cache", Rules: rules(), Settle: settle, Replica: checks.Side{Source: "cache", Dataset: sources.Dataset{Key: []string{"id"}}}},
		}}
}

func (w *world) declare() {
	w.Helper()
	edges := []ledger.Edge{{Check: "orders", Replica: "search"}, {Check: "orders", Replica: "cache"}}
	must(w, w.Declare(context.Background(), 1, edges, []ledger.Schedule{{Check: "orders", Spec: "@every 1m",
		SlotAt: w.clock.now().Add(time.Minute), DueAt: w.clock.now().Add(time.Minute + time.Second)}}))
}

// facts are those of one of the check's edges.
func (w *world) facts(replica string) ledger.EdgeFacts {
	for i := range w.check.Edges {
		if w.check.Edges[i].Name == replica {
			return ledger.EdgeFacts{Check: w.check, I: i, Lens: w.lens}
		}
	}
	panic("no edge " + replica)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// got is a value that must come without an error.
func got[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		must(t, err)
		return value
	}
}

func noJobs(*ledger.Tx) error { return nil }

// run creates and begins a run of an edge, in so many segments.
func (w *world) run(replica string, segments int) *ledger.Run {
	w.Helper()
	r := &ledger.Run{Check: "orders", Replica: replica, Trigger: ledger.BySchedule, Actor: drift.Plumbline, Generation: 1}
	must(w, w.CreateRuns(w.Context(), []*ledger.Run{r}, noJobs))
	return w.begin(r.ID, segments)
}

func (w *world) begin(id string, segments int) *ledger.Run {
	w.Helper()
	r := got(w.ClaimRun(w.Context(), id, "worker"))(w)
	r.Plan = checks.Plan{Kind: checks.PlanRanges, Passes: []checks.Pass{{Drive: checks.OwnerSide}}, Raw: true, Why: []string{"bytes: no"}}
	r.Estimate = int64(100 * segments)
	list := make([]ledger.Segment, segments)
	for i := range list {
		list[i] = ledger.Segment{N: i, Plan: checks.Segment{Pass: checks.Pass{Drive: checks.OwnerSide}, Estimate: 100,
			Span: sources.Span{After: position(100 * i), UpTo: position(100*i + 100)}}}
	}
	list[0].Plan.Span.After = nil
	list[segments-1].Plan.Span.UpTo = nil
	must(w, w.PlanRun(w.Context(), r, list, noJobs))
	return r
}

func position(n int) sources.Position { return sources.Position{sources.Int(int64(n))} }

// segment claims a segment.
func (w *world) segment(r *ledger.Run, n int) *ledger.Segment {
	w.Helper()
	s, _, err := w.ClaimSegment(w.Context(), r.ID, n, "worker")
	must(w, err)
	return s
}

// scanned runs an edge in one segment that meets these suspects.
func (w *world) scanned(replica string, suspects ...checks.Suspect) *ledger.Run {
	w.Helper()
	r := w.run(replica, 1)
	w.record(w.segment(r, 0), replica, ledger.Progress{Read: 100, Done: true, Counts: checks.Counts{OwnerRecords: 100, ReplicaRecords: 100,
		Equal: int64(100 - len(suspects))}, Suspects: suspects})
	return w.again(r)
}

func (w *world) record(s *ledger.Segment, replica string, p ledger.Progress) (cancel bool) {
	w.Helper()
	return got(w.RecordSegment(w.Context(), s, p, w.clock.now(), settle, w.facts(replica)))(w)
}

// again is a run as it is now.
func (w *world) again(r *ledger.Run) *ledger.Run {
	w.Helper()
	return got(w.Run(w.Context(), r.ID))(w)
}

func key(n int) sources.Key { return sources.Key{sources.Int(int64(n))} }

func (w *world) suspect(n int) checks.Suspect {
	return checks.Suspect{Key: key(n), FirstSeen: w.clock.now(), Since: w.clock.now(), Owner: sources.FingerprintOf([]sources.Value{sources.Int(1)})}
}

func (w *world) suspects(ns ...int) (list []checks.Suspect) {
	for _, n := range ns {
		list = append(list, w.suspect(n))
	}
	return list
}

// due are the suspects that have settled.
func (w *world) due(replica string) []checks.Suspect {
	w.Helper()
	return got(w.DueSuspects(w.Context(), "orders", replica, w.clock.now(), 10_000))(w)
}

func (w *world) judge(replica string, vs ...checks.Verdict) {
	w.Helper()
	term := got(w.ClaimEdge(w.Context(), "orders", replica, "worker"))(w)
	must(w, w.RecordVerdicts(w.Context(), w.facts(replica), term, "worker", vs, w.clock.now(), settle))
}

func (w *world) recheck(replica string, vs ...checks.Verdict) {
	w.Helper()
	term := got(w.ClaimEdge(w.Context(), "orders", replica, "worker"))(w)
	must(w, w.RecordRechecks(w.Context(), w.facts(replica), term, "worker", "", vs, w.clock.now()))
}

// confirm lets suspects settle and confirms all that are pending.
func (w *world) confirm(replica string) {
	w.Helper()
	w.clock.pass(settle)
	var vs []checks.Verdict
	for _, s := range w.due(replica) {
		vs = append(vs, w.differs(s, "paid", "pending"))
	}
	w.judge(replica, vs...)
}

// differs is the verdict that a status differs.
func (w *world) differs(s checks.Suspect, owner, replica string) checks.Verdict {
	return checks.Verdict{Suspect: &s, Outcome: checks.Confirmed, Counts: checks.Counts{Mismatch: 1}, Difference: &checks.Difference{
		Kind: checks.Mismatch, Key: s.Key, ID: s.ID, FirstSeen: s.FirstSeen, LastSeen: w.clock.now(),
		Fields: []checks.FieldDifference{{Owner: "status", Replica: "status", OwnerValue: sources.Text(owner), ReplicaValue: sources.Text(replica), Rule: "exact"}}}}
}

// is is the verdict that a record differs without fields.
func (w *world) is(s checks.Suspect, kind checks.DifferenceKind, reason string) checks.Verdict {
	v := checks.Verdict{Suspect: &s, Outcome: checks.Confirmed, Difference: &checks.Difference{Kind: kind, Key: s.Key, ID: s.ID, Reason: reason,
		FirstSeen: s.FirstSeen, LastSeen: w.clock.now()}}
	switch kind {
	case checks.Missing:
		v.Counts.Missing = 1
	case checks.Extra:
		v.Counts.Extra = 1
	case checks.Duplicate:
		v.Counts.Duplicate = 1
	case checks.Unreadable:
		v.Counts.Unreadable = 1
	}
	return v
}

func cleared(s checks.Suspect, why string) checks.Verdict {
	v := checks.Verdict{Suspect: &s, Outcome: checks.Cleared, Cleared: why, Counts: checks.Counts{SuspectsCleared: 1}}
	if why == checks.ClearedEqual {
		v.Counts.Equal = 1
	}
	return v
}

func unread(s checks.Suspect) checks.Verdict {
	return checks.Verdict{Suspect: &s, Outcome: checks.Unread, Reason: "source search: timeout", Counts: checks.Counts{Skipped: 1}}
}

// id is the id of the finding about a key.
func id(replica string, n int) string { return named(replica, key(n), nil) }

// named is the id of the finding about a record.
func named(replica string, key, id sources.Key) string {
	return masker().FindingID("orders", replica, key, id)
}

// masker has a key that is always the same, so that findings have the same ids each time.
func masker() *drift.Masker { return drift.NewMasker(bytes.Repeat([]byte{8}, drift.MaskKeySize)) }

func (w *world) finding(replica string, n int) *drift.Finding {
	w.Helper()
	return got(w.Finding(w.Context(), id(replica, n)))(w)
}

func (w *world) edge(replica string) ledger.Edge {
	w.Helper()
	return got(w.Edge(w.Context(), "orders", replica))(w)
}
