package ledger_test

import (
	"testing"

	"plumbline/alerts"
)

// News come before what only brings figures up to date, however long that is due.
func TestNewsComeBeforeFigures(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, engine string) {
		w := alertWorld(t, engine, nil)
		w.drifts("search", 1)
		if told := w.told(); told != "post opened" {
			t.Fatalf("told %q", told)
		}
		w.drifts("search", 2)
		w.clock.pass(2 * editPause)
		w.fails("cache", "source cache: dial tcp: connection refused")
		d := w.claim()
		if d == nil || d.Step != alerts.Post || d.Incident.Kind != alerts.Blind {
			t.Fatalf("first is %+v", d)
		}
		w.settled(d, alerts.Receipt{Ref: alerts.Ref{Channel: "C1", TS: "2.1"}}, nil)
		w.clock.pass(2 * editPause)
		if told := w.told(); told != "edit" {
			t.Errorf("then %q", told)
		}
	})
}
