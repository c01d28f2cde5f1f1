package http

import (
	"container/list"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
)

// mostKept bounds the answers that are kept, in bytes.
const mostKept = 16 << 20

// bodies keeps the latest answers that came with a strong ETag, so that the
// service may answer 304 instead of sending them again. A weak tag does not
// promise the same values and is not used.
type bodies struct {
	mu    sync.Mutex
	byURL map[string]*list.Element
	order *list.List // of *kept, the latest used first
	size  int
}

type kept struct {
	url, tag string
	body     []byte
}

func newBodies() *bodies { return &bodies{byURL: map[string]*list.Element{}, order: list.New()} }

func (b *bodies) get(url string) (kept, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at, ok := b.byURL[url]
	if !ok {
		return kept{}, false
	}
	b.order.MoveToFront(at)
	return *at.Value.(*kept), true
}

// put keeps an answer, in place of the one before.
func (b *bodies) put(url, tag string, body []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at, ok := b.byURL[url]; ok {
		b.drop(at)
	}
	if tag == "" || strings.HasPrefix(tag, "W/") || len(body) > mostKept/4 {
		return
	}
	b.byURL[url] = b.order.PushFront(&kept{url, tag, body})
	b.size += len(body)
	for b.size > mostKept {
		b.drop(b.order.Back())
	}
}

func (b *bodies) drop(at *list.Element) {
	k := b.order.Remove(at).(*kept)
	delete(b.byURL, k.url)
	b.size -= len(k.body)
}

// shelf keeps a few things by number, and forgets the ones that were used longest ago.
type shelf[T any] struct {
	mu    sync.Mutex
	most  int
	last  int64
	order []int64 // the latest used last
	by    map[int64]T
}

// newShelf begins to count at random: a number that another process gave finds nothing.
func newShelf[T any](most int) *shelf[T] {
	return &shelf[T]{most: most, last: rand.Int64N(1 << 62), by: map[int64]T{}}
}

// keep puts a thing on the shelf and returns its number.
func (s *shelf[T]) keep(thing T) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	s.by[s.last] = thing
	s.order = append(s.order, s.last)
	for len(s.order) > s.most {
		delete(s.by, s.order[0])
		s.order = s.order[1:]
	}
	return s.last
}

// find returns a thing by its number.
func (s *shelf[T]) find(number int64) (thing T, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if thing, ok = s.by[number]; !ok {
		return thing, false
	}
	s.order = append(slices.DeleteFunc(s.order, func(n int64) bool { return n == number }), number)
	return thing, true
}

// drop takes a thing off the shelf.
func (s *shelf[T]) drop(number int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.by, number)
	s.order = slices.DeleteFunc(s.order, func(n int64) bool { return n == number })
}
