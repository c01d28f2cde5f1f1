package auditor_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"plumbline/auditor"
	"plumbline/ledger"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	const check = "prices"
	at := func(clock string) time.Time { return instant(t, "2026-03-01T"+clock+"Z") }
	minutely := schedule(t, "* * * * *")
	jitter := auditor.Jitter(check, time.Minute)
	row := func(clock string) ledger.Schedule {
		return ledger.Schedule{Check: check, SlotAt: at(clock), DueAt: at(clock).Add(jitter)}
	}
	for _, c := range []struct {
		name   string
		now    time.Time
		row    ledger.Schedule
		active bool
		known  []ledger.Slot
		slots  string // each as outcome from-until
		run    string // trigger and slot; "" for none
		next   string // the next slot
	}{
		{name: "not yet due", now: at("10:00:00").Add(jitter - 1), row: row("10:00:00"), next: "10:00:00"},
		{name: "due", now: at("10:00:00").Add(jitter), row: row("10:00:00"), slots: "run 10:00-10:00", run: "schedule 10:00", next: "10:01:00"},
		{name: "a little late", now: at("10:00:20"), row: row("10:00:00"), slots: "run 10:00-10:00", run: "schedule 10:00", next: "10:01:00"},
		{name: "still going", now: at("10:00:20"), row: row("10:00:00"), active: true, slots: "skipped 10:00-10:00", next: "10:01:00"},
		{name: "the next slot is not due while its jitter lasts", now: at("10:01:00").Add(jitter - 1), row: row("10:00:00"),
			slots: "run 10:00-10:00", run: "catch-up 10:00", next: "10:01:00"},
		{name: "one was missed", now: at("10:01:00").Add(jitter), row: row("10:00:00"),
			slots: "missed 10:00-10:00, run 10:01-10:01", run: "catch-up 10:01", next: "10:02:00"},
		{name: "an hour forward", now: at("11:00:30"), row: row("10:00:00"),
			slots: "missed 10:00-10:59, run 11:00-11:00", run: "catch-up 11:00", next: "11:01:00"},
		{name: "an hour forward while one goes", now: at("11:00:30"), row: row("10:00:00"), active: true,
			slots: "missed 10:00-10:59, skipped 11:00-11:00", next: "11:01:00"},
		{name: "set back by an hour", now: at("09:00:30"), row: row("10:00:00"), next: "09:01:00"},
		{name: "clocks apart by less than is allowed", now: at("09:59:31"), row: row("10:01:00"), next: "10:01:00"},
		{name: "met again after the clock was set back", now: at("09:01:30"), row: row("09:01:00"),
			known: []ledger.Slot{{At: at("09:01:00"), Until: at("09:01:00"), Outcome: ledger.SlotRun}}, run: "schedule -", next: "09:02:00"},
		{name: "part of a long row met again", now: at("09:20:30"), row: row("09:01:00"),
			known: []ledger.Slot{{At: at("08:00:00"), Until: at("09:10:00"), Outcome: ledger.SlotMissed}},
			slots: "missed 09:11-09:19, run 09:20-09:20", run: "catch-up 09:20", next: "09:21:00"},
		{name: "no slot yet", now: at("10:00:20"), row: ledger.Schedule{Check: check}, next: "10:01:00"},
	} {
		d := auditor.Decide(c.now, c.row, minutely, c.active, c.known)
		slots, run := "", ""
		for i, s := range d.Slots {
			if i > 0 {
				slots += ", "
			}
			slots += fmt.Sprintf("%s %s-%s", s.Outcome, s.At.Format("15:04"), s.Until.Format("15:04"))
		}
		if d.Run {
			run = string(d.Trigger) + " -"
			if !d.At.IsZero() {
				run = string(d.Trigger) + " " + d.At.Format("15:04")
			}
		}
		if slots != c.slots || run != c.run {
			t.Errorf("%s: slots %q run %q, want %q and %q", c.name, slots, run, c.slots, c.run)
		}
		if !d.Next.SlotAt.Equal(at(c.next)) || !d.Next.DueAt.Equal(at(c.next).Add(jitter)) || d.Moved == d.Next.SlotAt.Equal(c.row.SlotAt) {
			t.Errorf("%s: next slot %s due %s moved %v, want %s", c.name, d.Next.SlotAt, d.Next.DueAt, d.Moved, c.next)
		}
	}
}

// slotBook is what a ledger keeps of slots.
type slotBook struct {
	t       *testing.T
	row     ledger.Schedule
	slots   []ledger.Slot
	runs    int
	catchUp int
}

func (b *slotBook) look(now time.Time, s auditor.Schedule, active bool) auditor.Decision {
	var known []ledger.Slot
	for _, k := range b.slots {
		if !k.Until.Before(b.row.SlotAt) {
			known = append(known, k)
		}
	}
	d := auditor.Decide(now, b.row, s, active, known)
	for _, add := range d.Slots {
		for _, k := range b.slots {
			if !add.At.After(k.Until) && !k.At.After(add.Until) {
				b.t.Fatalf("at %s slots %s-%s are accounted for twice", now, add.At, add.Until)
			}
		}
		b.slots = append(b.slots, add)
	}
	if d.Run {
		b.runs++
		if d.Trigger == ledger.ByCatchUp {
			b.catchUp++
		}
	}
	b.row = d.Next
	return d
}

