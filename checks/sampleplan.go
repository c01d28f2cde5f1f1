package checks

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// NewSamplePlan says how a sample of an edge is read: drawn keys are looked up
// on both sides. It is a pure function, and fails where no side's keys can be drawn.
func NewSamplePlan(c *Comparison, owner, replica SideFacts, s Sample) (Plan, error) {
	return samplePlan(c, owner, replica, s, 0)
}

func samplePlan(c *Comparison, owner, replica SideFacts, s Sample, since time.Duration) (Plan, error) {
	facts := map[Role]SideFacts{OwnerSide: owner, ReplicaSide: replica}
	p := Plan{Kind: PlanKeys, Passes: samplePasses(c, owner, replica)}
	if len(p.Passes) == 0 {
		return Plan{}, errors.New("no keys can be drawn: both sides can only look keys up")
	}
	for _, pass := range p.Passes {
		b := c.budget(s, pass.Drive, facts[pass.Drive], since)
		if since > 0 && b.recent == 0 && !pass.Presence {
			return Plan{}, fmt.Errorf("no keys can be drawn by when they changed: %s", b.why[0])
		}
		p.Why = append(p.Why, b.why...)
		p.SampleKeys += int64(b.keys())
		switch {
		case !pass.Presence:
			p.Sampled = b.words(since)
			p.Blind = append(p.Blind, b.blind(pass.Drive)...)
		case b.keys() > 0:
			p.Sampled += fmt.Sprintf("; then of the %s, to look for extra records, %s", pass.Drive, b.words(since))
		default:
			p.Blind = append(p.Blind, "extra records: no key of the replica is drawn")
		}
	}
	switch last := p.Passes[len(p.Passes)-1]; {
	case last.Drive == OwnerSide && !c.Edge.IgnoreExtra:
		p.Blind = append(p.Blind, "extra records: the replica can only look keys up")
	case p.Passes[0].Drive == ReplicaSide && !c.Edge.IgnoreMissing:
		p.Blind = append(p.Blind, "missing records, and the share of the owner's keys that differ: the owner can only look keys up")
	}
	p.Why = append(p.Why, noKeyIndex(facts)...)
	return p, nil
}

// samplePasses are the sides whose keys a sample draws: the owner's to compare
// them, the replica's to look for extra ones; the replica's alone where the
// owner's cannot be drawn.
func samplePasses(c *Comparison, owner, replica SideFacts) (passes []Pass) {
	drawn := func(f SideFacts) bool { return f.Capabilities.Sample || f.scans() }
	if drawn(owner) {
		passes = append(passes, Pass{Drive: OwnerSide})
	}
	if drawn(replica) && (len(passes) == 0 || !c.Edge.IgnoreExtra) {
		passes = append(passes, Pass{Drive: ReplicaSide, Presence: len(passes) > 0})
	}
	return passes
}

// noKeyIndex warns of sides of which each look-up reads everything.
func noKeyIndex(facts map[Role]SideFacts) (why []string) {
	for _, role := range []Role{OwnerSide, ReplicaSide} {
		if f := facts[role]; f.Capabilities.Describe && f.Description.KeyIndex == "" {
			why = append(why, fmt.Sprintf("index: no index of the %s serves look-ups by key; every look-up reads it whole", role))
		}
	}
	return why
}

// blind says what a sample cannot find.
func (b budget) blind(role Role) []string {
	if b.random == 0 {
		return []string{"records that are not drawn: no key is drawn at random, so nothing is known of how many others differ"}
	}
	// The share of which at least one key is drawn with a probability of 95 %.
	share := 1 - math.Pow(0.05, 1/float64(b.random))
	return []string{fmt.Sprintf("records that are not drawn: %s random keys find a difference with 95 %% probability where at least %.2g %% of the %s's keys differ",
		thousands(b.random), 100*share, role)}
}

// mostSince bounds how many keys are compared for having changed of late.
const mostSince = 1_000_000

// sample is what the run compares: the check's sample, or what its options make of it.
func (e *edge) sample() Sample {
	s, o := e.check.Sample, e.options
	if o.Sample != nil {
		s = *o.Sample
		if s.RecentBy == "" {
			s.RecentBy = e.check.Sample.RecentBy
		}
		if s.Recent+s.Rolling+s.Random == 0 {
			s.Recent, s.Rolling, s.Random = e.check.Sample.Recent, e.check.Sample.Rolling, e.check.Sample.Random
		}
	}
	if o.Since > 0 {
		most := mostSince
		if o.Sample != nil && o.Sample.Keys > 0 {
			most = o.Sample.Keys
		}
		s = Sample{Keys: most, Recent: 1, RecentBy: s.RecentBy}
	}
	if s.Recent+s.Rolling+s.Random == 0 {
		s.Random = 1
	}
	return s
}

// recentBy is the field of a side that says when a record changed: the owner's as
// the sample names it, the replica's that is compared with it.
func (c *Comparison) recentBy(s Sample, role Role) string {
	if role == OwnerSide || s.RecentBy == "" {
		return s.RecentBy
	}
	for _, r := range c.Edge.Rules {
		if r.Owner.Name == s.RecentBy {
			return r.Replica.Name
		}
	}
	if c.Check.Owner.Version == s.RecentBy {
		return c.Edge.Replica.Version
	}
	return ""
}

// budget is what a sample draws of one side.
func (c *Comparison) budget(s Sample, role Role, facts SideFacts, since time.Duration) budget {
	b := budgetFor(s, role, facts, c.recentBy(s, role))
	if since > 0 && b.recent == 0 { // what did not change of late is not what was asked for
		b.random, b.rolling = 0, 0
	}
	return b
}
