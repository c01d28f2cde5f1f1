package web_test

import (
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"plumbline/access"
	"plumbline/alerts"
	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/ledger/ledgertest"
	"plumbline/sources"
	"plumbline/web"
)

// clock is a clock that only the test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = t
}

func (c *clock) pass(d time.Duration) { c.set(c.now().Add(d)) }

// history is a ledger that is filled as the auditor would, at times of its own.
type history struct {
	t        testing.TB
	clock    *clock
	ledger   *ledger.Ledger
	lens     drift.Lens
	declared *web.Declared
	sources  map[string]web.SourceState
	// targets are where people are told of a check; nil is nowhere.
	targets func(c *web.DeclaredCheck) []alerts.Target
}

// policy is what the configuration would want for a check.
func (h *history) policy(name string) (alerts.Policy, bool) {
	c := h.declared.Check(name)
	if c == nil {
		return alerts.Policy{}, false
	}
	p := alerts.Policy{Check: name, Description: c.Description, Severity: c.Severity, Team: c.Team, Runbook: c.Runbook, Owner: c.Owner.Source, StaleAt: c.StaleAt}
	if h.targets != nil {
		p.Targets = h.targets(c)
	}
	for i := range c.Edges {
		p.Replicas = append(p.Replicas, c.Edges[i].Name)
	}
	return p, true
}

// newHistory opens an empty ledger in a file and declares checks to it.
func newHistory(t testing.TB, begin time.Time, declared *web.Declared) *history {
	t.Helper()
	return newHistoryOf(t, begin, declared, 1<<20)
}

// templates are what the ledgers of the tests are copied from.
var templates = &ledgertest.Templates{}

// newHistoryOf is a history whose ledger keeps so many findings of each edge.
func newHistoryOf(t testing.TB, begin time.Time, declared *web.Declared, kept int) *history {
	t.Helper()
	h := &history{t: t, clock: &clock{at: begin}, declared: declared, sources: map[string]web.SourceState{}}
	l, err := ledger.Open(t.Context(), templates.URL(t, "sqlite"), ledger.Options{Now: h.clock.now, Findings: kept, Policies: h.policy})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	h.ledger = l
	h.lens = drift.Lens{Masker: drift.NewMasker(l.MaskKey()), Scrub: func(s string) string { return s }}
	if _, err := l.Join(t.Context(), ledger.Process{ID: "test", Host: "localhost", Version: "test"}, "configuration"); err != nil {
		t.Fatal(err)
	}
	h.declare(begin.Add(24*time.Hour + 3*time.Minute))
	return h
}

// declare tells the ledger what is configured, and when it is next due.
func (h *history) declare(due time.Time) {
	h.t.Helper()
	var edges []ledger.Edge
	var schedules []ledger.Schedule
	for i := range h.declared.Checks {
		c := &h.declared.Checks[i]
		for j := range c.Edges {
			edges = append(edges, ledger.Edge{Check: c.Name, Replica: c.Edges[j].Name})
		}
		if c.Spec != "" {
			schedules = append(schedules, ledger.Schedule{Check: c.Name, Spec: c.Spec, SlotAt: due, DueAt: due, Generation: 1})
		}
	}
	if err := h.ledger.Declare(h.t.Context(), 1, edges, schedules); err != nil {
		h.t.Fatal(err)
	}
}

// pass is what a run of one edge is to have met.
type pass struct {
	equal    int64
	differ   []checks.Difference // confirmed by this run, or known already
	cleared  []checks.Difference // differed when first read, and were equal when read again
	failed   string              // why the last segment could not be read
	failure  string              // why the run could not begin
	leave    string              // "running" or "settling": how far it comes
	segments int
	reasons  map[string]int64
	waits    map[string]int64
	took     time.Duration
	keys     []sources.Key // compared alone; none is everything
}

func (h *history) facts(check, replica string) ledger.EdgeFacts {
	h.t.Helper()
	c := h.declared.Check(check)
	for i := range c.Edges {
		if c.Edges[i].Name == replica {
			return ledger.EdgeFacts{Check: c.Check, I: i, Lens: h.lens}
		}
	}
	h.t.Fatalf("there is no edge %s → %s", check, replica)
	return ledger.EdgeFacts{}
}

// run records a run of an edge from its beginning to its end.
func (h *history) run(check, replica string, p pass) *ledger.Run {
	h.t.Helper()
	ctx, facts := h.t.Context(), h.facts(check, replica)
	p.segments, p.took = max(p.segments, 1), max(p.took, time.Second)
	r := &ledger.Run{Check: check, Replica: replica, Trigger: ledger.BySchedule, Actor: "plumbline", Generation: 1, Keys: p.keys}
	none := func(*ledger.Tx) error { return nil }
	h.must(h.ledger.CreateRuns(ctx, []*ledger.Run{r}, none))
	r, err := h.ledger.ClaimRun(ctx, r.ID, "test")
	h.must(err)
	if p.failure != "" {
		h.clock.pass(p.took)
		h.must(h.ledger.EndRun(ctx, r, p.failure, checks.Error))
		return r
	}
	r.Plan = checks.Plan{Kind: checks.PlanRanges, Passes: []checks.Pass{{Drive: checks.OwnerSide}}, Why: []string{"bytes: the declared types differ"}}
	r.Estimate = p.equal + int64(len(p.differ))
	segments := make([]ledger.Segment, p.segments)
	for i := range segments {
		segments[i] = ledger.Segment{N: i, Plan: checks.Segment{Pass: r.Plan.Passes[0], Estimate: r.Estimate / int64(p.segments)}}
	}
	h.must(h.ledger.PlanRun(ctx, r, segments, none))
	for i := range segments {
		if p.leave == "running" && i > p.segments*2/3 {
			return r
		}
		h.segment(r, i, p, facts)
	}
	if p.leave != "settling" {
		h.confirm(check, replica, p, facts)
	}
	return r
}

