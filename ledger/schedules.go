package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"plumbline/drift"
)

// Declare takes over what the configuration names. New edges and schedules are
// kept; a schedule whose spec changed moves to its new slot; schedules that are
// no longer named go. Edges that are no longer named stay with their findings,
// no longer declared, and what still runs of them ends as cancelled.
func (l *Ledger) Declare(ctx context.Context, generation int64, edges []Edge, schedules []Schedule) error {
	now := l.now()
	err := l.InTx(ctx, func(tx *Tx) error {
		if err := declareSchedules(ctx, tx, generation, schedules); err != nil {
			return err
		}
		return l.declareEdges(ctx, tx, edges, now)
	})
	if err != nil {
		return fmt.Errorf("keep what the configuration declares: %w", err)
	}
	return nil
}

func (l *Ledger) declareEdges(ctx context.Context, tx *Tx, edges []Edge, now time.Time) error {
	declared := map[EdgeRef]bool{}
	for _, e := range edges {
		declared[EdgeRef{e.Check, e.Replica}] = true
	}
	before, err := collect(ctx, tx.sql, func(rows *sql.Rows) (ref EdgeRef, err error) {
		return ref, rows.Scan(&ref.Check, &ref.Replica)
	}, `SELECT check_name, replica FROM edges WHERE declared ORDER BY check_name, replica`)
	if err != nil {
		return fmt.Errorf("read edges: %w", err)
	}
	for _, ref := range before {
		if declared[ref] {
			continue
		}
		if _, err := tx.lockEdge(ctx, ref.Check, ref.Replica); err != nil {
			return err
		}
		if _, err := tx.exec(ctx, `UPDATE edges SET declared = $1 WHERE check_name = $2 AND replica = $3`, false, ref.Check, ref.Replica); err != nil {
			return fmt.Errorf("take edge %s/%s back: %w", ref.Check, ref.Replica, err)
		}
		if err := l.cancelUndeclared(ctx, tx, ref); err != nil {
			return err
		}
		tx.mark(ref.Check)
		tx.tell(Change{Topic: "edge", Check: ref.Check, Replica: ref.Replica})
	}
	edges = sortedBy(slices.Clone(edges), func(e Edge) string { return e.Check + "\x00" + e.Replica }) // as edges are locked
	for _, e := range edges {
		if err := tx.declareEdge(ctx, e, now); err != nil {
			return fmt.Errorf("keep edge %s/%s: %w", e.Check, e.Replica, err)
		}
	}
	tx.tell(Change{Topic: "config"})
	return nil
}

// declareEdge keeps an edge. Where it stands is unknown when it is new, comes
// back, or its check has come to mean something else: a word on what the check
// was is no word on what it is.
func (tx *Tx) declareEdge(ctx context.Context, e Edge, now time.Time) error {
	n, err := tx.exec(ctx, `INSERT INTO edges (check_name, replica, declared, hash, begun, consistency, since, last_run, last_number, last_whole,
			last_result, last_error, last_at, last_success, coverage, compared, pending, settle, term, worker, locks)
		VALUES ($1, $2, $3, $4, $5, $6, $5, '', 0, $7, '', '', 0, 0, 0, 0, 0, 0, 0, '', 0)
		ON CONFLICT (check_name, replica) DO UPDATE SET declared = excluded.declared, hash = excluded.hash, begun = excluded.begun,
			consistency = excluded.consistency, since = excluded.since, last_whole = excluded.last_whole, last_result = '', last_error = '',
			last_success = 0, coverage = 0, compared = 0, bound = 0, size = 0, scope_share = 0, cause = ''
		WHERE NOT edges.declared OR edges.hash <> excluded.hash`,
		e.Check, e.Replica, true, e.Hash, millis(now), string(drift.Unknown), false)
	if n > 0 {
		tx.mark(e.Check)
	}
	return err
}

func (l *Ledger) cancelUndeclared(ctx context.Context, tx *Tx, ref EdgeRef) error {
	going, err := collect(ctx, tx.sql, tx.keys.scanRun, selectRun+` WHERE check_name = $1 AND state <> 'finished' AND replica = $2`, ref.Check, ref.Replica)
	if err != nil {
		return fmt.Errorf("read runs: %w", err)
	}
	for _, r := range going {
		r.CancelRequested, r.CancelledBy = true, drift.Plumbline
		if err := l.cutShort(ctx, tx, r); err != nil {
			return err
		}
	}
	return nil
}

func declareSchedules(ctx context.Context, tx *Tx, generation int64, schedules []Schedule) error {
	names, args := make([]string, len(schedules)), make([]any, len(schedules))
	for i, s := range schedules {
		names[i], args[i] = fmt.Sprintf("$%d", i+1), s.Check
	}
	gone := `DELETE FROM schedules`
	if len(names) > 0 {
		gone += ` WHERE check_name NOT IN (` + strings.Join(names, ",") + `)`
	}
	if _, err := tx.exec(ctx, gone, args...); err != nil {
		return fmt.Errorf("delete schedules: %w", err)
	}
	for _, s := range sortedBy(slices.Clone(schedules), func(s Schedule) string { return s.Check }) {
		_, err := tx.exec(ctx, `INSERT INTO schedules (check_name, spec, slot_at, due_at, generation) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (check_name) DO UPDATE SET generation = excluded.generation, spec = excluded.spec,
				slot_at = CASE WHEN schedules.spec = excluded.spec THEN schedules.slot_at ELSE excluded.slot_at END,
				due_at = CASE WHEN schedules.spec = excluded.spec THEN schedules.due_at ELSE excluded.due_at END`,
			s.Check, s.Spec, millis(s.SlotAt), millis(s.DueAt), generation)
		if err != nil {
			return fmt.Errorf("keep the schedule of %s: %w", s.Check, err)
		}
	}
	return nil
}

