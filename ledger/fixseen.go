package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

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
		if errors.As(err, new(*NotFoundError)) {
			continue // other hands took it: what was read is recorded all the same
		}
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
