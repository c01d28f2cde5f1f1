package auditor_test

import (
	"testing"
	"time"

	"plumbline/ledger"
	"plumbline/reconciler"
)

// While nobody looks at what Plumbline proposed, what drifts since is proposed
// beside it, each record in one plan, and ever more seldom.
func TestWhatDriftsSinceIsProposedBesideWhatWaits(t *testing.T) {
	t.Parallel()
	w := newFixWorld(t, "sqlite", proposing(), 2)
	a, _ := w.start(t)
	runNow(t, a, w.ledger, "products")
	last := w.auto(t, 0, reconciler.Waiting)
	seen := map[string]string{}
	for n, wait := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute} {
		w.replica.exec(t, `UPDATE products SET price = price + 1 WHERE id IN ($1, $2)`, 10+2*n, 11+2*n)
		runNow(t, a, w.ledger, "products")
		w.later(wait)
		p := w.auto(t, last.Number, reconciler.Waiting)
		if p.Items() != 2 || p.DraftedAt.Sub(last.DraftedAt) < wait {
			t.Errorf("%s has %d records, %s after %s", p.ID, p.Items(), p.DraftedAt.Sub(last.DraftedAt), last.ID)
		}
		last = p
	}
	plans, _, err := w.ledger.Plans(t.Context(), ledger.PlanFilter{Check: "products", State: "live", Limit: 20})
	must(t, err)
	if len(plans) != 4 {
		t.Errorf("%d plans wait", len(plans))
	}
	for _, p := range plans {
		items, err := w.ledger.PlanItems(t.Context(), p.ID, ledger.ItemFilter{Limit: 100})
		must(t, err)
		for i := range items {
			if other := seen[items[i].Finding]; other != "" {
				t.Errorf("%s is in %s and %s", items[i].Finding, other, p.ID)
			}
			seen[items[i].Finding] = p.ID
		}
	}
}

// What waits of a check that was changed makes way: who then says that Plumbline
// may apply waits for no plan that could not be begun.
func TestWhatWaitsOfAChangedCheckMakesWay(t *testing.T) {
	t.Parallel()
	w := newFixWorld(t, "sqlite", proposing(), 2)
	a, _ := w.start(t)
	runNow(t, a, w.ledger, "products")
	waits := w.auto(t, 0, reconciler.Waiting)
	w.policy.Mode, w.policy.Approvals = reconciler.ModeApply, 0
	o := w.options()
	must(t, a.Reload(t.Context(), o.Checks, "two", o.Readers))
	w.later(30 * time.Second)
	runNow(t, a, w.ledger, "products")
	if p := w.auto(t, waits.Number, reconciler.Applied); p.Items() != 2 {
		t.Errorf("%s has %d records", p.ID, p.Items())
	}
	waits, err := w.ledger.Plan(t.Context(), waits.ID)
	must(t, err)
	if waits.State != reconciler.Stale || waits.Reason == "" {
		t.Errorf("%s is %s: %s", waits.ID, waits.State, waits.Reason)
	}
}
