package ledger_test

import (
	"strings"
	"testing"
	"time"

	"plumbline/alerts"
	"plumbline/reconciler"
	"plumbline/sources"
)

// drafts keeps a plan that updates the records of these keys.
func (w *world) drafts(replica string, state reconciler.PlanState, auto bool, keys ...int) *reconciler.Plan {
	w.Helper()
	p := &reconciler.Plan{Check: "orders", Replica: replica, By: reconciler.Write, State: state, CheckHash: "c", Auto: auto, Needs: 1,
		DraftedBy: reconciler.Person{Account: "A-1", Name: "ann"}, DraftedAt: w.clock.now()}
	if auto {
		p.DraftedBy = reconciler.Person{Name: "plumbline"}
	}
	var items []reconciler.Item
	var hashes []string
	for _, n := range keys {
		f := w.finding(replica, n)
		i := reconciler.Item{Finding: f.ID, Key: sources.Key{sources.Int(int64(n))}, Kind: sources.Update,
			Before: &sources.Image{Exists: true, Native: []byte("pending")}, After: &sources.Image{Exists: true, Native: []byte("paid")}}
		i.Hash = reconciler.ItemHash(p.Check, p.Replica, p.CheckHash, p.Undoes, &i)
		items, hashes = append(items, i), append(hashes, i.Hash)
	}
	p.Hash = reconciler.PlanHash(hashes)
	must(w, w.KeepPlan(w.Context(), p, items))
	return p
}

// applies begins a plan that is approved, and settles each of its items.
func (w *world) applies(p *reconciler.Plan, outcomes ...reconciler.ItemState) {
	w.Helper()
	_, begun, err := w.BeginPlan(w.Context(), p.ID, p.Hash, p.CheckHash, p.DraftedBy, noJobs)
	must(w, err)
	if !begun {
		w.Fatalf("%s was not begun", p.ID)
	}
	_, _, err = w.ClaimPlan(w.Context(), p.ID, "worker")
	must(w, err)
	for _, outcome := range outcomes {
		i := got(w.FixJournal().ClaimItem(w.Context(), p.ID, "worker", time.Minute))(w)
		if outcome == reconciler.ItemApplied {
			must(w, w.FixJournal().Intend(w.Context(), i, w.clock.now().Add(15*time.Second)))
		}
		must(w, w.FixJournal().Settle(w.Context(), i, outcome))
	}
}

func (w *world) approves(p *reconciler.Plan) {
	w.Helper()
	got(w.ApprovePlan(w.Context(), p.ID, p.Hash, reconciler.Person{Account: "A-2", Name: "bob"}))(w)
}

func TestAnIncidentTellsOfThePlanThatFixesIt(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, engine string) {
		w := alertWorld(t, engine, nil)
		w.drifts("search", 1, 2, 3)
		w.drifts("cache", 4)
		if told := w.told(); told != "post opened" {
			t.Fatalf("first it told %q", told)
		}
		p := w.drafts("search", reconciler.Draft, false, 1, 2, 3)
		i := w.incident(alerts.Drift)
		if live := i.Facts.Live(); live == nil || live.ID != p.ID || live.What() != "3 updates" || live.By != "ann" {
			t.Fatalf("with a draft it knows of %+v", i.Facts.Plans)
		}
		got(w.AskApproval(t.Context(), p.ID, p.Hash))(t)
		w.approves(p)
		if live := w.incident(alerts.Drift).Facts.Live(); live.State != reconciler.Approved || strings.Join(live.ApprovedBy, " ") != "bob" {
			t.Errorf("once approved it knows of %+v", live)
		}
		w.applies(p, reconciler.ItemApplied, reconciler.ItemApplied, reconciler.ItemStale)
		w.clock.pass(time.Minute)
		w.heals("search", 1, 2, 3)
		w.clock.pass(time.Second)
		got(w.EndPlan(t.Context(), p.ID))(t)
		w.heals("cache", 4)
		i = w.incident(alerts.Drift)
		if !strings.HasSuffix(i.Resolution, "(3 fixed by plan "+p.ID+", 1 healed)") || i.Facts.Live() != nil {
			t.Errorf("it ends %q with %+v", i.Resolution, i.Facts.Plans)
		}
		if events := w.events(i.ID); events != "opened plan waiting for approval plan approved plan partly applied resolved" {
			t.Errorf("its life was %q", events)
		}
		for _, m := range got(w.Milestones(t.Context(), i.ID))(t) {
			if m.Event == alerts.PlanBecame(reconciler.PartlyApplied) && m.Note != p.ID+", 2 of 3 updates done, 1 stale" {
				t.Errorf("of what was applied it says %q", m.Note)
			}
		}
	})
}

