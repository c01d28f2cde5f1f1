package mongodb

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"plumbline/sources"
)

// writer opens the shop as a source that may write.
func (s *shop) writer() *source {
	return s.open(func(o *sources.Options) { o.Writable = true })
}

func (s *shop) look(w *source, d *sources.Dataset, key, id sources.Key, how sources.Looking) *sources.Image {
	s.t.Helper()
	image, err := w.Look(s.t.Context(), d, key, id, how)
	if err != nil {
		s.t.Fatalf("look: %v", err)
	}
	return image
}

func (s *shop) become(w *source, d *sources.Dataset, before *sources.Image, field string, v sources.Value) *sources.Image {
	s.t.Helper()
	after, err := w.Become(s.t.Context(), d, before, []sources.Assignment{{Field: field, Value: v}})
	if err != nil {
		s.t.Fatalf("become: %v", err)
	}
	return after
}

// write makes a change of a record from one image to another.
func (s *shop) write(w *source, d *sources.Dataset, key, id sources.Key, before, after *sources.Image) error {
	at := before.ReadAt
	if !before.Exists {
		at = after.ReadAt
	}
	return w.Write(s.t.Context(), d, &sources.Change{Key: key, ID: id, Before: before, After: after}, at.Add(time.Minute))
}

// set updates the one document of a collection.
func (s *shop) set(collection string, update any) {
	s.t.Helper()
	done, err := s.db.Collection(collection).UpdateOne(s.t.Context(), bson.D{}, update)
	if err != nil || done.MatchedCount != 1 {
		s.t.Fatalf("update %s: %v", collection, err)
	}
}

func (s *shop) sole(collection string) string {
	s.t.Helper()
	all := s.documents(s.t, collection)
	if len(all) != 1 {
		s.t.Fatalf("%s has %d documents", collection, len(all))
	}
	return string(all[0])
}

func refusal(err error) (stale, late, refused bool) {
	var not *sources.NotWritten
	if !errors.As(err, &not) {
		return false, false, false
	}
	return not.Stale, not.Late, !not.Stale && !not.Late
}

func TestNestedFieldsAreWrittenAloneAndTakenBack(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	w := shop.writer()
	key := sources.Key{sources.Int(1)}
	dataset := func(name string) sources.Dataset {
		return sources.Dataset{Name: name, Key: []string{"_id"}, Fields: []string{"address.city", "address.geo.lat", "list.x", "nothing.x"}}
	}
	d := dataset("there")
	shop.insert("there", bson.D{{Key: "_id", Value: 1}, {Key: "address", Value: bson.D{{Key: "zip", Value: "1"}, {Key: "city", Value: "A"}, {Key: "street", Value: "S"}}},
		{Key: "list", Value: bson.A{bson.D{{Key: "x", Value: 1}}}}, {Key: "nothing", Value: nil}})
	was := shop.sole("there")
	before := shop.look(w, &d, key, nil, sources.Looking{})
	after := shop.become(w, &d, before, "address.city", sources.Text("B"))
	if err := shop.write(w, &d, key, nil, before, after); err != nil {
		t.Fatal(err)
	}
	if got := shop.sole("there"); got != strings.Replace(was, "A\x00", "B\x00", 1) {
		t.Errorf("more than the city changed: %s", bson.Raw(got))
	}
	shop.set("there", doc("$set", doc("address.zip", "2"))) // no field of the dataset
	if err := shop.write(w, &d, key, nil, after, before); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"list.x", "nothing.x"} {
		if _, err := w.Become(t.Context(), &d, before, []sources.Assignment{{Field: field, Value: sources.Int(1)}}); sources.FailureOf(err) != sources.FailureFinal {
			t.Errorf("%s is assigned to: %v", field, err)
		}
	}
	shop.set("there", doc("$set", doc("list.0.y", 2)))
	if stale, _, _ := refusal(shop.write(w, &d, key, nil, before, after)); !stale {
		t.Error("a list that a field leads through changed, and the record was written")
	}

	d = dataset("made")
	shop.insert("made", bson.D{{Key: "_id", Value: 1}})
	was = shop.sole("made")
	before = shop.look(w, &d, key, nil, sources.Looking{})
	both := []sources.Assignment{{Field: "address.geo.lat", Value: sources.Float(1.5)}, {Field: "address.city", Value: sources.Text("B")}}
	after, err := w.Become(t.Context(), &d, before, both)
	if err != nil {
		t.Fatal(err)
	}
	if err := shop.write(w, &d, key, nil, before, after); err != nil {
		t.Fatal(err)
	}
	if now := shop.look(w, &d, key, nil, sources.Looking{}); string(now.Native) != string(after.Native) {
		t.Errorf("it holds something else than it was to become: %s", bson.Raw(shop.sole("made")))
	}
	shop.set("made", doc("$set", doc("address.geo.lon", 2.5)))
	if stale, _, _ := refusal(shop.write(w, &d, key, nil, after, before)); !stale || !strings.Contains(shop.sole("made"), "lon") {
		t.Error("a document that was made for a field was taken away with what others put there")
	}
	shop.set("made", doc("$unset", doc("address.geo.lon", "")))
	if err := shop.write(w, &d, key, nil, after, before); err != nil {
		t.Fatal(err)
	}
	if got := shop.sole("made"); got != was {
		t.Errorf("taken back, it is %s", bson.Raw(got))
	}
}

