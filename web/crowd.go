package web

import (
	"net/netip"
	"sync"
	"time"
)

// crowd bounds how much may be attempted by those who have not signed in, so that
// nobody fills the audit log or keeps the ledger busy from outside. It is kept in
// memory, of one process.
type crowd struct {
	now func() time.Time

	mu    sync.Mutex
	since time.Time
	seen  map[netip.Prefix]int
	all   int
	known map[netip.Prefix]struct{} // from where somebody was signed in
}

// The bounds, in a minute: of one address, of all together, and of addresses that
// are told apart.
const (
	crowdOfOne     = 300
	crowdOfAll     = 3000
	crowdAddresses = 10_000
)

func newCrowd(now func() time.Time) *crowd {
	return &crowd{now: now, seen: map[netip.Prefix]int{}, known: map[netip.Prefix]struct{}{}}
}

// lets says whether one more attempt from an address is within the bounds, and
// counts it. Addresses of one network of IPv6 are one.
func (c *crowd) lets(address string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.since) >= time.Minute || now.Before(c.since) {
		c.since, c.all = now, 0
		clear(c.seen)
	}
	from := network(address)
	_, known := c.known[from]
	if c.seen[from] >= crowdOfOne || !known && (c.all >= crowdOfAll || len(c.seen) >= crowdAddresses && c.seen[from] == 0) {
		return false
	}
	if !known {
		c.all++
	}
	c.seen[from]++
	return true
}

// knows notes that somebody who is signed in asked from an address: a flood from
// elsewhere then keeps nobody there from signing in again.
func (c *crowd) knows(address string) {
	from := network(address)
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.known[from]; known {
		return
	}
	if len(c.known) >= crowdAddresses {
		clear(c.known) // whoever is still there comes back
	}
	c.known[from] = struct{}{}
}

// network is what counts as one origin: an address of IPv4, or a /64 of IPv6.
func network(address string) netip.Prefix {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Prefix{}
	}
	bits := 64
	if a = a.Unmap().WithZone(""); a.Is4() {
		bits = 32
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
