package ledger

import (
	"context"
	"database/sql"
	"fmt"

	"plumbline/alerts"
)

// IncidentCounts are how many incidents are not resolved, by kind and state.
type IncidentCounts map[alerts.Kind]map[alerts.State]int64

// Of is how many are in one of the states, of any kind; without a state, in any.
func (c IncidentCounts) Of(states ...alerts.State) (n int64) {
	for _, by := range c {
		for state, count := range by {
			if len(states) == 0 {
				n += count
			}
			for _, s := range states {
				if s == state {
					n += count
				}
			}
		}
	}
	return n
}

// OfKind is how many are of a kind, in any state.
func (c IncidentCounts) OfKind(kind alerts.Kind) (n int64) {
	for _, count := range c[kind] {
		n += count
	}
	return n
}

// OpenIncidents counts the incidents that are not resolved.
func (l *Ledger) OpenIncidents(ctx context.Context) (IncidentCounts, error) {
	type row struct {
		kind  alerts.Kind
		state alerts.State
		n     int64
	}
	rows, err := collect(ctx, l.read, func(rows *sql.Rows) (r row, err error) { return r, rows.Scan(&r.kind, &r.state, &r.n) },
		`SELECT kind, state, COUNT(*) FROM incidents WHERE state <> 'resolved' GROUP BY kind, state`)
	if err != nil {
		return nil, fmt.Errorf("count open incidents: %w", err)
	}
	counts := IncidentCounts{}
	for _, r := range rows {
		if counts[r.kind] == nil {
			counts[r.kind] = map[alerts.State]int64{}
		}
		counts[r.kind][r.state] += r.n
	}
	return counts, nil
}
