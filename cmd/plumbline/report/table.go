package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"plumbline/checks"
	"plumbline/cmd/plumbline/terminal"
	"plumbline/drift"
)

// patternsShown is how many patterns of a run the table and Markdown show.
const patternsShown = 10

// WriteTable writes what a person reads: a line per edge, what differs in the
// same way together, why anything is not complete, and what to do next.
func WriteTable(w io.Writer, runs []*Run, style terminal.Style) error {
	var t terminal.Table
	t.Row("CHECK", "REPLICA", "RESULT", "COMPARED", "COVERAGE", "MISMATCH", "MISSING", "EXTRA", "DUP", "UNREADABLE", "SKIPPED", "TIME")
	for _, run := range runs {
		c := run.Counts
		t.Row(run.Check, run.Replica, resultWord(run.Result), terminal.Count(c.Compared), coverageWords(run.Coverage, run.Sample != nil, run.ScopeShare), terminal.Count(c.Mismatch),
			terminal.Count(c.Missing), terminal.Count(c.Extra), terminal.Count(c.Duplicate), terminal.Count(c.Unreadable),
			terminal.Count(c.Skipped), fmt.Sprintf("%.1fs", run.Duration))
		t.Style(2, colourOf(run.Result, style))
	}
	if _, err := t.WriteTo(w); err != nil {
		return err
	}
	var b strings.Builder
	for _, run := range runs {
		writePatterns(&b, run, style)
	}
	for _, run := range runs {
		writeSample(&b, run, style)
	}
	for _, run := range runs {
		writeWhy(&b, run, style)
	}
	if next := nextStep(runs); next != "" {
		fmt.Fprintf(&b, "\nNext: %s\n", next)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// resultWord is how a table says a result; drift and error stand out without colour too.
func resultWord(r checks.Result) string {
	if r == checks.Drift || r == checks.Error {
		return strings.ToUpper(string(r))
	}
	return string(r)
}

func colourOf(r checks.Result, style terminal.Style) func(string) string {
	switch r {
	case checks.Clean:
		return style.Good
	case checks.Drift, checks.Error:
		return style.Bad
	}
	return style.Doubt
}

func writePatterns(b *strings.Builder, run *Run, style terminal.Style) {
	patterns := Patterns(run)
	if len(patterns) == 0 {
		return
	}
	var t terminal.Table
	for _, p := range patterns[:min(len(patterns), patternsShown)] {
		t.Row("  "+p.Words, "×"+terminal.Count(int64(p.Records)), "e.g. "+p.Example.Key.Words())
	}
	fmt.Fprintf(b, "\n%s\n", style.Strong(run.Check+" in "+run.Replica))
	_, _ = t.WriteTo(b) // a strings.Builder takes everything
	if more := len(patterns) - patternsShown; more > 0 {
		fmt.Fprintf(b, "  … %d more patterns (-o json has all findings)\n", more)
	}
	if run.Omitted > 0 {
		fmt.Fprintf(b, "  … %s more findings were counted and not kept\n", terminal.Count(run.Omitted))
	}
}

func writeSample(b *strings.Builder, run *Run, style terminal.Style) {
	lines := sampleLines(run)
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", style.Strong(run.Check+" in "+run.Replica+", a sample"))
	for _, line := range lines {
		fmt.Fprintf(b, "  %s\n", line)
	}
}

func writeWhy(b *strings.Builder, run *Run, style terminal.Style) {
	why := run.why()
	if len(why) == 0 && run.Pending == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", style.Strong(fmt.Sprintf("%s in %s is %s:", run.Check, run.Replica, notComplete(run))))
	for _, reason := range why {
		fmt.Fprintf(b, "  %s\n", drift.Visible(reason))
	}
	if run.Pending > 0 {
		fmt.Fprintf(b, "  not confirmed: %s that differed\n", terminal.Plural(run.Pending, "record"))
	}
	if run.Unread > 0 {
		fmt.Fprintf(b, "  not read: about %s\n", terminal.Plural(run.Unread, "record"))
	}
}

func notComplete(run *Run) string {
	switch run.Result {
	case checks.Error:
		return "not compared"
	case checks.Cancelled:
		return "cancelled"
	}
	return "incomplete"
}

// nextStep is the one thing to do after these runs.
func nextStep(runs []*Run) string {
	for _, run := range runs {
		for i := range run.Findings {
			if key := run.Findings[i].keyText; key != "" {
				check := run.Check
				if severalReplicas(runs, run) {
					check += " --replica " + ShellWord(run.Replica)
				}
				if strings.HasPrefix(key, "-") {
					return fmt.Sprintf("plumbline diff %s -- %s", check, ShellWord(key))
				}
				return fmt.Sprintf("plumbline diff %s %s", check, ShellWord(key))
			}
		}
	}
	for _, run := range runs {
		if run.Result == checks.Error {
			return "plumbline doctor"
		}
	}
	return ""
}

func severalReplicas(runs []*Run, one *Run) bool {
	return slices.ContainsFunc(runs, func(r *Run) bool { return r.Check == one.Check && r.Replica != one.Replica })
}

// ShellWord is text as one word for a shell. What cannot be shown as it is, is
// written with $'…', as bash and zsh read it.
func ShellWord(text string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.,:/@+=%"
	visible := drift.Visible(text)
	switch {
	case visible != text:
		return "$'" + strings.ReplaceAll(visible, "'", `\'`) + "'"
	case text != "" && strings.Trim(text, plain) == "":
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
