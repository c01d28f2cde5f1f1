package auditor

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"plumbline/ledger"
)

// The queues, each with workers of its own, so that a run begins on time and a
// suspect is confirmed on time while long segments are read.
const (
	queueBegin   = "begin"
	queueRead    = "read"
	queueConfirm = "confirm"
	queueFix     = "fix"
)

const (
	pollEvery = 200 * time.Millisecond
	// fetchPause is the least time between two looks for jobs.
	fetchPause = 10 * time.Millisecond
	// jobTimeout is far more than a turn: a store may take its statement timeout
	// for one page, several times, until pages are small enough for it.
	jobTimeout = 2 * time.Minute
	// drawTimeout is for a run to begin: a store that knows no way to draw keys is
	// read from end to end for it.
	drawTimeout = 30 * time.Minute
	// rescueAfter is when the engine itself takes a job for stuck; work of a
	// process that is gone is taken over long before (takeover.go).
	rescueAfter = 3 * time.Minute
	// attempts is how often work is tried that makes no progress.
	attempts = 5
)

// work is what every job says: of which edge, and by which configuration.
type work struct {
	Check      string `json:"check"`
	Replica    string `json:"replica"`
	Hash       string `json:"hash"` // Check.Hash, as it was when the job was queued
	Generation int64  `json:"generation"`
}

// beginJob begins a run.
type beginJob struct {
	Run string `json:"run"`
	work
}

// segmentJob audits a segment.
type segmentJob struct {
	Run string `json:"run"`
	N   int    `json:"n"`
	work
}

// confirmJob confirms an edge's settled suspects. There is one at a time.
type confirmJob struct {
	work
}

// Kind names the job for the engine.
func (beginJob) Kind() string { return "begin" }

// Kind names the job for the engine.
func (segmentJob) Kind() string { return "segment" }

// Kind names the job for the engine.
func (confirmJob) Kind() string { return "confirm" }

func (j beginJob) insert() river.InsertManyParams {
	return river.InsertManyParams{Args: j, InsertOpts: &river.InsertOpts{Queue: queueBegin}}
}

func (j segmentJob) insert() river.InsertManyParams {
	return river.InsertManyParams{Args: j, InsertOpts: &river.InsertOpts{Queue: queueRead}}
}

func (j confirmJob) insert() river.InsertManyParams {
	return river.InsertManyParams{Args: j, InsertOpts: &river.InsertOpts{Queue: queueConfirm, UniqueOpts: oneAtATime()}}
}

// oneAtATime keeps a job from being queued while one like it waits or works.
func oneAtATime() river.UniqueOpts {
	return river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
		rivertype.JobStateRunning, rivertype.JobStateScheduled}}
}

// worker does jobs of one kind.
type worker[T river.JobArgs] struct {
	river.WorkerDefaults[T]
	do      func(context.Context, *river.Job[T]) error
	timeout time.Duration // 0 is jobTimeout
}

func (w *worker[T]) Timeout(*river.Job[T]) time.Duration { return w.timeout }

func (w *worker[T]) Work(ctx context.Context, job *river.Job[T]) error { return w.do(ctx, job) }

// backOff is when a job that failed is tried again. Up to the engine's own
// interval of 5 s it needs no other process to wake it.
type backOff struct{}

func (backOff) NextRetry(job *rivertype.JobRow) time.Time {
	seconds := min(20, 1<<min(job.Attempt, 10)/2) // 1, 2, 4, 8, 16, 20
	return time.Now().Add(time.Duration(seconds) * time.Second)
}

func driverOf(l *ledger.Ledger) riverdriver.Driver[*sql.Tx] {
	if l.Engine() == "postgres" {
		return riverdatabasesql.New(l.DB())
	}
	return riversqlite.New(l.DB())
}

