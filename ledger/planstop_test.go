package ledger_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
)

// A plan that is being applied, also one that is frozen half way, ends where it is
// once somebody withdraws it: nothing more is written, what is doubtful is found
// out first, and its findings are given back.
func TestWithdrawingStopsWhatIsBeingApplied(t *testing.T) {
	t.Parallel()
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, engine)
			w.open(1, 2, 3, 4)
			p := w.applying(1, 2, 3, 4)
			got2(w.ClaimPlan(t.Context(), p.ID, "worker"))(t)
			journal := w.FixJournal()
			doubtful := w.claimItem(p, "worker")
			must(t, journal.Intend(t.Context(), doubtful, w.clock.now().Add(15*time.Second)))
			held := w.claimItem(p, "worker")
			must(t, w.FreezeFixes(t.Context(), reconciler.Freeze{By: "ann", Reason: "it goes wrong"}))

			p = got(w.WithdrawPlan(t.Context(), p.ID, "it goes wrong", eve()))(t)
			if p.State != reconciler.Applying || p.Counts[reconciler.Pending] != 0 || p.Counts[reconciler.ItemFailed] != 3 {
				t.Fatalf("withdrawn, it is %s with %v", p.State, p.Counts)
			}
			if err := journal.Intend(t.Context(), held, w.clock.now().Add(15*time.Second)); !errors.Is(err, reconciler.ErrLost) && !errors.Is(err, reconciler.ErrFrozen) {
				t.Errorf("a record that was claimed before may be written: %v", err)
			}
			must(t, w.UnfreezeFixes(t.Context(), ""))
			if err := journal.Intend(t.Context(), held, w.clock.now().Add(15*time.Second)); !errors.Is(err, reconciler.ErrLost) {
				t.Errorf("a record that was claimed before may be written: %v", err)
			}
			if i, err := journal.ClaimItem(t.Context(), p.ID, "worker", time.Minute); !errors.As(err, new(*reconciler.HeldError)) {
				t.Errorf("%+v is to be worked on, %v", i, err)
			}
			must(t, journal.Settle(t.Context(), doubtful, reconciler.ItemApplied))
			p = got(w.EndPlan(t.Context(), p.ID))(t)
			if p.State != reconciler.PartlyApplied || p.Counts[reconciler.ItemApplied] != 1 || p.Counts[reconciler.ItemFailed] != 3 {
				t.Fatalf("it came to %s with %v", p.State, p.Counts)
			}
			for n := 2; n <= 4; n++ {
				if f := w.finding("search", n); f.State == drift.Fixing {
					t.Errorf("%s is %s", f.ID, f.State)
				}
			}
			note := got(w.PlanItems(t.Context(), p.ID, ledger.ItemFilter{After: 1, Limit: 1}))(t)[0].Note
			if !strings.Contains(note, "withdrawn by eve") || !strings.Contains(w.log(), "withdraw fix") {
				t.Errorf("the item says %q", note)
			}
			w.heal(1)

			q := w.applying(2, 3)
			if q = got(w.WithdrawPlan(t.Context(), q.ID, "", eve()))(t); q.State != reconciler.Failed {
				t.Errorf("one of which nothing was written came to %s", q.State)
			}
			refusedWith(t, "applied once more", func() error {
				_, _, err := w.BeginPlan(t.Context(), q.ID, "another", checkHash, ann(), noJobs)
				return err
			}())
			w.open(5, 6)
			r := w.applying(5, 6)
			got2(w.ClaimPlan(t.Context(), r.ID, "worker"))(t)
			doubtful = w.claimItem(r, "worker")
			must(t, journal.Intend(t.Context(), doubtful, w.clock.now().Add(15*time.Second)))
			got(w.WithdrawPlan(t.Context(), r.ID, "", eve()))(t)
			must(t, journal.Settle(t.Context(), doubtful, reconciler.Pending)) // it turned out not to be written
			if i, err := journal.ClaimItem(t.Context(), r.ID, "worker", time.Minute); i != nil || err != nil {
				t.Errorf("%+v is to be worked on though the plan was withdrawn, %v", i, err)
			}
			if r = got(w.EndPlan(t.Context(), r.ID))(t); r.State != reconciler.Failed || !strings.Contains(r.Reason, "withdrawn by eve") || r.Counts[reconciler.ItemFailed] != 2 {
				t.Errorf("it came to %s, %q, with %v", r.State, r.Reason, r.Counts)
			}
			w.recount()
			w.countsHold()
		})
	}
}
