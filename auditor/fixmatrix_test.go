package auditor_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"plumbline/access"
	"plumbline/auditor"
	"plumbline/ledger"
	"plumbline/reconciler"
)

// planIn makes a plan that is in a state, drafted by dana.
func (w *fixWorld) planIn(t testing.TB, d *auditor.Desk, who map[string]context.Context, state reconciler.PlanState) *reconciler.Plan {
	t.Helper()
	p, err := d.DraftFix(again(who["dana"]), auditor.FixRequest{Check: "products"})
	must(t, err)
	step := func(next *reconciler.Plan, err error) {
		t.Helper()
		must(t, err)
		p = next
	}
	approve := func() { step(d.ApproveFix(again(who["ann"]), p.ID, p.Hash)) }
	apply := func() {
		_, err := d.ApplyFix(again(who["dana"]), p.ID, p.Hash)
		step(w.ended(t, p.ID), err)
	}
	switch state {
	case reconciler.Waiting:
		step(d.AskApproval(again(who["dana"]), p.ID, p.Hash))
	case reconciler.Approved:
		approve()
	case reconciler.Applied:
		approve()
		apply()
	case reconciler.Applying:
		approve()
		step(second3(w.ledger.BeginPlan(context.Background(), p.ID, p.Hash, p.CheckHash, p.DraftedBy, func(*ledger.Tx) error { return nil })))
	case reconciler.PartlyApplied, reconciler.Stale:
		approve()
		last := map[reconciler.PlanState]int{reconciler.PartlyApplied: 1, reconciler.Stale: 2}[state]
		w.replica.exec(t, `UPDATE products SET price = price + 7 WHERE id <= $1`, last)
		apply()
	case reconciler.Failed:
		approve()
		w.weak = true
		apply()
	case reconciler.Expired:
		step(d.WithdrawFix(again(who["dana"]), p.ID, ""))
	case reconciler.Undone:
		approve()
		apply()
		undo, err := d.UndoFix(again(who["dana"]), p.ID)
		must(t, err)
		_, err = d.ApproveFix(again(who["ann"]), undo.ID, undo.Hash)
		must(t, err)
		_, err = d.ApplyFix(again(who["dana"]), undo.ID, undo.Hash)
		must(t, err)
		w.ended(t, undo.ID)
		step(w.ledger.Plan(context.Background(), p.ID))
	}
	if p.State != state {
		t.Fatalf("the plan is %s and was to be %s", p.State, state)
	}
	return p
}

func second3[T any](v T, _ bool, err error) (T, error) { return v, err }

// Of everybody who comes to the desk, whichever state a plan is in: only who may
// approve does, never who drafted it, and only while it waits for that.
func TestApprovalByIdentityAndState(t *testing.T) {
	t.Parallel()
	for _, state := range reconciler.PlanStates() {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			w := newFixWorld(t, "sqlite", proposing(), 2)
			who := w.people(t, map[string]access.Role{"vic": access.Viewer, "olga": access.Operator, "ann": access.Approver, "root": access.Admin, "dana": access.Admin})
			o := w.options()
			d := auditor.NewDesk(w.ledger, nil, w.now).Using(auditor.NewFixes(o))
			o.Checks[0].Fixes = nil // so that nobody but people drafts
			runNow(t, start(t, o), w.ledger, "products")
			plan := w.planIn(t, d, who, state)
			scoped := access.ActorOf(who["root"])
			scoped.Scopes, scoped.Via = []access.Permission{access.View, access.Act}, access.ByAPI
			who["a token that may act"] = access.With(t.Context(), &access.Attempt{Actor: scoped})
			who["nobody"] = t.Context()
			who["dana by another name"] = access.With(t.Context(), &access.Attempt{Actor: access.Actor{Account: access.ActorOf(who["dana"]).Account, Name: "dora", Role: access.Admin}})
			who["somebody else named Dana"] = access.With(t.Context(), &access.Attempt{Actor: access.Actor{Name: "Dana", Role: access.Approver}})
			for _, name := range []string{"vic", "olga", "nobody", "a token that may act", "dana", "dana by another name", "somebody else named Dana", "ann", "root"} {
				before, err := w.ledger.Plan(t.Context(), plan.ID)
				must(t, err)
				_, err = d.ApproveFix(again(who[name]), plan.ID, plan.Hash)
				after, broken := w.ledger.Plan(t.Context(), plan.ID)
				must(t, broken)
				var denied *access.DeniedError
				may := name == "ann" || name == "root"
				waits := before.State == reconciler.Draft || before.State == reconciler.Waiting
				switch {
				case name == "vic" || name == "olga" || name == "nobody" || name == "a token that may act":
					if !errors.As(err, &denied) {
						t.Errorf("%s: %v", name, err)
					}
				case may && waits:
					if err != nil || after.State != reconciler.Approved {
						t.Errorf("%s: %v, and it is %s", name, err, after.State)
					}
				case name == "ann" && before.State.Live(): // it is her word already
				case !isRefused(err):
					t.Errorf("%s: %v", name, err)
				}
				if (err != nil || !waits) && (after.State != before.State || len(after.Approvals) != len(before.Approvals)) {
					t.Errorf("%s was refused, and the plan went from %s to %s", name, before.State, after.State)
				}
			}
			if _, err := d.ApproveFix(again(who["root"]), plan.ID, plan.Hash[1:]+"0"); !isRefused(err) {
				t.Errorf("approved by another hash: %v", err)
			}
		})
	}
}

