package sqlite_test

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"plumbline/sources"
	"plumbline/sources/sourcetest"
)

// TestWriterConformance writes a file while another program does.
func TestWriterConformance(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"wal", "delete"} {
		t.Run("journal mode "+mode, func(t *testing.T) {
			t.Parallel()
			sourcetest.RunWriter(t, writerHarness(t, mode))
		})
	}
}

func TestSoakWriterConformance(t *testing.T) {
	for _, mode := range []string{"wal", "delete"} {
		t.Run("journal mode "+mode, func(t *testing.T) {
			t.Parallel()
			sourcetest.SoakWriter(t, writerHarness(t, mode))
		})
	}
}

func writerHarness(t *testing.T, mode string) sourcetest.WriterHarness {
	h, file := harnessOf(t, mode)
	db := create(t, file)
	h.Cannot[sourcetest.CannotFreeze] = "a file has no line to freeze; see TestWritersFrozenInMidWriteDoNothingLater"
	return sourcetest.WriterHarness{
		Harness: h,
		Change: func(t testing.TB, d *sources.Dataset, n int64, set map[string]sources.Value) {
			for column, v := range set {
				run(t, db, "UPDATE "+quoted(d.Name)+" SET "+quoted(column)+" = ? WHERE n = ?", parameter(v), n)
			}
		},
		Remove: func(t testing.TB, d *sources.Dataset, n int64) {
			run(t, db, "DELETE FROM "+quoted(d.Name)+" WHERE n = ?", n)
		},
		Count: func(d *sources.Dataset, column string, n int64) error {
			for began := time.Now(); ; { // SQLite's lock is not fair to who waits for it
				_, err := db.Exec("UPDATE "+quoted(d.Name)+" SET "+quoted(column)+" = "+quoted(column)+" + 1 WHERE n = ?", n)
				if err == nil || !strings.Contains(err.Error(), "SQLITE_BUSY") || time.Since(began) > 2*time.Minute {
					return err
				}
			}
		},
		Dump: func(t testing.TB, d *sources.Dataset) map[int64]string { return dump(t, db, d.Name) },
		Hold: func(t testing.TB, _ *sources.Dataset, _ int64) func() {
			other := create(t, file)
			run(t, other, "BEGIN IMMEDIATE")
			return func() { run(t, other, "ROLLBACK") }
		},
		Changes: func(t testing.TB, _ *sources.Dataset) (n int64) {
			each(t, db, func(v []any) { n = v[0].(int64) }, "PRAGMA data_version") // rises with every commit of others
			return n
		},
		Zoo:     func(t testing.TB) []sourcetest.Zoo { return zoo(t, db) },
		Hazards: func(t testing.TB) []sourcetest.Hazardous { return hazards(t, db) },
	}
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// dump is all that each row of a table holds, by its column n, or by its first
// where it has none: classes, values and bytes.
func dump(t testing.TB, db *sql.DB, table string) map[int64]string {
	t.Helper()
	all := map[int64]string{}
	by, parts := "", []string{}
	each(t, db, func(v []any) {
		name := v[0].(string)
		if by == "" || name == "n" {
			by = name
		}
		q := quoted(name)
		parts = append(parts, fmt.Sprintf("typeof(%s) || ' ' || quote(%s) || ' ' || ifnull(hex(CAST(%s AS BLOB)), '')", q, q, q))
	}, "SELECT name FROM pragma_table_xinfo(?)", table)
	each(t, db, func(v []any) { all[v[0].(int64)] = v[1].(string) }, "SELECT CAST("+quoted(by)+" AS INTEGER), "+strings.Join(parts, " || '; ' || ")+" FROM "+quoted(table))
	return all
}

func each(t testing.TB, db *sql.DB, row func([]any), query string, args ...any) {
	t.Helper()
	rows, err := db.Query(query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	names, err := rows.Columns()
	for err == nil && rows.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err = rows.Scan(into...); err == nil {
			row(values)
		}
	}
	if err := errors.Join(err, rows.Err(), rows.Close()); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// zoo makes tables of what SQLite holds by storage class, in columns that convert
// it and in such as do not.
func zoo(t testing.TB, db *sql.DB) (all []sourcetest.Zoo) {
	for _, table := range []struct {
		name, declared string
		values         []string // in SQL
	}{
		{"any", "", []string{"NULL", "0", "0.0", "-0.0", "1", "1.0", "'1'", "x'31'", "''", "x''", "9e999", "-9e999", "9223372036854775807", "-9223372036854775808",
			"9223372036854775807.0", "0.1", "1e-320", "'a' || char(0) || 'b'", "CAST(x'ff41' AS TEXT)", "zeroblob(3)", "'é'", "'e' || char(769)", "' x '"}},
		{"numeric", "NUMERIC", []string{"NULL", "1", "1.5", "-7", "0.1", "'abc'", "x'00'", "123456789012345678"}},
		{"nocase", "TEXT COLLATE NOCASE", []string{"'a'", "'A'", "'a '", "''", "NULL", "x'61'"}},
		{"rtrim", "TEXT COLLATE RTRIM", []string{"'a'", "'a '", "'a  '", "' a'"}},
		{"json", "JSON", []string{`'{"b":1, "a" : [1.0,  2]}'`, `'{"a":[1.0,2],"b":1}'`, `'null'`, `'"text"'`, `'12.50'`, `'[]'`, "NULL", `'{"x":"<&>","é":{}}'`}},
		{"uuid", "UUID", []string{"'7b2f0e6c-3f5d-4a34-9d8e-0d1e2f3a4b5c'", "'8B2F0E6C-3F5D-4A34-9D8E-0D1E2F3A4B5C'", "x'9b2f0e6c3f5d4a349d8e0d1e2f3a4b5c'", "'none'", "NULL"}},
		{"decimal", "DECIMAL(10, 2)", []string{"12.5", "12", "'12.500000000000000000001'", "NULL", "'x'"}},
		{"decimal text", "DECIMAL_TEXT", []string{"'12.50'", "'12.5'", "'-0.00'", "'1e3'", "NULL"}},
		{"boolean", "BOOLEAN", []string{"0", "1", "2", "NULL", "'true'"}},
		{"time", "TIMESTAMP", []string{"'2024-01-02 03:04:05'", "1704164645", "'2024-01-02T03:04:05Z'", "NULL"}},
		{"strict", "ANY", []string{"'1'", "1", "1.0", "x'31'", "NULL"}},
	} {
		name, end := "zoo "+table.name, ")"
		if table.name == "strict" {
			end = ") STRICT"
		}
		run(t, db, "CREATE TABLE "+quoted(name)+" (k INTEGER PRIMARY KEY, n INTEGER NOT NULL, v "+table.declared+end)
		for n, v := range table.values {
			run(t, db, "INSERT INTO "+quoted(name)+" VALUES (?, ?, "+v+")", n, n)
		}
		all = append(all, sourcetest.Zoo{Dataset: sources.Dataset{Name: name, Key: []string{"k"}, Fields: []string{"v", "n"}}, Rows: len(table.values)})
	}
	return all
}
