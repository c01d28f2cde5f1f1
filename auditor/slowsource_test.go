package auditor_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"plumbline/auditor"
	"plumbline/checks"
	"plumbline/ledger"
	"plumbline/sources"
	"plumbline/sources/memory"
)

// street is shops side by side, each with sources of its own.
type street struct {
	shops   []*shop
	readers map[string]*sources.Reader
	loads   []atomic.Pointer[sources.Load]
	list    []auditor.Check
}

// newStreet makes n shops of some records with a check each. The load of their
// replicas is what a test says.
func newStreet(n, records int, limits sources.Limits, settle time.Duration) *street {
	s := &street{readers: map[string]*sources.Reader{}, loads: make([]atomic.Pointer[sources.Load], n)}
	for i := range n {
		one := newShop(limits)
		for key := range int64(records) {
			put(one.owner, key, key)
			put(one.replica, key, key)
		}
		befalls := func(owner bool) memory.Faults {
			return func(ctx context.Context, r memory.Read) *memory.Fault {
				one.faults.Lock()
				befall := one.faults.replica
				if owner {
					befall = one.faults.owner
				}
				one.faults.Unlock()
				if befall == nil || r.Op == "gauge" {
					return nil
				}
				return befall(ctx, r)
			}
		}
		s.loads[i].Store(&sources.Load{})
		owner := one.owner.Source(memory.Config{Faults: befalls(true)})
		replica := one.replica.Source(memory.Config{Faults: befalls(false), Load: func() (sources.Load, error) { return *s.loads[i].Load(), nil }})
		c := one.check(fmt.Sprintf("shop-%d", i), settle)
		c.Owner.Source, c.Edges[0].Replica.Source = fmt.Sprintf("owner-%d", i), fmt.Sprintf("replica-%d", i)
		s.readers[c.Owner.Source] = sources.NewReader(c.Owner.Source, owner, limits, nil)
		s.readers[c.Edges[0].Replica.Source] = sources.NewReader(c.Edges[0].Replica.Source, replica, limits, nil)
		s.shops, s.list = append(s.shops, one), append(s.list, auditor.Check{Check: c})
	}
	return s
}

// also adds a check of the i-th shop's sources.
func (s *street) also(name string, i int) {
	c := *s.list[i].Check
	c.Name = name
	s.list = append(s.list, auditor.Check{Check: &c})
}

func (s *street) find(name string) (*sources.Reader, error) {
	if r := s.readers[name]; r != nil {
		return r, nil
	}
	return nil, fmt.Errorf("there is no source %s", name)
}

func begin(t *testing.T, a *auditor.Auditor, check string) *ledger.Run {
	t.Helper()
	runs, err := a.Run(t.Context(), check, ledger.ByPerson, "ada", nil)
	must(t, err)
	return runs[0]
}

func TestAStalledSourceDelaysNoOther(t *testing.T) {
	t.Parallel()
	s := newStreet(3, 200, sources.Limits{PageRecords: 10}, 0)
	for i := range 8 {
		s.also(fmt.Sprintf("stalled-%d", i), 0)
	}
	answers := make(chan struct{}) // closed when it answers again
	var hangs atomic.Bool
	var hanging atomic.Int64
	s.shops[0].befall(nil, func(ctx context.Context, _ memory.Read) *memory.Fault {
		if !hangs.Load() {
			return nil
		}
		hanging.Add(1)
		defer hanging.Add(-1)
		select {
		case <-answers:
			return nil
		case <-ctx.Done():
			return &memory.Fault{Err: ctx.Err()}
		}
	})
	l := openLedger(t, ledgerURL(t, "sqlite"), nil)
	a := start(t, auditor.Options{Ledger: l, Checks: s.list, Readers: s.find, Workers: 2, Segments: 2})
	hangs.Store(true)
	var stalled []*ledger.Run
	for i := range 8 {
		stalled = append(stalled, begin(t, a, fmt.Sprintf("stalled-%d", i)))
	}
	until(t, "the source is slow", s.readers["replica-0"].Slow)
	until(t, "all but one were sent away", func() bool { return hanging.Load() <= 1 })
	for round := range 5 {
		for i := 1; i < 3; i++ {
			if run := runNow(t, a, l, fmt.Sprintf("shop-%d", i)); run.Result != checks.Clean || run.Counts.Equal != 200 {
				t.Errorf("round %d: run %d is %s: %+v, %v", round, run.Number, run.Result, run.Counts, run.Reasons)
			}
		}
		if n := hanging.Load(); n > 1 {
			t.Errorf("%d jobs hang", n)
		}
	}
	for _, run := range stalled {
		if run, err := l.Run(t.Context(), run.ID); err != nil || run.State == ledger.Finished {
			t.Fatalf("a run of the stalled source is %v, %v", run, err)
		}
	}
	hangs.Store(false)
	close(answers)
	for _, run := range stalled {
		if run := finished(t, l, run.ID); run.Result != checks.Clean || run.Counts.Equal != 200 {
			t.Errorf("after the stall run %d is %s: %+v, %v", run.Number, run.Result, run.Counts, run.Reasons)
		}
	}
}

