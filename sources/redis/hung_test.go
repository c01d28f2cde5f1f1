package redis

import (
	"os"
	"strings"
	"testing"
	"time"

	"plumbline/sources"
)

// clients are how many connections of the user who reads the server lists.
func (s *shop) clients(t *testing.T) (n int) {
	t.Helper()
	list, err := s.admin.ClientList(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(list) {
		if strings.Contains(line, " user="+s.user+" ") {
			n++
		}
	}
	return n
}

// hung reads while the server answers nobody, and returns how long after it began
// the server had nothing left of the read. It does nothing else meanwhile: a
// command that waits for its turn can only be given up together with its line.
func hung(t *testing.T, s *shop, limit time.Duration) time.Duration {
	t.Helper()
	opened, err := Open(sources.Options{Name: "cache", URL: s.at(s.server.Host), StatementTimeout: limit})
	if err != nil {
		t.Fatal(err)
	}
	reader := sources.NewReader("cache", opened, sources.Limits{Statement: limit, Attempts: 1}, nil)
	d := &sources.Dataset{Name: s.prefix + "u:{id}", Format: sources.FormatJSON, Key: []string{"id"}}
	read := func() error {
		return reader.Lookup(t.Context(), d, []sources.Key{{sources.Text("1")}}, func(*sources.Page) error { return nil })
	}
	if err := read(); err != nil {
		t.Fatal(err)
	}
	if n := s.clients(t); n != 1 {
		t.Errorf("before it, %d connections are ours", n)
	}
	if err := s.admin.Do(t.Context(), "CLIENT", "PAUSE", (limit + limit/2).Milliseconds(), "ALL").Err(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := read(); sources.FailureOf(err) != sources.FailureTimeout {
		t.Errorf("the read ended with %v", err)
	}
	for s.clients(t) > 0 { // the first answer comes when the server goes on
		if time.Since(began) > time.Minute {
			t.Fatal("the connection is still there after a minute")
		}
	}
	took := time.Since(began)
	if err := read(); err != nil {
		t.Errorf("the source is of no use afterwards: %v", err)
	}
	if err := reader.Close(); err != nil {
		t.Error(err)
	}
	return took
}

// It runs beside no other test of the package: the server answers none of them.
func TestAHungReadLeavesNothingOnTheServer(t *testing.T) {
	t.Logf("gone %s after it began", hung(t, newShop(t), 200*time.Millisecond))
}

func TestSoakAHungReadLeavesNothingOnTheServerInTime(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return // make soak runs it
	}
	s := newShop(t)
	for range 10 {
		if took := hung(t, s, time.Second); took > 3*time.Second {
			t.Errorf("a read that may take 1 s was gone after %s", took)
		}
	}
}
