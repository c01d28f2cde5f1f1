package auditor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"plumbline/ledger"
	"plumbline/reconciler"
)

// fixTurn is how long one job applies a plan before it lets others have their turn.
const fixTurn = 30 * time.Second

// begin has a plan applied from now on, or what is left of one that stopped, and
// returns it as it is then; one that is begun already stays as it is.
// *reconciler.Refusal, *ledger.NotFoundError, *NotPossible.
func (f *Fixes) begin(ctx context.Context, id, hash string, by reconciler.Person) (*reconciler.Plan, error) {
	a := f.auditor
	p, err := a.ledger.Plan(ctx, id)
	if err != nil || p.State == reconciler.Applying && p.Hash == hash {
		return p, err
	}
	checkHash, err := f.recheck(ctx, p)
	if err != nil {
		return nil, err
	}
	p, begun, err := a.ledger.BeginPlan(ctx, id, hash, checkHash, by, func(tx *ledger.Tx) error { return f.queue(ctx, tx, p) })
	if err == nil && begun {
		a.log.Info("a plan of fixes was begun", "plan", p.ID, "check", p.Check, "replica", p.Replica, "items", p.Items(), "by", by.Name)
	}
	return p, err
}

// recheck looks at all that was looked at when a plan was drafted, and returns
// the hash of its check as it is now. Of a check that was changed since nothing
// is looked at: the ledger refuses its plan.
func (f *Fixes) recheck(ctx context.Context, p *reconciler.Plan) (checkHash string, err error) {
	switch {
	case p.State == reconciler.Approved, p.State == reconciler.PartlyApplied, p.State == reconciler.Failed:
	case p.Needs == 0 && (p.State == reconciler.Draft || p.State == reconciler.Waiting):
	default:
		return p.CheckHash, nil // the ledger says why it is not to be begun
	}
	items, err := f.items(ctx, p.ID, true)
	if err != nil {
		return "", err
	}
	var findings []string
	for i := range items {
		findings = append(findings, items[i].Finding)
	}
	name := edgeName{p.Check, p.Replica}
	err = f.on(ctx, name, func(ctx context.Context, e *reconciler.Edge) error {
		if checkHash = e.CheckHash; checkHash != p.CheckHash {
			return nil
		}
		if err := off(e); err != nil {
			return err
		}
		facts, err := f.facts(ctx, name, findings, p.Auto)
		if err != nil {
			return err
		}
		_, err = reconciler.Recheck(ctx, e, p, items, facts)
		return err
	})
	return checkHash, err
}

// turn applies a plan for a while. It is over where the plan has its last word;
// else it is to be gone on with after wait.
func (f *Fixes) turn(ctx context.Context, b *book, edge ledger.EdgeFacts, id string) (over bool, wait time.Duration, err error) {
	a := f.auditor
	p, hashes, err := a.ledger.ClaimPlan(ctx, id, a.me)
	if err != nil {
		return false, 0, err
	}
	e, err := f.edge(ctx, b, edge)
	if err != nil {
		return false, 0, err
	}
	journal, outlived := a.ledger.FixJournal(), f.outlived(e, p)
	if why := outlived; why != "" {
		if p.By != reconciler.Write {
			return false, 0, &reconciler.Refusal{Plan: id, Why: why}
		}
		e.CheckHash, journal = p.CheckHash, doubtsOnly{journal}
	}
	applier := &reconciler.Applier{Edge: e, HTTP: a.options.Fixing.HTTP, Journal: journal, Worker: a.me, Now: a.now,
		Observe: a.observer.FixItem, Log: a.log,
		Verify: func(ctx context.Context, i *reconciler.Item) error { return f.verify(ctx, b, edge, i.Finding) }}
	if p.By == reconciler.Write {
		if a.options.Fixing.Fixer == nil {
			return false, 0, errors.New("nothing is written by this process")
		}
		fixer, done, err := a.options.Fixing.Fixer(e.Check.Edges[e.I].Replica.Source)
		if err != nil {
			return false, 0, err
		}
		defer func() { a.logged(ctx, "close what wrote to "+e.Name(), done()) }()
		applier.Fixer = fixer
	}
	until, stop := turnOf(ctx, b)
	defer stop()
	done, wait, err := applier.Apply(until, p, hashes)
	switch {
	case err != nil && ctx.Err() == nil && until.Err() != nil && errors.Is(err, until.Err()):
		return false, 0, nil // the turn is over, and the plan is not
	case err != nil || !done:
		return false, wait, err
	}
	if over, err = f.end(ctx, id, outlived); over {
		return true, 0, err
	}
	return false, endPause, err
}

// outlived says why nothing more is written of a plan that was begun; "" where it goes on.
func (f *Fixes) outlived(e *reconciler.Edge, p *reconciler.Plan) string {
	switch {
	case e.CheckHash != p.CheckHash:
		return "the check, or how it may be fixed, was changed while it was applied"
	case f.auditor.now().Sub(p.BegunAt) >= reconciler.ApprovedFor:
		return "it was begun more than 24 hours ago, and what was looked at then may no longer be so"
	}
	return ""
}

// endPause is how often it is tried to end a plan of which somebody holds an item.
const endPause = 5 * time.Second

// doubtsOnly is a journal of a plan that is not gone on with: what is doubtful is
// looked at, and nothing more is written.
type doubtsOnly struct{ reconciler.Journal }

