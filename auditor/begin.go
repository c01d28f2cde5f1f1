package auditor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/riverqueue/river"

	"plumbline/checks"
	"plumbline/ledger"
	"plumbline/sources"
)

// workBegin is a run's first job: it looks at the stores, reads what is known to
// drift once more, and plans and cuts the run.
func (a *Auditor) workBegin(ctx context.Context, job *river.Job[beginJob]) error {
	return a.hold(func(b *book) error {
		edge, stands := a.stands(b, job.Args.work)
		if _, ok := b.edge(job.Args.Check, job.Args.Replica); ok && job.Args.Generation <= b.generation {
			stands = current // nothing was read yet, so the check may be another by now
		}
		if stands == elsewhere {
			return again(2 * time.Second)
		}
		return a.inRoom(ctx, b, edge, job.JobRow, func(inside context.Context) error {
			run, err := a.ledger.ClaimRun(ctx, job.Args.Run, a.me)
			if err != nil {
				outcome := a.over(err)
				return outcome
			}
			if run.State != ledger.Queued {
				return nil // it was begun, by whoever had this job before
			}
			if stands == changed {
				return a.runEnds(ctx, edge, run, errors.New(ledger.ReasonChanged), checks.Incomplete)
			}
			err = cleared(inside, contained(func() error { return a.begin(inside, b, edge, run) }))
			return a.beginEnds(ctx, edge, run, err, job.Attempt)
		})
	})
}

// emptyOwner is an owner that answers with nothing, where that is no fact.
type emptyOwner struct{ reason string }

func (e *emptyOwner) Error() string { return e.reason }

// begin is how a run begins, in the order in which it happens.
func (a *Auditor) begin(ctx context.Context, b *book, edge ledger.EdgeFacts, run *ledger.Run) error {
	if len(run.Keys) == 0 {
		run.Sample = run.Asked.Of(edge.Check) // by the check as it is now that the run begins
	}
	o, err := a.open(ctx, b, edge, run)
	if err != nil {
		return err
	}
	run.Plan, run.Estimate, run.Copies = o.audit.Plan(), o.audit.Estimate(), edge.Check.Edges[edge.I].Copies()
	shapes := o.audit.Shapes()
	run.Shapes, run.Shape, run.SchemaChanges = &shapes, o.audit.Shape(), o.audit.SchemaChanges()
	segments := []ledger.Segment{{Run: run.ID}}
	if len(run.Keys) == 0 {
		reason, err := o.audit.EmptyOwner(ctx) // before an owner that lost everything makes every finding look healed
		if err != nil {
			return err
		}
		if reason != "" {
			return &emptyOwner{reason}
		}
		if err := a.recheckOpen(ctx, a.shift(b, edge, o), run); err != nil {
			return err
		}
		plan, err := a.segmentsOf(ctx, b, o, run)
		if err != nil {
			return err
		}
		segments = segments[:0]
		for n, s := range plan {
			segments = append(segments, ledger.Segment{Run: run.ID, N: n, Plan: s, From: s.Span.After})
		}
	} else {
		run.Estimate = int64(len(run.Keys))
		segments[0].Plan.Estimate = run.Estimate
	}
	err = a.ledger.PlanRun(ctx, run, segments, func(tx *ledger.Tx) error {
		return a.insert(ctx, tx, segmentJobs(b, run, segments))
	})
	if err != nil {
		return &RecordError{err}
	}
	return nil
}

