package alerts

import (
	"time"

	"plumbline/drift"
)

// Kind is what an incident is about.
type Kind string

// The kinds. A check may have one open incident of each at once.
const (
	Drift Kind = "drift"        // findings are open
	Blind Kind = "cannot check" // nothing can be said about the data
	// Schema: a store keeps what is compared in another shape than it did, so that
	// nothing is compared.
	Schema Kind = "schema"
)

// State is where an incident is.
type State string

// The states.
const (
	Open         State = "open"
	Acknowledged State = "acknowledged" // somebody takes it on
	Resolved     State = "resolved"
)

// Incident is what a person is told about. What is not exported in clear words
// here is never told: it holds counts, names and times, and no value of a record.
type Incident struct {
	ID     string // I-204
	Number int64
	Check  string
	Kind   Kind
	State  State
	// OpenedAt is when it began; a regressed one keeps it. ChangedAt is when it
	// last changed in a way that is told.
	OpenedAt, ChangedAt, ResolvedAt time.Time
	// Regressed is how often it came back within Regress of being resolved.
	Regressed int64
	// AcknowledgedBy is who takes it on; "" while nobody does.
	AcknowledgedBy string
	AcknowledgedAt time.Time
	// Facts are the last known.
	Facts Facts
	// First is how many findings were counted when it opened, Peak the most since,
	// and Told how many when it was last told as news.
	First, Peak, Told int64
	// ToldAt is when it was last told as news: opened, grown, repeated.
	ToldAt time.Time
	// Resolution says why it is resolved, in words.
	Resolution string
	// Revision rises with every change that is told. Who takes an incident on from an
	// old one is told so where somebody else did meanwhile; that figures moved since
	// is no reason to refuse.
	Revision int64
}

// Regress is how long after an incident was resolved the next of its check and
// kind counts as the same.
const Regress = 24 * time.Hour

// Facts are what the ledger knows of a check at a moment.
type Facts struct {
	// Counted are the open findings that are not accepted as known; Loud are those
	// of them that nobody acknowledged or muted. Accepted are known and quiet.
	Counted  int64 `json:"counted"`
	Loud     int64 `json:"loud"`
	Accepted int64 `json:"accepted"`
	// Fixing are those of the counted that are just being put right.
	Fixing int64 `json:"fixing"`
	// Omitted findings were counted by the last run and not kept.
	Omitted int64 `json:"omitted"`
	// Compared is how many records the last complete runs compared, over all edges;
	// the last run of an edge of which none was complete yet.
	Compared int64 `json:"compared"`
	// Kinds and Fields count open findings, accepted ones included, the most first.
	Kinds  []Count `json:"kinds"`
	Fields []Count `json:"fields"`
	// Edges are the check's edges, by name of the replica.
	Edges []EdgeFacts `json:"edges"`
	// Healed and Fixed say how the findings resolved since the incident opened were:
	// by themselves, and by a fix. Known were taken as known since.
	Healed int64 `json:"healed"`
	Fixed  int64 `json:"fixed"`
	Known  int64 `json:"known"`
	// FixedBy are the plans that did so.
	FixedBy []string `json:"fixed_by"`
	// Pending suspects are not yet judged.
	Pending int64 `json:"pending"`
	// Plans are plans of fixes, the newest first: those of which something may still
	// be made, and those that were applied since the incident opened.
	Plans []Plan `json:"plans"`
	// Asked: it was told since then that a plan of Plumbline's own waits for approval.
	Asked bool `json:"asked"`
	// Frozen and Paused keep fixes of the check from being made, at all and by
	// Plumbline itself; null for no.
	Frozen *Stop `json:"frozen"`
	Paused *Stop `json:"paused"`
	// By is who acknowledged findings in the change that these facts follow; "" is
	// nobody. It is of that change alone, and not kept.
	By string `json:"-"`
}

// Extent is how many findings there are that are not accepted as known, be they
// kept or not: what is kept is bounded, and says nothing of growth beyond that.
func (f *Facts) Extent() int64 { return f.Counted + f.Omitted }

// Count is how many findings there are of something.
type Count struct {
	Name string `json:"name"`
	N    int64  `json:"n"`
}

// EdgeFacts are what is known of one edge.
type EdgeFacts struct {
	Replica     string            `json:"replica"`
	Consistency drift.Consistency `json:"consistency"`
	Since       time.Time         `json:"since"`
	Coverage    float64           `json:"coverage"`
	Findings    int64             `json:"findings"`
	// Cause says in words of ours why nothing can be said: no text that a store or
	// a driver wrote, which could hold a value.
	Cause string `json:"cause"`
	// Stale: no run has succeeded for too long.
	Stale bool `json:"stale"`
	// Schema says in words what changed of how the stores keep the data, so that
	// nothing is compared: names of fields and types, and no value. SchemaSince is
	// when that was first found.
	Schema      []string  `json:"schema,omitempty"`
	SchemaSince time.Time `json:"schema_since,omitzero"`
}

// Blind says whether nothing can be said of the edge, and why is known: a run
// failed, or none has succeeded for too long. A schema that changed has an
// incident of its own, and there is one for each cause.
func (e *EdgeFacts) Blind() bool {
	return len(e.Schema) == 0 && (e.Stale || e.Consistency == drift.Unknown && e.Cause != "")
}

// Share is the share of the compared records that differ, at most 1.
func (f *Facts) Share() float64 {
	if f.Compared <= 0 {
		return 0
	}
	return min(1, float64(f.Counted)/float64(f.Compared))
}

// Mute keeps a check quiet: nothing new is told of it, and what was told is kept
// up to date without a sound.
type Mute struct {
	Check string
	// Until is when it ends; zero where it ends only by growth.
	Until time.Time
	// Above ends it as soon as more findings than this are counted; 0 never does.
	Above  int64
	Actor  string
	Reason string
	At     time.Time
}

// On says whether the mute still holds.
func (m *Mute) On(counted int64, now time.Time) bool {
	if m == nil || m.Above > 0 && counted > m.Above {
		return false
	}
	return m.Until.IsZero() || now.Before(m.Until)
}

// Growth is the count above which a mute "until it grows" ends: a tenth more than
// now, and at least one.
func Growth(counted int64) int64 { return max(counted, 1) + max(counted, 1)/10 }
