package auditor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/riverqueue/river"

	"plumbline/checks"
	"plumbline/ledger"
	"plumbline/reconciler"
	"plumbline/sources"
)

// Fixing is what putting right needs beside the readers of the sources.
type Fixing struct {
	// Fixer opens a source with the credentials that may write, for one plan
	// alone; what it returns is called when the plan is done with. nil: nothing is
	// written here.
	Fixer func(source string) (*sources.Fixer, func() error, error)
	// HTTP sends requests to services; nil sends none.
	HTTP *http.Client
	// CanHide: what is kept of records is encrypted by a key of the operator's.
	CanHide bool
}

// Fixes drafts plans of fixes and applies them, by the configuration of its
// Auditor. It is safe for many goroutines.
type Fixes struct {
	auditor *Auditor
	tried   tries
}

// NewFixes makes Fixes for whoever runs no auditor: a command that acts on the
// ledger itself. Plans are then applied by whoever asks for it, to their end.
func NewFixes(o Options) *Fixes {
	a := newAuditor(o)
	a.book.Store(newBook(o.Checks, 0, o.Hash, o.Readers, o.Lens))
	return a.fixes
}

// fixTimeout bounds how long a person waits for both stores while a plan is made.
const fixTimeout = time.Minute

// tries are when Plumbline last found that it could make no plan of an edge.
type tries struct {
	mu sync.Mutex
	at map[edgeName]time.Time
}

// tryAgain is how long an edge is left alone of which no plan could be made.
const tryAgain = time.Minute

func (t *tries) note(name edgeName, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.at == nil {
		t.at = map[edgeName]time.Time{}
	}
	t.at[name] = at
}

func (t *tries) lately(name edgeName, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, ok := t.at[name]
	return ok && now.Sub(at) < tryAgain && !now.Before(at)
}

// edgeName is an edge by its names.
type edgeName struct{ check, replica string }

// on reads an edge for a person, or for Plumbline where it drafts by itself, and
// says why that is not possible as a *NotPossible.
func (f *Fixes) on(ctx context.Context, name edgeName, do func(ctx context.Context, e *reconciler.Edge) error) error {
	a := f.auditor
	err := a.hold(func(b *book) error {
		edge, ok := b.edge(name.check, name.replica)
		if !ok {
			return &NotPossible{fmt.Sprintf("check %s with replica %s is no longer configured", name.check, name.replica)}
		}
		ctx, cancel := context.WithTimeout(ctx, fixTimeout)
		defer cancel()
		err := contained(func() error {
			e, err := f.edge(ctx, b, edge)
			if err != nil {
				return err
			}
			return do(ctx, e)
		})
		if err == nil || Refused(err) {
			return err
		}
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return &NotPossible{fmt.Sprintf("the records could not all be read within %s: choose fewer findings, or see whether a store is slow", fixTimeout)}
		}
		return fmt.Errorf("read %s/%s: %s", name.check, name.replica, a.shown(edge, err))
	})
	var snoozed *river.JobSnoozeError
	if errors.As(err, &snoozed) {
		return &NotPossible{"the configuration is being changed: try again in a moment"}
	}
	return err
}

// edge opens an edge as the reconciler wants it.
func (f *Fixes) edge(ctx context.Context, b *book, facts ledger.EdgeFacts) (*reconciler.Edge, error) {
	check, declared := facts.Check, &facts.Check.Edges[facts.I]
	o, err := f.auditor.open(ctx, b, facts, nil)
	if err != nil {
		return nil, err
	}
	owner, err := b.readers(check.Owner.Source)
	if err != nil {
		return nil, err
	}
	replica, err := b.readers(declared.Replica.Source)
	if err != nil {
		return nil, err
	}
	return &reconciler.Edge{Check: check, I: facts.I, Audit: o.audit, Owner: owner, Replica: replica, Lens: facts.Lens,
		Policy: b.policy(check.Name, declared.Name), CheckHash: b.checks[check.Name].FixHash, OwnerDatasets: b.ownerOf,
		CanHide: f.auditor.options.Fixing.CanHide}, nil
}

// facts are what the ledger knows when a plan of findings is drafted or begun.
func (f *Fixes) facts(ctx context.Context, name edgeName, findings []string, auto bool) (facts reconciler.Facts, err error) {
	a := f.auditor
	facts.Auto, facts.Now = auto, a.now()
	edge, err := a.ledger.Edge(ctx, name.check, name.replica)
	if err != nil {
		return facts, err
	}
	facts.Open, facts.Compared = edge.OpenFindings()+edge.Omitted, edge.Compared
	freezes, err := a.ledger.Freezes(ctx)
	if err != nil {
		return facts, err
	}
	for i := range freezes {
		if freezes[i].Check == "" || freezes[i].Check == name.check {
			facts.Frozen = &freezes[i]
		}
	}
	pauses, err := a.ledger.Pauses(ctx)
	if err != nil {
		return facts, err
	}
	for i := range pauses {
		if pauses[i].Check == name.check {
			facts.Paused = &pauses[i]
		}
	}
	if facts.FixedLately, err = a.ledger.FixedSince(ctx, findings, facts.Now.Add(-reconciler.FixedWithin)); err != nil {
		return facts, err
	}
	facts.LeftAlone, err = a.ledger.LeftAlone(ctx, findings)
	return facts, err
}

// verify reads a fixed record on both sides and records what that came to.
func (f *Fixes) verify(ctx context.Context, b *book, edge ledger.EdgeFacts, finding string) error {
	a := f.auditor
	found, err := a.ledger.Finding(ctx, finding)
	if err != nil {
		return err
	}
	unlock := a.edges.lock(found.Check, found.Replica)
	defer unlock()
	o, err := a.open(ctx, b, edge, nil)
	if err != nil {
		return err
	}
	verdict, err := recheckOne(ctx, a.shift(b, edge, o), suspectOf(found))
	if err == nil {
		a.judged(edge, []checks.Verdict{verdict})
	}
	return err
}
