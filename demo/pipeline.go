package demo

import (
	"container/heap"
	"time"
)

// state is what an owner held of a record when an event was made.
type state struct {
	exists   bool
	product  product
	customer customer
	order    order
}

// event carries an owner's state to the copies.
type event struct {
	ref    ref
	state  state
	began  time.Time
	due    time.Time
	number int // in which order events were sent
	spoil  spoil
	replay bool // puts the copies right whatever they hold
}

// spoil is what goes wrong where an event is applied.
type spoil uint8

const (
	unspoilt spoil = iota
	spoilCut
	spoilRounded
	spoilClock
	spoilTwice
)

// pipeline holds the events on their way, in the order in which they arrive.
type pipeline struct {
	queue  events
	flying map[ref]flight
	sent   int
}

type flight struct {
	count int
	last  time.Time
}

func newPipeline() *pipeline { return &pipeline{flying: map[ref]flight{}} }

// add lets an event arrive at due, or just behind those of its record.
func (p *pipeline) add(e event, due time.Time) {
	if f := p.flying[e.ref]; due.Before(f.last) {
		due = f.last
	}
	p.addAt(e, due)
}

// addAt lets an event arrive at due, even if it overtakes.
func (p *pipeline) addAt(e event, due time.Time) {
	p.sent++
	e.due, e.number = due, p.sent
	heap.Push(&p.queue, e)
	f := p.flying[e.ref]
	f.count++
	if due.After(f.last) {
		f.last = due
	}
	p.flying[e.ref] = f
}

// next takes the next event that is due.
func (p *pipeline) next(now time.Time) (e event, due bool) {
	if len(p.queue) == 0 || p.queue[0].due.After(now) {
		return event{}, false
	}
	e, _ = heap.Pop(&p.queue).(event)
	f := p.flying[e.ref]
	if f.count--; f.count == 0 {
		delete(p.flying, e.ref)
	} else {
		p.flying[e.ref] = f
	}
	return e, true
}

func (p *pipeline) underWay(r ref) int { return p.flying[r].count }

// events is a heap by arrival.
type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	if q[i].due.Equal(q[j].due) {
		return q[i].number < q[j].number
	}
	return q[i].due.Before(q[j].due)
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(event)) }
func (q *events) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}

// deliver applies an event to the copies, as it is or spoilt.
func (s *shop) deliver(e event) {
	switch e.ref.topic {
	case products:
		s.deliverProduct(e)
	case customers:
		s.deliverCustomer(e)
	case orders:
		s.deliverOrder(e)
	}
}

func (s *shop) deliverProduct(e event) {
	p := e.state.product
	if !e.state.exists || e.replay {
		s.write(write{"basket", "DELETE FROM items WHERE product_id = ?", []any{e.ref.id}})
	}
	if !e.state.exists {
		for _, id := range s.itemsOf[e.ref.id] {
			s.items.remove(id)
		}
		delete(s.itemsOf, e.ref.id)
		return
	}
	switch e.spoil {
	case spoilCut:
		p.name = string([]rune(p.name)[:cutAt])
	case spoilRounded:
		p.cents = (p.cents + 50) / 100 * 100
	}
	if !e.replay {
		s.write(write{"basket", "UPDATE items SET product_name = ?, unit_price = ?, state = ?, product_version = ? WHERE product_id = ?",
			append(basketValues(p), e.ref.id)})
	}
	for n, id := range s.itemsOf[e.ref.id] {
		i, _ := s.items.get(id)
		i.held = []product{p}
		if e.replay {
			s.write(copyToBasket(i, p))
		}
		if e.spoil == spoilTwice && n == 0 {
			i.held = append(i.held, p)
			s.write(copyToBasket(i, p))
		}
		s.items.put(id, i)
	}
}

func (s *shop) deliverCustomer(e event) {
	if !e.state.exists {
		delete(s.billing, e.ref.id)
		s.write(write{"billing", "DELETE FROM customers WHERE id = ?", []any{e.ref.id}})
		s.leave(e.ref.id)
		return
	}
	s.billing[e.ref.id], s.members[e.ref.id] = e.state.customer, e.state.customer.member()
	s.write(copyToBilling(e.state.customer))
	s.write(copyToLoyalty(e.state.customer))
}

// leave ends a customer's membership.
func (s *shop) leave(id int64) {
	delete(s.members, id)
	s.write(leaveLoyalty(id))
}

func (s *shop) deliverOrder(e event) {
	s.write(write{"search", "DELETE FROM orders WHERE id = ?", []any{e.ref.id}})
	delete(s.search, e.ref.id)
	if !e.state.exists {
		return
	}
	o := e.state.order
	if e.spoil == spoilClock {
		o.placed = o.placed.Add(officeClock)
	}
	held := []order{o}
	if e.spoil == spoilTwice {
		held = append(held, o)
	}
	for _, copied := range held {
		s.write(copyToSearch(copied))
	}
	s.search[e.ref.id] = held
}
