package mongodb

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"plumbline/sources"
)

// products are twenty documents of which some are deleted, some of another tenant.
func products(s *shop) sources.Dataset {
	var documents []any
	for n := range 20 {
		documents = append(documents, bson.D{{Key: "_id", Value: int64(n)}, {Key: "sku", Value: fmt.Sprintf("s%02d", n)}, {Key: "tenant", Value: []string{"eu", "us", "EU"}[n%3]},
			{Key: "state", Value: []string{"on", "gone"}[n/10]}, {Key: "price", Value: float64(n) / 2}, {Key: "at", Value: bson.DateTime(n * 1000)}})
	}
	s.insert("products", documents...)
	return sources.Dataset{Name: "products", Key: []string{"_id"}, Fields: []string{"sku"}}
}

func keysOf(records []sources.Record) string {
	var keys []string
	for _, r := range records {
		keys = append(keys, r.Key.String())
	}
	return strings.Join(keys, " ")
}

func TestFiltersApplyToEveryRead(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	d := products(shop)
	filters := map[string]string{
		`{"state": "gone", "price": {"$gte": 7}}`:                                   "14 15 16 17 18 19",
		`{"at": {"$gt": {"$date": "1970-01-01T00:00:17Z"}}}`:                        "18 19",
		`{"_id": {"$in": [{"$numberLong": "3"}, 4, 4.0, {"$numberDecimal": "5"}]}}`: "3 4 5",
		`{"$expr": {"$eq": ["$_id", 6]}}`:                                           "6",
		`{}`:                                                                        "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19",
		`{"sku": {"$regularExpression": {"pattern": "^s1[01]$", "options": ""}}, "no": {"$exists": 0}}`: "10 11",
	}
	for filter, want := range filters {
		f := d
		f.Filter = filter
		for _, page := range []int{1, 3, 30} {
			if got := keysOf(scanned(t, source, &f, sources.Span{}, page)); got != want {
				t.Errorf("%s, pages of %d: %s, not %s", filter, page, got, want)
			}
		}
		wanted := strings.Fields(want)
		for n := range int64(20) {
			if got := looked(t, source, &f, ints(n), 5); (len(got) == 1) != slices.Contains(wanted, fmt.Sprint(n)) {
				t.Errorf("%s: a lookup of %d finds %d records", filter, n, len(got))
			}
		}
	}
}

// TestASparseFilterIsReadInBoundedPages reads a collection of which a filter passes
// almost nothing: no page may read it all.
func TestASparseFilterIsReadInBoundedPages(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	var documents []any
	for n := range 3000 {
		documents = append(documents, bson.D{{Key: "_id", Value: n}, {Key: "rare", Value: n == 2990}})
	}
	shop.insert("rare", documents...)
	d := sources.Dataset{Name: "rare", Key: []string{"_id"}, Filter: `{"rare": true}`}
	pages, found := 0, 0
	r := sources.ScanRequest{Limit: sources.Limit{Records: 10, Bytes: plenty}}
	for {
		page, err := source.Scan(t.Context(), &d, r)
		if err != nil {
			t.Fatal(err)
		}
		pages, found = pages+1, found+page.Len()
		if page.Done {
			break
		}
		r.After = page.Next
	}
	if found != 1 || pages < 3000/(10*stride) {
		t.Errorf("%d records in %d pages", found, pages)
	}
}

func TestScopeIsEqualityAndNothingElse(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	d := products(shop)
	shop.insert("products", bson.D{{Key: "_id", Value: int64(20)}, {Key: "tenant", Value: bson.A{"eu", "us"}}}, bson.D{{Key: "_id", Value: int64(21)}, {Key: "tenant", Value: nil}},
		bson.D{{Key: "_id", Value: int64(22)}}, bson.D{{Key: "_id", Value: int64(23)}, {Key: "tenant", Value: 5.0}})
	tests := map[string]sources.Value{
		"0 3 6 9 12 15 18": sources.Text("eu"), "2 5 8 11 14 17": sources.Text("EU"), "21 22": sources.Null(), "23": sources.Int(5), "": sources.Date(5),
	}
	for want, v := range tests {
		s := d
		s.Scope = []sources.Condition{{Field: "tenant", Value: v}}
		if got := keysOf(scanned(t, source, &s, sources.Span{}, 2)); got != want {
			t.Errorf("scope %s: %s, not %s", v, got, want)
		}
	}
}