// Schedules lists when each check is next due, by check.
func (l *Ledger) Schedules(ctx context.Context) ([]Schedule, error) {
	list, err := collect(ctx, l.read, func(rows *sql.Rows) (s Schedule, err error) {
		var slot, due int64
		err = rows.Scan(&s.Check, &s.Spec, &slot, &due, &s.Generation)
		s.SlotAt, s.DueAt = timeOf(slot), timeOf(due)
		return s, err
	}, `SELECT check_name, spec, slot_at, due_at, generation FROM schedules ORDER BY check_name`)
	if err != nil {
		return nil, fmt.Errorf("list schedules: %w", err)
	}
	return list, nil
}

// TakeSlot moves a schedule on from was to next and, in the same transaction,
// keeps the slots, creates the runs and calls jobs. It takes nothing and returns
// false where the schedule is no longer at was. Where one of the slots has
// become a run before (a clock was set back) the schedule moves on and false is
// returned. Where a run of the check goes after all, the slots that were to be
// run are changed to skipped, and no run is created.
func (l *Ledger) TakeSlot(ctx context.Context, was, next Schedule, slots []Slot, runs []*Run, jobs func(tx *Tx) error) (taken bool, err error) {
	var kept []Slot
	err = l.InTx(ctx, func(tx *Tx) error {
		kept = slices.Clone(slots)
		taken, err = l.takeSlot(ctx, tx, was, next, kept, runs, jobs)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("take a slot of %s: %w", was.Check, err)
	}
	copy(slots, kept)
	return taken, nil
}

func (l *Ledger) takeSlot(ctx context.Context, tx *Tx, was, next Schedule, slots []Slot, runs []*Run, jobs func(tx *Tx) error) (taken bool, err error) {
	moved, err := tx.exec(ctx, `UPDATE schedules SET slot_at = $1, due_at = $2 WHERE check_name = $3 AND spec = $4 AND slot_at = $5 AND generation = $6`,
		millis(next.SlotAt), millis(next.DueAt), was.Check, was.Spec, millis(was.SlotAt), was.Generation)
	if err != nil || moved == 0 {
		return false, err
	}
	if len(runs) > 0 {
		going, err := lockCheck(ctx, tx, was.Check, runs)
		if err != nil {
			return false, err
		}
		if going != "" {
			skip(slots, going)
			runs = nil
		}
	}
	for _, s := range slots {
		kept, err := keepSlot(ctx, tx, s)
		if err != nil {
			return false, err
		}
		if !kept && s.Outcome == SlotRun {
			return false, nil
		}
	}
	if len(runs) == 0 {
		return true, nil
	}
	if err := l.insertRuns(ctx, tx, runs); err != nil {
		return false, err
	}
	return true, jobs(tx)
}

func skip(slots []Slot, going string) {
	for i := range slots {
		if slots[i].Outcome == SlotRun {
			slots[i].Outcome, slots[i].Reason = SlotSkipped, "run "+going+" is still going"
		}
	}
}

// keepSlot keeps a slot; kept is false where it was there before.
func keepSlot(ctx context.Context, tx *Tx, s Slot) (kept bool, err error) {
	until := s.Until
	if until.IsZero() {
		until = s.At
	}
	n, err := tx.exec(ctx, `INSERT INTO slots (check_name, slot_at, until_at, outcome, reason) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (check_name, slot_at) DO NOTHING`, s.Check, millis(s.At), millis(until), string(s.Outcome), text(s.Reason))
	if err != nil {
		return false, fmt.Errorf("keep the slot of %s: %w", s.At.UTC().Format(time.RFC3339), err)
	}
	return n > 0, nil
}

// Slots lists the slots of a check since a time, the oldest first; check "" is all checks.
func (l *Ledger) Slots(ctx context.Context, check string, since time.Time) ([]Slot, error) {
	list, err := collect(ctx, l.read, func(rows *sql.Rows) (s Slot, err error) {
		var at, until int64
		var outcome string
		err = rows.Scan(&s.Check, &at, &until, &outcome, &s.Reason)
		s.At, s.Until, s.Outcome = timeOf(at), timeOf(until), SlotOutcome(outcome)
		return s, err
	}, `SELECT check_name, slot_at, until_at, outcome, reason FROM slots
		WHERE ($1 = '' OR check_name = $1) AND slot_at >= $2 ORDER BY slot_at, check_name`, check, millis(since))
	if err != nil {
		return nil, fmt.Errorf("list slots: %w", err)
	}
	return list, nil
}
