package ledger

import (
	"context"
	"fmt"
	"strings"
	"time"

	"plumbline/access"
	"plumbline/reconciler"
)

// ByConfiguration approves, in nobody's name, plans that Plumbline drafted where
// the configuration says that they are applied.
func ByConfiguration() reconciler.Person { return reconciler.Person{Name: "the configuration"} }

// AskApproval has a draft wait for approval, which people are told. One that waits
// already is left as it is. *NotFoundError, *reconciler.Refusal.
func (l *Ledger) AskApproval(ctx context.Context, id, hash string) (*reconciler.Plan, error) {
	return l.act(ctx, "ask for approval of", id, hash, func(tx *Tx, p *planRow) error {
		if p.State == reconciler.Waiting {
			return nil
		}
		to, ok := reconciler.Next(p.State, reconciler.EventAsk)
		if !ok {
			return impossible(&p.Plan, "nobody can be asked to approve it")
		}
		if _, err := l.verify(ctx, tx, p); err != nil {
			return err
		}
		p.State, p.asked = to, millis(tx.now())
		if err := tx.savePlan(ctx, p); err != nil {
			return err
		}
		return tx.attestFix(ctx, "ask approval", &p.Plan, kindWords(&p.Plan))
	})
}

// ApprovePlan gives one person's word for a plan as its hash stands for it. It is
// approved once as many have as it needs. Who approved it before changes nothing.
// *NotFoundError, *reconciler.Refusal.
func (l *Ledger) ApprovePlan(ctx context.Context, id, hash string, by reconciler.Person) (*reconciler.Plan, error) {
	by.Name = text(by.Name)
	return l.act(ctx, "approve", id, hash, func(tx *Tx, p *planRow) error {
		given, err := l.counting(ctx, tx, p)
		if err != nil {
			return err
		}
		for _, a := range given {
			if p.State.Live() && same(a.By, by) {
				return nil
			}
		}
		if _, ok := reconciler.Next(p.State, reconciler.EventApprove); !ok {
			return impossible(&p.Plan, "it cannot be approved")
		}
		switch {
		case by == ByConfiguration() && !p.Auto:
			return &reconciler.Refusal{Plan: p.ID, Why: "the configuration approves only plans that Plumbline drafted", Next: "Let somebody approve it."}
		case p.Needs > 0 && !p.Auto && same(by, p.DraftedBy):
			return &reconciler.Refusal{Plan: p.ID, Why: by.Name + " drafted it: whoever drafts a plan does not approve it", Next: "Ask somebody else to approve it."}
		}
		if _, err := l.verify(ctx, tx, p); err != nil {
			return err
		}
		if err := l.approve(ctx, tx, p, given, by); err != nil {
			return err
		}
		detail := fmt.Sprintf("hash %.12s, %d of %d", p.Hash, len(given)+1, max(p.Needs, 1))
		if by == ByConfiguration() {
			detail = fmt.Sprintf("hash %.12s, by the configuration", p.Hash)
		}
		return tx.attestFix(ctx, "approve fix", &p.Plan, detail)
	})
}

// approve adds an approval and, where it is the last that was needed, moves the plan.
func (l *Ledger) approve(ctx context.Context, tx *Tx, p *planRow, given []reconciler.Approval, by reconciler.Person) error {
	a := reconciler.Approval{By: by, Hash: p.Hash, At: timeOf(millis(tx.now()))}
	_, err := tx.exec(ctx, `INSERT INTO plan_approvals (plan, account, name, hash, at, seal) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (plan, account, name) DO UPDATE SET hash = excluded.hash, at = excluded.at, seal = excluded.seal`,
		p.ID, by.Account, by.Name, a.Hash, millis(a.At), l.approvalSeal(p.ID, &a))
	if err != nil {
		return fmt.Errorf("keep an approval of %s: %w", p.ID, err)
	}
	if at, ok := enough(&p.Plan, append(given, a)); ok {
		p.State, _ = reconciler.Next(p.State, reconciler.EventApprove)
		p.ApprovedAt, p.ExpiresAt = at, at.Add(reconciler.ApprovedFor)
	}
	return tx.savePlan(ctx, p)
}

// WithdrawPlan takes a plan back, or rejects it, before it is begun; of one that is
// being applied, what is left of it. One that was withdrawn, or expired, is left as
// it is. *NotFoundError, *reconciler.Refusal.
func (l *Ledger) WithdrawPlan(ctx context.Context, id, reason string, by reconciler.Person) (*reconciler.Plan, error) {
	words := "withdrawn by " + by.Name
	if reason = strings.TrimSpace(reason); reason != "" {
		words += ": " + reason
	}
	known, err := l.Plan(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("withdraw a plan: %w", err)
	}
	if known.State == reconciler.Applying {
		return l.stopPlan(ctx, id, words)
	}
	return l.act(ctx, "withdraw", id, "", func(tx *Tx, p *planRow) error {
		if p.State == reconciler.Expired {
			return nil
		}
		to, ok := reconciler.Next(p.State, reconciler.EventWithdraw)
		if !ok {
			return impossible(&p.Plan, "it cannot be withdrawn")
		}
		if err := tx.end(ctx, p, to, words); err != nil {
			return err
		}
		if err := tx.undoIsOver(ctx, p); err != nil {
			return err
		}
		return tx.attestFix(ctx, "withdraw fix", &p.Plan, "")
	})
}

