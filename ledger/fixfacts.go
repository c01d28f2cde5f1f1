package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"
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
