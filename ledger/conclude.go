package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"strings"
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
	if err := tx.rollOn(ctx, r, r.EndedAt); err != nil {
		return err
	}
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
		if r.complete() && r.Omitted == 0 { // an omitted one was delivered all the same
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
	if failure != "" && !strings.HasPrefix(failure, checks.SchemaPrefix) { // then the data is what it was, and of another shape
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
	return len(r.Keys) == 0 && !r.Sampled() && (r.Result == checks.Clean || r.Result == checks.Drift) && r.Unread == 0 && r.Counts.Skipped == 0 && r.Pending == 0
}

// finish ends a run whose result is drawn, and says what it means for its edge. A
// run that was asked to compare less than its check declares says nothing of the
// edge beside what it found.
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
	if err := tx.acceptSeen(ctx, r); err != nil {
		return err
	}
	if r.aside() || r.Result == checks.Cancelled {
		return nil
	}
	if err := tx.schemaHolds(ctx, r); err != nil {
		return err
	}
	if err := l.concludeEdge(ctx, tx, r, at); err != nil {
		return err
	}
	return keepHistory(ctx, tx, r, at)
}

func (l *Ledger) concludeEdge(ctx context.Context, tx *Tx, r *Run, at time.Time) error {
	known, err := readStanding(ctx, tx.sql, r.Check, r.Replica)
	if err != nil {
		return err
	}
	if known.hash != "" && r.Hash != "" && known.hash != r.Hash {
		return nil // the run was of another check of that name, and says nothing of this one
	}
	why := r.Error
	if reasons := r.EdgeRun().ReasonList(); why == "" && len(reasons) > 0 {
		why = reasons[0]
	}
	next := known.Conclude(drift.Conclusion{Run: r.ID, Number: r.Number, Result: r.Result, Why: why, Coverage: r.Coverage,
		Whole: r.complete() && r.Omitted == 0, Sampled: r.Sampled(), Bound: r.Bound()}, known.open, known.pending, at)
	if next.LastRun == r.ID {
		if err := l.keepCause(ctx, tx, r); err != nil {
			return err
		}
	}
	if r.complete() && next.LastRun == r.ID {
		known.compared = r.Counts.Compared()
	}
	if next.LastRun == r.ID {
		known.scopeShare = r.ScopeShare()
		if size := r.Size(); size > 0 {
			known.size = size
		}
	}
	return keepStanding(ctx, tx, r.Check, r.Replica, next, &known)
}

// standingRow is where an edge stands, and what that is drawn from.
type standingRow struct {
	drift.Standing
	hash                          string
	compared, size, open, pending int64
	scopeShare                    float64
}

func readStanding(ctx context.Context, from querier, check, replica string) (s standingRow, err error) {
	var consistency, result string
	var since, lastAt, success int64
	err = from.QueryRowContext(ctx, `SELECT consistency, since, last_run, last_number, last_whole, last_result, last_error, last_at, last_success,
			coverage, bound, compared, size, scope_share, pending, hash,
			(SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM tallies t WHERE t.check_name = $1 AND t.replica = $2 AND t.state <> 'resolved')
		FROM edges WHERE check_name = $1 AND replica = $2`, check, replica).
		Scan(&consistency, &since, &s.LastRun, &s.Number, &s.Whole, &result, &s.LastError, &lastAt, &success, &s.Coverage, &s.Bound, &s.compared,
			&s.size, &s.scopeShare, &s.pending, &s.hash, &s.open)
	if err != nil {
		return s, fmt.Errorf("read edge %s/%s: %w", check, replica, err)
	}
	s.Consistency, s.LastResult = drift.Consistency(consistency), checks.Result(result)
	s.Since, s.LastAt, s.LastSuccess = timeOf(since), timeOf(lastAt), timeOf(success)
	return s, nil
}

// keepStanding keeps where an edge stands, and how many records are known of it.
func keepStanding(ctx context.Context, tx *Tx, check, replica string, s drift.Standing, known *standingRow) error {
	_, err := tx.exec(ctx, `UPDATE edges SET consistency = $1, since = $2, last_run = $3, last_result = $4, last_error = $5, last_at = $6,
			last_success = $7, coverage = $8, compared = $9, last_number = $10, last_whole = $11, bound = $12, size = $13,
			scope_share = $14 WHERE check_name = $15 AND replica = $16`,
		string(s.Consistency), millis(s.Since), s.LastRun, string(s.LastResult), text(s.LastError), millis(s.LastAt),
		millis(s.LastSuccess), s.Coverage, known.compared, s.Number, s.Whole, s.Bound, known.size, known.scopeShare, check, replica)
	if err != nil {
		return fmt.Errorf("keep the standing of %s/%s: %w", check, replica, err)
	}
	tx.mark(check)
	tx.tell(Change{Topic: "edge", Check: check, Replica: replica})
	return nil
}

// recount draws what open findings that came or went mean for where the edge stands.
func (b *book) recount(ctx context.Context) error {
	known, err := readStanding(ctx, b.tx.sql, b.check, b.replica)
	if err != nil {
		return err
	}
	next := known.Recount(known.open, known.pending, b.at)
	if next == known.Standing {
		return nil
	}
	return keepStanding(ctx, b.tx, b.check, b.replica, next, &known)
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

// TellOnce says, once for each finished run in the ledger's life, that it is to
// be told of.
func (l *Ledger) TellOnce(ctx context.Context, id string) (tell bool, err error) {
	err = l.InTx(ctx, func(tx *Tx) error {
		n, err := tx.exec(ctx, `UPDATE runs SET told = $1 WHERE id = $2 AND state = 'finished' AND NOT told`, true, id)
		tell = n > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("mark run %s as told: %w", id, err)
	}
	return tell, nil
}
