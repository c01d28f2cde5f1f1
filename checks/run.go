package checks

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"plumbline/sources"
)

// ErrStopped ends a scan after the page that was read, with nothing lost.
var ErrStopped = errors.New("stopped")

// edge is one edge of a check while it runs.
type edge struct {
	check          *Check
	comparison     *Comparison
	owner, replica *side
	plan           Plan
	options        Options
	settle         time.Duration
	run            *EdgeRun
	suspects       *suspectLog
	guard          shapeGuard
	fields         seenGuard

	mu       sync.Mutex // guards run and what follows
	told     map[string]bool
	read     int64
	judged   int64
	expected int64
	// gone are the records counted equal because neither side has them any more;
	// ownerless says that a suspect was cleared for that.
	gone      int64
	ownerless bool
	// differed is how many differences were seen, for Options.StopAfter.
	differed int64
}

// Readers finds the reader of a source by its name.
type Readers func(source string) (*sources.Reader, error)

// Run runs edge number i of a check: plan, scan, compare, settle, confirm. What
// went wrong is in the EdgeRun, never lost beside it.
func Run(ctx context.Context, check *Check, i int, readers Readers, options Options) EdgeRun {
	began := time.Now()
	e := newEdge(check, i, options, began)
	err := e.open(readers)
	if err == nil {
		err = e.execute(ctx)
	}
	if cerr := e.suspects.close(); err == nil && cerr != nil {
		err = fmt.Errorf("give a temporary file back: %w", cerr)
	}
	e.finish(ctx, err)
	e.run.Duration = time.Since(began)
	e.progress("done", time.Time{})
	return *e.run
}

func newEdge(check *Check, i int, options Options, began time.Time) *edge {
	c := Compile(check, i, began)
	e := &edge{check: check, comparison: c, options: options.withDefaults(check), settle: c.Edge.Settle,
		told: map[string]bool{}, suspects: newSuspectLog(len(c.Owner.Key), len(c.Replica.ID)),
		run: &EdgeRun{ID: newRunID(), Check: check.Name, Replica: c.Edge.Name, StartedAt: began.UTC(),
			OwnerKey: c.Owner.Key, ReplicaID: c.Replica.ID, Reasons: map[string]int64{}, Copies: c.Edge.Copies()}}
	if options.Settle != nil {
		e.settle = *options.Settle
	}
	return e
}

// newRunID makes an id nobody else makes: 80 random bits in base 32.
func newRunID() string { return rand.Text()[:16] }

func (e *edge) open(readers Readers) error {
	owner, err := readers(e.check.Owner.Source)
	if err != nil {
		return err
	}
	replica, err := readers(e.comparison.Edge.Replica.Source)
	if err != nil {
		return err
	}
	mine, other := e.check.Owner.Forms, e.comparison.Edge.Replica.Forms
	e.owner = newSide(OwnerSide, owner, &e.comparison.Owner, mine, other)
	e.replica = newSide(ReplicaSide, replica, &e.comparison.Replica, other, mine)
	return nil
}

// execute is a whole run, in the order in which it happens.
func (e *edge) execute(ctx context.Context) error {
	e.progress("plan", time.Time{})
	if err := e.makePlan(ctx); err != nil {
		return err
	}
	if len(e.options.Keys) > 0 {
		part, err := e.compareGiven(ctx, e.options.Keys)
		if err != nil {
			return err
		}
		if err := e.take(part); err != nil {
			return err
		}
		return e.confirmAll(ctx)
	}
	empty, err := e.ownerEmpty(ctx)
	if err != nil {
		return err
	}
	if empty && !e.check.AllowEmpty {
		e.because(e.emptyReason())
		return nil
	}
	segments, err := e.segments(ctx)
	if err != nil {
		return err
	}
	if err := e.scan(ctx, segments); err != nil {
		return err
	}
	return e.confirmAll(ctx)
}

func (e *edge) makePlan(ctx context.Context) error {
	for _, s := range []*side{e.owner, e.replica} {
		if err := s.learn(ctx); err != nil {
			return e.missed(ctx, s, err)
		}
	}
	if err := e.accept(); err != nil {
		return err
	}
	if err := meet(e.comparison, e.owner.facts.Description, e.replica.facts.Description); err != nil {
		return err
	}
	e.watch()
	shapes := e.shapes()
	e.run.Shape = shapes.Fingerprint(e.comparison)
	if s := e.sample(); !s.All() {
		return e.makeSamplePlan(s)
	}
	plan, err := NewPlan(e.comparison, e.owner.facts, e.replica.facts)
	if err != nil {
		return err
	}
	if e.options.Plan == PlanKeys && plan.Kind == PlanRanges {
		plan = keysPlan(e.comparison, e.owner.facts, e.replica.facts, "not asked for")
	}
	if e.options.Plan == PlanRanges && plan.Kind != PlanRanges {
		return fmt.Errorf("plan ranges is not possible: %s", plan.Why[0])
	}
	e.plan, e.run.Plan = plan, plan
	return nil
}

