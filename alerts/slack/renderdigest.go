package slack

import (
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"plumbline/alerts"
)

// renderDigest writes what happened in a day: one line where all is well, and
// beneath it what is not.
func renderDigest(m *Message, d *alerts.Delivery, publicURL string) {
	g := d.Digest
	verdict := "all clear"
	var wrong []string
	if n := len(g.Open); n > 0 {
		wrong = append(wrong, counted(int64(n), "incident")+" open")
	}
	if n := len(g.Stale); n > 0 {
		wrong = append(wrong, counted(int64(n), "check")+" stale")
	}
	if g.Runs == 0 { // then nothing is known
		wrong = append(wrong, "nothing was checked")
	}
	if len(wrong) > 0 {
		verdict = strings.Join(wrong, ", ")
	}
	summary := summed(g)
	m.Text = "Plumbline, daily digest: " + verdict + ". " + summary
	m.Blocks = append(m.Blocks, headed("📋 Daily digest: "+verdict))

	var said []line
	var first line
	first.date(g.From)
	first.say(" to ")
	first.date(g.To)
	first.say(": " + summary)
	said = append(said, first)
	said = append(said, listedIncidents(m, publicURL, "Open", g.Open, g)...)
	said = append(said, listedIncidents(m, publicURL, "Came and went before anybody was told", g.Unheard, g)...)
	if len(g.Stale) > 0 {
		var l line
		l.stress("Stale, so nothing is known: ")
		l.say(listed(g.Stale, 10, func(name string) string { return visible(name, longName) }))
		said = append(said, l)
	}
	m.Blocks = append(m.Blocks, lines(said, nil)...)
	if page := m.leads(strings.TrimRight(publicURL, "/")); page != "" {
		m.Blocks = append(m.Blocks, slack.NewContextBlock("", marked(link(page, "overview"))))
	}
}

// summed is the day in one sentence, of numbers alone.
func summed(g *alerts.Digest) string {
	parts := []string{
		counted(g.Checks, "check"), counted(g.Runs, "run"), number(g.Compared) + " records compared",
	}
	switch {
	case g.Opened == 0:
		parts = append(parts, "no new incident")
	case g.Resolved == g.Opened:
		parts = append(parts, counted(g.Opened, "new incident")+" (resolved, median "+span(g.Median)+")")
	case g.Resolved == 0:
		parts = append(parts, counted(g.Opened, "new incident")+" (none resolved)")
	default:
		parts = append(parts, fmt.Sprintf("%s (%s resolved, median %s)", counted(g.Opened, "new incident"), number(g.Resolved), span(g.Median)))
	}
	if g.Runs > 0 {
		parts = append(parts, "coverage "+share(g.Coverage))
	}
	return strings.Join(parts, ", ") + "."
}

func listedIncidents(m *Message, publicURL, title string, incidents []alerts.Line, g *alerts.Digest) []line {
	const shown = 6
	if len(incidents) == 0 {
		return nil
	}
	var head line
	head.stress(title + ":")
	said := []line{head}
	for _, i := range incidents[:min(len(incidents), shown)] {
		var l line
		l.say("• ")
		id := visible(i.Incident, longName)
		if page := m.leads(incidentPage(publicURL, i.Incident)); page != "" {
			l.link(page, id)
		} else {
			l.say(id)
		}
		what := counted(i.Counted, "finding")
		switch i.Kind {
		case alerts.Blind:
			what = "cannot be checked"
		case alerts.Schema:
			what = "its schema changed"
		}
		if i.Severity != "" {
			what += ", " + visible(i.Severity, longName)
		}
		if i.State == alerts.Acknowledged {
			what += ", acknowledged"
		}
		l.say(" " + visible(i.Check, longName) + ", " + what + ", since ")
		l.date(i.Since)
		if age := g.To.Sub(i.Since); age > 0 {
			l.say(" (" + span(age) + ")")
		}
		said = append(said, l)
	}
	if more := len(incidents) - shown; more > 0 {
		var l line
		l.say(fmt.Sprintf("and %d more", more))
		said = append(said, l)
	}
	return said
}
