package report

import (
	"fmt"
	"io"
	"strings"

	"plumbline/cmd/plumbline/terminal"
	"plumbline/drift"
)

// WriteMarkdown writes a report fit for a pull request. Data stands in code
// spans, where it makes no links, mentions or markup.
func WriteMarkdown(w io.Writer, r *Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### Plumbline: %s\n\n", r.Result)
	b.WriteString("| Check | Replica | Result | Compared | Coverage | Mismatch | Missing | Extra | Duplicate | Unreadable | Skipped | Time |\n")
	b.WriteString("|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, run := range r.Runs {
		c := run.Counts
		fmt.Fprintf(&b, "| %s | %s | **%s** | %s | %s | %d | %d | %d | %d | %d | %d | %.1f s |\n", code(run.Check), code(run.Replica), run.Result,
			terminal.Count(c.Compared), coverageWords(run.Coverage, run.Sample != nil, run.ScopeShare), c.Mismatch, c.Missing, c.Extra, c.Duplicate, c.Unreadable, c.Skipped, run.Duration)
	}
	for _, run := range r.Runs {
		markdownPatterns(&b, run)
	}
	for _, run := range r.Runs {
		for _, line := range sampleLines(run) {
			fmt.Fprintf(&b, "\n- %s in %s: %s", code(run.Check), code(run.Replica), line)
		}
	}
	for _, run := range r.Runs {
		for _, why := range run.why() {
			fmt.Fprintf(&b, "\n- %s in %s: %s", code(run.Check), code(run.Replica), code(drift.Visible(why)))
		}
	}
	text := strings.TrimRight(b.String(), "\n") + "\n"
	_, err := io.WriteString(w, text)
	return err
}

func markdownPatterns(b *strings.Builder, run *Run) {
	patterns := Patterns(run)
	if len(patterns) == 0 {
		return
	}
	fmt.Fprintf(b, "\n**%s in %s**\n\n| Pattern | Records | Example |\n|---|--:|---|\n", code(run.Check), code(run.Replica))
	for _, p := range patterns[:min(len(patterns), patternsShown)] {
		fmt.Fprintf(b, "| %s | %d | %s |\n", code(p.Words), p.Records, code(p.Example.Key.Words()))
	}
	if more := len(patterns) - patternsShown; more > 0 {
		fmt.Fprintf(b, "\n… %d more patterns\n", more)
	}
}

// code is visible text as a code span in a table: fenced by more backticks than
// it holds, its pipes escaped.
func code(text string) string {
	text = strings.ReplaceAll(text, "|", `\|`)
	longest, run := 0, 0
	for _, r := range text {
		if run++; r != '`' {
			run = 0
		}
		longest = max(longest, run)
	}
	fence := strings.Repeat("`", longest+1)
	if longest > 0 || strings.HasPrefix(text, " ") || text == "" {
		text = " " + text + " "
	}
	return fence + text + fence
}
