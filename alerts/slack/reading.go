package slack

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"plumbline/alerts"
	"plumbline/drift"
	"plumbline/sources"
)

// Everything here is written for mrkdwn of names, counts and times. No value of a
// record comes here, and a key is one.

// mostNamed is how many of anything are listed.
const mostNamed = 20

// status is how everything stands, the worst first.
func (in *Inbound) status(ctx context.Context) (reply, error) {
	list, err := in.o.Book.Checks(ctx)
	if err != nil {
		return reply{}, err
	}
	counts := map[drift.Consistency]int64{}
	var bad []string
	for i := range list {
		worst := list[i].worst()
		counts[worst]++
		if worst == drift.Drifted || worst == drift.Unknown || len(list[i].Incidents) > 0 {
			bad = append(bad, in.checkLine(&list[i]))
		}
	}
	var tally []string
	for _, c := range []drift.Consistency{drift.Drifted, drift.Unknown, drift.InSample, drift.InSync} {
		if counts[c] > 0 {
			tally = append(tally, fmt.Sprintf("%s %s", number(counts[c]), strings.ToLower(string(c))))
		}
	}
	lines := []string{"*" + counted(int64(len(list)), "check") + "*: " + strings.Join(tally, ", ")}
	if len(list) == 0 {
		lines = []string{"No checks are configured."}
	}
	if len(bad) > mostNamed {
		bad = append(bad[:mostNamed], fmt.Sprintf("and %d more", len(bad)-mostNamed))
	}
	lines = append(lines, bad...)
	if address := web(in.o.PublicURL); address != "" {
		lines = append(lines, link(address, "Overview"))
	}
	return reply{lines: lines, shared: true}, nil
}

// worst is the least that can be said of a check's edges. A sample says less than
// everything.
func (c *CheckState) worst() drift.Consistency {
	for _, bad := range []drift.Consistency{drift.Drifted, drift.Unknown, drift.InSample} {
		if slices.ContainsFunc(c.Edges, func(e alerts.EdgeFacts) bool { return e.Consistency == bad }) {
			return bad
		}
	}
	return drift.InSync
}

// checkLine is a check in one line.
func (in *Inbound) checkLine(c *CheckState) string {
	line := code(c.Name, 100) + " " + strings.ToLower(string(c.worst()))
	if n := c.Findings(); n > 0 {
		line += ", " + counted(n, "finding")
	}
	for _, i := range c.Incidents {
		line += ", " + in.incidentName(i)
		if i.State == alerts.Acknowledged {
			line += " acknowledged by " + code(i.AcknowledgedBy, 60)
		}
	}
	if c.Mute != nil {
		line += ", muted " + muteWords(c.Mute)
	}
	return line
}

// Findings is how many findings of a check are open, over all edges.
func (c *CheckState) Findings() (n int64) {
	for i := range c.Edges {
		n += c.Edges[i].Findings
	}
	return n
}

func (in *Inbound) incidentName(i *alerts.Incident) string {
	if address := web(in.o.PublicURL); address != "" {
		return link(web(strings.TrimSuffix(in.o.PublicURL, "/")+"/incidents/"+i.ID), escaped(i.ID))
	}
	return escaped(i.ID)
}

// muteWords say how long a mute holds.
func muteWords(m *alerts.Mute) string {
	var parts []string
	if !m.Until.IsZero() {
		parts = append(parts, "until "+when(m.Until))
	}
	if m.Above > 0 {
		parts = append(parts, fmt.Sprintf("until more than %s differ", number(m.Above)))
	}
	text := strings.Join(parts, " or ")
	if m.Actor != "" {
		text += " by " + code(m.Actor, 60)
	}
	return text
}

// check is where one check stands, edge by edge.
func (in *Inbound) check(ctx context.Context, name string) (reply, error) {
	list, err := in.o.Book.Checks(ctx)
	if err != nil {
		return reply{}, err
	}
	at := slices.IndexFunc(list, func(c CheckState) bool { return c.Name == name })
	if at < 0 {
		names := make([]string, len(list))
		for i := range list {
			names[i] = list[i].Name
		}
		text := "There is no check of that name."
		if nearest := sources.Nearest(name, names); nearest != "" {
			text += " Did you mean " + nearest + "?"
		}
		return reply{}, &Refusal{text}
	}
	c := &list[at]
	lines := []string{"*" + in.checkLine(c) + "*"}
	if c.Description != "" {
		lines = append(lines, escaped(visible(c.Description, 300)))
	}
	for i := range c.Edges {
		e := &c.Edges[i]
		line := fmt.Sprintf("%s → %s: %s, covered %s", code(c.Owner, 100), code(e.Replica, 100), strings.ToLower(string(e.Consistency)), share(e.Coverage))
		if e.Findings > 0 {
			line += ", " + counted(e.Findings, "finding")
		}
		if !e.Since.IsZero() {
			line += ", since " + when(e.Since)
		}
		if e.Cause != "" {
			line += ": " + escaped(visible(e.Cause, 300))
		}
		lines = append(lines, line)
	}
	about := []string{escaped(c.Severity)}
	if c.Team != "" {
		about = append(about, "team "+code(c.Team, 60))
	}
	if c.Health != "" {
		about = append(about, "audit "+strings.ToLower(escaped(c.Health)))
	}
	if !c.Next.IsZero() {
		about = append(about, "next run "+when(c.Next))
	}
	if address := web(c.Runbook); address != "" {
		about = append(about, link(address, "runbook"))
	}
	return reply{lines: append(lines, strings.Join(about, " · ")), shared: true}, nil
}

