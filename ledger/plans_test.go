package ledger_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
	"plumbline/sources"
)

// TestFixes is what a ledger promises of plans of fixes, on every engine.
func TestFixes(t *testing.T) {
	t.Parallel()
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			for _, promise := range []promise{
				{"plans are kept as they were drafted", plansAreKept},
				{"acts are possible in their states alone", actsInTheirStates},
				{"who drafts does not approve", whoDraftsDoesNotApprove},
				{"the configuration approves what plumbline drafted", theConfigurationApproves},
				{"plans that need no approval are approved by who applies them", noApprovalNeeded},
				{"plans expire", plansExpire},
				{"a changed check outdates its plans", aChangedCheckOutdates},
				{"findings are fixing while they are fixed", findingsAreFixing},
				{"a plan that stopped goes on", aPlanThatStoppedGoesOn},
				{"items are claimed by terms", itemsAreClaimedByTerms},
				{"freezes hold between records", freezesHold},
				{"pauses hold until they are lifted", pausesHold},
				{"what is seen resolved is verified", whatIsSeenIsVerified},
				{"what is never seen is given up", whatIsNeverSeenIsGivenUp},
				{"plans are taken back", plansAreTakenBack},
				{"what was taken back is left alone", whatWasTakenBackIsLeftAlone},
				{"plumbline drafts one plan for a finding", oneAutomaticPlan},
				{"images are pruned before plans", imagesArePruned},
				{"the log tells what fixes did", theLogTellsOfFixes},
				{"plans are listed", plansAreListed},
			} {
				t.Run(promise.name, func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, engine)
					promise.holds(t, w)
					w.recount()
					w.countsHold()
				})
			}
		})
	}
}

func plansAreKept(t *testing.T, w *world) {
	w.open(1, 2)
	items := []reconciler.Item{item(1), {Finding: id("search", 2), Key: key(2), KeyText: "id\x002", Kind: sources.Delete, Before: image(2, "lost"),
		After: &sources.Image{}}}
	p := plan(items)
	must(t, w.KeepPlan(t.Context(), p, items))
	if p.ID != "P-1" || p.Number != 1 || items[1].Plan != "P-1" || items[1].N != 2 || p.ExpiresAt.Sub(p.DraftedAt) != reconciler.DraftFor {
		t.Errorf("kept %+v", p)
	}
	if diff := cmp.Diff(p, w.planNow(p)); diff != "" {
		t.Errorf("read back: %s", diff)
	}
	want := items
	want[1].KeyText = "id\uFFFD2"
	for n := range want {
		want[n].State = reconciler.Pending
	}
	read := got(w.PlanItems(t.Context(), p.ID, ledger.ItemFilter{Content: true}))(t)
	if diff := cmp.Diff(want, read, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b sources.Value) bool {
		return a.Equal(b) && a.Precision() == b.Precision()
	})); diff != "" {
		t.Errorf("items read back: %s", diff)
	}
	shown := got(w.PlanItems(t.Context(), p.ID, ledger.ItemFilter{After: 1, Limit: 5}))(t)
	if len(shown) != 1 || shown[0].Key != nil || shown[0].Before != nil || shown[0].Kind != sources.Delete {
		t.Errorf("without content: %+v", shown)
	}
	var kept []byte
	must(t, w.DB().QueryRowContext(t.Context(), `SELECT content FROM plan_items WHERE n = 1`).Scan(&kept))
	if bytes.Contains(kept, []byte("pending")) {
		t.Error("what a record looked like lies in clear")
	}
	wrong := plan([]reconciler.Item{item(1)})
	if err := w.KeepPlan(t.Context(), wrong, []reconciler.Item{item(2)}); err == nil {
		t.Error("a plan was kept whose hash is not of its items")
	}
	if _, err := w.Plan(t.Context(), "P-9"); !errors.As(err, new(*ledger.NotFoundError)) {
		t.Errorf("got %v", err)
	}
}

