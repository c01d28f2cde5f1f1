package auditor_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"plumbline/auditor"
	"plumbline/ledger"
	"plumbline/sources"
	"plumbline/sources/postgres"
	"plumbline/sources/sourcetest"
)

// A PostgreSQL source stalls and answers again, in turn: the runs of a hundred
// checks of other sources begin when they would have. It is not to be run beside
// others.
func TestSoakAStalledSourceDelaysNobody(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return // make soak runs it
	}
	const (
		others, stalled = 100, 10
		pairs           = 5
		length          = 30 * time.Second
	)
	limits := sources.Limits{PageRecords: 50, Statement: 5 * time.Second}
	s := newStreet(others, 200, limits, 0)
	wire := addStalling(t, s, stalled, limits)
	schedule, err := auditor.ParseSchedule("@every 5s")
	must(t, err)
	for i := range s.list {
		s.list[i].Spec, s.list[i].Schedule = "@every 5s", schedule
	}
	l := openLedger(t, ledgerURL(t, "sqlite"), nil)
	start(t, auditor.Options{Ledger: l, Checks: s.list, Readers: s.find, Workers: 4})
	pause(length / 3)
	type span struct{ from, to time.Time }
	var calm, stall []span
	for pair := range pairs {
		for _, blocked := range []bool{pair%2 == 0, pair%2 != 0} {
			if blocked {
				wire.Block()
			}
			one := span{from: time.Now()}
			pause(length)
			one.to = time.Now()
			if blocked {
				stall = append(stall, one)
				wire.Mend()
				pause(length / 3) // what has piled up
				continue
			}
			calm = append(calm, one)
		}
	}
	var during, without []time.Duration
	for after := ""; ; {
		runs, next, err := l.Runs(context.Background(), ledger.RunFilter{Limit: 500, After: after})
		must(t, err)
		for _, r := range runs {
			if strings.HasPrefix(r.Check, "stalling") || r.StartedAt.IsZero() {
				continue
			}
			due := r.SlotAt.Add(auditor.Jitter(r.Check, 5*time.Second))
			within := func(spans []span) bool {
				return slices.ContainsFunc(spans, func(s span) bool { return due.After(s.from) && due.Before(s.to) })
			}
			switch {
			case within(stall):
				during = append(during, r.StartedAt.Sub(due))
			case within(calm):
				without = append(without, r.StartedAt.Sub(due))
			}
		}
		if after = next; next == "" {
			break
		}
	}
	slices.Sort(during)
	slices.Sort(without)
	if len(during) < others || len(without) < others {
		t.Fatalf("%d runs began during a stall and %d without", len(during), len(without))
	}
	p95 := func(of []time.Duration) time.Duration { return of[len(of)*95/100] }
	t.Logf("start delay, 95th percentile: %s of %d runs without a stall, %s of %d during one", p95(without), len(without), p95(during), len(during))
	if p95(during) > p95(without)+p95(without)/10 {
		t.Errorf("it grew by %.0f %%", 100*(float64(p95(during))/float64(p95(without))-1))
	}
	if want := others * int(length/(5*time.Second)) * pairs * 9 / 10; len(during) < want {
		t.Errorf("%d runs began during a stall, of %d slots", len(during), want*10/9)
	}
}

// addStalling adds checks between two tables of a PostgreSQL database that is
// reached over a line.
func addStalling(t *testing.T, s *street, n int, limits sources.Limits) *sourcetest.Wire {
	t.Helper()
	u, err := url.Parse(ledgerURL(t, "postgres")) // a database of the test's own
	must(t, err)
	admin, err := pgx.Connect(t.Context(), u.String())
	must(t, err)
	_, err = admin.Exec(t.Context(), `CREATE TABLE records AS SELECT i::bigint AS id, i::bigint AS value FROM generate_series(1, 1000) i; ALTER TABLE records ADD PRIMARY KEY (id)`)
	must(t, err)
	must(t, admin.Close(t.Context()))
	wire := sourcetest.NewWire(t, "tcp", u.Host)
	u.Host = wire.Address()
	source, err := postgres.Open(sources.Options{Name: "stalling", URL: sources.Secret(u.String()), StatementTimeout: limits.Statement})
	must(t, err)
	s.readers["stalling"] = sources.NewReader("stalling", source, limits, nil)
	t.Cleanup(func() { must(t, s.readers["stalling"].Close()) })
	for i := range n {
		c := *s.list[0].Check
		c.Name, c.Owner.Source = fmt.Sprintf("stalling-%d", i), "stalling"
		c.Edges = slices.Clone(c.Edges)
		c.Edges[0].Replica.Source = "stalling"
		s.list = append(s.list, auditor.Check{Check: &c})
	}
	return wire
}