// ClaimItem implements reconciler.Journal.
func (j doubtsOnly) ClaimItem(ctx context.Context, plan, worker string, hold time.Duration) (*reconciler.Item, error) {
	i, err := j.Journal.ClaimItem(ctx, plan, worker, hold)
	if errors.Is(err, reconciler.ErrFrozen) {
		return nil, nil // nothing is doubtful, and nothing is to be written
	}
	if err != nil || i == nil || i.State == reconciler.Doubtful {
		return i, err
	}
	return nil, j.Release(ctx, i)
}

// Intend implements reconciler.Journal.
func (j doubtsOnly) Intend(context.Context, *reconciler.Item, time.Time) error {
	return reconciler.ErrLost // which nobody may who works by what was approved no longer
}

// turnOf is a context that ends when whoever works by a book is to hand over, or
// has had a turn: an item under way is brought to its end all the same.
func turnOf(ctx context.Context, b *book) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, fixTurn)
	go func() {
		defer cancel()
		select {
		case <-b.closed:
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// end gives a plan its last word; over is false while an item of it is doubtful,
// or somebody holds one.
func (f *Fixes) end(ctx context.Context, id, why string) (over bool, err error) {
	a := f.auditor
	p, err := a.ledger.EndPlanBecause(ctx, id, why)
	if err != nil || p.State == reconciler.Applying {
		return false, err
	}
	a.log.Info("a plan of fixes ended", "plan", p.ID, "check", p.Check, "replica", p.Replica, "state", p.State, "items", p.Items(),
		"verified", p.Counts[reconciler.ItemVerified], "stale", p.Counts[reconciler.ItemStale], "failed", p.Counts[reconciler.ItemFailed])
	if p.Auto && p.Counts[reconciler.ItemFailed] > 0 {
		return true, f.pause(ctx, p.Check, fmt.Sprintf("%s failed on %s", p.ID, countOf(int(p.Counts[reconciler.ItemFailed]), "record", "records")))
	}
	return true, nil
}

// abandon ends a plan that nobody can go on with. Of what is doubtful it says that
// nobody knows; what is pending stays so.
func (f *Fixes) abandon(ctx context.Context, id, why string) (over bool, err error) {
	a := f.auditor
	p, _, err := a.ledger.ClaimPlan(ctx, id, a.me)
	var refused *reconciler.Refusal
	if errors.As(err, &refused) {
		return true, nil // it has ended
	}
	if err != nil {
		return false, err
	}
	a.log.Error("a plan of fixes is not gone on with", "plan", id, "check", p.Check, "replica", p.Replica, "why", why)
	journal := doubtsOnly{a.ledger.FixJournal()}
	for {
		i, err := journal.ClaimItem(ctx, id, a.me, reconciler.HoldFor)
		var held *reconciler.HeldError
		if errors.As(err, &held) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if i == nil {
			return f.end(ctx, id, why)
		}
		i.Note = "whether it was written nobody can say: " + why
		if err := journal.Settle(ctx, i, reconciler.ItemFailed); err != nil {
			return false, err
		}
	}
}

// pause keeps Plumbline from fixing a check by itself.
func (f *Fixes) pause(ctx context.Context, check, reason string) error {
	a := f.auditor
	pauses, err := a.ledger.Pauses(ctx)
	if err != nil {
		return err
	}
	for i := range pauses {
		if pauses[i].Check == check {
			return nil // the first reason stays
		}
	}
	a.log.Warn("automatic fixes are paused", "check", check, "reason", reason)
	return a.ledger.PauseFixes(ctx, reconciler.Pause{Check: check, Reason: reason, At: a.now()})
}

// queue has a plan applied by whoever has a hand free; where nobody works on
// jobs, whoever asked applies it.
func (f *Fixes) queue(ctx context.Context, tx *ledger.Tx, p *reconciler.Plan) error {
	a := f.auditor
	if a.river == nil {
		return nil
	}
	return a.insert(ctx, tx, fixJobs(a.book.Load(), []*reconciler.Plan{p}))
}

// here applies a plan that was begun in this goroutine, to its end. Where
// somebody else works on it, it waits for them.
func (f *Fixes) here(ctx context.Context, id string) (*reconciler.Plan, error) {
	a := f.auditor
	for ctx.Err() == nil {
		p, err := a.ledger.Plan(ctx, id)
		if err != nil || p.State != reconciler.Applying {
			return p, err
		}
		var wait time.Duration
		var refused *reconciler.Refusal
		err = a.hold(func(b *book) error {
			edge, ok := b.edge(p.Check, p.Replica)
			if !ok {
				return &NotPossible{fmt.Sprintf("check %s with replica %s is no longer configured", p.Check, p.Replica)}
			}
			return contained(func() (err error) {
				_, wait, err = f.turn(ctx, b, edge, id)
				if err != nil && !Refused(err) && !errors.Is(err, reconciler.ErrLost) && !errors.Is(err, reconciler.ErrFrozen) && ctx.Err() == nil {
					err = fmt.Errorf("apply %s: %s", id, a.shown(edge, err))
				}
				return err
			})
		})
		switch {
		case errors.Is(err, reconciler.ErrFrozen):
			return nil, &reconciler.Refusal{Plan: id, Why: "fixes were frozen while it was applied", Next: "Unfreeze them and apply it again: it goes on with what is left."}
		case errors.Is(err, reconciler.ErrLost):
			wait = soon()
		case errors.As(err, &refused):
			if _, err := f.abandon(ctx, id, refused.Why); err != nil {
				return nil, err
			}
			return nil, refused
		case err != nil && ctx.Err() == nil:
			return nil, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil, ctx.Err()
}
