package postgres

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"plumbline/sources"
	"plumbline/sources/sourcetest"
)

func TestWriterConformance(t *testing.T) {
	t.Parallel()
	sourcetest.RunWriter(t, writerHarness(t, newDatabase(t, "")))
}

func TestSoakWriterConformance(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return
	}
	sourcetest.SoakWriter(t, writerHarness(t, newDatabase(t, "")))
}

func writerHarness(t *testing.T, d *database) sourcetest.WriterHarness {
	counter := connect(t, d.url)
	t.Cleanup(func() { closeConn(t, counter) })
	var one sync.Mutex
	return sourcetest.WriterHarness{
		Harness: harness(d),
		Change: func(t testing.TB, ds *sources.Dataset, n int64, set map[string]sources.Value) {
			for column, v := range set {
				if missing(v) {
					d.exec(fmt.Sprintf("UPDATE %s SET %s = NULL WHERE n = %d", ds.Name, ident(column), n))
				} else {
					d.exec(fmt.Sprintf("UPDATE %s SET %s = %s WHERE n = %d", ds.Name, ident(column), literal(written(v)), n))
				}
			}
		},
		Remove: func(t testing.TB, ds *sources.Dataset, n int64) {
			d.exec(fmt.Sprintf("DELETE FROM %s WHERE n = %d", ds.Name, n))
		},
		Count: func(ds *sources.Dataset, column string, n int64) error {
			one.Lock()
			defer one.Unlock()
			_, err := counter.Exec(context.Background(), fmt.Sprintf("UPDATE %s SET %s = %[2]s + 1 WHERE n = %d", ds.Name, ident(column), n))
			return err
		},
		Dump:    func(t testing.TB, ds *sources.Dataset) map[int64]string { return dump(d, ds.Name) },
		Changes: func(t testing.TB, ds *sources.Dataset) int64 { return changes(d, ds.Name) },
		Hold: func(t testing.TB, ds *sources.Dataset, n int64) func() {
			holder := connect(t, d.url)
			exec(t, holder, fmt.Sprintf("BEGIN; SELECT FROM %s WHERE n = %d FOR UPDATE", ds.Name, n))
			return func() { closeConn(t, holder) }
		},
		Zoo:     func(t testing.TB) []sourcetest.Zoo { return zoo(d) },
		Hazards: func(t testing.TB) []sourcetest.Hazardous { return hazardous(d) },
	}
}

