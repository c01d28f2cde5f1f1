package reconciler

import (
	"context"
	"errors"
	"time"
)

// Journal keeps what becomes of a plan's items. Every method is durable when it
// returns, and refuses whoever no longer holds what they write of (ErrLost).
type Journal interface {
	// ClaimItem gives the next item to be worked on, under a new term: one that is
	// doubtful before those that are pending; nil where none is left, *HeldError
	// where all that are left are held by somebody else. ErrFrozen while fixes are frozen, unless the item is doubtful,
	// which is only looked at.
	ClaimItem(ctx context.Context, plan, worker string, hold time.Duration) (*Item, error)
	// Intend keeps that a claimed item is about to be written, no later than until
	// by the store's own clock, and sets its State and Until. ErrFrozen.
	Intend(ctx context.Context, i *Item, until time.Time) error
	// Settle keeps what became of an item, with its Note and Now, and sets its
	// State: verified where it was applied and is seen in effect already.
	Settle(ctx context.Context, i *Item, state ItemState) error
	// Release gives a claimed item back as it was.
	Release(ctx context.Context, i *Item) error
}

var (
	// ErrLost says that somebody else holds the item, or the plan, by now.
	ErrLost = errors.New("somebody else works on it by now")
	// ErrFrozen says that fixes are frozen.
	ErrFrozen = errors.New("fixes are frozen: nothing is written until somebody unfreezes them")
)

// HeldError says that items are left, and that others hold them, the first of them
// until then.
type HeldError struct{ Until time.Time }

func (e *HeldError) Error() string {
	return "somebody else works on what is left, until " + e.Until.UTC().Format(time.RFC3339) + " at most"
}

// Refusal is an act on a plan that is not possible, what changed, and what to do next.
type Refusal struct {
	Plan string
	Why  string
	Next string // a sentence, or ""
	// Guards name the lines of the checklist that failed; no value is in them.
	Guards []string
	// Items are those that stand in the way, each with what its record holds now.
	Items []Item
}

func (e *Refusal) Error() string {
	text := e.Why
	if e.Plan != "" {
		text = e.Plan + ": " + e.Why
	}
	if e.Next != "" {
		text += ". " + e.Next
	}
	return text
}

// Freeze says that nothing is fixed: of one check, or of all where Check is "".
type Freeze struct {
	Check  string
	By     string
	Reason string
	At     time.Time
}

// Pause says that a check's fixes are no longer made by Plumbline itself, since
// something went wrong with them; people may still apply plans.
type Pause struct {
	Check  string
	Reason string
	At     time.Time
}
