package checks

import (
	"context"
	"fmt"
	"strings"
	"time"

	"plumbline/sources"
)

// Outcome is what reading a suspect again came to.
type Outcome string

// The outcomes. Only Cleared resolves a finding.
const (
	// Confirmed: it still differs, and the owner stood still for the whole settle time.
	Confirmed Outcome = "confirmed"
	// Cleared: the record was read and found equal, gone on both sides, out of
	// scope, or of a kind that the edge ignores.
	Cleared Outcome = "cleared"
	// Renewed: the owner changed meanwhile, so the clock starts anew.
	Renewed Outcome = "renewed"
	// Unsettled: the owner changed more often than Options.Restarts allows.
	Unsettled Outcome = "unsettled"
	// Unread: it is there and was not read, so nothing is known of it.
	Unread Outcome = "unread"
)

// Why a suspect was cleared.
const (
	ClearedEqual      = "equal"        // both sides agree, be it that neither has it
	ClearedGone       = "gone"         // the copy in question is no longer there
	ClearedOutOfScope = "out of scope" // the check is not about it
	ClearedIgnored    = "ignored"      // only one side has it, which the edge does not report
	// ClearedRedefined: the check's key or id has other parts by now, so nothing
	// can be looked up and the check is no longer about it. No read was made.
	ClearedRedefined = "the check's key was changed"
)

// Verdict is what one suspect came to.
type Verdict struct {
	Suspect *Suspect
	Outcome Outcome
	// Cleared says why, where Outcome is Cleared.
	Cleared string
	// Counts is what the verdict adds to its run.
	Counts Counts
	// Difference is what was confirmed.
	Difference *Difference
	// Reason says why nothing is known, where Outcome is Unsettled or Unread.
	Reason string
	// ReadAt is when the read began: what was seen later is newer.
	ReadAt time.Time
	// Follow is a suspect that the verdict gives rise to: the same one, renewed,
	// or the question whether its key has any copy left.
	Follow *Suspect

	ownerless bool // the owner answered with no record of the key
}

// judgeAgain reads suspects again, the replica first and then the owner, and
// judges each. There is at least one verdict for each suspect.
func (e *edge) judgeAgain(ctx context.Context, batch []Suspect) ([]Verdict, error) {
	verdicts := make([]Verdict, 0, len(batch))
	readable := make([]*Suspect, 0, len(batch))
	for i := range batch {
		if s := &batch[i]; e.shaped(s) {
			readable = append(readable, s)
		} else {
			verdicts = append(verdicts, redefined(s))
		}
	}
	began := e.now()
	groups, err := e.readAgain(ctx, readable)
	if err == nil && len(readable) > 0 {
		if err = e.unchanged(ctx); err == nil {
			err = e.stillFamiliar(ctx, groups)
		}
	}
	if err != nil {
		return nil, e.explained(ctx, err)
	}
	now := e.now()
	first := len(verdicts)
	for _, s := range readable {
		g := groups.byKey[s.Key.Encode()]
		if s.Duplicate {
			verdicts = append(verdicts, e.judgeTwin(s, g, now))
			continue
		}
		if g.extras(OwnerSide) > 0 { // which of them was meant, nobody can say
			key := *s
			key.ID, key.Random = nil, ""
			verdicts = append(verdicts, e.judgeTwin(&key, g, now))
		}
		verdicts = append(verdicts, e.judgeSuspect(s, g, now))
	}
	for i := range verdicts {
		verdicts[i].ReadAt = began
	}
	for i := first; i < len(verdicts); i++ {
		v := &verdicts[i]
		g := groups.byKey[v.Suspect.Key.Encode()]
		v.ownerless = g.pick(OwnerSide) == nil
		if v.Suspect.Random == "" {
			continue
		}
		if err := e.countRandomKey(v, g); err != nil {
			return nil, err
		}
	}
	return verdicts, nil
}

// shaped says whether a suspect's key and id have the parts that the check's have now.
func (e *edge) shaped(s *Suspect) bool {
	return len(s.Key) == len(e.comparison.Owner.Key) && (len(s.ID) == 0 || len(s.ID) == len(e.comparison.Replica.ID))
}

// redefined is the verdict on a suspect from before the check's key was changed.
func redefined(s *Suspect) Verdict {
	if s.Known {
		return Verdict{Suspect: s, Outcome: Cleared, Cleared: ClearedRedefined}
	}
	return Verdict{Suspect: s, Outcome: Unread, Reason: ClearedRedefined, Counts: Counts{Skipped: 1}}
}

