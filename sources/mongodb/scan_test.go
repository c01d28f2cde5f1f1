package mongodb

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"plumbline/sources"
)

// everyID has ids of every type that MongoDB allows, several of each, in BSON's order.
func everyID(t testing.TB) []any {
	sixteen := func(last byte) []byte { return append(make([]byte, 15), last) }
	return []any{
		bson.MinKey{}, nil,
		math.NaN(), math.Inf(-1), int64(math.MinInt64), -2.5, int32(-1), 0.0, int32(1), int64(2), 2.5, decimal(t, "2.75"), int64(1<<53 + 1), decimal(t, "1E30"), math.Inf(1),
		"", "1", "A", "a", "ab000000-0000-0000-0000-000000000000", bson.Symbol("b"), "b0f1a2c3d4e5f60718293a4b", "é",
		bson.D{}, bson.D{{Key: "a", Value: int32(1)}}, bson.D{{Key: "a", Value: int32(1)}, {Key: "b", Value: 2.0}}, bson.D{{Key: "b", Value: 1}},
		bson.Binary{Data: nil}, bson.Binary{Data: []byte{1}}, bson.Binary{Subtype: 5, Data: []byte{1}}, bson.Binary{Data: sixteen(1)}, bson.Binary{Subtype: 3, Data: sixteen(1)},
		bson.Binary{Subtype: 4, Data: sixteen(0)}, bson.Binary{Subtype: 4, Data: sixteen(1)}, bson.Binary{Subtype: 4, Data: sixteen(255)},
		bson.Binary{Subtype: 5, Data: sixteen(0)}, bson.Binary{Subtype: 0, Data: append(sixteen(0), 0)}, bson.Binary{Subtype: 0x80, Data: append(sixteen(0), 0)},
		bson.ObjectID{}, bson.ObjectID{11: 1}, bson.ObjectID{0: 255},
		false, true,
		bson.DateTime(math.MinInt64), bson.DateTime(-1), bson.DateTime(0), bson.DateTime(math.MaxInt64),
		bson.Timestamp{}, bson.Timestamp{T: 1}, bson.Timestamp{T: math.MaxUint32, I: math.MaxUint32},
		bson.DBPointer{DB: "x"}, bson.JavaScript("a"), bson.CodeWithScope{Code: "a", Scope: bson.D{}}, bson.MaxKey{},
	}
}

// mixed loads a collection of ids of every type, whose field n counts them.
func mixed(t testing.TB, s *shop, name string, ids []any) sources.Dataset {
	var documents []any
	for n, id := range ids {
		documents = append(documents, bson.D{{Key: "_id", Value: id}, {Key: "n", Value: n}})
	}
	slices.Reverse(documents)
	s.insert(name, documents...)
	return sources.Dataset{Name: name, Key: []string{"_id"}, Fields: []string{"n"}}
}

// numbersOf are the counts of records, sorted, each as often as it came.
func numbersOf(records []sources.Record) (all []int64) {
	for _, r := range records {
		all = append(all, r.Fields[0].AsInt())
	}
	slices.Sort(all)
	return all
}

func upTo(n int) (all []int64) {
	for i := range n {
		all = append(all, int64(i))
	}
	return all
}

func TestIDsOfAllTypesAreScannedOnceWhateverThePage(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	ids := everyID(t)
	for home, more := range map[string]func(n int) any{ // the home class is that of most ids
		"mixed":     nil,
		"ints":      func(n int) any { return int64(1000 + n) },
		"texts":     func(n int) any { return fmt.Sprint("text ", n) },
		"uuids":     func(n int) any { return bson.Binary{Subtype: 4, Data: append(make([]byte, 14), 1, byte(n))} },
		"bytes":     func(n int) any { return bson.Binary{Data: append(make([]byte, 20), byte(n))} },
		"codes":     func(n int) any { return bson.JavaScript(fmt.Sprint("code ", n)) },
		"documents": func(n int) any { return bson.D{{Key: "n", Value: n}} },
	} {
		all := slices.Clone(ids)
		for n := 0; more != nil && n < 30; n++ {
			all = append(all, more(n))
		}
		d := mixed(t, shop, home, all)
		for page := 1; page <= len(all)+1; page += 1 + page/4 {
			if got := numbersOf(scanned(t, source, &d, sources.Span{}, page)); !slices.Equal(got, upTo(len(all))) {
				t.Errorf("%s, pages of %d: %v", home, page, got)
			}
		}
	}
}

