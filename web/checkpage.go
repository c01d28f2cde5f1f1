package web

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
)

// checkView is the page /checks/{name}.
type checkView struct {
	Page              frame
	Name, Description string
	States            []sign
	Facts             []fact
	Runbook           string
	RunURL            string
	BaselineURL       string // where something is open that no baseline knows
	RunDisabled       bool
	Mute              muteForm
	Told              []incidentRow // its open incidents
	Edges             []edgeSection
	Trend             []trendPoint
	TrendOf           string
	Runs              []runRow
	RunsURL           string
	Definition        []fact
	Rules             []ruleTable
	Plans             []planSection
}

// fact is a name with what it says: words, a time, or words that lead somewhere.
type fact struct {
	Name, Text, URL string
	Moment          moment
}

type edgeSection struct {
	ID                 string
	Owner, Replica     string
	State, Health      sign
	StateMore          string
	Why, WhyTone       string
	Numbers            []fact
	Schema             []schemaRow
	Sample             []fact // what the last sample tells of all, and how long ago each key was compared
	Strip              strip
	Open, OpenURL      string
	Patterns           []patternRow
	NoPatterns         string
	Matches            []matchRow
	MatchOf, NoMatches string
	Fix                fixEntry
	FixPattern         bool // a plan can be drafted of one pattern
}

// schemaRow is a change of a schema that was found.
type schemaRow struct {
	Words, More string
	At          moment
}

type patternRow struct {
	Words, URL, Open string
	Hidden           []option // what a plan of it is asked for with
	First, Last      moment
}

type matchRow struct {
	Field, URL, Share string
	Bar               bar
}

// bar is a share as a drawing.
type bar struct {
	Percent, Tone, Words string
}

func barOf(part float64, tone, words string) bar {
	return bar{strconv.FormatFloat(min(max(part, 0), 1)*100, 'f', 2, 64), tone, words}
}

type trendPoint struct {
	Unix, Differ, Percent            string // for the script
	At, Result, DifferText, Coverage string
}

// edgeMemory is what the ledger holds of an edge for its check's page.
type edgeMemory struct {
	view     edgeView
	patterns []ledger.Pattern
	fields   []ledger.FieldTally
	rolling  []ledger.Rolling
	changes  []ledger.FoundChange // of its schema, the newest first
	last     *ledger.Run          // the last run that was concluded
	runs     []*ledger.Run
}

// listedRuns is how many of its last runs a check's page lists for each edge.
const listedRuns = 12

// checkPage builds the page of a check from its edges.
func checkPage(c *DeclaredCheck, edges []edgeMemory, now time.Time) checkView {
	v := checkView{Name: c.Name, Description: c.Description, RunURL: checkURL(c.Name) + "/runs",
		RunsURL: with("/runs", nil, "check", c.Name), Definition: definition(c)}
	v.Runbook = runbookOf(c)
	v.Facts = present([]fact{{Name: "team", Text: c.Team}, {Name: "severity", Text: c.Severity}, {Name: "schedule", Text: c.Spec}})
	running := 0
	for i := range edges {
		m := &edges[i]
		v.Edges = append(v.Edges, edgeSectionOf(m, i, now))
		if len(edges) == 1 {
			v.States = []sign{v.Edges[0].State, v.Edges[0].Health}
			v.Edges[0].State, v.Edges[0].Health = sign{}, sign{} // said once is enough
		}
		if slices.ContainsFunc(m.runs, underWay) {
			running++
		}
		if unaccepted(&m.view.known) > 0 {
			v.BaselineURL = checkURL(c.Name) + "/baseline"
		}
		for j := range min(len(m.runs), listedRuns) {
			v.Runs = append(v.Runs, runRowOf(m.runs[j], now))
		}
		v.Rules = append(v.Rules, ruleTableOf(m.view.edge))
		v.Plans = append(v.Plans, planSectionOf(m, i))
	}
	v.RunDisabled = running > 0 // a check that runs is not begun anew
	if len(edges) > 0 {
		v.Trend = trendOf(edges[0].runs)
		v.TrendOf = fmt.Sprintf("differing records and coverage of the last %s", several(int64(len(v.Trend)), "run", "runs"))
		if len(edges) > 1 {
			v.TrendOf += ", " + edges[0].view.edge.Name
		}
	}
	return v
}