// covered fails unless each slot after from and until until is accounted for.
func (b *slotBook) covered(s auditor.Schedule, from, until time.Time) {
	b.t.Helper()
	for at := s.Next(from); !at.After(until); at = s.Next(at) {
		n := 0
		for _, k := range b.slots {
			if !at.Before(k.At) && !at.After(k.Until) {
				n++
			}
		}
		if n != 1 {
			b.t.Fatalf("slot %s is accounted for %d times", at, n)
		}
	}
}

// Whatever the clock does, and however long nobody looks, each slot is accounted
// for once, a jump brings one run at most, and nothing waits longer than an
// interval for the clock to come round again.
func TestEachSlotOnce(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	zones := []string{"", "CRON_TZ=Europe/Oslo ", "CRON_TZ=America/New_York ", "CRON_TZ=Australia/Lord_Howe ", "CRON_TZ=America/Santiago ", "CRON_TZ=Asia/Kolkata "}
	specs := []string{"* * * * *", "*/5 * * * *", "30 2 * * *", "0 */2 * * *", "0 0 * * 1", "15 1,2,3 * * *"}
	for range 30 {
		spec := zones[r.IntN(len(zones))] + specs[r.IntN(len(specs))]
		if r.IntN(4) == 0 {
			spec = fmt.Sprintf("@every %ds", 1+r.IntN(5000))
		}
		s := schedule(t, spec)
		now := instant(t, "2026-03-20T00:00:00Z").Add(time.Duration(r.Int64N(int64(250 * 24 * time.Hour)))).Truncate(time.Millisecond)
		b := &slotBook{t: t}
		b.row.Check = fmt.Sprintf("check-%d", r.IntN(100))
		b.look(now, s, false)
		furthest, from := now, now
		for range 60 {
			interval := s.Interval(now)
			switch r.IntN(8) {
			case 0: // nobody looks for long
				now = now.Add(time.Duration(r.Int64N(int64(20*interval) + 1)))
			case 1:
				now = now.Add([]time.Duration{time.Hour, 24 * time.Hour}[r.IntN(2)])
			case 2:
				now = now.Add(-[]time.Duration{time.Hour, 24 * time.Hour, time.Second}[r.IntN(3)])
			default:
				now = now.Add(time.Duration(r.Int64N(int64(interval) + 1)))
			}
			now = now.Truncate(time.Millisecond)
			before := b.runs
			d := b.look(now, s, r.IntN(5) == 0)
			if b.runs-before > 1 {
				t.Fatalf("%s: %d runs at once", spec, b.runs-before)
			}
			if wait := d.Next.SlotAt.Sub(now); wait > s.Next(now.Add(30*time.Second)).Sub(now) {
				t.Fatalf("%s: at %s the next slot is %s", spec, now, d.Next.SlotAt)
			}
			if now.After(furthest) {
				furthest = now
			}
		}
		b.look(furthest, s, false)
		if last := s.Last(from, b.row.SlotAt.Add(-time.Millisecond)); !last.IsZero() {
			b.covered(s, from, last)
		}
	}
}

// A check that runs on time is never run twice for a slot, nor late, over a
// whole year of a zone with summer time.
func TestAYearOfSlots(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"Europe/Oslo", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Cairo"} {
		for _, spec := range []string{"30 2 * * *", "0 0 * * *", "0 */6 * * *"} {
			s := schedule(t, "CRON_TZ="+zone+" "+spec)
			b := &slotBook{t: t}
			b.row.Check = zone
			now := instant(t, "2026-01-01T00:00:00Z")
			b.look(now, s, false)
			from := now
			for end := now.AddDate(1, 0, 0); now.Before(end); now = b.row.DueAt {
				b.look(now, s, false)
			}
			b.covered(s, from, b.slots[len(b.slots)-1].At)
			if b.catchUp > 0 || b.runs != len(b.slots) {
				t.Errorf("%s %s: %d runs of %d slots, %d to catch up", zone, spec, b.runs, len(b.slots), b.catchUp)
			}
			if days := float64(b.runs); spec != "0 */6 * * *" && (days < 364 || days > 367) {
				t.Errorf("%s %s: %v runs in a year", zone, spec, days)
			}
		}
	}
}

func TestJitterIsSpreadAndBounded(t *testing.T) {
	t.Parallel()
	seen := map[time.Duration]int{}
	for i := range 1000 {
		check := fmt.Sprintf("check-%d", i)
		j := auditor.Jitter(check, time.Minute)
		if j < 0 || j >= 6*time.Second || j != auditor.Jitter(check, time.Minute) {
			t.Fatalf("%s: %s", check, j)
		}
		seen[j/time.Second]++
		if j := auditor.Jitter(check, 24*time.Hour); j >= 10*time.Second {
			t.Fatalf("%s: %s of a day", check, j)
		}
	}
	for second := range time.Duration(6) {
		if seen[second] < 100 || seen[second] > 240 {
			t.Errorf("%d of 1000 checks in second %d", seen[second], second)
		}
	}
	if j := auditor.Jitter("x", 0); j != 0 {
		t.Errorf("without an interval: %s", j)
	}
}
