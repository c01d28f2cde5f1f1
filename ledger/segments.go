package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"plumbline/checks"
	"plumbline/sources"
)

const segmentColumns = `run, n, drive, presence, begins, cursor_at, ends, estimate, state, term, worker, records_read, counts, unread,
	attempts, error, started_at, ended_at, stratum, CASE WHEN drawn = '' THEN 0 ELSE 1 END`

func (k *keyring) scanSegment(rows *sql.Rows) (s Segment, err error) {
	var drive, state, counts, stratum string
	var begins, cursor, ends []byte
	var started, ended, drawn int64
	if err := rows.Scan(&s.Run, &s.N, &drive, &s.Plan.Pass.Presence, &begins, &cursor, &ends, &s.Plan.Estimate, &state, &s.Term, &s.Worker,
		&s.Read, &counts, &s.Unread, &s.Attempts, &s.Error, &started, &ended, &stratum, &drawn); err != nil {
		return s, err
	}
	s.Plan.Stratum, s.Drawn = checks.Stratum(stratum), drawn == 1
	s.Plan.Pass.Drive, s.State, s.StartedAt, s.EndedAt = checks.Role(drive), SegmentState(state), timeOf(started), timeOf(ended)
	if s.Counts, err = readCounts(counts); err != nil {
		return s, err
	}
	if s.From, err = k.decodePosition(begins); err != nil {
		return s, err
	}
	if s.Plan.Span.After, err = k.decodePosition(cursor); err != nil {
		return s, err
	}
	s.Plan.Span.UpTo, err = k.decodePosition(ends)
	return s, err
}

func insertSegments(ctx context.Context, tx *Tx, run string, segments []Segment) error {
	for i := range segments {
		s := &segments[i]
		s.Run, s.State, s.From, s.Drawn = run, SegmentQueued, s.Plan.Span.After, len(s.Plan.Keys) > 0
		drawn, err := tx.keys.writeKeys(s.Plan.Keys)
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, `INSERT INTO segments (run, n, drive, presence, begins, cursor_at, ends, estimate, state, term, worker, records_read,
				counts, unread, attempts, error, started_at, ended_at, stratum, drawn)
			VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8, 0, '', 0, '', 0, 0, '', 0, 0, $9, $10)`,
			run, s.N, string(s.Plan.Pass.Drive), s.Plan.Pass.Presence, tx.keys.encodePosition(s.From), tx.keys.encodePosition(s.Plan.Span.UpTo),
			s.Plan.Estimate, string(s.State), string(s.Plan.Stratum), drawn)
		if err != nil {
			return fmt.Errorf("keep segment %d: %w", s.N, err)
		}
	}
	return nil
}

func segmentRow(ctx context.Context, k *keyring, from querier, run string, n int) (*Segment, error) {
	list, err := collect(ctx, from, k.scanSegment, `SELECT `+segmentColumns+` FROM segments WHERE run = $1 AND n = $2`, run, n)
	if err != nil {
		return nil, fmt.Errorf("read segment %d of run %s: %w", n, run, err)
	}
	if len(list) == 0 {
		return nil, &NotFoundError{What: "segment", Name: fmt.Sprintf("%d of run %s", n, run)}
	}
	return &list[0], nil
}

// drawnKeys reads the keys that a segment compares alone: they are many, and only
// whoever compares them needs them.
func drawnKeys(ctx context.Context, tx *Tx, run string, n int) ([]sources.Key, error) {
	var kept string
	if err := tx.sql.QueryRowContext(ctx, `SELECT drawn FROM segments WHERE run = $1 AND n = $2`, run, n).Scan(&kept); err != nil {
		return nil, fmt.Errorf("read the keys of segment %d of run %s: %w", n, run, err)
	}
	return tx.keys.readKeys(kept)
}

