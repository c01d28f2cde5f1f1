package web

import (
	"math"
	"testing"
	"time"
)

func TestTimesAreToldInWords(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 1, 9, 10, 58, 3, 0, time.UTC)
	for _, c := range []struct {
		before time.Duration
		want   string
	}{
		{0, "now"}, {999 * time.Millisecond, "now"}, {-500 * time.Millisecond, "now"}, {time.Second, "1 s ago"}, {59 * time.Second, "59 s ago"},
		{time.Minute, "1 min ago"}, {119 * time.Minute, "119 min ago"}, {2 * time.Hour, "2 h ago"}, {47 * time.Hour, "47 h ago"}, {48 * time.Hour, "2 d ago"},
		{-3 * time.Minute, "in 3 min"},
	} {
		if got := at(now.Add(-c.before), now, "never").Ago; got != c.want {
			t.Errorf("%s before: %q, want %q", c.before, got, c.want)
		}
	}
	m := at(now.Add(-time.Hour).In(time.FixedZone("", 3600)), now, "never")
	if m.ISO != "2027-01-09T09:58:03Z" || m.Title != "2027-01-09 09:58:03.000 UTC" || m.Clock != "09:58:03" {
		t.Errorf("a time in another zone is shown as %+v", m)
	}
	if m := at(time.Time{}, now, "never"); m.Ago != "never" || m.ISO != "" {
		t.Errorf("no time is shown as %+v", m)
	}
	for d, want := range map[time.Duration]string{8 * time.Millisecond: "8 ms", 3250 * time.Millisecond: "3.2 s", 4 * time.Second: "4 s", 62 * time.Second: "1 min 2 s",
		52 * time.Hour: "2 d 4 h", 77 * time.Minute: "1 h 17 min", -time.Second: "0 ms"} {
		if got := span(d); got != want {
			t.Errorf("span(%d) = %q, want %q", d, got, want)
		}
	}
}

// A share that is rounded must neither hide the one record that differs nor
// claim that all was read.
func TestOnlyEverythingIsAHundredPercent(t *testing.T) {
	t.Parallel()
	for part, want := range map[float64]string{1: "100 %", 0: "0 %", .5: "50 %", .931: "93.1 %", .99963: "99.96 %", .9999999: "> 99.9999 %", 1e-9: "< 0.0001 %", .00042: "0.04 %"} {
		if got := share(part); got != want {
			t.Errorf("share(%v) = %q, want %q", part, got, want)
		}
	}
}

func TestNumbersAreExact(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 1118204: "1,118,204", math.MaxInt64: "9,223,372,036,854,775,807",
		math.MinInt64: "-9,223,372,036,854,775,808", -1234: "-1,234"} {
		if got := exact(n); got != want {
			t.Errorf("exact(%d) = %q, want %q", n, got, want)
		}
	}
}