// stage brings a new plan about some findings to a state.
func (w *world) stage(s reconciler.PlanState, a, b int) *reconciler.Plan {
	w.Helper()
	switch s {
	case reconciler.Draft:
		return w.draft(a, b)
	case reconciler.Waiting:
		p := w.draft(a, b)
		return got(w.AskApproval(w.Context(), p.ID, p.Hash))(w)
	case reconciler.Approved:
		return w.approved(a, b)
	case reconciler.Applying:
		return w.applying(a, b)
	case reconciler.Applied:
		return w.work(w.applying(a, b), reconciler.ItemApplied, reconciler.ItemApplied)
	case reconciler.PartlyApplied:
		return w.work(w.applying(a, b), reconciler.ItemApplied, reconciler.ItemFailed)
	case reconciler.Stale:
		return w.work(w.applying(a, b), reconciler.ItemStale, reconciler.ItemStale)
	case reconciler.Failed:
		return w.work(w.applying(a, b), reconciler.ItemFailed, reconciler.ItemStale)
	case reconciler.Expired:
		return got(w.WithdrawPlan(w.Context(), w.approved(a, b).ID, "no", eve()))(w)
	case reconciler.Undone:
		p := w.work(w.applying(a, b), reconciler.ItemApplied, reconciler.ItemApplied)
		u, err := w.undo(p)
		must(w, err)
		got(w.ApprovePlan(w.Context(), u.ID, u.Hash, ben()))(w)
		w.work(w.beginPlan(u), reconciler.ItemApplied, reconciler.ItemApplied)
		return w.planNow(p)
	}
	panic(s)
}

// actsInTheirStates does every act to a plan in every state: it leads to a state,
// or is refused with what to do next, and then nothing has changed.
func actsInTheirStates(t *testing.T, w *world) {
	type row map[reconciler.PlanState]reconciler.PlanState
	same := func(s ...reconciler.PlanState) row {
		r := row{}
		for _, one := range s {
			r[one] = one
		}
		return r
	}
	with := func(r row, from, to reconciler.PlanState) row { r[from] = to; return r }
	acts := []struct {
		name string
		do   func(p *reconciler.Plan) (*reconciler.Plan, error)
		to   row // refused where a state is not in it
	}{
		{"ask", func(p *reconciler.Plan) (*reconciler.Plan, error) { return w.AskApproval(t.Context(), p.ID, p.Hash) },
			with(same(reconciler.Waiting), reconciler.Draft, reconciler.Waiting)},
		{"approve", func(p *reconciler.Plan) (*reconciler.Plan, error) {
			return w.ApprovePlan(t.Context(), p.ID, p.Hash, eve())
		},
			row{reconciler.Draft: reconciler.Approved, reconciler.Waiting: reconciler.Approved}},
		{"withdraw", func(p *reconciler.Plan) (*reconciler.Plan, error) {
			return w.WithdrawPlan(t.Context(), p.ID, "", eve())
		},
			with(with(with(same(reconciler.Expired), reconciler.Draft, reconciler.Expired), reconciler.Waiting, reconciler.Expired), reconciler.Approved, reconciler.Expired)},
		{"begin", func(p *reconciler.Plan) (*reconciler.Plan, error) {
			p, _, err := w.BeginPlan(t.Context(), p.ID, p.Hash, checkHash, eve(), noJobs)
			return p, err
		}, with(same(reconciler.Applying, reconciler.Applied, reconciler.PartlyApplied, reconciler.Stale, reconciler.Failed), reconciler.Approved, reconciler.Applying)},
		{"claim", func(p *reconciler.Plan) (*reconciler.Plan, error) {
			p, _, err := w.ClaimPlan(t.Context(), p.ID, "another")
			return p, err
		}, same(reconciler.Applying)},
		{"undo", func(p *reconciler.Plan) (*reconciler.Plan, error) {
			items := []reconciler.Item{{Finding: w.items(p)[0].Finding, Before: image(1, "paid"), After: image(1, "pending"), Kind: sources.Update}}
			u := plan(items)
			u.Undoes = p.ID
			if err := w.KeepPlan(t.Context(), hashed(u, items), items); err != nil {
				return nil, err
			}
			return w.planNow(p), nil
		}, same(reconciler.Applied, reconciler.PartlyApplied)},
	}
	states, n := reconciler.PlanStates(), 0
	var keys []int
	for k := range 2 * len(acts) * len(states) {
		keys = append(keys, k+1)
	}
	w.open(keys...)
	for _, act := range acts {
		for _, from := range states {
			p := w.stage(from, 2*n+1, 2*n+2)
			n++
			if p.State != from {
				t.Fatalf("the plan is %s and not %s", p.State, from)
			}
			before := w.planNow(p)
			after, err := act.do(p)
			to, possible := act.to[from]
			switch {
			case !possible:
				refusedWith(t, act.name+" "+string(from), err)
				if diff := cmp.Diff(before, w.planNow(p)); diff != "" {
					t.Errorf("%s %s was refused, and changed: %s", act.name, from, diff)
				}
			case err != nil || after.State != to:
				t.Errorf("%s %s: %v, %v and not %s", act.name, from, after, err, to)
			}
			if act.name == "claim" || act.name == "withdraw" || act.name == "undo" {
				continue
			}
			var seen error
			switch p.Hash = strings.Repeat("0", 64); act.name {
			case "begin":
				_, _, seen = w.BeginPlan(t.Context(), p.ID, p.Hash, checkHash, eve(), noJobs)
			default:
				_, seen = act.do(p)
			}
			refusedWith(t, act.name+" with another hash", seen)
		}
	}
}

