package slack

import (
	"net/url"
	"slices"
	"strings"

	"plumbline/alerts"
	"plumbline/reconciler"
)

// planPage is where a plan of fixes is shown, "" where there are no pages to reach.
func planPage(publicURL, id string) string {
	if publicURL == "" || len(id) > longName {
		return ""
	}
	return strings.TrimRight(publicURL, "/") + "/fixes/" + url.PathEscape(id)
}

// mostPlans is how many live plans a message names.
const mostPlans = 3

// fixes are the lines that say what is being done about it: plans of fixes that
// are live, else the last one, and what keeps fixes from being made.
func fixes(m *Message, d *alerts.Delivery, publicURL string) []line {
	f := &d.Incident.Facts
	var said []line
	for i := range f.Plans {
		p := &f.Plans[i]
		if !p.State.Live() && i > 0 || len(said) == mostPlans {
			break
		}
		said = append(said, planLine(m, p, d.Incident, publicURL))
	}
	live := f.Live() != nil
	if f.Frozen != nil && (live || d.Incident.State != alerts.Resolved) {
		said = append(said, stopLine("🧊 Fixes are frozen", f.Frozen))
	}
	if f.Paused != nil && d.Incident.State != alerts.Resolved {
		said = append(said, stopLine("⏸ Automatic fixes are paused", f.Paused))
	}
	return said
}

func stopLine(what string, s *alerts.Stop) line {
	var l line
	l.stress(what)
	l.say(by(s.By) + colon(s.Reason))
	return l
}

// planLine is a plan in one line. Where the message has no button that leads to
// its page, the line does.
func planLine(m *Message, p *alerts.Plan, i *alerts.Incident, publicURL string) line {
	var l line
	l.say("🛠 ")
	l.stress("Plan " + visible(p.ID, longName))
	what := ": " + visible(p.What(), longWords)
	if len(i.Facts.Edges) > 1 {
		what += " in " + visible(p.Replica, longName)
	}
	if p.Undoes != "" {
		what += ", to undo " + visible(p.Undoes, longName)
	}
	l.say(what + ", " + planStands(p))
	if page := m.leads(planPage(publicURL, p.ID)); page != "" && i.State == alerts.Resolved && p.State.Live() {
		l.say(" · ")
		l.link(page, planLabel(p))
	}
	return l
}

// planStands is where a plan is in its life.
func planStands(p *alerts.Plan) string {
	switch p.State {
	case reconciler.Draft:
		return "drafted" + by(p.By)
	case reconciler.Waiting:
		text := "waits for approval"
		if p.Needs > 1 {
			text += ", " + number(int64(len(p.ApprovedBy))) + " of " + number(int64(p.Needs)) + " given"
		}
		if p.By != "" {
			text += ", drafted" + by(p.By)
		}
		return text
	case reconciler.Approved:
		return "approved" + by(strings.Join(p.ApprovedBy, " and "))
	case reconciler.Applying:
		return "is being applied"
	case reconciler.Undone:
		return "undone" + by(p.UndoneBy)
	}
	return visible(string(p.State), longName)
}

// planLabel is what one does on a plan's page.
func planLabel(p *alerts.Plan) string {
	if p.State == reconciler.Waiting {
		return "Open to approve"
	}
	return "Open plan " + visible(p.ID, longName)
}

// fixHappened says a milestone of fixes in words; "" for any other.
func fixHappened(s *alerts.Milestone) string {
	switch s.Event {
	case alerts.PlanBecame(reconciler.Waiting):
		if s.Actor != "" {
			return "Plan waits for approval, drafted" // by whom follows
		}
		return "Plan waits for approval"
	case alerts.FixesFrozen:
		return "Fixes frozen"
	case alerts.FixesUnfrozen:
		return "Fixes are not frozen any more"
	case alerts.FixesPaused:
		return "Automatic fixes paused"
	case alerts.FixesResumed:
		return "Automatic fixes are made again"
	}
	if state, ok := strings.CutPrefix(string(s.Event), "plan "); ok {
		return "Plan " + visible(state, longName)
	}
	return ""
}

// fixSign is the sign of a milestone of fixes; "" for any other.
func fixSign(e alerts.Event) string {
	switch e {
	case alerts.PlanBecame(reconciler.Failed):
		return "❌"
	case alerts.FixesFrozen, alerts.FixesUnfrozen:
		return "🧊"
	case alerts.FixesPaused:
		return "⏸"
	}
	if strings.HasPrefix(string(e), "plan ") {
		return "🛠"
	}
	return ""
}

// fixWakes says whether a milestone of fixes wants somebody: one that waits for
// approval does for as long as it does.
func fixWakes(e alerts.Event, i *alerts.Incident) bool {
	if e == alerts.PlanBecame(reconciler.Waiting) {
		return slices.ContainsFunc(i.Facts.Plans, func(p alerts.Plan) bool { return p.State == reconciler.Waiting })
	}
	return e == alerts.PlanBecame(reconciler.Failed) || e == alerts.FixesPaused
}
