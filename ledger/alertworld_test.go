package ledger_test

import (
	"strings"
	"testing"

	"plumbline/alerts"
	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
)

// policies tell one channel of every check, but for what a test changes.
func policies(change func(p *alerts.Policy)) alerts.Policies {
	return func(check string) (alerts.Policy, bool) {
		p := alerts.Policy{Check: check, Severity: "high", Owner: "shop.orders", Replicas: []string{"search", "cache"},
			Targets: []alerts.Target{{Integration: "slack", Address: "#orders"}}}
		if change != nil {
			change(&p)
		}
		return p, true
	}
}

func alertWorld(t testing.TB, engine string, change func(p *alerts.Policy)) *world {
	t.Helper()
	return openWorld(t, address(t, engine), newClock(), ledger.Options{Policies: policies(change)})
}

// drifts makes findings of these keys, and heals resolves them.
func (w *world) drifts(replica string, keys ...int) {
	w.Helper()
	var vs []checks.Verdict
	for _, n := range keys {
		vs = append(vs, w.differs(w.suspect(n), "paid", "pending"))
	}
	w.recheck(replica, vs...)
}

func (w *world) heals(replica string, keys ...int) {
	w.Helper()
	var vs []checks.Verdict
	for _, n := range keys {
		vs = append(vs, cleared(w.suspect(n), checks.ClearedEqual))
	}
	w.recheck(replica, vs...)
}

// incidentsFit holds the open incident of the check's drift against what is open.
func (w *world) incidentsFit() {
	w.Helper()
	counted := w.count(`SELECT COUNT(*) FROM findings WHERE state <> 'resolved' AND NOT accepted`)
	loud := w.count(`SELECT COUNT(*) FROM findings WHERE state IN ('confirmed', 'regressed') AND NOT accepted`)
	omitted := w.count(`SELECT COALESCE(SUM(r.omitted), 0) FROM runs r JOIN edges e ON e.last_run = r.id`)
	list, _, err := w.Incidents(w.Context(), ledger.IncidentFilter{State: "open", Kind: string(alerts.Drift)})
	must(w, err)
	switch {
	case len(list) > 1, len(list) == 0 && loud > 0, len(list) == 1 && counted+omitted == 0:
		w.Errorf("%d incidents are open with %d findings counted, %d of them loud, and %d omitted", len(list), counted, loud, omitted)
	case len(list) == 1:
		if f := list[0].Facts; f.Counted != counted || f.Loud < loud || f.Omitted != omitted {
			w.Errorf("%s says %d counted, %d loud, %d omitted; there are %d, %d, %d", list[0].ID, f.Counted, f.Loud, f.Omitted, counted, loud, omitted)
		}
	}
}

func upTo(n int) (keys []int) {
	for i := range n {
		keys = append(keys, i)
	}
	return keys
}

// fails ends a run of an edge as an error.
func (w *world) fails(replica, why string) {
	w.Helper()
	r := &ledger.Run{Check: "orders", Replica: replica, Trigger: ledger.BySchedule, Actor: drift.Plumbline, Generation: 1}
	must(w, w.CreateRuns(w.Context(), []*ledger.Run{r}, noJobs))
	r = got(w.ClaimRun(w.Context(), r.ID, "worker"))(w)
	must(w, w.EndRun(w.Context(), r, why, checks.Error))
}

// incident is the newest incident of a kind.
func (w *world) incident(kind alerts.Kind) *alerts.Incident {
	w.Helper()
	list, _, err := w.Incidents(w.Context(), ledger.IncidentFilter{Kind: string(kind)})
	must(w, err)
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

// events are an incident's milestones in words.
func (w *world) events(id string) string {
	w.Helper()
	var words []string
	for _, m := range got(w.Milestones(w.Context(), id))(w) {
		words = append(words, string(m.Event))
	}
	return strings.Join(words, " ")
}

func (w *world) sweep() {
	w.Helper()
	must(w, w.SweepAlerts(w.Context(), w.clock.now()))
}

func onEngines(t *testing.T, test func(t *testing.T, engine string)) {
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			test(t, engine)
		})
	}
}
