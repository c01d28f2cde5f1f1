package postgres

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"plumbline/sources"
	"plumbline/sources/sourcetest"
)

func TestConformance(t *testing.T) {
	d := newDatabase(t, "")
	conform(t, d)
}

func TestConformanceUnderALinguisticCollation(t *testing.T) {
	d := newDatabase(t, "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' TEMPLATE template0")
	conform(t, d)
}

func conform(t *testing.T, d *database) { sourcetest.Run(t, harness(d)) }

func harness(d *database) sourcetest.Harness {
	user := url.UserPassword(d.url.User.Username(), "hidden!word")
	return sourcetest.Harness{
		Adapter: "postgres",
		Open:    Open,
		URL:     d.as(user),
		Load: func(t testing.TB, table sourcetest.Table) sources.Dataset {
			return load(t, d, table)
		},
		Holds:    holds,
		HoldsKey: holdsKey,
		Condition: func(c sourcetest.Condition) string {
			switch c.Test {
			case sourcetest.Equals:
				return fmt.Sprintf(`%s = %s COLLATE "C"`, ident(c.Field), literal(c.Value.AsText()))
			case sourcetest.Above:
				return fmt.Sprintf("%s > %d", ident(c.Field), c.Value.AsInt())
			case sourcetest.Filled:
				return ident(c.Field) + " IS NOT NULL"
			}
			return "no such thing"
		},
		Writing: func(t testing.TB, ds sources.Dataset) []sources.Dataset {
			function := "touch_" + ds.Name
			d.exec(fmt.Sprintf(`CREATE FUNCTION %s() RETURNS boolean VOLATILE LANGUAGE plpgsql AS
				$$ BEGIN PERFORM set_config('default_transaction_read_only', 'off', false); DELETE FROM %s; RETURN true; END $$`, function, ident(ds.Name)))
			where, deleted, query := ds, ds, ds
			where.Where, deleted.DeletedWhen = function+"()", function+"()"
			query.Name, query.Query = "", fmt.Sprintf("SELECT * FROM %s WHERE %s()", ident(ds.Name), function)
			return []sources.Dataset{where, deleted, query}
		},
		Alter: func(_ testing.TB, ds sources.Dataset, c sourcetest.Change) {
			d.exec(strings.ReplaceAll(map[sourcetest.Change]string{
				sourcetest.WriteRow:    "UPDATE TABLE_ SET note = 'another' WHERE k = 1",
				sourcetest.IndexField:  "CREATE INDEX ON TABLE_ (note)",
				sourcetest.AddField:    "ALTER TABLE TABLE_ ADD COLUMN added text",
				sourcetest.RetypeField: "ALTER TABLE TABLE_ ALTER COLUMN price TYPE text",
				sourcetest.RenameField: "ALTER TABLE TABLE_ RENAME COLUMN note TO remark",
				sourcetest.DropField:   "ALTER TABLE TABLE_ DROP COLUMN price",
				sourcetest.Replace:     "TRUNCATE TABLE_",
			}[c], "TABLE_", ident(ds.Name)))
		},
		Through: func(t testing.TB) (sources.Secret, sourcetest.Line) {
			w := sourcetest.NewWire(t, "tcp", d.url.Host)
			u := *d.url
			u.Host, u.User = w.Address(), user
			return sources.Secret(u.String()), w
		},
		Unreachable: sourcetest.Unreachable{URL: "postgres://reader:hidden%21word@127.0.0.1:1/shop?sslmode=disable", Names: "127.0.0.1:1"},
		BadURLs: []sources.Secret{"", "reader:hidden%21word@127.0.0.1:1", "mysql://reader:hidden%21word@127.0.0.1/shop", "host=127.0.0.1 password=hidden!word",
			"postgres://reader:hidden%21word@127.0.0.1:x/shop", "postgres://reader:hidden!word/@127.0.0.1/shop",
			"postgres://reader:hidden%21word@127.0.0.1/shop?sslmode=hidden!word", "postgres://127.0.0.1/shop?sslmode=no&password=hidden!word"},
		Secrets: []string{"hidden%21word", "hidden!word"},
		Cannot:  map[sourcetest.Ability]string{sourcetest.CannotMixKinds: "a column has one type"},
	}
}

