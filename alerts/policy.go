package alerts

import (
	"time"

	"plumbline/checks"
)

// The integrations. A webhook cannot edit what it sent: it only ever posts.
const (
	BySlack   = "slack"
	ByWebhook = "webhook"
)

// Target is where people are told.
type Target struct {
	Integration string `json:"integration"` // BySlack | ByWebhook
	// Address is a channel, or the name of a webhook. It is no secret.
	Address string `json:"address"`
	// Mention is who is named in what is news there, as the integration writes it:
	// a Slack user or group id. "" is nobody.
	Mention string `json:"mention,omitempty"`
}

// Policy is what the configuration wants for one check.
type Policy struct {
	Check       string
	Description string
	Severity    string // low | medium | high | critical
	Team        string
	Runbook     string
	Owner       string   // the owner's source and dataset
	Replicas    []string // the replicas', in the order of the edges
	Targets     []Target
	// Above: nothing is told before more findings than this, and a larger share of
	// the compared records than this, are open.
	Findings int64
	Share    float64
	// Repeat is how often an open incident that nobody acknowledged is told again;
	// 0 is never.
	Repeat time.Duration
	// StaleAt says when a check has gone stale whose last success was at a time;
	// nil without a schedule.
	StaleAt func(success time.Time) time.Time
}

// Above says whether there is enough to be told.
func (p *Policy) Above(f *Facts) bool {
	return f.Counted > p.Findings && (p.Share == 0 || f.Share() > p.Share)
}

// Policies finds the policy of a check; ok is false for one that is not configured.
type Policies func(check string) (p Policy, ok bool)

// Digest is what happened in a day, for those who want one message about it.
type Digest struct {
	// Day is the day of its telling, 2026-11-21: there is one a day and target.
	Day      string
	From, To time.Time
	Checks   int64 // that are configured
	Compared int64 // records, over all runs
	Runs     int64
	Opened   int64 // incidents
	Resolved int64 // of those opened
	// Median is how long those lasted.
	Median time.Duration
	Open   []Line // incidents that are open now, the worst first
	Stale  []string
	// Coverage is the mean of what the checks' last runs covered.
	Coverage float64
	// Unheard are incidents that were resolved before anybody was told of them.
	Unheard []Line
	Results map[checks.Result]int64
}

// Line is an incident in one line of a digest.
type Line struct {
	Incident string
	Check    string
	Kind     Kind
	Severity string
	Counted  int64
	Since    time.Time
	State    State
}
