package checks

import (
	"context"
	"errors"
	"fmt"
	"io"

	"plumbline/sources"
)

// segment is a part of a run that is read on its own: a span of the driving side.
type segment struct {
	pass     Pass
	span     sources.Span
	estimate int64 // about how many records of the driving side; 0 when unknown
	read     int64 // how many were read
}

// yield is what comparing a page or a range gave. It is taken over as a whole:
// what could not be read to its end yields nothing.
type yield struct {
	counts   Counts
	suspects []suspect
	settled  []Difference // need no second look: a record without a key
	omitted  int64        // of those, counted and not kept
	reasons  map[string]int64
}

func (y *yield) skip(reason string) {
	y.counts.Skipped++
	y.because(reason)
}

func (y *yield) because(reason string) {
	if y.reasons == nil {
		y.reasons = map[string]int64{}
	}
	y.reasons[reason]++
}

// unreadable notes a record whose key has no canonical form: it can be matched
// with nothing and looked up nowhere. Where the edge ignores what only this side
// has, it ignores such a record too.
func (e *edge) unreadable(y *yield, r *sources.Record, role Role, why string) {
	ignored := role == OwnerSide && e.comparison.Edge.IgnoreMissing || role == ReplicaSide && e.comparison.Edge.IgnoreExtra
	if r.Deleted || r.OutOfScope || ignored {
		return
	}
	y.counts.Unreadable++
	if len(y.settled) >= e.options.Findings {
		y.omitted++
		return
	}
	now := e.now()
	y.settled = append(y.settled, Difference{Kind: Unreadable, Key: r.Key, ID: r.ID,
		Reason: fmt.Sprintf("%s: %s", role, why), FirstSeen: now, LastSeen: now})
}

// scanRanges reads both sides of a segment by the same ranges. Each page of the
// driving side is a range; the other side is read for just that range while the
// driving side reads on.
func (e *edge) scanRanges(ctx context.Context, seg *segment) error {
	drive, other := e.sides(seg.pass.Drive)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pages := e.readAhead(ctx, drive, sources.ScanRequest{Span: seg.span, Raw: e.plan.Raw})
	after := seg.span.After
	for ahead := range pages {
		if ahead.err != nil {
			return ahead.err
		}
		upTo := seg.span.UpTo
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
		if err := e.take(seg, int64(ahead.page.Len()), y); err != nil {
			return err
		}
		if after = upTo; e.stopped() {
			return errStopped
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
func (e *edge) compareRange(ctx context.Context, drive, other *side, page *sources.Page, span sources.Span) (*yield, error) {
	y := &yield{}
	driven, err := newBatch(drive, page, e.plan.Raw)
	if err != nil {
		return nil, err
	}
	m := &matcher{drive: driven, matched: make([]bool, len(driven.keys))}
	m.pair = func(i int, others *batch, j int) error { return e.comparePair(y, driven, i, others, j) }
	m.only = func(others *batch, j int) error { return e.compareSingle(y, others, j) }
	m.again = func(others *batch, j int) error { return e.suspectTwin(y, others, j) }
	stream := other.reader.Stream(other.dataset, sources.ScanRequest{Span: span, Raw: e.plan.Raw})
	for {
		next, err := stream.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		batch, err := newBatch(other, next, driven.raw)
		if err != nil {
			return nil, err
		}
		e.countRead(y, other.role, inScope(next))
		if err := m.add(batch); err != nil {
			return nil, err
		}
	}
	e.countRead(y, drive.role, inScope(page))
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

func (e *edge) countRead(y *yield, role Role, n int64) {
	if role == OwnerSide {
		y.counts.OwnerRecords += n
	} else {
		y.counts.ReplicaRecords += n
	}
}

func (e *edge) comparePair(y *yield, a *batch, i int, b *batch, j int) error {
	if a.side.role == ReplicaSide {
		a, i, b, j = b, j, a, i
	}
	if a.raw && b.raw && rawEqual(a.page.Raw.Row(i), b.page.Raw.Row(j)) {
		y.counts.Equal++
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
func (e *edge) compareSingle(y *yield, b *batch, i int) error {
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
func (e *edge) suspectTwin(y *yield, b *batch, i int) error {
	r, err := b.record(i)
	if err != nil {
		return err
	}
	key, err := b.side.canonical(r)
	if err != nil {
		return err
	}
	y.suspects = append(y.suspects, e.newSuspect(key, nil, nil, true))
	return nil
}

// note counts a judged pair, or makes it a suspect.
func (e *edge) note(y *yield, v verdict, owner, replica *sources.Record) error {
	switch v.outcome {
	case outcomeEqual:
		y.counts.Equal++
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
		y.suspects = append(y.suspects, e.newSuspect(key, id, owner, false))
	case outcomeOutOfScope, outcomeIgnored:
	}
	return nil
}

func (e *edge) newSuspect(key, id sources.Key, owner *sources.Record, duplicate bool) suspect {
	now := e.now()
	return suspect{key: key, id: id, owner: e.comparison.ownerState(owner), firstSeen: now, since: now, duplicate: duplicate}
}
