package auditor

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"plumbline/ledger"
)

const (
	unmuteEvery = 5 * time.Second
	orphanEvery = 15 * time.Second
	pruneEvery  = 10 * time.Minute
)

// keepHouse lifts mutes whose time has come, finds runs that nobody works on and
// deletes what is old, until ctx ends.
func (a *Auditor) keepHouse(ctx context.Context) {
	orphans := time.Now().Add(orphanEvery)
	prune := time.Now().Add(time.Duration(rand.Int64N(int64(pruneEvery)))) // not all processes at once
	every(ctx, unmuteEvery, func() {
		if a.behind() {
			return
		}
		_, err := a.ledger.UnmuteDue(ctx, a.now())
		a.logged(ctx, "lift mutes", err)
		if time.Now().After(orphans) {
			orphans = time.Now().Add(orphanEvery)
			a.logged(ctx, "look for runs that nobody works on", a.adopt(ctx))
			a.logged(ctx, "look for plans that nobody works on", a.adoptPlans(ctx))
		}
		if time.Now().After(prune) {
			prune = time.Now().Add(pruneEvery)
			pruned, err := a.ledger.Prune(ctx, a.now(), a.options.Keep)
			a.logged(ctx, "delete what is old", err)
			a.log.Debug("deleted what is old", "runs", pruned.Runs, "findings", pruned.Findings, "slots", pruned.Slots, "segments", pruned.Segments)
		}
	})
}

// orphanAge is how old a run must be to be taken for one that nobody works on.
const orphanAge = 10 * time.Second

// adopt queues jobs for runs that go and have none. That takes a job lost by the
// engine or a ledger restored from a copy; a run must not go for ever.
func (a *Auditor) adopt(ctx context.Context) error {
	runs, _, err := a.ledger.Runs(ctx, ledger.RunFilter{State: "active", Limit: 1000})
	if err != nil || len(runs) == 0 {
		return err
	}
	// Jobs are listed after runs: a run whose job has ended since has its next
	// jobs listed, or is found to be over when its new job comes.
	queued, err := a.jobs(ctx, rivertype.JobStateAvailable, rivertype.JobStateRunning, rivertype.JobStateRetryable, rivertype.JobStateScheduled, rivertype.JobStatePending)
	if err != nil {
		return err
	}
	if len(queued) >= mostJobs {
		return nil // too much to do to tell what is missing
	}
	has := map[string]bool{}
	for _, job := range queued {
		var of segmentJob // which holds what beginJob does
		if err := json.Unmarshal(job.EncodedArgs, &of); err != nil {
			return fmt.Errorf("read job %d: %w", job.ID, err)
		}
		has[jobName(job.Kind, of.Run, of.N)] = true
	}
	b := a.book.Load()
	for _, run := range runs {
		if a.now().Sub(run.CreatedAt) < orphanAge {
			continue
		}
		if err := a.adoptRun(ctx, b, run, has); err != nil {
			return err
		}
	}
	return nil
}

func (a *Auditor) adoptRun(ctx context.Context, b *book, run *ledger.Run, has map[string]bool) error {
	var jobs []river.InsertManyParams
	like := b
	if run.Generation != b.generation { // cut by a configuration that we may not know
		like = &book{generation: run.Generation}
	}
	if run.State == ledger.Queued && !has[jobName(beginJob{}.Kind(), run.ID, 0)] {
		jobs = beginJobs(b, []*ledger.Run{run})
	}
	if run.State == ledger.Running {
		segments, err := a.ledger.Segments(ctx, run.ID)
		if err != nil {
			return err
		}
		for _, s := range segments {
			going := s.State == ledger.SegmentQueued || s.State == ledger.SegmentRunning
			if going && !has[jobName(segmentJob{}.Kind(), run.ID, s.N)] {
				jobs = append(jobs, segmentJobs(like, run, []ledger.Segment{s})...)
			}
		}
	}
	if len(jobs) == 0 {
		return nil
	}
	a.log.Warn("a run had lost its jobs", "check", run.Check, "replica", run.Replica, "run", run.Number, "jobs", len(jobs))
	return a.ledger.InTx(ctx, func(tx *ledger.Tx) error { return a.insert(ctx, tx, jobs) })
}

func jobName(kind, run string, n int) string { return fmt.Sprintf("%s %s %d", kind, run, n) }
