package reconciler

import (
	"context"
	"errors"
	"slices"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/sources"
)

// holdingsAtOnce bounds how many records are read in one go.
const holdingsAtOnce = 500

// Propose drafts a plan that puts findings right: it reads what both sides hold
// now, with credentials that may not write, and says of each record what it is
// and what it is to become. Nothing is kept, and no store is changed. Findings
// that cannot be put right are left out, each with its reason. A *Refusal says why
// there is no such plan; the plan that comes with it has the checklist. Any
// other error is of a store that could not be read.
func Propose(ctx context.Context, e *Edge, findings []*drift.Finding, choice string, f Facts) (*Plan, []Item, error) {
	p := e.newPlan(choice, f)
	if e.Policy.Mode != ModePropose && e.Policy.Mode != ModeApply {
		return p, nil, &Refusal{Why: "fixes are off for this check", Next: "Set fix.mode to propose."}
	}
	g := &guards{}
	e.guardFacts(g, f, false)
	candidates := e.candidates(p, findings, f)
	if most := e.Policy.MaxRecords; most > 0 && len(candidates) > most {
		g.records(most, len(candidates), false)
		p.Checklist = g.lines
		return p, nil, g.refusal()
	}
	items, err := e.draft(ctx, p, candidates)
	if err != nil {
		return p, nil, err
	}
	if len(items) == 0 {
		p.Checklist = g.lines
		return p, nil, nothingToDo(p)
	}
	g.records(e.Policy.MaxRecords, len(items), false)
	e.sayDeletes(g, p, items)
	if err := e.guardStores(ctx, g, extentOf(items), false); err != nil {
		return p, nil, err
	}
	g.pass("staleness", "each record is looked at again right before it is changed, and left alone if it, or the owner's, is not as shown here")
	e.bind(p, items)
	p.Checklist = g.lines
	return p, items, g.refusal()
}

// newPlan is a plan without items.
func (e *Edge) newPlan(choice string, f Facts) *Plan {
	p := &Plan{Check: e.Check.Name, Replica: e.Name(), By: e.Policy.By, State: Draft, CheckHash: e.CheckHash, Choice: choice, Auto: f.Auto,
		DraftedAt: f.Now, ExpiresAt: f.Now.Add(DraftFor), Needs: e.Policy.Approvals, StopOnError: true,
		Counts: map[ItemState]int64{}, Kinds: map[sources.ChangeKind]int64{}}
	if f.Auto && e.Policy.Mode == ModePropose {
		p.State = Waiting
	}
	return p
}

// bind numbers a plan's items and has its hash cover them.
func (e *Edge) bind(p *Plan, items []Item) {
	hashes := make([]string, len(items))
	for i := range items {
		item := &items[i]
		item.N = i + 1
		item.Hash = ItemHash(p.Check, p.Replica, p.CheckHash, p.Undoes, item)
		hashes[i] = item.Hash
		p.Counts[item.State]++
		p.Kinds[item.Kind]++
	}
	p.Hash = PlanHash(hashes)
}

// leave counts a finding that the plan leaves out.
func (p *Plan) leave(finding, reason string) {
	at := slices.IndexFunc(p.Left, func(l LeftOut) bool { return l.Reason == reason })
	if at < 0 {
		p.Left = append(p.Left, LeftOut{Reason: reason, Example: finding})
		at = len(p.Left) - 1
	}
	p.Left[at].N++
}

// candidates are the findings that may get an item, as far as can be told without
// reading a store.
func (e *Edge) candidates(p *Plan, findings []*drift.Finding, f Facts) []*drift.Finding {
	var candidates []*drift.Finding
	seen := map[string]bool{}
	for _, one := range findings {
		if seen[one.ID] {
			continue
		}
		seen[one.ID] = true
		if why := e.unfit(one, f); why != "" {
			p.leave(one.ID, why)
			continue
		}
		candidates = append(candidates, one)
	}
	return candidates
}

// unfit says why a finding cannot get an item; "" where it may.
func (e *Edge) unfit(f *drift.Finding, facts Facts) string {
	switch {
	case f.Check != e.Check.Name || f.Replica != e.Name():
		return "it is of another check or replica: a plan is of one"
	case f.State == drift.Fixing:
		return "it is being fixed by another plan"
	case !f.State.Open():
		return "it is resolved"
	case !f.Whole():
		return "its key is not whole, so it cannot be looked up"
	case facts.Auto && f.State == drift.Muted:
		return "it is muted"
	case facts.Auto && facts.LeftAlone[f.ID]:
		return "its fix was taken back, so it is for people to fix"
	}
	var left *leftOut
	if _, err := e.kindOf(f.Kind); errors.As(err, &left) {
		return left.why
	}
	return ""
}

// draft makes the items of candidates, in order.
func (e *Edge) draft(ctx context.Context, p *Plan, candidates []*drift.Finding) ([]Item, error) {
	if len(candidates) == 0 {
		return nil, nil
	}
	types, err := e.types(ctx)
	if err != nil {
		return nil, err
	}
	var items []Item
	for batch := range slices.Chunk(candidates, holdingsAtOnce) {
		suspects := make([]checks.Suspect, len(batch))
		for i, f := range batch {
			suspects[i] = suspectOf(f.Key, f.CopyID)
		}
		holdings, err := e.Audit.Holdings(ctx, suspects)
		if err != nil {
			return nil, err
		}
		for i, f := range batch {
			item, err := e.make(ctx, f, &holdings[i], types)
			var left *leftOut
			switch {
			case errors.As(err, &left):
				p.leave(f.ID, left.why)
			case err != nil:
				return nil, err
			default:
				items = append(items, *item)
			}
		}
	}
	return items, nil
}

func suspectOf(key, id sources.Key) checks.Suspect {
	return checks.Suspect{Key: key, ID: id, Known: true}
}

// types are what the replica's store declares of its fields.
func (e *Edge) types(ctx context.Context) (map[string]sources.FieldType, error) {
	desc, err := e.Replica.Describe(ctx, e.replica())
	return desc.Types, err
}

// sayDeletes says in the checklist whether records are deleted.
func (e *Edge) sayDeletes(g *guards, p *Plan, items []Item) {
	deleted := int64(0)
	for i := range items {
		if items[i].Kind == sources.Delete {
			deleted++
		}
	}
	switch {
	case deleted > 0:
		g.pass("deletes", "%s deleted, as fix.allow has it", counted(deleted, "record is", "records are"))
	case e.Policy.AllowsChange(sources.Delete):
		g.pass("deletes", "no record is deleted")
	default:
		g.pass("deletes", "no record is deleted: deletes are off (fix.allow)")
	}
}

func nothingToDo(p *Plan) *Refusal {
	r := &Refusal{Why: "none of these findings can be put right by a plan"}
	if len(p.Left) == 0 {
		r.Why = "there is no open finding to put right"
	}
	for i, l := range p.Left {
		if i > 0 {
			r.Next += "; "
		}
		r.Next += counted(l.N, "finding", "findings") + ": " + l.Reason
	}
	if r.Next != "" {
		r.Next = "Left out are " + r.Next + "."
	}
	return r
}
