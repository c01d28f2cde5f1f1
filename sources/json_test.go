package sources_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"plumbline/sources"
)

func document(t *testing.T, fields ...sources.Field) sources.Value {
	t.Helper()
	v, err := sources.DocumentOf(fields)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestParseJSONReadsExactly(t *testing.T) {
	t.Parallel()
	decimal := func(s string) sources.Value {
		v, err := sources.ParseDecimal(s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for text, want := range map[string]sources.Value{
		`null`:                   sources.Null(),
		` true `:                 sources.Bool(true),
		"\n\tfalse\r":            sources.Bool(false),
		`0`:                      sources.Int(0),
		`-0`:                     sources.Int(0),
		`9007199254740993`:       sources.Int(1<<53 + 1),
		`9223372036854775807`:    sources.Int(math.MaxInt64),
		`-9223372036854775808`:   sources.Int(math.MinInt64),
		`9223372036854775808`:    decimal("9223372036854775808"),
		`18446744073709551615`:   sources.Uint(math.MaxUint64),
		`1.50`:                   decimal("1.5"),
		`0.1`:                    decimal("0.1"),
		`-0.0`:                   decimal("0"),
		`1e2`:                    decimal("100"),
		`12E-3`:                  decimal("0.012"),
		`1e+400`:                 decimal("1e400"),
		`""`:                     sources.Text(""),
		`"a\"\\\/\b\f\n\r\t"`:    sources.Text("a\"\\/\b\f\n\r\t"),
		`"\u00e9\u0000x"`:        sources.Text("é\x00x"),
		`"\ud83d\ude00"`:         sources.Text("😀"),
		`"😀"`:                    sources.Text("😀"),
		"\"\xff\"":               sources.Text("\xff"),
		`[]`:                     sources.ListOf(nil),
		`[1, "x", null]`:         sources.ListOf([]sources.Value{sources.Int(1), sources.Text("x"), sources.Null()}),
		`{}`:                     document(t),
		`{"b": 1, "a": {"": 2}}`: document(t, sources.Field{Name: "a", Value: document(t, sources.Field{Value: sources.Int(2)})}, sources.Field{Name: "b", Value: sources.Int(1)}),
	} {
		got, err := sources.ParseJSON([]byte(text))
		if err != nil || !got.Equal(want) {
			t.Errorf("%s: got %v (%v), %v; want %v (%v)", text, got, got.Kind(), err, want, want.Kind())
		}
	}
}

func TestParseJSONKeepsTheDigitsWritten(t *testing.T) {
	t.Parallel()
	v, err := sources.ParseJSON([]byte(`[12.50, 123456789012345678901234567890.123456789012345678901234567890]`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := v.String(), `[12.50,123456789012345678901234567890.123456789012345678901234567890]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestParseJSONRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		``, ` `, `nul`, `nulll`, `tru`, `True`, `+1`, `01`, `-`, `1.`, `.5`, `1e`, `1e+`, `0x1`, `NaN`, `Infinity`, `1 2`,
		`"`, `"a`, `"\`, `"\x"`, `"\u12"`, `"\u12g4"`, `"\u+123"`, "\"\n\"", "\"\x00\"", `'a'`,
		`"\ud800"`, `"\ud800x"`, `"\ud800\n"`, `"\ud800\u0041"`, `"\udc00"`, `"\ud800\ud800"`,
		`[`, `[1`, `[1,`, `[1,]`, `[,]`, `[1 2]`, `]`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{a:1}`, `{1:1}`, `{"a" 1}`,
		"\ufeff1", `1e1000001`, `1e99999999999999999999`,
	} {
		if v, err := sources.ParseJSON([]byte(text)); err == nil {
			t.Errorf("%q: got %v, want an error", text, v)
		}
	}
}

func TestParseJSONRefusesANameTwice(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{"a":1,"a":1}`, `[{"x":{"a":1,"b":2,"a":3}}]`, `{"a":1,"\u0061":2}`} {
		if _, err := sources.ParseJSON([]byte(text)); !errors.Is(err, sources.ErrDuplicateName) {
			t.Errorf("%s: got %v, want ErrDuplicateName", text, err)
		}
	}
}

func TestParseJSONBoundsDepth(t *testing.T) {
	t.Parallel()
	nest := func(opening, closing string, levels int) []byte {
		return []byte(strings.Repeat(opening, levels) + "1" + strings.Repeat(closing, levels))
	}
	for name, c := range map[string]struct{ opening, closing string }{"lists": {"[", "]"}, "documents": {`{"a":`, "}"}} {
		if _, err := sources.ParseJSON(nest(c.opening, c.closing, sources.MaxDepth)); err != nil {
			t.Errorf("%d %s: %v", sources.MaxDepth, name, err)
		}
		for _, levels := range []int{sources.MaxDepth + 1, 10_000, 1_000_000} {
			if _, err := sources.ParseJSON(nest(c.opening, c.closing, levels)); !errors.Is(err, sources.ErrTooDeep) {
				t.Errorf("%d %s: got %v, want ErrTooDeep", levels, name, err)
			}
		}
	}
}

// What is read and written again reads as the same value.
func FuzzParseJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.50,"x\u00e9"],"b":null}`, `[1e400,-0,true]`, `"\ud83d\ude00"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := sources.ParseJSON(data)
		if err != nil {
			return
		}
		decoded, rest, err := sources.DecodeValue(v.AppendEncoding(nil))
		if err != nil || len(rest) > 0 || !decoded.Equal(v) {
			t.Errorf("%q: encodes and decodes as %v, %v", data, decoded, err)
		}
	})
}
