package http

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"time"

	"plumbline/sources"
	"plumbline/sources/jsonrecord"
)

// listPage is one page of a list, whole.
type listPage struct {
	asked   time.Time
	token   string // what the page before named; "" for the first
	next    string // "" for the last
	items   [][]byte
	records []sources.Record
	sizes   []int // of each record, about
	print   int64 // the same for the same items in the same order
}

// listPage reads one page of the list and checks that it is one.
func (s *source) listPage(ctx context.Context, p *dataset, token string) (*listPage, error) {
	l := p.list
	at, err := s.listAddress(l, token)
	if err != nil {
		return nil, err
	}
	asked := time.Now()
	got, err := s.get(ctx, l.what, at)
	if err != nil {
		return nil, gone(err, l.Path)
	}
	page := &listPage{asked: asked, token: token}
	raw, err := find(got.body, l.items)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.what, err)
	}
	if page.items, err = itemsOf(raw, l.what, l.items); err != nil {
		return nil, err
	}
	digest := sha256.New()
	for i, item := range page.items {
		records, err := p.records(item, l.what, fmt.Sprintf("%s[%d]", spelled(l.items), i))
		if err != nil {
			return nil, err
		}
		for range records {
			page.sizes = append(page.sizes, len(item)/len(records))
		}
		if page.records = append(page.records, records...); len(page.records) > jsonrecord.MostRecords {
			return nil, sources.Final(fmt.Errorf("%s: the answer holds more than %d records: ask for less at once (page_size)", l.what, jsonrecord.MostRecords))
		}
		digest.Write(binary.BigEndian.AppendUint64(nil, uint64(len(item))))
		digest.Write(item)
	}
	page.print = int64(binary.BigEndian.Uint64(digest.Sum(nil)))
	if l.next != nil {
		page.next, err = nextOf(got.body, l)
	}
	return page, err
}

// mostEnds is how often the last page is asked for, until it ends twice alike.
const mostEnds = 4

// tourPage reads a page of a tour. That it is the last one the service must say twice,
// with as many records: one that now and then gives a page short of everything would
// else end a list wherever it pleases.
func (s *source) tourPage(ctx context.Context, p *dataset, token string) (*listPage, error) {
	page, err := s.listPage(ctx, p, token)
	for range mostEnds - 1 {
		if err != nil || page.next != "" || p.list.next == nil {
			return page, err
		}
		before := len(page.items)
		if page, err = s.listPage(ctx, p, token); err == nil && len(page.items) == before {
			return page, nil
		}
	}
	if err == nil && page.next == "" {
		err = fmt.Errorf("%s: the last page has more records, and then fewer: nobody knows where the list ends", p.list.what)
	}
	return page, err
}

// gone says of a path that the service does not know that it is not found.
func gone(err error, path string) error {
	var status *statusError
	if errors.As(err, &status) && (status.status == http.StatusNotFound || status.status == http.StatusGone) {
		return sources.Final(fmt.Errorf("%w: the service answers %d", &sources.NotFoundError{What: "path", Name: path}, status.status))
	}
	return err
}

// itemsOf takes an array apart. What is no array is no answer with no records in it.
func itemsOf(raw []byte, what string, path []string) (items [][]byte, err error) {
	if raw == nil {
		return nil, fmt.Errorf("%s: the answer has nothing at %s, where the records should be", what, spelled(path))
	}
	if raw[0] != '[' {
		return nil, fmt.Errorf("%s: what the answer has at %s is no array of records", what, spelled(path))
	}
	err = jsonrecord.Elements(raw, func(item []byte) error {
		if len(items) == jsonrecord.MostRecords {
			return sources.Final(fmt.Errorf("%s: the answer holds more than %d records: ask for less at once (page_size, batch.size)", what, len(items)))
		}
		items = append(items, item)
		return nil
	})
	return items, err
}

