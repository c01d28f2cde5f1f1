package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"plumbline/checks"
	"plumbline/drift"
)

const selectEdge = `SELECT check_name, replica, declared, hash, begun, consistency, since, last_run, last_number, last_whole, last_result, last_error, last_at,
	last_success, coverage, bound, compared, size, scope_share, pending,
	(SELECT r.omitted FROM runs r WHERE r.id = edges.last_run),
	(SELECT MIN(f.first_seen) FROM findings f WHERE f.check_name = edges.check_name AND f.replica = edges.replica AND f.state <> 'resolved')
	FROM edges`

func scanEdge(rows *sql.Rows) (e Edge, err error) {
	var consistency, result string
	var begun, since, lastAt, success int64
	var oldest, omitted sql.NullInt64
	err = rows.Scan(&e.Check, &e.Replica, &e.Declared, &e.Hash, &begun, &consistency, &since, &e.LastRun, &e.Number, &e.Whole, &result, &e.LastError, &lastAt, &success,
		&e.Coverage, &e.Bound, &e.Compared, &e.Size, &e.ScopeShare, &e.Pending, &omitted, &oldest)
	e.Omitted = omitted.Int64
	e.Begun, e.Since, e.LastAt, e.LastSuccess, e.OldestOpen = timeOf(begun), timeOf(since), timeOf(lastAt), timeOf(success), timeOf(oldest.Int64)
	e.Consistency, e.LastResult = drift.Consistency(consistency), checks.Result(result)
	return e, err
}

// Edges lists the declared edges, by check and replica.
func (l *Ledger) Edges(ctx context.Context) ([]Edge, error) {
	list, err := l.edges(ctx, ` WHERE declared ORDER BY check_name, replica`)
	if err != nil {
		return nil, fmt.Errorf("list edges: %w", err)
	}
	return list, nil
}

// Edge is one edge, declared or not; *NotFoundError where it was never.
func (l *Ledger) Edge(ctx context.Context, check, replica string) (Edge, error) {
	list, err := l.edges(ctx, ` WHERE check_name = $1 AND replica = $2`, check, replica)
	if err != nil {
		return Edge{}, fmt.Errorf("read edge %s/%s: %w", check, replica, err)
	}
	if len(list) == 0 {
		return Edge{}, &NotFoundError{What: "edge", Name: check + "/" + replica}
	}
	return list[0], nil
}

func (l *Ledger) edges(ctx context.Context, where string, args ...any) ([]Edge, error) {
	list, err := collect(ctx, l.read, scanEdge, selectEdge+where, args...)
	if err != nil {
		return nil, err
	}
	at := make(map[EdgeRef]*Edge, len(list))
	for i := range list {
		at[EdgeRef{list[i].Check, list[i].Replica}] = &list[i]
	}
	open, err := l.openTallies(ctx)
	if err != nil {
		return nil, err
	}
	for ref, tallies := range open {
		if e := at[ref]; e != nil {
			e.Open = tallies
		}
	}
	_, err = collect(ctx, l.read, func(rows *sql.Rows) (none struct{}, err error) {
		var ref EdgeRef
		var id string
		err = rows.Scan(&ref.Check, &ref.Replica, &id)
		if e := at[ref]; e != nil {
			e.Running = id
		}
		return none, err
	}, `SELECT check_name, replica, id FROM runs WHERE state <> 'finished' ORDER BY number`)
	return list, err
}

// openTallies are the open findings of every edge by kind and state.
func (l *Ledger) openTallies(ctx context.Context) (map[EdgeRef][]Tally, error) {
	open := map[EdgeRef][]Tally{}
	_, err := collect(ctx, l.read, func(rows *sql.Rows) (none struct{}, err error) {
		var ref EdgeRef
		var t Tally
		var state string
		err = rows.Scan(&ref.Check, &ref.Replica, &t.Kind, &state, &t.N)
		t.State = drift.State(state)
		open[ref] = append(open[ref], t)
		return none, err
	}, `SELECT check_name, replica, kind, state, n FROM tallies WHERE n <> 0 AND state <> 'resolved'
		ORDER BY check_name, replica, kind, state`)
	if err != nil {
		return nil, fmt.Errorf("read tallies: %w", err)
	}
	return open, nil
}

// Summary is the whole ledger in a few figures.
type Summary struct {
	// Open are all open findings by kind and state.
	Open []Tally
	// New is how many findings were confirmed, or came back, in this hour and the
	// 24 before it, and are open.
	New int64
	// OldestOpen is the open finding first seen earliest; "" for none.
	OldestOpen  string
	OldestSince time.Time
	// Suspects is how many differences are not yet judged.
	Suspects int64
}

// OpenFindings is how many findings are open.
func (s *Summary) OpenFindings() (n int64) {
	for _, t := range s.Open {
		n += t.N
	}
	return n
}

// ofDeclared restricts a table to edges that are configured: what is kept of
// others nobody can put right any more.
func ofDeclared(table string) string {
	return `EXISTS (SELECT 1 FROM edges e WHERE e.check_name = ` + table + `.check_name AND e.replica = ` + table + `.replica AND e.declared)`
}

// Summary sums the ledger up: what it keeps of edges that are configured.
func (l *Ledger) Summary(ctx context.Context) (s Summary, err error) {
	if s.Open, err = collect(ctx, l.read, func(rows *sql.Rows) (t Tally, err error) {
		var state string
		err = rows.Scan(&t.Kind, &state, &t.N)
		t.State = drift.State(state)
		return t, err
	}, `SELECT kind, state, CAST(SUM(n) AS BIGINT) FROM tallies t WHERE state <> 'resolved'
		AND `+ofDeclared("t")+` GROUP BY kind, state HAVING SUM(n) > 0 ORDER BY kind, state`); err != nil {
		return s, fmt.Errorf("sum findings up: %w", err)
	}
	err = l.read.QueryRowContext(ctx, `SELECT (SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM arrivals t WHERE hour_at >= $1 AND `+ofDeclared("t")+`),
		(SELECT CAST(COALESCE(SUM(pending), 0) AS BIGINT) FROM edges WHERE declared)`, millis(l.now().Add(-24*time.Hour).Truncate(time.Hour))).Scan(&s.New, &s.Suspects)
	if err != nil {
		return s, fmt.Errorf("sum findings up: %w", err)
	}
	var since int64
	err = l.read.QueryRowContext(ctx, `SELECT id, first_seen FROM findings t WHERE state <> 'resolved' AND `+ofDeclared("t")+` ORDER BY first_seen, id LIMIT 1`).Scan(&s.OldestOpen, &since)
	if err != nil && !nothing(err) {
		return s, fmt.Errorf("find the oldest finding: %w", err)
	}
	s.OldestSince = timeOf(since)
	return s, nil
}
