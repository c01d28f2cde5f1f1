package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plumbline/alerts"
	"plumbline/ledger"
)

// claim takes the next step that is due; nil for none.
func (w *world) claim(integrations ...string) *alerts.Delivery {
	w.Helper()
	if len(integrations) == 0 {
		integrations = []string{"slack", "webhook"}
	}
	d, _, err := w.ClaimDelivery(w.Context(), integrations)
	must(w, err)
	return d
}

func (w *world) settled(d *alerts.Delivery, r alerts.Receipt, sent error) {
	w.Helper()
	must(w, w.SettleDelivery(w.Context(), d, r, sent))
}

var firstRoot = alerts.Receipt{Ref: alerts.Ref{Channel: "C1", TS: "1.1"}}

// told takes every step that is due now and says what they were.
func (w *world) told() string {
	w.Helper()
	var steps []string
	for range 20 {
		d := w.claim()
		if d == nil {
			return strings.Join(steps, ", ")
		}
		words := []string{string(d.Step)}
		for _, m := range d.Milestones {
			if d.Step != alerts.Edit {
				words = append(words, string(m.Event))
			}
		}
		steps = append(steps, strings.Join(words, " "))
		w.settled(d, firstRoot, nil)
		w.clock.pass(time.Second)
	}
	w.Fatalf("it never ends: %v", steps)
	return ""
}

func TestNewsAreToldAtOnceAndFiguresAfterAPause(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, engine string) {
		w := alertWorld(t, engine, nil)
		w.drifts("search", 1)
		expect := func(what, want string) {
			t.Helper()
			if got := w.told(); got != want {
				t.Errorf("%s: %q, not %q", what, got, want)
			}
		}
		expect("opened", "post opened")
		expect("unchanged", "")
		w.drifts("search", 2)
		w.clock.pass(2 * time.Second)
		expect("a figure", "")
		w.clock.pass(editPause)
		expect("a figure, later", "edit")
		got(w.AcknowledgeIncident(t.Context(), "I-1", "ann", "", 0))(t)
		expect("acknowledged", "edit, reply acknowledged")
		must(t, w.MuteCheck(t.Context(), alerts.Mute{Check: "orders", Actor: "ann"}))
		w.clock.pass(editPause)
		expect("muted", "edit")
		w.clock.pass(time.Hour)
		w.drifts("search", 3, 4, 5, 6)
		expect("grown, and muted", "edit")
		must(t, w.UnmuteCheck(t.Context(), "orders", "ann"))
		expect("unmuted", "edit, reply muted grown unmuted")
		must(t, w.MuteCheck(t.Context(), alerts.Mute{Check: "orders", Actor: "ann"}))
		w.heals("search", upTo(10)...)
		w.clock.pass(editPause)
		expect("resolved, and muted", "edit")
		must(t, w.UnmuteCheck(t.Context(), "orders", "ann"))
		expect("unmuted when it was over", "")
		state := got(w.DeliveryStates(t.Context(), "I-1"))(t)[0]
		if state.Ref != firstRoot.Ref || state.Target.Address != "#orders" || !state.DueAt.IsZero() || state.SentAt.IsZero() {
			t.Errorf("what was told is %+v", state)
		}
	})
}

const editPause = 10 * time.Second

func TestAWebhookIsToldByPostsAlone(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", func(p *alerts.Policy) {
		p.Targets = []alerts.Target{{Integration: "webhook", Address: "pager"}}
	})
	w.drifts("search", 1)
	one := w.claim()
	w.settled(one, alerts.Receipt{}, &alerts.RetryError{Why: "no answer"})
	w.clock.pass(time.Minute)
	two := w.claim()
	if one.ID != two.ID || !two.Doubtful.IsZero() {
		t.Errorf("the second try is %s after %s, doubtful %s", two.ID, one.ID, two.Doubtful)
	}
	w.settled(two, alerts.Receipt{}, nil)
	got(w.AcknowledgeIncident(t.Context(), "I-1", "ann", "", 0))(t)
	must(t, w.MuteCheck(t.Context(), alerts.Mute{Check: "orders", Actor: "ann"}))
	if got := w.told(); got != "post acknowledged muted" {
		t.Errorf("acknowledged and muted: %q", got)
	}
	w.clock.pass(time.Minute)
	w.drifts("search", 2, 3)
	if got := w.told(); got != "" {
		t.Errorf("while it is muted: %q", got)
	}
	w.heals("search", 1, 2, 3)
	if got := w.told(); !strings.HasPrefix(got, "post") || !strings.HasSuffix(got, "resolved") {
		t.Errorf("resolved: %q", got)
	}
}

func TestWhatNobodyHeardOfIsNotToldOnceItIsOver(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", nil)
	w.drifts("search", 1)
	w.heals("search", 1)
	if got := w.told(); got != "" {
		t.Errorf("it was told: %q", got)
	}
	w.drifts("search", 1)
	d := w.claim()
	w.settled(d, alerts.Receipt{}, alerts.ErrLost)
	w.heals("search", 1)
	w.clock.pass(time.Minute)
	if d = w.claim(); d == nil || d.Doubtful.IsZero() || d.Incident.State != alerts.Resolved || d.Lost != 1 {
		t.Fatalf("what may have been made is to be looked for: %+v", d)
	}
	w.settled(d, alerts.Receipt{}, nil) // it was not there
	if got := w.told(); got != "" {
		t.Errorf("it was told: %q", got)
	}
}

