package drift

import (
	"time"

	"plumbline/checks"
)

// Consistency says whether an edge's copies agree with their owner, as far as is known.
type Consistency string

// The consistencies. Unknown is never fine.
const (
	InSync  Consistency = "In sync"
	Drifted Consistency = "Drifted"
	Unknown Consistency = "Unknown"
)

// Health says whether the audit itself works. It is never mixed with Consistency.
type Health string

// The healths.
const (
	OK      Health = "OK"
	Failing Health = "Failing" // the last run could not read what it had to
	Stale   Health = "Stale"   // no run succeeded for 2.5 intervals of its schedule
	Paused  Health = "Paused"  // it has no schedule
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
}

// Conclude is the standing after a run was concluded. A cancelled run changes
// nothing but itself: the last word stands.
func (s Standing) Conclude(run string, result checks.Result, why string, coverage float64, open int64, at time.Time) Standing {
	if result == checks.Cancelled {
		return s
	}
	next := s
	next.LastRun, next.LastResult, next.LastError, next.LastAt, next.Coverage = run, result, why, at, coverage
	switch {
	case result == checks.Error:
		next.Consistency = Unknown
	case result == checks.Drift, open > 0:
		next.Consistency = Drifted
	case result == checks.Clean:
		next.Consistency = InSync
	default:
		next.Consistency = Unknown
	}
	if result == checks.Clean || result == checks.Drift {
		next.LastSuccess = at
	}
	if next.Consistency != s.Consistency {
		next.Since = at
	}
	return next
}

// Health is how the audit of an edge is, for a schedule that runs every
// interval; 0 is no schedule. begun is when the edge was first scheduled.
func (s Standing) Health(now, begun time.Time, interval time.Duration) Health {
	switch {
	case interval == 0:
		return Paused
	case s.LastResult == checks.Error, s.LastResult == checks.Incomplete:
		return Failing
	}
	since := s.LastSuccess
	if since.IsZero() {
		since = begun
	}
	if now.Sub(since) > interval*5/2+time.Minute {
		return Stale
	}
	return OK
}
