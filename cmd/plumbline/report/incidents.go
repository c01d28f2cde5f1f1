package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"plumbline/alerts"
	"plumbline/cmd/plumbline/terminal"
	"plumbline/drift"
	"plumbline/web"
)

// WriteIncidents writes incidents as a table; more says that there are others.
func WriteIncidents(w io.Writer, list []web.IncidentBody, more bool, now time.Time, style terminal.Style) error {
	var t terminal.Table
	t.Row("INCIDENT", "CHECK", "KIND", "STATE", "SINCE", "NOW", "AT FIRST", "AT MOST", "TAKEN ON BY")
	for i := range list {
		n := &list[i]
		t.Row(n.Incident, drift.Visible(n.Check), n.Kind, mutedState(n), Ago(time.Time(n.OpenedAt), now), counted(n, n.Facts.Counted), counted(n, n.First), counted(n, n.Peak),
			drift.Visible(n.AcknowledgedBy))
		t.Style(3, incidentColour(n.State, style))
	}
	if _, err := t.WriteTo(w); err != nil {
		return err
	}
	text := ""
	switch {
	case len(list) == 0:
		text = "no incident matches\n"
	case more:
		text = "… and more: --limit shows more\n"
	}
	if len(list) > 0 {
		text += "\nNext: plumbline incidents show " + list[0].Incident + "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

// counted is a count of an incident; of a check that cannot be made nothing is counted.
func counted(i *web.IncidentBody, n int64) string {
	if i.Kind != string(alerts.Drift) {
		return "—"
	}
	return fmt.Sprint(n)
}

func mutedState(i *web.IncidentBody) string {
	if i.Muted != nil && i.State != string(alerts.Resolved) {
		return i.State + ", muted"
	}
	return i.State
}

func incidentColour(state string, style terminal.Style) func(string) string {
	switch alerts.State(state) {
	case alerts.Open:
		return style.Bad
	case alerts.Resolved:
		return style.Good
	}
	return style.Doubt
}

// WriteIncident writes an incident with what happened and where it was told.
func WriteIncident(w io.Writer, i *web.IncidentDetailBody, now time.Time, style terminal.Style) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  %s  %s", i.Incident, drift.Visible(i.Check), i.Kind, incidentColour(i.State, style)(i.State))
	switch { // nobody resolves an incident: it says who took it on, and no more
	case i.AcknowledgedBy == "":
	case i.State == string(alerts.Acknowledged):
		fmt.Fprintf(&b, " by %s", drift.Visible(i.AcknowledgedBy))
	default:
		fmt.Fprintf(&b, ", acknowledged by %s", drift.Visible(i.AcknowledgedBy))
	}
	fmt.Fprintf(&b, "  since %s\n", i.OpenedAt)
	if i.Kind == string(alerts.Drift) {
		fmt.Fprintf(&b, "counted  %d now, %d when it opened, %d at most", i.Facts.Counted, i.First, i.Peak)
		if i.Growing {
			b.WriteString(", growing")
		}
		b.WriteByte('\n')
		b.WriteString(countWords("kinds", i.Facts.Kinds) + countWords("fields", i.Facts.Fields))
	}
	for _, e := range i.Facts.Edges {
		for _, words := range e.Schema {
			fmt.Fprintf(&b, "schema   %s: %s, since %s\n", drift.Visible(e.Replica), drift.Visible(words), e.SchemaSince)
		}
	}
	if i.Muted != nil {
		b.WriteString(MuteWords(i.Muted) + "\n")
	}
	if i.Resolution != "" {
		fmt.Fprintf(&b, "resolved %s\n", drift.Visible(i.Resolution))
	}
	if _, err := io.WriteString(w, b.String()+"\n"); err != nil {
		return err
	}
	return writeAround(w, i, now)
}

// countWords is a line of counts, "" for none.
func countWords(name string, list []web.CountBody) string {
	if len(list) == 0 {
		return ""
	}
	words := make([]string, len(list))
	for i, c := range list {
		words[i] = fmt.Sprintf("%s %d", drift.Visible(c.Name), c.Count)
	}
	return fmt.Sprintf("%-8s %s\n", name, strings.Join(words, ", "))
}

// toldWords say whether a target knows where an incident is now.
func toldWords(d *web.DeliveryBody) string {
	waits := !time.Time(d.DueAt).IsZero()
	switch {
	case waits && d.Error != "":
		return "not delivered"
	case waits:
		return "waits"
	case time.Time(d.SentAt).IsZero():
		return "not told"
	}
	return "up to date"
}

// writeAround writes the tables below an incident: edges, milestones, deliveries.
func writeAround(w io.Writer, i *web.IncidentDetailBody, now time.Time) error {
	var edges, life, told terminal.Table
	edges.Row("REPLICA", "STATE", "OPEN", "WHY")
	for _, e := range i.Facts.Edges {
		edges.Row(drift.Visible(e.Replica), e.Consistency, fmt.Sprint(e.Findings), drift.Visible(e.Cause))
	}
	life.Row("WHEN", "WHAT", "BY", "NOTE")
	for _, m := range i.Milestones {
		life.Row(m.At.String(), m.Event, drift.Visible(m.Actor), drift.Visible(m.Note))
	}
	told.Row("TOLD", "WHERE", "STATE", "LAST SENT", "ERROR")
	for _, d := range i.Deliveries {
		sent := "not yet"
		if at := time.Time(d.SentAt); !at.IsZero() {
			sent = Ago(at, now) + " ago"
		}
		told.Row(d.Integration, drift.Visible(d.Address), toldWords(&d), sent, drift.Visible(d.Error))
	}
	tables := []*terminal.Table{&edges, &life}
	if len(i.Deliveries) > 0 {
		tables = append(tables, &told)
	}
	for n, t := range tables {
		if n > 0 {
			if _, err := io.WriteString(w, "\n"); err != nil {
				return err
			}
		}
		if _, err := t.WriteTo(w); err != nil {
			return err
		}
	}
	return nil
}

// MuteWords say who muted a check, until when and why.
func MuteWords(m *web.MuteBody) string {
	words := drift.Visible(m.Check) + " is muted by " + drift.Visible(m.Actor)
	var ends []string
	if until := m.Until.String(); until != "" {
		ends = append(ends, "until "+until)
	}
	if m.Above > 0 {
		ends = append(ends, fmt.Sprintf("until more than %d findings are counted", m.Above))
	}
	words += " " + strings.Join(ends, ", or ")
	if m.Reason != "" {
		words += ": " + drift.Visible(m.Reason)
	}
	return words
}
