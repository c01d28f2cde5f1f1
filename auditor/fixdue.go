package auditor

import (
	"context"
	"errors"
	"slices"

	"plumbline/ledger"
	"plumbline/reconciler"
)

// due says whether Plumbline may draft a plan of an edge: nothing keeps it from
// doing so, and the last that it drafted is over for long enough.
func (f *Fixes) due(ctx context.Context, name edgeName) (bool, error) {
	a := f.auditor
	if f.tried.lately(name, a.now()) {
		return false, nil
	}
	facts, err := f.facts(ctx, name, nil, true)
	if err != nil || facts.Frozen != nil || facts.Paused != nil {
		return false, err
	}
	plans, _, err := a.ledger.Plans(ctx, ledger.PlanFilter{Check: name.check, Replica: name.replica, Limit: 20})
	if err != nil {
		return false, err
	}
	plans = slices.DeleteFunc(plans, func(p *reconciler.Plan) bool { return !p.Auto })
	if len(plans) == 0 {
		return true, nil
	}
	p, now := plans[0], a.now() // the newest
	if outdated, err := f.outdate(ctx, name, plans); err != nil || outdated {
		return outdated, err
	}
	switch applies := a.book.Load().policy(name.check, name.replica).Mode == reconciler.ModeApply; {
	case applies && (p.State == reconciler.Draft || p.State == reconciler.Approved): // whoever drafted it was ended half way
		return true, nil
	case p.State.Live() && applies:
		return false, nil
	case p.State.Live(): // what it is not about has another, ever more seldom while people look at none
		live := 0
		for ; live < len(plans) && plans[live].State.Live(); live++ {
		}
		return now.Sub(p.DraftedAt) >= draftAgain<<min(live-1, draftSeldom), nil
	case p.State == reconciler.Expired && p.EndedAt.Before(p.DraftedAt.Add(reconciler.DraftFor)): // somebody took it back
		return now.Sub(p.EndedAt) >= rejectedFor, nil
	case p.State == reconciler.Expired:
		return true, nil
	}
	return p.BegunAt.IsZero() || now.Sub(p.EndedAt) >= draftAgain, nil // what was outdated is drafted again at once
}

// outdate ends what waits of a check that was changed since, and keeps what it is
// about from another plan.
func (f *Fixes) outdate(ctx context.Context, name edgeName, plans []*reconciler.Plan) (outdated bool, err error) {
	c := f.auditor.book.Load().checks[name.check]
	for _, p := range plans {
		if c == nil || !p.State.Live() || p.State == reconciler.Applying || p.CheckHash == c.FixHash {
			continue
		}
		ended, err := f.auditor.ledger.OutdatePlan(ctx, p.ID, c.FixHash)
		var refused *reconciler.Refusal
		if err != nil && !errors.As(err, &refused) { // it had its end already
			return outdated, err
		}
		outdated = outdated || err == nil && !ended.State.Live()
	}
	return outdated, nil
}
