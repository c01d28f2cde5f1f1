package mongodb

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
)

// flagged are datasets over one collection, in each form whose conditions are
// evaluated apart from its read. Each document is version v, on exactly where v
// is even: a record that says otherwise is of two moments.
func flagged(s *shop) map[string]sources.Dataset {
	s.t.Helper()
	if err := s.db.CreateView(s.t.Context(), "view", "flagged", bson.A{}); err != nil {
		s.t.Fatal(err)
	}
	plain := sources.Dataset{Name: "flagged", Key: []string{"_id"}, Fields: []string{"v"}}
	piped, view, unwound, lined := plain, plain, plain, plain
	piped.Pipeline = `[{"$match": {"_id": {"$gte": 0}}}]`
	view.Name = "view"
	unwound.Unwind, unwound.Key, unwound.ID, unwound.Fields = "items", []string{"items.k"}, []string{"_id"}, []string{"items.v"}
	lined = unwound
	lined.Name = "view"
	return map[string]sources.Dataset{"collection": plain, "pipeline": piped, "view": view, "unwound": unwound, "unwound view": lined}
}

// version is a document of flagged; its second element never changes.
func version(id, v int64) bson.D {
	state := []string{"on", "off"}[v%2]
	return bson.D{{Key: "_id", Value: id}, {Key: "v", Value: v}, {Key: "state", Value: state}, {Key: "items", Value: bson.A{
		bson.D{{Key: "k", Value: id}, {Key: "v", Value: v}, {Key: "state", Value: state}},
		bson.D{{Key: "k", Value: id + 1000}, {Key: "v", Value: int64(0)}, {Key: "state", Value: "on"}}}}}
}

// with adds the conditions: in scope while on, and deleted while off.
func with(d sources.Dataset, where, deletedWhen bool) sources.Dataset {
	prefix := ""
	if d.Unwind != "" {
		prefix = "items."
	}
	if where {
		d.Where = fmt.Sprintf(`{"%sstate": "on"}`, prefix)
	}
	if deletedWhen {
		d.DeletedWhen = fmt.Sprintf(`{"%sstate": {"$ne": "on"}}`, prefix)
	}
	return d
}

// agree checks that what is said of each record is so of its version.
func agree(t *testing.T, what string, d *sources.Dataset, records []sources.Record) {
	t.Helper()
	for _, r := range records {
		off := r.Fields[0].AsInt()%2 == 1
		if r.OutOfScope != (off && d.Where != "") || r.Deleted != (off && d.DeletedWhen != "") || r.Unreadable != "" || r.Skipped != "" {
			t.Errorf("%s: a record of version %s came with OutOfScope %v, Deleted %v, %q, %q", what, r.Fields[0], r.OutOfScope, r.Deleted, r.Unreadable, r.Skipped)
		}
	}
}

// between opens the shop so that act runs before the second and every later read
// of the collection or its view.
func (s *shop) between(act func()) (src *source, reads *atomic.Int64) {
	src, reads = s.open(), &atomic.Int64{}
	src.options.SetMonitor(&event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		if name := e.CommandName; name != "find" && name != "aggregate" {
			return
		}
		if of := e.Command.Lookup(e.CommandName).StringValue(); (of == "flagged" || of == "view") && reads.Add(1) > 1 {
			act()
		}
	}})
	return src, reads
}

