package checks_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"plumbline/checks"
	"plumbline/sources"
	"plumbline/sources/memory"
)

// ownerKeys works out, from the definitions alone, how many of the owner's keys a
// check is about, and of how many something differs.
func (w world) ownerKeys(want []string) (all, differ int64) {
	rows := map[int64][]row{}
	for _, x := range w.owner {
		if !x.null {
			rows[x.key] = append(rows[x.key], x)
		}
	}
	for key, same := range rows {
		if owner, _ := pick(same); owner.out {
			continue
		}
		all++
		if slices.ContainsFunc(want, func(d string) bool { return strings.HasSuffix(d, fmt.Sprint(" ", key)) }) {
			differ++
		}
	}
	return all, differ
}

// A sample of more keys than there are finds what a full run finds, but for what
// has no key to draw, and its share is exact, whatever the adapters offer.
func TestSampleOfAllKeysIsAFullRun(t *testing.T) {
	t.Parallel()
	rated := 0
	laws(t, 300, func(t *testing.T, seed uint64, r *rand.Rand) {
		w := makeWorld(r)
		if liveOwners(w) == 0 {
			return
		}
		owner, replica, check := w.stores(r, r.IntN(3) == 0)
		want, _ := w.differences()
		want = slices.DeleteFunc(want, func(d string) bool { return d == "unreadable null" })
		readers, options := arrange(r, owner, replica, float64(r.IntN(2))*0.1)
		if r.IntN(2) == 0 { // the Reader reads all keys and chooses
			find := func(store *memory.Store) *sources.Reader {
				return sources.NewReader("store", store.Source(memory.Config{Without: memory.Without{Write: true}}), sources.Limits{}, nil)
			}
			both := map[string]*sources.Reader{"owner": find(owner), "replica": find(replica)}
			readers = func(name string) (*sources.Reader, error) { return both[name], nil }
		}
		options.Plan, options.Seed = "", seed
		options.Sample = &checks.Sample{Keys: 100, Random: 1}
		if r.IntN(2) == 0 {
			options.Sample = &checks.Sample{Keys: 200, Rolling: 0.5, Random: 0.5}
		}
		run := checks.Run(context.Background(), check, 0, readers, options)
		if diff := cmp.Diff(want, kinds(run), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%+v\nby %s (-want +got):\n%s", w, run.Plan.Words(), diff)
		}
		all, differ := w.ownerKeys(want)
		rate, ok := run.DriftRate()
		if !ok {
			if all > 0 {
				t.Errorf("%+v\nno share of %d keys", w, all)
			}
			return
		}
		rated++
		share := float64(differ) / float64(all)
		if rate.Of != "owner keys" || rate.Keys != all || rate.Population != all || rate.Estimate != share || rate.Low != share || rate.High != share {
			t.Errorf("%+v\nthe share is %+v, not %d of %d", w, rate, differ, all)
		}
	})
	if len(seeds(t, 2)) > 1 && rated < 150 {
		t.Errorf("only %d of the worlds have a share", rated)
	}
}

// pair is an owner and a replica in memory, of which a test says what differs.
type pair struct {
	owner, replica *memory.Store
	check          *checks.Check
	readers        checks.Readers
}

func makePair(t *testing.T) *pair {
	t.Helper()
	p := &pair{owner: memory.NewStore(), replica: memory.NewStore()}
	columns := []memory.Column{{Name: "id", FieldType: sources.FieldType{Kind: sources.KindInt, Strict: true}},
		{Name: "value", FieldType: sources.FieldType{Kind: sources.KindInt}}, {Name: "changed", FieldType: sources.FieldType{Kind: sources.KindTime}}}
	for _, s := range []*memory.Store{p.owner, p.replica} {
		s.Create(memory.Table{Name: "records", Columns: columns, Unique: []string{"id"}})
	}
	d := sources.Dataset{Name: "records", Key: []string{"id"}}
	p.check = &checks.Check{Name: "sampled", Owner: checks.Side{Source: "owner", Kind: "memory", Dataset: d}, Edges: []checks.Edge{{Name: "replica",
		Rules: []checks.Rule{field("value", "value"), field("changed", "changed")}, Replica: checks.Side{Source: "replica", Kind: "memory", Dataset: d}}}}
	readers := map[string]*sources.Reader{
		"owner":   sources.NewReader("owner", p.owner.Source(memory.Config{}), sources.Limits{}, nil),
		"replica": sources.NewReader("replica", p.replica.Source(memory.Config{}), sources.Limits{}, nil)}
	p.readers = func(name string) (*sources.Reader, error) { return readers[name], nil }
	return p
}

