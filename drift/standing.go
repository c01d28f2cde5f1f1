package drift

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"plumbline/checks"
)

// Consistency says whether an edge's copies agree with their owner, as far as is known.
type Consistency string

// The consistencies. Unknown is never fine.
const (
	InSync   Consistency = "In sync"
	InSample Consistency = "In sample" // a sample of the records was compared, and nothing differs that is known
	Drifted  Consistency = "Drifted"
	Unknown  Consistency = "Unknown"
)

// Health says whether the audit itself works. It is never mixed with Consistency.
type Health string

// The healths.
const (
	OK      Health = "OK"
	Failing Health = "Failing" // the last run could not read what it had to
	Stale   Health = "Stale"   // no run succeeded in the last 2.5 intervals of its schedule
	Paused  Health = "Paused"  // it has no schedule
	// Throttled: a run is under way, and a source of it is too busy to be read just
	// now. It is known where it is read, and nowhere kept.
	Throttled Health = "Throttled"
)

// Standing is what an edge's last concluded run and its open findings say.
type Standing struct {
	Consistency Consistency
	// Since is when Consistency became what it is.
	Since time.Time
	// LastRun is the last run that was concluded; LastSuccess when one last
	// ended clean or with drift. Coverage is LastRun's.
	LastRun     string
	LastResult  checks.Result
	LastError   string
	LastAt      time.Time
	LastSuccess time.Time
	Coverage    float64
	// Bound is the most that may differ, as a share of the records, where Consistency
	// is InSample: the sample tells so much, at the confidence of its rates.
	Bound float64
	// Number is LastRun's number: an older run that is concluded later has not the
	// last word. Whole says that LastRun compared everything and kept all it found.
	Number int64
	Whole  bool
}

// Conclusion is what a concluded run says of its edge.
type Conclusion struct {
	Run      string
	Number   int64
	Result   checks.Result
	Why      string // "" where it is complete
	Coverage float64
	Whole    bool
	// Sampled: it compared a sample, and at most the share Bound may differ.
	Sampled bool
	Bound   float64
}

// Conclude is the standing after a run was concluded, with so many findings open.
// A cancelled run says nothing, and neither does one older than LastRun: the last
// word stands, but for what open findings say.
func (s Standing) Conclude(c Conclusion, open, pending int64, at time.Time) Standing {
	if c.Result == checks.Cancelled || c.Number < s.Number {
		return s.Recount(open, pending, at)
	}
	next := s
	next.LastRun, next.Number, next.LastResult, next.LastError, next.LastAt = c.Run, c.Number, c.Result, c.Why, at
	next.Coverage, next.Whole, next.Bound = c.Coverage, c.Whole, 0
	switch {
	case c.Result == checks.Error:
		next.Consistency = Unknown
	case c.Result == checks.Drift, open > 0:
		next.Consistency = Drifted
	case c.Result == checks.Clean && c.Sampled:
		next.Consistency, next.Bound = InSample, c.Bound
	case c.Result == checks.Clean:
		next.Consistency = InSync
	default:
		next.Consistency = Unknown
	}
	if c.Result == checks.Clean || c.Result == checks.Drift {
		next.LastSuccess = at
	}
	return next.since(s, at)
}

// Recount is the standing after findings came or went beside the runs: no edge is
// in sync, and no sample is without drift, while a finding is open, and one that drifted is in sync again once all
// findings of a run that compared everything were read and found right, and
// nothing is pending.
func (s Standing) Recount(open, pending int64, at time.Time) Standing {
	next := s
	switch {
	case open > 0 && (s.Consistency == InSync || s.Consistency == InSample):
		next.Consistency, next.Bound = Drifted, 0
	case open == 0 && pending == 0 && s.Consistency == Drifted && s.Whole:
		next.Consistency = InSync
	}
	return next.since(s, at)
}

// Words is the consistency as a person reads it: of a sample it says how much may
// differ, which a word alone would not.
func (s Standing) Words() string {
	if s.Consistency != InSample {
		return string(s.Consistency)
	}
	return string(InSample) + ": " + AtMost(s.Bound)
}

// AtMost says a share that is a bound: ≤ 0.03 %. It has two digits and is rounded
// upwards, so that it never promises more than is known.
func AtMost(share float64) string {
	percent := min(max(share, 0), 1) * 100
	if percent == 0 || percent == 100 {
		return fmt.Sprintf("≤ %.0f %%", percent)
	}
	digits := max(0, 1-int(math.Floor(math.Log10(percent))))
	unit := math.Pow10(digits)
	up := math.Ceil(percent*unit-1e-9) / unit
	return "≤ " + strconv.FormatFloat(up, 'f', -1, 64) + " %"
}

func (s Standing) since(before Standing, at time.Time) Standing {
	if s.Consistency != before.Consistency {
		s.Since = at
	}
	return s
}

// Health is how the audit of an edge is. staleAt says when a schedule whose last
// success was at a time has gone stale; nil is no schedule. begun is when the edge
// was first scheduled.
func (s Standing) Health(now, begun time.Time, staleAt func(time.Time) time.Time) Health {
	switch {
	case staleAt == nil:
		return Paused
	case s.LastResult == checks.Error, s.LastResult == checks.Incomplete:
		return Failing
	case s.Overdue(now, begun, staleAt):
		return Stale
	}
	return OK
}

// Overdue says whether no run has succeeded for too long, be it that they fail or
// that there are none. The arguments are Health's.
func (s Standing) Overdue(now, begun time.Time, staleAt func(time.Time) time.Time) bool {
	if staleAt == nil {
		return false
	}
	since := s.LastSuccess
	if since.IsZero() {
		since = begun
	}
	if since.After(now) { // a clock was set back
		since = now
	}
	stale := staleAt(since)
	return !stale.IsZero() && now.After(stale)
}
