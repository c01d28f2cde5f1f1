package demo

import (
	"fmt"
	"strings"
	"time"
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
		for _, f := range state.open {
			open = append(open, f)
		}
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
	word, how := state.consistency(), green
	switch word {
	case "Drifted":
		word, how = "Drifted "+count(int64(len(state.open))), red
	case "Unknown":
		how = yellow
	}
	oldest, coverage := "", ""
	if since := state.oldest(); !since.IsZero() {
		oldest = age(now.Sub(since))
	}
	if state.runs > 0 {
		coverage = percent(state.last.Coverage())
	}
	return boardRow(state.check.Name, v.screen.in(how, word), coverage, count(state.last.Counts.Compared()),
		blankZero(state.pending()), blankZero(state.cleared), oldest)
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
	d := g.findings[0].difference
	if detail := values(d); detail != "" {
		return d.Key.String() + ": " + detail
	}
	return d.Key.String()
}

// status is the line at the bottom: what is going on right now.
func (v *view) status(now time.Time, changes, underWay int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var settling []string
	for _, state := range v.states {
		if p := state.progress; p.Phase == "settle" {
			settling = append(settling, fmt.Sprintf("%s: %s, %d s to go", state.check.Name, plural(state.pending(), "suspect"), int(max(0, p.Until.Sub(now)).Seconds()+0.9)))
		}
	}
	text := fmt.Sprintf("%s  %s changes, %d under way", right(clock(now.Sub(v.began)), margin-2), count(int64(changes)), underWay)
	v.screen.setStatus(strings.Join(append([]string{text}, settling...), " · "))
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
	settle := time.Duration(0)
	for _, s := range v.states {
		r.runs += s.runs
		r.compared += s.compared
		r.confirmed += s.confirmed
		r.healed += s.healed
		r.cleared += s.cleared
		settle = max(settle, s.check.Edges[0].Settle)
	}
	for _, f := range v.unexplained {
		if v.truth.explain(f.check, f.difference.Key.String(), f.difference.FirstSeen, f.difference.LastSeen) == nil {
			r.unexplained = append(r.unexplained, f)
		}
	}
	// A fault is due once it has shown, and a whole run began and ended since.
	due := slowest + settle + 2*(v.longest+betweenRuns)
	r.faults = v.truth.tally(ended.Add(-due))
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
	s.line(fmt.Sprintf("  The shop    let in %s: %s found, %s healed before a run could confirm them, %s too new to be found yet, %s missed.",
		plural(int64(r.faults.letIn), "fault"), count(int64(r.faults.found)), count(int64(r.faults.healed)), count(int64(r.faults.young)), count(int64(r.faults.missed))))
	if n := int64(len(r.unexplained)); n > 0 {
		s.line(s.in(red, fmt.Sprintf("  %s without a fault of the shop: false alarms.", plural(n, "difference"))))
	} else {
		s.line("  Every confirmed difference is due to a fault that the shop let in: no false alarm.")
	}
	s.line()
	s.line("  Next: ", s.in(bold, "plumbline init"), " writes a starting configuration for your own stores; ", s.in(bold, "plumbline run"), " compares them.")
}

// welcome says what will be seen.
func (v *view) welcome(o Options, dir string, records int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.screen
	s.line(s.in(bold, "A shop that drifts"), s.in(dim, fmt.Sprintf("   seed %d · files in %s", o.Seed, dir)))
	s.line(fmt.Sprintf("  Six services with a file each hold %s, and copy from each other through events, 0.2 to 2.5 s late.", plural(int64(records), "record")))
	s.line("  Now and then something goes wrong. Plumbline reads the files, and nothing else. Ctrl-C ends the demo.")
	s.line()
	for _, state := range v.states {
		c := state.check
		s.line("  ", left(c.Name, nameColumn), left(c.Owner.Source+" → "+c.Edges[0].Replica.Source, 20), s.in(dim, c.Description))
	}
	s.line()
}
