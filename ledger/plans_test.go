package ledger_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"plumbline/access"
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
				{"what plumbline drafted ends with its findings", needlessPlans},
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
	stale := item(1)
	stale.State, stale.Note, stale.Now = reconciler.ItemStale, "it was changed since", []reconciler.Field{{Name: "status"}}
	items = []reconciler.Item{item(2), stale}
	p = plan(items)
	must(t, w.KeepPlan(t.Context(), p, items))
	if i := w.items(p)[1]; i.State != reconciler.ItemStale || i.Note != stale.Note || len(i.Now) != 1 || !i.EndedAt.Equal(p.DraftedAt) || w.planNow(p).Counts[reconciler.ItemStale] != 1 {
		t.Errorf("what was stale from the beginning is %+v", i)
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
			with(with(with(with(same(reconciler.Expired), reconciler.Draft, reconciler.Expired), reconciler.Waiting, reconciler.Expired), reconciler.Approved, reconciler.Expired),
				reconciler.Applying, reconciler.Failed)},
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
	for _, by := range []reconciler.Person{ann(), {Account: "a1", Name: "renamed"}, {Name: "Ann"}, {Name: access.CommandName("ann")}, {Name: access.TokenName("", access.CommandName("ann"))}} {
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
	w.open(1, 2, 3)
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
	items = []reconciler.Item{item(3)}
	p = plan(items)
	p.Auto, p.Needs, p.DraftedBy = true, 1, reconciler.Person{Name: drift.Plumbline}
	must(t, w.KeepPlan(t.Context(), p, items))
	namesake := reconciler.Person{Name: access.CommandName(drift.Plumbline)} // as the user may be called by whom it runs
	if p = got(w.ApprovePlan(t.Context(), p.ID, p.Hash, namesake))(t); p.State != reconciler.Approved {
		t.Errorf("what Plumbline drafted is %s after a person approved it", p.State)
	}
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
