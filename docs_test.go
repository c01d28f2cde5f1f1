package plumbline

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumbline/access"
	"plumbline/alerts"
	"plumbline/alerts/slack"
	"plumbline/alerts/webhook"
)

var update = flag.Bool("update", false, "write what messages look like into docs/alerts.md; then read the difference")

const (
	publicURL  = "https://plumbline.example.com"
	alertsDoc  = "docs/alerts.md"
	beginShown = "<!-- shown: %s -->\n"
	endShown   = "<!-- end -->\n"
)

// shown are the parts of docs/alerts.md that are written by what they show: every
// message of Slack as text, and the body of a webhook.
func shown(t *testing.T) map[string]string {
	t.Helper()
	now := time.Date(2026, 11, 21, 10, 55, 0, 0, time.UTC)
	var texts strings.Builder
	parts := map[string]string{}
	for _, s := range slack.Samples(now) {
		fmt.Fprintf(&texts, "**%s%s**\n\n```text\n%s```\n\n", strings.ToUpper(s.Name[:1]), s.Name[1:], slack.Render(&s.Delivery, publicURL).Plain())
		if s.Name == "initial" {
			body, err := webhook.Body(&s.Delivery, publicURL)
			if err != nil {
				t.Fatal(err)
			}
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, body, "", "  "); err != nil {
				t.Fatal(err)
			}
			parts["webhook"] = "```json\n" + pretty.String() + "\n```\n"
		}
	}
	parts["messages"] = texts.String()
	return parts
}

// What docs/alerts.md says messages look like is what they look like.
func TestAlertsDocShowsWhatIsSent(t *testing.T) {
	t.Parallel()
	doc := read(t, alertsDoc)
	for name, want := range shown(t) {
		before, rest, found := strings.Cut(doc, fmt.Sprintf(beginShown, name))
		got, after, ended := strings.Cut(rest, endShown)
		if !found || !ended {
			t.Fatalf("%s has no place for %s", alertsDoc, name)
		}
		if *update {
			doc = before + fmt.Sprintf(beginShown, name) + want + endShown + after
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s is out of date: go test . -run %s -update (-want +got):\n%s", alertsDoc, t.Name(), diff)
		}
	}
	if *update {
		if err := os.WriteFile(alertsDoc, []byte(doc), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The example that verifies a webhook's signature is one that a test runs.
func TestAlertsDocVerifiesAsTested(t *testing.T) {
	t.Parallel()
	doc, tests := read(t, alertsDoc), read(t, "alerts/webhook/sender_test.go")
	_, rest, found := strings.Cut(doc, "```go\n")
	example, _, ended := strings.Cut(rest, "```\n")
	if !found || !ended || !strings.Contains(tests, example) {
		t.Errorf("alerts/webhook/sender_test.go does not hold the example of %s:\n%s", alertsDoc, example)
	}
}

// Every key of a webhook's body is named in docs/alerts.md.
func TestAlertsDocNamesEveryKey(t *testing.T) {
	t.Parallel()
	doc := read(t, alertsDoc)
	body, err := json.Marshal(webhook.Message{Check: &webhook.Check{}, Digest: &webhook.Digest{Open: []webhook.Line{{}}},
		Incident: &webhook.Incident{Muted: &webhook.Mute{}, Facts: alerts.Facts{Plans: []alerts.Plan{{}}, Frozen: &alerts.Stop{}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range regexp.MustCompile(`"([a-z_]+)":`).FindAllStringSubmatch(string(body), -1) {
		if !strings.Contains(doc, "`"+key[1]+"`") && !strings.Contains(doc, `"`+key[1]+`":`) {
			t.Errorf("%s does not name %s", alertsDoc, key[1])
		}
	}
}

// The table of roles in docs/access.md is that of access.
func TestAccessDocHasTheRoles(t *testing.T) {
	t.Parallel()
	doc := read(t, "docs/access.md")
	for _, p := range access.Scopes() {
		row := regexp.MustCompile("\\| `" + string(access.Least(p)) + "` \\| ([^|]*)\\|").FindStringSubmatch(doc)
		if row == nil || !strings.Contains(row[1], "`"+string(p)+"`") {
			t.Errorf("docs/access.md does not say that %s adds %s: %q", access.Least(p), p, row)
		}
	}
}
