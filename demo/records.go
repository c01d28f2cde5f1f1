package demo

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// product is what the catalog owns and baskets copy.
type product struct {
	id      int64
	name    string
	cents   int64
	state   int64 // 1 active, 2 blocked
	version int64
}

// customer is what the crm owns and billing copies.
type customer struct {
	id                        int64
	name, email, street, city string
	version                   int64
}

// member is what loyalty copies of a customer.
type member struct{ name, email string }

func (c customer) member() member { return member{c.name, c.email} }

// order is what the order service owns and search copies.
type order struct {
	id, customer int64
	status       int64 // 1 placed, 2 paid, 3 shipped
	cents        int64
	placed       time.Time
	version      int64
}

// item is a line of a basket, with the copies of its product that the basket
// service holds: one, or two after a double delivery.
type item struct {
	id, product int64
	held        []product
}

// basket and line are the item's identity in its store.
func (i item) basket() int64 { return i.id/3 + 1 }
func (i item) line() int64   { return i.id%3 + 1 }

// topic is a kind of record that is copied from its owner.
type topic uint8

const (
	products topic = iota
	customers
	orders
)

// ref names a record of an owner.
type ref struct {
	topic topic
	id    int64
}

// write is one statement for the store of one service.
type write struct {
	service, statement string
	args               []any
}

// services are the shop's services, owners before those that copy from them.
func services() []string {
	return []string{"catalog", "crm", "orders", "basket", "billing", "search", "loyalty"}
}

// schema makes the stores. What copies has no constraint against holding a
// record twice, as read models often have none.
func schema(service string) []string {
	return map[string][]string{
		"catalog": {`CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price TEXT NOT NULL, state INTEGER NOT NULL,
			version INTEGER NOT NULL, updated_at TEXT NOT NULL)`},
		"crm": {`CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, street TEXT NOT NULL,
			city TEXT NOT NULL, version INTEGER NOT NULL, deleted_at TEXT)`},
		"orders": {`CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL, status INTEGER NOT NULL, total TEXT NOT NULL,
			placed_at TEXT NOT NULL, version INTEGER NOT NULL)`,
			"CREATE INDEX orders_by_customer ON orders (customer_id, id)"},
		"basket": {`CREATE TABLE items (basket_id INTEGER NOT NULL, line INTEGER NOT NULL, product_id INTEGER NOT NULL, product_name TEXT NOT NULL,
			unit_price TEXT NOT NULL, state TEXT NOT NULL, product_version INTEGER NOT NULL)`,
			"CREATE INDEX items_by_product ON items (product_id, basket_id, line)"},
		"billing": {`CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, street TEXT NOT NULL,
			city TEXT NOT NULL, version INTEGER NOT NULL)`},
		"search": {`CREATE TABLE orders (id INTEGER NOT NULL, status TEXT NOT NULL, total TEXT NOT NULL, placed_at TEXT NOT NULL, version INTEGER NOT NULL)`,
			"CREATE INDEX orders_by_id ON orders (id)"},
		"loyalty": {`CREATE TABLE members (customer_id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL)`},
	}[service]
}

func money(cents int64) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }

func putProduct(p product, now time.Time) write {
	return write{"catalog", `INSERT INTO products VALUES (?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, price = excluded.price,
		state = excluded.state, version = excluded.version, updated_at = excluded.updated_at`,
		[]any{p.id, p.name, money(p.cents), p.state, p.version, now.Format(time.RFC3339Nano)}}
}

func putCustomer(c customer) write {
	return write{"crm", `INSERT INTO customers VALUES (?,?,?,?,?,?,NULL) ON CONFLICT (id) DO UPDATE SET name = excluded.name, email = excluded.email,
		street = excluded.street, city = excluded.city, version = excluded.version`,
		[]any{c.id, c.name, c.email, c.street, c.city, c.version}}
}

func putOrder(o order) write {
	return write{"orders", `INSERT INTO orders VALUES (?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET status = excluded.status, total = excluded.total,
		version = excluded.version`,
		[]any{o.id, o.customer, o.status, money(o.cents), o.placed.Format(time.RFC3339), o.version}}
}

// copyToBasket writes a copy as baskets keep it: names in capitals, states in words.
func copyToBasket(i item, p product) write {
	return write{"basket", "INSERT INTO items VALUES (?,?,?,?,?,?,?)", append([]any{i.basket(), i.line(), i.product}, basketValues(p)...)}
}

func basketValues(p product) []any {
	state := "ACTIVE"
	if p.state == 2 {
		state = "BLOCKED"
	}
	return []any{strings.ToUpper(p.name), money(p.cents), state, p.version}
}

func copyToBilling(c customer) write {
	return write{"billing", `INSERT INTO customers VALUES (?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, email = excluded.email,
		street = excluded.street, city = excluded.city, version = excluded.version`,
		[]any{c.id, c.name, strings.ToLower(c.email), c.street, c.city, c.version}}
}

func copyToLoyalty(c customer) write {
	return write{"loyalty", `INSERT INTO members VALUES (?,?,?) ON CONFLICT (customer_id) DO UPDATE SET name = excluded.name, email = excluded.email`,
		[]any{c.id, c.name, strings.ToLower(c.email)}}
}

func leaveLoyalty(id int64) write {
	return write{"loyalty", "DELETE FROM members WHERE customer_id = ?", []any{id}}
}

// copyToSearch writes a copy as search keeps it: states in words, times without a zone.
func copyToSearch(o order) write {
	status := [...]string{1: "placed", 2: "paid", 3: "shipped"}[o.status]
	return write{"search", "INSERT INTO orders VALUES (?,?,?,?,?)", []any{o.id, status, money(o.cents), o.placed.Format(time.DateTime), o.version}}
}

// register holds records by id and lets one be drawn at random.
type register[T any] struct {
	ids  []int64
	at   map[int64]int // where in ids
	rows map[int64]T
}

func newRegister[T any]() *register[T] {
	return &register[T]{at: map[int64]int{}, rows: map[int64]T{}}
}

func (r *register[T]) len() int { return len(r.ids) }

func (r *register[T]) get(id int64) (T, bool) {
	row, ok := r.rows[id]
	return row, ok
}

func (r *register[T]) put(id int64, row T) {
	if _, there := r.at[id]; !there {
		r.at[id] = len(r.ids)
		r.ids = append(r.ids, id)
	}
	r.rows[id] = row
}

func (r *register[T]) remove(id int64) {
	i, there := r.at[id]
	if !there {
		return
	}
	last := r.ids[len(r.ids)-1]
	r.ids[i], r.at[last] = last, i
	r.ids = r.ids[:len(r.ids)-1]
	delete(r.at, id)
	delete(r.rows, id)
}

// draw returns a record that is wanted, beginning at a random place; ok is
// false where there is none.
func (r *register[T]) draw(random *rand.Rand, wanted func(id int64, row T) bool) (row T, ok bool) {
	if len(r.ids) == 0 {
		return row, false
	}
	start := random.IntN(len(r.ids))
	for i := range r.ids {
		id := r.ids[(start+i)%len(r.ids)]
		if row := r.rows[id]; wanted(id, row) {
			return row, true
		}
	}
	return row, false
}
