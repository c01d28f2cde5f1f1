package auditor

import "time"

// mostShift is more than any zone's clock is ever moved by at once.
const mostShift = 4 * time.Hour

// nextOnTheWall is the next slot of a schedule that names hours: 02:30 each day.
// Such a schedule has each of its times once, whatever is done to the clock. A
// time that the clock jumps over comes as much later as it jumps; of one that it
// shows twice, the first counts.
func (s Schedule) nextOnTheWall(t time.Time) (next time.Time) {
	zone := s.cron.Location
	fields := *s.cron
	fields.Location = time.UTC // the wall's own times, as if they were UTC
	wall := onTheWall(t, zone).Add(-mostShift)
	for {
		wall = fields.Next(wall)
		if wall.IsZero() || !next.IsZero() && wall.After(onTheWall(next, zone).Add(mostShift)) {
			return next
		}
		if at := fromTheWall(wall, zone); at.After(t) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
}

// onTheWall is what a zone's clock shows at t, as if it were UTC.
func onTheWall(t time.Time, zone *time.Location) time.Time {
	_, offset := t.In(zone).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// fromTheWall is the first instant at which a zone's clock shows wall, or, where
// it jumps over that, would have shown it without the jump.
func fromTheWall(wall time.Time, zone *time.Location) time.Time {
	at := func(near time.Time) time.Time {
		_, offset := near.In(zone).Zone()
		return wall.Add(-time.Duration(offset) * time.Second)
	}
	before, after := at(wall.Add(-26*time.Hour)), at(wall.Add(26*time.Hour))
	for _, instant := range []time.Time{before, after} {
		if onTheWall(instant, zone).Equal(wall) {
			return instant
		}
	}
	return before
}