func TestAProposalIsToldOnceAnIncident(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", nil)
	w.drifts("search", 1)
	for range 4 {
		w.drafts("search", reconciler.Waiting, true, 1)
		w.clock.pass(reconciler.DraftFor + time.Minute)
		got(w.ExpirePlans(t.Context(), w.clock.now()))(t)
		if live := w.incident(alerts.Drift).Facts.Live(); live != nil {
			t.Errorf("%s is told of though it expired", live.ID)
		}
	}
	if events := w.events("I-1"); events != "opened plan waiting for approval" {
		t.Errorf("an hour of proposals told %q", events)
	}
	w.heals("search", 1)
	w.clock.pass(time.Minute)
	w.drifts("search", 1)
	w.drafts("search", reconciler.Waiting, true, 1)
	if events := w.events("I-1"); events != "opened plan waiting for approval resolved regressed plan waiting for approval" {
		t.Errorf("once it was back it told %q", events)
	}
}

func TestWhatKeepsFixesFromBeingMadeIsTold(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, engine string) {
		w := alertWorld(t, engine, nil)
		w.drifts("search", 1)
		must(t, w.FreezeFixes(t.Context(), reconciler.Freeze{By: "ann", Reason: "month end"}))
		w.sweep()
		if f := w.incident(alerts.Drift).Facts.Frozen; f != nil {
			t.Errorf("with nothing to be fixed it says %+v", f)
		}
		w.drafts("search", reconciler.Waiting, false, 1)
		if f := w.incident(alerts.Drift).Facts.Frozen; f == nil || f.By != "ann" || f.Reason != "month end" {
			t.Errorf("with a plan it says %+v", f)
		}
		must(t, w.UnfreezeFixes(t.Context(), ""))
		w.sweep()
		must(t, w.PauseFixes(t.Context(), reconciler.Pause{Check: "orders", Reason: "not seen in effect"}))
		must(t, w.FreezeFixes(t.Context(), reconciler.Freeze{Check: "orders", By: "bob"}))
		must(t, w.ResumeFixes(t.Context(), "orders"))
		w.sweep()
		want := "opened plan waiting for approval fixes frozen fixes unfrozen fixes paused fixes frozen fixes resumed"
		if events := w.events("I-1"); events != want {
			t.Errorf("it told %q, want %q", events, want)
		}
		before := w.count(`SELECT value FROM counters WHERE name = 'incidents of orders'`)
		w.sweep()
		if now := w.count(`SELECT value FROM counters WHERE name = 'incidents of orders'`); now != before {
			t.Errorf("a sweep wrote %d times", now-before)
		}
	})
}

// The last step of a plan comes after what it healed.
func TestWhatComesAfterAnIncidentWasResolvedIsToldInIt(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", nil)
	w.drifts("search", 1)
	if told := w.told(); told != "post opened" {
		t.Fatalf("first it told %q", told)
	}
	p := w.drafts("search", reconciler.Draft, false, 1)
	w.approves(p)
	w.applies(p, reconciler.ItemApplied)
	w.heals("search", 1)
	w.clock.pass(time.Minute)
	told := w.told()
	got(w.EndPlan(t.Context(), p.ID))(t)
	w.clock.pass(time.Minute)
	if told += ", " + w.told(); told != "edit, reply plan approved resolved, edit, reply plan applied" {
		t.Errorf("it told %q", told)
	}
	i := w.incident(alerts.Drift)
	if i.State != alerts.Resolved || i.Facts.Plans[0].State != reconciler.Applied {
		t.Fatalf("it is %+v", i)
	}
	old := i.Revision
	w.sweep()
	if i = w.incident(alerts.Drift); i.Revision != old {
		t.Errorf("a sweep changed it: %+v", i)
	}
}
