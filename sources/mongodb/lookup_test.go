package mongodb

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"plumbline/sources"
)

func TestKeysAreFoundWhateverTheirTypeInTheStore(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	u := [16]byte{0: 0xab, 15: 1}
	text := sources.UUID(u).String()
	hex := "0123456789abcdef01234567"
	oid, err := bson.ObjectIDFromHex(hex)
	if err != nil {
		t.Fatal(err)
	}
	document := bson.D{{Key: "b", Value: int32(1)}, {Key: "a", Value: bson.A{"x", 2.5}}}
	for n, k := range []any{int32(5), int64(5), 5.0, decimal(t, "5.0"), 5.5, decimal(t, "5.5"), "5", bson.Binary{Subtype: 4, Data: u[:]}, text, oid, hex, true, bson.DateTime(1500),
		bson.Binary{Data: []byte("x")}, bson.Binary{Subtype: 5, Data: []byte("x")}, bson.Binary{Subtype: 3, Data: u[:]}, document, math.NaN(), decimal(t, "NaN"), math.Inf(1), nil, bson.A{int32(5)}, "É", "é", 0.1, decimal(t, "0.1"), decimal(t, "0.1000000000000000055511151231257827")} {
		shop.insert("kinds", bson.D{{Key: "_id", Value: n}, {Key: "k", Value: k}})
	}
	shop.insert("kinds", bson.D{{Key: "_id", Value: 99}})
	d := sources.Dataset{Name: "kinds", Key: []string{"k"}, ID: []string{"_id"}}
	member, err := sources.DocumentOf([]sources.Field{{Name: "a", Value: sources.ListOf([]sources.Value{sources.Text("x"), sources.Float(2.5)})}, {Name: "b", Value: sources.Int(1)}})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		key  sources.Value
		want string
	}{
		{sources.Int(5), "0 1 2 3"}, {parsed(t, "5.00"), "0 1 2 3"}, {sources.Float(5), "0 1 2 3"}, {sources.Float(5.5), "4 5"}, {parsed(t, "5.50"), "4 5"},
		{sources.Text("5"), "6"}, {sources.UUID(u), "7 8"}, {sources.Text(text), "7 8"}, {sources.ObjectID(oid), "9 10"}, {sources.Text(hex), "9 10"},
		{sources.Bool(true), "11"}, {sources.Time(time.UnixMilli(1500), 3), "12"}, {sources.Bytes([]byte("x")), "13 14"}, {sources.Bytes(u[:]), "15"}, {member, "16"},
		{sources.Float(math.NaN()), "17"}, {sources.DecimalNaN(), "18"}, {sources.Float(math.Inf(1)), "19"}, {sources.Text("é"), "23"}, {sources.Text("e"), ""}, {sources.Int(6), ""},
		{sources.Float(0.1), "24 25"}, {parsed(t, "0.10"), "24 25"}, {parsed(t, "0.1000000000000000055511151231257827"), "26"}, {sources.Float32(0.1), ""},
	}
	for _, test := range tests {
		var got string
		for i, r := range looked(t, source, &d, []sources.Key{{test.key}}, 10) {
			if i > 0 {
				got += " "
			}
			got += r.ID.String()
		}
		if got != test.want {
			t.Errorf("%s %s finds %q, not %q", test.key.Kind(), test.key, got, test.want)
		}
	}
	many := make([]sources.Field, 6)
	for i := range many {
		many[i] = sources.Field{Name: fmt.Sprint(i), Value: sources.Int(1)}
	}
	tooMany, err := sources.DocumentOf(many)
	if err != nil {
		t.Fatal(err)
	}
	_, err = source.Lookup(t.Context(), &d, []sources.Key{{tooMany}}, nil, sources.Limit{Records: 1, Bytes: 1})
	final(t, err)
}

func TestCompositeKeysAreMatchedPartByPart(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	for n := range 60 {
		shop.insert("pairs", bson.D{{Key: "_id", Value: bson.D{{Key: "tenant", Value: n % 3}, {Key: "no", Value: n / 3}}}, {Key: "v", Value: n}})
	}
	d := sources.Dataset{Name: "pairs", Key: []string{"_id.tenant", "_id.no"}, Fields: []string{"v"}}
	keys := []sources.Key{{sources.Int(1), sources.Int(4)}, {sources.Int(2), sources.Int(4)}, {sources.Int(1), sources.Int(7)}, {sources.Int(9), sources.Int(4)}, {sources.Int(1), sources.Date(1)}, {sources.Date(1), sources.Int(4)}}
	for _, page := range []int{1, 2, 5} {
		got := lines(looked(t, source, &d, keys, page))
		slices.Sort(got)
		same(t, fmt.Sprintf("pages of %d", page), got, []string{"1,4||13", "1,7||22", "2,4||14"})
	}
	if n := len(scanned(t, source, &d, sources.Span{}, 7)); n != 60 {
		t.Errorf("the scan has %d records", n)
	}
	whole := sources.Dataset{Name: "pairs", Key: []string{"_id"}, Fields: []string{"v"}}
	record := scanned(t, source, &whole, sources.Span{}, 7)[0]
	same(t, "a document as a key", lines(looked(t, source, &whole, []sources.Key{record.Key}, 2)), lines([]sources.Record{record}))
}

// TestManyKeysAtOnce asks for as many keys as a Reader ever does.
func TestManyKeysAtOnce(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	source := shop.open()
	var documents []any
	var keys []sources.Key
	for n := range int64(2000) {
		documents = append(documents, bson.D{{Key: "_id", Value: n}, {Key: "a", Value: n % 700}, {Key: "b", Value: n / 700}})
		keys = append(keys, sources.Key{sources.Int(n % 700), sources.Int(n / 700)}, sources.Key{sources.Int(n), sources.Int(-1)})
	}
	shop.insert("many", documents...)
	shop.index("many", false, "a", "b")
	d := sources.Dataset{Name: "many", Key: []string{"a", "b"}}
	began := time.Now()
	if n := len(looked(t, source, &d, keys, 4000)); n != 2000 {
		t.Errorf("%d records", n)
	}
	t.Logf("4,000 composite keys took %s", time.Since(began))
}
