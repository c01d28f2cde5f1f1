package http

import (
	"context"
	"fmt"
	"time"

	"plumbline/sources"
)

// A dataset with a list and neither get nor batch is looked up by reading the
// whole list. What was read answers for a few seconds, and about each key once: a
// second question about a key, such as whether a difference still stands, reads
// the list anew, and twice before it says that the key is not there.

const (
	// youngSnapshot is how long after its reading a list answers for.
	youngSnapshot = 5 * time.Second
	// mostSnapshot bounds a list that is read for look-ups, in records and bytes.
	mostSnapshot      = 100_000
	mostSnapshotBytes = 64 << 20
)

// snapshot is a whole list.
type snapshot struct {
	ended   time.Time
	records map[string][]sources.Record // by canonical key
	asked   map[string]bool
}

// fromList finds keys in the list.
func (s *source) fromList(ctx context.Context, p *dataset, keys []asked) (*found, error) {
	select {
	case p.reading <- struct{}{}:
		defer func() { <-p.reading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	again := false
	for _, a := range keys {
		again = again || p.snapshot != nil && p.snapshot.asked[a.id]
	}
	var err error
	if p.snapshot == nil || again || time.Since(p.snapshot.ended) > youngSnapshot {
		if p.snapshot, err = s.wholeList(ctx, p); err != nil {
			return nil, err
		}
	}
	out := p.snapshot.answer(keys)
	if again && len(out.absent) > 0 {
		if p.snapshot, err = s.wholeList(ctx, p); err != nil {
			return nil, err
		}
		second := p.snapshot.answer(out.absent)
		out.records, out.absent = append(out.records, second.records...), second.absent
		for _, a := range keys {
			p.snapshot.asked[a.id] = true
		}
	}
	return out, nil
}

func (n *snapshot) answer(keys []asked) *found {
	out := &found{alive: true}
	for _, a := range keys {
		n.asked[a.id] = true
		if records := n.records[a.id]; len(records) > 0 {
			out.records = append(out.records, records...)
		} else {
			out.absent = append(out.absent, a)
		}
	}
	return out
}

// wholeList reads every page.
func (s *source) wholeList(ctx context.Context, p *dataset) (*snapshot, error) {
	n := &snapshot{records: map[string][]sources.Record{}, asked: map[string]bool{}}
	way := newTour()
	records, size := 0, 0
	for token, empty := "", 0; ; {
		page, err := s.listPage(ctx, p, token)
		if err != nil {
			return nil, err
		}
		if err := way.visit(page, p.list); err != nil {
			return nil, err
		}
		if empty++; len(page.items) > 0 {
			empty = 0
		}
		if empty > mostEmpty {
			return nil, fmt.Errorf("%s: %d pages in a row hold nothing, and each names a next one", p.list.what, mostEmpty)
		}
		for i, r := range page.records {
			id := canonical(r.Key)
			n.records[id] = append(n.records[id], r)
			size += page.sizes[i]
		}
		if records += len(page.records); records > mostSnapshot || size > mostSnapshotBytes {
			return nil, sources.Final(fmt.Errorf("%s: the list is too long to be read for every look-up (%d records): declare get or batch", p.list.what, records))
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
