package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"plumbline/alerts"
	"plumbline/checks"
	"plumbline/drift"
)

// situation is what is kept of one check that its incidents follow from: small
// rows only, whatever drifts.
type situation struct {
	check   string
	edges   []edgeSituation // those that are declared, by replica
	tallies map[string][]Tally
	fields  map[string]map[string]int64 // open findings by replica and field
	mute    *alerts.Mute
	newest  map[alerts.Kind]*alerts.Incident // open ones, and those resolved of late
	fixes   fixSituation
}

type edgeSituation struct {
	replica string
	drift.Standing
	begun, going                               time.Time // going: when the newest run began that is not finished
	compared, size, pending, accepted, omitted int64
	cause                                      string
	schema                                     []string  // what changed, so that nothing can be compared
	changed                                    time.Time // when that was found
}

// mostNamed is how many fields an incident names.
const mostNamed = 50

// longestCatchUp is how long a run that goes puts off that its check has gone
// stale: after a pause of the whole service its first runs are on their way.
const longestCatchUp = 10 * time.Minute

// situations reads the situations of a check, or of all for "".
func situations(ctx context.Context, from querier, check string, now time.Time) (map[string]*situation, error) {
	r := &situationReader{ctx: ctx, from: from, check: check, all: map[string]*situation{}}
	for _, read := range []func() error{r.edges, r.tallies, r.fields, r.mutes, func() error { return r.incidents(now) },
		r.schemas, func() error { return r.plans(now) }, func() error { return r.approvals(now) }, r.freezes, r.pauses} {
		if err := read(); err != nil {
			return nil, fmt.Errorf("read what incidents follow from: %w", err)
		}
	}
	return r.all, nil
}

type situationReader struct {
	ctx   context.Context
	from  querier
	check string
	all   map[string]*situation
}

func (r *situationReader) of(check string) *situation {
	s := r.all[check]
	if s == nil {
		s = &situation{check: check, tallies: map[string][]Tally{}, fields: map[string]map[string]int64{}, newest: map[alerts.Kind]*alerts.Incident{}}
		r.all[check] = s
	}
	return s
}

// rows calls one with each row of a statement about the checks that are asked for.
func (r *situationReader) rows(one func(*sql.Rows) error, statement, and, order string, args ...any) error {
	where := " WHERE " + and
	if r.check != "" {
		args = append(args, r.check)
		where += fmt.Sprintf(" AND check_name = $%d", len(args))
	}
	_, err := collect(r.ctx, r.from, func(rows *sql.Rows) (none struct{}, err error) { return none, one(rows) }, statement+where+order, args...)
	return err
}

func (r *situationReader) edges() error {
	return r.rows(func(rows *sql.Rows) error {
		var e edgeSituation
		var check, consistency, result string
		var since, begun, success int64
		var omitted, going sql.NullInt64
		var counts sql.NullString
		err := rows.Scan(&check, &e.replica, &consistency, &since, &begun, &result, &success, &e.Coverage, &e.compared, &e.size, &e.pending, &e.accepted, &e.cause, &omitted, &counts, &going)
		if err != nil {
			return err
		}
		if e.compared == 0 {
			e.compared = e.size // a sample's own count is no measure of what differs in all
		}
		if e.compared == 0 && counts.String != "" { // no run was complete yet
			last, err := readCounts(counts.String)
			if err != nil {
				return err
			}
			e.compared = last.Compared()
		}
		e.Consistency, e.LastResult = drift.Consistency(consistency), checks.Result(result)
		e.Since, e.begun, e.LastSuccess, e.going, e.omitted = timeOf(since), timeOf(begun), timeOf(success), timeOf(going.Int64), omitted.Int64
		s := r.of(check)
		s.edges = append(s.edges, e)
		return nil
	}, `SELECT check_name, replica, consistency, since, begun, last_result, last_success, coverage, compared, size, pending, accepted, cause,
			(SELECT r.omitted FROM runs r WHERE r.id = edges.last_run), (SELECT r.counts FROM runs r WHERE r.id = edges.last_run),
			(SELECT MAX(r.created_at) FROM runs r WHERE r.check_name = edges.check_name AND r.replica = edges.replica AND r.state <> 'finished')
		FROM edges`, `declared`, ` ORDER BY check_name, replica`)
}

func (r *situationReader) tallies() error {
	return r.rows(func(rows *sql.Rows) error {
		var check, replica, state string
		var t Tally
		err := rows.Scan(&check, &replica, &t.Kind, &state, &t.N)
		t.State = drift.State(state)
		s := r.of(check)
		s.tallies[replica] = append(s.tallies[replica], t)
		return err
	}, `SELECT check_name, replica, kind, state, n FROM tallies`, `n <> 0 AND state <> 'resolved'`, ``)
}

