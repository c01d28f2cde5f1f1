package sqlite_test

import (
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the driver, for writing what the adapter reads

	"plumbline/sources"
	"plumbline/sources/sourcetest"
	"plumbline/sources/sqlite"
)

// TestConformance runs the suite over a file in WAL mode that another
// connection wrote, as the file of a running program would be.
func TestConformance(t *testing.T) {
	for _, mode := range []string{"wal", "delete"} {
		t.Run("journal mode "+mode, func(t *testing.T) { sourcetest.Run(t, harness(t, mode)) })
	}
}

func harness(t *testing.T, mode string) sourcetest.Harness {
	h, _ := harnessOf(t, mode)
	return h
}

// harnessOf is a harness and the file that it is of.
func harnessOf(t *testing.T, mode string) (h sourcetest.Harness, file string) {
	file = filepath.Join(t.TempDir(), "shop %20 ü.db")
	db := create(t, file)
	run(t, db, "PRAGMA journal_mode="+mode)
	missing := filepath.Join(t.TempDir(), "missing.db")
	return sourcetest.Harness{
		Adapter: "sqlite",
		Open:    sqlite.Open,
		URL:     fileURL(file),
		Load:    func(t testing.TB, table sourcetest.Table) sources.Dataset { return load(t, db, table) },
		Holds:   holds,
		HoldsKey: func(v sources.Value) string {
			if v.Kind() == sources.KindDecimal {
				return "a decimal that is a key stays the text that is stored"
			}
			return holds(v)
		},
		HoldsMixed: func(v sources.Value) string {
			switch v.Kind() {
			case sources.KindNull, sources.KindInt, sources.KindFloat, sources.KindText, sources.KindBytes:
				return ""
			}
			return "without a declared type only the storage class is kept"
		},
		Condition:   condition,
		Unreachable: sourcetest.Unreachable{URL: fileURL(missing), Names: "missing.db", Final: true},
		Alter: func(t testing.TB, d sources.Dataset, c sourcetest.Change) {
			columns := "k INTEGER NOT NULL UNIQUE, price TEXT, note TEXT, n INTEGER NOT NULL, added TEXT"
			run(t, db, strings.ReplaceAll(map[sourcetest.Change]string{
				sourcetest.WriteRow:   "UPDATE TABLE_ SET note = 'another' WHERE k = 1",
				sourcetest.IndexField: "CREATE INDEX by_note ON TABLE_ (note)",
				sourcetest.AddField:   "ALTER TABLE TABLE_ ADD COLUMN added TEXT",
				sourcetest.RetypeField: "CREATE TABLE anew (" + columns + "); INSERT INTO anew SELECT k, price, note, n, added FROM TABLE_;" +
					"DROP TABLE TABLE_; ALTER TABLE anew RENAME TO TABLE_",
				sourcetest.RenameField: "ALTER TABLE TABLE_ RENAME COLUMN note TO remark",
				sourcetest.DropField:   "ALTER TABLE TABLE_ DROP COLUMN price",
				sourcetest.Replace:     "DROP TABLE TABLE_; CREATE TABLE TABLE_ (" + columns + ")",
			}[c], "TABLE_", d.Name))
		},
		Writing: func(_ testing.TB, d sources.Dataset) []sources.Dataset {
			byQuery, byWhere := d, d
			byQuery.Name, byQuery.Query = "", "DELETE FROM "+d.Name+" RETURNING *"
			byWhere.Where = "1) FROM " + d.Name + "; DELETE FROM " + d.Name + "; SELECT (1"
			return []sources.Dataset{byQuery, byWhere}
		},
		BadURLs: []sources.Secret{"", "sqlite://", "postgres://u:hunter2@h/d", "sqlite:///tmp/x.db?password=hunter2", "sqlite:///tmp/x.db?mode=rwc",
			"sqlite:///tmp/%zz", "sqlite:///tmp/x.db?attach=hunter2", "sqlite:///tmp/x.db?a;hunter2=%zz", "sqlite://:memory:"},
		Secrets: []string{"hunter2"},
		Cannot: map[sourcetest.Ability]string{
			sourcetest.CannotIdentify:   "a file keeps nothing that tells a table from another of its name",
			sourcetest.CannotGauge:      "a file has no server that would say, and nobody whose statements ours could hold up for long",
			sourcetest.CannotCut:        "a file has no line to cut; see TestTruncatedFileIsAnErrorAndNoShortPage",
			sourcetest.CannotDeliverRaw: "a value's storage class would be no part of raw bytes, so equal bytes would not mean equal values",
		},
	}, file
}