// act does something to a plan that the transaction holds. One whose time was
// over expires instead, which is kept though the act is refused.
func (l *Ledger) act(ctx context.Context, verb, id, hash string, do func(*Tx, *planRow) error) (after *reconciler.Plan, err error) {
	var refused *reconciler.Refusal
	err = l.InTx(ctx, func(tx *Tx) error {
		refused = nil
		p, err := tx.lockPlan(ctx, id)
		if err != nil {
			return err
		}
		if refused = asSeen(p, hash); refused == nil {
			refused, err = l.lapse(ctx, tx, p, tx.now())
		}
		if err == nil && refused == nil {
			err = do(tx, p)
		}
		if err != nil {
			return err
		}
		list, err := l.withApprovals(ctx, tx.sql, []*planRow{p})
		if err == nil {
			after = list[0]
		}
		return err
	})
	if err == nil && refused != nil {
		err = refused
	}
	if err != nil {
		return nil, fmt.Errorf("%s a plan: %w", verb, err)
	}
	return after, nil
}

// asSeen says whether a plan is the one that somebody saw; "" is not asked.
func asSeen(p *planRow, hash string) *reconciler.Refusal {
	if hash == "" || hash == p.Hash {
		return nil
	}
	return &reconciler.Refusal{Plan: p.ID, Why: fmt.Sprintf("its hash is %.12s, and not %.12s, which you saw", p.Hash, hash), Next: "Look at the plan again."}
}

// counting reads the approvals of a plan that count.
func (l *Ledger) counting(ctx context.Context, tx *Tx, p *planRow) ([]reconciler.Approval, error) {
	all, err := approvals(ctx, tx.sql, []string{p.ID})
	if err != nil {
		return nil, err
	}
	return l.given(p, all), nil
}

// lapse ends a plan whose time is over, by what is sealed of it, and says so.
func (l *Ledger) lapse(ctx context.Context, tx *Tx, p *planRow, now time.Time) (*reconciler.Refusal, error) {
	to, ok := reconciler.Next(p.State, reconciler.EventExpire)
	if !ok {
		return nil, nil
	}
	over, why := p.DraftedAt.Add(reconciler.DraftFor), "nobody approved it within 15 minutes"
	if p.Needs == 0 {
		why = "nobody applied it within 15 minutes"
	}
	if p.State == reconciler.Approved {
		given, err := l.counting(ctx, tx, p)
		if err != nil {
			return nil, err
		}
		if at, ok := enough(&p.Plan, given); ok {
			over, why = at.Add(reconciler.ApprovedFor), "it was approved, and nobody applied it within 24 hours"
		}
	}
	if now.Before(over) {
		return nil, nil
	}
	if err := tx.end(ctx, p, to, why); err != nil {
		return nil, err
	}
	if err := tx.undoIsOver(ctx, p); err != nil {
		return nil, err
	}
	return &reconciler.Refusal{Plan: p.ID, Why: "it has expired: " + why, Next: "Draft the plan again."}, nil
}

// same says whether two are one person, as far as can be told.
func same(a, b reconciler.Person) bool {
	return access.SamePerson(a.Account, a.Name, b.Account, b.Name)
}

// impossible refuses an act that a plan's state does not allow, and says what
// does next.
func impossible(p *reconciler.Plan, why string) *reconciler.Refusal {
	r := &reconciler.Refusal{Plan: p.ID, Why: fmt.Sprintf("it is %s: %s", p.State, why)}
	switch p.State {
	case reconciler.Draft, reconciler.Waiting:
		r.Next = "Let somebody approve it first."
	case reconciler.Approved:
		r.Next = "Apply it, or withdraw it."
	case reconciler.Applying:
		r.Next = "Wait until it ends, or withdraw what is left of it; freezing fixes stops it between two records."
	case reconciler.Applied:
		r.Next = "Undo it to take it back."
	case reconciler.PartlyApplied, reconciler.Failed:
		if r.Next = "Draft a plan of what is left."; resumable(p) {
			r.Next = "Apply it again to go on with what is pending."
		}
	case reconciler.Stale, reconciler.Expired:
		r.Next = "Draft the plan again."
	case reconciler.Undone:
		r.Next = "Draft a new plan to put it right again."
	}
	return r
}
