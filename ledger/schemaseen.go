package ledger

import (
	"context"
	"fmt"
	"strings"

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
		if err != nil || now.State != Finished {
			return err
		}
		return tx.acceptSeen(ctx, now) // its last record ended the run
	})
	if err != nil {
		return fmt.Errorf("keep what run %s saw: %w", r.ID, err)
	}
	return nil
}

// acceptSeen makes what a finished run saw that read everything what later runs go by.
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

// schemaHolds ends what was broken of a schema before a run began that has read by
// it and met none of it. What no store declares shows by reading alone: were it
// over when the next run is planned, each would end it and find it anew.
func (tx *Tx) schemaHolds(ctx context.Context, r *Run) error {
	if r.Result == checks.Error || r.brokeSchema() {
		return nil
	}
	_, err := tx.exec(ctx, `UPDATE schemas SET broken = '', broken_at = 0 WHERE check_name = $1 AND replica = $2 AND run = $3 AND broken <> '' AND broken_at <= $4`,
		r.Check, r.Replica, r.ID, millis(r.StartedAt))
	if err != nil {
		return fmt.Errorf("end what the schema of %s/%s was: %w", r.Check, r.Replica, err)
	}
	return nil
}

// brokeSchema says whether a run ended for a schema that changed, be it while its
// suspects were read again.
func (r *Run) brokeSchema() bool {
	for reason := range r.Reasons {
		if strings.Contains(reason, checks.SchemaPrefix) {
			return true
		}
	}
	return strings.Contains(r.Error, checks.SchemaPrefix)
}
