package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
	"plumbline/sources"
)

// checkHash is of the check as the plans of tests are drafted by.
const checkHash = "the check as it is"

func ann() reconciler.Person { return reconciler.Person{Account: "a1", Name: "ann"} }
func ben() reconciler.Person { return reconciler.Person{Account: "b1", Name: "ben"} }
func eve() reconciler.Person { return reconciler.Person{Account: "e1", Name: "eve"} }

// open has findings about these keys be open in search.
func (w *world) open(ns ...int) {
	w.Helper()
	w.scanned("search", w.suspects(ns...)...)
	w.confirm("search")
}

func image(n int, status string) *sources.Image {
	return &sources.Image{Exists: true, Native: fmt.Appendf(nil, `{"id":%d,"status":%q}`, n, status), ReadAt: time.Unix(int64(n), 5e6).UTC(),
		Record: sources.Record{Key: key(n), Fields: []sources.Value{sources.Text(status), sources.Time(time.Unix(int64(n), 0), 3)}}}
}

// item is a fix of the finding about a key.
func item(n int) reconciler.Item {
	return reconciler.Item{Finding: id("search", n), Key: key(n), Asked: key(n), KeyText: fmt.Sprint("id ", n), Kind: sources.Update,
		Owner: sources.FingerprintOf([]sources.Value{sources.Int(int64(n))}), Before: image(n, "pending"), After: image(n, "paid"),
		Fields:    []reconciler.Field{{Name: "status", Now: drift.Value{Type: "text", Text: "pending"}, Then: drift.Value{Type: "text", Text: "paid"}, Rule: "exact"}},
		Statement: "UPDATE orders SET status = $1"}
}

// plan is one of some items, as it is drafted.
func plan(items []reconciler.Item) *reconciler.Plan {
	p := &reconciler.Plan{Check: "orders", Replica: "search", By: reconciler.Write, State: reconciler.Draft, CheckHash: checkHash, Choice: "all open findings",
		DraftedBy: ann(), Needs: 1, StopOnError: true, Checklist: []reconciler.Safety{{Name: "owner", OK: true, Words: "it has records"}},
		Left: []reconciler.LeftOut{{Reason: "missing", N: 2, Example: id("search", 99)}}}
	return hashed(p, items)
}

func hashed(p *reconciler.Plan, items []reconciler.Item) *reconciler.Plan {
	hashes := make([]string, len(items))
	for n := range items {
		items[n].Hash = reconciler.ItemHash(p.Check, p.Replica, p.CheckHash, p.Undoes, &items[n])
		hashes[n] = items[n].Hash
	}
	p.Hash = reconciler.PlanHash(hashes)
	return p
}

// draft keeps a plan about the findings of these keys.
func (w *world) draft(ns ...int) *reconciler.Plan {
	w.Helper()
	var items []reconciler.Item
	for _, n := range ns {
		items = append(items, item(n))
	}
	p := plan(items)
	must(w, w.KeepPlan(w.Context(), p, items))
	return p
}

func (w *world) approved(ns ...int) *reconciler.Plan {
	w.Helper()
	p := w.draft(ns...)
	return got(w.ApprovePlan(w.Context(), p.ID, p.Hash, ben()))(w)
}

func (w *world) applying(ns ...int) *reconciler.Plan {
	w.Helper()
	p := w.approved(ns...)
	return w.beginPlan(p)
}

func (w *world) beginPlan(p *reconciler.Plan) *reconciler.Plan {
	w.Helper()
	p, begun, err := w.BeginPlan(w.Context(), p.ID, p.Hash, checkHash, ann(), noJobs)
	must(w, err)
	if !begun {
		w.Fatalf("%s was not begun: it is %s", p.ID, p.State)
	}
	return p
}

// work applies a plan's items, one for each of these outcomes, and ends it.
func (w *world) work(p *reconciler.Plan, outcomes ...reconciler.ItemState) *reconciler.Plan {
	w.Helper()
	got2(w.ClaimPlan(w.Context(), p.ID, "worker"))(w)
	for _, outcome := range outcomes {
		i := w.claimItem(p, "worker")
		if outcome == reconciler.ItemApplied || outcome == reconciler.ItemSent {
			must(w, w.FixJournal().Intend(w.Context(), i, w.clock.now().Add(15*time.Second)))
		}
		must(w, w.FixJournal().Settle(w.Context(), i, outcome))
	}
	return got(w.EndPlan(w.Context(), p.ID))(w)
}

func (w *world) claimItem(p *reconciler.Plan, worker string) *reconciler.Item {
	w.Helper()
	i := got(w.FixJournal().ClaimItem(w.Context(), p.ID, worker, time.Minute))(w)
	if i == nil {
		w.Fatalf("there is no item of %s to claim", p.ID)
	}
	return i
}

// undo drafts a plan that takes back what another applied.
func (w *world) undo(of *reconciler.Plan) (*reconciler.Plan, error) {
	w.Helper()
	var items []reconciler.Item
	for _, i := range got(w.PlanItems(w.Context(), of.ID, ledger.ItemFilter{Content: true}))(w) {
		if i.State == reconciler.ItemApplied || i.State == reconciler.ItemVerified {
			items = append(items, reconciler.Item{Finding: i.Finding, Key: i.Key, Asked: i.Asked, KeyText: i.KeyText, Kind: i.Kind, Before: i.After, After: i.Before})
		}
	}
	p := plan(items)
	p.Undoes = of.ID
	return p, w.KeepPlan(w.Context(), hashed(p, items), items)
}

// heal has a read see that records agree.
func (w *world) heal(ns ...int) {
	w.Helper()
	for _, n := range ns {
		w.recheck("search", cleared(w.suspect(n), checks.ClearedEqual))
	}
}

func (w *world) planNow(p *reconciler.Plan) *reconciler.Plan {
	w.Helper()
	return got(w.Plan(w.Context(), p.ID))(w)
}

func (w *world) items(p *reconciler.Plan) []reconciler.Item {
	w.Helper()
	return got(w.PlanItems(w.Context(), p.ID, ledger.ItemFilter{}))(w)
}

// itemStates are those of a plan's items, in order.
func (w *world) itemStates(p *reconciler.Plan) string {
	w.Helper()
	words := ""
	for _, i := range w.items(p) {
		words += " " + string(i.State)
	}
	return words
}

func got2[A, B any](a A, b B, err error) func(testing.TB) (A, B) {
	return func(t testing.TB) (A, B) {
		t.Helper()
		must(t, err)
		return a, b
	}
}

func refusedWith(t testing.TB, what string, err error) *reconciler.Refusal {
	t.Helper()
	r, ok := errors.AsType[*reconciler.Refusal](err)
	if !ok {
		t.Fatalf("%s: got %v and no refusal", what, err)
	}
	if r.Why == "" || r.Next == "" {
		t.Errorf("%s: refused without a reason, or what to do next: %v", what, r)
	}
	return r
}

// countsHold holds what plans count of their items against the items.
func (w *world) countsHold() {
	w.Helper()
	plans, _, err := w.Plans(context.Background(), ledger.PlanFilter{Limit: 10_000})
	must(w, err)
	for _, p := range plans {
		counted := map[reconciler.ItemState]int64{}
		for _, i := range w.items(p) {
			counted[i.State]++
		}
		if fmt.Sprint(counted) != fmt.Sprint(p.Counts) {
			w.Errorf("%s counts %v, and has %v", p.ID, p.Counts, counted)
		}
	}
}
