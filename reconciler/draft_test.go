package reconciler_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/reconciler"
	"plumbline/sources"
)

func TestWhatCannotBePutRightIsLeftOutWithItsReason(t *testing.T) {
	t.Parallel()
	s := newShop(t, "sqlite", func(_ *checks.Check, p *reconciler.Policy) { p.Allow = []reconciler.Allow{"update"} })
	s.stock(9)
	for _, id := range []int64{1, 2, 3, 4, 8} {
		s.replica.put(t, row{id: id, price: "1.00", title: "x", version: 1})
	}
	s.owner.drop(t, 5)   // extra
	s.replica.drop(t, 6) // missing
	s.replica.put(t, row{id: 7, price: "1.00", title: "x", version: 1})
	findings := s.differing(1, 2, 3, 4, 5, 6, 7, 8)
	findings[1].State, findings[2].State, findings[3].State = drift.Resolved, drift.Fixing, drift.Muted
	s.replica.put(t, row{id: 7, price: "12.50", title: "thing 7", version: 1}) // agrees by now
	facts := known()
	p, items, err := reconciler.Propose(t.Context(), s.edge, append(findings, findings[0]), "all open findings", facts)
	must(t, err)
	if len(items) != 3 || p.Counts[reconciler.Pending] != 3 || p.Kinds[sources.Update] != 3 { // 1, 4 and 8
		t.Fatalf("%d items: %v", len(items), p.Kinds)
	}
	left := fmt.Sprint(p.Left)
	for _, want := range []string{"it is resolved 1", "being fixed by another plan 1", "fix.allow has no delete 1", "only the service knows", "both sides agree by now 1"} {
		if !strings.Contains(left, want) {
			t.Errorf("left out are %s, without %q", left, want)
		}
	}
	facts.Auto, facts.LeftAlone = true, map[string]bool{findings[0].ID: true}
	p, items, err = reconciler.Propose(t.Context(), s.edge, findings, "all open findings", facts)
	must(t, err)
	if len(items) != 1 || p.State != reconciler.Waiting || !p.Auto {
		t.Fatalf("by itself Plumbline drafted %d items, left out %v", len(items), p.Left)
	}
	for _, line := range p.Checklist {
		if !line.OK {
			t.Errorf("%s failed: %s", line.Name, line.Words)
		}
	}
}

func TestEachGuardRefusesAPlan(t *testing.T) {
	t.Parallel()
	s := newShop(t, "sqlite", func(c *checks.Check, p *reconciler.Policy) {
		c.Edges[0].Rules[1].Mask, p.MaxShare = checks.MaskFull, 20
	})
	s.stock(4)
	s.replica.put(t, row{id: 1, price: "1.00", title: "x", version: 1})
	s.replica.put(t, row{id: 2, price: "1.00", title: "x", version: 1})
	findings := s.differing(1, 2)
	for _, c := range []struct {
		name, next string
		change     func(e *reconciler.Edge, f *reconciler.Facts)
	}{
		{"", "", func(*reconciler.Edge, *reconciler.Facts) {}},
		{"", "", func(_ *reconciler.Edge, f *reconciler.Facts) { f.Paused = &reconciler.Pause{Reason: "r"} }},
		{"", "", func(_ *reconciler.Edge, f *reconciler.Facts) { f.FixedLately = map[string]int{"F": 9} }},
		{"paused", "resume", func(_ *reconciler.Edge, f *reconciler.Facts) { f.Paused, f.Auto = &reconciler.Pause{Reason: "r"}, true }},
		{"loops", "undoes", func(_ *reconciler.Edge, f *reconciler.Facts) { f.FixedLately, f.Auto = map[string]int{"F": 3}, true }},
		{"frozen", "nfreeze", func(_ *reconciler.Edge, f *reconciler.Facts) {
			f.Frozen = &reconciler.Freeze{By: "ann", At: time.Now()}
		}},
		{"share", "max_share", func(_ *reconciler.Edge, f *reconciler.Facts) { f.Open = 201 }},
		{"share", "Run the check", func(_ *reconciler.Edge, f *reconciler.Facts) { f.Compared = 0 }},
		{"records", "max_records", func(e *reconciler.Edge, _ *reconciler.Facts) { e.Policy.MaxRecords = 1 }},
		{"owner_store", "its source", func(e *reconciler.Edge, _ *reconciler.Facts) {
			e.OwnerDatasets = func(string, *sources.Dataset) string { return "orders" }
		}},
		{"", "", func(e *reconciler.Edge, _ *reconciler.Facts) {
			e.OwnerDatasets = func(string, *sources.Dataset) string { return "orders" }
			e.Policy.Allow = append(e.Policy.Allow, reconciler.AllowOwner)
		}},
		{"masks", "data_key", func(e *reconciler.Edge, _ *reconciler.Facts) { e.CanHide = false }},
	} {
		edge, facts := *s.edge, known()
		c.change(&edge, &facts)
		p, _, err := reconciler.Propose(t.Context(), &edge, findings, "2 findings", facts)
		var refusal *reconciler.Refusal
		if c.name == "" {
			must(t, err)
			continue
		}
		if !errors.As(err, &refusal) || !strings.Contains(refusal.Next, c.next) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, line := range p.Checklist {
			if line.OK == (line.Name == c.name) {
				t.Errorf("%s: the checklist says of %s: %t, %s", c.name, line.Name, line.OK, line.Words)
			}
		}
	}
	s.edge.Policy.Mode = reconciler.ModeOff
	var refusal *reconciler.Refusal
	if _, _, err := reconciler.Propose(t.Context(), s.edge, findings, "2 findings", known()); !errors.As(err, &refusal) || !strings.Contains(refusal.Next, "fix.mode") {
		t.Errorf("with fixes off: %v", err)
	}
}

