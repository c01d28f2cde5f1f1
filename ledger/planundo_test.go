package ledger_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
	"plumbline/sources"
)

func plansAreTakenBack(t *testing.T, w *world) {
	w.open(1, 2, 3)
	p := w.work(w.applying(1, 2, 3), reconciler.ItemApplied, reconciler.ItemApplied, reconciler.ItemApplied)
	w.heal(1, 2)
	withdrawn, err := w.undo(p)
	must(t, err)
	if w.planNow(p).UndoneBy != withdrawn.ID {
		t.Error("the plan does not name the one that is to take it back")
	}
	_, err = w.undo(p)
	refusedWith(t, "undone twice at once", err)
	got(w.WithdrawPlan(t.Context(), withdrawn.ID, "no", eve()))(t)
	if by := w.planNow(p).UndoneBy; by != "" {
		t.Errorf("it is to be undone by %s, which was withdrawn", by)
	}
	some, err := w.undo(p)
	must(t, err)
	_, err = w.ApprovePlan(t.Context(), some.ID, some.Hash, ann())
	refusedWith(t, "an undo approved by who drafted it", err)
	got(w.ApprovePlan(t.Context(), some.ID, some.Hash, ben()))(t)
	some = w.work(w.beginPlan(some), reconciler.ItemApplied, reconciler.ItemStale, reconciler.ItemApplied)
	if now := w.planNow(p); some.State != reconciler.PartlyApplied || now.State != reconciler.Applied || now.UndoneBy != some.ID {
		t.Errorf("the undo is %s, and what it took back %s by %s", some.State, now.State, now.UndoneBy)
	}
	if f := w.finding("search", 3); f.State != drift.Confirmed {
		t.Errorf("what was taken back before it was seen is %s", f.State)
	}
	_, err = w.undo(some)
	refusedWith(t, "an undo undone", err)
	items := []reconciler.Item{{Finding: id("search", 2), Key: key(2), Kind: sources.Update, Before: image(2, "paid"), After: image(2, "pending")}}
	rest := plan(items)
	rest.Undoes = p.ID
	must(t, w.KeepPlan(t.Context(), hashed(rest, items), items))
	got(w.ApprovePlan(t.Context(), rest.ID, rest.Hash, ben()))(t)
	if rest = w.work(w.beginPlan(rest), reconciler.ItemApplied); rest.State != reconciler.Applied {
		t.Errorf("the rest of the undo is %s", rest.State)
	}
	if now := w.planNow(p); now.State != reconciler.Undone || now.UndoneBy != rest.ID || now.EndedAt.IsZero() {
		t.Errorf("when all is taken back it is %+v", now)
	}
}

func whatWasTakenBackIsLeftAlone(t *testing.T, w *world) {
	w.open(1, 2)
	both := []string{id("search", 1), id("search", 2)}
	start := w.clock.now()
	w.clock.pass(time.Second)
	p := w.work(w.applying(1, 2), reconciler.ItemApplied, reconciler.ItemApplied)
	w.clock.pass(time.Second)
	w.heal(1, 2)
	if n := got(w.FixedSince(t.Context(), both, start))(t); n[both[0]] != 1 || n[both[1]] != 1 {
		t.Errorf("fixed %v", n)
	}
	if n := got(w.FixedSince(t.Context(), both, w.clock.now()))(t); len(n) != 0 {
		t.Errorf("fixed since %v", n)
	}
	alone := func(want ...string) {
		t.Helper()
		now := got(w.LeftAlone(t.Context(), both))(t)
		if len(now) != len(want) {
			t.Errorf("left alone are %v and not %v", now, want)
		}
		for _, one := range want {
			if !now[one] {
				t.Errorf("%s is not left alone", one)
			}
		}
	}
	alone()
	w.clock.pass(time.Second)
	u, err := w.undo(p)
	must(t, err)
	got(w.ApprovePlan(t.Context(), u.ID, u.Hash, ben()))(t)
	w.work(w.beginPlan(u), reconciler.ItemApplied, reconciler.ItemApplied)
	alone(both...)
	w.clock.pass(time.Second)
	w.recheck("search", w.differs(w.suspect(1), "paid", "pending"), w.differs(w.suspect(2), "paid", "pending"))
	alone(both...)
	w.clock.pass(time.Second)
	w.heal(1)
	w.clock.pass(time.Second)
	w.recheck("search", w.differs(w.suspect(1), "paid", "pending"))
	alone(both[1])
	w.clock.pass(time.Second)
	w.work(w.applying(2), reconciler.ItemApplied)
	alone()
	if n := got(w.FixedSince(t.Context(), both, start))(t); n[both[0]] != 1 || n[both[1]] != 2 {
		t.Errorf("fixed %v", n)
	}
}

