package mongodb

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"plumbline/sources"
)

func TestDescribeTellsWhatSamplingSees(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	var documents []any
	for n := range 2500 {
		mixed := any(n)
		if n%2 == 0 {
			mixed = fmt.Sprint(n)
		}
		documents = append(documents, bson.D{{Key: "_id", Value: bson.NewObjectID()}, {Key: "name", Value: "x"}, {Key: "mixed", Value: mixed}, {Key: "maybe", Value: nil},
			{Key: "at", Value: bson.DateTime(1)}, {Key: "in", Value: bson.D{{Key: "price", Value: decimal(t, "1.5")}}}, {Key: "tags", Value: bson.A{bson.D{{Key: "word", Value: "x"}}}}})
	}
	shop.insert("things", documents...)
	d := sources.Dataset{Name: "things", Key: []string{"_id"}, Fields: []string{"name", "mixed", "maybe", "at", "in.price", "in.pric", "tags.wrod", "unheard"}}
	desc, err := source.Describe(t.Context(), &d)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]sources.Kind{"_id": sources.KindObjectID, "name": sources.KindText, "mixed": sources.KindAbsent, "maybe": sources.KindAbsent,
		"at": sources.KindTime, "in.price": sources.KindDecimal, "in.pric": sources.KindAbsent, "unheard": sources.KindAbsent}
	for name, kind := range kinds {
		if got := desc.Types[name]; got.Kind != kind || got.Raw != "" {
			t.Errorf("%s is described as %+v", name, got)
		}
	}
	if declared := desc.Types["name"].Declared; declared != "text (sampled 140)" {
		t.Errorf("name is declared as %s", declared)
	}
	if !strings.HasPrefix(desc.Types["mixed"].Declared, "mixed (sampled: int ") {
		t.Errorf("mixed is declared as %s", desc.Types["mixed"].Declared)
	}
	if desc.Order != sources.OrderExact || desc.ScanIndex != "_id_" || desc.KeyIndex != "_id_" || !desc.Unique || !slices.Equal(desc.ScanBy, []string{"_id"}) {
		t.Errorf("described as %+v", desc)
	}
	warned := strings.Join(desc.Warnings, "\n")
	for _, want := range []string{`"in.pric" is in none of the 140 documents sampled (did you mean "in.price"?)`, `"tags.wrod"`, `did you mean "tags.word"?`, `"unheard" is in none`} {
		if !strings.Contains(warned, want) {
			t.Errorf("no warning has %s:\n%s", want, warned)
		}
	}
}

func TestDescribeKnowsWhichIndexServes(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	type spec struct {
		keys bson.D
		o    *options.IndexOptionsBuilder
	}
	one := func(names ...string) (keys bson.D) {
		for _, n := range names {
			keys = append(keys, bson.E{Key: n, Value: 1})
		}
		return keys
	}
	tests := []struct {
		name   string
		index  spec
		key    []string
		serves bool
		unique bool
	}{
		{"plain", spec{one("k"), options.Index()}, []string{"k"}, true, false},
		{"unique", spec{one("k"), options.Index().SetUnique(true)}, []string{"k"}, true, true},
		{"descending", spec{bson.D{{Key: "k", Value: -1}}, options.Index()}, []string{"k"}, true, false},
		{"hashed", spec{bson.D{{Key: "k", Value: "hashed"}}, options.Index()}, []string{"k"}, true, false},
		{"text", spec{bson.D{{Key: "k", Value: "text"}}, options.Index()}, []string{"k"}, false, false},
		{"sparse", spec{one("k"), options.Index().SetSparse(true)}, []string{"k"}, true, false},
		{"partial", spec{one("k"), options.Index().SetUnique(true).SetPartialFilterExpression(bson.D{{Key: "v", Value: 1}})}, []string{"k"}, false, false},
		{"hidden", spec{one("k"), options.Index().SetHidden(true)}, []string{"k"}, false, false},
		{"collation", spec{one("k"), options.Index().SetCollation(&options.Collation{Locale: "en"})}, []string{"k"}, false, false},
		{"behind another", spec{one("v", "k"), options.Index()}, []string{"k"}, false, false},
		{"before another", spec{one("k", "v"), options.Index().SetUnique(true)}, []string{"k"}, true, false},
		{"parts in any order", spec{one("b", "a"), options.Index().SetUnique(true)}, []string{"a", "b"}, true, true},
		{"one part of two", spec{one("b"), options.Index()}, []string{"a", "b"}, true, false},
	}
	for _, test := range tests {
		name := strings.ReplaceAll(test.name, " ", "_")
		shop.insert(name, bson.D{{Key: "k", Value: "x"}, {Key: "a", Value: 1}, {Key: "b", Value: 1}})
		if _, err := shop.db.Collection(name).Indexes().CreateOne(t.Context(), mongo.IndexModel{Keys: test.index.keys, Options: test.index.o}); err != nil {
			t.Logf("%s: the server makes no such index: %v", test.name, err)
			continue
		}
		desc, err := source.Describe(t.Context(), &sources.Dataset{Name: name, Key: test.key})
		if err != nil {
			t.Fatal(err)
		}
		if (desc.KeyIndex != "") != test.serves || desc.Unique != test.unique || desc.Order != sources.OrderOwn || desc.ScanIndex != "_id_" {
			t.Errorf("%s: described as %+v", test.name, desc)
		}
		if warned := strings.Contains(strings.Join(desc.Warnings, "\n"), "create an index on {"); warned == test.serves {
			t.Errorf("%s: warnings %q", test.name, desc.Warnings)
		}
	}
}

