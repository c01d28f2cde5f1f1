package configs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumbline/alerts"
	"plumbline/configs"
)

func parsed(t *testing.T, text string) *configs.Config {
	t.Helper()
	c, err := configs.Parse([]configs.File{{Name: "c.yaml", Data: []byte(text)}}, environment, secretFile)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// routed is a configuration whose checks are told of in many ways.
const routed = `
sources:
  catalog: {kind: postgres, url: "${CATALOG_URL}"}
  basket: {kind: mongodb, url: "${BASKET_URL}"}
defaults:
  severity: low
  owner: {source: catalog, dataset: public.products, key: [id]}
  replica: {source: basket, dataset: baskets, key: [id]}
  fields: []
  alert: {webhooks: [tickets], above: {findings: 5, share: 1%}, repeat: 1h}
checks:
  plain: {}
  own: {team: basket, schedule: "@every 10m", alert: {slack: "#own", mention: U0OWN}}
  quiet: {alert: {slack: none}}
  loud: {severity: critical, team: basket, runbook: "https://wiki/loud", description: It matters., alert: {above: {findings: 0}, repeat: 0, slack: "#oncall"}}
alerts:
  slack: {token: "${SLACK_TOKEN}", signing_secret: "${SLACK_SIGNING_SECRET}", channel: "#data"}
  webhooks:
    - {name: everything, url: "https://all", secret: 0123456789abcdef, all: true}
    - {name: tickets, url: "https://tickets", secret: 0123456789abcdef}
    - {name: pager, url: "https://pager", secret: 0123456789abcdef}
  routes:
    - {severity: [high, critical], slack: "#oncall", webhooks: [pager], mention: S0ONCALL}
    - {checks: ["*"], team: basket, slack: "#basket"}
    - {checks: [qui*, loud], slack: "#data", mention: U0ANN}
  digest: {}
`

// Every check is told to its own channel, to all routes that fit it, and to the
// webhooks that are told of all; each target once.
func TestPolicies(t *testing.T) {
	t.Parallel()
	policies := parsed(t, routed).Policies()
	for check, want := range map[string][]string{
		"plain": {"slack #data", "webhook tickets", "webhook everything"},
		"own":   {"slack #own U0OWN", "webhook tickets", "slack #basket", "webhook everything"},
		"quiet": {"webhook tickets", "slack #data U0ANN", "webhook everything"},
		"loud":  {"slack #oncall S0ONCALL", "webhook tickets", "webhook pager", "slack #basket", "slack #data U0ANN", "webhook everything"},
	} {
		policy, ok := policies(check)
		if !ok {
			t.Fatalf("%s has no policy", check)
		}
		var got []string
		for _, target := range policy.Targets {
			got = append(got, strings.TrimSpace(target.Integration+" "+target.Address+" "+target.Mention))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", check, diff)
		}
	}
	if _, ok := policies("gone"); ok {
		t.Error("a check that is not configured has a policy")
	}
}

// A check's alert is merged with that of defaults, key by key.
func TestAlertOverridesDefaultsKeyByKey(t *testing.T) {
	t.Parallel()
	policies := parsed(t, routed).Policies()
	own, _ := policies("own")
	if own.Findings != 5 || own.Share != 0.01 || own.Repeat != time.Hour {
		t.Errorf("own has %+v", own)
	}
	loud, _ := policies("loud")
	if loud.Findings != 0 || loud.Share != 0 || loud.Repeat != 0 {
		t.Errorf("loud has %+v", loud)
	}
}

// A policy holds what people are told of a check.
func TestPolicyTellsOfTheCheck(t *testing.T) {
	t.Parallel()
	policies := parsed(t, routed).Policies()
	loud, _ := policies("loud")
	loud.Targets, loud.StaleAt = nil, nil
	want := alerts.Policy{Check: "loud", Description: "It matters.", Severity: "critical", Team: "basket", Runbook: "https://wiki/loud",
		Owner: "catalog.public.products", Replicas: []string{"basket.baskets"}}
	if diff := cmp.Diff(want, loud); diff != "" {
		t.Errorf("policy differs (-want +got):\n%s", diff)
	}
	own, _ := policies("own")
	success := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	if got := own.StaleAt(success).Sub(success); got != 26*time.Minute {
		t.Errorf("own is stale after %s", got)
	}
	if plain, _ := policies("plain"); plain.StaleAt != nil {
		t.Error("a check without a schedule goes stale")
	}
}

// A digest goes to the channel of the app unless it names one.
func TestDigestTargets(t *testing.T) {
	t.Parallel()
	want := []alerts.Target{{Integration: "slack", Address: "#data"}}
	daily := parsed(t, routed).Alerts.Digest
	if diff := cmp.Diff(want, daily.Targets()); diff != "" || daily.At != "09:00" || daily.Zone != time.UTC {
		t.Errorf("got %+v, targets (-want +got):\n%s", daily, diff)
	}
}

// An empty token turns Slack off without a change of the file, and says so.
func TestEmptyTokenTurnsSlackOff(t *testing.T) {
	t.Parallel()
	c := parsed(t, strings.Replace(routed, "${SLACK_TOKEN}", "${SLACK_TOKEN_UNSET:-}", 1))
	if c.Alerts.Slack != nil || len(c.Alerts.Digest.Targets()) != 0 {
		t.Errorf("Slack is on: %+v", c.Alerts)
	}
	policies := c.Policies()
	for i := range c.Checks {
		policy, _ := policies(c.Checks[i].Name)
		for _, target := range policy.Targets {
			if target.Integration == configs.ToSlack {
				t.Errorf("%s is told to %v", c.Checks[i].Name, target)
			}
		}
	}
	want := `c.yaml:17:18: alerts.slack.token: stands for nothing: nothing is sent to Slack`
	if got := c.Notes.Error(); got != want {
		t.Errorf("notes are %q, want %q", got, want)
	}
}

// What works, and not as one might think, is noted with its place.
func TestNotes(t *testing.T) {
	t.Parallel()
	text := strings.Replace(routed, `, signing_secret: "${SLACK_SIGNING_SECRET}"`, "", 1)
	text = strings.Replace(text, "https://pager", "http://pager", 1)
	want := `c.yaml:17:10: alerts.slack: has neither signing_secret nor app_token: Slack is told, and its buttons and commands do nothing
c.yaml:21:26: alerts.webhooks[2].url: is http: what is sent can be read on its way`
	if got := parsed(t, text).Notes.Error(); got != want {
		t.Errorf("notes are\n%s\nwant\n%s", got, want)
	}
	for address, want := range map[string]string{
		"http://plumbline.lan:8080": "c.yaml:1:22: server.public_url: is http: browsers keep no sign-in there, but on this machine; let a proxy that speaks HTTPS stand in front",
		"http://127.0.0.1:8080":     "", "https://plumbline.example.com/": "",
	} {
		got := ""
		if notes := parsed(t, `server: {public_url: "`+address+`"}`+routed).Notes; len(notes) > 0 {
			got = notes.Error()
		}
		if got != want {
			t.Errorf("notes of %s are %q, want %q", address, got, want)
		}
	}
	for _, address := range []string{"https://example.com/plumbline", "https://example.com/?a=b", "https://ann@example.com"} {
		_, err := configs.Parse([]configs.File{{Name: "c.yaml", Data: []byte(`server: {public_url: "` + address + `"}` + routed)}}, environment, secretFile)
		if err == nil || !strings.Contains(err.Error(), "wants an address without a path, such as https://plumbline.example.com") {
			t.Errorf("public_url %s: %v", address, err)
		}
	}
}
