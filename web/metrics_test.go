package web_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"plumbline/checks"
	"plumbline/ledger"
	"plumbline/reconciler"
	"plumbline/sources"
	"plumbline/web"
)

// sample is one line of what /metrics says.
type sample struct {
	name   string
	labels map[string]string
	value  string
}

// scraped reads /metrics: the types by the names of metrics, and the samples.
func scraped(w *apiWorld) (types map[string]string, samples []sample) {
	w.Helper()
	text, err := io.ReadAll(w.ask(http.StatusOK, http.MethodGet, "/metrics", "").Body)
	if err != nil {
		w.Fatal(err)
	}
	types = map[string]string{}
	line := regexp.MustCompile(`^([a-z_]+)(?:\{(.*)\})? (\S+)$`)
	label := regexp.MustCompile(`([a-z_]+)="((?:[^"\\]|\\.)*)"`)
	for text := range strings.Lines(string(text)) {
		text = strings.TrimSuffix(text, "\n")
		if rest, ok := strings.CutPrefix(text, "# TYPE plumbline_"); ok {
			name, kind, _ := strings.Cut(rest, " ")
			types["plumbline_"+name] = kind
		}
		if !strings.HasPrefix(text, "plumbline_") {
			continue
		}
		parts := line.FindStringSubmatch(text)
		if parts == nil {
			w.Fatalf("no line of metrics: %q", text)
		}
		s := sample{name: parts[1], labels: map[string]string{}, value: parts[3]}
		for _, l := range label.FindAllStringSubmatch(parts[2], -1) {
			s.labels[l[1]] = l[2]
		}
		samples = append(samples, s)
	}
	return types, samples
}

// metricOf is the metric a sample is of: histograms have several names.
func metricOf(name string, types map[string]string) string {
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if base := strings.TrimSuffix(name, suffix); types[base] == "histogram" {
			return base
		}
	}
	return name
}

// docs/metrics.md lists just what /metrics tells, with type and labels.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	w := newAPIWorld(t, shopSQL, checksOfShop)
	w.finished("names")
	w.options.Metrics.FixItem("names", reconciler.Write, reconciler.ItemApplied)
	lag := time.Second
	w.options.Sources = func() map[string]web.SourceState {
		return map[string]web.SourceState{"shop": {Name: "shop", State: web.SourceUp, Lag: &lag}}
	}
	w.handler = sure(web.NewAPI(w.options))
	types, samples := scraped(w)
	told := map[string][]string{}
	for _, s := range samples {
		name := metricOf(s.name, types)
		labels := []string{}
		for label := range s.labels {
			if label != "le" {
				labels = append(labels, label)
			}
		}
		slices.Sort(labels)
		told[name+" "+types[name]] = labels
	}
	text, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(plumbline_[a-z_]+)` \\| ([a-z]+) \\|([^|]*)\\|").FindAllStringSubmatch(string(text), -1) {
		labels := []string{}
		for _, quoted := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[3], -1) {
			labels = append(labels, quoted[1])
		}
		slices.Sort(labels)
		documented[row[1]+" "+row[2]] = true
		if got, ok := told[row[1]+" "+row[2]]; !ok || !slices.Equal(got, labels) {
			t.Errorf("docs/metrics.md says %s %s with labels %v; /metrics tells %v (there: %v)", row[2], row[1], labels, got, ok)
		}
	}
	for name := range told {
		if !documented[name] {
			t.Errorf("docs/metrics.md lacks %s", name)
		}
	}
}

// Every metric that the contract promises for what there is by now is told.
func TestMetricsKeepTheContract(t *testing.T) {
	t.Parallel()
	w := newAPIWorld(t, shopSQL, checksOfShop)
	w.finished("names")
	w.options.Metrics.FixItem("names", reconciler.Write, reconciler.ItemApplied)
	types, samples := scraped(w)
	for _, name := range []string{"build_info", "check_state", "check_last_success_timestamp_seconds", "check_interval_seconds", "check_coverage_ratio",
		"runs_total", "run_duration_seconds", "records_compared_total", "findings_open", "finding_oldest_open_timestamp_seconds", "healing_seconds",
		"suspects_cleared_total", "source_query_duration_seconds", "source_throttled_seconds_total", "scheduler_slots_total",
		"scheduler_delay_seconds", "fix_items_total", "fixes_frozen", "notifications_total", "notification_queue_length", "ledger_up", "ledger_size_bytes", "config_last_reload_successful", "heartbeat_timestamp_seconds"} {
		if types["plumbline_"+name] == "" {
			t.Errorf("no metric plumbline_%s", name)
		}
	}
	value := func(name string, labels ...string) string {
		for _, s := range samples {
			fits := s.name == "plumbline_"+name
			for i := 0; fits && i+1 < len(labels); i += 2 {
				fits = s.labels[labels[i]] == labels[i+1]
			}
			if fits {
				return s.value
			}
		}
		return ""
	}
	for _, row := range []struct {
		want, name string
		labels     []string
	}{
		{"1", "check_state", []string{"check", "names", "state", "drifted"}},
		{"0", "check_state", []string{"check", "names", "state", "in_sync"}},
		{"1", "check_state", []string{"check", "secrets", "state", "unknown"}},
		{"1", "check_coverage_ratio", []string{"check", "names"}},
		{"1", "runs_total", []string{"check", "names", "trigger", "manual", "result", "drift"}},
		{"2", "records_compared_total", []string{"check", "names", "outcome", "mismatch"}},
		{"1", "records_compared_total", []string{"check", "names", "outcome", "equal"}},
		{"2", "findings_open", []string{"check", "names", "kind", "mismatch", "state", "confirmed"}},
		{"0", "findings_open", []string{"check", "names", "kind", "duplicate", "state", "confirmed"}},
		{"1", "ledger_up", nil},
		{"1", "config_last_reload_successful", nil},
	} {
		if got := value(row.name, row.labels...); got != row.want {
			t.Errorf("%s%v is %q, want %s", row.name, row.labels, got, row.want)
		}
	}
}

// Labels hold configured names and fixed words alone, whatever stands in keys,
// values and errors, and whatever the metrics are told of.
func TestMetricsHoldNoData(t *testing.T) {
	t.Parallel()
	const canary = "canary\"} 1\nplumbline_planted{a=\"b"
	quoted := "'" + strings.ReplaceAll(canary, "'", "''") + "'"
	w := newAPIWorld(t, `CREATE TABLE a (id TEXT PRIMARY KEY, v TEXT) WITHOUT ROWID; CREATE TABLE b (id TEXT PRIMARY KEY, v TEXT) WITHOUT ROWID;
		INSERT INTO a VALUES (`+quoted+`, `+quoted+`), ('canary-missing', 'canary'); INSERT INTO b VALUES (`+quoted+`, 'canary-else'), ('canary-extra', 'x');`, `
