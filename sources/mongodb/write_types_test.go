package mongodb

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
)

func TestWhatTheServerCallsEqualIsNotWhatTheRecordWas(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	w := shop.writer()
	u := [16]byte{1}
	pairs := []struct{ was, is any }{
		{int32(5), int64(5)}, {int32(5), 5.0}, {int64(5), decimal(t, "5")}, {decimal(t, "1.0"), decimal(t, "1.00")}, {decimal(t, "0"), decimal(t, "-0")},
		{0.0, math.Copysign(0, -1)}, {nil, bson.Undefined{}}, {"a", bson.Symbol("a")}, {bson.DateTime(5), bson.Timestamp{I: 5}},
		{bson.Binary{Data: u[:]}, bson.Binary{Subtype: 4, Data: u[:]}}, {bson.Binary{Subtype: 3, Data: u[:]}, bson.Binary{Subtype: 4, Data: u[:]}},
		{"é", "É"}, {"a", "a "}, {"", nil}, {false, 0}, {bson.A{int32(1)}, bson.A{int64(1)}}, {bson.A{int32(1)}, int32(1)}, {bson.A{bson.A{}}, bson.A{}},
		{bson.A{"a", bson.D{{Key: "b", Value: bson.A{decimal(t, "1.0")}}}}, bson.A{"a", bson.D{{Key: "b", Value: bson.A{decimal(t, "1.00")}}}}},
		{bson.D{{Key: "a", Value: int32(1)}, {Key: "b", Value: int32(2)}}, bson.D{{Key: "b", Value: int32(2)}, {Key: "a", Value: int32(1)}}},
		{bson.D{{Key: "a", Value: int32(1)}}, bson.D{{Key: "a", Value: 1.0}}}, {bson.D{}, bson.A{}},
		{bson.D{{Key: "0", Value: "x"}}, bson.A{"x"}}, {bson.D{{Key: "a.b", Value: 1.0}, {Key: "$c", Value: nil}}, bson.D{{Key: "a.b", Value: int64(1)}, {Key: "$c", Value: nil}}},
	}
	for n, p := range pairs {
		for way, values := range [][2]any{{p.was, p.is}, {p.is, p.was}} {
			for _, whole := range []bool{false, true} {
				name := fmt.Sprintf("pair_%d_%d_%t", n, way, whole)
				d := sources.Dataset{Name: name, Key: []string{"_id"}, Fields: []string{"v", "w"}}
				document := func(v any) bson.D {
					return bson.D{{Key: "_id", Value: 1}, {Key: "v", Value: v}, {Key: "w", Value: "old"}}
				}
				shop.insert(name, document(values[0]))
				key := sources.Key{sources.Int(1)}
				before := shop.look(w, &d, key, nil, sources.Looking{Whole: whole})
				if before.Record.Unreadable != "" { // the other way round it is
					continue
				}
				after := shop.become(w, &d, before, "w", sources.Text("new"))
				if _, err := shop.db.Collection(name).ReplaceOne(t.Context(), bson.D{}, document(values[1])); err != nil {
					t.Fatal(err)
				}
				was := shop.sole(name)
				if stale, _, _ := refusal(shop.write(w, &d, key, nil, before, after)); !stale || shop.sole(name) != was {
					t.Errorf("%#v took the place of %#v, and the record was written (whole %t)", values[1], values[0], whole)
				}
				if stale, _, _ := refusal(shop.write(w, &d, key, nil, before, &sources.Image{})); whole && (!stale || shop.sole(name) != was) {
					t.Errorf("%#v took the place of %#v, and the record was deleted", values[1], values[0])
				}
			}
		}
	}
}

func TestTextsAreComparedByteByByteWhateverTheCollation(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	w := shop.writer()
	shop.create("c", options.CreateCollection().SetCollation(&options.Collation{Locale: "en", Strength: 1}))
	shop.insert("c", bson.D{{Key: "_id", Value: "k"}, {Key: "v", Value: "resume"}, {Key: "w", Value: "old"}})
	d := sources.Dataset{Name: "c", Key: []string{"_id"}, Fields: []string{"v", "w"}}
	key := sources.Key{sources.Text("k")}
	before := shop.look(w, &d, key, nil, sources.Looking{})
	after := shop.become(w, &d, before, "w", sources.Text("new"))
	if other := shop.look(w, &d, sources.Key{sources.Text("K")}, nil, sources.Looking{}); other.Exists {
		t.Error("a key is found by the collation")
	}
	shop.set("c", doc("$set", doc("v", "Résumé")))
	if stale, _, _ := refusal(shop.write(w, &d, key, nil, before, after)); !stale {
		t.Error("what the collation calls equal took the place of a text, and the record was written")
	}
	shop.set("c", doc("$set", doc("v", "resume")))
	if err := shop.write(w, &d, key, nil, before, after); err != nil {
		t.Error(err)
	}
}

