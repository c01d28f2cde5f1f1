package ledger

import (
	"context"
	"fmt"

	"plumbline/reconciler"
)

// stopPlan has nothing more be written of a plan that is being applied: its pending
// items come to nothing, also those that somebody holds. It ends at once, or, where
// an item is doubtful, once that is found out.
func (l *Ledger) stopPlan(ctx context.Context, id, words string) (after *reconciler.Plan, err error) {
	err = l.InTx(ctx, func(tx *Tx) error {
		p, err := tx.lockWithEdge(ctx, id)
		if err != nil {
			return err
		}
		if p.State != reconciler.Applying {
			return impossible(&p.Plan, "it has ended by now")
		}
		left, err := tx.exec(ctx, `UPDATE plan_items SET state = 'failed', ended_at = $1, note = $2, held_until = 0 WHERE plan = $3 AND state = 'pending'`,
			millis(tx.now()), text(untouched(words)), id)
		if err != nil {
			return fmt.Errorf("leave the rest of %s: %w", id, err)
		}
		if err := tx.attestFix(ctx, "withdraw fix", &p.Plan, fmt.Sprintf("the rest of it: %d of %d", left, p.Items())); err != nil {
			return err
		}
		if err := tx.count(ctx, p); err != nil {
			return err
		}
		if p.Counts[reconciler.Doubtful] == 0 {
			err = l.endApplying(ctx, tx, p, words)
		} else {
			p.Reason = words
			err = tx.savePlan(ctx, p)
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
	if err != nil {
		return nil, fmt.Errorf("withdraw a plan: %w", err)
	}
	return after, nil
}

// untouched is the note of an item that was not come to before its plan was withdrawn.
func untouched(words string) string { return "not touched: " + words }
