package webhook

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"plumbline/alerts"
	"plumbline/sources"
	"plumbline/sources/address"
)

// bypasses are ways of writing addresses that no webhook may have.
func bypasses() []string {
	return []string{
		"169.254.169.254", "169.254.0.1", "169.254.255.255", "169.254.170.2", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[0:0:0:0:0:ffff:a9fe:a9fe]",
		"[::169.254.169.254]", "[::a9fe:a9fe]", "[64:ff9b::169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::a9fe:a9fe]", "[2002:a9fe:a9fe::1]", "[2002:a9fe:a9fe::]",
		"[fe80::1]", "[fe80::a9fe:a9fe]", "[febf::1]", "[fe80::1%25lo]", "[fd00:ec2::254]", "[fd00:0ec2:0:0:0:0:0:254]", "[fd00:ec2::23]", "[fd20:ce::254]", "[fec0::1]",
		"100.100.100.200", "[::ffff:100.100.100.200]", "168.63.129.16", "[::ffff:168.63.129.16]", "192.0.0.192", "[64:ff9b::192.0.0.192]",
		"0.0.0.0", "[::]", "[::ffff:0.0.0.0]", "[0:0:0:0:0:0:0:0]", "0.1.2.3", "[::ffff:0.1.2.3]", "[2002::1]",
		"224.0.0.1", "239.255.255.250", "[ff02::1]", "[ff01::1]", "[ff05::2]", "[::ffff:224.0.0.1]", "[64:ff9b::224.0.0.1]", "[ff0e::1]",
		"255.255.255.255", "240.0.0.1", "250.1.2.3", "[::ffff:255.255.255.255]", "[2002:ffff:ffff::1]",
		// By name: what the resolver answers counts, not how it is written.
		"metadata.google.internal", "rebind.example.com", "169.254.169.254.example.com", "2852039166", "0xa9fea9fe", "0xa9.0xfe.0xa9.0xfe", "0251.0376.0251.0376",
		"025177524776", "169.16689662", "169.254.43518", "0xA9.254.0251.0376", "0251.254.169.254", "xn--fake-169-254.example.com", "METADATA.example.COM.",
	}
}

// No way of writing an address leads to one that is never called, whatever a
// resolver says.
func TestForbiddenAddressesAreNeverCalled(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"http", "https"} {
		for _, host := range bypasses() {
			t.Run(scheme+" "+host, func(t *testing.T) {
				t.Parallel()
				s := New(Options{Hooks: map[string]Hook{"pager": {URL: sources.Secret(scheme + "://" + host + "/latest/meta-data"), Secret: "secret"}},
					Now: time.Now, Timeout: 10 * time.Second})
				s.dialer.Resolver = liar(t)
				s.dialer.Control = func(network, called string, conn syscall.RawConn) error {
					err := address.Refuse(network, called, conn)
					if err == nil {
						t.Errorf("%s is called", called)
					}
					return err
				}
				_, err := s.Send(t.Context(), &alerts.Delivery{Step: alerts.Trial, Target: alerts.Target{Integration: Integration, Address: "pager"}})
				var refused *alerts.RefusedError
				var retry *alerts.RetryError // a host of digits alone, which Go's resolver never asks for
				if !errors.As(err, &refused) && !errors.As(err, &retry) {
					t.Errorf("got %v", err)
				}
			})
		}
	}
	if len(bypasses()) < 60 {
		t.Errorf("only %d ways", len(bypasses()))
	}
}

// Addresses of this machine and of private networks are what most webhooks have.
func TestPrivateAddressesAreAllowed(t *testing.T) {
	t.Parallel()
	for _, allowed := range []string{"127.0.0.1", "::1", "10.0.0.1", "172.16.3.4", "192.168.1.1", "fd12:3456::1", "100.64.0.1", "93.184.216.34", "2606:2800:220:1::1", "::ffff:10.0.0.1"} {
		if what := address.Forbidden(netip.MustParseAddr(allowed)); what != "" {
			t.Errorf("%s is refused as %s", allowed, what)
		}
	}
}

// liar is a resolver that says of every name that it is the metadata service.
func liar(t *testing.T) *net.Resolver {
	t.Helper()
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go answerNames(theirs)
		return ours, nil
	}}
}

// answerNames speaks DNS over a stream until it is closed.
func answerNames(conn net.Conn) {
	defer func() {
		_ = conn.Close() // the question's side closes first, and either way it ends
	}()
	for {
		var size uint16
		if err := binary.Read(conn, binary.BigEndian, &size); err != nil {
			return
		}
		question := make([]byte, size)
		if err := binary.Read(conn, binary.BigEndian, question); err != nil {
			return
		}
		answer := answerName(question)
		if err := binary.Write(conn, binary.BigEndian, uint16(len(answer))); err != nil {
			return
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

// answerName answers a question for an IPv4 address with 169.254.169.254, and any
// other with nothing.
func answerName(question []byte) []byte {
	end := 12
	for end < len(question) && question[end] != 0 {
		end += int(question[end]) + 1
	}
	end += 5 // the last label, the type and the class
	answer := append([]byte{}, question[:end]...)
	copy(answer[2:], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0})
	if binary.BigEndian.Uint16(question[end-4:]) == 1 {
		answer[7] = 1
		answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 169, 254, 169, 254)
	}
	return answer
}
