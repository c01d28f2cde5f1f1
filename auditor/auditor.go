package auditor

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
)

// Check is a check with its schedule; the zero Schedule is none, and then only
// people run it.
type Check struct {
	Check    *checks.Check
	Spec     string
	Schedule Schedule
	// Hash tells one meaning of the check from another: it changes with the check
	// and with its sources. Runs go on over a change of the configuration that
	// leaves it alone. "" is the hash of the whole configuration.
	Hash string
	// Fixes say by replica how its differences may be put right; one that is not in
	// it is reconciler.ModeOff. FixHash tells one way of putting the check right from
	// another: it changes with Hash, with Fixes and with what writes. "" is Hash.
	Fixes   map[string]reconciler.Policy
	FixHash string
}

// Options are what an Auditor needs.
type Options struct {
	Ledger *ledger.Ledger
	Checks []Check
	// Hash tells one configuration from another.
	Hash    string
	Readers checks.Readers
	Lens    drift.Lens
	// Process is how this process is listed. Its ID must be its own, never used
	// before; "" draws one.
	Process ledger.Process
	// Workers is how many segments are read side by side; 0 is 4.
	Workers int
	// Segments fixes how many segments each pass of a run is cut into; 0 cuts by size.
	Segments int
	// Silence is how long a process may be silent before its work is taken over;
	// 0 is 15 s.
	Silence time.Duration
	// Fixing is what putting right needs beside the readers.
	Fixing Fixing
	// Keep says how long what is over is kept.
	Keep ledger.Retention
	// Bounds are those of a job.
	Bounds   Bounds
	Now      func() time.Time
	Log      *slog.Logger
	Observer Observer
}

// Observer hears what the auditor does, from many goroutines. It must not block.
type Observer interface {
	// SlotTaken: a slot was accounted for, so long after it was due.
	SlotTaken(check string, outcome ledger.SlotOutcome, delay time.Duration)
	// RunConcluded: a run has its last word.
	RunConcluded(run *ledger.Run)
	// SuspectsCleared: differences were equal when read again.
	SuspectsCleared(check string, n int64)
	// Healed: a finding was read and found right, so long after it was first seen.
	Healed(check string, after time.Duration)
	// FixItem: something became of a record of a plan of fixes.
	FixItem(check string, by reconciler.Route, result reconciler.ItemState)
}

// Deaf is an Observer that hears nothing.
type Deaf struct{}

// SlotTaken implements Observer.
func (Deaf) SlotTaken(string, ledger.SlotOutcome, time.Duration) {}

// RunConcluded implements Observer.
func (Deaf) RunConcluded(*ledger.Run) {}

// SuspectsCleared implements Observer.
func (Deaf) SuspectsCleared(string, int64) {}

// Healed implements Observer.
func (Deaf) Healed(string, time.Duration) {}

// FixItem implements Observer.
func (Deaf) FixItem(string, reconciler.Route, reconciler.ItemState) {}

