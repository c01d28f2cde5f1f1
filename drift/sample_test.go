package drift_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"plumbline/checks"
	"plumbline/drift"
)

// A bound is rounded upwards, so that it never promises more than is known.
func TestBoundsAreRoundedUpwards(t *testing.T) {
	t.Parallel()
	for share, want := range map[float64]string{0: "≤ 0 %", 1: "≤ 100 %", 2: "≤ 100 %", 0.000297: "≤ 0.03 %", 0.0003: "≤ 0.03 %", 0.00030001: "≤ 0.031 %", 0.0362: "≤ 3.7 %",
		0.1234: "≤ 13 %", 0.999: "≤ 100 %", 1e-7: "≤ 0.00001 %"} {
		if got := drift.AtMost(share); got != want {
			t.Errorf("%v: %q, want %q", share, got, want)
		}
	}
	for i := 1; i < 5000; i++ {
		share := float64(i) / 5000
		text := strings.TrimSuffix(strings.TrimPrefix(drift.AtMost(share), "≤ "), " %")
		if percent, err := strconv.ParseFloat(text, 64); err != nil || percent < 100*share-1e-9 {
			t.Fatalf("%v is told as %s: %v", share, text, err)
		}
	}
}

// Where an edge stands after runs of samples and of everything.
func TestStandingAfterSamples(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	sample := drift.Conclusion{Run: "s", Result: checks.Clean, Coverage: 1, Sampled: true, Bound: 0.03}
	full := drift.Conclusion{Run: "f", Result: checks.Clean, Coverage: 1, Whole: true}
	after := func(open int64, runs ...drift.Conclusion) drift.Standing {
		s := drift.Standing{Consistency: drift.Unknown}
		for i, c := range runs {
			c.Number = int64(i + 1)
			s = s.Conclude(c, open, 0, at)
		}
		return s
	}
	failed := sample
	failed.Result = checks.Incomplete
	for _, row := range []struct {
		name  string
		got   drift.Standing
		want  drift.Consistency
		bound float64
	}{
		{"a clean sample", after(0, sample), drift.InSample, 0.03},
		{"a clean sample while findings are open", after(2, sample), drift.Drifted, 0},
		{"everything", after(0, sample, full), drift.InSync, 0},
		{"a sample after everything", after(0, full, sample), drift.InSample, 0.03},
		{"a sample that could not be read", after(0, sample, failed), drift.Unknown, 0},
		{"findings after a clean sample", after(0, sample).Recount(1, 0, at), drift.Drifted, 0},
		{"they are gone again", after(0, sample).Recount(1, 0, at).Recount(0, 0, at), drift.Drifted, 0},
	} {
		if row.got.Consistency != row.want || row.got.Bound != row.bound {
			t.Errorf("%s: %s %v, want %s %v", row.name, row.got.Consistency, row.got.Bound, row.want, row.bound)
		}
	}
	if got := after(0, sample).Words(); got != "In sample: ≤ 3 %" {
		t.Errorf("%q", got)
	}
}
