// Package slacktest is a Slack of its own on this machine: a server of Slack's
// documented methods over HTTP and a web socket, as strict as Slack's reference
// and stricter where Slack only asks. It holds messages, refuses what Slack
// refuses, breaks on demand, presses buttons and gives commands, and keeps what it
// was asked. What it knows of Slack's limits is written from their documentation
// and shares nothing with what it tests.
package slacktest
