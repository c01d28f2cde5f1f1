package ledger_test

import (
	"testing"
	"time"

	"plumbline/alerts"
	"plumbline/ledger"
)

// Findings beyond those that are kept count too where it matters whether it grows.
func TestWhatGrowsBeyondWhatIsKeptIsTold(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, engine string) {
		w := openWorld(t, address(t, engine), newClock(), ledger.Options{Findings: 5, Policies: policies(nil)})
		differ := func(n int) {
			t.Helper()
			w.scanned("search", w.suspects(upTo(n)...)...)
			w.confirm("search")
			w.clock.pass(10 * time.Minute)
			w.sweep()
		}
		differ(6)
		i := w.incident(alerts.Drift)
		if i == nil || i.Facts.Counted != 5 || i.Facts.Omitted != 1 {
			t.Fatalf("six differ: %+v", i)
		}
		differ(30)
		if events := w.events("I-1"); events != "opened grown" {
			t.Errorf("thirty differ: %s", events)
		}
		counted := got(w.Counted(t.Context(), "orders"))(t)
		must(t, w.MuteCheck(t.Context(), alerts.Mute{Check: "orders", Above: alerts.Growth(counted), Actor: "ann"}))
		differ(30)
		if events := w.events("I-1"); counted != 30 || events != "opened grown muted" {
			t.Errorf("of %d, thirty still differ: %s", counted, events)
		}
		differ(40)
		if events := w.events("I-1"); events != "opened grown muted unmuted" {
			t.Errorf("forty differ: %s", events)
		}
	})
}

// What was taken as known is not what a mute until it grows begins with.
func TestWhatIsAcceptedDoesNotCountAsGrowth(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", nil)
	w.drifts("search", upTo(20)...)
	got(w.AcceptBaseline(t.Context(), "orders", "ann", "known"))(t)
	if n := got(w.Counted(t.Context(), "orders"))(t); n != 0 {
		t.Errorf("with all accepted %d count", n)
	}
	w.drifts("search", 20, 21)
	if n := got(w.Counted(t.Context(), "orders"))(t); n != 2 {
		t.Errorf("with two beside them %d count", n)
	}
}
