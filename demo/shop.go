package demo

import (
	"math/rand/v2"
	"slices"
	"time"
)

// changesPerSecond is how lively the shop is.
const changesPerSecond = 30

// shop simulates seven services. It is driven step by step and does nothing of
// its own: each step says what to write to which store. It knows what owners
// and copies hold, so it knows whether a fault it let in still shows.
type shop struct {
	random *rand.Rand
	now    time.Time
	truth  *truth

	products  *register[product]
	customers *register[customer] // those not deleted
	orders    *register[order]
	items     *register[item]
	itemsOf   map[int64][]int64 // items by product, those of deleted products as well
	billing   map[int64]customer
	members   map[int64]member
	search    map[int64][]order
	unknown   map[int64]bool                                 // customers that an order names and the crm never wrote
	last      struct{ product, customer, order, item int64 } // ids given out

	pipeline *pipeline
	faulty   map[ref]*fault // records that traffic leaves alone until their fault is gone
	schedule schedule
	writes   []write
	// delivered are the events since the last commit whose records have no fault,
	// showing the faults that nothing but a repair will end from then on.
	delivered []event
	showing   []*fault
	owed      float64 // changes due and not yet made
	changes   int
	replayed  int // records that replays sent again
}

const (
	firstProducts  = 600
	firstCustomers = 500
	firstItems     = 1500
	daysOfOrders   = 14
	ordersPerDay   = 50
)

// newShop makes a shop in which every copy is right.
func newShop(seed uint64, now time.Time, t *truth) *shop {
	s := &shop{random: rand.New(rand.NewPCG(seed, 1)), now: now.UTC(), truth: t,
		products: newRegister[product](), customers: newRegister[customer](), orders: newRegister[order](), items: newRegister[item](),
		itemsOf: map[int64][]int64{}, billing: map[int64]customer{}, members: map[int64]member{}, search: map[int64][]order{}, unknown: map[int64]bool{},
		pipeline: newPipeline(), faulty: map[ref]*fault{}, schedule: newSchedule(now.UTC())}
	for range firstProducts {
		s.createProduct()
	}
	for range firstCustomers {
		s.copyAtOnce(ref{customers, s.createCustomer()})
	}
	for range firstItems {
		s.addItem()
	}
	for day := daysOfOrders; day >= 0; day-- {
		midnight := s.now.Truncate(24*time.Hour).AddDate(0, 0, -day)
		for range ordersPerDay {
			placed := midnight.Add(time.Duration(s.random.Int64N(int64(20 * time.Hour)))).Truncate(time.Second)
			if day == 0 {
				placed = s.now.Truncate(time.Second)
			}
			s.copyAtOnce(ref{orders, s.createOrder(placed, 1+s.random.Int64N(3))})
		}
	}
	s.changes = 0
	return s
}

// records is how many records all stores hold.
func (s *shop) records() int {
	return s.products.len() + s.customers.len() + s.orders.len() + s.items.len() + len(s.billing) + len(s.members) + len(s.search)
}

// step moves the shop to now and returns what that writes, to be committed
// service by service, in the order of services.
func (s *shop) step(now time.Time) []write {
	passed := now.Sub(s.now).Seconds()
	s.now = now.UTC()
	s.owed = min(s.owed+passed*changesPerSecond, changesPerSecond) // a machine that slept makes up for one second
	for ; s.owed >= 1; s.owed-- {
		s.trade()
	}
	s.misbehave()
	for {
		e, due := s.pipeline.next(s.now)
		if !due {
			break
		}
		s.deliver(e)
		if s.free(e.ref) {
			s.delivered = append(s.delivered, e)
		}
		s.heal(e.ref)
	}
	return s.takeWrites()
}

