// Package address keeps what calls addresses of a configuration from those that
// nobody means to call: link-local ones, and where clouds hand out credentials.
package address

import (
	"net/netip"
	"slices"
	"syscall"
)

// ForbiddenError is an address that is never called.
type ForbiddenError struct{ What string }

func (e *ForbiddenError) Error() string { return "the address leads to " + e.What }

// Refuse is the Control of a net.Dialer. It stands before every connection, after
// names were resolved, so that no name and no way of writing an address leads past
// it. Its error is a *ForbiddenError.
func Refuse(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return &ForbiddenError{"no address of a network"}
	}
	if what := Forbidden(at.Addr()); what != "" {
		return &ForbiddenError{what}
	}
	return nil
}

// Forbidden says what an address is that is never called; "" for one that may be.
// Loopback and private networks are allowed: the configuration alone says what is
// called.
func Forbidden(ip netip.Addr) string {
	ip = unwrap(ip.WithZone(""))
	switch {
	case ip.IsUnspecified():
		return "the unspecified address"
	case ip.IsMulticast():
		return "a multicast address"
	case ip.IsLinkLocalUnicast():
		return "a link-local address"
	}
	for _, n := range never() {
		if n.prefix.Contains(ip) {
			return n.what
		}
	}
	return ""
}

type network struct {
	prefix netip.Prefix
	what   string
}

// never are networks in which nobody lives whom we mean to call, or clouds hand out
// credentials to whoever asks.
func never() []network {
	const metadata = "a cloud's metadata service"
	var all []network
	for prefix, what := range map[string]string{
		"0.0.0.0/8": "the unspecified network", "240.0.0.0/4": "a reserved network",
		"fd00:ec2::/32": metadata, "fd20:ce::/32": metadata, "100.100.100.200/32": metadata, "168.63.129.16/32": metadata, "192.0.0.192/32": metadata,
		"fec0::/10": "a site-local address",
	} {
		all = append(all, network{netip.MustParsePrefix(prefix), what})
	}
	return all
}

// unwrap is the IPv4 address that an IPv6 address stands for, through mapping,
// compatibility, 6to4 or NAT64; ip itself where it stands for none.
func unwrap(ip netip.Addr) netip.Addr {
	ip = ip.Unmap()
	if !ip.Is6() {
		return ip
	}
	bytes := ip.As16()
	four := func(from int) netip.Addr { return netip.AddrFrom4([4]byte(bytes[from : from+4])) }
	switch {
	case within("64:ff9b::/96", ip), within("64:ff9b:1::/48", ip), within("::/96", ip) && !slices.Contains([]string{"::", "::1"}, ip.String()):
		return four(12)
	case within("2002::/16", ip):
		return four(2)
	}
	return ip
}

func within(prefix string, ip netip.Addr) bool {
	return netip.MustParsePrefix(prefix).Contains(ip)
}