func TestMissingCollectionsAreNamed(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	d := products(shop)
	shop.create("empty")
	limit := sources.Limit{Records: 5, Bytes: plenty}
	empty := sources.Dataset{Name: "empty", Key: []string{"_id"}}
	if got := scanned(t, source, &empty, sources.Span{}, 5); len(got) > 0 {
		t.Errorf("%d records came from nowhere", len(got))
	}
	if desc, err := source.Describe(t.Context(), &empty); err != nil || len(desc.Warnings) > 0 {
		t.Errorf("described as %+v, %v", desc, err)
	}
	missing := func(err error) {
		t.Helper()
		final(t, err)
		var nf *sources.NotFoundError
		if !errors.As(err, &nf) {
			t.Errorf("%v is no NotFoundError", err)
		}
	}
	other := d
	other.Name = "product"
	_, err := source.Describe(t.Context(), &other)
	missing(err)
	if text := err.Error(); !strings.Contains(text, `(did you mean "products"?)`) {
		t.Error(text)
	}
	// A collection that is dropped is no empty one, neither at the next read nor at one in the midst of a scan.
	page, err := source.Scan(t.Context(), &d, sources.ScanRequest{Limit: limit})
	if err != nil || page.Done {
		t.Fatal(page.Done, err)
	}
	if err := shop.db.Collection("products").Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = source.Scan(t.Context(), &d, sources.ScanRequest{Span: sources.Span{After: page.Next}, Limit: limit})
	missing(err)
	_, err = source.Lookup(t.Context(), &d, ints(1), nil, limit)
	missing(err)
	_, err = source.Describe(t.Context(), &d)
	missing(err)
}

func TestCountExplainAndProbe(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	d := products(shop)
	b := baskets(shop)
	for want, set := range map[int64]sources.Dataset{20: d, 12: b} {
		if n, err := source.Count(t.Context(), &set); err != nil || n != want {
			t.Errorf("%s counts %d, not %d: %v", set.Title(), n, want, err)
		}
	}
	part := d
	part.Filter = `{"state": "gone"}`
	if n, err := source.Count(t.Context(), &part); err != nil || n != 0 {
		t.Errorf("a part counts %d, %v", n, err)
	}
	sku := d
	sku.Key = []string{"sku"}
	pipeline := d
	pipeline.Pipeline = `[{"$match": {"state": "gone"}}]`
	type want struct{ scan, lookup string } // the indexes
	for name, test := range map[string]struct {
		d sources.Dataset
		want
	}{
		"by _id":   {d, want{"_id_", "_id_"}},
		"by sku":   {sku, want{"_id_", ""}},
		"unwound":  {b, want{"_id_", ""}},
		"filter":   {part, want{"_id_", "_id_"}},
		"pipeline": {pipeline, want{"", "_id_"}},
	} {
		statements, err := source.Explain(t.Context(), &test.d)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, st := range statements {
			t.Logf("%s %s: %s\n  %s; index %q, sorts %v, %d records", name, st.Purpose, st.Text, st.Plan, st.Index, st.Sorts, st.Records)
			if sorts := name == "pipeline"; st.Purpose == "scan" && (st.Index != test.scan || st.Sorts != sorts) {
				t.Errorf("%s: the scan is %+v", name, st)
			}
			if st.Purpose == "lookup" && st.Index != test.lookup {
				t.Errorf("%s: the lookup is %+v", name, st)
			}
		}
	}
	facts, err := source.Probe(t.Context())
	if err != nil || facts.Product != "MongoDB" || facts.Version == "" || facts.Standby || !facts.CanWrite || len(facts.Notes) == 0 {
		t.Errorf("probed: %+v, %v", facts, err)
	}
}

func TestPrivilegesToWriteAreSeen(t *testing.T) {
	t.Parallel()
	s := &source{database: "shop"}
	grant := func(database string, actions ...string) bson.D {
		return bson.D{{Key: "resource", Value: bson.D{{Key: "db", Value: database}, {Key: "collection", Value: ""}}}, {Key: "actions", Value: actions}}
	}
	tests := []struct {
		privileges bson.A
		want       bool
	}{
		{bson.A{}, false}, {bson.A{grant("shop", "find", "listIndexes")}, false}, {bson.A{grant("shop", "find"), grant("other", "insert")}, false},
		{bson.A{grant("shop", "find", "remove")}, true}, {bson.A{grant("", "update")}, true}, {bson.A{grant("shop", "find"), grant("shop", "anyAction")}, true},
	}
	for i, test := range tests {
		raw, err := bson.Marshal(bson.D{{Key: "p", Value: test.privileges}})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.mayWrite(bson.Raw(raw).Lookup("p").Array()); got != test.want {
			t.Errorf("privileges %d: may write %v", i, got)
		}
	}
}
