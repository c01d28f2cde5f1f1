package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"time"

	"plumbline/alerts"
	"plumbline/checks"
	"plumbline/drift"
)

// How long resolved incidents are kept, and digests that were sent.
const (
	incidentsKept = 90 * 24 * time.Hour
	digestsKept   = 7 * 24 * time.Hour
)

func digestSubject(day string) string { return "digest " + day }

// QueueDigest makes a digest due at a time, once a day and target, whoever asks.
// One of an earlier day that could not be sent until now is not sent any more.
func (l *Ledger) QueueDigest(ctx context.Context, day string, at time.Time, targets []alerts.Target, d alerts.Digest) error {
	d.Day = day
	content, err := document(d)
	if err != nil {
		return err
	}
	err = l.InTx(ctx, func(tx *Tx) error {
		for _, t := range targets {
			if _, err := tx.exec(ctx, `DELETE FROM deliveries WHERE integration = $1 AND address = $2 AND due_at > 0 AND content <> '' AND subject < $3`,
				t.Integration, t.Address, digestSubject(day)); err != nil {
				return err
			}
			if err := tx.openDelivery(ctx, &delivery{subject: digestSubject(day), target: t, content: content, due: at}); err != nil {
				return err
			}
		}
		tx.tell(Change{Topic: "alert"})
		return nil
	})
	if err != nil {
		return fmt.Errorf("queue the digest of %s: %w", day, err)
	}
	return nil
}

// Digest says what happened between two times, and how things are now.
func (l *Ledger) Digest(ctx context.Context, from, to time.Time) (alerts.Digest, error) {
	d := alerts.Digest{From: from, To: to, Results: map[checks.Result]int64{}}
	for _, part := range []func(context.Context, *alerts.Digest) error{l.digestRuns, l.digestEdges, l.digestIncidents} {
		if err := part(ctx, &d); err != nil {
			return alerts.Digest{}, fmt.Errorf("make a digest: %w", err)
		}
	}
	return d, nil
}

func (l *Ledger) digestRuns(ctx context.Context, d *alerts.Digest) error {
	_, err := collect(ctx, l.read, func(rows *sql.Rows) (none struct{}, err error) {
		var result, counts string
		if err := rows.Scan(&result, &counts); err != nil {
			return none, err
		}
		c, err := readCounts(counts)
		d.Runs++
		d.Results[checks.Result(result)]++
		d.Compared += c.Compared()
		return none, err
	}, `SELECT result, counts FROM runs WHERE state = 'finished' AND finished_at >= $1 AND finished_at < $2`, millis(d.From), millis(d.To))
	return err
}

func (l *Ledger) digestEdges(ctx context.Context, d *alerts.Digest) error {
	edges, err := collect(ctx, l.read, scanEdge, selectEdge+` WHERE declared`)
	if err != nil {
		return err
	}
	names, stale := map[string]bool{}, map[string]bool{}
	judged := 0
	for i := range edges {
		e := &edges[i]
		names[e.Check] = true
		if p := l.policyOf(e.Check); p.StaleAt != nil && e.Health(d.To, e.Begun, p.StaleAt) == drift.Stale {
			stale[e.Check] = true
		}
		if e.LastRun != "" {
			d.Coverage += e.Coverage
			judged++
		}
	}
	if judged > 0 {
		d.Coverage /= float64(judged)
	}
	d.Checks, d.Stale = int64(len(names)), slices.Sorted(maps.Keys(stale))
	return nil
}

func (l *Ledger) digestIncidents(ctx context.Context, d *alerts.Digest) error {
	list, err := collect(ctx, l.read, scanIncident, selectIncident+` WHERE state <> 'resolved' OR resolved_at >= $1 ORDER BY number`, millis(d.From))
	if err != nil {
		return err
	}
	unheard, err := l.unheard(ctx, d.From)
	if err != nil {
		return err
	}
	var lasted []time.Duration
	for _, i := range list {
		p := l.policyOf(i.Check)
		line := alerts.Line{Incident: i.ID, Check: i.Check, Kind: i.Kind, Severity: p.Severity, Counted: i.Facts.Counted, Since: i.OpenedAt, State: i.State}
		opened := !i.OpenedAt.Before(d.From) && i.OpenedAt.Before(d.To)
		if opened {
			d.Opened++
		}
		if i.State != alerts.Resolved {
			d.Open = append(d.Open, line)
			continue
		}
		if !i.ResolvedAt.Before(d.To) {
			continue
		}
		if opened {
			d.Resolved++
			lasted = append(lasted, i.ResolvedAt.Sub(i.OpenedAt))
		}
		if unheard[i.ID] {
			d.Unheard = append(d.Unheard, line)
		}
	}
	if slices.Sort(lasted); len(lasted) > 0 {
		d.Median = (lasted[(len(lasted)-1)/2] + lasted[len(lasted)/2]) / 2
	}
	slices.SortStableFunc(d.Open, func(a, b alerts.Line) int {
		return cmp.Or(gravity(b.Severity)-gravity(a.Severity), cmp.Compare(b.Counted, a.Counted))
	})
	return nil
}

// unheard are incidents that were resolved since a time and that none of those who
// would be told was told of: nobody could be, the check was muted, or it was over
// before.
func (l *Ledger) unheard(ctx context.Context, since time.Time) (map[string]bool, error) {
	ids, err := collect(ctx, l.read, func(rows *sql.Rows) (id string, err error) { return id, rows.Scan(&id) },
		`SELECT i.id FROM incidents i JOIN deliveries d ON d.subject = i.id WHERE i.state = 'resolved' AND i.resolved_at >= $1
			GROUP BY i.id HAVING MAX(d.sent_at) = 0`, millis(since))
	unheard := map[string]bool{}
	for _, id := range ids {
		unheard[id] = true
	}
	return unheard, err
}

// gravity orders severities.
func gravity(severity string) int {
	return slices.Index([]string{"low", "medium", "high", "critical"}, severity)
}
