package demo

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
)

// view is what people see: a line for what happens, and a board now and then.
// All it tells of the audit it takes from the ledger. It is safe for several goroutines.
type view struct {
	mu     sync.Mutex
	screen *screen
	began  time.Time
	truth  *truth
	states []*checkState
	// unexplained are findings that no fault explained when they were confirmed:
	// one that the shop notices late may explain them yet.
	unexplained []*finding
	longest     time.Duration // of all runs, from their slot to their last verdict
	// fixes are the plans that findings are fixed by, plans how plans stood when
	// they were told last, and address where people look at them.
	fixes   map[string]string
	plans   map[string]reconciler.PlanState
	address string
}

const (
	margin     = 8  // before what stands under a line's time
	wordColumn = 10 // confirmed, cleared, healed …
	nameColumn = 27 // a check's name
	mostLines  = 4  // new findings of a check that are told one by one
)

func newView(s *screen, began time.Time, t *truth, list []*checkState) *view {
	return &view{screen: s, began: began, truth: t, states: list, fixes: map[string]string{}, plans: map[string]reconciler.PlanState{}}
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

// stateOf is what is known of a check; nil for one that is not the demo's.
func (v *view) stateOf(check string) *checkState {
	if i := slices.IndexFunc(v.states, func(s *checkState) bool { return s.check.Name == check }); i >= 0 {
		return v.states[i]
	}
	return nil
}

// findings takes over what the ledger has of a check's findings, and tells what is new.
func (v *view) findings(state *checkState, list []*drift.Finding, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := state.take(list)
	for _, f := range list {
		if f.State.Open() { // seen again, it may have another cause by now
			v.truth.explain(f.Check, f.Key.String(), f.FirstSeen, f.LastSeen)
		}
	}
	v.tellConfirmed(state, n.fresh, now)
	v.tellHealed(state, n.healed, now)
	for _, f := range n.acted {
		v.tell(now, string(f.State), yellow, f.Check, subject(state, []*finding{f})+": on the dashboard")
	}
}

// run takes over a run that may have finished.
func (v *view) run(state *checkState, r *ledger.Run, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	before := state.cleared
	if !state.takeRun(r) {
		return
	}
	began := r.CreatedAt
	if !r.SlotAt.IsZero() {
		began = r.SlotAt
	}
	v.longest = max(v.longest, r.FinishedAt.Sub(began))
	if before == 0 && state.cleared > 0 {
		v.tell(now, "cleared", yellow, r.Check, fmt.Sprintf("%s merely late: different when first read, equal %s later",
			plural(state.cleared, "suspect"), age(state.check.Edges[0].Settle)))
	}
}

// edge takes over how a check stands.
func (v *view) edge(state *checkState, e ledger.Edge, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	before := state.consistency()
	state.edge = e
	switch after := state.consistency(); {
	case after == before:
	case after == drift.InSync:
		v.tell(now, "In sync", green, e.Check, "all "+plural(e.Compared, "record")+" equal")
	case after == drift.Unknown:
		v.tell(now, "Unknown", yellow, e.Check, "cannot be checked: "+v.screen.in(dim, e.LastError))
	}
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
func (v *view) tellConfirmed(state *checkState, fresh []*finding, now time.Time) {
	var keys []string
	byKey := map[string][]*finding{}
	for _, f := range fresh {
		key := f.Key.String()
		if f.fault = v.truth.explain(f.Check, key, f.FirstSeen, f.ConfirmedAt); f.fault == nil {
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
		f, word := byKey[key][0], "confirmed"
		if f.Regressions > 0 {
			word = "regressed"
		}
		v.tell(now, word, red, f.Check, subject(state, byKey[key])+": "+v.screen.in(bold, f.why)+v.screen.in(dim, blame(f)))
		if detail := values(f.Finding); detail != "" {
			v.more(detail)
		}
	}
}

// blame names the fault that the shop says a finding is due to.
func blame(f *finding) string {
	if f.fault == nil {
		return ""
	}
	return fmt.Sprintf("   (shop: %s, %s ago)", f.fault.kind, age(f.ConfirmedAt.Sub(f.fault.at)))
}

// subject names a record, or one copy of it: id 214 in 3 copies.
func subject(state *checkState, findings []*finding) string {
	f := findings[0]
	text := strings.Join(state.check.Owner.Dataset.Key, ",") + " " + f.Key.String()
	switch {
	case len(findings) > 1:
		text += fmt.Sprintf(" in %d copies", len(findings))
	case len(f.CopyID) > 0:
		text += " at " + f.CopyID.String()
	}
	return text
}

// values writes what differs, the owner's value first; of what is held more than
// once, by whom and how often.
func values(f *drift.Finding) string {
	if f.Kind == checks.Duplicate || f.Kind == checks.Unreadable {
		return f.Reason
	}
	var list []string
	for i := range f.Fields {
		list = append(list, fmt.Sprintf("%s %s ≠ %s", f.Fields[i].OwnerField, f.Fields[i].Owner.Whole(), f.Fields[i].Replica.Whole()))
	}
	return strings.Join(list, ", ")
}

// tellHealed tells in one line each which findings were read and found equal
// again: by themselves, and by which plan.
func (v *view) tellHealed(state *checkState, healed []*finding, now time.Time) {
	by := map[string][]*finding{}
	for _, f := range healed {
		by[v.fixes[f.ID]] = append(by[v.fixes[f.ID]], f)
	}
	for _, plan := range slices.Sorted(maps.Keys(by)) {
		word, how := "fixed", "by plan "+plan
		if plan == "" {
			word, how = "healed", "by itself"
		}
		v.tell(now, word, green, state.check.Name, equalAgain(state, by[plan], how))
	}
}

func equalAgain(state *checkState, healed []*finding, how string) string {
	var keys []string
	longest := time.Duration(0)
	for _, f := range healed {
		if key := f.Key.String(); !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
		longest = max(longest, f.ResolvedAt.Sub(f.FirstSeen))
	}
	named := strings.Join(keys[:min(len(keys), 6)], ", ")
	if len(keys) > 6 {
		named += fmt.Sprintf(" and %d more", len(keys)-6)
	}
	return fmt.Sprintf("%s %s: equal again %s, after up to %s", strings.Join(state.check.Owner.Dataset.Key, ","), named, how, age(longest))
}

// fixedBy notes that a plan that was begun is about a finding.
func (v *view) fixedBy(finding string, p *reconciler.Plan) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.fixes[finding] = p.ID
	if p.Undoes != "" {
		delete(v.fixes, finding)
	}
}

// plan tells how a plan of fixes stands.
func (v *view) plan(p *reconciler.Plan, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.plans[p.ID] == p.State || p.State == reconciler.Expired && v.plans[p.ID] == "" {
		return
	}
	before := v.plans[p.ID]
	v.plans[p.ID] = p.State
	what := "fix plan"
	if p.Undoes != "" {
		what = "plan to undo " + p.Undoes
	}
	text := fmt.Sprintf("%s %s, %s: %s", what, p.ID, plural(p.Items(), "record"), p.State)
	if before == "" && p.State.Live() {
		text += "   " + v.address + "/fixes/" + p.ID
	}
	v.tell(now, "plan", yellow, p.Check, text)
}

// replayed tells that the shop mended records on its own.
func (v *view) replayed(n int, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.tell(now, "the shop", dim, "", v.screen.in(dim, fmt.Sprintf("replays %s from their owners, as a nightly job would", plural(int64(n), "record"))))
}

// outage tells that a service locks its store, or lets go of it.
func (v *view) outage(service string, begins bool, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	text := service + " is back: its store can be read again"
	if begins {
		text = service + " locks its store for maintenance: nobody can read it, and so nobody can say whether it drifts"
	}
	v.tell(now, "the shop", dim, "", v.screen.in(dim, text))
}