// segmentsOf are what a run reads: what it draws where it compares a sample, and
// otherwise the parts of everything.
func (a *Auditor) segmentsOf(ctx context.Context, b *book, o *opened, run *ledger.Run) ([]checks.Segment, error) {
	if !run.Sampled() {
		return o.audit.Cut(ctx)
	}
	marks, err := a.ledger.Watermarks(ctx, run)
	if err != nil {
		return nil, &RecordError{err}
	}
	from := map[checks.Role]sources.Position{}
	for side, mark := range marks {
		from[side] = mark.Position
	}
	drawn, err := b.draw(ctx, o.audit, run.Sample, from, run.Seed)
	if err != nil {
		return nil, err
	}
	if len(drawn.Segments) == 0 && run.Asked.Since == 0 { // there is nothing to draw: that takes no time to read
		return o.audit.Cut(ctx)
	}
	run.Drawn, run.Rolls, run.Reasons = drawn.Sampled(), nil, map[string]int64{}
	for _, why := range drawn.Partial {
		run.Reasons[why]++
	}
	for _, why := range drawn.Why {
		if !slices.Contains(run.Plan.Why, why) {
			run.Plan.Why = append(slices.Clip(run.Plan.Why), why)
		}
	}
	for side, next := range drawn.Next {
		run.Rolls = append(run.Rolls, marks[side].Roll(side, rolled(&drawn, side), sizeOf(run.Drawn, side), next))
	}
	if len(drawn.Segments) == 0 {
		run.Reasons[fmt.Sprintf("no key changed in the last %s", run.Asked.Since)]++
	}
	return drawn.Segments, nil
}

// draw draws a sample, which may take long, until the book is closed.
func (b *book) draw(ctx context.Context, audit *checks.Audit, s checks.Sample, from map[checks.Role]sources.Position, seed uint64) (drawn checks.Drawn, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-b.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	if drawn, err = audit.Draw(ctx, s, from, seed); err != nil && b.isClosed() {
		return drawn, ErrTurnOver
	}
	return drawn, err
}

// sizeOf is about how many keys a side has; 0 when unknown.
func sizeOf(s *checks.Sampled, side checks.Role) int64 {
	return cmp.Or(s.Population[side], s.Estimate[side])
}

// rolled is how many keys a draw took of the rolling part of a side, and for it alone.
func rolled(d *checks.Drawn, side checks.Role) (keys int64) {
	for i := range d.Segments {
		if s := &d.Segments[i]; s.Stratum == checks.StratumRolling && s.Pass.Drive == side {
			keys += int64(len(s.Keys))
		}
	}
	return keys
}

func workOf(b *book, run *ledger.Run) work {
	w := work{Check: run.Check, Replica: run.Replica, Generation: b.generation}
	if c := b.checks[run.Check]; c != nil {
		w.Hash = c.Hash
	}
	return w
}

func segmentJobs(b *book, run *ledger.Run, segments []ledger.Segment) (jobs []river.InsertManyParams) {
	for i := range segments {
		jobs = append(jobs, segmentJob{Run: run.ID, N: segments[i].N, work: workOf(b, run)}.insert())
	}
	return jobs
}

func (a *Auditor) beginEnds(ctx context.Context, edge ledger.EdgeFacts, run *ledger.Run, err error, attempt int) error {
	var record *RecordError
	var empty *emptyOwner
	var changed *checks.SchemaChangedError
	wait, waits := waiting(err)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &changed):
		run.SchemaChanges = changed.Changes
		return a.runEnds(ctx, edge, run, changed, checks.Incomplete)
	case errors.As(err, &empty):
		return a.runEnds(ctx, edge, run, err, checks.Incomplete)
	case errors.Is(err, ErrTurnOver), context.Cause(ctx) != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded):
		return again(0)
	case waits:
		return again(wait)
	case errors.As(err, &record):
		outcome := a.over(record.Err)
		return outcome
	case attempt < attempts && !lasting(err):
		return a.failed(edge, err, attempt)
	}
	a.breakdown(err, run)
	return a.runEnds(ctx, edge, run, err, checks.Error)
}

// runEnds ends a run that could not begin.
func (a *Auditor) runEnds(ctx context.Context, edge ledger.EdgeFacts, run *ledger.Run, why error, result checks.Result) error {
	if err := a.ledger.EndRun(ctx, run, a.shown(edge, why), result); err != nil {
		outcome := a.over(err)
		return outcome
	}
	a.concluded(ctx, run.ID)
	return nil
}
