package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"plumbline/alerts"
)

const (
	// outletHold is how long whoever sends has an outlet for itself: longer than any
	// send takes.
	outletHold = time.Minute
	// sendPause is the least time between two messages to one target that edits: a
	// channel takes one a second.
	sendPause = time.Second
)

// ClaimDelivery takes the step that is due the longest of an outlet that may be
// sent to, news first, and holds the outlet for it: nobody else sends there until
// the delivery is settled, or for a minute. d is nil where nothing is due; next is
// then when something may be, zero for nothing at all. What makes a message is
// noted as doubtful before it is handed out, so that one whose sender dies is
// looked for.
func (l *Ledger) ClaimDelivery(ctx context.Context, integrations []string) (d *alerts.Delivery, next time.Time, err error) {
	now := timeOf(millis(l.now()))
	waiting, err := l.waitingOutlets(ctx, integrations)
	if err != nil {
		return nil, next, fmt.Errorf("look for what is due: %w", err)
	}
	for _, o := range waiting {
		if o.ready.After(now) {
			if next.IsZero() || o.ready.Before(next) {
				next = o.ready
			}
			continue
		}
		if d, err = l.claimOutlet(ctx, o.integration, o.address, now); err != nil {
			return nil, next, fmt.Errorf("claim what is due for %s %s: %w", o.integration, o.address, err)
		}
		if d != nil {
			return d, now, nil
		}
		if next.IsZero() || next.After(now.Add(sendPause)) {
			next = now.Add(sendPause) // somebody else has it
		}
	}
	return nil, next, nil
}

// waitingOutlet is an outlet that something is due for, and when it may be sent.
type waitingOutlet struct {
	integration, address string
	due, ready           time.Time
}

// waitingOutlets lists those of some integrations, the one whose turn came first
// at the head.
func (l *Ledger) waitingOutlets(ctx context.Context, integrations []string) ([]waitingOutlet, error) {
	type place struct{ integration, address string }
	free := map[place]time.Time{}
	_, err := collect(ctx, l.read, func(rows *sql.Rows) (none struct{}, err error) {
		var p place
		var next, held int64
		err = rows.Scan(&p.integration, &p.address, &next, &held)
		free[p] = timeOf(max(next, held))
		return none, err
	}, `SELECT integration, address, next_at, held_until FROM outlets`)
	if err != nil {
		return nil, err
	}
	list, err := collect(ctx, l.read, func(rows *sql.Rows) (o waitingOutlet, err error) {
		var due int64
		err = rows.Scan(&o.integration, &o.address, &due)
		o.due = timeOf(due)
		return o, err
	}, `SELECT integration, address, MIN(due_at) FROM deliveries WHERE due_at > 0 GROUP BY integration, address`)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(o waitingOutlet) bool { return !slices.Contains(integrations, o.integration) })
	for i := range list {
		o := &list[i]
		o.ready = o.due
		for _, at := range []time.Time{free[place{o.integration, o.address}], free[place{o.integration, ""}]} {
			if at.After(o.ready) {
				o.ready = at
			}
		}
	}
	slices.SortFunc(list, func(a, b waitingOutlet) int { return a.ready.Compare(b.ready) })
	return list, nil
}