// segment reads one segment: its share of what is equal, and in the first all that differs.
func (h *history) segment(r *ledger.Run, i int, p pass, facts ledger.EdgeFacts) {
	h.t.Helper()
	ctx, settle := h.t.Context(), facts.Check.Edges[facts.I].Settle
	s, _, err := h.ledger.ClaimSegment(ctx, r.ID, i, "test")
	h.must(err)
	h.clock.pass(p.took / time.Duration(p.segments))
	if p.failed != "" && i == p.segments-1 {
		h.must(h.ledger.FailSegment(ctx, s, p.failed))
		return
	}
	equal := p.equal / int64(p.segments)
	progress := ledger.Progress{Read: equal, Done: true, Counts: checks.Counts{OwnerRecords: equal, ReplicaRecords: equal, Equal: equal}}
	if i == 0 {
		for _, d := range append(append([]checks.Difference(nil), p.differ...), p.cleared...) {
			progress.Suspects = append(progress.Suspects, checks.Suspect{Key: d.Key, ID: d.ID, FirstSeen: h.clock.now(), Since: h.clock.now()})
		}
		progress.Read += int64(len(progress.Suspects))
		progress.Counts.OwnerRecords += int64(len(progress.Suspects))
		progress.Reasons, progress.Waits = p.reasons, p.waits
	}
	_, err = h.ledger.RecordSegment(ctx, s, progress, h.clock.now(), settle, facts)
	h.must(err)
}

// confirm judges what is pending once it has settled.
func (h *history) confirm(check, replica string, p pass, facts ledger.EdgeFacts) {
	h.t.Helper()
	ctx, settle := h.t.Context(), facts.Check.Edges[facts.I].Settle
	h.clock.pass(settle + time.Second)
	differ := map[string]*checks.Difference{}
	for i := range p.differ {
		differ[p.differ[i].Key.Encode()+"/"+p.differ[i].ID.Encode()] = &p.differ[i]
	}
	term, err := h.ledger.ClaimEdge(ctx, check, replica, "test")
	h.must(err)
	for {
		due, err := h.ledger.DueSuspects(ctx, check, replica, h.clock.now(), 1000)
		h.must(err)
		if len(due) == 0 {
			return
		}
		verdicts := make([]checks.Verdict, 0, len(due))
		for i := range due {
			v := checks.Verdict{Suspect: &due[i], Outcome: checks.Cleared, Cleared: checks.ClearedEqual, Counts: checks.Counts{Equal: 1, SuspectsCleared: 1}}
			if d := differ[due[i].Key.Encode()+"/"+due[i].ID.Encode()]; d != nil {
				seen := *d
				seen.FirstSeen, seen.LastSeen = due[i].FirstSeen, h.clock.now()
				v = checks.Verdict{Suspect: &due[i], Outcome: checks.Confirmed, Difference: &seen}
				switch d.Kind {
				case checks.Missing:
					v.Counts.Missing = 1
				case checks.Extra:
					v.Counts.Extra = 1
				default:
					v.Counts.Mismatch = 1
				}
			}
			verdicts = append(verdicts, v)
		}
		h.must(h.ledger.RecordVerdicts(ctx, facts, term, "test", verdicts, h.clock.now(), settle))
	}
}

func (h *history) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// serve answers pages of the ledger, with nobody at work.
func (h *history) serve(auditor web.Auditor) *httptest.Server {
	h.t.Helper()
	return h.serving(web.Options{Auditor: auditor})
}

// serveTo is serve where every request is somebody's.
func (h *history) serveTo(a *access.Actor) *httptest.Server {
	h.t.Helper()
	return h.serving(web.Options{Actor: a})
}

func (h *history) serving(o web.Options) *httptest.Server {
	h.t.Helper()
	o.Ledger, o.Declared, o.Lens, o.Version, o.Now = h.ledger, func() *web.Declared { return h.declared }, h.lens, "test", h.clock.now
	o.Sources = func() map[string]web.SourceState { return h.sources }
	s, err := web.New(o)
	h.must(err)
	server := httptest.NewServer(s.Handler())
	h.t.Cleanup(server.Close)
	return server
}

// check declares a check with one replica and a few fields of the same name.
func check(name, team, severity string, owner, replica checks.Side, fields ...string) web.DeclaredCheck {
	edge := checks.Edge{Name: replica.Source, Replica: replica, Settle: 30 * time.Second}
	for _, f := range fields {
		edge.Rules = append(edge.Rules, checks.Rule{Owner: checks.FieldRef{Name: f}, Replica: checks.FieldRef{Name: f}, Precision: -1})
	}
	return web.DeclaredCheck{Check: &checks.Check{Name: name, Team: team, Severity: severity, Owner: owner, Edges: []checks.Edge{edge}}, Spec: "*/30 * * * *", Interval: 30 * time.Minute}
}

func side(source, kind, dataset string) checks.Side {
	return checks.Side{Source: source, Kind: kind, Dataset: sources.Dataset{Name: dataset, Key: []string{"id"}}}
}

// mismatch is a record that differs in one field.
func mismatch(id int64, field, owner, replica string) checks.Difference {
	return checks.Difference{Kind: checks.Mismatch, Key: sources.Key{sources.Int(id)}, Fields: []checks.FieldDifference{
		{Owner: field, Replica: field, OwnerValue: sources.Text(owner), ReplicaValue: sources.Text(replica), Rule: "exact"}}}
}

func oneSided(kind checks.DifferenceKind, id int64) checks.Difference {
	return checks.Difference{Kind: kind, Key: sources.Key{sources.Int(id)}}
}
