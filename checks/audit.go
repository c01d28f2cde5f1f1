package checks

import (
	"context"
	"time"

	"plumbline/sources"
)

// Audit is one edge of a check opened to be read part by part, as a service
// does, which keeps each part, resumes in another process, and waits elsewhere.
// Run is the same in one go. An Audit is safe for many goroutines.
type Audit struct{ edge *edge }

// Open learns what both stores of edge number i declare and plans how to read
// them. It fails where a store cannot be reached or the check cannot be read.
func Open(ctx context.Context, check *Check, i int, readers Readers, options Options) (*Audit, error) {
	e := newEdge(check, i, options, time.Now())
	if err := e.open(readers); err != nil {
		return nil, err
	}
	if err := e.makePlan(ctx); err != nil {
		return nil, err
	}
	return &Audit{edge: e}, nil
}

// Plan is how the edge is read.
func (a *Audit) Plan() Plan { return a.edge.plan }

// Comparison is what is compared.
func (a *Audit) Comparison() *Comparison { return a.edge.comparison }

// Shapes are how both stores keep their datasets, as the plan was made by.
func (a *Audit) Shapes() Shapes { return a.edge.shapes() }

// Shape is the fingerprint of Shapes; "" where neither store tells its schema.
func (a *Audit) Shape() string { return a.edge.run.Shape }

// SchemaChanges are the changes met so far, since Options.Accepted and while it
// was read, those that break nothing too.
func (a *Audit) SchemaChanges() []SchemaChange { return a.edge.guard.all() }

// TakeSeen returns what records showed since it was last called, of fields that no
// store declares.
func (a *Audit) TakeSeen() Seen {
	g := &a.edge.fields
	g.mu.Lock()
	defer g.mu.Unlock()
	taken := g.new
	g.new = Seen{}
	return taken
}

// Estimate is about how many records the run will read of the driving sides; 0
// when unknown.
func (a *Audit) Estimate() (records int64) {
	if a.edge.plan.Sampled != "" {
		return a.edge.plan.SampleKeys
	}
	for _, pass := range a.edge.plan.Passes {
		drive, _ := a.edge.sides(pass.Drive)
		records += drive.facts.Estimate
	}
	return records
}

// EmptyOwner says why nothing may be concluded from an owner that answers with
// no records; "" where it has some, or where having none is a fact.
func (a *Audit) EmptyOwner(ctx context.Context) (reason string, err error) {
	if a.edge.check.AllowEmpty {
		return "", nil
	}
	empty, err := a.edge.ownerEmpty(ctx)
	if err != nil || !empty {
		return "", err
	}
	return a.edge.emptyReason(), nil
}

// Cut makes the segments of every pass, which together are the whole edge.
func (a *Audit) Cut(ctx context.Context) ([]Segment, error) { return a.edge.cut(ctx) }

// Scan reads a segment and hands each part to take, in order. It ends after the
// last part, with the first error of a read or of take, or with ErrStopped.
// Whatever was handed on before an error stands.
func (a *Audit) Scan(ctx context.Context, s Segment, take func(*Part) error) error {
	return a.edge.scanSegment(ctx, &s, take)
}

// Given compares keys alone, each as the owner writes it.
func (a *Audit) Given(ctx context.Context, keys []sources.Key) (*Part, error) {
	return a.edge.compareGiven(ctx, keys)
}

// Canonical is a key, as the owner writes it, in the form that both sides are
// matched by.
func (a *Audit) Canonical(key sources.Key) (sources.Key, error) {
	return canonicalKey(key, a.edge.owner.mine, a.edge.owner.other)
}

// Judge reads suspects again, the replica first and then the owner, and says
// what became of each: at least one verdict for each suspect. Whoever calls
// waits until they have settled. Where the owner has come to answer with nothing
// at all, extras are Unread, and so is what would be cleared because it is gone.
func (a *Audit) Judge(ctx context.Context, suspects []Suspect) ([]Verdict, error) {
	verdicts, err := a.edge.judgeAgain(ctx, suspects)
	if err != nil {
		return nil, err
	}
	var doubtful []*Verdict
	for i := range verdicts {
		if verdicts[i].needsOwner() {
			doubtful = append(doubtful, &verdicts[i])
		}
	}
	if len(doubtful) == 0 {
		return verdicts, nil
	}
	reason, err := a.EmptyOwner(ctx)
	if err != nil || reason == "" {
		return verdicts, err
	}
	for _, v := range doubtful {
		*v = Verdict{Suspect: v.Suspect, Outcome: Unread, Reason: reason, ReadAt: v.ReadAt, Counts: Counts{Skipped: 1}}
	}
	return verdicts, nil
}

// needsOwner says whether a verdict stands on the owner's answer that it has no
// such record, which an owner that lost everything gives as well.
func (v *Verdict) needsOwner() bool {
	return v.ownerless && (v.Outcome == Cleared || v.Outcome == Confirmed && v.Difference.Kind == Extra)
}
