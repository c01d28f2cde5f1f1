package auditor_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"plumbline/access"
	"plumbline/auditor"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
)

// A person's plan: drafted, approved by another, applied, seen in effect, taken
// back, and not put right by itself after that.
func TestFixFromFindingToHealedAndBack(t *testing.T) {
	t.Parallel()
	w := newFixWorld(t, "sqlite", proposing(), 5)
	who := w.people(t, map[string]access.Role{"dana": access.Operator, "ann": access.Approver})
	a, d := w.start(t)
	runNow(t, a, w.ledger, "products")
	drifted := w.replica.prices(t)
	p := w.auto(t, 0, reconciler.Waiting)
	if p.Items() != 5 || p.DraftedBy.Name != drift.Plumbline || p.Needs != 1 {
		t.Fatalf("Plumbline drafted %+v", p)
	}
	if _, err := d.WithdrawFix(who["dana"], p.ID, "I do it"); err != nil {
		t.Fatal(err)
	}

	mine, err := d.DraftFix(again(who["dana"]), auditor.FixRequest{Check: "products"})
	must(t, err)
	if mine.State != reconciler.Draft || mine.Items() != 5 || !mine.StopOnError || mine.DraftedBy.Name != "dana" || mine.ID == "" {
		t.Fatalf("drafted %+v", mine)
	}
	items, err := d.RehearseFix(again(who["dana"]), mine.ID)
	must(t, err)
	for i := range items {
		if items[i].State != reconciler.Pending {
			t.Errorf("rehearsed: item %d would be %s: %s", items[i].N, items[i].State, items[i].Note)
		}
	}
	if _, err := d.AskApproval(again(who["dana"]), mine.ID, mine.Hash); err != nil {
		t.Fatal(err)
	}
	if _, err := d.ApplyFix(again(who["dana"]), mine.ID, mine.Hash); !isRefused(err) {
		t.Fatalf("applied before it was approved: %v", err)
	}
	if _, err := d.ApproveFix(again(who["ann"]), mine.ID, mine.Hash); err != nil {
		t.Fatal(err)
	}
	if w.opens != 0 {
		t.Errorf("the credentials that may write were opened %d times before anything was applied", w.opens)
	}
	if _, err := d.ApplyFix(again(who["dana"]), mine.ID, mine.Hash); err != nil {
		t.Fatal(err)
	}
	done := w.ended(t, mine.ID)
	if done.State != reconciler.Applied || done.Counts[reconciler.ItemVerified] != 5 {
		t.Fatalf("it came to %s with %v: %s", done.State, done.Counts, done.Reason)
	}
	if !maps.Equal(w.replica.prices(t), w.owner.prices(t)) || !maps.Equal(w.states(t), map[drift.State]int{drift.Resolved: 5}) {
		t.Fatalf("the replica holds %v, findings are %v", w.replica.prices(t), w.states(t))
	}

	undo, err := d.UndoFix(again(who["dana"]), mine.ID)
	must(t, err)
	_, err = d.ApproveFix(again(who["ann"]), undo.ID, undo.Hash)
	must(t, err)
	w.later(time.Minute) // the ledger's clock; the store's own has its own time
	until(t, "the plan is taken back", func() bool {
		_, err := d.ApplyFix(again(who["dana"]), undo.ID, undo.Hash)
		must(t, err)
		back, err := w.ledger.Plan(t.Context(), mine.ID)
		must(t, err)
		return back.State == reconciler.Undone
	})
	if !maps.Equal(w.replica.prices(t), drifted) {
		t.Errorf("taken back, the replica holds %v, and held %v", w.replica.prices(t), drifted)
	}
	runNow(t, a, w.ledger, "products")
	if states := w.states(t); states[drift.Regressed] != 5 {
		t.Errorf("findings are %v", states)
	}
	w.later(time.Hour)
	left, err := w.ledger.LeftAlone(t.Context(), slices.Collect(maps.Keys(openFindings(t, w.ledger, "products"))))
	if err != nil || len(left) != 5 {
		t.Errorf("left alone are %v, %v", left, err)
	}
	story := strings.Join(w.acted(t), "\n")
	for _, line := range []string{"plumbline: draft fix fix P-1", "dana: withdraw fix fix P-1", "dana: draft fix fix P-2", "dana: ask approval fix P-2", "ann: approve fix fix P-2",
		"dana: apply fix fix P-2", "plumbline: fix applied fix P-2", "dana: undo fix fix P-3"} {
		if !strings.Contains(story, line) {
			t.Errorf("the audit log does not say %q:\n%s", line, story)
		}
	}
}

