package sourcetest

import (
	"errors"
	"net"
	"sync"
	"testing"
)

// Wire is a Line over sockets: it listens on a loopback port and forwards to a server.
type Wire struct {
	listener         net.Listener
	network, address string
	open             sync.WaitGroup

	mu      sync.Mutex
	changed *sync.Cond
	conns   map[net.Conn]struct{}
	clients int
	peak    int
	cutting bool
	left    int // bytes that may still come from the store, while cutting or freezing
	freezes bool
	blocked bool
	closed  bool
}

// NewWire makes a line to the server at address ("tcp", "127.0.0.1:5432" or
// "unix", "/run/x.sock"); it is closed when the test ends.
func NewWire(t testing.TB, network, address string) *Wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen for the line to %s: %v", address, err)
	}
	w := &Wire{listener: l, network: network, address: address, conns: map[net.Conn]struct{}{}}
	w.changed = sync.NewCond(&w.mu)
	w.open.Go(w.accept)
	t.Cleanup(w.close)
	return w
}

// Address is the host and port where the line is entered.
func (w *Wire) Address() string { return w.listener.Addr().String() }

// Cut implements Line.
func (w *Wire) Cut(after int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cutting, w.left = true, after
}

// Block implements Line.
func (w *Wire) Block() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.blocked = true
}

// Freeze implements Freezer.
func (w *Wire) Freeze(after int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.freezes, w.left = true, after
	w.blocked = after <= 0
}

// Mend implements Line.
func (w *Wire) Mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cutting, w.freezes, w.blocked = false, false, false
	w.changed.Broadcast()
}

// Peak implements Line.
func (w *Wire) Peak() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.peak
}

func (w *Wire) close() {
	w.listener.Close()
	w.mu.Lock()
	w.closed = true
	w.hangUp()
	w.changed.Broadcast()
	w.mu.Unlock()
	w.open.Wait()
}

// hangUp resets every connection; the caller holds mu.
func (w *Wire) hangUp() {
	for c := range w.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			tcp.SetLinger(0) // a reset, as from a server that dies, and no orderly end
		}
		c.Close()
	}
}

func (w *Wire) accept() {
	for {
		client, err := w.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		w.open.Go(func() { w.serve(client) })
	}
}

func (w *Wire) serve(client net.Conn) {
	defer client.Close()
	if !w.enter(client) {
		return
	}
	defer w.leave(client, true)
	server, err := net.Dial(w.network, w.address)
	if err != nil {
		return
	}
	defer server.Close()
	if !w.hold(server) {
		return
	}
	defer w.leave(server, false)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.forward(server, client, false)
		client.Close()
		server.Close()
	}()
	w.forward(client, server, true)
	client.Close()
	server.Close()
	<-done
}

// enter counts a client, unless the line is down.
func (w *Wire) enter(client net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.cutting && w.left <= 0 {
		return false
	}
	w.conns[client] = struct{}{}
	w.clients++
	w.peak = max(w.peak, w.clients)
	return true
}

func (w *Wire) hold(server net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns[server] = struct{}{}
	return !w.closed
}

func (w *Wire) leave(c net.Conn, client bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, c)
	if client {
		w.clients--
	}
}

func (w *Wire) forward(to, from net.Conn, fromStore bool) {
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			allowed := w.allow(n, fromStore)
			if _, werr := to.Write(buffer[:allowed]); werr != nil {
				return
			}
			if allowed < n {
				w.mu.Lock()
				w.hangUp()
				w.mu.Unlock()
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// allow waits while the line is blocked and returns how many of n bytes may pass.
func (w *Wire) allow(n int, fromStore bool) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.blocked && !w.closed {
		w.changed.Wait()
	}
	if fromStore && w.freezes { // what has come so far is let through, and nothing after it
		if w.left -= n; w.left <= 0 {
			w.blocked = true
		}
		return n
	}
	if !fromStore || !w.cutting {
		return n
	}
	allowed := max(0, min(n, w.left))
	w.left -= n
	return allowed
}
