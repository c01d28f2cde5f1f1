package web

import "plumbline/alerts"

// fix says what would put right what the incident counts, and leads to a plan of
// it. Nothing is written by it.
func (v *incidentView) fix(check *DeclaredCheck, m *incidentMemory, may bool) {
	i := m.incident
	switch {
	case i.State == alerts.Resolved:
		v.NoFix = "Nothing is left to put right."
	case i.Kind == alerts.Blind:
		v.NoFix = "Nothing can be said about the data before it can be read. Once the stores answer, the next run reads it; Re-check now begins one at once."
	case i.Kind == alerts.Schema:
		v.NoFix = "Put the store back, or write in the configuration what it keeps now (another field, as:, a map). The next run sees either; Re-check now begins one at once."
	default:
		v.Fix = remedies(&i.Facts)
		v.NoFix = "Nothing is known to differ."
	}
	for _, e := range i.Facts.Edges {
		if check == nil || check.Edge(e.Replica) == nil || e.Findings == 0 && len(m.plans[e.Replica]) == 0 || i.State == alerts.Resolved && len(m.plans[e.Replica]) == 0 {
			continue
		}
		open := e.Findings
		if i.State == alerts.Resolved {
			open = 0
		}
		v.FixEdges = append(v.FixEdges, incidentFix{e.Replica, edgeFix(check, e.Replica, open, m.plans[e.Replica], may)})
	}
}
