package configs

import (
	"fmt"
	"path"
	"slices"
	"time"

	"plumbline/alerts"
	"plumbline/auditor"
	"plumbline/checks"
	"plumbline/reconciler"
)

// Policies are what the configuration wants of alerts for each check. They are
// computed once; finding one is safe for many goroutines.
func (c *Config) Policies() alerts.Policies {
	byCheck := make(map[string]alerts.Policy, len(c.Checks))
	for i := range c.Checks {
		byCheck[c.Checks[i].Name] = c.policy(&c.Checks[i])
	}
	return func(check string) (alerts.Policy, bool) {
		p, ok := byCheck[check]
		return p, ok
	}
}

func (c *Config) policy(check *checks.Check) alerts.Policy {
	alert := c.Alerts.Checks[check.Name]
	to := destinations(c.Destinations(check.Name))
	p := alerts.Policy{
		Check: check.Name, Description: check.Description, Severity: check.Severity, Team: check.Team, Runbook: check.Runbook,
		Owner: place(&check.Owner), Targets: to.targets(), Findings: alert.Findings, Share: alert.Share, Repeat: alert.Repeat,
		StaleAt: c.staleAt(check.Name),
	}
	for i := range check.Edges {
		p.Replicas = append(p.Replicas, place(&check.Edges[i].Replica))
	}
	return p
}

// Fix is how differences of an edge may be put right; reconciler.ModeOff where the
// configuration says nothing of it. Callers do not change what it holds.
func (c *Config) Fix(check, replica string) reconciler.Policy {
	p, ok := c.Fixes[check][replica]
	if !ok {
		p.Mode = reconciler.ModeOff
	}
	return p
}

// place names a source and the dataset in it; a query has no name worth showing.
func place(s *checks.Side) string {
	if s.Dataset.Query != "" || s.Dataset.Name == "" {
		return s.Source
	}
	return s.Source + "." + s.Dataset.Name
}

func (c *Config) staleAt(check string) func(time.Time) time.Time {
	schedule, err := auditor.ParseSchedule(c.Schedules[check])
	if err != nil { // it has none: others were refused when the configuration was read
		return nil
	}
	return schedule.StaleAt
}

// Destination is a target and why it is told.
type Destination struct {
	Target alerts.Target
	Why    string
}

// Destinations are who is told of a check, each once and with the first reason:
// those of its own alert, then the routes that fit in their order, then the
// webhooks that are told of all.
func (c *Config) Destinations(check string) []Destination {
	i := slices.IndexFunc(c.Checks, func(known checks.Check) bool { return known.Name == check })
	if i < 0 {
		return nil
	}
	var to destinations
	alert := c.Alerts.Checks[check]
	switch {
	case c.Alerts.Slack == nil || alert.Slack == noChannel:
	case alert.Slack != "":
		to.slack(alert.Slack, alert.Mention, "alert of the check, or of defaults")
	default:
		to.slack(c.Alerts.Slack.Channel, alert.Mention, "alerts.slack.channel")
	}
	to.webhooks(alert.Webhooks, "alert of the check, or of defaults")
	for n := range c.Alerts.Routes {
		route := &c.Alerts.Routes[n]
		if !route.fits(&c.Checks[i]) {
			continue
		}
		why := fmt.Sprintf("alerts.routes[%d]", n)
		if c.Alerts.Slack != nil {
			to.slack(route.Slack, route.Mention, why)
		}
		to.webhooks(route.Webhooks, why)
	}
	for _, hook := range c.Alerts.Webhooks {
		if hook.All {
			to.webhooks([]string{hook.Name}, "it is told of all")
		}
	}
	return to
}

// fits says whether a route is for a check.
func (r *Route) fits(check *checks.Check) bool {
	named := func(pattern string) bool { return matches(pattern, check.Name) }
	return (r.Checks == nil || slices.ContainsFunc(r.Checks, named)) &&
		(r.Team == "" || r.Team == check.Team) &&
		(r.Severity == nil || slices.Contains(r.Severity, check.Severity))
}

// matches says whether a pattern means a name; one that cannot be read, which
// the loader refuses, means none.
func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// destinations gathers targets, each once.
type destinations []Destination

func (d *destinations) slack(channel, mention, why string) {
	if channel != "" {
		d.add(alerts.Target{Integration: ToSlack, Address: channel, Mention: mention}, why)
	}
}

func (d *destinations) webhooks(names []string, why string) {
	for _, name := range names {
		d.add(alerts.Target{Integration: ToWebhook, Address: name}, why)
	}
}

// add keeps the first of two that are the same, and the first mention.
func (d *destinations) add(t alerts.Target, why string) {
	for i := range *d {
		known := &(*d)[i].Target
		if known.Integration == t.Integration && known.Address == t.Address {
			if known.Mention == "" {
				known.Mention = t.Mention
			}
			return
		}
	}
	*d = append(*d, Destination{t, why})
}

func (d destinations) targets() []alerts.Target {
	var all []alerts.Target
	for i := range d {
		all = append(all, d[i].Target)
	}
	return all
}
