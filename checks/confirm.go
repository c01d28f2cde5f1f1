package checks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"plumbline/sources"
)

const confirmBatch = 500

// confirmAll reads every suspect again once it has settled: the replica first,
// then the owner. A record that differs while its owner stood still for the
// whole settle time is confirmed. An owner that changed starts the clock anew,
// up to Options.Restarts times; then the record is unsettled.
func (e *edge) confirmAll(ctx context.Context) error {
	for e.suspects.len() > 0 {
		again := newSuspectLog(e.suspects.keyParts, e.suspects.idParts)
		round := e.suspects
		left := round.len()
		err := round.drain(confirmBatch, func(batch []suspect) error {
			restarted, err := e.confirmSettled(ctx, batch)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			left -= int64(len(batch))
			if err != nil {
				e.pending(len(batch), err)
				return nil
			}
			return again.add(restarted)
		})
		e.suspects = again
		if err != nil {
			e.pending(int(left), nil)
		}
		if cerr := round.close(); err == nil {
			err = cerr
		}
		if err != nil {
			return err
		}
	}
	return e.doubtEmptyOwner(ctx)
}

// confirmSettled waits for a batch to settle and judges it; errStopped where the
// run is stopped first.
func (e *edge) confirmSettled(ctx context.Context, batch []suspect) ([]suspect, error) {
	if !e.stopped() {
		if err := e.waitSettled(ctx, batch); err != nil {
			return nil, err
		}
	}
	if e.stopped() {
		return nil, errStopped
	}
	return e.confirmBatch(ctx, batch)
}

// doubtEmptyOwner takes extras back where the owner has come to answer with nothing at all.
func (e *edge) doubtEmptyOwner(ctx context.Context) error {
	if e.run.Counts.Extra == 0 || e.check.AllowEmpty || len(e.options.Keys) > 0 {
		return nil
	}
	empty, err := e.ownerEmpty(ctx)
	if err != nil || !empty {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.run.Unread += e.run.Counts.Extra
	e.run.Counts.Extra = 0
	e.run.Differences = slices.DeleteFunc(e.run.Differences, func(d Difference) bool { return d.Kind == Extra })
	e.run.Reasons[e.emptyReason()]++
	return nil
}

// waitSettled waits until the last of the batch has settled, or the run is stopped.
func (e *edge) waitSettled(ctx context.Context, batch []suspect) error {
	last := batch[0].since
	for i := range batch {
		if batch[i].since.After(last) {
			last = batch[i].since
		}
	}
	due := last.Add(e.settle)
	wait := due.Sub(e.now())
	if wait <= 0 {
		return nil
	}
	e.progress("settle", due)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-e.options.Stop:
	case <-timer.C:
	}
	return nil
}

func (e *edge) pending(n int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.run.Pending += int64(n)
	if err != nil && !errors.Is(err, errStopped) {
		e.run.Reasons[err.Error()]++
	}
}

// confirmBatch judges a batch of settled suspects and returns those whose clock starts anew.
func (e *edge) confirmBatch(ctx context.Context, batch []suspect) (restarted []suspect, err error) {
	groups, err := e.readAgain(ctx, batch)
	if err != nil {
		return nil, err
	}
	now := e.now()
	e.mu.Lock()
	defer func() {
		e.judged += int64(len(batch))
		e.mu.Unlock()
		e.progress("confirm", time.Time{})
	}()
	for i := range batch {
		s := &batch[i]
		g := groups.byKey[s.key.Encode()]
		if s.duplicate {
			e.confirmTwin(s, g, now)
			continue
		}
		if g.extras(OwnerSide) > 0 { // which of them was meant, nobody can say
			key := *s
			key.id = nil
			e.confirmTwin(&key, g, now)
		}
		owner, replica := g.pick(OwnerSide), e.replicaOf(s, g)
		if e.copyWent(s, g, replica) {
			e.run.Counts.SuspectsCleared++
			if !e.comparison.Edge.IgnoreMissing {
				restarted = append(restarted, suspect{key: s.key, owner: e.comparison.ownerState(owner), firstSeen: s.firstSeen,
					since: now, restarts: s.restarts})
			}
			continue
		}
		v := e.comparison.judge(owner, replica)
		state := e.comparison.ownerState(owner)
		if v.outcome == outcomeDiffers && state != s.owner {
			if s.restarts >= e.options.Restarts {
				e.run.Counts.Skipped++
				e.run.Counts.Unsettled++
				e.run.Reasons["unsettled: the owner's record changes faster than it settles"]++
				continue
			}
			renewed := *s
			renewed.owner, renewed.since, renewed.restarts = state, now, s.restarts+1
			restarted = append(restarted, renewed)
			continue
		}
		e.conclude(s, v, replica, now)
	}
	return restarted, nil
}

