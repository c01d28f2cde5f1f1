package demo

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"plumbline/sources"
)

// A shop knows what its copies hold since it alone writes them. Where somebody
// applies a fix, others do: of the records that fixes were about the shop reads
// its stores back, so that it knows what went right, or wrong, by other hands.

// touched are the records that fixes are about. It is safe for several goroutines.
type touched struct {
	mu   sync.Mutex
	refs []ref // those touched last
}

// touchedMost is how many records are read back; of more, those touched last.
const touchedMost = 500

func (t *touched) add(r ref) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refs = slices.DeleteFunc(t.refs, func(known ref) bool { return known == r })
	t.refs = append(t.refs, r)
	t.refs = t.refs[max(0, len(t.refs)-touchedMost):]
}

func (t *touched) list() []ref {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.refs)
}

// refOf is the owner's record that a key of a check leads to; ok is false where
// the check is of none.
func refOf(check string, key sources.Key) (r ref, ok bool) {
	of := map[string]topic{"basket-prices": products, "customers-in-billing": customers, "loyalty-members": customers, "orders-in-search": orders}
	topic, known := of[check]
	if !known || len(key) != 1 {
		return r, false
	}
	id, whole := key[0].Integer()
	return ref{topic, id}, whole
}

// readBack shows the shop what the stores hold of the records that fixes are about.
func readBack(ctx context.Context, s *shop, st *stores, t *touched) error {
	for _, r := range t.list() {
		c, err := st.copiesOf(ctx, r)
		if err != nil {
			return err
		}
		s.see(r, c)
	}
	return nil
}

// copies are what the stores of those who copy hold of one record.
type copies struct {
	items   map[int64][]product // of a product, by item
	billing *customer           // of a customer
	member  *member
	search  []order // of an order
}

// copiesOf reads the copies of a record.
func (st *stores) copiesOf(ctx context.Context, r ref) (c copies, err error) {
	switch r.topic {
	case products:
		c.items = map[int64][]product{}
		err = st.each(ctx, "basket", "SELECT basket_id, line, product_name, unit_price, state, product_version FROM items WHERE product_id = ?", r.id,
			func(rows *sql.Rows) error {
				p, basket, line, price, state := product{id: r.id, state: 1}, int64(0), int64(0), "", ""
				if err := rows.Scan(&basket, &line, &p.name, &price, &state, &p.version); err != nil {
					return err
				}
				if state == "BLOCKED" {
					p.state = 2
				}
				p.cents = cents(price)
				id := (basket-1)*3 + line - 1
				c.items[id] = append(c.items[id], p)
				return nil
			})
	case customers:
		if err = st.each(ctx, "billing", "SELECT name, email, street, city, version FROM customers WHERE id = ?", r.id, func(rows *sql.Rows) error {
			c.billing = &customer{id: r.id}
			return rows.Scan(&c.billing.name, &c.billing.email, &c.billing.street, &c.billing.city, &c.billing.version)
		}); err != nil {
			return c, err
		}
		err = st.each(ctx, "loyalty", "SELECT name, email FROM members WHERE customer_id = ?", r.id, func(rows *sql.Rows) error {
			c.member = &member{}
			return rows.Scan(&c.member.name, &c.member.email)
		})
	case orders:
		err = st.each(ctx, "search", "SELECT status, total, placed_at, version FROM orders WHERE id = ?", r.id, func(rows *sql.Rows) error {
			o, status, total, placed := order{id: r.id}, "", "", ""
			if err := rows.Scan(&status, &total, &placed, &o.version); err != nil {
				return err
			}
			o.status, o.cents = map[string]int64{"placed": 1, "paid": 2, "shipped": 3}[status], cents(total)
			o.placed, _ = time.Parse(time.DateTime, placed) // what is no time is not the owner's
			c.search = append(c.search, o)
			return nil
		})
	}
	return c, err
}

func (st *stores) each(ctx context.Context, service, query string, id int64, row func(*sql.Rows) error) (err error) {
	db := st.services[service]
	if tx := st.locked[service]; tx != nil { // by our own maintenance
		return nil
	}
	rows, err := db.QueryContext(ctx, query, id)
	if err != nil {
		return fmt.Errorf("read %s back: %w", service, err)
	}
	defer func() { _ = rows.Close() }() // what it would say, Err has said
	for rows.Next() {
		if err := row(rows); err != nil {
			return fmt.Errorf("read %s back: %w", service, err)
		}
	}
	return rows.Err()
}

// cents reads an amount as money writes it, or as a number that a fix wrote.
func cents(amount string) int64 {
	f, err := strconv.ParseFloat(amount, 64)
	if err != nil {
		return -1 // what is no amount is not the owner's
	}
	return int64(math.Round(f * 100))
}

// see takes over what the stores hold of a record: its fault is over where all
// copies are right, and one begins where they are not and none is known.
func (s *shop) see(r ref, c copies) {
	if s.pipeline.underWay(r) > 0 {
		return // what is on its way will be seen later
	}
	owner := s.state(r)
	switch r.topic {
	case products:
		for _, id := range s.itemsOf[r.id] {
			held := c.items[id]
			for n := range held {
				if held[n].name == strings.ToUpper(owner.product.name) {
					held[n].name = owner.product.name
				}
			}
			i, _ := s.items.get(id)
			i.held = held
			s.items.put(id, i)
		}
	case customers:
		delete(s.billing, r.id)
		if b := c.billing; b != nil {
			b.email = spelt(b.email, owner.customer.email)
			s.billing[r.id] = *b
		}
		delete(s.members, r.id)
		if m := c.member; m != nil {
			m.email = spelt(m.email, owner.customer.email)
			s.members[r.id] = *m
		}
	case orders:
		for n := range c.search { // what search does not keep cannot be wrong there
			c.search[n].customer = owner.order.customer
		}
		s.search[r.id] = c.search
		if len(c.search) == 0 {
			delete(s.search, r.id)
		}
	}
	switch fault := s.faulty[r]; {
	case fault != nil && s.inSync(r):
		delete(s.faulty, r)
		s.truth.heal(fault, s.now)
	case fault == nil && !s.inSync(r):
		s.begin(undone, true, r)
	}
}

// spelt is a text as the owner spells it, where they differ in case alone.
func spelt(text, owner string) string {
	if strings.EqualFold(text, owner) {
		return owner
	}
	return text
}
