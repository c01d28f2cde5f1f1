package auditor_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to look at the ledger's file from outside

	"plumbline/auditor"
	"plumbline/checks"
	"plumbline/ledger"
)

// A process may be killed at any moment: no finding is lost or doubled, no run
// goes for ever, what was read is not read again, and the ledger is whole.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	killEngines(t, 40)
}

func TestSoakKilledAtAnyMoment(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return // make soak runs it
	}
	t.Parallel()
	killEngines(t, 1000)
}

func killEngines(t *testing.T, kills int) {
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			k := &killing{t: t, seed: rand.Uint64(), segments: map[string]ledger.Segment{}, stable: map[uint64][2]time.Time{}, truths: map[string]truth{}}
			t.Logf("seed %d", k.seed)
			k.r = rand.New(rand.NewPCG(k.seed, 0))
			k.kill(ledgerURL(t, engine), kills)
		})
	}
}

// killing is one ledger whose processes are killed.
type killing struct {
	t    *testing.T
	seed uint64
	r    *rand.Rand
	s    *service
	l    *ledger.Ledger // as the test itself looks at it
	// segments are those that were done when they were last looked at.
	segments map[string]ledger.Segment
	// stable says from when to when a phase lasted.
	stable map[uint64][2]time.Time
	truths map[string]truth
	kills  int
}

func (k *killing) kill(url string, kills int) {
	pages := filepath.Join(k.t.TempDir(), "pages")
	k.s = &service{Ledger: url, Checks: 4, Records: 3000, Share: 0.02, Phase: k.seed, Spec: "@every 1s", Hash: "one", Settle: 300 * time.Millisecond,
		Page: 50, Delay: 4 * time.Millisecond, Silence: time.Second, Workers: 4, Cut: 2, Pages: pages,
		Bounds: auditor.Bounds{Record: 5 * time.Millisecond, Suspects: 20, Turn: 100 * time.Millisecond}}
	k.l = openLedger(k.t, url, nil)
	k.stable[k.s.Phase] = [2]time.Time{time.Now(), {}}
	for n := range kills {
		c := k.s.launch(k.t)
		time.Sleep(time.Duration(k.r.IntN(900)) * time.Millisecond) // not to wait for anything: the moment is what is tried
		c.kill()
		k.kills++
		k.look()
		if n%20 == 19 {
			k.turn()
		}
	}
	k.settleDown()
	k.pagesRead(pages, int64(k.kills*k.s.Workers)*3)
	k.judge()
	k.whole(url)
}

// turn lets other records differ from now on.
func (k *killing) turn() {
	now := time.Now()
	k.stable[k.s.Phase] = [2]time.Time{k.stable[k.s.Phase][0], now}
	k.s.Phase++
	k.stable[k.s.Phase] = [2]time.Time{now, {}}
}

// look fails where a segment that was done has been claimed or read since.
func (k *killing) look() {
	k.t.Helper()
	runs, _, err := k.l.Runs(context.Background(), ledger.RunFilter{Limit: 30})
	must(k.t, err)
	for _, run := range runs {
		segments, err := k.l.Segments(context.Background(), run.ID)
		must(k.t, err)
		for _, s := range segments {
			name := fmt.Sprintf("%s %d", run.ID, s.N)
			if was, done := k.segments[name]; done && (s.Term != was.Term || s.Attempts != was.Attempts || s.Read != was.Read || s.State != was.State) {
				k.t.Errorf("segment %s was done, and is %s of term %d with %d read; it was of term %d with %d", name, s.State, s.Term, s.Read, was.Term, was.Read)
			}
			if s.State == ledger.SegmentDone {
				k.segments[name] = s
			}
		}
	}
}

