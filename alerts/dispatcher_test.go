package alerts_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"plumbline/alerts"
)

// queue is an Outbox in memory: what is due, and what became of it.
type queue struct {
	mu      sync.Mutex
	due     []*alerts.Delivery
	settled []string
	sweeps  int
	changed chan struct{}
}

func newQueue(due ...*alerts.Delivery) *queue {
	return &queue{due: due, changed: make(chan struct{}, 100)}
}

func to(address string) *alerts.Delivery {
	return &alerts.Delivery{ID: address, Step: alerts.Post, Target: alerts.Target{Integration: "slack", Address: address}}
}

func (q *queue) add(d *alerts.Delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.due = append(q.due, d)
}

func (q *queue) ClaimDelivery(ctx context.Context, integrations []string) (*alerts.Delivery, time.Time, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := slices.IndexFunc(q.due, func(d *alerts.Delivery) bool { return slices.Contains(integrations, d.Target.Integration) })
	if n < 0 {
		return nil, time.Time{}, ctx.Err()
	}
	d := q.due[n]
	q.due = slices.Delete(q.due, n, n+1)
	return d, time.Time{}, nil
}

func (q *queue) SettleDelivery(ctx context.Context, d *alerts.Delivery, _ alerts.Receipt, sent error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.settled = append(q.settled, fmt.Sprintf("%s %v", d.ID, sent))
	q.changed <- struct{}{}
	return ctx.Err()
}

func (q *queue) SweepAlerts(context.Context, time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sweeps++
	return nil
}

func (q *queue) swept() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.sweeps
}

type sender func(ctx context.Context, d *alerts.Delivery) (alerts.Receipt, error)

func (s sender) Send(ctx context.Context, d *alerts.Delivery) (alerts.Receipt, error) {
	return s(ctx, d)
}

func TestEveryResultOfASendIsToldInAWord(t *testing.T) {
	t.Parallel()
	for want, answer := range map[string]sender{
		"sent": func(context.Context, *alerts.Delivery) (alerts.Receipt, error) { return alerts.Receipt{}, nil },
		"found": func(context.Context, *alerts.Delivery) (alerts.Receipt, error) {
			return alerts.Receipt{Found: true}, nil
		},
		"retried": func(context.Context, *alerts.Delivery) (alerts.Receipt, error) {
			return alerts.Receipt{}, &alerts.RetryError{}
		},
		"refused": func(context.Context, *alerts.Delivery) (alerts.Receipt, error) {
			return alerts.Receipt{}, fmt.Errorf("post: %w", &alerts.RefusedError{})
		},
		"gone": func(context.Context, *alerts.Delivery) (alerts.Receipt, error) {
			return alerts.Receipt{}, alerts.ErrGone
		},
		"lost": func(context.Context, *alerts.Delivery) (alerts.Receipt, error) { panic("a nil map") },
	} {
		q, heard := newQueue(to("#a")), ""
		var log strings.Builder
		d := alerts.NewDispatcher(alerts.DispatcherOptions{Outbox: q, Senders: map[string]alerts.Sender{"slack": answer},
			Log:     slog.New(slog.NewTextHandler(&log, nil)),
			Observe: func(integration, result string) { heard = integration + " " + result }})
		worked, _, err := d.Step(t.Context())
		if !worked || err != nil || heard != "slack "+want || len(q.settled) != 1 {
			t.Errorf("%s: worked %v, heard %q, settled %q, %v", want, worked, heard, q.settled, err)
		}
		if warned := strings.Contains(log.String(), "level=WARN"); warned != (want == "refused") {
			t.Errorf("%s: what somebody has to see to is warned of, and nothing else: %s", want, log.String())
		}
		if worked, _, err := d.Step(t.Context()); worked || err != nil {
			t.Errorf("with nothing due it worked %v, %v", worked, err)
		}
	}
}

func TestADispatcherWakesAndSweepsAndLetsASendEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(to("#a"))
		slow := make(chan struct{})
		d := alerts.NewDispatcher(alerts.DispatcherOptions{Outbox: q, Senders: map[string]alerts.Sender{
			"slack": sender(func(ctx context.Context, d *alerts.Delivery) (alerts.Receipt, error) {
				if d.Target.Address != "#slow" {
					return alerts.Receipt{}, nil
				}
				close(slow)
				<-ctx.Done()
				return alerts.Receipt{}, alerts.ErrLost
			})}})
		ctx, stop := context.WithCancel(t.Context())
		began := time.Now()
		done := make(chan struct{})
		go func() {
			d.Run(ctx)
			close(done)
		}()
		<-q.changed
		q.add(to("#b"))
		d.Wake()
		<-q.changed
		if waited := time.Since(began); waited > 0 {
			t.Errorf("what Wake told of waited for %s", waited)
		}
		q.add(to("#c"))
		<-q.changed // without being told
		time.Sleep(time.Minute)
		if n := q.swept(); n < 12 {
			t.Errorf("a minute saw %d sweeps", n)
		}
		q.add(to("#slow"))
		d.Wake()
		<-slow
		stopped := time.Now()
		stop()
		<-done
		if waited := time.Since(stopped); waited != 5*time.Second {
			t.Errorf("a send that does not end was waited for %s", waited)
		}
		if last := q.settled[len(q.settled)-1]; last != "#slow "+alerts.ErrLost.Error() {
			t.Errorf("and it was settled as %q", last)
		}
	})
}

func TestAnOutboxThatFailsIsAskedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &failing{queue: newQueue(to("#a")), times: 3}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go alerts.NewDispatcher(alerts.DispatcherOptions{Outbox: q, Senders: map[string]alerts.Sender{
			"slack": sender(func(context.Context, *alerts.Delivery) (alerts.Receipt, error) { return alerts.Receipt{}, nil })}}).Run(ctx)
		<-q.changed
		stop()
		synctest.Wait()
	})
}

// failing is an outbox whose first claims fail.
type failing struct {
	*queue
	times int
}

func (q *failing) ClaimDelivery(ctx context.Context, integrations []string) (*alerts.Delivery, time.Time, error) {
	q.mu.Lock()
	q.times--
	fails := q.times >= 0
	q.mu.Unlock()
	if fails {
		return nil, time.Time{}, errors.New("the ledger is away")
	}
	return q.queue.ClaimDelivery(ctx, integrations)
}