// unpattern leads to all findings of an edge where it led to those of a pattern.
func (v *checkView) unpattern() {
	for i := range v.Edges {
		e := &v.Edges[i]
		for j := range e.Patterns {
			e.Patterns[j].URL = e.OpenURL
		}
	}
}

// underWay says whether a run keeps another of its check from beginning.
func underWay(r *ledger.Run) bool {
	return len(r.Keys) == 0 && (r.State == ledger.Queued || r.State == ledger.Running)
}

// unaccepted is how many findings of an edge nobody has taken on yet.
func unaccepted(e *ledger.Edge) (n int64) {
	for _, t := range e.Open {
		if t.State == drift.Confirmed || t.State == drift.Regressed {
			n += t.N
		}
	}
	return n
}

func present(facts []fact) []fact {
	var out []fact
	for _, f := range facts {
		if f.Text != "" || f.Moment.ISO != "" {
			out = append(out, f)
		}
	}
	return out
}

func edgeSectionOf(m *edgeMemory, i int, now time.Time) edgeSection {
	e := &m.view
	known := &e.known
	s := edgeSection{ID: fmt.Sprintf("live-edge-%d", i), Owner: sideTitle(&e.check.Owner), Replica: replicaTitle(e.edge),
		State: signOfStanding(&known.Standing), Health: signOfHealth(e.health), Strip: stripOf(e.strip, now, 48)}
	s.Strip.Tall = true
	if !known.Since.IsZero() {
		s.StateMore = "for " + span(now.Sub(known.Since))
	}
	if known.LastError != "" && known.LastResult != checks.Clean && known.LastResult != checks.Drift {
		s.Why, s.WhyTone = "The last run could not read all it had to: "+known.LastError, "warn"
		switch {
		case known.LastResult == checks.Error:
			s.Why, s.WhyTone = "The last run could not read anything: "+known.LastError, "unknown"
		case strings.HasPrefix(known.LastError, checks.SchemaPrefix):
			s.Why, s.WhyTone = "The last run compared nothing: "+known.LastError, "unknown"
		}
	}
	if e.waits != "" {
		s.Why, s.WhyTone = "The run under way waits: "+e.waits, "info"
	}
	for _, c := range m.changes {
		row := schemaRow{Words: c.Words, More: "it keeps nothing from being compared", At: at(c.At, now, "")}
		if c.Breaks {
			row.More = "nothing could be compared"
		}
		s.Schema = append(s.Schema, row)
	}
	open := known.OpenFindings()
	s.Numbers = []fact{
		{Name: "open findings", Text: exact(open) + notKept(known)},
		{Name: "suspects pending", Text: exact(known.Pending)},
		{Name: "coverage", Text: "—"},
		{Name: "share of all", Text: "—"},
		{Name: "compared", Text: exact(comparedLast(m))},
		{Name: "last run", Moment: at(known.LastAt, now, ""), Text: "never"},
		{Name: "last success", Moment: at(known.LastSuccess, now, ""), Text: "never"},
		{Name: "next run"},
	}
	if next := nextRun(e, now); next.ISO != "" {
		s.Numbers[7].Moment = next
	} else {
		s.Numbers[7].Text = next.Ago
	}
	if known.LastRun != "" {
		s.Numbers[2].Text = share(known.Coverage)
	}
	if known.ScopeShare > 0 {
		s.Numbers[3].Text = share(known.ScopeShare)
	}
	s.Sample = append(lastRates(m), rollingFacts(m.rolling, known.Replica, now)...)
	if open > 0 {
		s.Open, s.OpenURL = exact(open)+" open"+notKept(known), findingsURL(known.Check, known.Replica)
		if !known.OldestOpen.IsZero() {
			s.Numbers = append(s.Numbers, fact{Name: "oldest open", Moment: at(known.OldestOpen, now, "")})
		}
	}
	s.NoPatterns = "Nothing is open."
	switch {
	case known.Consistency == drift.Unknown:
		s.NoPatterns = "Nothing is known to differ; what was not read is not known."
	case known.Omitted > 0:
		s.NoPatterns = "Nothing that was kept is open; " + exact(known.Omitted) + " more were counted and not kept."
	}
	for _, p := range m.patterns {
		s.Patterns = append(s.Patterns, patternRow{Words: p.Words, URL: patternURL(p.Check, p.Replica, p.Words), Open: exact(p.Open),
			First: at(p.FirstSeen, now, ""), Last: at(p.LastSeen, now, "")})
	}
	s.Matches, s.MatchOf, s.NoMatches = matches(m)
	return s
}

