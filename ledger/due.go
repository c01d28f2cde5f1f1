package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"plumbline/checks"
)

// EdgeRef names an edge.
type EdgeRef struct{ Check, Replica string }

// DueEdges lists the declared edges that have suspects to be read again. Suspects
// that are due later than settling takes, because a clock was set back, come to
// be due once they have settled by the clock as it is.
func (l *Ledger) DueEdges(ctx context.Context, now time.Time) ([]EdgeRef, error) {
	type waiting struct {
		EdgeRef
		settle, first, last int64
	}
	edges, err := collect(ctx, l.read, func(rows *sql.Rows) (w waiting, err error) {
		var first, last sql.NullInt64
		err = rows.Scan(&w.Check, &w.Replica, &w.settle, &first, &last)
		w.first, w.last = first.Int64, last.Int64
		if !first.Valid {
			w.first = millis(now) + 1
		}
		return w, err
	}, `SELECT e.check_name, e.replica, e.settle,
			(SELECT MIN(s.due_at) FROM suspects s WHERE s.check_name = e.check_name AND s.replica = e.replica),
			(SELECT MAX(s.due_at) FROM suspects s WHERE s.check_name = e.check_name AND s.replica = e.replica)
		FROM edges e WHERE e.pending > 0 AND e.declared ORDER BY e.check_name, e.replica`)
	if err != nil {
		return nil, fmt.Errorf("look for suspects that have settled: %w", err)
	}
	var due []EdgeRef
	for _, w := range edges {
		if w.last > millis(now)+w.settle {
			if err := l.clamp(ctx, w.EdgeRef, w.settle, now); err != nil {
				return nil, err
			}
		}
		if w.first <= millis(now) {
			due = append(due, w.EdgeRef)
		}
	}
	return due, nil
}

// clamp brings the times of suspects that were seen in the future back to now.
func (l *Ledger) clamp(ctx context.Context, edge EdgeRef, settle int64, now time.Time) error {
	err := l.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.lockEdge(ctx, edge.Check, edge.Replica); err != nil {
			return err
		}
		_, err := tx.exec(ctx, `UPDATE suspects SET since = $1, due_at = $2, first_seen = CASE WHEN first_seen > $1 THEN $1 ELSE first_seen END
			WHERE check_name = $3 AND replica = $4 AND due_at > $2`, millis(now), millis(now)+settle, edge.Check, edge.Replica)
		return err
	})
	if err != nil {
		return fmt.Errorf("set the clock of the suspects of %s/%s back: %w", edge.Check, edge.Replica, err)
	}
	return nil
}

// ClaimEdge takes over the judging of an edge's suspects and findings, raising its term.
func (l *Ledger) ClaimEdge(ctx context.Context, check, replica, worker string) (term int64, err error) {
	err = l.InTx(ctx, func(tx *Tx) error {
		return tx.sql.QueryRowContext(ctx, `UPDATE edges SET term = term + 1, worker = $1 WHERE check_name = $2 AND replica = $3 RETURNING term`,
			text(worker), check, replica).Scan(&term)
	})
	switch {
	case nothing(err):
		return 0, &NotFoundError{What: "edge", Name: check + "/" + replica}
	case err != nil:
		return 0, fmt.Errorf("claim edge %s/%s: %w", check, replica, err)
	}
	return term, nil
}

// DueSuspects lists suspects that have settled, those due longest first.
func (l *Ledger) DueSuspects(ctx context.Context, check, replica string, now time.Time, limit int) ([]checks.Suspect, error) {
	list, err := collect(ctx, l.read, func(rows *sql.Rows) (checks.Suspect, error) {
		row, err := l.keys.scanSuspect(rows)
		if err != nil {
			return checks.Suspect{}, err
		}
		return row.Suspect, nil
	}, `SELECT `+suspectColumns+` FROM suspects WHERE check_name = $1 AND replica = $2 AND due_at <= $3
		ORDER BY due_at, ident LIMIT $4`, check, replica, millis(now), limit)
	if err != nil {
		return nil, fmt.Errorf("list the suspects of %s/%s: %w", check, replica, err)
	}
	return list, nil
}

// OpenKeys lists open findings that can be looked up again and were last to be
// read before a time, as Known suspects, those longest not read first. What was
// read in the future, by a clock that has been set back, counts as not read.
func (l *Ledger) OpenKeys(ctx context.Context, check, replica string, limit int, before time.Time) ([]checks.Suspect, error) {
	list, err := collect(ctx, l.read, func(rows *sql.Rows) (s checks.Suspect, err error) {
		var key, id []byte
		var kind string
		var first int64
		if err := rows.Scan(&key, &id, &kind, &first); err != nil {
			return s, err
		}
		s.FirstSeen, s.Since = timeOf(first), timeOf(first)
		s.Known, s.Duplicate = true, kind == string(checks.Duplicate)
		if s.Key, err = l.keys.decodeKey(key); err != nil {
			return s, err
		}
		s.ID, err = l.keys.decodeKey(id)
		return s, err
	}, `SELECT record_key, copy_id, kind, first_seen FROM findings
		WHERE check_name = $1 AND replica = $2 AND state <> 'resolved' AND whole
			AND (asked_at < $3 OR asked_at > $5)
		ORDER BY asked_at, id LIMIT $4`, check, replica, millis(before), limit, millis(l.now()))
	if err != nil {
		return nil, fmt.Errorf("list the open findings of %s/%s: %w", check, replica, err)
	}
	return list, nil
}
