package postgres

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"plumbline/sources"
)

// keyCases are tables named k with columns of every kind of key, and rows in
// which what the server calls equal or orders oddly stands side by side.
func keyCases() map[string]string {
	words := `('a'), ('A'), ('á'), ('b'), ('B'), ('a b'), ('a-b'), ('ab'), ('aB'), ('-'), ('_a'), ('Z'), ('z'), ('ß'), ('ss'), ('i'), ('I'), ('co-op'), ('coop'), ('1'), ('10'), ('2'), ('')`
	return map[string]string{
		"text":                     "CREATE TABLE k (k text PRIMARY KEY, n int); INSERT INTO k VALUES " + words,
		"text in ICU":              `CREATE TABLE k (k text COLLATE "en-US-x-icu" PRIMARY KEY, n int); INSERT INTO k VALUES ` + words,
		"text in C":                `CREATE TABLE k (k text COLLATE "C" PRIMARY KEY, n int); INSERT INTO k VALUES ` + words,
		"varchar descending":       "CREATE TABLE k (k varchar(20) NOT NULL, n int); CREATE UNIQUE INDEX ON k (k DESC); INSERT INTO k VALUES " + words,
		"text that ignores case":   "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false); CREATE TABLE k (k text COLLATE nocase, n int); CREATE INDEX ON k (k); INSERT INTO k VALUES " + words + ", (NULL), (NULL)",
		"text that ignores accent": "CREATE COLLATION noaccent (provider = icu, locale = 'und-u-ks-level1', deterministic = false); CREATE TABLE k (k text COLLATE noaccent NOT NULL, n int); INSERT INTO k VALUES " + words + ", ('a'), ('A'), ('á')",
		"char(n)":                  "CREATE TABLE k (k char(5) PRIMARY KEY, n int); INSERT INTO k VALUES " + words,
		"enum":                     "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy'); CREATE TABLE k (k mood PRIMARY KEY, n int); INSERT INTO k VALUES ('ok'), ('happy'), ('sad')",
		"name":                     "CREATE TABLE k (k name PRIMARY KEY, n int); INSERT INTO k VALUES " + words,
		"numeric":                  "CREATE TABLE k (k numeric, n int); INSERT INTO k VALUES (1), (1.0), (1.00), (-1), (0), (1e30), (1e-30), ('NaN'), (NULL), (10)",
		"double precision":         "CREATE TABLE k (k float8, n int); INSERT INTO k VALUES (0), (-0.0), (0.1), (0.30000000000000004), (1e300), ('NaN'), ('-Infinity'), (3), (NULL)",
		"real":                     "CREATE TABLE k (k real PRIMARY KEY, n int); INSERT INTO k VALUES (0), (0.1), (0.3), (1e30), ('NaN'), (16777216)",
		"interval":                 "CREATE TABLE k (k interval, n int); INSERT INTO k VALUES ('30 days'), ('1 month'), ('720 hours'), ('-1 month -5 days -00:00:01'), ('0'), (NULL)",
		"boolean":                  "CREATE TABLE k (k boolean, n int); INSERT INTO k VALUES (true), (false), (true), (NULL)",
		"bytea":                    `CREATE TABLE k (k bytea PRIMARY KEY, n int); INSERT INTO k VALUES ('\x'), ('\x00'), ('\xff'), ('\x0001')`,
		"date":                     "CREATE TABLE k (k date PRIMARY KEY, n int); INSERT INTO k VALUES ('infinity'), ('-infinity'), ('0044-03-15 BC'), ('2024-02-29'), ('5874897-12-31'), ('4713-01-01 BC'), ('4714-11-24 BC')",
		"time":                     "CREATE TABLE k (k time PRIMARY KEY, n int); INSERT INTO k VALUES ('00:00'), ('24:00'), ('12:34:56.789012')",
		"timestamp":                "CREATE TABLE k (k timestamp PRIMARY KEY, n int); INSERT INTO k VALUES ('infinity'), ('-infinity'), ('0044-03-15 BC 12:00'), ('4714-11-24 BC'), ('2024-02-29 01:02:03.000004'), ('294276-12-31')",
		"timestamptz":              "CREATE TABLE k (k timestamptz PRIMARY KEY, n int); INSERT INTO k VALUES ('infinity'), ('-infinity'), ('0044-03-15 12:00+00 BC'), ('2024-02-29 01:02:03.000004+02'), ('4713-01-01 00:00+00 BC')",
		"uuid":                     "CREATE TABLE k (k uuid PRIMARY KEY, n int); INSERT INTO k SELECT md5(i::text)::uuid FROM generate_series(1, 20) AS i",
		"inet":                     "CREATE TABLE k (k inet PRIMARY KEY, n int); INSERT INTO k VALUES ('10.0.0.1'), ('10.0.0.1/8'), ('::1'), ('9.0.0.0/8')",
		"smallint":                 "CREATE TABLE k (k smallint PRIMARY KEY, n int); INSERT INTO k SELECT i FROM generate_series(-32768, 32767, 5041) AS i",
		"oid":                      "CREATE TABLE k (k oid PRIMARY KEY, n int); INSERT INTO k VALUES (0), (1), (4294967295)",
		"a domain":                 "CREATE DOMAIN code AS varchar(9) CHECK (VALUE <> 'x'); CREATE TABLE k (k code PRIMARY KEY, n int); INSERT INTO k VALUES " + words,
	}
}

