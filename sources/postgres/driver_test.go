package postgres

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"plumbline/sources"
)

// slowly writes as a machine does that is busy: what was written has its answer
// before the writer goes on.
type slowly struct {
	net.Conn
	writes *atomic.Int32 // so many are slow
}

func (s slowly) Write(b []byte) (int, error) {
	n, err := s.Conn.Write(b)
	if s.writes.Add(-1) >= 0 {
		time.Sleep(50 * time.Millisecond) // not to wait for anything: it is what a busy machine does
	}
	return n, err
}

// TestTheDriverTakesNoAnswerFromUs: it reads in the background while one of its
// writes is slow, and a connection that it still read from would hang.
func TestTheDriverTakesNoAnswerFromUs(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec("CREATE TABLE k (id int PRIMARY KEY); INSERT INTO k VALUES (1)")
	for slow := range int32(4) {
		s := d.openWith(sources.Options{Connections: 1})
		var left atomic.Int32
		left.Store(slow)
		dialer := net.Dialer{}
		s.pool.config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, address)
			return slowly{c, &left}, err
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*soon)
		defer cancel()
		records, err := tryScan(ctx, s, &sources.Dataset{Name: "k", Key: []string{"id"}}, sources.ScanRequest{})
		if err != nil || len(records) != 1 {
			t.Errorf("%d slow writes: %d rows, %v", slow, len(records), err)
		}
	}
}
