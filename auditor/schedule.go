package auditor

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Schedule says at which times a check is due. The zero Schedule is none.
type Schedule struct {
	every time.Duration
	cron  *cron.SpecSchedule
	// wall: the hours are named, so the schedule is one of the wall clock.
	wall bool
}

// ParseSchedule reads a schedule: five cron fields, a descriptor such as @hourly,
// or @every with a duration; CRON_TZ=Europe/Oslo before it names the zone, which
// is UTC otherwise. The slots of @every are counted from 1970, so that every
// process has the same. It refuses what comes more often than once a second, and
// what never comes.
func ParseSchedule(spec string) (Schedule, error) {
	text := strings.TrimSpace(spec)
	if text == "" {
		return Schedule{}, errors.New(`a schedule is empty: write five cron fields, @hourly, @daily or "@every 5m"`)
	}
	if every, ok := strings.CutPrefix(text, "@every "); ok {
		return parseEvery(strings.TrimSpace(every))
	}
	zoned := text
	if !strings.HasPrefix(text, "CRON_TZ=") && !strings.HasPrefix(text, "TZ=") {
		zoned = "CRON_TZ=UTC " + text
	} else if !strings.Contains(text, " ") { // which the parser would not survive
		return Schedule{}, fmt.Errorf("schedule %q names a zone and no time", spec)
	}
	parsed, err := cron.ParseStandard(zoned)
	if err != nil {
		return Schedule{}, fmt.Errorf("schedule %q: %s", spec, strings.ReplaceAll(err.Error(), zoned, text))
	}
	fields, ok := parsed.(*cron.SpecSchedule)
	if !ok { // @every behind a zone
		return Schedule{}, fmt.Errorf("schedule %q: @every knows no zone", spec)
	}
	s := Schedule{cron: fields, wall: fields.Hour&allHours != allHours}
	if s.Next(time.Unix(0, 0)).IsZero() {
		return Schedule{}, fmt.Errorf("schedule %q never comes", spec)
	}
	return s, nil
}

const allHours = 1<<24 - 1

func parseEvery(text string) (Schedule, error) {
	every, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return Schedule{}, fmt.Errorf("schedule @every %q: %q is no duration such as 30s or 1h30m", text, text)
	case every < time.Second:
		return Schedule{}, fmt.Errorf("schedule @every %s: once a second is the most", text)
	case every%time.Millisecond != 0:
		return Schedule{}, fmt.Errorf("schedule @every %s: whole milliseconds only", text)
	}
	return Schedule{every: every}, nil
}

// IsZero says whether there is no schedule.
func (s Schedule) IsZero() bool { return s.every == 0 && s.cron == nil }

// Next is the first slot after t, in UTC; the zero time where there is none.
func (s Schedule) Next(t time.Time) time.Time {
	switch {
	case s.every > 0:
		since, every := t.UnixMilli(), s.every.Milliseconds()
		n := since / every
		if since < 0 && since%every != 0 {
			n--
		}
		return time.UnixMilli((n + 1) * every).UTC()
	case s.cron == nil:
		return time.Time{}
	case s.wall:
		return s.nextOnTheWall(t)
	}
	return inUTC(s.cron.Next(t.UTC()))
}

// Last is the last slot after from and not after until; the zero time where there is none.
func (s Schedule) Last(from, until time.Time) (last time.Time) {
	if s.IsZero() {
		return last
	}
	for back := time.Minute; last.IsZero(); back *= 2 {
		t := until.Add(-back)
		if !t.After(from) {
			t = from
		}
		for next := s.Next(t); !next.IsZero() && !next.After(until); next = s.Next(next) {
			last = next
		}
		if t.Equal(from) {
			break
		}
	}
	return last
}

// Interval is the time between the first two slots after t; 0 without a schedule.
func (s Schedule) Interval(t time.Time) time.Duration {
	if s.every > 0 {
		return s.every
	}
	first := s.Next(t)
	second := s.Next(first)
	if first.IsZero() || second.IsZero() {
		return 0
	}
	return second.Sub(first)
}

// StaleAt is when a check whose last success was at a time has gone stale: half
// an interval and a minute after the second slot that came to nothing. For slots
// at equal distances that is 2.5 intervals at most; nights and weekends without
// slots count for nothing. The zero time without a schedule.
func (s Schedule) StaleAt(success time.Time) time.Time {
	first := s.Next(success)
	second := s.Next(first)
	if first.IsZero() || second.IsZero() {
		return time.Time{}
	}
	return second.Add(second.Sub(first)/2 + time.Minute)
}

func inUTC(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}
