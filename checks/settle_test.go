package checks_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"plumbline/checks"
	"plumbline/sources"
	"plumbline/sources/memory"
)

const settle = 5 * time.Second

// pairOfStores is an owner and a replica in memory that hold id and value; at
// the start both hold record 1, alike.
func pairOfStores() (owner, replica *memory.Store, check *checks.Check, find checks.Readers) {
	readers := map[string]*sources.Reader{}
	stores := map[string]*memory.Store{}
	integer := sources.FieldType{Kind: sources.KindInt}
	for _, name := range []string{"owner", "replica"} {
		store := memory.NewStore()
		store.Create(memory.Table{Name: "records", Unique: []string{"id"},
			Columns: []memory.Column{{Name: "id", FieldType: integer}, {Name: "value", FieldType: integer}}})
		store.Put("records", sources.Int(1), sources.Int(1))
		stores[name] = store
		readers[name] = sources.NewReader(name, store.Source(memory.Config{}), sources.Limits{}, nil)
	}
	d := sources.Dataset{Name: "records", Key: []string{"id"}}
	check = &checks.Check{Name: "settle", Owner: checks.Side{Source: "owner", Kind: "memory", Dataset: d},
		Edges: []checks.Edge{{Name: "replica", Settle: settle, Rules: []checks.Rule{field("value", "value")},
			Replica: checks.Side{Source: "replica", Kind: "memory", Dataset: d}}}}
	return stores["owner"], stores["replica"], check, func(name string) (*sources.Reader, error) { return readers[name], nil }
}

func put(s *memory.Store, id, value int64) { s.Put("records", sources.Int(id), sources.Int(value)) }

// What happens while a difference settles, on a clock that only waits.
func TestSettling(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name      string
		before    func(owner, replica *memory.Store)
		meanwhile func(ctx context.Context, owner, replica *memory.Store)
		result    checks.Result
		found     []string
		counts    func(c checks.Counts) bool
		least     time.Duration
		most      time.Duration
	}{
		{"nothing differs: nothing is waited for", nil, nil,
			checks.Clean, nil, func(c checks.Counts) bool { return c.Equal == 1 }, 0, 0},
		{"what never arrives is confirmed after the settle time",
			func(owner, _ *memory.Store) { put(owner, 2, 1) }, nil,
			checks.Drift, []string{"missing 2"}, func(c checks.Counts) bool { return c.Equal == 1 && c.Missing == 1 }, settle, settle},
		{"what arrives in time is cleared",
			func(owner, _ *memory.Store) { put(owner, 2, 1) },
			func(_ context.Context, _, replica *memory.Store) { time.Sleep(4 * time.Second); put(replica, 2, 1) },
			checks.Clean, nil, func(c checks.Counts) bool { return c.Equal == 2 && c.SuspectsCleared == 1 }, settle, settle},
		{"what arrives wrong is a mismatch, not missing",
			func(owner, _ *memory.Store) { put(owner, 2, 1) },
			func(_ context.Context, _, replica *memory.Store) { time.Sleep(time.Second); put(replica, 2, 9) },
			checks.Drift, []string{"mismatch 2"}, func(c checks.Counts) bool { return c.Mismatch == 1 && c.Missing == 0 }, settle, settle},
		{"an owner that changes starts the clock anew",
			func(owner, _ *memory.Store) { put(owner, 1, 2) },
			func(_ context.Context, owner, replica *memory.Store) {
				time.Sleep(3 * time.Second)
				put(owner, 1, 3)
				time.Sleep(3 * time.Second) // the replica lags 3 s, which is less than it may
				put(replica, 1, 3)
			},
			checks.Clean, nil, func(c checks.Counts) bool { return c.Equal == 1 && c.SuspectsCleared == 1 }, 2 * settle, 2 * settle},
		{"an owner that never holds still is unsettled, and no drift",
			func(owner, _ *memory.Store) { put(owner, 1, 2) },
			func(ctx context.Context, owner, _ *memory.Store) {
				for value := int64(3); ctx.Err() == nil; value++ {
					time.Sleep(time.Second)
					put(owner, 1, value)
				}
			},
			checks.Incomplete, nil, func(c checks.Counts) bool { return c.Unsettled == 1 && c.Skipped == 1 }, 4 * settle, 4 * settle},
		{"a record gone from both sides is no difference",
			func(owner, _ *memory.Store) { put(owner, 2, 1) },
			func(_ context.Context, owner, _ *memory.Store) {
				time.Sleep(time.Second)
				owner.Delete("records", func(get func(string) sources.Value) bool { return get("id").AsInt() == 2 })
			},
			checks.Clean, nil, func(c checks.Counts) bool { return c.Differences() == 0 && c.SuspectsCleared == 1 }, settle, settle},
		{"an owner that comes to answer with nothing does not make everything extra",
			func(_, replica *memory.Store) { put(replica, 2, 1) },
			func(_ context.Context, owner, _ *memory.Store) {
				time.Sleep(time.Second)
				owner.Delete("records", func(func(string) sources.Value) bool { return true })
			},
			checks.Incomplete, nil, func(c checks.Counts) bool { return c.Extra == 0 }, settle, settle},
		{"an owner that comes to answer with nothing does not make what is missing equal",
			func(owner, _ *memory.Store) { put(owner, 2, 1) },
			func(_ context.Context, owner, _ *memory.Store) {
				time.Sleep(time.Second)
				owner.Delete("records", func(func(string) sources.Value) bool { return true })
			},
			checks.Incomplete, nil, func(c checks.Counts) bool { return c.Equal == 1 }, settle, settle},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				owner, replica, check, find := pairOfStores()
				if c.before != nil {
					c.before(owner, replica)
				}
				ctx, stop := context.WithCancel(t.Context())
				var busy sync.WaitGroup
				if c.meanwhile != nil {
					busy.Go(func() { c.meanwhile(ctx, owner, replica) })
				}
				defer busy.Wait()
				defer stop()
				began := time.Now()
				run := checks.Run(t.Context(), check, 0, find, checks.Options{})
				took := time.Since(began)
				if got := found(run); run.Result != c.result || len(got) != len(c.found) || len(got) > 0 && got[0] != c.found[0] || !c.counts(run.Counts) {
					t.Errorf("%s, %v, %+v, %v", run.Result, got, run.Counts, run.ReasonList())
				}
				if took < c.least || took > c.most+time.Second {
					t.Errorf("took %s, want %s to %s", took, c.least, c.most)
				}
			})
		})
	}
}

