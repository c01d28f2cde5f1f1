package reconciler

// PlanEvent is something that happens to a plan.
type PlanEvent string

// The events. Whether a person may cause one, and whether enough people
// approved, is for whoever calls to know.
const (
	EventAsk      PlanEvent = "ask"      // approval is asked for
	EventApprove  PlanEvent = "approve"  // the last approval that it needs was given
	EventWithdraw PlanEvent = "withdraw" // somebody takes it back before it is begun, or rejects it
	EventExpire   PlanEvent = "expire"   // nobody approved, or began, it in time
	EventOutdate  PlanEvent = "outdate"  // its check, or how that may be fixed, was changed since it was drafted
	EventBegin    PlanEvent = "begin"    // its items are applied from now on; also the rest of one that had stopped
	EventUndo     PlanEvent = "undo"     // all that it had applied was taken back by another plan

	eventEnd PlanEvent = "end: " // its applying ended, with an outcome
)

// Ended is the event that a plan's applying ended with an Outcome.
func Ended(outcome PlanState) PlanEvent { return eventEnd + PlanEvent(outcome) }

// PlanEvents lists all events.
func PlanEvents() []PlanEvent {
	return []PlanEvent{EventAsk, EventApprove, EventWithdraw, EventExpire, EventOutdate, EventBegin, EventUndo,
		Ended(Applied), Ended(PartlyApplied), Ended(Stale), Ended(Failed)}
}

// Next is the state that an event leads to from a state; false where it cannot
// happen there. A plan that ended partly applied, or failed, is begun again only
// while items of it are pending, which is for whoever calls to know.
func Next(state PlanState, event PlanEvent) (PlanState, bool) {
	switch event {
	case EventAsk:
		return Waiting, state == Draft
	case EventApprove:
		return Approved, state == Draft || state == Waiting
	case EventWithdraw, EventExpire:
		return Expired, state == Draft || state == Waiting || state == Approved
	case EventOutdate:
		return Stale, state == Draft || state == Waiting || state == Approved
	case EventBegin:
		return Applying, state == Approved || state == PartlyApplied || state == Failed
	case EventUndo:
		return Undone, state == Applied || state == PartlyApplied
	case Ended(Applied), Ended(PartlyApplied), Ended(Stale), Ended(Failed):
		return PlanState(event[len(eventEnd):]), state == Applying
	}
	return state, false
}

// Outcome is what a plan came to whose applying has ended, of how many of its
// items are in which state. Items that are pending still are what was left when
// it stopped.
func Outcome(counts map[ItemState]int64) PlanState {
	done := counts[ItemApplied] + counts[ItemVerified] + counts[ItemSent]
	undone := counts[Pending] + counts[Doubtful] + counts[ItemFailed]
	switch {
	case done > 0 && undone+counts[ItemStale] == 0:
		return Applied
	case done > 0:
		return PartlyApplied
	case undone > 0:
		return Failed
	}
	return Stale
}
