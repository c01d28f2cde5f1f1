package sources

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// anyValue draws values of every kind, the odd ones often.
func anyValue(depth int) *rapid.Generator[Value] {
	return rapid.Custom(func(t *rapid.T) Value {
		most := 14
		if depth == 0 {
			most = 12
		}
		switch Kind(rapid.IntRange(0, most).Draw(t, "kind")) {
		case KindNull:
			return Null()
		case KindBool:
			return Bool(rapid.Bool().Draw(t, "bool"))
		case KindInt:
			return Int(rapid.Int64().Draw(t, "int"))
		case KindDecimal:
			special := []Value{DecimalNaN(), DecimalInfinity(1), DecimalInfinity(-1)}
			if i := rapid.IntRange(0, 20).Draw(t, "special"); i < len(special) {
				return special[i]
			}
			return Decimal(rapid.StringMatching(`-?[0-9]{1,40}`).Draw(t, "digits"), int64(rapid.IntRange(-50, 50).Draw(t, "exponent")),
				rapid.IntRange(0, 9).Draw(t, "scale"))
		case KindFloat:
			return Float(rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 0})).Draw(t, "float"))
		case KindText:
			return Text(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "\x00", "\xff", "null", "1"})).Draw(t, "text"))
		case KindBytes:
			return Bytes(rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "bytes"))
		case KindTime:
			at := time.Unix(rapid.Int64Range(-1e11, 1e11).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos"))
			if rapid.Bool().Draw(t, "naive") {
				return NaiveTime(at.UTC(), 6)
			}
			return Time(at, 6)
		case KindDate:
			return Date(rapid.Int64Range(-1e6, 1e6).Draw(t, "days"))
		case KindDuration:
			return Duration(rapid.Int32().Draw(t, "months"), rapid.Int32().Draw(t, "days"), rapid.Int64().Draw(t, "nanos"))
		case KindUUID:
			return UUID([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid")))
		case KindObjectID:
			return ObjectID([12]byte(rapid.SliceOfN(rapid.Byte(), 12, 12).Draw(t, "objectid")))
		case KindList:
			return ListOf(rapid.SliceOfN(anyValue(depth-1), 0, 4).Draw(t, "items"))
		case KindDocument:
			var fields []Field
			for name, v := range rapid.MapOfN(rapid.String(), anyValue(depth-1), 0, 4).Draw(t, "fields") {
				fields = append(fields, Field{name, v})
			}
			v, err := DocumentOf(fields)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		return Value{}
	})
}

func TestEncodingLeadsBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := anyValue(3).Draw(t, "value")
		tail := rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "tail")
		got, rest, err := DecodeValue(append(v.AppendEncoding(nil), tail...))
		if err != nil || !got.Equal(v) || !bytes.Equal(rest, tail) {
			t.Fatalf("%v came back as %v, rest %x, err %v", v, got, rest, err)
		}
	})
}

func TestEncodingIsInjective(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SliceOfN(anyValue(2), 1, 3).Draw(t, "a")
		b := rapid.SliceOfN(anyValue(2), 1, 3).Draw(t, "b")
		if Key(a).Equal(b) != (Key(a).Encode() == Key(b).Encode()) {
			t.Fatalf("%v and %v: equal %v, but encodings %x and %x", a, b, Key(a).Equal(b), Key(a).Encode(), Key(b).Encode())
		}
	})
}

