package reconciler_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"plumbline/reconciler"
	"plumbline/sources"
)

// hands are those of others, who go on writing to both stores while a plan is
// applied: they change the owner, copy what changed to the replica, and count
// in a column of the replica that the check does not name.
type hands struct {
	*shop
	ids int64

	mu      sync.Mutex
	random  *rand.Rand
	owner   map[int64]row
	pending []row // changed in the owner and not yet copied
	counted map[int64]int64
	copied  map[int64]int64 // the highest version that they copied
}

func newHands(s *shop, ids int64, seed uint64) *hands {
	return &hands{shop: s, ids: ids, random: rand.New(rand.NewPCG(seed, 3)), owner: s.owner.rows(s.TB), counted: map[int64]int64{}, copied: map[int64]int64{}}
}

// meddle does one thing to a record, or to some other where id is 0.
func (h *hands) meddle(id int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if id == 0 {
		id = 1 + h.random.Int64N(h.ids)
	}
	switch h.random.IntN(4) {
	case 0:
		h.replica.count(h.TB, id)
		h.counted[id]++
	case 1: // a change that is copied later
		h.pending = append(h.pending, h.change(id))
	case 2: // a change that is copied at once
		h.newer(h.change(id))
	default:
		h.copy()
	}
}

func (h *hands) change(id int64) row {
	r := h.owner[id]
	r.version++
	r.price = fmt.Sprintf("%d.%02d", 1+h.random.IntN(99), 1+h.random.IntN(99))
	h.owner[id] = r
	h.shop.owner.put(h.TB, r)
	return r
}

func (h *hands) copy() {
	if len(h.pending) == 0 {
		return
	}
	at := h.random.IntN(len(h.pending))
	r := h.pending[at]
	h.pending = append(h.pending[:at], h.pending[at+1:]...)
	h.newer(r)
}

func (h *hands) newer(r row) {
	h.replica.newer(h.TB, r)
	h.copied[r.id] = max(h.copied[r.id], r.version)
}

// meddling is a journal during whose work others write to the very record.
type meddling struct {
	reconciler.Journal
	hands *hands
	begun chan<- struct{} // wakes those who write to any record at the same time
}

func (m meddling) sometimes(i *reconciler.Item) {
	m.hands.mu.Lock()
	now := m.hands.random.IntN(3) == 0
	m.hands.mu.Unlock()
	if now {
		m.hands.meddle(i.Key[0].AsInt())
	}
}

func (m meddling) ClaimItem(ctx context.Context, plan, worker string, hold time.Duration) (*reconciler.Item, error) {
	i, err := m.Journal.ClaimItem(ctx, plan, worker, hold)
	if i != nil {
		select {
		case m.begun <- struct{}{}:
		default:
		}
		m.sometimes(i)
	}
	return i, err
}

func (m meddling) Intend(ctx context.Context, i *reconciler.Item, until time.Time) error {
	err := m.Journal.Intend(ctx, i, until)
	m.sometimes(i)
	return err
}

func (m meddling) Settle(ctx context.Context, i *reconciler.Item, state reconciler.ItemState) error {
	m.sometimes(i)
	return m.Journal.Settle(ctx, i, state)
}

// counting is a store that counts the writes that it did.
type counting struct {
	sources.Source
	sources.Writer
	mu   sync.Mutex
	done map[string]int // by key
}

func (c *counting) Write(ctx context.Context, d *sources.Dataset, change *sources.Change, until time.Time) error {
	err := c.Writer.Write(ctx, d, change, until)
	if err == nil {
		c.mu.Lock()
		c.done[change.Key.Encode()]++
		c.mu.Unlock()
	}
	return err
}

// counted has a shop's writes counted.
func (s *shop) counted() *counting {
	source := openSource(s.TB, s.replica, "basket", true)
	writer, ok := source.(sources.Writer)
	if !ok {
		s.TB.Fatalf("%s has no Writer", s.replica.kind())
	}
	c := &counting{Source: source, Writer: writer, done: map[string]int{}}
	must(s.TB, s.fixer.Close())
	s.fixer = sources.NewFixer("basket", c, sources.Limits{})
	return c
}

