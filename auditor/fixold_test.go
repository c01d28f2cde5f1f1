package auditor_test

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"plumbline/access"
	"plumbline/auditor"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
)

// A plan that stood still for longer than an approval holds does not go on by
// itself: what was looked at when it was begun may no longer be so.
func TestAPlanThatStoodStillTooLongIsNotGoneOnWith(t *testing.T) {
	t.Parallel()
	w := newFixWorld(t, "sqlite", proposing(), 5)
	w.policy.Approvals = 0
	who := w.people(t, map[string]access.Role{"ann": access.Approver})
	o := w.options()
	d := auditor.NewDesk(w.ledger, nil, w.now).Using(auditor.NewFixes(o))
	o.Checks[0].Fixes = nil // so that nobody but people drafts
	a := start(t, o)
	runNow(t, a, w.ledger, "products")
	must(t, a.Stop(t.Context()))
	p, err := d.DraftFix(again(who["ann"]), auditor.FixRequest{Check: "products"})
	must(t, err)
	_, err = w.begun(t, again(who["ann"]), p)
	must(t, err)
	drifted := w.replica.prices(t)
	w.later(reconciler.ApprovedFor)
	_, err = d.ApplyFix(again(who["ann"]), p.ID, p.Hash)
	must(t, err)
	if p, err = w.ledger.Plan(t.Context(), p.ID); err != nil || p.State != reconciler.Failed || p.Counts[reconciler.Pending] != 5 || !strings.Contains(p.Reason, "left") {
		t.Errorf("it came to %s with %v: %s, %v", p.State, p.Counts, p.Reason, err)
	}
	if !maps.Equal(w.replica.prices(t), drifted) {
		t.Error("records were written a day after what speaks against it was looked at")
	}
	if states := w.states(t); states[drift.Fixing] != 0 {
		t.Errorf("findings are %v", states)
	}
	// Whoever wants the rest has it looked at again.
	w.later(time.Minute)
	_, err = d.ApplyFix(again(who["ann"]), p.ID, p.Hash)
	must(t, err)
	if p, err = w.ledger.Plan(t.Context(), p.ID); err != nil || p.State != reconciler.Applied {
		t.Errorf("gone on with by a person, it came to %s with %v, %v", p.State, p.Counts, err)
	}
}

// begun begins a plan, and nobody applies it.
func (w *fixWorld) begun(t testing.TB, ctx context.Context, p *reconciler.Plan) (*reconciler.Plan, error) {
	t.Helper()
	return second3(w.ledger.BeginPlan(ctx, p.ID, p.Hash, p.CheckHash, p.DraftedBy, func(*ledger.Tx) error { return nil }))
}
