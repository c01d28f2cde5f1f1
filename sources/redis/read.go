package redis

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"plumbline/sources"
	"plumbline/sources/jsonrecord"
)

// Scan reads a page in the order of the bytes of Redis keys.
func (s *source) Scan(ctx context.Context, d *sources.Dataset, r sources.ScanRequest) (sources.Page, error) {
	p, err := s.ready(d)
	if err != nil {
		return sources.Page{}, err
	}
	shape := p.shape
	if r.KeysOnly {
		shape = p.bare
	}
	name := "scan " + p.glob
	b := &pageBuilder{source: s, dataset: p, shape: shape, limit: r.Limit, inScopeOnly: r.InScopeOnly}
	after, upTo := placeOf(r.After), placeOf(r.UpTo)
	for {
		l, err := s.list(ctx, "list the keys of "+p.Title(), name, p.glob, after)
		if err != nil {
			return sources.Page{}, err
		}
		keys, more := l.behind(after, upTo)
		full, err := b.add(ctx, keys)
		switch {
		case err != nil:
			return sources.Page{}, err
		case full:
			return b.page, nil
		case !more:
			if upTo == nil {
				s.drop(name)
			}
			b.page.Done = true
			return b.page, nil
		}
		after = &l.bound
	}
}

// Lookup reads the records of keys: those at the keys of Redis that the pattern
// makes of them, or, where a key does not say at which, by a pass over all.
func (s *source) Lookup(ctx context.Context, d *sources.Dataset, keys []sources.Key, after sources.Position, limit sources.Limit) (sources.Page, error) {
	p, err := s.ready(d)
	if err != nil {
		return sources.Page{}, err
	}
	if err := ctx.Err(); err != nil {
		return sources.Page{}, err
	}
	b := &pageBuilder{source: s, dataset: p, shape: p.shape, limit: limit, wanted: map[string]bool{}}
	for _, key := range keys {
		b.wanted[canonical(key)] = true
	}
	from := placeOf(after)
	if p.direct() {
		b.spelled = p.spell(keys)
		names := make([]string, 0, len(b.spelled))
		for name := range b.spelled {
			if from == nil || name > *from {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		full, err := b.add(ctx, names)
		if err != nil {
			return sources.Page{}, err
		}
		b.page.Done = !full
		return b.page, nil
	}
	return s.search(ctx, p, b, keys, from)
}

// search looks keys up by a pass over all keys of Redis. It begins a pass of its
// own for each first page: what is asked for is what is there now.
func (s *source) search(ctx context.Context, p *dataset, b *pageBuilder, keys []sources.Key, from *string) (sources.Page, error) {
	if len(keys) == 0 {
		return sources.Page{Done: true}, nil
	}
	name := "lookup " + p.glob + " " + digest(keys)
	if from == nil {
		s.drop(name)
	}
	for {
		l, err := s.list(ctx, "look for keys of "+p.Title(), name, p.glob, from)
		if err != nil {
			s.drop(name)
			return sources.Page{}, err
		}
		all, more := l.behind(from, nil)
		full, err := b.add(ctx, all)
		switch {
		case err != nil:
			return sources.Page{}, err
		case full:
			return b.page, nil
		case !more:
			s.drop(name)
			b.page.Done = true
			return b.page, nil
		}
		from = &l.bound
	}
}

// spell writes keys as keys of Redis, with the key that each was asked by. A key
// whose parts are not written plainly, or run into one another, finds nothing.
func (p *dataset) spell(keys []sources.Key) map[string]sources.Key {
	spelled := make(map[string]sources.Key, len(keys))
	texts := make([]string, len(p.written))
	for _, key := range keys {
		for i, at := range p.written {
			texts[i] = sources.Canonical(key[at]).String()
		}
		name := p.pattern.Fill(texts)
		if back, ok := p.pattern.Take(name); ok && slices.Equal(back, texts) {
			spelled[name] = key
		}
	}
	return spelled
}

// pageBuilder gathers the records of a page from keys of Redis.
type pageBuilder struct {
	source      *source
	dataset     *dataset
	shape       *jsonrecord.Shape
	limit       sources.Limit
	inScopeOnly bool
	wanted      map[string]bool        // the canonical keys of a lookup; nil for a scan
	spelled     map[string]sources.Key // by key of Redis, where a lookup knows them
	page        sources.Page
	bytes       int
}

// add reads keys of Redis, in order, until the page is full.
func (b *pageBuilder) add(ctx context.Context, keys []string) (full bool, err error) {
	for len(keys) > 0 {
		ask := keys[:min(len(keys), max(1, b.limit.Records-len(b.page.Records)))]
		got, err := b.source.fetch(ctx, b.dataset, ask, max(1, b.limit.Bytes-b.bytes))
		if err != nil {
			return false, err
		}
		for i := range got {
			records := b.chosen(&got[i])
			if len(b.page.Records) > 0 && len(records) > 0 && (len(b.page.Records)+len(records) > b.limit.Records || b.bytes+got[i].size > b.limit.Bytes) {
				return true, nil
			}
			b.page.Records = append(b.page.Records, records...)
			b.page.Next = sources.Position{sources.Text(got[i].key)}
			b.page.Size += got[i].size
			if len(records) > 0 {
				b.bytes += got[i].size
			}
		}
		keys = keys[len(got):]
		if len(keys) > 0 && (len(b.page.Records) >= b.limit.Records || b.bytes >= b.limit.Bytes && len(b.page.Records) > 0) {
			return true, nil
		}
	}
	return false, nil
}

// chosen are the records of one key of Redis that belong to the page.
func (b *pageBuilder) chosen(one *stored) []sources.Record {
	records := b.dataset.records(b.shape, one)
	if asked, known := b.spelled[one.key]; known && len(records) == 1 && (records[0].Unreadable != "" || records[0].Skipped != "") {
		records[0].Key = asked // whose kind the value would say
	}
	return slices.DeleteFunc(records, func(r sources.Record) bool {
		if b.wanted == nil {
			return b.inScopeOnly && r.OutOfScope
		}
		return !b.wanted[canonical(r.Key)]
	})
}

func canonical(key sources.Key) string {
	parts := make(sources.Key, len(key))
	for i, v := range key {
		parts[i] = sources.Canonical(v)
	}
	return parts.Encode()
}

func digest(keys []sources.Key) string {
	h := sha256.New()
	for _, key := range keys {
		h.Write([]byte(key.Encode())) // never fails
	}
	return hex.EncodeToString(h.Sum(nil))
}
