package auditor_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"plumbline/auditor"
	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/sources"
	"plumbline/sources/memory"
)

// handClock is a clock that a test sets.
type handClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *handClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *handClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// onSampledShops runs a test on each ledger with a shop of n records that agree,
// of which a check draws a sample.
func onSampledShops(t *testing.T, n int, sample checks.Sample, test func(t *testing.T, l *ledger.Ledger, s *shop, check *checks.Check, clock *handClock)) {
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			clock := &handClock{at: time.Now().Truncate(time.Second)}
			l := openLedger(t, ledgerURL(t, engine), clock.now)
			s := newShop(sources.Limits{})
			for key := range int64(n) {
				put(s.owner, key, key)
				put(s.replica, key, key)
			}
			check := s.check("shop", 0)
			check.Sample = sample
			test(t, l, s, check, clock)
		})
	}
}

func standing(t testing.TB, l *ledger.Ledger) ledger.Edge {
	t.Helper()
	e, err := l.Edge(context.Background(), "shop", "replica")
	must(t, err)
	return e
}

// asked begins a run of something else than the check declares, and waits for its last word.
func asked(t testing.TB, a *auditor.Auditor, l *ledger.Ledger, what ledger.Asked) *ledger.Run {
	t.Helper()
	runs, err := a.RunAsked(context.Background(), "shop", ledger.ByPerson, "ada", nil, what)
	must(t, err)
	return finished(t, l, runs[0].ID)
}

// A sample without drift is told with the most that may differ, what it found is
// drift until it heals, and only everything is in sync.
func TestSampleNeverSaysInSync(t *testing.T) {
	t.Parallel()
	onSampledShops(t, 1000, checks.Sample{Keys: 100, Random: 1}, func(t *testing.T, l *ledger.Ledger, s *shop, check *checks.Check, clock *handClock) {
		a := start(t, auditor.Options{Ledger: l, Checks: []auditor.Check{{Check: check}}, Readers: s.find, Now: clock.now})
		run := runNow(t, a, l, "shop")
		rate, ok := run.EdgeRun().DriftRate()
		if run.Result != checks.Clean || run.Counts.RandomKeys != 100 || run.Counts.RandomReplicaKeys != 100 || !ok || rate.Of != "owner keys" ||
			rate.Population != 1000 || rate.High < 0.02 || rate.High > 0.04 || run.Seed == 0 || run.Drawn.Seed != run.Seed {
			t.Fatalf("%s %v %+v %+v", run.Result, run.Reasons, run.Counts, rate)
		}
		if e := standing(t, l); e.Consistency != drift.InSample || e.Bound != run.Bound() || e.Words() != "In sample: "+drift.AtMost(e.Bound) || e.Compared != 0 ||
			e.Size != 1000 || e.ScopeShare != 0.1 || e.Coverage != 1 {
			t.Fatalf("%+v", e)
		}
		if run = asked(t, a, l, ledger.Asked{Full: true}); run.Result != checks.Clean || run.Counts.Compared() != 1000 || run.Drawn != nil {
			t.Fatalf("%s %+v", run.Result, run.Counts)
		}
		if e := standing(t, l); e.Consistency != drift.InSync || e.Words() != "In sync" || e.Compared != 1000 || e.ScopeShare != 1 {
			t.Fatalf("%+v", e)
		}
		if runNow(t, a, l, "shop"); standing(t, l).Consistency != drift.InSample {
			t.Fatalf("after another sample: %+v", standing(t, l))
		}
		for key := range int64(1000) {
			put(s.replica, key, -1)
		}
		run = runNow(t, a, l, "shop")
		if e := standing(t, l); run.Result != checks.Drift || run.Counts.RandomDrift != 100 || e.Consistency != drift.Drifted || e.Bound != 0 {
			t.Fatalf("%s %+v: %+v", run.Result, run.Counts, e)
		}
		// What is open is read again first, whatever is drawn: nothing else resolves it.
		for key := range int64(1000) {
			put(s.replica, key, key)
		}
		clock.advance(time.Minute) // what was read in this millisecond is not read again
		if runNow(t, a, l, "shop"); len(openFindings(t, l, "shop")) != 0 || standing(t, l).Consistency != drift.InSample {
			t.Fatalf("%d open, %+v", len(openFindings(t, l, "shop")), standing(t, l))
		}
	})
}

