package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"plumbline/alerts"
)

// How long a step that failed waits: at first, doubled with every try, and at
// most; and one that will be refused until somebody mends something.
const (
	firstBackoff = 2 * time.Second
	mostBackoff  = 5 * time.Minute
	refusedPause = 10 * time.Minute
)

// backoff is how long to wait after so many failures.
func backoff(tries int64) time.Duration {
	d := firstBackoff
	for ; tries > 1 && d < mostBackoff; tries-- {
		d *= 2
	}
	return min(d, mostBackoff)
}

// SettleDelivery keeps what became of a claimed delivery, and what is due next.
// sent is what the Sender returned. ErrLostTerm where the outlet has meanwhile
// been claimed by another; then nothing is kept but where a message is of which
// nobody knew that it was made.
func (l *Ledger) SettleDelivery(ctx context.Context, d *alerts.Delivery, r alerts.Receipt, sent error) error {
	subject, lost := "", false
	err := l.InTx(ctx, func(tx *Tx) error {
		lost = false
		now := timeOf(millis(l.now()))
		held, err := tx.exec(ctx, `UPDATE outlets SET held_until = 0 WHERE integration = $1 AND address = $2 AND term = $3`,
			d.Target.Integration, d.Target.Address, d.Term)
		if err != nil {
			return err
		}
		row, err := tx.deliveryOf(ctx, d)
		if err != nil || row == nil {
			return err
		}
		subject = row.subject
		if held == 0 {
			lost = true
			if d.Step != alerts.Post || sent != nil || row.ref.TS != "" || row.doubtful.IsZero() {
				return nil
			}
			row.posted(d, r, now)
			return l.keepSettled(ctx, tx, row, now)
		}
		out := outletChange{next: now}
		row.settle(d, r, sent, now, &out)
		if err := tx.keepOutlet(ctx, d, &out, now); err != nil {
			return err
		}
		return l.keepSettled(ctx, tx, row, now)
	})
	if err == nil && lost {
		err = ErrLostTerm
	}
	if err != nil {
		return fmt.Errorf("settle the delivery of %s to %s %s: %w", subject, d.Target.Integration, d.Target.Address, err)
	}
	return nil
}

// deliveryOf holds and reads the row that was claimed; nil where it was pruned.
func (tx *Tx) deliveryOf(ctx context.Context, d *alerts.Delivery) (*delivery, error) {
	subject := ""
	if d.Incident != nil {
		subject = d.Incident.ID
	} else if d.Digest != nil {
		subject = digestSubject(d.Digest.Day)
	}
	rows, err := tx.holdDeliveries(ctx, subject)
	if err != nil {
		return nil, err
	}
	n := slices.IndexFunc(rows, func(row *delivery) bool { return sameTarget(row.target, d.Target) })
	if n < 0 {
		return nil, nil
	}
	return rows[n], nil
}

// outletChange is what a step says of the outlet it went to.
type outletChange struct {
	next       time.Time // nothing is sent there before
	everywhere bool      // nor to the whole integration
	error      string    // why it refuses; "" where it took it
	told       bool      // error says something new
}

// settle takes over what a step came to.
func (row *delivery) settle(d *alerts.Delivery, r alerts.Receipt, sent error, now time.Time, out *outletChange) {
	if row.edits() {
		out.next = now.Add(sendPause)
	}
	var retry *alerts.RetryError
	var refused *alerts.RefusedError
	switch {
	case sent == nil:
		row.tries, row.error, row.due = 0, "", time.Time{}
		out.told = true
		row.done(d, r, now)
		if d.Step != alerts.Post {
			row.sent = now
		}
		return
	case errors.Is(sent, alerts.ErrGone) && row.ref != (alerts.Ref{}):
		row.ref, row.doubtful, row.lost, row.revision = alerts.Ref{}, time.Time{}, 0, 0
		row.tries, row.due, row.error = 0, time.Time{}, sent.Error()
		return
	}
	row.tries++
	row.error = text(sent.Error())
	switch {
	case errors.As(sent, &retry):
		after := retry.After
		if after <= 0 {
			after = backoff(row.tries)
		}
		row.due = now.Add(after)
		out.everywhere = retry.Everywhere
		if retry.After > 0 && row.due.After(out.next) {
			out.next = row.due
		}
		row.notSent(d)
	case errors.As(sent, &refused):
		row.due = now.Add(refusedPause)
		out.error, out.told = row.error, true
		row.notSent(d)
	default: // nobody knows whether it was done
		row.due = now.Add(backoff(row.tries))
	}
}