checks:
  hostile:
    settle: 0s
    owner: {source: shop, dataset: a, key: [id]}
    replica: {source: shop, dataset: b, key: [id]}
    fields: [v]
  broken:
    settle: 0s
    owner: {source: shop, dataset: "no_such_canary", key: [id]}
    replica: {source: shop, dataset: b, key: [id]}
    fields: [v]
`)
	w.finished("hostile")
	w.finished("broken")
	m := w.options.Metrics
	for _, name := range []string{canary, "hostile"} {
		m.RunConcluded(&ledger.Run{Check: name, Trigger: canary, Result: canary, Error: canary})
		m.SlotTaken(name, canary, time.Second)
		m.SuspectsCleared(name, 1)
		m.Healed(name, time.Second)
	}
	m.Notified(canary, canary)
	for _, name := range []string{canary, "hostile"} {
		m.FixItem(name, canary, canary)
		m.FixItem(name, reconciler.Write, reconciler.ItemVerified)
	}
	for _, name := range []string{canary, "shop"} {
		m.Queried(sources.Query{Source: name, Op: canary, Err: errors.New(canary)})
		m.Waited(sources.Wait{Source: name, Cause: canary, Reason: canary, For: time.Second})
	}
	_, samples := scraped(w)
	allowed := map[string][]string{
		"check": {"hostile", "broken"}, "source": {"shop"},
		"state":   {"in_sync", "in_sample", "drifted", "unknown", "confirmed", "regressed", "acknowledged", "muted", "fixing"},
		"health":  {"ok", "failing", "stale", "paused", "throttled"},
		"trigger": {"schedule", "catch-up", "manual", "other"}, "result": {"clean", "drift", "incomplete", "error", "cancelled", "other", "sent", "found", "retried", "lost", "gone", "refused", "doubtful", "sent", "applied", "verified", "stale", "failed"},
		"by":          {"write", "request", "other"},
		"outcome":     {"equal", "mismatch", "missing", "extra", "duplicate", "unreadable", "skipped", "run", "missed", "other"},
		"kind":        {"mismatch", "missing", "extra", "duplicate", "unreadable", "drift", "cannot_check", "schema"},
		"integration": {"slack", "webhook", "other"},
		"op":          {"scan", "lookup", "describe", "count", "split", "sample", "recent", "gauge", "schema", "explain", "probe", "preflight", "look", "write", "other"},
		"reason":      {"rate", "retry", "lag", "active", "circuit", "other"},
		"version":     {"v0"},
	}
	for _, s := range samples {
		for label, value := range s.labels {
			if label == "le" || label == "go_version" {
				continue
			}
			if !slices.Contains(allowed[label], value) {
				t.Errorf("%s has the label %s=%q", s.name, label, value)
			}
		}
	}
	if len(samples) > 1500 {
		t.Errorf("%d series of two checks and one source", len(samples))
	}
}

// Names that leave the configuration take their series with them.
func TestMetricsForgetNames(t *testing.T) {
	t.Parallel()
	w := newAPIWorld(t, shopSQL, checksOfShop)
	w.finished("names")
	without := &web.Declared{LoadedAt: time.Now(), Checks: []web.DeclaredCheck{{Check: &checks.Check{Name: "later"}}}}
	w.options.Metrics.Declare(without)
	w.declared = without
	_, samples := scraped(w)
	for _, s := range samples {
		if s.labels["check"] == "names" || s.labels["source"] == "shop" {
			t.Errorf("%s%v is still told", s.name, s.labels)
		}
	}
}
