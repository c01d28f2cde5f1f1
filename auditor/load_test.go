package auditor_test

import (
	"context"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"plumbline/auditor"
	"plumbline/checks"
	"plumbline/ledger"
)

// A thousand checks of one minute start when they are due, in little memory. It
// is not to be run beside others, and takes into account what else keeps the
// machine busy.
func TestSoakAThousandChecksAMinute(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return // make soak runs it
	}
	const slots = 10
	s := &service{Ledger: ledgerURL(t, "sqlite"), Checks: 1000, Records: 50, Share: 0.02, Phase: 1, Spec: "* * * * *", Hash: "one", Settle: time.Second, Delay: time.Millisecond}
	l := openLedger(t, s.Ledger, nil)
	c := s.launch(t)
	first := time.Now().Truncate(time.Minute).Add(time.Minute)
	pause(time.Until(first))
	ours, all := c.worked(), worked(t)
	pause(time.Until(first.Add(time.Duration(slots)*time.Minute - 45*time.Second))) // a quarter of a minute after the last slot
	ours, all = c.worked()-ours, worked(t)-all
	took := time.Since(first)
	busy := float64(all-ours) / float64(took) / float64(runtime.NumCPU())
	peak := c.peak()
	stopped := c.stop()

	var delays []time.Duration
	checked, unstarted := map[string]bool{}, 0
	for after := ""; ; {
		runs, next, err := l.Runs(context.Background(), ledger.RunFilter{Limit: 500, After: after})
		must(t, err)
		for _, r := range runs {
			checked[r.Check] = true
			if r.State == ledger.Finished && r.Result != checks.Drift && r.Result != checks.Clean {
				t.Errorf("run #%d is %s: %v", r.Number, r.Result, r.Reasons)
			}
			if r.StartedAt.IsZero() {
				unstarted++
				continue
			}
			delays = append(delays, r.StartedAt.Sub(r.SlotAt.Add(auditor.Jitter(r.Check, time.Minute))))
		}
		if after = next; next == "" {
			break
		}
	}
	if len(checked) != s.Checks || len(delays) < s.Checks*slots || unstarted > 0 {
		t.Fatalf("%d runs of %d checks have started, and %d have not", len(delays), len(checked), unstarted)
	}
	slices.Sort(delays)
	at := func(share float64) time.Duration {
		return delays[int(float64(len(delays)-1)*share)].Round(time.Millisecond)
	}
	t.Logf("%d runs started %s after they were due (median), %s (99 %%), %s (worst); %s of processor time; %d MiB at most; stopped in %s; others kept the machine %.0f %% busy",
		len(delays), at(0.5), at(0.99), at(1), ours, peak>>20, stopped.Round(time.Millisecond), 100*busy)
	bound := 2 * time.Second
	if busy > 0.25 {
		bound = 10 * time.Second // it says nothing of us how late it was beside other work
	}
	if at(0.99) > bound {
		t.Errorf("1 in 100 runs starts more than %s late", at(0.99))
	}
	if peak > 300<<20 {
		t.Errorf("the process had %d MiB", peak>>20)
	}
}