// show is an incident or a finding.
func (in *Inbound) show(ctx context.Context, id string) (reply, error) {
	if isIncident(id) {
		i, err := in.o.Book.Incident(ctx, id)
		if err != nil {
			return reply{}, err
		}
		return reply{lines: in.incidentLines(i), shared: true}, nil
	}
	f, err := in.o.Book.Finding(ctx, id)
	if err != nil {
		return reply{}, err
	}
	name := escaped(f.ID)
	if address := web(strings.TrimSuffix(in.o.PublicURL, "/") + "/findings/" + f.ID); in.o.PublicURL != "" && address != "" {
		name = link(address, name)
	}
	lines := []string{fmt.Sprintf("*%s* of %s on %s: %s, %s", name, code(f.Check, 100), code(f.Replica, 100), escaped(string(f.Kind)), escaped(f.State)),
		fmt.Sprintf("since %s, seen %s", when(f.FirstSeen), counted(f.Seen, "time"))}
	if len(f.Fields) > 0 {
		lines = append(lines, "differs in "+listed(f.Fields, mostNamed, func(n string) string { return code(n, 60) }))
	}
	return reply{lines: append(lines, "Values are on its page, for those who may see them."), shared: true}, nil
}

func (in *Inbound) incidentLines(i *alerts.Incident) []string {
	what := counted(i.Facts.Counted, "finding")
	switch i.Kind {
	case alerts.Blind:
		what = "cannot be checked"
	case alerts.Schema:
		what = "its schema changed"
	}
	lines := []string{fmt.Sprintf("*%s* of %s: %s, %s", in.incidentName(i), code(i.Check, 100), what, escaped(string(i.State))),
		"since " + when(i.OpenedAt)}
	switch i.State {
	case alerts.Acknowledged:
		lines[1] += ", acknowledged by " + code(i.AcknowledgedBy, 60) + " " + when(i.AcknowledgedAt)
	case alerts.Resolved:
		lines[1] += ", resolved " + when(i.ResolvedAt)
		if i.Resolution != "" {
			lines = append(lines, escaped(visible(i.Resolution, 300)))
		}
	}
	if i.Peak > i.Facts.Counted {
		lines = append(lines, "at most "+counted(i.Peak, "finding"))
	}
	return lines
}

// sources is how the stores are.
func (in *Inbound) sources(ctx context.Context) (reply, error) {
	list, err := in.o.Book.Sources(ctx)
	if err != nil {
		return reply{}, err
	}
	lines := []string{"*" + counted(int64(len(list)), "source") + "*"}
	for _, s := range list {
		line := fmt.Sprintf("%s %s %s", code(s.Name, 100), escaped(s.Kind), strings.ToUpper(escaped(s.State)))
		if !s.Since.IsZero() {
			line += " since " + when(s.Since)
		}
		if s.Latency > 0 {
			line += fmt.Sprintf(", %d ms", s.Latency.Milliseconds())
		}
		if len(s.UsedBy) > 0 {
			line += ", read by " + listed(s.UsedBy, 5, func(n string) string { return code(n, 100) })
		}
		lines = append(lines, line)
	}
	return reply{lines: lines, shared: true}, nil
}

// runLine is how a run ended: Run #5520: drift, 412 findings.
func runLine(r Run) string {
	line := fmt.Sprintf("Run #%d of %s on %s: ", r.Number, code(r.Check, 100), code(r.Replica, 100))
	if !r.Ended {
		return line + "still going"
	}
	line += escaped(string(r.Result))
	if r.Findings > 0 {
		line += ", " + counted(r.Findings, "finding")
	}
	if r.Pending > 0 {
		line += ", " + counted(r.Pending, "suspect") + " pending"
	}
	return line
}
