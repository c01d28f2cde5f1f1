package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"plumbline/drift"
	"plumbline/reconciler"
)

// cure notes a finding that was in state fixing and is resolved.
func (b *book) cure(before, after *drift.Finding) {
	if before != nil && before.State == drift.Fixing && after.State == drift.Resolved {
		b.cured = append(b.cured, before.ID)
	}
}

// writeCured verifies the items that were applied, or sent, to findings that were
// resolved since: both sides were read and agree.
func (b *book) writeCured(ctx context.Context) error {
	slices.Sort(b.cured)
	var plans []string
	err := chunks(b.cured, 1, func(some []string) error {
		found, err := collect(ctx, b.tx.sql, func(rows *sql.Rows) (id string, err error) { return id, rows.Scan(&id) },
			`SELECT DISTINCT plan FROM plan_items WHERE fixing AND finding IN `+placeholders(1, 1, len(some)), anys(some)...)
		plans = append(plans, found...)
		return err
	})
	if err != nil {
		return fmt.Errorf("look for fixes that took effect: %w", err)
	}
	slices.Sort(plans)
	for _, plan := range slices.Compact(plans) {
		p, err := b.tx.lockPlan(ctx, plan)
		if err != nil {
			return err
		}
		if err := b.verify(ctx, p); err != nil {
			return fmt.Errorf("verify items of %s: %w", plan, err)
		}
	}
	b.cured = nil
	return nil
}

// verify verifies those of a plan's items whose findings were resolved. What is not
// applied yet is fixing none any more.
func (b *book) verify(ctx context.Context, p *planRow) error {
	for _, from := range []reconciler.ItemState{reconciler.ItemApplied, reconciler.ItemSent} {
		err := chunks(b.cured, 2, func(some []string) error {
			n, err := b.tx.exec(ctx, `UPDATE plan_items SET state = 'verified', fixing = FALSE WHERE plan = $1 AND state = $2 AND fixing AND finding IN `+
				placeholders(3, 1, len(some)), append([]any{p.ID, string(from)}, anys(some)...)...)
			p.Counts[from] -= n
			p.Counts[reconciler.ItemVerified] += n
			return err
		})
		if err != nil {
			return err
		}
	}
	err := chunks(b.cured, 2, func(some []string) error {
		_, err := b.tx.exec(ctx, `UPDATE plan_items SET fixing = FALSE WHERE plan = $1 AND finding IN `+placeholders(2, 1, len(some)),
			append([]any{p.ID}, anys(some)...)...)
		return err
	})
	if err != nil {
		return err
	}
	b.marked.fixedByPlan(p.ID)
	return b.tx.saveCounts(ctx, p)
}

func anys[T any](list []T) []any {
	all := make([]any, len(list))
	for i := range list {
		all[i] = list[i]
	}
	return all
}

// Unseen lists items that were applied, or sent, before a time, and whose effect
// no read has seen since: their findings are in state fixing still.
func (l *Ledger) Unseen(ctx context.Context, before time.Time, limit int) ([]reconciler.Item, error) {
	if limit <= 0 {
		limit = defaultLimit
	}
	items, err := collect(ctx, l.read, func(rows *sql.Rows) (reconciler.Item, error) {
		i, err := scanItem(rows)
		if err != nil {
			return reconciler.Item{}, err
		}
		return i.Item, nil
	}, `SELECT `+itemColumns+` FROM plan_items WHERE fixing AND ended_at < $1 AND state IN ('applied', 'sent') ORDER BY ended_at, plan, n LIMIT $2`, millis(before), limit)
	if err != nil {
		return nil, fmt.Errorf("look for fixes that no read has seen: %w", err)
	}
	return items, nil
}

// GiveUpSeeing has the finding of an item whose effect was not seen be open again,
// and notes why. An item that was seen meanwhile is left as it is.
func (l *Ledger) GiveUpSeeing(ctx context.Context, plan string, n int, note string) error {
	err := l.InTx(ctx, func(tx *Tx) error {
		known, err := planBy(ctx, tx.sql, plan)
		if err != nil {
			return err
		}
		if _, err := tx.lockEdge(ctx, known.Check, known.Replica); err != nil {
			return err
		}
		p, err := tx.lockPlan(ctx, plan)
		if err != nil {
			return err
		}
		findings, err := itemFindings(ctx, tx.sql, `UPDATE plan_items SET fixing = FALSE, note = $1 WHERE plan = $2 AND n = $3 AND fixing AND state IN ('applied', 'sent')
			RETURNING finding`, text(note), plan, n)
		if err != nil || len(findings) == 0 {
			return err
		}
		if err := l.giveBack(ctx, tx, findings, plan+": "+note); err != nil {
			return err
		}
		return tx.saveCounts(ctx, p)
	})
	if err != nil {
		return fmt.Errorf("give up item %d of %s: %w", n, plan, err)
	}
	return nil
}