// ownerEmpty says whether the owner answers that it has no record in scope.
func (e *edge) ownerEmpty(ctx context.Context) (bool, error) {
	if !e.owner.facts.scans() {
		return false, nil
	}
	stream := e.owner.reader.Stream(e.owner.dataset, sources.ScanRequest{KeysOnly: true, InScopeOnly: true})
	stream.Probe()
	page, err := stream.Next(ctx)
	if err != nil {
		return false, e.explained(ctx, err)
	}
	return page.Len() == 0 && page.Done, nil
}

func (e *edge) emptyReason() string {
	return fmt.Sprintf("the owner, %s %s, has no records in scope; if that is a fact and no fault, set allow_empty: true",
		e.check.Owner.Source, e.owner.dataset.Title())
}

// recordsPerSegment is about how many records of the driving side a segment
// holds: enough to be worth its start, few enough to be read again.
const recordsPerSegment = 100_000

// segmentsOf is how many segments so many records are cut into: an even number
// where it is more than one, as two are read side by side.
func segmentsOf(records int64) int64 {
	n := records/recordsPerSegment + 1
	if n > 1 {
		n += n % 2
	}
	return min(256, n)
}

// cut makes the segments of every pass.
func (e *edge) cut(ctx context.Context) ([]Segment, error) {
	var segments []Segment
	for _, pass := range e.plan.Passes {
		drive, _ := e.sides(pass.Drive)
		parts := e.options.Segments
		if parts == 0 {
			parts = int(segmentsOf(drive.facts.Estimate))
		}
		cuts, err := drive.reader.Split(ctx, drive.dataset, parts)
		if err != nil {
			return nil, err
		}
		estimate := drive.facts.Estimate / int64(len(cuts)+1)
		var after sources.Position
		for _, upTo := range append(cuts, nil) {
			segments = append(segments, Segment{Pass: pass, Span: sources.Span{After: after, UpTo: upTo}, Estimate: estimate})
			after = upTo
		}
		e.expected += drive.facts.Estimate
	}
	return segments, nil
}

// scanSegment reads a segment and hands each part on, once it is certain that the
// stores keep what was read as they did when the run was planned.
func (e *edge) scanSegment(ctx context.Context, seg *Segment, take taker) error {
	return e.explained(ctx, e.scanPages(ctx, seg, func(p *Part) error {
		if err := e.unchanged(ctx); err != nil {
			return err
		}
		if err := e.familiar(ctx, p.seen); err != nil {
			return err
		}
		return take(p)
	}))
}

func (e *edge) scanPages(ctx context.Context, seg *Segment, take taker) error {
	if seg.Stratum != "" {
		return e.scanDrawn(ctx, seg, take)
	}
	if e.plan.Kind == PlanRanges {
		return e.scanRanges(ctx, seg, take)
	}
	return e.scanKeys(ctx, seg, take)
}

func (e *edge) unread(records int64, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.run.Unread += max(1, records)
	switch {
	case errors.Is(err, ErrStopped):
	case schemaChanged(err): // every segment says so
		e.run.Reasons[err.Error()] = 1
	default:
		e.run.Reasons[err.Error()]++
		if e.run.Err == nil {
			e.run.Err = err
		}
	}
}

// take takes over what comparing a page gave.
func (e *edge) take(p *Part) error {
	if err := e.suspects.add(p.Suspects); err != nil {
		return err
	}
	e.mu.Lock()
	e.read += p.Records
	e.see(p.Counts.Differences() + int64(len(p.Suspects)))
	e.run.Counts.Add(p.Counts)
	for reason, times := range p.Reasons {
		e.run.Reasons[reason] += times
	}
	e.run.Omitted += p.Omitted
	for _, d := range p.Settled {
		e.keep(d)
	}
	e.mu.Unlock()
	e.progress("scan", time.Time{})
	return nil
}

// keep keeps a confirmed difference, or counts it as omitted. e.mu is held.
func (e *edge) keep(d Difference) {
	if len(e.run.Differences) >= e.options.Findings {
		e.run.Omitted++
		return
	}
	e.run.Differences = append(e.run.Differences, d)
}

func (e *edge) because(reason string) {
	e.mu.Lock()
	e.run.Reasons[reason]++
	e.mu.Unlock()
}

func (e *edge) sides(drive Role) (driving, other *side) {
	if drive == OwnerSide {
		return e.owner, e.replica
	}
	return e.replica, e.owner
}

// scans says whether a pass of the plan scans a side from end to end.
func (e *edge) scans(role Role) bool {
	for _, pass := range e.plan.Passes {
		if pass.Drive == role {
			return true
		}
	}
	return false
}

func (e *edge) now() time.Time { return time.Now() }

func (e *edge) progress(phase string, until time.Time) {
	if e.options.Progress == nil {
		return
	}
	e.mu.Lock()
	p := Progress{Check: e.run.Check, Replica: e.run.Replica, Phase: phase, Read: e.read, Expected: e.expected,
		Suspects: e.suspects.len(), Judged: e.judged, Until: until}
	e.mu.Unlock()
	e.options.Progress(p)
}
