package web

import (
	"context"
	"slices"
	"strconv"

	"plumbline/access"
	"plumbline/auditor"
	"plumbline/ledger"
	"plumbline/reconciler"
)

// Plans lists plans of fixes as whoever asks may see them.
func (l shownLedger) Plans(ctx context.Context, f ledger.PlanFilter) ([]*reconciler.Plan, string, error) {
	list, next, err := l.Ledger.Plans(ctx, f)
	for i := range list {
		list[i] = shownPlan(ctx, list[i])
	}
	return list, next, err
}

// Plan is one plan.
func (l shownLedger) Plan(ctx context.Context, id string) (*reconciler.Plan, error) {
	p, err := l.Ledger.Plan(ctx, id)
	return shownPlan(ctx, p), err
}

// FindingPlans are the plans that a finding is or was part of.
func (l shownLedger) FindingPlans(ctx context.Context, finding string, limit int) ([]*reconciler.Plan, error) {
	list, err := l.Ledger.FindingPlans(ctx, finding, limit)
	for i := range list {
		list[i] = shownPlan(ctx, list[i])
	}
	return list, err
}

// PlanItems are items of a plan, as they may be shown: never with their content.
func (l shownLedger) PlanItems(ctx context.Context, plan string, f ledger.ItemFilter) ([]reconciler.Item, error) {
	f.Content = false
	items, err := l.Ledger.PlanItems(ctx, plan, f)
	return shownItems(ctx, items), err
}

func shownPlan(ctx context.Context, p *reconciler.Plan) *reconciler.Plan {
	if p == nil || sees(ctx) {
		return p
	}
	return p.Veil()
}

func shownItems(ctx context.Context, items []reconciler.Item) []reconciler.Item {
	if sees(ctx) {
		return items
	}
	shown := make([]reconciler.Item, len(items))
	for i := range items {
		shown[i] = *items[i].Veil()
	}
	return shown
}

// pageOfItems are items of a plan, and what to ask for with After to read on.
func (l shownLedger) pageOfItems(ctx context.Context, plan string, f ledger.ItemFilter) (items []reconciler.Item, next string, err error) {
	most := f.Limit
	f.Limit++
	if items, err = l.PlanItems(ctx, plan, f); err != nil {
		return nil, "", err
	}
	if len(items) > most {
		items = items[:most]
		next = strconv.Itoa(items[most-1].N)
	}
	return items, next, nil
}

// allItems are all items of a plan, which a configuration bounds.
func (l shownLedger) allItems(ctx context.Context, plan string) (all []reconciler.Item, err error) {
	f := ledger.ItemFilter{Limit: 500}
	for {
		items, err := l.PlanItems(ctx, plan, f)
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
		if len(items) < f.Limit {
			return all, nil
		}
		f.After = items[len(items)-1].N
	}
}

// scrubbedPlan is a plan without secrets in what stores and drivers wrote.
func scrubbedPlan(p *reconciler.Plan, scrub func(string) string) *reconciler.Plan {
	clean := *p
	clean.Reason = scrub(p.Reason)
	clean.Left = slices.Clone(p.Left)
	for i := range clean.Left {
		clean.Left[i].Reason = scrub(clean.Left[i].Reason)
	}
	clean.Checklist = slices.Clone(p.Checklist)
	for i := range clean.Checklist {
		clean.Checklist[i].Words = scrub(clean.Checklist[i].Words)
	}
	return &clean
}

func scrubbedItems(items []reconciler.Item, scrub func(string) string) []reconciler.Item {
	clean := slices.Clone(items)
	for i := range clean {
		clean[i].Note, clean[i].Statement = scrub(clean[i].Note), scrub(clean[i].Statement)
	}
	return clean
}

// mayChoose says whether whoever asks may draft a plan that is chosen so: how many
// records a pattern or a key chooses tells what they hold.
func mayChoose(ctx context.Context, r *auditor.FixRequest) error {
	if r.Pattern == "" && r.Key == "" {
		return nil
	}
	return access.Require(ctx, access.Values)
}
