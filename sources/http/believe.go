package http

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"plumbline/sources"
)

// An API that finds nothing at all answers a wrong path, an expired right or a
// broken index just as it answers a key that is not there. So where nothing of
// what was asked is there, it is asked for a record that it must have.

const (
	// mostKnown is how many keys are remembered that look-ups found, and knownFor how
	// long the API is taken to have them.
	mostKnown = 16
	knownFor  = time.Hour
	// mostTail is how many keys of the page that a list ended with are remembered, about.
	mostTail = 8
	// mostTries bounds how many of them are asked for at once.
	mostTries = 4
	// mostUnbelieved is how many keys an API without a list must be asked for, and
	// find none, before it is not believed though nothing speaks against it.
	mostUnbelieved = 5
)

// memory is what earlier reads showed to be there. It outlives a run.
type memory struct {
	mu     sync.Mutex
	known  []knownKey // a few that look-ups found, the latest last
	filled time.Time  // when the list last had anything
	last   ending     // how the list ended last
}

// ending is how a list ended: when, after how many keys, and with what.
type ending struct {
	at   time.Time
	keys int
	tail []asked // a few keys of the last page that had any
}

// knownKey is a key that look-ups have found since some moment, the last time at another.
type knownKey struct {
	asked
	since, at time.Time
}

// remember notes a key that the API has.
func (p *memory) remember(a asked) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	k := knownKey{a, now, now}
	for _, before := range p.known {
		if before.id == a.id {
			k.since = before.since
		}
	}
	p.known = slices.DeleteFunc(p.known, func(k knownKey) bool { return k.id == a.id || now.Sub(k.at) > knownFor })
	if p.known = append(p.known, k); len(p.known) > mostKnown { // any of them, so that they stay spread over the dataset
		at := rand.IntN(mostKnown)
		p.known = slices.Delete(p.known, at, at+1)
	}
}

func (p *memory) remembered() []knownKey {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = slices.DeleteFunc(p.known, func(k knownKey) bool { return time.Since(k.at) > knownFor })
	return slices.Clone(p.known)
}

// witness is the key that was found last, other than those.
func (p *memory) witness(other []asked) (asked, bool) {
	for _, k := range slices.Backward(p.remembered()) {
		if !slices.ContainsFunc(other, func(a asked) bool { return a.id == k.id }) {
			return k.asked, true
		}
	}
	return asked{}, false
}

// forget drops a key that is no longer there.
func (p *memory) forget(a asked) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = slices.DeleteFunc(p.known, func(k knownKey) bool { return k.id == a.id })
}

// believe returns an error unless the API can be taken at its word about what it
// says is not there.
func (s *source) believe(ctx context.Context, p *dataset, all []*found) error {
	absent := 0
	for _, f := range all {
		if f.alive {
			return nil
		}
		absent += len(f.absent)
	}
	if absent == 0 {
		return nil
	}
	known := p.remembered()
	for i, k := range slices.Backward(known) {
		if i < len(known)-mostTries {
			break
		}
		if there, err := s.has(ctx, p, k.asked); there || err != nil {
			return err
		}
	}
	listed, err := s.listed(ctx, p)
	if err != nil {
		return err
	}
	for _, a := range listed {
		if there, err := s.has(ctx, p, a); there || err != nil {
			return err
		}
	}
	switch {
	case len(listed) > 0:
		return fmt.Errorf("%s: finds nothing, not even a record that the list has: is the path right?", p.lookedBy())
	case len(known) > 0 && p.list == nil:
		return fmt.Errorf("%s: finds nothing any more, not even what it found before", p.lookedBy())
	case absent >= mostUnbelieved && p.list == nil:
		return fmt.Errorf("%s: finds none of %d records and has found none so far: is the path right? without a list nobody can tell", p.lookedBy(), absent)
	}
	return nil
}

