package auditor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/riverqueue/river"

	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
)

const (
	// fixEvery is how often plans are looked after.
	fixEvery = 2 * time.Second
	// lookAgainEvery is how often what was fixed, and not yet seen in effect, is
	// read again, and lookAgainMost how much of it at once.
	lookAgainEvery = 15 * time.Second
	lookAgainMost  = 100
	// unseenFor is how long a fix may not be seen in effect, where three times the
	// edge's settle time is not longer.
	unseenFor = 10 * time.Minute
	// draftAgain is how long Plumbline leaves an edge alone after a plan of its own
	// that was applied, rejectedFor after one that people took back. While plans of
	// its own wait, it doubles with each, draftSeldom times at most.
	draftAgain  = 30 * time.Second
	draftSeldom = 5
	rejectedFor = reconciler.DraftFor
)

// NotSeen is the note of an item whose effect was never read.
const NotSeen = "not seen in effect"

// keepFixing ends plans whose time is over, sees to it that what was fixed is
// read, and has plans drafted where the configuration wants them, until ctx ends.
func (a *Auditor) keepFixing(ctx context.Context) {
	var looked time.Time
	every(ctx, fixEvery, func() {
		if a.behind() || a.book.Load().isClosed() {
			return
		}
		_, err := a.ledger.ExpirePlans(ctx, a.now())
		a.logged(ctx, "end plans whose time is over", err)
		_, err = a.ledger.EndNeedless(ctx)
		a.logged(ctx, "end plans that nobody needs", err)
		if time.Since(looked) >= lookAgainEvery {
			looked = time.Now()
			a.logged(ctx, "look for fixes that were not seen in effect", a.fixes.lookAgain(ctx))
		}
		a.logged(ctx, "look for what Plumbline is to put right", a.fixes.queueProposals(ctx))
	})
}

// lookAgain reads what was fixed and not yet seen in effect, and gives up on what
// was not for too long.
func (f *Fixes) lookAgain(ctx context.Context) error {
	a := f.auditor
	unseen, err := a.ledger.Unseen(ctx, a.now(), lookAgainMost)
	if err != nil {
		return err
	}
	plans := map[string]*reconciler.Plan{}
	for i := range unseen {
		item := &unseen[i]
		p := plans[item.Plan]
		if p == nil {
			if p, err = a.ledger.Plan(ctx, item.Plan); err != nil {
				return err
			}
			plans[item.Plan] = p
		}
		if err := f.lookAgainAt(ctx, p, item); err != nil {
			return err
		}
	}
	return nil
}

func (f *Fixes) lookAgainAt(ctx context.Context, p *reconciler.Plan, item *reconciler.Item) error {
	a := f.auditor
	err := a.hold(func(b *book) error {
		edge, ok := b.edge(p.Check, p.Replica)
		if !ok { // nobody can read it any more
			return a.ledger.GiveUpSeeing(ctx, item.Plan, item.N, NotSeen+": its check is no longer configured")
		}
		patience := max(unseenFor, 3*settleOf(edge))
		reading, cancel := context.WithTimeout(ctx, recheckTimeout)
		defer cancel()
		if err := contained(func() error { return f.verify(reading, b, edge, item.Finding) }); err != nil {
			a.log.Info("a fixed record could not be read", "plan", item.Plan, "check", p.Check, "error", drift.Keyless(a.shown(edge, err)))
		}
		found, err := a.ledger.Finding(ctx, item.Finding)
		if err != nil || found.State != drift.Fixing || a.now().Sub(item.EndedAt) < patience {
			return err
		}
		if err := a.ledger.GiveUpSeeing(ctx, item.Plan, item.N, NotSeen); err != nil {
			return err
		}
		return f.pause(ctx, p.Check, fmt.Sprintf("a fix of %s was not seen in effect within %s", p.ID, patience))
	})
	var snoozed *river.JobSnoozeError
	if errors.As(err, &snoozed) {
		return nil // by the next configuration, then
	}
	return err
}

