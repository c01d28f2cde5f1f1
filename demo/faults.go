package demo

import "time"

// faultKind is what went wrong, in the words of those who look for it.
type faultKind string

const (
	lostEvent      faultKind = "lost event"
	lostBatch      faultKind = "lost batch of events"
	lateEvent      faultKind = "late event"
	outOfOrder     faultKind = "events out of order"
	halfWrite      faultKind = "half a dual write"
	lostCustomer   faultKind = "customer rolled back"
	wrongClock     faultKind = "local time stored as UTC"
	cutText        faultKind = "name cut"
	lostDelete     faultKind = "lost delete"
	deliveredTwice faultKind = "delivered twice"
	roundedPrice   faultKind = "price rounded"
	undone         faultKind = "fix taken back" // by whoever looks at the demo
)

const (
	// cutAt is how many characters of a name the faulty code keeps.
	cutAt = 20
	// officeClock is how far the office's clock is ahead of UTC.
	officeClock = 2 * time.Hour
)

// batchSize is how many events a lost batch holds.
const batchSize = 24

// opening are the first faults, in an order that soon has something to show.
func opening() []faultKind {
	return []faultKind{lostEvent, lateEvent, wrongClock, halfWrite}
}

func faultKinds() []faultKind {
	return []faultKind{lostEvent, lateEvent, outOfOrder, halfWrite, lostCustomer, wrongClock, cutText, lostDelete, deliveredTwice, roundedPrice}
}

// schedule says when what goes wrong next.
type schedule struct {
	next   time.Time   // the next fault
	batch  time.Time   // the next lost batch
	replay time.Time   // the next replay
	kinds  []faultKind // those to come, each kind once before any comes again
	opened int         // how many there were
}

const (
	firstFaults = 400 * time.Millisecond
	firstBatch  = 14 * time.Second
	batchEvery  = 150 * time.Second
	replayEvery = 30 * time.Second
	// replayAfter is how old a fault must be before a replay mends it.
	replayAfter = 12 * time.Second
	// leftFor is how long replays leave alone what people may want to fix: a lost
	// batch, and a fix that was taken back.
	leftFor = 30 * time.Minute
)

func newSchedule(now time.Time) schedule {
	return schedule{next: now.Add(firstFaults), batch: now.Add(firstBatch), replay: now.Add(replayEvery), kinds: opening()}
}

// misbehave lets the faults in that are due, and replays what lies too long.
func (s *shop) misbehave() {
	if !s.now.Before(s.schedule.replay) {
		s.schedule.replay = s.now.Add(replayEvery)
		s.replay()
	}
	if !s.now.Before(s.schedule.batch) {
		s.schedule.batch = s.now.Add(batchEvery)
		s.letIn(lostBatch)
	}
	if s.now.Before(s.schedule.next) {
		return
	}
	if len(s.schedule.kinds) == 0 {
		s.schedule.kinds = faultKinds()
		s.random.Shuffle(len(s.schedule.kinds), func(i, j int) {
			s.schedule.kinds[i], s.schedule.kinds[j] = s.schedule.kinds[j], s.schedule.kinds[i]
		})
	}
	kind := s.schedule.kinds[0]
	s.schedule.kinds = s.schedule.kinds[1:]
	pause := 3*time.Second + time.Duration(s.random.Int64N(int64(3*time.Second)))
	if s.schedule.opened++; s.schedule.opened < len(opening()) {
		pause = firstFaults
	}
	s.schedule.next = s.now.Add(pause)
	s.letIn(kind)
}

// letIn makes one fault of a kind. Where no record is fit for it just now, none is made.
func (s *shop) letIn(kind faultKind) {
	switch kind {
	case lostEvent, lateEvent, outOfOrder:
		s.spoilDelivery(kind)
	case halfWrite:
		if c, ok := s.quietCustomer(); ok {
			s.saveCustomer(s.otherAddress(c))
			whole, _ := s.customers.get(c.id)
			whole.street = c.street
			s.billing[c.id], s.members[c.id] = whole, whole.member()
			s.write(copyToBilling(whole))
			s.write(copyToLoyalty(whole))
			s.begin(kind, true, ref{customers, c.id})
		}
	case lostCustomer:
		s.rollBackCustomer()
	case wrongClock, deliveredTwice:
		spoil := spoilClock
		if kind == deliveredTwice {
			spoil = spoilTwice
			if p, ok := s.quietProduct(); ok && s.random.IntN(2) == 0 {
				s.spoilProduct(kind, s.otherPrice(p), spoil)
				return
			}
		}
		if o, ok := s.quietOrder(); ok {
			s.saveOrder(s.otherStatus(o))
			s.begin(kind, false, ref{orders, o.id})
			s.send(event{ref: ref{orders, o.id}, spoil: spoil}, s.lag())
		}
	case cutText:
		if p, ok := s.quietProduct(); ok {
			s.spoilProduct(kind, p, spoilCut)
		}
	case roundedPrice:
		if p, ok := s.quietProduct(); ok {
			p.cents = p.cents/100*100 + 35
			s.spoilProduct(kind, p, spoilRounded)
		}
	case lostDelete:
		s.loseDelete()
	case lostBatch:
		s.loseBatch()
	}
}

