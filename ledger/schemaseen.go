package ledger

import (
	"context"
	"fmt"

	"plumbline/checks"
)

// KeepSeen keeps what a run's records showed of fields that no store declares. It
// counts for later runs once the run has read everything.
func (l *Ledger) KeepSeen(ctx context.Context, r *Run, seen checks.Seen) error {
	if seen.Empty() {
		return nil
	}
	err := l.onRun(ctx, r.ID, func(tx *Tx, now *Run) error {
		var kept string
		err := tx.sql.QueryRowContext(ctx, `SELECT seeing FROM schemas WHERE check_name = $1 AND replica = $2 AND run = $3`, now.Check, now.Replica, now.ID).Scan(&kept)
		if nothing(err) {
			return nil
		}
		if err != nil {
			return err
		}
		var all checks.Seen
		if err := undocument(kept, &all); err != nil {
			return err
		}
		all.Add(&seen)
		if kept, err = document(all); err != nil {
			return err
		}
		_, err = tx.exec(ctx, `UPDATE schemas SET seeing = $1 WHERE check_name = $2 AND replica = $3 AND run = $4`, kept, now.Check, now.Replica, now.ID)
		return err
	})
	if err != nil {
		return fmt.Errorf("keep what run %s saw: %w", r.ID, err)
	}
	return nil
}

// acceptSeen makes what a run saw that read everything what later runs go by.
func (tx *Tx) acceptSeen(ctx context.Context, r *Run) error {
	if !r.complete() {
		return nil
	}
	_, err := tx.exec(ctx, `UPDATE schemas SET seen = seeing WHERE check_name = $1 AND replica = $2 AND run = $3 AND seeing <> ''`, r.Check, r.Replica, r.ID)
	if err != nil {
		return fmt.Errorf("keep what run %s saw: %w", r.ID, err)
	}
	return nil
}