// Each act on plans asks who may do it.
func TestDeskAsksWhoMayFix(t *testing.T) {
	t.Parallel()
	w := newFixWorld(t, "sqlite", proposing(), 1)
	d := auditor.NewDesk(w.ledger, nil, w.now).Using(auditor.NewFixes(w.options()))
	acts := map[string]struct {
		least access.Role
		do    func(context.Context) error
	}{
		"draft":    {access.Operator, func(ctx context.Context) error { return second(d.DraftFix(ctx, auditor.FixRequest{})) }},
		"try":      {access.Operator, func(ctx context.Context) error { _, _, err := d.TryFix(ctx, auditor.FixRequest{}); return err }},
		"rehearse": {access.Operator, func(ctx context.Context) error { return second(d.RehearseFix(ctx, "P-1")) }},
		"ask":      {access.Operator, func(ctx context.Context) error { return second(d.AskApproval(ctx, "P-1", "")) }},
		"approve":  {access.Approver, func(ctx context.Context) error { return second(d.ApproveFix(ctx, "P-1", "")) }},
		"withdraw": {access.Operator, func(ctx context.Context) error { return second(d.WithdrawFix(ctx, "P-1", "")) }},
		"apply":    {access.Operator, func(ctx context.Context) error { return second(d.ApplyFix(ctx, "P-1", "")) }},
		"undo":     {access.Operator, func(ctx context.Context) error { return second(d.UndoFix(ctx, "P-1")) }},
		"freeze":   {access.Operator, func(ctx context.Context) error { return d.FreezeFixes(ctx, "", "") }},
		"unfreeze": {access.Approver, func(ctx context.Context) error { return d.UnfreezeFixes(ctx, "") }},
		"resume":   {access.Approver, func(ctx context.Context) error { return d.ResumeFixes(ctx, "products") }},
	}
	for name, act := range acts {
		for _, role := range append([]access.Role{""}, access.Roles()...) {
			err := act.do(as(t.Context(), "somebody", role))
			var denied *access.DeniedError
			if may := role.May(map[access.Role]access.Permission{access.Operator: access.Act, access.Approver: access.Approve}[act.least]); errors.As(err, &denied) == may {
				t.Errorf("%s by %q: %v", name, role, err)
			}
		}
	}
}

