package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"time"

	"plumbline/cmd/plumbline/terminal"
	"plumbline/drift"
	"plumbline/web"
)

// differsColumns is how wide a table shows in what a finding differs.
const differsColumns = 60

// WriteFindings writes findings as a table, and what to do next. more says that
// the list goes on. The words of a pattern are visible text already.
func WriteFindings(w io.Writer, list []web.FindingBody, more bool, now time.Time, style terminal.Style) error {
	var t terminal.Table
	t.Row("FINDING", "CHECK", "REPLICA", "KIND", "STATE", "SINCE", "KEY", "DIFFERS")
	for i := range list {
		f := &list[i]
		t.Row(f.Finding, drift.Visible(f.Check), drift.Visible(f.Replica), f.Kind, f.State, Ago(time.Time(f.FirstSeen), now), recordWords(f),
			drift.Shorten(f.Pattern, differsColumns))
		t.Style(4, stateColour(f.State, style))
	}
	if _, err := t.WriteTo(w); err != nil {
		return err
	}
	text := ""
	switch {
	case len(list) == 0:
		text = "no finding matches\n"
	case more:
		text = "… and more: --limit shows more, plumbline findings export writes all\n"
	}
	if len(list) > 0 {
		text += "\nNext: plumbline findings show " + list[0].Finding + "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

// recordWords names a finding's record: its key, and its id where it has one.
func recordWords(f *web.FindingBody) string {
	words := drift.Named(f.Key).Words()
	if len(f.ID) > 0 {
		words += " copy " + drift.Named(f.ID).Words()
	}
	return words
}

func stateColour(state string, style terminal.Style) func(string) string {
	switch drift.State(state) {
	case drift.Confirmed, drift.Regressed:
		return style.Bad
	case drift.Resolved:
		return style.Good
	}
	return style.Doubt
}

// Ago says how long ago a time was, coarsely: 14 min, 2 d; "" where there is none.
func Ago(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return ""
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(0, d/time.Second))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d d", d/(24*time.Hour))
}

// WriteFinding writes one finding: both sides, and its life.
func WriteFinding(w io.Writer, f *web.FindingDetailBody, style terminal.Style) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s in %s  %s\n", style.Strong(f.Finding), drift.Visible(f.Check), drift.Visible(f.Replica), recordWords(&f.FindingBody))
	words := f.Kind
	if f.Reason != "" {
		words += ": " + drift.Visible(f.Reason)
	}
	if f.Age != "" {
		words += ", the copy is " + f.Age
	}
	fmt.Fprintf(&b, "%s  %s", stateColour(f.State, style)(f.State), words)
	if f.Resolution != "" {
		fmt.Fprintf(&b, " (%s)", f.Resolution)
	}
	if f.MutedUntil.String() != "" {
		fmt.Fprintf(&b, " until %s", f.MutedUntil)
	}
	b.WriteString("\n\n")
	if len(f.Fields) > 0 {
		var t terminal.Table
		t.Row("FIELD", "OWNER", "REPLICA", "RULE", "NOTE")
		for i := range f.Fields {
			d := &f.Fields[i]
			t.Row(drift.Visible(d.Title()), drift.Shorten(d.Owner.Whole(), diffColumns), drift.Shorten(d.Replica.Whole(), diffColumns),
				drift.Visible(d.Rule), drift.Visible(d.Note))
		}
		_, _ = t.WriteTo(&b) // a strings.Builder takes everything
		b.WriteByte('\n')
	}
	var t terminal.Table
	t.Row("TIME", "EVENT", "STATE", "BY", "NOTE")
	for _, line := range f.Timeline {
		t.Row(line.At.String(), line.Event, line.To, drift.Visible(line.Actor), drift.Visible(line.Note))
	}
	_, _ = t.WriteTo(&b)
	fmt.Fprintf(&b, "\nfirst seen %s, last %s, read and differing %s\n", f.FirstSeen, f.LastSeen, terminal.Plural(f.Seen, "time"))
	_, err := io.WriteString(w, b.String())
	return err
}

// FindingsCSV begins a list of findings as RFC 4180 has it: one row per
// differing field, and one for a finding without fields.
func FindingsCSV(w io.Writer) (*csv.Writer, error) {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	return out, out.Write([]string{"check", "replica", "finding", "kind", "state", "key", "id", "owner_field", "replica_field",
		"owner_type", "owner_value", "replica_type", "replica_value", "rule", "note", "first_seen", "last_seen", "resolved_at"})
}

// WriteFindingCSV adds one finding.
func WriteFindingCSV(out *csv.Writer, f *web.FindingBody) error {
	fields := f.Fields
	if len(fields) == 0 {
		fields = []drift.Field{{Note: f.Reason}}
	}
	for _, d := range fields {
		row := []string{f.Check, f.Replica, f.Finding, f.Kind, f.State, plainKey(drift.Named(f.Key)), plainKey(drift.Named(f.ID)),
			d.OwnerField, d.ReplicaField, d.Owner.Type, d.Owner.Text, d.Replica.Type, d.Replica.Text, d.Rule, d.Note,
			f.FirstSeen.String(), f.LastSeen.String(), f.ResolvedAt.String()}
		for i := range row {
			row[i] = cellText(row[i])
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// FindingsMarkdown begins a table of findings fit for a pull request.
func FindingsMarkdown(w io.Writer) error {
	_, err := io.WriteString(w, "| Finding | Check | Replica | Kind | State | Record | Differs | First seen |\n|---|---|---|---|---|---|---|---|\n")
	return err
}

// WriteFindingMarkdown adds one finding. Data stands in code spans, where it
// makes no links, mentions or markup.
func WriteFindingMarkdown(w io.Writer, f *web.FindingBody) error {
	_, err := fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", f.Finding, code(drift.Visible(f.Check)), code(drift.Visible(f.Replica)),
		f.Kind, f.State, code(recordWords(f)), code(f.Pattern), f.FirstSeen)
	return err
}

// WriteLine writes v as one line of JSON.
func WriteLine(w io.Writer, v any) error { return writeLine(w, v) }
