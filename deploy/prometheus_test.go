package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// promtool runs Prometheus's own tool in dir and answers what it says.
func promtool(t *testing.T, dir string, args ...string) string {
	t.Helper()
	program := os.Getenv("PLUMBLINE_TEST_PROMTOOL")
	if program == "" {
		t.Fatal("PLUMBLINE_TEST_PROMTOOL is not set: run `make test`, which finds or unpacks promtool")
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// alertRules is as much of a file of rules as the tests look at.
type alertRules struct {
	Groups []struct {
		Rules []struct {
			Alert, Expr         string
			Labels, Annotations map[string]string
		}
	}
}

func rules(t *testing.T) alertRules {
	t.Helper()
	var all alertRules
	must(t, yaml.Unmarshal([]byte(read(t, "prometheus/rules/plumbline.yml")), &all))
	return all
}

func TestPrometheusTakesItsConfigurationAndRules(t *testing.T) {
	t.Parallel()
	promtool(t, "prometheus", "check", "config", "prometheus.yml")
	promtool(t, "prometheus", "check", "rules", "rules/plumbline.yml")
}

func TestAlertsFireAsTheirTestsSay(t *testing.T) {
	t.Parallel()
	promtool(t, "prometheus", "test", "rules", "plumbline.rules_test.yml")
}

// Every alert is made of metrics that are promised, is tested both ways, and says
// what to do.
func TestEveryAlertIsTestedAndHasARunbook(t *testing.T) {
	t.Parallel()
	var tests struct {
		Tests []struct {
			Rows []struct {
				Alert string `yaml:"alertname"`
				Fires []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	must(t, yaml.Unmarshal([]byte(read(t, "prometheus/plumbline.rules_test.yml")), &tests))
	fires, rests := map[string]bool{}, map[string]bool{}
	for _, test := range tests.Tests {
		for _, row := range test.Rows {
			if len(row.Fires) > 0 {
				fires[row.Alert] = true
			} else {
				rests[row.Alert] = true
			}
		}
	}
	known, runbooks, seen := documented(t), read(t, "../docs/runbooks.md"), map[string]bool{}
	for _, group := range rules(t).Groups {
		for _, rule := range group.Rules {
			if rule.Alert == "" || seen[rule.Alert] {
				t.Errorf("an alert has the name %q", rule.Alert)
			}
			seen[rule.Alert] = true
			for _, wrong := range useOf(rule.Expr, known) {
				t.Errorf("%s: %s in docs/metrics.md", rule.Alert, wrong)
			}
			if !fires[rule.Alert] || !rests[rule.Alert] && rule.Expr != "vector(1)" {
				t.Errorf("%s: no test sees it fire and not fire", rule.Alert)
			}
			if rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("%s has no severity, summary or description", rule.Alert)
			}
			if rule.Annotations["runbook"] != "docs/runbooks.md#"+strings.ToLower(rule.Alert) || !strings.Contains(runbooks, "\n## "+rule.Alert+"\n") {
				t.Errorf("%s has no runbook", rule.Alert)
			}
		}
	}
	for _, heading := range regexp.MustCompile(`(?m)^## (Plumbline\w+)$`).FindAllStringSubmatch(runbooks, -1) {
		if !seen[heading[1]] {
			t.Errorf("docs/runbooks.md tells of %s, which is no alert", heading[1])
		}
	}
}

// Prometheus's own parser takes every expression of the dashboard.
func TestDashboardExpressionsParse(t *testing.T) {
	t.Parallel()
	type recording struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	variables := strings.NewReplacer("$__rate_interval", "5m", "$check", ".*")
	var list []recording
	for _, expr := range dashboardExpressions(t) {
		list = append(list, recording{"dashboard", variables.Replace(expr)})
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": list}}})
	must(t, err)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "rules.yml"), text, 0o600))
	if said := promtool(t, dir, "check", "rules", "--lint=none", "rules.yml"); !strings.Contains(said, "SUCCESS") {
		t.Error(said)
	}
}
