package web

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"plumbline/access"
	"plumbline/alerts"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
)

// scrapeWithin bounds what one scrape asks of the ledger.
const scrapeWithin = 5 * time.Second

// ledgerMetrics reads the ledger when it is scraped. Where that fails ledger_up
// is 0 and what the ledger would say is left out, rather than told as it was.
type ledgerMetrics struct {
	Options
	descriptions map[string]*prometheus.Desc
}

func newLedgerMetrics(o Options) *ledgerMetrics {
	m := &ledgerMetrics{Options: o, descriptions: map[string]*prometheus.Desc{}}
	add := func(name, help string, labels ...string) {
		m.descriptions[name] = prometheus.NewDesc(prefix+name, help, labels, nil)
	}
	add("check_state", "1 for the state that a check is in, taking the worst of its edges, and 0 for the others.", "check", "state")
	add("check_health", "1 for the health that the audit of a check has, taking the worst of its edges, and 0 for the others.", "check", "health")
	add("check_last_success_timestamp_seconds", "When the check last ended clean or with drift, taking its edge for which that is longest ago; 0 for never.", "check")
	add("check_interval_seconds", "How far apart the check's slots are; 0 without a schedule.", "check")
	add("check_coverage_ratio", "The share of what it set out to compare that the last run compared, taking the edge with the least.", "check")
	add("check_scope_share_ratio", "About the share of all records that the last run compared, taking the edge with the least: below 1 where a sample is drawn, 0 when unknown.", "check")
	add("suspects_pending", "Differences that are not yet confirmed or cleared.", "check")
	add("findings_open", "Open findings; none is told for confirmed ones alone.", "check", "kind", "state")
	add("finding_oldest_open_timestamp_seconds", "When the oldest open finding was first seen; absent where none is open.", "check")
	add("check_muted", "1 while nothing new is told of the check, and else 0.", "check")
	add("incidents_open", "Incidents that are not resolved, acknowledged ones included.", "kind")
	add("notification_queue_length", "Messages that are still to be sent.", "integration")
	add("fixes_frozen", "How many freezes of fixes hold, of all checks or of one: while it is not 0, something is not put right.")
	add("source_up", "1 where the source answered when it was last asked, 0 where it did not; absent before.", "source")
	add("source_replication_lag_seconds", "How far behind a source's standby is, where it says.", "source")
	add("ledger_up", "1 where the ledger can be read and written.")
	add("ledger_size_bytes", "How much room the ledger takes.")
	add("config_last_reload_successful", "1 where the configuration in force is the newest that was read, 0 where a newer one was refused.")
	add("heartbeat_timestamp_seconds", "The last sign of life of any process on this ledger.")
	return m
}

// Describe lists what Collect may send.
func (m *ledgerMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range m.descriptions {
		ch <- d
	}
}

