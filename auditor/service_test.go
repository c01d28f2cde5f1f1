package auditor_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"plumbline/auditor"
	"plumbline/checks"
	"plumbline/ledger"
	"plumbline/sources"
	"plumbline/sources/memory"
)

func scheduled(t *testing.T, check *checks.Check, spec string) auditor.Check {
	t.Helper()
	return auditor.Check{Check: check, Spec: spec, Schedule: schedule(t, spec), Hash: "the check"}
}

func TestSchedulesAreKept(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, l *ledger.Ledger) {
		s := newShop(sources.Limits{})
		s.fill(rand.New(rand.NewPCG(1, 1)), 50, 0)
		h := &heard{}
		began := time.Now()
		list := []auditor.Check{scheduled(t, s.check("often", 0), "@every 1s"), scheduled(t, s.check("seldom", 0), "@yearly"), {Check: s.check("never", 0)}}
		a := start(t, auditor.Options{Ledger: l, Checks: list, Readers: s.find, Observer: h})
		until(t, "three runs by schedule", func() bool {
			h.Lock()
			defer h.Unlock()
			return len(h.runs) >= 3
		})
		h.Lock()
		defer h.Unlock()
		for _, r := range h.runs {
			if r.Check != "often" || r.Trigger != ledger.BySchedule || r.Result != checks.Clean || r.Actor != "plumbline" || r.SlotAt.UnixMilli()%1000 != 0 {
				t.Errorf("run %+v", r)
			}
		}
		slots, err := l.Slots(context.Background(), "often", began.Add(-time.Second))
		must(t, err)
		for i, slot := range slots {
			if i > 0 && slot.At.Sub(slots[i-1].Until) != time.Second {
				t.Errorf("slot %s follows %s", slot.At, slots[i-1].Until)
			}
		}
		if next := a.Next("often"); next.Before(began) || next.After(time.Now().Add(2*time.Second)) {
			t.Errorf("it runs next at %s", next)
		}
		if next := a.Next("seldom"); next.Month() != time.January || next.Day() != 1 {
			t.Errorf("once a year comes at %s", next)
		}
		if next := a.Next("never"); !next.IsZero() {
			t.Errorf("what has no schedule runs at %s", next)
		}
	})
}

// A run that takes longer than its interval is not overtaken by the next.
func TestNoOverlap(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, l *ledger.Ledger) {
		s := newShop(sources.Limits{PageRecords: 10})
		s.fill(rand.New(rand.NewPCG(1, 1)), 400, 0)
		s.befall(slowly(50*time.Millisecond), nil)
		h := &heard{}
		a := start(t, auditor.Options{Ledger: l, Checks: []auditor.Check{scheduled(t, s.check("shop", 0), "@every 1s")}, Readers: s.find, Observer: h})
		until(t, "a slot is skipped", func() bool {
			h.Lock()
			defer h.Unlock()
			return h.slots[ledger.SlotSkipped] > 0
		})
		var overlap *ledger.OverlapError
		if _, err := a.Run(context.Background(), "shop", ledger.ByPerson, "ada", nil); !errors.As(err, &overlap) {
			t.Errorf("another run while one goes: %v", err)
		}
		if _, err := a.Run(context.Background(), "shop", ledger.ByPerson, "ada", []sources.Key{{sources.Int(1)}}); err != nil {
			t.Errorf("a single key while a run goes: %v", err)
		}
		var none *ledger.NotFoundError
		if _, err := a.Run(context.Background(), "nothing", ledger.ByPerson, "ada", nil); !errors.As(err, &none) {
			t.Errorf("a check that is not there: %v", err)
		}
	})
}

func slowly(each time.Duration) memory.Faults {
	return func(ctx context.Context, r memory.Read) *memory.Fault {
		timer := time.NewTimer(each)
		defer timer.Stop()
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		return nil
	}
}

