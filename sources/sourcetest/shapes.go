package sourcetest

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"plumbline/sources"
)

// shape is a way in which the keys of a table can be.
type shape struct {
	name            string
	key, id         []Column
	rows            [][]sources.Value // the values of key and id
	unique, indexed bool
	needs           []Ability
}

// shapes are the tables over which scans and lookups are tried.
func (s *suite) allShapes() []shape {
	number := Column{Name: "k", Kind: sources.KindInt, NotNull: true}
	text := Column{Name: "k", Kind: sources.KindText, NotNull: true}
	all := []shape{
		{name: "int keys", key: []Column{number}, rows: single(intKeys()), unique: true},
		{name: "text keys", key: []Column{text}, rows: single(textKeys()), unique: true},
		{name: "uuid keys", key: []Column{{Name: "k", Kind: sources.KindUUID, NotNull: true}}, rows: single(s.uuidKeys()), unique: true},
		{name: "time keys", key: []Column{{Name: "k", Kind: sources.KindTime, NotNull: true, Precision: 3}}, rows: single(timeKeys()), unique: true},
		{name: "float keys", key: []Column{{Name: "k", Kind: sources.KindFloat, NotNull: true, Precision: 64}}, rows: single(floatKeys()), unique: true},
		{name: "decimal keys", key: []Column{{Name: "k", Kind: sources.KindDecimal, NotNull: true}}, rows: single(decimalKeys()), unique: true},
		{name: "composite keys", key: []Column{{Name: "k1", Kind: sources.KindText, NotNull: true}, {Name: "k2", Kind: sources.KindInt, NotNull: true}},
			rows: product(textKeys()[:7], intKeys()[:7]), unique: true},
		{name: "nullable composite keys", key: []Column{{Name: "k1", Kind: sources.KindInt}, {Name: "k2", Kind: sources.KindText}},
			rows:    append(product(withNull(intKeys()[:4]), withNull(textKeys()[:4])), product(withNull(intKeys()[:2]), withNull(nil))...),
			indexed: true, needs: []Ability{CannotHoldNullInKey}},
		{name: "many records at one key", key: []Column{number}, rows: single(repeated()), indexed: true},
		{name: "null keys", key: []Column{{Name: "k", Kind: sources.KindInt}}, rows: single(withNull(withNull(withNull(intKeys())))), indexed: true,
			needs: []Ability{CannotHoldNullInKey}},
		{name: "keys with ids", key: []Column{{Name: "k", Kind: sources.KindText, NotNull: true}}, id: []Column{{Name: "i", Kind: sources.KindInt, NotNull: true}},
			rows: product(textKeys()[:6], intKeys()[:8]), unique: true},
		{name: "keys without an index", key: []Column{{Name: "k", Kind: sources.KindText}}, rows: single(append(textKeys()[:20], textKeys()[:10]...))},
		{name: "keys of several kinds", key: []Column{{Name: "k"}}, rows: single(withNull(mixedKeys())), indexed: true,
			needs: []Ability{CannotMixKinds, CannotHoldNullInKey}},
	}
	return all
}

// shape loads one shape's table at its first use. ok is false, and why logged,
// where the store cannot hold it.
func (s *suite) shape(t *testing.T, sh shape) (f *fixture, ok bool) {
	t.Helper()
	if f := s.shapes[sh.name]; f != nil {
		return f, true
	}
	for _, ability := range sh.needs {
		if why := s.Cannot[ability]; why != "" {
			t.Logf("conformance: %s cannot %s: %s; %q is left out", s.Adapter, ability, why, sh.name)
			return nil, false
		}
	}
	table := Table{Name: "s_" + strings.ReplaceAll(sh.name, " ", "_"), Unique: sh.unique, Indexed: sh.indexed || sh.unique}
	for _, c := range sh.key {
		table.Key = append(table.Key, c.Name)
	}
	for _, c := range sh.id {
		table.ID = append(table.ID, c.Name)
	}
	table.Columns = append(append(append(table.Columns, sh.key...), sh.id...),
		Column{Name: serial, Kind: sources.KindInt, NotNull: true}, Column{Name: "note", Kind: sources.KindText})
	for _, row := range sh.rows {
		held, where := true, aKey
		if sh.key[0].Kind == sources.KindAbsent {
			where = aMixedKey
		}
		for _, v := range row {
			held = held && s.holds(t, v, where)
		}
		if held {
			n := len(table.Rows)
			table.Rows = append(table.Rows, append(append([]sources.Value{}, row...), sources.Int(int64(n)), sources.Text(fmt.Sprintf("note %d", n))))
		}
	}
	if len(table.Rows) < 3 {
		t.Logf("conformance: %s holds too few of %q; they are left out", s.Adapter, sh.name)
		return nil, false
	}
	s.random.Shuffle(len(table.Rows), func(i, j int) { table.Rows[i], table.Rows[j] = table.Rows[j], table.Rows[i] })
	at := table.Column(serial)
	for i := range table.Rows { // rows are inserted in no order, and serials say in which
		table.Rows[i][at] = sources.Int(int64(i))
	}
	f = s.load(t, table)
	s.shapes[sh.name] = f
	return f, true
}

// eachShape runs a case over every shape that the store holds.
func (s *suite) eachShape(t *testing.T, run func(t *testing.T, f *fixture)) {
	for _, sh := range s.allShapes() {
		t.Run(sh.name, func(t *testing.T) {
			if f, ok := s.shape(t, sh); ok {
				run(t, f)
			}
		})
	}
}

