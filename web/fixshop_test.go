package web_test

import (
	"fmt"
	"time"

	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
	"plumbline/sources"
)

// draftOf drafts a plan of findings as the reconciler would: each record becomes
// what its owner says.
func draftOf(check, replica string, findings []*drift.Finding) (*reconciler.Plan, []reconciler.Item) {
	p := &reconciler.Plan{Check: check, Replica: replica, By: reconciler.Write, State: reconciler.Draft, CheckHash: "as declared", Needs: 1, StopOnError: true,
		Choice: "findings of the pattern " + findings[0].Pattern, DraftedBy: reconciler.Person{Account: "A-ada", Name: "ada"},
		Checklist: []reconciler.Safety{{Name: "owner", OK: true, Words: "the owner answers, and is not empty: 1,118,204 records"}, {Name: "share", OK: true, Words: "0.008 % of what was compared differs, at most 20 % may"},
			{Name: "records", OK: true, Words: "at most 100 records may be touched"}, {Name: "deletes", OK: true, Words: "nothing is deleted"},
			{Name: "hazards", OK: true, Words: "no trigger, cascade, generated column, partition or row security concerns what is written"}}}
	items := make([]reconciler.Item, 0, len(findings))
	for _, f := range findings {
		i := reconciler.Item{Finding: f.ID, Key: f.Key, CopyID: f.CopyID, Asked: f.Key, KeyText: f.KeyText, Kind: sources.Update, State: reconciler.Pending,
			Before: &sources.Image{Exists: true, Native: []byte("before " + f.ID)}, After: &sources.Image{Exists: true, Native: []byte("after " + f.ID)}}
		for _, d := range f.Fields {
			i.Fields = append(i.Fields, reconciler.Field{Name: d.Title(), Now: d.Replica, Then: d.Owner, Rule: d.Rule})
			i.Statement = fmt.Sprintf("db.orders.updateOne({_id: %s, %s: %s}, {$set: {%s: %s}})", f.KeyText, d.ReplicaField, d.Replica.Short(), d.ReplicaField, d.Owner.Short())
		}
		i.Hash = reconciler.ItemHash(p.Check, p.Replica, p.CheckHash, p.Undoes, &i)
		items = append(items, i)
	}
	p.Hash = planHash(items)
	return p, items
}

func planHash(items []reconciler.Item) string {
	var hashes []string
	for i := range items {
		hashes = append(hashes, items[i].Hash)
	}
	return reconciler.PlanHash(hashes)
}

// begun approves a plan in zoe's name and begins it.
func (h *history) begun(p *reconciler.Plan) {
	h.t.Helper()
	ctx := h.t.Context()
	zoe := reconciler.Person{Account: "A-zoe", Name: "zoe"}
	_, err := h.ledger.ApprovePlan(ctx, p.ID, p.Hash, zoe)
	h.must(err)
	h.clock.pass(40 * time.Second)
	_, begun, err := h.ledger.BeginPlan(ctx, p.ID, p.Hash, p.CheckHash, p.DraftedBy, func(*ledger.Tx) error { return nil })
	if h.must(err); !begun {
		h.t.Fatalf("%s was not begun", p.ID)
	}
	_, _, err = h.ledger.ClaimPlan(ctx, p.ID, "test")
	h.must(err)
}

// settle gives the next item of a plan that is being applied a state, as whoever
// applies it would.
func (h *history) settle(p *reconciler.Plan, state reconciler.ItemState, note string, now []reconciler.Field) {
	h.t.Helper()
	ctx, journal := h.t.Context(), h.ledger.FixJournal()
	item, err := journal.ClaimItem(ctx, p.ID, "test", time.Minute)
	h.must(err)
	if state != reconciler.ItemStale {
		h.must(journal.Intend(ctx, item, h.clock.now().Add(15*time.Second)))
	}
	h.clock.pass(300 * time.Millisecond)
	item.Note, item.Now = note, now
	h.must(journal.Settle(ctx, item, state))
}

// shopFixes are plans of the shop's orders: one that was applied in part, one that
// is being applied, and one that waits for approval. It returns the last two.
func shopFixes(h *history) (applying, waiting *reconciler.Plan) {
	h.t.Helper()
	ctx := h.t.Context()
	h.clock.set(shopNow().Add(-6 * time.Minute))
	list, _, err := h.ledger.Findings(ctx, ledger.FindingFilter{Check: "orders-in-search", Kind: "mismatch", State: "open", Limit: 60})
	h.must(err)
	var plans []*reconciler.Plan
	for _, part := range [][]*drift.Finding{list[:6], list[6:26], list[26:38]} {
		p, items := draftOf("orders-in-search", "search", part)
		p.Left = []reconciler.LeftOut{{Reason: "the owner's record is not there: it is inserted only where the service is asked", N: 1, Example: list[0].ID}}
		h.must(h.ledger.KeepPlan(ctx, p, items))
		plans = append(plans, p)
	}
	h.begun(plans[0])
	for i := range 6 {
		if i == 4 {
			h.settle(plans[0], reconciler.ItemStale, "the replica's record was changed since the plan was drafted", nil)
			continue
		}
		h.settle(plans[0], reconciler.ItemApplied, "", nil)
	}
	_, err = h.ledger.EndPlan(ctx, plans[0].ID)
	h.must(err)
	h.begun(plans[1])
	for i := range 13 {
		if i == 7 {
			h.settle(plans[1], reconciler.ItemStale, "the owner's record was changed since the plan was drafted", nil)
			continue
		}
		h.settle(plans[1], reconciler.ItemApplied, "", nil)
	}
	_, err = h.ledger.AskApproval(ctx, plans[2].ID, plans[2].Hash)
	h.must(err)
	h.clock.set(shopNow())
	return plans[1], plans[2]
}
