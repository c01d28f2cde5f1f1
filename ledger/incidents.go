package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strconv"
	"strings"

	"plumbline/alerts"
)

const incidentColumns = `id, number, check_name, kind, state, opened_at, changed_at, resolved_at, regressed, acknowledged_by, acknowledged_at,
	facts, first, peak, told, told_at, resolution, revision`

const selectIncident = `SELECT ` + incidentColumns + ` FROM incidents`

func scanIncident(rows *sql.Rows) (*alerts.Incident, error) {
	i := &alerts.Incident{}
	var opened, changed, resolved, acknowledged, told int64
	var facts string
	err := rows.Scan(&i.ID, &i.Number, &i.Check, &i.Kind, &i.State, &opened, &changed, &resolved, &i.Regressed, &i.AcknowledgedBy, &acknowledged,
		&facts, &i.First, &i.Peak, &i.Told, &told, &i.Resolution, &i.Revision)
	if err != nil {
		return nil, err
	}
	i.OpenedAt, i.ChangedAt, i.ResolvedAt, i.AcknowledgedAt, i.ToldAt = timeOf(opened), timeOf(changed), timeOf(resolved), timeOf(acknowledged), timeOf(told)
	return i, undocument(facts, &i.Facts)
}

// keepIncident writes what an incident has become and its new milestones, and
// returns the number of its last one. A new incident gets its id. Whoever calls
// holds the check's incidents.
func (tx *Tx) keepIncident(ctx context.Context, before, after *alerts.Incident, news []alerts.Milestone) (last int64, err error) {
	facts, err := document(after.Facts)
	if err != nil {
		return 0, err
	}
	if before == nil {
		if after.Number, err = tx.next(ctx, "incidents"); err != nil {
			return 0, err
		}
		after.ID = "I-" + strconv.FormatInt(after.Number, 10)
		_, err = tx.exec(ctx, `INSERT INTO incidents (`+incidentColumns+`, spread) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
			$15, $16, $17, $18, '')`, after.ID, after.Number, after.Check, string(after.Kind), string(after.State), millis(after.OpenedAt),
			millis(after.ChangedAt), millis(after.ResolvedAt), after.Regressed, text(after.AcknowledgedBy), millis(after.AcknowledgedAt), facts,
			after.First, after.Peak, after.Told, millis(after.ToldAt), text(after.Resolution), after.Revision)
	} else if after != before {
		_, err = tx.exec(ctx, `UPDATE incidents SET state = $1, changed_at = $2, resolved_at = $3, regressed = $4, acknowledged_by = $5, acknowledged_at = $6,
				facts = $7, first = $8, peak = $9, told = $10, told_at = $11, resolution = $12, revision = $13,
				spread = CASE WHEN $1 = 'acknowledged' THEN spread ELSE '' END WHERE id = $14`,
			string(after.State), millis(after.ChangedAt), millis(after.ResolvedAt), after.Regressed, text(after.AcknowledgedBy), millis(after.AcknowledgedAt),
			facts, after.First, after.Peak, after.Told, millis(after.ToldAt), text(after.Resolution), after.Revision, after.ID)
	}
	if err != nil {
		return 0, fmt.Errorf("keep incident %s: %w", after.ID, err)
	}
	if after != before {
		tx.tell(Change{Topic: "incident", Check: after.Check, ID: after.ID})
	}
	if last, err = lastMilestone(ctx, tx.sql, after.ID); err != nil {
		return 0, err
	}
	for _, m := range news {
		last++
		_, err := tx.exec(ctx, `INSERT INTO milestones (incident, n, event, at, actor, counted, note) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			after.ID, last, string(m.Event), millis(m.At), text(m.Actor), m.Counted, text(m.Note))
		if err != nil {
			return 0, fmt.Errorf("keep a milestone of %s: %w", after.ID, err)
		}
	}
	return last, nil
}

func lastMilestone(ctx context.Context, from querier, id string) (last int64, err error) {
	if err := from.QueryRowContext(ctx, `SELECT COALESCE(MAX(n), 0) FROM milestones WHERE incident = $1`, id).Scan(&last); err != nil {
		return 0, fmt.Errorf("read the milestones of %s: %w", id, err)
	}
	return last, nil
}

// IncidentFilter chooses incidents; what is empty is any.
type IncidentFilter struct {
	Check string
	State string // an alerts.State; "open" is every one that is not resolved
	Kind  string // an alerts.Kind
	After string // the cursor that the page before returned
	Limit int    // 0 is 50
}

// Incidents lists incidents, the newest first. next is the cursor of the following page, "" at the end.
func (l *Ledger) Incidents(ctx context.Context, f IncidentFilter) (list []*alerts.Incident, next string, err error) {
	if f.Limit <= 0 {
		f.Limit = defaultLimit
	}
	s, where := &statement{}, []string{"number > 0"}
	if f.Check != "" {
		where = append(where, "check_name = "+s.arg(f.Check))
	}
	if f.State == string(alerts.Open) {
		where = append(where, "state <> 'resolved'")
	} else if f.State != "" {
		where = append(where, "state = "+s.arg(f.State))
	}
	if f.Kind != "" {
		where = append(where, "kind = "+s.arg(f.Kind))
	}
	if f.After != "" {
		after, err := strconv.ParseInt(f.After, 10, 64)
		if err != nil {
			return nil, "", &CursorError{Cursor: f.After}
		}
		where = append(where, "number < "+s.arg(after))
	}
	statement := selectIncident + " WHERE " + strings.Join(where, " AND ") + " ORDER BY number DESC LIMIT " + s.arg(f.Limit+1)
	if list, err = collect(ctx, l.read, scanIncident, statement, s.args...); err != nil {
		return nil, "", fmt.Errorf("list incidents: %w", err)
	}
	if len(list) > f.Limit {
		list = list[:f.Limit]
		next = strconv.FormatInt(list[f.Limit-1].Number, 10)
	}
	return list, next, nil
}

// Incident finds an incident. *NotFoundError.
func (l *Ledger) Incident(ctx context.Context, id string) (*alerts.Incident, error) {
	return incidentRow(ctx, l.read, id)
}

func incidentRow(ctx context.Context, from querier, id string) (*alerts.Incident, error) {
	list, err := collect(ctx, from, scanIncident, selectIncident+` WHERE id = $1`, text(id))
	if err != nil {
		return nil, fmt.Errorf("read incident %s: %w", id, err)
	}
	if len(list) == 0 {
		return nil, &NotFoundError{What: "incident", Name: id}
	}
	return list[0], nil
}

// Milestones are the lines of an incident's life, the oldest first.
func (l *Ledger) Milestones(ctx context.Context, id string) ([]alerts.Milestone, error) {
	return milestonesBetween(ctx, l.read, id, 0, math.MaxInt64)
}

// milestonesBetween reads those after one, up to another.
func milestonesBetween(ctx context.Context, from querier, id string, after, upto int64) ([]alerts.Milestone, error) {
	list, err := collect(ctx, from, func(rows *sql.Rows) (m alerts.Milestone, err error) {
		var at int64
		err = rows.Scan(&m.Event, &at, &m.Actor, &m.Counted, &m.Note)
		m.At = timeOf(at)
		return m, err
	}, `SELECT event, at, actor, counted, note FROM milestones WHERE incident = $1 AND n > $2 AND n <= $3 ORDER BY n`, id, after, upto)
	if err != nil {
		return nil, fmt.Errorf("read the milestones of %s: %w", id, err)
	}
	return list, nil
}

// AcknowledgeIncident records that somebody takes an incident on; its open
// findings are acknowledged with it by SweepAlerts. revision, where it is not 0,
// is what the person saw: that counts moved since is no reason to refuse, that
// somebody else took it on is (*StaleError). *alerts.NotPossible where it is
// resolved, *NotFoundError. Done again by the same person it changes nothing.
func (l *Ledger) AcknowledgeIncident(ctx context.Context, id, actor, note string, revision int64) (after *alerts.Incident, err error) {
	err = l.onIncident(ctx, id, func(tx *Tx, now *alerts.Incident) error {
		after = now
		if now.State == alerts.Acknowledged && now.AcknowledgedBy == text(actor) {
			return nil
		}
		taken := now.State == alerts.Acknowledged && now.AcknowledgedBy != ""
		if revision > now.Revision || taken && revision != 0 && revision != now.Revision {
			return &StaleError{Finding: id, Has: now.Revision, Told: revision}
		}
		next, news, err := now.Acknowledge(text(actor), note, timeOf(millis(l.now())))
		if err != nil || next == now {
			return err
		}
		after = next
		if err := tx.attest(ctx, "acknowledge incident", "incident "+id, note); err != nil {
			return err
		}
		if now.Kind == alerts.Drift {
			if _, err := tx.exec(ctx, `UPDATE incidents SET spread = $1 WHERE id = $2`, "ack "+text(actor), id); err != nil {
				return err
			}
		}
		return l.keepActed(ctx, tx, now, next, news)
	})
	if err != nil {
		return nil, fmt.Errorf("acknowledge %s: %w", id, err)
	}
	return after, nil
}

// onIncident runs do in a transaction that holds the incident's check.
func (l *Ledger) onIncident(ctx context.Context, id string, do func(*Tx, *alerts.Incident) error) error {
	return l.InTx(ctx, func(tx *Tx) error {
		i, err := incidentRow(ctx, tx.sql, id)
		if err != nil {
			return err
		}
		if err := tx.holdIncidents(ctx, i.Check); err != nil {
			return err
		}
		if i, err = incidentRow(ctx, tx.sql, id); err != nil { // as it is now that nobody else changes it
			return err
		}
		return do(tx, i)
	})
}

// keepActed keeps what an act made of an incident, and what is due of it.
func (l *Ledger) keepActed(ctx context.Context, tx *Tx, before, after *alerts.Incident, news []alerts.Milestone) error {
	last, err := tx.keepIncident(ctx, before, after, news)
	if err != nil {
		return err
	}
	mute, err := muteOf(ctx, tx.sql, after.Check)
	if err != nil {
		return err
	}
	policy := l.policyOf(after.Check)
	return tx.deliver(ctx, after, last, &policy, mute, timeOf(millis(tx.now())))
}

// policyOf is the policy of a check; one that is not configured tells nobody.
func (l *Ledger) policyOf(check string) (p alerts.Policy) {
	if l.options.Policies != nil {
		p, _ = l.options.Policies(check)
	}
	p.Check = check
	return p
}
