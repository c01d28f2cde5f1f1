package reconciler_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/ledger/ledgertest"
	"plumbline/reconciler"
	"plumbline/sources"
)

// shop is a check of an owner and one replica, with a ledger of its own.
type shop struct {
	testing.TB
	owner, replica place
	check          *checks.Check
	edge           *reconciler.Edge
	fixer          *sources.Fixer
	ledger         *ledger.Ledger
	facts          ledger.EdgeFacts
	journal        reconciler.Journal
	readers        map[string]*sources.Reader
	passed         atomic.Int64 // how far the ledger's clock is ahead
}

// now is the ledger's clock.
func (s *shop) now() time.Time { return time.Now().Add(time.Duration(s.passed.Load())) }

// newShop has the replica in a store of a kind; change, which may be nil, changes
// the check before it is opened.
func newShop(t testing.TB, kind string, change func(c *checks.Check, p *reconciler.Policy)) *shop {
	t.Helper()
	s := &shop{TB: t, owner: newPlace(t, "sqlite", "products"), replica: newPlace(t, kind, "items")}
	s.check = &checks.Check{Name: "prices", Severity: "high", Findings: 10_000, Owner: checks.Side{Source: "catalog", Kind: "sqlite", Dataset: s.owner.dataset(), Forms: make([]checks.KeyForm, 1)},
		Edges: []checks.Edge{{Name: "basket", Replica: checks.Side{Source: "basket", Kind: kind, Dataset: s.replica.dataset(), Forms: make([]checks.KeyForm, 1)}}}}
	for _, name := range []string{"price", "title", "version"} {
		s.check.Edges[0].Rules = append(s.check.Edges[0].Rules, checks.Rule{Owner: checks.FieldRef{Name: name}, Replica: checks.FieldRef{Name: name}, Precision: -1})
	}
	policy := reconciler.Policy{Mode: reconciler.ModePropose, By: reconciler.Write, Allow: []reconciler.Allow{"update", "delete"}, MaxRecords: 10_000, MaxShare: 100}
	if change != nil {
		change(s.check, &policy)
	}
	s.open(policy)
	return s
}

// templates are what the ledgers of the tests are copied from.
var templates = &ledgertest.Templates{}

func (s *shop) open(policy reconciler.Policy) {
	t := s.TB
	t.Helper()
	s.edge = &reconciler.Edge{Check: s.check, Policy: policy, CheckHash: "hash of the check", CanHide: true,
		Lens: drift.Lens{Masker: drift.NewMasker(bytes.Repeat([]byte{8}, drift.MaskKeySize)), Scrub: func(text string) string { return text }}}
	s.read()
	s.fixer = sources.NewFixer("basket", openSource(t, s.replica, "basket", true), sources.Limits{})
	s.facts = ledger.EdgeFacts{Check: s.check, Lens: s.edge.Lens}
	var err error
	s.ledger, err = ledger.Open(t.Context(), templates.URL(t, "sqlite"), ledger.Options{Now: s.now})
	must(t, err)
	s.journal = s.ledger.FixJournal()
	must(t, s.ledger.Declare(t.Context(), 1, []ledger.Edge{{Check: s.check.Name, Replica: s.edge.Name()}}, nil))
	t.Cleanup(func() {
		must(t, s.ledger.Close())
		s.close()
	})
}

// read opens both sides with credentials that read.
func (s *shop) read() {
	s.TB.Helper()
	s.readers = map[string]*sources.Reader{}
	for name, p := range map[string]place{"catalog": s.owner, "basket": s.replica} {
		s.readers[name] = sources.NewReader(name, openSource(s.TB, p, name, false), sources.Limits{}, nil)
	}
	settle := time.Duration(0)
	var err error
	s.edge.Owner, s.edge.Replica = s.readers["catalog"], s.readers["basket"]
	s.edge.Audit, err = checks.Open(s.TB.Context(), s.check, 0, func(name string) (*sources.Reader, error) { return s.readers[name], nil }, checks.Options{Settle: &settle})
	must(s.TB, err)
}

// close closes every session of Plumbline's.
func (s *shop) close() {
	s.TB.Helper()
	for _, r := range s.readers {
		must(s.TB, r.Close())
	}
	s.readers = nil
	if s.fixer != nil {
		must(s.TB, s.fixer.Close())
	}
	s.fixer = nil
}

func noJobs(*ledger.Tx) error { return nil }

