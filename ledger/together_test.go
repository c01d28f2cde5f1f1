package ledger_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/sources"
)

// TestTogether is what several processes on one ledger may rely on.
func TestTogether(t *testing.T) {
	t.Parallel()
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			for _, promise := range []struct {
				name  string
				holds func(*testing.T, []*world)
			}{
				{"each slot is taken once", slotsAreSharedOut},
				{"runs do not overlap", runsDoNotRace},
				{"terms are given out one by one", termsAreShared},
				{"nothing is lost or doubled", everythingAtOnce},
			} {
				t.Run(promise.name, func(t *testing.T) {
					t.Parallel()
					url, clock := address(t, engine), newClock()
					var ws []*world
					for range 3 {
						ws = append(ws, openWorld(t, url, clock, ledger.Options{Policies: policies(nil)}))
					}
					promise.holds(t, ws)
					ws[0].recount()
				})
			}
		})
	}
}

func each(ws []*world, times int, do func(w *world)) {
	var group sync.WaitGroup
	for _, w := range ws {
		for range times {
			group.Go(func() { do(w) })
		}
	}
	group.Wait()
}

func slotsAreSharedOut(t *testing.T, ws []*world) {
	const slots = 25
	var taken, jobs atomic.Int64
	first := got(ws[0].Schedules(t.Context()))(t)[0].SlotAt
	each(ws, 2, func(w *world) {
		for {
			was := got(w.Schedules(t.Context()))(t)[0]
			if !was.SlotAt.Before(first.Add(slots * time.Minute)) {
				return
			}
			next := was
			next.SlotAt = was.SlotAt.Add(time.Minute)
			runs := []*ledger.Run{{Check: "orders", Replica: "search", SlotAt: was.SlotAt}}
			ok, err := w.TakeSlot(t.Context(), was, next, []ledger.Slot{{Check: "orders", At: was.SlotAt, Outcome: ledger.SlotRun}}, runs,
				func(*ledger.Tx) error { return nil })
			if err != nil {
				t.Error(err)
				return
			}
			if ok {
				taken.Add(1)
				if runs[0].ID != "" {
					jobs.Add(1)
					got(w.CancelRun(t.Context(), runs[0].ID, "ada"))(t)
				}
			}
		}
	})
	kept := got(ws[0].Slots(t.Context(), "orders", time.Time{}))(t)
	run := int64(0)
	for _, s := range kept {
		if s.Outcome == ledger.SlotRun {
			run++
		}
	}
	if taken.Load() != slots || len(kept) != slots || run != jobs.Load() || ws[0].count(`SELECT COUNT(*) FROM runs`) != run {
		t.Errorf("%d taken, %d kept, %d run, %d jobs of %d slots", taken.Load(), len(kept), run, jobs.Load(), slots)
	}
}