// A run that was asked for less than its check declares says nothing of the check
// but what it finds.
func TestSmallerRunSpeaksForItsFindings(t *testing.T) {
	t.Parallel()
	onSampledShops(t, 500, checks.Sample{}, func(t *testing.T, l *ledger.Ledger, s *shop, check *checks.Check, clock *handClock) {
		a := start(t, auditor.Options{Ledger: l, Checks: []auditor.Check{{Check: check}}, Readers: s.find, Now: clock.now})
		if run := asked(t, a, l, ledger.Asked{Sample: 50}); run.Result != checks.Clean || run.Counts.RandomKeys != 50 {
			t.Fatalf("%s %+v", run.Result, run.Counts)
		}
		if e := standing(t, l); e.Consistency != drift.Unknown || !e.LastSuccess.IsZero() {
			t.Fatalf("%+v", e)
		}
		runNow(t, a, l, "shop")
		full := standing(t, l)
		asked(t, a, l, ledger.Asked{Sample: 50})
		if e := standing(t, l); e.Consistency != drift.InSync || e.LastRun != full.LastRun || e.Coverage != 1 {
			t.Fatalf("%+v", e)
		}
		for key := range int64(500) {
			put(s.replica, key, -1)
		}
		asked(t, a, l, ledger.Asked{Sample: 50})
		if e := standing(t, l); e.Consistency != drift.Drifted || e.OpenFindings() != 50 || e.LastRun != full.LastRun {
			t.Fatalf("%+v", e)
		}
		for _, wrong := range []ledger.Asked{{Sample: 5, Full: true}, {Since: time.Hour}, {Sample: -1}, {StopAfter: -1}} {
			if _, err := a.RunAsked(t.Context(), "shop", ledger.ByPerson, "ada", nil, wrong); !errors.As(err, new(*auditor.NotPossible)) {
				t.Errorf("%+v: %v", wrong, err)
			}
		}
	})
}

// A run that is to stop after some differences ends its scan there: what it
// counts is exact, the rest is unread, and whoever resumes it reads the rest.
func TestRunStopsAfterDifferences(t *testing.T) {
	t.Parallel()
	onSampledShops(t, 5000, checks.Sample{}, func(t *testing.T, l *ledger.Ledger, s *shop, check *checks.Check, clock *handClock) {
		for key := range int64(5000) {
			put(s.replica, key, -1)
		}
		a := start(t, auditor.Options{Ledger: l, Checks: []auditor.Check{{Check: check}}, Readers: s.find, Now: clock.now, Segments: 4})
		run := asked(t, a, l, ledger.Asked{StopAfter: 10})
		c := run.Counts
		if run.Result != checks.Drift || c.Differences() < 10 || c.Differences() >= 5000 || c.Compared() != c.Differences() || run.Coverage >= 1 ||
			run.Reasons["stopped after 10 differences"] != 1 || run.Pending != 0 || int64(len(openFindings(t, l, "shop"))) != c.Differences() {
			t.Fatalf("%s %v coverage %v %+v", run.Result, run.Reasons, run.Coverage, c)
		}
		if e := standing(t, l); e.Consistency != drift.Drifted || e.Whole {
			t.Fatalf("%+v", e)
		}
		resumed, err := a.Resume(t.Context(), run.ID, "ada")
		must(t, err)
		if run = finished(t, l, resumed.ID); run.Counts.Differences() != 5000 || run.Coverage != 1 || len(run.Reasons) != 0 {
			t.Fatalf("%s %v coverage %v %+v", run.Result, run.Reasons, run.Coverage, run.Counts)
		}
	})
}

func rolling(t testing.TB, l *ledger.Ledger, side checks.Role) ledger.Rolling {
	t.Helper()
	list, err := l.Rolling(context.Background(), "shop")
	must(t, err)
	for _, r := range list {
		if r.Side == side {
			return r
		}
	}
	return ledger.Rolling{}
}

// Rolling samples come by every key that was there throughout a cycle, whatever
// comes and goes meanwhile, and say how long ago that was.
func TestRollingSamplesComeByEveryKey(t *testing.T) {
	t.Parallel()
	const n, keys = 300, 40
	onSampledShops(t, n, checks.Sample{Keys: keys, Rolling: 1}, func(t *testing.T, l *ledger.Ledger, s *shop, check *checks.Check, clock *handClock) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		a := start(t, auditor.Options{Ledger: l, Checks: []auditor.Check{{Check: check}}, Readers: s.find, Now: clock.now})
		began := clock.now()
		days := 0
		for ; rolling(t, l, checks.OwnerSide).LastEnded.IsZero(); days++ {
			if days == 0 { // what differs all the time is come by within a cycle
				for key := range int64(n / 10) {
					put(s.replica, 10*key, -1)
				}
			}
			runNow(t, a, l, "shop")
			clock.advance(24 * time.Hour)
			for range 5 { // elsewhere records come and go
				key := 10*r.Int64N(n/10) + 1 + r.Int64N(8)
				s.owner.Delete(shopTable, func(f func(string) sources.Value) bool { return f("id").AsInt() == key })
				s.replica.Delete(shopTable, func(f func(string) sources.Value) bool { return f("id").AsInt() == key })
				put(s.owner, n+r.Int64N(1000), 1)
			}
			s.replica.Delete(shopTable, func(f func(string) sources.Value) bool { return f("id").AsInt() > n })
			s.owner.Delete(shopTable, func(f func(string) sources.Value) bool { return f("id").AsInt() > n })
			if days > 2*n/keys {
				t.Fatalf("no cycle is complete after %d days: %+v", days, rolling(t, l, checks.OwnerSide))
			}
		}
		if open := len(openFindings(t, l, "shop")); open != n/10 {
			t.Fatalf("%d of %d were found", open, n/10)
		}
		o := rolling(t, l, checks.OwnerSide)
		if o.Cycle != 2 || !o.Since().Equal(began) || !o.LastEnded.After(began) || o.Skipped+o.LastSkipped != 0 {
			t.Fatalf("%+v", o)
		}
		if share, ok := o.Share(); ok && (share < 0 || share > 1) {
			t.Errorf("share %v", share)
		}
	})
}