// differing reads keys as a run does, and returns the findings of those that differ.
func (s *shop) differing(ids ...int64) []*drift.Finding {
	t, ctx := s.TB, s.TB.Context()
	t.Helper()
	run := &ledger.Run{Check: s.check.Name, Replica: s.edge.Name(), Trigger: ledger.BySchedule, Actor: drift.Plumbline, Generation: 1}
	must(t, s.ledger.CreateRuns(ctx, []*ledger.Run{run}, noJobs))
	run, err := s.ledger.ClaimRun(ctx, run.ID, "worker")
	must(t, err)
	run.Plan = s.edge.Audit.Plan()
	must(t, s.ledger.PlanRun(ctx, run, []ledger.Segment{{Plan: checks.Segment{Pass: checks.Pass{Drive: checks.OwnerSide}}}}, noJobs))
	segment, _, err := s.ledger.ClaimSegment(ctx, run.ID, 0, "worker")
	must(t, err)
	var suspects []checks.Suspect
	for _, id := range ids {
		suspects = append(suspects, checks.Suspect{Key: sources.Key{sources.Int(id)}, FirstSeen: time.Now(), Since: time.Now(), Known: true})
	}
	_, err = s.ledger.RecordSegment(ctx, segment, ledger.Progress{Read: 1000, Done: true, Counts: checks.Counts{OwnerRecords: 1000, ReplicaRecords: 1000}, Suspects: suspects}, time.Now(), 0, s.facts)
	must(t, err)
	verdicts, err := s.edge.Audit.Judge(ctx, suspects)
	must(t, err)
	term, err := s.ledger.ClaimEdge(ctx, s.check.Name, s.edge.Name(), "worker")
	must(t, err)
	must(t, s.ledger.RecordVerdicts(ctx, s.facts, term, "worker", verdicts, time.Now(), 0))
	var findings []*drift.Finding
	for _, id := range ids {
		f, err := s.ledger.Finding(ctx, s.finding(id))
		must(t, err)
		findings = append(findings, f)
	}
	return findings
}

func (s *shop) finding(id int64) string {
	return s.edge.Lens.Masker.FindingID(s.check.Name, s.edge.Name(), sources.Key{sources.Int(id)}, nil)
}

// known are facts in which no guard fails.
func known() reconciler.Facts {
	return reconciler.Facts{Open: 1, Compared: 1000, Now: time.Now()}
}

func (s *shop) known() reconciler.Facts {
	f := known()
	f.Now = s.now()
	return f
}

// draft proposes a plan of findings and keeps it.
func (s *shop) draft(findings []*drift.Finding) (*reconciler.Plan, []reconciler.Item) {
	s.TB.Helper()
	p, items, err := reconciler.Propose(s.TB.Context(), s.edge, findings, "all open findings", s.known())
	must(s.TB, err)
	return s.keep(p, items)
}

func (s *shop) keep(p *reconciler.Plan, items []reconciler.Item) (*reconciler.Plan, []reconciler.Item) {
	s.TB.Helper()
	must(s.TB, s.ledger.KeepPlan(s.TB.Context(), p, items))
	return p, items
}

// begin begins a plan that needs no approval.
func (s *shop) begin(p *reconciler.Plan) {
	s.TB.Helper()
	_, _, err := s.ledger.BeginPlan(s.TB.Context(), p.ID, p.Hash, p.CheckHash, reconciler.Person{Name: "ann"}, noJobs)
	must(s.TB, err)
}

func (s *shop) applier() *reconciler.Applier {
	return &reconciler.Applier{Edge: s.edge, Fixer: s.fixer, Journal: s.journal, Worker: "worker", Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

// seeing is the auditor's part after each item: both sides are read again.
func (s *shop) seeing(ctx context.Context, i *reconciler.Item) error {
	verdicts, err := s.edge.Audit.Judge(ctx, []checks.Suspect{{Key: i.Key, ID: i.CopyID, Known: true}})
	if err != nil {
		return err
	}
	term, err := s.ledger.ClaimEdge(ctx, s.check.Name, s.edge.Name(), "worker")
	if err != nil {
		return err
	}
	return s.ledger.RecordRechecks(ctx, s.facts, term, "worker", "", verdicts, time.Now())
}

// apply begins a plan and applies it to its end.
func (s *shop) apply(p *reconciler.Plan, a *reconciler.Applier) *reconciler.Plan {
	t := s.TB
	t.Helper()
	s.begin(p)
	return s.goOn(p, a)
}

// goOn applies what is left of a plan that was begun.
func (s *shop) goOn(p *reconciler.Plan, a *reconciler.Applier) *reconciler.Plan {
	t := s.TB
	t.Helper()
	claimed, hashes, err := s.ledger.ClaimPlan(t.Context(), p.ID, a.Worker)
	must(t, err)
	done, wait, err := a.Apply(t.Context(), claimed, hashes)
	if err != nil || !done {
		t.Fatalf("applying %s: done %t, wait %s, %v", p.ID, done, wait, err)
	}
	ended, err := s.ledger.EndPlan(t.Context(), p.ID)
	must(t, err)
	return ended
}

// undo drafts and keeps the plan that takes another back.
func (s *shop) undo(of *reconciler.Plan) (*reconciler.Plan, []reconciler.Item, error) {
	s.TB.Helper()
	p, items, err := reconciler.ProposeUndo(s.TB.Context(), s.edge, of, s.items(of), s.known())
	if err != nil {
		return p, items, err
	}
	p, items = s.keep(p, items)
	return p, items, nil
}

// items are a plan's, with their content.
func (s *shop) items(p *reconciler.Plan) []reconciler.Item {
	s.TB.Helper()
	items, err := s.ledger.PlanItems(s.TB.Context(), p.ID, ledger.ItemFilter{Content: true})
	must(s.TB, err)
	return items
}

// stock fills both sides with n rows that agree, from 1.
func (s *shop) stock(n int64) {
	for id := int64(1); id <= n; id++ {
		r := row{id: id, price: "12.50", title: "thing " + strconv.FormatInt(id, 10), version: 1}
		s.owner.put(s.TB, r)
		s.replica.put(s.TB, r)
	}
}
