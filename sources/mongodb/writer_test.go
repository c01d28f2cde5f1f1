package mongodb

import (
	"context"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
	"plumbline/sources/sourcetest"
)

func TestWriterConformance(t *testing.T) { sourcetest.RunWriter(t, writerHarness(t)) }

func TestSoakWriterConformance(t *testing.T) { sourcetest.SoakWriter(t, writerHarness(t)) }

func writerHarness(t *testing.T) sourcetest.WriterHarness {
	shop := newShop(t)
	h := sourcetest.WriterHarness{Harness: shop.harness(t), Change: shop.change, Remove: shop.remove, Count: shop.count,
		Dump: shop.dump, Changes: shop.changes, Zoo: shop.zoo, Hazards: shop.hazards}
	h.Cannot[sourcetest.CannotHoldLocks] = "a document is locked no longer than one command"
	return h
}

// change sets fields of a document by a connection of its own.
func (s *shop) change(t testing.TB, d *sources.Dataset, n int64, set map[string]sources.Value) {
	t.Helper()
	update := bson.D{}
	for name, v := range set {
		out, why := stored(v)
		switch {
		case v.IsAbsent():
			update = append(update, bson.E{Key: "$unset", Value: bson.D{{Key: name, Value: ""}}})
		case why != "":
			t.Fatalf("%s: %s", v, why)
		default:
			update = append(update, bson.E{Key: "$set", Value: bson.D{{Key: name, Value: rawValue(out)}}})
		}
	}
	for _, one := range update { // operators come once in an update
		if _, err := s.db.Collection(d.Name).UpdateOne(t.Context(), bson.D{{Key: "n", Value: n}}, bson.D{one}); err != nil {
			t.Fatalf("change a document of %s: %v", d.Name, err)
		}
	}
}

func (s *shop) remove(t testing.TB, d *sources.Dataset, n int64) {
	t.Helper()
	if _, err := s.db.Collection(d.Name).DeleteOne(t.Context(), bson.D{{Key: "n", Value: n}}); err != nil {
		t.Fatalf("remove a document of %s: %v", d.Name, err)
	}
}

func (s *shop) count(d *sources.Dataset, column string, n int64) error {
	done, err := s.db.Collection(d.Name).UpdateOne(context.Background(), bson.D{{Key: "n", Value: n}}, bson.D{{Key: "$inc", Value: bson.D{{Key: column, Value: int64(1)}}}})
	if err == nil && done.ModifiedCount != 1 {
		err = fmt.Errorf("%d documents were counted up", done.ModifiedCount)
	}
	return err
}

