package auditor_test

import (
	"strings"
	"testing"
	"time"

	"plumbline/auditor"
)

func TestParseScheduleRefuses(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]string{
		"":                               "empty",
		"  ":                             "empty",
		"* * * *":                        "expected exactly 5 fields",
		"61 * * * *":                     "above maximum",
		"0 0 30 2 *":                     "never comes",
		"@every":                         "unrecognized descriptor",
		"@every x":                       "no duration",
		"@every 500ms":                   "once a second",
		"@every -5m":                     "once a second",
		"@every 1001us":                  "once a second",
		"@every 1.0005s":                 "whole milliseconds",
		"@sometimes":                     "unrecognized descriptor",
		"CRON_TZ=Mars/Olympus 0 3 * * *": "Mars/Olympus",
		"CRON_TZ=Europe/Oslo":            "names a zone and no time",
		"CRON_TZ=Europe/Oslo @every 5m":  "knows no zone",
	} {
		_, err := auditor.ParseSchedule(spec)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", spec, err, want)
		}
		if err != nil && spec != "" && !strings.Contains(spec, "TZ=") && strings.Contains(err.Error(), "TZ=") {
			t.Errorf("%q: the error names what nobody wrote: %v", spec, err)
		}
	}
}

func TestScheduleNext(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ spec, after, want string }{
		{"*/5 * * * *", "2026-03-01T10:02:03Z", "2026-03-01T10:05:00Z"},
		{"@hourly", "2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z"},
		{"@daily", "2026-03-01T10:00:00+05:00", "2026-03-02T00:00:00Z"},
		{"CRON_TZ=Europe/Oslo 0 3 * * *", "2026-07-01T00:00:00Z", "2026-07-01T01:00:00Z"},
		{"TZ=Europe/Oslo 0 3 * * *", "2026-12-01T00:00:00Z", "2026-12-01T02:00:00Z"},
		{"0 12 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T12:00:00Z"},
		{"@every 7s", "1970-01-01T00:00:06.999Z", "1970-01-01T00:00:07Z"},
		{"@every 7s", "1970-01-01T00:00:07Z", "1970-01-01T00:00:14Z"},
		{"@every 7s", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z"},
		{"@every 1500ms", "2026-01-01T00:00:00.1Z", "2026-01-01T00:00:01.5Z"},
		{"@every 90m", "2026-01-01T00:00:00Z", "2026-01-01T01:30:00Z"},
	} {
		if got := schedule(t, c.spec).Next(instant(t, c.after)); !got.Equal(instant(t, c.want)) || got.Location() != time.UTC {
			t.Errorf("%s after %s: %s, want %s", c.spec, c.after, got, c.want)
		}
	}
	if got := (auditor.Schedule{}).Next(time.Now()); !got.IsZero() {
		t.Errorf("no schedule comes at %s", got)
	}
}

// Every process must have the same slots, whatever its own zone and start.
func TestEverySlotsAreAnchored(t *testing.T) {
	t.Parallel()
	s := schedule(t, "@every 13s")
	from := instant(t, "2026-05-05T12:00:00Z")
	for offset := range 13_000 {
		at := from.Add(time.Duration(offset) * time.Millisecond)
		if next := s.Next(at.In(time.FixedZone("", 20_000))); next.UnixMilli()%13_000 != 0 || !next.After(at) || next.Sub(at) > 13*time.Second {
			t.Fatalf("after %s comes %s", at, next)
		}
	}
}

func TestScheduleLast(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ spec, from, until, want string }{
		{"@hourly", "2026-03-01T10:00:00Z", "2026-03-01T10:59:59Z", "0001-01-01T00:00:00Z"},
		{"@hourly", "2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z", "2026-03-01T11:00:00Z"},
		{"* * * * *", "2020-01-01T00:00:00Z", "2026-03-01T11:00:30Z", "2026-03-01T11:00:00Z"},
		{"@every 1s", "1970-01-01T00:00:00Z", "2026-03-01T11:00:30.5Z", "2026-03-01T11:00:30Z"},
		{"@yearly", "2020-06-01T00:00:00Z", "2026-03-01T11:00:30Z", "2026-01-01T00:00:00Z"},
	} {
		if got := schedule(t, c.spec).Last(instant(t, c.from), instant(t, c.until)); !got.Equal(instant(t, c.want)) {
			t.Errorf("%s from %s until %s: %s, want %s", c.spec, c.from, c.until, got, c.want)
		}
	}
}

