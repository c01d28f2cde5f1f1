package web

import (
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/sources"
)

// Metrics counts what this process does. What the ledger knows is read from it
// at each scrape instead (metricsledger.go), so that every process tells the
// same. Labels hold configured names and fixed words alone: whatever else is
// told of is counted under none. It is safe for many goroutines.
type Metrics struct {
	registry *prometheus.Registry

	mu      sync.RWMutex
	checks  map[string]bool
	sources map[string]bool

	runs, compared, cleared, slots *prometheus.CounterVec
	runTook, healing               *prometheus.HistogramVec
	delay                          prometheus.Histogram
	queryTook                      *prometheus.HistogramVec
	throttled, notifications       *prometheus.CounterVec
	fixItems                       *prometheus.CounterVec
}

// NewMetrics makes Metrics that know no names yet; see Declare.
func NewMetrics(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), checks: map[string]bool{}, sources: map[string]bool{}}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: prefix + name, Help: help, Buckets: buckets}, labels)
		m.registry.MustRegister(h)
		return h
	}
	m.runs = counter("runs_total", "Runs that ended here, by why they were begun and how they ended.", "check", "trigger", "result")
	m.compared = counter("records_compared_total", "Records of runs that ended here, by what comparing them came to; skipped ones were not compared.", "check", "outcome")
	m.cleared = counter("suspects_cleared_total", "Records that differed when first read and no longer when read again.", "check")
	m.slots = counter("scheduler_slots_total", "Slots of schedules that this process accounted for, by what became of them.", "check", "outcome")
	m.runTook = histogram("run_duration_seconds", "How long the scans of runs that ended here took.", prometheus.ExponentialBucketsRange(0.1, 6*3600, 10), "check")
	m.healing = histogram("healing_seconds", "How long findings were open that were then read and no longer differed.", prometheus.ExponentialBucketsRange(1, 30*24*3600, 10), "check")
	m.queryTook = histogram("source_query_duration_seconds", "How long a source took to answer, failures included.", prometheus.ExponentialBucketsRange(0.0005, 60, 14), "source", "op")
	m.throttled = counter("source_throttled_seconds_total", "How long reads were held back, by why.", "source", "reason")
	m.notifications = counter("notifications_total", "What this process sent to tell people, by what became of it.", "integration", "result")
	for _, integration := range integrations() {
		for _, result := range notificationResults() {
			m.notifications.WithLabelValues(integration, result)
		}
	}
	m.fixItems = counter("fix_items_total", "Records of plans that this process put right or tried to, by the way they were and what became of it.", "check", "by", "result")
	m.delay = histogram("scheduler_delay_seconds", "How long after a slot plus its jitter its run was begun.", prometheus.ExponentialBucketsRange(0.01, 600, 12)).WithLabelValues().(prometheus.Histogram)
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: prefix + "build_info", Help: "1; the labels say what was built."}, []string{"version", "go_version"})
	info.WithLabelValues(version, runtime.Version()).Set(1)
	m.registry.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

const prefix = "plumbline_"

// The words that labels may hold besides configured names.
func results() []string {
	return []string{string(checks.Clean), string(checks.Drift), string(checks.Incomplete), string(checks.Error), string(checks.Cancelled)}
}

func triggers() []string {
	return []string{string(ledger.BySchedule), string(ledger.ByCatchUp), string(ledger.ByPerson)}
}

func slotOutcomes() []string {
	return []string{string(ledger.SlotRun), string(ledger.SlotSkipped), string(ledger.SlotMissed)}
}

func kinds() []string {
	return []string{string(checks.Mismatch), string(checks.Missing), string(checks.Extra), string(checks.Duplicate), string(checks.Unreadable)}
}

func operations() []string {
	return []string{"scan", "lookup", "describe", "count", "split", "sample", "recent", "gauge", "schema", "explain", "probe", "preflight", "look", "write"}
}

func waitCauses() []string {
	return []string{sources.WaitRate, sources.WaitRetry, sources.WaitLag, sources.WaitActive, sources.WaitCircuit}
}

func openStates() []drift.State {
	var open []drift.State
	for _, s := range drift.States() {
		if s.Open() {
			open = append(open, s)
		}
	}
	return open
}