// pagesRead fails where more pages were scanned than the runs needed, and than
// being cut off may have cost: at a kill each worker loses what it has read since
// its last record, and the page that is read ahead.
func (k *killing) pagesRead(file string, lost int64) {
	info, err := os.Stat(file)
	must(k.t, err)
	needed, runs := int64(0), 0
	after := ""
	for {
		list, next, err := k.l.Runs(context.Background(), ledger.RunFilter{Limit: 500, After: after})
		must(k.t, err)
		for _, run := range list {
			runs++
			needed += k.want(k.phaseOf(run), k.number(run.Check)).pages
		}
		if after = next; next == "" {
			break
		}
	}
	k.t.Logf("%d pages were scanned for %d runs, which need %d; being cut off may have cost %d", info.Size(), runs, needed, lost)
	if info.Size() > needed+lost {
		k.t.Errorf("%d pages were scanned: more than the %d that are needed and the %d that being cut off costs", info.Size(), needed, lost)
	}
	if info.Size() < needed {
		k.t.Errorf("%d pages were scanned, and %d are needed", info.Size(), needed)
	}
}

// phaseOf is the phase in which a run was created.
func (k *killing) phaseOf(run *ledger.Run) uint64 {
	for phase, span := range k.stable {
		if !run.CreatedAt.Before(span[0]) && (span[1].IsZero() || run.CreatedAt.Before(span[1])) {
			return phase
		}
	}
	k.t.Fatalf("run #%d is of no phase", run.Number)
	return 0
}

func (k *killing) number(check string) (i int) {
	_, err := fmt.Sscanf(check, "check-%d", &i)
	must(k.t, err)
	return i
}

// settleDown has a last process end what the killed ones left, in 90 s.
func (k *killing) settleDown() {
	k.s.Spec, k.s.Hash = "", "no schedule"
	c := k.s.launch(k.t)
	began := time.Now()
	var left []string
	for {
		left = nil
		for _, state := range []string{"active", string(ledger.Settling)} {
			runs, _, err := k.l.Runs(context.Background(), ledger.RunFilter{State: state, Limit: 100})
			must(k.t, err)
			for _, r := range runs {
				left = append(left, fmt.Sprintf("#%d %s %s, %d pending", r.Number, r.Check, r.State, r.Pending))
			}
		}
		if len(left) == 0 {
			break
		}
		if time.Since(began) > 90*time.Second {
			k.t.Fatalf("after 90 s there are still %v\n%s", left, tail(c.said()))
		}
		time.Sleep(20 * time.Millisecond)
	}
	k.t.Logf("all runs were over %s after the last kill", time.Since(began).Round(time.Millisecond))
	c.stop()
}

// judge holds what the ledger has against what there is to find.
func (k *killing) judge() {
	o, err := k.s.options(k.l)
	must(k.t, err)
	a := start(k.t, o)
	exact, runs := 0, 0
	var last []*ledger.Run
	for i := range k.s.Checks {
		begun, err := a.Run(context.Background(), k.s.name(i), ledger.ByPerson, "ada", nil)
		must(k.t, err)
		last = append(last, begun...)
	}
	for i := range k.s.Checks {
		finished(k.t, k.l, last[i].ID)
		want := k.want(k.s.Phase, i)
		found := openFindings(k.t, k.l, k.s.name(i))
		for id, kind := range want.kinds {
			if found[id] != kind {
				k.t.Errorf("%s: %s is %q in the ledger and %q in truth", k.s.name(i), id, found[id], kind)
			}
		}
		for id := range found {
			if _, ok := want.kinds[id]; !ok {
				k.t.Errorf("%s: %s %s is in the ledger and not true", k.s.name(i), id, found[id])
			}
		}
		k.lives(k.s.name(i))
	}
	after := ""
	for {
		list, next, err := k.l.Runs(context.Background(), ledger.RunFilter{Limit: 500, After: after})
		must(k.t, err)
		for _, run := range list {
			runs++
			exact += k.exact(run)
		}
		if after = next; next == "" {
			break
		}
	}
	k.t.Logf("%d runs, of which %d lay within a phase and were held against the truth", runs, exact)
	if exact < runs/3 {
		k.t.Errorf("only %d of %d runs could be held against the truth", exact, runs)
	}
	edges, err := k.l.Edges(context.Background())
	must(k.t, err)
	for _, e := range edges {
		if n := int64(len(openFindings(k.t, k.l, e.Check))); e.Pending != 0 || e.OpenFindings() != n {
			k.t.Errorf("%s tells of %d findings and %d suspects, and there are %d and none", e.Check, e.OpenFindings(), e.Pending, n)
		}
	}
}

