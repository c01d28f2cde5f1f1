package mysql

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"plumbline/sources"
	"plumbline/sources/sourcetest"
)

// TestConformance runs the suite under a collation that calls case, accents and
// trailing spaces equal, and under one that compares bytes.
func TestConformance(t *testing.T) {
	for _, collation := range []string{"utf8mb4_unicode_ci", "utf8mb4_nopad_bin"} {
		t.Run(collation, func(t *testing.T) {
			d := newDatabase(t)
			sourcetest.Run(t, harness(d, collation))
		})
	}
}

func harness(d *database, collation string) sourcetest.Harness {
	user := d.reader()
	return sourcetest.Harness{
		Adapter:   "mysql",
		Open:      Open,
		URL:       d.as(user),
		Load:      func(t testing.TB, table sourcetest.Table) sources.Dataset { return load(t, d, table, collation) },
		Holds:     d.holds,
		HoldsKey:  holdsKey(d, collation),
		Condition: condition,
		Writing: func(t testing.TB, ds sources.Dataset) []sources.Dataset {
			d.exec(fmt.Sprintf("CREATE FUNCTION touch_%s() RETURNS INT MODIFIES SQL DATA BEGIN DELETE FROM %s; RETURN 1; END", ds.Name, ident(ds.Name)))
			where, deleted, query, file := ds, ds, ds, ds
			where.Where, deleted.DeletedWhen = "touch_"+ds.Name+"()", "touch_"+ds.Name+"()"
			query.Name, query.Query = "", fmt.Sprintf("SELECT * FROM %s WHERE touch_%s()", ident(ds.Name), ds.Name)
			file.Where = "1); DELETE FROM " + ds.Name + "; SELECT (1"
			return []sources.Dataset{where, deleted, query, file}
		},
		Alter: func(_ testing.TB, ds sources.Dataset, c sourcetest.Change) {
			d.exec(strings.ReplaceAll(map[sourcetest.Change]string{
				sourcetest.WriteRow:    "UPDATE TABLE_ SET note = 'another' WHERE k = 1",
				sourcetest.IndexField:  "CREATE INDEX by_note ON TABLE_ (note(10))",
				sourcetest.AddField:    "ALTER TABLE TABLE_ ADD COLUMN added longtext NULL",
				sourcetest.RetypeField: "ALTER TABLE TABLE_ MODIFY price longtext NULL",
				sourcetest.RenameField: "ALTER TABLE TABLE_ RENAME COLUMN note TO remark",
				sourcetest.DropField:   "ALTER TABLE TABLE_ DROP COLUMN price",
				sourcetest.Replace:     "TRUNCATE TABLE TABLE_",
			}[c], "TABLE_", ident(ds.Name)))
		},
		Through: func(t testing.TB) (sources.Secret, sourcetest.Line) {
			w := sourcetest.NewWire(t, "tcp", d.url.Host)
			u := *d.url
			u.Host, u.User, u.Path = w.Address(), user, "/"+d.name
			return sources.Secret(u.String()), w
		},
		Unreachable: sourcetest.Unreachable{URL: "mysql://reader:hidden%21word@127.0.0.1:1/shop", Names: "127.0.0.1:1"},
		BadURLs: []sources.Secret{"", "reader:hidden%21word@127.0.0.1:1", "postgres://reader:hidden%21word@127.0.0.1/shop", "mysql:reader:hidden!word",
			"mysql://reader:hidden%21word@127.0.0.1:x/shop", "mysql://reader:hidden!word/@127.0.0.1/shop", "mysql://reader:hidden%21word@/shop",
			"mysql://reader:hidden%21word@127.0.0.1/shop?tls=hidden!word", "mysql://127.0.0.1/shop?password=hidden!word",
			"mysql://reader:hidden%21word@127.0.0.1/shop?allowAllFiles=true", "mysql://127.0.0.1/shop?tls=true&tls=hidden!word",
			"mysql://reader:hidden%21word@127.0.0.1/shop?cleartext_password=true"},
		Secrets: []string{"hidden%21word", "hidden!word"},
		Cannot: map[sourcetest.Ability]string{
			sourcetest.CannotMixKinds: "a column has one type",
			sourcetest.CannotIdentify: "what tells a table is when it was made, and that is kept to the second",
		},
	}
}

