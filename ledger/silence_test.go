package ledger_test

import (
	"testing"
	"time"

	"plumbline/alerts"
	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
)

// incompletely runs an edge of which half is not read.
func (w *world) incompletely(replica string) *ledger.Run {
	w.Helper()
	r := w.run(replica, 2)
	w.record(w.segment(r, 0), replica, ledger.Progress{Read: 100, Done: true, Counts: checks.Counts{OwnerRecords: 100, ReplicaRecords: 100, Equal: 100}})
	must(w, w.FailSegment(w.Context(), w.segment(r, 1), "source cache: timeout"))
	return w.again(r)
}

// What is known of an edge, even where it is all accepted, is no reason to be
// silent about the rest that no run can read any more.
func TestRunsThatNeverSucceedAgainAreToldBesideKnownFindings(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, engine string) {
		w := alertWorld(t, engine, func(p *alerts.Policy) {
			p.StaleAt = func(success time.Time) time.Time { return success.Add(150 * time.Second) }
		})
		w.scanned("cache")
		w.scanned("search")
		w.drifts("search", 1)
		got(w.AcceptBaseline(t.Context(), "orders", "ann", "known"))(t)
		for range 4 {
			w.clock.pass(time.Minute)
			w.scanned("cache")
			if r := w.incompletely("search"); r.Result != checks.Incomplete {
				t.Fatalf("the run is %s", r.Result)
			}
			w.sweep()
		}
		if e := w.edge("search"); e.Consistency != drift.Drifted {
			t.Fatalf("the edge is %s", e.Consistency)
		}
		i := w.incident(alerts.Blind)
		if i == nil || i.State != alerts.Open || i.Facts.Edges[1].Cause == "" {
			t.Fatalf("four minutes without a run that succeeds made %+v", i)
		}
		w.scanned("search")
		if i = w.incident(alerts.Blind); i.State != alerts.Resolved {
			t.Errorf("after a whole run it is %s", i.State)
		}
	})
}

// A clock that was a day ahead and is set right again silences nobody for a day.
func TestAClockThatIsSetBackSilencesNoOutlet(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, engine string) {
		w := alertWorld(t, engine, nil)
		w.clock.pass(24 * time.Hour)
		w.drifts("search", 1)
		if told := w.told(); told != "post opened" {
			t.Fatalf("ahead: %q", told)
		}
		w.drifts("search", 2)
		w.clock.pass(editPause)
		held := w.claim() // its sender dies
		if held == nil {
			t.Fatal("nothing was due")
		}
		w.clock.pass(-24 * time.Hour)
		got(w.AcknowledgeIncident(t.Context(), "I-1", "ann", "", 0))(t)
		w.sweep()
		w.clock.pass(2 * time.Second)
		if told := w.told(); told != "edit, reply acknowledged" {
			t.Errorf("set right: %q", told)
		}
	})
}

// What a target asked for is kept whatever the clock does.
func TestAWaitThatWasAskedForOutlastsAClockThatIsSetBack(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", nil)
	w.drifts("search", 1)
	w.settled(w.claim(), alerts.Receipt{}, &alerts.RetryError{After: time.Hour, Why: "slow down", Everywhere: true})
	w.clock.pass(-24 * time.Hour)
	w.sweep()
	for _, line := range []struct {
		after time.Duration
		due   bool
	}{{0, false}, {59 * time.Minute, false}, {2 * time.Minute, true}} {
		w.clock.pass(line.after)
		if d := w.claim(); (d != nil) != line.due {
			t.Errorf("after %s: %+v", line.after, d)
		}
	}
}

func TestGrowthIsToldThoughAClockWasSetBack(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", nil)
	w.clock.pass(24 * time.Hour)
	w.drifts("search", 1)
	w.clock.pass(-24 * time.Hour)
	w.drifts("search", 2, 3, 4)
	if events := w.events("I-1"); events != "opened grown" {
		t.Errorf("told: %s", events)
	}
}

// A share of the records is known of a run that could not read all of them, too.
func TestAShareIsToldThoughNoRunIsComplete(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, engine string) {
		w := alertWorld(t, engine, func(p *alerts.Policy) { p.Share = 0.01 })
		w.drifts("search", upTo(50)...)
		if i := w.incident(alerts.Drift); i != nil {
			t.Fatalf("before any run ended it made %+v", i)
		}
		w.incompletely("search")
		if i := w.incident(alerts.Drift); i == nil || i.Facts.Compared != 100 || i.Facts.Share() != 0.5 {
			t.Errorf("50 findings beside 100 records made %+v", i)
		}
	})
}