func fileURL(file string) sources.Secret {
	return sources.Secret("sqlite://" + (&url.URL{Path: file}).EscapedPath())
}

func create(t testing.TB, file string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()+"?_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func run(t testing.TB, db *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.Exec(statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func holds(v sources.Value) string {
	switch v.Kind() {
	case sources.KindAbsent:
		return "a row has every column"
	case sources.KindFloat:
		if v.NaN() {
			return "SQLite stores NaN as NULL"
		}
		if v.Precision() == 32 {
			return "SQLite's floats have 64 bits"
		}
	case sources.KindTime, sources.KindDate, sources.KindDuration:
		return "SQLite has no types of time; its texts and integers stay what they are"
	case sources.KindObjectID:
		return "SQLite has no objectids"
	}
	return ""
}

func declared(c sourcetest.Column) string {
	switch c.Kind {
	case sources.KindInt:
		return "INTEGER"
	case sources.KindBool:
		return "BOOLEAN"
	case sources.KindDecimal:
		return "DECIMAL_TEXT" // NUMERIC affinity would make floats of them
	case sources.KindFloat:
		return "REAL"
	case sources.KindText:
		return "TEXT"
	case sources.KindBytes:
		return "BLOB"
	case sources.KindUUID:
		return "UUID"
	case sources.KindList, sources.KindDocument:
		return "JSON"
	}
	return ""
}

func parameter(v sources.Value) any {
	switch v.Kind() {
	case sources.KindNull:
		return nil
	case sources.KindBool:
		return v.AsBool()
	case sources.KindInt:
		return v.AsInt()
	case sources.KindFloat:
		return v.AsFloat()
	case sources.KindBytes:
		return []byte(v.AsText())
	}
	return v.String()
}

func load(t testing.TB, db *sql.DB, table sourcetest.Table) sources.Dataset {
	t.Helper()
	d := sources.Dataset{Name: table.Name, Key: table.Key, ID: table.ID}
	identity := append(append([]string{}, table.Key...), table.ID...)
	isKey := map[string]bool{}
	for _, name := range identity {
		isKey[name] = true
	}
	var columns, marks []string
	for _, c := range table.Columns {
		text := c.Name + " " + declared(c)
		if c.NotNull {
			text += " NOT NULL"
		}
		columns, marks = append(columns, text), append(marks, "?")
		if !isKey[c.Name] {
			d.Fields = append(d.Fields, c.Name)
		}
	}
	if table.Unique {
		columns = append(columns, "UNIQUE ("+strings.Join(identity, ", ")+")")
	}
	run(t, db, "CREATE TABLE "+table.Name+" ("+strings.Join(columns, ", ")+")")
	if table.Indexed && !table.Unique {
		run(t, db, "CREATE INDEX ix_"+table.Name+" ON "+table.Name+" ("+strings.Join(identity, ", ")+")")
	}
	if table.AlsoIndexed != "" {
		run(t, db, "CREATE INDEX also_"+table.Name+" ON "+table.Name+" ("+table.AlsoIndexed+")")
	}
	run(t, db, "BEGIN")
	for _, row := range table.Rows {
		args := make([]any, len(row))
		for i, v := range row {
			args[i] = parameter(v)
		}
		run(t, db, "INSERT INTO "+table.Name+" VALUES ("+strings.Join(marks, ", ")+")", args...)
	}
	run(t, db, "COMMIT")
	return d
}

func condition(c sourcetest.Condition) string {
	switch c.Test {
	case sourcetest.Equals:
		return fmt.Sprintf("%s = '%s'", c.Field, strings.ReplaceAll(c.Value.AsText(), "'", "''"))
	case sourcetest.Above:
		return fmt.Sprintf("%s > %d", c.Field, c.Value.AsInt())
	case sourcetest.Filled:
		return c.Field + " IS NOT NULL"
	}
	return c.Field + " >>> = ("
}