// Pairs that a careless encoding or hash takes for one another.
func TestEncodingTellsLookAlikesApart(t *testing.T) {
	t.Parallel()
	document := func(fields ...Field) Value {
		v, err := DocumentOf(fields)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	pairs := [][2]Key{
		{{Text("ab"), Text("c")}, {Text("a"), Text("bc")}},
		{{Text("")}, {Null()}},
		{{Null()}, {{}}},
		{{Text("null")}, {Null()}},
		{{Text("1")}, {Int(1)}},
		{{Int(1)}, {Float(1)}},
		{{Int(1)}, {Decimal("1", 0, 0)}},
		{{Bool(true)}, {Int(1)}},
		{{Text("a")}, {Bytes([]byte("a"))}},
		{{Decimal("1", 1, 0)}, {Decimal("1", 0, 0)}},
		{{Decimal("-1", 0, 0)}, {Decimal("1", 0, 0)}},
		{{DecimalNaN()}, {Decimal("0", 0, 0)}},
		{{Duration(0, 30, 0)}, {Duration(1, 0, 0)}},
		{{Duration(0, 1, 0)}, {Duration(0, 0, 86400e9)}},
		{{Time(time.Unix(0, 0), 6)}, {NaiveTime(time.Unix(0, 0).UTC(), 6)}},
		{{TimeInfinity(1, false)}, {TimeInfinity(-1, false)}},
		{{Date(0)}, {Time(time.Unix(0, 0), 0)}},
		{{ListOf(nil)}, {document()}},
		{{ListOf([]Value{ListOf(nil)})}, {ListOf([]Value{ListOf(nil), ListOf(nil)})}},
		{{ListOf([]Value{Text("a"), Text("b")})}, {ListOf([]Value{Text("b"), Text("a")})}},
		{{document(Field{"a", Null()})}, {document()}},
		{{document(Field{"a", Int(1)}, Field{"b", Int(2)})}, {document(Field{"a", Int(2)}, Field{"b", Int(1)})}},
		{{Text("a"), Null()}, {Null(), Text("a")}},
		{{Text("a\x00")}, {Text("a")}},
		{{UUID([16]byte{1})}, {Bytes(append([]byte{1}, make([]byte, 15)...))}},
	}
	for _, p := range pairs {
		if p[0].Encode() == p[1].Encode() || FingerprintOf(p[0]) == FingerprintOf(p[1]) {
			t.Errorf("%v (%s) and %v (%s) encode alike", p[0], p[0][0].Kind(), p[1], p[1][0].Kind())
		}
	}
}

func TestOneFormForOneValue(t *testing.T) {
	t.Parallel()
	same := [][2]Value{
		{Decimal("1250", -2, 2), Decimal("125", -1, 1)},
		{Decimal("-0", 5, 0), Decimal("0", 0, 2)},
		{Decimal("00012", 0, 0), Decimal("12", 0, 0)},
		{Float(math.Copysign(0, -1)), Float(0)},
		{Float(math.NaN()), Float(math.Float64frombits(0x7ff8000000000123))},
		{Uint(7), Int(7)},
		{Float32(0.5), Float(0.5)},
		{Time(time.Unix(5, 0), 3), Time(time.Unix(5, 0).In(time.FixedZone("x", 3600)), 6)},
	}
	for _, p := range same {
		if !p[0].Equal(p[1]) || FingerprintOf(p[:1]) != FingerprintOf(p[1:]) {
			t.Errorf("%v and %v are one value in two forms", p[0], p[1])
		}
	}
}

func TestTextIsExact(t *testing.T) {
	t.Parallel()
	cases := []struct {
		v    Value
		want string
	}{
		{Int(math.MinInt64), "-9223372036854775808"},
		{Uint(math.MaxUint64), "18446744073709551615"},
		{Decimal("1250", -2, 2), "12.50"},
		{Decimal("-5", -3, 0), "-0.005"},
		{Decimal("1", 30, 0), "1" + strings.Repeat("0", 30)},
		{Decimal("1", 6000, 0), "1E6000"},
		{DecimalInfinity(-1), "-Infinity"},
		{Float(0.1), "0.1"},
		{Float32(0.1), "0.1"},
		{Float(1e300), "1e+300"},
		{Float(9007199254740993), "9007199254740992"},
		{Time(time.Unix(0, 120_000_000), 3), "1970-01-01T00:00:00.120Z"},
		{Time(time.Unix(0, 123_456_789), 3), "1970-01-01T00:00:00.123456789Z"},
		{Time(time.Unix(0, 0), 0), "1970-01-01T00:00:00Z"},
		{NaiveTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), 6), "2026-01-02T03:04:05.000000"},
		{Time(time.Date(-43, 3, 15, 0, 0, 0, 0, time.UTC), 0), "0044-03-15T00:00:00Z BC"},
		{Date(0), "1970-01-01"},
		{DateInfinity(1), "infinity"},
		{Duration(1, 2, 3e9), "1 months 2 days 3s"},
		{Bytes([]byte{0, 255}), `\x00ff`},
		{UUID([16]byte{0xa0, 0xee}), "a0ee0000-0000-0000-0000-000000000000"},
		{ListOf([]Value{Int(1), Text("a\n"), Null(), Decimal("10", -1, 1)}), `[1,"a\n",null,1.0]`},
	}
	for _, c := range cases {
		if got := c.v.String(); got != c.want {
			t.Errorf("%s: %q, want %q", c.v.Kind(), got, c.want)
		}
	}
}