func whoDraftsDoesNotApprove(t *testing.T, w *world) {
	w.open(1)
	items := []reconciler.Item{item(1)}
	p := plan(items)
	p.Needs = 2
	must(t, w.KeepPlan(t.Context(), p, items))
	for _, by := range []reconciler.Person{ann(), {Account: "a1", Name: "renamed"}, {Name: "Ann"}} {
		_, err := w.ApprovePlan(t.Context(), p.ID, p.Hash, by)
		refusedWith(t, by.Name, err)
	}
	for range 2 {
		if p := got(w.ApprovePlan(t.Context(), p.ID, p.Hash, ben()))(t); p.State != reconciler.Draft || len(p.Approvals) != 1 {
			t.Errorf("one of two: %s %v", p.State, p.Approvals)
		}
	}
	if p := got(w.ApprovePlan(t.Context(), p.ID, p.Hash, reconciler.Person{Account: "b1", Name: "benjamin"}))(t); p.State != reconciler.Draft || len(p.Approvals) != 1 {
		t.Errorf("one twice: %s %v", p.State, p.Approvals)
	}
	_, _, err := w.BeginPlan(t.Context(), p.ID, p.Hash, checkHash, ann(), noJobs)
	refusedWith(t, "begun with one of two", err)
	w.clock.pass(time.Minute)
	p = got(w.ApprovePlan(t.Context(), p.ID, p.Hash, eve()))(t)
	if p.State != reconciler.Approved || len(p.Approvals) != 2 || !p.ApprovedAt.Equal(w.clock.now()) || p.ExpiresAt.Sub(p.ApprovedAt) != reconciler.ApprovedFor {
		t.Errorf("two of two: %+v", p)
	}
	w.beginPlan(p)
}

func theConfigurationApproves(t *testing.T, w *world) {
	w.open(1, 2)
	p := w.draft(1)
	_, err := w.ApprovePlan(t.Context(), p.ID, p.Hash, ledger.ByConfiguration())
	refusedWith(t, "what a person drafted", err)
	items := []reconciler.Item{item(2)}
	p = plan(items)
	p.Auto, p.Needs, p.DraftedBy = true, 3, reconciler.Person{Name: drift.Plumbline}
	must(t, w.KeepPlan(t.Context(), p, items))
	if p = got(w.ApprovePlan(t.Context(), p.ID, p.Hash, ledger.ByConfiguration()))(t); p.State != reconciler.Approved {
		t.Errorf("it is %s", p.State)
	}
	w.beginPlan(p)
}

func noApprovalNeeded(t *testing.T, w *world) {
	w.open(1)
	items := []reconciler.Item{item(1)}
	p := plan(items)
	p.Needs = 0
	must(t, w.KeepPlan(t.Context(), p, items))
	p = w.beginPlan(p)
	if len(p.Approvals) != 1 || p.Approvals[0].By != ann() || p.BegunBy != ann() {
		t.Errorf("begun as %+v", p)
	}
	got2(w.ClaimPlan(t.Context(), p.ID, "worker"))(t)
}

