package checks_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumbline/checks"
	"plumbline/sources"
	"plumbline/sources/memory"
)

// arrange reads both stores in a random way: page size, segments, what the
// adapters offer, raw or not, faults or not.
func arrange(r *rand.Rand, owner, replica *memory.Store, faults float64) (checks.Readers, checks.Options) {
	readers := map[string]*sources.Reader{}
	for name, store := range map[string]*memory.Store{"owner": owner, "replica": replica} {
		config := memory.Config{Raw: r.IntN(2) == 0, Without: memory.Without{Split: r.IntN(3) == 0}}
		if faults > 0 {
			config.Faults = memory.FailRandomly(r.Uint64(), faults)
		}
		limits := sources.Limits{Backoff: time.Nanosecond, Attempts: 12}
		if r.IntN(4) > 0 {
			limits.PageRecords = 1 + r.IntN(9)
		}
		readers[name] = sources.NewReader(name, store.Source(config), limits, nil)
	}
	options := checks.Options{Segments: r.IntN(7), Parallel: 1 + r.IntN(4), Settle: noSettle()}
	if r.IntN(3) == 0 {
		options.Plan = checks.PlanKeys
	}
	return func(name string) (*sources.Reader, error) { return readers[name], nil }, options
}

func laws(t *testing.T, n int, law func(t *testing.T, seed uint64, r *rand.Rand)) {
	t.Helper()
	for _, seed := range seeds(t, n) {
		law(t, seed, rand.New(rand.NewPCG(seed, 4)))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func kinds(run checks.EdgeRun) (got []string) {
	for _, d := range run.Differences {
		got = append(got, fmt.Sprintf("%s %s", d.Kind, d.Key))
	}
	slices.Sort(got)
	return got
}

// The verdict is that of looking at everything at once, whatever the page size,
// the number of segments, the plan, the order of the stores, and whatever reads
// fail on the way.
func TestVerdictIsThatOfTheDefinition(t *testing.T) {
	t.Parallel()
	plans := map[checks.PlanKind]int{}
	laws(t, 500, func(t *testing.T, _ uint64, r *rand.Rand) {
		w := makeWorld(r)
		owner, replica, check := w.stores(r, r.IntN(3) == 0)
		want, compared := w.differences()
		for range 2 {
			readers, options := arrange(r, owner, replica, float64(r.IntN(2))*0.1)
			run := checks.Run(context.Background(), check, 0, readers, options)
			plans[run.Plan.Kind]++
			if slices.ContainsFunc(run.ReasonList(), func(s string) bool { return s != "" }) && len(want)+int(compared) > 0 && liveOwners(w) > 0 {
				t.Errorf("reasons %v", run.ReasonList())
			}
			if liveOwners(w) == 0 {
				return // an owner without records in scope: judged by another test
			}
			if diff := cmp.Diff(want, kinds(run)); diff != "" {
				t.Errorf("%+v\nby %s (-want +got):\n%s", w, run.Plan.Words(), diff)
			}
			if run.Counts.Compared() != compared || run.Pending != 0 || run.Counts.Skipped != 0 {
				t.Errorf("%+v\nby %s: compared %d, want %d: %+v", w, run.Plan.Words(), run.Counts.Compared(), compared, run.Counts)
			}
		}
	})
	t.Logf("plans: %v", plans)
	if plans[checks.PlanRanges] < 50 || plans[checks.PlanKeys] < 50 {
		t.Errorf("the cases do not exercise both plans: %v", plans)
	}
}

func liveOwners(w world) (n int) {
	for _, x := range w.owner {
		if !x.out {
			n++
		}
	}
	return n
}

func TestNothingDiffersFromItself(t *testing.T) {
	t.Parallel()
	laws(t, 300, func(t *testing.T, _ uint64, r *rand.Rand) {
		w := makeWorld(r)
		w.copies, w.unique, w.where, w.missing, w.extra = false, true, false, false, false
		w.owner = slices.DeleteFunc(w.owner, func(x row) bool { return x.null || x.out })
		seen := map[int64]bool{}
		w.owner = slices.DeleteFunc(w.owner, func(x row) bool { was := seen[x.key]; seen[x.key] = true; return was })
		w.replica = w.owner
		owner, replica, check := w.stores(r, false)
		readers, options := arrange(r, owner, replica, 0)
		run := checks.Run(context.Background(), check, 0, readers, options)
		if len(run.Differences) > 0 || len(w.owner) > 0 && run.Result != checks.Clean {
			t.Errorf("%s by %s: %v", run.Result, run.Plan.Words(), kinds(run))
		}
	})
}

func TestSwappingSidesSwapsMissingAndExtra(t *testing.T) {
	t.Parallel()
	laws(t, 300, func(t *testing.T, _ uint64, r *rand.Rand) {
		w := makeWorld(r)
		w.copies, w.where, w.missing, w.extra = false, false, false, false
		for _, rows := range [][]row{w.owner, w.replica} {
			for i := range rows {
				rows[i].out, rows[i].null, rows[i].id = false, false, 0
			}
		}
		if w.unique { // a draw of copies may hold a key under several ids
			for _, rows := range []*[]row{&w.owner, &w.replica} {
				seen := map[int64]bool{}
				*rows = slices.DeleteFunc(*rows, func(x row) bool { was := seen[x.key]; seen[x.key] = true; return was })
			}
		}
		if len(w.owner) == 0 || len(w.replica) == 0 {
			return
		}
		owner, replica, check := w.stores(r, false)
		readers, options := arrange(r, owner, replica, 0)
		forth := checks.Run(context.Background(), check, 0, readers, options)
		readers, options = arrange(r, replica, owner, 0)
		back := checks.Run(context.Background(), check, 0, readers, options)
		f, b := forth.Counts, back.Counts
		if f.Missing != b.Extra || f.Extra != b.Missing || f.Mismatch != b.Mismatch || f.Equal != b.Equal {
			t.Errorf("%+v\nforth %+v\nback  %+v", w, f, b)
		}
	})
}

// A source that fails for good leaves a run that says so, and no difference
// that is none.
func TestBrokenReadsAddNoDifference(t *testing.T) {
	t.Parallel()
	results := map[checks.Result]int{}
	laws(t, 500, func(t *testing.T, _ uint64, r *rand.Rand) {
		w := makeWorld(r)
		if liveOwners(w) == 0 {
			return
		}
		owner, replica, check := w.stores(r, r.IntN(3) == 0)
		want, compared := w.differences()
		readers := map[string]*sources.Reader{}
		for name, store := range map[string]*memory.Store{"owner": owner, "replica": replica} {
			readers[name] = sources.NewReader(name, store.Source(memory.Config{Faults: memory.FailRandomly(r.Uint64(), 0.25)}),
				sources.Limits{Attempts: 2, Backoff: time.Nanosecond, PageRecords: 1 + r.IntN(9)}, nil)
		}
		run := checks.Run(context.Background(), check, 0, func(name string) (*sources.Reader, error) { return readers[name], nil },
			checks.Options{Segments: r.IntN(5), Settle: noSettle()})
		results[run.Result]++
		for _, d := range kinds(run) {
			if !slices.Contains(want, d) {
				t.Errorf("%+v\na false %s by %s", w, d, run.Plan.Words())
			}
		}
		whole := run.Coverage() == 1 && len(run.Reasons) == 0
		if whole && (run.Counts.Compared() != compared || len(run.Differences) != len(want)) {
			t.Errorf("%+v\nsays it read all: %+v, want %d compared and %v", w, run.Counts, compared, want)
		}
		if !whole && (run.Result == checks.Clean || run.Coverage() >= 1 && run.Result != checks.Incomplete) {
			t.Errorf("%s with coverage %v and reasons %v", run.Result, run.Coverage(), run.ReasonList())
		}
	})
	t.Logf("results: %v", results)
	if results[checks.Incomplete] == 0 || results[checks.Error] == 0 || results[checks.Drift] == 0 {
		t.Errorf("the faults exercise too little: %v", results)
	}
}
