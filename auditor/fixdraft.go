package auditor

import (
	"context"
	"fmt"
	"slices"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
	"plumbline/sources"
)

// FixRequest says what is to be put right. Without findings, pattern and key it
// is all that is open of the replica.
type FixRequest struct {
	// Check may be "" where Findings say it, and Replica also where the check has one.
	Check, Replica string
	Findings       []string // ids
	Pattern        string   // the words of a pattern, whole
	// Key is of one record, as the owner writes it, its parts divided by commas.
	Key string
	// StopOnError ends the applying with the first item that fails; nil is true.
	StopOnError *bool
}

// edgeOf finds the edge that a request is about. *ledger.NotFoundError, *NotPossible.
func (f *Fixes) edgeOf(ctx context.Context, r FixRequest) (name edgeName, err error) {
	chosen := 0
	for _, said := range []bool{len(r.Findings) > 0, r.Pattern != "", r.Key != ""} {
		if said {
			chosen++
		}
	}
	if chosen > 1 {
		return name, &NotPossible{"findings, a pattern and a key exclude each other: choose by one of them"}
	}
	name = edgeName{r.Check, r.Replica}
	for _, id := range r.Findings {
		found, err := f.auditor.ledger.Finding(ctx, id)
		if err != nil {
			return name, err
		}
		if name.check != "" && name.check != found.Check || name.replica != "" && name.replica != found.Replica {
			return name, &NotPossible{fmt.Sprintf("%s is of another replica, %s of check %s: a plan is of one replica, so draft one for each", id, found.Replica, found.Check)}
		}
		name = edgeName{found.Check, found.Replica}
	}
	if name.check == "" {
		return name, &NotPossible{"say of which check, or which findings, a plan is to be"}
	}
	c := f.auditor.book.Load().checks[name.check]
	if c == nil {
		return name, &ledger.NotFoundError{What: "check", Name: name.check}
	}
	if name.replica == "" {
		if len(c.Check.Edges) > 1 {
			return name, &NotPossible{fmt.Sprintf("check %s has %d replicas: say which one is to be put right", name.check, len(c.Check.Edges))}
		}
		name.replica = c.Check.Edges[0].Name
	}
	if !slices.ContainsFunc(c.Check.Edges, func(e checks.Edge) bool { return e.Name == name.replica }) {
		return name, &ledger.NotFoundError{What: "replica", Name: name.replica + " of check " + name.check}
	}
	return name, nil
}

