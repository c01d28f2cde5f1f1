package mongodb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
)

// Preflight refuses what is no collection of plain documents, and names unique
// indexes, indexes by which the server deletes documents, and the fields that
// place documents on shards, as far as they are among the fields.
func (s *source) Preflight(ctx context.Context, d *sources.Dataset, fields []string, deletes bool) ([]sources.Hazard, error) {
	p, err := s.plainly(ctx, d)
	if err != nil {
		return nil, err
	}
	if deletes && p.Unwind != "" {
		return nil, sources.Final(errElements)
	}
	for _, field := range fields {
		if err := p.assignable(field); err != nil {
			return nil, sources.Final(err)
		}
	}
	if _, err := s.clock(ctx); err != nil {
		return nil, err
	}
	c, err := s.collection(ctx, p.Name)
	switch {
	case err != nil:
		return nil, err
	case c.capped:
		return nil, sources.Final(fmt.Errorf("collection %s is capped: its documents may neither grow nor be deleted; ask the service (by: request)", p.Name))
	case c.encrypted:
		return nil, sources.Final(fmt.Errorf("collection %s has encrypted fields, which only its service can write: ask it (by: request)", p.Name))
	}
	all, err := s.indexes(ctx, p.Name)
	if codeOf(err) == codeUnauthorized {
		return nil, sources.Final(fmt.Errorf("the role may not list the indexes of %s, so nobody knows what a write would touch: grant listIndexes", p.Name))
	}
	if err != nil {
		return nil, err
	}
	hazards := indexHazards(all, fields)
	sharded, err := s.serverHazards(ctx, p.Name, fields)
	return append(hazards, sharded...), err
}

// indexHazards are those of indexes over written fields.
func indexHazards(all []index, fields []string) (hazards []sources.Hazard) {
	for _, i := range all {
		if !slices.ContainsFunc(i.keys, func(k string) bool { return written(k, fields) }) {
			continue
		}
		what := fmt.Sprintf("index %s (%s)", i.name, strings.Join(i.keys, ", "))
		if i.unique { // that of the key is none: a key is not written
			hazards = append(hazards, sources.Hazard{Kind: sources.HazardUnique, What: "unique " + what})
		}
		if i.expires {
			hazards = append(hazards, sources.Hazard{Kind: sources.HazardTriggers, What: what + ": the server deletes documents by it"})
		}
	}
	return hazards
}

// written says whether a path is, holds, or lies in one of the fields.
func written(path string, fields []string) bool {
	return slices.ContainsFunc(fields, func(f string) bool { return overlap(path, f) })
}

// serverHazards are those of where documents are: on a secondary, or on shards.
func (s *source) serverHazards(ctx context.Context, collection string, fields []string) (hazards []sources.Hazard, err error) {
	hello, err := s.run(ctx, "admin", bson.D{{Key: "hello", Value: int32(1)}})
	if err != nil {
		return nil, err
	}
	if secondary, _ := hello.Lookup("secondary").BooleanOK(); secondary {
		hazards = append(hazards, sources.Hazard{Kind: sources.HazardStandby, What: "a secondary is read: what it shows may be late"})
	}
	if router, _ := hello.Lookup("msg").StringValueOK(); router != "isdbgrid" {
		return hazards, nil
	}
	raw, err := s.run(ctx, "config", bson.D{{Key: "find", Value: "collections"}, {Key: "filter", Value: doc("_id", s.database+"."+collection)}, {Key: "limit", Value: int64(1)}, s.timeout()})
	if codeOf(err) == codeUnauthorized {
		return append(hazards, sources.Hazard{Kind: sources.HazardPartitions, What: "the role may not read config.collections, so the shard key is unknown"}), nil
	}
	if err != nil {
		return nil, err
	}
	return append(hazards, shardHazards(raw.Lookup("cursor", "firstBatch", "0", "key"), fields)...), nil
}

// shardHazards is that of a collection's shard key, where it covers a written field.
func shardHazards(key bson.RawValue, fields []string) (hazards []sources.Hazard) {
	d, ok := key.DocumentOK()
	if !ok { // not sharded
		return nil
	}
	names, err := d.Elements()
	if err != nil {
		return nil
	}
	for _, n := range names {
		if written(n.Key(), fields) {
			hazards = append(hazards, sources.Hazard{Kind: sources.HazardPartitions, What: "the shard key has " + n.Key() + ": the document may move to another shard"})
		}
	}
	return hazards
}

// collection is what a collection was made with.
type collection struct {
	capped, encrypted bool
	// validator refuses documents for which it does not hold; nil for none.
	validator any
}

func (s *source) collection(ctx context.Context, name string) (c collection, err error) {
	list := bson.D{{Key: "listCollections", Value: int32(1)}, {Key: "filter", Value: doc("name", name)}}
	err = s.each(ctx, list, func(d bsoncore.Document) error {
		made, _, err := member(d, "options")
		if err != nil || made.Type != bsoncore.TypeEmbeddedDocument {
			return err
		}
		options := bson.Raw(slices.Clone(made.Data))
		c.capped, _ = options.Lookup("capped").BooleanOK()
		_, c.encrypted = options.Lookup("encryptedFields").DocumentOK()
		action, level := textOf(made.Data, "validationAction"), textOf(made.Data, "validationLevel")
		if v, ok := options.Lookup("validator").DocumentOK(); ok && action != "warn" && level != "off" {
			c.validator = v
		}
		return nil
	})
	if codeOf(err) == codeUnauthorized {
		err = sources.Final(errors.New("the role may not list collections, so nobody knows how this one may be written: grant listCollections"))
	}
	return c, err
}
