package auditor

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/riverqueue/river"

	"plumbline/drift"
	"plumbline/ledger"
)

// dues are the schedules as the ledger had them last.
type dues struct {
	mu   sync.Mutex
	rows map[string]ledger.Schedule
	read time.Time
	// back are checks whose schedule a clock that was set back may bring to slots
	// that are accounted for.
	back map[string]bool
}

// duesFor is how long the schedules are taken to be as they were read.
const duesFor = time.Second

func (d *dues) init() { d.rows, d.back = map[string]ledger.Schedule{}, map[string]bool{} }

func (d *dues) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.read = time.Time{}
}

func (d *dues) row(check string) (ledger.Schedule, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	row, ok := d.rows[check]
	return row, ok
}

func (d *dues) set(row ledger.Schedule) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rows[row.Check] = row
}

// fresh reads the schedules where they may have changed.
func (a *Auditor) fresh(ctx context.Context) error {
	d, now := &a.dues, time.Now() // the monotonic clock: a set clock must not keep us from looking
	d.mu.Lock()
	known := !d.read.IsZero() && now.Sub(d.read) < duesFor
	d.mu.Unlock()
	if known {
		return nil
	}
	rows, err := a.ledger.Schedules(ctx)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rows, d.read = make(map[string]ledger.Schedule, len(rows)), now
	for _, row := range rows {
		d.rows[row.Check] = row
	}
	return nil
}

// keepSchedules takes slots as they come due, until ctx ends.
func (a *Auditor) keepSchedules(ctx context.Context) {
	a.logged(ctx, "look for slots ahead of the clock", a.lookAhead(ctx))
	for ctx.Err() == nil {
		wait := a.takeDue(ctx)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-a.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// lookAhead notes the checks that have slots later than now: the clock was set
// back while nobody was there.
func (a *Auditor) lookAhead(ctx context.Context) error {
	ahead, err := a.ledger.Slots(ctx, "", a.now().Add(skewAllowed))
	if err != nil {
		return err
	}
	a.dues.mu.Lock()
	defer a.dues.mu.Unlock()
	for _, s := range ahead {
		a.dues.back[s.Check] = true
	}
	return nil
}

// takeDue takes the slots that are due and returns how long to wait for the next.
func (a *Auditor) takeDue(ctx context.Context) (wait time.Duration) {
	const most, least = time.Second, 10 * time.Millisecond
	b := a.book.Load()
	if a.behind() || b.isClosed() {
		return most
	}
	if err := a.fresh(ctx); err != nil {
		a.logged(ctx, "read schedules", err)
		return most
	}
	wait = most
	for _, name := range b.order {
		row, ok := a.dues.row(name)
		c := b.checks[name]
		if !ok || c.Schedule.IsZero() || row.Spec != c.Spec {
			continue
		}
		now := a.now()
		if until := row.DueAt.Sub(now); until > 0 && !setBack(now, row, c.Schedule) {
			wait = min(wait, until)
			continue
		}
		if err := a.take(ctx, b, c, row); err != nil {
			a.logged(ctx, "take a slot of "+name, err)
			a.dues.forget()
		}
		if ctx.Err() != nil {
			return 0
		}
		if row, ok = a.dues.row(name); ok {
			wait = min(wait, row.DueAt.Sub(a.now()))
		}
	}
	return max(wait, least)
}

// take decides what becomes of a check's slot and keeps that, with the jobs it makes.
func (a *Auditor) take(ctx context.Context, b *book, c *Check, row ledger.Schedule) error {
	now := a.now()
	active, err := a.ledger.Active(ctx, row.Check)
	if err != nil {
		return err
	}
	known, err := a.knownSlots(ctx, row)
	if err != nil {
		return err
	}
	d := Decide(now, row, c.Schedule, active, known)
	if !d.Moved {
		return nil
	}
	var runs []*ledger.Run
	if d.Run {
		runs = newRuns(b, c, d.Trigger, drift.Plumbline, d.At)
	}
	taken, err := a.ledger.TakeSlot(ctx, row, d.Next, d.Slots, runs, func(tx *ledger.Tx) error {
		return a.insert(ctx, tx, beginJobs(b, runs))
	})
	var overlap *ledger.OverlapError
	if err != nil && !errors.As(err, &overlap) {
		return err
	}
	if !taken {
		a.dues.forget() // another process has it
		return nil
	}
	if len(d.Slots) == 0 && !d.Run { // moved back with the clock
		a.log.Warn("the clock was set back", "check", row.Check, "slot", row.SlotAt, "now", now)
		a.dues.mu.Lock()
		a.dues.back[row.Check] = true
		a.dues.mu.Unlock()
	}
	a.dues.set(d.Next)
	for _, s := range d.Slots {
		a.observer.SlotTaken(row.Check, s.Outcome, max(0, now.Sub(row.DueAt)))
	}
	return nil
}

// knownSlots lists the slots that a check may meet a second time.
func (a *Auditor) knownSlots(ctx context.Context, row ledger.Schedule) ([]ledger.Slot, error) {
	a.dues.mu.Lock()
	back := a.dues.back[row.Check]
	a.dues.mu.Unlock()
	if !back {
		return nil, nil
	}
	known, err := a.ledger.Slots(ctx, row.Check, row.SlotAt.Add(-25*time.Hour)) // a row of missed ones may begin before
	if err != nil {
		return nil, err
	}
	for _, s := range known {
		if !s.Until.Before(row.SlotAt) {
			return known, nil
		}
	}
	a.dues.mu.Lock()
	defer a.dues.mu.Unlock()
	delete(a.dues.back, row.Check)
	return nil, nil
}

// confirmEvery is how often edges are looked at for suspects that have settled.
const confirmEvery = 500 * time.Millisecond

// keepConfirming queues the edges whose suspects have settled, until ctx ends.
func (a *Auditor) keepConfirming(ctx context.Context) {
	every(ctx, confirmEvery, func() {
		b := a.book.Load()
		if a.behind() || b.isClosed() {
			return
		}
		due, err := a.ledger.DueEdges(ctx, a.now())
		if err == nil && len(due) > 0 {
			err = a.ledger.InTx(ctx, func(tx *ledger.Tx) error { return a.insert(ctx, tx, confirmJobs(b, due)) })
		}
		a.logged(ctx, "look for suspects that have settled", err)
	})
}

func confirmJobs(b *book, due []ledger.EdgeRef) (jobs []river.InsertManyParams) {
	for _, ref := range due {
		if c := b.checks[ref.Check]; c != nil {
			jobs = append(jobs, confirmJob{work{Check: ref.Check, Replica: ref.Replica, Hash: c.Hash, Generation: b.generation}}.insert())
		}
	}
	return jobs
}

// every does something at once and then again and again, until ctx ends.
func every(ctx context.Context, pause time.Duration, do func()) {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for ctx.Err() == nil {
		do()
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}
