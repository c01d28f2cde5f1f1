package reconciler_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"plumbline/reconciler"
	"plumbline/sources"
)

// soon is a journal that has every write's time be over already when somebody
// comes to doubt it, so that no test waits for it.
type soon struct{ reconciler.Journal }

func (j soon) Intend(ctx context.Context, i *reconciler.Item, until time.Time) error {
	return j.Journal.Intend(ctx, i, until.Add(-time.Hour))
}

var errLine = errors.New("the line was cut")

// cutting is a store whose line is cut before or after a write, once for each key.
type cutting struct {
	*counting
	before, after map[string]func()
}

func (c *cutting) Write(ctx context.Context, d *sources.Dataset, change *sources.Change, until time.Time) error {
	key := change.Key.Encode()
	if meanwhile := c.before[key]; meanwhile != nil {
		delete(c.before, key)
		meanwhile()
		return errLine
	}
	err := c.counting.Write(ctx, d, change, until)
	if meanwhile := c.after[key]; meanwhile != nil && err == nil {
		delete(c.after, key)
		meanwhile()
		return errLine
	}
	return err
}

func TestWhatBecameOfAWriteWhoseLineWasCutIsFoundOut(t *testing.T) {
	t.Parallel()
	s := newShop(t, "sqlite", nil)
	s.stock(6)
	var ids []int64
	for id := int64(1); id <= 6; id++ {
		s.replica.put(t, row{id: id, price: "1.00", title: fmt.Sprint("thing ", id), version: 1})
		ids = append(ids, id)
	}
	nothing := func() {}
	others := func(id int64) func() {
		return func() { s.replica.put(t, row{id: id, price: "5.00", title: "others", version: 1}) }
	}
	key := func(id int64) string { return sources.Key{sources.Int(id)}.Encode() }
	line := &cutting{s.counted(), map[string]func(){key(2): nothing, key(4): others(4)}, map[string]func(){key(1): nothing, key(3): others(3)}}
	s.fixer = sources.NewFixer("basket", line, sources.Limits{})
	p, _ := s.draft(s.differing(ids...))
	p.StopOnError = false
	a := s.applier()
	a.Journal = soon{s.journal}
	s.begin(p)
	claimed, hashes, err := s.ledger.ClaimPlan(t.Context(), p.ID, a.Worker)
	must(t, err)
	claimed.StopOnError = false
	if done, _, err := a.Apply(t.Context(), claimed, hashes); !done || err != nil {
		t.Fatal(done, err)
	}
	want := map[int64]string{1: "12.5", 2: "12.5", 3: "5", 4: "5", 5: "12.5", 6: "12.5"}
	now := s.replica.rows(t)
	for _, i := range s.items(p) {
		id := i.Key[0].AsInt()
		state := reconciler.ItemApplied
		if id == 3 || id == 4 {
			state = reconciler.ItemFailed
			if !strings.Contains(i.Note, "nobody can say") || len(i.Now) != 1 {
				t.Errorf("item %d: %q, %v", id, i.Note, i.Now)
			}
		}
		if i.State != state || now[id].price != want[id] || line.done[key(id)] > 1 {
			t.Errorf("item %d is %s (%s), its record holds %s and was written %d times", id, i.State, i.Note, now[id].price, line.done[key(id)])
		}
	}
}

var errKilled = errors.New("killed")

// mortal is a process that dies at random around any step: what it did before
// stands, and it does nothing after.
type mortal struct {
	reconciler.Journal
	*counting
	mu     sync.Mutex
	random *rand.Rand
	dead   bool
	deaths int
}

// dies says whether the process is dead, or dies now.
func (m *mortal) dies() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.dead && m.random.IntN(12) == 0 {
		m.dead = true
		m.deaths++
	}
	return m.dead
}

// step does a step, unless the process dies right before, or right after it.
func (m *mortal) step(do func() error) error {
	if m.dies() {
		return errKilled
	}
	err := do()
	if m.dies() {
		return errKilled
	}
	return err
}

func (m *mortal) ClaimItem(ctx context.Context, plan, worker string, hold time.Duration) (i *reconciler.Item, err error) {
	err = m.step(func() error {
		i, err = m.Journal.ClaimItem(ctx, plan, worker, hold)
		return err
	})
	return i, err
}

func (m *mortal) Intend(ctx context.Context, i *reconciler.Item, until time.Time) error {
	return m.step(func() error { return m.Journal.Intend(ctx, i, until) })
}

