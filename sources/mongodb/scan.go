package mongodb

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
)

// leg is a stretch of the index on _id, read in one query: from (after it, where
// exclusive) up to but without to; nil bounds are open. A leg that is a point
// holds from alone.
type leg struct {
	from, to         *bsoncore.Value
	exclusive, point bool
	// home is the class its positions are written with.
	home class
}

// legsOf turns a span into legs, in the order of reading; start is the home of a
// span without bounds.
//
// MongoDB orders _ids by type first, and a bound of another store reaches the
// values of its own type only. So the order of a scan begins with its home class,
// goes on with all that the index has behind that class, and ends with all that it
// has before: a span with an open upper end holds what no bound reaches. Which of
// the three a page had come to is seen in its position (see place).
func legsOf(after, upTo *place, start class) ([]leg, error) {
	home, first, last := start, 0, 2
	if after != nil {
		home, first = after.home, stretch(after.id, after.home)
	}
	if upTo != nil {
		if after != nil && after.home != upTo.home {
			return nil, sources.Final(fmt.Errorf("the bounds of a span are _ids of two types: %s, %s", after.id.Type, upTo.id.Type))
		}
		home, last = upTo.home, stretch(upTo.id, upTo.home)
		if after != nil && equalBSON(after.id, upTo.id) {
			return nil, nil
		}
	}
	var legs []leg
	for i := first; i <= last; i++ {
		l := leg{home: home}
		floor, ceiling := home.floor(), (home + 1).floor()
		switch i {
		case 0:
			l.from, l.to = &floor, &ceiling
			if home == classHigh {
				l.to = nil
			}
		case 1:
			l.from = &ceiling
		case 2:
			l.to = &floor
		}
		if i == 1 && home == classHigh || i == 2 && home == classLow {
			continue
		}
		if i == first && after != nil {
			l.from, l.exclusive = &after.id, true
		}
		if i == last && upTo != nil {
			l.to = &upTo.id
			legs = append(legs, l, leg{from: &upTo.id, point: true, home: home})
			continue
		}
		legs = append(legs, l.toTheEnd()...)
	}
	return legs, nil
}

// toTheEnd adds MaxKey to a leg without an upper bound: the server takes MaxKey
// itself, excluded, for the max that is not given.
func (l leg) toTheEnd() []leg {
	last := bsoncore.Value{Type: bsoncore.TypeMaxKey}
	switch {
	case l.to != nil:
		return []leg{l}
	case l.exclusive && l.from.Type == last.Type:
		return nil // it begins behind the last
	}
	return []leg{l, {from: &last, point: true, home: l.home}}
}

// stretch is the part of a scan in which an _id comes: 0 at home, 1 behind, 2 before.
func stretch(id bsoncore.Value, home class) int {
	switch at := classOf(id); {
	case at > home:
		return 1
	case at < home:
		return 2
	}
	return 0
}

// command is the find that reads a leg. Bounds are given as min and max with a
// hint, because comparisons in a filter see one type of value only and would pass
// over all others. $ne, which sees all, takes the lower bound itself away.
func (l leg) command(collection string, filter any, projection bson.D, limit int) bson.D {
	options := bson.D{{Key: "sort", Value: byID()}, {Key: "hint", Value: byID()}}
	var own any
	switch {
	case l.point:
		own = doc("_id", anyOf([]bsoncore.Value{*l.from}))
	case l.exclusive:
		own = doc("_id", doc("$ne", rawValue(*l.from)))
	}
	if !l.point && l.from != nil {
		options = append(options, bson.E{Key: "min", Value: doc("_id", rawValue(*l.from))})
	}
	if !l.point && l.to != nil {
		options = append(options, bson.E{Key: "max", Value: doc("_id", rawValue(*l.to))})
	}
	return find(collection, and(own, filter), projection, limit, options...)
}