func TestConditionsAreFlags(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	d := products(shop)
	d.Fields = nil
	d.Where, d.DeletedWhen = `{"tenant": "eu"}`, `{"state": "gone"}`
	want := []string{}
	for n := range 20 {
		l := fmt.Sprintf("%d||", n)
		if n%3 != 0 {
			l += " out"
		}
		if n >= 10 {
			l += " deleted"
		}
		want = append(want, l)
	}
	same(t, "scan", lines(scanned(t, source, &d, sources.Span{}, 7)), want)
	same(t, "lookup", lines(looked(t, source, &d, ints(1, 12, 30), 7)), []string{want[1], want[12]})
	r := sources.ScanRequest{Limit: sources.Limit{Records: 2, Bytes: plenty}, InScopeOnly: true}
	same(t, "in scope", lines(scannedAs(t, source, &d, r)), []string{want[0], want[3], want[6], want[9], want[12], want[15], want[18]})
}

func TestPipelinesAreReadInTheOrderOfTheirKey(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	var documents []any
	for n := range 90 {
		customer := any(n % 9)
		switch n % 9 {
		case 3:
			customer = "three"
		case 4:
			customer = nil
		case 5:
			customer = bson.A{"five", n % 2}
		}
		documents = append(documents, bson.D{{Key: "_id", Value: n}, {Key: "customer", Value: customer}, {Key: "total", Value: n}})
	}
	shop.insert("orders", documents...)
	sums := sources.Dataset{Name: "orders", Key: []string{"_id"}, Fields: []string{"sum"},
		Pipeline: `[{"$group": {"_id": "$customer", "sum": {"$sum": "$total"}}}]`, Where: `{"sum": {"$gt": 400}}`, DeletedWhen: `{"_id": 8}`}
	// Those with a key first, whatever its type; null is last.
	want := []string{"0||405", "1||415", "2||425", "6||465", "7||475", "8||485 deleted", "three||435", `["five",0]||250 out`, `["five",1]||205 out`, "null||445"}
	for _, page := range []int{1, 2, 3, 20} {
		same(t, fmt.Sprintf("sums, pages of %d", page), lines(scanned(t, source, &sums, sources.Span{}, page)), want)
	}
	same(t, "lookup", lines(looked(t, source, &sums, []sources.Key{{sources.Int(8)}, {sources.Text("three")}, {sources.Text("no")}}, 1)), []string{"8||485 deleted", "three||435"})

	// Many records share a key: a page holds all of them.
	shared := sources.Dataset{Name: "orders", Key: []string{"customer"}, Fields: []string{"total"}, Pipeline: `[{"$match": {"total": {"$lt": 90}}}]`, Where: `{"total": {"$lt": 45}}`}
	for _, page := range []int{1, 4, 10, 11, 100} {
		seen := map[string]int{}
		r := sources.ScanRequest{Limit: sources.Limit{Records: page, Bytes: plenty}}
		for number := 1; ; number++ {
			p, err := source.Scan(t.Context(), &shared, r)
			if err != nil {
				t.Fatal(err)
			}
			for _, record := range p.Records {
				if at, ok := seen[record.Key.String()]; ok && at != number && !strings.Contains(record.Key.String(), "five") {
					t.Errorf("pages of %d: key %s on pages %d and %d", page, record.Key, at, number)
				}
				seen[record.Key.String()] = number
				seen[fmt.Sprint("total ", record.Fields[0])]++
				if record.OutOfScope != (record.Fields[0].AsInt() >= 45) {
					t.Errorf("total %s: out of scope %v", record.Fields[0], record.OutOfScope)
				}
			}
			if p.Done {
				break
			}
			r.After = p.Next
		}
		for n := range 90 {
			if seen[fmt.Sprint("total ", n)] != 1 {
				t.Errorf("pages of %d: total %d came %d times", page, n, seen[fmt.Sprint("total ", n)])
			}
		}
	}
	in := sources.ScanRequest{Limit: sources.Limit{Records: 3, Bytes: plenty}, InScopeOnly: true}
	if got := len(scannedAs(t, source, &shared, in)); got != 45 {
		t.Errorf("%d records are in scope", got)
	}
}

