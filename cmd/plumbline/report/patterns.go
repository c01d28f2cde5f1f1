package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"plumbline/checks"
	"plumbline/cmd/plumbline/terminal"
	"plumbline/drift"
)

// Pattern is findings of one run that differ in the same way.
type Pattern struct {
	Words   string // visible text
	Records int
	Example *Finding
}

// pairsPerField is how many pairs of values of one field are patterns of their
// own; the rest of the field is one pattern.
const pairsPerField = 3

// Patterns groups a run's findings by field and pair of values, or by kind, the
// largest first.
func Patterns(run *Run) []Pattern {
	groups := map[string]*Pattern{}
	fields := map[string][]*Pattern{}
	add := func(field, words string, f *Finding) {
		p := groups[field+"\x00"+words]
		if p == nil {
			p = &Pattern{Words: words, Example: f}
			groups[field+"\x00"+words] = p
			fields[field] = append(fields[field], p)
		}
		p.Records++
	}
	for i := range run.Findings {
		f := &run.Findings[i]
		for j := range f.Fields {
			add(f.Fields[j].Title(), drift.PairWords(&f.Fields[j]), f)
		}
		if len(f.Fields) == 0 {
			add("", drift.KindWords(f.Kind, f.Reason), f)
		}
	}
	var patterns []Pattern
	for field, all := range fields {
		slices.SortFunc(all, byRecords)
		for i, p := range all {
			if field != "" && i >= pairsPerField && len(all) > pairsPerField+1 {
				patterns = append(patterns, rest(field, all[i:]))
				break
			}
			patterns = append(patterns, *p)
		}
	}
	slices.SortFunc(patterns, func(a, b Pattern) int { return byRecords(&a, &b) })
	return patterns
}

func byRecords(a, b *Pattern) int {
	return cmp.Or(cmp.Compare(b.Records, a.Records), strings.Compare(a.Words, b.Words))
}

// rest is one pattern of all other pairs of a field.
func rest(field string, all []*Pattern) Pattern {
	title := drift.Visible(field) + ": "
	r := Pattern{Words: fmt.Sprintf("%s%d other pairs of values, such as %s", title, len(all), strings.TrimPrefix(all[0].Words, title)),
		Example: all[0].Example}
	for _, p := range all {
		r.Records += p.Records
	}
	return r
}

// Headline says a run's result in one line.
func Headline(run *Run) string {
	c := run.Counts
	var words []string
	for _, one := range []struct {
		n    int64
		what string
	}{{c.Mismatch, "mismatch"}, {c.Missing, "missing"}, {c.Extra, "extra"}, {c.Duplicate, "duplicate"}, {c.Unreadable, "unreadable"}} {
		if one.n > 0 {
			words = append(words, terminal.Count(one.n)+" "+one.what)
		}
	}
	words = append(words, fmt.Sprintf("of %s compared, coverage %s", terminal.Count(c.Compared), coverageWords(run.Coverage, run.Sample != nil, run.ScopeShare)))
	if bound := run.Bound(); bound != "" {
		words = append([]string{bound}, words...)
	}
	line := strings.Join(words, ", ")
	if why := run.why(); len(why) > 0 && run.Result != checks.Drift {
		line = why[0] + "; " + line
	}
	return line
}

// why lists what kept a run from being complete, each once.
func (r *Run) why() []string {
	why := slices.Clone(r.Reasons)
	if r.Error != "" && !slices.Contains(why, r.Error) {
		why = append([]string{r.Error}, why...)
	}
	if r.Result == checks.Cancelled && len(why) == 0 {
		why = []string{"interrupted before it was done"}
	}
	return why
}

// details are lines of visible text about a run: its patterns, then why it is not complete.
func details(run *Run) []string {
	var lines []string
	for _, p := range Patterns(run) {
		lines = append(lines, fmt.Sprintf("%s  ×%d  e.g. %s", p.Words, p.Records, p.Example.Key.Words()))
	}
	lines = append(lines, sampleLines(run)...)
	for _, why := range run.why() {
		lines = append(lines, drift.Visible(why))
	}
	return lines
}

// coverageWords say how much of what a run set out to compare was compared, and of
// a sample how much of everything that is: 100 % (1.0 % sample).
func coverageWords(coverage float64, sampled bool, scope *float64) string {
	switch {
	case !sampled:
		return percent(coverage)
	case scope == nil:
		return percent(coverage) + " (sample)"
	}
	return fmt.Sprintf("%s (%s sample)", percent(coverage), small(*scope))
}

// percent writes a share so that only a whole reads as 100 %.
func percent(share float64) string {
	if share >= 1 {
		return "100 %"
	}
	text := fmt.Sprintf("%.1f", 100*share)
	if text == "100.0" {
		text = "99.9"
	}
	return text + " %"
}