func TestAnEmptyOwnerAndHazardsRefuseAPlanAndItsBeginning(t *testing.T) {
	t.Parallel()
	s := newShop(t, "sqlite", nil)
	s.stock(2)
	s.replica.put(t, row{id: 1, price: "1.00", title: "thing 1", version: 1})
	findings := s.differing(1)
	p, items, err := reconciler.Propose(t.Context(), s.edge, findings, "1 finding", known())
	must(t, err)
	if _, err := reconciler.Recheck(t.Context(), s.edge, p, items, known()); err != nil {
		t.Fatal(err)
	}
	s.replica.(*sqlPlace).exec(t, `CREATE TRIGGER audit_items AFTER UPDATE ON items BEGIN UPDATE items SET stock = stock + 1; END`)
	refused := func(what string, err error) {
		t.Helper()
		var refusal *reconciler.Refusal
		if !errors.As(err, &refusal) || !strings.Contains(refusal.Why, what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = reconciler.Recheck(t.Context(), s.edge, p, items, known())
	refused("audit_items", err)
	_, _, err = reconciler.Propose(t.Context(), s.edge, findings, "1 finding", known())
	refused("audit_items", err)
	allowed := *s.edge
	allowed.Policy.Allow = append(allowed.Policy.Allow, reconciler.Allow(sources.HazardTriggers))
	if _, _, err = reconciler.Propose(t.Context(), &allowed, findings, "1 finding", known()); err != nil {
		t.Error(err)
	}
	s.owner.drop(t, 1)
	s.owner.drop(t, 2)
	_, err = reconciler.Recheck(t.Context(), &allowed, p, items, known())
	refused("owner", err)
}

func TestMasksCoverWhatAPlanShows(t *testing.T) {
	t.Parallel()
	s := newShop(t, "sqlite", func(c *checks.Check, _ *reconciler.Policy) {
		c.Edges[0].Rules[1].Mask = checks.MaskFull
	})
	s.stock(3)
	s.replica.put(t, row{id: 1, price: "1.00", title: "hunter2 was here", version: 1})
	s.replica.put(t, row{id: 2, price: "1.00", title: "hunter2 was here", version: 1})
	s.owner.put(t, row{id: 1, price: "12.50", title: "hunter2 is here", version: 1})
	s.owner.drop(t, 2)
	p, items := s.draft(s.differing(1, 2))
	shown := func(items []reconciler.Item) string {
		text := fmt.Sprint(p.Checklist, p.Left, p.Choice)
		for _, i := range items {
			text += fmt.Sprint(i.Fields, i.Now, i.Statement, i.Note, i.KeyText)
		}
		return text
	}
	if text := shown(items); strings.Contains(text, "hunter2") || !strings.Contains(text, "12.5") || !strings.Contains(text, "***") {
		t.Fatalf("shown is %s", text)
	}
	s.replica.put(t, row{id: 1, price: "2.00", title: "hunter2 again", version: 1})
	p = s.apply(p, s.applier())
	stale := s.items(p)
	if text := shown(stale); strings.Contains(text, "hunter2") || stale[0].State != reconciler.ItemStale || len(stale[0].Now) == 0 {
		t.Fatalf("shown is %s", text)
	}
}

// A record that its store cannot write as it is declared is left out with the
// reason; it does not keep others from being planned.
func TestARecordThatItsStoreCannotWriteIsLeftOut(t *testing.T) {
	t.Parallel()
	s := newShop(t, "sqlite", func(c *checks.Check, _ *reconciler.Policy) {
		c.Edges[0].Replica.Dataset = sources.Dataset{Query: "SELECT id, price, title, version FROM items", Key: []string{"id"}}
	})
	s.stock(2)
	s.replica.put(t, row{id: 1, price: "1.00", title: "x", version: 1})
	findings := s.differing(1)
	p, items, err := reconciler.Propose(t.Context(), s.edge, findings, "all open findings", known())
	var refused *reconciler.Refusal
	if len(items) != 0 || !errors.As(err, &refused) || !strings.Contains(refused.Next, "cannot be written") || len(p.Left) != 1 {
		t.Errorf("%d items, left out %v: %v", len(items), p.Left, err)
	}
}
