package checks

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Sample is a run's budget of keys. The shares of its parts add up to one.
type Sample struct {
	// Keys is how many of the owner's keys a run draws and compares; 0 means every
	// record. As many of the replica's are drawn to look for extra ones.
	Keys int
	// Recent, Rolling and Random are the shares of the keys that changed last, of
	// those that were compared longest ago, and of those drawn at random.
	Recent, Rolling, Random float64
	// RecentBy is the owner's field that says when a record changed; "" leaves
	// the recent part to the others.
	RecentBy string
}

// All says whether every record is compared.
func (s Sample) All() bool { return s.Keys == 0 }

// Stratum is a way in which keys are chosen.
type Stratum string

// The strata.
const (
	StratumRecent  Stratum = "recent"  // the keys that changed last
	StratumRolling Stratum = "rolling" // the keys after those of the run before, in the order of a scan
	StratumRandom  Stratum = "random"  // keys of which each is as likely as any other
)

// budget is how many keys each part of a sample may have on one side.
type budget struct {
	recent, rolling, random int
	recentBy                string // the side's own field
	why                     []string
}

func (b budget) keys() int { return b.recent + b.rolling + b.random }

// budgetFor divides a sample's keys among the parts that a side can give. What it
// cannot give falls to the random part, which alone says how much differs, and
// where there is none to the rolling part.
func budgetFor(s Sample, role Role, facts SideFacts, recentBy string) budget {
	b := budget{recentBy: recentBy}
	b.recent = int(math.Round(float64(s.Keys) * s.Recent))
	b.rolling = min(int(math.Round(float64(s.Keys)*s.Rolling)), s.Keys-b.recent)
	b.random = s.Keys - b.recent - b.rolling
	if s.Random == 0 && b.random > 0 { // what rounding left over
		b.rolling, b.random = b.rolling+b.random, 0
	}
	why := ""
	switch {
	case b.recent == 0:
	case recentBy == "" && role == OwnerSide:
		why = "recent: the sample names no recent_by"
	case recentBy == "":
		why = fmt.Sprintf("recent: the %s has no field that is compared with recent_by", role)
	case !facts.Capabilities.Recent:
		why = fmt.Sprintf("recent: the %s cannot say what changed last", role)
	}
	if why == "" {
		return b
	}
	return b.withoutRecent(s, why)
}

// withoutRecent gives the keys of the recent part, which a side cannot give, to another.
func (b budget) withoutRecent(s Sample, why string) budget {
	if s.Random > 0 || s.Rolling == 0 {
		b.random, why = b.random+b.recent, why+"; its keys are drawn at random"
	} else {
		b.rolling, why = b.rolling+b.recent, why+"; its keys are added to the rolling part"
	}
	b.recent, b.why = 0, append(b.why[:len(b.why):len(b.why)], why)
	return b
}

// words says a budget as a person would: 10,000 keys sampled: 5,000 recent by updated_at, 5,000 random.
func (b budget) words(since time.Duration) string {
	var parts []string
	if since > 0 {
		return fmt.Sprintf("the keys that changed in the last %s by %s, at most %s", since, b.recentBy, thousands(b.recent))
	}
	if b.recent > 0 {
		parts = append(parts, thousands(b.recent)+" recent by "+b.recentBy)
	}
	if b.rolling > 0 {
		parts = append(parts, thousands(b.rolling)+" rolling")
	}
	if b.random > 0 {
		parts = append(parts, thousands(b.random)+" random")
	}
	return thousands(b.keys()) + " keys sampled: " + strings.Join(parts, ", ")
}

// thousands writes a count with a comma at every third digit.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
