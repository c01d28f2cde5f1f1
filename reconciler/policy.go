package reconciler

import (
	"slices"
	"time"

	"plumbline/sources"
)

// Mode says whether fixes are made of a replica's differences.
type Mode string

// The modes.
const (
	ModeOff     Mode = "off"     // people may not draft plans either
	ModePropose Mode = "propose" // a plan is drafted when drift is confirmed, and waits for approval
	ModeApply   Mode = "apply"   // within the guards, plans are approved by the configuration and applied
)

// Route is the way that a fix takes.
type Route string

// The routes.
const (
	Write   Route = "write"   // straight to the replica's store
	Request Route = "request" // the service's own endpoint, over HTTP
)

// Allow is something that a configuration allows fixes to do: a kind of change,
// a hazard, or to write to a store that is an owner in another check.
type Allow string

// AllowOwner allows writing to a dataset that is the owner of a check.
const AllowOwner Allow = "owner"

// Policy is how differences of one edge may be put right.
type Policy struct {
	Mode  Mode
	By    Route
	Allow []Allow
	// MaxRecords is how many records one plan may touch.
	MaxRecords int
	// MaxShare is how many of the replica's records may differ, in percent of those
	// compared, for a plan to be made at all.
	MaxShare float64
	// Approvals is how many people, none of them the one who drafted it, approve a
	// plan before it may be applied. 0: whoever may approve may apply at once.
	Approvals int
	// Request is what is asked of the service where By is Request; nil otherwise.
	Request *RequestTemplate
}

// Allows says whether the policy allows something.
func (p *Policy) Allows(a Allow) bool { return slices.Contains(p.Allow, a) }

// AllowsChange says whether records may be changed so.
func (p *Policy) AllowsChange(k sources.ChangeKind) bool { return p.Allows(Allow(k)) }

// RequestTemplate is an HTTP request with places for a record's values. A place
// is {key.NAME} or {id.NAME}, {owner.FIELD} or {replica.FIELD}; a brace with no
// letter after it is a brace. In the path and query its value is escaped, in a
// JSON body it becomes a JSON value (within quotes, the inside of a JSON text).
type RequestTemplate struct {
	Method  string
	URL     string
	Headers map[string]sources.Secret
	Body    string
	// Accepted are the statuses that mean the request was taken.
	Accepted []int
	// Timeout bounds one try; Tries is how often it is tried in all.
	Timeout time.Duration
	Tries   int
}
