package web

import "plumbline/alerts"

// integrations are the ways in which people are told.
func integrations() []string { return []string{"slack", "webhook"} }

// notificationResults are what a request to an integration can come to.
func notificationResults() []string {
	return []string{"sent", "found", "retried", "lost", "gone", "refused"}
}

// Notified hears of each request that was made to tell somebody, and what became
// of it.
func (m *Metrics) Notified(integration, result string) {
	m.notifications.WithLabelValues(word(integration, integrations()), word(result, notificationResults())).Inc()
}

// sendAlerts tells what is open, muted and still to be sent.
func (m *ledgerMetrics) sendAlerts(send func(string, float64, ...string), declared *Declared, known *reading) {
	for word, kind := range map[string]alerts.Kind{"drift": alerts.Drift, "cannot_check": alerts.Blind, "schema": alerts.Schema} {
		send("incidents_open", float64(known.incidents.OfKind(kind)), word)
	}
	queued := map[string]int64{}
	for _, o := range known.outlets {
		if o.Address == "" { // which counts for the whole integration
			queued[o.Integration] = o.Queue
		}
	}
	for _, integration := range integrations() {
		send("notification_queue_length", float64(queued[integration]), integration)
	}
	for i := range declared.Checks {
		name := declared.Checks[i].Name
		send("check_muted", flag(known.mutes[name] != nil), name)
	}
}
