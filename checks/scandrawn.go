package checks

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"golang.org/x/sync/errgroup"

	"plumbline/sources"
)

// keysPerChunk bounds how many drawn keys are looked up at once.
const keysPerChunk = 1_000

func (e *edge) makeSamplePlan(s Sample) error {
	if e.options.Plan == PlanRanges {
		return errors.New("plan ranges is not possible: of a sample only the drawn keys are read")
	}
	plan, err := samplePlan(e.comparison, e.owner.facts, e.replica.facts, s, e.options.Since)
	if err != nil {
		return err
	}
	e.plan, e.run.Plan = plan, plan
	return nil
}

// segments are what the run reads: a draw where the plan is of a sample, else
// the parts of every pass.
func (e *edge) segments(ctx context.Context) ([]Segment, error) {
	if e.plan.Sampled == "" {
		return e.cut(ctx)
	}
	seed := e.options.Seed
	for seed == 0 {
		seed = rand.Uint64()
	}
	drawn, err := e.draw(ctx, e.sample(), e.options.From, seed)
	if err != nil {
		return nil, e.explained(ctx, err)
	}
	for _, seg := range drawn.Segments {
		e.expected += seg.Estimate
	}
	e.run.Sampled, e.run.Next = drawn.Sampled(), drawn.Next
	if e.options.Since > 0 && len(drawn.Segments) == 0 {
		e.because(fmt.Sprintf("no key changed in the last %s", e.options.Since))
	}
	for _, why := range drawn.Partial {
		e.because(why)
	}
	return drawn.Segments, nil
}

// keysDone is how many keys of a segment were compared before.
func keysDone(p sources.Position) int {
	if len(p) != 1 || p[0].Kind() != sources.KindInt {
		return 0
	}
	return int(max(0, p[0].AsInt()))
}