// records reads the records of one item. One that has no key is none of the
// declared shape, unless it is an element of an unwound array.
func (p *dataset) records(item []byte, what, where string) ([]sources.Record, error) {
	records, err := p.shape.Records(item)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", what, where, err)
	}
	if p.outside.shape != nil {
		if _, err := p.outside.read(item); err != nil {
			return nil, fmt.Errorf("%s: %s %w", what, where, err)
		}
	}
	if p.Unwind != "" {
		return records, nil
	}
	for _, r := range records {
		for i, part := range r.Key {
			if (part.IsAbsent() || part.IsNull()) && r.Unreadable == "" {
				return nil, fmt.Errorf("%s: %s has no %s: it is no record", what, where, p.Key[i])
			}
		}
	}
	return records, nil
}

// longestToken bounds what names a next page: it is kept with the run.
const longestToken = 8192

// nextOf is how the answer says to go on; "" at the end.
func nextOf(body []byte, l *listing) (string, error) {
	raw, err := find(body, l.next)
	if err != nil {
		return "", fmt.Errorf("%s: %w", l.what, err)
	}
	if raw == nil {
		return "", nil
	}
	v, err := sources.ParseJSON(raw)
	switch {
	case err != nil:
		return "", fmt.Errorf("%s: %s cannot be read", l.what, spelled(l.next))
	case v.IsNull(), v.Kind() == sources.KindBool && !v.AsBool():
		return "", nil
	case len(raw) > longestToken:
		return "", fmt.Errorf("%s: %s is longer than %d bytes", l.what, spelled(l.next), longestToken)
	case v.Kind() == sources.KindText, v.Kind().Number():
		return v.String(), nil
	}
	return "", fmt.Errorf("%s: %s is a %s and names no next page", l.what, spelled(l.next), v.Kind())
}

// tour is one way through a list. It knows what came on which page, and so sees
// that a list goes round in circles or moves while it is read.
type tour struct {
	seed   maphash.Seed
	pages  map[string]int    // by token: which page of the tour it is
	seen   map[uint64]uint64 // by an item's hash: its page's token, hashed
	keys   map[uint64]struct{}
	began  time.Time // zero where it did not begin with the first page
	latest *listPage
	tail   []asked // a few keys of the last page that had any
	empty  int     // pages in a row that hold nothing
}

// mostSeen bounds the items of a list that a tour remembers.
const mostSeen = 1 << 20

func newTour() *tour {
	return &tour{seed: maphash.MakeSeed(), pages: map[string]int{}, seen: map[uint64]uint64{}, keys: map[uint64]struct{}{}}
}

// visit notes a page, or says why the list cannot be trusted.
func (t *tour) visit(p *listPage, l *listing) error {
	at, known := t.pages[p.token]
	if !known {
		at = len(t.pages)
	}
	if back, known := t.pages[p.next]; p.next != "" && known && back <= at || p.next != "" && p.next == p.token {
		return fmt.Errorf("%s: the list goes round in circles: %s of page %d leads back to page %d", l.what, spelled(l.next), at+1, back+1)
	}
	if t.empty++; len(p.items) > 0 || p.next == "" {
		t.empty = 0
	}
	if t.empty >= mostEmpty {
		return fmt.Errorf("%s: %d pages in a row hold nothing, and each names a next one", l.what, t.empty)
	}
	here := maphash.String(t.seed, p.token)
	for _, item := range p.items {
		hash := maphash.Bytes(t.seed, item)
		if before, seen := t.seen[hash]; seen && before != here {
			return fmt.Errorf("%s: page %d repeats a record of another page: the list is not stable while it is read; ask for an order that does not move, such as by id", l.what, at+1)
		}
		if len(t.seen) < mostSeen {
			t.seen[hash] = here
		}
	}
	for i := range p.records {
		if len(t.keys) < mostSeen {
			t.keys[maphash.String(t.seed, canonical(p.records[i].Key))] = struct{}{}
		}
	}
	if !known && at == 0 && p.token == "" {
		t.began = p.asked
	}
	if n := len(p.records); n > 0 {
		t.tail = nil
		for i := 0; i < n; i += 1 + n/mostTail {
			t.tail = append(t.tail, distinct([]sources.Key{p.records[i].Key})...)
		}
	}
	t.pages[p.token] = at
	t.latest = p
	return nil
}
