package slack

import (
	"context"
	"errors"
	"time"

	"plumbline/access"
	"plumbline/alerts"
	"plumbline/checks"
)

// Inbox keeps what was asked until it is done. The ledger is one.
type Inbox interface {
	// TakeRequest keeps a request; fresh is false where the same was taken before.
	// Where it returns an error nothing was kept.
	TakeRequest(ctx context.Context, id []byte, kind, body string) (fresh bool, err error)
	// ClaimRequest hands out a request, to nobody else for as long as hold; nil
	// where none waits.
	ClaimRequest(ctx context.Context, hold time.Duration) (*alerts.Request, error)
	PostponeRequest(ctx context.Context, r *alerts.Request, after time.Duration) error
	FinishRequest(ctx context.Context, r *alerts.Request) error
}

// Door knows who somebody of Slack is, and writes down what was not done.
type Door interface {
	// SlackActor is the account that a person of Slack is linked to; ErrNotLinked.
	SlackActor(ctx context.Context, team, person string) (access.Actor, error)
	// LinkCode makes a code by which a person can link an account, good for as long
	// as life; *Refusal where there are no accounts.
	LinkCode(ctx context.Context, team, person string, life time.Duration) (string, error)
	Attest(ctx context.Context, a *access.Attempt, outcome access.Outcome) error
}

// Desk does what people ask for, on behalf of the actor behind ctx. An
// *access.DeniedError, a *Refusal and ErrStale are answers to whoever asked; any
// other error is a fault, and it may work when it is tried again.
type Desk interface {
	// Acknowledge takes an incident on; ErrStale where it is at another revision.
	Acknowledge(ctx context.Context, incident string, revision int64, note string) (*alerts.Incident, error)
	// Mute keeps a check quiet, until a time, until more differs, or either.
	Mute(ctx context.Context, check string, until time.Time, untilGrows bool, reason string) (*alerts.Mute, error)
	Unmute(ctx context.Context, check string) error
	// Run begins a run of each edge; key, where it is not "", is compared alone.
	Run(ctx context.Context, check, key string) ([]Run, error)
	// RunSample begins a run of each edge that compares so many keys, and everything
	// for 0.
	RunSample(ctx context.Context, check string, keys int) ([]Run, error)
	// Recheck begins a run of an incident's check.
	Recheck(ctx context.Context, incident string) ([]Run, error)
	// FreezeFixes keeps all fixes from being made, or those of one check, until
	// UnfreezeFixes; "" is all.
	FreezeFixes(ctx context.Context, check, reason string) error
	UnfreezeFixes(ctx context.Context, check string) error
}

// Book is what there is to be read: names, counts, states and times, and no value
// of a record. Errors are those of a Desk.
type Book interface {
	Checks(ctx context.Context) ([]CheckState, error) // sorted by name
	Sources(ctx context.Context) ([]SourceState, error)
	Incident(ctx context.Context, id string) (*alerts.Incident, error)
	Finding(ctx context.Context, id string) (*FindingState, error)
	Run(ctx context.Context, id string) (Run, error)
	// Fixes are the plans of which something may still be made, the newest first,
	// and what keeps fixes from being made.
	Fixes(ctx context.Context) ([]PlanState, []StopState, error)
}

// PlanState is a plan of fixes of a check.
type PlanState struct {
	Check string
	alerts.Plan
	ExpiresAt time.Time // zero where it does not
}

// StopState keeps fixes from being made.
type StopState struct {
	Check  string // "" for all
	Paused bool   // only those that Plumbline makes by itself
	alerts.Stop
}

// CheckState is where a check stands.
type CheckState struct {
	Name, Description, Severity, Team, Runbook, Owner string
	Health                                            string
	Edges                                             []alerts.EdgeFacts
	Mute                                              *alerts.Mute // that holds; nil for none
	Incidents                                         []*alerts.Incident
	Next                                              time.Time // zero without a schedule
}

// SourceState is how a source is.
type SourceState struct {
	Name, Kind, Team, State string
	Since                   time.Time
	Latency                 time.Duration
	UsedBy                  []string
}

// FindingState is a finding without its values: a key is one too.
type FindingState struct {
	ID, Check, Replica string
	Kind               checks.DifferenceKind
	State              string
	Fields             []string // the names of those that differ
	FirstSeen          time.Time
	Seen               int64
}

// Run is a run of one edge.
type Run struct {
	ID       string
	Number   int64
	Check    string
	Replica  string
	Ended    bool
	Result   checks.Result
	Findings int64 // differences it counted
	Pending  int64 // suspects not yet judged
}

// ErrNotLinked: nobody knows which account somebody of Slack has.
var ErrNotLinked = errors.New("this Slack user is not linked to an account")

// ErrStale: what somebody acts on has changed since they saw it.
var ErrStale = errors.New("it changed meanwhile")

// Refusal is an answer to whoever asked, in whole sentences that hold no value of
// a record.
type Refusal struct{ Why string }

func (e *Refusal) Error() string { return e.Why }
