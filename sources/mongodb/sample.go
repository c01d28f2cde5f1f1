package mongodb

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
)

// sampled is what some records of a dataset were like. MongoDB declares no types.
type sampled struct {
	documents, records int
	// kinds are the kinds met under each declared name, null and absent aside.
	kinds map[string]map[sources.Kind]int
	// met are the declared names of which some record had a value or null.
	met map[string]bool
	// keys are the keys of the first few records.
	keys []sources.Key
	// names are the field names met, dotted, for people who misspelt one.
	names map[string]bool
}

const (
	sampleKeys  = 3
	sampleDepth = 4 // levels of names gathered
)

// sample reads about a hundred documents: from both ends of the index on _id
// and from the midst of a large collection; the first ones where a filter or a
// pipeline stands before it. Each read is bounded by the statement timeout.
func (s *source) sample(ctx context.Context, p *dataset, f *facts) (*sampled, error) {
	found := &sampled{kinds: map[string]map[sources.Kind]int{}, met: map[string]bool{}, names: map[string]bool{}}
	for _, name := range p.names() {
		found.kinds[name] = map[sources.Kind]int{}
	}
	reads, err := s.sampleCommands(ctx, p, f)
	if err != nil {
		return nil, err
	}
	for _, command := range reads {
		if err := s.each(ctx, command, func(d bsoncore.Document) error { return found.take(p, d) }); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (s *source) sampleCommands(ctx context.Context, p *dataset, f *facts) ([]bson.D, error) {
	total := sampleEnds*2 + sampleRandom
	if f.sorted {
		stages := bson.A{}
		for _, stage := range p.pipeline {
			stages = append(stages, stage)
		}
		if all := and(p.filter, p.scope); all != nil {
			stages = append(stages, doc("$match", all))
		}
		return []bson.D{aggregate(p.Name, append(stages, doc("$limit", int64(total))), total)}, nil
	}
	if filter := and(p.filter, p.scope); filter != nil {
		return []bson.D{find(p.Name, filter, nil, total)}, nil
	}
	reads := []bson.D{
		find(p.Name, nil, nil, sampleEnds, bson.E{Key: "sort", Value: byID()}),
		find(p.Name, nil, nil, sampleEnds, bson.E{Key: "sort", Value: doc("_id", int32(-1))}),
	}
	n, err := s.documents(ctx, p.Name)
	if err == nil && n >= cheapFrom {
		reads = append(reads, aggregate(p.Name, bson.A{doc("$sample", doc("size", int64(sampleRandom)))}, sampleRandom))
	}
	return reads, err
}

// take looks at one document.
func (f *sampled) take(p *dataset, d bsoncore.Document) error {
	f.documents++
	if err := f.gather(d, "", 0); err != nil {
		return err
	}
	b := &builder{p: p, shape: p.whole, limit: sources.Limit{Records: 1, Bytes: 1}}
	if _, err := b.add(d); err != nil {
		return err
	}
	for _, r := range b.records {
		f.records++
		if r.Key.Whole() && len(f.keys) < sampleKeys {
			f.keys = append(f.keys, r.Key)
		}
		values := slices.Concat(r.Key, r.ID, r.Fields)
		for i, name := range slices.Concat(p.Key, p.ID, p.Fields) {
			f.note(name, values[i])
		}
		for _, c := range p.Scope { // every record has these
			f.note(c.Field, c.Value)
		}
	}
	return nil
}

func (f *sampled) note(name string, v sources.Value) {
	if v.IsAbsent() {
		return
	}
	// A path through an array gives a list even where no element has anything there.
	f.met[name] = f.met[name] || f.names[name] || v.Kind() != sources.KindList || v.Len() > 0
	if !v.IsNull() {
		f.kinds[name][v.Kind()]++
	}
}

// gather notes the names in a document and in the documents of its arrays.
func (f *sampled) gather(data []byte, prefix string, depth int) error {
	if depth == sampleDepth {
		return nil
	}
	return elements(data, func(name []byte, v bsoncore.Value) error {
		path := prefix + string(name)
		f.names[path] = true
		switch v.Type {
		case bsoncore.TypeEmbeddedDocument:
			return f.gather(v.Data, path+".", depth+1)
		case bsoncore.TypeArray:
			return elements(v.Data, func(_ []byte, item bsoncore.Value) error {
				if item.Type != bsoncore.TypeEmbeddedDocument {
					return nil
				}
				return f.gather(item.Data, path+".", depth+1)
			})
		}
		return nil
	})
}

// kind is the one kind of a name's values; absent where they differ or none was met.
func (f *sampled) kind(name string) (kind sources.Kind, times int) {
	if len(f.kinds[name]) != 1 {
		return sources.KindAbsent, 0
	}
	for kind, times = range f.kinds[name] {
	}
	return kind, times
}
