package redis

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"

	"plumbline/sources"
)

const (
	// scanCount is how many keys of its table the server looks at for one SCAN: it
	// does nothing else meanwhile, which takes it about half a millisecond.
	scanCount = 1000
	// maxListed and maxListedBytes bound the keys that a listing holds in memory. A
	// dataset with more is read in several passes, each of which keeps the next so
	// many keys.
	maxListed      = 1_000_000
	maxListedBytes = 64 << 20
	// listingKept is how long a listing that nobody reads on is kept. There are at
	// most maxListings, which together hold about maxAllBytes: where one has to go
	// that somebody still reads, its pass is made again for each page.
	listingKept = 5 * time.Minute
	maxListings = 64
	maxAllBytes = 4 * maxListedBytes
	// maxServers is how often a pass begins anew because another server answers.
	maxServers = 3
)

// listing is one pass of SCAN over all keys of the database: those that match, in
// the order of their bytes, each once, however often SCAN gave it. It holds the
// keys behind after, up to its bound.
//
// SCAN promises to give every key that is there from its beginning to its end. A
// key that comes or goes meanwhile may be given or not, as with any read that
// takes its time; one that is gone when its value is read is absent. A cursor
// means nothing to another server, nor to the same one started anew, which would
// go on from it and leave keys out: each step asks who answers, and where that is
// another, the pass begins anew.
type listing struct {
	glob  string
	after *string       // exclusive, where from; nil is the beginning
	drive chan struct{} // held by whoever asks for the next keys

	mu      sync.Mutex
	server  string // the run of the server that cursor is of
	servers int    // how often it was another
	cursor  uint64
	keys    []string // in order once done
	bytes   int
	bounded bool // keys behind bound were dropped
	bound   string
	done    bool

	used time.Time // guarded by source.mu
}

// list returns a whole listing that serves a page behind after: one that is there
// or under way, or a new one. A page without a lower bound begins anew.
func (s *source) list(ctx context.Context, what, name, glob string, after *string) (*listing, error) {
	for {
		l := s.listingFor(name, glob, after)
		if err := l.finish(ctx, s, what); err != nil {
			return nil, err
		}
		if after == nil || l.serves(after) {
			return l, nil
		}
	}
}

// finish goes on with a pass to its end. What was listed stays where ctx ends
// before, and the next call goes on from there.
func (l *listing) finish(ctx context.Context, s *source, what string) error {
	select {
	case l.drive <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
	defer func() { <-l.drive }()
	for !l.whole() {
		began := s.now()
		if err := l.step(ctx, s, what); err != nil {
			return err
		}
		if err := rest(ctx, s.now().Sub(began)); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	if l.mu.Lock(); l.after == nil && !l.bounded {
		s.count(l.glob, len(l.keys))
	}
	l.mu.Unlock()
	return nil
}

func (l *listing) whole() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.done
}

func (s *source) count(glob string, keys int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counted[glob] = int64(keys)
}

// rest lets the server do for others what it did for us, as long as that took.
func rest(ctx context.Context, took time.Duration) error {
	timer := time.NewTimer(min(took, 50*time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *source) listingFor(name, glob string, after *string) *listing {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for other, l := range s.listings {
		if now.Sub(l.used) > listingKept {
			delete(s.listings, other)
		}
	}
	held := s.listings[name]
	if held != nil && held.serves(after) {
		held.used = now
		return held
	}
	for held == nil && s.crowded() {
		oldest := ""
		for other, l := range s.listings {
			if oldest == "" || l.used.Before(s.listings[oldest].used) {
				oldest = other
			}
		}
		delete(s.listings, oldest)
	}
	l := &listing{glob: glob, after: after, used: now, drive: make(chan struct{}, 1)}
	s.listings[name] = l
	return l
}

// crowded says whether there is no room for one more listing; s.mu is held.
func (s *source) crowded() bool {
	bytes := 0
	for _, l := range s.listings {
		l.mu.Lock()
		bytes += l.bytes
		l.mu.Unlock()
	}
	return len(s.listings) >= maxListings || bytes > maxAllBytes
}

// serves says whether a page behind after is in the listing, or will be when the
// pass that is under way has ended.
func (l *listing) serves(after *string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case after == nil:
		return l.after == nil && !l.done
	case l.after != nil && *after < *l.after:
		return false
	}
	return !l.bounded || *after < l.bound
}

// step asks for the next keys.
func (l *listing) step(ctx context.Context, s *source, what string) error {
	type answer struct {
		server string
		keys   []string
		next   uint64
	}
	l.mu.Lock()
	cursor := l.cursor
	l.mu.Unlock()
	got, err := ask(ctx, s, what, func(ctx context.Context) (a answer, err error) {
		pipe := s.client.Pipeline() // all of it goes to one server
		info, scan := pipe.Info(ctx, "server"), pipe.Scan(ctx, cursor, l.glob, scanCount)
		if _, err := pipe.Exec(ctx); err != nil {
			return a, err
		}
		a.keys, a.next = scan.Val()
		a.server = fieldsOf(info.Val())["run_id"]
		return a, nil
	})
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if cursor != 0 && got.server != l.server {
		l.cursor = 0
		if l.servers++; l.servers > maxServers {
			return sources.Final(fmt.Errorf("%s: several servers answer as redis %s, and none goes on where another stopped: name one of them", what, s.address))
		}
		return nil
	}
	l.server = got.server
	for _, key := range got.keys {
		if l.after != nil && key <= *l.after || l.bounded && key > l.bound {
			continue
		}
		l.keys = append(l.keys, key)
		l.bytes += len(key) + 16
	}
	l.cursor, l.done = got.next, got.next == 0
	if l.done || len(l.keys) > 2*s.most || l.bytes > 2*maxListedBytes {
		l.settle(s.most, maxListedBytes)
	}
	return nil
}

// settle puts the keys in order, each once, and keeps the first so many.
func (l *listing) settle(most, mostBytes int) {
	slices.Sort(l.keys)
	l.keys = slices.Compact(l.keys)
	l.bytes = 0
	for i, key := range l.keys {
		if l.bytes += len(key) + 16; i > 0 && (i >= most || l.bytes > mostBytes) {
			l.bounded, l.bound = true, l.keys[i-1]
			l.keys = slices.Clip(l.keys[:i:i])
			l.bytes -= len(key) + 16
			return
		}
	}
}

// behind are the keys in the span (after, upTo], and whether the dataset may have
// more behind them.
func (l *listing) behind(after, upTo *string) (keys []string, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from, to := 0, len(l.keys)
	if after != nil {
		from = sort.SearchStrings(l.keys, *after)
		if from < len(l.keys) && l.keys[from] == *after {
			from++
		}
	}
	more = l.bounded
	if upTo != nil {
		if end := sort.Search(len(l.keys), func(i int) bool { return l.keys[i] > *upTo }); end < to {
			to, more = end, false
		}
		if l.bounded && *upTo <= l.bound {
			more = false
		}
	}
	return l.keys[from:max(from, to)], more
}

// drop forgets a listing that was read to its end.
func (s *source) drop(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listings, name)
}

// placeOf reads a position, which is a key of Redis; nil for none.
func placeOf(p sources.Position) *string {
	if len(p) == 0 {
		return nil
	}
	text := p[0].AsText()
	if p[0].Kind() != sources.KindText {
		text = p[0].String()
	}
	return &text
}
