package demo

import (
	"fmt"
	"time"
)

// Traffic keeps each kind of record between these counts, so that the shop may
// run for as long as anybody looks at it.
const (
	mostProducts, leastProducts   = 700, 500
	mostCustomers, leastCustomers = 600, 400
	mostItems, leastItems         = 1800, 1200
	mostOrders, leastOrders       = 1400, 900
)

// trade makes one change as people and services make them.
func (s *shop) trade() {
	actions := []struct {
		weight int
		do     func()
	}{
		{70, s.reprice}, {10, s.renameSomething}, {5, s.blockOrUnblock}, {4, s.addProduct}, {4, s.dropProduct},
		{50, func() { s.addItem() }}, {45, s.removeItem},
		{30, s.moveHouse}, {15, s.changeEmail}, {4, s.addCustomer}, {3, s.loseCustomer},
		{25, s.placeOrder}, {45, s.advanceOrder}, {4, s.refund}, {12, s.archive},
	}
	total := 0
	for _, a := range actions {
		total += a.weight
	}
	pick := s.random.IntN(total)
	for _, a := range actions {
		if pick -= a.weight; pick < 0 {
			a.do()
			s.changes++
			return
		}
	}
}

func (s *shop) freeProduct() (product, bool) {
	return s.products.draw(s.random, func(id int64, _ product) bool { return s.free(ref{products, id}) })
}

func (s *shop) freeCustomer() (customer, bool) {
	return s.customers.draw(s.random, func(id int64, _ customer) bool { return s.free(ref{customers, id}) })
}

// saveProduct, saveCustomer and saveOrder write a record's next version to its owner.
func (s *shop) saveProduct(p product) {
	p.version++
	s.products.put(p.id, p)
	s.write(putProduct(p, s.now))
}

func (s *shop) saveCustomer(c customer) {
	c.version++
	s.customers.put(c.id, c)
	s.write(putCustomer(c))
}

func (s *shop) saveOrder(o order) {
	o.version++
	s.orders.put(o.id, o)
	s.write(putOrder(o))
}

func (s *shop) reprice() {
	if p, ok := s.freeProduct(); ok {
		s.saveProduct(s.otherPrice(p))
		s.publish(ref{products, p.id})
	}
}

func (s *shop) otherPrice(p product) product {
	change := 50 + s.random.Int64N(400)
	if s.random.IntN(2) == 0 && p.cents > 1000 {
		change = -change
	}
	p.cents += change
	return p
}

func (s *shop) renameSomething() {
	if p, ok := s.freeProduct(); ok {
		p.name = s.productName()
		s.saveProduct(p)
		s.publish(ref{products, p.id})
	}
}

func (s *shop) blockOrUnblock() {
	if p, ok := s.freeProduct(); ok {
		p.state = 3 - p.state
		s.saveProduct(p)
		s.publish(ref{products, p.id})
	}
}

func (s *shop) addProduct() {
	if s.products.len() < mostProducts {
		s.createProduct()
	}
}

func (s *shop) createProduct() {
	s.last.product++
	s.saveProduct(product{id: s.last.product, name: s.productName(), cents: 500 + s.random.Int64N(20_000), state: 1})
}

func (s *shop) dropProduct() {
	if p, ok := s.freeProduct(); ok && s.products.len() > leastProducts {
		s.deleteProduct(p.id)
		s.publish(ref{products, p.id})
	}
}

func (s *shop) deleteProduct(id int64) {
	s.products.remove(id)
	s.write(write{"catalog", "DELETE FROM products WHERE id = ?", []any{id}})
}

// addItem puts a product into a basket, which asks the catalog for it there and then.
func (s *shop) addItem() {
	p, ok := s.freeProduct()
	if !ok || s.items.len() >= mostItems {
		return
	}
	s.last.item++
	i := item{id: s.last.item, product: p.id, held: []product{p}}
	s.items.put(i.id, i)
	s.itemsOf[p.id] = append(s.itemsOf[p.id], i.id)
	s.write(copyToBasket(i, p))
}

func (s *shop) removeItem() {
	i, ok := s.items.draw(s.random, func(_ int64, i item) bool { return s.free(ref{products, i.product}) })
	if !ok || s.items.len() <= leastItems {
		return
	}
	s.items.remove(i.id)
	var left []int64
	for _, id := range s.itemsOf[i.product] {
		if id != i.id {
			left = append(left, id)
		}
	}
	s.itemsOf[i.product] = left
	s.write(write{"basket", "DELETE FROM items WHERE basket_id = ? AND line = ?", []any{i.basket(), i.line()}})
}

func (s *shop) moveHouse() {
	if c, ok := s.freeCustomer(); ok {
		s.saveCustomer(s.otherAddress(c))
		s.publish(ref{customers, c.id})
	}
}