// loseBatch ships many orders at once, and search's consumer drops the events. It
// does so once until that is put right.
func (s *shop) loseBatch() {
	for _, f := range s.faulty {
		if f.kind == lostBatch {
			return
		}
	}
	for range batchSize {
		o, ok := s.orders.draw(s.random, func(id int64, o order) bool { return o.status == 2 && s.quiet(ref{orders, id}) })
		if !ok {
			return
		}
		o.status = 3
		s.saveOrder(o)
		// Counts and revenue of a day do not depend on the status.
		s.beginAt(lostBatch, true, []place{{"orders-in-search", number(o.id)}}, ref{orders, o.id})
	}
}

func (s *shop) spoilProduct(kind faultKind, p product, how spoil) {
	s.saveProduct(p)
	s.begin(kind, false, ref{products, p.id})
	s.send(event{ref: ref{products, p.id}, spoil: how}, s.lag())
}

// begin keeps a fault of a record; shows says that it does already.
func (s *shop) begin(kind faultKind, shows bool, r ref) { s.beginAt(kind, shows, s.places(r), r) }

func (s *shop) beginAt(kind faultKind, shows bool, places []place, r ref) {
	f := &fault{kind: kind, at: s.now, ref: r, places: places}
	if shows {
		s.showing = append(s.showing, f)
	}
	s.faulty[r] = f
	s.changes++
	s.truth.letIn(f)
}

// spoilDelivery changes a record of any kind, and loses, delays or reorders the events.
func (s *shop) spoilDelivery(kind faultKind) {
	change, r, ok := s.changeable()
	if !ok {
		return
	}
	change()
	switch kind {
	case lostEvent:
		s.begin(kind, true, r)
	case lateEvent:
		s.begin(kind, true, r)
		s.send(event{ref: r}, 6*time.Second+time.Duration(s.random.Int64N(int64(2*time.Second))))
	case outOfOrder:
		older := event{ref: r, state: s.state(r), began: s.now}
		change()
		newer := event{ref: r, state: s.state(r), began: s.now}
		s.begin(kind, false, r)
		lag := s.lag()
		s.pipeline.addAt(newer, s.now.Add(lag))
		s.pipeline.addAt(older, s.now.Add(lag+500*time.Millisecond))
	}
}

// changeable picks a record of any kind and a way to change it.
func (s *shop) changeable() (change func(), r ref, ok bool) {
	switch s.random.IntN(3) {
	case 0:
		if c, ok := s.quietCustomer(); ok {
			return func() { s.saveCustomer(s.otherAddress(s.customers.rows[c.id])) }, ref{customers, c.id}, true
		}
	case 1:
		if o, ok := s.quietOrder(); ok {
			return func() { s.saveOrder(s.otherStatus(s.orders.rows[o.id])) }, ref{orders, o.id}, true
		}
	}
	p, ok := s.quietProduct()
	return func() { s.saveProduct(s.otherPrice(s.products.rows[p.id])) }, ref{products, p.id}, ok
}

// quietProduct is one that lies in a basket.
func (s *shop) quietProduct() (product, bool) {
	return s.products.draw(s.random, func(id int64, _ product) bool { return s.quiet(ref{products, id}) && len(s.itemsOf[id]) > 0 })
}

func (s *shop) quietCustomer() (customer, bool) {
	return s.customers.draw(s.random, func(id int64, _ customer) bool { return s.quiet(ref{customers, id}) })
}

func (s *shop) quietOrder() (order, bool) {
	return s.orders.draw(s.random, func(id int64, _ order) bool { return s.quiet(ref{orders, id}) })
}

// otherStatus moves an order on, or, when it is shipped, refunds part of it.
func (s *shop) otherStatus(o order) order {
	if o.status < 3 {
		o.status++
	} else {
		o.cents -= min(o.cents/2, 500)
	}
	return o
}

func (s *shop) rollBackCustomer() {
	s.last.customer++
	stranger := s.last.customer
	s.unknown[stranger] = true
	s.last.order++
	o := order{id: s.last.order, customer: stranger, status: 1, cents: 1000 + s.random.Int64N(30_000), placed: s.now.Truncate(time.Second)}
	s.saveOrder(o)
	s.publish(ref{orders, o.id})
	s.beginAt(lostCustomer, true, []place{{"orders-know-their-customer", number(stranger)}}, ref{orders, o.id})
}

func (s *shop) loseDelete() {
	if s.random.IntN(2) == 0 {
		if c, ok := s.quietCustomer(); ok {
			s.deleteCustomer(c.id)
			s.leave(c.id)
			s.begin(lostDelete, true, ref{customers, c.id})
			return
		}
	}
	if p, ok := s.quietProduct(); ok {
		s.deleteProduct(p.id)
		s.begin(lostDelete, true, ref{products, p.id})
	}
}

// replay sends the owners' records again where copies have been wrong for a
// while, as a nightly job would; about a third it overlooks, and batches that
// were lost whole it does not know of for long: those are for people to fix.
func (s *shop) replay() {
	for _, f := range s.truth.open() {
		if s.now.Sub(f.at) < replayAfter || s.random.IntN(3) == 0 || (f.kind == lostBatch || f.kind == undone) && s.now.Sub(f.at) < leftFor {
			continue
		}
		s.replayed++
		if f.kind == lostCustomer {
			s.rescue(f.ref)
			continue
		}
		s.send(event{ref: f.ref, replay: true}, s.lag())
	}
}

// rescue writes the customer that an order's transaction rolled back.
func (s *shop) rescue(r ref) {
	stranger := s.orders.rows[r.id].customer
	delete(s.unknown, stranger)
	s.saveCustomer(s.newCustomer(stranger))
	s.publish(ref{customers, stranger})
	s.heal(r)
}
