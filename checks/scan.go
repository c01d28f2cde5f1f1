package checks

import (
	"context"
	"errors"
	"fmt"
	"io"

	"plumbline/sources"
)

// Segment is a part of a run that is read, retried and resumed on its own: a
// span of the driving side, or keys drawn of it. A segment that was read up to a
// position goes on with Span.After set to it.
type Segment struct {
	Pass     Pass
	Span     sources.Span
	Estimate int64 // about how many records of the driving side; 0 when unknown
	// Keys, as the driving side writes them, are compared alone; a position is
	// then how many of them are done (see keysDone).
	Keys []sources.Key
	// Stratum says how Keys were chosen; "" for a span.
	Stratum Stratum
}

// Part is what comparing a page, and what the other side holds for it, gave. It
// is taken over as a whole: what could not be read to its end gives no Part.
type Part struct {
	// Records is how many records of the driving side were read, and Next where
	// the segment goes on; Next means nothing when Done.
	Records int64
	Next    sources.Position
	Done    bool

	Counts   Counts
	Suspects []Suspect
	// Settled need no second look: records without a key to look up. Omitted is
	// how many more were counted and not kept.
	Settled []Difference
	Omitted int64
	// Reasons say why records were skipped, each with how often.
	Reasons map[string]int64

	seen *pageSeen // what its records showed
}

// taker takes a Part over. An error ends the segment.
type taker func(*Part) error

func (y *Part) skip(reason string) {
	y.Counts.Skipped++
	if y.Reasons == nil {
		y.Reasons = map[string]int64{}
	}
	y.Reasons[reason]++
}

// unreadable notes a record whose key has no canonical form: it can be matched
// with nothing and looked up nowhere. Where the edge ignores what only this side
// has, it ignores such a record too.
func (e *edge) unreadable(y *Part, r *sources.Record, role Role, why string) {
	ignored := role == OwnerSide && e.comparison.Edge.IgnoreMissing || role == ReplicaSide && e.comparison.Edge.IgnoreExtra
	if r.Deleted || r.OutOfScope || ignored {
		return
	}
	y.Counts.Unreadable++
	if len(y.Settled) >= e.options.Findings {
		y.Omitted++
		return
	}
	now := e.now()
	y.Settled = append(y.Settled, Difference{Kind: Unreadable, Key: asWritten(r.Key), ID: r.ID,
		Reason: fmt.Sprintf("%s: %s", role, why), FirstSeen: now, LastSeen: now})
}

// asWritten marks a key that has no canonical form, and so is as its side wrote
// it, by a null after its parts: it is not whole, is looked up nowhere, and is
// never taken for the canonical key that it may look like.
func asWritten(native sources.Key) sources.Key {
	if !native.Whole() {
		return native
	}
	return append(native[:len(native):len(native)], sources.Null())
}

// scanRanges reads both sides of a segment by the same ranges. Each page of the
// driving side is a range; the other side is read for just that range while the
// driving side reads on.
func (e *edge) scanRanges(ctx context.Context, seg *Segment, take taker) error {
	drive, other := e.sides(seg.Pass.Drive)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pages := e.readAhead(ctx, drive, sources.ScanRequest{Span: seg.Span, Raw: e.plan.Raw})
	after := seg.Span.After
	for ahead := range pages {
		if ahead.err != nil {
			return ahead.err
		}
		upTo := seg.Span.UpTo
		if !ahead.page.Done {
			upTo = ahead.page.Next
			if !e.bounds(upTo, drive) {
				return fmt.Errorf("source %s: scan %s: key %s is not of the declared kind, so no range ends there",
					drive.reader.Name(), drive.dataset.Title(), sources.Key(upTo))
			}
		}
		y, err := e.compareRange(ctx, drive, other, ahead.page, sources.Span{After: after, UpTo: upTo})
		if err != nil {
			return err
		}
		y.Records, y.Next, y.Done = int64(ahead.page.Len()), ahead.page.Next, ahead.page.Done
		if err := take(y); err != nil {
			return err
		}
		if after = upTo; !y.Done && e.scanned() {
			return ErrStopped
		}
	}
	return ctx.Err()
}

// bounds says whether a position of one side means the same on the other.
func (e *edge) bounds(p sources.Position, s *side) bool {
	if e.check.Owner.Kind == e.comparison.Edge.Replica.Kind {
		return true
	}
	for i, v := range p {
		if v.Kind() != s.types[i].Kind {
			return false
		}
	}
	return true
}

type pageAhead struct {
	page *sources.Page
	err  error
}

