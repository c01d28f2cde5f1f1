package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"time"

	"plumbline/checks"
	"plumbline/drift"
)

// mostReasons is how many different reasons a run keeps; errors may hold keys,
// and then no two are alike.
const mostReasons = 50

const otherReasons = "other reasons"

// because counts a reason why the run is not complete.
func (r *Run) because(reason string, times int64) {
	if r.Reasons == nil {
		r.Reasons = map[string]int64{}
	}
	reason = text(reason)
	if _, known := r.Reasons[reason]; !known && len(r.Reasons) >= mostReasons {
		reason = otherReasons
	}
	r.Reasons[reason] += times
}

// endScan ends the scan of a run whose segments are all over: it settles while
// suspects are pending, and is finished otherwise. b may be nil where nothing
// was found that would need it.
func (l *Ledger) endScan(ctx context.Context, tx *Tx, b *book, r *Run, at time.Time, allowEmpty bool) error {
	r.EndedAt = timeOf(millis(at))
	return l.conclude(ctx, tx, b, r, at, allowEmpty)
}

// conclude finishes a run whose scan has ended, or lets it settle.
func (l *Ledger) conclude(ctx context.Context, tx *Tx, b *book, r *Run, at time.Time, allowEmpty bool) error {
	stopped, err := segmentsIn(ctx, tx, r.ID, SegmentStopped)
	if err != nil {
		return err
	}
	cancelled := r.CancelRequested && (stopped > 0 || r.Segments == 0)
	failure, err := firstFailure(ctx, tx, r.ID)
	if err != nil {
		return err
	}
	if r.Pending > 0 && !cancelled {
		r.State = Settling
		provisional := *r
		provisional.Reasons = maps.Clone(r.Reasons)
		provisional.draw(cancelled, allowEmpty, failure)
		r.Result, r.Coverage = provisional.Result, provisional.Coverage
		if b != nil {
			if err := b.flush(ctx); err != nil {
				return err
			}
		}
		return tx.save(ctx, r)
	}
	r.draw(cancelled, allowEmpty, failure)
	if b != nil {
		if r.complete() {
			if err := b.resolveUndelivered(ctx, r); err != nil {
				return err
			}
		}
		if err := b.flush(ctx); err != nil {
			return err
		}
	}
	return l.finish(ctx, tx, r, at)
}

// draw sets the result that follows from what the run saw.
func (r *Run) draw(cancelled, allowEmpty bool, failure string) {
	if r.Reasons == nil {
		r.Reasons = map[string]int64{}
	}
	e := r.EdgeRun()
	if failure != "" {
		e.Err = errors.New(failure)
	}
	e.Conclude(cancelled, allowEmpty && len(r.Keys) == 0)
	r.Result, r.Error, r.Coverage = e.Result, "", e.Coverage()
	if e.Err != nil {
		r.Error = e.Err.Error()
	}
}

// complete says whether the run read all there is, so that what it did not meet
// is not there.
func (r *Run) complete() bool {
	return len(r.Keys) == 0 && (r.Result == checks.Clean || r.Result == checks.Drift) && r.Unread == 0 && r.Counts.Skipped == 0 && r.Pending == 0
}

// finish ends a run whose result is drawn, and says what it means for its edge.
// A run of given keys alone says nothing of the edge.
func (l *Ledger) finish(ctx context.Context, tx *Tx, r *Run, at time.Time) error {
	at = timeOf(millis(at))
	r.State, r.FinishedAt = Finished, at
	if r.EndedAt.IsZero() {
		r.EndedAt = at
	}
	if r.StartedAt.IsZero() {
		r.StartedAt = at
	}
	r.Coverage = r.EdgeRun().Coverage()
	if err := tx.save(ctx, r); err != nil {
		return err
	}
	if len(r.Keys) > 0 || r.Result == checks.Cancelled {
		return nil
	}
	if err := concludeEdge(ctx, tx, r, at); err != nil {
		return err
	}
	return keepHistory(ctx, tx, r, at)
}

func concludeEdge(ctx context.Context, tx *Tx, r *Run, at time.Time) error {
	standing, compared, err := readStanding(ctx, tx.sql, r.Check, r.Replica)
	if err != nil {
		return err
	}
	var open int64
	err = tx.sql.QueryRowContext(ctx, `SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM tallies WHERE check_name = $1 AND replica = $2 AND state <> 'resolved'`,
		r.Check, r.Replica).Scan(&open)
	if err != nil {
		return fmt.Errorf("count open findings: %w", err)
	}
	why := r.Error
	if reasons := r.EdgeRun().ReasonList(); why == "" && len(reasons) > 0 {
		why = reasons[0]
	}
	next := standing.Conclude(r.ID, r.Result, why, r.Coverage, open, at)
	if r.complete() {
		compared = r.Counts.Compared()
	}
	_, err = tx.exec(ctx, `UPDATE edges SET consistency = $1, since = $2, last_run = $3, last_result = $4, last_error = $5, last_at = $6,
			last_success = $7, coverage = $8, compared = $9 WHERE check_name = $10 AND replica = $11`,
		string(next.Consistency), millis(next.Since), next.LastRun, string(next.LastResult), text(next.LastError), millis(next.LastAt),
		millis(next.LastSuccess), next.Coverage, compared, r.Check, r.Replica)
	if err != nil {
		return fmt.Errorf("keep the standing of %s/%s: %w", r.Check, r.Replica, err)
	}
	tx.tell(Change{Topic: "edge", Check: r.Check, Replica: r.Replica})
	return nil
}

func readStanding(ctx context.Context, from querier, check, replica string) (s drift.Standing, compared int64, err error) {
	var consistency, result string
	var since, lastAt, success int64
	err = from.QueryRowContext(ctx, `SELECT consistency, since, last_run, last_result, last_error, last_at, last_success, coverage, compared
		FROM edges WHERE check_name = $1 AND replica = $2`, check, replica).
		Scan(&consistency, &since, &s.LastRun, &result, &s.LastError, &lastAt, &success, &s.Coverage, &compared)
	if err != nil {
		return s, 0, fmt.Errorf("read edge %s/%s: %w", check, replica, err)
	}
	s.Consistency, s.LastResult = drift.Consistency(consistency), checks.Result(result)
	s.Since, s.LastAt, s.LastSuccess = timeOf(since), timeOf(lastAt), timeOf(success)
	return s, compared, nil
}

// cutShort finishes a run as cancelled at once. Its suspects are judged all the
// same: what was seen is not forgotten.
func (l *Ledger) cutShort(ctx context.Context, tx *Tx, r *Run) error {
	now := l.now()
	if err := stopSegments(ctx, tx, r, SegmentQueued, now); err != nil {
		return err
	}
	if err := stopSegments(ctx, tx, r, SegmentRunning, now); err != nil {
		return err
	}
	if r.EndedAt.IsZero() {
		r.EndedAt = timeOf(millis(now))
	}
	r.draw(true, false, "")
	return l.finish(ctx, tx, r, now)
}

// firstFailure is why the first of a run's segments that failed did.
func firstFailure(ctx context.Context, tx *Tx, run string) (why string, err error) {
	err = tx.sql.QueryRowContext(ctx, `SELECT error FROM segments WHERE run = $1 AND state = 'failed' ORDER BY n LIMIT 1`, run).Scan(&why)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("read why a segment failed: %w", err)
	}
	return why, nil
}