// notSent takes back the doubt about what was not made: what was doubtful before
// it still is.
func (row *delivery) notSent(d *alerts.Delivery) {
	if d.Step != alerts.Edit && row.edits() {
		row.doubtful, row.lost = d.Doubtful, d.Lost
	}
}

func (row *delivery) done(d *alerts.Delivery, r alerts.Receipt, now time.Time) {
	switch d.Step {
	case alerts.Post:
		row.posted(d, r, now)
	case alerts.Edit:
		row.revision = d.Incident.Revision
	case alerts.Reply:
		row.milestone = max(row.milestone, d.Last)
		row.doubtful, row.lost = time.Time{}, 0
	case alerts.Notice:
		row.doubtful, row.lost = time.Time{}, 0
	}
}

// posted: a root message tells the present state, and with it every milestone. One
// that was found tells what it told when it was made, which nobody knows.
func (row *delivery) posted(d *alerts.Delivery, r alerts.Receipt, now time.Time) {
	told := row.milestone
	row.doubtful, row.lost = time.Time{}, 0
	if row.edits() {
		if r.Ref.TS == "" {
			return // nobody was told, and now nobody is to be
		}
		row.ref = r.Ref
	}
	row.revision, row.milestone, row.sent = d.Incident.Revision, d.Last, now
	if r.Found {
		row.revision, row.milestone = 1, max(told, 1)
	}
}

// keepSettled writes a row, and when its next step is due.
func (l *Ledger) keepSettled(ctx context.Context, tx *Tx, row *delivery, now time.Time) error {
	if row.content == "" {
		if err := l.dueNext(ctx, tx, row, now); err != nil {
			return err
		}
	}
	_, err := tx.exec(ctx, `UPDATE deliveries SET channel = $1, ts = $2, revision = $3, milestone = $4, due_at = $5, doubtful = $6, lost = $7, tries = $8,
			error = $9, sent_at = $10 WHERE subject = $11 AND integration = $12 AND address = $13`,
		row.ref.Channel, row.ref.TS, row.revision, row.milestone, millis(row.due), millis(row.doubtful), row.lost, row.tries, row.error, millis(row.sent),
		row.subject, row.target.Integration, row.target.Address)
	if err != nil {
		return err
	}
	tx.tell(Change{Topic: "alert"})
	return nil
}

// dueNext draws when the next step of an incident's delivery is due, from the
// incident as it is now.
func (l *Ledger) dueNext(ctx context.Context, tx *Tx, row *delivery, now time.Time) error {
	i, err := incidentRow(ctx, tx.sql, row.subject)
	if err != nil {
		return err
	}
	s, err := tx.storyNow(ctx, i, now)
	if err != nil {
		return err
	}
	targets := l.policyOf(i.Check).Targets
	wanted := slices.ContainsFunc(targets, func(t alerts.Target) bool { return sameTarget(t, row.target) })
	if s.muted && i.State == alerts.Resolved && row.edits() {
		row.milestone = s.last
	}
	row.due = row.dueAt(s, wanted, now)
	return nil
}

// keepOutlet writes what a step says of its outlet.
func (tx *Tx) keepOutlet(ctx context.Context, d *alerts.Delivery, out *outletChange, now time.Time) error {
	addresses := []string{d.Target.Address}
	if out.everywhere {
		addresses = append(addresses, "")
	}
	for _, address := range addresses {
		_, err := tx.exec(ctx, `UPDATE outlets SET next_at = CASE WHEN next_at > $1 THEN next_at ELSE $1 END, noted_at = $2
			WHERE integration = $3 AND address = $4`, millis(out.next), millis(now), d.Target.Integration, address)
		if err != nil {
			return err
		}
	}
	if !out.told {
		return nil
	}
	since := time.Time{}
	if out.error != "" {
		since = now
	}
	_, err := tx.exec(ctx, `UPDATE outlets SET error = $1, error_at = CASE WHEN $1 = '' THEN 0 WHEN error_at > 0 THEN error_at ELSE $2 END
		WHERE integration = $3 AND address = $4`, out.error, millis(since), d.Target.Integration, d.Target.Address)
	return err
}