func runsDoNotRace(t *testing.T, ws []*world) {
	for range 5 {
		var begun, refused atomic.Int64
		var id atomic.Value
		each(ws, 3, func(w *world) {
			r := &ledger.Run{Check: "orders", Replica: "search", Trigger: ledger.ByPerson}
			err := w.CreateRuns(t.Context(), []*ledger.Run{r}, noJobs)
			switch {
			case err == nil:
				begun.Add(1)
				id.Store(r.ID)
			case errors.As(err, new(*ledger.OverlapError)):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
		if begun.Load() != 1 || refused.Load() != 8 {
			t.Fatalf("%d begun, %d refused", begun.Load(), refused.Load())
		}
		got(ws[1].CancelRun(t.Context(), id.Load().(string), "ada"))(t)
	}
}

func termsAreShared(t *testing.T, ws []*world) {
	r := ws[0].run("search", 1)
	var mu sync.Mutex
	seen := map[string]int{}
	each(ws, 4, func(w *world) {
		term := got(w.ClaimEdge(t.Context(), "orders", "search", "worker"))(t)
		s := w.segment(r, 0)
		mu.Lock()
		seen[fmt.Sprint("edge ", term)]++
		seen[fmt.Sprint("segment ", s.Term)]++
		mu.Unlock()
	})
	if len(seen) != 24 {
		t.Errorf("terms were given twice: %v", seen)
	}
}

// Workers of three processes scan, judge and recheck one edge at once while
// people act on it.
func everythingAtOnce(t *testing.T, ws []*world) {
	const segments, each1 = 6, 40
	r := ws[0].run("search", segments)
	var group sync.WaitGroup
	var scanning atomic.Int64
	scanning.Store(segments)
	for n := range segments {
		w := ws[n%len(ws)]
		group.Go(func() {
			defer scanning.Add(-1)
			s := w.segment(r, n)
			for part := range 4 {
				var suspects []checks.Suspect
				for k := range each1 / 4 {
					suspects = append(suspects, w.suspect(1000*n+part*100+k))
				}
				w.record(s, "search", ledger.Progress{Read: 25, Next: sources.Position{sources.Int(int64(part))}, Done: part == 3,
					Counts: checks.Counts{Equal: 25 - each1/4}, Suspects: suspects})
			}
		})
	}
	for _, w := range ws {
		group.Go(func() {
			for scanning.Load() > 0 || w.count(`SELECT COUNT(*) FROM suspects`) > 0 {
				w.clock.pass(settle)
				term := got(w.ClaimEdge(t.Context(), "orders", "search", "worker"))(t)
				due := w.due("search")
				var vs []checks.Verdict
				for i, s := range due[:min(len(due), 20)] {
					if i%4 == 0 {
						vs = append(vs, cleared(s, checks.ClearedEqual))
					} else {
						vs = append(vs, w.differs(s, "paid", fmt.Sprint("state ", i%3)))
					}
				}
				err := w.RecordVerdicts(t.Context(), w.facts("search"), term, "worker", vs, w.clock.now(), settle)
				if err != nil && !errors.Is(err, ledger.ErrLostTerm) {
					t.Error(err)
					return
				}
			}
		})
		group.Go(func() {
			for scanning.Load() > 0 {
				_, err := w.ActAll(t.Context(), ledger.FindingFilter{Check: "orders", State: "confirmed"},
					drift.Observation{Event: drift.Acknowledge, At: w.clock.now(), Actor: "ada"})
				if err != nil {
					t.Error(err)
					return
				}
				_, _, err = w.Findings(t.Context(), ledger.FindingFilter{State: "open"})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	r = ws[0].again(r)
	c := r.Counts
	if r.State != ledger.Finished || r.Result != checks.Drift || r.Pending != 0 || c.Compared() != segments*100 || c.Mismatch+c.SuspectsCleared != segments*each1 {
		t.Errorf("got %+v", r)
	}
	if e := ws[0].edge("search"); e.OpenFindings() != c.Mismatch {
		t.Errorf("%d findings of %d differences", e.OpenFindings(), c.Mismatch)
	}
}

// A ledger that cannot grow says so, keeps what it has, and goes on when it can.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	clock := newClock()
	w := openWorld(t, address(t, "sqlite"), clock, ledger.Options{})
	w.scanned("search", w.suspects(1, 2)...)
	w.confirm("search")
	pages := w.count(`SELECT page_count FROM pragma_page_count()`)
	limit := func(n int64) {
		t.Helper()
		if got := w.count(fmt.Sprintf(`PRAGMA max_page_count = %d`, n)); got != n {
			t.Fatalf("the limit is %d pages, not %d", got, n)
		}
	}
	failures := 0
	for room := range int64(40) {
		limit(pages + room)
		created := &ledger.Run{Check: "orders", Replica: "search", Trigger: ledger.ByPerson, Actor: "ada"}
		if err := w.CreateRuns(t.Context(), []*ledger.Run{created}, noJobs); err != nil {
			failures += w.full(err)
			continue
		}
		r, err := w.ClaimRun(t.Context(), created.ID, "worker")
		if err == nil {
			err = w.PlanRun(t.Context(), r, []ledger.Segment{{}}, noJobs)
		}
		var s *ledger.Segment
		if err == nil {
			s, _, err = w.ClaimSegment(t.Context(), created.ID, 0, "worker")
		}
		if err == nil {
			var many []checks.Suspect
			for n := range 400 {
				many = append(many, w.suspect(1000*int(room)+n))
			}
			_, err = w.RecordSegment(t.Context(), s, ledger.Progress{Read: 100, Done: true, Suspects: many, Counts: checks.Counts{Equal: 100}}, clock.now(), settle, w.facts("search"))
		}
		if err != nil {
			failures += w.full(err)
		}
		limit(1 << 30)
		if room%10 == 0 {
			w.recount()
		}
		if _, err := w.CancelRun(t.Context(), created.ID, "ada"); err == nil && s != nil {
			if err := w.StopSegment(t.Context(), s); err != nil && !errors.As(err, new(*ledger.Ended)) {
				t.Error(err)
			}
		}
	}
	limit(1 << 30)
	if failures < 10 {
		t.Errorf("the disk was full %d times", failures)
	}
	var intact string
	must(t, w.DB().QueryRowContext(t.Context(), `PRAGMA integrity_check`).Scan(&intact))
	if intact != "ok" {
		t.Errorf("integrity: %s", intact)
	}
	if r := w.scanned("cache"); r.Result != checks.Clean || w.finding("search", 1).State != drift.Confirmed {
		t.Errorf("after there is room: %+v", r)
	}
	if names := got(filepath.Glob(strings.TrimPrefix(w.url, "sqlite://") + "*"))(t); len(names) > 3 {
		t.Errorf("files %v", names)
	}
}

// full is 1 for an error that says that the disk is full, and fails for another.
func (w *world) full(err error) int {
	w.Helper()
	if !strings.Contains(err.Error(), "the disk is full") {
		w.Errorf("got %v", err)
	}
	return 1
}
