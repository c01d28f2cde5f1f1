package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"plumbline/drift"
	"plumbline/reconciler"
)

// EndPlan ends the applying of a plan with what its items came to, and gives back
// the findings of those that were not applied. A plan of which an item is doubtful,
// or held by somebody, is not at its end: it is returned as it is, still applying.
func (l *Ledger) EndPlan(ctx context.Context, id string) (*reconciler.Plan, error) {
	return l.EndPlanBecause(ctx, id, "")
}

// EndPlanBecause is EndPlan of a plan that is not gone on with though items of it
// are left, and why; "" is one that may be gone on with.
func (l *Ledger) EndPlanBecause(ctx context.Context, id, why string) (after *reconciler.Plan, err error) {
	err = l.InTx(ctx, func(tx *Tx) error {
		p, err := tx.lockWithEdge(ctx, id)
		if err != nil {
			return err
		}
		if p.State == reconciler.Applying {
			var waits int64
			err := tx.sql.QueryRowContext(ctx, `SELECT COUNT(*) FROM plan_items WHERE plan = $1 AND (state = 'doubtful' OR state = 'pending' AND held_until > $2)`,
				id, millis(tx.now())).Scan(&waits)
			if err != nil {
				return err
			}
			if waits == 0 {
				if err := l.endApplying(ctx, tx, p, because(p, why)); err != nil {
					return err
				}
			}
		}
		list, err := l.withApprovals(ctx, tx.sql, []*planRow{p})
		if err == nil {
			after = list[0]
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("end plan %s: %w", id, err)
	}
	return after, nil
}

// because is why a plan ended with items left; "" where none is, or it may be gone on with.
func because(p *planRow, why string) string {
	if why == "" || p.Counts[reconciler.Pending] == 0 {
		return ""
	}
	return fmt.Sprintf("%s: draft a plan of the %d that are left", why, p.Counts[reconciler.Pending])
}

// disown ends the applying of a plan that is not what was approved any more.
func (l *Ledger) disown(ctx context.Context, tx *Tx, p *planRow, why *reconciler.Refusal) error {
	if _, err := tx.exec(ctx, `UPDATE plan_items SET state = 'failed', ended_at = $1, note = $2 WHERE plan = $3 AND state = 'doubtful'`, millis(tx.now()),
		"the plan was changed by other hands while it was being written: whether it was nobody can say", p.ID); err != nil {
		return err
	}
	if _, err := tx.exec(ctx, `UPDATE plan_items SET state = 'failed', ended_at = $1, note = $2 WHERE plan = $3 AND state = 'pending'`, millis(tx.now()),
		"not touched: the plan was changed by other hands", p.ID); err != nil {
		return err
	}
	return l.endApplying(ctx, tx, p, why.Why)
}

func (l *Ledger) endApplying(ctx context.Context, tx *Tx, p *planRow, reason string) error {
	if err := tx.count(ctx, p); err != nil {
		return err
	}
	reason = cmp.Or(reason, p.Reason) // of one that was withdrawn while a record was doubtful
	to, ok := reconciler.Next(p.State, reconciler.Ended(reconciler.Outcome(p.Counts)))
	if !ok {
		return fmt.Errorf("plan %s is %s: it is not being applied", p.ID, p.State)
	}
	if left := p.Counts[reconciler.Pending]; reason == "" && left > 0 {
		reason = fmt.Sprintf("it stopped with %d left: apply it again to go on with them", left)
	}
	ended, err := itemFindings(ctx, tx.sql, `SELECT finding FROM plan_items WHERE plan = $1 AND fixing AND state NOT IN ('applied', 'verified', 'sent')`, p.ID)
	if err != nil {
		return err
	}
	if _, err := tx.exec(ctx, `UPDATE plan_items SET fixing = FALSE WHERE plan = $1 AND state NOT IN ('applied', 'verified', 'sent')`, p.ID); err != nil {
		return err
	}
	if err := l.giveBack(ctx, tx, ended, p.ID+": not applied"); err != nil {
		return err
	}
	if err := tx.end(ctx, p, to, reason); err != nil {
		return err
	}
	if err := l.takenBack(ctx, tx, p); err != nil {
		return err
	}
	action := "fix applied"
	if to != reconciler.Applied {
		action = "fix ended"
	}
	return tx.attestOwn(ctx, action, "fix "+p.ID, undoWords(&p.Plan)+fmt.Sprintf("%s: %s", to, countWords(p.Counts)))
}

// countWords say what became of a plan's items: 3 applied, 1 stale.
func countWords(counts map[reconciler.ItemState]int64) string {
	var words []string
	for _, s := range reconciler.ItemStates() {
		if n := counts[s]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, s))
		}
	}
	return strings.Join(words, ", ")
}

