package auditor_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"plumbline/auditor"
	"plumbline/drift"
	"plumbline/reconciler"
	"plumbline/sources"
)

// nobodyCanSay are the words of an item that was to be written, and of which it
// is not known.
const nobodyCanSay = "nobody can say"

// held holds what the ledger says against what the replica itself kept: of each
// change there are as many as there are items that made it.
func (k *mendRig) held() {
	k.t.Helper()
	least, most := map[changed]int{}, map[changed]int{}
	k.items(true, func(p *reconciler.Plan, i *reconciler.Item) {
		var part int
		_, err := fmt.Sscanf(p.Check, "check-%d", &part)
		must(k.t, err)
		c := changed{part, int(i.Key[0].AsInt()), imagePrice(k.t, i, i.Before), imagePrice(k.t, i, i.After)}
		switch {
		case i.State == reconciler.ItemApplied || i.State == reconciler.ItemVerified:
			least[c]++
			most[c]++
		case i.State == reconciler.ItemFailed && strings.Contains(i.Note, nobodyCanSay):
			most[c]++
		case i.State == reconciler.Doubtful:
			k.t.Errorf("item %d of %s is doubtful", i.N, p.ID)
		}
	})
	made, err := k.shop.changes(context.Background())
	must(k.t, err)
	for c, n := range made {
		if n > most[c] {
			k.t.Errorf("%+v was made %d times, and %d items say so", c, n, most[c])
		}
	}
	for c, n := range least {
		if made[c] < n {
			k.t.Errorf("%d items say %+v, which was made %d times", n, c, made[c])
		}
	}
	k.t.Logf("%d changes of the replica held against the items", len(made))
}

// heal puts right all that is left, and fails where the replica is then not what
// its owner is.
func (k *mendRig) heal() {
	k.t.Helper()
	ctx, l := context.Background(), k.l
	o, err := k.s.options(l)
	must(k.t, err)
	a := start(k.t, o)
	d := auditor.NewDesk(l, a, nil)
	for i := range k.s.Checks {
		runNow(k.t, a, l, k.s.name(i))
	}
	k.unseen()
	for i := range k.s.Checks {
		if len(openFindings(k.t, l, k.s.name(i))) > 0 {
			p, err := d.DraftFix(me(ctx), auditor.FixRequest{Check: k.s.name(i)})
			must(k.t, err)
			_, err = d.ApplyFix(me(ctx), p.ID, p.Hash)
			must(k.t, err)
			until(k.t, p.ID+" is applied", func() bool {
				p, err = l.Plan(ctx, p.ID)
				must(k.t, err)
				return p.State != reconciler.Applying
			})
			if p.State != reconciler.Applied {
				k.t.Errorf("%s came to %s with %v: %s", p.ID, p.State, p.Counts, p.Reason)
			}
		}
		owner, err := pricesOf(ctx, k.shop.owner, i)
		must(k.t, err)
		replica, err := pricesOf(ctx, k.shop.replica, i)
		must(k.t, err)
		if !maps.Equal(owner, replica) {
			k.t.Errorf("part %d of the replica holds %v, and its owner %v", i, replica, owner)
		}
	}
	must(k.t, a.Stop(ctx))
}

// unseen gives up on what others changed right after it was put right: it would
// be taken to be under way for minutes.
func (k *mendRig) unseen() {
	k.t.Helper()
	ctx := context.Background()
	items, err := k.l.Unseen(ctx, time.Now(), 1000)
	must(k.t, err)
	for _, i := range items {
		found, err := k.l.Finding(ctx, i.Finding)
		must(k.t, err)
		if found.State == drift.Fixing {
			must(k.t, k.l.GiveUpSeeing(ctx, i.Plan, i.N, "changed by others"))
		}
	}
}

// told says what there was, and fails where it was too little.
func (k *mendRig) told() {
	k.t.Helper()
	plans, items, doubts := map[string]int{}, map[reconciler.ItemState]int{}, map[reconciler.ItemState]int{}
	notes := map[string]int{}
	for _, p := range k.plans() {
		what := "fix "
		if p.Undoes != "" {
			what = "undo "
		}
		plans[what+string(p.State)]++
	}
	k.items(false, func(p *reconciler.Plan, i *reconciler.Item) {
		items[i.State]++
		if k.doubts[itemName{p.ID, i.N}] {
			doubts[i.State]++
		}
		if i.State != reconciler.ItemVerified && i.Note != "" {
			notes[i.Note]++
		}
	})
	k.t.Logf("%d kills, %d changes by others; plans %v, of which %d were cut off and gone on with; items %v; doubtful when a process was killed were %d, which came to %v; notes %v",
		k.kills, k.intruded, plans, len(k.cut), items, len(k.doubts), doubts, notes)
	if len(k.doubts) < k.kills/10 || len(k.cut) == 0 || plans["undo applied"]+plans["undo partly applied"] == 0 {
		k.t.Error("that is too little to be sure of anything")
	}
	whole := &killing{t: k.t, l: k.l}
	whole.whole(k.s.Ledger)
	for i := range k.s.Checks {
		whole.lives(k.s.name(i))
	}
}

// imagePrice is the price in an image of an item's record, -1 where there is none.
func imagePrice(t *testing.T, i *reconciler.Item, image *sources.Image) int64 {
	t.Helper()
	switch {
	case image == nil:
		t.Fatalf("the content of item %d of %s is gone", i.N, i.Plan)
	case !image.Exists:
		return -1
	}
	return image.Record.Fields[0].AsInt()
}
