package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"plumbline/alerts"
)

// editPause is the least time between two edits of a message that only bring its
// figures up to date.
const editPause = 10 * time.Second

// delivery is what one target was told of one subject, and when more is due.
type delivery struct {
	subject             string
	target              alerts.Target
	ref                 alerts.Ref
	revision, milestone int64
	content             string
	due, doubtful, sent time.Time
	lost, upto, tries   int64
	error               string
}

const deliveryColumns = `subject, integration, address, mention, channel, ts, revision, milestone, content, due_at, doubtful, lost, upto, tries, error, sent_at`

func scanDelivery(rows *sql.Rows) (*delivery, error) {
	d := &delivery{}
	var due, doubtful, sent int64
	err := rows.Scan(&d.subject, &d.target.Integration, &d.target.Address, &d.target.Mention, &d.ref.Channel, &d.ref.TS, &d.revision, &d.milestone,
		&d.content, &due, &doubtful, &d.lost, &d.upto, &d.tries, &d.error, &sent)
	d.due, d.doubtful, d.sent = timeOf(due), timeOf(doubtful), timeOf(sent)
	return d, err
}

func (d *delivery) edits() bool { return d.target.Integration != alerts.ByWebhook }

// story is how an incident stands, as far as it says what is due.
type story struct {
	*alerts.Incident
	last   int64 // its last milestone
	mute   *alerts.Mute
	muted  bool
	voiced int64 // the last milestone that is told even while it is muted, of a target that only posts
}

// step is what is to be sent next; "" is nothing. wanted says whether the policy
// names the target.
func (d *delivery) step(s *story, wanted bool) alerts.Step {
	switch {
	case !d.edits():
		fresh := d.revision == 0
		behind := s.last > d.milestone || s.Revision > d.revision
		if fresh && !wanted || !behind || s.muted && (fresh || s.voiced <= d.milestone) {
			return ""
		}
		return alerts.Post
	case d.ref.TS == "":
		if d.doubtful.IsZero() && (s.muted || !wanted || s.State == alerts.Resolved) {
			return ""
		}
		return alerts.Post
	case s.Revision > d.revision:
		return alerts.Edit
	case s.last > d.milestone && !s.muted:
		return alerts.Reply
	}
	return ""
}

// dueAt is when the next step is due; zero is never. News are due at once, so is
// what a person did, and what only brings figures up to date after a pause. What failed keeps its time.
func (d *delivery) dueAt(s *story, wanted bool, now time.Time) time.Time {
	step := d.step(s, wanted)
	if step == "" {
		return time.Time{}
	}
	if d.tries > 0 && !d.due.IsZero() {
		return d.due
	}
	due, news := now, s.last > d.milestone && (!s.muted || !d.edits())
	acted := s.muted && s.mute.At.After(d.sent) || s.AcknowledgedAt.After(d.sent) // whoever did waits to see it
	if calm := d.sent.Add(editPause); !news && !acted && calm.After(now) {
		due = calm
	}
	if !d.due.IsZero() && d.due.Before(due) {
		return d.due
	}
	return due
}

// deliver draws what is due to be told of an incident, to the targets of its
// policy and to those that were told before. Whoever calls holds the incident.
func (tx *Tx) deliver(ctx context.Context, i *alerts.Incident, last int64, p *alerts.Policy, mute *alerts.Mute, now time.Time) error {
	rows, err := tx.holdDeliveries(ctx, i.ID)
	if err != nil {
		return err
	}
	s, err := tx.story(ctx, i, last, mute, now)
	if err != nil {
		return err
	}
	for _, target := range p.Targets {
		if !slices.ContainsFunc(rows, func(d *delivery) bool { return sameTarget(d.target, target) }) && i.State != alerts.Resolved {
			d := &delivery{subject: i.ID, target: target}
			if err := tx.openDelivery(ctx, d); err != nil {
				return err
			}
			rows = append(rows, d)
		}
	}
	for _, d := range rows {
		n := slices.IndexFunc(p.Targets, func(t alerts.Target) bool { return sameTarget(d.target, t) })
		if n >= 0 {
			d.target.Mention = p.Targets[n].Mention
		}
		if s.muted && i.State == alerts.Resolved && d.edits() {
			d.milestone = last // over before the mute was: there is nothing to come back to
		}
		d.due = d.dueAt(s, n >= 0, now)
		if _, err := tx.exec(ctx, `UPDATE deliveries SET mention = $1, milestone = $2, due_at = $3 WHERE subject = $4 AND integration = $5 AND address = $6`,
			d.target.Mention, d.milestone, millis(d.due), d.subject, d.target.Integration, d.target.Address); err != nil {
			return fmt.Errorf("keep what is due of %s: %w", i.ID, err)
		}
		if !d.due.IsZero() {
			tx.tell(Change{Topic: "alert"})
		}
	}
	return nil
}

func sameTarget(a, b alerts.Target) bool {
	return a.Integration == b.Integration && a.Address == b.Address
}

