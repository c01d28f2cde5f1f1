package demo

import (
	"slices"
	"strconv"
	"sync"
	"time"
)

// place is where a fault can be found: a key of a check.
type place struct{ check, key string }

func number(id int64) string { return strconv.FormatInt(id, 10) }

// fault is something the shop let go wrong. Plumbline never sees it; the demo
// compares it with what Plumbline found.
type fault struct {
	kind faultKind
	// places are where it shows: at the first for certain.
	places []place
	// at is when it was let in, from when it shows for good (zero until it
	// does), healed when it was gone (zero until it is).
	at, from, healed time.Time
	// found is when it was confirmed first.
	found time.Time

	ref ref // the record that traffic leaves alone meanwhile
}

// truth is what really went wrong. It is safe for several goroutines.
type truth struct {
	mu     sync.Mutex
	faults []*fault
}

// slowest is how long an event may take before that is a fault.
const slowest = 3 * time.Second

// letIn keeps a fault as of now.
func (t *truth) letIn(f *fault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults = append(t.faults, f)
}

// open are the faults that are not healed, oldest first.
func (t *truth) open() []*fault {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []*fault
	for _, f := range t.faults {
		if f.healed.IsZero() {
			list = append(list, f)
		}
	}
	return list
}

// shows says that from now on nothing but a repair will end the fault.
func (t *truth) shows(f *fault, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f.from.IsZero() {
		f.from = now
	}
}

func (t *truth) heal(f *fault, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.healed = now
}

// late keeps a fault that nobody planned: an event under way from at to healed.
func (t *truth) late(places []place, at, healed time.Time) {
	t.letIn(&fault{kind: lateEvent, places: places, at: at, healed: healed})
}

// explain returns the fault that a difference seen from first to last is due
// to, and notes that it was found; nil where there is none.
func (t *truth) explain(check, key string, first, last time.Time) *fault {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range slices.Backward(t.faults) {
		if f.at.After(last) || !f.healed.IsZero() && f.healed.Before(first) || !slices.Contains(f.places, place{check, key}) {
			continue
		}
		if f.found.IsZero() {
			f.found = last
		}
		return f
	}
	return nil
}

// tally counts faults by what became of them.
type tally struct {
	letIn, found, missed int
	// healed were gone before a run could confirm them; young are too new to be found.
	healed, young int
}

// tally counts all faults as of now. One that showed for as long as due, with
// nothing but a repair to end it, had to be found.
func (t *truth) tally(now time.Time, due time.Duration) (n tally) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.faults {
		n.letIn++
		until := now
		if !f.healed.IsZero() {
			until = f.healed
		}
		switch {
		case !f.found.IsZero():
			n.found++
		case !f.from.IsZero() && until.Sub(f.from) > due:
			n.missed++
		case !f.healed.IsZero():
			n.healed++
		default:
			n.young++
		}
	}
	return n
}
