package postgres

import (
	"math"
	"strings"
	"testing"
	"time"

	"plumbline/sources"
)

func decimal(t testing.TB, text string) sources.Value {
	t.Helper()
	v, err := sources.ParseDecimal(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func parsed(t testing.TB, json string) sources.Value {
	t.Helper()
	v, err := sources.ParseJSON([]byte(json))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func listOf(vs ...sources.Value) sources.Value { return sources.ListOf(vs) }

func at(year int, month time.Month, day, hour, minute, second, nanosecond int) time.Time {
	return time.Date(year, month, day, hour, minute, second, nanosecond, time.UTC)
}

// Every type as the server writes it and as we read it.
func TestTypes(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec(`CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'HAPPY')`)
	d.exec(`CREATE DOMAIN price AS numeric(10,2); CREATE DOMAIN net_price AS price CHECK (VALUE > 0); CREATE DOMAIN moods AS mood[]`)
	d.exec(`CREATE TYPE pair AS (a int, b text)`)
	citext := d.one(`SELECT count(*)::text FROM pg_available_extensions WHERE name = 'citext'`) == "1"
	if citext {
		d.exec("CREATE EXTENSION citext")
	}
	text, integer := sources.Text, sources.Int
	cases := []struct {
		sql  string // an expression with its type
		kind sources.Kind
		want sources.Value
	}{
		{"smallint '-32768'", sources.KindInt, integer(-32768)},
		{"int '2147483647'", sources.KindInt, integer(math.MaxInt32)},
		{"bigint '9223372036854775807'", sources.KindInt, integer(math.MaxInt64)},
		{"bigint '-9223372036854775808'", sources.KindInt, integer(math.MinInt64)},
		{"oid '4294967295'", sources.KindInt, integer(math.MaxUint32)},
		{"numeric '0'", sources.KindDecimal, decimal(t, "0")},
		{"numeric '-0.00'", sources.KindDecimal, decimal(t, "0")},
		{"numeric '12.50'", sources.KindDecimal, decimal(t, "12.5")},
		{"numeric '10000'", sources.KindDecimal, decimal(t, "1e4")},
		{"numeric '0.0001'", sources.KindDecimal, decimal(t, "1e-4")},
		{"numeric '-123456789012345678901234567890.000000000000000000012345'", sources.KindDecimal,
			decimal(t, "-123456789012345678901234567890.000000000000000000012345")},
		{"numeric '1e131071'", sources.KindDecimal, decimal(t, "1e131071")},
		{"numeric '1e-16383'", sources.KindDecimal, decimal(t, "1e-16383")},
		{"numeric 'NaN'", sources.KindDecimal, sources.DecimalNaN()},
		{"price '12.5'", sources.KindDecimal, decimal(t, "12.50")},
		{"net_price '12.5'", sources.KindDecimal, decimal(t, "12.50")},
		{"real '0.1'", sources.KindFloat, sources.Float32(0.1)},
		{"real '-0'", sources.KindFloat, sources.Float32(0)},
		{"real 'NaN'", sources.KindFloat, sources.Float(math.NaN())},
		{"double precision '0.1'", sources.KindFloat, sources.Float(0.1)},
		{"double precision '5e-324'", sources.KindFloat, sources.Float(math.SmallestNonzeroFloat64)},
		{"double precision '-Infinity'", sources.KindFloat, sources.Float(math.Inf(-1))},
		{"text ''", sources.KindText, text("")},
		{"text E' é\\n '", sources.KindText, text(" é\n ")},
		{"varchar(5) 'ab  '", sources.KindText, text("ab  ")},
		{"char(5) 'ab'", sources.KindText, text("ab")},
		{"char(5) ' ab'", sources.KindText, text(" ab")},
		{`"char" 'x'`, sources.KindText, text("x")},
		{"name 'pg_class'", sources.KindText, text("pg_class")},
		{"mood 'it''s ok'", sources.KindText, text("it's ok")},
		{"xml '<a/>'", sources.KindText, text("<a/>")},
		{"inet '10.0.0.1/8'", sources.KindText, text("10.0.0.1/8")},
		{"macaddr '08002b:010203'", sources.KindText, text("08:00:2b:01:02:03")},
		{"bit(3) '101'", sources.KindText, text("101")},
		{"int4range '[1,5]'", sources.KindText, text("[1,6)")},
		{"tstzrange '[2024-01-01 00:00+02,)'", sources.KindText, text(`["2023-12-31 22:00:00+00",)`)},
		{"point '(1,2)'", sources.KindText, text("(1,2)")},
		{"row(1, 'a b')::pair", sources.KindText, text(`(1,"a b")`)},
		{"bytea ''", sources.KindBytes, sources.Bytes(nil)},
		{`bytea '\x00ff10'`, sources.KindBytes, sources.Bytes([]byte{0, 0xff, 0x10})},
		{"true", sources.KindBool, sources.Bool(true)},
		{"false", sources.KindBool, sources.Bool(false)},
		{"timestamptz '2024-02-29 23:59:59.123456+02'", sources.KindTime, sources.Time(at(2024, 2, 29, 21, 59, 59, 123_456_000), 6)},
		{"timestamptz '1969-12-31 23:59:59.999999+00'", sources.KindTime, sources.Time(at(1969, 12, 31, 23, 59, 59, 999_999_000), 6)},
		{"timestamptz '4713-01-01 00:00:00+00 BC'", sources.KindTime, sources.Time(at(-4712, 1, 1, 0, 0, 0, 0), 6)},
		{"timestamptz '294276-12-31 23:59:59.999999+00'", sources.KindTime, sources.Time(at(294276, 12, 31, 23, 59, 59, 999_999_000), 6)},
		{"timestamptz 'infinity'", sources.KindTime, sources.TimeInfinity(1, false)},
		{"timestamptz '-infinity'", sources.KindTime, sources.TimeInfinity(-1, false)},
		{"timestamp '2024-02-29 23:59:59.1'", sources.KindTime, sources.NaiveTime(at(2024, 2, 29, 23, 59, 59, 100_000_000), 6)},
		{"timestamp '-infinity'", sources.KindTime, sources.TimeInfinity(-1, true)},
		{"date '1970-01-01'", sources.KindDate, sources.Date(0)},
		{"date '2024-02-29'", sources.KindDate, sources.Date(19782)},
		{"date '0001-12-31 BC'", sources.KindDate, sources.Date(-719163)},
		{"date '4713-01-01 BC'", sources.KindDate, sources.Date(at(-4712, 1, 1, 0, 0, 0, 0).Unix() / 86400)},
		{"date 'infinity'", sources.KindDate, sources.DateInfinity(1)},
		{"date '-infinity'", sources.KindDate, sources.DateInfinity(-1)},
		{"time '00:00'", sources.KindDuration, sources.Duration(0, 0, 0)},
		{"time '23:59:59.999999'", sources.KindDuration, sources.Duration(0, 0, int64(24*time.Hour-time.Microsecond))},
		{"time '24:00'", sources.KindDuration, sources.Duration(0, 0, int64(24*time.Hour))},
		{"timetz '12:30+02'", sources.KindText, text("12:30:00+02")},
		{"interval '1 month'", sources.KindDuration, sources.Duration(1, 0, 0)},
		{"interval '30 days'", sources.KindDuration, sources.Duration(0, 30, 0)},
		{"interval '-1 year 3 days -00:00:00.000001'", sources.KindDuration, sources.Duration(-12, 3, -1000)},
		{"uuid 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", sources.KindUUID,
			sources.UUID([16]byte{0xa0, 0xee, 0xbc, 0x99, 0x9c, 0x0b, 0x4e, 0xf8, 0xbb, 0x6d, 0x6b, 0xb9, 0xbd, 0x38, 0x0a, 0x11})},
		{`jsonb '{"b": [1, 2.50, 9007199254740993, 1e2, null, "\u00e9"], "a": {}}'`, sources.KindAbsent,
			parsed(t, `{"a": {}, "b": [1, 2.50, 9007199254740993, 100, null, "é"]}`)},
		{"jsonb 'null'", sources.KindAbsent, sources.Null()},
		{"jsonb '123456789012345678901234567890'", sources.KindAbsent, decimal(t, "123456789012345678901234567890")},
		{`json '{"b": 1.0, "a": "\ud83d\ude00\u0000"}'`, sources.KindAbsent, parsed(t, `{"a": "\ud83d\ude00\u0000", "b": 1.0}`)},
		{"'{}'::int[]", sources.KindList, listOf()},
		{"'{1,NULL,3}'::int[]", sources.KindList, listOf(integer(1), sources.Null(), integer(3))},
		{"'[0:1]={1,2}'::int[]", sources.KindList, listOf(integer(1), integer(2))},
		{"'{{1,2},{3,4}}'::int[]", sources.KindList, listOf(listOf(integer(1), integer(2)), listOf(integer(3), integer(4)))},
		{`'{a,"b,\"c",NULL,"NULL",""}'::text[]`, sources.KindList, listOf(text("a"), text(`b,"c`), sources.Null(), text("NULL"), text(""))},
		{"'{1.25}'::numeric(5,1)[]", sources.KindList, listOf(decimal(t, "1.3"))},
		{"'{sad,HAPPY}'::mood[]", sources.KindList, listOf(text("sad"), text("HAPPY"))},
		{"'{sad}'::moods", sources.KindList, listOf(text("sad"))},
		{"'{1.5}'::net_price[]", sources.KindList, listOf(decimal(t, "1.50"))},
		{"'{10.0.0.1}'::inet[]", sources.KindList, listOf(text("10.0.0.1"))},
		{`'{NULL,"(1,a)","(2,\"b, {c}\")"}'::pair[]`, sources.KindList, listOf(sources.Null(), text("(1,a)"), text(`(2,"b, {c}")`))},
		{"'[0:1][0:0]={{\"[1,2)\"},{empty}}'::int4range[]", sources.KindList, listOf(listOf(text("[1,2)")), listOf(text("empty")))},
		{"'{(1,2),(3,4);(0,0),(1,1)}'::box[]", sources.KindList, listOf(text("(3,4),(1,2)"), text("(1,1),(0,0)"))},
		{"ARRAY['[1]', 'null']::jsonb[]", sources.KindList, listOf(listOf(integer(1)), sources.Null())},
		{"'{2024-01-01 00:00+00}'::timestamptz[]", sources.KindList, listOf(sources.Time(at(2024, 1, 1, 0, 0, 0, 0), 6))},
		{"NULL::numeric", sources.KindDecimal, sources.Null()},
	}
	if citext {
		cases = append(cases, struct {
			sql  string
			kind sources.Kind
			want sources.Value
		}{"citext 'AbC'", sources.KindText, text("AbC")})
	}
	if d.one("SELECT (current_setting('server_version_num')::int >= 140000)::text") == "true" {
		cases = append(cases, struct {
			sql  string
			kind sources.Kind
			want sources.Value
		}{"numeric '-Infinity'", sources.KindDecimal, sources.DecimalInfinity(-1)})
	}
	s := d.open()
	for _, c := range cases {
		d.exec("DROP TABLE IF EXISTS one")
		d.exec("CREATE TABLE one AS SELECT 1 AS id, " + c.sql + " AS v")
		ds := &sources.Dataset{Name: "one", Key: []string{"id"}, Fields: []string{"v"}}
		for _, raw := range []bool{false, true} {
			records := scanAll(t, s, ds, sources.ScanRequest{Raw: raw})
			if len(records) != 1 || records[0].Unreadable != "" || !records[0].Fields[0].Equal(c.want) {
				t.Errorf("%s: got %+v, want %s %s", c.sql, records, c.want.Kind(), c.want)
				continue
			}
			if got, want := records[0].Fields[0].String(), c.want.String(); c.want.Kind() != sources.KindDecimal && c.want.Kind() != sources.KindList && got != want {
				t.Errorf("%s: shows as %s, want %s", c.sql, got, want)
			}
		}
		desc, err := s.Describe(t.Context(), ds)
		if err != nil {
			t.Fatal(err)
		}
		if got := desc.Types["v"]; got.Kind != c.kind {
			t.Errorf("%s: declared as %+v, want kind %s", c.sql, got, c.kind)
		}
	}
}

func TestPrecisionIsWhatTheColumnDeclares(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec(`CREATE DOMAIN at AS timestamptz(2);
		CREATE TABLE p (id int, a timestamptz(3), b timestamp(0), c timestamptz, d at, e numeric(12,2), f real, g double precision);
		INSERT INTO p VALUES (1, '2024-01-01', '2024-01-01', '2024-01-01', '2024-01-01', 1.5, 1, 1)`)
	records := scanAll(t, d.open(), &sources.Dataset{Name: "p", Key: []string{"id"}, Fields: []string{"a", "b", "c", "d", "e", "f", "g"}}, sources.ScanRequest{})
	for i, want := range []int{3, 0, 6, 2, 2, 32, 64} {
		if got := records[0].Fields[i].Precision(); got != want {
			t.Errorf("field %d: precision %d, want %d", i, got, want)
		}
	}
	if got := records[0].Fields[4].String(); got != "1.50" {
		t.Errorf("numeric(12,2) 1.5 shows as %s", got)
	}
}

func TestValuesWithoutCanonicalFormAreUnreadable(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	s := d.open()
	for sql, want := range map[string]string{
		`json '{"a": 1, "a": 2}'`:                         "twice",
		`json '[{"x": {"a": 1, "a": 1}}]'`:                "twice",
		`json '"\ud800"'`:                                 "surrogate",
		`(repeat('[', 1000) || repeat(']', 1000))::json`:  "deeper",
		`(repeat('[', 5000) || repeat(']', 5000))::jsonb`: "deeper",
		`json '1e99999999'`:                               "decimal",
		"interval '3000000 hours'":                        "292 years",
		`ARRAY['{"a": 1, "a": 2}']::json[]`:               "twice",
	} {
		d.exec("DROP TABLE IF EXISTS odd")
		d.exec("CREATE TABLE odd AS SELECT 1 AS id, " + sql + " AS v, 'fine'::text AS w")
		records := scanAll(t, s, &sources.Dataset{Name: "odd", Key: []string{"id"}, Fields: []string{"v", "w"}}, sources.ScanRequest{Raw: true})
		if len(records) != 1 || !strings.Contains(records[0].Unreadable, want) || !strings.HasPrefix(records[0].Unreadable, "v: ") {
			t.Errorf("%s: got %+v, want unreadable for %q", sql, records, want)
			continue
		}
		if r := records[0]; !r.Key.Equal(sources.Key{sources.Int(1)}) || !r.Fields[1].Equal(sources.Text("fine")) {
			t.Errorf("%s: the rest of the record is %+v", sql, r)
		}
	}
}
