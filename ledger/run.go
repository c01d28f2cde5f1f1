package ledger

import (
	"time"

	"plumbline/checks"
	"plumbline/sources"
)

// Trigger says why a run was begun.
type Trigger string

// The triggers.
const (
	BySchedule Trigger = "schedule"
	ByCatchUp  Trigger = "catch-up" // for slots that nobody was there to run
	ByPerson   Trigger = "manual"   // a page or the API
)

// RunState is where a run is.
type RunState string

// The states of a run.
const (
	Queued   RunState = "queued"
	Running  RunState = "running"
	Settling RunState = "settling" // its scan has ended, its suspects are pending
	Finished RunState = "finished"
)

// Run is one execution of one edge of a check.
type Run struct {
	ID             string
	Number         int64 // counts up over the ledger's life
	Check, Replica string
	Trigger        Trigger
	Actor          string // who asked for it; "plumbline" for a schedule
	// SlotAt is the slot it was begun for; zero where there is none.
	SlotAt     time.Time
	Generation int64
	State      RunState
	// Result, Coverage and DriftRate are provisional while Settling.
	Result checks.Result
	Error  string
	// Keys, given as the owner writes them, are compared alone; empty is everything.
	Keys []sources.Key
	// Asked is what somebody asked it to compare instead of what its check declares.
	Asked Asked
	// Sample is what it draws, the zero Sample is everything; Seed is what its draws
	// at random follow from, and is its own from the beginning.
	Sample checks.Sample
	Seed   uint64
	// Drawn is what it drew; nil until then, and where it compares everything.
	Drawn *checks.Sampled
	// Rolls are what it drew of the rolling part of each side, for whoever plans it;
	// of a run that is read they are empty.
	Rolls []Roll
	Plan  checks.Plan
	// Estimate is about how many records will be read; 0 when unknown. Read is how many were.
	Estimate, Read int64
	Counts         checks.Counts
	Unread         int64 // about how many records were to be compared and never read
	Pending        int64 // suspects not yet judged
	Omitted        int64 // findings counted and not kept
	Copies         bool
	Reasons        map[string]int64
	// Coverage is the share of what the run set out to compare that it compared so far.
	Coverage float64
	// Waits are pauses by reason, in milliseconds.
	Waits                         map[string]int64
	CreatedAt, StartedAt, EndedAt time.Time // EndedAt is the end of the scan
	FinishedAt                    time.Time
	CancelRequested               bool
	CancelledBy                   string
	Segments, SegmentsDone        int
	Term                          int64
	// Hash is of the check as it was when the run was created.
	Hash string
	// Shape is the fingerprint of both sides' shapes, as it was planned by; "" where
	// neither store tells them. Shapes are those, and SchemaChanges what was found to
	// have changed, for whoever plans or ends it; of a run that is read they are empty.
	Shape         string
	Shapes        *checks.Shapes
	SchemaChanges []checks.SchemaChange
}

// EdgeRun is the run as the engine tells of it.
func (r *Run) EdgeRun() *checks.EdgeRun {
	return &checks.EdgeRun{ID: r.ID, Check: r.Check, Replica: r.Replica, Result: r.Result, StartedAt: r.StartedAt,
		Duration: r.EndedAt.Sub(r.StartedAt), Plan: r.Plan, Counts: r.Counts, Unread: r.Unread, Pending: r.Pending,
		Omitted: r.Omitted, Reasons: r.Reasons, Copies: r.Copies, Shape: r.Shape, Sampled: r.Drawn}
}

// SegmentState is where a segment is.
type SegmentState string

// The states of a segment.
const (
	SegmentQueued  SegmentState = "queued"
	SegmentRunning SegmentState = "running"
	SegmentDone    SegmentState = "done"
	SegmentFailed  SegmentState = "failed" // could not be read to its end; the rest is unread
	SegmentStopped SegmentState = "stopped"
)

// Segment is a part of a run. Segment.Span.After is its cursor: it moves as
// pages are recorded, and what lies before it is not read again.
type Segment struct {
	Run  string
	N    int // from 0
	Plan checks.Segment
	// From is where the segment began before anything of it was read.
	From sources.Position
	// Drawn says that it compares keys that were drawn, which are in Plan.Keys of a
	// segment that was claimed.
	Drawn     bool
	State     SegmentState
	Term      int64
	Worker    string
	Read      int64
	Counts    checks.Counts
	Unread    int64 // about how many of its records were given up
	Attempts  int
	Error     string
	StartedAt time.Time
	EndedAt   time.Time
}

// Progress is what a worker adds to a segment: parts that were taken whole.
type Progress struct {
	Read     int64
	Next     sources.Position // the new cursor
	Done     bool
	Counts   checks.Counts
	Suspects []checks.Suspect
	// Settled differences need no second look.
	Settled []checks.Difference
	Omitted int64
	Reasons map[string]int64
	Waits   map[string]int64 // milliseconds by reason
}