func (r *situationReader) fields() error {
	return r.rows(func(rows *sql.Rows) error {
		var check, replica, field string
		var n int64
		err := rows.Scan(&check, &replica, &field, &n)
		s := r.of(check)
		if s.fields[replica] == nil {
			s.fields[replica] = map[string]int64{}
		}
		s.fields[replica][field] = n
		return err
	}, `SELECT check_name, replica, field, n FROM field_tallies`, `n > 0`, ``)
}

// schemas reads what changed of the edges' schemas, of their checks as they are now.
func (r *situationReader) schemas() error {
	return r.rows(func(rows *sql.Rows) error {
		var check, replica, broken string
		var at int64
		if err := rows.Scan(&check, &replica, &broken, &at); err != nil {
			return err
		}
		s := r.of(check)
		for i := range s.edges {
			if e := &s.edges[i]; e.replica == replica {
				e.changed = timeOf(at)
				return undocument(broken, &e.schema)
			}
		}
		return nil
	}, `SELECT check_name, replica, broken, broken_at FROM schemas`, `broken <> '' AND EXISTS (SELECT 1 FROM edges e
		WHERE e.check_name = schemas.check_name AND e.replica = schemas.replica AND e.hash = schemas.hash)`, ``)
}

func (r *situationReader) mutes() error {
	return r.rows(func(rows *sql.Rows) error {
		m, err := scanMute(rows)
		if err == nil {
			r.of(m.Check).mute = m
		}
		return err
	}, selectMute, `muted_at > 0`, ``)
}

func (r *situationReader) incidents(now time.Time) error {
	return r.rows(func(rows *sql.Rows) error {
		i, err := scanIncident(rows)
		if err == nil {
			r.of(i.Check).newest[i.Kind] = i // the newest comes last
		}
		return err
	}, selectIncident, `(state <> 'resolved' OR resolved_at >= $1)`, ` ORDER BY number`, millis(now.Add(-alerts.Regress)))
}

// facts are what the situation says now, for incidents of a kind.
func (s *situation) facts(kind alerts.Kind, p *alerts.Policy, m *mark, now time.Time) alerts.Facts {
	var f alerts.Facts
	before := s.newest[kind]
	if before != nil && before.State != alerts.Resolved {
		f.Healed, f.Fixed, f.Known = before.Facts.Healed, before.Facts.Fixed, before.Facts.Known
		f.Healed, f.Fixed, f.Known = f.Healed+m.healed, f.Fixed+m.fixed, f.Known+m.known
	}
	f.By = m.by
	kinds, fields := map[string]int64{}, map[string]int64{}
	var loud, muted int64
	for i := range s.edges {
		e := &s.edges[i]
		var open int64
		for _, t := range s.tallies[e.replica] {
			open += t.N
			kinds[t.Kind] += t.N
			if t.State == drift.Confirmed || t.State == drift.Regressed {
				loud += t.N
			}
			switch t.State {
			case drift.Muted:
				muted += t.N
			case drift.Fixing:
				f.Fixing += t.N
			}
		}
		for field, n := range s.fields[e.replica] {
			fields[field] += n
		}
		f.Counted += open - e.accepted
		f.Accepted += e.accepted
		f.Omitted += e.omitted
		f.Compared += e.compared
		f.Pending += e.pending
		f.Edges = append(f.Edges, e.told(open, p, before, now))
	}
	f.Loud = min(loud, f.Counted)
	if muted > 0 {
		f.By = "" // nobody took on what is only muted for a while
	}
	f.Kinds, f.Fields = counted(kinds), counted(fields)
	if kind == alerts.Drift {
		s.fixes.tell(&f, before, m)
	}
	return f
}

// told is what is told of an edge.
func (e *edgeSituation) told(open int64, p *alerts.Policy, before *alerts.Incident, now time.Time) alerts.EdgeFacts {
	t := alerts.EdgeFacts{Replica: e.replica, Consistency: e.Consistency, Since: e.Since, Coverage: e.Coverage, Findings: open, Cause: e.cause, Schema: e.schema, SchemaSince: e.changed}
	if !e.Overdue(now, e.begun, p.StaleAt) { // runs that fail are no better than none
		return t
	}
	known := before != nil && before.State != alerts.Resolved &&
		slices.ContainsFunc(before.Facts.Edges, func(b alerts.EdgeFacts) bool { return b.Replica == e.replica && b.Stale })
	if !known && !e.going.IsZero() && now.Sub(e.going) < longestCatchUp {
		return t
	}
	t.Stale = true
	if t.Cause == "" && e.LastSuccess.IsZero() {
		t.Cause = "no run has succeeded yet"
	} else if t.Cause == "" {
		t.Cause = "no run has succeeded since " + e.LastSuccess.UTC().Format("2006-01-02 15:04 UTC")
	}
	return t
}

// counted lists the most first.
func counted(of map[string]int64) []alerts.Count {
	var list []alerts.Count
	for name, n := range of {
		if n > 0 {
			list = append(list, alerts.Count{Name: name, N: n})
		}
	}
	slices.SortFunc(list, func(a, b alerts.Count) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Name, b.Name)) })
	return list[:min(len(list), mostNamed)]
}
