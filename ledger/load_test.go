package ledger_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"plumbline/checks"
	"plumbline/ledger"
	"plumbline/sources"
)

// crowded is a ledger of many checks with so many findings each: nine in ten are
// open; most differ in status, one in a thousand in email.
func crowded(t testing.TB, engine string, edges, each int) *world {
	t.Helper()
	w := openWorld(t, address(t, engine), newClock(), ledger.Options{Findings: each})
	declared := []ledger.Edge{}
	for n := range edges {
		declared = append(declared, ledger.Edge{Check: fmt.Sprintf("check-%02d", n), Replica: "search"})
	}
	must(t, w.Declare(context.Background(), 1, declared, nil))
	began := time.Now()
	for n := range edges {
		w.crowd(declared[n].Check, each)
	}
	t.Logf("%d findings written in %s", edges*each, time.Since(began).Round(time.Millisecond))
	return w
}

func (w *world) crowd(check string, each int) {
	w.Helper()
	facts := w.facts("search")
	named := *facts.Check
	named.Name = check
	facts.Check = &named
	record := func(vs []checks.Verdict) {
		w.clock.pass(time.Second)
		term := got(w.ClaimEdge(w.Context(), check, "search", "worker"))(w)
		must(w, w.RecordRechecks(w.Context(), facts, term, "worker", "", vs, w.clock.now()))
	}
	const batch = 1000
	for from := 0; from < each; from += batch {
		var vs, healed []checks.Verdict
		for n := from; n < min(from+batch, each); n++ {
			s := w.suspect(n)
			v := w.differs(s, "paid", fmt.Sprintf("state %d", n%50))
			switch {
			case n%1000 == 0:
				v.Difference.Fields = append(v.Difference.Fields, checks.FieldDifference{Owner: "email", Replica: "email",
					OwnerValue: sources.Text("ada@example.com"), ReplicaValue: sources.Text("bob@example.com"), Mask: checks.MaskFull, Rule: "exact"})
			case n%7 == 0:
				v = w.is(s, checks.Missing, "")
			}
			vs = append(vs, v)
			if n%10 == 0 {
				healed = append(healed, cleared(s, checks.ClearedEqual))
			}
		}
		record(vs)
		record(healed)
	}
}

// question is something a page asks.
type question struct {
	name string
	ask  func(ctx context.Context, w *world, n int) error
}

func questions() []question {
	findings := func(f func(n int) ledger.FindingFilter) func(context.Context, *world, int) error {
		return func(ctx context.Context, w *world, n int) error {
			list, next, err := w.Findings(ctx, f(n))
			if err == nil && next != "" && n%2 == 0 {
				more := f(n)
				more.After = next
				_, _, err = w.Findings(ctx, more)
			}
			if err == nil && len(list) == 0 {
				return fmt.Errorf("%+v finds nothing", f(n))
			}
			return err
		}
	}
	check := func(n int) string { return fmt.Sprintf("check-%02d", n%4) }
	return []question{
		{"edges", func(ctx context.Context, w *world, _ int) error { _, err := w.Edges(ctx); return err }},
		{"summary", func(ctx context.Context, w *world, _ int) error { _, err := w.Summary(ctx); return err }},
		{"patterns", func(ctx context.Context, w *world, n int) error {
			_, err := w.Patterns(ctx, check(n), "", 50)
			return err
		}},
		{"patterns of all", func(ctx context.Context, w *world, _ int) error { _, err := w.Patterns(ctx, "", "", 50); return err }},
		{"fields", func(ctx context.Context, w *world, n int) error {
			_, err := w.FieldTallies(ctx, check(n), "")
			return err
		}},
		{"all", findings(func(int) ledger.FindingFilter { return ledger.FindingFilter{} })},
		{"open", findings(func(int) ledger.FindingFilter { return ledger.FindingFilter{State: "open"} })},
		{"of a check", findings(func(n int) ledger.FindingFilter { return ledger.FindingFilter{Check: check(n), State: "open"} })},
		{"of a kind", findings(func(int) ledger.FindingFilter { return ledger.FindingFilter{Kind: "missing", State: "open"} })},
		{"of a pattern", findings(func(n int) ledger.FindingFilter {
			return ledger.FindingFilter{Check: check(n), Pattern: `status: owner "paid" replica "state 7"`, State: "open"}
		})},
		{"of a pattern anywhere", findings(func(int) ledger.FindingFilter {
			return ledger.FindingFilter{Pattern: `status: owner "paid" replica "state 7"`}
		})},
		{"of a common field", findings(func(int) ledger.FindingFilter { return ledger.FindingFilter{Field: "status", State: "open"} })},
		{"of a rare field", findings(func(int) ledger.FindingFilter { return ledger.FindingFilter{Field: "email"} })},
		{"by a common text", findings(func(int) ledger.FindingFilter { return ledger.FindingFilter{Query: "id=1", State: "open"} })},
		{"by a rare text", findings(func(n int) ledger.FindingFilter {
			return ledger.FindingFilter{Query: fmt.Sprintf("id=%d", 100+n%100), State: "open"}
		})},
		{"by a rare text in a check", findings(func(n int) ledger.FindingFilter {
			return ledger.FindingFilter{Check: check(n), Query: fmt.Sprintf("id=%d", 101+n%50), State: "open"}
		})},
		{"by an id", func(ctx context.Context, w *world, n int) error {
			id := w.lens.Masker.FindingID(check(n), "search", key(1+n), nil)
			list, _, err := w.Findings(ctx, ledger.FindingFilter{Query: id})
			if err == nil && len(list) != 1 {
				return fmt.Errorf("%s finds %d", id, len(list))
			}
			return err
		}},
		{"by a text that is nowhere", func(ctx context.Context, w *world, n int) error {
			_, _, err := w.Findings(ctx, ledger.FindingFilter{Query: fmt.Sprintf("nowhere %d", n)})
			return err
		}},
		{"a finding", func(ctx context.Context, w *world, n int) error {
			id := w.lens.Masker.FindingID(check(n), "search", key(1+n), nil)
			if _, err := w.Finding(ctx, id); err != nil {
				return err
			}
			_, err := w.Timeline(ctx, id)
			return err
		}},
	}
}

