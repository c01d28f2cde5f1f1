package web

import (
	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
)

// throttled is the health of an edge by what is known of its sources just now:
// one that is well but for a run that waits for a source is Throttled.
func (c *DeclaredCheck) throttled(edge *checks.Edge, known *ledger.Edge, health drift.Health, states map[string]SourceState) drift.Health {
	if health != drift.OK && health != drift.Paused || known.Running == "" {
		return health
	}
	if states[c.Owner.Source].Throttled != "" || states[edge.Replica.Source].Throttled != "" {
		return drift.Throttled
	}
	return health
}
