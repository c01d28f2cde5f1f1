package alerts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// Outbox is where what is due to be told is kept.
type Outbox interface {
	ClaimDelivery(ctx context.Context, integrations []string) (d *Delivery, next time.Time, err error)
	SettleDelivery(ctx context.Context, d *Delivery, r Receipt, sent error) error
	SweepAlerts(ctx context.Context, now time.Time) error
}

// DispatcherOptions say what a Dispatcher works with.
type DispatcherOptions struct {
	Outbox Outbox
	// Senders are by integration.
	Senders map[string]Sender
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	Log *slog.Logger
	// Observe, which may be nil, hears of every send: its result is sent, found,
	// retried, lost, gone or refused.
	Observe func(integration, result string)
}

const (
	sendTime   = 30 * time.Second // the longest a send may take; shorter than an outlet is held
	stopTime   = 5 * time.Second  // the longest a send may take once it is to stop
	settleTime = 10 * time.Second
	sweepPause = 5 * time.Second
	// idlePause is how often it is looked for what another process made due.
	idlePause = 2 * time.Second
)

// hands is how many sends of an integration go at once. Webhooks are strangers to
// each other, and a slow one holds up no more than one hand; an integration that
// may ask all of us to wait is sent to by one, so that nothing is on its way when
// it does.
func hands(integration string) int {
	if integration == ByWebhook {
		return 4
	}
	return 1
}

// Dispatcher sends what is due, one step at a time and target. Several may work
// on one Outbox.
type Dispatcher struct {
	o     DispatcherOptions
	mu    sync.Mutex
	woken chan struct{} // closed by Wake, and replaced
}

// NewDispatcher makes a Dispatcher.
func NewDispatcher(o DispatcherOptions) *Dispatcher {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = func(string, string) {}
	}
	return &Dispatcher{o: o, woken: make(chan struct{})}
}

// Wake says that something may be due. It does not block.
func (d *Dispatcher) Wake() {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.woken)
	d.woken = make(chan struct{})
}

// waking is closed by the next Wake.
func (d *Dispatcher) waking() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.woken
}

// Run sends what is due and sweeps, until ctx ends; a send that has begun then is
// waited for a moment.
func (d *Dispatcher) Run(ctx context.Context) {
	var working sync.WaitGroup
	for _, integration := range slices.Sorted(maps.Keys(d.o.Senders)) {
		for range hands(integration) {
			working.Go(func() { d.work(ctx, integration) })
		}
	}
	working.Go(func() { d.sweep(ctx) })
	working.Wait()
}

// work sends what is due of one integration.
func (d *Dispatcher) work(ctx context.Context, integration string) {
	for ctx.Err() == nil {
		woken := d.waking()
		worked, next, err := d.step(ctx, []string{integration})
		if err != nil && ctx.Err() == nil {
			d.o.Log.Warn("what is due could not be sent", "integration", integration, "error", err)
		}
		if worked && err == nil {
			continue
		}
		pause := idlePause
		if until := next.Sub(d.o.Now()); err == nil && !next.IsZero() && until < pause {
			pause = max(until, time.Millisecond)
		}
		if !await(ctx, pause, woken) {
			return
		}
	}
}

func (d *Dispatcher) sweep(ctx context.Context) {
	for {
		if err := d.o.Outbox.SweepAlerts(ctx, d.o.Now()); err != nil && ctx.Err() == nil {
			d.o.Log.Warn("incidents could not be swept", "error", err)
		}
		if !await(ctx, sweepPause, nil) {
			return
		}
	}
}

// await waits for a time, or until it is woken; false is that ctx ended.
func await(ctx context.Context, pause time.Duration, woken <-chan struct{}) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	case <-woken:
	}
	return true
}

// Step takes one step: it claims what is due, sends it and settles what became of
// it. worked is false where nothing was due; next is then when something may be.
func (d *Dispatcher) Step(ctx context.Context) (worked bool, next time.Time, err error) {
	return d.step(ctx, slices.Sorted(maps.Keys(d.o.Senders)))
}

func (d *Dispatcher) step(ctx context.Context, integrations []string) (worked bool, next time.Time, err error) {
	due, next, err := d.o.Outbox.ClaimDelivery(ctx, integrations)
	if err != nil || due == nil {
		return false, next, err
	}
	receipt, sent := d.send(ctx, due)
	result := resultOf(receipt, sent)
	d.o.Observe(due.Target.Integration, result)
	if sent != nil {
		level := slog.LevelInfo
		if result == "refused" { // somebody has to do something
			level = slog.LevelWarn
		}
		d.o.Log.Log(ctx, level, "a message was not sent", "integration", due.Target.Integration, "to", due.Target.Address, "step", due.Step, "result", result, "error", sent)
	}
	keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	if err := d.o.Outbox.SettleDelivery(keep, due, receipt, sent); err != nil {
		return true, next, err
	}
	return true, next, nil
}

// send calls the sender, for so long as the outlet is held. Once ctx ends it has
// a moment left.
func (d *Dispatcher) send(ctx context.Context, due *Delivery) (r Receipt, err error) {
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTime)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(stopTime)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-sending.Done():
		}
	})
	defer stop()
	defer func() {
		if p := recover(); p != nil { // nobody knows whether it was sent
			r, err = Receipt{}, fmt.Errorf("the sender of %s broke down: %w", due.Target.Integration, ErrLost)
		}
	}()
	return d.o.Senders[due.Target.Integration].Send(sending, due)
}

// resultOf is what a send came to, in a word.
func resultOf(r Receipt, sent error) string {
	var retry *RetryError
	var refused *RefusedError
	switch {
	case sent == nil && r.Found:
		return "found"
	case sent == nil:
		return "sent"
	case errors.As(sent, &retry):
		return "retried"
	case errors.As(sent, &refused):
		return "refused"
	case errors.Is(sent, ErrGone):
		return "gone"
	}
	return "lost"
}