func TestAWrittenValueKeepsTheTypeOfItsPlace(t *testing.T) {
	t.Parallel()
	u := sources.UUID([16]byte{0: 0xab, 15: 1})
	old := map[string]bsoncore.Value{"": {}, "int": {Type: bsoncore.TypeInt32, Data: bsoncore.AppendInt32(nil, 1)}, "long": bsonInt(1), "double": bsonDouble(1),
		"decimal": bsonDecimal(decimal(t, "1")), "string": bsonString("x"), "null": {Type: bsoncore.TypeNull}, "uuid": bsonBinary(4, make([]byte, 16)),
		"legacy": bsonBinary(3, make([]byte, 16)), "oid": bsonObjectID([12]byte{}), "date": bsonDateTime(0)}
	tests := []struct {
		v    sources.Value
		old  string
		want string // the type, and the value as it reads
	}{
		{sources.Int(7), "int", "int 7"}, {sources.Int(1 << 40), "int", "long 1099511627776"}, {sources.Int(7), "double", "double 7"}, {sources.Int(7), "decimal", "decimal 7"}, {sources.Int(7), "", "long 7"},
		{sources.Int(1<<53 + 1), "double", "long 9007199254740993"}, {sources.Float(7), "int", "int 7"}, {sources.Float(7.5), "int", "double 7.5"}, {sources.Float(0.1), "decimal", "decimal 0.1"},
		{parsed(t, "0.10"), "double", "double 0.1"}, {parsed(t, "0.10"), "", "decimal 0.10"}, {parsed(t, "12.50"), "decimal", "decimal 12.50"}, {parsed(t, "3.00"), "int", "int 3"},
		{sources.Float(math.NaN()), "int", "double NaN"}, {sources.DecimalNaN(), "", "decimal NaN"}, {sources.Null(), "int", "null null"}, {sources.Value{}, "int", "EOO absent"},
		{u, "uuid", "binData " + u.String()}, {u, "string", "string " + u.String()}, {sources.Text(u.String()), "uuid", "binData " + u.String()}, {sources.Text("x"), "uuid", "string x"},
		{sources.Text("0123456789abcdef01234567"), "oid", "objectId 0123456789abcdef01234567"}, {sources.Time(time.Unix(1, 999_999), 6), "date", "date 1970-01-01T00:00:01.000Z"},
		{sources.Time(time.Unix(0, -1), 9), "date", "date 1969-12-31T23:59:59.999Z"}, {sources.Bool(true), "int", "bool true"},
	}
	for _, test := range tests {
		got, err := fitted(test.v, old[test.old])
		if err != nil {
			t.Errorf("%s %s: %v", test.v.Kind(), test.v, err)
			continue
		}
		text := "EOO absent"
		if got.Type != 0 {
			value, err := valueOf(got)
			if err != nil {
				t.Fatal(err)
			}
			text = typeName(got.Type) + " " + value.String()
		}
		if text != test.want {
			t.Errorf("%s %s in the place of a %q is written as %s, not %s", test.v.Kind(), test.v, test.old, text, test.want)
		}
	}
	for _, v := range []sources.Value{sources.Date(1), sources.Duration(1, 2, 3), sources.NaiveTime(time.Unix(0, 0), 3), sources.TimeInfinity(1, false), parsed(t, strings.Repeat("9", 40))} {
		if got, err := fitted(v, bsoncore.Value{}); err == nil {
			t.Errorf("the %s %s is written as %s", v.Kind(), v, got)
		}
	}
	if got, err := fitted(sources.Bytes([]byte("legacy bytes 16!")), old["legacy"]); err != nil || subtype(got) != 3 {
		t.Errorf("bytes do not keep their subtype: %s, %v", got, err)
	}
}

func TestADocumentIsPutBackByteForByte(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	w := shop.writer()
	d := sources.Dataset{Name: "c", Key: []string{"_id"}, Fields: []string{"b"}}
	shop.insert("c", bson.D{{Key: "_id", Value: 1}, {Key: "z", Value: bson.Undefined{}}, {Key: "b", Value: decimal(t, "1.00")}, {Key: "", Value: math.Copysign(0, -1)}, {Key: "a.b", Value: bson.Regex{Pattern: "x"}},
		{Key: "d", Value: bson.D{{Key: "$x", Value: bson.MinKey{}}, {Key: "y", Value: bson.A{bson.JavaScript("f()"), bson.Symbol("s"), bson.Timestamp{T: 1}}}}}})
	was := shop.sole("c")
	key := sources.Key{sources.Int(1)}
	whole := shop.look(w, &d, key, nil, sources.Looking{Whole: true})
	if err := shop.write(w, &d, key, nil, whole, &sources.Image{}); err != nil {
		t.Fatal(err)
	}
	if n := len(shop.documents(t, "c")); n != 0 {
		t.Fatalf("%d documents are left", n)
	}
	if err := shop.write(w, &d, key, nil, &sources.Image{}, whole); err != nil {
		t.Fatal(err)
	}
	if got := shop.sole("c"); got != was {
		t.Errorf("put back, %s is %s", bson.Raw(was), bson.Raw(got))
	}
}

func TestLargeDocumentsAreDeletedAndPutBack(t *testing.T) {
	t.Parallel()
	shop := newShop(t)
	w := shop.writer()
	key := sources.Key{sources.Int(1)}
	var many bson.A
	for n := range 500 {
		many = append(many, bson.D{{Key: "n", Value: n}, {Key: "price", Value: decimal(t, fmt.Sprintf("%d.50", n))}})
	}
	for name, v := range map[string]any{"long": strings.Repeat("x", 12<<20), "wide": many} {
		shop.insert(name, bson.D{{Key: "_id", Value: 1}, {Key: "v", Value: v}, {Key: "w", Value: "old"}})
		d := sources.Dataset{Name: name, Key: []string{"_id"}, Fields: []string{"v", "w"}}
		was := shop.sole(name)
		before := shop.look(w, &d, key, nil, sources.Looking{})
		if name == "wide" { // two such values do not fit a command
			after := shop.become(w, &d, before, "w", sources.Text("new"))
			for _, images := range [][2]*sources.Image{{before, after}, {after, before}} {
				if err := shop.write(w, &d, key, nil, images[0], images[1]); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
		}
		whole := shop.look(w, &d, key, nil, sources.Looking{Whole: true})
		for _, images := range [][2]*sources.Image{{whole, {}}, {{}, whole}} {
			if err := shop.write(w, &d, key, nil, images[0], images[1]); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if shop.sole(name) != was {
			t.Errorf("%s: put back, it is another", name)
		}
	}
}