func TestViewsAreRead(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	products(shop)
	baskets(shop)
	if err := shop.db.CreateView(t.Context(), "gone", "products", bson.A{bson.D{{Key: "$match", Value: bson.D{{Key: "state", Value: "gone"}}}}}); err != nil {
		t.Fatal(err)
	}
	if err := shop.db.CreateView(t.Context(), "all_baskets", "baskets", bson.A{}); err != nil {
		t.Fatal(err)
	}
	d := sources.Dataset{Name: "gone", Key: []string{"sku"}, Fields: []string{"price"}, Filter: `{"price": {"$lt": 7}}`, DeletedWhen: `{"tenant": "us"}`}
	want := []string{"s10||5 deleted", "s11||5.5", "s12||6", "s13||6.5 deleted"}
	same(t, "view", lines(scanned(t, source, &d, sources.Span{}, 2)), want)
	same(t, "lookup", lines(looked(t, source, &d, []sources.Key{{sources.Text("s13")}, {sources.Text("s14")}}, 2)), want[3:])
	b := sources.Dataset{Name: "all_baskets", Unwind: "items", Key: []string{"items.productId"}, ID: []string{"_id", "items.id"}, DeletedWhen: `{"items.state": "gone"}`}
	got := lines(looked(t, source, &b, ints(8, 7), 2))
	same(t, "unwound view", got, []string{"7|1,1|", "7|1,3|", "7|2,1|", "7|6,9|", "8|1,2| deleted", "8|7,2|"})
	desc, err := source.Describe(t.Context(), &d)
	if err != nil || desc.ScanIndex != "" || desc.KeyIndex != "" || !slices.Equal(desc.ScanBy, []string{"sku"}) || len(desc.Warnings) == 0 {
		t.Errorf("described as %+v, %v", desc, err)
	}
}

func TestWholeDocumentsAndTheLargest(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	large := strings.Repeat("x", 16<<20-60)
	shop.insert("large", bson.D{{Key: "_id", Value: 1}, {Key: "body", Value: large}}, bson.D{{Key: "_id", Value: 2}, {Key: "body", Value: large}}, bson.D{{Key: "_id", Value: 3}, {Key: "body", Value: nested(100)}},
		bson.D{{Key: "_id", Value: 4}, {Key: "body", Value: nested(150)}},
		bson.D{{Key: "_id", Value: bson.MinKey{}}, {Key: "body", Value: "x"}}, bson.D{{Key: "_id", Value: 6}, {Key: "body", Value: "y"}, {Key: "other", Value: bson.Regex{Pattern: "x"}}})
	d := sources.Dataset{Name: "large", Key: []string{"_id"}, Fields: []string{"body"}}
	began := time.Now()
	records := scanned(t, source, &d, sources.Span{}, 10)
	t.Logf("two documents of 16 MB came in %s", time.Since(began))
	if len(records) != 6 {
		t.Fatalf("%d records", len(records))
	}
	for _, r := range records {
		switch key := r.Key[0]; {
		case key.AsInt() == 1, key.AsInt() == 2:
			if r.Fields[0].AsText() != large {
				t.Errorf("document %s has a text of %d bytes", key, r.Fields[0].Len())
			}
		case key.AsInt() == 3:
			if !r.Fields[0].Equal(nestedValue(t, 100)) {
				t.Errorf("100 levels: %s", r.Unreadable)
			}
		case key.AsInt() == 4 && !strings.Contains(r.Unreadable, "deeper"),
			key.IsAbsent() && !strings.Contains(r.Unreadable, "min key"):
			t.Errorf("document %s: unreadable %q", key, r.Unreadable)
		case key.AsInt() == 6 && r.Unreadable != "":
			t.Errorf("document 6 is unreadable for a field that nobody asked for: %s", r.Unreadable)
		}
	}
}

