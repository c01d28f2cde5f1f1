package web

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
)

// sampleFacts say what a run drew, and what that tells of the rest.
func sampleFacts(r *ledger.Run, segments []ledger.Segment) []fact {
	if !r.Sampled() {
		return nil
	}
	facts := []fact{{Name: "asked for", Text: sampleWords(r.Sample, r.Asked.Since)}}
	if d := r.Drawn; d != nil {
		for _, side := range []checks.Role{checks.OwnerSide, checks.ReplicaSide} {
			if d.Drawn[side] > 0 {
				facts = append(facts, fact{Name: "of the " + string(side), Text: drawnWords(d, side, segments)})
			}
		}
		for _, why := range d.Why {
			facts = append(facts, fact{Name: "instead", Text: why})
		}
		if d.Random[checks.OwnerSide]+d.Random[checks.ReplicaSide] > 0 {
			facts = append(facts, fact{Name: "seed", Text: strconv.FormatUint(r.Seed, 10)})
		}
	}
	if scope := r.ScopeShare(); scope > 0 {
		facts = append(facts, fact{Name: "of all", Text: share(scope) + " of the owner's keys were compared"})
	}
	run := r.EdgeRun()
	rate, ok := run.DriftRate()
	switch {
	case ok:
		facts = append(facts, fact{Name: "drift", Text: rateWords(rate, "differ")})
	case r.State == ledger.Finished:
		facts = append(facts, fact{Name: "drift", Text: "of the keys that were not drawn nothing is known: none was drawn at random"})
	}
	if extra, ok := run.ExtraRate(); ok {
		facts = append(facts, fact{Name: "extra", Text: rateWords(extra, "have no owner")})
	}
	return facts
}

// sampleWords say what is to be drawn: 10,000 keys: 50 % changed last by updated_at, 20 % at random.
func sampleWords(s checks.Sample, since time.Duration) string {
	if since > 0 {
		return "the keys that changed in the last " + span(since) + ", by " + s.RecentBy
	}
	var parts []string
	if s.Recent > 0 && s.RecentBy != "" {
		parts = append(parts, share(s.Recent)+" those that changed last, by "+s.RecentBy)
	} else if s.Recent > 0 {
		parts = append(parts, share(s.Recent)+" those that changed last")
	}
	if s.Rolling > 0 {
		parts = append(parts, share(s.Rolling)+" on from where the run before ended")
	}
	if s.Random > 0 {
		parts = append(parts, share(s.Random)+" at random")
	}
	return several(int64(s.Keys), "key", "keys") + ": " + strings.Join(parts, ", ")
}

// drawnWords say what was drawn of one side, stratum by stratum.
func drawnWords(d *checks.Sampled, side checks.Role, segments []ledger.Segment) string {
	words := several(d.Drawn[side], "key", "keys") + " drawn"
	switch {
	case d.Population[side] > 0:
		words += " of " + exact(d.Population[side])
	case d.Estimate[side] > 0:
		words += " of about " + exact(d.Estimate[side]) + " records"
	}
	byStratum := map[checks.Stratum]int64{}
	for i := range segments {
		if s := &segments[i]; s.Plan.Pass.Drive == side {
			byStratum[s.Plan.Stratum] += s.Plan.Estimate
		}
	}
	var parts []string
	for _, stratum := range []checks.Stratum{checks.StratumRecent, checks.StratumRolling, checks.StratumRandom} {
		if n := byStratum[stratum]; n > 0 {
			parts = append(parts, exact(n)+" "+string(stratum))
		}
	}
	if len(parts) > 0 {
		words += ": " + strings.Join(parts, ", ")
	}
	return words
}

// rateWords say a share with its bounds, and what it was told from: 0.9 % of owner
// keys differ (95 %: 0.4 % to 1.7 %), told from 2,000 keys drawn at random of 1,234,567.
func rateWords(rate checks.DriftRate, verb string) string {
	words := fmt.Sprintf("%s of %s %s (%s: %s to %s), told from %s drawn at random", share(rate.Estimate), rate.Of, verb, share(rate.Confidence),
		share(rate.Low), strings.TrimPrefix(drift.AtMost(rate.High), "≤ "), several(rate.Keys, "key", "keys"))
	if rate.Population > 0 {
		return words + " of " + exact(rate.Population)
	}
	return words + "; how many there are was not counted, which makes the bounds wider"
}

// lastRates say what the last sample that ended tells of the keys that it did not draw.
func lastRates(m *edgeMemory) (facts []fact) {
	r := lastSample(m)
	if r == nil {
		return nil
	}
	run := r.EdgeRun()
	if rate, ok := run.DriftRate(); ok {
		facts = append(facts, fact{Name: "drift", Text: rateWords(rate, "differ")})
	}
	if extra, ok := run.ExtraRate(); ok {
		facts = append(facts, fact{Name: "extra", Text: rateWords(extra, "have no owner")})
	}
	return facts
}

// lastSample is the run that an edge stands on, where that is a sample; else nil.
func lastSample(m *edgeMemory) *ledger.Run {
	for _, r := range m.runs {
		if r.ID == m.view.known.LastRun && r.Sampled() {
			return r
		}
	}
	return nil
}

// comparedLast is how many records the last sample compared, and of what is
// compared in full the last complete run.
func comparedLast(m *edgeMemory) int64 {
	if r := lastSample(m); r != nil {
		return r.Counts.Compared()
	}
	return m.view.known.Compared
}

// rollingFacts say how long ago each key was compared, for each side of which a
// rolling sample is drawn.
func rollingFacts(list []ledger.Rolling, replica string, now time.Time) []fact {
	var facts []fact
	for i := range list {
		if r := &list[i]; r.Replica == replica {
			facts = append(facts, fact{Name: "rolling, " + string(r.Side), Text: rollingWords(r, now)})
		}
	}
	return facts
}

// rollingWords say since when every key of a side was compared, and how far this
// time through them has come.
func rollingWords(r *ledger.Rolling, now time.Time) string {
	cycle := fmt.Sprintf("cycle %d has come to %s", r.Cycle, several(r.Visited, "key", "keys"))
	if done, ok := r.Share(); ok {
		cycle = fmt.Sprintf("cycle %d: %s of about %s done", r.Cycle, share(done), several(r.Size, "key", "keys"))
	}
	if at := r.CompleteAt(); at.After(now) {
		cycle += ", at this pace complete in " + span(at.Sub(now))
	}
	since := r.Since()
	if since.IsZero() {
		return "not every key was compared yet; " + cycle
	}
	words := fmt.Sprintf("every key that was there throughout was compared within %s, since %s", span(now.Sub(since)), since.UTC().Format("2006-01-02 15:04 UTC"))
	if n := r.Skipped + r.LastSkipped; n > 0 {
		words += ", but for " + several(n, "key", "keys") + " that could not be"
	}
	return words + "; " + cycle
}