func (e *edge) judgeSuspect(s *Suspect, g *group, now time.Time) Verdict {
	owner, replica := g.pick(OwnerSide), e.replicaOf(s, g)
	v := Verdict{Suspect: s}
	if e.copyWent(s, g, replica) {
		v.Outcome, v.Cleared = Cleared, ClearedGone
		v.Counts.SuspectsCleared++
		if !e.comparison.Edge.IgnoreMissing {
			v.Follow = &Suspect{Key: s.Key, Owner: e.comparison.ownerState(owner), FirstSeen: s.FirstSeen,
				Since: now, Restarts: s.Restarts}
		}
		return v
	}
	judged := e.comparison.judge(owner, replica)
	state := e.comparison.ownerState(owner)
	if judged.outcome == outcomeDiffers && state != s.Owner && !s.Known {
		if s.Restarts >= e.options.Restarts {
			v.Outcome, v.Reason = Unsettled, "unsettled: the owner's record changes faster than it settles"
			v.Counts.Skipped, v.Counts.Unsettled = 1, 1
			return v
		}
		renewed := *s
		renewed.Owner, renewed.Since, renewed.Restarts = state, now, s.Restarts+1
		v.Outcome, v.Follow = Renewed, &renewed
		return v
	}
	e.settleVerdict(&v, judged, owner, replica, now)
	return v
}

// settleVerdict turns the judgement of a record that holds still into a verdict.
func (e *edge) settleVerdict(v *Verdict, judged verdict, owner, replica *sources.Record, now time.Time) {
	s := v.Suspect
	if judged.outcome != outcomeDiffers && judged.outcome != outcomeSkipped {
		v.Outcome, v.Counts.SuspectsCleared = Cleared, 1
	}
	switch judged.outcome {
	case outcomeEqual:
		v.Cleared = ClearedEqual
		if len(s.ID) > 0 || !e.comparison.Edge.Copies() {
			v.Counts.Equal++
		}
	case outcomeSkipped:
		v.Outcome, v.Reason = Unread, judged.reason
		v.Counts.Skipped++
	case outcomeDiffers:
		v.Outcome = Confirmed
		v.Counts.count(judged.kind, 1)
		v.Difference = &Difference{Kind: judged.kind, Key: s.Key, ID: s.ID, Fields: judged.fields, Reason: judged.reason,
			FirstSeen: s.FirstSeen, LastSeen: now}
		if replica != nil && len(s.ID) == 0 {
			v.Difference.ID = replica.ID
		}
		v.Difference.Age, v.Difference.OwnerVersion, v.Difference.ReplicaVersion = e.comparison.age(owner, replica)
	case outcomeOutOfScope:
		v.Cleared = ClearedOutOfScope
	case outcomeIgnored:
		v.Cleared = ClearedIgnored
	}
}

// copyWent says whether a suspect was about one of a live owner's copies, which
// is gone by now. That is no difference; whether any copy is left is a question
// about the key.
func (e *edge) copyWent(s *Suspect, g *group, replica *sources.Record) bool {
	return e.comparison.Edge.Copies() && len(s.ID) > 0 && g.live(OwnerSide) != nil && (replica == nil || replica.Deleted)
}

// judgeTwin counts the records that a side still holds beyond one.
func (e *edge) judgeTwin(s *Suspect, g *group, now time.Time) Verdict {
	owners, replicas, what := g.extras(OwnerSide), g.extras(ReplicaSide), "key"
	if e.comparison.Edge.Copies() {
		replicas = 0
	}
	if len(s.ID) > 0 {
		owners, replicas, what = 0, surplus(g.of(s.ID)), "key and id"
	}
	v := Verdict{Suspect: s}
	if owners+replicas == 0 || e.notConcerned(g.pick(OwnerSide)) {
		v.Outcome, v.Cleared = Cleared, ClearedEqual
		v.Counts.SuspectsCleared++
		return v
	}
	var reasons []string
	if owners > 0 {
		reasons = append(reasons, fmt.Sprintf("the owner has %d records of this key", owners+1))
	}
	if replicas > 0 {
		reasons = append(reasons, fmt.Sprintf("the replica has %d records of this %s", replicas+1, what))
	}
	v.Outcome, v.Counts.Duplicate = Confirmed, owners+replicas
	v.Difference = &Difference{Kind: Duplicate, Key: s.Key, ID: s.ID, Reason: strings.Join(reasons, "; "), FirstSeen: s.FirstSeen, LastSeen: now}
	return v
}

// replicaOf picks, of what the replica holds for a key, the record a suspect is about.
func (e *edge) replicaOf(s *Suspect, g *group) *sources.Record {
	if !e.comparison.Edge.Copies() {
		return g.pick(ReplicaSide)
	}
	if len(s.ID) == 0 { // about the key having no copy at all
		return g.live(ReplicaSide)
	}
	return standing(g.of(s.ID))
}

// readAgain reads the suspects' keys: the replica, and only then the owner, so
// that what the replica lacks was there to be copied before it was read.
func (e *edge) readAgain(ctx context.Context, batch []*Suspect) (*groups, error) {
	g := newGroups()
	wanted := map[string]bool{} // copies by key and id; "" and the key alone where any will do
	for _, s := range batch {
		g.add(s.Key, nil, OwnerSide)
		wanted[s.Key.Encode()+s.ID.Encode()] = true
		if s.Random != "" { // the key is judged as a whole
			wanted[s.Key.Encode()] = true
		}
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
