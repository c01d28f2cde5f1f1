// Package deploy_test holds what is deployed to the product: the image, the
// composition, the alert rules and the dashboard, and the composition's own
// topology as processes.
package deploy_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// metric is a row of docs/metrics.md.
type metric struct {
	kind   string // gauge, counter, histogram
	labels []string
	words  []string // the fixed words that its row names
}

// documented are the metrics of docs/metrics.md, by name.
func documented(t *testing.T) map[string]metric {
	t.Helper()
	quoted := regexp.MustCompile("`([^`]+)`")
	all := map[string]metric{}
	for line := range strings.Lines(read(t, "../docs/metrics.md")) {
		columns := strings.Split(line, "|")
		if len(columns) != 6 || !strings.HasPrefix(columns[1], " `plumbline_") {
			continue
		}
		m := metric{kind: strings.TrimSpace(columns[2])}
		for _, label := range quoted.FindAllStringSubmatch(columns[3], -1) {
			m.labels = append(m.labels, label[1])
		}
		for _, word := range quoted.FindAllStringSubmatch(columns[4], -1) {
			m.words = append(m.words, word[1])
		}
		all[strings.Trim(strings.TrimSpace(columns[1]), "`")] = m
	}
	if len(all) < 20 {
		t.Fatalf("docs/metrics.md documents %d metrics", len(all))
	}
	return all
}

var (
	metricUse  = regexp.MustCompile(`\b(plumbline_[a-z_]+)(\{[^}]*\})?`)
	matcherUse = regexp.MustCompile(`([a-z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"`)
	groupUse   = regexp.MustCompile(`(?:by|on) \(([^)]*)\)`)
)

// useOf finds what an expression asks of our metrics that docs/metrics.md does
// not promise: a metric, a label, or a fixed word of one.
func useOf(expr string, known map[string]metric) []string {
	var wrong []string
	labels := []string{"instance", "job", "le"}
	for _, use := range metricUse.FindAllStringSubmatch(expr, -1) {
		m, found := known[use[1]]
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if name, cut := strings.CutSuffix(use[1], suffix); cut && !found {
				m, found = known[name]
				found = found && m.kind == "histogram"
			}
		}
		if !found {
			wrong = append(wrong, "no metric "+use[1])
			continue
		}
		labels = append(labels, m.labels...)
		for _, matcher := range matcherUse.FindAllStringSubmatch(use[2], -1) {
			name, values := matcher[1], matcher[3]
			if !slices.Contains(m.labels, name) {
				wrong = append(wrong, use[1]+" has no label "+name)
			}
			for _, value := range strings.Split(values, "|") {
				if !strings.HasPrefix(value, "$") && !slices.Contains(m.words, value) {
					wrong = append(wrong, use[1]+" has no "+name+" "+value)
				}
			}
		}
	}
	for _, group := range groupUse.FindAllStringSubmatch(expr, -1) {
		for _, name := range strings.Split(group[1], ",") {
			if name = strings.TrimSpace(name); !slices.Contains(labels, name) {
				wrong = append(wrong, "no label "+name+" to group by")
			}
		}
	}
	return wrong
}

func TestUseOfMetricsIsHeldToTheirDocumentation(t *testing.T) {
	t.Parallel()
	known := map[string]metric{
		"plumbline_state":   {kind: "gauge", labels: []string{"check", "state"}, words: []string{"drifted"}},
		"plumbline_seconds": {kind: "histogram", labels: []string{"check"}},
	}
	for expr, wrong := range map[string]int{
		`max by (check) (plumbline_state{state="drifted", check=~"$check"}) == 1`: 0,
		`rate(plumbline_seconds_bucket[5m])`:                                      0,
		`plumbline_state_bucket`:                                                  1,
		`plumbline_sate{state="drifted"}`:                                         1,
		`plumbline_state{stat="drifted"}`:                                         1,
		`plumbline_state{state=~"drifted|adrift"}`:                                1,
		`sum by (source) (plumbline_state)`:                                       1,
	} {
		if got := useOf(expr, known); len(got) != wrong {
			t.Errorf("%s: %q", expr, got)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
