package mysql

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"plumbline/sources"
	"plumbline/sources/sourcetest"
)

func TestWriterConformance(t *testing.T) {
	t.Parallel()
	sourcetest.RunWriter(t, writerHarness(newDatabase(t)))
}

func TestSoakWriterConformance(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return
	}
	sourcetest.SoakWriter(t, writerHarness(newDatabase(t)))
}

func writerHarness(d *database) sourcetest.WriterHarness {
	h := harness(d, "utf8mb4_unicode_ci")
	user := d.own() // who may write, and see what writing would touch
	h.URL = d.as(user)
	h.Through = func(t testing.TB) (sources.Secret, sourcetest.Line) {
		w := sourcetest.NewWire(t, "tcp", d.url.Host)
		u := *d.url
		u.Host, u.User, u.Path = w.Address(), user, "/"+d.name
		return sources.Secret(u.String()), w
	}
	return sourcetest.WriterHarness{
		Harness: h,
		Change: func(t testing.TB, ds *sources.Dataset, n int64, set map[string]sources.Value) {
			for column, v := range set {
				d.exec(fmt.Sprintf("UPDATE %s SET %s = %s WHERE n = %d", ds.Name, ident(column), written(v), n))
			}
		},
		Remove: func(t testing.TB, ds *sources.Dataset, n int64) {
			d.exec(fmt.Sprintf("DELETE FROM %s WHERE n = %d", ds.Name, n))
		},
		Count: func(ds *sources.Dataset, column string, n int64) error {
			_, err := d.sql.ExecContext(context.Background(), fmt.Sprintf("UPDATE %s SET %s = %[2]s + 1 WHERE n = %d", ds.Name, ident(column), n))
			return err
		},
		Dump:    func(t testing.TB, ds *sources.Dataset) map[int64]string { return d.dumpAll(ds.Name) },
		Changes: func(t testing.TB, ds *sources.Dataset) int64 { return d.changes(ds.Name) },
		Hold: func(t testing.TB, ds *sources.Dataset, n int64) func() {
			tx, err := d.sql.BeginTx(context.Background(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(fmt.Sprintf("UPDATE %s SET n = n WHERE n = %d", ds.Name, n)); err != nil {
				t.Fatal(err)
			}
			return func() {
				if err := tx.Rollback(); err != nil {
					t.Error(err)
				}
			}
		},
		Zoo:     func(t testing.TB) []sourcetest.Zoo { return d.zoo() },
		Hazards: func(t testing.TB) []sourcetest.Hazardous { return d.hazardous() },
	}
}

// dumpAll is every column of each row in the server's own words, texts by their
// bytes, by its n.
func (d *database) dumpAll(table string) map[int64]string {
	d.t.Helper()
	var texts []string
	at := 0
	for i, column := range d.rows("SELECT COLUMN_NAME, DATA_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION", d.name, table) {
		name := ident(column[0])
		if column[0] == "n" {
			at = i
		}
		switch column[1] {
		case "float":
			name = "CAST(" + name + " AS DOUBLE)"
		case "bigint", "int", "tinyint", "decimal", "double", "date", "datetime", "timestamp", "time", "year", "uuid":
		case "bit":
			name = "BIN(" + name + ")"
		default:
			name = "HEX(" + name + ")"
		}
		texts = append(texts, name)
	}
	all := map[int64]string{}
	for _, row := range d.rows(fmt.Sprintf("SELECT %s FROM %s", strings.Join(texts, ", "), table)) {
		n, err := strconv.ParseInt(row[at], 10, 64)
		if err != nil {
			d.t.Fatal(err)
		}
		all[n] = strings.Join(row, ",")
	}
	return all
}

// changes counts the changes of rows since it was first asked for any table.
func (d *database) changes(table string) int64 {
	d.t.Helper()
	d.exec("SET GLOBAL userstat = 1")
	row := d.rows("SELECT coalesce(sum(ROWS_CHANGED), 0) FROM information_schema.TABLE_STATISTICS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?", d.name, table)
	n, err := strconv.ParseInt(row[0][0], 10, 64)
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

// zoo are tables of the server's own types.
func (d *database) zoo() (all []sourcetest.Zoo) {
	values := map[string][]string{
		"tinyint":                         {"-128", "0", "127"},
		"tinyint(1)":                      {"0", "1", "-1"},
		"tinyint unsigned":                {"0", "255"},
		"smallint unsigned":               {"0", "65535"},
		"mediumint":                       {"-8388608", "0", "8388607"},
		"int unsigned":                    {"0", "4294967295"},
		"int(5) unsigned zerofill":        {"0", "7", "12345"},
		"bigint":                          {"-9223372036854775808", "0", "9223372036854775807"},
		"bigint unsigned":                 {"0", "9223372036854775807", "18446744073709551615"},
		"decimal(12,2)":                   {"1.50", "0", "-99.90", "9999999999.99"},
		"decimal(65,30)":                  {"0", "0.000000000000000000000000000001", "-12345678901234567890123456789012345.5"},
		"decimal(5,0) unsigned":           {"0", "99999"},
		"double":                          {"0", "0.1", "1e-300", "0.30000000000000004", "1.7976931348623157e308", "5e-324"},
		"float":                           {"0", "0.1", "3.4028234e38", "1e-30", "16777217"},
		"float(7,2)":                      {"0", "1.24", "-99999.99"},
		"double(9,3)":                     {"0", "1.239", "-99999.999"},
		"bit(1)":                          {"b'0'", "b'1'"},
		"bit(9)":                          {"b'0'", "b'101010101'", "b'111111111'"},
		"bit(64)":                         {"b'0'", "18446744073709551615"},
		"char(5)":                         {"''", "'a'", "'ab'", "'abcde'", "'é'"},
		"char(5) character set latin1":    {"''", "'é'", "'ÿ'"},
		"varchar(5)":                      {"''", "'a'", "'a '", "'A'", "'ab  '", "'ábcde'"},
		"varchar(5) character set latin1": {"''", "'é'", "'a '", "'€'"},
		"varchar(5) character set ucs2":   {"''", "'é'", "'€ß'"},
		"varchar(5) collate utf8mb4_bin":  {"''", "'a'", "'A'", "'a '"},
		"text":                            {"''", "'null'", "'a'", "'A'", "'a '", "'é'", "'e\u0301'", "'it''s'", `'\\'`, "'?'", "'%s'", "'\u0001'", "'😀'"},
		"longtext":                        {"''", "'a'"},
		"tinytext":                        {"''", "'a'"},
		"binary(4)":                       {"''", "'ab'", "x'00ff00ff'"},
		"binary(16)":                      {"x'00000000000000000000000000000000'", "x'6fa459eaee8a3ca4894edb77e160355e'"},
		"varbinary(4)":                    {"''", "'ab'", "'ab '", "x'616200'", "x'00'"},
		"blob":                            {"''", "x'00ff'", "'abc'"},
		"enum('glad','sad','so so')":      {"'glad'", "'sad'", "'so so'"},
		"enum('1','2','it''s')":           {"'1'", "'2'", "'it''s'"},
		"enum('a','é') character set latin1 collate latin1_bin": {"'a'", "'é'"},
		"set('x','y','z')":  {"''", "'x'", "'x,z'", "'x,y,z'"},
		"date":              {"'2024-02-29'", "'0001-01-01'", "'9999-12-31'", "'1000-01-01'"},
		"datetime":          {"'2024-01-01 00:00:00'", "'9999-12-31 23:59:59'", "'1000-01-01 00:00:01'"},
		"datetime(6)":       {"'2024-01-01 00:00:00.000001'", "'2024-03-31 02:30:00'", "'9999-12-31 23:59:59.999999'"},
		"datetime(3)":       {"'2024-01-01 00:00:00.001'", "'2024-03-31 02:30:00'"},
		"timestamp null":    {"'2024-03-31 01:30:00'", "'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'"},
		"timestamp(6) null": {"'2024-03-31 01:30:00.000001'", "'2038-01-19 03:14:07.999999'"},
		"time":              {"'00:00:00'", "'838:59:59'", "'-838:59:59'", "'-00:00:01'"},
		"time(6)":           {"'00:00:00.000001'", "'-12:30:00.5'", "'838:59:59.999999'"},
		"year":              {"1901", "2024", "2155", "'0000'"},
		"json":              {`'{"b" : 1,  "a":2}'`, `'[1, 2 ]'`, `'"x"'`, `'{"a":1.50}'`, `'{}'`},
		"uuid":              {"'00000000-0000-0000-0000-000000000000'", "'6fa459ea-ee8a-3ca4-894e-db77e160355e'"},
		"inet6":             {"'::1'", "'2001:db8::ff00:42:8329'"},
	}
	var types []string
	for declared := range values {
		types = append(types, declared)
	}
	sort.Strings(types)
	for i, declared := range types {
		table := fmt.Sprintf("zoo_%d", i)
		d.exec(fmt.Sprintf("CREATE TABLE %s (k int PRIMARY KEY, n int NOT NULL, v %s, o json DEFAULT '{\"b\" : 1,  \"a\":2}', p point NULL, at timestamp(6) DEFAULT '2024-01-01' ON UPDATE current_timestamp(6)) COMMENT = %s",
			table, declared, "'"+strings.ReplaceAll(declared, "'", "''")+"'"))
		for n, text := range values[declared] {
			d.exec(fmt.Sprintf("INSERT INTO %s (k, n, v, p) VALUES (%d, %[2]d, %s, POINT(1, 2))", table, n, text))
		}
		n := len(values[declared])
		d.exec(fmt.Sprintf("INSERT INTO %s (k, n, v) VALUES (%d, %[2]d, NULL)", table, n))
		all = append(all, sourcetest.Zoo{Dataset: sources.Dataset{Name: table, Key: []string{"k"}, Fields: []string{"n", "v"}}, Rows: n + 1})
	}
	return all
}

// hazardous are tables whose records cannot be written alone.
func (d *database) hazardous() (all []sourcetest.Hazardous) {
	for _, c := range matrix() {
		name := "h_" + c.name
		for _, statement := range c.statements(name) {
			d.exec(statement)
		}
		all = append(all, sourcetest.Hazardous{Name: c.name, Fields: slices.Clone(c.fields), Deletes: c.deletes, Kinds: c.kinds, Refused: c.refused,
			Dataset: sources.Dataset{Name: name, Key: []string{"k"}, Fields: c.all()}})
	}
	return all
}
