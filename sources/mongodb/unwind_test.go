package mongodb

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"plumbline/sources"
)

// element is an element of a basket.
func element(id any, product any, state string) bson.D {
	return bson.D{{Key: "id", Value: id}, {Key: "productId", Value: product}, {Key: "state", Value: state}}
}

// baskets are documents with an array in every form that it can have.
func baskets(s *shop) sources.Dataset {
	s.insert("baskets",
		bson.D{{Key: "_id", Value: 1}, {Key: "tenant", Value: "eu"}, {Key: "items", Value: bson.A{element(1, 7, "on"), element(2, 8, "gone"), element(3, 7, "off")}}},
		bson.D{{Key: "_id", Value: 2}, {Key: "tenant", Value: "us"}, {Key: "items", Value: bson.A{element(1, 7, "on")}}},
		bson.D{{Key: "_id", Value: 3}, {Key: "tenant", Value: "eu"}, {Key: "items", Value: bson.A{}}},
		bson.D{{Key: "_id", Value: 4}, {Key: "tenant", Value: "eu"}},
		bson.D{{Key: "_id", Value: 5}, {Key: "tenant", Value: "eu"}, {Key: "items", Value: nil}},
		bson.D{{Key: "_id", Value: 6}, {Key: "tenant", Value: "eu"}, {Key: "items", Value: element(9, 7, "on")}},
		bson.D{{Key: "_id", Value: 7}, {Key: "tenant", Value: "eu"}, {Key: "items", Value: bson.A{"no document", element(2, 8.0, "on"), nil, bson.A{element(4, 7, "on")}, element(5, nil, "gone")}}},
		bson.D{{Key: "_id", Value: "8"}, {Key: "tenant", Value: "eu"}, {Key: "items", Value: bson.A{bson.D{{Key: "id", Value: 1}}, element(2, "7", "on")}}},
	)
	return sources.Dataset{Name: "baskets", Unwind: "items", Key: []string{"items.productId"}, ID: []string{"_id", "items.id"}, Fields: []string{"items.state", "tenant"}}
}

func TestElementsOfArraysAreRecords(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	d := baskets(shop)
	want := []string{
		"7|1,1|on,eu", "8|1,2|gone,eu", "7|1,3|off,eu", "7|2,1|on,us", "7|6,9|on,eu",
		"absent|7,absent|absent,eu unreadable", "8|7,2|on,eu", "absent|7,absent|absent,eu unreadable", "absent|7,absent|absent,eu unreadable", "null|7,5|gone,eu",
		"absent|8,1|absent,eu", "7|8,2|on,eu",
	}
	for page := 1; page < 14; page++ {
		same(t, fmt.Sprintf("pages of %d", page), lines(scanned(t, source, &d, sources.Span{}, page)), want)
		got := lines(looked(t, source, &d, ints(7), page))
		slices.Sort(got)
		same(t, fmt.Sprintf("lookup by %d", page), got, []string{"7|1,1|on,eu", "7|1,3|off,eu", "7|2,1|on,us", "7|6,9|on,eu"})
	}
	same(t, "lookup of a text", lines(looked(t, source, &d, []sources.Key{{sources.Text("7")}, {sources.Int(99)}}, 5)), []string{"7|8,2|on,eu"})
	same(t, "lookup by a fraction", lines(looked(t, source, &d, []sources.Key{{sources.Float(7.5)}}, 5)), nil)
	for _, r := range scanned(t, source, &d, sources.Span{}, 100) {
		if r.Unreadable != "" && !strings.Contains(r.Unreadable, "no document") {
			t.Errorf("unreadable: %s", r.Unreadable)
		}
	}
	scope := d
	scope.Scope = []sources.Condition{{Field: "tenant", Value: sources.Text("eu")}, {Field: "items.state", Value: sources.Text("on")}}
	same(t, "scope of document and element", lines(scanned(t, source, &scope, sources.Span{}, 2)), []string{"7|1,1|on,eu", "7|6,9|on,eu", "8|7,2|on,eu", "7|8,2|on,eu"})
	filter := d
	filter.Filter = `{"_id": {"$type": "number", "$lte": 2}}`
	same(t, "filter of documents", lines(scanned(t, source, &filter, sources.Span{}, 1)), want[:4])
}

