package slack

import (
	"strings"

	"github.com/slack-go/slack"

	"plumbline/alerts"
)

// footing says how urgent it is, whose it is, and where to read on.
func footing(m *Message, d *alerts.Delivery, publicURL string) slack.Block {
	var elements []slack.MixedElement
	add := func(t *slack.TextBlockObject) { elements = append(elements, t) }
	if s := d.Policy.Severity; s != "" {
		add(plainText(urgency(s) + " " + visible(s, longName)))
	}
	if d.Policy.Team != "" {
		add(plainText("team " + visible(d.Policy.Team, longName)))
	}
	if m.Mention != "" {
		add(marked(mention(m.Mention)))
	}
	var places []string
	if page := m.leads(incidentPage(publicURL, d.Incident.ID)); page != "" {
		places = append(places, link(page, "details"))
	}
	if runbook := m.leads(d.Policy.Runbook); runbook != "" {
		places = append(places, link(runbook, "runbook"))
	}
	if len(places) > 0 {
		add(marked(strings.Join(places, " · ")))
	}
	if id := visible(d.Incident.ID, longName); id != "" {
		add(plainText(id))
	}
	return slack.NewContextBlock("", elements...)
}

func urgency(severity string) string {
	switch severity {
	case "critical":
		return "🔥"
	case "high":
		return "❗"
	}
	return "▫️"
}

// buttons are what may be done here. Each says what its presser saw, so that who
// presses an old one is told.
func buttons(m *Message, d *alerts.Delivery, publicURL string) slack.Block {
	i := d.Incident
	value := pressed(i)
	var elements []slack.BlockElement
	button := func(action, label string) *slack.ButtonBlockElement {
		b := slack.NewButtonBlockElement(action, value, plainText(label))
		elements = append(elements, b)
		return b
	}
	if i.State == alerts.Open {
		button(ActionAck, "Acknowledge").WithStyle(slack.StylePrimary)
	}
	button(ActionRecheck, "Re-check now")
	if d.Muted != nil {
		button(ActionUnmute, "Unmute")
	} else {
		elements = append(elements, muting(i, value))
	}
	if page := m.leads(incidentPage(publicURL, i.ID)); page != "" {
		button(ActionOpen, "Open").URL = page
		if plan := i.Facts.Live(); plan != nil {
			button(ActionReviewFix, planLabel(plan)).URL = m.leads(planPage(publicURL, plan.ID))
		} else if i.Kind == alerts.Drift {
			button(ActionReviewFix, "Review fix").URL = m.leads(incidentPage(publicURL, i.ID) + "#fix")
		}
	}
	return slack.NewActionBlock("", elements...)
}

func muting(i *alerts.Incident, value string) slack.BlockElement {
	choices := [][2]string{{"1h", "1 hour"}, {"4h", "4 hours"}, {"1d", "1 day"}}
	if i.Kind == alerts.Drift {
		choices = append(choices, [2]string{"grow", "Until it grows"})
	}
	var options []*slack.OptionBlockObject
	for _, choice := range choices {
		options = append(options, slack.NewOptionBlockObject(value+":"+choice[0], plainText(choice[1]), nil))
	}
	return slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plainText("Mute…"), ActionMute, options...)
}