// dump is the text of every column of each row, by its n.
func dump(d *database, table string) map[int64]string {
	d.t.Helper()
	var columns []string
	rows, err := d.conn.Query(context.Background(), "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum", table)
	if err == nil {
		columns, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err != nil {
		d.t.Fatal(err)
	}
	var texts []string
	for _, c := range columns {
		texts = append(texts, fmt.Sprintf("CASE WHEN num_nulls(%[1]s) = 1 THEN 'null' ELSE format('%%L', %[1]s) END", ident(c)))
	}
	all := map[int64]string{}
	rows, err = d.conn.Query(context.Background(), fmt.Sprintf("SELECT n::bigint, concat_ws(',', %s) FROM %s", strings.Join(texts, ", "), table))
	if err != nil {
		d.t.Fatal(err)
	}
	var n int64
	var text string
	if _, err := pgx.ForEachRow(rows, []any{&n, &text}, func() error { all[n] = text; return nil }); err != nil {
		d.t.Fatal(err)
	}
	return all
}

// changes counts the tuples ever written to a table.
func changes(d *database, table string) (n int64) {
	d.t.Helper()
	d.exec("SELECT pg_stat_force_next_flush()")
	err := d.conn.QueryRow(context.Background(), `SELECT coalesce(sum(pg_stat_get_tuples_inserted(oid) + pg_stat_get_tuples_updated(oid) + pg_stat_get_tuples_deleted(oid)), 0)::bigint
		FROM pg_class WHERE oid = $1::regclass`, table).Scan(&n)
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

// zoo are tables of the server's own types.
func zoo(d *database) (all []sourcetest.Zoo) {
	d.exec(`CREATE TYPE mood AS ENUM ('glad', 'sad', 'so-so'); CREATE TYPE pair AS (a int, b text); CREATE DOMAIN price AS numeric(12,2) CHECK (VALUE >= 0);
		CREATE DOMAIN code AS varchar(4); CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false)`)
	values := map[string][]string{
		"numeric":               {"1.5", "1.50", "0", "0.00", "-3.1400", "NaN", "Infinity", "-Infinity", "1e30", "0.000000000000000000001"},
		"numeric(12,2)":         {"1.50", "0", "-99.90", "9999999999.99"},
		"price":                 {"1.50", "0", "99.90"},
		"double precision":      {"0", "-0", "0.1", "NaN", "Infinity", "-Infinity", "1e-300", "0.30000000000000004"},
		"real":                  {"0", "-0", "0.1", "NaN", "Infinity", "1e-30"},
		"char(5)":               {"", "a", "ab   ", "abcde", "é"},
		"varchar(5)":            {"", "a", "a ", "ab  ", "abcde"},
		"code":                  {"", "a", "abcd"},
		"name":                  {"a", "a b"},
		`"char"`:                {"a", "b", ""},
		"text":                  {"", "null", "NULL", "a", "A", "a ", "é", "e\u0301", "it's", `\`, "$1", "%s"},
		"text[]":                {"{}", "{a}", "{NULL,\"NULL\"}", "{{a,b},{c,d}}", `{"a,b","{}","\"",""}`},
		"int[]":                 {"{}", "{1,2}", "{NULL}", "{{1,2},{3,4}}"},
		"numeric(5,2)[]":        {"{1.50,2.00}", "{}"},
		"timestamptz[]":         {`{"2024-01-01 00:00:00+00",infinity}`, "{}"},
		"bytea":                 {`\x`, `\x00ff`, `\x616263`},
		"mood":                  {"glad", "sad", "so-so"},
		"mood[]":                {"{glad,sad}", "{}"},
		"bool":                  {"t", "f"},
		"smallint":              {"-32768", "0", "32767"},
		"int":                   {"-2147483648", "0", "2147483647"},
		"oid":                   {"0", "4294967295"},
		"date":                  {"2024-02-29", "infinity", "-infinity", "0044-03-15 BC", "5874897-12-31"},
		"timestamp":             {"2024-01-01 00:00:00", "2024-01-01 00:00:00.000001", "infinity", "-infinity", "0044-03-15 00:00:00 BC"},
		"timestamptz(0)":        {"2024-01-01 00:00:00+00", "2024-01-01 00:00:01+00"},
		"timestamptz":           {"2024-03-31 01:30:00+00", "infinity", "294276-12-31 23:59:59.999999+00"},
		"time":                  {"00:00:00", "24:00:00", "23:59:59.999999"},
		"timetz":                {"00:00:00+00", "12:30:00+05:30"},
		"interval":              {"0", "1 mon", "30 days", "-1 mon +2 days -00:00:03", "14 mons -1 days 00:00:00.000001"},
		"uuid":                  {"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"},
		"jsonb":                 {`{"b": 1, "a": [1, 2.50, null]}`, `[]`, `"x"`, `{}`, `1.50`},
		"inet":                  {"10.0.0.1", "10.0.0.0/8", "::1"},
		"cidr":                  {"10.0.0.0/8", "::/0"},
		"bit(3)":                {"101", "000"},
		"bit varying(5)":        {"", "1", "10101"},
		"int4range":             {"empty", "[1,5)", "(,)"},
		"point":                 {"(0,0)", "(1.5,-2)"},
		"box":                   {"(2,2),(1,1)"},
		"box[]":                 {"{(2,2),(1,1);(4,4),(3,3)}"},
		"pair":                  {"(1,a)", "(,)", `(2,"a,b")`},
		"tsvector":              {"'a':1 'b':2", ""},
		"money":                 {"$1.50", "-$3.00"},
		"xml":                   {"<a/>", "<a>b</a>"},
		"json":                  {`{"b" : 1,  "a":2}`, `[1, 2 ]`, `"x"`, `{"a":1.50}`},
		`text COLLATE "loose"`:  {"a", "A", "á", ""},
		`char(3) COLLATE loose`: {"a", "A", "á"},
		"macaddr":               {"08:00:2b:01:02:03"},
	}
	var types []string
	for declared := range values {
		types = append(types, declared)
	}
	sort.Strings(types)
	for i, declared := range types {
		table := fmt.Sprintf("zoo_%d", i)
		d.exec(fmt.Sprintf("CREATE TABLE %s (k int PRIMARY KEY, n int NOT NULL, v %s, o json DEFAULT '{\"b\" : 1,  \"a\":2}')", table, declared))
		for n, text := range values[declared] {
			d.exec(fmt.Sprintf("INSERT INTO %s VALUES (%d, %[2]d, %s)", table, n, literal(text)))
		}
		n := len(values[declared])
		d.exec(fmt.Sprintf("INSERT INTO %s VALUES (%d, %[2]d, NULL)", table, n))
		all = append(all, sourcetest.Zoo{Dataset: sources.Dataset{Name: table, Key: []string{"k"}, Fields: []string{"n", "v"}}, Rows: n + 1})
	}
	return all
}

// hazardous are tables whose records cannot be written alone.
func hazardous(d *database) (all []sourcetest.Hazardous) {
	for _, c := range matrix() {
		name := "h_" + c.name
		d.exec(c.sqlFor(name))
		fields := slices.Clone(c.fields)
		all = append(all, sourcetest.Hazardous{Name: c.name, Fields: fields, Deletes: c.deletes, Kinds: c.kinds, Refused: c.refused,
			Dataset: sources.Dataset{Name: name, Key: []string{"k"}, Fields: c.all()}})
	}
	return all
}