// A run that is stopped while suspects settle says what it knows at once, and
// how many it does not know.
func TestStopWhileSettling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		owner, _, check, find := pairOfStores()
		put(owner, 2, 1)
		stop := make(chan struct{})
		go func() {
			time.Sleep(time.Second)
			close(stop)
		}()
		began := time.Now()
		run := checks.Run(t.Context(), check, 0, find, checks.Options{Stop: stop})
		if run.Result != checks.Cancelled || run.Pending != 1 || run.Counts.Equal != 1 || len(run.Differences) > 0 || run.Coverage() != 0.5 {
			t.Errorf("%s, pending %d, %+v, coverage %v", run.Result, run.Pending, run.Counts, run.Coverage())
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("took %s", took)
		}
	})
}

// An owner without a record in scope is no proof of anything, unless declared so.
func TestEmptyOwner(t *testing.T) {
	t.Parallel()
	owner, _, check, find := pairOfStores()
	owner.Delete("records", func(func(string) sources.Value) bool { return true })
	run := checks.Run(t.Context(), check, 0, find, checks.Options{Settle: noSettle()})
	if run.Result != checks.Incomplete || len(run.Reasons) != 1 || run.Counts.Extra != 0 || run.Coverage() != 0 {
		t.Errorf("%s, %v, %+v, coverage %v", run.Result, run.Reasons, run.Counts, run.Coverage())
	}
	check.AllowEmpty = true
	run = checks.Run(t.Context(), check, 0, find, checks.Options{Settle: noSettle()})
	if run.Result != checks.Drift || run.Counts.Extra != 1 {
		t.Errorf("allowed to be empty: %s, %+v", run.Result, run.Counts)
	}
}