// Declare takes over the names of a configuration. Series of names that it no
// longer holds are dropped; those of new ones begin at zero, so that the first
// event shows as an increase.
func (m *Metrics) Declare(d *Declared) {
	m.mu.Lock()
	defer m.mu.Unlock()
	declaredChecks, declaredSources := map[string]bool{}, map[string]bool{}
	for i := range d.Checks {
		declaredChecks[d.Checks[i].Name] = true
		m.beginCheck(d.Checks[i].Name)
		m.beginFixes(&d.Checks[i])
	}
	for i := range d.Sources {
		declaredSources[d.Sources[i].Name] = true
		m.beginSource(d.Sources[i].Name)
	}
	for name := range m.checks {
		if !declaredChecks[name] {
			for _, v := range []interface {
				DeletePartialMatch(prometheus.Labels) int
			}{m.runs, m.compared, m.cleared, m.slots, m.runTook, m.healing, m.fixItems} {
				v.DeletePartialMatch(prometheus.Labels{"check": name})
			}
		}
	}
	for name := range m.sources {
		if !declaredSources[name] {
			m.queryTook.DeletePartialMatch(prometheus.Labels{"source": name})
			m.throttled.DeletePartialMatch(prometheus.Labels{"source": name})
		}
	}
	m.checks, m.sources = declaredChecks, declaredSources
}

func (m *Metrics) beginCheck(name string) {
	for _, result := range results() {
		m.runs.WithLabelValues(name, string(ledger.BySchedule), result)
	}
	for outcome := range outcomes(&checks.Counts{}) {
		m.compared.WithLabelValues(name, outcome)
	}
	for _, outcome := range slotOutcomes() {
		m.slots.WithLabelValues(name, outcome)
	}
	m.cleared.WithLabelValues(name)
	m.runTook.WithLabelValues(name)
	m.healing.WithLabelValues(name)
}

func (m *Metrics) beginSource(name string) {
	for _, cause := range waitCauses() {
		m.throttled.WithLabelValues(name, cause)
	}
	m.queryTook.WithLabelValues(name, "scan")
	m.queryTook.WithLabelValues(name, "lookup")
}

func (m *Metrics) knows(check string) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.checks[check]
}

func (m *Metrics) knowsSource(name string) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.sources[name]
}

// word is text where it is one of the fixed words, and else "other".
func word(text string, words []string) string {
	for _, w := range words {
		if w == text {
			return w
		}
	}
	return "other"
}

func outcomes(c *checks.Counts) map[string]int64 {
	return map[string]int64{"equal": c.Equal, "mismatch": c.Mismatch, "missing": c.Missing, "extra": c.Extra, "duplicate": c.Duplicate,
		"unreadable": c.Unreadable, "skipped": c.Skipped}
}

// Queried hears of each thing a source was asked; it is what Reader.OnQuery wants.
func (m *Metrics) Queried(q sources.Query) {
	if m.knowsSource(q.Source) {
		m.queryTook.WithLabelValues(q.Source, word(q.Op, operations())).Observe(q.Took.Seconds())
	}
}

// Waited hears of each pause of a Reader.
func (m *Metrics) Waited(w sources.Wait) {
	if m.knowsSource(w.Source) {
		m.throttled.WithLabelValues(w.Source, word(w.Cause, waitCauses())).Add(w.For.Seconds())
	}
}

// RunConcluded hears of a run that ended.
func (m *Metrics) RunConcluded(r *ledger.Run) {
	if !m.knows(r.Check) {
		return
	}
	m.runs.WithLabelValues(r.Check, word(string(r.Trigger), triggers()), word(string(r.Result), results())).Inc()
	if !r.StartedAt.IsZero() && r.EndedAt.After(r.StartedAt) {
		m.runTook.WithLabelValues(r.Check).Observe(r.EndedAt.Sub(r.StartedAt).Seconds())
	}
	for outcome, n := range outcomes(&r.Counts) {
		if n > 0 {
			m.compared.WithLabelValues(r.Check, outcome).Add(float64(n))
		}
	}
}

// SlotTaken hears what became of a slot, and how long after it was due its run
// was begun.
func (m *Metrics) SlotTaken(check string, outcome ledger.SlotOutcome, delay time.Duration) {
	if !m.knows(check) {
		return
	}
	m.slots.WithLabelValues(check, word(string(outcome), slotOutcomes())).Inc()
	if outcome == ledger.SlotRun {
		m.delay.Observe(max(delay, 0).Seconds())
	}
}

// SuspectsCleared hears of records that no longer differed when read again.
func (m *Metrics) SuspectsCleared(check string, n int64) {
	if n > 0 && m.knows(check) {
		m.cleared.WithLabelValues(check).Add(float64(n))
	}
}

// Healed hears of a finding that no longer differs, and how long it was open.
func (m *Metrics) Healed(check string, after time.Duration) {
	if m.knows(check) {
		m.healing.WithLabelValues(check).Observe(max(after, 0).Seconds())
	}
}
