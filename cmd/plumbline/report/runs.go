package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"plumbline/checks"
	"plumbline/cmd/plumbline/terminal"
	"plumbline/drift"
	"plumbline/web"
)

// WriteRuns writes runs as a table. more says that the list goes on.
func WriteRuns(w io.Writer, list []web.RunBody, more bool, now time.Time, style terminal.Style) error {
	var t terminal.Table
	t.Row("RUN", "CHECK", "REPLICA", "RESULT", "COMPARED", "COVERAGE", "DIFFER", "PENDING", "TRIGGER", "BEGAN", "TIME")
	for i := range list {
		r := &list[i]
		began := Ago(time.Time(r.StartedAt), now)
		if began != "" {
			began += " ago"
		}
		t.Row(fmt.Sprintf("#%d", r.Number), drift.Visible(r.Check), drift.Visible(r.Replica), runWord(r), terminal.Count(r.Counts.Compared),
			coverageWords(r.Coverage, r.Sample != nil, r.ScopeShare), terminal.Count(differ(&r.Counts)), terminal.Count(r.SuspectsPending), r.Trigger, began, fmt.Sprintf("%.1fs", r.DurationSeconds))
		t.Style(3, runColour(r, style))
	}
	if _, err := t.WriteTo(w); err != nil {
		return err
	}
	text := ""
	switch {
	case len(list) == 0:
		text = "no run matches\n"
	case more:
		text = "… and more: --limit shows more\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

// runWord is a run's result where it has one that stands, and else what it is doing.
func runWord(r *web.RunBody) string {
	if r.State != "finished" {
		if r.CancelRequested {
			return "stopping"
		}
		return r.State
	}
	return resultWord(checks.Result(r.Result))
}

func runColour(r *web.RunBody, style terminal.Style) func(string) string {
	if r.State != "finished" {
		return style.Doubt
	}
	return colourOf(checks.Result(r.Result), style)
}

func differ(c *web.CountsBody) int64 {
	return c.Mismatch + c.Missing + c.Extra + c.Duplicate + c.Unreadable
}

// WriteRun writes one run: what it saw, why it waited, what it could not read.
func WriteRun(w io.Writer, r *web.RunDetailBody, style terminal.Style) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s in %s  %s\n", style.Strong(fmt.Sprintf("Run #%d", r.Number)), drift.Visible(r.Check), drift.Visible(r.Replica),
		runColour(&r.RunBody, style)(runWord(&r.RunBody)))
	var t terminal.Table
	row := func(name, text string) {
		if text != "" {
			t.Row("  "+name, text)
		}
	}
	c := &r.Counts
	row("id", r.ID)
	row("trigger", strings.TrimSpace(r.Trigger+" by "+drift.Visible(r.Actor)))
	row("slot", r.SlotAt.String())
	row("started", r.StartedAt.String())
	row("took", fmt.Sprintf("%.1fs", r.DurationSeconds))
	row("plan", drift.Visible(r.PlanDetail))
	row("compared", fmt.Sprintf("%s of %s owner and %s replica records, coverage %s", terminal.Count(c.Compared), terminal.Count(c.OwnerRecords),
		terminal.Count(c.ReplicaRecords), coverageWords(r.Coverage, r.Sample != nil, r.ScopeShare)))
	for _, line := range servedSample(r) {
		row("sample", line)
	}
	row("differ", fmt.Sprintf("%d mismatch, %d missing, %d extra, %d duplicate, %d unreadable", c.Mismatch, c.Missing, c.Extra, c.Duplicate, c.Unreadable))
	if r.FindingsOmitted > 0 {
		row("not kept", fmt.Sprintf("%s counted and not kept as findings", terminal.Plural(r.FindingsOmitted, "further difference")))
	}
	row("suspects", fmt.Sprintf("%s pending, %s cleared", terminal.Count(r.SuspectsPending), terminal.Count(c.SuspectsCleared)))
	row("segments", fmt.Sprintf("%d of %d done", r.SegmentsDone, r.Segments))
	if r.Unread > 0 || c.Skipped > 0 {
		row("not read", fmt.Sprintf("about %s, %s skipped", terminal.Plural(r.Unread, "record"), terminal.Count(c.Skipped)))
	}
	if r.CancelledBy != "" {
		row("cancelled by", drift.Visible(r.CancelledBy))
	}
	row("error", drift.Visible(r.Error))
	for _, reason := range r.Reasons {
		row("reason", drift.Visible(reason))
	}
	for _, reason := range slices.Sorted(maps.Keys(r.WaitSeconds)) {
		row("waited", fmt.Sprintf("%.1fs: %s", r.WaitSeconds[reason], drift.Visible(reason)))
	}
	for i := range r.SegmentList {
		if s := &r.SegmentList[i]; s.Error != "" {
			row(fmt.Sprintf("segment %d", s.Number), drift.Visible(s.State+": "+s.Error))
		}
	}
	_, _ = t.WriteTo(&b) // a strings.Builder takes everything
	_, err := io.WriteString(w, b.String())
	return err
}