// story is how an incident stands.
func (tx *Tx) story(ctx context.Context, i *alerts.Incident, last int64, mute *alerts.Mute, now time.Time) (*story, error) {
	s := &story{Incident: i, last: last, mute: mute, muted: mute != nil && mute.On(i.Facts.Extent(), now)}
	if !s.muted {
		return s, nil
	}
	err := tx.sql.QueryRowContext(ctx, `SELECT COALESCE(MAX(n), 0) FROM milestones WHERE incident = $1 AND event IN ($2, $3)`,
		i.ID, string(alerts.WasMuted), string(alerts.WasResolved)).Scan(&s.voiced)
	if err != nil {
		return nil, fmt.Errorf("read the milestones of %s: %w", i.ID, err)
	}
	return s, nil
}

// storyNow reads how an incident stands.
func (tx *Tx) storyNow(ctx context.Context, i *alerts.Incident, now time.Time) (*story, error) {
	last, err := lastMilestone(ctx, tx.sql, i.ID)
	if err != nil {
		return nil, err
	}
	mute, err := muteOf(ctx, tx.sql, i.Check)
	if err != nil {
		return nil, err
	}
	return tx.story(ctx, i, last, mute, now)
}

// holdDeliveries makes this transaction the only one that changes what is due of
// a subject, and reads it.
func (tx *Tx) holdDeliveries(ctx context.Context, subject string) ([]*delivery, error) {
	_, err := tx.exec(ctx, `UPDATE deliveries SET tries = tries WHERE subject = $1`, subject)
	if err != nil {
		return nil, fmt.Errorf("hold what is due of %s: %w", subject, err)
	}
	rows, err := collect(ctx, tx.sql, scanDelivery, `SELECT `+deliveryColumns+` FROM deliveries WHERE subject = $1 ORDER BY integration, address`, subject)
	if err != nil {
		return nil, fmt.Errorf("read what is due of %s: %w", subject, err)
	}
	return rows, nil
}

// openDelivery begins to keep what a target is told; the same twice is once.
func (tx *Tx) openDelivery(ctx context.Context, d *delivery) error {
	for _, address := range []string{"", d.target.Address} {
		if _, err := tx.exec(ctx, `INSERT INTO outlets (integration, address, next_at, held_until, noted_at, term, error, error_at) VALUES ($1, $2, 0, 0, 0, 0, '', 0)
			ON CONFLICT (integration, address) DO NOTHING`, d.target.Integration, address); err != nil {
			return fmt.Errorf("open outlet %s %s: %w", d.target.Integration, address, err)
		}
	}
	_, err := tx.exec(ctx, `INSERT INTO deliveries (`+deliveryColumns+`) VALUES ($1, $2, $3, $4, '', '', 0, 0, $5, $6, 0, 0, 0, 0, '', 0)
		ON CONFLICT (subject, integration, address) DO NOTHING`,
		d.subject, d.target.Integration, d.target.Address, d.target.Mention, d.content, millis(d.due))
	if err != nil {
		return fmt.Errorf("keep what is due of %s: %w", d.subject, err)
	}
	return nil
}

// DeliveryState is what one target was told of an incident.
type DeliveryState struct {
	Target   alerts.Target
	Ref      alerts.Ref
	Revision int64
	// SentAt is when it was last told; DueAt when more is due, zero for nothing.
	SentAt, DueAt time.Time
	// Tries is how often the step that is due failed, Error why it did last.
	Tries int64
	Error string
}

// DeliveryStates is what every target was told of an incident.
func (l *Ledger) DeliveryStates(ctx context.Context, id string) ([]DeliveryState, error) {
	list, err := collect(ctx, l.read, func(rows *sql.Rows) (DeliveryState, error) {
		d, err := scanDelivery(rows)
		return DeliveryState{Target: d.target, Ref: d.ref, Revision: d.revision, SentAt: d.sent, DueAt: d.due, Tries: d.tries, Error: d.error}, err
	}, `SELECT `+deliveryColumns+` FROM deliveries WHERE subject = $1 ORDER BY integration, address`, id)
	if err != nil {
		return nil, fmt.Errorf("list what was told of %s: %w", id, err)
	}
	return list, nil
}

// OutletState is how one target of all takes what it is sent; Address "" is a
// whole integration.
type OutletState struct {
	Integration, Address string
	// Error is why it refuses, since ErrorAt; "" where it does not.
	Error   string
	ErrorAt time.Time
	// NextAt: nothing is sent there before.
	NextAt time.Time
	// Queue is how many deliveries are due there, now or later.
	Queue int64
}

// Outlets lists every target that anything was ever due for.
func (l *Ledger) Outlets(ctx context.Context) ([]OutletState, error) {
	list, err := collect(ctx, l.read, func(rows *sql.Rows) (o OutletState, err error) {
		var failed, next int64
		err = rows.Scan(&o.Integration, &o.Address, &o.Error, &failed, &next, &o.Queue)
		o.ErrorAt, o.NextAt = timeOf(failed), timeOf(next)
		return o, err
	}, `SELECT integration, address, error, error_at, next_at,
			(SELECT COUNT(*) FROM deliveries d WHERE d.integration = o.integration AND (d.address = o.address OR o.address = '') AND d.due_at > 0)
		FROM outlets o ORDER BY integration, address`)
	if err != nil {
		return nil, fmt.Errorf("list outlets: %w", err)
	}
	return list, nil
}
