package auditor_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"plumbline/auditor"
	"plumbline/checks"
	"plumbline/ledger"
	"plumbline/sources"
	"plumbline/sources/memory"
)

// A run that is cut anywhere, given up, resumed and handed on comes to the same
// counts and findings as the engine in one go.
func TestARunInPiecesIsTheSameRun(t *testing.T) {
	t.Parallel()
	for engine, rounds := range map[string]int{"sqlite": 60, "postgres": 10} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			piecemeal(t, openLedger(t, ledgerURL(t, engine), nil), rounds)
		})
	}
}

func TestSoakARunInPiecesIsTheSameRun(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return // make soak runs it
	}
	t.Parallel()
	for engine, rounds := range map[string]int{"sqlite": 5000, "postgres": 500} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			piecemeal(t, openLedger(t, ledgerURL(t, engine), nil), rounds)
		})
	}
}

func piecemeal(t *testing.T, l *ledger.Ledger, rounds int) {
	seed := rand.Uint64()
	if fixed, err := strconv.ParseUint(os.Getenv("PLUMBLINE_SEED"), 10, 64); err == nil {
		seed = fixed
	}
	for range rounds {
		seed++
		p := &pieces{t: t, l: l, r: rand.New(rand.NewPCG(seed, 0)), seed: seed}
		p.check, p.readers = makeWorld(p.r).open(p.r)
		p.check.Name = fmt.Sprintf("world-%d", seed)
		p.audit()
		p.compare()
		if t.Failed() {
			t.Fatalf("seed %d: run again with PLUMBLINE_SEED=%d", seed, seed-1)
		}
	}
}

// pieces is one run of one world, in pieces.
type pieces struct {
	t       *testing.T
	l       *ledger.Ledger
	r       *rand.Rand
	seed    uint64
	check   *checks.Check
	readers func(faulty bool) checks.Readers
	run     *ledger.Run
	cuts    int // into how many segments
	turns   int
}

// audit runs the check as the jobs do, each with a worker of its own.
func (p *pieces) audit() {
	ctx := context.Background()
	edge := ledger.EdgeFacts{Check: p.check, Lens: lens(p.l)}
	_, err := p.l.Join(ctx, ledger.Process{ID: "pieces"}, "pieces")
	must(p.t, err)
	must(p.t, p.l.Declare(ctx, 1, []ledger.Edge{{Check: p.check.Name, Replica: "replica"}}, nil))
	p.run = &ledger.Run{Check: p.check.Name, Replica: "replica", Trigger: ledger.ByPerson}
	must(p.t, p.l.CreateRuns(ctx, []*ledger.Run{p.run}, func(*ledger.Tx) error { return nil }))
	p.run, err = p.l.ClaimRun(ctx, p.run.ID, "pieces")
	must(p.t, err)
	p.cuts = 1 + p.r.IntN(5)
	audit, err := checks.Open(ctx, p.check, 0, p.readers(false), checks.Options{Segments: p.cuts})
	must(p.t, err)
	p.run.Plan, p.run.Copies = audit.Plan(), p.check.Edges[0].Copies()
	cut, err := audit.Cut(ctx)
	must(p.t, err)
	var segments []ledger.Segment
	for n, s := range cut {
		segments = append(segments, ledger.Segment{N: n, Plan: s})
	}
	must(p.t, p.l.PlanRun(ctx, p.run, segments, func(*ledger.Tx) error { return nil }))

	shift := func() *auditor.Shift {
		audit, err := checks.Open(ctx, p.check, 0, p.readers(true), checks.Options{})
		for err != nil {
			audit, err = checks.Open(ctx, p.check, 0, p.readers(true), checks.Options{})
		}
		stop := make(chan struct{})
		if p.r.IntN(3) == 0 {
			close(stop)
		}
		return &auditor.Shift{Ledger: p.l, Audit: audit, Edge: edge, Worker: "pieces", Now: time.Now, Stop: stop, Bounds: auditor.Bounds{
			Record: []time.Duration{1, time.Hour}[p.r.IntN(2)], Suspects: 1 + p.r.IntN(20), Turn: []time.Duration{time.Nanosecond, 3 * time.Millisecond, time.Hour}[p.r.IntN(3)]}}
	}
	for _, n := range p.r.Perm(len(segments)) {
		p.segment(n, shift)
	}
	for {
		term, err := p.l.ClaimEdge(ctx, p.check.Name, "replica", "pieces")
		must(p.t, err)
		err = auditor.ConfirmDue(ctx, shift(), term, func([]checks.Verdict) {})
		run, rerr := p.l.Run(ctx, p.run.ID)
		must(p.t, rerr)
		if run.State == ledger.Finished {
			p.run = run
			return
		}
		if err == nil {
			p.t.Fatalf("seed %d: nothing is due, and the run is %s with %d pending", p.seed, run.State, run.Pending)
		}
	}
}

// segment claims a segment until it is done, each time for as long as it lasts.
func (p *pieces) segment(n int, shift func() *auditor.Shift) {
	for {
		p.turns++
		s, run, err := p.l.ClaimSegment(context.Background(), p.run.ID, n, "pieces")
		must(p.t, err)
		ctx, cancel := context.WithCancel(context.Background())
		w := shift()
		if p.r.IntN(4) == 0 {
			left := p.r.IntN(6) // how often the clock is looked at before the worker is cut off
			w.Now = func() time.Time {
				if left--; left < 0 {
					cancel()
				}
				return time.Now()
			}
		}
		err = auditor.AuditSegment(ctx, w, run, s)
		cancel()
		if err == nil {
			return
		}
		if errors.Is(err, auditor.ErrCancelled) || errors.Is(err, ledger.ErrLostTerm) {
			p.t.Fatalf("seed %d: segment %d: %v", p.seed, n, err)
		}
	}
}

