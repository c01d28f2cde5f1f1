package demo

import (
	"math"
	"slices"
	"testing"
	"time"
)

const testSeed = 7

func opened() time.Time { return time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC) }

// calmShop lets nothing go wrong by itself.
func calmShop() *shop {
	s := newShop(testSeed, opened(), &truth{})
	s.schedule.next, s.schedule.replay = opened().AddDate(1, 0, 0), opened().AddDate(1, 0, 0)
	s.schedule.batch = s.schedule.next
	s.takeWrites()
	return s
}

// steps moves a shop on, in steps of the demo, without waiting.
func steps(s *shop, length time.Duration) {
	for until := s.now.Add(length); s.now.Before(until); {
		s.step(s.now.Add(stepEvery))
		s.committed(s.now)
	}
}

// rest ends traffic and lets all events arrive.
func rest(s *shop) {
	s.owed = math.Inf(-1)
	s.schedule.next = s.now.AddDate(1, 0, 0)
	s.schedule.batch = s.schedule.next
	steps(s, 10*time.Second)
}

// wrong are the records whose copies differ from their owner.
func wrong(s *shop) (list []ref) {
	for topic, last := range []int64{products: s.last.product, customers: s.last.customer, orders: s.last.order} {
		for id := int64(1); id <= last; id++ {
			r := ref{topicOf(topic), id}
			if !s.inSync(r) {
				list = append(list, r)
			}
		}
	}
	return list
}

func topicOf(i int) topic { return []topic{products, customers, orders}[i] }

func TestTrafficAloneLeavesEveryCopyRight(t *testing.T) {
	t.Parallel()
	s := calmShop()
	steps(s, 10*time.Minute)
	if s.changes < 10*60*changesPerSecond*9/10 {
		t.Errorf("only %d changes in 10 minutes", s.changes)
	}
	if len(wrong(s)) == 0 {
		t.Error("nothing is under way: no suspect would ever be merely late")
	}
	rest(s)
	if list := wrong(s); len(list) > 0 {
		t.Errorf("seed %d: %d records differ without a fault, the first is %v", testSeed, len(list), list[0])
	}
	if n := s.truth.tally(s.now, time.Hour).letIn; n > 0 {
		t.Errorf("%d faults in a calm shop", n)
	}
	for what, n := range map[string][3]int{"products": {s.products.len(), leastProducts, mostProducts}, "orders": {s.orders.len(), leastOrders - ordersPerDay*daysOfOrders, mostOrders},
		"customers": {s.customers.len(), leastCustomers, mostCustomers}, "items": {s.items.len(), leastItems / 2, mostItems}} {
		if n[0] < n[1] || n[0] > n[2] {
			t.Errorf("%d %s after 10 minutes", n[0], what)
		}
	}
}

func TestNoEventTakesLongerThanPromised(t *testing.T) {
	t.Parallel()
	s := calmShop()
	for range 10_000 {
		if lag := s.lag(); lag < 200*time.Millisecond || lag > 2500*time.Millisecond {
			t.Fatalf("lag of %s", lag)
		}
	}
}

func TestFaultsAreTheOnlyCause(t *testing.T) {
	t.Parallel()
	s := newShop(testSeed, opened(), &truth{})
	steps(s, 10*time.Minute)
	s.schedule.replay = s.now.AddDate(1, 0, 0)
	rest(s)
	list := wrong(s)
	if len(list) == 0 {
		t.Error("nothing drifts")
	}
	for _, r := range list {
		if s.free(r) {
			t.Errorf("seed %d: %v differs without a fault", testSeed, r)
		}
	}
	kinds := map[faultKind]int{}
	open := 0
	for _, f := range s.truth.faults {
		kinds[f.kind]++
		if f.healed.IsZero() {
			open++
			if f.from.IsZero() {
				t.Errorf("%s of %v neither shows nor healed", f.kind, f.ref)
			}
		}
	}
	for _, kind := range append(faultKinds(), lostBatch) {
		if kinds[kind] == 0 {
			t.Errorf("no %s in 10 minutes", kind)
		}
	}
	if open != len(list) || open > 30+batchSize {
		t.Errorf("%d faults are open, %d records differ: each open one is about one record, and replays keep them few", open, len(list))
	}
}

func TestEachFaultShowsUntilItIsMended(t *testing.T) {
	t.Parallel()
	for _, kind := range faultKinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := calmShop()
			for range 20 { // several, since most kinds can befall several kinds of record
				s.letIn(kind)
				steps(s, 100*time.Millisecond)
			}
			if n := len(s.truth.faults); n != 20 {
				t.Fatalf("let in %d of 20", n)
			}
			steps(s, 4*time.Second)
			for _, f := range s.truth.faults {
				if s.inSync(f.ref) || f.from.IsZero() || !f.healed.IsZero() {
					t.Errorf("%v does not show after 4 s", f.ref)
				}
			}
			if kind == lateEvent {
				steps(s, 5*time.Second)
			}
			for range 20 { // a replay overlooks some
				s.schedule.replay = s.now
				steps(s, replayAfter)
			}
			for _, f := range s.truth.faults {
				if f.healed.IsZero() || !s.free(f.ref) {
					t.Errorf("%v is not mended", f.ref)
				}
			}
			rest(s)
			if list := wrong(s); len(list) > 0 {
				t.Errorf("%v still differs", list[0])
			}
		})
	}
}

// What a tired engineer sees first must not depend on luck.
func TestFirstFaultsComeAtOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		s := newShop(seed, opened(), &truth{})
		steps(s, 3*time.Second)
		var kinds []faultKind
		for _, f := range s.truth.faults {
			kinds = append(kinds, f.kind)
		}
		if len(kinds) < len(opening()) || !slices.Equal(kinds[:len(opening())], opening()) {
			t.Errorf("seed %d: the first 3 s bring %v", seed, kinds)
		}
	}
}

func TestSameSeedWritesTheSame(t *testing.T) {
	t.Parallel()
	a, b := newShop(testSeed, opened(), &truth{}), newShop(testSeed, opened(), &truth{})
	if !slices.EqualFunc(a.takeWrites(), b.takeWrites(), sameWrite) {
		t.Fatal("the first records differ")
	}
	for now := opened(); now.Before(opened().Add(2 * time.Minute)); now = now.Add(stepEvery) {
		if !slices.EqualFunc(a.step(now), b.step(now), sameWrite) {
			t.Fatalf("the writes of %s differ", now)
		}
	}
}

func sameWrite(a, b write) bool {
	return a.service == b.service && a.statement == b.statement && slices.Equal(a.args, b.args)
}

func TestSlowMachineIsNoFalseAlarm(t *testing.T) {
	t.Parallel()
	s := calmShop()
	steps(s, 5*time.Second)
	for len(s.delivered) == 0 {
		s.step(s.now.Add(stepEvery))
	}
	s.committed(s.now.Add(5 * time.Second)) // the disk took that long
	if n := s.truth.tally(s.now, time.Hour); n.letIn == 0 || n.healed != n.letIn {
		t.Errorf("%+v: an event that came 5 s late is a fault that healed", n)
	}
}
