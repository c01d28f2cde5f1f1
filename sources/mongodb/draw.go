package mongodb

import (
	"context"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
)

// mostCounted is how many documents are counted for a draw.
const mostCounted = 5_000_000

// Sample draws integers between the least and the greatest _id where every _id is
// one, and keeps those that are one. Of other keys, and where they lie far apart,
// all are read: $sample favours documents that lie behind gaps.
func (s *source) Sample(ctx context.Context, d *sources.Dataset, q sources.SampleRequest) (sources.Draw, error) {
	bare := *d
	bare.ID, bare.Fields, bare.DeletedWhen = nil, nil, ""
	p, f, err := s.ready(ctx, &bare)
	if err != nil {
		return sources.Draw{}, err
	}
	if f.sorted || p.Unwind != "" || f.kind != sources.KindInt || !slices.Equal(p.Key, []string{"_id"}) || p.never {
		return sources.Draw{}, sources.ErrReadAll
	}
	in := sources.Integers{}
	if in.Estimate, err = s.documents(ctx, p.Name); err != nil {
		return sources.Draw{}, err
	}
	for direction, end := range map[int32]*int64{1: &in.Least, -1: &in.Greatest} {
		if *end, err = s.endOfIDs(ctx, p, direction); err != nil {
			return sources.Draw{}, err
		}
	}
	draw := sources.Draw{Method: "integers drawn between the least and the greatest _id, of which those were kept that are one"}
	if draw.Keys, err = sources.SampleIntegers(ctx, s, &bare, q, in); err != nil {
		return sources.Draw{}, err
	}
	if in.Estimate <= mostCounted { // of more, those that tell the kind of _id must do
		if draw.Population, err = s.integerIDs(ctx, p); err != nil {
			return sources.Draw{}, err
		}
	}
	return draw, nil
}

// endOfIDs is the first _id in a direction. The index has other types before and
// behind all numbers, so that both ends tell whether there are any.
func (s *source) endOfIDs(ctx context.Context, p *dataset, direction int32) (end int64, err error) {
	found := false
	err = s.each(ctx, find(p.Name, nil, doc("_id", int32(1)), 1, bson.E{Key: "sort", Value: doc("_id", direction)}), func(d bsoncore.Document) error {
		id, _, err := member(d, "_id")
		if err != nil {
			return err
		}
		v, err := valueOf(id)
		if err == nil && v.Kind() == sources.KindInt {
			end, found = v.AsInt(), true
		}
		return err
	})
	if err == nil && !found {
		err = sources.ErrReadAll
	}
	return end, err
}

// integerIDs counts the documents in scope; it answers ErrReadAll where an _id is
// no integer.
func (s *source) integerIDs(ctx context.Context, p *dataset) (n int64, err error) {
	stages := bson.A{}
	if all := and(p.filter, p.scope, p.where); all != nil {
		stages = append(stages, doc("$match", all))
	} else { // by the index, which has all it takes, instead of every document
		stages = append(stages, doc("$sort", byID()))
	}
	stages = append(stages, doc("$group", bson.D{
		{Key: "_id", Value: doc("$in", bson.A{doc("$type", "$_id"), bson.A{"int", "long"}})},
		{Key: "n", Value: doc("$sum", int64(1))}}))
	err = s.each(ctx, aggregate(p.Name, stages, 2), func(d bsoncore.Document) error {
		if integer, _ := d.Lookup("_id").BooleanOK(); !integer {
			return sources.ErrReadAll
		}
		n, _ = d.Lookup("n").AsInt64OK()
		return nil
	})
	return n, err
}

// Recent reads an index on the field from its end. Without one the server would
// read and sort the whole collection, so it is not asked; nor for the elements of
// an array, which no index has in their own order.
func (s *source) Recent(ctx context.Context, d *sources.Dataset, q sources.RecentRequest) ([]sources.Key, error) {
	bare := *d
	bare.ID, bare.Fields, bare.DeletedWhen = nil, nil, ""
	p, f, err := s.ready(ctx, &bare)
	if err != nil {
		return nil, err
	}
	if !plainPath(q.By) {
		return nil, unaskable(q.By)
	}
	if f.sorted || p.Unwind != "" {
		return nil, sources.ErrUnindexed
	}
	all, err := s.indexes(ctx, p.Name)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(all, func(i index) bool { return i.usable && len(i.keys) > 0 && i.keys[0] == q.By })
	if at < 0 {
		return nil, sources.ErrUnindexed
	}
	if p.never {
		return nil, nil
	}
	changed := doc("$ne", nil)
	if !q.Since.IsZero() {
		changed = doc("$gte", bson.NewDateTimeFromTime(q.Since))
	}
	b := s.builder(p, true, sources.Limit{Records: max(1, q.Keys), Bytes: 1 << 30})
	filter := and(doc(q.By, changed), p.filter, p.scope, p.where)
	command := find(p.Name, filter, b.shape.projection, max(1, q.Keys), bson.E{Key: "sort", Value: doc(q.By, int32(-1))}, bson.E{Key: "hint", Value: all[at].name})
	err = s.each(ctx, command, func(d bsoncore.Document) error {
		_, err := b.add(d)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("find what changed last: %w", err)
	}
	var keys []sources.Key
	seen := map[string]bool{}
	for i := range b.records {
		if key := b.records[i].Key; key.Whole() && !seen[canonicalKey(key)] {
			seen[canonicalKey(key)] = true
			keys = append(keys, key)
		}
	}
	return keys, nil
}