// A document that changes while a page is read is delivered as it was at one
// moment: never its older values with what a condition says of its newer self.
func TestConditionsAreOfTheSameMomentAsTheValues(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	datasets := flagged(shop)
	coll := shop.db.Collection("flagged")
	for name, plain := range datasets {
		for _, flags := range [][2]bool{{true, false}, {false, true}, {true, true}} {
			d := with(plain, flags[0], flags[1])
			var v int64
			write := func() {
				v++
				for id := range int64(3) {
					if _, err := coll.ReplaceOne(context.Background(), bson.D{{Key: "_id", Value: id}}, version(id, v)); err != nil {
						t.Error(err)
					}
				}
			}
			for _, read := range []string{"scan", "scan in scope", "lookup"} {
				if err := coll.Drop(t.Context()); err != nil {
					t.Fatal(err)
				}
				shop.insert("flagged", version(0, 0), version(1, 0), version(2, 0))
				v = 0
				src, reads := shop.between(write)
				if _, _, err := src.ready(t.Context(), &d); err != nil { // which reads the collection too
					t.Fatal(err)
				}
				reads.Store(0)
				what := fmt.Sprintf("%s of a %s, where %v, deleted_when %v", read, name, flags[0], flags[1])
				var page sources.Page
				var err error
				limit := sources.Limit{Records: 50, Bytes: plenty}
				if read == "lookup" {
					page, err = src.Lookup(t.Context(), &d, ints(0, 1, 2, 1000, 1001, 1002), nil, limit)
				} else {
					page, err = src.Scan(t.Context(), &d, sources.ScanRequest{Limit: limit, InScopeOnly: read == "scan in scope"})
				}
				if err != nil {
					t.Fatal(err)
				}
				agree(t, what, &d, page.Records)
				most := 3
				if plain.Unwind != "" {
					most = 6
				}
				all := read != "scan in scope" || d.Where == "" || v == 0 // nothing may be filtered out
				if len(page.Records) > most || all && len(page.Records) < most {
					t.Errorf("%s: %d records", what, len(page.Records))
				}
				if reads.Load() < 2 && (read != "scan in scope" || d.DeletedWhen != "") {
					t.Errorf("%s: nothing was written between the reads", what)
				}
			}
		}
	}
}

// A document that is taken away, moved out of the filter or given another key
// while a page is read is not delivered as what it no longer is.
func TestWhatLeavesADatasetBetweenTheReads(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	datasets := flagged(shop)
	coll := shop.db.Collection("flagged")
	for name, act := range map[string]func() error{
		"deleted": func() error {
			_, err := coll.DeleteOne(context.Background(), bson.D{{Key: "_id", Value: 1}})
			return err
		},
		"moved out of the scope and the filter": func() error {
			_, err := coll.UpdateOne(context.Background(), bson.D{{Key: "_id", Value: 1}}, bson.D{{Key: "$set", Value: bson.D{{Key: "v", Value: 5}}}})
			return err
		},
	} {
		for form, plain := range datasets {
			d := with(plain, true, true)
			d.Key, d.ID, d.Fields, d.Unwind = []string{"_id"}, nil, []string{"v"}, ""
			d.Where, d.DeletedWhen = `{"state": "on"}`, `{"state": "off"}`
			d.Scope = []sources.Condition{{Field: "v", Value: sources.Int(0)}}
			if err := coll.Drop(t.Context()); err != nil {
				t.Fatal(err)
			}
			shop.insert("flagged", version(0, 0), version(1, 0), version(2, 0))
			src, reads := shop.between(func() {
				if err := act(); err != nil {
					t.Error(err)
				}
			})
			if _, _, err := src.ready(t.Context(), &d); err != nil {
				t.Fatal(err)
			}
			reads.Store(0)
			page, err := src.Scan(t.Context(), &d, sources.ScanRequest{Limit: sources.Limit{Records: 50, Bytes: plenty}})
			if got := strings.Join(lines(page.Records), " "); err != nil || !page.Done || got != "0||0 2||0" {
				t.Errorf("%s in a %s: %s, %v", name, form, got, err)
			}
		}
	}
}

