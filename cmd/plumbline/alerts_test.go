package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"plumbline/alerts/slack/slacktest"
	"plumbline/alerts/webhook"
)

// told is a configuration that tells Slack and two webhooks; the first %s is
// Slack's API, the second the webhooks'.
const told = servedConfig + `
alerts:
  slack: {token: xoxb-slacktest, signing_secret: slacktest-signing-secret, channel: "#basket", api_url: "%s"}
  webhooks:
    - {name: tickets, url: "%s/tickets", secret: sixteen-or-more-characters, all: true}
    - {name: gone, url: "%[2]s/gone", secret: sixteen-or-more-characters}
  digest: {slack: "#nowhere"}
`

// toldIn prepares a shop in dir whose checks are told to a Slack and to webhooks
// of which one is gone; what the other is sent comes out of the channel.
func toldIn(t *testing.T, dir string) (*slacktest.Server, <-chan webhook.Message) {
	t.Helper()
	slack := slacktest.Start(t, slacktest.Options{})
	sent := make(chan webhook.Message, 100)
	hooks := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/tickets" {
			http.NotFound(w, r)
			return
		}
		var m webhook.Message
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &m)
		}
		if err != nil {
			t.Error(err)
		}
		sent <- m
	}))
	t.Cleanup(hooks.Close)
	shopIn(t, dir)
	writeConfig(t, dir, fmt.Sprintf(told, slack.API(), hooks.URL))
	return slack, sent
}

// A test message reaches everybody who is told, is marked as one, and says of
// each who is not what to do.
func TestAlertsTest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	slack, sent := toldIn(t, dir)
	out, log, code := commandIn(t, dir, nil, "", "alerts", "test")
	if code != 2 || log != "" {
		t.Fatalf("exit %d: %s%s", code, out, log)
	}
	for _, want := range []string{"slack:#basket    ok\n", "webhook:tickets  ok\n", "webhook:gone     webhook gone answered 404", "slack:#nowhere   "} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if strings.Contains(out, "xoxb-") || strings.Contains(out, "sixteen") || strings.Contains(out, "127.0.0.1") {
		t.Errorf("a secret is shown:\n%s", out)
	}
	roots := slack.Roots("C0000BASKET")
	if len(roots) != 1 || !strings.Contains(roots[0].Text, "test") {
		t.Errorf("Slack shows %+v", roots)
	}
	if m := <-sent; m.Event != "test" || m.Incident != nil {
		t.Errorf("the webhook was sent %+v", m)
	}
	out, log, code = commandIn(t, dir, nil, "", "alerts", "test", "--target", "slack:#data", "-o", "json")
	if code != 0 || !strings.Contains(out, `"ok": true`) || len(slack.Roots("C000000DATA")) != 1 {
		t.Errorf("exit %d: %s%s", code, out, log)
	}
	if violations := slack.Violations(); len(violations) > 0 {
		t.Errorf("Slack complains: %v", violations)
	}
	if _, err := os.Stat(dir + "/plumbline.db"); err == nil {
		t.Error("a test made a ledger")
	}
}

// What a service found is told to Slack and to webhooks, and preview shows the
// same of the open incident.
func TestAServiceTells(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	slack, sent := toldIn(t, dir)
	s := serveIn(t, dir)
	s.eventually("Slack is told", func() (string, bool) {
		roots := slack.Roots("C0000BASKET")
		return fmt.Sprint(roots), len(roots) == 1
	})
	m := <-sent
	if m.Event != "opened" || m.Incident == nil || m.Incident.ID != "I-1" || m.Check == nil || m.Check.Name != "prices" || m.Incident.Facts.Counted == 0 {
		t.Errorf("the webhook was sent %+v with %+v", m, m.Incident)
	}
	out, log, code := commandIn(t, dir, nil, "", "alerts", "preview", "prices")
	if code != 0 || strings.Contains(out, "An example") || !strings.Contains(out, "slack #basket  (alerts.slack.channel)") ||
		!strings.Contains(out, "Drift: prices") || !strings.Contains(out, `"id": "I-1"`) {
		t.Errorf("exit %d: %s%s", code, out, log)
	}
}
