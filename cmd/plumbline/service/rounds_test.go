package service

import (
	"testing"
	"time"

	"plumbline/configs"
)

// A digest is due from its time on for a while, once for each day of its zone,
// whatever the clocks there do.
func TestDigestsAreDueOnceADay(t *testing.T) {
	t.Parallel()
	oslo, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		at, now string
		day     string // "" is none
	}{
		{"09:00", "2026-11-21T07:59:59Z", ""},
		{"09:00", "2026-11-21T08:00:00Z", "2026-11-21"},
		{"09:00", "2026-11-21T10:59:59Z", "2026-11-21"},
		{"09:00", "2026-11-21T11:00:00Z", ""},
		{"09:00", "2026-07-01T07:00:00Z", "2026-07-01"},
		{"02:30", "2026-03-29T01:30:00Z", "2026-03-29"}, // a time that this day does not have
		{"02:30", "2026-10-25T01:30:00Z", "2026-10-25"}, // one that it has twice
		{"00:00", "2026-11-20T23:10:00Z", "2026-11-21"},
		{"23:30", "2026-11-21T23:10:00Z", "2026-11-21"}, // late, on the day after
		{"23:30", "2026-11-22T01:30:00Z", ""},
	} {
		now, err := time.Parse(time.RFC3339, row.now)
		if err != nil {
			t.Fatal(err)
		}
		day, _, due := digestDue(&configs.Digest{At: row.at, Zone: oslo}, now)
		if due != (row.day != "") || due && day != row.day {
			t.Errorf("at %s, %s: %q %v, want %q", row.at, row.now, day, due, row.day)
		}
	}
}