func TestKeysOfEveryType(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' TEMPLATE template0")
	for name, sql := range keyCases() {
		t.Run(name, func(t *testing.T) {
			d := &database{t: t, url: d.url, conn: d.conn}
			d.exec("DROP TABLE IF EXISTS k")
			d.exec(sql)
			d.exec("WITH s AS (SELECT ctid AS place, row_number() OVER () AS nth FROM k) UPDATE k SET n = nth FROM s WHERE k.ctid = place")
			d.exec("ANALYZE k")
			checkKeys(t, d.open(), &sources.Dataset{Name: "k", Key: []string{"k"}, Fields: []string{"n"}})
		})
	}
}

// checkKeys scans in pages of any size, in any partition, and looks every key up.
func checkKeys(t *testing.T, s *source, d *sources.Dataset) {
	t.Helper()
	all := scanAll(t, s, d, sources.ScanRequest{})
	want := serials(all)
	if len(want) < 2 || slices.Compact(slices.Clone(want))[0] != want[0] {
		t.Fatalf("the table holds %v", want)
	}
	for size := 1; size <= 4; size++ {
		if got := serials(scanAll(t, s, d, sources.ScanRequest{Limit: sources.Limit{Records: size}, Raw: size%2 == 0})); !slices.Equal(got, want) {
			t.Errorf("in pages of %d: %v, want %v", size, got, want)
		}
		if got := serials(scanAll(t, s, d, sources.ScanRequest{Limit: sources.Limit{Records: 1000, Bytes: size}})); !slices.Equal(got, want) {
			t.Errorf("in pages of %d bytes: %v, want %v", size, got, want)
		}
	}
	for _, r := range all {
		if !r.Key.Whole() {
			continue
		}
		p := sources.Position(r.Key)
		low := scanAll(t, s, d, sources.ScanRequest{Span: sources.Span{UpTo: p}})
		high := scanAll(t, s, d, sources.ScanRequest{Span: sources.Span{After: p}})
		if got := serials(append(low, high...)); !slices.Equal(got, want) {
			t.Errorf("cut at %s: %v and %v", r.Key, serials(low), serials(high))
		}
		var same []sources.Record
		for _, other := range all {
			if canonical(other.Key) == canonical(r.Key) {
				same = append(same, other)
			}
		}
		for _, key := range []sources.Key{r.Key, {sources.Canonical(r.Key[0])}} {
			if got := serials(lookupAll(t, s, d, 1, key, key)); !slices.Equal(got, serials(same)) {
				t.Errorf("look-up of %s %q: %v, want %v", key[0].Kind(), key, got, serials(same))
			}
		}
	}
}

// serials are the numbers of rows, ascending.
func serials(records []sources.Record) []int64 {
	var all []int64
	for _, r := range records {
		all = append(all, r.Fields[0].AsInt())
	}
	slices.Sort(all)
	return all
}

// A key of a kind that the column cannot hold, or a value beyond its range.
func TestLookupOfKeysNoColumnHolds(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec(`CREATE TYPE mood AS ENUM ('ok');
		CREATE TABLE k (i smallint, t text, m mood, n numeric, f real, u uuid, w timestamptz, b boolean, d date, c time, v interval, x inet, y bytea);
		INSERT INTO k VALUES (1, 'a', 'ok', 1, 1, '00000000-0000-0000-0000-000000000001', '2024-01-01', true, '2024-01-01', '00:00', '1 s', '::1', 'a')`)
	s := d.open()
	strange := []sources.Value{sources.Int(1 << 40), sources.Int(-7), sources.Text("b\x00"), sources.Text("\xff"), sources.Text("no such"), sources.Text(""), sources.Text("' OR true"),
		decimal(t, "1e200000"), decimal(t, "1e-20000"), decimal(t, "0.1"), sources.DecimalNaN(), sources.Float(0.1), sources.Float(1e300),
		sources.Bytes([]byte{0}), sources.Bool(false), sources.UUID([16]byte{}), sources.ObjectID([12]byte{}), sources.Date(1 << 40), sources.DateInfinity(1),
		sources.Time(at(300000, 1, 1, 0, 0, 0, 0), 9), sources.Time(at(2024, 1, 1, 0, 0, 0, 1), 9), sources.NaiveTime(at(2024, 1, 1, 0, 0, 0, 1), 9), sources.TimeInfinity(1, false),
		sources.Duration(0, 0, 1), sources.Duration(1, 0, 0), sources.ListOf(nil), parsed(t, "{}")}
	for _, column := range []string{"i", "t", "m", "n", "f", "u", "w", "b", "d", "c", "v", "x", "y"} {
		ds := &sources.Dataset{Name: "k", Key: []string{column}, Fields: []string{"i"}}
		for _, v := range strange {
			if got := lookupAll(t, s, ds, 10, sources.Key{v}); len(got) > 0 {
				t.Errorf("%s: look-up of the %s %s found %v", column, v.Kind(), v, got)
			}
		}
	}
}