// A run that is cancelled stops at the page it is at; resumed, it goes on there.
func TestCancelAndResume(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, l *ledger.Ledger) {
		s := newShop(sources.Limits{PageRecords: 20})
		differ := s.fill(rand.New(rand.NewPCG(2, 2)), 2000, 0.02)
		var scanned atomic.Int64
		slow := slowly(10 * time.Millisecond)
		s.befall(func(ctx context.Context, r memory.Read) *memory.Fault {
			if r.Op == "scan" {
				scanned.Add(1)
			}
			return slow(ctx, r)
		}, nil)
		a := start(t, auditor.Options{Ledger: l, Checks: []auditor.Check{{Check: s.check("shop", 0)}}, Readers: s.find, Segments: 4, Workers: 2,
			Bounds: auditor.Bounds{Record: 20 * time.Millisecond}})
		runs, err := a.Run(context.Background(), "shop", ledger.ByPerson, "ada", nil)
		must(t, err)
		read := func() int64 {
			run, err := l.Run(context.Background(), runs[0].ID)
			must(t, err)
			return run.Read
		}
		until(t, "some is read", func() bool { return read() > 300 })
		_, err = a.Cancel(context.Background(), runs[0].ID, "ada")
		must(t, err)
		run := finished(t, l, runs[0].ID)
		if run.Result != checks.Cancelled || run.CancelledBy != "ada" || run.Read >= 2000 || run.Coverage >= 1 {
			t.Fatalf("cancelled: %s by %q, %d read, coverage %v", run.Result, run.CancelledBy, run.Read, run.Coverage)
		}
		var ended *ledger.Ended
		if _, err := a.Cancel(context.Background(), run.ID, "ada"); !errors.As(err, &ended) {
			t.Errorf("cancelled twice: %v", err)
		}
		before := scanned.Load()
		_, err = a.Resume(context.Background(), run.ID, "grace")
		must(t, err)
		left := 2000 - run.Read
		run = finished(t, l, run.ID)
		if run.Result != checks.Drift || run.Counts.Differences() != int64(differ) || run.Counts.Compared() != 2000 || run.Coverage != 1 || run.Unread != 0 {
			t.Errorf("resumed: %s %+v unread %d coverage %v %v, of %d that differ", run.Result, run.Counts, run.Unread, run.Coverage, run.Reasons, differ)
		}
		if pages := scanned.Load() - before; pages > left/20+20 {
			t.Errorf("%d pages of 20 were scanned for the %d records that were left", pages, left)
		}
		if open := openFindings(t, l, "shop"); len(open) != differ {
			t.Errorf("%d findings of %d", len(open), differ)
		}
		if _, err := a.Resume(context.Background(), run.ID, "grace"); !errors.As(err, &ended) {
			t.Errorf("resumed though nothing is left: %v", err)
		}
	})
}

// What a run waits for is told with the run.
func TestWaitsAreTold(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, l *ledger.Ledger) {
		s := newShop(sources.Limits{PageRecords: 100, RecordsPerSecond: 500, Backoff: time.Millisecond})
		s.fill(rand.New(rand.NewPCG(2, 2)), 800, 0)
		s.befall(memory.FailNth(memory.Fault{Err: memory.ErrBroken}, 8), nil)
		a := start(t, auditor.Options{Ledger: l, Checks: []auditor.Check{{Check: s.check("shop", 0)}}, Readers: s.find})
		run := runNow(t, a, l, "shop")
		rate, retry := int64(0), false
		for reason, ms := range run.Waits {
			if strings.Contains(reason, "500 records/s allowed") {
				rate += ms
			}
			retry = retry || strings.HasPrefix(reason, "owner: retrying: the connection broke")
		}
		if run.Result != checks.Clean || rate == 0 || !retry {
			t.Errorf("%s %v", run.Result, run.Waits)
		}
	})
}

// Open findings are read again before a run, in batches, however many there are.
func TestManyOpenFindingsAreReadAgain(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, l *ledger.Ledger) {
		s := newShop(sources.Limits{})
		for key := range int64(1800) {
			put(s.owner, key, key)
			put(s.replica, key, key+1)
		}
		h := &heard{}
		a := start(t, auditor.Options{Ledger: l, Checks: []auditor.Check{{Check: s.check("shop", 0)}}, Readers: s.find, Observer: h,
			Bounds: auditor.Bounds{Turn: time.Millisecond}}) // each batch in a turn of its own
		runNow(t, a, l, "shop")
		for key := range int64(1750) {
			put(s.replica, key, key)
		}
		if run := runNow(t, a, l, "shop"); run.Counts.Equal != 1750 || run.Counts.Mismatch != 50 {
			t.Errorf("%+v", run.Counts)
		}
		if open := openFindings(t, l, "shop"); len(open) != 50 {
			t.Errorf("%d are open", len(open))
		}
		h.Lock()
		defer h.Unlock()
		if h.healed != 1750 {
			t.Errorf("%d have healed", h.healed)
		}
	})
}

