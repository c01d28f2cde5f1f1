package checks_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plumbline/checks"
	"plumbline/sources"
)

// cutter forwards TCP to a server and hangs up on everybody once the server
// has sent a given number of bytes; for good, where it is told to stay down.
type cutter struct {
	listener net.Listener
	server   string
	left     atomic.Int64 // bytes until the cut; negative after it
	cuts     atomic.Int64
	stayDown atomic.Bool

	mu    sync.Mutex
	conns map[net.Conn]bool
	wait  sync.WaitGroup
}

func newCutter(t *testing.T, server string) *cutter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	c := &cutter{listener: listener, server: server, conns: map[net.Conn]bool{}}
	c.wait.Go(c.accept)
	t.Cleanup(func() {
		must(t, listener.Close())
		c.hangUp()
		c.wait.Wait()
	})
	return c
}

// arm makes the next cut after n bytes.
func (c *cutter) arm(n int64, stayDown bool) {
	c.hangUp()
	c.stayDown.Store(stayDown)
	c.cuts.Store(0)
	c.left.Store(n)
}

func (c *cutter) accept() {
	for {
		client, err := c.listener.Accept()
		if err != nil {
			return
		}
		if c.cuts.Load() > 0 && c.stayDown.Load() {
			client.Close()
			continue
		}
		server, err := net.Dial("tcp", c.server)
		if err != nil {
			client.Close()
			continue
		}
		c.mu.Lock()
		c.conns[client], c.conns[server] = true, true
		c.mu.Unlock()
		c.wait.Go(func() { c.pipe(server, client, false) })
		c.wait.Go(func() { c.pipe(client, server, true) })
	}
}

func (c *cutter) pipe(to, from net.Conn, counted bool) {
	defer func() {
		to.Close()
		from.Close()
		c.mu.Lock()
		delete(c.conns, to)
		delete(c.conns, from)
		c.mu.Unlock()
	}()
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if counted && n > 0 {
			if left := c.left.Add(-int64(n)); left < 0 && left >= -int64(n) {
				to.Write(buffer[:n/2]) // in the middle of a message
				c.cuts.Add(1)
				c.hangUp()
				return
			}
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (c *cutter) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		conn.Close()
	}
}

// A store's connection is cut at random points of a scan. A run that reads on
// finds exactly what was planted; one that cannot says so. Neither ever calls
// missing, extra or clean what it did not read.
func TestCutConnectionsNeverLie(t *testing.T) {
	t.Parallel()
	s := openStores(t, "")
	seed := seeds(t, 1)[0]
	r := rand.New(rand.NewPCG(seed, 2))
	products := makeProducts(r, 3_000)
	rows, want := plant(r, products, false)
	s.postgresProducts("owner_cut", true, products)
	s.postgresProducts("replica_cut", true, rows)
	s.mongoProducts("replica_cut", rows)

	cutters := map[string]*cutter{}
	for _, kind := range []string{"postgres", "mongodb"} {
		u, err := url.Parse(s.urls[kind])
		must(t, err)
		cutters[kind] = newCutter(t, u.Host)
		u.Host = cutters[kind].listener.Addr().String()
		if kind == "mongodb" { // a store that stays down is given up soon
			u.RawQuery = "directConnection=true&serverSelectionTimeoutMS=1000"
		}
		s.open("cut-"+kind, kind, u.String(), sources.Limits{PageRecords: 250, Backoff: time.Millisecond, Attempts: 3})
	}
	type arrangement struct{ owner, replica, cut string }
	arrangements := []arrangement{{"cut-postgres", "postgres", "postgres"}, {"postgres", "cut-postgres", "postgres"}, {"postgres", "cut-mongodb", "mongodb"}}
	exact, incomplete := 0, 0
	for trial := range 102 {
		a := arrangements[trial%len(arrangements)]
		check := productCheck("owner_cut", strings.TrimPrefix(a.replica, "cut-"), "replica_cut")
		check.Owner.Source, check.Edges[0].Replica.Source = a.owner, a.replica
		plan := []checks.PlanKind{checks.PlanRanges, checks.PlanKeys}[trial/len(arrangements)%2]
		c := cutters[a.cut]
		c.arm(1_000+r.Int64N(400_000), trial%5 == 4)
		run := checks.Run(context.Background(), check, 0, s.find, checks.Options{Plan: plan, Settle: noSettle()})
		got := found(run)
		name := fmt.Sprintf("seed %d, trial %d, %v by %s, %d cuts", seed, trial, a, plan, c.cuts.Load())
		for _, d := range got {
			if !slices.Contains(want, d) {
				t.Errorf("%s: a false %s", name, d)
			}
		}
		switch run.Result {
		case checks.Drift:
			if run.Coverage() == 1 && !slices.Equal(got, want) {
				t.Errorf("%s: says it read all, and found %d of %d", name, len(got), len(want))
			}
			if run.Coverage() == 1 {
				exact++
				break
			}
			fallthrough
		case checks.Incomplete, checks.Error:
			incomplete++
			if run.Coverage() >= 1 || len(run.Reasons) == 0 {
				t.Errorf("%s: %s with coverage %v and reasons %v", name, run.Result, run.Coverage(), run.Reasons)
			}
		default:
			t.Errorf("%s: %s", name, run.Result)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("figure: 102 cuts: %d exact, %d incomplete or error", exact, incomplete)
	if exact < 40 || incomplete < 5 {
		t.Errorf("%d exact, %d incomplete: the cuts miss the scans, or retries do not read on", exact, incomplete)
	}
}