// Bounds of a span may come from another store, and need not fit the column.
func TestBoundsBetweenValues(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec(`CREATE TABLE i (k smallint PRIMARY KEY, n int); INSERT INTO i VALUES (-32768, 1), (0, 2), (32767, 3);
		CREATE TABLE w (k timestamptz PRIMARY KEY, n int); INSERT INTO w VALUES ('2024-01-01 00:00:00.000001+00', 1), ('2024-01-01 00:00:00.000002+00', 2)`)
	s := d.open()
	count := func(table string, span sources.Span) int {
		return len(scanAll(t, s, &sources.Dataset{Name: table, Key: []string{"k"}, Fields: []string{"n"}}, sources.ScanRequest{Span: span}))
	}
	nano := func(n int) sources.Position { return sources.Position{sources.Time(at(2024, 1, 1, 0, 0, 0, n), 9)} }
	integer := func(i int64) sources.Position { return sources.Position{sources.Int(i)} }
	for _, c := range []struct {
		table string
		span  sources.Span
		want  int
	}{
		{"i", sources.Span{After: integer(1 << 40)}, 0},
		{"i", sources.Span{UpTo: integer(1 << 40)}, 3},
		{"i", sources.Span{After: integer(-1 << 40), UpTo: integer(-1)}, 1},
		{"w", sources.Span{After: nano(1500)}, 1},
		{"w", sources.Span{UpTo: nano(1500)}, 1},
		{"w", sources.Span{After: nano(999), UpTo: nano(1000)}, 1},
	} {
		if got := count(c.table, c.span); got != c.want {
			t.Errorf("%s in (%s, %s]: %d rows, want %d", c.table, sources.Key(c.span.After), sources.Key(c.span.UpTo), got, c.want)
		}
	}
}

// A position shorter than ScanBy stands behind all records that begin with it.
func TestPositionsOfFewerValues(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec(`CREATE TABLE k (a int, b text, n int); CREATE INDEX ON k (a, b);
		INSERT INTO k SELECT i % 5, (i % 3)::text, i FROM generate_series(1, 60) AS i;
		INSERT INTO k VALUES (NULL, 'x', 61), (2, NULL, 62), (NULL, NULL, 63)`)
	s := d.open()
	ds := &sources.Dataset{Name: "k", Key: []string{"a", "b"}, Fields: []string{"n"}}
	want := serials(scanAll(t, s, ds, sources.ScanRequest{}))
	if len(want) != 63 {
		t.Fatalf("%d rows", len(want))
	}
	for a := int64(-1); a <= 5; a++ {
		p := sources.Position{sources.Int(a)}
		low := scanAll(t, s, ds, sources.ScanRequest{Span: sources.Span{UpTo: p}, Limit: sources.Limit{Records: 2}})
		high := scanAll(t, s, ds, sources.ScanRequest{Span: sources.Span{After: p}, Limit: sources.Limit{Records: 2}})
		if got := serials(append(slices.Clone(low), high...)); !slices.Equal(got, want) {
			t.Errorf("cut at %d: %d and %d rows", a, len(low), len(high))
		}
		for _, r := range low {
			if !r.Key.Whole() || r.Key[0].AsInt() > a {
				t.Errorf("up to %d: %s", a, r.Key)
			}
		}
	}
	if _, err := tryScan(t.Context(), s, ds, sources.ScanRequest{Span: sources.Span{After: sources.Position{sources.Int(1), sources.Text("x"), sources.Int(1)}}}); err == nil {
		t.Error("a position of too many values is no error")
	}
}