// A run goes on over a change of the configuration that leaves its check alone,
// and ends as incomplete over one that does not; nothing is read any more through
// what the configuration before had.
func TestReload(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, l *ledger.Ledger) {
		old, renewed := newShop(sources.Limits{PageRecords: 20}), newShop(sources.Limits{PageRecords: 20})
		for _, s := range []*shop{old, renewed} {
			s.fill(rand.New(rand.NewPCG(2, 2)), 2000, 0)
		}
		var late atomic.Bool
		slow := slowly(10 * time.Millisecond)
		old.befall(func(ctx context.Context, r memory.Read) *memory.Fault {
			if late.Load() {
				t.Errorf("%s through the old configuration", r.Op)
			}
			return slow(ctx, r)
		}, nil)
		a := start(t, auditor.Options{Ledger: l, Checks: []auditor.Check{{Check: old.check("same", 0), Hash: "same"}, {Check: old.check("other", 0), Hash: "other"},
			{Check: old.check("gone", 0), Hash: "gone"}}, Readers: old.find, Segments: 2, Workers: 6, Bounds: auditor.Bounds{Record: 20 * time.Millisecond}})
		var begun []*ledger.Run
		for _, check := range []string{"same", "other", "gone"} {
			runs, err := a.Run(context.Background(), check, ledger.ByPerson, "ada", nil)
			must(t, err)
			begun = append(begun, runs[0])
		}
		until(t, "all are reading", func() bool {
			for _, r := range begun {
				run, err := l.Run(context.Background(), r.ID)
				must(t, err)
				if run.Read == 0 {
					return false
				}
			}
			return true
		})
		must(t, a.Reload(context.Background(), []auditor.Check{{Check: renewed.check("same", 0), Hash: "same"}, {Check: renewed.check("other", 0), Hash: "another"}}, "two", renewed.find))
		late.Store(true)
		if run := finished(t, l, begun[0].ID); run.Result != checks.Clean || run.Counts.Compared() != 2000 {
			t.Errorf("a check that stayed: %s %+v %v", run.Result, run.Counts, run.Reasons)
		}
		if run := finished(t, l, begun[1].ID); run.Result != checks.Incomplete || !strings.Contains(strings.Join(reasons(run), " "), "was changed") {
			t.Errorf("a check that changed: %s %v", run.Result, run.Reasons)
		}
		if run := finished(t, l, begun[2].ID); run.Result != checks.Cancelled {
			t.Errorf("a check that went: %s %v", run.Result, run.Reasons)
		}
		if run := runNow(t, a, l, "other"); run.Result != checks.Clean {
			t.Errorf("the check as it is now: %s %v", run.Result, run.Reasons)
		}
		if state := a.State(); state.Behind() || state.Generation != 2 {
			t.Errorf("%+v", state)
		}
	})
}

// Of two processes the one with the older configuration keeps no schedules, until
// the other is gone: an update that is taken back does not end the audit.
func TestBehind(t *testing.T) {
	t.Parallel()
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			url := ledgerURL(t, engine)
			s := newShop(sources.Limits{})
			s.fill(rand.New(rand.NewPCG(1, 1)), 50, 0)
			var first, second heard
			options := func(h *heard, hash string) auditor.Options {
				return auditor.Options{Ledger: openLedger(t, url, nil), Checks: []auditor.Check{scheduled(t, s.check("shop", 0), "@every 1s")}, Readers: s.find,
					Observer: h, Hash: hash, Silence: 5 * time.Second}
			}
			a := start(t, options(&first, "one"))
			until(t, "a slot is taken by the first", func() bool { return taken(&first) > 0 })
			b := start(t, options(&second, "two"))
			until(t, "the first knows that it is behind", func() bool { return a.State().Behind() })
			before := taken(&first)
			until(t, "three slots are taken by the second", func() bool { return taken(&second) >= 3 })
			if taken(&first) != before || b.State().Behind() {
				t.Errorf("the first has taken %d slots since, the second is %+v", taken(&first)-before, b.State())
			}
			must(t, b.Stop(context.Background()))
			until(t, "the first keeps the schedule again", func() bool { return taken(&first) > before && !a.State().Behind() })
		})
	}
}

func taken(h *heard) (n int) {
	h.Lock()
	defer h.Unlock()
	for _, of := range h.slots {
		n += of
	}
	return n
}

// A run whose jobs were lost is taken up.
func TestLostJobs(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, l *ledger.Ledger) {
		s := newShop(sources.Limits{PageRecords: 20})
		s.fill(rand.New(rand.NewPCG(2, 2)), 1000, 0)
		s.befall(slowly(20*time.Millisecond), nil)
		a := start(t, auditor.Options{Ledger: l, Checks: []auditor.Check{{Check: s.check("begun", 0)}, {Check: s.check("queued", 0)}}, Readers: s.find, Segments: 8, Workers: 1})
		begun, err := a.Run(context.Background(), "begun", ledger.ByPerson, "ada", nil)
		must(t, err)
		until(t, "it is cut", func() bool {
			run, err := l.Run(context.Background(), begun[0].ID)
			must(t, err)
			return run.State == ledger.Running
		})
		queued := []*ledger.Run{{Check: "queued", Replica: "replica", Trigger: ledger.ByPerson, Generation: 1}}
		must(t, l.CreateRuns(context.Background(), queued, func(*ledger.Tx) error { return nil })) // without its job
		_, err = l.DB().Exec(`DELETE FROM river_job WHERE state <> 'running'`)
		must(t, err)
		for _, id := range []string{begun[0].ID, queued[0].ID} {
			if run := finished(t, l, id); run.Result != checks.Clean || run.Counts.Compared() != 1000 {
				t.Errorf("%s: %s %+v %v", run.Check, run.Result, run.Counts, run.Reasons)
			}
		}
	})
}
