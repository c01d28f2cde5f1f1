package mongodb

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
)

// facts are what must be known of a collection before it can be scanned.
type facts struct {
	// sorted: it has no index on _id to be paged by (a view, a time series), or a
	// pipeline stands before it; the server sorts every page.
	sorted bool
	// home is the class of most _ids; a scan of everything begins with it.
	home class
	// kind is the kind of every sampled _id, or KindAbsent.
	kind sources.Kind
	// ids is how many were sampled.
	ids int
	// flat stands in for an unwound dataset that is sorted; nil for others.
	flat *dataset
}

const (
	sampleEnds   = 40   // documents read from each end of a collection
	sampleRandom = 60   // documents drawn from its midst
	cheapFrom    = 2000 // documents from which on $sample draws with a random cursor (it needs 20 for each drawn)
)

// ready returns a dataset prepared for reading, and what is known of its collection.
func (s *source) ready(ctx context.Context, d *sources.Dataset) (*dataset, *facts, error) {
	p, err := s.prepared(d)
	if err != nil {
		return nil, nil, err
	}
	f, err := s.factsOf(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	if f.flat != nil {
		p = f.flat
	}
	return p, f, nil
}

// factsOf finds out about a collection once; a missing one is a NotFoundError.
func (s *source) factsOf(ctx context.Context, p *dataset) (*facts, error) {
	p.mu.Lock() // others that need the facts wait for them
	defer p.mu.Unlock()
	if p.facts != nil {
		return p.facts, nil
	}
	kind, err := s.collectionType(ctx, p.Name)
	if err != nil {
		return nil, err
	}
	f := &facts{sorted: p.pipeline != nil || kind != "collection", home: classObjectID}
	if f.sorted {
		if p.Unwind != "" {
			f.flat = p.flattened()
		}
		p.facts = f
		return f, nil
	}
	if err := s.sampleIDs(ctx, p, f); err != nil {
		return nil, err
	}
	if f.ids > 0 { // an empty collection may be filled any time
		p.facts = f
	}
	return f, nil
}

// forget drops what is known of the collection, to be found out anew.
func (p *dataset) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.facts = nil
}

// collectionType is collection, view or timeseries.
func (s *source) collectionType(ctx context.Context, name string) (string, error) {
	list := bson.D{{Key: "listCollections", Value: int32(1)}, {Key: "filter", Value: doc("name", name)}}
	kind := ""
	take := func(d bsoncore.Document) error {
		kind = textOf(d, "type")
		return nil
	}
	err := s.each(ctx, list, take)
	if codeOf(err) == codeUnauthorized { // the collections that the role may read are listed all the same
		err = s.each(ctx, append(list, authorizedOnly()...), take)
	}
	if err != nil || kind != "" {
		return kind, err
	}
	candidates, err := s.collections(ctx)
	if err != nil {
		return "", err
	}
	return "", sources.Final(&sources.NotFoundError{What: "collection", Name: name, In: "database " + s.database, Candidates: candidates})
}

func authorizedOnly() bson.D {
	return bson.D{{Key: "nameOnly", Value: true}, {Key: "authorizedCollections", Value: true}}
}

func (s *source) collections(ctx context.Context) (names []string, err error) {
	err = s.each(ctx, append(doc("listCollections", int32(1)), authorizedOnly()...), func(d bsoncore.Document) error {
		names = append(names, textOf(d, "name"))
		return nil
	})
	return names, err
}

// missing checks, for a read that found nothing, that there is something to
// find nothing in: MongoDB reads a collection that was dropped as an empty one.
func (s *source) missing(ctx context.Context, p *dataset) error {
	_, err := s.collectionType(ctx, p.Name)
	return err
}

// sampleIDs looks at _ids from both ends of the index and, where that is cheap, at random.
func (s *source) sampleIDs(ctx context.Context, p *dataset, f *facts) error {
	kinds := map[sources.Kind]bool{}
	counts := make([]int, classes)
	take := func(d bsoncore.Document) error {
		id, times, err := member(d, "_id")
		if err != nil || times == 0 {
			return err
		}
		f.ids++
		counts[classOf(id)]++
		v, err := valueOf(id)
		if err != nil { // of no canonical kind
			v = sources.Value{}
		}
		kinds[v.Kind()] = true
		return nil
	}
	only := doc("_id", int32(1))
	reads := []bson.D{
		find(p.Name, nil, only, sampleEnds, bson.E{Key: "sort", Value: byID()}),
		find(p.Name, nil, only, sampleEnds, bson.E{Key: "sort", Value: doc("_id", int32(-1))}),
	}
	n, err := s.documents(ctx, p.Name)
	if err != nil {
		return err
	}
	if n >= cheapFrom {
		reads = append(reads, aggregate(p.Name, bson.A{doc("$sample", doc("size", int64(sampleRandom))), doc("$project", only)}, sampleRandom))
	}
	for _, command := range reads {
		if err := s.each(ctx, command, take); err != nil {
			return err
		}
	}
	if f.ids > 0 {
		f.home = class(slices.Index(counts, slices.Max(counts)))
	}
	if len(kinds) == 1 {
		for f.kind = range kinds {
		}
	}
	return nil
}

// documents is how many documents a collection's metadata says it has.
func (s *source) documents(ctx context.Context, collection string) (int64, error) {
	raw, err := s.run(ctx, s.database, bson.D{{Key: "count", Value: collection}, s.timeout()})
	if err != nil {
		return 0, err
	}
	n, _ := raw.Lookup("n").AsInt64OK()
	return n, nil
}
