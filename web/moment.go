package web

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// moment is a time as a page shows it: how long ago, and exactly.
type moment struct {
	Ago   string // 4 min ago, in 3 min, or the word for there being none
	Clock string // 15:04:05
	ISO   string // RFC 3339 in UTC; "" where there is no time
	Title string // 2027-01-09 10:58:03.120 UTC
}

// at is t as seen at now; none is said where t is zero.
func at(t, now time.Time, none string) moment {
	if t.IsZero() {
		return moment{Ago: none}
	}
	t = t.UTC()
	m := moment{Clock: t.Format("15:04:05"), ISO: t.Format(time.RFC3339Nano), Title: t.Format("2006-01-02 15:04:05.000") + " UTC"}
	switch d := now.Sub(t); {
	case d >= 0 && d < time.Second, d < 0 && d > -time.Second:
		m.Ago = "now"
	case d > 0:
		m.Ago = coarse(d) + " ago"
	default:
		m.Ago = "in " + coarse(-d)
	}
	return m
}

// coarse is a duration in its largest unit that fits at least once.
func coarse(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d d", d/(24*time.Hour))
}

// span is a duration with two units where one is too coarse: 2 d 4 h, 14 min, 3.2 s, 8 ms.
func span(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d/time.Millisecond)
	case d < time.Minute:
		return strings.TrimSuffix(strconv.FormatFloat(d.Truncate(100*time.Millisecond).Seconds(), 'f', 1, 64), ".0") + " s"
	case d < time.Hour:
		return pair(d, time.Minute, "min", time.Second, "s")
	case d < 24*time.Hour:
		return pair(d, time.Hour, "h", time.Minute, "min")
	}
	return pair(d, 24*time.Hour, "d", time.Hour, "h")
}

func pair(d, unit time.Duration, name string, below time.Duration, belowName string) string {
	words := fmt.Sprintf("%d %s", d/unit, name)
	if rest := d % unit / below; rest > 0 {
		words += fmt.Sprintf(" %d %s", rest, belowName)
	}
	return words
}

// exact writes a whole number in groups of three digits. Nothing is rounded.
func exact(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// share writes a share of 1 as a percentage that says 100 only of everything
// and 0 only of nothing.
func share(part float64) string {
	switch {
	case part >= 1:
		return "100 %"
	case part <= 0:
		return "0 %"
	}
	percent := part * 100
	for digits := 1; digits <= 4; digits++ {
		text := strconv.FormatFloat(percent, 'f', digits, 64)
		if shown, err := strconv.ParseFloat(text, 64); err == nil && shown > 0 && shown < 100 {
			return strings.TrimSuffix(text, ".0") + " %"
		}
	}
	if percent < 1 {
		return "< 0.0001 %"
	}
	return "> 99.9999 %"
}

// several says n things: 1 record, 3 records.
func several(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return exact(n) + " " + many
}
