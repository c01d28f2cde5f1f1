package ledger

import (
	"context"
	"fmt"
	"time"
)

// What people do with runs.

// CancelRun asks a run to stop. One that is queued or settling is finished as
// cancelled at once; one that is running once its workers have seen it. *Ended.
func (l *Ledger) CancelRun(ctx context.Context, id, actor string) (run *Run, err error) {
	if id, err = l.runID(ctx, id); err != nil {
		return nil, err
	}
	err = l.onRun(ctx, id, func(tx *Tx, r *Run) error {
		run = r
		if r.State == Finished {
			return &Ended{What: "run " + r.ID}
		}
		r.CancelRequested, r.CancelledBy = true, actor
		if err := tx.attest(ctx, "cancel run", fmt.Sprintf("run #%d", r.Number), r.Check+"/"+r.Replica); err != nil {
			return err
		}
		if r.State != Running {
			return l.cutShort(ctx, tx, r)
		}
		// What nobody works on yet need not be claimed to be stopped.
		if err := stopSegments(ctx, tx, r, SegmentQueued, l.now()); err != nil {
			return err
		}
		working, err := segmentsIn(ctx, tx, r.ID, SegmentRunning)
		if err != nil {
			return err
		}
		if working == 0 {
			return l.endScan(ctx, tx, nil, r, l.now(), false)
		}
		return tx.save(ctx, r)
	})
	if err != nil {
		return nil, fmt.Errorf("cancel run %s: %w", id, err)
	}
	return run, nil
}

// ResumeRun goes on with what a finished run did not read, from where each
// segment stopped; jobs is called in the same transaction with those segments.
// *Ended where there is nothing to resume, or the check was changed since;
// *OverlapError where the check runs.
func (l *Ledger) ResumeRun(ctx context.Context, id, actor string, jobs func(tx *Tx, segments []Segment) error) (run *Run, err error) {
	if id, err = l.runID(ctx, id); err != nil {
		return nil, err
	}
	err = l.InTx(ctx, func(tx *Tx) error {
		r, err := runRow(ctx, tx.keys, tx.sql, id)
		if err != nil {
			return err
		}
		going, err := lockCheck(ctx, tx, r.Check, []*Run{r})
		if err != nil {
			return err
		}
		known, err := readStanding(ctx, tx.sql, r.Check, r.Replica)
		if err != nil {
			return err
		}
		if known.hash != r.Hash { // what it has compared, it compared by other rules
			return &Ended{What: "run " + r.ID + " is of a check that was changed since: it"}
		}
		if going != "" {
			return &OverlapError{Check: r.Check, Run: going}
		}
		if run, err = runRow(ctx, tx.keys, tx.sql, id); err != nil {
			return err
		}
		left, err := l.resumeSegments(ctx, tx, run)
		if err != nil {
			return err
		}
		run.State, run.Result, run.Error, run.EndedAt, run.FinishedAt = Running, "", "", time.Time{}, time.Time{}
		run.CancelRequested, run.CancelledBy, run.Actor = false, "", text(actor)
		if err := tx.sql.QueryRowContext(ctx, `SELECT COALESCE(MAX(number), $1) FROM generations`, run.Generation).Scan(&run.Generation); err != nil {
			return fmt.Errorf("read the newest generation: %w", err)
		}
		if _, err := tx.exec(ctx, `UPDATE runs SET actor = $1 WHERE id = $2`, run.Actor, run.ID); err != nil {
			return err
		}
		if err := tx.save(ctx, run); err != nil {
			return err
		}
		if err := tx.attest(ctx, "resume run", fmt.Sprintf("run #%d", run.Number), run.Check+"/"+run.Replica); err != nil {
			return err
		}
		return jobs(tx, left)
	})
	if err != nil {
		return nil, fmt.Errorf("resume run %s: %w", id, err)
	}
	return run, nil
}