// Writers that never rest: every page, of every size, is of one moment per record.
func TestConditionsWhileWritersWrite(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	datasets := flagged(shop)
	const documents = 40
	for id := range int64(documents) {
		shop.insert("flagged", version(id, 0))
	}
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	var written atomic.Int64
	for w := range int64(2) {
		writers.Go(func() {
			for v := int64(1); ctx.Err() == nil; v++ {
				id := (v*7 + w*20) % documents
				if _, err := shop.db.Collection("flagged").ReplaceOne(context.Background(), bson.D{{Key: "_id", Value: id}}, version(id, v)); err != nil {
					t.Error(err)
					return
				}
				written.Add(1)
			}
		})
	}
	src := shop.open()
	for name, plain := range datasets {
		d := with(plain, true, true)
		want := documents
		if plain.Unwind != "" {
			want = 2 * documents
		}
		for round := range 8 {
			records := scanned(t, src, &d, sources.Span{}, 3+round*7)
			agree(t, "scan of a "+name, &d, records)
			if len(records) != want {
				t.Errorf("scan of a %s: %d records of %d", name, len(records), want)
			}
			agree(t, "lookup in a "+name, &d, looked(t, src, &d, ints(1, 2, 3, 5, 8, 13, 21, 1001), 50))
		}
	}
	stop()
	writers.Wait()
	t.Logf("%d writes meanwhile", written.Load())
	if written.Load() < 100 {
		t.Error("the writers hardly wrote")
	}
}

// Documents as large as they may be are judged too.
func TestConditionsOfLargeDocuments(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	src := shop.open()
	var elements bson.A
	for n := range int64(130_000) {
		elements = append(elements, bson.D{{Key: "k", Value: n}, {Key: "t", Value: "words of an element, as many do have"}, {Key: "v", Value: n % 2}})
	}
	shop.insert("large", bson.D{{Key: "_id", Value: 1}, {Key: "items", Value: elements}, {Key: "more", Value: strings.Repeat("x", 2<<20)}},
		bson.D{{Key: "_id", Value: 2}, {Key: "more", Value: strings.Repeat("y", 16<<20-100)}}, bson.D{{Key: "_id", Value: 3}, {Key: "more", Value: strings.Repeat("z", 12<<20)}})
	whole := sources.Dataset{Name: "large", Key: []string{"_id"}, Fields: []string{"more"}, DeletedWhen: `{"_id": 2}`}
	for form, pipeline := range map[string]string{"collection": "", "pipeline": `[{"$match": {}}]`} {
		d := whole
		d.Pipeline = pipeline
		records := scanned(t, src, &d, sources.Span{}, 50)
		if len(records) != 3 || records[0].Deleted || !records[1].Deleted || records[2].Deleted || records[1].Fields[0].Len() != 16<<20-100 {
			t.Errorf("%s: %d records", form, len(records))
		}
	}
	d := sources.Dataset{Name: "large", Unwind: "items", Key: []string{"items.k"}, Fields: []string{"items.v"}, Where: `{"items.v": 0}`, DeletedWhen: `{"items.v": 1}`}
	records := scanned(t, src, &d, sources.Span{}, 200_000)
	agree(t, "many elements", &d, records)
	if len(records) != len(elements) {
		t.Errorf("%d elements", len(records))
	}
}

// What the first read finds unreadable stays so, whatever the server makes of it
// in the second.
func TestConditionsOfUnreadableDocuments(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	src := shop.open()
	shop.insert("unreadable", bson.D{{Key: "_id", Value: int64(1)}, {Key: "v", Value: 3}}, bson.D{{Key: "_id", Value: int64(2)}, {Key: "v", Value: bson.Regex{Pattern: "x"}}})
	d := sources.Dataset{Name: "unreadable", Key: []string{"_id"}, Fields: []string{"v"}, DeletedWhen: `{"_id": 2}`}
	p, err := src.prepared(&d)
	if err != nil {
		t.Fatal(err)
	}
	b := src.builder(p, false, sources.Limit{Records: 5, Bytes: plenty})
	for _, read := range []bsoncore.Value{
		bsonDocument([]string{"_id", "v", "v"}, []bsoncore.Value{bsonInt(1), bsonInt(2), bsonInt(3)}),
		bsonDocument([]string{"_id", "v"}, []bsoncore.Value{bsonInt(2), bsonInt(2)}),
	} {
		if _, err := b.add(read.Data); err != nil {
			t.Fatal(err)
		}
	}
	page, err := src.finish(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "a name twice, and a value of no kind", lines(page.Records), []string{"1||3 unreadable", "2||absent unreadable deleted"})
}