// The watermark moves on only when all that was drawn was read, and begins anew
// where the check comes to mean something else.
func TestWatermarkMovesOnceAllWasRead(t *testing.T) {
	t.Parallel()
	onSampledShops(t, 200, checks.Sample{Keys: 50, Rolling: 1}, func(t *testing.T, l *ledger.Ledger, s *shop, check *checks.Check, clock *handClock) {
		a := start(t, auditor.Options{Ledger: l, Checks: []auditor.Check{{Check: check, Hash: "one"}}, Readers: s.find, Now: clock.now})
		runNow(t, a, l, "shop")
		if r := rolling(t, l, checks.OwnerSide); r.Visited != 50 || r.Cycle != 1 || !r.Since().IsZero() {
			t.Fatalf("%+v", r)
		}
		s.befall(nil, func(_ context.Context, r memory.Read) *memory.Fault {
			if r.Op == "lookup" {
				return &memory.Fault{Err: sources.Final(errors.New("no such table"))}
			}
			return nil
		})
		failed := runNow(t, a, l, "shop")
		if r := rolling(t, l, checks.OwnerSide); failed.Result == checks.Clean || r.Visited != 50 {
			t.Fatalf("%s: %+v", failed.Result, r)
		}
		s.befall(nil, nil)
		resumed, err := a.Resume(t.Context(), failed.ID, "ada")
		must(t, err)
		if run := finished(t, l, resumed.ID); run.Result != checks.Clean || rolling(t, l, checks.OwnerSide).Visited != 100 {
			t.Fatalf("%s %v: %+v", run.Result, run.Reasons, rolling(t, l, checks.OwnerSide))
		}
		changed := *check
		changed.Description = "another"
		must(t, a.Reload(t.Context(), []auditor.Check{{Check: &changed, Hash: "two"}}, "two", s.find))
		if r := rolling(t, l, checks.OwnerSide); r.Cycle != 0 {
			t.Fatalf("of the check as it was: %+v", r)
		}
		runNow(t, a, l, "shop")
		if r := rolling(t, l, checks.OwnerSide); r.Visited != 50 || r.Cycle != 1 {
			t.Fatalf("%+v", r)
		}
	})
}

// A run that is taken over goes on with the keys that it drew, whatever the
// stores hold by then.
func TestTakenOverRunKeepsItsSample(t *testing.T) {
	t.Parallel()
	onSampledShops(t, 400, checks.Sample{Keys: 200, Rolling: .5, Random: .5}, func(t *testing.T, l *ledger.Ledger, s *shop, check *checks.Check, clock *handClock) {
		hold, held := make(chan struct{}), make(chan struct{}, 100)
		s.befall(nil, func(ctx context.Context, r memory.Read) *memory.Fault {
			if r.Op == "lookup" {
				held <- struct{}{}
				select {
				case <-hold:
				case <-ctx.Done():
				}
				return &memory.Fault{Err: errors.New("the process is going")}
			}
			return nil
		})
		o := auditor.Options{Ledger: l, Checks: []auditor.Check{{Check: check}}, Readers: s.find, Now: clock.now, Silence: time.Second}
		first := start(t, o)
		runs, err := first.Run(t.Context(), "shop", ledger.ByPerson, "ada", nil)
		must(t, err)
		<-held
		drawn, err := l.Segments(t.Context(), runs[0].ID)
		must(t, err)
		before, err := l.Run(t.Context(), runs[0].ID)
		must(t, err)
		close(hold)
		must(t, first.Stop(t.Context()))
		s.befall(nil, nil)
		for key := range int64(400) { // another draw would be of these
			put(s.owner, 1000+key, key)
			put(s.replica, 1000+key, key)
		}
		start(t, o)
		run := finished(t, l, runs[0].ID)
		after, err := l.Segments(t.Context(), run.ID)
		must(t, err)
		if run.Result != checks.Clean || run.Seed != before.Seed || len(after) != len(drawn) || run.Drawn.Drawn[checks.OwnerSide] != before.Drawn.Drawn[checks.OwnerSide] ||
			run.Counts.RandomKeys != before.Drawn.Random[checks.OwnerSide] || run.Counts.Compared() > 400 {
			t.Fatalf("%s %v %+v %+v", run.Result, run.Reasons, run.Counts, run.Drawn)
		}
		for i := range after {
			if !after[i].Drawn || after[i].Read != after[i].Plan.Estimate || after[i].Plan.Stratum != drawn[i].Plan.Stratum {
				t.Errorf("segment %d: %+v", i, after[i])
			}
		}
	})
}