func isRefused(err error) bool {
	var refused *reconciler.Refusal
	return errors.As(err, &refused) && auditor.Refused(err) && refused.Why != "" && refused.Next != ""
}

// Where the configuration applies, drift is put right without anybody, within
// the guards.
func TestModeApplyHealsByItself(t *testing.T) {
	t.Parallel()
	policy := proposing()
	policy.Mode = reconciler.ModeApply
	w := newFixWorld(t, "sqlite", policy, 5)
	heard := &heard{}
	o := w.options()
	o.Observer = heard
	a := start(t, o)
	runNow(t, a, w.ledger, "products")
	p := w.auto(t, 0, reconciler.Applied)
	until(t, "the replica is healed", func() bool { return w.states(t)[drift.Resolved] == 5 })
	if !maps.Equal(w.replica.prices(t), w.owner.prices(t)) {
		t.Errorf("the replica holds %v", w.replica.prices(t))
	}
	if len(p.Approvals) != 1 || p.Approvals[0].By != ledger.ByConfiguration() || p.BegunBy.Name != drift.Plumbline {
		t.Errorf("approved by %+v, begun by %+v", p.Approvals, p.BegunBy)
	}
	heard.Lock()
	defer heard.Unlock()
	if heard.items[reconciler.ItemApplied] != 5 {
		t.Errorf("heard of %v", heard.items)
	}
}

// Drift beyond the guards is left alone, and so is a check that is paused or frozen.
func TestModeApplyStaysWithinTheGuards(t *testing.T) {
	t.Parallel()
	policy := proposing()
	policy.Mode, policy.MaxShare = reconciler.ModeApply, 5
	w := newFixWorld(t, "sqlite", policy, 5)
	who := w.people(t, map[string]access.Role{"ann": access.Approver})
	log := &written{}
	o := w.options()
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	a := start(t, o)
	d := auditor.NewDesk(w.ledger, a, w.now)
	runNow(t, a, w.ledger, "products")
	_, _, err := d.TryFix(who["ann"], auditor.FixRequest{Check: "products"})
	if !isRefused(err) || !strings.Contains(err.Error(), "max_share") {
		t.Errorf("tried: %v", err)
	}
	until(t, "Plumbline says why it makes no plan", func() bool {
		return strings.Contains(log.text(), "no plan of fixes is made") && strings.Contains(log.text(), "guards=[share]")
	})
	if plans, _, err := w.ledger.Plans(t.Context(), ledger.PlanFilter{}); err != nil || len(plans) != 0 {
		t.Errorf("there are %d plans, %v", len(plans), err)
	}
	if w.opens != 0 {
		t.Error("the credentials that may write were opened")
	}
}

