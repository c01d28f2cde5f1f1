package auditor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/riverqueue/river"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/sources"
)

// standing is how a job stands to the configuration.
type standing int

const (
	current   standing = iota // the check is as it was when the job was queued
	elsewhere                 // another process knows the configuration it is of
	changed                   // nobody does any longer
)

// stands finds a job's edge. Where its check is not what it was, the job is for a
// process that still has, or has already, the configuration it was queued by.
func (a *Auditor) stands(b *book, w work) (ledger.EdgeFacts, standing) {
	return a.standsBy(b, w, func(c *Check) string { return c.Hash })
}

// standsBy is stands of a job that goes by another hash of its check.
func (a *Auditor) standsBy(b *book, w work, hash func(*Check) string) (ledger.EdgeFacts, standing) {
	edge, ok := b.edge(w.Check, w.Replica)
	switch {
	case ok && hash(b.checks[w.Check]) == w.Hash:
		return edge, current
	case w.Generation > b.generation || a.others.have(w.Generation):
		return edge, elsewhere
	}
	if !ok { // enough to end its work by
		edge = ledger.EdgeFacts{Check: &checks.Check{Name: w.Check, Edges: []checks.Edge{{Name: w.Replica}}}, Lens: b.lens}
	}
	return edge, changed
}

// hold has a job work by the present configuration.
func (a *Auditor) hold(do func(*book) error) error {
	b := a.book.Load()
	if !b.enter() {
		return again(soon())
	}
	defer b.leave()
	return do(b)
}

// workSegment is a segment's job: it claims the segment and audits it, and says
// what becomes of the rest.
func (a *Auditor) workSegment(ctx context.Context, job *river.Job[segmentJob]) error {
	return a.hold(func(b *book) error {
		edge, stands := a.stands(b, job.Args.work)
		if stands == elsewhere {
			return again(2 * time.Second)
		}
		return a.inRoom(ctx, b, edge, job.JobRow, func(inside context.Context) error {
			s, run, err := a.ledger.ClaimSegment(ctx, job.Args.Run, job.Args.N, a.me)
			if err != nil {
				outcome := a.over(err)
				return outcome
			}
			read := s.Read
			switch {
			case stands == changed:
				err = sources.Final(errors.New(ledger.ReasonChanged))
			case run.CancelRequested:
				err = ErrCancelled
			default:
				err = cleared(inside, contained(func() error { return a.audit(inside, b, edge, run, s) }))
			}
			return a.segmentEnds(ctx, edge, run, s, err, job.Attempt, s.Read > read)
		})
	})
}

func (a *Auditor) audit(ctx context.Context, b *book, edge ledger.EdgeFacts, run *ledger.Run, s *ledger.Segment) error {
	o, err := a.open(ctx, b, edge, run)
	if err != nil {
		return err
	}
	if why := samePlan(run.Plan, o.audit.Plan()); why != "" {
		return sources.Final(errors.New(why))
	}
	defer a.keepSeen(ctx, o, run)
	return AuditSegment(ctx, a.shift(b, edge, o), run, s)
}

// segmentEnds says what becomes of a segment after AuditSegment ended with err.
func (a *Auditor) segmentEnds(ctx context.Context, edge ledger.EdgeFacts, run *ledger.Run, s *ledger.Segment, err error, attempt int, progress bool) error {
	var record *RecordError
	wait, waits := waiting(err)
	switch {
	case err == nil:
	case errors.Is(err, ErrTurnOver), context.Cause(ctx) != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded):
		return again(0)
	case waits:
		return again(wait)
	case errors.Is(err, ErrCancelled):
		err = a.ledger.StopSegment(ctx, s)
	case errors.As(err, &record):
		outcome := a.over(record.Err)
		return outcome
	case progress && !lasting(err):
		_ = a.failed(edge, err, 0)
		return again(soon())
	case attempt < attempts && !lasting(err):
		return a.failed(edge, err, attempt)
	default:
		a.breakdown(err, run)
		if kept := a.schemaBroke(ctx, edge, run.ID, err); kept != nil {
			outcome := a.over(kept)
			return outcome
		}
		err = a.ledger.FailSegment(ctx, s, a.shown(edge, err))
	}
	if err != nil {
		outcome := a.over(err)
		return outcome
	}
	a.concluded(ctx, run.ID)
	return nil
}

// lasting says whether trying again would end as it did.
func lasting(err error) bool {
	var panicked *PanicError
	return errors.As(err, &panicked) || sources.FailureOf(err) == sources.FailureFinal
}

// shown is an error as it may be kept and shown.
func (a *Auditor) shown(edge ledger.EdgeFacts, err error) string { return shownText(edge, err.Error()) }

func shownText(edge ledger.EdgeFacts, text string) string {
	return edge.Lens.Text(text, drift.MasksOf(edge.Check, &edge.Check.Edges[edge.I]))
}

// failed is a read that is to be tried again, as the engine is told of it.
func (a *Auditor) failed(edge ledger.EdgeFacts, err error, attempt int) error {
	shown := errors.New(a.shown(edge, err))
	a.log.Info("a read failed and is tried again", "check", edge.Check.Name, "replica", replicaOf(edge), "attempt", attempt, "error", drift.Keyless(shown.Error()))
	return shown
}

// breakdown logs where a panic happened. What it said may hold values, and is not logged.
func (a *Auditor) breakdown(err error, run *ledger.Run) {
	var panicked *PanicError
	if errors.As(err, &panicked) {
		a.log.Error("a check broke down", "check", run.Check, "replica", run.Replica, "run", run.Number, "stack", string(panicked.Stack))
	}
}

