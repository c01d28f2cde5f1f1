package sqlite_test

import (
	"math"
	"strings"
	"testing"

	"plumbline/sources"
)

func mustDecimal(t *testing.T, text string) sources.Value {
	t.Helper()
	v, err := sources.ParseDecimal(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestValuesArriveAsStoredAndRefinedByTheirDeclaredType is the table of what
// SQLite stores for a literal in a column of a declared type, and what arrives.
func TestValuesArriveAsStoredAndRefinedByTheirDeclaredType(t *testing.T) {
	t.Parallel()
	id := [16]byte{0x12, 0x34, 0xab, 0xcd, 4: 0xef, 15: 0xfe}
	uuid := sources.UUID(id)
	upper, mixed := strings.ToUpper(uuid.String()), strings.ToUpper(uuid.String()[:18])+uuid.String()[18:]
	s := newStore(t)
	for i, test := range []struct {
		declared, literal string
		want              sources.Value
	}{
		{"INTEGER", "9223372036854775807", sources.Int(1<<63 - 1)},
		{"INTEGER", "'12'", sources.Int(12)},
		{"INTEGER", "'12x'", sources.Text("12x")},
		{"INTEGER", "1.5", sources.Float(1.5)},
		{"BIGINT UNSIGNED", "18446744073709551615", sources.Float(18446744073709551616)},
		{"TEXT", "12", sources.Text("12")},
		{"TEXT", "x'3132'", sources.Bytes([]byte("12"))},
		{"TEXT", "CAST(x'ff41' AS TEXT)", sources.Text("\xffA")},
		{"VARCHAR(3)", "'longer than 3'", sources.Text("longer than 3")},
		{"", "'1'", sources.Text("1")},
		{"", "9e999", sources.Float(math.Inf(1))},
		{"REAL", "1", sources.Float(1)},
		{"BLOB", "'text'", sources.Text("text")},
		{"BOOLEAN", "1", sources.Bool(true)},
		{"BOOLEAN", "FALSE", sources.Bool(false)},
		{"BOOLEAN", "2", sources.Int(2)},
		{"BOOLEAN", "'yes'", sources.Text("yes")},
		{"BOOLEAN", "NULL", sources.Null()},
		{"DATE", "'2024-02-29'", sources.Text("2024-02-29")},
		{"DATETIME", "'2024-02-29 10:00:00'", sources.Text("2024-02-29 10:00:00")},
		{"TIMESTAMP", "'2024-02-29T10:00:00.123456Z'", sources.Text("2024-02-29T10:00:00.123456Z")},
		{"TIMESTAMP", "1700000000", sources.Int(1700000000)},
		{"DATETIME", "1700000000.5", sources.Float(1700000000.5)},
		{"timestamp with time zone", "'soon'", sources.Text("soon")},
		{"DECIMAL(10,2)", "12", sources.Int(12)},
		{"DECIMAL(10,2)", "'12.50'", sources.Float(12.5)}, // NUMERIC affinity stored a float
		{"NUMERIC", "'NaN'", sources.DecimalNaN()},
		{"NUMERIC", "'twelve'", sources.Text("twelve")},
		{"decimal_text", "'12.50'", mustDecimal(t, "12.50")},
		{"decimal_text", "'123456789012345678901234567890.123456789'", mustDecimal(t, "123456789012345678901234567890.123456789")},
		{"UUID", "'" + uuid.String() + "'", uuid},
		{"UUID", "'" + upper + "'", uuid},
		{"UUID", "'" + mixed + "'", sources.Text(mixed)},
		{"UUID", "'" + strings.ReplaceAll(uuid.String(), "-", "") + "'", sources.Text(strings.ReplaceAll(uuid.String(), "-", ""))},
		{"UUID_BLOB", "x'" + strings.ReplaceAll(uuid.String(), "-", "") + "'", uuid},
		{"UUID", "x'1234'", sources.Bytes([]byte{0x12, 0x34})},
		{"BLOB(16)", "x'" + strings.ReplaceAll(uuid.String(), "-", "") + "'", sources.Bytes(id[:])},
		{"JSON", `'[1, 1.0, 9007199254740993, "a", null]'`, sources.ListOf([]sources.Value{sources.Int(1), mustDecimal(t, "1.0"),
			sources.Int(9007199254740993), sources.Text("a"), sources.Null()})},
		{"JSON", "NULL", sources.Null()},
		{"TEXT", `'{"a": 1}'`, sources.Text(`{"a": 1}`)},
	} {
		name := "t" + string(rune('a'+i/26)) + string(rune('a'+i%26))
		run(t, s.db, "CREATE TABLE "+name+" (k INTEGER PRIMARY KEY, v "+test.declared+")")
		run(t, s.db, "INSERT INTO "+name+" VALUES (1, "+test.literal+")")
		d := sources.Dataset{Name: name, Key: []string{"k"}, Fields: []string{"v"}}
		r := s.lookup(t, &d, sources.Key{sources.Int(1)})
		if len(r) != 1 || r[0].Unreadable != "" {
			t.Fatalf("%s %s: %+v", test.declared, test.literal, r)
		}
		if got := r[0].Fields[0]; !got.Equal(test.want) {
			t.Errorf("%s %s came as %s %q, not %s %q", test.declared, test.literal, got.Kind(), got, test.want.Kind(), test.want)
		}
	}
}

func TestDocumentsWithoutACanonicalFormAreUnreadable(t *testing.T) {
	t.Parallel()
	s := newStore(t, "CREATE TABLE t (k INTEGER PRIMARY KEY, j JSON, x TEXT)")
	deep := strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)
	for k, text := range []string{`{"a":1,"a":2}`, deep, `not json`, `{"a":"\ud800"}`, `{"ok":1}`} {
		run(t, s.db, "INSERT INTO t VALUES (?, ?, ?)", k, text, `{"a":`)
	}
	d := sources.Dataset{Name: "t", Key: []string{"k"}, Fields: []string{"j"}}
	records := s.scanAll(t, &d, sources.Span{}, 10)
	if len(records) != 5 {
		t.Fatalf("%d records", len(records))
	}
	for i, r := range records {
		if (r.Unreadable == "") != (i == 4) || !r.Key.Equal(sources.Key{sources.Int(int64(i))}) {
			t.Errorf("record %d: key %s, unreadable %q", i, r.Key, r.Unreadable)
		}
	}
	path := sources.Dataset{Name: "t", Key: []string{"k"}, Fields: []string{"x.a"}}
	if r := s.lookup(t, &path, sources.Key{sources.Int(4)}); len(r) != 1 || r[0].Unreadable == "" {
		t.Errorf("a path into a text that is no JSON: %+v", r)
	}
}

func TestAKeyIsFoundHoweverItsUUIDIsSpelled(t *testing.T) {
	t.Parallel()
	u := sources.UUID([16]byte{1, 2, 3, 15: 0xef})
	hex := strings.ReplaceAll(u.String(), "-", "")
	s := newStore(t, "CREATE TABLE t (k UUID, n INT)", "CREATE INDEX ix ON t (k)",
		"INSERT INTO t VALUES ('"+u.String()+"', 1), ('"+strings.ToUpper(u.String())+"', 2), (x'"+hex+"', 3), ('"+hex+"', 4)")
	d := sources.Dataset{Name: "t", Key: []string{"k"}, Fields: []string{"n"}}
	for _, key := range []sources.Value{u, sources.Text(u.String())} {
		if r := s.lookup(t, &d, sources.Key{key}); len(r) != 3 {
			t.Errorf("%s %s found %v", key.Kind(), key, keys(r))
		}
	}
	if desc := s.describe(t, &d); desc.Order != sources.OrderOwn {
		t.Error("a column with three spellings of a uuid has no exact order")
	}
}

// TestADateKeyIsTheTextThatIsStored: the driver alone would make a time of it.
func TestADateKeyIsTheTextThatIsStored(t *testing.T) {
	t.Parallel()
	s := newStore(t, "CREATE TABLE t (k DATETIME NOT NULL, i DATE NOT NULL, n INT, UNIQUE (k, i))",
		"INSERT INTO t VALUES ('2024-01-01 10:00:00', '2024-01-01', 1), ('2024-01-01 10:00:00', '2024-01-02', 2), ('2024-01-01T10:00:00Z', '2024-01-01', 3)")
	d := sources.Dataset{Name: "t", Key: []string{"k"}, ID: []string{"i"}, Fields: []string{"n"}}
	for size := 1; size < 4; size++ {
		records := s.scanAll(t, &d, sources.Span{}, size)
		if got := strings.Join(keys(records), ", "); got != "text 2024-01-01 10:00:00, text 2024-01-01 10:00:00, text 2024-01-01T10:00:00Z" {
			t.Errorf("pages of %d: %s", size, got)
		}
	}
	if r := s.lookup(t, &d, sources.Key{sources.Text("2024-01-01 10:00:00")}); len(r) != 2 || !r[0].ID[0].Equal(sources.Text("2024-01-01")) {
		t.Errorf("%+v", r)
	}
}

func TestARecordLargerThanWeReadIsSkippedWithItsKey(t *testing.T) {
	t.Parallel()
	s := newStore(t, "CREATE TABLE t (k INTEGER PRIMARY KEY, a TEXT, b BLOB, n INT)",
		"INSERT INTO t VALUES (1, 'x', zeroblob(20000000), 1), (2, 'x', x'00', 2)",
		"INSERT INTO t SELECT 3, printf('%.*c', 9500000, 'a'), zeroblob(9500000), 3")
	d := sources.Dataset{Name: "t", Key: []string{"k"}, Fields: []string{"a", "b", "n"}}
	for i, r := range s.scanAll(t, &d, sources.Span{}, 10) {
		if (r.Skipped != "") != (i != 1) || r.Key[0].AsInt() != int64(i+1) {
			t.Errorf("record %d: key %s, skipped %q", i, r.Key, r.Skipped)
		}
	}
}

// SQLite keeps the decimals of a NUMERIC column as floats; another store's
// decimals are found all the same.
func TestDecimalsFindTheFloatsTheyAreWrittenAs(t *testing.T) {
	t.Parallel()
	s := newStore(t, "CREATE TABLE t (k DECIMAL(10,2) PRIMARY KEY)", "INSERT INTO t VALUES ('0.10'), ('12.34'), ('3.00'), (-99.99)")
	d := sources.Dataset{Name: "t", Key: []string{"k"}}
	for text, want := range map[string]string{"0.10": "float 0.1", "12.34": "float 12.34", "3": "int 3", "-99.99": "float -99.99",
		"0.1000000000000000055511151231257827021181583404541015625": "", "0.11": ""} {
		v, err := sources.ParseDecimal(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := keys(s.lookup(t, &d, sources.Key{v})); len(got) > 1 || want != strings.Join(got, " ") {
			t.Errorf("%s finds %v, want %s", text, got, want)
		}
	}
}
