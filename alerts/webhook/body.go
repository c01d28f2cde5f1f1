package webhook

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"plumbline/alerts"
	"plumbline/checks"
	"plumbline/reconciler"
	"plumbline/sources"
)

// The body of a delivery. docs/alerts.md describes every key, and a test compares
// the two. Nothing here holds a key or a value of a record.

// Message is the whole body.
type Message struct {
	SchemaVersion int    `json:"schema_version"`
	Delivery      string `json:"delivery"`
	// Event is the last milestone's, or changed, digest or test.
	Event      string             `json:"event"`
	At         time.Time          `json:"at"`
	Check      *Check             `json:"check"`
	Incident   *Incident          `json:"incident"`
	Milestones []alerts.Milestone `json:"milestones"`
	Digest     *Digest            `json:"digest"`
}

// Check is what the configuration says of the check.
type Check struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Severity    string   `json:"severity"`
	Team        string   `json:"team"`
	Runbook     string   `json:"runbook"`
	Owner       string   `json:"owner"`
	Replicas    []string `json:"replicas"`
}

// Incident is where the incident is now.
type Incident struct {
	ID             string       `json:"id"`
	URL            string       `json:"url"`
	Kind           alerts.Kind  `json:"kind"`
	State          alerts.State `json:"state"`
	Revision       int64        `json:"revision"`
	OpenedAt       time.Time    `json:"opened_at"`
	ChangedAt      time.Time    `json:"changed_at"`
	ResolvedAt     *time.Time   `json:"resolved_at"`
	Resolution     string       `json:"resolution"`
	Regressed      int64        `json:"regressed"`
	AcknowledgedBy string       `json:"acknowledged_by"`
	AcknowledgedAt *time.Time   `json:"acknowledged_at"`
	Muted          *Mute        `json:"muted"`
	First          int64        `json:"first"`
	Peak           int64        `json:"peak"`
	Share          float64      `json:"share"`
	Facts          alerts.Facts `json:"facts"`
}

// Mute is the mute that holds.
type Mute struct {
	Until  *time.Time `json:"until"`
	Above  int64      `json:"above"`
	By     string     `json:"by"`
	Reason string     `json:"reason"`
}

// Digest is a day.
type Digest struct {
	From          time.Time               `json:"from"`
	To            time.Time               `json:"to"`
	Checks        int64                   `json:"checks"`
	Runs          int64                   `json:"runs"`
	Results       map[checks.Result]int64 `json:"results"`
	Compared      int64                   `json:"compared"`
	Coverage      float64                 `json:"coverage"`
	Opened        int64                   `json:"opened"`
	Resolved      int64                   `json:"resolved"`
	MedianSeconds float64                 `json:"median_seconds"`
	Open          []Line                  `json:"open"`
	Unheard       []Line                  `json:"unheard"`
	Stale         []string                `json:"stale"`
}

// Line is an incident in one line of a digest.
type Line struct {
	Incident string       `json:"incident"`
	URL      string       `json:"url"`
	Check    string       `json:"check"`
	Kind     alerts.Kind  `json:"kind"`
	Severity string       `json:"severity"`
	Counted  int64        `json:"counted"`
	Since    time.Time    `json:"since"`
	State    alerts.State `json:"state"`
}

// Body writes what is sent for a delivery; publicURL begins its links.
func Body(d *alerts.Delivery, publicURL string) ([]byte, error) {
	m := Message{SchemaVersion: 1, Delivery: d.ID, Event: eventOf(d), At: d.Now.UTC(), Milestones: milestonesOf(d)}
	if d.Policy.Check != "" {
		m.Check = &Check{Name: d.Policy.Check, Description: d.Policy.Description, Severity: d.Policy.Severity, Team: d.Policy.Team,
			Runbook: d.Policy.Runbook, Owner: d.Policy.Owner, Replicas: orEmpty(d.Policy.Replicas)}
	}
	if d.Incident != nil {
		m.Incident = incidentOf(d, publicURL)
	}
	if d.Digest != nil {
		m.Digest = digestOf(d.Digest, publicURL)
	}
	return json.Marshal(m)
}

