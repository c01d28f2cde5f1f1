package reconciler_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"plumbline/reconciler"
	"plumbline/sources"
)

func TestWhatIsUndoneIsAsItWasTypeForType(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sqlite", "postgres", "mongodb"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			undoing(t, kind, 34, 4)
		})
	}
}

func TestSoakWhatIsUndoneIsAsItWasTypeForType(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return
	}
	for _, kind := range []string{"sqlite", "postgres", "mongodb"} {
		t.Run(kind, func(t *testing.T) { undoing(t, kind, 334, 34) })
	}
}

// undoing applies updates and deletes to n records, takes them back and compares
// all that the store keeps; and then again where others changed some meanwhile.
func undoing(t *testing.T, kind string, n, changed int64) {
	t.Helper()
	random := rand.New(rand.NewPCG(seedOf(t), 6))
	s := newShop(t, kind, nil)
	s.stock(n + 1) // one that agrees: the owner is not to be empty
	var ids []int64
	for id := int64(1); id <= n; id++ {
		s.replica.put(t, row{id: id, price: "1.00", title: fmt.Sprint("x ", random.IntN(5)), version: 1, stock: id})
		s.replica.odd(t, id, random.IntN(99))
		if random.IntN(3) == 0 {
			s.owner.drop(t, id)
		}
		ids = append(ids, id)
	}
	before := s.replica.dump(t)
	p, _ := s.draft(s.differing(ids...))
	if p.Items() != n {
		t.Fatalf("%d items, left out %v", p.Items(), p.Left)
	}
	a := s.applier()
	a.Verify = s.seeing
	if p = s.apply(p, a); p.Counts[reconciler.ItemVerified] != n || p.Kinds[sources.Delete] == 0 || p.Kinds[sources.Update] == 0 {
		t.Fatalf("%v, %v", p.Counts, p.Kinds)
	}
	after := s.replica.dump(t)
	undo, _, err := s.undo(p)
	must(t, err)
	if undo = s.apply(undo, s.applier()); undo.Counts[reconciler.ItemApplied] != n {
		for _, i := range s.items(undo) {
			t.Logf("%d %s: %s", i.N, i.State, i.Note)
		}
		t.Fatalf("undone: %v", undo.Counts)
	}
	same(t, "after the undo", s.replica.dump(t), before)
	again, _ := s.draft(s.differing(ids...)) // what regressed is put right again
	if again = s.apply(again, s.applier()); again.Counts[reconciler.ItemApplied] != n {
		t.Fatalf("applied again: %v", again.Counts)
	}
	same(t, "applied again", s.replica.dump(t), after)
	s.changedSince(t, again, changed, random)
}

func same(t *testing.T, when string, now, want map[int64]string) {
	t.Helper()
	for id := range want {
		if now[id] != want[id] {
			t.Fatalf("%s record %d is %s, and was %s", when, id, now[id], want[id])
		}
	}
	if len(now) != len(want) {
		t.Fatalf("%s there are %d records, and were %d", when, len(now), len(want))
	}
}

// changedSince has others change some of what a plan applied: those alone cannot
// be taken back, and say what they were, what they became and what they are.
func (s *shop) changedSince(t *testing.T, p *reconciler.Plan, changed int64, random *rand.Rand) {
	t.Helper()
	items := s.items(p)
	touched := map[int64]bool{}
	for _, at := range random.Perm(len(items))[:changed] {
		id := items[at].Key[0].AsInt()
		touched[id] = true
		s.replica.put(t, row{id: id, price: "3.00", title: "changed since", version: 9, stock: 1})
	}
	before := s.replica.dump(t)
	undo, drafted, err := s.undo(p)
	must(t, err)
	if undo.Counts[reconciler.ItemStale] != changed {
		t.Fatalf("drafted: %v", undo.Counts)
	}
	for _, i := range drafted {
		if !touched[i.Key[0].AsInt()] {
			continue
		}
		threeWay := fmt.Sprint(i.Fields, i.Now)
		if i.State != reconciler.ItemStale || !strings.Contains(threeWay, "changed since") || len(i.Now) != len(i.Fields) {
			t.Fatalf("item %d is %s: %s", i.N, i.State, threeWay)
		}
	}
	if undo = s.apply(undo, s.applier()); undo.Counts[reconciler.ItemStale] != changed || undo.Counts[reconciler.ItemApplied] != int64(len(items))-changed {
		t.Fatalf("undone: %v", undo.Counts)
	}
	now := s.replica.dump(t)
	for id := range touched {
		if now[id] != before[id] {
			t.Fatalf("record %d was touched", id)
		}
	}
}

func TestAnUndoOfWhatAllChangedSinceIsRefusedWithWhatItHoldsNow(t *testing.T) {
	t.Parallel()
	s := newShop(t, "sqlite", nil)
	s.stock(2)
	s.replica.put(t, row{id: 1, price: "1.00", title: "thing 1", version: 1})
	p, _ := s.draft(s.differing(1))
	p = s.apply(p, s.applier())
	s.replica.put(t, row{id: 1, price: "3.00", title: "thing 1", version: 1})
	_, _, err := s.undo(p)
	var refusal *reconciler.Refusal
	if !errors.As(err, &refusal) || len(refusal.Items) != 1 || refusal.Next == "" {
		t.Fatalf("undone all the same: %v", err)
	}
	i := refusal.Items[0]
	if i.Fields[0].Then.Text != "1" || i.Fields[0].Now.Text != "12.5" || i.Now[0].Now.Text != "3" {
		t.Fatalf("before %v, after %v, now %v", i.Fields[0].Then, i.Fields[0].Now, i.Now[0].Now)
	}
}

func TestWhatWasAskedOfAServiceIsNotUndone(t *testing.T) {
	t.Parallel()
	s := newShop(t, "sqlite", nil)
	var refusal *reconciler.Refusal
	_, _, err := reconciler.ProposeUndo(t.Context(), s.edge, &reconciler.Plan{ID: "P-1", Check: "prices", Replica: "basket", By: reconciler.Request, State: reconciler.Applied}, nil, known())
	if !errors.As(err, &refusal) || refusal.Next == "" {
		t.Errorf("of a request: %v", err)
	}
	_, _, err = reconciler.ProposeUndo(t.Context(), s.edge, &reconciler.Plan{ID: "P-1", Check: "prices", Replica: "basket", By: reconciler.Write, State: reconciler.Stale}, nil, known())
	if !errors.As(err, &refusal) {
		t.Errorf("of a stale plan: %v", err)
	}
}
