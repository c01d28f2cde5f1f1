package slack

import (
	"fmt"
	"slices"

	"plumbline/alerts"
	"plumbline/reconciler"
)

// renderReply writes the milestones that were not yet told as one message in the
// incident's thread, the newest last.
func renderReply(m *Message, d *alerts.Delivery, publicURL string) {
	const shown = 6
	told := d.Milestones
	var said []line
	if more := len(told) - shown; more > 0 {
		var l line
		l.say("After " + counted(int64(more), "earlier change") + ":")
		said = append(said, l)
		told = told[more:]
	}
	for i := range told {
		said = append(said, milestoneLine(&told[i], d.Incident))
	}
	if plan := d.Incident.Facts.Live(); plan != nil && plan.State == reconciler.Waiting {
		if page := m.leads(planPage(publicURL, plan.ID)); page != "" {
			var l line
			l.link(page, planLabel(plan))
			said = append(said, l)
		}
	}
	loud := slices.ContainsFunc(d.Milestones, func(s alerts.Milestone) bool {
		switch s.Event {
		case alerts.WasUnmuted: // a mute that ends at night wakes nobody where somebody is at it
			return d.Incident.AcknowledgedBy == ""
		case alerts.WasRegressed: // what comes and goes calls ever more seldom: the 1st, 2nd, 4th, 8th time
			return d.Incident.Regressed&(d.Incident.Regressed-1) == 0
		}
		return s.Event == alerts.HasGrown || s.Event == alerts.WasRepeated || fixWakes(s.Event, d.Incident)
	})
	if loud && d.Muted == nil && d.Incident.State != alerts.Resolved && mention(d.Target.Mention) != "" {
		m.Mention = d.Target.Mention
		var l line
		l.name(m.Mention)
		said = append(said, l)
	}
	m.Text = quiet(d.Incident.Check, longName) + ": an incident changed"
	if len(told) > 0 {
		last := &told[len(told)-1]
		m.Text = fmt.Sprintf("%s: %s", quiet(d.Incident.Check, longName), quiet(happened(last, d.Incident)+told1(last), longWords))
	}
	if m.Mention != "" {
		m.Text += " " + mention(m.Mention)
	}
	m.Blocks = lines(said, nil)
}

// told1 is who did it and what he said of it.
func told1(s *alerts.Milestone) string { return by(s.Actor) + colon(s.Note) }

func milestoneLine(s *alerts.Milestone, i *alerts.Incident) line {
	var l line
	l.say(sign(s.Event) + " ")
	l.stress(happened(s, i))
	l.say(told1(s) + " · ")
	l.date(s.At)
	return l
}

// happened says a milestone in words.
func happened(s *alerts.Milestone, i *alerts.Incident) string {
	drifted := i.Kind == alerts.Drift
	switch s.Event {
	case alerts.WasOpened:
		if drifted {
			return "Opened with " + counted(s.Counted, "finding")
		}
		return "Cannot be checked"
	case alerts.WasRegressed:
		if drifted {
			return "Back again, with " + counted(s.Counted, "finding")
		}
		return "Cannot be checked again"
	case alerts.WasAcknowledged:
		return "Acknowledged"
	case alerts.HasGrown:
		return "Grown to " + counted(s.Counted, "finding")
	case alerts.WasRepeated:
		if drifted {
			return "Still open, with " + counted(s.Counted, "finding")
		}
		return "Still cannot be checked"
	case alerts.WasMuted:
		return "Muted"
	case alerts.WasUnmuted:
		return "No longer muted"
	case alerts.WasResolved:
		return "Resolved"
	}
	if fixed := fixHappened(s); fixed != "" {
		return fixed
	}
	return visible(string(s.Event), longName)
}

func sign(e alerts.Event) string {
	switch e {
	case alerts.WasOpened, alerts.WasRegressed:
		return "🔴"
	case alerts.WasAcknowledged:
		return "🟠"
	case alerts.HasGrown:
		return "📈"
	case alerts.WasMuted:
		return "🔕"
	case alerts.WasResolved:
		return "✅"
	}
	if fix := fixSign(e); fix != "" {
		return fix
	}
	return "🔔"
}
