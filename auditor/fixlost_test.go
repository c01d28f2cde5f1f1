package auditor_test

import (
	"context"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"plumbline/access"
	"plumbline/auditor"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
)

// A plan that was begun by somebody who is gone is gone on with by whoever is
// there: what is doubtful is found out, and the rest applied.
func TestSoakLostPlansAreAdopted(t *testing.T) {
	t.Parallel()
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return
	}
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w, p, _ := lostPlan(t, engine)
			start(t, w.options())
			p = w.ended(t, p.ID)
			if p.State != reconciler.Applied || !maps.Equal(w.replica.prices(t), w.owner.prices(t)) {
				t.Errorf("it came to %s with %v", p.State, p.Counts)
			}
		})
	}
}

// Of one whose check is gone as well, what is doubtful has its honest word, and
// nothing is written.
func TestSoakLostPlansOfLostChecksEnd(t *testing.T) {
	t.Parallel()
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return
	}
	w, p, drifted := lostPlan(t, "sqlite")
	o := w.options()
	o.Checks[0].Check.Name = "others"
	start(t, o)
	p = w.ended(t, p.ID)
	if p.State != reconciler.Failed || p.Counts[reconciler.ItemFailed] != 1 || p.Counts[reconciler.Pending] != 4 || !maps.Equal(w.replica.prices(t), drifted) {
		t.Errorf("it came to %s with %v", p.State, p.Counts)
	}
	items, err := w.ledger.PlanItems(t.Context(), p.ID, ledger.ItemFilter{State: reconciler.ItemFailed})
	if err != nil || len(items) != 1 || !strings.Contains(items[0].Note, "nobody can say") {
		t.Errorf("its item is %+v, %v", items, err)
	}
	if states := w.states(t); states[drift.Fixing] != 0 {
		t.Errorf("findings are %v", states)
	}
}

// lostPlan is a plan of five records that is being applied, by nobody: of its
// first it is not known whether it was written.
func lostPlan(t *testing.T, engine string) (w *fixWorld, p *reconciler.Plan, drifted map[int]int) {
	t.Helper()
	w = newFixWorld(t, engine, proposing(), 5)
	w.policy.Approvals = 0
	who := w.people(t, map[string]access.Role{"ann": access.Approver})
	o := w.options()
	d := auditor.NewDesk(w.ledger, nil, w.now).Using(auditor.NewFixes(o))
	o.Checks[0].Fixes = nil
	a := start(t, o)
	runNow(t, a, w.ledger, "products")
	must(t, a.Stop(t.Context()))
	p, err := d.DraftFix(again(who["ann"]), auditor.FixRequest{Check: "products"})
	must(t, err)
	p, err = second3(w.ledger.BeginPlan(again(who["ann"]), p.ID, p.Hash, p.CheckHash, reconciler.Person{Name: "ann"}, func(*ledger.Tx) error { return nil }))
	must(t, err)
	_, _, err = w.ledger.ClaimPlan(context.Background(), p.ID, "gone")
	must(t, err)
	item, err := w.ledger.FixJournal().ClaimItem(context.Background(), p.ID, "gone", reconciler.HoldFor)
	must(t, err)
	must(t, w.ledger.FixJournal().Intend(context.Background(), item, time.Now().Add(reconciler.WriteFor)))
	w.later(reconciler.HoldFor) // by the ledger's clock they hold it no longer; the store has its own
	return w, p, w.replica.prices(t)
}
