package reconciler_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"plumbline/checks"
	"plumbline/reconciler"
)

func TestAFixSetsWhatDriftedAndItsUndoTakesItBack(t *testing.T) {
	t.Parallel()
	s := newShop(t, "sqlite", nil)
	s.stock(4)
	s.replica.put(t, row{id: 1, price: "9.99", title: "thing 1", version: 1, stock: 7})
	s.replica.put(t, row{id: 2, price: "12.50", title: "thing two", version: 0})
	s.owner.drop(t, 3)
	before := s.replica.rows(t)
	p, items := s.draft(s.differing(1, 2, 3))
	if len(items) != 3 || len(items[0].Fields) != 1 || items[0].Fields[0].Name != "price" || items[0].Fields[0].Then.Text != "12.5" {
		t.Fatalf("items are %+v", items)
	}
	t.Log(items[0].Statement)
	a := s.applier()
	a.Verify = s.seeing
	p = s.apply(p, a)
	after := s.replica.rows(t)
	want := map[int64]row{1: {1, "12.5", "thing 1", 1, 7}, 2: {2, "12.5", "thing 2", 1, 0}, 4: before[4]}
	if p.State != reconciler.Applied || p.Counts[reconciler.ItemVerified] != 3 || fmt.Sprint(after) != fmt.Sprint(want) {
		t.Fatalf("%s, %v: %v", p.State, p.Counts, after)
	}
	undo, _, err := s.undo(p)
	must(t, err)
	undo = s.apply(undo, s.applier())
	if now := s.replica.rows(t); undo.State != reconciler.Applied || fmt.Sprint(now) != fmt.Sprint(before) {
		t.Fatalf("%s, %v: %v", undo.State, undo.Counts, now)
	}
	p, err = s.ledger.Plan(t.Context(), p.ID)
	must(t, err)
	if p.State != reconciler.Undone || p.UndoneBy != undo.ID {
		t.Fatalf("the plan is %s, undone by %q", p.State, p.UndoneBy)
	}
}

// TestAnItemWhoseDataChangedIsStaleAlone has a random half of the records change
// on either side between drafting and applying, or right before the write.
func TestAnItemWhoseDataChangedIsStaleAlone(t *testing.T) {
	t.Parallel()
	staleAlone(t, 100)
}

func TestSoakItemsWhoseDataChangedAreStaleAlone(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return
	}
	staleAlone(t, 1_000)
}

func staleAlone(t *testing.T, n int64) {
	t.Helper()
	random := rand.New(rand.NewPCG(seedOf(t), 5))
	s := newShop(t, "sqlite", nil)
	s.stock(2 * n)
	var ids []int64
	for id := int64(1); id <= 2*n; id++ {
		s.replica.put(t, row{id: id, price: "1.00", title: "x", version: 1, stock: id})
		ids = append(ids, id)
	}
	p, items := s.draft(s.differing(ids...))
	rehearsed, err := reconciler.Rehearse(t.Context(), s.edge, items)
	must(t, err)
	for _, i := range rehearsed {
		if i.State != reconciler.Pending {
			t.Fatalf("item %d would be %s: %s", i.N, i.State, i.Note)
		}
	}
	changed := map[int64]string{}
	for _, at := range random.Perm(int(2 * n))[:n] {
		id := int64(at + 1)
		switch random.IntN(4) {
		case 0:
			s.owner.put(t, row{id: id, price: "77.00", title: "x", version: 2})
			changed[id] = "owner"
		case 1:
			s.owner.drop(t, id)
			changed[id] = "owner"
		case 2:
			s.replica.put(t, row{id: id, price: "1.00", title: "y", version: 1, stock: id})
			changed[id] = "replica"
		default:
			s.replica.drop(t, id)
			changed[id] = "replica"
		}
	}
	before := s.replica.rows(t)
	rehearsed, err = reconciler.Rehearse(t.Context(), s.edge, items)
	must(t, err)
	p = s.apply(p, s.applier())
	after := s.replica.rows(t)
	for at, i := range s.items(p) {
		id := i.Key[0].AsInt()
		side, was := changed[id]
		want := row{id, "12.5", "thing " + strconv.FormatInt(id, 10), 1, id}
		if was {
			want = before[id]
		}
		if was != (i.State == reconciler.ItemStale) || was && !strings.Contains(i.Note, side) || !was && i.State != reconciler.ItemApplied || after[id] != want {
			t.Fatalf("record %d, whose %s changed: %s (%s), %v", id, side, i.State, i.Note, after[id])
		}
		if was != (rehearsed[at].State == reconciler.ItemStale) {
			t.Fatalf("record %d was rehearsed as %s", id, rehearsed[at].State)
		}
	}
	if p.State != reconciler.PartlyApplied || p.Counts[reconciler.ItemStale] != n || p.Counts[reconciler.ItemApplied] != n {
		t.Fatalf("%s: %v", p.State, p.Counts)
	}
}