// dump is every document, member by member in the order of their names: a field
// that is taken away and comes back is the last.
func (s *shop) dump(t testing.TB, d *sources.Dataset) map[int64]string {
	t.Helper()
	out := map[int64]string{}
	for _, raw := range s.documents(t, d.Name) {
		var members []string
		err := elements(raw, func(name []byte, v bsoncore.Value) error {
			members = append(members, fmt.Sprintf("%s %s %s", name, v.Type, hex.EncodeToString(v.Data)))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(members)
		n, ok := raw.Lookup("n").AsInt64OK()
		if !ok {
			t.Fatalf("a document of %s has no serial", d.Name)
		}
		out[n] = strings.Join(members, "; ")
	}
	return out
}

// documents are those of a collection.
func (s *shop) documents(t testing.TB, collection string) (all []bson.Raw) {
	t.Helper()
	cursor, err := s.db.Collection(collection).Find(t.Context(), bson.D{}, options.Find().SetSort(byID()))
	if err != nil {
		t.Fatal(err)
	}
	if err := cursor.All(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// changes is how many writes the server has counted in a collection.
func (s *shop) changes(t testing.TB, d *sources.Dataset) int64 {
	t.Helper()
	cursor, err := s.db.Collection(d.Name).Aggregate(t.Context(), bson.A{doc("$collStats", doc("latencyStats", bson.D{}))})
	if err != nil {
		t.Fatal(err)
	}
	var stats []bson.Raw
	if err := cursor.All(t.Context(), &stats); err != nil || len(stats) != 1 {
		t.Fatalf("%d statistics of %s: %v", len(stats), d.Name, err)
	}
	n, ok := stats[0].Lookup("latencyStats", "writes", "ops").AsInt64OK()
	if !ok {
		t.Fatalf("%s is counted by nobody", d.Name)
	}
	return n
}

// zoo is BSON's types, each in values that the server calls equal, or nearly are.
func (s *shop) zoo(t testing.TB) (zoos []sourcetest.Zoo) {
	t.Helper()
	u := [16]byte{0: 0xab, 15: 1}
	kinds := map[string][]any{
		"int32":   {int32(0), int32(5), int32(-5), int32(math.MaxInt32), int32(math.MinInt32)},
		"int64":   {int64(0), int64(5), int64(math.MaxInt64), int64(math.MinInt64), int64(1) << 53},
		"double":  {0.0, 5.0, 0.1, -1e300, math.NaN(), math.Inf(1), math.Inf(-1), math.SmallestNonzeroFloat64},
		"decimal": {decimal(t, "0"), decimal(t, "5.00"), decimal(t, "0.1"), decimal(t, "-1E+30"), decimal(t, "NaN"), decimal(t, "Infinity"), decimal(t, "1234567890123456789012345678901234")},
		"string":  {"", "a", "A", "é", "é", "a\x00b", "$x", "a.b", strings.Repeat("x", 100_000)},
		"date":    {bson.DateTime(0), bson.DateTime(1500), bson.DateTime(-62135596800000), bson.DateTime(253402300799999)},
		"binary":  {bson.Binary{Data: []byte("x")}, bson.Binary{Data: []byte{}}, bson.Binary{Data: u[:]}},
		"legacy":  {bson.Binary{Subtype: 3, Data: u[:]}, bson.Binary{Subtype: 3, Data: make([]byte, 16)}},
		"uuid":    {bson.Binary{Subtype: 4, Data: u[:]}, bson.Binary{Subtype: 4, Data: make([]byte, 16)}},
		"oid":     {bson.NewObjectID(), bson.NewObjectID()},
		"bool":    {true, false, nil},
		"list":    {bson.A{}, bson.A{int32(1)}, bson.A{int64(1)}, bson.A{"a", nil, bson.D{{Key: "x", Value: int32(1)}}}},
		"lists":   {bson.A{1.0, bson.A{decimal(t, "1.0")}}, bson.A{0.0, bson.A{decimal(t, "0.1"), "x"}}, bson.A{bson.A{bson.A{}}}},
		"nested": {bson.D{}, bson.D{{Key: "a", Value: int32(1)}}, bson.D{{Key: "b", Value: int64(1)}, {Key: "a", Value: int64(1)}}, bson.D{{Key: "a.b", Value: 0.0}, {Key: "$c", Value: decimal(t, "0.0")}, {Key: "", Value: nil}},
			bson.D{{Key: "a", Value: bson.D{{Key: "b", Value: bson.A{bson.D{{Key: "c", Value: decimal(t, "1.00")}}}}}}}},
	}
	for name, values := range kinds {
		d := sources.Dataset{Name: "zoo_" + name, Key: []string{"k"}, Fields: []string{"n", "v"}}
		for n, v := range values {
			s.insert(d.Name, bson.D{{Key: "k", Value: n}, {Key: "n", Value: int64(n)}, {Key: "v", Value: v}})
		}
		zoos = append(zoos, sourcetest.Zoo{Dataset: d, Rows: len(values)})
	}
	return zoos
}

// hazards are collections that cannot be written without touching more, or at all.
func (s *shop) hazards(t testing.TB) (all []sourcetest.Hazardous) {
	t.Helper()
	s = &shop{t: t, name: s.name, db: s.db}
	dataset := func(name string) sources.Dataset {
		return sources.Dataset{Name: name, Key: []string{"_id"}, Fields: []string{"n", "sku", "address.city", "until"}}
	}
	add := func(name string, d sources.Dataset, fields []string, deletes, refused bool, kinds ...sources.HazardKind) {
		all = append(all, sourcetest.Hazardous{Name: name, Dataset: d, Fields: fields, Deletes: deletes, Refused: refused, Kinds: kinds})
	}
	fill := func(name string) {
		s.insert(name, bson.D{{Key: "_id", Value: 1}, {Key: "n", Value: 1}, {Key: "sku", Value: "a"}, {Key: "items", Value: bson.A{}}})
	}
	fill("h_plain")
	add("nothing", dataset("h_plain"), []string{"sku", "n"}, true, false)
	fill("h_unique")
	s.index("h_unique", true, "sku", "address")
	add("unique index", dataset("h_unique"), []string{"sku"}, false, false, sources.HazardUnique)
	add("unique index over what the field lies in", dataset("h_unique"), []string{"address.city"}, false, false, sources.HazardUnique)
	add("unique index over other fields", dataset("h_unique"), []string{"n"}, true, false)
	fill("h_expires")
	if err := s.db.RunCommand(t.Context(), bson.D{{Key: "createIndexes", Value: "h_expires"}, {Key: "indexes", Value: bson.A{
		bson.D{{Key: "key", Value: doc("until", 1)}, {Key: "name", Value: "until_1"}, {Key: "expireAfterSeconds", Value: 3600}}}}}).Err(); err != nil {
		t.Fatal(err)
	}
	add("index by which documents are deleted", dataset("h_expires"), []string{"until"}, false, false, sources.HazardTriggers)
	s.create("h_capped", options.CreateCollection().SetCapped(true).SetSizeInBytes(1<<16))
	fill("h_capped")
	add("capped collection", dataset("h_capped"), []string{"sku"}, false, true)
	if err := s.db.CreateView(t.Context(), "h_view", "h_plain", bson.A{}); err != nil {
		t.Fatal(err)
	}
	add("view", dataset("h_view"), []string{"sku"}, false, true)
	pipeline := dataset("h_plain")
	pipeline.Pipeline = `[{"$match": {}}]`
	add("pipeline", pipeline, []string{"sku"}, false, true)
	add("the key", dataset("h_plain"), []string{"_id"}, false, true)
	items := sources.Dataset{Name: "h_plain", Unwind: "items", Key: []string{"items.id"}, ID: []string{"_id"}, Fields: []string{"items.price", "sku"}}
	add("elements", items, []string{"items.price"}, false, false)
	add("elements to delete", items, []string{"items.price"}, true, true)
	add("what all elements share", items, []string{"sku"}, false, true)
	items.Where = `{"items.on": true}`
	add("elements under a condition", items, []string{"items.price"}, false, true)
	return all
}
