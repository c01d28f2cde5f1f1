package ledger_test

import (
	"errors"
	"testing"
	"time"

	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
)

func itemsAreClaimedByTerms(t *testing.T, w *world) {
	w.open(1, 2, 3)
	p := w.applying(1, 2, 3)
	j := w.FixJournal()
	if _, err := j.ClaimItem(t.Context(), p.ID, "worker", time.Minute); !errors.Is(err, reconciler.ErrLost) {
		t.Errorf("claimed by who did not claim the plan: %v", err)
	}
	_, hashes := got2(w.ClaimPlan(t.Context(), p.ID, "worker"))(t)
	if len(hashes) != 3 || reconciler.PlanHash(hashes) != p.Hash {
		t.Errorf("the hashes are %v", hashes)
	}
	first, second := w.claimItem(p, "worker"), w.claimItem(p, "worker")
	if first.N != 1 || second.N != 2 || first.Term != 1 || first.Before == nil || first.Hash != hashes[0] {
		t.Errorf("claimed %+v and %+v", first, second)
	}
	until := w.clock.now().Add(15 * time.Second)
	must(t, j.Intend(t.Context(), first, until))
	if first.State != reconciler.Doubtful || w.planNow(p).Counts[reconciler.Doubtful] != 1 {
		t.Errorf("after the intent it is %s", first.State)
	}
	if ended := got(w.EndPlan(t.Context(), p.ID))(t); ended.State != reconciler.Applying {
		t.Errorf("ended while an item is doubtful: %s", ended.State)
	}
	// Another takes over: what is doubtful comes first, once nobody holds it.
	got2(w.ClaimPlan(t.Context(), p.ID, "another"))(t)
	if _, err := j.ClaimItem(t.Context(), p.ID, "worker", time.Minute); !errors.Is(err, reconciler.ErrLost) {
		t.Errorf("claimed by who lost the plan: %v", err)
	}
	if third := w.claimItem(p, "another"); third.N != 3 {
		t.Errorf("claimed %d though nobody let go of the first", third.N)
	}
	w.clock.pass(time.Minute)
	if err := j.Intend(t.Context(), second, until); !errors.Is(err, reconciler.ErrLost) {
		t.Errorf("intended by who held it for too long: %v", err)
	}
	again := w.claimItem(p, "another")
	if again.N != 1 || again.Term != 2 || again.State != reconciler.Doubtful || !again.Until.Equal(until) {
		t.Errorf("claimed again as %+v", again)
	}
	// Who froze and thawed writes nothing any more.
	for _, err := range []error{j.Intend(t.Context(), first, until.Add(time.Hour)), j.Settle(t.Context(), first, reconciler.ItemApplied), j.Release(t.Context(), first)} {
		if !errors.Is(err, reconciler.ErrLost) {
			t.Errorf("who lost the item was told %v", err)
		}
	}
	must(t, j.Settle(t.Context(), again, reconciler.Pending))
	if s := w.itemStates(p); s != " pending pending pending" {
		t.Errorf("the items are%s", s)
	}
	again = w.claimItem(p, "another")
	again.Note, again.Now = "somebody else was there", []reconciler.Field{{Name: "status"}}
	must(t, j.Settle(t.Context(), again, reconciler.ItemStale))
	if err := j.Settle(t.Context(), again, reconciler.ItemApplied); !errors.Is(err, reconciler.ErrLost) {
		t.Errorf("settled twice: %v", err)
	}
	if i := w.items(p)[0]; i.Note != again.Note || len(i.Now) != 1 || !i.EndedAt.Equal(w.clock.now()) {
		t.Errorf("settled as %+v", i)
	}
	item := w.claimItem(p, "another")
	must(t, j.Release(t.Context(), item))
	if twice := w.claimItem(p, "another"); twice.N != item.N || twice.Term != item.Term+1 {
		t.Errorf("after it was released, claimed %d of term %d", twice.N, twice.Term)
	}
	w.claimItem(p, "another")
	none, err := j.ClaimItem(t.Context(), p.ID, "another", time.Minute)
	if held, ok := errors.AsType[*reconciler.HeldError](err); none != nil || !ok || !held.Until.Equal(w.clock.now().Add(time.Minute)) {
		t.Errorf("claimed %+v, %v though all is held", none, err)
	}
	if ended := got(w.EndPlan(t.Context(), p.ID))(t); ended.State != reconciler.Applying {
		t.Errorf("ended while items are held: %s", ended.State)
	}
}

