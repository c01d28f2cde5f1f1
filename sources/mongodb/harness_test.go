package mongodb

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
)

// server is the URL of the MongoDB that tests use.
func server(t testing.TB) string {
	t.Helper()
	u := os.Getenv("PLUMBLINE_TEST_MONGODB_URL")
	if u == "" {
		t.Fatal("run `make test`, which starts MongoDB's engine, or set PLUMBLINE_TEST_MONGODB_URL")
	}
	return u
}

// shop is a database of one test's own, dropped at its end.
type shop struct {
	t    testing.TB
	name string
	db   *mongo.Database
}

func newShop(t testing.TB) *shop {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(server(t)))
	if err != nil {
		t.Fatal(err)
	}
	random := make([]byte, 8)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	s := &shop{t: t, name: "plumbline_" + hex.EncodeToString(random)}
	s.db = client.Database(s.name)
	t.Cleanup(func() { // t.Context() is over by then
		if err := s.db.Drop(context.Background()); err != nil {
			t.Errorf("drop %s: %v", s.name, err)
		}
		if err := client.Disconnect(context.Background()); err != nil {
			t.Errorf("disconnect: %v", err)
		}
	})
	return s
}

// takesAnyText says whether the server takes strings that are no UTF-8, as mongod
// does; the embedded engine hangs up.
func (s *shop) takesAnyText() bool {
	_, err := s.db.Collection("any_text").InsertOne(s.t.Context(), bson.D{{Key: "v", Value: "\xff"}})
	return err == nil
}

// url reaches the shop at the server's own address.
func (s *shop) url() sources.Secret { return s.urlAt("") }

// urlAt reaches the shop at another address, where the server is reached too.
func (s *shop) urlAt(address string) sources.Secret {
	u, err := url.Parse(server(s.t))
	if err != nil {
		s.t.Fatal(err)
	}
	if address != "" {
		u.Host = address
	}
	u.Path = "/" + s.name
	return sources.Secret(u.String())
}

// open opens the shop as a source, closed at the test's end.
func (s *shop) open(change ...func(*sources.Options)) *source {
	s.t.Helper()
	o := sources.Options{Name: "shop", URL: s.url()}
	for _, c := range change {
		c(&o)
	}
	opened, err := Open(o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			s.t.Errorf("close: %v", err)
		}
	})
	return opened.(*source)
}

// insert puts documents into a collection.
func (s *shop) insert(collection string, documents ...any) {
	s.t.Helper()
	for len(documents) > 0 {
		n, size := 0, 0
		for n < len(documents) && n < 10_000 && size < 12<<20 {
			if raw, ok := documents[n].(bson.Raw); ok {
				size += len(raw)
			}
			n++
		}
		if _, err := s.db.Collection(collection).InsertMany(s.t.Context(), documents[:n]); err != nil {
			s.t.Fatalf("insert into %s: %v", collection, err)
		}
		documents = documents[n:]
	}
}

// create makes an empty collection.
func (s *shop) create(name string, o ...options.Lister[options.CreateCollectionOptions]) {
	s.t.Helper()
	if err := s.db.CreateCollection(s.t.Context(), name, o...); err != nil {
		s.t.Fatalf("create %s: %v", name, err)
	}
}

// index makes an index.
func (s *shop) index(collection string, unique bool, keys ...string) {
	s.t.Helper()
	spec := bson.D{}
	for _, k := range keys {
		spec = append(spec, bson.E{Key: k, Value: 1})
	}
	if _, err := s.db.Collection(collection).Indexes().CreateOne(s.t.Context(), mongo.IndexModel{Keys: spec, Options: options.Index().SetUnique(unique)}); err != nil {
		s.t.Fatalf("index %s: %v", collection, err)
	}
}

// stored writes a value as BSON of its own type; why says why there is none.
func stored(v sources.Value) (out bsoncore.Value, why string) {
	switch v.Kind() {
	case sources.KindNull:
		return bsoncore.Value{Type: bsoncore.TypeNull}, ""
	case sources.KindFloat:
		return bsonDouble(v.AsFloat()), ""
	case sources.KindDecimal:
		return storedDecimal(v)
	case sources.KindBytes:
		return bsonBinary(bson.TypeBinaryGeneric, []byte(v.AsText())), ""
	case sources.KindList, sources.KindDocument:
		return storedNested(v)
	}
	forms, err := exactForms(v)
	if err != nil || len(forms) == 0 {
		return bsoncore.Value{}, "BSON has no such type or precision"
	}
	return forms[0], ""
}

func storedDecimal(v sources.Value) (bsoncore.Value, string) {
	for name, special := range map[string]bool{"NaN": v.NaN(), "Infinity": v.Infinite() > 0, "-Infinity": v.Infinite() < 0} {
		if special {
			d, err := bson.ParseDecimal128(name)
			if err != nil {
				return bsoncore.Value{}, err.Error()
			}
			return bsonDecimal(d), ""
		}
	}
	if d, ok := decimal128(v); ok {
		return bsonDecimal(d), ""
	}
	return bsoncore.Value{}, "a decimal128 has 34 digits"
}

func storedNested(v sources.Value) (bsoncore.Value, string) {
	var names []string
	var values []bsoncore.Value
	for i, item := range v.Items() {
		inner, why := stored(item)
		if why != "" {
			return inner, why
		}
		names, values = append(names, fmt.Sprint(i)), append(values, inner)
	}
	for _, f := range v.Fields() {
		inner, why := stored(f.Value)
		if why != "" || strings.Contains(f.Name, "\x00") {
			return inner, why + " or the name has a zero byte"
		}
		names, values = append(names, f.Name), append(values, inner)
	}
	out := bsonDocument(names, values)
	if v.Kind() == sources.KindList {
		out.Type = bsoncore.TypeArray
	}
	return out, ""
}
