package mongodb

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"testing"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
	"plumbline/sources/sourcetest"
)

func TestConformance(t *testing.T) {
	shop := newShop(t)
	sourcetest.Run(t, shop.harness(t))
}

// harness is the shop in the suite's hands.
func (s *shop) harness(t *testing.T) sourcetest.Harness {
	shop := s
	open, holds := Open, holds
	if !shop.takesAnyText() {
		t.Log("the server takes valid UTF-8 alone, unlike mongod: it is sent no other text")
		open, holds = openUTF8, holdsUTF8
	}
	return sourcetest.Harness{
		Adapter:  "mongodb",
		Open:     open,
		URL:      shop.url(),
		Load:     shop.load,
		Holds:    holds,
		HoldsKey: holds,
		Condition: func(c sourcetest.Condition) string {
			switch c.Test {
			case sourcetest.Equals:
				return filterText(t, bson.D{{Key: c.Field, Value: c.Value.AsText()}})
			case sourcetest.Above:
				return filterText(t, bson.D{{Key: c.Field, Value: bson.D{{Key: "$gt", Value: c.Value.AsInt()}}}})
			case sourcetest.Filled:
				return filterText(t, bson.D{{Key: c.Field, Value: bson.D{{Key: "$ne", Value: nil}}}})
			}
			return filterText(t, bson.D{{Key: c.Field, Value: bson.D{{Key: "$nonsense", Value: 1}}}})
		},
		Alter: func(t testing.TB, d sources.Dataset, c sourcetest.Change) {
			collection := shop.db.Collection(d.Name)
			var err error
			switch c {
			case sourcetest.WriteRow:
				_, err = collection.UpdateOne(t.Context(), bson.D{{Key: "_id", Value: 1}}, bson.D{{Key: "$set", Value: bson.D{{Key: "note", Value: "another"}}}})
			case sourcetest.IndexField:
				shop.index(d.Name, false, "note")
			case sourcetest.Replace:
				err = collection.Drop(t.Context())
				shop.create(d.Name)
			}
			if err != nil {
				t.Fatal(err)
			}
		},
		Writing: func(_ testing.TB, d sources.Dataset) []sources.Dataset {
			out, merge := d, d
			out.Pipeline = fmt.Sprintf(`[{"$match":{"_id":{"$lt":0}}},{"$out":%q}]`, d.Name)
			merge.Pipeline = fmt.Sprintf(`[{"$set":{"n":9}},{"$merge":%q}]`, d.Name)
			return []sources.Dataset{out, merge}
		},
		Through: func(t testing.TB) (sources.Secret, sourcetest.Line) {
			u, err := url.Parse(server(t))
			if err != nil {
				t.Fatal(err)
			}
			w := sourcetest.NewWire(t, "tcp", u.Host)
			return shop.urlAt(w.Address()), w
		},
		Unreachable: sourcetest.Unreachable{URL: "mongodb://reader:hidden%21word@127.0.0.1:1/shop?directConnection=true&serverSelectionTimeoutMS=1000", Names: "127.0.0.1:1"},
		BadURLs: []sources.Secret{"", "mongodb://reader:hidden%21word@127.0.0.1:1", "mongodb://reader:hidden%21word@127.0.0.1:1/shop?replicaSet",
			"http://reader:hidden%21word@127.0.0.1/shop", "mongodb://reader:hidden!word/@127.0.0.1/shop", "mongodb://reader:hidden%21word@127.0.0.1:99999/shop"},
		Secrets: []string{"hidden%21word", "hidden!word"},
		Cannot: map[sourcetest.Ability]string{
			sourcetest.CannotDeliverRaw: "equal numbers have several spellings in BSON, and documents any order of members",
			sourcetest.CannotDeclare:    "a collection has no schema",
			sourcetest.CannotMissFields: "a collection has no schema: a field that no sampled document has is a warning",
		},
	}
}

func holds(v sources.Value) string {
	if v.IsAbsent() {
		return ""
	}
	if v.Len() > 15<<20 {
		return "a document has at most 16 MB"
	}
	_, why := stored(v)
	return why
}

func holdsUTF8(v sources.Value) string {
	if notUTF8(v) {
		return "the server takes valid UTF-8 alone"
	}
	return holds(v)
}

// utf8Source keeps texts that are no UTF-8 from a server that hangs up on them.
type utf8Source struct{ *source }

func openUTF8(o sources.Options) (sources.Source, error) {
	s, err := Open(o)
	if err != nil {
		return nil, err
	}
	return utf8Source{s.(*source)}, nil
}

func (s utf8Source) Lookup(ctx context.Context, d *sources.Dataset, keys []sources.Key, after sources.Position, limit sources.Limit) (sources.Page, error) {
	keys = slices.DeleteFunc(slices.Clone(keys), func(k sources.Key) bool {
		return slices.ContainsFunc(k, notUTF8)
	})
	return s.source.Lookup(ctx, d, keys, after, limit)
}

func (s utf8Source) Look(ctx context.Context, d *sources.Dataset, key, id sources.Key, how sources.Looking) (*sources.Image, error) {
	if slices.ContainsFunc(key, notUTF8) {
		now, err := s.clock(ctx)
		return &sources.Image{ReadAt: now}, err
	}
	return s.source.Look(ctx, d, key, id, how)
}

func (s utf8Source) Become(ctx context.Context, d *sources.Dataset, before *sources.Image, set []sources.Assignment) (*sources.Image, error) {
	for _, a := range set {
		if notUTF8(a.Value) {
			return nil, sources.Final(errors.New("the server takes valid UTF-8 alone"))
		}
	}
	return s.source.Become(ctx, d, before, set)
}

func notUTF8(v sources.Value) bool {
	return v.Kind() == sources.KindText && !utf8.ValidString(v.AsText())
}

func filterText(t testing.TB, filter bson.D) string {
	t.Helper()
	text, err := bson.MarshalExtJSON(filter, true, false)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// load puts a table of the suite into a collection. The sole key of a unique
// table becomes _id; others are fields beside an _id of their own.
func (s *shop) load(t testing.TB, table sourcetest.Table) sources.Dataset {
	t.Helper()
	d := sources.Dataset{Name: table.Name, Key: slices.Clone(table.Key), ID: slices.Clone(table.ID)}
	own := table.Unique && len(table.Key) == 1 && len(table.ID) == 0
	if own {
		d.Key[0] = "_id"
	}
	for _, c := range table.Columns {
		if !slices.Contains(table.Key, c.Name) && !slices.Contains(table.ID, c.Name) {
			d.Fields = append(d.Fields, c.Name)
		}
	}
	s = &shop{t: t, name: s.name, db: s.db} // whose failures end the suite's case
	s.create(table.Name)
	if !own && table.Indexed {
		s.index(table.Name, table.Unique, append(slices.Clone(table.Key), table.ID...)...)
	}
	if table.AlsoIndexed != "" {
		s.index(table.Name, false, table.AlsoIndexed)
	}
	var documents []any
	for n, row := range table.Rows {
		var names []string
		var values []bsoncore.Value
		if !own {
			names, values = append(names, "_id"), append(values, bsonInt(int64(n*7919%10_007)))
		}
		for i, v := range row {
			name := table.Columns[i].Name
			if own && name == table.Key[0] {
				name = "_id"
			}
			if v.IsAbsent() {
				continue
			}
			out, why := stored(v)
			if why != "" {
				t.Fatalf("%s: %s", v, why)
			}
			names, values = append(names, name), append(values, out)
		}
		documents = append(documents, bson.Raw(bsonDocument(names, values).Data))
	}
	s.insert(table.Name, documents...)
	return d
}