func (tx *Tx) saveSegment(ctx context.Context, s *Segment) error {
	counts, err := writeCounts(s.Counts)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, `UPDATE segments SET cursor_at = $1, state = $2, term = $3, worker = $4, records_read = $5, counts = $6,
			unread = $7, attempts = $8, error = $9, started_at = $10, ended_at = $11 WHERE run = $12 AND n = $13`,
		tx.keys.encodePosition(s.Plan.Span.After), string(s.State), s.Term, text(s.Worker), s.Read, counts, s.Unread, s.Attempts, text(s.Error),
		millis(s.StartedAt), millis(s.EndedAt), s.Run, s.N)
	if err != nil {
		return fmt.Errorf("save segment %d: %w", s.N, err)
	}
	return nil
}

// segmentsIn counts a run's segments that are in a state.
func segmentsIn(ctx context.Context, tx *Tx, run string, state SegmentState) (n int64, err error) {
	err = tx.sql.QueryRowContext(ctx, `SELECT COUNT(*) FROM segments WHERE run = $1 AND state = $2`, run, string(state)).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count segments: %w", err)
	}
	return n, nil
}

// Segments lists a run's segments in order.
func (l *Ledger) Segments(ctx context.Context, run string) ([]Segment, error) {
	list, err := collect(ctx, l.read, l.keys.scanSegment, `SELECT `+segmentColumns+` FROM segments WHERE run = $1 ORDER BY n`, run)
	if err != nil {
		return nil, fmt.Errorf("list the segments of run %s: %w", run, err)
	}
	return list, nil
}

// ClaimSegment takes a segment over, raising its term. *NotFoundError; *Ended
// when it or its run is finished.
func (l *Ledger) ClaimSegment(ctx context.Context, run string, n int, worker string) (segment *Segment, r *Run, err error) {
	err = l.onRun(ctx, run, func(tx *Tx, now *Run) error {
		s, err := segmentRow(ctx, tx.keys, tx.sql, run, n)
		if err != nil {
			return err
		}
		if now.State != Running || s.over() {
			return &Ended{What: fmt.Sprintf("segment %d of run %s", n, run)}
		}
		s.State, s.Worker, s.Error = SegmentRunning, worker, ""
		s.Term++
		s.Attempts++
		if s.StartedAt.IsZero() {
			s.StartedAt = timeOf(millis(l.now()))
		}
		if s.Drawn {
			if s.Plan.Keys, err = drawnKeys(ctx, tx, run, n); err != nil {
				return err
			}
		}
		segment, r = s, now
		return tx.saveSegment(ctx, s)
	})
	if err != nil {
		return nil, nil, fmt.Errorf("claim segment %d of run %s: %w", n, run, err)
	}
	return segment, r, nil
}

// over says whether nobody is to work on a segment any more.
func (s *Segment) over() bool { return s.State != SegmentQueued && s.State != SegmentRunning }

// holdSegment reads a segment within a transaction that holds its run's edge, and
// fails where whoever calls has lost it.
func holdSegment(ctx context.Context, tx *Tx, r *Run, held *Segment) (*Segment, error) {
	s, err := segmentRow(ctx, tx.keys, tx.sql, r.ID, held.N)
	switch {
	case err != nil:
		return nil, err
	case s.Term != held.Term:
		return nil, ErrLostTerm
	case r.State != Running || s.over():
		return nil, &Ended{What: fmt.Sprintf("segment %d of run %s", held.N, r.ID)}
	}
	return s, nil
}

// FailSegment gives a segment up: the rest of it is unread. ErrLostTerm; *Ended.
func (l *Ledger) FailSegment(ctx context.Context, s *Segment, why string) error {
	return l.giveUp(ctx, s, SegmentFailed, why)
}

// StopSegment ends a segment of a run that was cancelled: the rest of it is
// unread. ErrLostTerm; *Ended.
func (l *Ledger) StopSegment(ctx context.Context, s *Segment) error {
	return l.giveUp(ctx, s, SegmentStopped, "")
}

