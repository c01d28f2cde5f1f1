package slack

import (
	"errors"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/slack-go/slack"

	"plumbline/alerts"
	"plumbline/drift"
)

// How long to wait where Slack does not say.
const (
	waitLimited = 30 * time.Second
	waitBroken  = 5 * time.Second
)

// fault says what became of a request. making is whether it makes something, so
// that one whose answer was lost may not simply be made again. No error of it
// holds more than Slack's own word for what is wrong.
func fault(err error, d *alerts.Delivery, making bool) error {
	var limited *slack.RateLimitedError
	var status slack.StatusCodeError
	var said slack.SlackErrorResponse
	switch {
	case errors.As(err, &limited):
		return &alerts.RetryError{After: max(limited.RetryAfter, time.Second), Why: "Slack asks to slow down", Everywhere: true}
	case errors.As(err, &said):
		return refusal(said.Err, d, making)
	case errors.As(err, &status) && status.Code == http.StatusTooManyRequests:
		return &alerts.RetryError{After: waitLimited, Why: "Slack asks to slow down", Everywhere: true}
	case errors.As(err, &status) && status.Code < 500:
		return &alerts.RefusedError{
			Why: "what answers for Slack says " + http.StatusText(status.Code),
			Do:  "see that nothing stands between Plumbline and Slack, and that alerts.slack.api_url is right",
		}
	case unsent(err):
		return &alerts.RetryError{After: waitBroken, Why: "Slack cannot be reached", Everywhere: true}
	case making:
		return alerts.ErrLost
	}
	return &alerts.RetryError{After: waitBroken, Why: "Slack did not answer"}
}

// unsent says whether a request certainly never left: nobody was reached.
func unsent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// refusal says what an error of Slack's means here.
func refusal(code string, d *alerts.Delivery, making bool) error {
	switch code {
	case "ratelimited", "rate_limited", "message_limit_exceeded":
		return &alerts.RetryError{After: waitLimited, Why: "Slack asks to slow down", Everywhere: true}
	case "internal_error", "fatal_error", "service_unavailable", "team_added_to_org":
		// Slack says of these that some of it may have been done.
		if making {
			return alerts.ErrLost
		}
		return &alerts.RetryError{After: waitBroken, Why: "Slack is in trouble"}
	case "request_timeout":
		return &alerts.RetryError{After: waitBroken, Why: "Slack did not get the whole request"}
	case "message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found", "invalid_thread_ts":
		if d.Step == alerts.Edit || d.Step == alerts.Reply {
			return alerts.ErrGone
		}
	}
	return &alerts.RefusedError{Why: "Slack says " + drift.Shorten(drift.Visible(code), longName), Do: remedy(code, drift.Shorten(drift.Visible(d.Target.Address), longName))}
}

// remedy is what a person can do about an error of Slack's.
func remedy(code, channel string) string {
	switch code {
	case "channel_not_found":
		return "there is no channel " + channel + " that the app can see: correct the name, or invite it to a private channel with /invite @plumbline"
	case "not_in_channel":
		return "invite the app to " + channel + ": /invite @plumbline"
	case "is_archived":
		return "unarchive " + channel + ", or name another channel in the configuration"
	case "invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive":
		return "install the Slack app again and put its new bot token in alerts.slack.token"
	case "missing_scope", "no_permission", "not_allowed_token_type":
		return "give the Slack app the scopes that docs/alerts.md lists, and install it again"
	case "restricted_action", "restricted_action_read_only_channel", "restricted_action_thread_only_channel", "ekm_access_denied":
		return "let the app write in " + channel + ": the workspace's settings forbid it"
	case "msg_blocks_too_long", "invalid_blocks", "invalid_blocks_format", "msg_too_long", "no_text", "metadata_too_large", "invalid_metadata_format":
		return "this is a fault of Plumbline: please report it"
	}
	return "look the word up in Slack's documentation of chat.postMessage"
}

// unfit says whether Slack took offence at the blocks, so that the words alone may
// still be told.
func unfit(err error) bool {
	var refused *alerts.RefusedError
	return errors.As(err, &refused) && slices.Contains([]string{
		"Slack says msg_blocks_too_long", "Slack says invalid_blocks", "Slack says invalid_blocks_format",
	}, refused.Why)
}

// forbidden says whether reading a channel's history is not allowed, rather than
// failing for now.
func forbidden(err error) bool {
	var said slack.SlackErrorResponse
	return errors.As(err, &said) && slices.Contains([]string{
		"missing_scope", "no_permission", "not_in_channel", "channel_not_found", "not_allowed_token_type",
		"restricted_action", "method_deprecated", "access_denied",
	}, said.Err)
}
