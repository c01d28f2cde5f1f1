package auditor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"plumbline/ledger"
)

// others are the processes that share the ledger, as we have seen them.
type others struct {
	mu   sync.Mutex
	seen map[string]sighting
}

// sighting is when a process's heartbeat last moved, by our own monotonic clock:
// processes' clocks are never compared.
type sighting struct {
	heartbeat  time.Time
	generation int64
	at         time.Time
	gone       bool
}

// look takes over what the ledger lists and returns who is there and alive.
func (o *others) look(list []ledger.Process, me string, silence time.Duration, wall, now time.Time) (alive map[string]bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := map[string]sighting{}
	alive = map[string]bool{}
	for _, p := range list {
		was, known := o.seen[p.ID]
		s := sighting{heartbeat: p.Heartbeat, generation: p.Generation, at: now}
		switch {
		case known && was.heartbeat.Equal(p.Heartbeat):
			s.at = was.at
		case !known: // it may have been silent for long before we came
			if silent := wall.Sub(p.Heartbeat); silent > 0 {
				s.at = now.Add(-silent)
			}
		}
		s.gone = now.Sub(s.at) > silence && p.ID != me
		seen[p.ID] = s
		if !s.gone {
			alive[p.ID] = true
		}
	}
	o.seen = seen
	return alive
}

// have says whether a process of a generation is there.
func (o *others) have(generation int64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.seen {
		if s.generation == generation && !s.gone {
			return true
		}
	}
	return false
}

// lookAround sees who is there.
func (a *Auditor) lookAround(ctx context.Context) error {
	_, err := a.alive(ctx)
	return err
}

func (a *Auditor) alive(ctx context.Context) (map[string]bool, error) {
	list, err := a.ledger.Processes(ctx)
	if err != nil {
		return nil, err
	}
	return a.others.look(list, a.me, a.options.Silence, a.now(), time.Now()), nil
}

// keepWatch says that we are there and takes over the work of who is not, until
// ctx ends.
func (a *Auditor) keepWatch(ctx context.Context) {
	every(ctx, a.options.Silence/5, func() {
		newest, err := a.ledger.Heartbeat(ctx, a.me)
		var forgotten *ledger.NotFoundError
		if errors.As(err, &forgotten) { // for we were silent for so long
			if err = nil; newest == a.book.Load().generation {
				_, err = a.join(ctx, a.book.Load().hash)
			}
		}
		if err != nil {
			a.logged(ctx, "say that we are there", err)
			return
		}
		if was := a.newest.Swap(newest); was != newest && newest > a.book.Load().generation {
			a.log.Warn("another process has a newer configuration: it keeps the schedules from now on", "ours", a.book.Load().generation, "newest", newest)
		}
		a.logged(ctx, "take over work", a.takeOver(ctx))
		a.logged(ctx, "take the schedules back", a.takeBack(ctx, newest))
	})
}

// takeBack goes on by our configuration where a newer one came and every process
// that had it is gone: an update that was rolled back must not end the audit.
func (a *Auditor) takeBack(ctx context.Context, newest int64) error {
	if !a.behind() || a.others.have(newest) {
		return nil
	}
	if !a.reload.TryLock() { // whoever stops the auditor holds it, and waits for us
		return nil
	}
	defer a.reload.Unlock()
	before := a.book.Load()
	if a.stopped.Load() || before.isClosed() || before.generation >= newest {
		return nil
	}
	b, err := a.declare(ctx, before.list(), before.hash, before.readers)
	if err != nil {
		return err
	}
	a.log.Warn("nobody has the newest configuration any more: this process keeps the schedules again", "ours", b.generation, "newest", newest)
	a.goOn(b)
	return nil
}

// takeOver queues anew what was left by processes that are gone, and what has no
// job though it should. The engine would find the former too, but only after
// longer than any job may take (rescueAfter).
func (a *Auditor) takeOver(ctx context.Context) error {
	alive, err := a.alive(ctx)
	if err != nil {
		return err
	}
	running, err := a.jobs(ctx, rivertype.JobStateRunning)
	if err != nil {
		return err
	}
	for _, job := range running {
		if len(job.AttemptedBy) == 0 || alive[job.AttemptedBy[len(job.AttemptedBy)-1]] {
			continue
		}
		// Should its process live after all, the ledger's terms keep its work out.
		result, err := a.ledger.DB().ExecContext(ctx, `UPDATE river_job SET state = 'available' WHERE id = $1 AND state = 'running' AND attempt = $2`, job.ID, job.Attempt)
		if err != nil {
			return fmt.Errorf("queue job %d anew: %w", job.ID, err)
		}
		if n, err := result.RowsAffected(); err == nil && n > 0 {
			a.log.Info("took over work of a process that is gone", "kind", job.Kind, "process", job.AttemptedBy[len(job.AttemptedBy)-1])
		}
	}
	return nil
}

// mostJobs is how many jobs are listed at most.
const mostJobs = 10_000

func (a *Auditor) jobs(ctx context.Context, states ...rivertype.JobState) ([]*rivertype.JobRow, error) {
	listed, err := a.river.JobList(ctx, river.NewJobListParams().States(states...).First(mostJobs))
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	return listed.Jobs, nil
}