// A record that drifts again after each of three fixes within 24 hours pauses
// automatic fixes, until somebody resumes them.
func TestLoopPausesAutomaticFixes(t *testing.T) {
	t.Parallel()
	w := newFixWorld(t, "sqlite", proposing(), 1)
	w.policy.Approvals = 0
	who := w.people(t, map[string]access.Role{"olga": access.Operator, "ann": access.Approver})
	d := auditor.NewDesk(w.ledger, nil, w.now).Using(auditor.NewFixes(w.options()))
	o := w.options()
	o.Checks[0].Fixes = nil
	a := start(t, o)
	for range reconciler.FixedOften {
		runNow(t, a, w.ledger, "products")
		p, err := d.DraftFix(again(who["ann"]), auditor.FixRequest{Check: "products"})
		must(t, err)
		if p, err = d.ApplyFix(again(who["ann"]), p.ID, p.Hash); err != nil || p.Counts[reconciler.ItemVerified] != 1 {
			t.Fatalf("applied %+v, %v", p, err)
		}
		w.drift(t, 1)
	}
	w.policy.Mode = reconciler.ModeApply
	o = w.options()
	o.Hash = "two"
	a = start(t, o)
	runNow(t, a, w.ledger, "products")
	var pauses []reconciler.Pause
	until(t, "automatic fixes are paused", func() bool {
		var err error
		pauses, err = w.ledger.Pauses(t.Context())
		must(t, err)
		return len(pauses) == 1
	})
	if pauses[0].Check != "products" || !strings.Contains(pauses[0].Reason, "3 times within 24 hours") {
		t.Errorf("paused: %+v", pauses[0])
	}
	if open := openFindings(t, w.ledger, "products"); len(open) != 1 {
		t.Errorf("open are %v", open)
	}
	if p, err := d.DraftFix(again(who["olga"]), auditor.FixRequest{Check: "products"}); err != nil || p.Items() != 1 {
		t.Errorf("people may not fix what is paused: %v", err)
	}
	var denied *access.DeniedError
	if err := d.ResumeFixes(again(who["olga"]), "products"); !errors.As(err, &denied) {
		t.Errorf("an operator resumed: %v", err)
	}
	must(t, d.ResumeFixes(again(who["ann"]), "products"))
	if pauses, err := w.ledger.Pauses(t.Context()); err != nil || len(pauses) != 0 {
		t.Errorf("resumed, and paused are %v, %v", pauses, err)
	}
}

