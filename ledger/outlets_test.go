package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"plumbline/alerts"
	"plumbline/ledger"
)

func TestAnOutletThatRefusesIsShownUntilItTakesSomething(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", nil)
	w.drifts("search", 1)
	w.settled(w.claim(), alerts.Receipt{}, &alerts.RefusedError{Why: "channel_not_found", Do: "invite the bot"})
	refused := w.clock.now()
	outlet := func() ledger.OutletState {
		for _, o := range got(w.Outlets(t.Context()))(t) {
			if o.Address == "#orders" {
				return o
			}
		}
		return ledger.OutletState{}
	}
	if o := outlet(); o.Error != "channel_not_found: invite the bot" || !o.ErrorAt.Equal(refused) || o.Queue != 1 {
		t.Errorf("it is %+v", o)
	}
	if w.clock.pass(9 * time.Minute); w.claim() != nil {
		t.Error("it was tried again at once")
	}
	w.clock.pass(2 * time.Minute)
	if got := w.told(); got != "post opened" {
		t.Errorf("then it was told %q", got)
	}
	if o := outlet(); o.Error != "" || o.Queue != 0 || !o.ErrorAt.IsZero() {
		t.Errorf("then it is %+v", o)
	}
}

func TestAWholeIntegrationWaitsWhenItIsAskedTo(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", func(p *alerts.Policy) {
		p.Targets = []alerts.Target{{Integration: "slack", Address: "#a"}, {Integration: "slack", Address: "#b"}, {Integration: "webhook", Address: "pager"}}
	})
	w.drifts("search", 1)
	w.settled(w.claim("slack"), alerts.Receipt{}, &alerts.RetryError{After: 30 * time.Second, Why: "slow down", Everywhere: true})
	at := w.clock.now()
	d, next, err := w.ClaimDelivery(t.Context(), []string{"slack"})
	if must(t, err); d != nil || !next.Equal(at.Add(30*time.Second)) {
		t.Errorf("before that it hands out %v, next at %s", d, next)
	}
	if d := w.claim("webhook"); d == nil {
		t.Error("another integration waits too")
	}
	w.clock.pass(30 * time.Second)
	if d := w.claim("slack"); d == nil {
		t.Error("after that it hands out nothing")
	}
}

// Two processes dispatch side by side, and change the same incidents at once.
func TestTwoProcessesSendEachThingOnce(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, engine string) {
		url := address(t, engine)
		c := newClock()
		change := func(p *alerts.Policy) {
			p.Targets = nil
			for n := range 4 {
				p.Targets = append(p.Targets, alerts.Target{Integration: "slack", Address: fmt.Sprintf("#%d", n)})
			}
		}
		slack := newChannels(c.now, 1, 0)
		ctx, stop := context.WithCancel(t.Context())
		var working sync.WaitGroup
		var sending sync.RWMutex
		var ledgers []*ledger.Ledger
		w := openWorld(t, url, c, ledger.Options{})
		for range 2 {
			l, err := ledger.Open(t.Context(), url, ledger.Options{Now: c.now, Policies: policies(change)})
			must(t, err)
			defer func() { must(t, l.Close()) }()
			ledgers = append(ledgers, l)
		}
		for _, l := range ledgers {
			d := alerts.NewDispatcher(alerts.DispatcherOptions{Outbox: l, Senders: map[string]alerts.Sender{"slack": slack}, Now: c.now})
			for range 3 {
				working.Go(func() {
					for ctx.Err() == nil {
						sending.RLock()
						_, _, err := d.Step(t.Context())
						if err = errors.Join(err, l.SweepAlerts(t.Context(), c.now())); err != nil {
							t.Error(err)
						}
						sending.RUnlock()
					}
				})
			}
		}
		working.Go(func() {
			for ctx.Err() == nil { // between sends, so that nobody holds an outlet for a minute
				sending.Lock()
				c.pass(200 * time.Millisecond)
				sending.Unlock()
			}
		})
		seed := rand.Uint64()
		random := rand.New(rand.NewPCG(seed, 0))
		var changing sync.WaitGroup
		for n, replica := range []string{"search", "cache"} {
			mine := &world{TB: t, Ledger: ledgers[n], url: url, clock: w.clock, check: w.check, lens: w.lens}
			keys := random.Perm(40)
			changing.Go(func() {
				for i := range keys {
					if mine.drifts(replica, keys[i]); i%8 == 7 {
						mine.heals(replica, keys[:i]...)
					}
				}
			})
		}
		changing.Wait()
		settled := func() bool {
			for _, o := range got(ledgers[0].Outlets(t.Context()))(t) {
				if o.Queue > 0 {
					return false
				}
			}
			return true
		}
		for deadline := time.Now().Add(time.Minute); !settled(); {
			if time.Now().After(deadline) {
				t.Fatal("what is due never ends")
			}
		}
		stop()
		working.Wait()
		i := w.incident(alerts.Drift)
		for n := range 4 {
			live := slack.live(i.ID, fmt.Sprintf("#%d", n))
			if len(live) != 1 || live[0].revision != i.Revision {
				t.Errorf("#%d shows %d messages of %s at revision %d (seed %d)", n, len(live), i.ID, i.Revision, seed)
			}
		}
		for _, what := range slack.wrong {
			t.Error(what)
		}
		t.Logf("%d sends told of revision %d", slack.sends, i.Revision)
	})
}
