package mongodb

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
)

const (
	// walkUpTo is how many keys of the index on _id are read to cut a small collection.
	walkUpTo = 10_000
	// drawnPerPart is how many _ids are drawn for each part of a larger one, and
	// mostDrawn how many in all. A draw of less than a twentieth uses a random cursor.
	drawnPerPart = 20
	mostDrawn    = 400
)

// Split cuts the home class of _id by its index where the collection is small,
// else by a random sample. A pipeline or view is not cut.
func (s *source) Split(ctx context.Context, d *sources.Dataset, parts int) ([]sources.Position, error) {
	p, f, err := s.ready(ctx, d)
	if err != nil || f.sorted || parts < 2 {
		return nil, err
	}
	n, err := s.documents(ctx, p.Name)
	if err != nil {
		return nil, err
	}
	var ids []place
	err = s.each(ctx, splitCommand(p.Name, f.home, n, parts), func(d bsoncore.Document) error {
		id, times, err := member(d, "_id")
		if times > 0 && classOf(id) == f.home && (len(ids) == 0 || !equalBSON(ids[len(ids)-1].id, id)) {
			id.Data = append([]byte(nil), id.Data...)
			ids = append(ids, place{id: id, home: f.home})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var cuts []sources.Position
	last := -1
	for i := 1; i < parts; i++ {
		at := i*len(ids)/parts - 1
		if at > last && at < len(ids)-1 {
			cuts = append(cuts, ids[at].position(f.kind == sources.KindText))
			last = at
		}
	}
	return cuts, nil
}

// splitCommand reads _ids, in order, among which the cut points are chosen.
func splitCommand(collection string, home class, documents int64, parts int) bson.D {
	only := doc("_id", int32(1))
	if documents <= walkUpTo {
		whole, err := legsOf(nil, nil, home)
		if err != nil || len(whole) == 0 { // a span without bounds always has legs
			panic("mongodb: no legs")
		}
		return whole[0].command(collection, nil, only, walkUpTo)
	}
	size := min(int64(parts*drawnPerPart), mostDrawn, documents/25)
	return aggregate(collection, bson.A{doc("$sample", doc("size", size)), doc("$project", only), doc("$sort", only)}, int(size))
}

// Count is the number of documents that the collection's metadata has; for
// unwound records times the mean length of the array in a sample. 0, which is
// unknown, for parts of collections, views and pipelines.
func (s *source) Count(ctx context.Context, d *sources.Dataset) (int64, error) {
	p, f, err := s.ready(ctx, d)
	if err != nil || f.sorted || p.filter != nil || p.scope != nil {
		return 0, err
	}
	n, err := s.documents(ctx, p.Name)
	if err != nil || p.Unwind == "" || n == 0 {
		return n, err
	}
	found, err := s.sample(ctx, p, f)
	if err != nil || found.documents == 0 {
		return 0, err
	}
	return n * int64(found.records) / int64(found.documents), nil
}
