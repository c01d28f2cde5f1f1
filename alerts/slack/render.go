package slack

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"plumbline/alerts"
)

// What a press of a button is called, and its kinds of metadata.
const (
	ActionAck       = "ack"
	ActionRecheck   = "recheck"
	ActionMute      = "mute"
	ActionUnmute    = "unmute"
	ActionOpen      = "open"
	ActionReviewFix = "review_fix"

	EventIncident = "plumbline_incident"
	EventNotice   = "plumbline_notice"
)

// How much of a text is shown.
const (
	longName  = 60
	longWords = 300
)

// Render returns what is written in Slack for a delivery: the root message, in its
// present state, for a Post and an Edit; the milestones in one message for a
// Reply; the digest for a Notice, and without one a message that says it is a
// test. There is no value of a record in it. publicURL is where people reach the
// pages; without one nothing leads there.
func Render(d *alerts.Delivery, publicURL string) Message {
	m := Message{Metadata: slack.SlackMetadata{EventType: EventNotice, EventPayload: map[string]any{"delivery": d.ID}}}
	if i := d.Incident; i != nil {
		m.Metadata.EventType = EventIncident
		m.Metadata.EventPayload["incident"] = i.ID
	}
	switch {
	case d.Step == alerts.Reply && d.Incident != nil:
		renderReply(&m, d, publicURL)
	case d.Step != alerts.Notice && d.Incident != nil:
		renderRoot(&m, d, publicURL)
	case d.Digest != nil:
		renderDigest(&m, d, publicURL)
	default:
		m.Text = "A test of Plumbline: its messages reach this channel."
		var words line
		words.say("Messages of Plumbline reach this channel. Nothing is wrong.")
		m.Blocks = append([]slack.Block{headed("🧪 A test of Plumbline")}, lines([]line{words}, nil)...)
	}
	return m
}

// incidentPage is where an incident is shown, "" where there are no pages to reach.
func incidentPage(publicURL, id string) string {
	if publicURL == "" || len(id) > longName {
		return ""
	}
	return strings.TrimRight(publicURL, "/") + "/incidents/" + url.PathEscape(id)
}

// pressed is what a button says of itself: the incident and what was seen of it.
func pressed(i *alerts.Incident) string {
	return visible(i.ID, longName) + ":" + strconv.FormatInt(i.Revision, 10)
}

// by says who did something; "" where nobody is known.
func by(actor string) string {
	if actor == "" {
		return ""
	}
	return " by " + visible(actor, longName)
}

func colon(words string) string {
	if words == "" {
		return ""
	}
	return ": " + visible(words, longWords)
}
