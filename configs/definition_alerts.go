package configs

import "time"

// How people are told and who may do what: alerts, a check's alert, access.

// alerting becomes Alerts.
func alerting() *record {
	return &record{name: "alerts", words: "a mapping with slack or webhooks", doc: "How people are told.", keys: []key{
		{name: "slack", doc: "A Slack app.", value: slackApp()},
		{name: "webhooks", doc: "Addresses that are sent incidents as JSON.", value: list{of: webhook(), words: "a list of webhooks"}},
		{name: "routes", doc: "Who else is told of some checks; every route that fits adds to those whom the check's own alert names.",
			value: list{of: route(), words: "a list of routes"}},
		{name: "digest", doc: "One message a day about everything.", value: digest()},
	}}
}

// slackApp becomes a Slack.
func slackApp() *record {
	return &record{name: "slack", words: "a mapping with token", doc: "A Slack app.", keys: []key{
		{name: "token", doc: "The bot's token, xoxb-…; one that ${…} leaves empty turns Slack off.", value: optional(slackToken("xoxb-", "the bot's token")),
			required: true, example: "the bot's token, such as token: ${SLACK_TOKEN}"},
		{name: "signing_secret", doc: "What Slack signs its requests with, where it reaches Plumbline over HTTP.", value: optional(secret("the app's signing secret"))},
		{name: "app_token", doc: "The token for Socket Mode, xapp-…, where Slack cannot reach Plumbline.", value: optional(slackToken("xapp-", "the app's token"))},
		{name: "channel", doc: "The channel of checks whose alert names none.", value: channel()},
		{name: "api_url", doc: "Where Slack's API is, for a proxy or a test. Default Slack's own.", value: link()},
	}}
}

// webhook becomes a Webhook.
func webhook() *record {
	return &record{name: "webhook", words: "a mapping with name, url and secret", doc: "An address that is sent incidents as JSON.", keys: []key{
		{name: "name", doc: "What it is called here, on pages and in metrics.", value: name(), required: true, example: "what it is called, such as name: pager"},
		{name: "url", doc: "Where it is sent. Never shown.", value: webhookAddress(), required: true, example: "where it is sent, such as url: ${PAGER_URL}"},
		{name: "secret", doc: "What each delivery is signed with, at least 16 characters. Never shown.", value: longSecret(),
			required: true, example: "what deliveries are signed with, such as secret: ${PAGER_SECRET}"},
		{name: "all", doc: "It is told of every check, whatever alert and routes say.", standard: "false", value: truth()},
	}}
}

// route becomes a Route.
func route() *record {
	return &record{name: "route", words: "a mapping with slack or webhooks", doc: "Who is told of some checks. What is not said holds for every check.", keys: []key{
		{name: "checks", doc: "Names of checks; * stands for any letters.",
			value: list{of: pattern(), words: "a list of names such as [orders-in-search, basket-*]", few: "is empty: name a check, or remove it"}},
		{name: "team", doc: "The team that answers for the check.", value: text("the name of a team")},
		{name: "severity", doc: "The check's severity.",
			value: list{of: word([]string{"low", "medium", "high", "critical"}), words: "a list such as [high, critical]", few: "is empty: name a severity, or remove it"}},
		{name: "slack", doc: "The channel.", value: channel()},
		{name: "webhooks", doc: "Names of webhooks.", value: webhookNames()},
		{name: "mention", doc: "Who is named in what is news there: the id of a Slack user or user group.", value: mention()},
	}}
}

// digest becomes a Digest.
func digest() *record {
	return &record{name: "digest", words: "a mapping with at", doc: "One message a day about everything.", keys: []key{
		{name: "at", doc: "When it is sent.", standard: "09:00", value: clock()},
		{name: "zone", doc: "The time zone of at.", standard: "UTC", value: zone()},
		{name: "slack", doc: "The channel. Default that of alerts.slack.", value: channel()},
		{name: "webhooks", doc: "Names of webhooks.", value: webhookNames()},
	}}
}

// alert becomes an Alert.
func alert() *record {
	return &record{name: "alert", words: "a mapping with slack", doc: "Who is told about a check, and when.", keys: []key{
		{name: "slack", doc: "The channel, or none. Default that of alerts.slack.", value: channelOrNone()},
		{name: "webhooks", doc: "Names of webhooks.", value: webhookNames()},
		{name: "mention", doc: "Who is named in what is news there: the id of a Slack user or user group.", value: mention()},
		{name: "above", doc: "How much must differ before anybody is told.", value: above()},
		{name: "repeat", doc: "How often an open incident that nobody acknowledged is told again; 0 is never.", standard: "4h",
			value: duration(time.Minute, 366*24*time.Hour, true)},
	}}
}

func above() *record {
	return &record{name: "above", words: "a mapping with findings or share", doc: "How much must differ before anybody is told; both must be exceeded.", keys: []key{
		{name: "findings", doc: "More findings than this.", standard: "0", value: integer(0, 1_000_000_000)},
		{name: "share", doc: "A larger share of the compared records than this.", standard: "0%", value: percent()},
	}}
}

func webhookNames() shape {
	return list{of: name(), words: "a list of names of webhooks", few: "is empty: name a webhook, or remove it"}
}

// access becomes an Access.
func accessing() *record {
	return &record{name: "access", words: "a mapping with audit_key or data_key", doc: "Who may do what is kept in the ledger; this is what is not.", keys: []key{
		{name: "audit_key", doc: "What the entries of the audit log are chained with, at least 16 characters. Default one that is made with the ledger and kept in it.",
			value: optional(longSecret())},
		{name: "data_key", doc: "What the keys that the ledger keeps for itself are wrapped with, at least 16 characters: those that encrypt the keys of records and hash masked values. Default none: they lie in the ledger in clear.",
			value: optional(longSecret())},
	}}
}