// scanDrawn compares a segment's keys chunk by chunk; a chunk is looked up while
// the one before is taken over.
func (e *edge) scanDrawn(ctx context.Context, seg *Segment, take taker) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type compared struct {
		part *Part
		err  error
	}
	parts := make(chan compared)
	go func() {
		defer close(parts)
		done := min(keysDone(seg.Span.After), len(seg.Keys))
		for first := true; first || done < len(seg.Keys); first = false {
			chunk := seg.Keys[done:min(done+keysPerChunk, len(seg.Keys))]
			y, err := e.compareDrawn(ctx, seg, chunk)
			if err == nil {
				done += len(chunk)
				y.Records, y.Next, y.Done = int64(len(chunk)), sources.Position{sources.Int(int64(done))}, done == len(seg.Keys)
			}
			select {
			case parts <- compared{y, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range parts {
		if p.err != nil {
			return p.err
		}
		if err := take(p.part); err != nil {
			return err
		}
		if !p.part.Done && e.scanned() {
			return ErrStopped
		}
	}
	return ctx.Err()
}

// compareDrawn compares keys as the driving side writes them.
func (e *edge) compareDrawn(ctx context.Context, seg *Segment, keys []sources.Key) (*Part, error) {
	drive, _ := e.sides(seg.Pass.Drive)
	y, g := &Part{seen: &pageSeen{}}, newGroups()
	strange := map[string]string{} // keys without canonical form, and why
	var unmatched []sources.Key
	for _, key := range keys {
		canonical, err := drive.canonical(&sources.Record{Key: key})
		if err != nil {
			strange[canonicalEncoding(key)] = err.Error()
			unmatched = append(unmatched, key)
			continue
		}
		g.add(canonical, nil, drive.role)
	}
	if err := e.readDrawn(ctx, y, g, seg.Pass); err != nil {
		return nil, err
	}
	if !seg.Pass.Presence { // else of the replica those alone that the owner lacks are at hand
		e.observeGroups(y.seen, g)
	}
	for _, one := range g.groups {
		if err := e.noteDrawn(y, one, seg); err != nil {
			return nil, err
		}
	}
	if len(unmatched) == 0 {
		return y, nil
	}
	return y, e.noteStrange(ctx, y, seg, unmatched, strange)
}

// readDrawn reads what both sides hold for keys: both at once where they are
// compared; where only records that the owner lacks are looked for, the replica's
// alone that may be such.
func (e *edge) readDrawn(ctx context.Context, y *Part, g *groups, pass Pass) error {
	var owners, replicas int64
	read := func(ctx context.Context, s *side, keys []sources.Key, n *int64) error {
		return s.lookup(ctx, keys, func(key string, r *sources.Record) {
			if !r.OutOfScope {
				*n++
			}
			g.meet(g.byKey[key], r, s.role)
		})
	}
	if !pass.Presence {
		both, ctx := errgroup.WithContext(ctx)
		both.Go(func() error { return read(ctx, e.owner, g.keys, &owners) })
		both.Go(func() error { return read(ctx, e.replica, g.keys, &replicas) })
		if err := both.Wait(); err != nil {
			return err
		}
		y.Counts.OwnerRecords += owners
		y.Counts.ReplicaRecords += replicas
		return nil
	}
	if err := read(ctx, e.owner, g.keys, &owners); err != nil {
		return err
	}
	var lacking []sources.Key
	for _, one := range g.groups {
		if lacks(one) {
			lacking = append(lacking, one.key)
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	err := read(ctx, e.replica, lacking, &replicas)
	y.Counts.ReplicaRecords += replicas
	return err
}

// lacks says whether the owner has no live record of a key, nor one that the
// check is not about.
func lacks(g *group) bool {
	owner := g.pick(OwnerSide)
	return owner == nil || owner.Deleted && !owner.OutOfScope
}

// noteDrawn judges what both sides hold for one drawn key. A key that nobody has
// any more, or that left the scope, is no longer one of those that the sample is of.
func (e *edge) noteDrawn(y *Part, g *group, seg *Segment) error {
	suspects, skipped := len(y.Suspects), y.Counts.Skipped
	role, concerned := seg.Pass.Drive, e.concerned(g, seg.Pass.Drive)
	if !seg.Pass.Presence || lacks(g) {
		if err := e.noteWhole(y, g); err != nil {
			return err
		}
	}
	switch {
	case seg.Stratum != StratumRandom:
	case len(y.Suspects) > suspects:
		y.Suspects[suspects].Random = role
	case y.Counts.Skipped > skipped:
	case concerned:
		y.Counts.countRandom(role, 1, 0, 0)
	default:
		y.Counts.countRandom(role, 0, 0, 1)
	}
	return nil
}

// noteWhole judges all that both sides hold for one key. Where one owner record
// may have many copies, and one without any is ignored, it is not looked at.
func (e *edge) noteWhole(y *Part, g *group) error {
	edge := e.comparison.Edge
	if len(g.replicas) == 0 && (len(g.owners) == 0 || edge.Copies() && edge.IgnoreMissing) {
		return nil
	}
	return e.noteGroup(y, g, true)
}

// concerned says whether a key that was drawn of a side is still one of those it
// was drawn from. What the owner has of a replica's key proves that it is none too many.
func (e *edge) concerned(g *group, drawnOf Role) bool {
	owner := g.pick(OwnerSide)
	if drawnOf == OwnerSide {
		return owner != nil && !owner.OutOfScope
	}
	return owner != nil && !lacks(g) || g.pick(ReplicaSide) != nil
}

// countRandom counts keys drawn at random of a side.
func (c *Counts) countRandom(role Role, judged, differ, gone int64) {
	if role == OwnerSide {
		c.RandomKeys, c.RandomDrift, c.RandomGone = c.RandomKeys+judged, c.RandomDrift+differ, c.RandomGone+gone
		return
	}
	c.RandomReplicaKeys, c.RandomExtras, c.RandomReplicaGone = c.RandomReplicaKeys+judged, c.RandomExtras+differ, c.RandomReplicaGone+gone
}

// noteStrange notes the records of drawn keys without canonical form, which can
// be matched with nothing. The other side has none of them.
func (e *edge) noteStrange(ctx context.Context, y *Part, seg *Segment, keys []sources.Key, why map[string]string) error {
	drive, _ := e.sides(seg.Pass.Drive)
	found := map[string]bool{}
	err := drive.reader.Lookup(ctx, drive.dataset, keys, func(p *sources.Page) error {
		if err := decodeAll(p); err != nil {
			return err
		}
		for i := range p.Records {
			r := &p.Records[i]
			encoded := canonicalEncoding(r.Key)
			if reason, ok := why[encoded]; ok {
				before := y.Counts.Unreadable
				e.unreadable(y, r, drive.role, reason)
				found[encoded] = found[encoded] || y.Counts.Unreadable > before
			}
		}
		return nil
	})
	if err != nil || seg.Stratum != StratumRandom {
		return err
	}
	for encoded := range why {
		if found[encoded] {
			y.Counts.countRandom(drive.role, 1, 1, 0)
		} else {
			y.Counts.countRandom(drive.role, 0, 0, 1)
		}
	}
	return nil
}
