package mongodb

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
)

// What a pipeline or a view puts out has no index to be paged by. The server
// computes it anew for each page, sorts it by key and id, and sends the page's
// part. Several records may share key and id; a page holds all of them.

// sortedRequest asks for a page of a sorted dataset.
type sortedRequest struct {
	after, upTo sources.Position
	match       any // the keys of a lookup; nil for a scan
}

// mostAlike is how many records may share one position.
const mostAlike = 100_000

// orderName is the field by which the server sorts. It is a document: whether
// part of the key is null or missing (those come last), then key and id.
// Documents are compared whole, so that types and arrays have one total order,
// which sorting by the fields themselves would not give.
const orderName = reservedName

func unaskable(name string) error {
	return sources.Final(fmt.Errorf("field %q: the server takes no name that is empty or begins with $ in a condition: rename it by a pipeline", name))
}

// sortedPage reads a page of a pipeline or a view.
func (s *source) sortedPage(ctx context.Context, b *builder, r sortedRequest) (sources.Page, error) {
	for _, name := range b.p.names() {
		if !plainPath(name) {
			return sources.Page{}, unaskable(name)
		}
	}
	after, err := sortedBound(r.after)
	if err != nil {
		return sources.Page{}, err
	}
	upTo, err := sortedBound(r.upTo)
	if err != nil {
		return sources.Page{}, err
	}
	docs, whole, err := s.sortedDocuments(ctx, b, r.match, after, upTo)
	if err != nil {
		return sources.Page{}, err
	}
	page := sources.Page{Done: whole}
	if len(docs) == 0 {
		if err := s.missing(ctx, b.p); err != nil {
			return sources.Page{}, err
		}
		return page, nil
	}
	last := docs[len(docs)-1].at
	page.Next = sources.Position{sources.Bytes(last.Data)}
	if asked := b.asked(b.inScopeOnly); len(asked) > 0 {
		err = s.judgedSorted(ctx, b, asked, r.match, after, &last)
	} else {
		err = b.addAll(docs)
	}
	if err != nil {
		return sources.Page{}, err
	}
	b.learned()
	page.Records, page.Size = b.records, b.bytes
	return page, nil
}

func (b *builder) addAll(docs []sorted) error {
	for _, d := range docs {
		if _, err := b.add(d.document); err != nil {
			return err
		}
	}
	return nil
}

// sorted is a document and its place in the order.
type sorted struct {
	document bsoncore.Document
	at       bsoncore.Value
}

// sortedDocuments reads the documents of a page; whole says that nothing follows.
func (s *source) sortedDocuments(ctx context.Context, b *builder, match any, after, upTo *bsoncore.Value) (docs []sorted, whole bool, err error) {
	limit := b.limit.Records
	var in any
	if b.inScopeOnly {
		in = b.p.where
	}
	stages := b.sortedStages(and(match, in), after, upTo, limit+1)
	size := 0
	var crowd *bsoncore.Value // the one position that fills the page
	whole = true
	err = s.each(ctx, aggregate(b.p.Name, stages, limit+1), func(d bsoncore.Document) error {
		next, err := placed(d)
		if err != nil {
			return err
		}
		full := len(docs) >= limit || size >= b.limit.Bytes && len(docs) > 0
		if full {
			whole = false
			// Those that share the position of the first one beyond belong to the next page.
			docs = slices.DeleteFunc(docs, func(d sorted) bool { return equalBSON(d.at, next.at) })
			if len(docs) == 0 {
				crowd = &next.at
			}
			return errEnough
		}
		size += len(d)
		docs = append(docs, next)
		return nil
	})
	if err != nil || crowd == nil {
		return docs, whole, err
	}
	err = s.each(ctx, aggregate(b.p.Name, b.sortedStages(and(match, in, orderIs("$eq", *crowd)), nil, nil, mostAlike+1), limit), func(d bsoncore.Document) error {
		next, err := placed(d)
		docs = append(docs, next)
		return err
	})
	if len(docs) > mostAlike {
		err = sources.Final(fmt.Errorf("more than %d records share the key and id %s: declare an id that tells them apart", mostAlike, crowd))
	}
	return docs, false, err
}

func placed(d bsoncore.Document) (sorted, error) {
	d = slices.Clone(d)
	at, times, err := member(d, orderName)
	if err == nil && times != 1 {
		err = sources.Final(fmt.Errorf("the pipeline puts out a field %s, a name that is ours", orderName))
	}
	return sorted{d, at}, err
}

