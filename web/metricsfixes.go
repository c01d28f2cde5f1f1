package web

import "plumbline/reconciler"

// fixResults are what a record of a plan can come to, each counted as it does: one
// that was applied and then seen in effect counts as both.
func fixResults() []string {
	var list []string
	for _, state := range reconciler.ItemStates() {
		if state != reconciler.Pending {
			list = append(list, string(state))
		}
	}
	return list
}

// beginFixes begins the series of a check whose differences may be put right.
func (m *Metrics) beginFixes(c *DeclaredCheck) {
	for _, p := range c.Fix {
		if p.Mode == "" || p.Mode == reconciler.ModeOff {
			continue
		}
		for _, result := range fixResults() {
			m.fixItems.WithLabelValues(c.Name, string(p.By), result)
		}
	}
}

// FixItem hears what became of a record of a plan.
func (m *Metrics) FixItem(check string, by reconciler.Route, result reconciler.ItemState) {
	if m.knows(check) {
		m.fixItems.WithLabelValues(check, word(string(by), []string{string(reconciler.Write), string(reconciler.Request)}), word(string(result), fixResults())).Inc()
	}
}