// latencies asks each question so often by so many readers, while one writes.
func latencies(t *testing.T, w *world, readers, times int) map[string]time.Duration {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var writer, group sync.WaitGroup
	writer.Go(func() {
		for ctx.Err() == nil {
			err := w.Ping(ctx)
			if err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			time.Sleep(20 * time.Millisecond) // a writer that writes now and then
		}
	})
	worst := map[string]time.Duration{}
	for _, q := range questions() {
		took := make([][]time.Duration, readers)
		for r := range readers {
			group.Go(func() {
				for i := range times {
					began := time.Now()
					if err := q.ask(ctx, w, r*times+i); err != nil {
						t.Errorf("%s: %v", q.name, err)
						return
					}
					took[r] = append(took[r], time.Since(began))
				}
			})
		}
		group.Wait()
		all := slices.Sorted(slices.Values(slices.Concat(took...)))
		if len(all) > 0 {
			worst[q.name] = all[len(all)*95/100]
			t.Logf("%-28s p50 %8s  p95 %8s", q.name, all[len(all)/2].Round(10*time.Microsecond), worst[q.name].Round(10*time.Microsecond))
		}
	}
	stop()
	writer.Wait()
	return worst
}

// slow is how long what a page asks may take at the 95th percentile.
const slow = 200 * time.Millisecond

// What pages ask is answered by an index however many findings there are. The
// long count is in TestSoakManyFindings; here the time is not judged, since tests
// run side by side.
func TestQuestionsOverManyFindings(t *testing.T) {
	t.Parallel()
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w := crowded(t, engine, 4, 1200)
			latencies(t, w, 2, 4)
			w.recount()
		})
	}
}

func TestSoakManyFindings(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return // make soak runs it
	}
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			w := crowded(t, engine, 20, 10_000)
			for name, took := range latencies(t, w, 10, 10) {
				if took > slow {
					t.Errorf("%s: %s", name, took)
				}
			}
			w.recount()
		})
	}
}

func TestSoakRandomHistories(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return // make soak runs it
	}
	for engine, times := range map[string]int{"sqlite": 200, "postgres": 20} {
		t.Run(engine, func(t *testing.T) { randomHistories(t, engine, times, 300) })
	}
}

// Recording a page of which everything differs: new suspects, then their verdicts,
// then the same again as known drift.
func BenchmarkRecord(b *testing.B) {
	for _, engine := range engines() {
		b.Run(engine, func(b *testing.B) {
			const page = 1000
			w := openWorld(b, address(b, engine), newClock(), ledger.Options{Findings: 1 << 30})
			n := rand.IntN(1 << 30)
			var scan, judge, again time.Duration
			for b.Loop() {
				var suspects []checks.Suspect
				var vs []checks.Verdict
				for range page {
					n++
					suspects = append(suspects, w.suspect(n))
					vs = append(vs, w.differs(w.suspect(n), "paid", fmt.Sprint("state ", n%30)))
				}
				r := w.run("search", 1)
				s := w.segment(r, 0)
				began := time.Now()
				w.record(s, "search", ledger.Progress{Read: page, Done: true, Suspects: suspects})
				scan += time.Since(began)
				began = time.Now()
				w.judge("search", vs...)
				judge += time.Since(began)
				r = w.run("search", 1)
				s = w.segment(r, 0)
				began = time.Now()
				w.record(s, "search", ledger.Progress{Read: page, Done: true, Suspects: suspects})
				again += time.Since(began)
			}
			for name, d := range map[string]time.Duration{"scan-ms": scan, "judge-ms": judge, "known-ms": again} {
				b.ReportMetric(float64(d.Milliseconds())/float64(b.N), name)
			}
		})
	}
}
