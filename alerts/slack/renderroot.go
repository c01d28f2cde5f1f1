package slack

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"plumbline/alerts"
	"plumbline/checks"
	"plumbline/drift"
)

// renderRoot writes an incident's root message, in the order of what is asked at
// three in the morning: what, how bad, since when, where, whose, what now.
func renderRoot(m *Message, d *alerts.Delivery, publicURL string) {
	i := d.Incident
	named := i.State != alerts.Resolved && d.Muted == nil
	if said := mention(d.Target.Mention); named && said != "" {
		m.Mention = d.Target.Mention
	}
	m.Text = notification(d)
	if m.Mention != "" {
		m.Text += " " + mention(m.Mention)
	}
	m.Blocks = append(m.Blocks, headed(headline(d)), facts(d))
	m.Blocks = append(m.Blocks, lines(append(story(d), fixes(m, d, publicURL)...), listing(i))...)
	m.Blocks = append(m.Blocks, footing(m, d, publicURL))
	if i.State != alerts.Resolved {
		m.Blocks = append(m.Blocks, buttons(m, d, publicURL))
	}
}

// headline says what it is and who has it, in words beside the sign.
func headline(d *alerts.Delivery) string {
	i := d.Incident
	name := visible(i.Check, longName)
	if i.State == alerts.Resolved {
		if i.Kind == alerts.Blind {
			return "✅ Can check again: " + name
		}
		if i.Kind == alerts.Schema {
			return "✅ Can compare again: " + name
		}
		return "✅ Resolved: " + name
	}
	sign, what := "🔴", "Drift: "
	switch i.Kind {
	case alerts.Blind:
		sign, what = "⚪", "Cannot check: "
	case alerts.Schema:
		sign, what = "⚪", "Schema changed: "
	}
	var more []string
	if i.Regressed == 1 {
		more = append(more, "back again")
	} else if i.Regressed > 1 {
		more = append(more, fmt.Sprintf("back again, %d times", i.Regressed))
	}
	if i.State == alerts.Acknowledged {
		if i.Kind == alerts.Drift {
			sign = "🟠"
		}
		more = append(more, "acknowledged"+by(i.AcknowledgedBy))
	}
	if d.Muted != nil {
		sign = "🔕"
		more = append(more, "muted")
	}
	head := sign + " " + what + name
	if len(more) > 0 {
		head += " - " + strings.Join(more, ", ")
	}
	return head
}

// notification is the message in one line, for a screen that is locked.
func notification(d *alerts.Delivery) string {
	i := d.Incident
	name := quiet(i.Check, longName)
	if i.State == alerts.Resolved {
		text := "Resolved: " + name
		switch i.Kind {
		case alerts.Blind:
			text = "Can be checked again: " + name
		case alerts.Schema:
			text = "Can be compared again: " + name
		}
		if i.Resolution != "" {
			text += ", " + quiet(i.Resolution, longWords)
		}
		return text
	}
	text := fmt.Sprintf("Drift in %s: %s", name, counted(i.Facts.Counted, "finding"))
	if i.Kind == alerts.Schema {
		text = "Schema changed in " + name + ": " + quiet(schemaWords(i), longWords)
	}
	if i.Kind == alerts.Blind {
		text = "Cannot check " + name
		if blind := unseen(i); len(blind) > 0 && blind[0].Cause != "" {
			text += ": " + quiet(blind[0].Cause, longWords)
		}
	}
	if d.Policy.Severity != "" {
		text += " (" + quiet(d.Policy.Severity, longName) + ")"
	}
	switch {
	case d.Muted != nil:
		text += ", muted"
	case i.State == alerts.Acknowledged:
		text += ", acknowledged" + quiet(by(i.AcknowledgedBy), longName)
	case i.Regressed > 0:
		text += ", back again"
	}
	return text
}

func facts(d *alerts.Delivery) slack.Block {
	i := d.Incident
	var fields []*slack.TextBlockObject
	field := func(label, text string) { fields = append(fields, marked("*"+label+"*\n"+text)) }
	if i.Kind == alerts.Drift {
		field("Findings", findings(i))
	}
	switch {
	case i.State == alerts.Resolved && i.Regressed > 0:
		field("Resolved", when(i.ResolvedAt))
	case i.State == alerts.Resolved:
		field("Lasted", span(i.ResolvedAt.Sub(i.OpenedAt))+", until "+when(i.ResolvedAt))
	case i.Regressed > 0: // when it came back is a line of its thread
		field("First opened", when(i.OpenedAt))
	default:
		field("Since", when(i.OpenedAt))
	}
	if d.Policy.Owner != "" || len(d.Policy.Replicas) > 0 {
		field("Owner → replica", code(d.Policy.Owner, 2*longName)+" → "+
			listed(d.Policy.Replicas, 3, func(name string) string { return code(name, 2*longName) }))
	}
	if i.Kind == alerts.Drift && len(i.Facts.Edges) > 0 {
		field("Coverage", share(least(i.Facts.Edges)))
	}
	return slack.NewSectionBlock(nil, fields, nil)
}