func freezesHold(t *testing.T, w *world) {
	w.open(1, 2, 3)
	p := w.applying(1, 2)
	j := w.FixJournal()
	got2(w.ClaimPlan(t.Context(), p.ID, "worker"))(t)
	first := w.claimItem(p, "worker")
	must(t, j.Intend(t.Context(), first, w.clock.now()))
	for _, check := range []string{"orders", ""} {
		must(t, w.FreezeFixes(t.Context(), reconciler.Freeze{Check: check, By: "eve", Reason: "look"}))
		if f := got(w.Freezes(t.Context()))(t); len(f) != 1 || f[0].Check != check || f[0].By != "eve" || !f[0].At.Equal(w.clock.now()) {
			t.Errorf("frozen: %+v", f)
		}
		if _, err := j.ClaimItem(t.Context(), p.ID, "worker", time.Minute); !errors.Is(err, reconciler.ErrFrozen) {
			t.Errorf("claimed while %q is frozen: %v", check, err)
		}
		if err := j.Intend(t.Context(), first, w.clock.now()); !errors.Is(err, reconciler.ErrFrozen) {
			t.Errorf("intended while %q is frozen: %v", check, err)
		}
		must(t, j.Release(t.Context(), first))
		if first = w.claimItem(p, "worker"); first.N != 1 {
			t.Errorf("what is doubtful is not looked at while %q is frozen", check)
		}
		other := w.approved(3)
		_, _, err := w.BeginPlan(t.Context(), other.ID, other.Hash, checkHash, ann(), noJobs)
		refusedWith(t, "begun while frozen", err)
		must(t, w.UnfreezeFixes(t.Context(), check))
		must(t, w.UnfreezeFixes(t.Context(), check))
	}
	must(t, j.Settle(t.Context(), first, reconciler.ItemApplied))
	if i := w.claimItem(p, "worker"); i.N != 2 {
		t.Errorf("after it is unfrozen, claimed %d", i.N)
	}
	must(t, w.FreezeFixes(t.Context(), reconciler.Freeze{Check: "orders", By: "eve", Reason: "the month is closed"}))
	must(t, w.FreezeFixes(t.Context(), reconciler.Freeze{Check: "orders", By: "bob"}))
	if f := got(w.Freezes(t.Context()))(t); len(f) != 1 || f[0].By != "eve" || f[0].Reason != "the month is closed" {
		t.Errorf("frozen twice, it is %+v", f)
	}
	for _, err := range []error{w.FreezeFixes(t.Context(), reconciler.Freeze{Check: "none"}), w.UnfreezeFixes(t.Context(), "none"), w.ResumeFixes(t.Context(), "none")} {
		if !errors.As(err, new(*ledger.NotFoundError)) {
			t.Errorf("of a check that is none: %v", err)
		}
	}
}

func pausesHold(t *testing.T, w *world) {
	must(t, w.PauseFixes(t.Context(), reconciler.Pause{Check: "orders", Reason: "not seen in effect"}))
	must(t, w.PauseFixes(t.Context(), reconciler.Pause{Check: "orders", Reason: "another"}))
	if p := got(w.Pauses(t.Context()))(t); len(p) != 1 || p[0].Reason != "not seen in effect" || !p[0].At.Equal(w.clock.now()) {
		t.Errorf("paused: %+v", p)
	}
	must(t, w.ResumeFixes(t.Context(), "orders"))
	must(t, w.ResumeFixes(t.Context(), "orders"))
	if p := got(w.Pauses(t.Context()))(t); len(p) != 0 {
		t.Errorf("still paused: %+v", p)
	}
}

func whatIsSeenIsVerified(t *testing.T, w *world) {
	w.open(1, 2, 3, 4)
	p := w.applying(1, 2, 3, 4)
	got2(w.ClaimPlan(t.Context(), p.ID, "worker"))(t)
	j, until := w.FixJournal(), w.clock.now()
	first, second, third := w.claimItem(p, "worker"), w.claimItem(p, "worker"), w.claimItem(p, "worker")
	for _, i := range []*reconciler.Item{first, second, third} {
		must(t, j.Intend(t.Context(), i, until))
	}
	must(t, j.Settle(t.Context(), first, reconciler.ItemApplied))
	must(t, j.Settle(t.Context(), second, reconciler.ItemSent))
	w.heal(1, 3) // the third before anybody knows that it was written
	if s := w.itemStates(p); s != " verified sent doubtful pending" {
		t.Errorf("the items are%s", s)
	}
	must(t, j.Settle(t.Context(), third, reconciler.ItemApplied))
	if third.State != reconciler.ItemVerified {
		t.Errorf("what was seen before it was settled is %s", third.State)
	}
	w.recheck("search", w.differs(w.suspect(2), "paid", "pending"))
	if f := w.finding("search", 2); f.State != drift.Fixing {
		t.Errorf("what is still seen to differ is %s", f.State)
	}
	fourth := w.claimItem(p, "worker")
	must(t, j.Settle(t.Context(), fourth, reconciler.ItemFailed))
	p = got(w.EndPlan(t.Context(), p.ID))(t)
	w.heal(2, 4)
	p = w.planNow(p)
	if s := w.itemStates(p); s != " verified verified verified failed" || p.State != reconciler.PartlyApplied {
		t.Errorf("it is %s with%s", p.State, s)
	}
	if n := len(got(w.Unseen(t.Context(), w.clock.now().Add(time.Hour), 0))(t)); n != 0 {
		t.Errorf("%d items are unseen", n)
	}
}