func (p *pair) put(store *memory.Store, id, value int, changed time.Time) {
	store.Put("records", sources.Int(int64(id)), sources.Int(int64(value)), sources.Time(changed, 3))
}

func (p *pair) run(t *testing.T, o checks.Options) checks.EdgeRun {
	t.Helper()
	if o.Settle == nil {
		o.Settle = noSettle()
	}
	return checks.Run(t.Context(), p.check, 0, p.readers, o)
}

func TestSampleComparesWhatChangedLast(t *testing.T) {
	t.Parallel()
	p := makePair(t)
	start := time.Now().Add(-time.Hour)
	for id := range 3000 {
		value := 1
		if id >= 2900 { // of late nothing reaches the replica
			value = 2
		}
		p.put(p.owner, id, value, start.Add(time.Duration(id)*time.Second))
		p.put(p.replica, id, 1, start.Add(time.Duration(id)*time.Second))
	}
	p.check.Sample = checks.Sample{Keys: 200, Recent: 0.5, Rolling: 0.3, Random: 0.2, RecentBy: "changed"}
	run := p.run(t, checks.Options{Seed: 7})
	if run.Result != checks.Drift || run.Counts.Mismatch < 100 || run.Counts.Mismatch > 140 {
		t.Errorf("%s: %+v", run.Result, run.Counts)
	}
	if want := "keys: 200 keys sampled: 100 recent by changed, 60 rolling, 40 random"; !strings.HasPrefix(run.Plan.Words(), want) {
		t.Errorf("the plan says %q", run.Plan.Words())
	}
	rate, ok := run.DriftRate()
	if !ok || rate.Keys != 40 || rate.Population != 3000 || rate.Low > 100.0/3000 || rate.High < 100.0/3000 || rate.High > 0.3 {
		t.Errorf("the share is %+v", rate)
	}
	if share := run.ScopeShare(); share < 180.0/3000 || share > 200.0/3000 {
		t.Errorf("of the scope %v was compared", share)
	}
	if next := run.Next[checks.OwnerSide]; next.Wrapped || len(next.Position) != 1 || next.Position[0].AsInt() != 59 {
		t.Errorf("the rolling part goes on at %+v", next)
	}
	again := p.run(t, checks.Options{Seed: 7})
	if diff := cmp.Diff(kinds(run), kinds(again)); diff != "" || again.Sampled.Seed != 7 {
		t.Errorf("the same seed compared other keys: %s", diff)
	}
	full := p.run(t, checks.Options{Sample: &checks.Sample{}})
	if rate, ok := full.DriftRate(); !ok || rate.Estimate != 100.0/3000 || rate.Confidence != 1 || full.ScopeShare() != 1 || full.Sampled != nil {
		t.Errorf("a full run in spite of the sample: %+v of %v", rate, full.ScopeShare())
	}
}

