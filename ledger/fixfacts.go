package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"plumbline/reconciler"
)

// FixedSince counts by finding how often plans put it right, or asked for it,
// since a time. Findings of none are not in it.
func (l *Ledger) FixedSince(ctx context.Context, findings []string, since time.Time) (map[string]int, error) {
	counts := map[string]int{}
	err := chunks(findings, 1, func(some []string) error {
		_, err := collect(ctx, l.read, func(rows *sql.Rows) (none struct{}, err error) {
			var finding string
			var n int
			err = rows.Scan(&finding, &n)
			counts[finding] = n
			return none, err
		}, `SELECT i.finding, COUNT(*) FROM plan_items i JOIN plans p ON p.id = i.plan WHERE i.ended_at >= $1 AND p.undoes = ''
			AND i.state IN ('applied', 'verified', 'sent') AND i.finding IN `+placeholders(2, 1, len(some))+` GROUP BY i.finding`,
			append([]any{millis(since)}, anys(some)...)...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count how often findings were fixed: %w", err)
	}
	return counts, nil
}

// LeftAlone are those of some findings that a person had taken back what put
// them right, and that were neither resolved nor put right by a plan since: fixes
// of Plumbline's own leave them alone.
func (l *Ledger) LeftAlone(ctx context.Context, findings []string) (map[string]bool, error) {
	alone := map[string]bool{}
	err := chunks(findings, 1, func(some []string) error {
		_, err := collect(ctx, l.read, func(rows *sql.Rows) (none struct{}, err error) {
			var finding string
			err = rows.Scan(&finding)
			alone[finding] = true
			return none, err
		}, `SELECT u.finding FROM plan_items u JOIN plans p ON p.id = u.plan
			WHERE p.undoes <> '' AND u.state IN ('applied', 'verified') AND u.finding IN `+placeholders(1, 1, len(some))+`
				AND NOT EXISTS (SELECT 1 FROM transitions t WHERE t.finding = u.finding AND t.to_state = 'resolved' AND t.changed_at > u.ended_at)
				AND NOT EXISTS (SELECT 1 FROM plan_items f JOIN plans q ON q.id = f.plan WHERE f.finding = u.finding AND f.ended_at > u.ended_at
					AND q.undoes = '' AND f.state IN ('applied', 'verified', 'sent'))`, anys(some)...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for findings that are left alone: %w", err)
	}
	return alone, nil
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
		p, err := tx.lockWithEdge(ctx, plan)
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
