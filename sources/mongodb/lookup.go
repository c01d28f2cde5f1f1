package mongodb

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
)

// Lookup reads every record of the keys. A page ends with a whole document.
//
// Most lookups fit one page, so the first is asked for in whatever order the
// index of the key gives. Should there be more, it is read again in the order of
// _id, in which the pages after it go on.
func (s *source) Lookup(ctx context.Context, d *sources.Dataset, keys []sources.Key, after sources.Position, limit sources.Limit) (sources.Page, error) {
	p, f, err := s.ready(ctx, d)
	if err != nil {
		return sources.Page{}, err
	}
	b := s.builder(p, false, limit)
	b.wanted = map[string]struct{}{}
	for _, k := range keys {
		b.wanted[canonicalKey(k)] = struct{}{}
	}
	match, err := matchKeys(p.Key, keys)
	if err != nil {
		return sources.Page{}, err
	}
	if match == nil || p.never {
		return sources.Page{Done: true}, nil
	}
	if f.sorted {
		return s.sortedPage(ctx, b, sortedRequest{after: after, match: match})
	}
	filter := and(match, p.filter, p.scope)
	done := false
	if after == nil {
		if done, err = s.lookupAll(ctx, b, filter); err != nil {
			return sources.Page{}, err
		}
		if done && b.documents == 0 {
			if err := s.missing(ctx, p); err != nil {
				return sources.Page{}, err
			}
		}
	}
	if !done {
		wanted := b.wanted
		b = s.builder(p, false, limit)
		b.wanted = wanted
		if done, err = s.lookupFrom(ctx, b, filter, after); err != nil {
			return sources.Page{}, err
		}
	}
	page, err := s.finish(ctx, b)
	if err != nil {
		return sources.Page{}, err
	}
	page.Done = done
	if b.next != nil {
		page.Next = b.next.position(false)
	}
	return page, nil
}

// lookupAll reads what the keys find; done says that it was all there is.
func (s *source) lookupAll(ctx context.Context, b *builder, filter any) (done bool, err error) {
	command := b.batched(find(b.p.Name, filter, b.shape.projection, b.limit.Records+1))
	done = true
	err = s.each(ctx, command, func(d bsoncore.Document) error {
		if b.full() {
			done = false
			return errEnough
		}
		_, err := b.add(d)
		return err
	})
	return done, err
}

// lookupFrom reads what the keys find after a document, in the order of _id. The
// condition on _id is an expression, which compares values of all types.
func (s *source) lookupFrom(ctx context.Context, b *builder, filter any, after sources.Position) (done bool, err error) {
	if after != nil {
		at, err := placeOf(after, sources.KindAbsent)
		if err != nil {
			return false, err
		}
		filter = and(filter, doc("$expr", doc("$gt", bson.A{"$_id", doc("$literal", rawValue(at.id))})))
	}
	limit := b.room()
	if size := b.p.documentSize.Load(); size > 0 { // the server keeps that many documents in memory to sort them
		limit = min(limit, 1+int(int64(b.limit.Bytes)/size))
	}
	command := b.batched(find(b.p.Name, filter, b.shape.projection, limit, bson.E{Key: "sort", Value: byID()}, bson.E{Key: "allowDiskUse", Value: true}))
	got := 0
	err = s.each(ctx, command, func(d bsoncore.Document) error {
		if b.full() {
			return errEnough
		}
		got++
		id, err := b.add(d)
		if err == nil {
			b.next = &place{id: id, home: classOf(id)}
		}
		return err
	})
	return err == nil && got < limit && !b.full(), err
}

// group is the keys that share all parts but the last.
type group struct {
	head  bson.D // the conditions on the shared parts
	lasts []bsoncore.Value
	seen  map[string]struct{}
}

// matchKeys is the condition that finds at least the documents of some keys; nil
// where no document could hold any of them.
func matchKeys(names []string, keys []sources.Key) (any, error) {
	for _, name := range names {
		if !plainPath(name) {
			return nil, unaskable(name)
		}
	}
	last := len(names) - 1
	groups := map[string]*group{}
	var order []*group
	for _, k := range keys {
		head, possible, err := conditions(names[:last], k[:last])
		if err != nil {
			return nil, err
		}
		forms, err := keyForms(k[last])
		if err != nil {
			return nil, err
		}
		if !possible || len(forms) == 0 {
			continue
		}
		g := groups[canonicalKey(k[:last])]
		if g == nil {
			g = &group{head: head, seen: map[string]struct{}{}}
			groups[canonicalKey(k[:last])] = g
			order = append(order, g)
		}
		for _, f := range forms {
			if _, known := g.seen[identity(f)]; !known {
				g.seen[identity(f)] = struct{}{}
				g.lasts = append(g.lasts, f)
			}
		}
	}
	var branches bson.A
	for _, g := range order {
		branches = append(branches, append(g.head, bson.E{Key: names[last], Value: anyOf(g.lasts)}))
	}
	switch len(branches) {
	case 0:
		return nil, nil
	case 1:
		return branches[0], nil
	}
	return doc("$or", branches), nil
}

// conditions are those on the first parts of a composite key; possible is false
// where BSON holds no such value.
func conditions(names []string, parts sources.Key) (all bson.D, possible bool, err error) {
	for i, name := range names {
		forms, err := keyForms(parts[i])
		if err != nil {
			return nil, false, err
		}
		if len(forms) == 0 {
			return nil, false, nil
		}
		all = append(all, bson.E{Key: name, Value: anyOf(forms)})
	}
	return all, true, nil
}