// readAhead reads a side page by page, one page ahead of whoever takes them.
// The channel ends after the last page, an error, or the end of ctx.
func (e *edge) readAhead(ctx context.Context, s *side, request sources.ScanRequest) <-chan pageAhead {
	pages := make(chan pageAhead)
	stream := s.reader.Stream(s.dataset, request)
	go func() {
		defer close(pages)
		for {
			page, err := stream.Next(ctx)
			if errors.Is(err, io.EOF) {
				return
			}
			select {
			case pages <- pageAhead{page, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return pages
}

// compareRange compares a page of the driving side, which is all it holds in
// the span, with all that the other side holds there.
func (e *edge) compareRange(ctx context.Context, drive, other *side, page *sources.Page, span sources.Span) (*Part, error) {
	y := &Part{seen: &pageSeen{}}
	driven, err := newBatch(drive, page, e.plan.Raw)
	if err != nil {
		return nil, err
	}
	m := &matcher{drive: driven, matched: make([]bool, len(driven.keys))}
	m.pair = func(i int, others *batch, j int) error { return e.comparePair(y, driven, i, others, j) }
	m.only = func(others *batch, j int) error { return e.compareSingle(y, others, j) }
	m.again = func(others *batch, j int) error { return e.suspectTwin(y, others, j) }
	stream := other.reader.Stream(other.dataset, sources.ScanRequest{Span: span, Raw: e.plan.Raw})
	stream.Expect(page.Len())
	for {
		next, err := stream.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if next.Len() == 0 { // it has no bytes to be compared by, and driven need not give up its own
			continue
		}
		batch, err := newBatch(other, next, driven.raw)
		if err != nil {
			return nil, err
		}
		e.countRead(y, other.role, inScope(next))
		e.observePage(y.seen, other.role, next)
		if err := m.add(batch); err != nil {
			return nil, err
		}
	}
	e.countRead(y, drive.role, inScope(page))
	e.observePage(y.seen, drive.role, page)
	return y, m.leftover(func(i int) error { return e.compareSingle(y, driven, i) })
}

// inScope is how many of a page's records the check is about.
func inScope(p *sources.Page) int64 {
	n := p.Len()
	for i := range p.Records {
		if p.Records[i].OutOfScope {
			n--
		}
	}
	return int64(n)
}

func (e *edge) countRead(y *Part, role Role, n int64) {
	if role == OwnerSide {
		y.Counts.OwnerRecords += n
	} else {
		y.Counts.ReplicaRecords += n
	}
}

func (e *edge) comparePair(y *Part, a *batch, i int, b *batch, j int) error {
	if a.side.role == ReplicaSide {
		a, i, b, j = b, j, a, i
	}
	if a.raw && b.raw && rawEqual(a.page.Raw.Row(i), b.page.Raw.Row(j)) {
		y.Counts.Equal++
		return nil
	}
	owner, err := a.record(i)
	if err != nil {
		return err
	}
	replica, err := b.record(j)
	if err != nil {
		return err
	}
	return e.note(y, e.comparison.judge(owner, replica), owner, replica)
}

// rawEqual says whether the owner's row begins with the replica's whole row:
// columns carry their lengths, and the owner's version may follow the compared ones.
func rawEqual(owner, replica []byte) bool {
	return len(owner) >= len(replica) && string(owner[:len(replica)]) == string(replica)
}

// compareSingle judges a record whose key the other side lacks, as read.
func (e *edge) compareSingle(y *Part, b *batch, i int) error {
	r, err := b.record(i)
	if err != nil {
		return err
	}
	if b.why != nil && b.why[i] != "" {
		e.unreadable(y, r, b.side.role, b.why[i])
		return nil
	}
	if b.side.role == OwnerSide {
		return e.note(y, e.comparison.judge(r, nil), r, nil)
	}
	return e.note(y, e.comparison.judge(nil, r), nil, r)
}

// suspectTwin notes a key that came before on the same side. The planner lets
// ranges be read only where a constraint forbids it, so it takes two forms of
// one key (a uuid and its text) for this to happen.
func (e *edge) suspectTwin(y *Part, b *batch, i int) error {
	r, err := b.record(i)
	if err != nil {
		return err
	}
	key, err := b.side.canonical(r)
	if err != nil {
		return err
	}
	y.Suspects = append(y.Suspects, e.newSuspect(key, nil, nil, true))
	return nil
}

// note counts a judged pair, or makes it a suspect.
func (e *edge) note(y *Part, v verdict, owner, replica *sources.Record) error {
	switch v.outcome {
	case outcomeEqual:
		y.Counts.Equal++
	case outcomeSkipped:
		y.skip(v.reason)
	case outcomeDiffers:
		holder, s := owner, e.owner
		if owner == nil {
			holder, s = replica, e.replica
		}
		key, err := s.canonical(holder)
		if err != nil {
			return err
		}
		var id sources.Key
		if replica != nil {
			id = replica.ID
		}
		y.Suspects = append(y.Suspects, e.newSuspect(key, id, owner, false))
	case outcomeOutOfScope, outcomeIgnored:
	}
	return nil
}

func (e *edge) newSuspect(key, id sources.Key, owner *sources.Record, duplicate bool) Suspect {
	now := e.now()
	return Suspect{Key: key, ID: id, Owner: e.comparison.ownerState(owner), FirstSeen: now, Since: now, Duplicate: duplicate}
}