func TestSinceComparesWhatChangedSince(t *testing.T) {
	t.Parallel()
	p := makePair(t)
	now := time.Now()
	for id := range 500 {
		p.put(p.owner, id, id%10, now.Add(-time.Duration(id)*time.Minute))
		p.put(p.replica, id, 0, now.Add(-time.Duration(id)*time.Minute))
	}
	if run := p.run(t, checks.Options{Since: 2 * time.Hour}); run.Result != checks.Error || !strings.Contains(run.Err.Error(), "recent_by") {
		t.Errorf("without recent_by: %s, %v", run.Result, run.Err)
	}
	p.check.Sample.RecentBy = "changed"
	run := p.run(t, checks.Options{Since: 2*time.Hour + 30*time.Second})
	if run.Counts.Compared() != 121 || run.Counts.Mismatch != 108 || run.Result != checks.Drift {
		t.Errorf("since two hours: %s, %+v", run.Result, run.Counts)
	}
	if _, ok := run.DriftRate(); ok {
		t.Error("what changed of late tells no share of all")
	}
	cut := p.run(t, checks.Options{Since: 2*time.Hour + 30*time.Second, Sample: &checks.Sample{Keys: 50}})
	if cut.Counts.Compared() != 50 || len(cut.Reasons) == 0 {
		t.Errorf("of more than were asked for: %+v, %v", cut.Counts, cut.ReasonList())
	}
	p.owner.Truncate("records")
	p.replica.Truncate("records")
	p.put(p.owner, 1, 1, now.Add(-100*time.Hour))
	if run := p.run(t, checks.Options{Since: time.Minute}); run.Result != checks.Incomplete {
		t.Errorf("nothing changed: %s, %v", run.Result, run.ReasonList())
	}
}

func TestStopAfterSoManyDifferences(t *testing.T) {
	t.Parallel()
	p := makePair(t)
	for id := range 5000 {
		p.put(p.owner, id, 1, time.Unix(0, 0))
		p.put(p.replica, id, id%2, time.Unix(0, 0))
	}
	readers := map[string]*sources.Reader{}
	for name, store := range map[string]*memory.Store{"owner": p.owner, "replica": p.replica} {
		readers[name] = sources.NewReader(name, store.Source(memory.Config{}), sources.Limits{PageRecords: 100}, nil)
	}
	p.readers = func(name string) (*sources.Reader, error) { return readers[name], nil }
	for _, o := range []checks.Options{{}, {Plan: checks.PlanKeys}, {Sample: &checks.Sample{Keys: 4000, Random: 1}}} {
		o.StopAfter, o.Parallel = 120, 1
		run := p.run(t, o)
		if run.Result != checks.Drift || run.Counts.Mismatch < 120 || run.Counts.Mismatch > 700 || run.Coverage() >= 1 || run.Counts.Equal == 0 {
			t.Errorf("%s: %s, %+v, coverage %v", run.Plan.Words(), run.Result, run.Counts, run.Coverage())
		}
		if reasons := run.ReasonList(); len(reasons) != 1 || reasons[0] != "stopped after 120 differences" {
			t.Errorf("%s: %v", run.Plan.Words(), reasons)
		}
		if rate, ok := run.DriftRate(); !ok || rate.Low > 0.5 || rate.High < 0.5 {
			t.Errorf("%s: the share %+v does not hold one half", run.Plan.Words(), rate)
		}
	}
}

func TestSampleWithoutADateIsDrawnAtRandom(t *testing.T) {
	t.Parallel()
	p := makePair(t)
	for id := range 1000 {
		p.put(p.owner, id, 1, time.Unix(0, 0))
		p.put(p.replica, id, 1, time.Unix(0, 0))
	}
	p.check.Sample = checks.Sample{Keys: 100, Recent: 0.5, Random: 0.5}
	run := p.run(t, checks.Options{})
	if run.Result != checks.Clean || run.Counts.RandomKeys != 100 || run.ScopeShare() != 0.1 || run.Sampled.Seed == 0 {
		t.Errorf("%s, %+v of %v", run.Result, run.Counts, run.ScopeShare())
	}
	if rate, ok := run.DriftRate(); !ok || rate.Estimate != 0 || rate.Low != 0 || rate.High < 0.02 || rate.High > 0.04 {
		t.Errorf("the share is %+v", rate)
	}
	if rate, ok := run.ExtraRate(); !ok || rate.Of != "replica keys" || rate.Estimate != 0 || rate.Population != 1000 {
		t.Errorf("the share of extra keys is %+v", rate)
	}
	if len(run.Plan.Why) == 0 || len(run.Plan.Blind) == 0 {
		t.Errorf("the plan says neither why nor what it cannot find: %+v", run.Plan)
	}
}

