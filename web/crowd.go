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
}

// The bounds, in a minute: of one address, of all together, and of addresses that
// are told apart.
const (
	crowdOfOne     = 300
	crowdOfAll     = 3000
	crowdAddresses = 10_000
)

func newCrowd(now func() time.Time) *crowd {
	return &crowd{now: now, seen: map[netip.Prefix]int{}}
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
	if c.all >= crowdOfAll || c.seen[from] >= crowdOfOne || len(c.seen) >= crowdAddresses && c.seen[from] == 0 {
		return false
	}
	c.all++
	c.seen[from]++
	return true
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
