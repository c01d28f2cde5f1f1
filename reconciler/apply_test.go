package reconciler_test

import (
	"fmt"
	"testing"

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