// Scan reads a page in the order of _id; in the order of key and id where the
// dataset is a pipeline or a view.
func (s *source) Scan(ctx context.Context, d *sources.Dataset, r sources.ScanRequest) (sources.Page, error) {
	p, f, err := s.ready(ctx, d)
	if err != nil {
		return sources.Page{}, err
	}
	b := s.builder(p, r.KeysOnly, r.Limit)
	b.inScopeOnly = r.InScopeOnly
	if f.sorted {
		return s.sortedPage(ctx, b, sortedRequest{after: r.After, upTo: r.UpTo})
	}
	after, err := optionalPlace(r.After, f.kind)
	if err != nil {
		return sources.Page{}, err
	}
	upTo, err := optionalPlace(r.UpTo, f.kind)
	if err != nil {
		return sources.Page{}, err
	}
	legs, err := legsOf(after, upTo, f.home)
	if err != nil {
		return sources.Page{}, err
	}
	done, err := s.readLegs(ctx, b, legs)
	if err != nil {
		return sources.Page{}, err
	}
	if b.documents == 0 && done {
		if err := s.missing(ctx, p); err != nil {
			return sources.Page{}, err
		}
	}
	page, err := s.finish(ctx, b)
	if err != nil {
		return sources.Page{}, err
	}
	page.Done = done
	if b.next != nil {
		page.Next = b.next.position(f.kind == sources.KindText)
	}
	return page, nil
}

func optionalPlace(p sources.Position, kind sources.Kind) (*place, error) {
	if p == nil {
		return nil, nil
	}
	at, err := placeOf(p, kind)
	return &at, err
}

// readLegs reads one leg after the other until the page is full; done says that
// all were read to their end.
func (s *source) readLegs(ctx context.Context, b *builder, legs []leg) (done bool, err error) {
	filter := and(b.p.filter, b.p.scope)
	if b.inScopeOnly && b.p.Unwind == "" {
		filter = and(filter, b.p.where)
	}
	if b.p.never {
		return true, nil
	}
	for _, l := range legs {
		end, narrowed, err := s.narrow(ctx, b, filter, l)
		if err != nil {
			return false, err
		}
		limit := b.room()
		got := 0
		err = s.each(ctx, b.batched(narrowed.command(b.p.Name, filter, b.shape.projection, limit)), func(d bsoncore.Document) error {
			if b.full() {
				return errEnough
			}
			got++
			id, err := b.add(d)
			if err == nil {
				b.next = &place{id: id, home: l.home}
			}
			return err
		})
		switch {
		case codeOf(err) == codeEmptyBounds && l.exclusive:
			return true, nil // a span that ends where it begins, or before
		case codeOf(err) == codeEmptyBounds: // it ends at the least value of its class
		case err != nil:
			return false, err
		case b.full() || got == limit:
			return false, nil
		}
		if end != nil {
			b.next = &place{id: *end, home: l.home}
			return false, nil
		}
	}
	return true, nil
}

// stride is how many documents a filtered page may look at for each record it may deliver.
const stride = 20

// narrow cuts a leg so that a filter which few documents pass cannot make one
// page read the whole collection. end is the last _id of the part, from which
// the next page goes on; nil where the part is the whole leg.
func (s *source) narrow(ctx context.Context, b *builder, filter any, l leg) (end *bsoncore.Value, part leg, err error) {
	if filter == nil || l.point {
		return nil, l, nil
	}
	command := append(l.command(b.p.Name, nil, doc("_id", int32(1)), 2), bson.E{Key: "skip", Value: int64(stride*b.room() - 1)})
	var ids []bsoncore.Value
	err = s.each(ctx, command, func(d bsoncore.Document) error {
		id, _, err := member(d, "_id")
		id.Data = append([]byte(nil), id.Data...)
		ids = append(ids, id)
		return err
	})
	if err != nil && codeOf(err) != codeEmptyBounds {
		return nil, l, err
	}
	if len(ids) < 2 {
		return nil, l, nil
	}
	l.to = &ids[1]
	return &ids[0], l, nil
}