func oneAutomaticPlan(t *testing.T, w *world) {
	w.open(1, 2, 3)
	auto := func(ns ...int) (*reconciler.Plan, error) {
		var items []reconciler.Item
		for _, n := range ns {
			items = append(items, item(n))
		}
		p := plan(items)
		p.Auto, p.State, p.DraftedBy = true, reconciler.Waiting, reconciler.Person{Name: drift.Plumbline}
		return p, w.KeepPlan(t.Context(), p, items)
	}
	person := w.draft(1)
	_, err := auto(1, 2)
	if r, ok := errors.AsType[*reconciler.Refusal](err); !ok || r.Plan != person.ID {
		t.Errorf("beside a person's: %v", err)
	}
	first, err := auto(2, 3)
	must(t, err)
	if _, err := auto(3); !errors.As(err, new(*reconciler.Refusal)) {
		t.Errorf("twice: %v", err)
	}
	got(w.WithdrawPlan(t.Context(), first.ID, "", eve()))(t)
	_, err = auto(3)
	must(t, err)
}

func imagesArePruned(t *testing.T, w *world) {
	w.open(1, 2, 3)
	old := w.work(w.applying(1, 2), reconciler.ItemApplied, reconciler.ItemApplied)
	w.heal(1)
	draft := w.draft(3)
	w.clock.pass(29 * 24 * time.Hour)
	if done := got(w.Prune(t.Context(), w.clock.now(), ledger.Retention{}))(t); done.Images != 0 || done.Plans != 0 {
		t.Errorf("pruned early: %+v", done)
	}
	w.clock.pass(2 * 24 * time.Hour)
	if done := got(w.Prune(t.Context(), w.clock.now(), ledger.Retention{}))(t); done.Images != 2 || done.Plans != 0 {
		t.Errorf("pruned %+v", done)
	}
	items := got(w.PlanItems(t.Context(), old.ID, ledger.ItemFilter{Content: true}))(t)
	if len(items) != 2 || items[0].Before != nil || items[0].Key != nil || items[0].Hash == "" || len(items[0].Fields) != 1 {
		t.Errorf("left is %+v", items)
	}
	w.clock.pass(100 * 24 * time.Hour)
	if done := got(w.Prune(t.Context(), w.clock.now(), ledger.Retention{}))(t); done.Plans != 0 {
		t.Errorf("a plan was pruned whose finding is open: %+v", done)
	}
	w.heal(2)
	if done := got(w.Prune(t.Context(), w.clock.now(), ledger.Retention{}))(t); done.Plans != 1 {
		t.Errorf("pruned %+v", done)
	}
	if _, err := w.Plan(t.Context(), old.ID); !errors.As(err, new(*ledger.NotFoundError)) {
		t.Errorf("the old plan: %v", err)
	}
	if n := w.count(`SELECT (SELECT COUNT(*) FROM plan_items WHERE plan = $1) + (SELECT COUNT(*) FROM plan_approvals WHERE plan = $2)`, old.ID, old.ID); n != 0 {
		t.Errorf("%d rows of it are left", n)
	}
	if w.planNow(draft).State != reconciler.Draft {
		t.Error("what was never ended was pruned")
	}
}