func (o Options) withDefaults() Options {
	if o.Process.ID == "" {
		o.Process.ID = rand.Text()
	}
	if o.Workers == 0 {
		o.Workers = 4
	}
	if o.Silence == 0 {
		o.Silence = 15 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Observer == nil {
		o.Observer = Deaf{}
	}
	o.Bounds = o.Bounds.withDefaults()
	return o
}

// Auditor is a process's part in the work. It is safe for many goroutines.
type Auditor struct {
	options  Options
	ledger   *ledger.Ledger
	now      func() time.Time
	log      *slog.Logger
	observer Observer
	river    *river.Client[*sql.Tx]
	me       string // our process's id

	book    atomic.Pointer[book]
	newest  atomic.Int64 // the newest generation there is, as far as we know
	wake    chan struct{}
	edges   locks
	audits  audits
	others  others
	dues    dues
	rooms   rooms
	fixes   *Fixes
	reload  sync.Mutex
	cancel  context.CancelFunc
	loops   sync.WaitGroup
	stopped atomic.Bool
}

// Start makes the job engine's tables where they are not there, declares the
// configuration and begins to work. ctx bounds the start alone.
func Start(ctx context.Context, o Options) (*Auditor, error) {
	a := newAuditor(o)
	o = a.options
	if err := migrateJobs(ctx, o.Ledger); err != nil {
		return nil, err
	}
	b, err := a.declare(ctx, o.Checks, o.Hash, o.Readers)
	if err != nil {
		return nil, err
	}
	a.book.Store(b)
	if err := a.lookAround(ctx); err != nil {
		return nil, err
	}
	if a.river, err = a.newClient(); err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(context.Background())
	a.cancel = cancel
	if err := a.river.Start(running); err != nil {
		cancel()
		return nil, fmt.Errorf("start the job engine: %w", err)
	}
	for _, loop := range []func(context.Context){a.keepSchedules, a.keepConfirming, a.keepWatch, a.keepHouse, a.keepFixing, a.keepRooms} {
		a.loops.Go(func() { loop(running) })
	}
	return a, nil
}

// newAuditor is one that has no book yet and does nothing by itself.
func newAuditor(o Options) *Auditor {
	o = o.withDefaults()
	if o.Process.StartedAt.IsZero() {
		o.Process.StartedAt = o.Now()
	}
	a := &Auditor{options: o, ledger: o.Ledger, now: o.Now, log: o.Log, observer: o.Observer, me: o.Process.ID, wake: make(chan struct{}, 1)}
	a.dues.init()
	a.edges.init()
	a.rooms.init(o.workers())
	a.fixes = &Fixes{auditor: a}
	return a
}

// declare makes a book of a configuration and tells the ledger of it.
func (a *Auditor) declare(ctx context.Context, list []Check, hash string, readers checks.Readers) (*book, error) {
	generation, err := a.join(ctx, hash)
	if err != nil {
		return nil, err
	}
	b := newBook(list, generation, hash, readers, a.options.Lens)
	edges, schedules := b.declared(a.now())
	if err := a.ledger.Declare(ctx, generation, edges, schedules); err != nil {
		return nil, err
	}
	a.newest.Store(max(a.newest.Load(), generation))
	return b, nil
}

// join lists this process with the configuration it works by.
func (a *Auditor) join(ctx context.Context, hash string) (generation int64, err error) {
	return a.ledger.Join(ctx, a.options.Process, hash)
}

// Reload goes on with another configuration. Where it fails, the one before
// stays. When it returns, nothing is read through the readers of the one before.
func (a *Auditor) Reload(ctx context.Context, list []Check, hash string, readers checks.Readers) error {
	a.reload.Lock()
	defer a.reload.Unlock()
	if a.stopped.Load() {
		return errors.New("the auditor has stopped")
	}
	b, err := a.declare(ctx, list, hash, readers)
	if err != nil {
		return err
	}
	return a.goOn(b).wait(ctx)
}

// goOn works by another book from now on and returns the one before, closed.
func (a *Auditor) goOn(b *book) (before *book) {
	before = a.book.Swap(b)
	before.close()
	a.dues.forget()
	a.poke()
	return before
}

// Stop takes no new work, lets each reader end the page it is at and keeps where
// it is. It ends what has not ended by then with ctx, and after 20 s at most.
func (a *Auditor) Stop(ctx context.Context) error {
	a.reload.Lock()
	defer a.reload.Unlock()
	if a.stopped.Swap(true) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	a.book.Load().close() // jobs hand over after their page
	soft, cancelSoft := context.WithTimeout(ctx, 12*time.Second)
	defer cancelSoft()
	err := a.river.Stop(soft)
	if err != nil {
		err = a.river.StopAndCancel(ctx)
	}
	a.cancel()
	a.loops.Wait()
	if err != nil {
		return fmt.Errorf("stop the job engine: %w", err)
	}
	return a.ledger.Leave(context.WithoutCancel(ctx), a.me)
}

// poke wakes the scheduler.
func (a *Auditor) poke() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// State is how this process stands to the others.
type State struct {
	// Generation is our configuration's, Newest the newest there is. Only who has
	// the newest keeps schedules.
	Generation, Newest int64
	Process            string
}

// Behind says whether another process has a newer configuration.
func (s State) Behind() bool { return s.Newest > s.Generation }

// State says how this process stands to the others.
func (a *Auditor) State() State {
	return State{Generation: a.book.Load().generation, Newest: a.newest.Load(), Process: a.me}
}

func (a *Auditor) behind() bool { return a.State().Behind() }