// committed says when the writes of the last steps were in the stores. An event
// that took longer than any should is a fault of its own: the machine was late.
func (s *shop) committed(at time.Time) {
	for _, f := range s.showing {
		s.truth.shows(f, at)
	}
	s.showing = s.showing[:0]
	for _, e := range s.delivered {
		if at.Sub(e.began) > slowest {
			s.truth.late(s.places(e.ref), e.began, at)
		}
	}
	s.delivered = s.delivered[:0]
}

func (s *shop) takeWrites() []write {
	writes := s.writes
	s.writes = nil
	return writes
}

func (s *shop) write(w write) { s.writes = append(s.writes, w) }

// free says whether traffic may touch a record.
func (s *shop) free(r ref) bool { return s.faulty[r] == nil }

// quiet says whether a record has neither a fault nor an event on its way.
func (s *shop) quiet(r ref) bool { return s.free(r) && s.pipeline.underWay(r) == 0 }

// lag is how long an event takes to the copy: mostly short, never beyond 2.5 s.
func (s *shop) lag() time.Duration {
	return 200*time.Millisecond + time.Duration(s.random.Float64()*s.random.Float64()*float64(2300*time.Millisecond))
}

// copyAtOnce gives a record's copies its present state.
func (s *shop) copyAtOnce(r ref) { s.deliver(event{ref: r, state: s.state(r)}) }

// publish sends a record's present state to its copies.
func (s *shop) publish(r ref) { s.send(event{ref: r}, s.lag()) }

// send gives an event the owner's present state and lets it arrive after lag,
// behind those of the same record that are on their way.
func (s *shop) send(e event, lag time.Duration) {
	e.state, e.began = s.state(e.ref), s.now
	s.pipeline.add(e, s.now.Add(lag))
}

// state is what the owner holds of a record.
func (s *shop) state(r ref) (st state) {
	switch r.topic {
	case products:
		st.product, st.exists = s.products.get(r.id)
	case customers:
		st.customer, st.exists = s.customers.get(r.id)
	case orders:
		st.order, st.exists = s.orders.get(r.id)
	}
	return st
}

// inSync says whether every copy of a record is what its owner holds.
func (s *shop) inSync(r ref) bool {
	owner := s.state(r)
	switch r.topic {
	case products:
		for _, id := range s.itemsOf[r.id] {
			i, _ := s.items.get(id)
			if !owner.exists || len(i.held) != 1 || i.held[0] != owner.product {
				return false
			}
		}
		return true
	case customers:
		held, there := s.billing[r.id]
		joined, member := s.members[r.id]
		return there == owner.exists && member == owner.exists && held == owner.customer && joined == owner.customer.member()
	default:
		held := s.search[r.id]
		if owner.exists && s.unknown[owner.order.customer] {
			return false
		}
		return !owner.exists && len(held) == 0 || owner.exists && len(held) == 1 && held[0] == owner.order
	}
}

// heal ends the fault of a record whose copies have become right.
func (s *shop) heal(r ref) {
	f := s.faulty[r]
	if f == nil || s.pipeline.underWay(r) > 0 {
		return
	}
	if !s.inSync(r) {
		s.showing = append(s.showing, f)
		return
	}
	delete(s.faulty, r)
	s.truth.heal(f, s.now)
}

// places are where a fault of a record can be found: the first for certain, the
// others perhaps.
func (s *shop) places(r ref) []place {
	switch r.topic {
	case products:
		return []place{{"basket-prices", number(r.id)}}
	case customers:
		return []place{{"customers-in-billing", number(r.id)}, {"loyalty-members", number(r.id)}}
	}
	list := []place{{"orders-in-search", number(r.id)}}
	held := slices.Clone(s.search[r.id])
	if owner, there := s.orders.get(r.id); there {
		held = append(held, owner)
	}
	for _, o := range held {
		for _, placed := range []time.Time{o.placed, o.placed.Add(officeClock)} { // where a wrong clock moves it
			list = append(list, place{"orders-per-day", placed.Format(time.DateOnly)})
		}
	}
	return list
}
