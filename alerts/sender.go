package alerts

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Sender tells one integration. It makes one request a call, remembers nothing
// and is safe for many goroutines.
type Sender interface {
	// Send takes one step. A *RetryError, ErrLost, ErrGone and *RefusedError say what
	// became of it; any other error counts as ErrLost.
	Send(ctx context.Context, d *Delivery) (Receipt, error)
}

// Step is one request of a delivery.
type Step string

// The steps. A target that cannot edit (a webhook) only ever posts.
const (
	Post   Step = "post"   // a new root message
	Edit   Step = "edit"   // the root message, to the present state
	Reply  Step = "reply"  // the milestones, in the root message's thread
	Notice Step = "notice" // a message that is of no incident: a digest
	// Trial is a message that only proves that it arrives: it is clearly marked as a
	// test, is of no incident, and names Policy.Check where one is meant.
	Trial Step = "trial"
)

// Delivery is what is to be sent now.
type Delivery struct {
	// ID is the same for every try of the same step, so that a receiver can tell.
	ID       string
	Step     Step
	Target   Target
	Incident *Incident // as it is now; nil for a Notice
	Policy   Policy
	// Muted is the mute that holds, nil for none.
	Muted *Mute
	// Ref is the root message; zero for a Post.
	Ref Ref
	// Doubtful is when a Post, Reply or Notice was made whose answer nobody got: it is
	// looked for before it is made again, and a Post of an incident that is resolved
	// or muted is not made again at all. Zero where there is no doubt, and for an Edit.
	Doubtful time.Time
	// Lost is how many such requests were made: where they cannot be looked for, no
	// third may be made.
	Lost int64
	// Milestones are those that were not yet told, the oldest first; of a doubtful
	// Reply the same as before.
	Milestones []Milestone
	Digest     *Digest
	Now        time.Time
	// Last is the number of the last of Milestones. Term is under which the
	// outlet is held; whoever sends hands both back as they are.
	Last, Term int64
}

// Ref is a message where it was sent: a Slack channel's id and the message's ts.
type Ref struct {
	Channel string `json:"channel"`
	TS      string `json:"ts"`
}

// Receipt is what a step came to.
type Receipt struct {
	Ref Ref // of the root message, after a Post; zero where one that is not to be made any more was not found
	// Found says that what was doubtful had been made after all, and nothing was sent.
	Found bool
}

// Event is what a milestone is.
type Event string

// The milestones: what is worth a sound.
const (
	WasOpened       Event = "opened"
	WasRegressed    Event = "regressed"
	WasAcknowledged Event = "acknowledged"
	HasGrown        Event = "grown" // to at least twice what was last told
	WasRepeated     Event = "repeated"
	WasMuted        Event = "muted"
	WasUnmuted      Event = "unmuted"
	WasResolved     Event = "resolved"
)

// Milestone is one line of an incident's life.
type Milestone struct {
	Event   Event     `json:"event"`
	At      time.Time `json:"at"`
	Actor   string    `json:"actor"`
	Counted int64     `json:"counted"`
	Note    string    `json:"note"`
}

// RetryError asks to be tried again, not before After has passed. Nothing was sent.
type RetryError struct {
	After time.Duration
	Why   string
	// Everywhere: the whole integration is asked to wait, not this target alone.
	Everywhere bool
}

func (e *RetryError) Error() string { return fmt.Sprintf("%s: try again in %s", e.Why, e.After) }

// RefusedError is a step that will be refused again until somebody mends
// something: a channel that is not there, a token that was revoked.
type RefusedError struct {
	Why string // what the integration said
	Do  string // what a person can do about it
}

func (e *RefusedError) Error() string { return e.Why + ": " + e.Do }

var (
	// ErrLost: the request was made and its answer did not come, so nobody knows
	// whether it was done.
	ErrLost = errors.New("the answer was lost")
	// ErrGone: the root message is not there any more.
	ErrGone = errors.New("the message was deleted")
)