// Floats meet the decimals they are written as, whatever kind a store keeps.
func TestCanonicalNumbers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		v    Value
		kind Kind
		want string
	}{
		{Float(0.1), KindDecimal, "0.1"},
		{Float(-12.34), KindDecimal, "-12.34"},
		{Float(0.30000000000000004), KindDecimal, "0.30000000000000004"},
		{Float(1e-7), KindDecimal, "0.0000001"},
		{Float(42), KindInt, "42"},
		{Float(1 << 60), KindInt, "1152921504606846976"},
		{Float(1 << 64), KindDecimal, "18446744073709551616"},
		{Float(1e23), KindDecimal, "99999999999999991611392"},
		{Float32(0.1), KindDecimal, "0.10000000149011612"}, // its width is no part of the value
		{Float(math.NaN()), KindFloat, "NaN"},
		{Float(math.Inf(-1)), KindFloat, "-Infinity"},
		{Decimal("1234", -2, 2), KindDecimal, "12.34"},
		{Decimal("1000", -2, 2), KindInt, "10"},
	} {
		if got := Canonical(c.v); got.Kind() != c.kind || got.String() != c.want {
			t.Errorf("%s %s: %s %s, want %s %s", c.v.Kind(), c.v, got.Kind(), got, c.kind, c.want)
		}
	}
}

// Equal values have one canonical form, different floats have two, and each leads back.
func TestCanonicalFloatsKeepApart(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.OneOf(rapid.Float64(), rapid.Map(rapid.Float32(), func(f float32) float64 { return float64(f) }),
			rapid.Map(rapid.IntRange(-1_000_000, 1_000_000), func(i int) float64 { return float64(i) / 1000 })).Draw(t, "f")
		c := Canonical(Float(f))
		if narrow := Float32(float32(f)); narrow.Equal(Float(f)) && !Canonical(narrow).Equal(c) {
			t.Fatalf("%v has two canonical forms: %s and %s", f, c, Canonical(narrow))
		}
		if !Canonical(c).Equal(c) {
			t.Fatalf("%v: %s is not its own canonical form", f, c)
		}
		back, err := As(c, KindFloat, nil)
		if err != nil || !back.Equal(Float(f)) {
			t.Fatalf("%v: %s leads back to %v, %v", f, c, back, err)
		}
		for _, g := range []float64{math.Nextafter(f, math.Inf(1)), math.Nextafter(f, math.Inf(-1))} {
			if g != f && Canonical(Float(g)).Equal(c) {
				t.Fatalf("%v and %v are both %s", f, g, c)
			}
		}
	})
}

func TestParseDecimal(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"12": "12", "-12.50": "-12.50", "1.5e-7": "0.00000015", ".5": "0.5", "5.": "5", "+3": "3",
		"1E3": "1000", "NaN": "NaN", "-inf": "-Infinity", "0.000": "0.000"} {
		if v, err := ParseDecimal(in); err != nil || v.String() != want {
			t.Errorf("%q: %v, %v, want %s", in, v, err, want)
		}
	}
	for _, in := range []string{"", "-", ".", "1.2.3", "1e", "1e9999999", "0x10", "1_000", " 1", "١"} {
		if v, err := ParseDecimal(in); err == nil {
			t.Errorf("%q was read as %v", in, v)
		}
	}
}

func TestSecretNeverPrints(t *testing.T) {
	t.Parallel()
	o := Options{Name: "a", URL: "postgres://u:hunter2@h/d"}
	for _, s := range []string{fmt.Sprintf("%v", o), fmt.Sprintf("%+v", o), fmt.Sprintf("%#v", o), fmt.Sprintf("%s", o.URL), fmt.Sprintf("%q", o.URL), fmt.Sprintf("%x", o.URL), string(marshal(t, o))} {
		if strings.Contains(s, "hunter2") || strings.Contains(s, "68756e746572") {
			t.Errorf("a secret prints: %s", s)
		}
	}
}

func marshal(t *testing.T, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNearest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		in   []string
		want string
	}{
		{"statsu", []string{"status", "state", "id"}, "status"},
		{"withn", []string{"within", "map"}, "within"},
		{"Price", []string{"price"}, "price"},
		{"zzz", []string{"status"}, ""},
		{"id", []string{"ie", "of"}, "ie"},
		{"", []string{"a"}, "a"},
	} {
		if got := Nearest(c.name, c.in); got != c.want {
			t.Errorf("%q: %q, want %q", c.name, got, c.want)
		}
	}
}