// lookedBy names how keys are looked up.
func (p *dataset) lookedBy() string {
	if p.batch != nil {
		return p.batch.what
	}
	return p.get.what
}

// has asks for one key.
func (s *source) has(ctx context.Context, p *dataset, a asked) (bool, error) {
	f, err := s.ask(ctx, p, a)
	return err == nil && len(f.absent) == 0, err
}

func (s *source) ask(ctx context.Context, p *dataset, a asked) (*found, error) {
	if p.batch != nil && batchable(a) {
		return s.getBatch(ctx, p, []asked{a})
	}
	if p.get != nil {
		return s.getOne(ctx, p, []asked{a})
	}
	return &found{}, nil
}

// listed are a few keys that the list has just now, which can be looked up.
func (s *source) listed(ctx context.Context, p *dataset) (keys []asked, err error) {
	if p.list == nil {
		return nil, nil
	}
	page, err := s.listPage(ctx, p, "")
	if err != nil {
		var missing *sources.NotFoundError
		if errors.As(err, &missing) {
			return nil, err
		}
		return nil, fmt.Errorf("read the list, since nothing was found: %w", err)
	}
	for _, r := range page.records {
		if r.Unreadable == "" && r.Skipped == "" && r.Key.Whole() {
			if keys = append(keys, distinct([]sources.Key{r.Key})...); len(keys) == 3 {
				break
			}
		}
	}
	return keys, nil
}

// ended returns an error where a list that was read to its end cannot be whole: it
// has come to have nothing at all, or leaves out what look-ups found before it was
// read and find still.
func (s *source) ended(ctx context.Context, p *dataset, t *tour) error {
	p.mu.Lock()
	filled := p.filled
	if len(t.seen) > 0 {
		p.filled = time.Now()
	}
	p.mu.Unlock()
	if len(t.seen) == 0 && time.Since(filled) < knownFor {
		return fmt.Errorf("%s: the list has come to be empty all at once", p.list.what)
	}
	if t.began.IsZero() || len(t.keys) >= mostSeen {
		return nil // it was not read from its beginning, or is longer than we remember
	}
	for _, k := range p.remembered() {
		if _, listed := t.keys[maphash.String(t.seed, k.id)]; listed || !k.since.Before(t.began) {
			continue
		}
		f, err := s.ask(ctx, p, k.asked)
		if err != nil {
			return err
		}
		if len(f.records) > 0 && f.records[0].Skipped == "" {
			return fmt.Errorf("%s: the list leaves out a record that %s finds: it is not whole", p.list.what, p.lookedBy())
		}
	}
	return s.keepsTail(ctx, p, t)
}

// keepsTail returns an error where the list has lost the whole page that it ended with,
// as one does that is cut short: its records are looked up, and where they cannot be
// they are taken to be there for a while.
func (s *source) keepsTail(ctx context.Context, p *dataset, t *tour) error {
	p.mu.Lock()
	last := p.last
	p.mu.Unlock()
	lost := len(t.keys) < last.keys && len(last.tail) > 0 && time.Since(last.at) < knownFor
	for _, a := range last.tail {
		_, listed := t.keys[maphash.String(t.seed, a.id)]
		lost = lost && !listed
	}
	if lost && p.get == nil && p.batch == nil {
		return fmt.Errorf("%s: the list has lost all records that it ended with at %s: it is cut short, or they were deleted, which is believed after %s", p.list.what, last.at.UTC().Format(time.TimeOnly+"Z"), knownFor)
	}
	for _, a := range last.tail[:min(len(last.tail), mostTries)] {
		if !lost {
			break
		}
		f, err := s.ask(ctx, p, a)
		if err != nil {
			return err
		}
		if len(f.records) > 0 && f.records[0].Skipped == "" {
			return fmt.Errorf("%s: the list ends before a record that %s finds: it is cut short", p.list.what, p.lookedBy())
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = ending{time.Now(), len(t.keys), t.tail}
	return nil
}
