package ledger

import (
	"time"

	"plumbline/drift"
)

// Edge is what is remembered of one check and replica.
type Edge struct {
	Check, Replica string
	// Hash is of the check as it is declared: a word on another one is no word.
	Hash string
	drift.Standing
	// Declared says whether the configuration names it still.
	Declared bool
	// Begun is when it was first seen in a configuration.
	Begun time.Time
	// Open are its open findings by kind and state, Pending its suspects.
	Open    []Tally
	Pending int64
	// Omitted is how many differences its last run counted and did not keep as
	// findings; while it is more than 0, what Open says is the least that differs.
	Omitted int64
	// OldestOpen is when the oldest open finding was first seen; zero for none.
	OldestOpen time.Time
	// Running is the newest run that is queued, running or settling; "" for none.
	Running string
	// Compared is how many records the last run that was complete compared.
	Compared int64
	// Size is about how many keys the owner had when a sample was last drawn of them;
	// 0 when unknown. ScopeShare is about the share of all records that LastRun
	// compared; 0 where nobody knows.
	Size       int64
	ScopeShare float64
}

// Tally is how many findings there are of a kind in a state.
type Tally struct {
	Kind  string
	State drift.State
	N     int64
}

// OpenFindings is how many findings are open.
func (e Edge) OpenFindings() (n int64) {
	for _, t := range e.Open {
		if t.State.Open() {
			n += t.N
		}
	}
	return n
}

// Pattern is the open findings of an edge that differ in the same way.
type Pattern struct {
	Check, Replica string
	Words          string
	Open           int64
	FirstSeen      time.Time
	LastSeen       time.Time
	Example        string // a finding's id
}

// FieldTally is how many open findings of an edge differ in a field.
type FieldTally struct {
	Field string
	Open  int64
}

// Bucket is half an hour of an edge's history.
type Bucket struct {
	Check, Replica string
	At             time.Time // its beginning
	Worst          string    // clean | drift | incomplete | error
	Runs           int64
	// Differences and Coverage are of the last run in it.
	Differences int64
	Compared    int64
	Coverage    float64
}

// Slot is a time at which a check was due.
type Slot struct {
	Check   string
	At      time.Time
	Until   time.Time // the last of several missed in a row; At otherwise
	Outcome SlotOutcome
	Reason  string
}

// SlotOutcome is what became of a slot: exactly one.
type SlotOutcome string

// The outcomes of a slot.
const (
	SlotRun     SlotOutcome = "run"
	SlotSkipped SlotOutcome = "skipped" // the run before it was still going
	SlotMissed  SlotOutcome = "missed"  // no process was there
)

// Schedule is when a check is next due.
type Schedule struct {
	Check string
	Spec  string
	// SlotAt is the next slot, DueAt the same plus jitter.
	SlotAt, DueAt time.Time
	Generation    int64
}

// Process is one `plumbline serve`.
type Process struct {
	ID         string
	Host       string
	PID        int
	Version    string
	Listen     string // the address of its API; "" where it has none
	Generation int64
	StartedAt  time.Time
	Heartbeat  time.Time
}