func TestHostileNamesAreNamesOnly(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	shop.insert("hostile", bson.D{{Key: "_id", Value: 1}, {Key: "", Value: "empty"}, {Key: `"; drop`, Value: "drop"}, {Key: "a", Value: bson.D{{Key: "$where", Value: "inner"}}}, {Key: "$where", Value: "outer"}})
	d := sources.Dataset{Name: "hostile", Key: []string{"_id"}, Fields: []string{"", `"; drop`, "a.$where", "$where", "a.b.c"}}
	want := []string{"1||empty,drop,inner,outer,absent"}
	same(t, "scan", lines(scanned(t, source, &d, sources.Span{}, 2)), want)
	same(t, "lookup", lines(looked(t, source, &d, ints(1), 2)), want)
	key := sources.Dataset{Name: "hostile", Key: []string{"$where"}}
	_, err := source.Lookup(t.Context(), &key, []sources.Key{{sources.Text("outer")}}, nil, sources.Limit{Records: 1, Bytes: 1})
	final(t, err)
	desc, err := source.Describe(t.Context(), &d)
	if err != nil || !slices.ContainsFunc(desc.Warnings, func(w string) bool { return strings.Contains(w, "whole documents are read") }) {
		t.Errorf("described as %+v, %v", desc, err)
	}
}

func TestNonsenseIsRefused(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	products(shop)
	ok := sources.Dataset{Name: "products", Key: []string{"_id"}}
	tests := map[string]func(*sources.Dataset){
		"no SQL":           func(d *sources.Dataset) { d.Query = "SELECT 1" },
		"name the col":     func(d *sources.Dataset) { d.Name = "" },
		"declare the key":  func(d *sources.Dataset) { d.Key = nil },
		"filter: read":     func(d *sources.Dataset) { d.Filter = `{"a": }` },
		"begin with {":     func(d *sources.Dataset) { d.Filter = `[]` },
		"text follows":     func(d *sources.Dataset) { d.Where = `{} {"a": 1}` },
		"no condition":     func(d *sources.Dataset) { d.DeletedWhen = `{"$oid": "0123456789abcdef01234567"}` },
		"$merge, writes":   func(d *sources.Dataset) { d.Pipeline = `[{"$merge": "x"}]` },
		"is no document":   func(d *sources.Dataset) { d.Pipeline = `[1]` },
		"filter or pipe":   func(d *sources.Dataset) { d.Pipeline, d.Filter = `[]`, `{}` },
		"unwind or pipe":   func(d *sources.Dataset) { d.Pipeline, d.Unwind = `[]`, "items" },
		"begin with $":     func(d *sources.Dataset) { d.Unwind = "$items" },
		"unknown operator": func(d *sources.Dataset) { d.Where = `{"a": {"$no": 1}}` },
		"unknown top":      func(d *sources.Dataset) { d.Filter = `{"$no": 1}` },
		"Unrecognized":     func(d *sources.Dataset) { d.Pipeline = `[{"$no": 1}]` },
		`"prodcts" not`:    func(d *sources.Dataset) { d.Name = "prodcts" },
	}
	for want, change := range tests {
		d := ok
		change(&d)
		limit := sources.Limit{Records: 5, Bytes: plenty}
		_, err := source.Scan(t.Context(), &d, sources.ScanRequest{Limit: limit})
		if text := final(t, err); !strings.Contains(text, want) {
			t.Errorf("%s: %s", want, text)
		}
		_, err = source.Lookup(t.Context(), &d, ints(1), nil, limit)
		final(t, err)
	}
}
