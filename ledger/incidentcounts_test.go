package ledger_test

import (
	"testing"

	"plumbline/alerts"
	"plumbline/ledger"
)

func TestOpenIncidentsAreCountedByKindAndState(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, engine string) {
		w := alertWorld(t, engine, nil)
		count := func() ledger.IncidentCounts {
			return got(w.OpenIncidents(t.Context()))(w)
		}
		if n := count().Of(); n != 0 {
			t.Errorf("%d incidents before anything was read", n)
		}
		w.drifts("search", 1, 2)
		w.fails("cache", "connection refused")
		if c := count(); c.Of() != 2 || c.Of(alerts.Open) != 2 || c.OfKind(alerts.Drift) != 1 || c.OfKind(alerts.Blind) != 1 {
			t.Errorf("drift and a failed run count as %v", c)
		}
		got(w.AcknowledgeIncident(t.Context(), w.incident(alerts.Drift).ID, "ada", "", 0))(w)
		if c := count(); c.Of() != 2 || c.Of(alerts.Acknowledged) != 1 || c.Of(alerts.Open, alerts.Acknowledged) != 2 {
			t.Errorf("one acknowledged counts as %v", c)
		}
	})
}