func TestAThrottledRunGoesOnWhereItStood(t *testing.T) {
	t.Parallel()
	s := newStreet(2, 300, sources.Limits{PageRecords: 10, MaxActive: 25}, 0)
	for i := range 4 {
		s.also(fmt.Sprintf("busy-%d", i), 0)
	}
	var read atomic.Int64
	s.shops[0].befall(nil, func(_ context.Context, r memory.Read) *memory.Fault {
		if r.Op == "scan" && read.Add(1) == 20 {
			s.loads[0].Store(&sources.Load{Active: 31, ActiveKnown: true})
		}
		time.Sleep(20 * time.Millisecond)
		return nil
	})
	l := openLedger(t, ledgerURL(t, "sqlite"), nil)
	a := start(t, auditor.Options{Ledger: l, Checks: s.list, Readers: s.find, Workers: 2, Segments: 2, Bounds: auditor.Bounds{Record: 50 * time.Millisecond}})
	var busy []*ledger.Run
	for i := range 4 {
		busy = append(busy, begin(t, a, fmt.Sprintf("busy-%d", i)))
	}
	until(t, "reading waits", func() bool { return s.readers["replica-0"].Load().Cause == sources.WaitActive })
	for range 3 {
		if run := runNow(t, a, l, "shop-1"); run.Result != checks.Clean {
			t.Errorf("the other's run is %s: %v", run.Result, run.Reasons)
		}
	}
	until(t, "a run says why it waits", func() bool {
		for _, b := range busy {
			run, err := l.Run(t.Context(), b.ID)
			must(t, err)
			if run.Waits["replica-0: active queries 31 > 25"] > 0 {
				return true
			}
		}
		return false
	})
	s.loads[0].Store(&sources.Load{ActiveKnown: true})
	for _, run := range busy {
		if run := finished(t, l, run.ID); run.Result != checks.Clean || run.Counts.Equal != 300 {
			t.Errorf("run %d is %s: %+v, %v", run.Number, run.Result, run.Counts, run.Reasons)
		}
	}
}

func TestARunOutlivesAnOutageThatOpensTheCircuit(t *testing.T) {
	t.Parallel()
	s := newStreet(1, 100, sources.Limits{PageRecords: 10, Attempts: 3, Backoff: 50 * time.Millisecond}, 0)
	var down atomic.Bool
	down.Store(true)
	s.shops[0].befall(nil, func(context.Context, memory.Read) *memory.Fault {
		if down.Load() {
			return &memory.Fault{Err: memory.ErrBroken}
		}
		return nil
	})
	l := openLedger(t, ledgerURL(t, "sqlite"), nil)
	a := start(t, auditor.Options{Ledger: l, Checks: s.list, Readers: s.find})
	run := begin(t, a, "shop-0")
	until(t, "the source is left alone", func() bool { return s.readers["replica-0"].Circuit() != nil })
	down.Store(false)
	if run := finished(t, l, run.ID); run.Result != checks.Clean || run.Counts.Equal != 100 {
		t.Errorf("the run is %s: %+v, %v", run.Result, run.Counts, run.Reasons)
	}
}

func TestServedSuspectsWaitOutTheLagOfAStandby(t *testing.T) {
	t.Parallel()
	s := newStreet(1, 50, sources.Limits{MaxLag: time.Minute}, 100*time.Millisecond)
	s.loads[0].Store(&sources.Load{Standby: true, LagKnown: true, Lag: time.Hour})
	put(s.shops[0].owner, 7, 700)  // is on its way to the standby
	put(s.shops[0].replica, 9, 99) // will not go away
	l := openLedger(t, ledgerURL(t, "sqlite"), nil)
	s.loads[0].Store(&sources.Load{Standby: true, LagKnown: true, Lag: 50 * time.Second}) // below what would hold reads back
	a := start(t, auditor.Options{Ledger: l, Checks: s.list, Readers: s.find})
	run := begin(t, a, "shop-0")
	until(t, "the scan has ended", func() bool {
		r, err := l.Run(t.Context(), run.ID)
		must(t, err)
		return r.State == ledger.Settling
	})
	until(t, "the suspects have settled, but for the lag", func() bool {
		due, err := l.DueSuspects(t.Context(), "shop-0", "replica", time.Now(), 10)
		must(t, err)
		return len(due) == 2
	})
	put(s.shops[0].replica, 7, 700) // it has come
	s.loads[0].Store(&sources.Load{Standby: true, LagKnown: true})
	ended := finished(t, l, run.ID)
	if ended.Result != checks.Drift || ended.Counts.Differences() != 1 || ended.Counts.SuspectsCleared != 1 {
		t.Errorf("the run is %s: %+v, %v", ended.Result, ended.Counts, ended.Reasons)
	}
	if open := openFindings(t, l, "shop-0"); len(open) != 1 {
		t.Errorf("%d findings are open", len(open))
	}
}