// draft proposes a plan and keeps nothing of it.
func (f *Fixes) draft(ctx context.Context, r FixRequest, by reconciler.Person) (p *reconciler.Plan, items []reconciler.Item, err error) {
	name, err := f.edgeOf(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	key, err := f.keyOf(ctx, name.check, r.Key)
	if err != nil {
		return nil, nil, err
	}
	err = f.on(ctx, name, func(ctx context.Context, e *reconciler.Edge) error {
		if err := off(e); err != nil {
			return err
		}
		findings, choice, err := f.choose(ctx, e, r, key)
		if err != nil {
			return err
		}
		p, items, err = f.propose(ctx, e, findings, choice, false)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	p.DraftedBy, p.State, p.StopOnError = by, reconciler.Draft, r.StopOnError == nil || *r.StopOnError
	return p, items, nil
}

// propose drafts a plan of findings with what the ledger knows of them.
func (f *Fixes) propose(ctx context.Context, e *reconciler.Edge, findings []*drift.Finding, choice string, auto bool) (*reconciler.Plan, []reconciler.Item, error) {
	facts, err := f.facts(ctx, edgeName{e.Check.Name, e.Name()}, idsOf(findings), auto)
	if err != nil {
		return nil, nil, err
	}
	return reconciler.Propose(ctx, e, findings, choice, facts)
}

func idsOf(findings []*drift.Finding) []string {
	ids := make([]string, len(findings))
	for i, f := range findings {
		ids[i] = f.ID
	}
	return ids
}

// off is a *reconciler.Refusal where a check's differences are not put right.
func off(e *reconciler.Edge) error {
	if e.Policy.Mode != reconciler.ModeOff {
		return nil
	}
	return &reconciler.Refusal{Why: "fixes are off for this check", Next: "Set fix.mode to propose."}
}

// choose finds the findings that a request is about, and says in words which.
func (f *Fixes) choose(ctx context.Context, e *reconciler.Edge, r FixRequest, key sources.Key) (list []*drift.Finding, choice string, err error) {
	filter := ledger.FindingFilter{Check: e.Check.Name, Replica: e.Name(), State: "open"}
	switch {
	case len(r.Findings) > 0:
		for _, id := range r.Findings {
			found, err := f.auditor.ledger.Finding(ctx, id)
			if err != nil {
				return nil, "", err
			}
			list = append(list, found)
		}
		return list, countOf(len(list), "finding", "findings"), nil
	case r.Key != "":
		canonical, err := e.Audit.Canonical(key)
		if err != nil {
			return nil, "", errNoKey()
		}
		if list, err = f.open(ctx, filter); err != nil {
			return nil, "", err
		}
		list = slices.DeleteFunc(list, func(found *drift.Finding) bool { return found.Key.Encode() != canonical.Encode() })
		if len(list) == 0 {
			return nil, "", &NotPossible{"no finding of that key is open"}
		}
		return list, "1 key", nil
	case r.Pattern != "":
		filter.Pattern = r.Pattern
		list, err = f.open(ctx, filter)
		if err == nil && len(list) == 0 {
			err = &NotPossible{"no finding of that pattern is open"}
		}
		return list, "findings of the pattern " + r.Pattern, err
	}
	list, err = f.open(ctx, filter)
	if err == nil && len(list) == 0 {
		err = &NotPossible{"nothing is open, so nothing is to be put right"}
	}
	return list, "all open findings", err
}

// open lists findings, all of them: which may be put right, only a look at each tells.
func (f *Fixes) open(ctx context.Context, filter ledger.FindingFilter) (list []*drift.Finding, err error) {
	for filter.Limit = 500; ; {
		page, next, err := f.auditor.ledger.Findings(ctx, filter)
		if err != nil {
			return nil, err
		}
		list = append(list, page...)
		if filter.After = next; next == "" {
			return list, nil
		}
	}
}

// keyOf reads a key that a person wrote.
func (f *Fixes) keyOf(ctx context.Context, check, text string) (sources.Key, error) {
	if text == "" {
		return nil, nil
	}
	kinds, err := f.auditor.KeyKinds(ctx, check)
	if err != nil {
		return nil, err
	}
	key, err := checks.ParseKey(text, kinds)
	if err != nil {
		return nil, errNoKey()
	}
	return key, nil
}

func errNoKey() error {
	return &NotPossible{"that is no key of the check: write its parts as the owner does, divided by commas"}
}

func countOf(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// undo drafts the plan that takes another one back.
func (f *Fixes) undo(ctx context.Context, id string, by reconciler.Person) (undo *reconciler.Plan, items []reconciler.Item, err error) {
	of, done, err := f.whole(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	name := edgeName{of.Check, of.Replica}
	err = f.on(ctx, name, func(ctx context.Context, e *reconciler.Edge) error {
		if err := off(e); err != nil {
			return err
		}
		facts, err := f.facts(ctx, name, nil, false)
		if err != nil {
			return err
		}
		undo, items, err = reconciler.ProposeUndo(ctx, e, of, done, facts)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	undo.DraftedBy, undo.State = by, reconciler.Draft
	return undo, items, nil
}

// rehearse says of each item of a plan what applying it now would come to.
func (f *Fixes) rehearse(ctx context.Context, id string) (items []reconciler.Item, err error) {
	p, items, err := f.whole(ctx, id)
	if err != nil {
		return nil, err
	}
	err = f.on(ctx, edgeName{p.Check, p.Replica}, func(ctx context.Context, e *reconciler.Edge) error {
		items, err = reconciler.Rehearse(ctx, e, items)
		return err
	})
	return items, err
}

// whole is a plan with the content of all its items.
func (f *Fixes) whole(ctx context.Context, id string) (*reconciler.Plan, []reconciler.Item, error) {
	p, err := f.auditor.ledger.Plan(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	items, err := f.items(ctx, id, true)
	return p, items, err
}

func (f *Fixes) items(ctx context.Context, id string, content bool) (items []reconciler.Item, err error) {
	const page = 500
	for after := 0; ; {
		next, err := f.auditor.ledger.PlanItems(ctx, id, ledger.ItemFilter{After: after, Limit: page, Content: content})
		if err != nil {
			return nil, err
		}
		items = append(items, next...)
		if len(next) < page {
			return items, nil
		}
		after = next[len(next)-1].N
	}
}
