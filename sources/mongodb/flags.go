package mongodb

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
)

// Only the server can evaluate a filter document, and a read does not tell which
// of its documents satisfy one. So a dataset with where or deleted_when is read
// twice: the first read says which documents a page is made of, and the second
// reads them again, each once, as record and for each condition ($facet). Records
// come from the second read alone, so that what a record says and what is said of
// it are of one moment, whoever writes meanwhile. A document that is gone by then
// is not delivered.

// judged is what the second read puts out, document by document, under these names.
const (
	judgedRecord = "record" // the document, as it is read
	judgedIn     = "in"     // … where for which holds
	judgedGone   = "gone"   // … for which deleted_when holds
)

// asked are the conditions that a page's records are to be judged by.
func (b *builder) asked(inFirstRead bool) (all bson.D) {
	if b.p.where != nil && !inFirstRead {
		all = append(all, bson.E{Key: judgedIn, Value: b.p.where})
	}
	if b.p.deletedWhen != nil {
		all = append(all, bson.E{Key: judgedGone, Value: b.p.deletedWhen})
	}
	return all
}

// judging ends an aggregation so that each document that comes so far is put out
// as {record: …}, in order, and then as {in: …} and {gone: …} where that condition
// holds. read and found are the stages that make the documents of each.
func judging(stages, read bson.A, conditions bson.D, found func(condition any) bson.A) bson.A {
	if len(read) == 0 {
		read = bson.A{doc("$match", bson.D{})}
	}
	facets := bson.D{{Key: judgedRecord, Value: read}}
	for _, c := range conditions {
		facets = append(facets, bson.E{Key: c.Key, Value: found(c.Value)})
	}
	var lists bson.A
	for _, f := range facets {
		lists = append(lists, doc("$map", bson.D{{Key: "input", Value: "$" + f.Key}, {Key: "in", Value: doc(f.Key, "$$this")}}))
	}
	return append(slices.Clone(stages), doc("$facet", facets), doc("$project", doc("all", doc("$concatArrays", lists))),
		doc("$unwind", "$all"), doc("$replaceRoot", doc("newRoot", "$all")))
}

// judged hands on what an aggregation made by judging puts out. A document is
// valid only until take returns.
func (s *source) judged(ctx context.Context, b *builder, stages bson.A, take func(as string, d bsoncore.Document) error) error {
	return s.each(ctx, aggregate(b.p.Name, stages, b.limit.Records), func(d bsoncore.Document) error {
		return elements(d, func(name []byte, v bsoncore.Value) error { return take(string(name), v.Data) })
	})
}

// holding is the set of records for which a condition holds.
type holding map[holder]struct{}

type holder struct{ id, path string }

func (m mark) holder() holder { return holder{m.id, m.path} }

func (h holding) has(m mark) bool {
	_, ok := h[m.holder()]
	return ok
}

// finish makes the page of what was read: as it is, or read again with the
// conditions.
func (s *source) finish(ctx context.Context, b *builder) (sources.Page, error) {
	b.learned()
	page := sources.Page{Records: b.records, Size: b.bytes}
	asked := b.asked(b.inScopeOnly && b.p.Unwind == "")
	if len(asked) == 0 || len(b.records) == 0 {
		return page, nil
	}
	page.Records = nil
	for first := 0; first < len(b.marks); {
		end := b.part(first)
		records, err := s.judgedRecords(ctx, b, first, end, asked)
		if err != nil {
			return sources.Page{}, err
		}
		page.Records = append(page.Records, records...)
		first = end
	}
	return page, nil
}

// The second read is cut into commands that name _ids of about so many bytes, and
// whose answers the server can hold ($facet's have 100 MB).
const (
	idsPerCommand    = 4 << 20
	answerPerCommand = 16 << 20
)

// part is where the marks end whose documents one command reads again, from the first on.
func (b *builder) part(first int) (end int) {
	ids, answer := 0, 0
	for i := first; i < len(b.marks); i++ {
		m := b.marks[i]
		if i > first && m.id == b.marks[i-1].id {
			continue
		}
		ids, answer = ids+len(m.raw.Data)+16, answer+m.size
		if i > first && (ids > idsPerCommand || answer > answerPerCommand) {
			return i
		}
	}
	return len(b.marks)
}