// findings says how many there are and which way it goes.
func findings(i *alerts.Incident) string {
	f := &i.Facts
	text := number(f.Counted)
	first := i.First
	if i.Regressed > 0 {
		first = i.Told // the first and the most were of another time
	}
	switch {
	case i.State == alerts.Resolved && i.Peak > f.Counted:
		text = fmt.Sprintf("%s, at most %s", text, number(i.Peak))
	case i.State == alerts.Resolved:
	case f.Counted > first && (i.Regressed > 0 || f.Counted >= i.Peak):
		text = fmt.Sprintf("%s → %s (growing)", number(first), text)
	case i.Regressed == 0 && f.Counted < i.Peak:
		text = fmt.Sprintf("%s → %s (falling)", number(i.Peak), text)
	}
	if f.Compared > 0 && f.Counted > 0 {
		text += fmt.Sprintf(", %s of %s compared", share(f.Share()), number(f.Compared))
	}
	if f.Accepted > 0 {
		text += fmt.Sprintf("\n+ %s accepted as known", number(f.Accepted))
	}
	if f.Omitted > 0 {
		text += fmt.Sprintf("\n+ %s counted and not kept", number(f.Omitted))
	}
	return text
}

func least(edges []alerts.EdgeFacts) float64 {
	return slices.MinFunc(edges, func(a, b alerts.EdgeFacts) int {
		switch {
		case a.Coverage < b.Coverage:
			return -1
		case a.Coverage > b.Coverage:
			return 1
		}
		return 0
	}).Coverage
}

// unseen are the edges of which nothing can be said.
func unseen(i *alerts.Incident) []alerts.EdgeFacts {
	var blind []alerts.EdgeFacts
	for _, e := range i.Facts.Edges {
		if e.Stale || e.Consistency == drift.Unknown {
			blind = append(blind, e)
		}
	}
	return blind
}

// partRead is the least share that was read of edges of which not all can be
// said; 0 where one of them was not read at all, or not in time.
func partRead(blind []alerts.EdgeFacts) float64 {
	least := 1.0
	for _, e := range blind {
		if e.Stale || e.Findings > 0 {
			return 0
		}
		least = min(least, e.Coverage)
	}
	return least
}

// story are the lines that explain: what the check is for, why nothing can be
// said, how it ended, what keeps it quiet.
func story(d *alerts.Delivery) []line {
	i := d.Incident
	var said []line
	add := func(l line) { said = append(said, l) }
	if d.Policy.Description != "" {
		var l line
		l.say(visible(d.Policy.Description, longWords))
		add(l)
	}
	switch {
	case i.State == alerts.Resolved && i.Resolution != "":
		var l line
		l.stress(visible(i.Resolution, longWords))
		add(l)
	case i.State != alerts.Resolved && i.Kind == alerts.Schema:
		schemaStory(i, add)
	case i.State != alerts.Resolved && i.Kind == alerts.Blind:
		blind := unseen(i)
		for _, e := range blind[:min(len(blind), 5)] {
			var l line
			l.stress(visible(e.Replica, longName))
			l.say(colon(e.Cause))
			add(l)
		}
		var l line
		if more := len(blind) - 5; more > 0 {
			l.say("and " + counted(int64(more), "more replica") + ". ")
		}
		if read := partRead(blind); read > 0 && read < 1 {
			l.say("No difference was seen in what was read (" + share(read) + "); of the rest nothing can be said.")
		} else {
			l.say("No statement about this data is possible: it may be right or wrong.")
		}
		add(l)
	}
	if d.Muted != nil && i.State != alerts.Resolved {
		add(mutedLine(d.Muted))
	}
	return said
}

func mutedLine(m *alerts.Mute) line {
	var l line
	l.stress("Muted")
	l.say(by(m.Actor))
	switch {
	case !m.Until.IsZero() && m.Above > 0:
		l.say(" until ")
		l.date(m.Until)
		l.say(", or until there are more than " + counted(m.Above, "finding"))
	case !m.Until.IsZero():
		l.say(" until ")
		l.date(m.Until)
	case m.Above > 0:
		l.say(" until there are more than " + counted(m.Above, "finding"))
	}
	l.say(colon(m.Reason))
	return l
}

// listing counts the open findings by kind and field, and by replica where there
// are several. It holds names and counts, and no value.
func listing(i *alerts.Incident) []string {
	if i.Kind != alerts.Drift || i.State == alerts.Resolved {
		return nil
	}
	const kinds, fields, replicas = 5, 8, 8
	var rows [][2]string
	for _, k := range i.Facts.Kinds[:min(len(i.Facts.Kinds), kinds)] {
		rows = append(rows, [2]string{visible(k.Name, longName), "×" + number(k.N)})
		if k.Name != string(checks.Mismatch) {
			continue
		}
		for _, f := range i.Facts.Fields[:min(len(i.Facts.Fields), fields)] {
			rows = append(rows, [2]string{"  " + visible(f.Name, longName) + " differs", "×" + number(f.N)})
		}
		if more := len(i.Facts.Fields) - fields; more > 0 {
			rows = append(rows, [2]string{fmt.Sprintf("  and %d more", more)})
		}
	}
	if edges := i.Facts.Edges; len(edges) > 1 {
		for _, e := range edges[:min(len(edges), replicas)] {
			said := strings.ToLower(visible(string(e.Consistency), longName))
			if e.Findings > 0 {
				said += ", " + counted(e.Findings, "finding")
			}
			rows = append(rows, [2]string{"in " + visible(e.Replica, longName), said})
		}
		if more := len(edges) - replicas; more > 0 {
			rows = append(rows, [2]string{fmt.Sprintf("and %d more", more)})
		}
	}
	return columns(rows)
}

// columns sets pairs beneath each other.
func columns(rows [][2]string) []string {
	width := 0
	for _, row := range rows {
		width = max(width, min(drift.Width(row[0]), 40))
	}
	var list []string
	for _, row := range rows {
		gap := strings.Repeat(" ", max(0, width-drift.Width(row[0]))+2)
		list = append(list, strings.TrimRight(row[0]+gap+row[1], " "))
	}
	return list
}