func condition(c sourcetest.Condition) string {
	switch c.Test {
	case sourcetest.Equals:
		return fmt.Sprintf("CAST(%s AS BINARY) = %s", ident(c.Field), hexBytes(c.Value.AsText()))
	case sourcetest.Above:
		return fmt.Sprintf("%s > %d", ident(c.Field), c.Value.AsInt())
	case sourcetest.Filled:
		return ident(c.Field) + " IS NOT NULL"
	}
	return "no such thing"
}

// load makes a table of the suite.
func load(t testing.TB, d *database, table sourcetest.Table, collation string) sources.Dataset {
	t.Helper()
	var definitions, names []string
	for _, c := range table.Columns {
		definition := ident(c.Name) + " " + columnType(c)
		if isKey := slices.Contains(table.Key, c.Name) || slices.Contains(table.ID, c.Name); isKey && c.Kind == sources.KindText {
			definition = ident(c.Name) + " varchar(1001)"
			if len(table.Key)+len(table.ID) > 1 {
				definition = ident(c.Name) + " varchar(400)"
			}
			if utf8.RuneCountInString(longest(table, c.Name)) < 300 {
				definition = ident(c.Name) + " varchar(300)"
			}
		}
		if c.NotNull {
			definition += " NOT NULL"
		} else {
			definition += " NULL"
		}
		definitions, names = append(definitions, definition), append(names, ident(c.Name))
	}
	d.exec(fmt.Sprintf("CREATE TABLE %s (%s) COLLATE %s", ident(table.Name), strings.Join(definitions, ", "), collation))
	for chunk := range slices.Chunk(table.Rows, 500) {
		var rows []string
		size := 0
		flush := func() {
			if len(rows) > 0 {
				d.exec(fmt.Sprintf("INSERT INTO %s (%s) VALUES %s", ident(table.Name), strings.Join(names, ", "), strings.Join(rows, ", ")))
			}
			rows, size = nil, 0
		}
		for _, row := range chunk {
			values := make([]string, len(row))
			for i, v := range row {
				values[i] = written(v)
				size += len(values[i])
			}
			if rows = append(rows, "("+strings.Join(values, ", ")+")"); size > 4<<20 {
				flush()
			}
		}
		flush()
	}
	var by []string
	for _, name := range append(slices.Clone(table.Key), table.ID...) {
		by = append(by, ident(name))
	}
	if table.Indexed || table.Unique {
		unique := ""
		if table.Unique {
			unique = "UNIQUE"
		}
		d.exec(fmt.Sprintf("CREATE %s INDEX by_key ON %s (%s)", unique, ident(table.Name), strings.Join(by, ", ")))
	}
	if table.AlsoIndexed != "" {
		d.exec(fmt.Sprintf("CREATE INDEX also ON %s (%s)", ident(table.Name), ident(table.AlsoIndexed)))
	}
	out := sources.Dataset{Name: table.Name, Key: table.Key, ID: table.ID}
	for _, c := range table.Columns {
		if !slices.Contains(table.Key, c.Name) && !slices.Contains(table.ID, c.Name) {
			out.Fields = append(out.Fields, c.Name)
		}
	}
	return out
}

func longest(table sourcetest.Table, column string) (text string) {
	at := table.Column(column)
	for _, row := range table.Rows {
		if v := row[at].AsText(); len(v) > len(text) {
			text = v
		}
	}
	return text
}

func columnType(c sourcetest.Column) string {
	switch c.Kind {
	case sources.KindInt:
		return "bigint"
	case sources.KindDecimal:
		return "decimal(65,30)"
	case sources.KindFloat:
		if c.Precision == 32 {
			return "float"
		}
		return "double"
	case sources.KindBytes:
		return "longblob"
	case sources.KindTime:
		if c.Naive {
			return fmt.Sprintf("datetime(%d)", c.Precision)
		}
		return fmt.Sprintf("timestamp(%d)", c.Precision)
	case sources.KindDate:
		return "date"
	case sources.KindDuration:
		return "time(6)"
	case sources.KindUUID:
		return "uuid"
	case sources.KindList, sources.KindDocument:
		return "json"
	}
	return "longtext"
}

