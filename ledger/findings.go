package ledger

import (
	"context"
	"database/sql"
	"fmt"

	"plumbline/drift"
)

// Finding finds one by its id; *NotFoundError.
func (l *Ledger) Finding(ctx context.Context, id string) (*drift.Finding, error) {
	found, err := entriesBy(ctx, l.keys, l.read, "id", []string{text(id)})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, &NotFoundError{What: "finding", Name: id}
	}
	return found[0].after, nil
}

// Timeline lists what happened to a finding, the oldest first.
func (l *Ledger) Timeline(ctx context.Context, id string) ([]drift.Transition, error) {
	list, err := collect(ctx, l.read, func(rows *sql.Rows) (t drift.Transition, err error) {
		var event, from, to string
		var at int64
		err = rows.Scan(&event, &from, &to, &at, &t.Actor, &t.Run, &t.Note)
		t.Event, t.From, t.To, t.At = drift.Event(event), drift.State(from), drift.State(to), timeOf(at)
		return t, err
	}, `SELECT event, from_state, to_state, changed_at, actor, run, note FROM transitions WHERE finding = $1 ORDER BY revision`, id)
	if err != nil {
		return nil, fmt.Errorf("read the timeline of %s: %w", id, err)
	}
	return list, nil
}

// Patterns lists how the open findings of a check differ, the most frequent
// first; replica "" is all of its edges, check "" all checks, limit 0 is 50.
func (l *Ledger) Patterns(ctx context.Context, check, replica string, limit int) ([]Pattern, error) {
	if limit <= 0 {
		limit = defaultLimit
	}
	where, args := ofEdge(check, replica, 2)
	list, err := collect(ctx, l.read, func(rows *sql.Rows) (p Pattern, err error) {
		var first, last int64
		var example sql.NullString
		err = rows.Scan(&p.Check, &p.Replica, &p.Words, &p.Open, &first, &last, &example)
		p.FirstSeen, p.LastSeen, p.Example = timeOf(first), timeOf(last), example.String
		return p, err
	}, `SELECT p.check_name, p.replica, p.words, p.n, p.first_seen, p.last_seen, (SELECT f.id FROM findings f
			WHERE f.check_name = p.check_name AND f.replica = p.replica AND f.pattern_id = p.pattern_id
			AND f.state IN ('confirmed', 'regressed', 'acknowledged', 'muted', 'fixing') LIMIT 1)
		FROM (SELECT * FROM patterns WHERE n > 0`+where+` ORDER BY n DESC, words, check_name, replica LIMIT $1) p
		ORDER BY p.n DESC, p.words, p.check_name, p.replica`, append([]any{limit}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("list patterns: %w", err)
	}
	return list, nil
}

// FieldTallies lists how many open findings differ in each field, the most
// first; replica "" is all edges of the check, check "" all checks.
func (l *Ledger) FieldTallies(ctx context.Context, check, replica string) ([]FieldTally, error) {
	where, args := ofEdge(check, replica, 1)
	list, err := collect(ctx, l.read, func(rows *sql.Rows) (t FieldTally, err error) {
		return t, rows.Scan(&t.Field, &t.Open)
	}, `SELECT field, CAST(SUM(n) AS BIGINT) FROM field_tallies WHERE n > 0`+where+` GROUP BY field ORDER BY 2 DESC, field`, args...)
	if err != nil {
		return nil, fmt.Errorf("list fields: %w", err)
	}
	return list, nil
}

// ofEdge is the condition that rows are of a check and replica, where those are
// given; its first parameter is numbered from.
func ofEdge(check, replica string, from int) (where string, args []any) {
	if check != "" {
		where += fmt.Sprintf(" AND check_name = $%d", from)
		args = append(args, check)
		from++
	}
	if replica != "" {
		where += fmt.Sprintf(" AND replica = $%d", from)
		args = append(args, replica)
	}
	return where, args
}