// queueProposals queues the edges of which Plumbline is to draft a plan by itself.
func (f *Fixes) queueProposals(ctx context.Context) error {
	a, b := f.auditor, f.auditor.book.Load()
	var wanted []edgeName
	for _, check := range b.order {
		for i := range b.checks[check].Check.Edges {
			name := edgeName{check, b.checks[check].Check.Edges[i].Name}
			if p := b.policy(name.check, name.replica); p.Mode != reconciler.ModeOff {
				wanted = append(wanted, name)
			}
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	edges, err := a.ledger.Edges(ctx)
	if err != nil {
		return err
	}
	open := map[edgeName]bool{}
	for i := range edges {
		for _, t := range edges[i].Open {
			open[edgeName{edges[i].Check, edges[i].Replica}] = open[edgeName{edges[i].Check, edges[i].Replica}] || t.N > 0 && t.State.Open() && t.State != drift.Fixing
		}
	}
	var jobs []river.InsertManyParams
	for _, name := range wanted {
		if !open[name] {
			continue
		}
		due, err := f.due(ctx, name)
		if err != nil {
			return err
		}
		if due {
			jobs = append(jobs, proposeJob{fixWork(b, name.check, name.replica)}.insert())
		}
	}
	if len(jobs) == 0 {
		return nil
	}
	return a.ledger.InTx(ctx, func(tx *ledger.Tx) error { return a.insert(ctx, tx, jobs) })
}

// workPropose drafts a plan of what is open of an edge and no other plan is
// about. Where the configuration says so, it is approved by that and begun.
func (a *Auditor) workPropose(ctx context.Context, job *river.Job[proposeJob]) error {
	f, name := a.fixes, edgeName{job.Args.Check, job.Args.Replica}
	due, err := f.due(ctx, name)
	if err != nil || !due {
		return err
	}
	err = f.proposeItself(ctx, name)
	var refused *reconciler.Refusal
	switch {
	case errors.As(err, &refused):
		f.tried.note(name, a.now())
		a.log.Info("no plan of fixes is made", "check", name.check, "replica", name.replica, "guards", refused.Guards, "why", drift.Unvalued(refused.Why))
	case err != nil: // the next look tries again
		f.tried.note(name, a.now())
		a.log.Info("a plan of fixes could not be made", "check", name.check, "replica", name.replica, "error", drift.Keyless(err.Error()))
	}
	return nil
}

// proposeItself drafts a plan and, where the configuration says so, has it applied.
func (f *Fixes) proposeItself(ctx context.Context, name edgeName) error {
	a := f.auditor
	p, err := f.unfinished(ctx, name)
	if err == nil && p == nil {
		p, err = f.draftItself(ctx, name)
	}
	if err != nil || p == nil || a.book.Load().policy(name.check, name.replica).Mode != reconciler.ModeApply {
		return err
	}
	if p, err = a.ledger.ApprovePlan(ctx, p.ID, p.Hash, ledger.ByConfiguration()); err != nil {
		return err
	}
	itself := reconciler.Person{Name: drift.Plumbline}
	_, err = f.begin(ctx, p.ID, p.Hash, itself)
	var refused *reconciler.Refusal
	if errors.As(err, &refused) { // what keeps it from being applied is looked at anew with the next
		if _, late := a.ledger.WithdrawPlan(ctx, p.ID, refused.Why, itself); late != nil && !Refused(late) {
			return late
		}
	}
	return err
}

// unfinished is a plan of Plumbline's own that the configuration approves and
// nobody began; nil where there is none.
func (f *Fixes) unfinished(ctx context.Context, name edgeName) (*reconciler.Plan, error) {
	plans, _, err := f.auditor.ledger.Plans(ctx, ledger.PlanFilter{Check: name.check, Replica: name.replica, State: "live", Limit: 100})
	if err != nil {
		return nil, err
	}
	for _, p := range plans {
		if p.Auto && (p.State == reconciler.Draft || p.State == reconciler.Approved) {
			return p, nil
		}
	}
	return nil, nil
}

// draftItself drafts and keeps a plan for nobody in particular; nil where
// nothing is open that it may be about.
func (f *Fixes) draftItself(ctx context.Context, name edgeName) (p *reconciler.Plan, err error) {
	a := f.auditor
	covered, err := f.covered(ctx, name)
	if err != nil {
		return nil, err
	}
	err = f.on(ctx, name, func(ctx context.Context, e *reconciler.Edge) error {
		list, err := f.open(ctx, ledger.FindingFilter{Check: name.check, Replica: name.replica, State: "open"})
		if err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(found *drift.Finding) bool {
			return covered[found.ID] || found.Accepted || found.State == drift.Fixing
		})
		if len(list) == 0 {
			f.tried.note(name, a.now())
			return nil
		}
		if err := f.looping(ctx, name, idsOf(list)); err != nil {
			return err
		}
		var items []reconciler.Item
		if p, items, err = f.propose(ctx, e, list, "all open findings", true); err != nil {
			return err
		}
		p.DraftedBy, p.StopOnError = reconciler.Person{Name: drift.Plumbline}, true
		if err := a.ledger.KeepPlan(ctx, p, items); err != nil {
			return err
		}
		a.log.Info("a plan of fixes was drafted", "plan", p.ID, "check", p.Check, "replica", p.Replica, "items", p.Items(), "state", p.State)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// looping pauses a check of which one record was fixed again and again.
func (f *Fixes) looping(ctx context.Context, name edgeName, findings []string) error {
	facts, err := f.facts(ctx, name, findings, true)
	if err != nil {
		return err
	}
	for id, n := range facts.FixedLately {
		if n >= reconciler.FixedOften {
			why := fmt.Sprintf("%s was fixed %d times within 24 hours and drifted again: something undoes the fixes", id, n)
			if err := f.pause(ctx, name.check, why); err != nil {
				return err
			}
			return &reconciler.Refusal{Why: why, Next: "Find out what, and resume automatic fixes then."}
		}
	}
	return nil
}

// covered are the findings that live plans of an edge are about.
func (f *Fixes) covered(ctx context.Context, name edgeName) (map[string]bool, error) {
	covered := map[string]bool{}
	filter := ledger.PlanFilter{Check: name.check, Replica: name.replica, State: "live", Limit: 100}
	for {
		plans, next, err := f.auditor.ledger.Plans(ctx, filter)
		if err != nil {
			return nil, err
		}
		for _, p := range plans {
			items, err := f.items(ctx, p.ID, false)
			if err != nil {
				return nil, err
			}
			for i := range items {
				covered[items[i].Finding] = true
			}
		}
		if filter.After = next; next == "" {
			return covered, nil
		}
	}
}
