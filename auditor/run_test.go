package auditor_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"plumbline/auditor"
	"plumbline/checks"
	"plumbline/ledger"
	"plumbline/sources"
	"plumbline/sources/memory"
)

func onEngines(t *testing.T, test func(t *testing.T, l *ledger.Ledger)) {
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			test(t, openLedger(t, ledgerURL(t, engine), nil))
		})
	}
}

// A run finds what drifts, the next resolves what healed and finds what came back.
func TestRunsFindAndResolve(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, l *ledger.Ledger) {
		s := newShop(sources.Limits{})
		for key := range int64(100) {
			put(s.owner, key, key)
			put(s.replica, key, key)
		}
		put(s.replica, 7, 70)
		put(s.owner, 200, 1)
		put(s.replica, 300, 1)
		h := &heard{}
		a := start(t, auditor.Options{Ledger: l, Checks: []auditor.Check{{Check: s.check("shop", 50*time.Millisecond)}}, Readers: s.find, Observer: h})

		run := runNow(t, a, l, "shop")
		if run.Result != checks.Drift || run.Counts.Compared() != 102 || run.Counts.Mismatch != 1 || run.Counts.Missing != 1 || run.Counts.Extra != 1 {
			t.Fatalf("%s %+v", run.Result, run.Counts)
		}
		if open := openFindings(t, l, "shop"); len(open) != 3 {
			t.Fatalf("open: %v", open)
		}
		put(s.replica, 7, 7)
		put(s.replica, 200, 1)
		run = runNow(t, a, l, "shop")
		if open := openFindings(t, l, "shop"); len(open) != 1 || run.Result != checks.Drift || run.Counts.Extra != 1 {
			t.Fatalf("open: %v, run %s %+v", open, run.Result, run.Counts)
		}
		put(s.replica, 7, 71)
		runNow(t, a, l, "shop")
		list, _, err := l.Findings(context.Background(), ledger.FindingFilter{State: "regressed"})
		must(t, err)
		if len(list) != 1 || list[0].Regressions != 1 {
			t.Fatalf("regressed: %+v", list)
		}
		until(t, "the observer has heard of two that healed and three runs", func() bool {
			h.Lock()
			defer h.Unlock()
			return h.healed == 2 && len(h.runs) == 3
		})
	})
}

// What is equal when it is read again was in flight, and is no finding.
func TestSuspectsClear(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, l *ledger.Ledger) {
		s := newShop(sources.Limits{})
		for key := range int64(50) {
			put(s.owner, key, key)
			put(s.replica, key, key)
		}
		put(s.replica, 7, 70)
		put(s.replica, 8, 80)
		h := &heard{}
		a := start(t, auditor.Options{Ledger: l, Checks: []auditor.Check{{Check: s.check("shop", 2*time.Second)}}, Readers: s.find, Observer: h})
		runs, err := a.Run(context.Background(), "shop", ledger.ByPerson, "ada", nil)
		must(t, err)
		until(t, "the scan has ended", func() bool {
			run, err := l.Run(context.Background(), runs[0].ID)
			must(t, err)
			return run.State == ledger.Settling && run.Pending == 2
		})
		put(s.replica, 7, 7)
		run := finished(t, l, runs[0].ID)
		if run.Result != checks.Drift || run.Counts.SuspectsCleared != 1 || run.Counts.Mismatch != 1 || run.Counts.Equal != 49 {
			t.Fatalf("%s %+v", run.Result, run.Counts)
		}
		if open := openFindings(t, l, "shop"); len(open) != 1 {
			t.Fatalf("open: %v", open)
		}
		h.Lock()
		defer h.Unlock()
		if h.cleared != 1 || h.healed != 0 {
			t.Errorf("the observer heard of %d cleared and %d healed", h.cleared, h.healed)
		}
	})
}

func TestRecheck(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, l *ledger.Ledger) {
		s := newShop(sources.Limits{Attempts: 1})
		put(s.owner, 1, 1)
		put(s.replica, 1, 2)
		put(s.owner, 2, 2)
		put(s.replica, 2, 2)
		a := start(t, auditor.Options{Ledger: l, Checks: []auditor.Check{{Check: s.check("shop", 0)}}, Readers: s.find})
		runNow(t, a, l, "shop")
		list, _, err := l.Findings(context.Background(), ledger.FindingFilter{State: "open"})
		must(t, err)
		if len(list) != 1 {
			t.Fatalf("open: %v", list)
		}
		id := list[0].ID

		f, err := a.Recheck(context.Background(), id, "ada")
		must(t, err)
		if !f.State.Open() || f.Seen <= list[0].Seen || !f.CheckedAt.After(list[0].CheckedAt) {
			t.Errorf("it still differs, and is %+v", f)
		}
		s.befall(memory.FailRandomly(1, 1), nil)
		if _, err := a.Recheck(context.Background(), id, "ada"); err == nil || !strings.Contains(err.Error(), "read "+id+" again") {
			t.Errorf("while the owner is down: %v", err)
		}
		s.befall(nil, nil)
		if f, err = l.Finding(context.Background(), id); err != nil || !f.State.Open() {
			t.Errorf("what was not read changed: %+v %v", f, err)
		}
		put(s.replica, 1, 1)
		f, err = a.Recheck(context.Background(), id, "ada")
		must(t, err)
		if f.State.Open() || f.Resolution != checks.ClearedEqual {
			t.Errorf("it is equal by now, and is %s (%s)", f.State, f.Resolution)
		}
		var none *ledger.NotFoundError
		if _, err := a.Recheck(context.Background(), "F-none", "ada"); !errors.As(err, &none) {
			t.Errorf("a finding that never was: %v", err)
		}
	})
}

