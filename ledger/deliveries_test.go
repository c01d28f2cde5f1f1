package ledger_test

import (
	"errors"
	"fmt"
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
