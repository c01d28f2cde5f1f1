package mongodb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
)

// maxAlike bounds how many documents that the server calls equal in key and id are
// looked through for the one that is meant.
const maxAlike = 100

// Look reads one record whole, with the server's time from before the read. A
// settled look reads what can no longer be rolled back (linearizable, where the
// server is a member of a replica set): our writes are single commands that begin
// before their time is over, and are over writeWithin after they began, so nothing
// of ours is left to wait for once the server's clock is that much further.
func (s *source) Look(ctx context.Context, d *sources.Dataset, key, id sources.Key, how sources.Looking) (*sources.Image, error) {
	p, err := s.plainly(ctx, d)
	if err != nil {
		return nil, err
	}
	if how.Whole && p.Unwind != "" {
		return nil, sources.Final(errElements)
	}
	f, err := s.lookFor(ctx, p, key, id, how)
	if err != nil {
		return nil, err
	}
	return f.image, nil
}

// errElements says why elements of arrays are updated only.
var errElements = errors.New("an element of a list is neither deleted nor put back: that would move the others; ask the service (by: request)")

// plainly is a dataset whose records are read from the documents of a collection
// as they are; no others can be written.
func (s *source) plainly(ctx context.Context, d *sources.Dataset) (*dataset, error) {
	p, f, err := s.ready(ctx, d)
	if err != nil {
		return nil, err
	}
	switch {
	case p.pipeline != nil && f.flat == nil:
		err = errors.New("a pipeline's output cannot be written: declare the collection, or ask the service (by: request)")
	case f.sorted:
		err = errors.New("a view or a time series cannot be written: declare the collection behind it, or ask the service (by: request)")
	case p.Unwind != "" && (p.where != nil || p.deletedWhen != nil):
		err = errors.New("a dataset with unwind and where or deleted_when cannot be written: the server cannot judge a condition on one element in the step that writes it; ask the service (by: request)")
	}
	if err != nil {
		return nil, sources.Final(err)
	}
	for _, name := range p.names() {
		if !plainPath(name) {
			return nil, sources.Final(fmt.Errorf("field %q: the server takes no such name in a condition, so nobody could see that it changed", name))
		}
	}
	return p, nil
}

// found is a record with its place.
type found struct {
	image *sources.Image
	// at is the index of its element in the unwound array.
	at int
}

// lookFor finds the one record of a key and an id.
func (s *source) lookFor(ctx context.Context, p *dataset, key, id sources.Key, how sources.Looking) (*found, error) {
	if len(key) != len(p.Key) || len(id) != len(p.ID) {
		return nil, sources.Final(fmt.Errorf("look up %s: the key has %d parts and the id %d, where the dataset has %d and %d", p.Title(), len(key), len(id), len(p.Key), len(p.ID)))
	}
	none := &found{image: &sources.Image{}}
	var err error
	if none.image.ReadAt, err = s.clock(ctx); err != nil {
		return nil, err
	}
	match, err := matchKeys(p.Key, []sources.Key{key})
	if err != nil || match == nil || p.never {
		return none, err
	}
	more, possible, err := conditions(p.ID, id)
	if err != nil || !possible {
		return none, err
	}
	var also any
	if len(more) > 0 {
		also = more
	}
	b := s.builder(p, false, sources.Limit{Records: maxAlike, Bytes: 1 << 40})
	b.marked = true
	b.wanted = map[string]struct{}{canonicalKey(key): {}}
	documents, flags, err := s.alike(ctx, b, and(match, also, p.filter, p.scope), how.Settled)
	if err != nil {
		return nil, err
	}
	var out *found
	wanted := canonicalKey(id)
	for _, d := range documents {
		b.records, b.marks = nil, nil
		if _, err := b.add(d); err != nil {
			return nil, err
		}
		for i, r := range b.records {
			if canonicalKey(r.ID) != wanted {
				continue
			}
			if out != nil {
				return nil, &sources.ManyError{In: p.Title()}
			}
			r.OutOfScope = p.where != nil && !flags[judgedIn].has(b.marks[i])
			r.Deleted = flags[judgedGone].has(b.marks[i])
			if out, err = p.foundIn(d, r, b.marks[i], how.Whole); err != nil {
				return nil, err
			}
			out.image.ReadAt = none.image.ReadAt
		}
	}
	switch {
	case out != nil:
		return out, nil
	case len(documents) >= maxAlike:
		return nil, sources.Final(fmt.Errorf("%d documents hold what the server calls this key: too many to look through", maxAlike))
	}
	return none, nil
}

func (p *dataset) foundIn(d bsoncore.Document, r sources.Record, m mark, whole bool) (*found, error) {
	f := &found{}
	if p.Unwind != "" {
		at, err := strconv.Atoi(m.path[strings.LastIndexByte(m.path, '/')+1:])
		if err != nil {
			return nil, fmt.Errorf("read the place %q: %w", m.path, err)
		}
		f.at = at
	}
	n, err := p.nativeOf(d, f.at, whole)
	if err != nil {
		return nil, err
	}
	f.image = &sources.Image{Exists: true, Record: r, Native: n.bytes()}
	return f, nil
}

// alike reads the documents that a filter finds, whole, and for which of their
// records the dataset's conditions hold; all of one moment.
func (s *source) alike(ctx context.Context, b *builder, filter any, settled bool) (documents []bsoncore.Document, flags map[string]holding, err error) {
	asked := b.asked(false)
	flags = map[string]holding{judgedIn: {}, judgedGone: {}}
	command := find(b.p.Name, filter, nil, maxAlike)
	if len(asked) > 0 {
		stages := judging(bson.A{doc("$match", filter), doc("$limit", int64(maxAlike))}, nil, asked, b.p.satisfying)
		command = aggregate(b.p.Name, stages, 3*maxAlike)
	}
	read := func(command bson.D) error {
		documents = nil
		return s.each(ctx, command, func(d bsoncore.Document) error {
			if len(asked) == 0 {
				documents = append(documents, slices.Clone(d))
				return nil
			}
			return elements(d, func(name []byte, v bsoncore.Value) error {
				if string(name) != judgedRecord {
					return flags[string(name)].take(v.Data, 0)
				}
				documents = append(documents, slices.Clone(v.Data))
				return nil
			})
		})
	}
	if settled {
		err = read(append(command[:len(command):len(command)], bson.E{Key: "readConcern", Value: doc("level", "linearizable")}))
		if err == nil || !noReadConcern(err) && codeOf(err) != codeNotAReplicaSet {
			return documents, flags, err
		}
	}
	return documents, flags, read(command)
}

// clock is the server's own time.
func (s *source) clock(ctx context.Context) (time.Time, error) {
	raw, err := s.run(ctx, s.database, bson.D{{Key: "aggregate", Value: int32(1)},
		{Key: "pipeline", Value: bson.A{doc("$documents", bson.A{doc("now", "$$NOW")})}}, {Key: "cursor", Value: bson.D{}}, s.timeout()})
	if err != nil {
		return time.Time{}, fmt.Errorf("ask the server's time (MongoDB 6 or later knows $$NOW and $documents): %w", err)
	}
	now, ok := raw.Lookup("cursor", "firstBatch", "0", "now").TimeOK()
	if !ok {
		return time.Time{}, errMalformed
	}
	return now.UTC(), nil
}