func (m *mortal) Settle(ctx context.Context, i *reconciler.Item, state reconciler.ItemState) error {
	return m.step(func() error { return m.Journal.Settle(ctx, i, state) })
}

func (m *mortal) Release(ctx context.Context, i *reconciler.Item) error {
	return m.step(func() error { return m.Journal.Release(ctx, i) })
}

func (m *mortal) Look(ctx context.Context, d *sources.Dataset, key, id sources.Key, how sources.Looking) (image *sources.Image, err error) {
	if m.dies() {
		return nil, sources.Final(errKilled)
	}
	return m.counting.Look(ctx, d, key, id, how)
}

func (m *mortal) Write(ctx context.Context, d *sources.Dataset, c *sources.Change, until time.Time) error {
	return m.step(func() error { return m.counting.Write(ctx, d, c, until) })
}

// TestADeathAtAnyStepLeavesEveryOutcomeKnown applies and undoes plans by processes
// that die at random steps, each followed by another.
func TestADeathAtAnyStepLeavesEveryOutcomeKnown(t *testing.T) {
	t.Parallel()
	deaths(t, 4)
}

func TestSoakADeathAtAnyStepLeavesEveryOutcomeKnown(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return
	}
	deaths(t, 100)
}

func deaths(t *testing.T, rounds int) {
	t.Helper()
	random := rand.New(rand.NewPCG(seedOf(t), 7))
	s := newShop(t, "sqlite", nil)
	const n = 12
	s.stock(n)
	died := 0
	for range rounds {
		var ids []int64
		for id := int64(1); id <= n; id++ {
			s.replica.put(t, row{id: id, price: "1.00", title: fmt.Sprint("thing ", id), version: 1})
			ids = append(ids, id)
		}
		before := s.replica.dump(t)
		p, _ := s.draft(s.differing(ids...))
		died += s.throughDeaths(t, p, random)
		for id, r := range s.replica.rows(t) {
			if r.price != "12.5" {
				t.Fatalf("record %d holds %s", id, r.price)
			}
		}
		p, err := s.ledger.Plan(t.Context(), p.ID)
		must(t, err)
		undo, _, err := s.undo(p)
		must(t, err)
		died += s.throughDeaths(t, undo, random)
		same(t, "after the undo", s.replica.dump(t), before)
		for id := int64(1); id <= n; id++ { // so that their findings may be put right again
			s.replica.put(t, row{id: id, price: "12.50", title: fmt.Sprint("thing ", id), version: 1})
			must(t, s.seeing(t.Context(), &reconciler.Item{Key: sources.Key{sources.Int(id)}}))
		}
	}
	t.Logf("%d deaths over %d items", died, 2*rounds*n)
	if died < 2*rounds {
		t.Fatal("too few died for this to show anything")
	}
}

// throughDeaths applies a plan to its end, however often whoever does so dies.
func (s *shop) throughDeaths(t *testing.T, p *reconciler.Plan, random *rand.Rand) (deaths int) {
	t.Helper()
	writes := s.counted()
	s.begin(p)
	for process := 1; ; process++ {
		if process > 500 {
			t.Fatal("it never ends")
		}
		m := &mortal{Journal: soon{s.journal}, counting: writes, random: random}
		a := s.applier()
		a.Journal, a.Worker, a.Now = m, fmt.Sprint("process ", process), s.now
		a.Fixer = sources.NewFixer("basket", m, sources.Limits{Attempts: 1})
		claimed, hashes, err := s.ledger.ClaimPlan(t.Context(), p.ID, a.Worker)
		must(t, err)
		done, wait, err := a.Apply(t.Context(), claimed, hashes)
		deaths += m.deaths
		switch {
		case done && !m.dead:
			ended, err := s.ledger.EndPlan(t.Context(), p.ID)
			must(t, err)
			if ended.State != reconciler.Applied || ended.Counts[reconciler.ItemApplied] != ended.Items() {
				t.Fatalf("%s: %v", ended.State, ended.Counts)
			}
			for key, n := range writes.done {
				if n != 1 {
					t.Fatalf("the record of %q was written %d times", key, n)
				}
			}
			return deaths
		case !m.dead:
			t.Fatalf("done %t, wait %s, %v", done, wait, err)
		}
		s.passed.Add(int64(2 * reconciler.HoldFor))
	}
}