// load makes a table of the suite.
func load(t testing.TB, d *database, table sourcetest.Table) sources.Dataset {
	t.Helper()
	var definitions, names, casts, arrays []string
	var columns []any
	for i, c := range table.Columns {
		definition := ident(c.Name) + " " + columnType(c)
		if c.NotNull {
			definition += " NOT NULL"
		}
		definitions = append(definitions, definition)
		names = append(names, ident(c.Name))
		casts = append(casts, fmt.Sprintf("c%d::%s", i, columnType(c)))
		arrays = append(arrays, fmt.Sprintf("$%d::text[]", i+1))
		texts := make([]*string, len(table.Rows))
		for j, row := range table.Rows {
			if v := row[i]; !missing(v) {
				text := written(v)
				texts[j] = &text
			}
		}
		columns = append(columns, texts)
	}
	d.exec(fmt.Sprintf("CREATE TABLE %s (%s)", ident(table.Name), strings.Join(definitions, ", ")))
	var as []string
	for i := range columns {
		as = append(as, fmt.Sprintf("c%d", i))
	}
	d.exec(fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM unnest(%s) AS r(%s)", ident(table.Name), strings.Join(names, ", "),
		strings.Join(casts, ", "), strings.Join(arrays, ", "), strings.Join(as, ", ")), columns...)
	var by []string
	for _, name := range append(slices.Clone(table.Key), table.ID...) {
		by = append(by, ident(name))
	}
	if table.Indexed || table.Unique {
		unique := ""
		if table.Unique {
			unique = "UNIQUE"
		}
		d.exec(fmt.Sprintf("CREATE %s INDEX ON %s (%s)", unique, ident(table.Name), strings.Join(by, ", ")))
	}
	if table.AlsoIndexed != "" {
		d.exec(fmt.Sprintf("CREATE INDEX ON %s (%s)", ident(table.Name), ident(table.AlsoIndexed)))
	}
	d.exec("ANALYZE " + ident(table.Name))
	out := sources.Dataset{Name: table.Name, Key: table.Key, ID: table.ID}
	for _, c := range table.Columns {
		if !slices.Contains(table.Key, c.Name) && !slices.Contains(table.ID, c.Name) {
			out.Fields = append(out.Fields, c.Name)
		}
	}
	return out
}

func columnType(c sourcetest.Column) string {
	switch c.Kind {
	case sources.KindBool:
		return "boolean"
	case sources.KindInt:
		return "bigint"
	case sources.KindDecimal:
		return "numeric"
	case sources.KindFloat:
		if c.Precision == 32 {
			return "real"
		}
		return "double precision"
	case sources.KindBytes:
		return "bytea"
	case sources.KindTime:
		if c.Naive {
			return fmt.Sprintf("timestamp(%d)", c.Precision)
		}
		return fmt.Sprintf("timestamptz(%d)", c.Precision)
	case sources.KindDate:
		return "date"
	case sources.KindDuration:
		return "interval"
	case sources.KindUUID:
		return "uuid"
	case sources.KindList:
		return "text[]"
	case sources.KindDocument:
		return "jsonb"
	}
	return "text"
}

// written is a value in the words of the server's manual, not of our own parameters.
func written(v sources.Value) string {
	switch v.Kind() {
	case sources.KindDuration:
		months, days, ns := v.AsDuration()
		return fmt.Sprintf("%d months %d days %d microseconds", months, days, ns/1000)
	case sources.KindTime:
		if v.Infinite() != 0 {
			return v.String()
		}
		t := v.AsTime()
		if t.Year() <= 0 {
			return time.Date(1-t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC).Format("2006-01-02 15:04:05.999999") + " UTC BC"
		}
		return t.Format("2006-01-02 15:04:05.999999") + " UTC"
	case sources.KindList:
		var items []string
		for _, item := range v.Items() {
			if missing(item) {
				items = append(items, "NULL")
			} else {
				items = append(items, strings.Trim(array([]string{item.AsText()}), "{}"))
			}
		}
		return "{" + strings.Join(items, ",") + "}"
	}
	return v.String()
}

func holds(v sources.Value) string {
	switch v.Kind() {
	case sources.KindText:
		if !utf8.ValidString(v.AsText()) {
			return "a UTF-8 database takes only valid UTF-8"
		}
		if strings.Contains(v.AsText(), "\x00") {
			return "a text cannot hold the character NUL"
		}
	case sources.KindObjectID:
		return "there is no such type"
	case sources.KindAbsent:
		return "a column is there in every row"
	case sources.KindTime:
		if v.Infinite() == 0 && v.AsTime().Nanosecond()%1000 != 0 {
			return "times are kept to the microsecond"
		}
	}
	return ""
}

func holdsKey(v sources.Value) string {
	if v.Len() > 2000 {
		return "an index entry has at most 2704 bytes"
	}
	return holds(v)
}
