package mysql

import (
	"fmt"
	"strings"
	"testing"

	"plumbline/sources"
)

// Each value comes as what it is, and what has no canonical form makes its record
// unreadable: never null, never equal to another.
func TestValuesOfEveryType(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	s := d.open(sources.Options{})
	decimal := func(text string) sources.Value {
		v, err := sources.ParseDecimal(text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	maria := strings.Contains(d.one("SELECT VERSION()"), "MariaDB")
	for i, test := range []struct {
		typ, value string
		want       sources.Value // absent: the record is unreadable
		kind       sources.Kind
	}{
		{"tinyint(1)", "1", sources.Int(1), sources.KindInt},
		{"tinyint unsigned", "255", sources.Int(255), sources.KindInt},
		{"smallint unsigned", "65535", sources.Int(65535), sources.KindInt},
		{"smallint", "-32768", sources.Int(-32768), sources.KindInt},
		{"mediumint unsigned", "16777215", sources.Int(16777215), sources.KindInt},
		{"mediumint", "-8388608", sources.Int(-8388608), sources.KindInt},
		{"int unsigned", "4294967295", sources.Int(4294967295), sources.KindInt},
		{"int(5) unsigned zerofill", "42", sources.Int(42), sources.KindInt},
		{"bigint unsigned", "18446744073709551615", decimal("18446744073709551615"), sources.KindInt},
		{"bigint unsigned", "9223372036854775807", sources.Int(9223372036854775807), sources.KindInt},
		{"bit(1)", "b'1'", sources.Int(1), sources.KindInt},
		{"bit(64)", "18446744073709551615", decimal("18446744073709551615"), sources.KindInt},
		{"year", "2024", sources.Int(2024), sources.KindInt},
		{"year", "'0000'", sources.Int(0), sources.KindInt},
		{"float", "0.1", sources.Float32(0.1), sources.KindFloat},
		{"float", "16777217", sources.Float32(16777216), sources.KindFloat},
		{"float(7,2)", "1234.57", sources.Float32(1234.57), sources.KindFloat},
		{"double", "0.1", sources.Float(0.1), sources.KindFloat},
		{"double", "1.7976931348623157e308", sources.Float(1.7976931348623157e308), sources.KindFloat},
		{"double unsigned", "2.5", sources.Float(2.5), sources.KindFloat},
		{"decimal(65,30)", "-0.000000000000000000000000000001", decimal("-0.000000000000000000000000000001"), sources.KindDecimal},
		{"decimal(12,2)", "12.50", decimal("12.5"), sources.KindDecimal},
		{"decimal(10,0)", "100000", decimal("100000"), sources.KindDecimal},
		{"decimal(10,4)", "0.0001", decimal("0.0001"), sources.KindDecimal},
		{"decimal(5,1) unsigned zerofill", "7.5", decimal("7.5"), sources.KindDecimal},
		{"char(5)", "'ab  '", sources.Text("ab"), sources.KindText},
		{"varchar(5)", "'ab  '", sources.Text("ab  "), sources.KindText},
		{"varchar(5) CHARACTER SET latin1", "'ä€'", sources.Text("ä€"), sources.KindText},
		{"varchar(5) CHARACTER SET utf16", "'ä😀'", sources.Text("ä😀"), sources.KindText},
		{"text CHARACTER SET sjis", "'ソ'", sources.Text("ソ"), sources.KindText},
		{"enum('a','B','ü')", "'ü'", sources.Text("ü"), sources.KindText},
		{"set('a','b','c')", "'c,a'", sources.Text("a,c"), sources.KindText},
		{"binary(4)", "x'61'", sources.Bytes([]byte("a\x00\x00\x00")), sources.KindBytes},
		{"varbinary(4)", "x'ff00'", sources.Bytes([]byte("\xff\x00")), sources.KindBytes},
		{"varchar(4) CHARACTER SET binary", "x'ff'", sources.Bytes([]byte("\xff")), sources.KindBytes},
		{"blob", "''", sources.Bytes(nil), sources.KindBytes},
		{"date", "'2024-02-29'", sources.Date(19782), sources.KindDate},
		{"time(2)", "'-838:59:58.99'", sources.Duration(0, 0, -(838*3600+59*60+58)*1e9-990e6), sources.KindDuration},
		{"time", "'00:00:01'", sources.Duration(0, 0, 1e9), sources.KindDuration},
		{"json", `'{"b": 1, "a": [1.50, "x"]}'`, sources.Value{}.Get("never"), sources.KindAbsent},
		{"point", "ST_GeomFromText('POINT(1 2)')", sources.Bytes([]byte("\x00\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\xf0?\x00\x00\x00\x00\x00\x00\x00@")), sources.KindBytes},
	} {
		t.Run(test.typ+" "+test.value, func(t *testing.T) {
			if test.typ == "json" {
				var err error
				if test.want, err = sources.ParseJSON([]byte(`{"a":[1.5,"x"],"b":1}`)); err != nil {
					t.Fatal(err)
				}
			}
			if test.typ == "bit(1)" && !maria {
				test.want = sources.Int(1)
			}
			table := fmt.Sprintf("v%d", i)
			d.exec("CREATE TABLE " + table + " (k int PRIMARY KEY, v " + test.typ + ")")
			zeros, done := d.zeros()
			if _, err := zeros.ExecContext(t.Context(), "INSERT INTO "+table+" VALUES (1, "+test.value+"), (2, NULL)"); err != nil {
				t.Fatal(err)
			}
			done()
			for _, ds := range []*sources.Dataset{{Name: table, Key: []string{"k"}, Fields: []string{"v"}}, {Query: "SELECT k, v FROM " + table, Key: []string{"k"}, Fields: []string{"v"}}} {
				if ds.Query != "" && test.typ == "json" && maria {
					continue // the server does not say that a query's text is JSON
				}
				for _, raw := range []bool{false, true} {
					page, err := s.Scan(t.Context(), ds, sources.ScanRequest{Raw: raw})
					if err != nil {
						t.Fatal(err)
					}
					records := page.Records
					for i := range page.Len() {
						if page.Raw != nil {
							r, err := page.Raw.Decode(page.Raw.Row(i))
							if err != nil {
								t.Fatal(err)
							}
							records = append(records, r)
						}
					}
					if got := records[0]; test.want.IsAbsent() {
						if got.Unreadable == "" || page.Raw != nil {
							t.Errorf("%s came as the %s %s, raw %v", test.value, got.Fields[0].Kind(), got.Fields[0], page.Raw != nil)
						}
					} else if got.Unreadable != "" || !got.Fields[0].Equal(test.want) {
						t.Errorf("%s came as the %s %s (%s)", test.value, got.Fields[0].Kind(), got.Fields[0], got.Unreadable)
					}
					if !records[1].Fields[0].IsNull() {
						t.Errorf("null came as %s", records[1].Fields[0].Kind())
					}
				}
				desc, err := s.Describe(t.Context(), ds)
				if err != nil {
					t.Fatal(err)
				}
				if got := desc.Types["v"].Kind; got != test.kind {
					t.Errorf("described as %s, not %s", got, test.kind)
				}
			}
		})
	}
}

// A JSON text that holds one name twice is no value, however often it is the same.
func TestJSONWithANameTwiceIsUnreadable(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	s := d.open(sources.Options{})
	d.exec("CREATE TABLE j (k int PRIMARY KEY, v longtext CHECK (json_valid(v)))")
	d.exec(`INSERT INTO j VALUES (1, '{"a": 1, "a": 2}'), (2, '{"a": 1}')`)
	ds := &sources.Dataset{Name: "j", Key: []string{"k"}, Fields: []string{"v"}}
	page, err := s.Scan(t.Context(), ds, sources.ScanRequest{Raw: true})
	if err != nil {
		t.Fatal(err)
	}
	if page.Raw != nil || page.Len() != 2 || page.Records[0].Unreadable == "" || page.Records[1].Unreadable != "" {
		t.Errorf("the page is %+v", page)
	}
}

// What a decimal is as raw bytes leads back to it, and equal ones are equal bytes.
func TestDecimalsAsRawBytes(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"0", "0.00", "-0.00", "1", "-1", "9999", "10000", "10001.5", "0.0001", "0.00001", "12.50", "99999999999999999999999999999999999.999999999999999999999999999999",
		"-0.000000000000000000000000000001", "120000", "1200000000", "0.10001", "5.00000000", "123456.7"} {
		raw, plain, ok := appendNumeric(nil, []byte(text))
		if !plain || !ok {
			t.Fatalf("%s: not written", text)
		}
		got, err := decodeNumeric(raw)
		want, perr := sources.ParseDecimal(text)
		if err != nil || perr != nil || !got.Equal(want) {
			t.Errorf("%s came back as %s: %v", text, got, err)
		}
	}
	if _, _, ok := appendNumeric(nil, []byte("1e5")); ok {
		t.Error("1e5 is taken for digits")
	}
}

// A date that no calendar has is no value: its record is told as unreadable, and no
// bytes of it are offered for comparing.
func TestZeroDatesAreUnreadable(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	s := d.open(sources.Options{})
	for i, test := range []struct{ typ, value string }{
		{"date", "0000-00-00"}, {"date", "2024-00-15"}, {"date", "2024-02-00"}, {"date", "2023-02-29"}, {"datetime", "0000-00-00 00:00:00"},
		{"datetime", "2024-00-00 10:00:00"}, {"timestamp NULL", "0000-00-00 00:00:00"},
	} {
		table := fmt.Sprintf("z%d", i)
		d.exec("CREATE TABLE " + table + " (k int PRIMARY KEY, v " + test.typ + ")")
		zeros, done := d.zeros()
		if _, err := zeros.ExecContext(t.Context(), "INSERT INTO "+table+" VALUES (1, ?), (2, NULL), (3, '2024-02-29')", test.value); err != nil {
			t.Fatal(err)
		}
		done()
		page, err := s.Scan(t.Context(), &sources.Dataset{Name: table, Key: []string{"k"}, Fields: []string{"v"}}, sources.ScanRequest{Raw: true})
		if err != nil {
			t.Fatal(err)
		}
		if page.Raw != nil || page.Len() != 3 {
			t.Fatalf("%s %s: %d records, raw %v", test.typ, test.value, page.Len(), page.Raw != nil)
		}
		for n, r := range page.Records {
			if (r.Unreadable != "") != (n == 0) || r.Fields[0].IsNull() != (n == 1) {
				t.Errorf("%s %s: record %s is the %s %s (%s)", test.typ, test.value, r.Key, r.Fields[0].Kind(), r.Fields[0], r.Unreadable)
			}
		}
	}
}
