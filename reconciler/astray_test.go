package reconciler_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"plumbline/reconciler"
	"plumbline/sources"
)

// Where the credentials that write lead to another database than those that read,
// and it holds just the same, one record is written there and no more.
func TestWritesThatGoAstrayStopWithTheFirst(t *testing.T) {
	t.Parallel()
	for _, stops := range []bool{true, false} {
		t.Run(fmt.Sprintf("stop on error %t", stops), func(t *testing.T) {
			t.Parallel()
			s := newShop(t, "sqlite", nil)
			s.stock(6)
			copied := newPlace(t, "sqlite", "items")
			var ids []int64
			for id := int64(1); id <= 6; id++ {
				r := row{id: id, price: "1.00", title: "x", version: 1}
				s.replica.put(t, r)
				copied.put(t, r)
				ids = append(ids, id)
			}
			was := s.replica.rows(t)
			p, items, err := reconciler.Propose(t.Context(), s.edge, s.differing(ids...), "all open findings", s.known())
			must(t, err)
			p.StopOnError = stops
			p, _ = s.keep(p, items)
			astray := sources.NewFixer("basket", openSource(t, copied, "basket", true), sources.Limits{})
			defer func() { must(t, astray.Close()) }()
			a := s.applier()
			a.Fixer = astray
			p = s.apply(p, a)
			written := 0
			for _, r := range copied.rows(t) {
				if r.price != "1" {
					written++
				}
			}
			if written != 1 || fmt.Sprint(s.replica.rows(t)) != fmt.Sprint(was) {
				t.Errorf("%d records of another database were written; the replica holds %v", written, s.replica.rows(t))
			}
			if p.State != reconciler.PartlyApplied || p.Counts[reconciler.ItemApplied] != 1 {
				t.Errorf("it came to %s with %v", p.State, p.Counts)
			}
			if second := s.items(p)[1]; second.State != reconciler.ItemFailed || !strings.Contains(second.Note, "fix_url") {
				t.Errorf("the second record is %s: %s", second.State, second.Note)
			}
		})
	}
}

// What was written to one database is not taken back in another that the source
// leads to since, though it holds the same.
func TestAnUndoLeavesOtherDatabasesAlone(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"postgres", "mongodb"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, kind, nil)
			s.stock(2)
			s.replica.put(t, row{id: 1, price: "1.00", title: "x", version: 1})
			p, _ := s.draft(s.differing(1))
			p = s.apply(p, s.applier())
			moved := newPlace(t, kind, "items")
			for _, r := range s.replica.rows(t) {
				moved.put(t, r)
			}
			s.close()
			s.replica = moved
			s.read()
			_, items, err := s.undo(p)
			var refusal *reconciler.Refusal
			if !errors.As(err, &refusal) || len(items) != 1 || items[0].State != reconciler.ItemStale {
				t.Fatalf("an undo was drafted of another database's records: %v, %+v", err, items)
			}
		})
	}
}
