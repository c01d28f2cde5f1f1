package auditor_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plumbline/auditor"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
	"plumbline/sources"
)

// A process that puts right and takes back may be killed at any moment: what
// became of each record is known soon after, and is what the replica itself says;
// none is written twice, and the rest is gone on with.
func TestFixesSurviveBeingKilled(t *testing.T) {
	t.Parallel()
	killFixers(t, 25, 2*time.Minute)
}

func TestSoakFixesSurviveBeingKilled(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return // make soak runs it
	}
	t.Parallel()
	killFixers(t, 500, mendStatement+time.Minute)
}

func killFixers(t *testing.T, kills int, known time.Duration) {
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			k := newMendRig(t, engine, 8)
			k.warmUp()
			for n := range kills - 1 {
				k.round(n)
			}
			k.outcomesKnown(known)
			k.held()
			k.heal()
			k.held()
			k.told()
		})
	}
}

// mendRig is a ledger and a shop whose processes are killed.
type mendRig struct {
	t    *testing.T
	r    *rand.Rand
	s    *service
	l    *ledger.Ledger // as the test itself looks at it
	shop *mendShop
	// outcomes are what became of items when they were last looked at. doubts are
	// those that were doubtful when a process was killed, and cut the plans that were
	// being applied.
	outcomes map[itemName]reconciler.ItemState
	doubts   map[itemName]bool
	cut      map[string]bool
	kills    int
	intruded int64
}

type itemName struct {
	plan string
	n    int
}

func newMendRig(t *testing.T, kind string, parts int) *mendRig {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	k := &mendRig{t: t, r: rand.New(rand.NewPCG(seed, 0)), outcomes: map[itemName]reconciler.ItemState{}, doubts: map[itemName]bool{}, cut: map[string]bool{}}
	m := &mending{Kind: kind, Plans: 1 << 40}
	if kind == "postgres" {
		m.Owner, m.Replica = ledgerURL(t, kind), ledgerURL(t, kind)
	} else {
		m.Owner, m.Replica = "file:"+filepath.Join(t.TempDir(), "owner.db"), "file:"+filepath.Join(t.TempDir(), "replica.db")
	}
	m.Writing = m.Replica
	k.s = &service{Ledger: ledgerURL(t, kind), Checks: parts, Hash: "one", Silence: 500 * time.Millisecond, Workers: 6, Mends: m}
	shop, err := openMendShop(kind, m.Owner, m.Replica)
	must(t, err)
	t.Cleanup(func() { must(t, shop.Close()) })
	must(t, shop.create(context.Background(), kind, parts))
	k.shop = shop
	k.l = openLedger(t, k.s.Ledger, nil)
	return k
}

// warmUp lets a first process put right a part of it all, so that there is
// something to take back.
func (k *mendRig) warmUp() {
	k.t.Helper()
	c := k.s.launch(k.t)
	until(k.t, "a part of the plans is applied", func() (half bool) {
		done := 0
		for _, p := range k.plans() {
			if p.State == reconciler.Applied || p.State == reconciler.Undone {
				done++
			}
		}
		return done >= k.s.Checks/2
	})
	c.kill()
	k.kills++
	k.look(true)
}

// round has a process work, lets others change a record now and then, and kills
// the process in the midst of it.
func (k *mendRig) round(n int) {
	k.t.Helper()
	ctx := context.Background()
	before, err := k.shop.made(ctx)
	must(k.t, err)
	c := k.s.launch(k.t)
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); { // it may have to wait for what is held
		made, err := k.shop.made(ctx)
		must(k.t, err)
		if made > before {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if n%3 == 0 {
		k.intruded++
		must(k.t, k.shop.intrude(ctx, k.r.IntN(k.s.Checks), 1+k.r.IntN(mendDiffer), 1e12+k.intruded))
	}
	time.Sleep(time.Duration(k.r.IntN(800)) * time.Millisecond) // not to wait for anything: the moment is what is tried
	c.kill()
	k.kills++
	k.look(true)
}

// look fails where what became of an item has changed since; dead says that no
// process is there.
func (k *mendRig) look(dead bool) (doubtful int) {
	k.t.Helper()
	k.items(false, func(p *reconciler.Plan, i *reconciler.Item) {
		if dead && p.State == reconciler.Applying {
			k.cut[p.ID] = true
		}
		name := itemName{p.ID, i.N}
		was, known := k.outcomes[name]
		switch {
		case i.State == reconciler.Doubtful:
			doubtful++
			if dead {
				k.doubts[name] = true
			}
			fallthrough
		case i.State == reconciler.Pending:
			if known {
				k.t.Errorf("item %d of %s was %s, and is %s", i.N, p.ID, was, i.State)
			}
			return
		case known && was != i.State && (was != reconciler.ItemApplied || i.State != reconciler.ItemVerified):
			k.t.Errorf("item %d of %s was %s, and is %s: %s", i.N, p.ID, was, i.State, i.Note)
		}
		k.outcomes[name] = i.State
	})
	return doubtful
}

// plans are all there are, the newest first.
func (k *mendRig) plans() (all []*reconciler.Plan) {
	k.t.Helper()
	for after := ""; ; {
		list, next, err := k.l.Plans(context.Background(), ledger.PlanFilter{After: after, Limit: 500})
		must(k.t, err)
		all = append(all, list...)
		if after = next; next == "" {
			return all
		}
	}
}

func (k *mendRig) items(content bool, each func(p *reconciler.Plan, i *reconciler.Item)) {
	k.t.Helper()
	for _, p := range k.plans() {
		items, err := k.l.PlanItems(context.Background(), p.ID, ledger.ItemFilter{Limit: 500, Content: content})
		must(k.t, err)
		for n := range items {
			each(p, &items[n])
		}
	}
}

// outcomesKnown has a last process go on with what there is, and fails where
// something is doubtful, or being applied, for longer than it may be.
func (k *mendRig) outcomesKnown(most time.Duration) {
	k.t.Helper()
	k.s.Mends.Plans = 0
	c := k.s.launch(k.t)
	began := time.Now()
	for {
		doubtful, live := k.look(false), []string{}
		for _, p := range k.plans() {
			if p.State.Live() {
				live = append(live, fmt.Sprintf("%s %s %v", p.ID, p.State, p.Counts))
			}
		}
		if doubtful == 0 && len(live) == 0 {
			break
		}
		if time.Since(began) > most {
			k.t.Fatalf("%s after the last kill %d items are doubtful, and live are %v\n%s", most, doubtful, live, tail(c.said()))
		}
		time.Sleep(50 * time.Millisecond)
	}
	k.t.Logf("all outcomes were known %s after the last kill", time.Since(began).Round(time.Millisecond))
	c.stop()
}

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
