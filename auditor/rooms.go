package auditor

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"plumbline/ledger"
	"plumbline/sources"
)

// errNoRoom ends a job that holds a worker others need: its source does not answer.
var errNoRoom = errors.New("the source does not answer, and its other jobs wait")

// patience is how long a worker waits for the load of a source to fall before it
// takes up something else: less than a turn, so that whoever stops need not wait.
const patience = 4 * time.Second

// clearEvery is how often jobs are looked for whose source has come to a halt.
const clearEvery = time.Second

// rooms divide the workers of each queue among the sources, so that one that is
// slow delays nobody else's checks. It is safe for many goroutines.
//
// While a source answers, its jobs may hold half the workers of a queue, or all
// of them where every edge reads it. Once it is slow (it leaves reads unanswered,
// is too busy to be read, or is left alone after failures), one job of it may be at work,
// and the jobs of all slow sources together leave a worker free.
type rooms struct {
	mu      sync.Mutex
	workers map[string]int // by queue
	taken   map[*room]bool
}

// room is the worker that a job holds.
type room struct {
	queue   string
	readers []*sources.Reader
	since   time.Time
	end     context.CancelCauseFunc
}

func (k *rooms) init(workers map[string]int) {
	k.workers, k.taken = workers, map[*room]bool{}
}

// slow says whether a reader's source would keep a worker waiting.
func slow(r *sources.Reader) bool {
	cause, _ := r.Held()
	return cause != "" || r.Slow()
}

// slowOf are those of a job's sources that are slow.
func slowOf(readers []*sources.Reader) (names []string) {
	for _, r := range readers {
		if slow(r) {
			names = append(names, r.Name())
		}
	}
	return names
}

// enter takes a room, where there is one. everywhere are the sources that every
// edge reads: among them there is nobody to leave workers to.
func (k *rooms) enter(r *room, everywhere map[string]bool) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	of, halted := k.count(r.queue)
	workers := k.workers[r.queue]
	if names := slowOf(r.readers); len(names) > 0 {
		for _, name := range names {
			if of[name] > 0 {
				return false
			}
		}
		if halted >= max(1, workers-1) {
			return false
		}
	} else {
		for _, reader := range r.readers {
			if !everywhere[reader.Name()] && of[reader.Name()] >= max(1, workers/2) {
				return false
			}
		}
	}
	k.taken[r] = true
	return true
}

// count counts the rooms of a queue by source, and those whose source is slow. A
// job that waits for a slow source is counted for that one alone. k is locked.
func (k *rooms) count(queue string) (of map[string]int, halted int) {
	of = map[string]int{}
	for r := range k.taken {
		if r.queue != queue {
			continue
		}
		names := slowOf(r.readers)
		if len(names) > 0 {
			halted++
		} else {
			for _, reader := range r.readers {
				names = append(names, reader.Name())
			}
		}
		for _, name := range names {
			of[name]++
		}
	}
	return of, halted
}

func (k *rooms) leave(r *room) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.taken, r)
}

// clear ends the jobs of slow sources beyond what they may have, the younger
// first: a job that went on for longer is nearer to its end.
func (k *rooms) clear() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for queue, workers := range k.workers {
		for {
			youngest := k.tooMany(queue, workers)
			if youngest == nil {
				break
			}
			delete(k.taken, youngest)
			youngest.end(errNoRoom)
		}
	}
}

// tooMany finds the youngest job beyond what slow sources may have; nil for none.
func (k *rooms) tooMany(queue string, workers int) (youngest *room) {
	of, halted := k.count(queue)
	for r := range k.taken {
		if r.queue != queue || youngest != nil && !r.since.After(youngest.since) {
			continue
		}
		names := slowOf(r.readers)
		crowded := len(names) > 0 && halted > max(1, workers-1)
		for _, name := range names {
			crowded = crowded || of[name] > 1
		}
		if crowded {
			youngest = r
		}
	}
	return youngest
}

// keepRooms clears rooms until ctx ends.
func (a *Auditor) keepRooms(ctx context.Context) { every(ctx, clearEvery, a.rooms.clear) }

// inRoom does a job of an edge where there is room for it; else it is for later.
func (a *Auditor) inRoom(ctx context.Context, b *book, edge ledger.EdgeFacts, job *rivertype.JobRow, do func(context.Context) error) error {
	inside, end := context.WithCancelCause(ctx)
	defer end(nil)
	r := &room{queue: job.Queue, readers: b.readersOf(edge), since: time.Now(), end: end}
	if !a.rooms.enter(r, b.everywhere) {
		if len(slowOf(r.readers)) == 0 {
			return again(soon())
		}
		return again(later(job))
	}
	defer a.rooms.leave(r)
	err := do(inside)
	var snoozed *river.JobSnoozeError
	if errors.Is(context.Cause(inside), errNoRoom) && errors.As(err, &snoozed) {
		return again(later(job))
	}
	return err
}

// cleared is how a job's work ended; what ended it for want of room is no failure.
func cleared(inside context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(inside), errNoRoom) {
		return ErrTurnOver
	}
	return err
}

// outage is how long a source may fail to answer before its runs end: a restart
// or a failover takes less.
const outage = 2 * time.Minute

// waiting says whether work ended because its source cannot be read now, which is
// no attempt of it, and how long to wait.
func waiting(err error) (wait time.Duration, waits bool) {
	var throttled *sources.ThrottledError
	var open *sources.CircuitError
	var late *LateError
	switch {
	case errors.As(err, &late):
		return min(late.Late, 4*time.Second) + soon(), true
	case errors.As(err, &throttled):
		return soon(), true
	case errors.As(err, &open) && time.Since(open.Since) < outage:
		return min(open.Rest, 15*time.Second) + soon(), true
	}
	return 0, false
}

// later is how long a job of a slow source that found no room waits: the longer,
// the oftener it did, up to 8 s, and not the same for all.
func later(job *rivertype.JobRow) time.Duration {
	var told struct {
		Snoozes int `json:"snoozes"`
	}
	if err := json.Unmarshal(job.Metadata, &told); err != nil {
		told.Snoozes = 0 // the engine's own note; without it the job merely comes sooner
	}
	most := 250 * time.Millisecond << min(max(told.Snoozes, 0), 5)
	return most/2 + rand.N(most/2)
}
