package auditor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
)

// fixJob applies a plan. There is one at a time of each.
type fixJob struct {
	Plan string `json:"plan" river:"unique"`
	work
}

// proposeJob drafts a plan of what is open of an edge, by itself. There is one
// at a time of each edge.
type proposeJob struct {
	work
}

// Kind names the job for the engine.
func (fixJob) Kind() string { return "fix" }

// Kind names the job for the engine.
func (proposeJob) Kind() string { return "propose" }

func (j fixJob) insert() river.InsertManyParams {
	return river.InsertManyParams{Args: j, InsertOpts: &river.InsertOpts{Queue: queueFix, UniqueOpts: oneAtATime()}}
}

func (j proposeJob) insert() river.InsertManyParams {
	return river.InsertManyParams{Args: j, InsertOpts: &river.InsertOpts{Queue: queueFix, UniqueOpts: oneAtATime()}}
}

// fixWork is an edge by the hash that plans of it go by. One that the book does
// not know is of no configuration.
func fixWork(b *book, check, replica string) work {
	w := work{Check: check, Replica: replica}
	if _, ok := b.edge(check, replica); ok {
		w.Hash, w.Generation = b.checks[check].FixHash, b.generation
	}
	return w
}

func fixJobs(b *book, plans []*reconciler.Plan) (jobs []river.InsertManyParams) {
	for _, p := range plans {
		jobs = append(jobs, fixJob{Plan: p.ID, work: fixWork(b, p.Check, p.Replica)}.insert())
	}
	return jobs
}

// frozenPause is how often a plan that is frozen half way is looked at again.
const frozenPause = time.Second

// workFix applies a plan for a turn and says what becomes of the rest. Of a plan
// whose check was changed since, only what is doubtful is looked at.
func (a *Auditor) workFix(ctx context.Context, job *river.Job[fixJob]) error {
	return a.hold(func(b *book) error {
		edge, stands := a.standsBy(b, job.Args.work, func(c *Check) string { return c.FixHash })
		if stands == elsewhere {
			return again(2 * time.Second)
		}
		var over bool
		var wait time.Duration
		err := contained(func() (err error) {
			if _, there := b.edge(job.Args.Check, job.Args.Replica); !there {
				over, err = a.fixes.abandon(ctx, job.Args.Plan, "its check is no longer configured")
				wait = endPause
				return err
			}
			over, wait, err = a.fixes.turn(ctx, b, edge, job.Args.Plan)
			return err
		})
		return a.fixEnds(ctx, edge, job, over, wait, err)
	})
}

// fixEnds says what becomes of a plan's job after a turn ended with err.
func (a *Auditor) fixEnds(ctx context.Context, edge ledger.EdgeFacts, job *river.Job[fixJob], over bool, wait time.Duration, err error) error {
	var gone *ledger.NotFoundError
	var refused *reconciler.Refusal
	switch {
	case err == nil && over, errors.As(err, &gone):
		return nil
	case err == nil:
		return again(wait)
	case errors.Is(err, reconciler.ErrFrozen):
		return again(frozenPause)
	case errors.Is(err, reconciler.ErrLost):
		return again(soon())
	case errors.As(err, &refused):
		return a.abandoned(ctx, job.Args.Plan, refused.Why)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), context.Cause(ctx) != nil:
		return again(soon())
	case job.Attempt < attempts && !lasting(err):
		return a.failed(edge, err, job.Attempt)
	}
	a.breakdown(err, &ledger.Run{Check: edge.Check.Name, Replica: replicaOf(edge)})
	a.log.Error("a plan of fixes could not be applied to its end", "plan", job.Args.Plan, "check", edge.Check.Name, "replica", replicaOf(edge), "error", drift.Keyless(a.shown(edge, err)))
	if over, err = a.fixes.end(ctx, job.Args.Plan, ""); err == nil && !over {
		return again(stuckPause) // what is doubtful is looked at as soon as it can be
	}
	return err
}

// stuckPause is how often a plan is gone on with that cannot be applied for now,
// and has something doubtful.
const stuckPause = 30 * time.Second

func (a *Auditor) abandoned(ctx context.Context, plan, why string) error {
	over, err := a.fixes.abandon(ctx, plan, why)
	if err == nil && !over {
		return again(endPause)
	}
	return err
}

// adoptPlans queues jobs for plans that are being applied and have none: lost by
// the engine, or begun by a command that was ended half way.
func (a *Auditor) adoptPlans(ctx context.Context) error {
	plans, _, err := a.ledger.Plans(ctx, ledger.PlanFilter{State: string(reconciler.Applying), Limit: 500})
	if err != nil || len(plans) == 0 {
		return err
	}
	queued, err := a.jobs(ctx, rivertype.JobStateAvailable, rivertype.JobStateRunning, rivertype.JobStateRetryable, rivertype.JobStateScheduled, rivertype.JobStatePending)
	if err != nil {
		return err
	}
	if len(queued) >= mostJobs {
		return nil // too much to do to tell what is missing
	}
	has := map[string]bool{}
	for _, job := range queued {
		if job.Kind != (fixJob{}).Kind() {
			continue
		}
		var of fixJob
		if err := json.Unmarshal(job.EncodedArgs, &of); err != nil {
			return fmt.Errorf("read job %d: %w", job.ID, err)
		}
		has[of.Plan] = true
	}
	var lost []*reconciler.Plan
	for _, p := range plans {
		if !has[p.ID] && a.now().Sub(p.BegunAt) > orphanAge {
			a.log.Warn("a plan of fixes had lost its job", "plan", p.ID, "check", p.Check, "replica", p.Replica)
			lost = append(lost, p)
		}
	}
	if len(lost) == 0 {
		return nil
	}
	return a.ledger.InTx(ctx, func(tx *ledger.Tx) error { return a.insert(ctx, tx, fixJobs(a.book.Load(), lost)) })
}