// judgedRecords reads the documents of some marks again, with what the conditions
// say of them. What the first read found unreadable stays so: the server's
// aggregations may drop a name that comes twice.
func (s *source) judgedRecords(ctx context.Context, b *builder, first, end int, asked bson.D) ([]sources.Record, error) {
	var ids bson.A
	var order []string
	spoilt := map[holder]string{}
	for i := first; i < end; i++ {
		m := b.marks[i]
		if i == first || b.marks[i-1].id != m.id {
			ids, order = append(ids, rawValue(m.raw)), append(order, m.id)
		}
		if why := b.records[i].Unreadable; why != "" {
			spoilt[m.holder()] = why
		}
	}
	documents := map[string]bsoncore.Document{}
	holds := map[string]holding{judgedIn: {}, judgedGone: {}}
	steps := len(b.p.steps())
	err := s.judged(ctx, b, b.judgingStages(ids, asked), func(as string, d bsoncore.Document) error {
		if as != judgedRecord {
			return holds[as].take(d, steps)
		}
		id, _, err := member(d, "_id")
		documents[identity(id)] = slices.Clone(d)
		return err
	})
	if err != nil {
		return nil, err
	}
	again := &builder{p: b.p, shape: b.shape, limit: b.limit, wanted: b.wanted}
	for _, id := range order {
		if d, still := documents[id]; still {
			if _, err := again.add(d); err != nil {
				return nil, err
			}
		}
	}
	records := again.records[:0]
	for i, r := range again.records {
		r.OutOfScope = asked[0].Key == judgedIn && !holds[judgedIn].has(again.marks[i])
		r.Deleted = holds[judgedGone].has(again.marks[i])
		if r.Unreadable == "" {
			r.Unreadable = spoilt[again.marks[i].holder()]
		}
		if !b.inScopeOnly || !r.OutOfScope {
			records = append(records, r)
		}
	}
	return records, nil
}

// judgingStages is the aggregation that reads some documents of a collection again.
func (b *builder) judgingStages(ids bson.A, asked bson.D) bson.A {
	these := and(doc("_id", doc("$in", ids)), b.p.filter, b.p.scope)
	if b.inScopeOnly && b.p.Unwind == "" {
		these = and(these, b.p.where)
	}
	var read bson.A
	if b.shape.projection != nil {
		read = bson.A{doc("$project", b.shape.projection)}
	}
	return judging(bson.A{doc("$match", these)}, read, asked, b.p.satisfying)
}

// satisfying are the stages that put out, of the documents that come, the _id and
// the indexes in the unwound arrays of each record for which a condition holds.
func (p *dataset) satisfying(condition any) bson.A {
	var stages bson.A
	projection := doc("_id", int32(1))
	for i, step := range p.steps() {
		name := reservedName + strconv.Itoa(i)
		stages = append(stages, doc("$unwind", bson.D{{Key: "path", Value: "$" + step}, {Key: "includeArrayIndex", Value: name}}))
		projection = append(projection, bson.E{Key: name, Value: int32(1)})
	}
	return append(stages, doc("$match", condition), doc("$project", projection))
}

// take notes a document for which the condition holds: its _id and, where it was
// unwound, its indexes in the arrays.
func (h holding) take(d bsoncore.Document, steps int) error {
	var at holder
	indexes := make([]int64, steps)
	for i := range indexes {
		indexes[i] = -1 // a value that is no array has no index
	}
	err := elements(d, func(name []byte, v bsoncore.Value) error {
		if string(name) == "_id" {
			at.id = identity(v)
			return nil
		}
		digits, ok := strings.CutPrefix(string(name), reservedName)
		if step, err := strconv.Atoi(digits); ok && err == nil && step < steps {
			if index, ok := v.AsInt64OK(); ok {
				indexes[step] = index
			}
		}
		return nil
	})
	for _, index := range indexes {
		at.path += "/" + strconv.FormatInt(index, 10)
	}
	h[at] = struct{}{}
	return err
}