func (s *shop) otherAddress(c customer) customer {
	for street, city := c.street, c.city; c.street == street || c.city == city; {
		c.street, c.city = s.street(), s.city()
	}
	return c
}

func (s *shop) changeEmail() {
	if c, ok := s.freeCustomer(); ok {
		c.email = fmt.Sprintf("%s.%d@example.com", c.name[:1], s.random.IntN(100_000))
		s.saveCustomer(c)
		s.publish(ref{customers, c.id})
	}
}

func (s *shop) addCustomer() {
	if s.customers.len() < mostCustomers {
		s.publish(ref{customers, s.createCustomer()})
	}
}

func (s *shop) createCustomer() int64 {
	s.last.customer++
	s.saveCustomer(s.newCustomer(s.last.customer))
	return s.last.customer
}

func (s *shop) newCustomer(id int64) customer {
	name := s.person()
	return customer{id: id, name: name, email: fmt.Sprintf("%s.%d@Example.com", name[:1], id), street: s.street(), city: s.city()}
}

func (s *shop) loseCustomer() {
	if c, ok := s.freeCustomer(); ok && s.customers.len() > leastCustomers {
		s.deleteCustomer(c.id)
		s.publish(ref{customers, c.id})
	}
}

// deleteCustomer marks a customer deleted: the crm forgets nobody.
func (s *shop) deleteCustomer(id int64) {
	s.customers.remove(id)
	s.write(write{"crm", "UPDATE customers SET deleted_at = ?, version = version + 1 WHERE id = ?", []any{s.now.Format(time.RFC3339), id}})
}

func (s *shop) placeOrder() {
	if s.orders.len() < mostOrders {
		s.publish(ref{orders, s.createOrder(s.now.Truncate(time.Second), 1)})
	}
}

func (s *shop) createOrder(placed time.Time, status int64) int64 {
	buyer, ok := s.freeCustomer()
	if !ok {
		buyer.id = 1 // the crm knows every customer it ever had
	}
	s.last.order++
	s.saveOrder(order{id: s.last.order, customer: buyer.id, status: status, cents: 1000 + s.random.Int64N(30_000), placed: placed})
	return s.last.order
}

func (s *shop) freeOrder(wanted func(order) bool) (order, bool) {
	return s.orders.draw(s.random, func(id int64, o order) bool { return s.free(ref{orders, id}) && wanted(o) })
}

func (s *shop) advanceOrder() {
	if o, ok := s.freeOrder(func(o order) bool { return o.status < 3 }); ok {
		o.status++
		s.saveOrder(o)
		s.publish(ref{orders, o.id})
	}
}

func (s *shop) refund() {
	if o, ok := s.freeOrder(func(o order) bool { return o.cents > 500 }); ok {
		o.cents -= 100 + s.random.Int64N(300)
		s.saveOrder(o)
		s.publish(ref{orders, o.id})
	}
}

// archive takes a shipped order of this day out of both services.
func (s *shop) archive() {
	midnight := s.now.Truncate(24 * time.Hour)
	o, ok := s.freeOrder(func(o order) bool { return o.status == 3 && !o.placed.Before(midnight) })
	if ok && s.orders.len() > leastOrders {
		s.deleteOrder(o.id)
		s.publish(ref{orders, o.id})
	}
}

func (s *shop) deleteOrder(id int64) {
	s.orders.remove(id)
	s.write(write{"orders", "DELETE FROM orders WHERE id = ?", []any{id}})
}

func (s *shop) one(of ...string) string { return of[s.random.IntN(len(of))] }

// productName is longer than 20 characters, as names of products are.
func (s *shop) productName() string {
	return s.one("Merino", "Alpine", "Nordic", "Harbour", "Featherlight", "Everyday") + " " +
		s.one("running socks", "rain jacket", "trail shoes", "wool beanie", "hiking trousers", "day pack") + ", " +
		s.one("charcoal grey", "moss green", "midnight blue", "brick red", "pale sand")
}

func (s *shop) person() string {
	return s.one("Ada", "Bjørn", "Chloé", "Dmitri", "Eszter", "Farid", "Grete", "Hugo") + " " +
		s.one("Lindqvist", "Okafor", "Moreau", "Petrov", "Nagy", "Haddad", "Berg", "Silva")
}

func (s *shop) street() string {
	return fmt.Sprintf("%d %s", 1+s.random.IntN(180), s.one("Harbour Street", "Mill Lane", "Station Road", "Church Row", "Quay Side"))
}

func (s *shop) city() string {
	return s.one("Bergen", "Gdańsk", "Leeds", "Lyon", "Porto", "Tartu", "Utrecht")
}