func (l *Ledger) giveUp(ctx context.Context, held *Segment, state SegmentState, why string) error {
	now := l.now()
	var left *Segment
	err := l.onRun(ctx, held.Run, func(tx *Tx, r *Run) error {
		s, err := holdSegment(ctx, tx, r, held)
		if err != nil {
			return err
		}
		if err := s.leave(ctx, tx, r, state, why, now); err != nil {
			return err
		}
		left = s
		tx.tell(Change{Topic: "segment", Check: r.Check, Replica: r.Replica, ID: r.ID})
		return l.segmentOver(ctx, tx, nil, r, now, false)
	})
	if err != nil {
		return fmt.Errorf("end segment %d of run %s: %w", held.N, held.Run, err)
	}
	*held = *left
	return nil
}

// leave ends a segment before it was read to its end.
func (s *Segment) leave(ctx context.Context, tx *Tx, r *Run, state SegmentState, why string, at time.Time) error {
	s.State, s.Error, s.EndedAt = state, text(why), timeOf(millis(at))
	s.Unread = max(1, s.Plan.Estimate-s.Read)
	r.Unread += s.Unread
	if why != "" {
		r.because(why, 1)
	}
	return tx.saveSegment(ctx, s)
}

// segmentOver ends the scan of a run of which no segment is left to be read, and
// saves the run in any case.
func (l *Ledger) segmentOver(ctx context.Context, tx *Tx, b *book, r *Run, at time.Time, allowEmpty bool) error {
	var left int64
	err := tx.sql.QueryRowContext(ctx, `SELECT COUNT(*) FROM segments WHERE run = $1 AND state IN ('queued', 'running')`, r.ID).Scan(&left)
	if err != nil {
		return fmt.Errorf("count segments: %w", err)
	}
	if left == 0 {
		return l.endScan(ctx, tx, b, r, at, allowEmpty)
	}
	if b != nil {
		if err := b.flush(ctx); err != nil {
			return err
		}
	}
	return tx.save(ctx, r)
}

// stopSegments stops those of a run's segments that are in a state.
func stopSegments(ctx context.Context, tx *Tx, r *Run, state SegmentState, at time.Time) error {
	list, err := collect(ctx, tx.sql, tx.keys.scanSegment, `SELECT `+segmentColumns+` FROM segments WHERE run = $1 AND state = $2 ORDER BY n`, r.ID, string(state))
	if err != nil {
		return fmt.Errorf("read segments: %w", err)
	}
	for i := range list {
		if err := list[i].leave(ctx, tx, r, SegmentStopped, "", at); err != nil {
			return err
		}
	}
	return nil
}

// resumeSegments queues what a run did not read, and takes back what was noted
// for it. *Ended where there is nothing.
func (l *Ledger) resumeSegments(ctx context.Context, tx *Tx, r *Run) ([]Segment, error) {
	left, err := collect(ctx, tx.sql, tx.keys.scanSegment, `SELECT `+segmentColumns+` FROM segments
		WHERE run = $1 AND state IN ('failed', 'stopped') ORDER BY n`, r.ID)
	if err != nil {
		return nil, fmt.Errorf("read segments: %w", err)
	}
	if r.State != Finished || len(left) == 0 {
		return nil, &Ended{What: "run " + r.ID + " has nothing left to read: it"}
	}
	if r.Asked.StopAfter > 0 { // whoever resumes it wants the rest
		delete(r.Reasons, checks.StoppedAfter(r.Asked.StopAfter))
		r.Asked.StopAfter = 0
	}
	for i := range left {
		s := &left[i]
		r.Unread -= s.Unread
		if s.Error != "" {
			reason := s.Error
			if _, kept := r.Reasons[reason]; !kept {
				reason = otherReasons
			}
			if r.Reasons[reason]--; r.Reasons[reason] <= 0 {
				delete(r.Reasons, reason)
			}
		}
		s.State, s.Error, s.Unread, s.EndedAt = SegmentQueued, "", 0, time.Time{}
		if err := tx.saveSegment(ctx, s); err != nil {
			return nil, err
		}
	}
	return left, nil
}