// migrateJobs brings the engine's tables up to date. Of several processes that
// start at once on one database all but one may fail, and then find it done.
func migrateJobs(ctx context.Context, l *ledger.Ledger) error {
	for try := 1; ; try++ {
		migrator, err := rivermigrate.New(driverOf(l), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
		if err == nil {
			_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
		}
		if err == nil {
			return nil
		}
		if try == 10 || ctx.Err() != nil {
			return fmt.Errorf("make the job engine's tables: %w", err)
		}
		timer := time.NewTimer(time.Duration(100+rand.IntN(300)) * time.Millisecond)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
	}
}

// workers is how many jobs of each queue are done side by side.
func (o *Options) workers() map[string]int {
	return map[string]int{
		queueBegin:   4 * o.Workers, // they mostly wait for stores to answer
		queueRead:    o.Workers,
		queueConfirm: o.Workers,
		queueFix:     o.Workers,
	}
}

func (a *Auditor) newClient() (*river.Client[*sql.Tx], error) {
	workers := river.NewWorkers()
	river.AddWorker(workers, &worker[beginJob]{do: a.workBegin, timeout: drawTimeout})
	river.AddWorker(workers, &worker[segmentJob]{do: a.workSegment})
	river.AddWorker(workers, &worker[confirmJob]{do: a.workConfirm})
	river.AddWorker(workers, &worker[fixJob]{do: a.workFix})
	river.AddWorker(workers, &worker[proposeJob]{do: a.workPropose})
	queues := map[string]river.QueueConfig{}
	for queue, workers := range a.options.workers() {
		queues[queue] = river.QueueConfig{MaxWorkers: workers}
	}
	client, err := river.NewClient(driverOf(a.ledger), &river.Config{
		ID:                          a.me,
		Queues:                      queues,
		Workers:                     workers,
		FetchCooldown:               fetchPause,
		FetchPollInterval:           pollEvery,
		PollOnly:                    true,
		JobTimeout:                  jobTimeout,
		RescueStuckJobsAfter:        rescueAfter,
		MaxAttempts:                 1000, // when to give up is ours to say
		RetryPolicy:                 backOff{},
		CompletedJobRetentionPeriod: 10 * time.Minute,
		CancelledJobRetentionPeriod: time.Hour,
		DiscardedJobRetentionPeriod: 24 * time.Hour,
		Logger:                      slog.New(quiet{a.log.Handler()}),
	})
	if err != nil {
		return nil, fmt.Errorf("make the job engine: %w", err)
	}
	return client, nil
}

// insert queues jobs in a transaction of the ledger.
func (a *Auditor) insert(ctx context.Context, tx *ledger.Tx, jobs []river.InsertManyParams) error {
	if len(jobs) == 0 {
		return nil
	}
	if _, err := a.river.InsertManyTx(ctx, tx.SQL(), jobs); err != nil {
		return fmt.Errorf("queue %d jobs: %w", len(jobs), err)
	}
	return nil
}

// again queues a job anew after a while: nothing failed, and it is not counted
// as an attempt.
func again(after time.Duration) error { return river.JobSnooze(after) }

// soon is a short while that is not the same for all.
func soon() time.Duration { return time.Duration(200+rand.IntN(800)) * time.Millisecond }

// over says what becomes of a job by what the ledger answered: its work may no
// longer be ours, or no longer be there. Whoever lost a term queues the job again,
// for the engine knows no terms: the other's job is this very one, and to end it
// here would end it there. At worst it is found to be done.
func (a *Auditor) over(err error) (outcome error) {
	var ended *ledger.Ended
	var gone *ledger.NotFoundError
	switch {
	case errors.As(err, &ended), errors.As(err, &gone):
		return nil
	case errors.Is(err, ledger.ErrLostTerm):
		a.log.Debug("work was taken over", "error", err)
		return again(soon())
	}
	return err
}

// quiet lets through what the engine warns of, but for jobs that are tried again:
// we say so ourselves, of which check.
type quiet struct{ slog.Handler }

func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	if strings.HasSuffix(r.Message, "Job errored; retrying") {
		return nil
	}
	return q.Handler.Handle(ctx, r)
}

func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && q.Handler.Enabled(ctx, level)
}

func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(attrs)} }

func (q quiet) WithGroup(name string) slog.Handler { return quiet{q.Handler.WithGroup(name)} }