func whatIsNeverSeenIsGivenUp(t *testing.T, w *world) {
	w.open(1, 2)
	p := w.work(w.applying(1, 2), reconciler.ItemApplied, reconciler.ItemSent)
	if p.State != reconciler.Applied {
		t.Errorf("it is %s", p.State)
	}
	at := w.clock.now()
	w.clock.pass(10 * time.Minute)
	if n := len(got(w.Unseen(t.Context(), at, 0))(t)); n != 0 {
		t.Errorf("%d items are unseen early", n)
	}
	unseen := got(w.Unseen(t.Context(), w.clock.now(), 1))(t)
	if len(unseen) != 1 || unseen[0].Plan != p.ID || unseen[0].N != 1 {
		t.Fatalf("unseen are %+v", unseen)
	}
	for range 2 {
		must(t, w.GiveUpSeeing(t.Context(), p.ID, 1, "not seen in effect"))
	}
	if f, i := w.finding("search", 1), w.items(p)[0]; f.State != drift.Confirmed || i.State != reconciler.ItemApplied || i.Note != "not seen in effect" {
		t.Errorf("the finding is %s, the item %+v", f.State, i)
	}
	w.heal(2)
	must(t, w.GiveUpSeeing(t.Context(), p.ID, 2, "not seen in effect"))
	if i := w.items(p)[1]; i.State != reconciler.ItemVerified || i.Note != "" {
		t.Errorf("what was seen was given up: %+v", i)
	}
	if n := len(got(w.Unseen(t.Context(), w.clock.now(), 0))(t)); n != 0 {
		t.Errorf("%d items are still unseen", n)
	}
	again := w.applying(1)
	w.work(again, reconciler.ItemApplied)
	if unseen := got(w.Unseen(t.Context(), w.clock.now().Add(time.Hour), 0))(t); len(unseen) != 1 || unseen[0].Plan != again.ID {
		t.Errorf("after it was fixed again, unseen are %+v", unseen)
	}
}

func findingsAreFixing(t *testing.T, w *world) {
	w.open(1, 2, 3, 4)
	first := w.applying(1, 2)
	other := w.approved(2, 3, 4)
	w.heal(4)
	w.beginPlan(other)
	if s := w.itemStates(other); s != " stale pending stale" {
		t.Errorf("the items of the second plan are%s", s)
	}
	for n, want := range map[int]drift.State{1: drift.Fixing, 2: drift.Fixing, 3: drift.Fixing, 4: drift.Resolved} {
		if s := w.finding("search", n).State; s != want {
			t.Errorf("finding %d is %s and not %s", n, s, want)
		}
	}
	if p := w.work(other, reconciler.ItemFailed); p.State != reconciler.Failed || w.finding("search", 3).State != drift.Confirmed || w.finding("search", 2).State != drift.Fixing {
		t.Errorf("the second plan is %s, its finding %s, that of the first %s", p.State, w.finding("search", 3).State, w.finding("search", 2).State)
	}
	broken := errors.New("no job")
	p := w.approved(3)
	if _, _, err := w.BeginPlan(t.Context(), p.ID, p.Hash, checkHash, ann(), func(*ledger.Tx) error { return broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
	if w.planNow(p).State != reconciler.Approved || w.finding("search", 3).State != drift.Confirmed {
		t.Error("a plan was begun without its job")
	}
	if p := w.work(first, reconciler.ItemApplied, reconciler.ItemStale); p.State != reconciler.PartlyApplied || w.finding("search", 1).State != drift.Fixing ||
		w.finding("search", 2).State != drift.Confirmed {
		t.Errorf("the first plan is %s", p.State)
	}
}

func aPlanThatStoppedGoesOn(t *testing.T, w *world) {
	w.open(1, 2, 3)
	p := w.applying(1, 2, 3)
	if p = w.work(p, reconciler.ItemFailed); p.State != reconciler.Failed || p.Reason == "" || w.finding("search", 3).State != drift.Confirmed {
		t.Errorf("it stopped as %+v", p)
	}
	p = w.beginPlan(p)
	if p.State != reconciler.Applying || p.Reason != "" || !p.EndedAt.IsZero() || w.finding("search", 1).State != drift.Confirmed || w.finding("search", 3).State != drift.Fixing {
		t.Errorf("it goes on as %+v", p)
	}
	if p = w.work(p, reconciler.ItemApplied, reconciler.ItemApplied); p.State != reconciler.PartlyApplied || w.itemStates(p) != " failed applied applied" {
		t.Errorf("it ended as %s with%s", p.State, w.itemStates(p))
	}
	w.open(4, 5)
	p = w.work(w.applying(4, 5), reconciler.ItemFailed)
	w.clock.pass(reconciler.ApprovedFor)
	_, _, err := w.BeginPlan(t.Context(), p.ID, p.Hash, checkHash, ann(), noJobs)
	refusedWith(t, "gone on with after its approval was over", err)
}
