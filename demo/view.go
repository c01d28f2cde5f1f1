package demo

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"plumbline/checks"
)

// view is what people see: a line for what happens, and a board now and then.
// It is safe for several goroutines.
type view struct {
	mu     sync.Mutex
	screen *screen
	began  time.Time
	truth  *truth
	states []*checkState
	// unexplained are findings that no fault explained when they were confirmed:
	// one that the shop notices late may explain them yet.
	unexplained []*finding
	longest     time.Duration // of all runs
}

const (
	margin     = 8  // before what stands under a line's time
	wordColumn = 10 // confirmed, cleared, healed …
	nameColumn = 27 // a check's name
	mostLines  = 4  // new findings that a run tells one by one
)

func newView(s *screen, began time.Time, t *truth, list []checks.Check) *view {
	v := &view{screen: s, began: began, truth: t}
	for i := range list {
		v.states = append(v.states, newCheckState(&list[i]))
	}
	return v
}

// err is why nothing could be shown.
func (v *view) err() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.screen.err != nil {
		return fmt.Errorf("write to the terminal: %w", v.screen.err)
	}
	return nil
}

func (v *view) stateOf(check string) *checkState {
	return v.states[slices.IndexFunc(v.states, func(s *checkState) bool { return s.check.Name == check })]
}

// progress hears how far a run is.
func (v *view) progress(p checks.Progress) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stateOf(p.Check).progress = p
}

// run takes a run that ended over and tells what is new.
func (v *view) run(run checks.EdgeRun, ended time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	state := v.stateOf(run.Check)
	before, clearedBefore := state.consistency(), state.cleared
	fresh, healed := state.take(run)
	v.longest = max(v.longest, ended.Sub(run.StartedAt))

	found := map[string]bool{}
	for _, d := range run.Differences {
		found[d.Key.String()] = true
		v.truth.explain(run.Check, d.Key.String(), d.FirstSeen, d.LastSeen)
	}
	if whole(run) {
		v.truth.judge(run.Check, found, run.StartedAt, ended)
	}
	v.tellConfirmed(run, fresh, ended)
	if n := state.cleared; clearedBefore == 0 && n > 0 {
		v.tell(ended, "cleared", yellow, run.Check, fmt.Sprintf("%s merely late: different when first read, equal %s later",
			plural(n, "suspect"), age(state.check.Edges[0].Settle)))
	}
	v.tellHealed(run, healed, ended)
	if state.consistency() == "In sync" && before != "In sync" {
		v.tell(ended, "In sync", green, run.Check, "all "+compared(run)+" equal")
	}
}

// compared says how many records, or copies, a run compared.
func compared(run checks.EdgeRun) string {
	if run.Copies {
		return count(run.Counts.Compared()) + " copies"
	}
	return plural(run.Counts.Compared(), "record")
}

// tell writes one line of the stream.
func (v *view) tell(now time.Time, word string, how style, check, text string) {
	v.screen.line(right(clock(now.Sub(v.began)), margin-2), "  ", v.screen.in(how, left(word, wordColumn)), left(check, nameColumn), text)
}

// more writes a line under the last one.
func (v *view) more(text string) {
	v.screen.line(strings.Repeat(" ", margin+wordColumn), v.screen.in(dim, text))
}

// tellConfirmed tells new findings, all copies of one record together.
func (v *view) tellConfirmed(run checks.EdgeRun, fresh []*finding, now time.Time) {
	var keys []string
	byKey := map[string][]*finding{}
	for _, f := range fresh {
		key := f.difference.Key.String()
		if f.fault = v.truth.explain(f.check, key, f.difference.FirstSeen, f.difference.LastSeen); f.fault == nil {
			v.unexplained = append(v.unexplained, f)
		}
		if byKey[key] == nil {
			keys = append(keys, key)
		}
		byKey[key] = append(byKey[key], f)
	}
	for i, key := range keys {
		if i == mostLines {
			v.more(fmt.Sprintf("and %d more", len(keys)-mostLines))
			return
		}
		f := byKey[key][0]
		v.tell(now, "confirmed", red, f.check, subject(run, byKey[key])+": "+v.screen.in(bold, f.why)+v.screen.in(dim, blame(f)))
		if detail := values(f.difference); detail != "" {
			v.more(detail)
		}
	}
}

// blame names the fault that the shop says a finding is due to.
func blame(f *finding) string {
	if f.fault == nil {
		return ""
	}
	return fmt.Sprintf("   (shop: %s, %s ago)", f.fault.kind, age(f.confirmed.Sub(f.fault.at)))
}

// subject names a record, or one copy of it: id 214 in 3 copies.
func subject(run checks.EdgeRun, findings []*finding) string {
	d := findings[0].difference
	text := strings.Join(run.OwnerKey, ",") + " " + d.Key.String()
	switch {
	case len(findings) > 1:
		text += fmt.Sprintf(" in %d copies", len(findings))
	case len(d.ID) > 0:
		text += " at " + d.ID.String()
	}
	return text
}

// values writes what differs, the owner's value first; of what is held more than
// once, by whom and how often.
func values(d checks.Difference) string {
	if d.Kind == checks.Duplicate || d.Kind == checks.Unreadable {
		return d.Reason
	}
	var list []string
	for _, f := range d.Fields {
		owner, replica := f.OwnerValue.String(), f.ReplicaValue.String()
		if f.Mask != checks.MaskNone {
			owner, replica = "•••", "•••"
		}
		list = append(list, fmt.Sprintf("%s %s ≠ %s", f.Owner, owner, replica))
	}
	return strings.Join(list, ", ")
}

// tellHealed tells in one line which findings a run found equal again.
func (v *view) tellHealed(run checks.EdgeRun, healed []*finding, now time.Time) {
	if len(healed) == 0 {
		return
	}
	var keys []string
	longest := time.Duration(0)
	for _, f := range healed {
		if key := f.difference.Key.String(); !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
		longest = max(longest, run.StartedAt.Sub(f.since))
	}
	named := strings.Join(keys[:min(len(keys), 6)], ", ")
	if len(keys) > 6 {
		named += fmt.Sprintf(" and %d more", len(keys)-6)
	}
	v.tell(now, "healed", green, run.Check, fmt.Sprintf("%s %s: equal again by itself, after up to %s", strings.Join(run.OwnerKey, ","), named, age(longest)))
}

// replayed tells that the shop mended records on its own.
func (v *view) replayed(n int, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.tell(now, "the shop", dim, "", v.screen.in(dim, fmt.Sprintf("replays %s from their owners, as a nightly job would", plural(int64(n), "record"))))
}