func single(vs []sources.Value) [][]sources.Value {
	rows := make([][]sources.Value, len(vs))
	for i, v := range vs {
		rows[i] = []sources.Value{v}
	}
	return rows
}

func product(a, b []sources.Value) (rows [][]sources.Value) {
	for _, x := range a {
		for _, y := range b {
			rows = append(rows, []sources.Value{x, y})
		}
	}
	return rows
}

func withNull(vs []sources.Value) []sources.Value {
	return append(append([]sources.Value{}, vs...), sources.Null())
}

func intKeys() []sources.Value {
	var vs []sources.Value
	for _, i := range []int64{0, 1, -1, 2, 10, 9, 100, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, math.MinInt64 + 1, 1<<53 + 1, -1<<53 - 1,
		1 << 53, 1<<31 - 1, 1 << 31, -1 << 31, 1 << 32, 11, 12, 13, 20, 21, 30, 1000, 999, 255, 256, -128, -129} {
		vs = append(vs, sources.Int(i))
	}
	return vs
}

func textKeys() []sources.Value {
	var vs []sources.Value
	for _, s := range []string{"a", "A", "á", "a\u0301", "", " ", "b", "B", "ab", "a-b", "a b", "a_b", "aB", "Ab", "-", "--", "1", "10", "2", "01",
		" a", "a ", "\t", "ä", "z", "Z", "zz", "é", "ß", "ss", "ﬀ", "i", "I", "İ", "ı", "Ω", "😀", "😀a", "\uffff", "O'Reilly", `"quoted"`, "%", `\`, "NULL",
		"a\x00b", "a\x00", "\xff\xfe", "co-op", "coop", "CO-OP", strings.Repeat("x", 1000), strings.Repeat("x", 999) + "y", "12", "1.0", "1e1", "x'00'"} {
		vs = append(vs, sources.Text(s))
	}
	return vs
}

func (s *suite) uuidKeys() []sources.Value {
	vs := []sources.Value{sources.UUID([16]byte{}), sources.UUID([16]byte{15: 1}), sources.UUID([16]byte{0: 0x80}),
		sources.UUID([16]byte{0: 0x7f, 8: 0xff})}
	var most [16]byte
	for i := range most {
		most[i] = 0xff
	}
	vs = append(vs, sources.UUID(most))
	for range 20 {
		var u [16]byte
		for i := range u {
			u[i] = byte(s.random.UintN(256))
		}
		vs = append(vs, sources.UUID(u))
	}
	return vs
}

func timeKeys() []sources.Value {
	var vs []sources.Value
	for _, text := range []string{"1970-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00.001Z", "0001-01-01T00:00:00Z",
		"9999-12-31T23:59:59.999Z", "2024-02-29T12:00:00Z", "2025-03-30T01:30:00Z", "2025-10-26T00:30:00Z", "1900-01-01T00:00:00Z", "2038-01-19T03:14:08Z"} {
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			panic(err)
		}
		vs = append(vs, sources.Time(at, 3))
	}
	for i := range 20 {
		vs = append(vs, sources.Time(time.UnixMilli(1_700_000_000_000+int64(i)), 3))
	}
	return vs
}

// floatKeys have short and long decimals that are written for them, and whole
// numbers within and beyond 64 bits.
func floatKeys() (vs []sources.Value) {
	for _, f := range []float64{0, 0.1, -0.1, 0.2, 0.30000000000000004, 0.3, 1.5, -1.5, 1.0 / 3, 1e-7, 12.34, 99.99, 1e15 + 0.3, 4503599627370495.5, 1 << 53, 1 << 60, 1 << 64, 1e22, 1e23,
		-1e300, math.MaxFloat64, math.SmallestNonzeroFloat64, -2.2250738585072014e-308, math.Nextafter(1, 2), 3, -7, float64(float32(0.1))} {
		vs = append(vs, sources.Float(f))
	}
	return vs
}

// decimalKeys are in part what floats are written as, and in part next to that.
func decimalKeys() []sources.Value {
	return decimals("0", "0.1", "-0.1", "0.10000000000000001", "0.1000000000000000055511151231257827", "0.3", "0.30000000000000004", "1.5", "-1.5", "12.34", "99.99", "3", "-7",
		"0.0000001", "1e22", "18446744073709551616", "9223372036854775808", "123456789.123456789012345", "9999999999999999999999.5", "0.10000000149011612")
}

func repeated() (vs []sources.Value) {
	for i, times := range []int{1, 7, 1, 1, 20, 2, 3, 1} {
		for range times {
			vs = append(vs, sources.Int(int64(i)))
		}
	}
	return vs
}

func mixedKeys() []sources.Value {
	vs := append(intKeys()[:12:12], textKeys()[:12]...)
	vs = append(vs, sources.Text("1"), sources.Text("0"), sources.Bytes([]byte("a")), sources.Bytes(nil), sources.Bytes([]byte{0xff}),
		sources.Float(1.5), sources.Float(-2.5), sources.Bool(true), sources.UUID([16]byte{1}), sources.ObjectID([12]byte{1}),
		sources.Time(time.UnixMilli(0), 3), sources.Decimal("15", -1, 1))
	return vs
}
