package checks

import (
	"context"

	"plumbline/sources"
)

// scanKeys reads the driving side of a segment page by page and looks each
// page's keys up on the other side, while the next page is read.
func (e *edge) scanKeys(ctx context.Context, seg *Segment, take taker) error {
	drive, other := e.sides(seg.Pass.Drive)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request := sources.ScanRequest{Span: seg.Span, InScopeOnly: drive.role == OwnerSide,
		KeysOnly: seg.Pass.Presence && drive.role == ReplicaSide} // the owner's fields are what settle watches
	for ahead := range e.readAhead(ctx, drive, request) {
		if ahead.err != nil {
			return ahead.err
		}
		y := &Part{}
		e.countRead(y, drive.role, int64(ahead.page.Len()))
		if err := e.compareKeys(ctx, y, drive, other, ahead.page, seg.Pass.Presence); err != nil {
			return err
		}
		y.Records, y.Next, y.Done = int64(ahead.page.Len()), ahead.page.Next, ahead.page.Done
		if err := take(y); err != nil {
			return err
		}
		if !y.Done && e.scanned() {
			return ErrStopped
		}
	}
	return ctx.Err()
}

// compareKeys compares a page of the driving side with what the other side
// holds for its keys.
func (e *edge) compareKeys(ctx context.Context, y *Part, drive, other *side, page *sources.Page, presence bool) error {
	if err := decodeAll(page); err != nil {
		return err
	}
	g := newGroups()
	for i := range page.Records {
		r := &page.Records[i]
		key, err := drive.canonical(r)
		if err != nil {
			e.unreadable(y, r, drive.role, err.Error())
			continue
		}
		g.add(key, r, drive.role)
	}
	if drive.scattered() && !presence {
		if err := g.complete(ctx, drive); err != nil {
			return err
		}
	}
	records := int64(0)
	err := other.lookup(ctx, g.keys, func(key string, r *sources.Record) {
		records++
		g.meet(g.byKey[key], r, other.role)
	})
	if err != nil {
		return err
	}
	if !e.scans(other.role) {
		e.countRead(y, other.role, records)
	}
	if y.seen == nil {
		y.seen = &pageSeen{}
	}
	e.observeGroups(y.seen, g)
	for _, pair := range g.groups {
		if presence {
			err = e.notePresence(y, pair, drive.role)
		} else {
			err = e.noteGroup(y, pair, drive.role == OwnerSide)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// notePresence makes a suspect of a record that the driving side has and the
// other lacks. Whatever the other side holds for a key, if only marked deleted,
// the pass that compares has judged.
func (e *edge) notePresence(y *Part, g *group, drive Role) error {
	owner, replica := g.live(OwnerSide), g.live(ReplicaSide)
	if g.extras(OwnerSide) > 0 {
		y.Suspects = append(y.Suspects, e.newSuspect(g.key, nil, nil, true))
	}
	switch {
	case drive == OwnerSide && owner != nil && replica == nil:
		y.Suspects = append(y.Suspects, e.newSuspect(g.key, nil, owner, false))
	case drive == ReplicaSide && replica == nil && g.pick(OwnerSide) == nil:
		y.Counts.Equal++ // deleted here, absent there
	case drive == ReplicaSide && g.pick(OwnerSide) == nil:
		y.Suspects = append(y.Suspects, e.newSuspect(g.key, replica.ID, nil, false))
		if g.extras(ReplicaSide) > 0 {
			y.Suspects = append(y.Suspects, e.newSuspect(g.key, nil, nil, true))
		}
	}
	return nil
}

// noteGroup judges what both sides hold for one key; whole says that all copies
// are at hand, and not only those of a page.
func (e *edge) noteGroup(y *Part, g *group, whole bool) error {
	owner := g.pick(OwnerSide)
	if e.notConcerned(owner) {
		return nil
	}
	if g.extras(OwnerSide) > 0 || !e.comparison.Edge.Copies() && g.extras(ReplicaSide) > 0 {
		y.Suspects = append(y.Suspects, e.newSuspect(g.key, nil, nil, true))
	}
	if !e.comparison.Edge.Copies() {
		return e.note(y, e.comparison.judge(owner, g.pick(ReplicaSide)), owner, g.pick(ReplicaSide))
	}
	if len(g.replicas) == 0 {
		return e.note(y, e.comparison.judge(owner, nil), owner, nil)
	}
	if live := g.live(OwnerSide); whole && live != nil && g.live(ReplicaSide) == nil && !e.comparison.Edge.IgnoreMissing {
		y.Suspects = append(y.Suspects, e.newSuspect(g.key, nil, live, false))
	}
	for _, same := range byID(g.replicas) {
		if surplus(same) > 0 {
			y.Suspects = append(y.Suspects, e.newSuspect(g.key, same[0].ID, nil, true))
		}
		r := standing(same)
		if r.Deleted && g.live(OwnerSide) != nil {
			continue // a copy that is gone; whether any is left is a question about the key
		}
		if err := e.note(y, e.comparison.judge(owner, r), owner, r); err != nil {
			return err
		}
	}
	return nil
}

// notConcerned says whether what the owner holds for a key, or lacks, makes the
// key none of this edge's business, whatever the replica holds.
func (e *edge) notConcerned(owner *sources.Record) bool {
	return owner != nil && owner.OutOfScope || owner == nil && e.comparison.Edge.IgnoreExtra
}

// groups gathers what both sides hold, key by key, in the order keys came.
type groups struct {
	keys   []sources.Key
	groups []*group
	byKey  map[string]*group
}

func newGroups() *groups { return &groups{byKey: map[string]*group{}} }

func (g *groups) add(key sources.Key, r *sources.Record, role Role) *group {
	encoded := key.Encode()
	one := g.byKey[encoded]
	if one == nil {
		one = &group{key: key}
		g.byKey[encoded] = one
		g.keys, g.groups = append(g.keys, key), append(g.groups, one)
	}
	if r != nil {
		g.meet(one, r, role)
	}
	return one
}

// complete replaces what a page holds of a side by all that the side holds for
// the page's keys: records that share a key may lie in different pages.
func (g *groups) complete(ctx context.Context, s *side) error {
	for _, one := range g.groups {
		if s.role == OwnerSide {
			one.owners = nil
		} else {
			one.replicas = nil
		}
	}
	return s.lookup(ctx, g.keys, func(key string, r *sources.Record) { g.meet(g.byKey[key], r, s.role) })
}

func (g *groups) meet(one *group, r *sources.Record, role Role) {
	if role == OwnerSide {
		one.owners = append(one.owners, r)
	} else {
		one.replicas = append(one.replicas, r)
	}
}

// group is what both sides hold for one key.
type group struct {
	key              sources.Key
	owners, replicas []*sources.Record
}

func (g *group) side(role Role) []*sources.Record {
	if role == OwnerSide {
		return g.owners
	}
	return g.replicas
}

// live returns a record that is neither deleted nor out of scope, or nil.
func (g *group) live(role Role) *sources.Record {
	if r := g.pick(role); r != nil && !r.Deleted && !r.OutOfScope {
		return r
	}
	return nil
}

// pick returns the record that stands for a side, or nil where it holds nothing.
func (g *group) pick(role Role) *sources.Record { return standing(g.side(role)) }

// standing returns, of records of one identity, the one that stands for them: a
// live one before a deleted one before one out of scope; nil for none.
func standing(records []*sources.Record) (best *sources.Record) {
	for _, r := range records {
		if best == nil || standingOf(r) < standingOf(best) {
			best = r
		}
	}
	return best
}

func standingOf(r *sources.Record) int {
	switch {
	case r.OutOfScope:
		return 2
	case r.Deleted:
		return 1
	}
	return 0
}

// byID divides a key's copies by their own identity, in the order they came.
func byID(records []*sources.Record) (groups [][]*sources.Record) {
	index := map[string]int{}
	for _, r := range records {
		id := r.ID.Encode()
		i, ok := index[id]
		if !ok {
			i = len(groups)
			index[id] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], r)
	}
	return groups
}

// extras is how many live records a side holds beyond the one that stands for it.
func (g *group) extras(role Role) int64 { return surplus(g.side(role)) }

// of returns a key's copies of one id.
func (g *group) of(id sources.Key) (same []*sources.Record) {
	for _, r := range g.replicas {
		if r.ID.Equal(id) {
			same = append(same, r)
		}
	}
	return same
}

// surplus is how many live records there are beyond one.
func surplus(records []*sources.Record) (n int64) {
	for _, r := range records {
		if standingOf(r) == 0 {
			n++
		}
	}
	return max(0, n-1)
}
