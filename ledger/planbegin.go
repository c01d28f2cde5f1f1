package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"plumbline/drift"
	"plumbline/reconciler"
)

// BeginPlan begins to apply a plan, or the rest of one that had stopped, and
// within the same transaction inserts the jobs that do: begun says that this call
// did so, and nobody else. A plan that is applied already, or was, is returned as
// it is. Whoever begins a plan that needs nobody else's approval approves it.
// checkHash is of the check and its policy as they are now. *NotFoundError,
// *reconciler.Refusal.
func (l *Ledger) BeginPlan(ctx context.Context, id, hash, checkHash string, by reconciler.Person, jobs func(*Tx) error) (after *reconciler.Plan, begun bool, err error) {
	var refused *reconciler.Refusal
	err = l.InTx(ctx, func(tx *Tx) error {
		refused, begun = nil, false
		p, err := tx.lockWithEdge(ctx, id)
		if err != nil {
			return err
		}
		if refused = asSeen(p, hash); refused == nil && !underway(&p.Plan) {
			if refused, err = l.begin(ctx, tx, p, checkHash, by); err == nil && refused == nil {
				begun, err = true, jobs(tx)
			}
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
		return nil, false, fmt.Errorf("apply a plan: %w", err)
	}
	return after, begun, nil
}

// underway says that a plan was begun, and that there is nothing to begin again.
func underway(p *reconciler.Plan) bool {
	switch p.State {
	case reconciler.Applying, reconciler.Applied:
		return true
	case reconciler.PartlyApplied, reconciler.Failed, reconciler.Stale:
		return !p.BegunAt.IsZero() && !resumable(p)
	}
	return false
}

// begin moves a plan to applying, once all that speaks against it was looked at.
// What ends the plan is kept, and returned as a refusal.
func (l *Ledger) begin(ctx context.Context, tx *Tx, p *planRow, checkHash string, by reconciler.Person) (*reconciler.Refusal, error) {
	resumed := resumable(&p.Plan)
	if refused, err := l.lapse(ctx, tx, p, tx.now()); err != nil || refused != nil {
		return refused, err
	}
	if refused, err := l.outdated(ctx, tx, p, checkHash); err != nil || refused != nil {
		return refused, err
	}
	if p.Needs == 0 && (p.State == reconciler.Draft || p.State == reconciler.Waiting) {
		given, err := l.counting(ctx, tx, p)
		if err != nil {
			return nil, err
		}
		if err := l.approve(ctx, tx, p, given, by); err != nil {
			return nil, err
		}
	}
	to, ok := reconciler.Next(p.State, reconciler.EventBegin)
	if !ok || p.State != reconciler.Approved && !resumed {
		return nil, impossible(&p.Plan, "it cannot be applied")
	}
	if err := l.mayBegin(ctx, tx, p); err != nil {
		return nil, err
	}
	p.State, p.BegunBy, p.BegunAt = to, by, timeOf(millis(tx.now()))
	p.EndedAt, p.ExpiresAt, p.Reason = timeOf(0), timeOf(0), ""
	if err := l.takeFindings(ctx, tx, p, by); err != nil {
		return nil, err
	}
	if err := tx.savePlan(ctx, p); err != nil {
		return nil, err
	}
	detail := fmt.Sprintf("%s in %s/%s, hash %.12s", kindWords(&p.Plan), p.Check, p.Replica, p.Hash)
	if resumed {
		detail = fmt.Sprintf("the rest of it: %d of %d, hash %.12s", p.Counts[reconciler.Pending], p.Items(), p.Hash)
	}
	return nil, tx.attestFix(ctx, "apply fix", &p.Plan, detail)
}

// OutdatePlan ends a plan that was not begun, and is of another check, or of another
// way to fix it, than checkHash is of: it could be approved, and then not begun.
func (l *Ledger) OutdatePlan(ctx context.Context, id, checkHash string) (*reconciler.Plan, error) {
	return l.act(ctx, "outdate", id, "", func(tx *Tx, p *planRow) error {
		refused, err := l.outdated(ctx, tx, p, checkHash)
		if err != nil || refused == nil {
			return err
		}
		return tx.attestFix(ctx, "fix ended", &p.Plan, refused.Why)
	})
}

// outdated ends a plan whose check was changed since it was drafted.
func (l *Ledger) outdated(ctx context.Context, tx *Tx, p *planRow, checkHash string) (*reconciler.Refusal, error) {
	if p.CheckHash == checkHash {
		return nil, nil
	}
	const why = "the check, or how it may be fixed, was changed since the plan was drafted"
	if to, ok := reconciler.Next(p.State, reconciler.EventOutdate); ok {
		if err := tx.end(ctx, p, to, why); err != nil {
			return nil, err
		}
		if err := tx.undoIsOver(ctx, p); err != nil {
			return nil, err
		}
	}
	return &reconciler.Refusal{Plan: p.ID, Why: why, Next: "Draft the plan again."}, nil
}

// mayBegin says whether fixes are not frozen, the plan is what was approved, by as
// many as it needs and lately, and no other plan is at it. *reconciler.Refusal.
func (l *Ledger) mayBegin(ctx context.Context, tx *Tx, p *planRow) error {
	freeze, err := frozen(ctx, tx.sql, p.Check)
	if err != nil {
		return err
	}
	if freeze != nil {
		return &reconciler.Refusal{Plan: p.ID, Why: freezeWords(freeze), Next: "Unfreeze them first."}
	}
	if _, err := l.verify(ctx, tx, p); err != nil {
		return err
	}
	given, err := l.counting(ctx, tx, p)
	if err != nil {
		return err
	}
	switch at, ok := enough(&p.Plan, given); {
	case !ok:
		return &reconciler.Refusal{Plan: p.ID, Why: fmt.Sprintf("%d of the %d approvals that it needs count: others were not given for what it is now", len(given), max(p.Needs, 1)),
			Next: "Draft the plan again, and have it approved."}
	case p.Needs > 0 && !tx.now().Before(at.Add(reconciler.ApprovedFor)):
		return &reconciler.Refusal{Plan: p.ID, Why: "it was approved more than 24 hours ago", Next: "Draft a plan of what is left, and have it approved."}
	}
	if other := p.UndoneBy; other != "" {
		undo, err := planBy(ctx, tx.sql, other)
		if err == nil && undo.State.Live() {
			return &reconciler.Refusal{Plan: p.ID, Why: other + " is to take it back", Next: "Withdraw " + other + " first."}
		}
		if err != nil && !errors.As(err, new(*NotFoundError)) {
			return err
		}
	}
	if p.Undoes == "" {
		return nil
	}
	undone, err := planBy(ctx, tx.sql, p.Undoes)
	if err == nil && undone.State == reconciler.Applying {
		return &reconciler.Refusal{Plan: p.ID, Why: p.Undoes + ", which it takes back, is being applied", Next: "Wait until that ends."}
	}
	return err
}

// takeFindings moves the findings of a plan's pending items to fixing. Items whose
// findings are resolved, or being fixed by another plan, are stale. To take a plan
// back moves no finding: what it put right was resolved.
func (l *Ledger) takeFindings(ctx context.Context, tx *Tx, p *planRow, by reconciler.Person) error {
	items, err := collect(ctx, tx.sql, scanItem, `SELECT `+itemColumns+` FROM plan_items WHERE plan = $1 AND state = 'pending' ORDER BY n`, p.ID)
	if err != nil {
		return fmt.Errorf("read the items of %s: %w", p.ID, err)
	}
	var stale, moved []staleItem
	if p.Undoes != "" {
		if stale, err = tx.beingFixed(ctx, p, items); err != nil {
			return err
		}
	} else {
		ids := make([]string, len(items))
		for n, i := range items {
			ids[n] = i.Finding
		}
		books, entries, err := l.openBooks(ctx, tx, ids)
		if err != nil {
			return err
		}
		o := drift.Observation{Event: drift.FixBegun, At: tx.now(), Actor: by.Name, Note: p.ID}
		for _, i := range items {
			why := ""
			switch e := entries[i.Finding]; {
			case e == nil:
				why = "its finding is not kept any more"
			case !e.after.State.Open():
				why = "its finding was resolved meanwhile: there is nothing to put right"
			case e.after.State == drift.Fixing:
				why = "another plan is putting its finding right"
			default:
				if err := books[EdgeRef{e.before.Check, e.before.Replica}].apply(e, o); err != nil {
					return err
				}
				moved = append(moved, staleItem{i.N, ""})
				continue
			}
			stale = append(stale, staleItem{i.N, why})
		}
		if err := flushBooks(ctx, books); err != nil {
			return err
		}
	}
	for _, s := range stale {
		if _, err := tx.exec(ctx, `UPDATE plan_items SET state = 'stale', note = $1, ended_at = $2 WHERE plan = $3 AND n = $4`,
			s.why, millis(tx.now()), p.ID, s.n); err != nil {
			return fmt.Errorf("keep what is stale of %s: %w", p.ID, err)
		}
	}
	err = chunks(moved, 2, func(some []staleItem) error {
		args := make([]any, 0, len(some)+1)
		args = append(args, p.ID)
		for _, m := range some {
			args = append(args, m.n)
		}
		_, err := tx.exec(ctx, `UPDATE plan_items SET fixing = TRUE WHERE plan = $1 AND n IN `+placeholders(2, 1, len(some)), args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("keep what %s is putting right: %w", p.ID, err)
	}
	p.Counts[reconciler.Pending] -= int64(len(stale))
	p.Counts[reconciler.ItemStale] += int64(len(stale))
	return nil
}

// staleItem is an item, and why it cannot be applied any more.
type staleItem struct {
	n   int
	why string
}

// beingFixed are the items whose findings another plan is putting right now.
func (tx *Tx) beingFixed(ctx context.Context, p *planRow, items []*itemRow) (stale []staleItem, err error) {
	err = chunks(items, 1, func(some []*itemRow) error {
		args := make([]any, 0, len(some)+2)
		args = append(args, p.ID, p.Undoes)
		n := map[string]int{}
		for _, i := range some {
			args = append(args, i.Finding)
			n[i.Finding] = i.N
		}
		found, err := collect(ctx, tx.sql, func(rows *sql.Rows) (s staleItem, err error) {
			var plan, finding string
			err = rows.Scan(&plan, &finding)
			return staleItem{n[finding], plan + " is putting its finding right"}, err
		}, `SELECT MIN(i.plan), i.finding FROM plan_items i JOIN plans p ON p.id = i.plan WHERE i.fixing AND i.plan <> $1 AND i.plan <> $2 AND p.state = 'applying'
			AND i.finding IN `+placeholders(3, 1, len(some))+` GROUP BY i.finding`, args...)
		stale = append(stale, found...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for what is being fixed: %w", err)
	}
	return stale, nil
}

// ClaimPlan gives a plan that is being applied to a worker, and takes it from
// whoever had it. hashes are those of its items, in order, of which all hold with
// what was approved. Where they do not, or the plan is not being applied, it is a
// *reconciler.Refusal; a plan that was changed by other hands has then ended.
func (l *Ledger) ClaimPlan(ctx context.Context, id, worker string) (after *reconciler.Plan, hashes []string, err error) {
	var refused *reconciler.Refusal
	err = l.InTx(ctx, func(tx *Tx) error {
		refused = nil
		p, err := tx.lockWithEdge(ctx, id)
		if err != nil {
			return err
		}
		if p.State != reconciler.Applying {
			return impossible(&p.Plan, "there is nothing to apply of it")
		}
		hashes, err = l.verify(ctx, tx, p)
		if err == nil {
			var given []reconciler.Approval
			if given, err = l.counting(ctx, tx, p); err == nil {
				if _, ok := enough(&p.Plan, given); !ok {
					err = errTampered(id)
				}
			}
		}
		if errors.As(err, &refused) {
			return l.disown(ctx, tx, p, refused)
		}
		if err != nil {
			return err
		}
		p.term++
		p.worker = worker
		if err := tx.writePlan(ctx, p); err != nil {
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
		return nil, nil, fmt.Errorf("claim plan %s: %w", id, err)
	}
	return after, hashes, nil
}