func TestConditionsAreJudgedForEachElement(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	d := baskets(shop)
	d.Where = `{"$or": [{"items.state": "on", "tenant": "eu"}, {"items.id": 3}]}`
	d.DeletedWhen = `{"items.state": "gone"}`
	all := []string{
		"7|1,1|on,eu", "8|1,2|gone,eu out deleted", "7|1,3|off,eu", "7|2,1|on,us out", "7|6,9|on,eu",
		"absent|7,absent|absent,eu out unreadable", "8|7,2|on,eu", "absent|7,absent|absent,eu out unreadable", "absent|7,absent|absent,eu unreadable", "null|7,5|gone,eu out deleted",
		"absent|8,1|absent,eu out", "7|8,2|on,eu",
	}
	word := func(got []string) []string { // "out" and "unreadable" come in either order
		for i := range got {
			got[i] = strings.Replace(got[i], " unreadable out", " out unreadable", 1)
		}
		return got
	}
	for _, page := range []int{1, 2, 5, 50} {
		same(t, "scan", word(lines(scanned(t, source, &d, sources.Span{}, page))), all)
		r := sources.ScanRequest{Limit: sources.Limit{Records: page, Bytes: plenty}, InScopeOnly: true}
		var in []string
		for _, l := range all {
			if !strings.Contains(l, " out") {
				in = append(in, l)
			}
		}
		same(t, "scan of what is in scope", lines(scannedAs(t, source, &d, r)), in)
	}
	same(t, "lookup", lines(looked(t, source, &d, ints(8), 50)), []string{"8|1,2|gone,eu out deleted", "8|7,2|on,eu"})
}

func TestArraysInArraysAndElementsThemselves(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	item := func(sku string) bson.D { return bson.D{{Key: "sku", Value: sku}} }
	shop.insert("orders",
		bson.D{{Key: "_id", Value: 1}, {Key: "box", Value: bson.D{{Key: "no", Value: 1}, {Key: "items", Value: bson.A{item("a"), item("b")}}}}},
		bson.D{{Key: "_id", Value: 2}, {Key: "box", Value: bson.A{
			bson.D{{Key: "no", Value: 1}, {Key: "items", Value: bson.A{item("c")}}},
			"not a box",
			bson.D{{Key: "no", Value: 2}, {Key: "items", Value: item("d")}},
			bson.D{{Key: "no", Value: 3}, {Key: "items", Value: bson.A{item("e"), item("f")}}},
		}}},
		bson.D{{Key: "_id", Value: 3}, {Key: "box", Value: "none"}, {Key: "tags", Value: bson.A{"x", int32(5), nil}}},
		bson.D{{Key: "_id", Value: 4}, {Key: "tags", Value: bson.A{bson.A{"y"}}}},
	)
	d := sources.Dataset{Name: "orders", Unwind: "box.items", Key: []string{"box.items.sku"}, ID: []string{"_id", "box.no"}, Where: `{"box.no": {"$ne": 2}}`}
	same(t, "a.items where a is an array or none", lines(scanned(t, source, &d, sources.Span{}, 1)), []string{"a|1,1|", "b|1,1|", "c|2,1|", "d|2,2| out", "e|2,3|", "f|2,3|"})
	same(t, "lookup", lines(looked(t, source, &d, []sources.Key{{sources.Text("f")}, {sources.Text("d")}}, 9)), []string{"d|2,2| out", "f|2,3|"})
	tags := sources.Dataset{Name: "orders", Unwind: "tags", Key: []string{"tags"}, ID: []string{"_id"}}
	same(t, "elements that are the key", lines(scanned(t, source, &tags, sources.Span{}, 2)), []string{"x|3|", "5|3|", "null|3|", `["y"]|4|`})
	same(t, "lookup of an element", lines(looked(t, source, &tags, []sources.Key{{sources.Text("x")}, {sources.Text("y")}}, 2)), []string{"x|3|"})
	whole := d
	whole.Fields = []string{"box"}
	_, err := source.Scan(t.Context(), &whole, sources.ScanRequest{Limit: sources.Limit{Records: 1, Bytes: 1}})
	if text := final(t, err); !strings.Contains(text, `"box"`) {
		t.Error(text)
	}
}

func TestOneKeyInManyDocumentsComesInPages(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	var documents []any
	for n := range 500 {
		id := any(n)
		if n%2 == 1 { // ids of two types, so that pages must pass from one to the other
			id = fmt.Sprintf("basket %03d", n)
		}
		documents = append(documents, bson.D{{Key: "_id", Value: id}, {Key: "items", Value: bson.A{element(1, 7, "on"), element(2, n, "on"), element(3, 7, "on")}}})
	}
	shop.insert("baskets", documents...)
	shop.index("baskets", false, "items.productId")
	d := sources.Dataset{Name: "baskets", Unwind: "items", Key: []string{"items.productId"}, ID: []string{"_id", "items.id"}, Fields: []string{"items.state"}}
	for _, page := range []int{1, 33, 499, 500, 501, 1002, 5000} {
		seen := map[string]int{}
		for _, r := range looked(t, source, &d, append(ints(7, 8), ints(7)...), page) {
			seen[line(r)]++
		}
		if len(seen) != 1002 { // two in each of 500, and one 7 and one 8 of their own
			t.Errorf("pages of %d: %d records", page, len(seen))
		}
		for l, n := range seen {
			if n != 1 {
				t.Errorf("pages of %d: %s came %d times", page, l, n)
			}
		}
	}
}