// compare holds the run against the engine's own.
func (p *pieces) compare() {
	settle := time.Duration(0)
	want := checks.Run(context.Background(), p.check, 0, p.readers(false), checks.Options{Settle: &settle, Segments: p.cuts, Parallel: 1})
	if p.run.Counts != want.Counts || p.run.Result != want.Result {
		p.t.Errorf("in %d pieces %s %+v\nin one %s %+v\nreasons %v and %v", p.turns, p.run.Result, p.run.Counts, want.Result, want.Counts, p.run.Reasons, want.Reasons)
	}
	kinds := map[string]map[checks.DifferenceKind]bool{}
	for _, d := range want.Differences {
		id := lens(p.l).Masker.FindingID(p.check.Name, "replica", d.Key, d.ID)
		if kinds[id] == nil {
			kinds[id] = map[checks.DifferenceKind]bool{}
		}
		kinds[id][d.Kind] = true
	}
	open := openFindings(p.t, p.l, p.check.Name)
	for id, kind := range open {
		if !kinds[id][kind] {
			p.t.Errorf("the ledger has %s %s, the engine %v", id, kind, kinds[id])
		}
	}
	if len(open) != len(kinds) {
		p.t.Errorf("the ledger has %d findings, the engine %d", len(open), len(kinds))
	}
}

// world is a random owner and replica.
type world struct {
	owner, replica []row
	copies, unique bool
	deletes, nulls bool
	missing, extra bool // ignored
}

type row struct {
	key, id, value int64
	null           bool // no key
	deleted        bool
}

func makeWorld(r *rand.Rand) world {
	w := world{copies: r.IntN(3) == 0, unique: r.IntN(2) == 0, deletes: r.IntN(2) == 0, nulls: r.IntN(3) == 0, missing: r.IntN(4) == 0, extra: r.IntN(4) == 0}
	keys := 1 + r.Int64N(60)
	draw := func(n int, replica bool) (rows []row) {
		used := map[[2]int64]bool{}
		for range n {
			x := row{key: r.Int64N(keys), null: w.nulls && r.IntN(20) == 0, deleted: w.deletes && r.IntN(5) == 0}
			if replica && w.copies {
				x.id = r.Int64N(4)
			}
			x.value = x.key * 7 % 3
			if replica {
				x.value = (x.key*7 + (x.key*5+x.id*11)%4/3) % 3
			}
			if w.unique && used[[2]int64{x.key, x.id}] && !x.null {
				continue
			}
			used[[2]int64{x.key, x.id}] = true
			rows = append(rows, x)
		}
		return rows
	}
	w.owner, w.replica = draw(1+r.IntN(90), false), draw(r.IntN(90), true)
	return w
}

// open puts a world into two stores; readers opens them, with or without faults.
func (w world) open(r *rand.Rand) (check *checks.Check, readers func(faulty bool) checks.Readers) {
	integer := sources.FieldType{Kind: sources.KindInt, Nullable: w.nulls, Raw: "int8"}
	own := r.IntN(2) == 0
	fill := func(rows []row, unique []string) *memory.Store {
		s := memory.NewStore()
		order := memory.Order{}
		if own {
			order = memory.Shuffled(1 + r.Uint64N(1000))
		}
		s.Create(memory.Table{Name: shopTable, Unique: unique, Index: []string{"id"}, Order: order, Columns: []memory.Column{
			{Name: "id", FieldType: integer}, {Name: "copy", FieldType: integer}, {Name: "value", FieldType: integer}, {Name: "deleted", FieldType: integer}}})
		s.Register("is deleted", func(get func(string) sources.Value) bool { return get("deleted").AsInt() == 1 })
		for _, x := range rows {
			key, deleted := sources.Int(x.key), sources.Int(0)
			if x.null {
				key = sources.Null()
			}
			if x.deleted {
				deleted = sources.Int(1)
			}
			s.Put(shopTable, key, sources.Int(x.id), sources.Int(x.value), deleted)
		}
		return s
	}
	unique := map[bool][]string{true: {"id"}}[w.unique]
	copied := unique
	d := sources.Dataset{Name: shopTable, Key: []string{"id"}}
	if w.deletes {
		d.DeletedWhen = "is deleted"
	}
	check = &checks.Check{Owner: checks.Side{Source: "owner", Kind: "memory", Dataset: d}, Edges: []checks.Edge{{Name: "replica", IgnoreMissing: w.missing,
		IgnoreExtra: w.extra, Rules: []checks.Rule{{Owner: checks.FieldRef{Name: "value"}, Replica: checks.FieldRef{Name: "value"}, Precision: -1}},
		Replica: checks.Side{Source: "replica", Kind: "memory", Dataset: d}}}}
	if w.copies {
		check.Edges[0].Replica.Dataset.ID = []string{"copy"}
		if w.unique {
			copied = []string{"id", "copy"}
		}
	}
	stores := map[string]*memory.Store{"owner": fill(w.owner, unique), "replica": fill(w.replica, copied)}
	page, seed, share := 1+r.IntN(30), r.Uint64(), []float64{0, 0.02, 0.2}[r.IntN(3)]
	return check, func(faulty bool) checks.Readers {
		seed++
		return func(name string) (*sources.Reader, error) {
			c := memory.Config{Raw: seed%2 == 0}
			if faulty && share > 0 {
				c.Faults = memory.FailRandomly(seed, share)
			}
			return sources.NewReader(name, stores[name].Source(c), sources.Limits{PageRecords: page, Attempts: 2, Backoff: time.Microsecond}, nil), nil
		}
	}
}
