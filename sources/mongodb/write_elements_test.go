package mongodb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"plumbline/sources"
)

// basket is a dataset over the items of one basket.
func basket(s *shop, name string, items ...any) sources.Dataset {
	s.insert(name, bson.D{{Key: "_id", Value: "b"}, {Key: "owner", Value: "x"}, {Key: "items", Value: bson.A(items)}, {Key: "note", Value: "n"}})
	return sources.Dataset{Name: name, Unwind: "items", Key: []string{"items.productId"}, ID: []string{"_id", "items.id"}, Fields: []string{"items.state", "items.size.cm"}}
}

func TestAnElementIsWrittenAndNothingBesideIt(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	w := shop.writer()
	d := basket(shop, "c", "no document", element(1, 7, "old1"), element(2, int64(7), "old2"), element("2", 7.0, "old3"), element(3, 8, "old4"))
	key, id := sources.Key{sources.Int(7)}, sources.Key{sources.Text("b"), sources.Int(2)}
	was := shop.sole("c")
	before := shop.look(w, &d, key, id, sources.Looking{})
	after := shop.become(w, &d, before, "items.state", sources.Text("new2"))
	if p, err := w.Preview(&d, &sources.Change{Key: key, ID: id, Before: before, After: after}); err != nil ||
		p.Text != `db.getCollection("c").updateOne({"items.productId": ?1, "_id": ?2, "items.id": ?3, "items.state": ?4, "items.size.cm": {$exists: false}, $expr: {$lt: ["$$NOW", until]}}, {$set: {"items.$.state": ?5}})` || len(p.Args) != 5 {
		t.Errorf("preview: %s, %v, %v", p.Text, p.Args, err)
	}
	if err := shop.write(w, &d, key, id, before, after); err != nil {
		t.Fatal(err)
	}
	if got := shop.sole("c"); got != strings.Replace(was, "old2", "new2", 1) {
		t.Errorf("%s became %s", bson.Raw(was), bson.Raw(got))
	}
	if stale, _, _ := refusal(shop.write(w, &d, key, id, before, after)); !stale {
		t.Error("an element was written twice")
	}
	if err := shop.write(w, &d, key, id, after, before); err != nil {
		t.Fatal(err)
	}
	made := shop.become(w, &d, before, "items.size.cm", sources.Int(4))
	for _, images := range [][2]*sources.Image{{before, made}, {made, before}} {
		if err := shop.write(w, &d, key, id, images[0], images[1]); err != nil {
			t.Fatal(err)
		}
	}
	if got := shop.sole("c"); got != was {
		t.Errorf("taken back, %s is %s", bson.Raw(was), bson.Raw(got))
	}
}

func TestAnElementIsFoundWhereverItWentAndStaleWhereItChanged(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	w := shop.writer()
	key, id := sources.Key{sources.Int(7)}, sources.Key{sources.Text("b"), sources.Int(2)}
	push := func(at int, e bson.D) bson.D {
		return doc("$push", doc("items", bson.D{{Key: "$each", Value: bson.A{e}}, {Key: "$position", Value: at}}))
	}
	tests := map[string]struct {
		update any
		stale  bool
	}{
		"nothing":                    {doc("$set", doc("note", "m")), false},
		"another element changed":    {doc("$set", doc("items.0.state", "off")), false},
		"an element came before":     {push(0, element(9, 9, "on")), false},
		"an element before is gone":  {doc("$pull", doc("items", doc("id", 1))), false},
		"its state changed":          {doc("$set", doc("items.1.state", "off")), true},
		"its state is of a new type": {doc("$set", doc("items.1.state", bson.Symbol("on"))), true},
		"its id is of a new type":    {doc("$set", doc("items.1.id", 2.0)), true},
		"it is gone":                 {doc("$pull", doc("items", doc("id", 2))), true},
		"it has a twin":              {push(0, element(2.0, int64(7), "on")), true},
		"the list is a document":     {doc("$set", doc("items", element(2, 7, "on"))), true},
		"the list is gone":           {doc("$unset", doc("items", "")), true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			shop := *shop
			shop.t = t
			d := basket(&shop, strings.ReplaceAll(name, " ", "_"), element(1, 7, "on"), element(2, 7, "on"))
			before := shop.look(w, &d, key, id, sources.Looking{})
			after := shop.become(w, &d, before, "items.state", sources.Text("new"))
			shop.set(d.Name, test.update)
			was := shop.sole(d.Name)
			err := shop.write(w, &d, key, id, before, after)
			if stale, _, _ := refusal(err); stale != test.stale || stale == (err == nil) {
				t.Errorf("written: %v", err)
			}
			if now := shop.sole(d.Name); (now == was) != test.stale || strings.Count(now, "new") > 1 {
				t.Errorf("%s became %s", bson.Raw(was), bson.Raw(now))
			}
		})
	}
}

