package mongodb

import (
	"math"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
)

func decimal(t testing.TB, text string) bson.Decimal128 {
	t.Helper()
	d, err := bson.ParseDecimal128(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func parsed(t testing.TB, text string) sources.Value {
	t.Helper()
	v, err := sources.ParseDecimal(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestEveryTypeOfBSONHasItsValue(t *testing.T) {
	t.Parallel()
	uuid := [16]byte{0: 0xab, 15: 1}
	document, err := sources.DocumentOf([]sources.Field{{Name: "b", Value: sources.Int(1)}, {Name: "", Value: sources.Null()}})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name       string
		bson       any
		want       sources.Value
		unreadable string
	}{
		{"double", 0.1, sources.Float(0.1), ""},
		{"double -0", math.Copysign(0, -1), sources.Float(0), ""},
		{"double NaN", math.NaN(), sources.Float(math.NaN()), ""},
		{"double infinity", math.Inf(-1), sources.Float(math.Inf(-1)), ""},
		{"string", "é\x00", sources.Text("é\x00"), ""},
		{"string that is no UTF-8", "ok\xc3", sources.Text("ok\xc3"), ""},
		{"document", bson.D{{Key: "b", Value: int32(1)}, {Key: "", Value: nil}}, document, ""},
		{"array", bson.A{int64(1), bson.A{}}, sources.ListOf([]sources.Value{sources.Int(1), sources.ListOf(nil)}), ""},
		{"binary", bson.Binary{Data: []byte{0, 0xff}}, sources.Bytes([]byte{0, 0xff}), ""},
		{"binary uuid", bson.Binary{Subtype: 4, Data: uuid[:]}, sources.UUID(uuid), ""},
		{"binary uuid of 15 bytes", bson.Binary{Subtype: 4, Data: uuid[:15]}, sources.Bytes(uuid[:15]), ""},
		{"binary legacy uuid", bson.Binary{Subtype: 3, Data: uuid[:]}, sources.Bytes(uuid[:]), ""},
		{"binary old generic", bson.Binary{Subtype: 2, Data: []byte("x")}, sources.Bytes([]byte("x")), ""},
		{"binary of a user", bson.Binary{Subtype: 0x90, Data: []byte("x")}, sources.Bytes([]byte("x")), ""},
		{"undefined", bson.Undefined{}, sources.Null(), ""},
		{"objectid", bson.ObjectID{11: 7}, sources.ObjectID([12]byte{11: 7}), ""},
		{"bool", true, sources.Bool(true), ""},
		{"datetime", bson.DateTime(-1), sources.Time(time.UnixMilli(-1), 3), ""},
		{"datetime at the end of time", bson.DateTime(math.MaxInt64), sources.Time(time.UnixMilli(math.MaxInt64), 3), ""},
		{"null", nil, sources.Null(), ""},
		{"regex", bson.Regex{Pattern: "a"}, sources.Value{}, "regex"},
		{"dbpointer", bson.DBPointer{DB: "x"}, sources.Value{}, "dbPointer"},
		{"code", bson.JavaScript("x"), sources.Value{}, "javascript"},
		{"symbol", bson.Symbol("s"), sources.Text("s"), ""},
		{"code with scope", bson.CodeWithScope{Code: "x", Scope: bson.D{}}, sources.Value{}, "code with scope"},
		{"int32", int32(-5), sources.Int(-5), ""},
		{"timestamp", bson.Timestamp{T: 1}, sources.Value{}, "timestamp"},
		{"int64", int64(math.MinInt64), sources.Int(math.MinInt64), ""},
		{"decimal128", decimal(t, "-12.50"), parsed(t, "-12.50"), ""},
		{"decimal128 of 34 digits", decimal(t, "9.999999999999999999999999999999999E6144"), parsed(t, "9.999999999999999999999999999999999E6144"), ""},
		{"decimal128 near zero", decimal(t, "1E-6176"), parsed(t, "1E-6176"), ""},
		{"decimal128 -0", decimal(t, "-0.00"), parsed(t, "0"), ""},
		{"decimal128 NaN", decimal(t, "NaN"), sources.DecimalNaN(), ""},
		{"decimal128 infinity", decimal(t, "-Infinity"), sources.DecimalInfinity(-1), ""},
		{"minkey", bson.MinKey{}, sources.Value{}, "min key"},
		{"maxkey", bson.MaxKey{}, sources.Value{}, "max key"},
		{"a name twice", bson.D{{Key: "a", Value: 1}, {Key: "a", Value: 2}}, sources.Value{}, "twice"},
		{"a regex deep inside", bson.A{bson.D{{Key: "x", Value: bson.Regex{}}}}, sources.Value{}, "regex"},
		{"128 levels", nested(128), nestedValue(t, 128), ""},
		{"129 levels", nested(129), sources.Value{}, "deeper"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			raw, err := bson.Marshal(bson.D{{Key: "v", Value: test.bson}})
			if err != nil {
				t.Fatal(err)
			}
			v, _, err := member(raw, "v")
			if err != nil {
				t.Fatal(err)
			}
			got, err := valueOf(v)
			if test.unreadable != "" {
				if err == nil || !strings.Contains(err.Error(), test.unreadable) {
					t.Fatalf("%v does not say %q", err, test.unreadable)
				}
				return
			}
			if err != nil || !got.Equal(test.want) || got.Kind() != test.want.Kind() {
				t.Fatalf("got the %s %s, %v; want the %s %s", got.Kind(), got, err, test.want.Kind(), test.want)
			}
		})
	}
	if got := decimalOf(decimal(t, "12.50")); got.String() != "12.50" {
		t.Errorf("a decimal128 12.50 is written %s", got)
	}
}

func nested(levels int) any {
	var v any = int32(1)
	for range levels {
		v = bson.D{{Key: "a", Value: v}}
	}
	return v
}

func nestedValue(t testing.TB, levels int) sources.Value {
	v := sources.Int(1)
	for range levels {
		var err error
		if v, err = sources.DocumentOf([]sources.Field{{Name: "a", Value: v}}); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

func TestMalformedBSONIsAnErrorAndNoRecord(t *testing.T) {
	t.Parallel()
	whole, err := bson.Marshal(bson.D{{Key: "a", Value: "text"}, {Key: "b", Value: bson.D{{Key: "c", Value: int64(1)}}}})
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) {
		cut := append([]byte(nil), whole[:n]...)
		f := &fields{values: make([]sources.Value, 1)}
		root := &node{}
		root.add("b.c", 0)
		if err := root.read(cut, f); err == nil {
			t.Errorf("a document cut after %d of %d bytes reads as %v", n, len(whole), f.values)
		}
	}
}

// TestANameTwiceMakesTheRecordUnreadable: mongod keeps such documents; the
// embedded engine drops the first of the two when they are inserted.
func TestANameTwiceMakesTheRecordUnreadable(t *testing.T) {
	t.Parallel()
	raw, err := bson.Marshal(bson.D{{Key: "_id", Value: 5}, {Key: "body", Value: 1}, {Key: "body", Value: 2}, {Key: "other", Value: 3},
		{Key: "in", Value: bson.D{{Key: "x", Value: 1}, {Key: "x", Value: 1}}}, {Key: "items", Value: bson.A{bson.D{{Key: "id", Value: 1}}}}, {Key: "items", Value: bson.A{}}})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		fields []string
		unwind string
		want   string
	}{
		{[]string{"body"}, "", "5||1 unreadable"}, {[]string{"in.x"}, "", "5||1 unreadable"}, {[]string{"in"}, "", "5||absent unreadable"},
		{[]string{"other"}, "", "5||3"}, {[]string{"items.id"}, "items", "5||absent unreadable"},
	}
	for _, test := range tests {
		p, err := prepare(&sources.Dataset{Name: "x", Key: []string{"_id"}, Fields: test.fields, Unwind: test.unwind})
		if err != nil {
			t.Fatal(err)
		}
		b := &builder{p: p, shape: p.whole}
		if _, err := b.add(bsoncore.Document(raw)); err != nil {
			t.Fatal(err)
		}
		same(t, test.fields[0], lines(b.records), []string{test.want})
	}
}

func TestPathsReadAsMongoDBReadsThem(t *testing.T) {
	t.Parallel()
	document := bson.D{
		{Key: "a", Value: bson.D{{Key: "b", Value: int32(1)}, {Key: "c", Value: nil}}},
		{Key: "list", Value: bson.A{bson.D{{Key: "x", Value: "1"}}, int32(5), bson.D{{Key: "y", Value: "2"}}, bson.D{{Key: "x", Value: bson.A{"3"}}}, bson.A{bson.D{{Key: "x", Value: "4"}}}}},
		{Key: "empty", Value: bson.A{}},
		{Key: "", Value: bson.D{{Key: "$where", Value: "hostile"}}},
		{Key: "a.b", Value: "a name with a dot"},
		{Key: `"; drop`, Value: true},
	}
	raw, err := bson.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]string{
		"a": `{"b":1,"c":null}`, "a.b": "1", "a.c": "null", "a.d": "absent", "a.b.c": "absent", "none": "absent",
		"list.x": `["1",["3"]]`, "list.z": "[]", "empty.x": "[]", "list.x.q": "[[]]", ".$where": "hostile", `"; drop`: "true",
	}
	for path, want := range tests {
		f := &fields{values: make([]sources.Value, 1)}
		root := &node{}
		root.add(path, 0)
		if err := root.read(raw, f); err != nil || f.why != "" {
			t.Errorf("%s: %v %s", path, err, f.why)
		}
		if got := f.values[0].String(); got != want {
			t.Errorf("%s reads as %s, not %s", path, got, want)
		}
	}
}

func TestKeyFormsFindEveryEqualKey(t *testing.T) {
	t.Parallel()
	u := sources.UUID([16]byte{0: 0xab})
	types := func(forms []bsoncore.Value) (all []string) {
		for _, f := range forms {
			all = append(all, f.Type.String())
		}
		return all
	}
	document, err := sources.DocumentOf([]sources.Field{{Name: "a", Value: sources.Int(1)}, {Name: "b", Value: sources.Text("x")}, {Name: "c", Value: sources.Float(0.5)}})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		key  sources.Value
		want string
	}{
		{"int", sources.Int(5), "64-bit integer"},
		{"integral decimal", parsed(t, "5.00"), "64-bit integer"},
		{"double", sources.Float(0.5), "double,128-bit decimal"},
		{"a decimal that a double is written as", parsed(t, "0.1"), "double,128-bit decimal"},
		{"a double", sources.Float(0.1), "double,128-bit decimal"},
		{"a double in canonical form", sources.Canonical(sources.Float(0.1)), "double,128-bit decimal"},
		{"the decimal that a double is to the last digit", parsed(t, "0.1000000000000000055511151231257827"), "128-bit decimal"},
		{"a double beyond what decimal128 writes whole", sources.Float(math.Exp2(200)), "double"},
		{"a decimal too long", parsed(t, strings.Repeat("9", 40)+".5"), ""},
		{"text", sources.Text("x"), "string"},
		{"uuid", u, "binary,string"},
		{"uuid's text", sources.Text(u.String()), "string,binary"},
		{"uuid's text in capitals", sources.Text(strings.ToUpper(u.String())), "string"},
		{"objectid's text", sources.Text("0123456789abcdef01234567"), "string,objectID"},
		{"time", sources.Time(time.UnixMilli(5), 3), "UTC datetime"},
		{"time between milliseconds", sources.Time(time.UnixMicro(5001), 6), ""},
		{"naive time", sources.NaiveTime(time.UnixMilli(5), 3), ""},
		{"date", sources.Date(5), ""},
		{"document in each order", document, "embedded document,embedded document"},
	}
	for _, test := range tests {
		forms, err := keyForms(test.key)
		got := strings.Join(types(forms), ",")
		if test.name == "document in each order" {
			if len(forms) != 12 { // six orders, and a half is a double and a decimal
				t.Errorf("%s: %d forms", test.name, len(forms))
			}
			continue
		}
		if err != nil || got != test.want {
			t.Errorf("%s: %s, %v; want %s", test.name, got, err, test.want)
		}
	}
}
