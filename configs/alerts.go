package configs

import (
	"time"

	"plumbline/alerts"
	"plumbline/sources"
)

// Alerts say how people are told.
type Alerts struct {
	// Slack is nil where nothing is sent to Slack: it is not declared, or its token
	// is empty.
	Slack    *Slack
	Webhooks []Webhook
	Routes   []Route
	Digest   *Digest // nil for none
	// Checks hold the alert of each check, by its name.
	Checks map[string]Alert
}

// Slack is a Slack app.
type Slack struct {
	Token sources.Secret
	// SigningSecret is "" where Slack does not reach us over HTTP, AppToken where
	// there is no Socket Mode. Without either, Slack is told and cannot act.
	SigningSecret, AppToken sources.Secret
	// Channel is that of checks which name none; "" is none.
	Channel string
	// APIURL is where Slack's API is; "" is Slack's own.
	APIURL string
}

// Webhook is an address that is sent incidents as JSON.
type Webhook struct {
	Name        string
	URL, Secret sources.Secret
	All         bool // it is told of every check
}

// Route says who else is told of some checks.
type Route struct {
	Checks   []string // names and patterns; nil is every check
	Team     string   // "" is every team
	Severity []string // nil is every severity
	Slack    string   // "" is no channel
	Webhooks []string
	Mention  string // the id of a Slack user or group; "" is nobody
}

// Digest is one message a day.
type Digest struct {
	At       string // 09:00
	Zone     *time.Location
	Slack    string // "" is no channel
	Webhooks []string
}

// Alert says who is told about one check, and when.
type Alert struct {
	// Slack is a channel as declared, noChannel for none, "" for that of Alerts.Slack.
	Slack    string
	Webhooks []string
	Mention  string
	Findings int64
	Share    float64 // of 1
	Repeat   time.Duration
}

// Access says what the ledger cannot hold of who may do what.
type Access struct {
	// AuditKey chains the entries of the audit log; "" is the key in the ledger.
	AuditKey sources.Secret
	// DataKey wraps the keys that the ledger keeps for itself; "" leaves them in clear.
	DataKey sources.Secret
}

// The integrations of targets.
const (
	ToSlack   = "slack"
	ToWebhook = "webhook"
)

// Targets are those of the digest, each once.
func (d *Digest) Targets() []alerts.Target {
	var to destinations
	to.slack(d.Slack, "", "")
	to.webhooks(d.Webhooks, "")
	return to.targets()
}
