package auditor

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
	"plumbline/sources"
)

// book is one configuration as the auditor works by it. It never changes.
type book struct {
	generation int64
	hash       string
	readers    checks.Readers
	lens       drift.Lens
	checks     map[string]*Check
	order      []string
	// everywhere are the sources that every edge reads.
	everywhere map[string]bool

	// closed says that whoever works by this book is to hand over; jobs are those who do.
	closed chan struct{}
	once   sync.Once
	mu     sync.Mutex
	jobs   int
	idle   chan struct{} // closed when the last job ends after the book was closed
}

func newBook(list []Check, generation int64, hash string, readers checks.Readers, lens drift.Lens) *book {
	b := &book{generation: generation, hash: hash, readers: readers, lens: lens, checks: map[string]*Check{},
		closed: make(chan struct{}), idle: make(chan struct{})}
	for i := range list {
		c := list[i]
		if c.Hash == "" {
			c.Hash = hash
		}
		if c.FixHash == "" {
			c.FixHash = c.Hash
		}
		b.checks[c.Check.Name] = &c
		b.order = append(b.order, c.Check.Name)
	}
	b.everywhere = everywhere(list)
	return b
}

// everywhere finds the sources that every edge reads.
func everywhere(list []Check) map[string]bool {
	edges, of := 0, map[string]int{}
	for i := range list {
		c := list[i].Check
		for j := range c.Edges {
			edges++
			of[c.Owner.Source]++
			if replica := c.Edges[j].Replica.Source; replica != c.Owner.Source {
				of[replica]++
			}
		}
	}
	maps.DeleteFunc(of, func(_ string, n int) bool { return n < edges })
	all := map[string]bool{}
	for name := range of {
		all[name] = true
	}
	return all
}

// readersOf are the readers of an edge's sources. One that cannot be had is left
// out: whoever reads is told why.
func (b *book) readersOf(edge ledger.EdgeFacts) (readers []*sources.Reader) {
	names := []string{edge.Check.Owner.Source}
	if replica := edge.Check.Edges[edge.I].Replica.Source; replica != names[0] {
		names = append(names, replica)
	}
	for _, name := range names {
		if name == "" { // of a check that is no longer there
			continue
		}
		if reader, err := b.readers(name); err == nil {
			readers = append(readers, reader)
		}
	}
	return readers
}

// list is what the book was made of.
func (b *book) list() []Check {
	list := make([]Check, len(b.order))
	for i, name := range b.order {
		list[i] = *b.checks[name]
	}
	return list
}

// declared is what the ledger is told of the book.
func (b *book) declared(now time.Time) (edges []ledger.Edge, schedules []ledger.Schedule) {
	for _, name := range b.order {
		c := b.checks[name]
		for i := range c.Check.Edges {
			edges = append(edges, ledger.Edge{Check: name, Replica: c.Check.Edges[i].Name, Hash: c.Hash})
		}
		if c.Schedule.IsZero() {
			continue
		}
		s := ledger.Schedule{Check: name, Spec: c.Spec, Generation: b.generation}
		s.SlotAt, s.DueAt = firstAfter(name, c.Schedule, now)
		schedules = append(schedules, s)
	}
	return edges, schedules
}

// edge finds an edge of a check; ok is false where the book has none of that name.
func (b *book) edge(check, replica string) (edge ledger.EdgeFacts, ok bool) {
	c := b.checks[check]
	if c == nil {
		return edge, false
	}
	for i := range c.Check.Edges {
		if c.Check.Edges[i].Name == replica {
			return ledger.EdgeFacts{Check: c.Check, I: i, Lens: b.lens, AllowEmpty: c.Check.AllowEmpty, Hash: c.Hash}, true
		}
	}
	return edge, false
}

// policy is how differences of an edge may be put right.
func (b *book) policy(check, replica string) reconciler.Policy {
	if c := b.checks[check]; c != nil {
		if p, ok := c.Fixes[replica]; ok {
			return p
		}
	}
	return reconciler.Policy{Mode: reconciler.ModeOff}
}

// ownerOf names a check in which a dataset of a source is the owner's; "" for
// none. What a query reads nobody can tell.
func (b *book) ownerOf(source string, d *sources.Dataset) string {
	for _, name := range b.order {
		owner := &b.checks[name].Check.Owner
		if owner.Source == source && d.Name != "" && sameDataset(owner.Dataset.Name, d.Name) {
			return name
		}
	}
	return ""
}

// sameDataset says whether two names may mean one table: one of them may leave
// out where it is.
func sameDataset(a, b string) bool {
	return strings.EqualFold(a, b) || strings.HasSuffix(strings.ToLower(a), "."+strings.ToLower(b)) || strings.HasSuffix(strings.ToLower(b), "."+strings.ToLower(a))
}

// enter says that a job works by this book, and is false where it was closed.
func (b *book) enter() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.isClosed() {
		return false
	}
	b.jobs++
	return true
}

func (b *book) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.jobs--; b.jobs == 0 && b.isClosed() {
		close(b.idle)
	}
}

func (b *book) close() {
	b.once.Do(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		close(b.closed)
		if b.jobs == 0 {
			close(b.idle)
		}
	})
}

func (b *book) isClosed() bool {
	select {
	case <-b.closed:
		return true
	default:
		return false
	}
}

// wait waits until nobody works by a closed book.
func (b *book) wait(ctx context.Context) error {
	select {
	case <-b.idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for work by the configuration before: %w", ctx.Err())
	}
}

// settleOf is how long an edge's differences must outlive.
func settleOf(edge ledger.EdgeFacts) time.Duration { return edge.Check.Edges[edge.I].Settle }

// replicaOf is an edge's name.
func replicaOf(edge ledger.EdgeFacts) string { return edge.Check.Edges[edge.I].Name }
