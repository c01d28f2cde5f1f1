package drift

import (
	"fmt"
	"time"

	"plumbline/checks"
)

// Event is what happens to a finding.
type Event string

// The events: what a read came to, and what people and fixes do.
const (
	Seen        Event = "seen"        // read, and it differs
	Cleared     Event = "cleared"     // read, and it is equal, gone or out of scope
	NotRead     Event = "not read"    // not read, so nothing is known
	Acknowledge Event = "acknowledge" // somebody takes it on
	Accept      Event = "accept"      // a baseline: known, and no news
	Mute        Event = "mute"        // not to be told of until a time
	Unmute      Event = "unmute"      // that time came, or somebody lifted it
	FixBegun    Event = "fix begun"
	FixEnded    Event = "fix ended"
)

// Events lists all events.
func Events() []Event {
	return []Event{Seen, Cleared, NotRead, Acknowledge, Accept, Mute, Unmute, FixBegun, FixEnded}
}

// life is the whole table: what each event makes of each state. An event that
// is not listed for a state is refused, but for NotRead, which changes nothing,
// and Cleared of what is resolved already, which is no news.
func life() map[State]map[Event]State {
	open := func(s State, more map[Event]State) map[Event]State {
		moves := map[Event]State{Seen: s, Cleared: Resolved, Mute: Muted, FixBegun: Fixing, Acknowledge: Acknowledged, Accept: Acknowledged}
		for e, to := range more {
			moves[e] = to
		}
		return moves
	}
	return map[State]map[Event]State{
		"":           {Seen: Confirmed},
		Confirmed:    open(Confirmed, nil),
		Regressed:    open(Regressed, nil),
		Acknowledged: open(Acknowledged, nil),
		Muted:        open(Muted, map[Event]State{Unmute: Confirmed}),
		Fixing:       {Seen: Fixing, Cleared: Resolved, FixEnded: Confirmed},
		Resolved:     {Seen: Regressed, Cleared: Resolved},
	}
}

// Observation is one event with what goes with it.
type Observation struct {
	Event Event
	At    time.Time
	Actor string // who, or "plumbline"
	Run   string // in which run; "" for what people do
	// Finding carries, with Seen, what was read: identity, kind, fields, reason,
	// age and pattern. Its life is not looked at.
	Finding *Finding
	// FirstSeen is, with Seen, when the difference was first read.
	FirstSeen time.Time
	// Resolution says, with Cleared, why.
	Resolution string
	// Until says, with Mute, until when.
	Until time.Time
	Note  string
}

// Transition is a line of a finding's timeline.
type Transition struct {
	Event    Event
	From, To State
	At       time.Time
	Actor    string
	Run      string
	Note     string
}

// NotPossible is an act that the finding's state does not allow.
type NotPossible struct {
	Finding string
	State   State
	Event   Event
}

func (e *NotPossible) Error() string {
	if e.State == Resolved {
		return fmt.Sprintf("%s is resolved: there is nothing to %s", e.Finding, e.Event)
	}
	return fmt.Sprintf("%s is %s: it cannot be %sd", e.Finding, e.State, e.Event)
}

// Next is a finding's life: what an observation makes of it. before is nil where
// there was none. changed says whether the timeline gains a line; a finding that
// is only seen again changes without one. The error is a *NotPossible, and the
// finding is then as it was.
func Next(before *Finding, o Observation) (after *Finding, t Transition, changed bool, err error) {
	var f Finding
	if before != nil {
		f = *before
	}
	if o.Event == NotRead {
		return before, Transition{}, false, nil
	}
	to, ok := life()[f.State][o.Event]
	if !ok {
		if before == nil && o.Event == Cleared {
			return nil, Transition{}, false, nil
		}
		return before, Transition{}, false, &NotPossible{Finding: f.ID, State: f.State, Event: o.Event}
	}
	t = Transition{Event: o.Event, From: f.State, To: to, At: o.At, Actor: o.Actor, Run: o.Run, Note: o.Note}
	changed = to != f.State || o.Event == Mute || o.Event == Accept && !f.Accepted
	switch o.Event {
	case Seen:
		kindChanged := f.Kind != o.Finding.Kind
		f.take(o, to)
		if before != nil && kindChanged {
			changed, t.Note = true, fmt.Sprintf("was %s, is %s", before.Kind, f.Kind)
		}
	case Cleared:
		f.CheckedAt = o.At
		if to != f.State {
			f.ResolvedAt, f.Resolution = o.At, o.Resolution
			t.Note = o.Resolution
		}
	case Mute:
		f.MutedUntil = o.Until
	case Accept:
		f.Accepted = true
	}
	if to != Muted {
		f.MutedUntil = time.Time{}
	}
	f.State = to
	if changed {
		f.Revision++
	}
	return &f, t, changed, nil
}

// take takes over what was read.
func (f *Finding) take(o Observation, to State) {
	read := o.Finding
	if f.State == "" || to == Regressed && f.State == Resolved {
		f.FirstSeen, f.ConfirmedAt = o.FirstSeen, o.At
		f.Accepted, f.Resolution, f.ResolvedAt = false, "", time.Time{}
		if f.State == Resolved {
			f.Regressions++
		}
	}
	f.ID, f.Check, f.Replica, f.Key, f.CopyID = read.ID, read.Check, read.Replica, read.Key, read.CopyID
	f.KeyText = read.KeyText
	f.Kind, f.Fields, f.Reason, f.Age, f.Pattern = read.Kind, read.Fields, read.Reason, read.Age, read.Pattern
	f.LastSeen, f.CheckedAt = o.At, o.At
	f.Seen++
}

// Observe turns a verdict of the engine into what it means for its finding; ok
// is false where the verdict is no last word.
func Observe(v *checks.Verdict, read *Finding, at time.Time, run string) (o Observation, ok bool) {
	o = Observation{At: at, Actor: Plumbline, Run: run}
	switch v.Outcome {
	case checks.Confirmed:
		o.Event, o.Finding, o.FirstSeen = Seen, read, v.Suspect.FirstSeen
	case checks.Cleared:
		o.Event, o.Resolution = Cleared, v.Cleared
	default:
		return o, false
	}
	return o, true
}

// Plumbline is the actor of what no person did.
const Plumbline = "plumbline"