func theLogTellsOfFixes(t *testing.T, w *world) {
	w.open(1, 2)
	annDoes, a := as(t.Context(), "ann")
	benDoes, b := as(t.Context(), "ben")
	items := []reconciler.Item{item(1), item(2)}
	p := plan(items)
	must(t, w.KeepPlan(annDoes, p, items))
	w.clock.pass(time.Second)
	got(w.AskApproval(annDoes, p.ID, p.Hash))(t)
	w.clock.pass(time.Second)
	got(w.ApprovePlan(benDoes, p.ID, p.Hash, ben()))(t)
	w.clock.pass(time.Second)
	_, _, err := w.BeginPlan(annDoes, p.ID, p.Hash, checkHash, ann(), noJobs)
	must(t, err)
	w.clock.pass(time.Second)
	p = w.work(p, reconciler.ItemApplied, reconciler.ItemStale)
	w.clock.pass(time.Second)
	must(t, w.FreezeFixes(benDoes, reconciler.Freeze{By: "ben", Reason: "look"}))
	w.clock.pass(time.Second)
	must(t, w.UnfreezeFixes(benDoes, ""))
	w.clock.pass(time.Second)
	must(t, w.PauseFixes(t.Context(), reconciler.Pause{Check: "orders", Reason: "loops"}))
	w.clock.pass(time.Second)
	must(t, w.ResumeFixes(benDoes, "orders"))
	w.clock.pass(time.Second)
	u, err := w.undo(p)
	must(t, err)
	w.clock.pass(time.Second)
	got(w.WithdrawPlan(annDoes, u.ID, "not yet", ann()))(t)
	want := `ann: draft fix fix P-1: ok
ann: ask approval fix P-1: ok
ben: approve fix fix P-1: ok
ann: apply fix fix P-1: ok
plumbline: fix ended fix P-1: ok
ben: freeze fixes all checks: ok
ben: unfreeze fixes all checks: ok
plumbline: pause fixes check orders: ok
ben: resume fixes check orders: ok
plumbline: undo fix fix P-2: ok
ann: withdraw fix fix P-2: ok`
	if diff := cmp.Diff(want, w.log()); diff != "" {
		t.Errorf("the log: %s", diff)
	}
	if !a.Recorded() || !b.Recorded() {
		t.Error("an attempt is not recorded")
	}
	entries, _, err := w.AuditEntries(t.Context(), ledger.AuditFilter{Action: "fix ended"})
	if err != nil || len(entries) != 1 || entries[0].Detail != "partly applied: 1 applied, 1 stale" {
		t.Errorf("at the end: %v %+v", err, entries)
	}
	if n := w.count(`SELECT COUNT(*) FROM audit WHERE detail LIKE '%paid%' OR detail LIKE '%pending%'`); n != 0 {
		t.Errorf("%d entries hold a value", n)
	}
}

func needlessPlans(t *testing.T, w *world) {
	w.open(1, 2, 3)
	own := []reconciler.Item{item(1), item(2)}
	p := plan(own)
	p.Auto, p.State, p.DraftedBy = true, reconciler.Waiting, reconciler.Person{Name: drift.Plumbline}
	must(t, w.KeepPlan(t.Context(), p, own))
	somebodys := w.draft(3)
	w.heal(1, 3)
	if n := got(w.EndNeedless(t.Context()))(t); n != 0 || w.planNow(p).State != reconciler.Waiting {
		t.Errorf("%d ended though one of two findings is open", n)
	}
	w.heal(2)
	if n := got(w.EndNeedless(t.Context()))(t); n != 1 || w.planNow(p).State != reconciler.Stale || w.planNow(p).Reason == "" {
		t.Errorf("%d ended, it is %s", n, w.planNow(p).State)
	}
	if s := w.planNow(somebodys).State; s != reconciler.Draft {
		t.Errorf("what a person drafted is %s", s)
	}
}