func TestSampleFindsExtraKeysByTheReplica(t *testing.T) {
	t.Parallel()
	p := makePair(t)
	for id := range 2000 {
		if id%4 > 0 {
			p.put(p.owner, id, 1, time.Unix(0, 0))
		}
		p.put(p.replica, id, 1, time.Unix(0, 0))
	}
	run := p.run(t, checks.Options{Sample: &checks.Sample{Keys: 400, Random: 1}})
	if run.Result != checks.Drift || run.Counts.Extra < 50 || run.Counts.Extra != run.Counts.RandomExtras || run.Counts.Mismatch+run.Counts.Missing > 0 {
		t.Errorf("%s: %+v", run.Result, run.Counts)
	}
	if rate, ok := run.ExtraRate(); !ok || rate.Low > 0.25 || rate.High < 0.25 || rate.High-rate.Low > 0.15 {
		t.Errorf("the share of extra keys is %+v", rate)
	}
	if rate, ok := run.DriftRate(); !ok || rate.Estimate != 0 {
		t.Errorf("the share of the owner's keys is %+v", rate)
	}
	p.check.Edges[0].IgnoreExtra = true
	if run = p.run(t, checks.Options{Sample: &checks.Sample{Keys: 400, Random: 1}}); run.Result != checks.Clean || len(run.Plan.Passes) != 1 {
		t.Errorf("with extra ones ignored: %s by %+v", run.Result, run.Plan)
	}
}

// Every key that is there all the while is drawn within a cycle of the rolling
// part, whatever comes and goes meanwhile.
func TestRollingVisitsEveryKeyThatStays(t *testing.T) {
	t.Parallel()
	laws(t, 15, func(t *testing.T, _ uint64, r *rand.Rand) {
		p := makePair(t)
		keys := 20 + r.IntN(400)
		there := map[int64]bool{}
		put := func(id int64) { p.put(p.owner, int(id), 1, time.Unix(0, 0)); there[id] = true }
		for range keys {
			put(r.Int64N(1000))
		}
		most := 1 + r.IntN(60)
		p.check.Sample = checks.Sample{Keys: most, Rolling: 1}
		stayed, drawn := map[int64]bool{}, map[int64]bool{}
		for id := range there {
			stayed[id] = true
		}
		var from map[checks.Role]sources.Position
		cycles, draws := 0, 0
		for cycles < 3 {
			if draws++; draws > 40*(keys/most+2)*3 {
				t.Fatalf("after %d draws of %d keys the end is passed %d times", draws, most, cycles)
			}
			a, err := checks.Open(t.Context(), p.check, 0, p.readers, checks.Options{})
			if err != nil {
				t.Fatal(err)
			}
			d, err := a.Draw(t.Context(), p.check.Sample, from, r.Uint64())
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range d.Segments {
				if s.Stratum != checks.StratumRolling || len(s.Keys) > most {
					t.Fatalf("a segment of %d %s keys", len(s.Keys), s.Stratum)
				}
				for _, k := range s.Keys {
					drawn[k[0].AsInt()] = true
				}
			}
			next := d.Next[checks.OwnerSide]
			from = map[checks.Role]sources.Position{checks.OwnerSide: next.Position}
			if next.Wrapped {
				cycles++
				// What lies before the watermark was drawn for the cycle that begins.
				for id := range stayed {
					if there[id] && !drawn[id] {
						t.Fatalf("key %d was there for the whole of a cycle and never drawn", id)
					}
				}
				clear(drawn)
				clear(stayed)
				for id := range there {
					if stayed[id] = true; next.Position != nil && id <= next.Position[0].AsInt() {
						drawn[id] = true
					}
				}
			}
			for range r.IntN(most + 1) {
				id := r.Int64N(1000)
				if there[id] && len(there) > 5 {
					p.owner.Delete("records", func(get func(string) sources.Value) bool { return get("id").AsInt() == id })
					delete(there, id)
					delete(stayed, id)
				} else if !there[id] {
					put(id) // it counts from the next cycle on
				}
			}
		}
	})
}
