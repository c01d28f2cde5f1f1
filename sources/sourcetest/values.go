package sourcetest

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"plumbline/sources"
)

// valueTable is one column of one type and what is put into it.
type valueTable struct {
	name   string
	column Column
	values []sources.Value
}

func decimals(texts ...string) (vs []sources.Value) {
	for _, text := range texts {
		v, err := sources.ParseDecimal(text)
		if err != nil {
			panic(err)
		}
		vs = append(vs, v)
	}
	return vs
}

func instants(digits int, naive bool, times ...time.Time) (vs []sources.Value) {
	for _, at := range times {
		if naive {
			vs = append(vs, sources.NaiveTime(at, digits))
		} else {
			vs = append(vs, sources.Time(at, digits))
		}
	}
	return vs
}

func texts(all ...string) (vs []sources.Value) {
	for _, text := range all {
		vs = append(vs, sources.Text(text))
	}
	return vs
}

func document(fields ...sources.Field) sources.Value {
	v, err := sources.DocumentOf(fields)
	if err != nil {
		panic(err)
	}
	return v
}

func valueTables() []valueTable {
	millis := []time.Time{time.UnixMilli(0), time.UnixMilli(-1), time.UnixMilli(1_700_000_000_123), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 999_000_000, time.UTC), time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC), time.Date(1582, 10, 10, 1, 2, 3, 0, time.UTC)}
	bc := []time.Time{time.Date(0, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(-43, 3, 15, 12, 0, 0, 0, time.UTC)}
	micros := []time.Time{time.UnixMicro(1), time.UnixMicro(-1), time.UnixMicro(1_700_000_000_123_456), time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)}
	deep := sources.Int(1)
	for range 20 {
		deep = sources.ListOf([]sources.Value{document(sources.Field{Name: "a", Value: deep})})
	}
	return []valueTable{
		{"ints", Column{Kind: sources.KindInt}, []sources.Value{sources.Int(0), sources.Int(-1), sources.Int(math.MaxInt64), sources.Int(math.MinInt64),
			sources.Int(1<<53 + 1), sources.Int(-1<<53 - 1), sources.Int(1 << 31)}},
		{"bools", Column{Kind: sources.KindBool}, []sources.Value{sources.Bool(true), sources.Bool(false)}},
		{"decimals", Column{Kind: sources.KindDecimal}, decimals("0", "1", "-1", "0.1", "12.50", "1e-7", "-0.000001", "99999999999999999999999999999999999999",
			"0.12345678901234567890123456789012345678", "-1234567890123456789.0123456789012345678", "9223372036854775808", "18446744073709551615", "1e20", "123456789012345678901234567890123.4")},
		{"special decimals", Column{Kind: sources.KindDecimal}, decimals("NaN", "Infinity", "-Infinity", strings.Repeat("9", 60)+"."+strings.Repeat("7", 40), "1e300", "1e-300")},
		{"floats", Column{Kind: sources.KindFloat, Precision: 64}, []sources.Value{sources.Float(0), sources.Float(0.1), sources.Float(-1.5), sources.Float(math.MaxFloat64),
			sources.Float(math.SmallestNonzeroFloat64), sources.Float(1 << 53), sources.Float(1e21), sources.Float(math.Nextafter(1, 2)), sources.Float(math.Inf(1)),
			sources.Float(math.Inf(-1)), sources.Float(math.NaN()), sources.Float(math.Copysign(0, -1)), sources.Float(3)}},
		{"narrow floats", Column{Kind: sources.KindFloat, Precision: 32}, []sources.Value{sources.Float32(0.1), sources.Float32(1.5), sources.Float32(math.MaxFloat32),
			sources.Float32(math.SmallestNonzeroFloat32), sources.Float32(float32(math.Inf(1)))}},
		{"texts", Column{Kind: sources.KindText}, texts("", " ", "a", "A", "é", "e\u0301", "😀👩‍👩‍👧", "\u200b", "\ufeffbom", "a\nb\r\n\tc", "null", "NULL", "NaN", "1", "true", `\x00`,
			"a ", " a", "ﬁ", "İı", "\u202eevil", "'; DROP TABLE x; --", `"\'`, "a\x00b", "\x00", "\xff\xfe", "ok\xc3", "\ud7ff\ue000", "\uffff", strings.Repeat("ä", 512<<10))},
		{"bytes", Column{Kind: sources.KindBytes}, []sources.Value{sources.Bytes(nil), sources.Bytes([]byte{0}), sources.Bytes([]byte("text")), sources.Bytes([]byte{0xff, 0, 0x80}),
			sources.Bytes([]byte(strings.Repeat("\x00\xff", 1<<19))), sources.Bytes(make([]byte, 16)), sources.Bytes(make([]byte, 12))}},
		{"instants in milliseconds", Column{Kind: sources.KindTime, Precision: 3}, instants(3, false, append(millis, bc...)...)},
		{"instants in microseconds", Column{Kind: sources.KindTime, Precision: 6}, instants(6, false, append(micros, millis...)...)},
		{"infinite instants", Column{Kind: sources.KindTime, Precision: 6}, []sources.Value{sources.TimeInfinity(1, false), sources.TimeInfinity(-1, false)}},
		{"naive times", Column{Kind: sources.KindTime, Naive: true, Precision: 6}, append(instants(6, true, append(append(micros, millis...), bc...)...),
			sources.TimeInfinity(1, true), sources.TimeInfinity(-1, true))},
		{"dates", Column{Kind: sources.KindDate}, []sources.Value{sources.Date(0), sources.Date(-1), sources.Date(19782), sources.Date(-719162), sources.Date(-719163),
			sources.Date(2932896), sources.Date(-735_000), sources.DateInfinity(1), sources.DateInfinity(-1)}},
		{"durations", Column{Kind: sources.KindDuration}, []sources.Value{sources.Duration(0, 0, 0), sources.Duration(1, 0, 0), sources.Duration(0, 30, 0), sources.Duration(0, 1, 0),
			sources.Duration(0, 0, 24*3600e9), sources.Duration(-1, 2, -3000), sources.Duration(14, -1, 1000)}},
		{"uuids", Column{Kind: sources.KindUUID}, []sources.Value{sources.UUID([16]byte{}), sources.UUID([16]byte{0: 0xab, 15: 0xcd}), sources.UUID([16]byte{6: 0x40, 8: 0x80})}},
		{"objectids", Column{Kind: sources.KindObjectID}, []sources.Value{sources.ObjectID([12]byte{}), sources.ObjectID([12]byte{0: 0xff, 11: 1})}},
		{"lists", Column{Kind: sources.KindList}, []sources.Value{sources.ListOf(nil), sources.ListOf(texts("a", "", "b")), sources.ListOf([]sources.Value{sources.Null()}),
			sources.ListOf(texts("NULL", "null", `"`, `\`, ",", "{}", "{", " ", "a,b"))}},
		{"documents", Column{Kind: sources.KindDocument}, []sources.Value{document(), document(sources.Field{Name: "a", Value: sources.Int(1)}),
			document(sources.Field{Name: "b", Value: sources.Null()}, sources.Field{Name: "a", Value: sources.Text("x")}),
			document(sources.Field{Name: "n", Value: sources.Int(math.MaxInt64)}, sources.Field{Name: "l", Value: sources.ListOf([]sources.Value{sources.Int(1), sources.Text("é"), sources.Bool(true), sources.Null()})}),
			document(sources.Field{Name: "Z", Value: sources.Int(1)}, sources.Field{Name: "a", Value: sources.Int(2)}, sources.Field{Name: "é 😀", Value: sources.Int(3)}),
			document(sources.Field{Name: "deep", Value: deep}), document(sources.Field{Name: "", Value: sources.Int(1)}),
			document(sources.Field{Name: "d", Value: decimals("1234567890123456789.5")[0]})}},
	}
}

func (s *suite) testValues(t *testing.T) {
	for _, vt := range valueTables() {
		t.Run(vt.name, func(t *testing.T) {
			if f := s.valueFixture(t, vt); f != nil {
				s.checkValues(t, f)
			}
		})
	}
}

// valueFixture loads a table of values, or returns nil where none can be held.
func (s *suite) valueFixture(t *testing.T, vt valueTable) *fixture {
	t.Helper()
	name := "v_" + strings.ReplaceAll(vt.name, " ", "_")
	if f := s.shapes[name]; f != nil {
		return f
	}
	column := vt.column
	column.Name = "v"
	table := Table{Name: name, Key: []string{"k"}, Unique: true, Indexed: true,
		Columns: []Column{{Name: "k", Kind: sources.KindInt, NotNull: true}, column, {Name: serial, Kind: sources.KindInt, NotNull: true}}}
	kept := 0
	for _, v := range append(vt.values, sources.Null(), sources.Value{}) {
		if !s.holds(t, v, aField) {
			continue
		}
		if !v.IsNull() && !v.IsAbsent() {
			kept++
		}
		n := int64(len(table.Rows))
		table.Rows = append(table.Rows, []sources.Value{sources.Int(n * 3), v, sources.Int(n)})
	}
	t.Logf("conformance: %s holds %d of %d values of %q", s.Adapter, kept, len(vt.values), vt.name)
	if kept == 0 {
		return nil
	}
	f := s.load(t, table)
	s.shapes[name] = f
	return f
}

// checkValues reads a table every way there is.
func (s *suite) checkValues(t *testing.T, f *fixture) {
	t.Helper()
	var keys []sources.Key
	for _, r := range f.rows {
		keys = append(keys, r.Key)
	}
	limit := sources.Limit{Records: 100, Bytes: 64 << 20}
	ways := map[string]func(each func(*sources.Page) error) error{
		"lookup": func(each func(*sources.Page) error) error { return s.lookupAll(t, f, &f.dataset, keys, limit, each) },
	}
	for _, raw := range []bool{false, true} {
		if s.Cannot[CannotScan] == "" {
			ways[fmt.Sprintf("scan, raw %v", raw)] = func(each func(*sources.Page) error) error {
				_, err := s.readSpan(t, s.source, f, &f.dataset, sources.ScanRequest{Limit: limit, Raw: raw}, each)
				return err
			}
		}
	}
	for way, read := range ways {
		c := f.collect()
		err := read(c.add)
		if err == nil {
			err = c.exactly(nil)
		}
		if err != nil {
			t.Errorf("%s: %v", way, err)
		}
	}
}

func (s *suite) testDottedPaths(t *testing.T) {
	inner := document(sources.Field{Name: "color", Value: sources.Text("red")}, sources.Field{Name: "size", Value: document(sources.Field{Name: "w", Value: sources.Int(1<<53 + 1)})})
	values := []sources.Value{inner, document(sources.Field{Name: "color", Value: sources.Null()}), document(), sources.Null(),
		document(sources.Field{Name: "size", Value: sources.Int(1)}, sources.Field{Name: "color", Value: sources.Text("")})}
	table := Table{Name: "nested", Key: []string{"k"}, Unique: true, Indexed: true, Columns: []Column{{Name: "k", Kind: sources.KindInt, NotNull: true},
		{Name: "attrs", Kind: sources.KindDocument}, {Name: serial, Kind: sources.KindInt, NotNull: true}}}
	for i, v := range values {
		table.Rows = append(table.Rows, []sources.Value{sources.Int(int64(i)), v, sources.Int(int64(i))})
	}
	f := s.load(t, table)
	f.dataset.Fields = append(f.dataset.Fields, "attrs.color", "attrs.size.w", "attrs.none")
	for i, v := range values {
		f.rows[i].Fields = append(f.rows[i].Fields, v.Get("color"), v.Get("size.w"), v.Get("none"))
	}
	s.checkValues(t, f)
}

func (s *suite) testRaw(t *testing.T) {
	for _, vt := range append(valueTables(), s.keyTables()...) {
		f := s.valueFixture(t, vt)
		if f == nil {
			continue
		}
		r := sources.ScanRequest{Limit: sources.Limit{Records: 1000, Bytes: 64 << 20}, Raw: true}
		_, err := s.readSpan(t, s.source, f, &f.dataset, r, func(p *sources.Page) error {
			if p.Raw == nil {
				return fmt.Errorf("%s: no raw page", f.table.Name)
			}
			if p.Raw.Keys != len(f.dataset.Key) {
				return fmt.Errorf("%s: Keys is %d", f.table.Name, p.Raw.Keys)
			}
			return s.checkRawRows(p.Raw)
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// keyTables are values read as raw rows beside the values' own tables.
func (s *suite) keyTables() []valueTable {
	return []valueTable{{"text keys as values", Column{Kind: sources.KindText}, textKeys()}, {"int keys as values", Column{Kind: sources.KindInt}, intKeys()}}
}

// checkRawRows checks that a row's bytes and its record say the same.
func (s *suite) checkRawRows(raw *sources.Raw) error {
	byKey, byRow := map[string]string{}, map[string]string{}
	for i := range raw.Len() {
		row := raw.Row(i)
		record, err := raw.Decode(row)
		if err != nil {
			return err
		}
		key := string(raw.Key(row))
		if was, seen := byKey[key]; seen && was != record.Key.Encode() {
			return fmt.Errorf("the raw key %q stands for two keys", key)
		}
		byKey[key] = record.Key.Encode()
		whole := record.Key.Encode() + sources.Key(record.Fields).Encode()
		if was, seen := byRow[string(row)]; seen && was != whole {
			return fmt.Errorf("the raw row %q stands for two records", row)
		}
		byRow[string(row)] = whole
		rest := row
		for range len(record.Key) + len(record.Fields) {
			if len(rest) < 4 {
				return fmt.Errorf("raw row %d ends early", i)
			}
			n := int(int32(uint32(rest[0])<<24 | uint32(rest[1])<<16 | uint32(rest[2])<<8 | uint32(rest[3])))
			if rest = rest[4:]; n > 0 {
				rest = rest[n:]
			}
		}
		if len(rest) != 0 {
			return fmt.Errorf("raw row %d has %d bytes too many", i, len(rest))
		}
	}
	return nil
}