func plansExpire(t *testing.T, w *world) {
	w.open(1, 2, 3, 4)
	draft, approved, late, begun := w.draft(1), w.approved(2), w.draft(3), w.applying(4)
	w.clock.pass(reconciler.DraftFor - time.Millisecond)
	if n := got(w.ExpirePlans(t.Context(), w.clock.now()))(t); n != 0 {
		t.Errorf("%d expired early", n)
	}
	w.clock.pass(time.Millisecond)
	_, err := w.ApprovePlan(t.Context(), late.ID, late.Hash, ben())
	refusedWith(t, "approved late", err)
	if s := w.planNow(late).State; s != reconciler.Expired {
		t.Errorf("what was approved late is %s", s)
	}
	if n := got(w.ExpirePlans(t.Context(), w.clock.now()))(t); n != 1 || w.planNow(draft).State != reconciler.Expired {
		t.Errorf("%d expired, the draft is %s", n, w.planNow(draft).State)
	}
	w.clock.pass(reconciler.ApprovedFor - reconciler.DraftFor)
	_, err = w.DB().ExecContext(t.Context(), `UPDATE plans SET expires_at = expires_at + 1000000, approved_at = approved_at + 1000000 WHERE id = $1`, approved.ID)
	must(t, err)
	_, _, err = w.BeginPlan(t.Context(), approved.ID, approved.Hash, checkHash, ann(), noJobs)
	refusedWith(t, "begun late, with its times changed by hand", err)
	if p := w.planNow(approved); p.State != reconciler.Expired || p.Reason == "" || p.EndedAt.IsZero() {
		t.Errorf("what was begun late is %+v", p)
	}
	if w.planNow(begun).State != reconciler.Applying {
		t.Error("what is being applied expired")
	}
	// An approval does not outlive its plan.
	_, err = w.DB().ExecContext(t.Context(), `UPDATE plans SET state = 'approved', ended_at = 0 WHERE id = $1`, approved.ID)
	must(t, err)
	w.clock.pass(-time.Hour)
	_, _, err = w.BeginPlan(t.Context(), approved.ID, approved.Hash, checkHash, ann(), noJobs)
	refusedWith(t, "brought back by hand", err)
}

func aChangedCheckOutdates(t *testing.T, w *world) {
	w.open(1)
	p := w.approved(1)
	_, _, err := w.BeginPlan(t.Context(), p.ID, p.Hash, "another check", ann(), noJobs)
	refusedWith(t, "begun by another check", err)
	if now := w.planNow(p); now.State != reconciler.Stale || !strings.Contains(now.Reason, "changed") || w.finding("search", 1).State != drift.Confirmed {
		t.Errorf("it is %+v", now)
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
	must(t, w.FreezeFixes(t.Context(), reconciler.Freeze{Check: "orders"}))
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

func plansAreListed(t *testing.T, w *world) {
	var keys []int
	for n := range 12 {
		keys = append(keys, n+1)
	}
	w.open(keys...)
	for n := range 12 {
		if p := w.draft(n + 1); n%3 == 0 {
			got(w.WithdrawPlan(t.Context(), p.ID, "", eve()))(t)
		}
	}
	seen := ""
	for f := (ledger.PlanFilter{Limit: 5}); ; {
		list, next, err := w.Plans(t.Context(), f)
		must(t, err)
		for _, p := range list {
			seen += " " + p.ID
		}
		if f.After = next; next == "" {
			break
		}
	}
	if seen != " P-12 P-11 P-10 P-9 P-8 P-7 P-6 P-5 P-4 P-3 P-2 P-1" {
		t.Errorf("listed%s", seen)
	}
	for want, f := range map[int]ledger.PlanFilter{8: {State: "live"}, 4: {State: "expired"}, 1: {Finding: id("search", 5)}, 12: {Check: "orders", Replica: "search"}, 0: {Replica: "cache"}} {
		if list, _, err := w.Plans(t.Context(), f); err != nil || len(list) != want {
			t.Errorf("%+v chooses %d, %v", f, len(list), err)
		}
	}
	if list := got(w.FindingPlans(t.Context(), id("search", 5), 0))(t); len(list) != 1 || list[0].ID != "P-5" {
		t.Errorf("of a finding: %+v", list)
	}
	if _, _, err := w.Plans(t.Context(), ledger.PlanFilter{After: "nonsense"}); !errors.As(err, new(*ledger.CursorError)) {
		t.Errorf("got %v", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	told := false
	for _, c := range w.changes {
		told = told || c == ledger.Change{Topic: "fix", Check: "orders", Replica: "search", ID: "P-12"}
	}
	if !told {
		t.Error("nobody heard of a plan")
	}
}