// An owner that answers with nothing is no reason to take anything for healed.
func TestEmptyOwnerResolvesNothing(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, l *ledger.Ledger) {
		s := newShop(sources.Limits{})
		for key := range int64(10) {
			put(s.owner, key, key)
		}
		put(s.replica, 3, 3)
		a := start(t, auditor.Options{Ledger: l, Checks: []auditor.Check{{Check: s.check("shop", 0)}}, Readers: s.find})
		runNow(t, a, l, "shop")
		before := openFindings(t, l, "shop")
		s.owner.Delete(shopTable, func(func(string) sources.Value) bool { return true })
		run := runNow(t, a, l, "shop")
		after := openFindings(t, l, "shop")
		if run.Result != checks.Incomplete || len(before) != 9 || len(after) != 9 {
			t.Fatalf("%s %v, %d findings before and %d after", run.Result, run.Reasons, len(before), len(after))
		}
		for id := range after {
			if _, err := a.Recheck(context.Background(), id, "ada"); err == nil {
				t.Errorf("%s was read again though the owner is empty", id)
			}
		}
	})
}

func TestGivenKeys(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, l *ledger.Ledger) {
		s := newShop(sources.Limits{})
		s.fill(rand.New(rand.NewPCG(1, 1)), 20, 1)
		put(s.owner, 5, 5)
		put(s.replica, 5, 5)
		put(s.owner, 6, 5)
		put(s.replica, 6, 6)
		a := start(t, auditor.Options{Ledger: l, Checks: []auditor.Check{{Check: s.check("shop", 0)}}, Readers: s.find})
		runs, err := a.Run(context.Background(), "shop", ledger.ByPerson, "ada", []sources.Key{{sources.Int(5)}, {sources.Int(6)}})
		must(t, err)
		run := finished(t, l, runs[0].ID)
		if run.Counts.Compared() != 2 || run.Counts.Equal != 1 || run.Counts.Mismatch != 1 || len(openFindings(t, l, "shop")) != 1 {
			t.Errorf("%s %+v", run.Result, run.Counts)
		}
	})
}

// A store that is down makes a run an error, and a table that is not there at once.
func TestStoreDown(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, l *ledger.Ledger) {
		s := newShop(sources.Limits{Attempts: 1, Backoff: time.Millisecond})
		s.fill(rand.New(rand.NewPCG(1, 1)), 20, 0.2)
		gone := s.check("gone", 0)
		gone.Owner.Dataset.Name = "elsewhere"
		a := start(t, auditor.Options{Ledger: l, Checks: []auditor.Check{{Check: s.check("shop", 0)}, {Check: gone}}, Readers: s.find})
		s.befall(nil, func(context.Context, memory.Read) *memory.Fault { return &memory.Fault{Err: memory.ErrBroken} })
		runs, err := a.Run(context.Background(), "shop", ledger.ByPerson, "ada", nil)
		must(t, err)
		if run := runNow(t, a, l, "gone"); run.Result != checks.Error || !strings.Contains(run.Error, `table "elsewhere" not found`) {
			t.Errorf("%s: %q", run.Result, run.Error)
		}
		if run := finished(t, l, runs[0].ID); run.Result != checks.Error || !strings.Contains(run.Error, memory.ErrBroken.Error()) {
			t.Errorf("%s: %q", run.Result, run.Error)
		}
		if open := openFindings(t, l, ""); len(open) != 0 {
			t.Errorf("findings of a store that is down: %v", open)
		}
	})
}

// A panic ends the work it happens in, as an error, and nothing else.
func TestPanicsAreContained(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, l *ledger.Ledger) {
		s := newShop(sources.Limits{})
		s.fill(rand.New(rand.NewPCG(1, 1)), 20, 0.2)
		h := &heard{}
		a := start(t, auditor.Options{Ledger: l, Checks: []auditor.Check{{Check: s.check("shop", 0)}}, Readers: s.find, Observer: h})
		for _, op := range []string{"describe", "scan", "split", "count", "lookup"} {
			s.befall(func(_ context.Context, r memory.Read) *memory.Fault {
				if r.Op == op {
					panic("a bug in an adapter")
				}
				return nil
			}, nil)
			run := runNow(t, a, l, "shop")
			if run.Result == checks.Clean || op != "lookup" && op != "split" && !strings.Contains(run.Error+strings.Join(reasons(run), " "), "broke down") {
				t.Errorf("%s: %s %q %v", op, run.Result, run.Error, run.Reasons)
			}
		}
		s.befall(nil, nil)
		if run := runNow(t, a, l, "shop"); run.Result != checks.Drift {
			t.Errorf("after all of that: %s %q %v", run.Result, run.Error, run.Reasons)
		}
	})
}

func reasons(r *ledger.Run) (list []string) {
	for reason := range r.Reasons {
		list = append(list, reason)
	}
	return list
}