// Over a change of the clock a schedule that names hours has each of its times
// once a day, and one that does not keeps its pace.
func TestScheduleOverClockChanges(t *testing.T) {
	t.Parallel()
	zones := []struct{ zone, spring, autumn string }{ // days on which the clock moves forward, and back
		{"Europe/Oslo", "2026-03-29", "2026-10-25"},
		{"America/New_York", "2026-03-08", "2026-11-01"},
		{"Australia/Lord_Howe", "2026-10-04", "2026-04-05"}, // by half an hour
		{"America/Santiago", "2026-09-06", "2026-04-05"},    // at midnight
		{"Africa/Cairo", "2026-04-24", "2026-10-30"},        // at midnight
	}
	for _, z := range zones {
		for _, day := range []string{z.spring, z.autumn} {
			for _, spec := range []string{"30 2 * * *", "15 0 * * *", "0 0 * * *", "45 1 * * *", "10 23 * * *"} {
				perDay(t, "CRON_TZ="+z.zone+" "+spec, day)
			}
			s := schedule(t, "CRON_TZ="+z.zone+" */10 * * * *")
			at := instant(t, day+"T00:00:00Z").Add(-24 * time.Hour)
			for end := at.Add(72 * time.Hour); at.Before(end); {
				next := s.Next(at)
				if next.Sub(at) != 10*time.Minute {
					t.Errorf("%s every ten minutes: after %s comes %s", z.zone, at, next)
				}
				at = next
			}
		}
	}
}

// perDay fails unless there is one slot for each of the seven days around day.
func perDay(t *testing.T, spec, day string) {
	t.Helper()
	s := schedule(t, spec)
	middle := instant(t, day+"T12:00:00Z")
	start := s.Next(middle.Add(-96 * time.Hour))
	at := start
	for n := 1; n <= 7; n++ {
		next := s.Next(at)
		if gap := next.Sub(at); gap < 22*time.Hour || gap > 26*time.Hour {
			t.Errorf("%s: %s follows %s", spec, next, at)
		}
		at = next
	}
	if d := at.Sub(start); d < 7*24*time.Hour-2*time.Hour || d > 7*24*time.Hour+2*time.Hour {
		t.Errorf("%s: seven times take %s", spec, d)
	}
}

func TestScheduleOverClockChangesByHand(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ spec, after, want string }{
		// 02:30 is jumped over and comes an hour later by the new clock: 03:30.
		{"CRON_TZ=Europe/Oslo 30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:30:00Z"},
		{"CRON_TZ=Europe/Oslo 30 2 * * *", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"},
		// 02:30 is shown twice; the first counts.
		{"CRON_TZ=Europe/Oslo 30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"},
		{"CRON_TZ=Europe/Oslo 30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"},
		// Two times that fall together come once.
		{"CRON_TZ=Europe/Oslo 30 2,3 * * *", "2026-03-29T00:00:00Z", "2026-03-29T01:30:00Z"},
		{"CRON_TZ=Europe/Oslo 30 2,3 * * *", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"},
		// One that is jumped over may come after one that is later on the wall.
		{"CRON_TZ=Europe/Oslo 0,45 2,3 * * *", "2026-03-29T00:50:00Z", "2026-03-29T01:00:00Z"},
		{"CRON_TZ=Europe/Oslo 0,45 2,3 * * *", "2026-03-29T01:00:00Z", "2026-03-29T01:45:00Z"},
	} {
		if got := schedule(t, c.spec).Next(instant(t, c.after)); !got.Equal(instant(t, c.want)) {
			t.Errorf("%s after %s: %s, want %s", c.spec, c.after, got, c.want)
		}
	}
}

func schedule(t *testing.T, spec string) auditor.Schedule {
	t.Helper()
	s, err := auditor.ParseSchedule(spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