// A command without a running service drafts, has approved and applies by itself.
func TestFixesWithoutAService(t *testing.T) {
	t.Parallel()
	policy := proposing()
	policy.Approvals = 0
	w := newFixWorld(t, "sqlite", policy, 5)
	a := start(t, w.options())
	runNow(t, a, w.ledger, "products")
	must(t, a.Stop(t.Context()))
	local := func() context.Context {
		return access.With(t.Context(), &access.Attempt{Actor: access.Local(access.ByCommand, ""), Action: "test"})
	}
	d := auditor.NewDesk(w.ledger, nil, w.now).Using(auditor.NewFixes(w.options()))
	plans, _, err := w.ledger.Plans(t.Context(), ledger.PlanFilter{State: "live"})
	must(t, err)
	for _, p := range plans {
		_, err := d.WithdrawFix(local(), p.ID, "")
		must(t, err)
	}
	p, items, err := d.TryFix(local(), auditor.FixRequest{Check: "products", Key: "3"})
	if err != nil || p.ID != "" || len(items) != 1 {
		t.Fatalf("tried %+v with %d items, %v", p, len(items), err)
	}
	if p, err = d.DraftFix(local(), auditor.FixRequest{Check: "products", Key: "3"}); err != nil {
		t.Fatal(err)
	}
	if p, err = d.ApplyFix(local(), p.ID, p.Hash); err != nil || p.State != reconciler.Applied {
		t.Fatalf("applied: %+v, %v", p, err)
	}
	if prices := w.replica.prices(t); prices[3] != 300 || prices[2] != 201 {
		t.Errorf("the replica holds %v", prices)
	}
	for name, r := range map[string]auditor.FixRequest{
		"nothing said": {}, "no such check": {Check: "others"}, "no such replica": {Check: "products", Replica: "others"}, "no such finding": {Findings: []string{"F-none"}},
		"two ways at once": {Check: "products", Key: "1", Pattern: "x"}, "a key that is none": {Check: "products", Key: "x"},
		"a key that is well": {Check: "products", Key: "3"}, "no such pattern": {Check: "products", Pattern: "none"},
	} {
		if _, _, err := d.TryFix(local(), r); err == nil || !auditor.Refused(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := auditor.NewDesk(w.ledger, nil, w.now).DraftFix(local(), auditor.FixRequest{Check: "products"}); !auditor.Refused(err) {
		t.Errorf("drafted where nobody works: %v", err)
	}
}

// A plan that was changed by a new configuration before it was applied is refused,
// whoever applies it.
func TestPlanOfAnotherConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	w := newFixWorld(t, "sqlite", proposing(), 2)
	who := w.people(t, map[string]access.Role{"dana": access.Operator, "ann": access.Approver})
	a, d := w.start(t)
	runNow(t, a, w.ledger, "products")
	p, err := d.DraftFix(again(who["dana"]), auditor.FixRequest{Check: "products"})
	must(t, err)
	_, err = d.ApproveFix(again(who["ann"]), p.ID, p.Hash)
	must(t, err)
	w.policy.MaxRecords++
	o := w.options()
	must(t, a.Reload(t.Context(), o.Checks, "two", o.Readers))
	if _, err := d.ApplyFix(again(who["dana"]), p.ID, p.Hash); !isRefused(err) {
		t.Errorf("applied: %v", err)
	}
	if p, err = w.ledger.Plan(t.Context(), p.ID); err != nil || p.State != reconciler.Stale {
		t.Errorf("it is %s, %v", p.State, err)
	}
	w.policy = reconciler.Policy{Mode: reconciler.ModeOff}
	o = w.options()
	must(t, a.Reload(t.Context(), o.Checks, "three", o.Readers))
	if _, err := d.DraftFix(again(who["dana"]), auditor.FixRequest{Check: "products"}); !isRefused(err) || !strings.Contains(err.Error(), "fix.mode") {
		t.Errorf("drafted: %v", err)
	}
	if w.opens != 0 {
		t.Error("the credentials that may write were opened")
	}
}

// Frozen, nothing is written; unfrozen, the plan goes on by itself.
func TestFreezeStopsBetweenRecords(t *testing.T) {
	t.Parallel()
	w := newFixWorld(t, "sqlite", proposing(), 20)
	w.policy.Approvals = 0
	who := w.people(t, map[string]access.Role{"olga": access.Operator, "ann": access.Approver})
	a, d := w.start(t)
	runNow(t, a, w.ledger, "products")
	p, err := d.DraftFix(again(who["ann"]), auditor.FixRequest{Check: "products"})
	must(t, err)
	must(t, d.FreezeFixes(again(who["olga"]), "", "stop"))
	if _, err := d.ApplyFix(again(who["ann"]), p.ID, p.Hash); !isRefused(err) {
		t.Fatalf("applied while frozen: %v", err)
	}
	must(t, d.UnfreezeFixes(again(who["ann"]), ""))
	_, err = d.ApplyFix(again(who["ann"]), p.ID, p.Hash)
	must(t, err)
	must(t, d.FreezeFixes(again(who["olga"]), "products", "stop"))
	frozen := w.replica.prices(t)
	must(t, a.Stop(t.Context())) // it has let go of the plan, and the record it was at is done
	stopped := w.replica.prices(t)
	differ := 0
	for id := range frozen {
		if frozen[id] != stopped[id] {
			differ++
		}
	}
	if differ > 1 {
		t.Errorf("%d records were written after fixes were frozen", differ)
	}
	start(t, w.options())
	must(t, d.UnfreezeFixes(again(who["ann"]), "products"))
	if p = w.ended(t, p.ID); p.State != reconciler.Applied || !maps.Equal(w.replica.prices(t), w.owner.prices(t)) {
		t.Errorf("it came to %s with %v", p.State, p.Counts)
	}
}
