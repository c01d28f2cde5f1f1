package ledger_test

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
)

// begunAtOnce has 50 callers in two processes begin one plan, so many times over:
// each time one of them does.
func begunAtOnce(t *testing.T, engine string, rounds int) {
	url, clock := address(t, engine), newClock()
	ws := []*world{openWorld(t, url, clock, ledger.Options{Policies: policies(nil)}), openWorld(t, url, clock, ledger.Options{Policies: policies(nil)})}
	ws[0].open(1)
	for round := range rounds {
		p := ws[0].approved(1)
		var begun, refused atomic.Int64
		each(ws, 25, func(w *world) {
			now, did, err := w.BeginPlan(t.Context(), p.ID, p.Hash, checkHash, ann(), func(tx *ledger.Tx) error {
				_, err := tx.SQL().ExecContext(t.Context(), `INSERT INTO counters (name, value) VALUES ('jobs of the test', 1)
					ON CONFLICT (name) DO UPDATE SET value = counters.value + 1`)
				return err
			})
			switch {
			case err != nil:
				refused.Add(1)
				t.Error(err)
			case now.State != reconciler.Applying:
				t.Errorf("it is %s", now.State)
			case did:
				begun.Add(1)
			}
		})
		jobs := ws[0].count(`SELECT value FROM counters WHERE name = 'jobs of the test'`)
		entries := ws[0].count(`SELECT COUNT(*) FROM audit WHERE action = 'apply fix' AND object = $1`, "fix "+p.ID)
		if begun.Load() != 1 || jobs != int64(round+1) || entries != 1 {
			t.Fatalf("round %d: %d begun, %d jobs, %d entries", round, begun.Load(), jobs, entries)
		}
		if p = ws[1].work(p, reconciler.ItemFailed); p.State != reconciler.Failed {
			t.Fatalf("round %d: it ended as %s", round, p.State)
		}
	}
	ws[0].countsHold()
}

func TestManyBeginAPlanOnce(t *testing.T) {
	t.Parallel()
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			begunAtOnce(t, engine, 10)
		})
	}
}

func TestSoakManyBeginAPlanOnce(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return
	}
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) { begunAtOnce(t, engine, 100) })
	}
}

// Workers of two processes claim and settle a plan's items, while findings are
// read, plans are approved and fixes are frozen: every item is settled once, what
// is counted holds, and nobody waits for another for ever.
func TestPlansAndFindingsChangeTogether(t *testing.T) {
	t.Parallel()
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			url, clock := address(t, engine), newClock()
			ws := []*world{openWorld(t, url, clock, ledger.Options{Policies: policies(nil)}), openWorld(t, url, clock, ledger.Options{Policies: policies(nil)})}
			w := ws[0]
			const items = 24
			var keys []int
			for n := range items {
				keys = append(keys, n+1)
			}
			w.open(keys...)
			p := w.applying(keys...)
			got2(w.ClaimPlan(t.Context(), p.ID, "worker"))(t)
			var settled, lost atomic.Int64
			var group sync.WaitGroup
			for _, w := range ws {
				group.Go(func() { // a worker
					j := w.FixJournal()
					for {
						i, err := j.ClaimItem(t.Context(), p.ID, "worker", time.Minute)
						switch {
						case errors.Is(err, reconciler.ErrFrozen):
							continue
						case errors.As(err, new(*reconciler.HeldError)):
							continue
						case err != nil:
							t.Error(err)
							return
						case i == nil:
							return
						}
						err = j.Intend(t.Context(), i, clock.now())
						if err == nil {
							err = j.Settle(t.Context(), i, reconciler.ItemApplied)
						}
						switch {
						case errors.Is(err, reconciler.ErrFrozen):
							must(t, j.Release(t.Context(), i))
						case errors.Is(err, reconciler.ErrLost):
							lost.Add(1)
						case err != nil:
							t.Error(err)
							return
						default:
							settled.Add(1)
						}
					}
				})
				group.Go(func() { // people
					for n := range 6 {
						other := w.draft(items + n + 1)
						if _, err := w.ApprovePlan(t.Context(), other.ID, other.Hash, ben()); err != nil {
							t.Error(err)
						}
						if err := w.FreezeFixes(t.Context(), reconciler.Freeze{Check: "orders"}); err != nil {
							t.Error(err)
						}
						if err := w.UnfreezeFixes(t.Context(), "orders"); err != nil {
							t.Error(err)
						}
					}
				})
			}
			group.Go(func() { // a reader
				for n := range items {
					w.heal(n + 1)
				}
			})
			group.Wait()
			p = got(w.EndPlan(t.Context(), p.ID))(t)
			if settled.Load() != items || lost.Load() != 0 || p.State != reconciler.Applied || p.Counts[reconciler.ItemVerified] != items {
				t.Errorf("%d settled, %d lost, the plan is %s with %v", settled.Load(), lost.Load(), p.State, p.Counts)
			}
			if f := w.finding("search", items); f.State != drift.Resolved {
				t.Errorf("a finding is %s", f.State)
			}
			w.recount()
			w.countsHold()
		})
	}
}