// sortedStages is the aggregation that puts out at most limit records (0: all) of
// a span that satisfy a condition, in order.
func (b *builder) sortedStages(match any, after, upTo *bsoncore.Value, limit int) bson.A {
	return append(b.sortedSpan(match, after, upTo, limit), b.sortedProjection())
}

// sortedSpan is the same of whole documents.
func (b *builder) sortedSpan(match any, after, upTo *bsoncore.Value, limit int) bson.A {
	stages := bson.A{}
	for _, stage := range b.p.pipeline {
		stages = append(stages, stage)
	}
	if all := and(b.p.filter, b.p.scope); all != nil {
		stages = append(stages, doc("$match", all))
	}
	stages = append(stages, doc("$addFields", doc(orderName, b.order())))
	var bounds any
	if after != nil {
		bounds = orderIs("$gt", *after)
	}
	if upTo != nil {
		bounds = and(bounds, orderIs("$lte", *upTo))
	}
	if all := and(match, bounds); all != nil {
		stages = append(stages, doc("$match", all))
	}
	stages = append(stages, doc("$sort", doc(orderName, int32(1))))
	if limit > 0 {
		stages = append(stages, doc("$limit", int64(limit)))
	}
	return stages
}

// sortedProjection asks for what is read of a record, and for its place.
func (b *builder) sortedProjection() bson.D {
	return doc("$project", append(slices.Clone(b.shape.projection), bson.E{Key: orderName, Value: int32(1)}))
}

func orderIs(operator string, v bsoncore.Value) bson.D {
	return doc("$expr", doc(operator, bson.A{"$" + orderName, doc("$literal", rawValue(v))}))
}

// order is the expression for a record's place.
func (b *builder) order() bson.D {
	var nulls bson.A
	parts := bson.D{}
	for i, name := range slices.Concat(b.p.Key, b.p.ID) {
		if i < len(b.p.Key) {
			nulls = append(nulls, doc("$lte", bson.A{"$" + name, nil})) // missing is less than null
		}
		parts = append(parts, bson.E{Key: "k" + strconv.Itoa(i), Value: "$" + name})
	}
	return append(bson.D{{Key: "null", Value: doc("$or", nulls)}}, parts...)
}

func sortedBound(p sources.Position) (*bsoncore.Value, error) {
	if p == nil {
		return nil, nil
	}
	if len(p) == 1 && p[0].Kind() == sources.KindBytes {
		v, rest, ok := bsoncore.ReadValue([]byte(p[0].AsText()), bsoncore.TypeEmbeddedDocument)
		if ok && len(rest) == 0 {
			return &v, nil
		}
	}
	return nil, sources.Final(errPosition)
}

// judgedSorted reads the span of a page again with the conditions (see flags.go),
// up to the last position of the first read. Nothing names a record of a pipeline
// for certain, so records are told by what was read of them: two of which all that
// is the same are the same to whoever reads the page, whichever gets the flag.
func (s *source) judgedSorted(ctx context.Context, b *builder, asked bson.D, match any, after, upTo *bsoncore.Value) error {
	if b.inScopeOnly {
		match = and(match, b.p.where)
	}
	read := bson.A{b.sortedProjection()}
	stages := judging(b.sortedSpan(match, after, upTo, 0), read, asked, func(condition any) bson.A {
		return bson.A{doc("$match", condition), read[0]}
	})
	var docs []bsoncore.Document
	holds := map[string]multiset{judgedIn: {}, judgedGone: {}}
	err := s.judged(ctx, b, stages, func(as string, d bsoncore.Document) error {
		if as == judgedRecord {
			docs = append(docs, slices.Clone(d))
		} else {
			holds[as][string(d)]++
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, d := range docs {
		before := len(b.records)
		if _, err := b.add(d); err != nil {
			return err
		}
		in, gone := holds[judgedIn].draw(d), holds[judgedGone].draw(d)
		for i := before; i < len(b.records); i++ { // one or none
			b.records[i].OutOfScope = asked[0].Key == judgedIn && !in
			b.records[i].Deleted = gone
		}
	}
	return nil
}

// multiset counts equal documents.
type multiset map[string]int

func (m multiset) draw(d bsoncore.Document) bool {
	if m[string(d)] == 0 {
		return false
	}
	m[string(d)]--
	return true
}
