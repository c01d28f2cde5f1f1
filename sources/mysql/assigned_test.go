package mysql

import (
	"slices"
	"testing"
	"time"

	"plumbline/sources"
)

func TestLabelsAreReadAsTheyWereDeclared(t *testing.T) {
	t.Parallel()
	for declared, want := range map[string][]string{
		"enum('a')":                   {"a"},
		"enum('a','b c','')":          {"a", "b c", ""},
		"set('it''s','''','(a,b)')":   {"it's", "'", "(a,b)"},
		"enum(''',''','x')":           {"','", "x"},
		"enum('\\\\','é','a,b')":      {`\\`, "é", "a,b"},
		"enum('a''','''b') charset x": {"a'", "'b"},
	} {
		if got := labelsOf(declared); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", declared, got, want)
		}
	}
}

// What the server would cut off, or put something else in the place of, is
// refused; what it rounds is rounded as it rounds.
func TestAValueIsWhatTheColumnMakesOfItOrRefused(t *testing.T) {
	t.Parallel()
	decimal := func(text string) sources.Value {
		v, err := sources.ParseDecimal(text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	at := time.Date(2024, 3, 31, 2, 30, 0, 123456789, time.UTC)
	tiny := &stored{base: "tinyint", scale: -1}
	price := &stored{base: "decimal", digits: 5, scale: 2}
	narrow := &stored{base: "varchar", length: 3, octets: 12, charset: "utf8mb4"}
	for _, c := range []struct {
		column *stored
		value  sources.Value
		want   string
		err    error
	}{
		{tiny, sources.Int(127), "127", nil},
		{tiny, sources.Int(128), "", errOutOfRange},
		{tiny, decimal("1.0"), "1", nil},
		{tiny, decimal("1.5"), "", errNoForm},
		{tiny, sources.Float(2), "2", nil},
		{tiny, sources.Float(2.5), "", errNoForm},
		{tiny, sources.Bool(true), "1", nil},
		{tiny, sources.Text("12"), "12", nil},
		{tiny, sources.Text("12 cats"), "", errNoForm},
		{tiny, sources.Text(""), "", errNoForm},
		{&stored{base: "bigint", unsigned: true}, sources.Uint(1<<64 - 1), "18446744073709551615", nil},
		{&stored{base: "bigint", unsigned: true}, sources.Int(-1), "", errOutOfRange},
		{&stored{base: "bit", length: 9}, sources.Int(511), "511", nil},
		{&stored{base: "bit", length: 9}, sources.Int(512), "", errOutOfRange},
		{&stored{base: "year"}, sources.Int(0), "0", nil},
		{&stored{base: "year"}, sources.Int(1900), "", errOutOfRange},
		{price, decimal("999.99"), "999.99", nil},
		{price, decimal("0.005"), "0.01", nil},
		{price, decimal("-0.005"), "-0.01", nil},
		{price, decimal("999.995"), "", errOutOfRange},
		{price, decimal("1000"), "", errOutOfRange},
		{price, decimal("1E+4000"), "", errNoForm},
		{price, sources.DecimalNaN(), "", errNoForm},
		{price, sources.Text("1"), "", errNoForm},
		{&stored{base: "decimal", digits: 5, scale: 2, unsigned: true}, decimal("-0.001"), "-0.00", nil},
		{&stored{base: "decimal", digits: 5, scale: 2, unsigned: true}, decimal("-1"), "", errOutOfRange},
		{&stored{base: "float", scale: -1}, sources.Float(0.1), "0.10000000149011612", nil},
		{&stored{base: "float", scale: -1}, sources.Float(1e39), "", errOutOfRange},
		{&stored{base: "float", scale: 2}, sources.Float(1.239), "1.2400000095367432", nil},
		{&stored{base: "double", scale: -1}, decimal("1E+999"), "", errOutOfRange},
		{narrow, sources.Text("éé "), "éé ", nil},
		{narrow, sources.Text("abcd"), "", errTooLong},
		{narrow, sources.Text("abc "), "", errTooLong},
		{narrow, sources.Text("\xff"), "", errNoForm},
		{narrow, sources.Bytes([]byte("a")), "", errNoForm},
		{&stored{base: "char", length: 3, charset: "utf8mb4"}, sources.Text("ab   "), "ab", nil},
		{&stored{base: "tinytext", length: 255, octets: 3, charset: "utf8mb4"}, sources.Text("éé"), "", errTooLong},
		{&stored{base: "binary", octets: 4}, sources.Bytes([]byte("ab")), "ab\x00\x00", nil},
		{&stored{base: "binary", octets: 16}, sources.UUID([16]byte{1}), "\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", nil},
		{&stored{base: "varbinary", octets: 1}, sources.Bytes([]byte("ab")), "", errTooLong},
		{&stored{base: "varbinary", octets: 9}, sources.Text("0x00"), "", errNoForm},
		{&stored{base: "enum", labels: []string{"a", "2"}}, sources.Text("2"), "2", nil},
		{&stored{base: "enum", labels: []string{"a", "2"}}, sources.Text("1"), "", errNoLabel},
		{&stored{base: "enum", labels: []string{"a", "2"}}, sources.Text("A"), "", errNoLabel},
		{&stored{base: "enum", labels: []string{"a", "2"}}, sources.Int(1), "", errNoForm},
		{&stored{base: "set", labels: []string{"x", "y"}}, sources.Text("y,x,y"), "x,y", nil},
		{&stored{base: "set", labels: []string{"x", "y"}}, sources.Text(""), "", nil},
		{&stored{base: "set", labels: []string{"x", "y"}}, sources.Text("x,"), "", errNoLabel},
		{&stored{base: "datetime"}, sources.NaiveTime(at, 9), "2024-03-31 02:30:00.123456", nil},
		{&stored{base: "datetime"}, sources.Time(at, 9), "", errNoForm},
		{&stored{base: "timestamp"}, sources.Time(at, 9), "2024-03-31 02:30:00.123456", nil},
		{&stored{base: "timestamp"}, sources.Time(time.Unix(0, 0), 0), "", errOutOfRange},
		{&stored{base: "timestamp"}, sources.TimeInfinity(1, false), "", errNoForm},
		{&stored{base: "date"}, sources.Date(19783), "2024-03-01", nil},
		{&stored{base: "date"}, sources.Date(1 << 40), "", errOutOfRange},
		{&stored{base: "time"}, sources.Duration(0, 1, -1_000_000), "23:59:59.999000", nil},
		{&stored{base: "time"}, sources.Duration(0, 0, -500_000_000), "-00:00:00.500000", nil},
		{&stored{base: "time"}, sources.Duration(0, 40, 0), "", errOutOfRange},
		{&stored{base: "time"}, sources.Duration(1, 0, 0), "", errOutOfRange},
		{&stored{base: "point"}, sources.Bytes([]byte("x")), "", errNoForm},
		{&stored{base: "longtext", json: true}, sources.Text(`a"b`), `"a\"b"`, nil},
	} {
		got, err := c.column.assigned(c.value)
		if got != c.want || err != c.err {
			t.Errorf("%s %s in a column %s: %q, %v; want %q, %v", c.value.Kind(), c.value, c.column.base, got, err, c.want, c.err)
		}
	}
}
