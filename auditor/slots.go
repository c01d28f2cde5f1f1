package auditor

import (
	"hash/fnv"
	"time"

	"plumbline/ledger"
)

// skewAllowed is how far the clocks of processes that share a ledger may lie
// apart before one takes its own for set back.
const skewAllowed = 30 * time.Second

// late is how long after its time a slot is run as if nothing had happened.
const late = 30 * time.Second

// Decision is what becomes of a check at a moment.
type Decision struct {
	// Slots are the slots that are accounted for, each with its outcome.
	Slots []ledger.Slot
	// Run says whether a run is begun, for the slot At (zero where that slot was
	// accounted for before the clock was set back), and why.
	Run     bool
	At      time.Time
	Trigger ledger.Trigger
	// Next is the schedule as it is from now on; Moved says whether it is another.
	Next  ledger.Schedule
	Moved bool
}

// Decide says what becomes of a check's slots that are due at now. active says
// whether a run of it is still going, known lists the slots from row.SlotAt on
// that are accounted for already. It is a pure function.
//
// Each slot becomes exactly one of run, skipped and missed. Of several that came
// due unseen, all but the last are missed, in one row, and the last is run. A
// clock that was set back moves the schedule back with it; slots that are then
// met a second time are run without being accounted for again.
func Decide(now time.Time, row ledger.Schedule, s Schedule, active bool, known []ledger.Slot) Decision {
	d := Decision{Next: row}
	if row.SlotAt.IsZero() || setBack(now, row, s) {
		return d.move(row.Check, s, now)
	}
	if now.Before(row.DueAt) {
		return d
	}
	last := row.SlotAt
	if next := s.Last(row.SlotAt, now); !next.IsZero() {
		last = next
		if now.Before(last.Add(Jitter(row.Check, s.Interval(last)))) {
			last = s.Last(row.SlotAt.Add(-time.Millisecond), last.Add(-time.Millisecond))
		}
	}
	if last.IsZero() { // the row's slot is none of this schedule's
		last = row.SlotAt
	}
	if last.After(row.SlotAt) {
		missed := ledger.Slot{Check: row.Check, At: row.SlotAt, Outcome: ledger.SlotMissed,
			Until: s.Last(row.SlotAt.Add(-time.Millisecond), last.Add(-time.Millisecond)), Reason: "no process was there to run it"}
		if missed.Until.Before(missed.At) {
			missed.Until = missed.At
		}
		d.Slots = append(d.Slots, missed)
	}
	slot := ledger.Slot{Check: row.Check, At: last, Until: last, Outcome: ledger.SlotRun}
	if active {
		slot.Outcome, slot.Reason = ledger.SlotSkipped, "the run before it was still going"
	}
	d.Run, d.At, d.Trigger = !active, last, ledger.BySchedule
	if len(d.Slots) > 0 || now.Sub(row.DueAt) > late {
		d.Trigger = ledger.ByCatchUp
	}
	d.Slots = append(d.Slots, slot)
	d.forget(known, s)
	return d.move(row.Check, s, last)
}

// move sets the schedule to the first slot after t.
func (d Decision) move(check string, s Schedule, t time.Time) Decision {
	was := d.Next
	d.Next.SlotAt, d.Next.DueAt = firstAfter(check, s, t)
	d.Moved = !d.Next.SlotAt.Equal(was.SlotAt) || !d.Next.DueAt.Equal(was.DueAt)
	return d
}

// forget leaves out what is accounted for already.
func (d *Decision) forget(known []ledger.Slot, schedule Schedule) {
	for _, k := range known {
		until := k.At
		if k.Until.After(until) {
			until = k.Until
		}
		kept := d.Slots[:0]
		for _, s := range d.Slots {
			covers := !s.At.After(until) && !k.At.After(s.Until)
			if covers && s.At.Equal(d.At) {
				d.At = time.Time{}
			}
			if covers && s.Until.After(until) { // the rest of a row of missed ones
				s.At, covers = schedule.Next(until), false
			}
			if !covers {
				kept = append(kept, s)
			}
		}
		d.Slots = kept
	}
}

// setBack says whether a schedule lies further ahead than whoever moved it there
// could have put it by a clock like ours.
func setBack(now time.Time, row ledger.Schedule, s Schedule) bool {
	furthest := s.Next(now.Add(skewAllowed))
	return !furthest.IsZero() && row.SlotAt.After(furthest)
}

// firstAfter is the first slot after t, and when it is due.
func firstAfter(check string, s Schedule, t time.Time) (slot, due time.Time) {
	slot = s.Next(t)
	if slot.IsZero() {
		return slot, slot
	}
	return slot, slot.Add(Jitter(check, s.Interval(slot)))
}

// Jitter is how long after its slot a check is due: always the same for a check,
// spread over a tenth of its interval and 10 seconds at most, so that checks of
// one schedule do not all begin at once.
func Jitter(check string, interval time.Duration) time.Duration {
	h := fnv.New64a()
	_, _ = h.Write([]byte(check)) // never fails, as package hash promises
	most := min(interval/10, 10*time.Second)
	return time.Duration(h.Sum64()%1000) * most / 1000 / time.Millisecond * time.Millisecond
}