func eventOf(d *alerts.Delivery) string {
	switch {
	case d.Step == alerts.Trial:
		return "test"
	case d.Digest != nil:
		return "digest"
	case len(d.Milestones) > 0:
		return string(d.Milestones[len(d.Milestones)-1].Event)
	}
	return "changed"
}

func milestonesOf(d *alerts.Delivery) []alerts.Milestone {
	all := []alerts.Milestone{}
	for _, m := range d.Milestones {
		m.At = m.At.UTC()
		all = append(all, m)
	}
	return all
}

func incidentOf(d *alerts.Delivery, publicURL string) *Incident {
	i := d.Incident
	facts := i.Facts
	facts.Kinds, facts.Fields, facts.Edges = orEmpty(facts.Kinds), orEmpty(facts.Fields), nil
	for _, e := range i.Facts.Edges {
		e.Since, e.SchemaSince = e.Since.UTC(), e.SchemaSince.UTC()
		facts.Edges = append(facts.Edges, e)
	}
	facts.Edges, facts.FixedBy, facts.Plans = orEmpty(facts.Edges), orEmpty(facts.FixedBy), plansOf(facts.Plans)
	facts.Frozen, facts.Paused = stopOf(facts.Frozen), stopOf(facts.Paused)
	out := &Incident{
		ID: i.ID, URL: linkTo(publicURL, i.ID), Kind: i.Kind, State: i.State, Revision: i.Revision,
		OpenedAt: i.OpenedAt.UTC(), ChangedAt: i.ChangedAt.UTC(), ResolvedAt: moment(i.ResolvedAt), Resolution: i.Resolution,
		Regressed: i.Regressed, AcknowledgedBy: i.AcknowledgedBy, AcknowledgedAt: moment(i.AcknowledgedAt),
		First: i.First, Peak: i.Peak, Share: i.Facts.Share(), Facts: facts,
	}
	if d.Muted != nil {
		out.Muted = &Mute{Until: moment(d.Muted.Until), Above: d.Muted.Above, By: d.Muted.Actor, Reason: d.Muted.Reason}
	}
	return out
}

func plansOf(list []alerts.Plan) []alerts.Plan {
	all := []alerts.Plan{}
	for _, p := range list {
		p.ApprovedBy = orEmpty(p.ApprovedBy)
		if p.Kinds == nil {
			p.Kinds = map[sources.ChangeKind]int64{}
		}
		if p.Counts == nil {
			p.Counts = map[reconciler.ItemState]int64{}
		}
		all = append(all, p)
	}
	return all
}

func stopOf(s *alerts.Stop) *alerts.Stop {
	if s == nil {
		return nil
	}
	return &alerts.Stop{By: s.By, Reason: s.Reason, At: s.At.UTC()}
}

func digestOf(d *alerts.Digest, publicURL string) *Digest {
	lines := func(of []alerts.Line) []Line {
		all := []Line{}
		for _, l := range of {
			all = append(all, Line{Incident: l.Incident, URL: linkTo(publicURL, l.Incident), Check: l.Check, Kind: l.Kind, Severity: l.Severity,
				Counted: l.Counted, Since: l.Since.UTC(), State: l.State})
		}
		return all
	}
	results := d.Results
	if results == nil {
		results = map[checks.Result]int64{}
	}
	return &Digest{From: d.From.UTC(), To: d.To.UTC(), Checks: d.Checks, Runs: d.Runs, Results: results, Compared: d.Compared, Coverage: d.Coverage,
		Opened: d.Opened, Resolved: d.Resolved, MedianSeconds: d.Median.Seconds(), Open: lines(d.Open), Unheard: lines(d.Unheard), Stale: orEmpty(d.Stale)}
}

// linkTo is the page of an incident; "" where nobody said how people reach us.
func linkTo(publicURL, incident string) string {
	if publicURL == "" {
		return ""
	}
	return strings.TrimRight(publicURL, "/") + "/incidents/" + url.PathEscape(incident)
}

// moment is a time in UTC, or null for none.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// orEmpty makes a list that is not there an empty one, which JSON writes as [].
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
