package auditor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/sources"
)

// Run begins a run of a check, one per replica, now. keys, as the owner writes
// them, are compared alone; none is what the check declares. *ledger.NotFoundError
// where there is no such check, *ledger.OverlapError where it runs already.
func (a *Auditor) Run(ctx context.Context, check string, trigger ledger.Trigger, actor string, keys []sources.Key) ([]*ledger.Run, error) {
	return a.RunAsked(ctx, check, trigger, actor, keys, ledger.Asked{})
}

// RunAsked is Run of something else than the check declares. What cannot be asked
// is *NotPossible.
func (a *Auditor) RunAsked(ctx context.Context, check string, trigger ledger.Trigger, actor string, keys []sources.Key, asked ledger.Asked) ([]*ledger.Run, error) {
	b := a.book.Load()
	c := b.checks[check]
	if c == nil {
		return nil, &ledger.NotFoundError{What: "check", Name: check}
	}
	if why := impossible(c.Check, keys, asked); why != "" {
		return nil, &NotPossible{why}
	}
	runs := newRuns(b, c, trigger, actor, time.Time{})
	for _, r := range runs {
		r.Keys, r.Asked, r.Sample = keys, asked, checks.Sample{}
		if len(keys) == 0 {
			r.Sample = asked.Of(c.Check)
		}
	}
	err := a.ledger.CreateRuns(ctx, runs, func(tx *ledger.Tx) error { return a.insert(ctx, tx, beginJobs(b, runs)) })
	if err != nil {
		return nil, err
	}
	return runs, nil
}

// impossible says why a run of a check cannot be asked for; "" where it can.
func impossible(c *checks.Check, keys []sources.Key, asked ledger.Asked) string {
	ways := 0
	for _, way := range []bool{len(keys) > 0, asked.Full, asked.Sample > 0 && asked.Since == 0, asked.Since > 0} {
		if way {
			ways++
		}
	}
	switch {
	case ways > 1:
		return "a run compares everything, a sample, what changed of late, or given keys: ask for one of them"
	case asked.Sample < 0, asked.Since < 0, asked.StopAfter < 0:
		return "a sample, a time and a number of differences are more than 0"
	case asked.Since > 0 && c.Sample.RecentBy == "":
		return "nothing says when a record changed: declare sample.recent_by of the check"
	}
	return ""
}

func newRuns(b *book, c *Check, trigger ledger.Trigger, actor string, slot time.Time) (runs []*ledger.Run) {
	for i := range c.Check.Edges {
		runs = append(runs, &ledger.Run{Check: c.Check.Name, Replica: c.Check.Edges[i].Name, Trigger: trigger, Actor: actor,
			SlotAt: slot, Generation: b.generation, Hash: c.Hash, Sample: c.Check.Sample})
	}
	return runs
}

func beginJobs(b *book, runs []*ledger.Run) (jobs []river.InsertManyParams) {
	for _, r := range runs {
		jobs = append(jobs, beginJob{Run: r.ID, work: workOf(b, r)}.insert())
	}
	return jobs
}

// Cancel asks a run to stop; what it has read stands. *ledger.Ended where it is over.
func (a *Auditor) Cancel(ctx context.Context, id, actor string) (*ledger.Run, error) {
	run, err := a.ledger.CancelRun(ctx, id, actor)
	if err != nil {
		return nil, err
	}
	if run.State == ledger.Finished {
		a.observer.RunConcluded(run)
	}
	return run, nil
}

// Resume goes on with a run that was not read to its end, from where each of its
// segments stopped. *ledger.Ended where nothing is left to read.
func (a *Auditor) Resume(ctx context.Context, id, actor string) (*ledger.Run, error) {
	b := a.book.Load()
	run, err := a.ledger.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	if _, ok := b.edge(run.Check, run.Replica); !ok {
		return nil, &ledger.NotFoundError{What: "check", Name: run.Check + " with replica " + run.Replica}
	}
	return a.ledger.ResumeRun(ctx, run.ID, actor, func(tx *ledger.Tx, segments []ledger.Segment) error {
		return a.insert(ctx, tx, segmentJobs(b, run, segments))
	})
}

// recheckTimeout bounds how long a person waits for both stores.
const recheckTimeout = 20 * time.Second

// NotPossible is an act that is not possible, and why.
type NotPossible struct{ Why string }

func (e *NotPossible) Error() string { return e.Why }

// Recheck reads a finding's record on both sides now, records what that came to
// and returns the finding as it is then. *ledger.NotFoundError, *NotPossible.
func (a *Auditor) Recheck(ctx context.Context, finding, actor string) (found *drift.Finding, err error) {
	f, err := a.ledger.Finding(ctx, finding)
	if err != nil {
		return nil, err
	}
	err = a.onRecord(ctx, f, func(ctx context.Context, b *book, edge ledger.EdgeFacts) error {
		unlock := a.edges.lock(f.Check, f.Replica)
		defer unlock()
		o, err := a.open(ctx, b, edge, nil)
		if err != nil {
			return err
		}
		verdict, err := recheckOne(ctx, a.shift(b, edge, o), suspectOf(f))
		if err == nil && verdict.Outcome == checks.Unread {
			err = &NotPossible{"the record could not be read: " + verdict.Reason}
		}
		if err == nil {
			a.judged(edge, []checks.Verdict{verdict})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	a.log.Info("finding read again", "finding", f.ID, "actor", actor)
	return a.ledger.Finding(ctx, f.ID)
}

// suspectOf is a finding's record as it is read again.
func suspectOf(f *drift.Finding) checks.Suspect {
	return checks.Suspect{Key: f.Key, ID: f.CopyID, FirstSeen: f.FirstSeen, Since: f.LastSeen, Known: f.State.Open(), Duplicate: f.Kind == checks.Duplicate}
}

// onRecord reads a finding's record for a person, by the present configuration,
// and says why that is not possible as a *NotPossible.
func (a *Auditor) onRecord(ctx context.Context, f *drift.Finding, read func(ctx context.Context, b *book, edge ledger.EdgeFacts) error) error {
	if !f.Whole() {
		return &NotPossible{fmt.Sprintf("%s has no key by which its record could be read again", f.ID)}
	}
	err := a.hold(func(b *book) error {
		edge, ok := b.edge(f.Check, f.Replica)
		if !ok {
			return &NotPossible{fmt.Sprintf("%s is of check %s and replica %s, which are no longer configured", f.ID, f.Check, f.Replica)}
		}
		ctx, cancel := context.WithTimeout(ctx, recheckTimeout)
		defer cancel()
		err := contained(func() error { return read(ctx, b, edge) })
		var impossible *NotPossible
		if err == nil || errors.As(err, &impossible) {
			return err
		}
		return fmt.Errorf("read %s again: %s", f.ID, a.shown(edge, err))
	})
	var snoozed *river.JobSnoozeError
	if errors.As(err, &snoozed) {
		return &NotPossible{"the configuration is being changed: try again in a moment"}
	}
	return err
}

// Next is when a check runs next by its schedule; the zero time where it has none.
func (a *Auditor) Next(check string) time.Time {
	c := a.book.Load().checks[check]
	if c == nil || c.Schedule.IsZero() {
		return time.Time{}
	}
	if row, ok := a.dues.row(check); ok {
		return row.DueAt
	}
	_, due := firstAfter(check, c.Schedule, a.now())
	return due
}