// claimOutlet holds an outlet and takes its next step; nil where somebody else
// holds it, it is to wait, or nothing is due any more.
func (l *Ledger) claimOutlet(ctx context.Context, integration, address string, now time.Time) (d *alerts.Delivery, err error) {
	err = l.InTx(ctx, func(tx *Tx) error {
		d = nil
		var term int64
		err := tx.sql.QueryRowContext(ctx, `UPDATE outlets SET term = term + 1, held_until = $1, noted_at = $4
			WHERE integration = $2 AND address = $3 AND held_until <= $4 AND next_at <= $4
				AND NOT EXISTS (SELECT 1 FROM outlets i WHERE i.integration = outlets.integration AND i.address = '' AND i.next_at > $4)
			RETURNING term`, millis(now.Add(outletHold)), integration, address, millis(now)).Scan(&term)
		if nothing(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if d, err = l.takeStep(ctx, tx, integration, address, now); err != nil {
			return err
		}
		if d == nil {
			_, err := tx.exec(ctx, `UPDATE outlets SET held_until = 0 WHERE integration = $1 AND address = $2`, integration, address)
			return err
		}
		d.Term = term
		return nil
	})
	return d, err
}

// takeStep finds the next step of an outlet that is held.
func (l *Ledger) takeStep(ctx context.Context, tx *Tx, integration, address string, now time.Time) (*alerts.Delivery, error) {
	for {
		subject, err := tx.longestDue(ctx, integration, address, now)
		if err != nil || subject == "" {
			return nil, err
		}
		rows, err := tx.holdDeliveries(ctx, subject)
		if err != nil {
			return nil, err
		}
		n := slices.IndexFunc(rows, func(d *delivery) bool { return d.target.Integration == integration && d.target.Address == address })
		if n < 0 {
			continue // it was pruned
		}
		row := rows[n]
		d, err := l.stepOf(ctx, tx, row, now)
		if err != nil || d != nil {
			return d, err
		}
		if _, err := tx.exec(ctx, `UPDATE deliveries SET due_at = 0 WHERE subject = $1 AND integration = $2 AND address = $3`, subject, integration, address); err != nil {
			return nil, err
		}
	}
}

// longestDue is the subject that is due the longest of an outlet, of those with
// news where there are any; "" is none. Each is found by the order of the index,
// however many are due.
func (tx *Tx) longestDue(ctx context.Context, integration, address string, now time.Time) (subject string, err error) {
	for _, news := range []string{` AND EXISTS (SELECT 1 FROM milestones m WHERE m.incident = deliveries.subject AND m.n > deliveries.milestone)`, ``} {
		err = tx.sql.QueryRowContext(ctx, `SELECT subject FROM deliveries WHERE integration = $1 AND address = $2 AND due_at > 0 AND due_at <= $3`+
			news+` ORDER BY due_at LIMIT 1`, integration, address, millis(now)).Scan(&subject)
		if !nothing(err) {
			return subject, err
		}
	}
	return "", nil
}

// stepOf is what is to be sent of a subject; nil where nothing is any more.
func (l *Ledger) stepOf(ctx context.Context, tx *Tx, row *delivery, now time.Time) (*alerts.Delivery, error) {
	d := &alerts.Delivery{Target: row.target, Ref: row.ref, Doubtful: row.doubtful, Lost: row.lost, Now: now}
	if row.content != "" {
		d.Step, d.Digest, d.ID = alerts.Notice, &alerts.Digest{}, deliveryID(row, "notice")
		if err := undocument(row.content, d.Digest); err != nil {
			return nil, err
		}
		return d, tx.doubt(ctx, row, 0, now)
	}
	i, err := incidentRow(ctx, tx.sql, row.subject)
	if err != nil {
		return nil, err
	}
	s, err := tx.storyNow(ctx, i, now)
	if err != nil {
		return nil, err
	}
	d.Incident, d.Last, d.Policy = i, s.last, l.policyOf(i.Check)
	wanted := slices.ContainsFunc(d.Policy.Targets, func(t alerts.Target) bool { return sameTarget(t, row.target) })
	if d.Step = row.step(s, wanted); d.Step == "" {
		return nil, nil
	}
	if s.muted {
		d.Muted = s.mute
	}
	switch {
	case d.Step == alerts.Edit:
		d.Doubtful, d.Lost = time.Time{}, 0
	case d.Step == alerts.Reply && row.upto > row.milestone:
		d.Last = row.upto
	case d.Step == alerts.Reply: // what was doubtful has been told otherwise
		d.Doubtful, d.Lost = time.Time{}, 0
	}
	row.doubtful, row.lost = d.Doubtful, d.Lost
	if d.Milestones, err = milestonesBetween(ctx, tx.sql, i.ID, row.milestone, d.Last); err != nil {
		return nil, err
	}
	d.ID = deliveryID(row, fmt.Sprintf("%s %d %d-%d", d.Step, i.Revision, row.milestone, d.Last))
	switch {
	case d.Step == alerts.Edit || !row.edits():
		return d, nil
	case d.Step == alerts.Post:
		d.ID = deliveryID(row, "post")
	default:
		d.ID = deliveryID(row, fmt.Sprintf("reply %d-%d", row.milestone, d.Last))
	}
	return d, tx.doubt(ctx, row, d.Last, now)
}

// doubt notes that a message is about to be made.
func (tx *Tx) doubt(ctx context.Context, row *delivery, upto int64, now time.Time) error {
	if !row.edits() {
		return nil
	}
	since := row.doubtful
	if since.IsZero() {
		since = now
	}
	_, err := tx.exec(ctx, `UPDATE deliveries SET doubtful = $1, lost = $2, upto = $3 WHERE subject = $4 AND integration = $5 AND address = $6`,
		millis(since), row.lost+1, upto, row.subject, row.target.Integration, row.target.Address)
	return err
}

// deliveryID is the same for every try of the same step.
func deliveryID(d *delivery, step string) string {
	sum := sha256.Sum256([]byte(fmt.Sprintf("%q %q %q %q", d.subject, d.target.Integration, d.target.Address, step)))
	return hex.EncodeToString(sum[:12])
}
