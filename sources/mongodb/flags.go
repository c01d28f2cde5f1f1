package mongodb

import (
	"context"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
)

// holding is the set of records for which a condition holds.
type holding map[holder]struct{}

type holder struct{ id, path string }

func (h holding) has(m mark) bool {
	_, ok := h[holder{m.id, m.path}]
	return ok
}

// finish evaluates the conditions for exactly the records of the page and makes
// the page. Only the server can evaluate a filter document, so the page's
// documents are read again by _id, with the condition added. A record that
// changed between the two reads may get a flag of its newer self: that makes a
// suspect at most, which a later confirmation reads anew.
func (s *source) finish(ctx context.Context, b *builder) (sources.Page, error) {
	b.learned()
	page := sources.Page{Records: b.records, Size: b.bytes}
	if len(b.records) == 0 {
		return page, nil
	}
	if where := b.p.where; where != nil && !(b.inScopeOnly && b.p.Unwind == "") {
		in, err := s.holding(ctx, b, where)
		if err != nil {
			return sources.Page{}, err
		}
		for i := range b.records {
			b.records[i].OutOfScope = !in.has(b.marks[i])
		}
	}
	if b.p.deletedWhen != nil {
		gone, err := s.holding(ctx, b, b.p.deletedWhen)
		if err != nil {
			return sources.Page{}, err
		}
		for i := range b.records {
			b.records[i].Deleted = gone.has(b.marks[i])
		}
	}
	if b.inScopeOnly {
		page.Records = page.Records[:0:0]
		for _, r := range b.records {
			if !r.OutOfScope {
				page.Records = append(page.Records, r)
			}
		}
	}
	return page, nil
}

// idsPerCommand bounds, in bytes, the _ids that one command names.
const idsPerCommand = 4 << 20

// holding finds for which of the page's records a condition holds.
func (s *source) holding(ctx context.Context, b *builder, condition any) (holding, error) {
	found := holding{}
	var ids bson.A
	size := 0
	for i, m := range b.marks {
		if i == 0 || b.marks[i-1].id != m.id {
			ids = append(ids, rawValue(m.raw))
			size += len(m.raw.Data) + 16
		}
		if size >= idsPerCommand || i == len(b.marks)-1 {
			if err := s.each(ctx, b.holdingCommand(ids, condition), found.take(len(b.p.steps()))); err != nil {
				return nil, err
			}
			ids, size = nil, 0
		}
	}
	return found, nil
}

// holdingCommand reads which records of some documents satisfy a condition.
func (b *builder) holdingCommand(ids bson.A, condition any) bson.D {
	these := doc("_id", doc("$in", ids))
	if b.p.Unwind == "" {
		return find(b.p.Name, and(these, condition), doc("_id", int32(1)), len(ids))
	}
	pipeline := bson.A{doc("$match", these)}
	projection := doc("_id", int32(1))
	for i, step := range b.p.steps() {
		name := reservedName + strconv.Itoa(i)
		pipeline = append(pipeline, doc("$unwind", bson.D{{Key: "path", Value: "$" + step}, {Key: "includeArrayIndex", Value: name}}))
		projection = append(projection, bson.E{Key: name, Value: int32(1)})
	}
	pipeline = append(pipeline, doc("$match", condition), doc("$project", projection))
	return aggregate(b.p.Name, pipeline, len(b.records))
}

// take notes the documents that a holdingCommand puts out.
func (h holding) take(steps int) func(bsoncore.Document) error {
	return func(d bsoncore.Document) error {
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
}