// exact holds a run that lay within one phase against the truth; it returns 0
// where the run did not.
func (k *killing) exact(run *ledger.Run) int {
	if run.State != ledger.Finished {
		k.t.Errorf("run #%d is %s", run.Number, run.State)
	}
	phase := k.phaseOf(run)
	if end := k.stable[phase][1]; !end.IsZero() && run.FinishedAt.After(end) {
		return 0
	}
	if want := k.want(phase, k.number(run.Check)); run.Counts != want.counts || run.Result != checks.Drift {
		k.t.Errorf("run #%d of %s is %s %+v %v, in truth %+v", run.Number, run.Check, run.Result, run.Counts, run.Reasons, want.counts)
	}
	return 1
}

// truth is what a check's records come to.
type truth struct {
	kinds  map[string]checks.DifferenceKind
	counts checks.Counts
	pages  int64 // that are scanned for it
}

// want works it out as the engine does, in one go.
func (k *killing) want(phase uint64, i int) truth {
	k.t.Helper()
	known := fmt.Sprintf("%d %d", phase, i)
	if w, ok := k.truths[known]; ok {
		return w
	}
	s := *k.s
	s.Phase, s.Delay, s.Checks, s.Pages = phase, 0, i+1, filepath.Join(k.t.TempDir(), "pages")
	list, readers, err := s.open()
	must(k.t, err)
	none := time.Duration(0)
	run := checks.Run(context.Background(), list[i].Check, 0, readers, checks.Options{Settle: &none, Segments: s.Cut})
	info, err := os.Stat(s.Pages)
	must(k.t, err)
	w := truth{kinds: map[string]checks.DifferenceKind{}, counts: run.Counts, pages: info.Size()}
	for _, d := range run.Differences {
		w.kinds[lens(k.l).Masker.FindingID(s.name(i), "replica", d.Key, d.ID)] = d.Kind
	}
	if len(w.kinds) < 20 {
		k.t.Fatalf("only %d records differ", len(w.kinds))
	}
	k.truths[known] = w
	return w
}

// lives fails where a finding's timeline is no life: it begins once, and each
// line goes on where the one before ended.
func (k *killing) lives(check string) {
	after := ""
	for {
		list, next, err := k.l.Findings(context.Background(), ledger.FindingFilter{Check: check, After: after, Limit: 500})
		must(k.t, err)
		for _, f := range list {
			lines, err := k.l.Timeline(context.Background(), f.ID)
			must(k.t, err)
			state := lines[0].From
			if state != "" {
				k.t.Errorf("%s begins as %s", f.ID, state)
			}
			for _, line := range lines {
				if line.From != state {
					k.t.Errorf("%s goes from %s to %s, and was %s: %v", f.ID, line.From, line.To, state, lines)
				}
				state = line.To
			}
			if state != f.State {
				k.t.Errorf("%s is %s, and its timeline ends with %s", f.ID, f.State, state)
			}
		}
		if after = next; next == "" {
			return
		}
	}
}

// whole fails where the ledger's file is not whole.
func (k *killing) whole(url string) {
	path, ok := strings.CutPrefix(url, "sqlite://")
	if !ok {
		return
	}
	db, err := sql.Open("sqlite", "file:"+path)
	must(k.t, err)
	var answer string
	must(k.t, db.QueryRow("PRAGMA integrity_check").Scan(&answer))
	must(k.t, db.Close())
	if answer != "ok" {
		k.t.Errorf("the ledger is not whole: %s", answer)
	}
}

// tail is the end of a long text.
func tail(text string) string { return text[max(0, len(text)-4000):] }