// copyWent says whether a suspect was about one of a live owner's copies, which
// is gone by now. That is no difference; whether any copy is left is a question
// about the key.
func (e *edge) copyWent(s *suspect, g *group, replica *sources.Record) bool {
	return e.comparison.Edge.Copies() && len(s.id) > 0 && g.live(OwnerSide) != nil && (replica == nil || replica.Deleted)
}

// conclude counts a suspect's last verdict. e.mu is held.
func (e *edge) conclude(s *suspect, v verdict, replica *sources.Record, now time.Time) {
	if v.outcome != outcomeDiffers {
		e.run.Counts.SuspectsCleared++
	}
	switch v.outcome {
	case outcomeEqual:
		if len(s.id) > 0 || !e.comparison.Edge.Copies() {
			e.run.Counts.Equal++
		}
	case outcomeSkipped:
		e.run.Counts.Skipped++
		e.run.Reasons[v.reason]++
	case outcomeDiffers:
		if e.toldBefore(v.kind, s) {
			return
		}
		e.run.Counts.count(v.kind, 1)
		d := Difference{Kind: v.kind, Key: s.key, ID: s.id, Fields: v.fields, Reason: v.reason,
			FirstSeen: s.firstSeen, LastSeen: now}
		if replica != nil && len(d.ID) == 0 {
			d.ID = replica.ID
		}
		e.keep(d)
	case outcomeOutOfScope, outcomeIgnored:
	}
}

// confirmTwin counts the records that a side still holds beyond one. e.mu is held.
func (e *edge) confirmTwin(s *suspect, g *group, now time.Time) {
	owners, replicas, what := g.extras(OwnerSide), g.extras(ReplicaSide), "key"
	if e.comparison.Edge.Copies() {
		replicas = 0
	}
	if len(s.id) > 0 {
		owners, replicas, what = 0, surplus(g.of(s.id)), "key and id"
	}
	if owners+replicas == 0 || e.notConcerned(g.pick(OwnerSide)) {
		e.run.Counts.SuspectsCleared++
		return
	}
	if e.toldBefore(Duplicate, s) {
		return
	}
	var reasons []string
	if owners > 0 {
		reasons = append(reasons, fmt.Sprintf("the owner has %d records of this key", owners+1))
	}
	if replicas > 0 {
		reasons = append(reasons, fmt.Sprintf("the replica has %d records of this %s", replicas+1, what))
	}
	e.run.Counts.Duplicate += owners + replicas
	e.keep(Difference{Kind: Duplicate, Key: s.key, ID: s.id, Reason: strings.Join(reasons, "; "), FirstSeen: s.firstSeen, LastSeen: now})
}

// toldBefore says whether a difference was counted already: a key whose records
// lie apart in the driving side's order is met more than once. It remembers as
// many as are kept. e.mu is held.
func (e *edge) toldBefore(kind DifferenceKind, s *suspect) bool {
	identity := string(kind) + s.key.Encode() + s.id.Encode()
	if e.told[identity] {
		return true
	}
	if len(e.told) < e.options.Findings {
		e.told[identity] = true
	}
	return false
}

// replicaOf picks, of what the replica holds for a key, the record a suspect is about.
func (e *edge) replicaOf(s *suspect, g *group) *sources.Record {
	if !e.comparison.Edge.Copies() {
		return g.pick(ReplicaSide)
	}
	if len(s.id) == 0 { // about the key having no copy at all
		return g.live(ReplicaSide)
	}
	return standing(g.of(s.id))
}

// readAgain reads the suspects' keys: the replica, and only then the owner, so
// that what the replica lacks was there to be copied before it was read.
func (e *edge) readAgain(ctx context.Context, batch []suspect) (*groups, error) {
	g := newGroups()
	wanted := map[string]bool{} // copies by key and id; "" and the key alone where any will do
	for i := range batch {
		s := &batch[i]
		g.add(s.key, nil, OwnerSide)
		wanted[s.key.Encode()+s.id.Encode()] = true
	}
	for _, s := range []*side{e.replica, e.owner} {
		err := s.lookup(ctx, g.keys, func(key string, r *sources.Record) {
			one := g.byKey[key]
			if s.role == ReplicaSide && e.comparison.Edge.Copies() && !wanted[key] && !wanted[key+r.ID.Encode()] {
				return // one key may have millions of copies; keep those in question
			}
			g.meet(one, r, s.role)
		})
		if err != nil {
			return nil, err
		}
	}
	return g, nil
}