// concluded tells the observer of a run that has its last word.
func (a *Auditor) concluded(ctx context.Context, id string) {
	run, err := a.ledger.Run(ctx, id)
	if err != nil {
		a.log.Warn("read a run", "run", id, "error", err)
		return
	}
	if run.State != ledger.Finished {
		return
	}
	a.audits.forget(id)
	tell, err := a.ledger.TellOnce(ctx, id)
	if err != nil || !tell { // somebody else has, or will
		a.logged(ctx, "tell of a run", err)
		return
	}
	a.observer.RunConcluded(run)
	a.log.Info("run concluded", "check", run.Check, "replica", run.Replica, "run", run.Number, "result", run.Result,
		"compared", run.Counts.Compared(), "differences", run.Counts.Differences())
}

// workConfirm is an edge's job: its suspects that have settled.
func (a *Auditor) workConfirm(ctx context.Context, job *river.Job[confirmJob]) error {
	return a.hold(func(b *book) error {
		edge, stands := a.stands(b, job.Args.work)
		if stands != current {
			return nil // whoever has the newest configuration queues it anew
		}
		return a.inRoom(ctx, b, edge, job.JobRow, func(inside context.Context) error {
			unlock := a.edges.lock(job.Args.Check, job.Args.Replica)
			defer unlock()
			settling, err := a.settling(ctx, edge)
			if err != nil {
				return err
			}
			term, err := a.ledger.ClaimEdge(ctx, job.Args.Check, job.Args.Replica, a.me)
			if err != nil {
				outcome := a.over(err)
				return outcome
			}
			err = cleared(inside, contained(func() error { return a.confirm(inside, b, edge, term) }))
			for _, id := range settling {
				a.concluded(ctx, id)
			}
			return a.confirmEnds(ctx, b, edge, term, err, job.Attempt)
		})
	})
}

func (a *Auditor) confirm(ctx context.Context, b *book, edge ledger.EdgeFacts, term int64) error {
	o, err := a.open(ctx, b, edge, nil)
	if err != nil {
		return err
	}
	return ConfirmDue(ctx, a.shift(b, edge, o), term, func(verdicts []checks.Verdict) { a.judged(edge, verdicts) })
}

// settling lists the runs whose last word may be spoken next.
func (a *Auditor) settling(ctx context.Context, edge ledger.EdgeFacts) (ids []string, err error) {
	after := ""
	for {
		runs, next, err := a.ledger.Runs(ctx, ledger.RunFilter{Check: edge.Check.Name, Replica: replicaOf(edge), State: string(ledger.Settling), After: after, Limit: 100})
		if err != nil {
			return nil, err
		}
		for _, r := range runs {
			ids = append(ids, r.ID)
		}
		if after = next; next == "" {
			return ids, nil
		}
	}
}

// confirmEnds says what becomes of an edge's suspects after ConfirmDue ended with err.
func (a *Auditor) confirmEnds(ctx context.Context, b *book, edge ledger.EdgeFacts, term int64, err error, attempt int) error {
	var record *RecordError
	wait, waits := waiting(err)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrTurnOver), context.Cause(ctx) != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded):
		return again(0)
	case waits:
		return again(wait)
	case errors.As(err, &record):
		outcome := a.over(record.Err)
		return outcome
	case attempt < 2*attempts && !lasting(err): // about two minutes
		return a.failed(edge, err, attempt)
	}
	a.breakdown(err, &ledger.Run{Check: edge.Check.Name, Replica: replicaOf(edge)})
	if kept := a.schemaBroke(ctx, edge, "", err); kept != nil {
		outcome := a.over(kept)
		return outcome
	}
	settling, err2 := a.settling(ctx, edge)
	if err2 != nil {
		return err2
	}
	why := fmt.Sprintf("suspects could not be read again: %s", a.shown(edge, err))
	outcome := a.over(giveUp(ctx, a.shift(b, edge, &opened{}), term, why))
	for _, id := range settling {
		a.concluded(ctx, id)
	}
	return outcome
}

// judged tells the observer what reading again came to.
func (a *Auditor) judged(edge ledger.EdgeFacts, verdicts []checks.Verdict) {
	cleared := int64(0)
	for i := range verdicts {
		v := &verdicts[i]
		cleared += v.Counts.SuspectsCleared
		if v.Outcome == checks.Cleared && v.Suspect.Known {
			a.observer.Healed(edge.Check.Name, a.now().Sub(v.Suspect.FirstSeen))
			cleared -= v.Counts.SuspectsCleared
		}
	}
	if cleared > 0 {
		a.observer.SuspectsCleared(edge.Check.Name, cleared)
	}
}

// locks keep two jobs of one process from taking an edge's term from each other.
type locks struct {
	mu   sync.Mutex
	held map[ledger.EdgeRef]*edgeLock
}

type edgeLock struct {
	sync.Mutex
	users int
}

func (k *locks) init() { k.held = map[ledger.EdgeRef]*edgeLock{} }

func (k *locks) lock(check, replica string) (unlock func()) {
	ref := ledger.EdgeRef{Check: check, Replica: replica}
	k.mu.Lock()
	one := k.held[ref]
	if one == nil {
		one = &edgeLock{}
		k.held[ref] = one
	}
	one.users++
	k.mu.Unlock()
	one.Lock()
	return func() {
		one.Unlock()
		k.mu.Lock()
		defer k.mu.Unlock()
		if one.users--; one.users == 0 {
			delete(k.held, ref)
		}
	}
}

// logged logs an error of a loop, which goes on.
func (a *Auditor) logged(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		a.log.Log(ctx, slog.LevelWarn, what, "error", err)
	}
}
