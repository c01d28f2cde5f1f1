package checks

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"plumbline/sources"
)

// shapeGuard keeps what was read under one shape from standing beside what was
// read under another: it asks for both shapes after every page.
type shapeGuard struct {
	mu      sync.Mutex
	asked   time.Time // when the last asking began that found nothing broken
	changes []SchemaChange
	broken  error // once a shape has changed it stays so
}

// title is a side's source and dataset, as changes of its shape name it.
func (s *side) title() string { return s.reader.Name() + "." + s.dataset.Title() }

// learnShape asks for a side's shape before anything else is learnt of it, so
// that whatever changes meanwhile shows at the first page.
func (s *side) learnShape(ctx context.Context) error {
	schema, known, err := s.reader.Schema(ctx, s.dataset)
	if err != nil {
		return err
	}
	s.shape = Shape{Known: known, Schema: schema}
	return nil
}

// learnKinds takes the declared kinds of the fields that the store has declared,
// and the indexes that reads go by.
func (s *side) learnKinds() {
	s.shape.Kinds, s.shape.Indexes = map[string]sources.Kind{}, nil
	for _, index := range []string{s.facts.Description.ScanIndex, s.facts.Description.KeyIndex} {
		if index != "" && !slices.Contains(s.shape.Indexes, index) {
			s.shape.Indexes = append(s.shape.Indexes, index)
		}
	}
	for name, t := range s.facts.Description.Types {
		if _, declared := s.shape.Schema.Field(name); declared && t.Kind != sources.KindAbsent {
			s.shape.Kinds[name] = t.Kind
		}
	}
}

// shapes are those that the run was planned by.
func (e *edge) shapes() Shapes { return Shapes{Owner: e.owner.shape, Replica: e.replica.shape} }

// accept compares the shapes that were learnt with those by which the run was
// planned, or earlier runs of the check went. It fails with a *SchemaChangedError.
func (e *edge) accept() error {
	var changes []SchemaChange
	for _, s := range []*side{e.owner, e.replica} {
		if !s.shape.Known {
			continue
		}
		if was := e.options.Planned; was != nil && was.of(s.role).Known {
			changes = append(changes, e.comparison.changesWithin(s.role, s.title(), was.of(s.role), &s.shape.Schema)...)
		} else if was := e.options.Accepted; was != nil && was.of(s.role).Known {
			_, other := e.sides(s.role)
			changes = append(changes, e.comparison.changesBetween(s.role, s.title(), was.of(s.role), &s.shape, other.shape.Kinds)...)
		}
	}
	e.guard.note(changes)
	return broken(changes)
}

// missed turns what a store did not find at the beginning of a run into a change
// of its shape, where earlier runs found it there.
func (e *edge) missed(ctx context.Context, s *side, err error) error {
	was := e.options.Planned
	if was == nil {
		was = e.options.Accepted
	}
	var missing *sources.NotFoundError
	if was == nil || !was.of(s.role).Known || !errors.As(err, &missing) {
		return err
	}
	var changes []SchemaChange
	if schema, known, asked := s.reader.Schema(ctx, s.dataset); asked == nil && known {
		changes = e.comparison.changesBetween(s.role, s.title(), was.of(s.role), &Shape{Known: true, Schema: schema}, nil)
	} else if change := gone(s.dataset, s.role, s.title(), asked); change != nil {
		changes = []SchemaChange{*change}
	}
	e.guard.note(changes)
	if changed := broken(changes); changed != nil {
		return changed
	}
	return err
}

// unchanged makes sure that what was read until now was read under the shapes by
// which the run was planned. It fails with a *SchemaChangedError, or where a
// store cannot be asked. An asking that began after the read serves others too.
func (e *edge) unchanged(ctx context.Context) error {
	if !e.owner.shape.Known && !e.replica.shape.Known {
		return nil
	}
	read, g := e.now(), &e.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.broken != nil || g.asked.After(read) {
		return g.broken
	}
	began := e.now()
	changes, err := e.ask(ctx)
	if err != nil {
		return err
	}
	g.keep(changes)
	if g.broken = broken(changes); g.broken == nil {
		g.asked = began
	}
	return g.broken
}

// ask asks both stores for their shapes at once and compares them with the planned ones.
func (e *edge) ask(ctx context.Context) ([]SchemaChange, error) {
	found := make([][]SchemaChange, 2)
	group, ctx := errgroup.WithContext(ctx)
	for i, s := range []*side{e.owner, e.replica} {
		if !s.shape.Known {
			continue
		}
		group.Go(func() error {
			schema, _, err := s.reader.Schema(ctx, s.dataset)
			if change := gone(s.dataset, s.role, s.title(), err); change != nil {
				found[i] = []SchemaChange{*change}
				return nil
			}
			if err == nil {
				found[i] = e.comparison.changesWithin(s.role, s.title(), &s.shape, &schema)
				if len(found[i]) > 0 && broken(found[i]) == nil {
					s.shape.Schema = schema // what is known is not told again, and hides nothing that comes
				}
			}
			return err
		})
	}
	err := group.Wait()
	return slices.Concat(found...), err
}

// explained is why a read failed: a store whose shape changed may say so in words
// of its own, or break what is read in ways that say nothing.
func (e *edge) explained(ctx context.Context, err error) error {
	var changed *SchemaChangedError
	if err == nil || errors.Is(err, ErrStopped) || ctx.Err() != nil || errors.As(err, &changed) || sources.FailureOf(err) == sources.FailureTimeout {
		return err
	}
	if why := e.unchanged(ctx); errors.As(why, &changed) {
		return why
	}
	return err
}

func (g *shapeGuard) note(changes []SchemaChange) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.keep(changes)
}

// keep keeps each change once. g.mu is held.
func (g *shapeGuard) keep(changes []SchemaChange) {
	for _, c := range changes {
		if !slices.Contains(g.changes, c) {
			g.changes = append(g.changes, c)
		}
	}
}

func (g *shapeGuard) all() []SchemaChange {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.changes)
}
