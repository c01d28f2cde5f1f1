package auditor

import (
	"context"
	"errors"
	"maps"
	"time"

	"plumbline/checks"
	"plumbline/ledger"
	"plumbline/sources"
)

// Bounds say when a worker writes down what it has, and when it hands the rest on.
type Bounds struct {
	// Record is the longest time between two records, Suspects the most that one
	// holds; 0 is 2 s, and 5,000.
	Record   time.Duration
	Suspects int
	// Turn is how long a worker stays with a segment or an edge; 0 is 8 s.
	Turn time.Duration
}

func (b Bounds) withDefaults() Bounds {
	if b.Record == 0 {
		b.Record = 2 * time.Second
	}
	if b.Suspects == 0 {
		b.Suspects = 5000
	}
	if b.Turn == 0 {
		b.Turn = 8 * time.Second
	}
	return b
}

// Why AuditSegment ended before its segment did, with nothing lost.
var (
	// ErrTurnOver: its time was over, or it was to stop. The rest is to be queued again.
	ErrTurnOver = errors.New("the rest is for another turn")
	// ErrCancelled: somebody cancelled the run.
	ErrCancelled = errors.New("the run was cancelled")
)

// Shift is what a worker brings to its work.
type Shift struct {
	Ledger *ledger.Ledger
	Audit  *checks.Audit
	Edge   ledger.EdgeFacts
	// Worker names the process. Now is the clock. Stop, when closed, ends the
	// shift after the page that is being read.
	Worker string
	Now    func() time.Time
	Stop   <-chan struct{}
	Bounds Bounds
	// Waits, which may be nil, returns the pauses since it was last asked, in
	// milliseconds by reason.
	Waits func() map[string]int64
}

// over says whether the shift is to end.
func (w *Shift) over(began time.Time) bool {
	select {
	case <-w.Stop:
		return true
	default:
		return w.Now().Sub(began) >= w.Bounds.Turn
	}
}

// AuditSegment reads on in a claimed segment of a run: scan, compare, suspect.
// What it has read stands, whatever ends it: nil at the segment's end,
// ErrTurnOver, ErrCancelled, a *RecordError of the ledger, or why a read failed.
func AuditSegment(ctx context.Context, w *Shift, run *ledger.Run, s *ledger.Segment) error {
	began := w.Now()
	have, since := ledger.Progress{}, began
	record := func(ctx context.Context) error {
		if w.Waits != nil {
			have.Waits = w.Waits()
		}
		now := w.Now()
		cancelled, err := w.Ledger.RecordSegment(ctx, s, have, now, settleOf(w.Edge), w.Edge) // suspect
		done := have.Done
		have, since = ledger.Progress{}, now
		switch {
		case err != nil:
			return &RecordError{err}
		case cancelled && !done:
			return ErrCancelled
		case s.State == ledger.SegmentStopped: // the run has seen what it was to see
			return checks.ErrStopped
		case w.over(began) && !done:
			return ErrTurnOver
		}
		return nil
	}
	err := scan(ctx, w.Audit, run, s, func(part *checks.Part) error { // scan and compare
		add(&have, part)
		if part.Done || enough(run, &have) || w.over(began) || w.Now().Sub(since) >= w.Bounds.Record || len(have.Suspects) >= w.Bounds.Suspects {
			return record(ctx)
		}
		return nil
	})
	if s.State == ledger.SegmentDone || s.State == ledger.SegmentStopped { // whatever ended ctx since
		return nil
	}
	read := have.Read+int64(len(have.Next)) > 0
	var throttled *sources.ThrottledError
	waits := errors.As(err, &throttled)
	if !read && waits { // it stands where it stood, and why is to be seen
		have.Next = s.Plan.Span.After
	}
	if err != nil && (read || waits) { // parts that were taken whole before a read failed
		keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if recorded := record(keep); recorded != nil && !errors.Is(recorded, ErrTurnOver) {
			return recorded
		}
	}
	return err
}

// enough says whether what is not recorded yet may be all that a run was to see.
func enough(run *ledger.Run, have *ledger.Progress) bool {
	most := run.Asked.StopAfter
	return most > 0 && have.Counts.Differences()+int64(len(have.Suspects)) >= most-run.Counts.Differences()-run.Pending
}

// scan reads a segment from its cursor, or the keys of a run that was given keys.
func scan(ctx context.Context, a *checks.Audit, run *ledger.Run, s *ledger.Segment, take func(*checks.Part) error) error {
	if len(run.Keys) == 0 {
		return a.Scan(ctx, s.Plan, take)
	}
	part, err := a.Given(ctx, run.Keys)
	if err != nil {
		return err
	}
	return take(part)
}

func add(p *ledger.Progress, part *checks.Part) {
	p.Read += part.Records
	p.Next, p.Done = part.Next, part.Done
	p.Counts.Add(part.Counts)
	p.Suspects = append(p.Suspects, part.Suspects...)
	p.Settled = append(p.Settled, part.Settled...)
	p.Omitted += part.Omitted
	p.Reasons = sum(p.Reasons, part.Reasons)
}

func sum(a, b map[string]int64) map[string]int64 {
	if len(a) == 0 {
		return maps.Clone(b)
	}
	for reason, n := range b {
		a[reason] += n
	}
	return a
}

// RecordError is a failure of the ledger, which says nothing of the stores.
type RecordError struct{ Err error }

func (e *RecordError) Error() string { return e.Err.Error() }

func (e *RecordError) Unwrap() error { return e.Err }
