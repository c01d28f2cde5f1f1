package mongodb

import (
	"context"
	"errors"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// errEnough is returned by the function that each hands documents to when it has enough.
var errEnough = errors.New("enough")

// undated returns a context that is cancelled when ctx ends, in whatever way, and
// has no deadline of its own. The driver makes a maxTimeMS of a deadline, where the
// statement timeout belongs, and leaves a read that is past it waiting for its answer.
func undated(ctx context.Context) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	return out, func() {
		stop()
		cancel()
	}
}

// each runs a find or an aggregation and hands every document on until take
// returns an error. errEnough ends it early, without an error; the cursor is then
// given back. A document is valid only until take returns.
func (s *source) each(ctx context.Context, command bson.D, take func(bsoncore.Document) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	bare, cancel := undated(ctx)
	defer cancel()
	for {
		plain := s.plainConcern.Load()
		cursor, err := s.cursor(bare, command, plain)
		if err == nil {
			return s.failed(ctx, drain(bare, cursor, batchSize(command), take))
		}
		if plain || !noReadConcern(err) {
			return s.failed(ctx, err)
		}
		s.plainConcern.Store(true)
	}
}

func (s *source) cursor(ctx context.Context, command bson.D, plain bool) (*mongo.Cursor, error) {
	client, err := s.connected()
	if err != nil {
		return nil, err
	}
	return client.Database(s.database).RunCommandCursor(ctx, s.bounded(command, plain),
		options.RunCmd().SetReadPreference(s.options.ReadPreference))
}

// drain hands on what a cursor has, batch by batch, and closes it.
func drain(ctx context.Context, cursor *mongo.Cursor, batch int32, take func(bsoncore.Document) error) error {
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
		defer cancel()
		// What was read stands whether or not the server hears that we leave: it
		// drops an idle cursor itself.
		_ = cursor.Close(closing)
	}()
	if batch > 0 {
		cursor.SetBatchSize(batch)
	}
	for cursor.Next(ctx) {
		if err := take(bsoncore.Document(cursor.Current)); err != nil {
			if errors.Is(err, errEnough) {
				return nil
			}
			return err
		}
	}
	return cursor.Err()
}

// run runs a command that answers with one document.
func (s *source) run(ctx context.Context, database string, command bson.D) (bson.Raw, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	client, err := s.connected()
	if err != nil {
		return nil, err
	}
	bare, cancel := undated(ctx)
	defer cancel()
	raw, err := client.Database(database).RunCommand(bare, command,
		options.RunCmd().SetReadPreference(s.options.ReadPreference)).Raw()
	return raw, s.failed(ctx, err)
}

// bounded adds the statement timeout and, to a command that has none, the read concern.
func (s *source) bounded(command bson.D, plain bool) bson.D {
	out := append(command[:len(command):len(command)], s.timeout())
	concerned := slices.ContainsFunc(command, func(e bson.E) bool { return e.Key == "readConcern" })
	if name := command[0].Key; plain || concerned || name != "find" && name != "aggregate" {
		return out
	}
	if level := s.options.ReadConcern.Level; level != "" {
		out = append(out, bson.E{Key: "readConcern", Value: bson.D{{Key: "level", Value: level}}})
	}
	return out
}

// timeout is the statement timeout as commands have it.
func (s *source) timeout() bson.E {
	return bson.E{Key: "maxTimeMS", Value: max(1, s.limits.StatementTimeout.Milliseconds())}
}

// noReadConcern says whether a server, or what stands in for one, refused the
// read concern alone.
func noReadConcern(err error) bool {
	switch codeOf(err) {
	case codeReadConcernMajorityNotEnabled:
		return true
	case codeInvalidOptions, codeCommandNotSupported:
		text := strings.ToLower(err.Error())
		return strings.Contains(text, "readconcern") || strings.Contains(text, "read concern")
	}
	return false
}

// batchSize finds the batch size in a find or an aggregation, for the batches after the first.
func batchSize(command bson.D) int32 {
	for _, e := range command {
		switch v := e.Value.(type) {
		case int32:
			if e.Key == "batchSize" {
				return v
			}
		case bson.D:
			if e.Key == "cursor" && len(v) > 0 {
				return batchSize(v)
			}
		}
	}
	return 0
}

// find is the find command on a collection.
func find(collection string, filter any, projection bson.D, limit int, more ...bson.E) bson.D {
	command := bson.D{{Key: "find", Value: collection}}
	if filter != nil {
		command = append(command, bson.E{Key: "filter", Value: filter})
	}
	if projection != nil {
		command = append(command, bson.E{Key: "projection", Value: projection})
	}
	command = append(command, more...)
	if limit > 0 {
		command = append(command, bson.E{Key: "limit", Value: int64(limit)}, bson.E{Key: "batchSize", Value: int32(limit)})
	}
	return command
}

// aggregate is the aggregate command on a collection.
func aggregate(collection string, pipeline bson.A, batch int) bson.D {
	return bson.D{
		{Key: "aggregate", Value: collection},
		{Key: "pipeline", Value: pipeline},
		{Key: "cursor", Value: bson.D{{Key: "batchSize", Value: int32(batch)}}},
		{Key: "allowDiskUse", Value: true},
	}
}

// doc is a document of one member, which is how most of MongoDB's language is written.
func doc(name string, value any) bson.D { return bson.D{{Key: name, Value: value}} }

// byID is the order of the index on _id.
func byID() bson.D { return doc("_id", int32(1)) }

// and joins conditions; nil ones are left out. It returns nil for none.
func and(conditions ...any) any {
	var all bson.A
	for _, c := range conditions {
		switch c := c.(type) {
		case nil:
			continue
		case bson.Raw:
			if c == nil {
				continue
			}
		case bson.D:
			if c == nil {
				continue
			}
		}
		all = append(all, c)
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return doc("$and", all)
}