func itemFindings(ctx context.Context, from querier, statement string, args ...any) ([]string, error) {
	list, err := collect(ctx, from, func(rows *sql.Rows) (id string, err error) { return id, rows.Scan(&id) }, statement, args...)
	if err != nil {
		return nil, fmt.Errorf("read the findings of a plan: %w", err)
	}
	return list, nil
}

// giveBack has findings that are in state fixing be open again.
func (l *Ledger) giveBack(ctx context.Context, tx *Tx, findings []string, note string) error {
	if len(findings) == 0 {
		return nil
	}
	books, entries, err := l.openBooks(ctx, tx, findings)
	if err != nil {
		return err
	}
	for _, id := range findings {
		e := entries[id]
		if e == nil || e.after.State != drift.Fixing {
			continue
		}
		o := drift.Observation{Event: drift.FixEnded, At: tx.now(), Actor: drift.Plumbline, Note: note}
		if err := books[EdgeRef{e.before.Check, e.before.Replica}].apply(e, o); err != nil {
			return err
		}
	}
	return flushBooks(ctx, books)
}

// ExpirePlans ends the plans that nobody approved, or began, in time, and returns
// how many.
func (l *Ledger) ExpirePlans(ctx context.Context, now time.Time) (n int, err error) {
	ids, err := collect(ctx, l.read, func(rows *sql.Rows) (id string, err error) { return id, rows.Scan(&id) },
		`SELECT id FROM plans WHERE expires_at > 0 AND expires_at <= $1 ORDER BY number`, millis(now))
	if err != nil {
		return 0, fmt.Errorf("look for plans whose time is over: %w", err)
	}
	for _, id := range ids {
		var refused *reconciler.Refusal
		err := l.InTx(ctx, func(tx *Tx) error {
			p, err := tx.lockPlan(ctx, id)
			if err == nil {
				refused, err = l.lapse(ctx, tx, p, now)
			}
			return err
		})
		if err != nil {
			return n, fmt.Errorf("expire plan %s: %w", id, err)
		}
		if refused != nil {
			n++
		}
	}
	return n, nil
}

// EndNeedless ends what Plumbline itself drafted and nobody began, where all that
// it is about was resolved meanwhile, and returns how many.
func (l *Ledger) EndNeedless(ctx context.Context) (n int, err error) {
	const needless = ` FROM plans p WHERE p.auto AND p.state IN ('draft', 'waiting for approval', 'approved')
		AND NOT EXISTS (SELECT 1 FROM plan_items i JOIN findings f ON f.id = i.finding WHERE i.plan = p.id AND f.state <> 'resolved')`
	ids, err := collect(ctx, l.read, func(rows *sql.Rows) (id string, err error) { return id, rows.Scan(&id) }, `SELECT p.id`+needless+` ORDER BY p.number`)
	if err != nil {
		return 0, fmt.Errorf("look for plans that nobody needs: %w", err)
	}
	for _, id := range ids {
		ended := false
		err := l.InTx(ctx, func(tx *Tx) error {
			ended = false
			p, err := tx.lockPlan(ctx, id)
			if err != nil {
				return err
			}
			var still int64
			if err := tx.sql.QueryRowContext(ctx, `SELECT COUNT(*)`+needless+` AND p.id = $1`, id).Scan(&still); err != nil || still == 0 {
				return err
			}
			to, ok := reconciler.Next(p.State, reconciler.EventOutdate)
			if !ok {
				return nil
			}
			ended = true
			return tx.end(ctx, p, to, "all that it is about agrees by now")
		})
		if err != nil {
			return n, fmt.Errorf("end plan %s, which nobody needs: %w", id, err)
		}
		if ended {
			n++
		}
	}
	return n, nil
}