func TestTooManyRecordsAtOnePosition(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec(`CREATE TABLE k (k int NOT NULL, n int); CREATE INDEX ON k (k); INSERT INTO k SELECT 1, i FROM generate_series(1, 100200) AS i`)
	s := d.open()
	_, err := tryScan(t.Context(), s, &sources.Dataset{Name: "k", Key: []string{"k"}, Fields: []string{"n"}}, sources.ScanRequest{Limit: sources.Limit{Records: 100, Bytes: 64 << 20}})
	if err == nil || sources.FailureOf(err) != sources.FailureFinal || !strings.Contains(err.Error(), "declare id:") {
		t.Errorf("100,200 rows at one key: %v", err)
	}
	rows := scanAll(t, s, &sources.Dataset{Name: "k", Key: []string{"k"}, ID: []string{"n"}, Fields: []string{"n"}}, sources.ScanRequest{Limit: sources.Limit{Records: 30_000, Bytes: 64 << 20}})
	if len(rows) != 100_200 {
		t.Errorf("with an id: %d rows", len(rows))
	}
}

// Names that are made of what could end a quoted name.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	for _, name := range []string{`"`, `""`, `a"b`, `'; DROP TABLE victim; --`, `";DROP TABLE victim;--`, `a.b`, `.`, `a..b`, `$1`, `%s`, "select", "Ünï 😀", `\`, "?column?", " ", "a\nb", "--", "/*"} {
		schema, table, key, field := name+"s", name+"t", name+"k", name+"f"
		d.exec(fmt.Sprintf("CREATE SCHEMA %s", ident(schema)))
		d.exec(fmt.Sprintf("CREATE TABLE %s.%s (%s int PRIMARY KEY, %s text)", ident(schema), ident(table), ident(key), ident(field)))
		d.exec(fmt.Sprintf("INSERT INTO %s.%s VALUES (1, 'x'), (2, 'y')", ident(schema), ident(table)))
		s := d.open()
		ds := &sources.Dataset{Name: schema + "." + table, Key: []string{key}, Fields: []string{field}, Scope: []sources.Condition{{Field: field, Value: sources.Text("y")}}}
		records := scanAll(t, s, ds, sources.ScanRequest{Limit: sources.Limit{Records: 1}})
		records = append(records, lookupAll(t, s, ds, 10, sources.Key{sources.Int(2)}, sources.Key{sources.Int(1)})...)
		if len(records) != 2 || records[0].Fields[0].AsText() != "y" || records[1].Fields[0].AsText() != "y" {
			t.Errorf("%q: %v", name, records)
		}
		desc, err := s.Describe(t.Context(), ds)
		if err != nil || desc.ScanIndex == "" {
			t.Errorf("%q: %+v, %v", name, desc, err)
		}
	}
}

// A float and the decimal it is written as are one key, whichever the column holds.
func TestFloatsAndDecimalsFindEachOther(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec(`CREATE TABLE f (k double precision PRIMARY KEY, n int); CREATE TABLE r (k real PRIMARY KEY, n int); CREATE TABLE d (k numeric PRIMARY KEY, n int);
		INSERT INTO f VALUES (0.1, 0), (12.34, 1), (0.30000000000000004, 2), (3, 3), (18446744073709551616, 4), ('NaN', 5), ('-Infinity', 6);
		INSERT INTO d SELECT k::text::numeric, n FROM f WHERE n NOT IN (4); INSERT INTO d VALUES (18446744073709551616, 4), (0.1000000000000000055511151231257827, 7);
		INSERT INTO r VALUES (0.1, 0), (0.5, 1)`)
	s := d.open()
	for _, c := range []struct {
		key     sources.Value
		f, d, r []int64
	}{
		{sources.Float(0.1), []int64{0}, []int64{0}, nil},
		{decimal(t, "0.10"), []int64{0}, []int64{0}, nil},
		{decimal(t, "0.1000000000000000055511151231257827"), nil, []int64{7}, nil},
		{sources.Float(12.34), []int64{1}, []int64{1}, nil},
		{decimal(t, "12.34"), []int64{1}, []int64{1}, nil},
		{sources.Float(0.30000000000000004), []int64{2}, []int64{2}, nil},
		{sources.Float(0.3), nil, nil, nil},
		{sources.Int(3), []int64{3}, []int64{3}, nil},
		{sources.Float(1 << 64), []int64{4}, []int64{4}, nil},
		{decimal(t, "18446744073709551616"), []int64{4}, []int64{4}, nil},
		{decimal(t, "18446744073709552000"), nil, nil, nil},
		{sources.Float32(0.1), nil, nil, []int64{0}},
		{sources.Float(float64(float32(0.1))), nil, nil, []int64{0}},
		{decimal(t, "0.5"), nil, nil, []int64{1}},
	} {
		for table, want := range map[string][]int64{"f": c.f, "d": c.d, "r": c.r} {
			ds := &sources.Dataset{Name: table, Key: []string{"k"}, Fields: []string{"n"}}
			if got := serials(lookupAll(t, s, ds, 10, sources.Key{c.key})); !slices.Equal(got, want) {
				t.Errorf("%s %s in %s: %v, want %v", c.key.Kind(), c.key, table, got, want)
			}
		}
	}
}