// notKept says how many differences were counted beside the findings that are
// kept; "" for none.
func notKept(e *ledger.Edge) string {
	if e.Omitted == 0 {
		return ""
	}
	return " + " + exact(e.Omitted) + " not kept"
}

// matches says for each compared field in how many of the records it agrees. It
// is known where a complete run counted the records; records that only one side
// has are about no field. Where more differs than is kept, a field may differ in
// any of the rest, and what is said of it is a bound.
func matches(m *edgeMemory) (rows []matchRow, of, none string) {
	compared := m.view.known.Compared
	switch {
	case compared > 0:
	case !m.view.check.Check.Sample.All():
		return nil, "", "A sample does not compare every record. A full run counts in how many each field agrees."
	default:
		return nil, "", "No complete run has compared a record yet."
	}
	differing := map[string]int64{}
	for _, f := range m.fields {
		differing[f.Field] = f.Open
	}
	for i := range m.view.edge.Rules {
		r := &m.view.edge.Rules[i]
		title := (&drift.Field{OwnerField: r.Owner.Name, ReplicaField: r.Replica.Name}).Title()
		n := min(differing[title], compared)
		row := matchRow{Field: title, Share: share(1 - float64(n)/float64(compared))}
		tone, least := "", ""
		if m.view.known.Omitted > 0 {
			row.Share, least = "at most "+row.Share, "at least "
			tone = "part"
		}
		if n > 0 {
			row.URL = fieldURL(m.view.known.Check, m.view.known.Replica, title)
			row.Share += " · " + least + exact(n) + " differ"
			tone = "part"
		}
		// Few among millions would be less than a pixel: what differs is seen.
		drawn := 1 - float64(n)/float64(compared)
		if n > 0 {
			drawn = min(drawn, .985)
		}
		row.Bar = barOf(drawn, tone, title+" agrees in "+row.Share)
		rows = append(rows, row)
	}
	of = "of " + several(compared, "record", "records")
	if m.view.known.Consistency == drift.Unknown {
		of += ", when all were last read"
	}
	if known := &m.view.known; known.Omitted > 0 {
		of += fmt.Sprintf(", by the %s kept; %s more were counted and not kept", several(known.OpenFindings(), "finding", "findings"), exact(known.Omitted))
	}
	return rows, of, "The check compares existence alone."
}

// trendOf are the runs that ended, oldest first. A run of given keys says nothing
// of the rest.
func trendOf(runs []*ledger.Run) []trendPoint {
	var points []trendPoint
	for i := len(runs) - 1; i >= 0; i-- {
		r := runs[i]
		if len(r.Keys) > 0 || r.State != ledger.Finished || r.Result == checks.Cancelled || r.StartedAt.IsZero() {
			continue
		}
		p := trendPoint{Unix: strconv.FormatInt(r.StartedAt.Unix(), 10), At: r.StartedAt.UTC().Format("2006-01-02 15:04:05"), Result: string(r.Result)}
		if r.Result == checks.Error {
			p.DifferText, p.Coverage, p.Percent = "—", "0 %", "0"
		} else {
			coverage := r.EdgeRun().Coverage()
			p.Differ, p.DifferText = strconv.FormatInt(r.Counts.Differences(), 10), exact(r.Counts.Differences())
			p.Percent, p.Coverage = strconv.FormatFloat(coverage*100, 'f', 4, 64), share(coverage)
		}
		points = append(points, p)
	}
	return points
}
