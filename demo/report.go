package demo

import (
	"fmt"
	"strings"
	"time"

	"plumbline/drift"
)

// board writes how every check stands, and what drifts now.
func (v *view) board(now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.screen
	indent := strings.Repeat(" ", margin)
	s.line()
	s.line(right(clock(now.Sub(v.began)), margin-2), "  ", s.in(dim, strings.Repeat("─", max(0, s.width-margin))))
	s.line(indent, s.in(dim, boardRow("CHECK", "STATE", "COVERAGE", "COMPARED", "PENDING", "CLEARED", "OLDEST")))
	var open []*finding
	for _, state := range v.states {
		s.line(indent, v.boardLine(state, now))
		open = append(open, state.open()...)
	}
	if len(open) > 0 {
		s.line()
		s.line(indent, s.in(dim, left("DRIFTS NOW", nameColumn)+right("RECORDS", 8)+"  "+"WHY"))
	}
	for _, g := range groups(open) {
		s.line(indent, left(g.check, nameColumn), right(count(int64(len(g.findings))), 8), "  ", left(g.why, 29), " ", s.in(dim, example(g)))
	}
	s.line()
}

func boardRow(name, state, coverage, compared, pending, cleared, oldest string) string {
	return left(name, nameColumn) + left(state, 13) + right(coverage, 9) + right(compared, 10) + right(pending, 9) + right(cleared, 9) + right(oldest, 8)
}

func (v *view) boardLine(state *checkState, now time.Time) string {
	word, how := string(state.consistency()), green
	switch state.consistency() {
	case drift.Drifted:
		word, how = word+" "+count(int64(len(state.open()))), red
	case drift.Unknown:
		how = yellow
	}
	oldest, coverage, compared := "", "", ""
	if since := state.edge.OldestOpen; !since.IsZero() {
		oldest = age(now.Sub(since))
	}
	if state.last != nil {
		coverage, compared = percent(state.edge.Coverage), count(state.last.Counts.Compared())
	}
	return boardRow(state.check.Name, v.screen.in(how, word), coverage, compared,
		blankZero(state.edge.Pending), blankZero(state.cleared), oldest)
}

func blankZero(n int64) string {
	if n == 0 {
		return ""
	}
	return count(n)
}

// percent never rounds up to 100 %: that says everything was compared.
func percent(share float64) string {
	if share == 1 {
		return "100 %"
	}
	return fmt.Sprintf("%.1f %%", float64(int(share*1000))/10)
}

// example shows the first finding of a group.
func example(g group) string {
	f := g.findings[0]
	if detail := values(f.Finding); detail != "" {
		return f.Key.String() + ": " + detail
	}
	return f.Key.String()
}

// status is the line at the bottom: what is going on right now.
func (v *view) status(now time.Time, changes, underWay int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	pieces := []string{fmt.Sprintf("%s  %s changes, %d under way", right(clock(now.Sub(v.began)), margin-2), count(int64(changes)), underWay)}
	for _, state := range v.states {
		if n := state.edge.Pending; n > 0 {
			pieces = append(pieces, fmt.Sprintf("%s: %s to settle", state.check.Name, plural(n, "suspect")))
		}
	}
	v.screen.setStatus(strings.Join(pieces, " · "))
}

// result is what a whole demo came to.
type result struct {
	runs, compared, confirmed, healed, cleared int64
	faults                                     tally
	// unexplained are confirmed differences for which the shop knows no fault.
	unexplained []*finding
}

// result sums up as of the end.
func (v *view) result(ended time.Time) (r result) {
	v.mu.Lock()
	defer v.mu.Unlock()
	slowestCheck := time.Duration(0)
	for _, s := range v.states {
		r.runs += s.runs
		r.compared += s.compared
		r.confirmed += s.confirmed
		r.healed += s.healed
		r.cleared += s.cleared
		slowestCheck = max(slowestCheck, s.check.Edges[0].Settle+2*s.interval)
	}
	for _, f := range v.unexplained {
		if v.truth.explain(f.Check, f.Key.String(), f.FirstSeen, f.ConfirmedAt) == nil {
			r.unexplained = append(r.unexplained, f)
		}
	}
	// A fault must have been found once it has shown, a run began and ended
	// since, and its suspects settled and were read again.
	r.faults = v.truth.tally(ended, slowest+slowestCheck+2*v.longest)
	return r
}

// farewell writes the result and what to do next.
func (v *view) farewell(r result, ended time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.screen
	s.setStatus("")
	s.line()
	s.line(s.in(bold, "The demo ran for "+clock(ended.Sub(v.began))+"."))
	s.line(fmt.Sprintf("  Plumbline   %s, %s compared: %s confirmed, %s healed since;", plural(r.runs, "run"), plural(r.compared, "record"),
		plural(r.confirmed, "difference"), count(r.healed)))
	s.line(fmt.Sprintf("              %s cleared, which were merely late.", plural(r.cleared, "suspect")))
	s.line(fmt.Sprintf("  The shop    let in %s: %s found, %s missed,", plural(int64(r.faults.letIn), "fault"), count(int64(r.faults.found)), count(int64(r.faults.missed))))
	s.line(fmt.Sprintf("              %s healed before anything could be confirmed, %s too new to be found yet.",
		count(int64(r.faults.healed)), count(int64(r.faults.young))))
	if n := int64(len(r.unexplained)); n > 0 {
		s.line(s.in(red, fmt.Sprintf("  %s without a fault of the shop: false alarms.", plural(n, "difference"))))
	} else {
		s.line("  Every confirmed difference is due to a fault that the shop let in: no false alarm.")
	}
	s.line()
	s.line("  Next: ", s.in(bold, "plumbline init"), " writes a starting configuration for your own stores; ", s.in(bold, "plumbline serve"), " keeps an eye on them.")
}

// welcome says what will be seen, and where.
func (v *view) welcome(o Options, dir, address string, records int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.screen
	s.line(s.in(bold, "A shop that drifts"), s.in(dim, fmt.Sprintf("   seed %d · files in %s", o.Seed, dir)))
	s.line(fmt.Sprintf("  Seven services with a file each hold %s, and copy from each other through events, 0.2 to 2.5 s late.", plural(int64(records), "record")))
	s.line("  Now and then something goes wrong. Plumbline reads the files, and nothing else. Ctrl-C ends the demo.")
	s.line()
	s.line("  Dashboard   ", s.in(bold, address))
	for _, p := range o.People {
		s.line("  Sign in as  ", s.in(bold, left(p.Name, 8)), " password ", s.in(bold, p.Password), s.in(dim, "   "+p.Role))
	}
	s.line(s.in(dim, "  Search soon loses a batch of events for good: "+address+"/fixes has the plan that puts it right."))
	s.line()
	for _, state := range v.states {
		c := state.check
		s.line("  ", left(c.Name, nameColumn), left(c.Owner.Source+" → "+c.Edges[0].Replica.Source, 20), s.in(dim, c.Description))
	}
	s.line()
}