func TestTargetsThatComeAreToldOfWhatIsOpenAndThoseThatGoAreKeptUpToDate(t *testing.T) {
	t.Parallel()
	targets := []alerts.Target{{Integration: "slack", Address: "#a"}}
	var mu sync.Mutex
	w := alertWorld(t, "sqlite", func(p *alerts.Policy) {
		mu.Lock()
		defer mu.Unlock()
		p.Targets = targets
	})
	w.drifts("search", 1)
	w.told()
	mu.Lock()
	targets = []alerts.Target{{Integration: "slack", Address: "#b", Mention: "U1"}}
	mu.Unlock()
	w.sweep()
	if d := w.claim(); d == nil || d.Target.Address != "#b" || d.Step != alerts.Post || d.Target.Mention != "U1" {
		t.Fatalf("the new target is told %+v", d)
	} else {
		w.settled(d, firstRoot, nil)
	}
	w.clock.pass(time.Minute)
	w.drifts("search", 2)
	var edited []string
	for d := w.claim(); d != nil; d = w.claim() {
		edited = append(edited, string(d.Step)+" "+d.Target.Address)
		w.settled(d, firstRoot, nil)
	}
	slices.Sort(edited)
	if fmt.Sprint(edited) != "[edit #a edit #b]" {
		t.Errorf("a change was told by %v", edited)
	}
	w.heals("search", 1, 2)
	w.clock.pass(48 * time.Hour)
	w.told()
	w.drifts("search", 1)
	if states := got(w.DeliveryStates(t.Context(), "I-2"))(t); len(states) != 1 || states[0].Target.Address != "#b" {
		t.Errorf("the next incident is told to %+v", states)
	}
}

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

func TestWhoeverFrozeKeepsNothingButWhereAMessageIs(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", nil)
	w.drifts("search", 1)
	frozen := w.claim()
	if w.claim() != nil {
		t.Fatal("an outlet was handed out twice")
	}
	w.clock.pass(61 * time.Second)
	second := w.claim()
	if second == nil || second.Doubtful.IsZero() || second.ID != frozen.ID {
		t.Fatalf("the next holder has %+v", second)
	}
	if err := w.SettleDelivery(t.Context(), frozen, firstRoot, nil); !errors.Is(err, ledger.ErrLostTerm) {
		t.Errorf("whoever froze settled: %v", err)
	}
	if s := got(w.DeliveryStates(t.Context(), "I-1"))(t)[0]; s.Ref != firstRoot.Ref {
		t.Errorf("the message it made is %+v", s)
	}
	w.settled(second, alerts.Receipt{}, &alerts.RetryError{Why: "no answer"})
	if s := got(w.DeliveryStates(t.Context(), "I-1"))(t)[0]; s.Ref != firstRoot.Ref {
		t.Errorf("after the second it is %+v", s)
	}
}

func TestADeletedMessageIsPostedAnewWhileItsIncidentIsOpen(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", nil)
	w.drifts("search", 1)
	w.told()
	w.clock.pass(time.Minute)
	w.drifts("search", 2)
	w.settled(w.claim(), alerts.Receipt{}, alerts.ErrGone)
	w.clock.pass(time.Minute)
	if got := w.told(); !strings.HasPrefix(got, "post") {
		t.Errorf("then it is told %q", got)
	}
	w.heals("search", 1, 2)
	w.settled(w.claim(), alerts.Receipt{}, alerts.ErrGone)
	w.clock.pass(time.Minute)
	if got := w.told(); got != "" {
		t.Errorf("when it is over it is told %q", got)
	}
}

func TestADigestIsSentOnceADayToEachTarget(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", nil)
	targets := []alerts.Target{{Integration: "slack", Address: "#a"}, {Integration: "webhook", Address: "pager"}}
	at := w.clock.now().Add(time.Hour)
	for range 3 {
		must(t, w.QueueDigest(t.Context(), "2026-03-01", at, targets, alerts.Digest{Checks: 45}))
	}
	if w.claim() != nil {
		t.Error("it was sent before its time")
	}
	w.clock.pass(2 * time.Hour)
	d := w.claim("slack")
	if d == nil || d.Step != alerts.Notice || d.Digest.Checks != 45 || d.Digest.Day != "2026-03-01" || d.Incident != nil {
		t.Fatalf("it is %+v", d)
	}
	w.settled(d, alerts.Receipt{}, alerts.ErrLost)
	w.clock.pass(time.Minute)
	again := w.claim("slack")
	if again == nil || again.ID != d.ID || again.Doubtful.IsZero() {
		t.Fatalf("tried again it is %+v", again)
	}
	w.settled(again, alerts.Receipt{}, nil)
	must(t, w.QueueDigest(t.Context(), "2026-03-02", at.Add(24*time.Hour), targets, alerts.Digest{}))
	if d := w.claim("webhook"); d != nil {
		t.Errorf("yesterday's, which could not be sent, is sent still: %+v", d)
	}
	w.clock.pass(48 * time.Hour)
	if got := w.told(); got != "notice, notice" {
		t.Errorf("the next day: %q", got)
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
