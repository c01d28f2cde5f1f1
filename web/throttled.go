package web

import (
	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
)

// throttled is the health of an edge by what is known of its sources just now:
// one that is well but for a run that waits for a source is Throttled, and why says
// for what: guest: active queries 31 > 25. A source that is down is waited for too,
// until its run gives up and nothing is known any more.
func (c *DeclaredCheck) throttled(edge *checks.Edge, known *ledger.Edge, health drift.Health, states map[string]SourceState) (_ drift.Health, why string) {
	if health != drift.OK && health != drift.Paused || known.Running == "" {
		return health, ""
	}
	for _, name := range []string{c.Owner.Source, edge.Replica.Source} {
		switch st := states[name]; {
		case st.State == SourceDown:
			return drift.Throttled, name + " does not answer: " + st.Why
		case st.Throttled != "":
			return drift.Throttled, name + ": " + st.Throttled
		}
	}
	return health, ""
}