func TestElementsThatNobodyCanTellApartAreNotLookedAt(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	w := shop.writer()
	d := basket(shop, "c", element(1, 7, "a"), element(1.0, 7, "b"), element(2, 7, "c"))
	var many *sources.ManyError
	if _, err := w.Look(t.Context(), &d, sources.Key{sources.Int(7)}, sources.Key{sources.Text("b"), sources.Int(1)}, sources.Looking{}); !errors.As(err, &many) {
		t.Errorf("two elements of one id: %v", err)
	}
	for name, items := range map[string]any{"list of lists": bson.A{bson.D{{Key: "items", Value: bson.A{element(1, 7, "a")}}}}, "document": bson.D{{Key: "items", Value: element(1, 7, "a")}}} {
		c := strings.ReplaceAll(name, " ", "_")
		shop.insert(c, bson.D{{Key: "_id", Value: "b"}, {Key: "in", Value: items}})
		nested := sources.Dataset{Name: c, Unwind: "in.items", Key: []string{"in.items.productId"}, ID: []string{"_id"}, Fields: []string{"in.items.state"}}
		if _, err := w.Look(t.Context(), &nested, sources.Key{sources.Int(7)}, sources.Key{sources.Text("b")}, sources.Looking{}); sources.FailureOf(err) != sources.FailureFinal {
			t.Errorf("%s: %v", name, err)
		}
	}
	whole := basket(shop, "whole", element(1, 7, "a"), element(2, 7, "b"))
	whole.Fields = append(whole.Fields, "items") // the element itself, beside one of its fields
	key, id := sources.Key{sources.Int(7)}, sources.Key{sources.Text("b"), sources.Int(2)}
	before := shop.look(w, &whole, key, id, sources.Looking{})
	was := shop.sole("whole")
	if err := shop.write(w, &whole, key, id, before, shop.become(w, &whole, before, "items.state", sources.Text("c"))); err != nil {
		t.Fatal(err)
	}
	if got := shop.sole("whole"); got != strings.Replace(was, "state\x00\x02\x00\x00\x00b", "state\x00\x02\x00\x00\x00c", 1) {
		t.Errorf("%s became %s", bson.Raw(was), bson.Raw(got))
	}
	shop.insert("deep", bson.D{{Key: "_id", Value: "b"}, {Key: "in", Value: bson.D{{Key: "items", Value: bson.A{element(1, 7, "a"), element(2, 8, "b")}}}}})
	deep := sources.Dataset{Name: "deep", Unwind: "in.items", Key: []string{"in.items.productId"}, ID: []string{"_id"}, Fields: []string{"in.items.state"}}
	key, id = sources.Key{sources.Int(8)}, sources.Key{sources.Text("b")}
	before = shop.look(w, &deep, key, id, sources.Looking{})
	if err := shop.write(w, &deep, key, id, before, shop.become(w, &deep, before, "in.items.state", sources.Text("new"))); err != nil {
		t.Fatal(err)
	}
	if now := shop.look(w, &deep, key, id, sources.Looking{}); now.Record.Fields[0].AsText() != "new" {
		t.Errorf("the element of a list in a document holds %s", now.Record.Fields[0])
	}
}

