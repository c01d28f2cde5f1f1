package ledger_test

import (
	"strings"
	"testing"
	"time"

	"plumbline/alerts"
	"plumbline/ledger"
)

// A process that does not know a target yet, or does not any more, must not keep
// another from telling it.
func TestWhoDoesNotKnowATargetDoesNotSilenceIt(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, engine string) {
		url, c := address(t, engine), newClock()
		older := openWorld(t, url, c, ledger.Options{Policies: policies(nil)})
		newer := openWorld(t, url, c, ledger.Options{Policies: policies(func(p *alerts.Policy) { p.Targets[0].Address = "#new" })})
		newer.drifts("search", 1)
		if d := older.claim(); d != nil {
			t.Fatalf("the older one is to send %+v", d)
		}
		newer.sweep()
		if told := newer.told(); told != "post opened" {
			t.Errorf("the newer one told %q", told)
		}
		newer.sweep()
		if told := newer.told(); told != "" {
			t.Errorf("and then %q", told)
		}
	})
}

// What is muted is not drawn anew with every sweep.
func TestASweepWritesNothingOfWhatIsMuted(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", nil)
	must(t, w.MuteCheck(t.Context(), alerts.Mute{Check: "orders", Actor: "ann"}))
	w.drifts("search", 1)
	before := w.count(`SELECT value FROM counters WHERE name = 'incidents of orders'`)
	w.sweep()
	if now := w.count(`SELECT value FROM counters WHERE name = 'incidents of orders'`); now != before {
		t.Errorf("it wrote %d times", now-before)
	}
	must(t, w.UnmuteCheck(t.Context(), "orders", "ann"))
	if told := w.told(); told != "post opened unmuted" {
		t.Errorf("unmuted it told %q", told)
	}
}

// A check of which something cannot be kept keeps nobody from hearing of another.
func TestASweepThatFailsForOneCheckGoesOnWithTheOthers(t *testing.T) {
	t.Parallel()
	url, c := address(t, "sqlite"), newClock()
	before := openWorld(t, url, c, ledger.Options{}) // nobody is told yet
	must(t, before.Declare(t.Context(), 1, []ledger.Edge{{Check: "orders", Replica: "search"}, {Check: "a", Replica: "search"}}, nil))
	w := openWorld(t, url, c, ledger.Options{Policies: func(check string) (p alerts.Policy, known bool) {
		p.StaleAt = func(time.Time) time.Time { return c.now().Add(-time.Second) }
		return p, true
	}})
	must(t, w.Declare(t.Context(), 1, []ledger.Edge{{Check: "orders", Replica: "search"}, {Check: "a", Replica: "search"}}, nil))
	_, err := w.DB().Exec(`DELETE FROM incidents; CREATE TRIGGER broken BEFORE INSERT ON incidents WHEN NEW.check_name = 'a' BEGIN SELECT RAISE(ABORT, 'broken'); END`)
	must(t, err)
	if err := w.SweepAlerts(t.Context(), c.now()); err == nil || !strings.Contains(err.Error(), "of a: ") {
		t.Errorf("the sweep says %v", err)
	}
	if i := w.incident(alerts.Blind); i == nil || i.Check != "orders" {
		t.Errorf("of the other one there is %+v", i)
	}
}
