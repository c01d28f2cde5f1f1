package demo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"plumbline/configs"
	"plumbline/drift"
	"plumbline/ledger"
)

// follower reads from the ledger what changed and lets the view tell it.
type follower struct {
	ledger *ledger.Ledger
	view   *view
	heard  chan struct{} // something changed
	// touched are the records that fixes are about; plans the revisions of those
	// that were looked at.
	touched *touched
	plans   map[string]int64
}

// hear is a ledger's Watch: it says that something changed, and never blocks.
func hear(heard chan struct{}) func(ledger.Change) {
	return func(ledger.Change) {
		select {
		case heard <- struct{}{}:
		default:
		}
	}
}

const (
	// followEvery bounds how often the ledger is read, and anyhow how rarely.
	followEvery  = 200 * time.Millisecond
	followAnyhow = 2 * time.Second
	followPage   = 100
)

// follow tells what changes until ctx ends.
func (f *follower) follow(ctx context.Context) error {
	for pause := time.NewTimer(0); ; pause.Reset(followAnyhow) {
		select {
		case <-ctx.Done():
			return nil
		case <-f.heard:
			if !wait(ctx, followEvery) {
				return nil
			}
		case <-pause.C:
		}
		if err := f.catchUp(ctx); err != nil {
			return unlessEnded(ctx, err)
		}
		if err := f.view.err(); err != nil {
			return err
		}
	}
}

// catchUp reads what changed since it was last called.
func (f *follower) catchUp(ctx context.Context) error {
	if err := f.runs(ctx); err != nil {
		return err
	}
	if err := f.fixes(ctx); err != nil {
		return err
	}
	for _, state := range f.view.states {
		if err := f.findings(ctx, state); err != nil {
			return err
		}
	}
	edges, err := f.ledger.Edges(ctx)
	if err != nil {
		return fmt.Errorf("read how the checks stand: %w", err)
	}
	now := time.Now()
	for _, e := range edges {
		if state := f.view.stateOf(e.Check); state != nil {
			f.view.edge(state, e, now)
		}
	}
	return nil
}

// findings reads the check's findings, those changed last first, up to a page
// on which nothing is new.
func (f *follower) findings(ctx context.Context, state *checkState) error {
	var changed []*drift.Finding
	for after, more := "", true; more; {
		list, next, err := f.ledger.Findings(ctx, ledger.FindingFilter{Check: state.check.Name, After: after, Limit: followPage})
		if err != nil {
			return fmt.Errorf("read findings: %w", err)
		}
		more = false
		for _, one := range list {
			if known := state.known[one.ID]; known == nil || known.Revision != one.Revision {
				changed, more = append(changed, one), next != ""
			}
		}
		after = next
	}
	f.view.findings(state, changed, time.Now())
	return nil
}

// runs reads the latest runs. A run that has errors to tell is told through how
// its check stands.
func (f *follower) runs(ctx context.Context) error {
	list, _, err := f.ledger.Runs(ctx, ledger.RunFilter{Limit: followPage})
	if err != nil {
		return fmt.Errorf("read runs: %w", err)
	}
	for i := len(list) - 1; i >= 0; i-- {
		if state := f.view.stateOf(list[i].Check); state != nil {
			f.view.run(state, list[i], time.Now())
		}
	}
	return nil
}

// fixes reads which records plans that were begun are about, and tells how those stand.
func (f *follower) fixes(ctx context.Context) error {
	list, _, err := f.ledger.Plans(ctx, ledger.PlanFilter{Limit: followPage})
	if err != nil {
		return fmt.Errorf("read plans: %w", err)
	}
	for _, p := range slices.Backward(list) {
		before, known := f.plans[p.ID]
		if known && before == p.Revision {
			continue
		}
		f.plans[p.ID] = p.Revision
		f.view.plan(p, time.Now())
		if p.BegunAt.IsZero() {
			continue
		}
		items, err := f.ledger.PlanItems(ctx, p.ID, ledger.ItemFilter{Limit: touchedMost})
		if err != nil {
			return fmt.Errorf("read what plan %s is about: %w", p.ID, err)
		}
		for i := range items {
			one, err := f.ledger.Finding(ctx, items[i].Finding)
			if err != nil {
				return fmt.Errorf("read what plan %s is about: %w", p.ID, err)
			}
			if r, ok := refOf(one.Check, one.Key); ok {
				f.touched.add(r)
			}
			f.view.fixedBy(one.ID, p)
		}
	}
	return nil
}

// states are the checks of a configuration, of which nothing is known yet.
func states(config *configs.Config, now time.Time) []*checkState {
	var all []*checkState
	for i := range config.Checks {
		all = append(all, newCheckState(&config.Checks[i], config.Interval(config.Checks[i].Name, now)))
	}
	return all
}

// wait waits; false says that ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
