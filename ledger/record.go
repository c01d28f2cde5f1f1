package ledger

import (
	"context"
	"fmt"
	"time"

	"plumbline/checks"
)

// RecordSegment adds progress to a claimed segment, which it brings up to date,
// and says whether the run was asked to stop. A suspect that is pending already
// keeps its times and belongs to both runs; one whose finding is open counts as
// that difference at once. The last segment ends the run's scan. ErrLostTerm; *Ended.
func (l *Ledger) RecordSegment(ctx context.Context, held *Segment, p Progress, at time.Time, settle time.Duration, edge EdgeFacts) (cancel bool, err error) {
	var now *Segment
	err = l.onRun(ctx, held.Run, func(tx *Tx, run *Run) error {
		s, err := holdSegment(ctx, tx, run, held)
		if err != nil {
			return err
		}
		r, err := l.record(ctx, tx, edge, at, settle)
		if err != nil {
			return err
		}
		r.runs[run.ID] = run
		before := run.Counts
		if err := r.takeProgress(ctx, run, p); err != nil {
			return err
		}
		s.advance(p, at)
		s.Counts.Add(differenceOf(run.Counts, before))
		if p.Done {
			run.SegmentsDone++
		}
		if err := r.flush(ctx); err != nil {
			return err
		}
		if err := tx.saveSegment(ctx, s); err != nil {
			return err
		}
		tx.tell(Change{Topic: "segment", Check: run.Check, Replica: run.Replica, ID: run.ID})
		now, cancel = s, run.CancelRequested
		if err := stopAfter(ctx, tx, run, now, r.at); err != nil {
			return err
		}
		if s.over() {
			return l.segmentOver(ctx, tx, r.book, run, r.at, edge.AllowEmpty)
		}
		if err := r.book.flush(ctx); err != nil {
			return err
		}
		return tx.save(ctx, run)
	})
	if err != nil {
		return false, fmt.Errorf("record segment %d of run %s: %w", held.N, held.Run, err)
	}
	now.Plan.Keys = held.Plan.Keys
	*held = *now
	return cancel, nil
}

// stopAfter ends the scan of a run that has seen as many differences as it was to
// see: what was recorded counts, and the rest is unread. s is the segment that was
// recorded last, and is brought up to date.
func stopAfter(ctx context.Context, tx *Tx, r *Run, s *Segment, at time.Time) error {
	most := r.Asked.StopAfter
	if most == 0 || r.Counts.Differences()+r.Pending < most {
		return nil
	}
	unread := r.Unread
	for _, state := range []SegmentState{SegmentQueued, SegmentRunning} {
		if err := stopSegments(ctx, tx, r, state, at); err != nil {
			return err
		}
	}
	if r.Unread == unread {
		return nil // it was read to its end all the same
	}
	r.because(checks.StoppedAfter(most), 1)
	if s.State == SegmentRunning {
		s.State, s.EndedAt, s.Unread = SegmentStopped, timeOf(millis(at)), max(1, s.Plan.Estimate-s.Read)
	}
	return nil
}

// advance moves a segment's cursor.
func (s *Segment) advance(p Progress, at time.Time) {
	s.Read += p.Read
	if !p.Done {
		s.Plan.Span.After = p.Next
		return
	}
	s.State, s.EndedAt = SegmentDone, timeOf(millis(at))
}

// takeProgress takes over what a segment's parts gave.
func (r *recorder) takeProgress(ctx context.Context, run *Run, p Progress) error {
	run.Read += p.Read
	run.Counts.Add(p.Counts)
	run.Omitted += p.Omitted
	for reason, times := range p.Reasons {
		run.because(r.facts.reason(reason), times)
	}
	for reason, ms := range p.Waits {
		if run.Waits == nil {
			run.Waits = map[string]int64{}
		}
		run.Waits[text(r.facts.reason(reason))] += ms
	}
	who := make([]ident, 0, len(p.Suspects)+len(p.Settled))
	for i := range p.Suspects {
		who = append(who, r.identOf(p.Suspects[i].Key, p.Suspects[i].ID))
	}
	for i := range p.Settled {
		who = append(who, r.identOf(p.Settled[i].Key, p.Settled[i].ID))
	}
	if err := r.load(ctx, who); err != nil {
		return err
	}
	for i := range p.Suspects {
		if err := r.suspect(ctx, p.Suspects[i], []string{run.ID}); err != nil {
			return err
		}
	}
	for i := range p.Settled {
		d := &p.Settled[i]
		e := r.book.entries[r.identOf(d.Key, d.ID)]
		e.count(run.ID, d.Kind)
		omitted, err := r.book.see(e, r.facts.Finding(d), d.FirstSeen, r.at, run.ID)
		if err != nil {
			return err
		}
		if omitted {
			run.Omitted++
		}
	}
	return nil
}

// differenceOf is what was added to counts.
func differenceOf(after, before checks.Counts) checks.Counts {
	after.OwnerRecords -= before.OwnerRecords
	after.ReplicaRecords -= before.ReplicaRecords
	after.Equal -= before.Equal
	after.Mismatch -= before.Mismatch
	after.Missing -= before.Missing
	after.Extra -= before.Extra
	after.Duplicate -= before.Duplicate
	after.Unreadable -= before.Unreadable
	after.Skipped -= before.Skipped
	after.Unsettled -= before.Unsettled
	after.SuspectsCleared -= before.SuspectsCleared
	after.RandomKeys -= before.RandomKeys
	after.RandomDrift -= before.RandomDrift
	after.RandomGone -= before.RandomGone
	after.RandomReplicaKeys -= before.RandomReplicaKeys
	after.RandomExtras -= before.RandomExtras
	after.RandomReplicaGone -= before.RandomReplicaGone
	return after
}
