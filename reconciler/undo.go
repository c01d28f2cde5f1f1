package reconciler

import (
	"context"
	"errors"
	"fmt"

	"plumbline/sources"
)

// ProposeUndo drafts a plan that takes back what another plan did: each record
// that still is what that plan made of it becomes again what it was, type for
// type. A record that was changed since is not touched: its item is stale from the
// beginning, and tells what the record was, what the plan made of it, and what it
// holds now. items are those of the plan, with their content. Where none can be
// taken back, a *Refusal says so, and has those items.
func ProposeUndo(ctx context.Context, e *Edge, of *Plan, items []Item, f Facts) (*Plan, []Item, error) {
	p := e.newPlan("undo of "+of.ID, f)
	p.Undoes, p.By, p.State = of.ID, of.By, Draft
	if err := e.mayUndo(of); err != nil {
		return p, nil, err
	}
	g := &guards{}
	e.guardFacts(g, f, true)
	var inverse []Item
	undoable := 0
	for i := range items {
		old := &items[i]
		switch {
		case old.State != ItemApplied && old.State != ItemVerified:
			p.leave(old.Finding, "it was not applied: its item is "+string(old.State))
			continue
		case old.Before == nil || old.After == nil:
			p.leave(old.Finding, "what its record was is not kept any more")
			continue
		}
		item, err := e.invert(ctx, old)
		if err != nil {
			return p, nil, err
		}
		if item.State == Pending {
			undoable++
		}
		inverse = append(inverse, *item)
	}
	e.bind(p, inverse)
	if undoable == 0 {
		p.Checklist = g.lines
		return p, inverse, nothingToUndo(p, inverse)
	}
	g.records(0, undoable, true)
	if err := e.guardStores(ctx, g, extentOf(inverse), true); err != nil {
		return p, nil, err
	}
	g.pass("staleness", "each record is looked at again right before it is changed, and left alone if it is not as the plan made it")
	p.Checklist = g.lines
	return p, inverse, g.refusal()
}

func (e *Edge) mayUndo(of *Plan) error {
	switch {
	case of.By == Request:
		return &Refusal{Plan: of.ID, Why: "what a service was asked cannot be taken back", Next: "Ask the service by its own means."}
	case e.Policy.By != Write:
		return &Refusal{Plan: of.ID, Why: "it was written to the replica's store, and fixes of this check go by request now", Next: "Set fix.by to write for as long as it is taken back."}
	case of.Check != e.Check.Name || of.Replica != e.Name():
		return &Refusal{Plan: of.ID, Why: "it is of another check or replica"}
	}
	if _, may := Next(of.State, EventUndo); !may {
		return &Refusal{Plan: of.ID, Why: "it is " + string(of.State) + ", and only what was applied can be taken back"}
	}
	return nil
}

// invert is the item that takes another back, or one that is stale from the beginning.
func (e *Edge) invert(ctx context.Context, old *Item) (*Item, error) {
	kinds := map[sources.ChangeKind]sources.ChangeKind{sources.Update: sources.Update, sources.Delete: sources.Insert, sources.Insert: sources.Delete}
	item := &Item{Finding: old.Finding, Key: old.Key, CopyID: old.CopyID, Asked: old.Asked, AskedID: old.AskedID, KeyText: old.KeyText,
		Kind: kinds[old.Kind], State: Pending, Before: old.After, After: old.Before}
	item.Fields = e.fieldsOf(item.Before, item.After)
	image, err := e.look(ctx, e.Replica, item, false)
	var many *sources.ManyError
	switch {
	case errors.As(err, &many):
		item.State, item.Note = ItemStale, "the replica has several records of this key by now"
	case err != nil:
		return nil, err
	case !sameImage(image, item.Before):
		item.State, item.Note, item.Now = ItemStale, "the record was changed since the plan was applied", e.heldNow(item, image)
	default:
		item.Before = image
	}
	item.Statement, err = e.statement(&sources.Change{Key: item.Asked, ID: item.AskedID, Before: item.Before, After: item.After})
	if err != nil && item.State != ItemStale { // of another table, or other columns, there may be none to show
		return nil, err
	}
	return item, nil
}

func nothingToUndo(p *Plan, stale []Item) *Refusal {
	r := &Refusal{Plan: p.Undoes, Why: "nothing of it can be taken back", Items: stale}
	if len(stale) > 0 {
		r.Why += fmt.Sprintf(": %s changed since it was applied", counted(int64(len(stale)), "record was", "records were"))
		r.Next = "See what the records hold now, and put them right by hand, or by a new plan."
	}
	for _, l := range p.Left {
		r.Why += fmt.Sprintf("; %s: %s", counted(l.N, "record", "records"), l.Reason)
	}
	return r
}