// Where there are no accounts nobody else can approve: a plan that needs somebody
// says so, and one that needs nobody is applied at once.
func TestLocalUserApprovesNothingThatNeedsSomebodyElse(t *testing.T) {
	t.Parallel()
	for approvals := range 2 {
		w := newFixWorld(t, "sqlite", proposing(), 1)
		w.policy.Approvals = approvals
		o := w.options()
		d := auditor.NewDesk(w.ledger, nil, w.now).Using(auditor.NewFixes(o))
		o.Checks[0].Fixes = nil
		runNow(t, start(t, o), w.ledger, "products")
		local := func() context.Context {
			return access.With(t.Context(), &access.Attempt{Actor: access.Local(access.ByCommand, ""), Action: "test"})
		}
		p, err := d.DraftFix(local(), auditor.FixRequest{Check: "products"})
		must(t, err)
		if approvals == 0 {
			if p, err = d.ApplyFix(local(), p.ID, p.Hash); err != nil || p.State != reconciler.Applied {
				t.Errorf("applied at once: %+v, %v", p, err)
			}
			continue
		}
		for name, err := range map[string]error{"asked": second(d.AskApproval(local(), p.ID, p.Hash)), "approved": second(d.ApproveFix(local(), p.ID, p.Hash)),
			"applied": second(d.ApplyFix(local(), p.ID, p.Hash))} {
			if !isRefused(err) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// Fifty who apply one plan at once, at the desks of two processes, are one effect.
func TestFiftyApplyOnePlanAtOnce(t *testing.T) {
	t.Parallel()
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			applyTogether(t, engine, 4)
		})
	}
}

func TestSoakFiftyApplyOnePlanAtOnce(t *testing.T) {
	t.Parallel()
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return
	}
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			applyTogether(t, engine, 100)
		})
	}
}

// applyTogether does so in many rounds.
func applyTogether(t *testing.T, engine string, rounds int) {
	w := newFixWorld(t, engine, proposing(), 0)
	w.policy.Approvals, w.policy.Mode = 0, reconciler.ModePropose
	who := w.people(t, map[string]access.Role{"ann": access.Admin})
	w.replica.exec(t, `CREATE TABLE effects (id INTEGER, was INTEGER, became INTEGER)`)
	w.replica.exec(t, `CREATE TRIGGER counts AFTER UPDATE ON products WHEN new.price = 100 * new.id BEGIN INSERT INTO effects VALUES (new.id, old.price, new.price); END`)
	w.policy.Allow = append(w.policy.Allow, "triggers")
	var desks []*auditor.Desk
	var one *auditor.Auditor
	for range 2 {
		o := w.options()
		one = start(t, o)
		desks = append(desks, auditor.NewDesk(w.ledger, one, w.now))
	}
	for round := range rounds {
		id := round%fixRecords + 1
		w.replica.exec(t, `UPDATE products SET price = price + 1 WHERE id = $1`, id)
		runNow(t, one, w.ledger, "products")
		p, err := desks[0].DraftFix(again(who["ann"]), auditor.FixRequest{Check: "products", Key: fmt.Sprint(id)})
		must(t, err)
		var all sync.WaitGroup
		errs := make(chan error, 50)
		for n := range 50 {
			all.Go(func() {
				_, err := desks[n%2].ApplyFix(again(who["ann"]), p.ID, p.Hash)
				errs <- err
			})
		}
		all.Wait()
		close(errs)
		for err := range errs {
			if err != nil {
				t.Errorf("round %d: %v", round, err)
			}
		}
		if p = w.ended(t, p.ID); p.State != reconciler.Applied {
			t.Fatalf("round %d: it came to %s with %v: %s", round, p.State, p.Counts, p.Reason)
		}
		var effects int
		must(t, w.replica.db.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM effects`).Scan(&effects))
		if effects != round+1 {
			t.Fatalf("round %d: %d effects", round, effects)
		}
		until(t, "it is seen in effect", func() bool {
			p, err := w.ledger.Plan(t.Context(), p.ID)
			must(t, err)
			return p.Counts[reconciler.ItemVerified] == 1
		})
	}
	if plans, _, err := w.ledger.Plans(t.Context(), ledger.PlanFilter{State: "applied", Limit: 500}); err != nil || len(plans) != min(rounds, 500) {
		t.Errorf("%d plans were applied, %v", len(plans), err)
	}
}