func TestWhatTheConditionsSayIsPartOfWhatWasLookedAt(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	w := shop.writer()
	key := sources.Key{sources.Int(1)}
	d := sources.Dataset{Name: "c", Key: []string{"_id"}, Fields: []string{"v"}, Filter: `{"kind": "a"}`, Where: `{"on": {"$ne": false}}`, DeletedWhen: `{"v": {"$lt": 0}}`}
	shop.insert("c", bson.D{{Key: "_id", Value: 1}, {Key: "v", Value: 1}, {Key: "on", Value: true}, {Key: "kind", Value: "a"}})
	before := shop.look(w, &d, key, nil, sources.Looking{Settled: true})
	after := shop.become(w, &d, before, "v", sources.Int(2))
	if before.Record.OutOfScope || before.Record.Deleted || after.Record.OutOfScope || after.Record.Deleted {
		t.Fatalf("looked at: %+v, %+v", before.Record, after.Record)
	}
	if gone := shop.become(w, &d, before, "v", sources.Int(-2)); !gone.Record.Deleted {
		t.Error("the record would be deleted, and nobody says so")
	}
	for _, field := range []bson.D{doc("on", false), doc("kind", "b")} {
		shop.set("c", doc("$set", field))
		if stale, _, _ := refusal(shop.write(w, &d, key, nil, before, after)); !stale {
			t.Errorf("with %v the record was written", field)
		}
		shop.set("c", doc("$set", bson.D{{Key: "on", Value: true}, {Key: "kind", Value: "a"}}))
	}
	if err := shop.write(w, &d, key, nil, before, after); err != nil {
		t.Fatal(err)
	}
}

func TestWhatTheStoreWouldRefuseIsRefused(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	w := shop.writer()
	key := sources.Key{sources.Int(1)}
	shop.create("v", options.CreateCollection().SetValidator(doc("v", doc("$lt", 10))))
	d := sources.Dataset{Name: "v", Key: []string{"_id"}, Fields: []string{"v"}}
	shop.insert("v", bson.D{{Key: "_id", Value: 1}, {Key: "v", Value: 1}})
	before := shop.look(w, &d, key, nil, sources.Looking{})
	shop.become(w, &d, before, "v", sources.Int(9))
	if _, err := w.Become(t.Context(), &d, before, []sources.Assignment{{Field: "v", Value: sources.Int(98765)}}); sources.FailureOf(err) != sources.FailureFinal {
		t.Errorf("a value that the validator refuses: %v", err)
	}
	p, err := w.prepared(&d)
	if err != nil {
		t.Fatal(err)
	}
	unjudged, _, err := p.become(before, []sources.Assignment{{Field: "v", Value: sources.Int(98765)}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, refused := refusal(shop.write(w, &d, key, nil, before, unjudged)); !refused {
		t.Error("what the validator refuses is not said to be refused")
	}

	shop.index("u", true, "sku")
	shop.insert("u", bson.D{{Key: "_id", Value: 1}, {Key: "sku", Value: "secret-a"}}, bson.D{{Key: "_id", Value: 2}, {Key: "sku", Value: "secret-b"}})
	d = sources.Dataset{Name: "u", Key: []string{"_id"}, Fields: []string{"sku"}}
	before = shop.look(w, &d, key, nil, sources.Looking{})
	twin := shop.become(w, &d, before, "sku", sources.Text("secret-b"))
	err = shop.write(w, &d, key, nil, before, twin)
	if _, _, refused := refusal(err); !refused || strings.Contains(err.Error(), "secret") {
		t.Errorf("a twin of a unique index: %v", err)
	}
	whole := shop.look(w, &d, key, nil, sources.Looking{Whole: true})
	if err := shop.write(w, &d, key, nil, whole, &sources.Image{}); err != nil {
		t.Fatal(err)
	}
	shop.insert("u", bson.D{{Key: "_id", Value: 3}, {Key: "sku", Value: "secret-a"}})
	err = shop.write(w, &d, key, nil, &sources.Image{}, whole)
	if _, _, refused := refusal(err); !refused || strings.Contains(err.Error(), "secret") {
		t.Errorf("a twin put back: %v", err)
	}
	late := w.Write(t.Context(), &d, &sources.Change{Key: key, Before: &sources.Image{}, After: whole}, whole.ReadAt.Add(-time.Second))
	if _, isLate, _ := refusal(late); !isLate || len(shop.documents(t, "u")) != 2 {
		t.Errorf("a document put back late: %v", late)
	}
}

func TestTheShardKeyIsAHazardWhereItIsWritten(t *testing.T) {
	t.Parallel()
	raw, err := bson.Marshal(doc("key", bson.D{{Key: "region", Value: 1}, {Key: "address.zip", Value: "hashed"}}))
	if err != nil {
		t.Fatal(err)
	}
	key := bson.Raw(raw).Lookup("key")
	for fields, want := range map[string]int{"region": 1, "address": 1, "address.city": 0, "region address.zip": 2, "regions": 0} {
		found := shardHazards(key, strings.Fields(fields))
		if len(found) != want || want > 0 && found[0].Kind != sources.HazardPartitions {
			t.Errorf("%s: %v", fields, found)
		}
	}
	if found := shardHazards(bson.RawValue{}, []string{"region"}); len(found) > 0 {
		t.Errorf("a collection on one shard: %v", found)
	}
}