func TestSpansOfAnyPartitionHoldEveryIDOnce(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	shop := newShop(t)
	source := shop.open()
	ids := everyID(t)
	d := mixed(t, shop, "partitions", ids)
	var all []sources.Position
	r := sources.ScanRequest{Limit: sources.Limit{Records: 1, Bytes: plenty}}
	for {
		page, err := source.Scan(t.Context(), &d, r)
		if err != nil {
			t.Fatal(err)
		}
		if page.Done {
			break
		}
		all, r.After = append(all, page.Next), page.Next
	}
	for trial := range 60 {
		var cuts []sources.Position
		for _, p := range all {
			if trial == 0 || random.IntN(8) < trial%8 {
				cuts = append(cuts, p)
			}
		}
		var got []sources.Record
		for i := range len(cuts) + 1 {
			var span sources.Span
			if i > 0 {
				span.After = restored(t, cuts[i-1])
			}
			if i < len(cuts) {
				span.UpTo = restored(t, cuts[i])
			}
			got = append(got, scanned(t, source, &d, span, 1+random.IntN(9))...)
		}
		if n := numbersOf(got); !slices.Equal(n, upTo(len(ids))) {
			t.Fatalf("cuts %v: %v", cuts, n)
		}
	}
}

// restored is a position that was kept in the ledger and read back.
func restored(t testing.TB, p sources.Position) sources.Position {
	t.Helper()
	var b []byte
	for _, v := range p {
		b = v.AppendEncoding(b)
	}
	k, _, err := sources.DecodeKey(b, len(p))
	if err != nil {
		t.Fatal(err)
	}
	return sources.Position(k)
}

func TestBoundsOfAnotherStoreReachTheirOwnType(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	ids := everyID(t)
	d := mixed(t, shop, "foreign", ids)
	at := func(v any) int64 {
		return int64(slices.IndexFunc(ids, func(id any) bool { return fmt.Sprintf("%T%v", id, id) == fmt.Sprintf("%T%v", v, v) }))
	}
	between := func(from, to int64) (all []int64) {
		for i := from; i <= to; i++ {
			all = append(all, i)
		}
		return all
	}
	nan, inf, two := at(math.NaN()), at(math.Inf(1)), at(int64(2))
	others := func(last, first, end int64) []int64 { // all but those from first to last
		return append(append(between(0, first-1), between(last+1, end)...), nil...)
	}
	end := int64(len(ids) - 1)
	uuid := func(last byte) sources.Value { return sources.UUID([16]byte{15: last}) }
	tests := []struct {
		name        string
		after, upTo sources.Value
		want        []int64
	}{
		{"numbers between", sources.Int(-1), sources.Int(2), between(at(int32(-1))+1, two)},
		{"numbers by fractions", sources.Float(-2.5), sources.Decimal("25", -1, 1), between(at(-2.5)+1, at(2.5))},
		{"lower numbers, not a number among them", sources.Value{}, sources.Int(2), between(nan, two)},
		{"higher numbers and all that is none", sources.Int(2), sources.Value{}, others(two, nan, end)},
		{"nothing between a number and itself", sources.Int(2), sources.Float(2), nil},
		{"nothing backwards", sources.Int(2), sources.Int(-1), nil},
		{"uuids", uuid(0), uuid(1), between(at(bson.Binary{Subtype: 4, Data: append(make([]byte, 15), 1)}), at(bson.Binary{Subtype: 4, Data: append(make([]byte, 15), 1)}))},
		{"uuids up to one that is not there", sources.Value{}, uuid(254), between(at(bson.Binary{Subtype: 4, Data: make([]byte, 16)}), at(bson.Binary{Subtype: 4, Data: append(make([]byte, 15), 1)}))},
		{"objectids", sources.ObjectID([12]byte{}), sources.ObjectID([12]byte{11: 1}), between(at(bson.ObjectID{11: 1}), at(bson.ObjectID{11: 1}))},
		{"texts", sources.Text("A"), sources.Text("b"), between(at("a"), at(bson.Symbol("b")))},
		{"times, in milliseconds", sources.Time(time.UnixMicro(-999), 6), sources.Time(time.UnixMicro(999), 6), between(at(bson.DateTime(0)), at(bson.DateTime(0)))},
		{"times before", sources.Value{}, sources.Time(time.UnixMicro(-1), 6), between(at(bson.DateTime(math.MinInt64)), at(bson.DateTime(-1)))},
		{"infinitely many", sources.Float(math.Inf(-1)), sources.Float(math.Inf(1)), between(at(math.Inf(-1))+1, inf)},
	}
	for _, test := range tests {
		var span sources.Span
		if !test.after.IsAbsent() {
			span.After = sources.Position{test.after}
		}
		if !test.upTo.IsAbsent() {
			span.UpTo = sources.Position{test.upTo}
		}
		slices.Sort(test.want)
		for _, page := range []int{1, 3, 100} {
			if got := numbersOf(scanned(t, source, &d, span, page)); !slices.Equal(got, test.want) {
				t.Errorf("%s, pages of %d: %v, not %v", test.name, page, got, test.want)
			}
		}
	}
	limit := sources.Limit{Records: 5, Bytes: plenty}
	for _, bad := range []sources.Span{
		{After: sources.Position{sources.Int(1)}, UpTo: sources.Position{sources.Text("x")}},
		{After: sources.Position{sources.Date(1)}}, {After: sources.Position{sources.Int(1), sources.Int(1)}},
		{After: sources.Position{sources.ListOf(nil)}}, {UpTo: sources.Position{sources.NaiveTime(time.Unix(0, 0), 0)}},
	} {
		_, err := source.Scan(t.Context(), &d, sources.ScanRequest{Span: bad, Limit: limit})
		final(t, err)
	}
}

