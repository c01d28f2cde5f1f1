package auditor_test

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"plumbline/auditor"
	"plumbline/checks"
	"plumbline/ledger"
)

// A thousand checks of one minute start when they are due, in little memory.
func TestAThousandChecksAMinute(t *testing.T) {
	t.Parallel()
	s := &service{Ledger: ledgerURL(t, "sqlite"), Checks: 1000, Records: 50, Share: 0.02, Phase: 1, Spec: "* * * * *", Hash: "one", Settle: time.Second, Delay: time.Millisecond}
	l := openLedger(t, s.Ledger, nil)
	began := time.Now()
	c := s.launch(t)
	slots := 2
	if os.Getenv("PLUMBLINE_SOAK") != "" {
		slots = 15
	}
	end := began.Truncate(time.Minute).Add(time.Duration(slots)*time.Minute + 20*time.Second)
	time.Sleep(time.Until(end)) // the load is what is measured
	peak := c.peak()
	took := c.stop()

	delays, after := []time.Duration{}, ""
	slotsOf := map[string]int{}
	for {
		runs, next, err := l.Runs(context.Background(), ledger.RunFilter{Limit: 500, After: after})
		must(t, err)
		for _, r := range runs {
			slotsOf[r.Check]++
			if r.State == ledger.Finished && r.Result != checks.Drift && r.Result != checks.Clean {
				t.Errorf("run #%d is %s: %v", r.Number, r.Result, r.Reasons)
			}
			if r.StartedAt.IsZero() {
				t.Errorf("run #%d of slot %s has not started", r.Number, r.SlotAt)
				continue
			}
			delays = append(delays, r.StartedAt.Sub(r.SlotAt.Add(auditor.Jitter(r.Check, time.Minute))))
		}
		if after = next; next == "" {
			break
		}
	}
	if len(slotsOf) != s.Checks || len(delays) < s.Checks*slots {
		t.Fatalf("%d runs of %d checks", len(delays), len(slotsOf))
	}
	slices.Sort(delays)
	at := func(share float64) time.Duration { return delays[int(float64(len(delays)-1)*share)] }
	t.Logf("%d runs started %s after they were due (median), %s (99 %%), %s (worst); %d MiB at most; stopped in %s",
		len(delays), at(0.5), at(0.99), at(1), peak>>20, took.Round(time.Millisecond))
	if at(0.99) > 2*time.Second {
		t.Errorf("1 in 100 runs starts more than %s late", at(0.99))
	}
	if peak > 300<<20 {
		t.Errorf("the process had %d MiB", peak>>20)
	}
}
