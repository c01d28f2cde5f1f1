package auditor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"plumbline/access"
	"plumbline/alerts"
	"plumbline/checks"
	"plumbline/ledger"
	"plumbline/reconciler"
	"plumbline/sources"
)

// Desk is where people act, whichever way they come: a page, the API, a command
// or Slack. Who asks is the actor behind ctx; each method is an
// *access.DeniedError where they may not. What was done is in the audit log, by
// the transaction that did it. It is safe for many goroutines.
type Desk struct {
	ledger  *ledger.Ledger
	auditor *Auditor
	fixes   *Fixes // nil where nobody drafts or applies plans
	now     func() time.Time
}

// NewDesk makes a Desk. a is nil where nobody works here: what needs somebody is
// then *NotPossible. now, where nil, is time.Now.
func NewDesk(l *ledger.Ledger, a *Auditor, now func() time.Time) *Desk {
	if now == nil {
		now = time.Now
	}
	d := &Desk{ledger: l, auditor: a, now: now}
	if a != nil {
		d.fixes = a.fixes
	}
	return d
}

const (
	// LongestMute is how far ahead the mute of a check may end: further is a slip,
	// and a check that is to be quiet for longer is better taken out.
	LongestMute = 90 * 24 * time.Hour
	// longestNote bounds what people write beside an act, in bytes.
	longestNote = 1000
)

// Acknowledge says that somebody takes an incident on. revision, where it is not
// 0, is what they saw: *ledger.StaleError where it moved on. *ledger.NotFoundError,
// *alerts.NotPossible.
func (d *Desk) Acknowledge(ctx context.Context, incident string, revision int64, note string) (*alerts.Incident, error) {
	if err := access.Require(ctx, access.Act); err != nil {
		return nil, err
	}
	note, err := written("note", note)
	if err != nil {
		return nil, err
	}
	return d.ledger.AcknowledgeIncident(ctx, incident, access.ActorOf(ctx).Name, note, revision)
}

// Mute keeps a check quiet until a time, until more differs than now, or until
// either. A mute that holds is replaced. *ledger.NotFoundError, *NotPossible.
func (d *Desk) Mute(ctx context.Context, check string, until time.Time, untilGrows bool, reason string) (*alerts.Mute, error) {
	if err := access.Require(ctx, access.Act); err != nil {
		return nil, err
	}
	reason, err := written("reason", reason)
	if err != nil {
		return nil, err
	}
	now := d.now()
	switch {
	case until.IsZero() && !untilGrows:
		return nil, &NotPossible{"a mute ends at some time, or when more differs: say which"}
	case !until.IsZero() && !until.After(now):
		return nil, &NotPossible{"that time has passed"}
	case until.Sub(now) > LongestMute:
		return nil, &NotPossible{fmt.Sprintf("a mute lasts %d days at most", LongestMute/(24*time.Hour))}
	}
	m := alerts.Mute{Check: check, Until: until, Actor: access.ActorOf(ctx).Name, Reason: reason, At: now}
	if untilGrows {
		counted, err := d.ledger.Counted(ctx, check)
		if err != nil {
			return nil, err
		}
		m.Above = alerts.Growth(counted)
	}
	if err := d.ledger.MuteCheck(ctx, m); err != nil {
		return nil, err
	}
	return &m, nil
}

// Unmute lets a check be heard again. *ledger.NotFoundError where there is no such check.
func (d *Desk) Unmute(ctx context.Context, check string) error {
	if err := access.Require(ctx, access.Act); err != nil {
		return err
	}
	return d.ledger.UnmuteCheck(ctx, check, access.ActorOf(ctx).Name)
}

// Run begins a run of each edge of a check; keys, as the owner writes them, are
// then compared alone. *ledger.NotFoundError, *ledger.OverlapError, *NotPossible.
func (d *Desk) Run(ctx context.Context, check string, keys []sources.Key) ([]*ledger.Run, error) {
	if err := access.Require(ctx, access.Act); err != nil {
		return nil, err
	}
	if d.auditor == nil {
		return nil, &NotPossible{"nobody works in this process: start plumbline serve"}
	}
	return d.auditor.Run(ctx, check, ledger.ByPerson, access.ActorOf(ctx).Name, keys)
}

// RunAsked is Run of something else than the check declares.
func (d *Desk) RunAsked(ctx context.Context, check string, asked ledger.Asked) ([]*ledger.Run, error) {
	if err := access.Require(ctx, access.Act); err != nil {
		return nil, err
	}
	if d.auditor == nil {
		return nil, &NotPossible{"nobody works in this process: start plumbline serve"}
	}
	return d.auditor.RunAsked(ctx, check, ledger.ByPerson, access.ActorOf(ctx).Name, nil, asked)
}

// RunKey is Run of the one key that a person wrote as `plumbline run --key` takes it.
func (d *Desk) RunKey(ctx context.Context, check, key string) ([]*ledger.Run, error) {
	if err := access.Require(ctx, access.Act); err != nil {
		return nil, err
	}
	if d.auditor == nil {
		return nil, &NotPossible{"nobody works in this process: start plumbline serve"}
	}
	kinds, err := d.auditor.KeyKinds(ctx, check)
	if err != nil {
		return nil, err
	}
	parsed, err := checks.ParseKey(key, kinds)
	if err != nil {
		return nil, &NotPossible{"that is no key of the check: write its parts as the owner does, divided by commas"}
	}
	return d.Run(ctx, check, []sources.Key{parsed})
}

// Recheck begins a run of an incident's check, which reads what is open first.
// Errors are those of Run.
func (d *Desk) Recheck(ctx context.Context, incident string) ([]*ledger.Run, error) {
	if err := access.Require(ctx, access.Act); err != nil {
		return nil, err
	}
	i, err := d.ledger.Incident(ctx, incident)
	if err != nil {
		return nil, err
	}
	return d.Run(ctx, i.Check, nil)
}

// written is a person's text as it is kept.
func written(what, text string) (string, error) {
	text = strings.TrimSpace(strings.ToValidUTF8(text, "\uFFFD"))
	if len(text) > longestNote {
		return "", &NotPossible{fmt.Sprintf("a %s has at most %d bytes", what, longestNote)}
	}
	return text, nil
}

// Refused says whether an error of a Desk is an answer to whoever asked, and not
// a fault of ours.
func Refused(err error) bool {
	var (
		denied   *access.DeniedError
		notFound *ledger.NotFoundError
		stale    *ledger.StaleError
		overlap  *ledger.OverlapError
		here     *NotPossible
		there    *alerts.NotPossible
		refused  *reconciler.Refusal
	)
	return errors.As(err, &denied) || errors.As(err, &notFound) || errors.As(err, &stale) || errors.As(err, &overlap) ||
		errors.As(err, &here) || errors.As(err, &there) || errors.As(err, &refused)
}