func TestUUIDsAreBoundedByTheirText(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	var uuids, texts []any
	for n := range byte(20) {
		u := sources.UUID([16]byte{15: n})
		raw := u.AsUUID()
		uuids, texts = append(uuids, bson.Binary{Subtype: 4, Data: raw[:]}), append(texts, u.String())
	}
	span := sources.Span{After: sources.Position{sources.Text(sources.UUID([16]byte{15: 4}).String())}, UpTo: sources.Position{sources.Text(sources.UUID([16]byte{15: 9}).String())}}
	for name, ids := range map[string][]any{"uuids": uuids, "texts": texts} {
		d := mixed(t, shop, name, ids)
		if got := numbersOf(scanned(t, source, &d, span, 2)); !slices.Equal(got, []int64{5, 6, 7, 8, 9}) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestCollationOfTheCollectionLosesNothing(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	shop.create("folded", options.CreateCollection().SetCollation(&options.Collation{Locale: "en", Strength: 2}))
	ids := []any{"a", "B", "b2", "C", "á", "z", "Zz", int32(5), "10", "9"}
	d := mixed(t, shop, "folded", ids)
	for page := 1; page < 12; page++ {
		if got := numbersOf(scanned(t, source, &d, sources.Span{}, page)); !slices.Equal(got, upTo(len(ids))) {
			t.Errorf("pages of %d: %v", page, got)
		}
	}
	span := sources.Span{After: sources.Position{sources.Text("A")}} // "a" is no later than "A" there
	for _, r := range scanned(t, source, &d, span, 3) {
		if r.Key[0].AsText() == "a" {
			t.Error("the span after A holds a")
		}
	}
	same(t, "lookup", lines(looked(t, source, &d, []sources.Key{{sources.Text("b")}, {sources.Text("B2")}, {sources.Text("C")}}, 5)), []string{"C||3"})
	desc, err := source.Describe(t.Context(), &d)
	if err != nil || desc.Order != sources.OrderOwn || !slices.ContainsFunc(desc.Warnings, func(w string) bool { return strings.Contains(w, "collation is en") }) {
		t.Errorf("described as %+v, %v", desc, err)
	}
}

func TestClusteredCollectionsAreScanned(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	shop.create("clustered", options.CreateCollection().SetClusteredIndex(bson.D{{Key: "key", Value: bson.D{{Key: "_id", Value: 1}}}, {Key: "unique", Value: true}}))
	ids := []any{int32(1), 2.5, "a", "b", bson.ObjectID{1}, bson.Binary{Subtype: 4, Data: make([]byte, 16)}, true, bson.DateTime(0)}
	d := mixed(t, shop, "clustered", ids)
	for page := 1; page < 10; page++ {
		if got := numbersOf(scanned(t, source, &d, sources.Span{}, page)); !slices.Equal(got, upTo(len(ids))) {
			t.Errorf("pages of %d: %v", page, got)
		}
	}
}

func TestSplitCutsIntoPartsOfLikeSize(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	for name, n := range map[string]int{"few": 400, "many": 30_000} {
		var documents []any
		for i := range n {
			documents = append(documents, bson.D{{Key: "_id", Value: int64(i)}, {Key: "n", Value: i}})
		}
		shop.insert(name, append(documents, bson.D{{Key: "_id", Value: "stray"}, {Key: "n", Value: n}})...)
		d := sources.Dataset{Name: name, Key: []string{"_id"}, Fields: []string{"n"}}
		cuts, err := source.Split(t.Context(), &d, 4)
		if err != nil || len(cuts) != 3 {
			t.Fatalf("%s: %v, %v", name, cuts, err)
		}
		var all []sources.Record
		for i := range 4 {
			var span sources.Span
			if i > 0 {
				span.After = cuts[i-1]
			}
			if i < 3 {
				span.UpTo = cuts[i]
			}
			part := scanned(t, source, &d, span, 5000)
			if len(part) < n/10 {
				t.Errorf("%s: part %d of %v has %d records of %d", name, i, cuts, len(part), n)
			}
			all = append(all, part...)
		}
		if got := numbersOf(all); !slices.Equal(got, upTo(n+1)) {
			t.Errorf("%s: the parts hold %d records, not %d", name, len(got), n+1)
		}
	}
}
