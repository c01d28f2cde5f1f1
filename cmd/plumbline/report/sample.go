package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"plumbline/checks"
	"plumbline/cmd/plumbline/terminal"
	"plumbline/drift"
	"plumbline/web"
)

// Sample is what a run drew.
type Sample struct {
	// Seed is what the draws at random follow from; as text, since it may be more
	// than a program's numbers hold.
	Seed  string       `json:"seed"`
	Sides []SampleSide `json:"sides"`
	// Why says which parts could not be drawn as they were asked for, and what was
	// drawn instead.
	Why []string `json:"why"`
}

// SampleSide is what was drawn of one side.
type SampleSide struct {
	Side   checks.Role `json:"side"`
	Drawn  int64       `json:"drawn"`
	Random int64       `json:"random"`
	// Population is how many keys there were, 0 where they were not counted;
	// Estimate is the store's own word, 0 where it has none.
	Population int64 `json:"population"`
	Estimate   int64 `json:"estimate"`
}

func sampleOf(run *checks.EdgeRun) *Sample {
	d := run.Sampled
	if d == nil {
		return nil
	}
	s := &Sample{Seed: strconv.FormatUint(d.Seed, 10), Sides: []SampleSide{}, Why: append([]string{}, d.Why...)}
	for _, side := range []checks.Role{checks.OwnerSide, checks.ReplicaSide} {
		if d.Drawn[side] > 0 {
			s.Sides = append(s.Sides, SampleSide{side, d.Drawn[side], d.Random[side], d.Population[side], d.Estimate[side]})
		}
	}
	return s
}

func rateOf(rate checks.DriftRate, ok bool) *DriftRate {
	if !ok {
		return nil
	}
	return &DriftRate{rate.Estimate, rate.Low, rate.High, rate.Confidence, rate.Of, rate.Keys, rate.Population}
}

// Bound is the most that may differ where a sample found no drift: In sample: ≤ 0.03 %;
// "" for a run that compared everything, or found drift, or is not complete.
func (r *Run) Bound() string {
	if r.Sample == nil || r.Result != checks.Clean {
		return ""
	}
	bound := 1.0
	if r.DriftRate != nil {
		bound = r.DriftRate.High
		if r.ExtraRate != nil {
			bound = max(bound, r.ExtraRate.High)
		}
	}
	return string(drift.InSample) + ": " + drift.AtMost(bound)
}

// sampleLines say what a sample drew, and what that tells of the rest; none for a
// run that compared everything.
func sampleLines(r *Run) (lines []string) {
	if r.Sample == nil {
		return nil
	}
	if bound := r.Bound(); bound != "" {
		lines = append(lines, bound)
	}
	for _, s := range r.Sample.Sides {
		line := fmt.Sprintf("%s of the %s drawn", terminal.Plural(s.Drawn, "key"), s.Side)
		switch {
		case s.Population > 0:
			line += ", of " + terminal.Count(s.Population)
		case s.Estimate > 0:
			line += ", of about " + terminal.Count(s.Estimate) + " records"
		}
		lines = append(lines, line)
	}
	lines = append(lines, r.Sample.Why...)
	if r.DriftRate != nil {
		lines = append(lines, rateWords(r.DriftRate, "differ"))
	} else {
		lines = append(lines, "of the keys that were not drawn nothing is known: none was drawn at random")
	}
	if r.ExtraRate != nil {
		lines = append(lines, rateWords(r.ExtraRate, "have no owner"))
	}
	return append(lines, "seed "+r.Sample.Seed)
}

// small writes a share with at most two digits, however small: what differs never reads as 0 %.
func small(share float64) string {
	percent := 100 * share
	if percent <= 0 || percent >= 10 {
		return fmt.Sprintf("%.0f %%", math.Floor(percent))
	}
	unit := math.Pow10(max(0, 1-int(math.Floor(math.Log10(percent)))))
	return strconv.FormatFloat(math.Round(percent*unit)/unit, 'f', -1, 64) + " %"
}

// rateWords say a share with its bounds, and what it was told from.
func rateWords(rate *DriftRate, verb string) string {
	words := fmt.Sprintf("%s of %s %s (%s: %s to %s), told from %s drawn at random", small(rate.Estimate), rate.Of, verb, small(rate.Confidence),
		small(rate.Low), strings.TrimPrefix(drift.AtMost(rate.High), "≤ "), terminal.Plural(rate.Keys, "key"))
	if rate.Population > 0 {
		return words + " of " + terminal.Count(rate.Population)
	}
	return words + "; how many there are was not counted, which makes the bounds wider"
}

// servedSample is sampleLines of a run that a service made.
func servedSample(r *web.RunDetailBody) []string {
	if r.Sample == nil {
		return nil
	}
	s := &Run{Result: checks.Result(r.Result), DriftRate: servedRate(r.DriftRate), ExtraRate: servedRate(r.ExtraRate), Sample: &Sample{Seed: r.Sample.Seed, Why: r.Sample.Why}}
	for _, side := range r.Sample.Sides {
		s.Sample.Sides = append(s.Sample.Sides, SampleSide{checks.Role(side.Side), side.Drawn, side.Random, side.Population, side.Estimate})
	}
	if r.State != "finished" {
		s.Result = ""
	}
	return sampleLines(s)
}

func servedRate(rate *web.DriftRateBody) *DriftRate {
	if rate == nil {
		return nil
	}
	return &DriftRate{rate.Estimate, rate.Low, rate.High, rate.Confidence, rate.Of, rate.Keys, rate.Population}
}
