package ledger_test

import (
	"testing"
	"time"

	"plumbline/alerts"
	"plumbline/drift"
)

// Whoever took an incident on has not taken on what comes after it was over.
func TestAnAcknowledgementEndsWithItsIncident(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", nil)
	w.drifts("search", 1)
	got(w.AcknowledgeIncident(t.Context(), "I-1", "ann", "", 0))(t)
	w.heals("search", 1)
	w.clock.pass(time.Minute)
	w.drifts("search", 2)
	w.sweep()
	if f, i := w.finding("search", 2), w.incident(alerts.Drift); f.State != drift.Confirmed || i.State != alerts.Open {
		t.Errorf("the next finding is %s, and the incident %s by %q", f.State, i.State, i.AcknowledgedBy)
	}
}

// Who acknowledges one finding while another is only muted for a while has not
// taken the incident on for good.
func TestAFindingsMuteEndsThoughAnotherFindingIsAcknowledged(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", nil)
	w.drifts("search", 1, 2)
	for n, o := range []drift.Observation{{Event: drift.Mute, Until: w.clock.now().Add(time.Hour)}, {Event: drift.Acknowledge}} {
		o.At, o.Actor = w.clock.now(), "ann"
		got(w.Act(t.Context(), []string{w.finding("search", n+1).ID}, o, 0))(t)
	}
	if i := w.incident(alerts.Drift); i.State != alerts.Acknowledged {
		t.Fatalf("with both quiet it is %s", i.State)
	}
	got(w.UnmuteDue(t.Context(), w.clock.pass(2*time.Hour)))(t)
	if i := w.incident(alerts.Drift); i.State != alerts.Open || w.events(i.ID) != "opened acknowledged unmuted" {
		t.Errorf("once one is loud again it is %s: %s", i.State, w.events(i.ID))
	}
}