// written is a value in the words of the server's manual, not of our own constants.
func written(v sources.Value) string {
	switch v.Kind() {
	case sources.KindNull, sources.KindAbsent:
		return "NULL"
	case sources.KindInt, sources.KindDecimal:
		return v.String()
	case sources.KindFloat:
		return strings.ToLower(fmt.Sprintf("%.17e", v.AsFloat()))
	case sources.KindText:
		return "x'" + fmt.Sprintf("%x", v.AsText()) + "'"
	case sources.KindBytes:
		return "x'" + fmt.Sprintf("%x", v.AsText()) + "'"
	case sources.KindTime:
		return "'" + v.AsTime().Format("2006-01-02 15:04:05.000000") + "'"
	case sources.KindDate:
		return "'" + time.Unix(v.AsDays()*86_400, 0).UTC().Format("2006-01-02") + "'"
	case sources.KindDuration:
		_, _, ns := v.AsDuration()
		d := time.Duration(ns)
		return fmt.Sprintf("SEC_TO_TIME(%f)", d.Seconds())
	}
	return fmt.Sprintf("_utf8mb4 x'%x'", v.String())
}

// holds says besides which uuids MariaDB takes for such; MySQL has no type for them.
func (d *database) holds(v sources.Value) string {
	switch v.Kind() {
	case sources.KindUUID:
	case sources.KindDocument, sources.KindList:
		if d.one("SELECT JSON_VALID("+written(v)+")") != "1" {
			return "a document has at most 32 levels (MySQL: 100)"
		}
		return ""
	default:
		return holds(v)
	}
	if !strings.Contains(d.one("SELECT VERSION()"), "MariaDB") {
		return "there is no such type; uuids are kept as binary(16)"
	}
	if d.one("SELECT CAST("+written(v)+" AS UUID)") == "NULL" {
		return "the type uuid takes only the versions and variants that are defined"
	}
	return ""
}

func holds(v sources.Value) string {
	switch v.Kind() {
	case sources.KindBool:
		return "there is no such type; bool is another word for tinyint(1)"
	case sources.KindObjectID:
		return "there is no such type"
	case sources.KindAbsent:
		return "a column is there in every row"
	case sources.KindText:
		if !utf8.ValidString(v.AsText()) {
			return "a column in utf8mb4 takes only valid UTF-8"
		}
	case sources.KindDecimal:
		digits, exponent, ok := v.DecimalParts()
		if digits = strings.TrimPrefix(digits, "-"); !ok || int64(len(digits))+exponent > 35 || exponent < -30 {
			return "the decimal columns here have 35 digits before the point and 30 behind"
		}
	case sources.KindFloat:
		if v.NaN() || v.Infinite() != 0 {
			return "a float is finite"
		}
	case sources.KindTime:
		switch at := v.AsTime(); {
		case v.Infinite() != 0:
			return "there is no infinite time"
		case at.Nanosecond()%1000 != 0:
			return "times are kept to the microsecond"
		case v.Naive() && (at.Year() < 0 || at.Year() > 9999):
			return "years are from 0 to 9999"
		case !v.Naive() && (at.Unix() < 1 || at.Unix() > 1<<31-1):
			return "a timestamp is from 1970-01-01 00:00:01 to 2038-01-19 03:14:07"
		}
	case sources.KindDate:
		if v.Infinite() != 0 || v.AsDays() < firstDay || v.AsDays() > lastDay {
			return "years are from 0 to 9999"
		}
	case sources.KindDuration:
		months, days, ns := v.AsDuration()
		if months != 0 || days != 0 || ns%1000 != 0 || max(ns, -ns) >= int64(839*time.Hour) {
			return "a time is hours, up to 838, to the microsecond"
		}
	}
	return ""
}

// holdsKey: of the texts that a collation calls equal a unique index holds one, the
// first that was asked for.
func holdsKey(d *database, collation string) func(sources.Value) string {
	first := map[string]string{}
	return func(v sources.Value) string {
		why := d.holds(v)
		switch {
		case why != "" || v.Kind() != sources.KindText:
			return why
		case len(v.AsText()) > 750:
			return "an index entry has at most 3072 bytes"
		case strings.HasSuffix(collation, "_nopad_bin"):
			return ""
		}
		weight := d.one("SELECT HEX(WEIGHT_STRING(RTRIM(CONVERT(" + written(v) + " USING utf8mb4)) COLLATE " + collation + "))")
		if was, seen := first[weight]; seen && was != v.AsText() {
			return "the collation calls it equal to another"
		}
		first[weight] = v.AsText()
		return ""
	}
}