func seedOf(t testing.TB) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return seed
}

const recordsPerRound = 50

// interleave applies items while hot writers write to both sides, rounds times,
// and says how many were met with. No count of theirs is lost, no version of
// theirs is overwritten by an older one, and no item is written twice.
func interleave(t *testing.T, kind string, rounds int) {
	t.Helper()
	seed := seedOf(t)
	s := newShop(t, kind, nil)
	s.stock(recordsPerRound)
	h := newHands(s, recordsPerRound, seed)
	counts := map[reconciler.ItemState]int64{}
	for range rounds {
		writes := s.counted()
		ids := drifted(h)
		p, _ := s.draft(s.differing(ids...))
		a := s.applier()
		begun := make(chan struct{}, 2)
		a.Journal, a.Verify = meddling{s.journal, h, begun}, s.seeing
		var others sync.WaitGroup
		for range 2 {
			others.Go(func() {
				for range begun {
					h.meddle(0)
				}
			})
		}
		p = s.apply(p, a)
		close(begun)
		others.Wait()
		for state, n := range p.Counts {
			counts[state] += n
		}
		var unseen []reconciler.Item
		for _, i := range s.items(p) {
			done := writes.done[i.Asked.Encode()]
			ours := i.State == reconciler.ItemApplied || i.State == reconciler.ItemVerified
			if i.State == reconciler.ItemApplied { // not seen: others were at it meanwhile
				unseen = append(unseen, i)
			}
			if done > 1 || ours != (done == 1) {
				t.Fatalf("item %d is %s (%s), and was written %d times", i.N, i.State, i.Note, done)
			}
		}
		for len(h.pending) > 0 {
			h.copy()
		}
		h.compare(t)
		for n := range unseen { // so that its finding may be put right again
			id := unseen[n].Key[0].AsInt()
			h.newer(h.change(id))
			must(t, s.seeing(t.Context(), &unseen[n]))
		}
	}
	met := int64(0)
	for _, n := range counts {
		met += n
	}
	t.Logf("%s: %d interleavings: %v", kind, met, counts)
	if met < int64(rounds)*recordsPerRound*9/10 {
		t.Fatal("records were left out")
	}
	if counts[reconciler.ItemFailed]+counts[reconciler.Pending]+counts[reconciler.Doubtful] > 0 {
		t.Fatal("items failed, or were left")
	}
	if rounds > 2 && (counts[reconciler.ItemStale] == 0 || counts[reconciler.ItemApplied]+counts[reconciler.ItemVerified] == 0) {
		t.Fatal("the writers were too hot, or not hot enough, for this to show anything")
	}
}

// drifted takes every record's last change from the replica, as a replication that
// lost it would.
func drifted(h *hands) (ids []int64) {
	now := h.replica.rows(h.TB)
	for id := int64(1); id <= h.ids; id++ {
		h.change(id)
		r := now[id]
		r.title = "stale"
		h.replica.put(h.TB, r)
		ids = append(ids, id)
	}
	return ids
}

// compare has every count be kept, and no record be older than what was copied last.
func (h *hands) compare(t *testing.T) {
	t.Helper()
	owner, replica := h.shop.owner.rows(t), h.replica.rows(t)
	for id := int64(1); id <= h.ids; id++ {
		o, r := owner[id], replica[id]
		if r.stock != h.counted[id] {
			t.Fatalf("record %d: %d counts of others, and the replica holds %d", id, h.counted[id], r.stock)
		}
		if r.version > o.version {
			t.Fatalf("record %d has version %d, and the owner %d", id, r.version, o.version)
		}
		if copied := h.copied[id]; r.version < copied {
			t.Fatalf("record %d has version %d, and others had copied %d", id, r.version, copied)
		}
	}
}

func TestHotWritersLoseNothing(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sqlite", "postgres", "mongodb"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			interleave(t, kind, 7)
		})
	}
}

func TestSoakHotWritersLoseNothing(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return
	}
	for _, kind := range []string{"sqlite", "postgres", "mongodb"} {
		t.Run(kind, func(t *testing.T) { interleave(t, kind, 70) })
	}
}
