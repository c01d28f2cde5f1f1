package auditor

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"plumbline/checks"
	"plumbline/ledger"
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
		err = contained(func() error { return a.begin(ctx, b, edge, run) })
		return a.beginEnds(ctx, edge, run, err, job.Attempt)
	})
}

// emptyOwner is an owner that answers with nothing, where that is no fact.
type emptyOwner struct{ reason string }

func (e *emptyOwner) Error() string { return e.reason }

// begin is how a run begins, in the order in which it happens.
func (a *Auditor) begin(ctx context.Context, b *book, edge ledger.EdgeFacts, run *ledger.Run) error {
	o, err := a.open(ctx, b, edge, run.ID)
	if err != nil {
		return err
	}
	run.Plan, run.Estimate, run.Copies = o.audit.Plan(), o.audit.Estimate(), edge.Check.Edges[edge.I].Copies()
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
		plan, err := o.audit.Cut(ctx)
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
	switch {
	case err == nil:
		return nil
	case errors.As(err, &empty):
		return a.runEnds(ctx, edge, run, err, checks.Incomplete)
	case errors.Is(err, ErrTurnOver), context.Cause(ctx) != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded):
		return again(0)
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
