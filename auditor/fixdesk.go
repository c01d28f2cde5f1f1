package auditor

import (
	"context"

	"plumbline/access"
	"plumbline/reconciler"
)

// What people do with plans of fixes. Besides what each says, every method is a
// *reconciler.Refusal where the plan is not, or no longer, what it must be for
// that, with what changed and what to do next.

// Using is the same Desk where fixes are drafted and applied by f: for a command
// that acts on the ledger itself, without an auditor.
func (d *Desk) Using(f *Fixes) *Desk {
	desk := *d
	desk.fixes = f
	return &desk
}

// fixing is who drafts and applies for those who come to the desk.
func (d *Desk) fixing() (*Fixes, error) {
	if d.fixes == nil {
		return nil, &NotPossible{"nobody works in this process: start plumbline serve"}
	}
	return d.fixes, nil
}

// person is who asks, as plans name them.
func person(ctx context.Context) reconciler.Person {
	a := access.ActorOf(ctx)
	return reconciler.Person{Account: a.Account, Name: a.Name}
}

// DraftFix drafts and keeps a plan. *ledger.NotFoundError, *NotPossible.
func (d *Desk) DraftFix(ctx context.Context, r FixRequest) (*reconciler.Plan, error) {
	p, items, err := d.TryFix(ctx, r)
	if err == nil {
		err = d.ledger.KeepPlan(ctx, p, items)
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// TryFix is the plan that DraftFix would draft, of which nothing is kept: stores
// are read, by credentials that need not be able to write.
func (d *Desk) TryFix(ctx context.Context, r FixRequest) (*reconciler.Plan, []reconciler.Item, error) {
	if err := access.Require(ctx, access.Act); err != nil {
		return nil, nil, err
	}
	f, err := d.fixing()
	if err != nil {
		return nil, nil, err
	}
	return f.draft(ctx, r, person(ctx))
}

// RehearseFix says of each item of a plan what applying it now would come to.
// Nothing is kept, and nothing is written.
func (d *Desk) RehearseFix(ctx context.Context, plan string) ([]reconciler.Item, error) {
	if err := access.Require(ctx, access.Act); err != nil {
		return nil, err
	}
	f, err := d.fixing()
	if err != nil {
		return nil, err
	}
	return f.rehearse(ctx, plan)
}

// AskApproval has a draft wait for approval, of which people are told.
func (d *Desk) AskApproval(ctx context.Context, plan, hash string) (*reconciler.Plan, error) {
	if err := access.Require(ctx, access.Act); err != nil {
		return nil, err
	}
	if err := d.somebodyElse(ctx, plan); err != nil {
		return nil, err
	}
	return d.ledger.AskApproval(ctx, plan, hash)
}

// ApproveFix is one person's word for a plan as its hash stands for it.
func (d *Desk) ApproveFix(ctx context.Context, plan, hash string) (*reconciler.Plan, error) {
	if err := access.Require(ctx, access.Approve); err != nil {
		return nil, err
	}
	if err := d.somebodyElse(ctx, plan); err != nil {
		return nil, err
	}
	return d.ledger.ApprovePlan(ctx, plan, hash, person(ctx))
}

// somebodyElse refuses to approve, or to ask for it, where there is nobody but
// the local user and somebody else is to approve.
func (d *Desk) somebodyElse(ctx context.Context, plan string) error {
	p, err := d.ledger.Plan(ctx, plan)
	if err != nil || p.Needs == 0 {
		return err
	}
	there, err := d.ledger.HasAccounts(ctx)
	if err != nil || there {
		return err
	}
	return &reconciler.Refusal{Plan: p.ID, Why: "somebody else than who drafted it is to approve it, and there are no accounts",
		Next: "Make accounts, or set fix.approvals to 0."}
}

// WithdrawFix takes a plan back that was not begun, or rejects it; of one that is
// being applied, what is left of it.
func (d *Desk) WithdrawFix(ctx context.Context, plan, reason string) (*reconciler.Plan, error) {
	if err := access.Require(ctx, access.Act); err != nil {
		return nil, err
	}
	reason, err := written("reason", reason)
	if err != nil {
		return nil, err
	}
	return d.ledger.WithdrawPlan(ctx, plan, reason, person(ctx))
}

// ApplyFix has an approved plan applied, or what is left of one that stopped, and
// returns it as it is then. One that is begun already stays as it is. Where the
// plan needs nobody's approval, whoever may approve applies it at once, and that
// is the approval. *ledger.NotFoundError, *NotPossible.
func (d *Desk) ApplyFix(ctx context.Context, plan, hash string) (*reconciler.Plan, error) {
	if err := access.Require(ctx, access.Act); err != nil {
		return nil, err
	}
	f, err := d.fixing()
	if err != nil {
		return nil, err
	}
	p, err := d.ledger.Plan(ctx, plan)
	if err != nil {
		return nil, err
	}
	if p.Needs == 0 && (p.State == reconciler.Draft || p.State == reconciler.Waiting) { // to begin it is to approve it
		if err := access.Require(ctx, access.Approve); err != nil {
			return nil, err
		}
	}
	if p, err = f.begin(ctx, p.ID, hash, person(ctx)); err != nil {
		return nil, err
	}
	if f.auditor.river == nil {
		return f.here(ctx, p.ID)
	}
	return p, nil
}

// UndoFix drafts and keeps the plan that takes another one back.
func (d *Desk) UndoFix(ctx context.Context, plan string) (*reconciler.Plan, error) {
	if err := access.Require(ctx, access.Act); err != nil {
		return nil, err
	}
	f, err := d.fixing()
	if err != nil {
		return nil, err
	}
	p, items, err := f.undo(ctx, plan, person(ctx))
	if err == nil {
		err = d.ledger.KeepPlan(ctx, p, items)
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// FreezeFixes stops fixes of a check, or of all where check is "", between two
// records, until somebody unfreezes them.
func (d *Desk) FreezeFixes(ctx context.Context, check, reason string) error {
	if err := access.Require(ctx, access.Act); err != nil {
		return err
	}
	reason, err := written("reason", reason)
	if err != nil {
		return err
	}
	return d.ledger.FreezeFixes(ctx, reconciler.Freeze{Check: check, By: access.ActorOf(ctx).Name, Reason: reason, At: d.now()})
}

// UnfreezeFixes lets fixes go on that were frozen, of a check or of all.
func (d *Desk) UnfreezeFixes(ctx context.Context, check string) error {
	if err := access.Require(ctx, access.Approve); err != nil {
		return err
	}
	return d.ledger.UnfreezeFixes(ctx, check)
}

// ResumeFixes lets Plumbline fix a check by itself again.
func (d *Desk) ResumeFixes(ctx context.Context, check string) error {
	if err := access.Require(ctx, access.Approve); err != nil {
		return err
	}
	return d.ledger.ResumeFixes(ctx, check)
}