func TestAFailureStopsAPlanAndItIsGoneOnWithLater(t *testing.T) {
	t.Parallel()
	s := newShop(t, "sqlite", func(_ *checks.Check, p *reconciler.Policy) { p.Allow = append(p.Allow, "triggers") })
	s.stock(6)
	var ids []int64
	for id := int64(1); id <= 6; id++ {
		s.replica.put(t, row{id: id, price: "1.00", title: "x", version: 1})
		ids = append(ids, id)
	}
	s.replica.(*sqlPlace).exec(t, `CREATE TRIGGER no BEFORE UPDATE ON items WHEN old.id = 3 BEGIN SELECT RAISE(ABORT, 'not ''this one'''); END`)
	p, _ := s.draft(s.differing(ids...))
	p = s.apply(p, s.applier())
	if items := s.items(p); p.State != reconciler.PartlyApplied || p.Counts[reconciler.ItemApplied] != 2 || p.Counts[reconciler.Pending] != 3 ||
		items[2].State != reconciler.ItemFailed || !strings.Contains(items[2].Note, "refused") || strings.Contains(items[2].Note, "this one") {
		t.Fatalf("%s: %v, %q", p.State, p.Counts, items[2].Note)
	}
	p = s.apply(p, s.applier())
	if p.State != reconciler.PartlyApplied || p.Counts[reconciler.ItemApplied] != 5 || p.Counts[reconciler.ItemFailed] != 1 {
		t.Fatalf("%s: %v", p.State, p.Counts)
	}
}

func TestAFreezeTakesEffectBetweenRecords(t *testing.T) {
	t.Parallel()
	s := newShop(t, "sqlite", nil)
	s.stock(4)
	for id := int64(1); id <= 4; id++ {
		s.replica.put(t, row{id: id, price: "1.00", title: "x", version: 1})
	}
	p, _ := s.draft(s.differing(1, 2, 3, 4))
	s.begin(p)
	claimed, hashes, err := s.ledger.ClaimPlan(t.Context(), p.ID, "worker")
	must(t, err)
	a := s.applier()
	seen := 0
	a.Observe = func(string, reconciler.Route, reconciler.ItemState) {
		if seen++; seen == 2 {
			must(t, s.ledger.FreezeFixes(t.Context(), reconciler.Freeze{By: "ann", Reason: "wait"}))
		}
	}
	if done, _, err := a.Apply(t.Context(), claimed, hashes); done || !errors.Is(err, reconciler.ErrFrozen) || seen != 2 {
		t.Fatalf("done %t after %d items: %v", done, seen, err)
	}
	must(t, s.ledger.UnfreezeFixes(t.Context(), ""))
	if p = s.goOn(p, s.applier()); p.State != reconciler.Applied || p.Counts[reconciler.ItemApplied] != 4 {
		t.Fatalf("%s: %v", p.State, p.Counts)
	}
}

func TestAPlanOfAnotherCheckOrOtherItemsIsNotApplied(t *testing.T) {
	t.Parallel()
	s := newShop(t, "sqlite", nil)
	s.stock(2)
	s.replica.put(t, row{id: 1, price: "1.00", title: "x", version: 1})
	s.replica.put(t, row{id: 2, price: "1.00", title: "x", version: 1})
	p, _ := s.draft(s.differing(1, 2))
	s.begin(p)
	claimed, hashes, err := s.ledger.ClaimPlan(t.Context(), p.ID, "worker")
	must(t, err)
	var refusal *reconciler.Refusal
	if _, _, err := s.applier().Apply(t.Context(), claimed, []string{hashes[1], hashes[0]}); !errors.As(err, &refusal) {
		t.Errorf("with its items swapped: %v", err)
	}
	other := *claimed
	other.CheckHash = "another"
	if _, _, err := s.applier().Apply(t.Context(), &other, hashes); !errors.As(err, &refusal) {
		t.Errorf("with its check changed: %v", err)
	}
	if now := s.replica.rows(t); now[1].price == "12.5" || now[2].price == "12.5" {
		t.Fatalf("the replica holds %v", now)
	}
}
