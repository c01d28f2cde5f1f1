package auditor_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy stands between a process and a PostgreSQL server, and holds up one
// message of a session on its way: what was sent before a process froze may
// arrive long after.
type proxy struct {
	target string
	// text is of the first message that is held up; answers holds up the server's
	// answer to it instead.
	text    string
	answers bool
	// held is closed when it has come, and let lets it go.
	held chan struct{}
	let  func()

	taken atomic.Bool
	free  chan struct{}
	wg    sync.WaitGroup
}

// startProxy returns a proxy, and the server's URL by way of it.
func startProxy(t *testing.T, server, text string, answers bool) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(server)
	must(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := &proxy{target: u.Host, text: text, answers: answers, held: make(chan struct{}), free: make(chan struct{})}
	p.let = sync.OnceFunc(func() { close(p.free) })
	p.wg.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // it was closed
			}
			p.wg.Go(func() { p.serve(client) })
		}
	})
	t.Cleanup(func() {
		p.let()
		must(t, listener.Close())
		p.wg.Wait()
	})
	u.Host = listener.Addr().String()
	return p, u.String()
}

// serve passes a session on until one side ends it.
func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	var mute atomic.Bool // towards the client
	p.wg.Go(func() {
		defer client.Close()
		b := make([]byte, 32<<10)
		for {
			n, err := server.Read(b)
			if n > 0 && mute.Load() {
				<-p.free
			}
			if _, failed := client.Write(b[:n]); err != nil || failed != nil {
				return
			}
		}
	})
	for begun := false; ; {
		m, err := message(client, begun)
		if err != nil {
			return
		}
		if !begun { // a session begins with the version 3.0; before that it may ask for more
			begun = binary.BigEndian.Uint32(m[4:]) == 3<<16
		} else if bytes.Contains(m, []byte(p.text)) && p.taken.CompareAndSwap(false, true) {
			if err = p.holdUp(m, server, &mute); err != nil {
				return
			}
			continue
		}
		if _, err := server.Write(m); err != nil {
			return
		}
	}
}

// holdUp passes a message on once it may, or has its answer wait until then.
func (p *proxy) holdUp(m []byte, server io.Writer, mute *atomic.Bool) error {
	if p.answers {
		mute.Store(true)
		_, err := server.Write(m)
		close(p.held)
		return err
	}
	close(p.held)
	<-p.free
	_, err := server.Write(m)
	return err
}

// message reads one message: those of a session begin with a byte that says of
// what kind they are.
func message(from io.Reader, begun bool) ([]byte, error) {
	header := 4
	if begun {
		header = 5
	}
	m := make([]byte, header)
	if _, err := io.ReadFull(from, m); err != nil {
		return nil, err
	}
	length := int(binary.BigEndian.Uint32(m[header-4:])) // counts itself
	if length < 4 || length > 1<<20 {
		return nil, io.ErrUnexpectedEOF
	}
	m = append(m, make([]byte, length-4)...)
	_, err := io.ReadFull(from, m[header:])
	return m, err
}