// TestNoChangeOfAnElementIsLost lets other hands count up, move, add and take away
// elements while one is written again and again.
func TestNoChangeOfAnElementIsLost(t *testing.T) {
	t.Parallel()
	elementsUnderWriters(t, 1000)
}

func TestSoakNoChangeOfAnElementIsLost(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return
	}
	elementsUnderWriters(t, 10_000)
}

func elementsUnderWriters(t *testing.T, trials int) {
	shop := newShop(t)
	w := shop.writer()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	item := func(id int) bson.D {
		return bson.D{{Key: "id", Value: id}, {Key: "productId", Value: 7}, {Key: "n", Value: int64(0)}, {Key: "price", Value: int64(0)}}
	}
	shop.insert("c", bson.D{{Key: "_id", Value: "b"}, {Key: "items", Value: bson.A{item(1), item(2), item(3)}}})
	d := sources.Dataset{Name: "c", Unwind: "items", Key: []string{"items.productId"}, ID: []string{"_id", "items.id"}, Fields: []string{"items.n", "items.price"}}
	ctx, stop := context.WithCancel(t.Context())
	counted := make([]int64, 4)
	var hands sync.WaitGroup
	hands.Go(func() {
		random := rand.New(rand.NewPCG(seed, 1))
		for ctx.Err() == nil {
			id := 1 + random.IntN(3)
			var err error
			switch random.IntN(3) {
			case 0, 1: // counts are fields, so a written element must not have been counted up since
				_, err = shop.db.Collection("c").UpdateOne(t.Context(), doc("items.id", id), doc("$inc", doc("items.$.n", int64(1))))
				counted[id]++
			case 2:
				_, err = shop.db.Collection("c").UpdateOne(t.Context(), bson.D{}, doc("$push", doc("items", bson.D{{Key: "$each", Value: bson.A{bson.D{{Key: "id", Value: 99}}}}, {Key: "$position", Value: random.IntN(3)}})))
				if err == nil {
					_, err = shop.db.Collection("c").UpdateOne(t.Context(), bson.D{}, doc("$pull", doc("items", doc("id", 99))))
				}
			}
			if err != nil {
				t.Errorf("other hands: %v", err)
				return
			}
		}
	})
	random := rand.New(rand.NewPCG(seed, 2))
	written := make([]int64, 4)
	stale := 0
	for range trials {
		id := 1 + random.IntN(3)
		key, own := sources.Key{sources.Int(7)}, sources.Key{sources.Text("b"), sources.Int(int64(id))}
		before := shop.look(w, &d, key, own, sources.Looking{})
		after := shop.become(w, &d, before, "items.price", sources.Int(written[id]+1))
		if !sources.Int(written[id]).Equal(before.Record.Fields[1]) {
			t.Fatalf("element %d has the price %s after %d writes", id, before.Record.Fields[1], written[id])
		}
		err := shop.write(w, &d, key, own, before, after)
		if isStale, _, _ := refusal(err); isStale {
			stale++
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		written[id]++
	}
	stop()
	hands.Wait()
	for id := 1; id <= 3; id++ {
		now := shop.look(w, &d, sources.Key{sources.Int(7)}, sources.Key{sources.Text("b"), sources.Int(int64(id))}, sources.Looking{})
		if got, want := fmt.Sprint(now.Record.Fields[0], now.Record.Fields[1]), fmt.Sprint(sources.Int(counted[id]), sources.Int(written[id])); got != want {
			t.Errorf("element %d holds %s, not %s", id, got, want)
		}
	}
	t.Logf("%d interleavings: %d written, %d stale, while other hands counted %d times; none lost", trials, int64(trials)-int64(stale), stale, counted[1]+counted[2]+counted[3])
}
