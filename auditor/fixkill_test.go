package auditor_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"plumbline/ledger"
	"plumbline/reconciler"
)

// A process that puts right and takes back may be killed at any moment: what
// became of each record is known soon after, and is what the replica itself says;
// none is written twice, and the rest is gone on with.
func TestFixesSurviveBeingKilled(t *testing.T) {
	t.Parallel()
	killFixers(t, 12, 2*time.Minute)
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
	until(k.t, "a part of the plans is applied", func() bool {
		done := 0
		for _, p := range k.plans() {
			if p.State == reconciler.Applied || p.State == reconciler.Undone {
				done++
			}
		}
		return done >= k.s.Checks/4
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