// Collect reads and sends.
func (m *ledgerMetrics) Collect(ch chan<- prometheus.Metric) {
	send := func(name string, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(m.descriptions[name], prometheus.GaugeValue, value, labels...)
	}
	declared := m.Declared()
	send("config_last_reload_successful", flag(declared.LastReloadError == ""))
	states := m.Sources()
	for i := range declared.Sources {
		name := declared.Sources[i].Name
		state := states[name]
		if state.State == SourceUp || state.State == SourceDown {
			send("source_up", flag(state.State == SourceUp), name)
		}
		if state.Lag != nil {
			send("source_replication_lag_seconds", state.Lag.Seconds(), name)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeWithin)
	defer cancel()
	known, err := m.read(ctx)
	if err != nil {
		m.Log.Error("read the ledger for metrics", "error", m.Lens.Scrub(err.Error()))
	}
	send("ledger_up", flag(err == nil))
	if err != nil {
		return
	}
	send("ledger_size_bytes", float64(known.size))
	send("heartbeat_timestamp_seconds", stamp(known.heartbeat))
	send("fixes_frozen", float64(len(known.freezes)))
	m.sendAlerts(send, declared, &known)
	for i := range declared.Checks {
		m.sendCheck(send, &declared.Checks[i], known.edges)
	}
}

func flag(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// stamp is a time in seconds; 0 for none.
func stamp(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// reading is what one scrape reads.
type reading struct {
	edges     map[edgeName]ledger.Edge
	size      int64
	heartbeat time.Time
	incidents ledger.IncidentCounts
	mutes     map[string]*alerts.Mute
	outlets   []ledger.OutletState
	freezes   []reconciler.Freeze
}

func (m *ledgerMetrics) read(ctx context.Context) (r reading, err error) {
	if err = m.Ledger.Ping(ctx); err != nil {
		return r, err
	}
	if r.size, err = m.Ledger.Size(ctx); err != nil {
		return r, err
	}
	if r.edges, err = (&api{Options: m.Options, Ledger: shownLedger{m.Ledger}}).edges(ctx); err != nil {
		return r, err
	}
	if r.incidents, err = m.Ledger.OpenIncidents(ctx); err != nil {
		return r, err
	}
	if r.mutes, err = m.Ledger.Mutes(ctx); err != nil {
		return r, err
	}
	if r.outlets, err = m.Ledger.Outlets(ctx); err != nil {
		return r, err
	}
	if r.freezes, err = m.Ledger.Freezes(ctx); err != nil {
		return r, err
	}
	processes, err := m.Ledger.Processes(ctx)
	for _, p := range processes {
		if p.Heartbeat.After(r.heartbeat) {
			r.heartbeat = p.Heartbeat
		}
	}
	return r, err
}

func (m *ledgerMetrics) sendCheck(send func(string, float64, ...string), c *DeclaredCheck, known map[edgeName]ledger.Edge) {
	body := apiOf(m.Options).checkBody(context.Background(), c, known)
	for word, state := range map[string]drift.Consistency{"in_sync": drift.InSync, "in_sample": drift.InSample, "drifted": drift.Drifted, "unknown": drift.Unknown} {
		send("check_state", flag(body.Consistency == string(state)), c.Name, word)
	}
	for word, health := range map[string]drift.Health{"ok": drift.OK, "failing": drift.Failing, "stale": drift.Stale, "paused": drift.Paused, "throttled": drift.Throttled} {
		send("check_health", flag(body.Health == string(health)), c.Name, word)
	}
	send("check_interval_seconds", c.Interval.Seconds(), c.Name)
	coverage, scope, success, oldest, pending := 1.0, 1.0, time.Time{}, time.Time{}, int64(0)
	open := map[[2]string]int64{}
	for i := range c.Edges {
		e := known[edgeName{c.Name, c.Edges[i].Name}]
		coverage, scope = min(coverage, e.Coverage), min(scope, e.ScopeShare)
		pending += e.Pending
		if i == 0 || e.LastSuccess.Before(success) {
			success = e.LastSuccess
		}
		if !e.OldestOpen.IsZero() && (oldest.IsZero() || e.OldestOpen.Before(oldest)) {
			oldest = e.OldestOpen
		}
		for _, t := range e.Open {
			open[[2]string{t.Kind, string(t.State)}] += t.N
		}
	}
	send("check_coverage_ratio", coverage, c.Name)
	send("check_scope_share_ratio", scope, c.Name)
	send("check_last_success_timestamp_seconds", stamp(success), c.Name)
	send("suspects_pending", float64(pending), c.Name)
	if !oldest.IsZero() {
		send("finding_oldest_open_timestamp_seconds", stamp(oldest), c.Name)
	}
	for _, kind := range kinds() {
		for _, state := range openStates() {
			// Of a thousand checks, none for all of kinds and states would be 25,000 series.
			if n := open[[2]string{kind, string(state)}]; n > 0 || state == drift.Confirmed {
				send("findings_open", float64(n), c.Name, kind, string(state))
			}
		}
	}
}

// serveMetrics adds /metrics.
func serveMetrics(routes *routes, o Options) {
	routes.reads("/metrics", access.Scrape, gin.WrapH(MetricsHandler(o)))
}

// MetricsHandler answers with the metrics, to whoever reaches it: it is for an
// address of its own.
func MetricsHandler(o Options) http.Handler {
	o = o.withDefaults()
	gatherers := prometheus.Gatherers{}
	if o.Metrics != nil {
		gatherers = append(gatherers, o.Metrics.registry)
	}
	ofLedger := prometheus.NewRegistry()
	ofLedger.MustRegister(newLedgerMetrics(o))
	return promhttp.HandlerFor(append(gatherers, ofLedger), promhttp.HandlerOpts{MaxRequestsInFlight: 2, Timeout: 2 * scrapeWithin})
}
