package drift

import (
	"time"

	"plumbline/checks"
	"plumbline/sources"
)

// State is where a finding is in its life.
type State string

// The states. All but Resolved are open.
const (
	Confirmed    State = "confirmed"
	Acknowledged State = "acknowledged"
	Muted        State = "muted" // until Finding.MutedUntil
	Fixing       State = "fixing"
	Resolved     State = "resolved"
	Regressed    State = "regressed" // was resolved, and differs again
)

// States lists all states in the order of a life.
func States() []State {
	return []State{Confirmed, Regressed, Acknowledged, Muted, Fixing, Resolved}
}

// Open says whether the difference is still there as far as we know.
func (s State) Open() bool { return s != Resolved && s != "" }

// Finding is a confirmed difference that outlives its run.
type Finding struct {
	ID             string // Masker.FindingID
	Check, Replica string
	// Key is canonical, CopyID the copy's own identity; Whole says whether the
	// record can be looked up by them.
	Key, CopyID sources.Key
	// KeyText names both in visible words, masked as they may be shown.
	KeyText string
	Kind    checks.DifferenceKind
	State   State
	// Resolution says why it is resolved: one of the checks.Cleared… words, or
	// "not delivered" for a record that a complete run no longer met.
	Resolution string
	// Fields are those that differ, as last read, masked as they may be shown.
	Fields []Field
	Reason string
	Age    checks.Age
	// Pattern says in visible words how it differs; findings of one pattern belong together.
	Pattern string
	// FirstSeen is when the difference was first read in this life: a regressed
	// finding begins a new one. LastSeen is when it was last read and differed,
	// CheckedAt when it was last read at all.
	FirstSeen, ConfirmedAt, LastSeen, CheckedAt, ResolvedAt time.Time
	// Seen is how often it was read and differed; Regressions how often it came back.
	Seen, Regressions int64
	// MutedUntil is zero unless State is Muted.
	MutedUntil time.Time
	// Accepted: it drifted when a baseline was taken, and is known.
	Accepted bool
	// Revision rises with every line of the timeline, so that who acts on an old one
	// is told; being seen again changes nothing that is acted on.
	Revision int64
}

// Whole says whether the finding's record can be looked up again.
func (f *Finding) Whole() bool { return f.Key.Whole() }
