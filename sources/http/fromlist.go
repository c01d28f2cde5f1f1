package http

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"plumbline/sources"
)

// A dataset with a list and neither get nor batch is looked up by reading the
// whole list. What was read answers for a few seconds, and about each key once: a
// second question about a key, such as whether a difference still stands, reads the
// list anew, whether the first was a look-up or the scan that delivered it. That a
// key is not there is believed where two whole readings lack it and agree on how
// many records there are.

const (
	// youngSnapshot is how long after its reading a list answers for.
	youngSnapshot = 5 * time.Second
	// mostSnapshot bounds a list that is read for look-ups, in records and bytes.
	mostSnapshot      = 100_000
	mostSnapshotBytes = 64 << 20
	// mostReadings is how often a list is read for one look-up, until two readings agree.
	mostReadings = 4
	// mostLists bounds the datasets of which whole readings are kept.
	mostLists = 4
)

// snapshot is a whole list.
type snapshot struct {
	ended   time.Time
	count   int
	records map[string][]sources.Record // by canonical key
}

// readings are the latest whole readings of a list, and the keys that were asked for.
type readings struct {
	turn   chan struct{} // held by whoever reads latest or reads the list
	latest []*snapshot   // two at most, the newer last

	mu    sync.Mutex
	seed  maphash.Seed
	asked map[uint64]struct{} // no more than mostSeen: beyond it every key counts as asked for
}

// readingsOf are those of a dataset.
func (s *source) readingsOf(p *dataset) *readings {
	p.finding.Lock()
	defer p.finding.Unlock()
	n, ok := s.readings.find(p.readings)
	if !ok {
		n = &readings{turn: make(chan struct{}, 1), seed: maphash.MakeSeed(), asked: map[uint64]struct{}{}}
		p.readings = s.readings.keep(n)
	}
	return n
}

// note keeps in mind that somebody was told of a key; told says whether anybody was before.
func (n *readings) note(id string) (told bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	hash := maphash.String(n.seed, id)
	if _, told = n.asked[hash]; told || len(n.asked) >= mostSeen {
		return true
	}
	n.asked[hash] = struct{}{}
	return false
}

// fromList finds keys in the list.
func (s *source) fromList(ctx context.Context, p *dataset, keys []asked) (*found, error) {
	n := s.readingsOf(p)
	select {
	case n.turn <- struct{}{}:
		defer func() { <-n.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	now, again := time.Now(), false
	for _, a := range keys {
		told := n.note(a.id)
		again = again || told
	}
	n.latest = slices.DeleteFunc(n.latest, func(x *snapshot) bool { return again || now.Sub(x.ended) > youngSnapshot })
	for range mostReadings {
		if out := n.answer(keys); out != nil {
			return out, nil
		}
		read, err := s.wholeList(ctx, p)
		if err != nil {
			return nil, err
		}
		n.latest = append(n.latest[max(0, len(n.latest)-1):], read)
	}
	if out := n.answer(keys); out != nil {
		return out, nil
	}
	return nil, fmt.Errorf("%s: the list has %d records, and then %d: what it lacks may be there", p.list.what, n.latest[0].count, n.latest[1].count)
}

// answer tells of keys; nil where the readings do not suffice to tell.
func (n *readings) answer(keys []asked) *found {
	if len(n.latest) == 0 {
		return nil
	}
	out := &found{alive: true}
	for _, a := range keys {
		var records []sources.Record
		for _, read := range slices.Backward(n.latest) {
			if records = read.records[a.id]; len(records) > 0 {
				break
			}
		}
		if out.records = append(out.records, records...); len(records) == 0 {
			out.absent = append(out.absent, a)
		}
	}
	if len(out.absent) > 0 && (len(n.latest) < 2 || n.latest[0].count != n.latest[1].count) {
		return nil
	}
	return out
}

// wholeList reads every page.
func (s *source) wholeList(ctx context.Context, p *dataset) (*snapshot, error) {
	n := &snapshot{records: map[string][]sources.Record{}}
	way := newTour()
	size := 0
	for token := ""; ; {
		page, err := s.tourPage(ctx, p, token)
		if err != nil {
			return nil, err
		}
		if err := way.visit(page, p.list); err != nil {
			return nil, err
		}
		for i, r := range page.records {
			id := canonical(r.Key)
			n.records[id] = append(n.records[id], r)
			size += page.sizes[i]
		}
		if n.count += len(page.records); n.count > mostSnapshot || size > mostSnapshotBytes {
			return nil, sources.Final(fmt.Errorf("%s: the list is too long to be read for every look-up (%d records): declare get or batch", p.list.what, n.count))
		}
		if page.next == "" {
			if err := s.ended(ctx, p, way); err != nil {
				return nil, err
			}
			n.ended = time.Now()
			return n, nil
		}
		token = page.next
	}
}
