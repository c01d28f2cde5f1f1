package reconciler

import (
	"time"

	"plumbline/drift"
	"plumbline/sources"
)

// PlanState is where a plan is in its life; see life.go.
type PlanState string

// The states of a plan.
const (
	Draft         PlanState = "draft"
	Waiting       PlanState = "waiting for approval"
	Approved      PlanState = "approved"
	Applying      PlanState = "applying"
	Applied       PlanState = "applied"
	PartlyApplied PlanState = "partly applied"
	Stale         PlanState = "stale"
	Failed        PlanState = "failed"
	Expired       PlanState = "expired"
	Undone        PlanState = "undone"
)

// PlanStates lists the states in the order of a life.
func PlanStates() []PlanState {
	return []PlanState{Draft, Waiting, Approved, Applying, Applied, PartlyApplied, Stale, Failed, Expired, Undone}
}

// Live says whether something may still be made of the plan.
func (s PlanState) Live() bool {
	return s == Draft || s == Waiting || s == Approved || s == Applying
}

// ItemState is what became of one item.
type ItemState string

// The states of an item. All but the first two are outcomes.
const (
	Pending      ItemState = "pending"  // nothing was done yet
	Doubtful     ItemState = "doubtful" // it was to be written, and whether it was is not known yet
	ItemApplied  ItemState = "applied"
	ItemVerified ItemState = "verified" // applied or sent, and both sides were read and agree
	ItemStale    ItemState = "stale"    // its record, or the owner's, is not what it was: not touched
	ItemFailed   ItemState = "failed"
	ItemSent     ItemState = "sent" // the service took the request; its effect was not seen yet
)

// ItemStates lists the states of an item.
func ItemStates() []ItemState {
	return []ItemState{Pending, Doubtful, ItemSent, ItemApplied, ItemVerified, ItemStale, ItemFailed}
}

// How long a plan may wait. A plan that was not approved is expired DraftFor
// after it was drafted; one that was and not begun, ApprovedFor after the approval.
const (
	DraftFor    = 15 * time.Minute
	ApprovedFor = 24 * time.Hour
)

// Plan is fixes of one edge's records, bound to a hash.
type Plan struct {
	// ID is P- and Number, which rises. The ledger gives both.
	ID     string
	Number int64
	Check  string
	// Replica is the edge's name.
	Replica string
	By      Route
	// Undoes is the plan that this one takes back; "" for a plan of fixes.
	Undoes string
	State  PlanState
	// Hash is PlanHash of its items' hashes.
	Hash string
	// CheckHash is of the check and its policy as it was drafted by.
	CheckHash string
	// Choice says in words what was asked for: "all open findings", "1 finding".
	Choice string
	// Auto: drafted by Plumbline itself, as the policy has it.
	Auto      bool
	DraftedBy Person
	DraftedAt time.Time
	// Approvals it needs, and those it has.
	Needs      int
	Approvals  []Approval
	ApprovedAt time.Time
	// ExpiresAt is when it expires as it stands now; zero once it is begun or over.
	ExpiresAt time.Time
	BegunBy   Person
	BegunAt   time.Time
	EndedAt   time.Time
	// Reason says why it ended as it did, where that wants saying.
	Reason string
	// StopOnError ends the applying with the first item that failed.
	StopOnError bool
	// Counts are of its items; Left are findings it leaves out, by reason.
	Counts map[ItemState]int64
	Kinds  map[sources.ChangeKind]int64
	Left   []LeftOut
	// Checklist is what was looked at before, and what was found.
	Checklist []Safety
	// UndoneBy names the plan that took this one back, or is to; "" for none.
	UndoneBy string
	// Revision rises with every change.
	Revision int64
}

// Items is how many items it has.
func (p *Plan) Items() (n int64) {
	for _, c := range p.Counts {
		n += c
	}
	return n
}

// Person is who did something: an account's id, "" for the local user and for
// Plumbline, and the name that is shown.
type Person struct{ Account, Name string }

// Approval is one person's word for a hash.
type Approval struct {
	By   Person
	Hash string
	At   time.Time
}

// LeftOut counts findings that a plan leaves out, with one of them to look at.
type LeftOut struct {
	Reason  string `json:"reason"`
	N       int64  `json:"n"`
	Example string `json:"example"` // a finding's id
}

// Safety is one line of a plan's checklist.
type Safety struct {
	// Name is a fixed word: frozen, paused, share, loops, owner_store, masks,
	// records, deletes, owner, standby, credentials, hazards, staleness.
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Words say what was found, without any value of a record.
	Words string `json:"words"`
}

// Item is one record to put right.
type Item struct {
	Plan string
	N    int // from 1, in the plan's order
	// Finding is the finding's id.
	Finding string
	// Key is canonical, CopyID the copy's own identity; Asked and AskedID are how
	// the replica's dataset delivers them. KeyText is as it may be shown.
	Key, CopyID, Asked, AskedID sources.Key
	KeyText                     string
	Kind                        sources.ChangeKind
	// Owner is a fingerprint of the owner's record as it was read.
	Owner sources.Fingerprint
	// Before and After are of the write route; nil where a service is asked.
	Before, After *sources.Image
	// Request is of the request route; nil otherwise.
	Request *PreparedRequest
	// Fields are what changes, and Statement how, as both may be shown.
	Fields    []Field
	Statement string
	// Hash is ItemHash.
	Hash  string
	State ItemState
	// Note says why, or what more is known: no value of a record that a mask covers.
	Note string
	// Now is, of an item whose record was changed since, what the fields hold now.
	Now []Field
	// Until is the store's time until which its write might take effect.
	Until   time.Time
	EndedAt time.Time
	Term    int64
}

// Field is one field of an item: what it holds and what it is to hold, as they
// may be shown.
type Field struct {
	Name string      `json:"name"`
	Now  drift.Value `json:"now"`
	Then drift.Value `json:"then"`
	// Rule is how it is compared.
	Rule string `json:"rule,omitempty"`
}

// PreparedRequest is a request as it is sent. Headers that the configuration
// gives are added when it is sent, and are not part of the item.
type PreparedRequest struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	Body   string `json:"body"`
	// Name is its Idempotency-Key, the same for every try.
	Name string `json:"name"`
}
