package all

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"

	"plumbline/sources"
)

// rawColumns are the types whose raw bytes two kinds of store may both have.
var rawColumns = map[string][]string{
	"postgres": {"smallint", "integer", "bigint", "numeric", "numeric(12,2)", "numeric(30,10)", "real", "double precision", "text", "varchar(60)", "bytea", "uuid",
		"date", "timestamp", "timestamp(0)", "timestamptz", "timestamptz(3)", "time", "boolean"},
	"mysql": {"tinyint", "tinyint unsigned", "smallint", "smallint unsigned", "mediumint", "mediumint unsigned", "int", "int unsigned", "bigint", "bigint unsigned", "year", "bit(64)",
		"decimal(12,2)", "decimal(30,10)", "decimal(65,30)", "decimal(10,0)", "float", "float(9,3)", "double", "double(12,2)", "varchar(60)", "char(60)", "text CHARACTER SET latin1",
		"varchar(60) CHARACTER SET utf16", "enum('a','ab','0')", "varbinary(60)", "binary(16)", "uuid", "date", "datetime", "datetime(6)", "timestamp", "timestamp(3)", "time(6)"},
}

// rawTexts are values of all types; a column takes those that it can hold.
func rawTexts(random *rand.Rand) []string {
	texts := []string{"0", "-0", "1", "-1", "255", "256", "32767", "32768", "-32768", "65535", "65536", "8388607", "16777215", "16777217", "2147483647", "2147483648", "4294967295", "9223372036854775807",
		"9223372036854775808", "18446744073709551615", "0.1", "0.10", "-0.0", "0.00", "1e10", "1e-10", "1.50", "1.5", "12345678901234567890.0123456789", "9999", "10000", "0.0001", "0.00010000", "99990000", "3.4028235e38", "NaN",
		"2024", "a", "A", "a ", "a  ", "ab", "é", "e\u0301", "€", "😀", "", "null", "\x01",
		"00112233-4455-6677-8899-aabbccddeeff", "2024-02-29", "1000-01-01", "9999-12-31", "1969-12-31", "2000-01-01",
		"2024-01-01 00:00:00", "2024-01-01 00:00:00.5", "2024-01-01 00:00:00.000001", "1999-12-31 23:59:59.999999", "2037-01-01 12:00:00.001", "1000-01-01 00:00:00.1", "00:00:00", "23:59:59.999999", "12:30:00.5"}
	for range 60 {
		whole := fmt.Sprint(random.Int64N(1 << random.IntN(50)))
		texts = append(texts, whole, "-"+whole, fmt.Sprintf("%s.%0*d", whole, 1+random.IntN(9), random.IntN(10)),
			fmt.Sprintf("%04d-%02d-%02d %02d:%02d:%02d.%06d", 1971+random.IntN(60), 1+random.IntN(12), 1+random.IntN(28), random.IntN(24), random.IntN(60), random.IntN(60), random.IntN(1e6)))
	}
	return texts
}

// rawValue is a value as a store has it: its bytes and what they become.
type rawValue struct {
	column string
	value  sources.Value
}

// Equal bytes of one layout are equal values, whichever two stores they are of: what
// is compared by its bytes is never called equal where its values are not.
func TestEqualRawBytesAreEqualValuesAcrossStores(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	texts := rawTexts(rand.New(rand.NewPCG(seed, 1)))
	name := fmt.Sprintf("raw_%x", seed)
	kept := map[string]map[string]map[string][]rawValue{} // by layout, kind of store, bytes
	for kind, write := range map[string]func(t *testing.T, name string, columns, texts []string) sources.Secret{"postgres": writePostgres, "mysql": writeMySQL} {
		address := write(t, name, rawColumns[kind], texts)
		source, err := Kinds()[kind](sources.Options{Name: kind, URL: address})
		if err != nil {
			t.Fatal(err)
		}
		for i, column := range rawColumns[kind] {
			d := &sources.Dataset{Name: fmt.Sprintf("%s.%s_%d", place(kind, name), name, i), Key: []string{"k"}, Fields: []string{"v"}}
			keepRaw(t, source, d, column, kind, kept)
		}
		if err := source.Close(); err != nil {
			t.Error(err)
		}
	}
	for layout, stores := range kept {
		met := 0
		for bytes, ours := range stores["postgres"] {
			for _, theirs := range stores["mysql"][bytes] {
				met++
				for _, own := range ours {
					if !sources.Same(own.value, theirs.value, -1) || own.value.Kind() != theirs.value.Kind() {
						t.Errorf("%s: % x is the %s %s of a %s, and the %s %s of a %s", layout, bytes, own.value.Kind(), own.value, own.column, theirs.value.Kind(), theirs.value, theirs.column)
					}
				}
			}
		}
		if len(stores) == 2 && met == 0 {
			t.Errorf("%s: no bytes of both stores are equal", layout)
		}
		t.Logf("%s: %d pairs", layout, met)
	}
}

// place is the schema or database of the tables.
func place(kind, name string) string {
	if kind == "postgres" {
		return "public"
	}
	return name
}

// keepRaw reads a table of one value a row as raw bytes.
func keepRaw(t *testing.T, source sources.Source, d *sources.Dataset, column, kind string, kept map[string]map[string]map[string][]rawValue) {
	t.Helper()
	desc, err := source.(sources.Describer).Describe(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	layout := desc.Types["v"].Raw
	if layout == "" {
		return
	}
	page, err := source.(sources.Scanner).Scan(t.Context(), d, sources.ScanRequest{Raw: true, Limit: sources.Limit{Records: 10_000, Bytes: 16 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	if page.Raw == nil || !page.Done {
		t.Fatalf("%s of %s comes not as raw bytes", column, kind)
	}
	if kept[layout] == nil {
		kept[layout] = map[string]map[string][]rawValue{}
	}
	if kept[layout][kind] == nil {
		kept[layout][kind] = map[string][]rawValue{}
	}
	for i := range page.Raw.Len() {
		row := page.Raw.Row(i)
		r, err := page.Raw.Decode(row)
		if err != nil || r.Unreadable != "" {
			t.Fatalf("%s of %s: %v %s", column, kind, err, r.Unreadable)
		}
		bytes := string(row[len(page.Raw.Key(row)):])
		kept[layout][kind][bytes] = append(kept[layout][kind][bytes], rawValue{column, r.Fields[0]})
	}
}

// writePostgres makes a table for each column and writes what it takes.
func writePostgres(t *testing.T, name string, columns, texts []string) sources.Secret {
	t.Helper()
	address := server(t, "PLUMBLINE_TEST_POSTGRES_URL")
	db, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for i := range columns {
			if _, err := db.Exec(context.Background(), fmt.Sprintf("DROP TABLE IF EXISTS public.%s_%d", name, i)); err != nil {
				t.Error(err)
			}
		}
		if err := db.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for i, column := range columns {
		table := fmt.Sprintf("public.%s_%d", name, i)
		if _, err := db.Exec(t.Context(), "SET timezone = 'UTC'; CREATE TABLE "+table+" (k integer PRIMARY KEY, v "+column+")"); err != nil {
			t.Fatal(err)
		}
		for n, text := range texts {
			statement := fmt.Sprintf("INSERT INTO %s VALUES (%d, $1)", table, n)
			if _, err := db.Exec(t.Context(), strings.Replace(statement, "$1", quoted(text), 1), pgx.QueryExecModeSimpleProtocol); err != nil && db.IsClosed() {
				t.Fatal(err)
			}
		}
	}
	return sources.Secret(address)
}

// writeMySQL does the same in a database of its own.
func writeMySQL(t *testing.T, name string, columns, texts []string) sources.Secret {
	t.Helper()
	u, err := url.Parse(server(t, "PLUMBLINE_TEST_MYSQL_URL"))
	if err != nil {
		t.Fatal(err)
	}
	config := mysql.NewConfig()
	config.User, config.Net, config.Addr = u.User.Username(), "tcp", u.Host
	config.Passwd, _ = u.User.Password()
	config.Params = map[string]string{"time_zone": "'+00:00'", "sql_mode": "'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_BACKSLASH_ESCAPES'"}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	if _, err := db.Exec("CREATE DATABASE " + name + " CHARACTER SET utf8mb4"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := db.Exec("DROP DATABASE " + name); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	for i, column := range columns {
		table := fmt.Sprintf("%s.%s_%d", name, name, i)
		null := ""
		if strings.HasPrefix(column, "timestamp") {
			null = " NULL"
		}
		if _, err := db.Exec("CREATE TABLE " + table + " (k int PRIMARY KEY, v " + column + null + ")"); err != nil {
			t.Fatal(err)
		}
		var rows []string
		for n, text := range texts {
			rows = append(rows, fmt.Sprintf("(%d, %s)", n, quoted(text)))
		}
		if _, err := db.Exec("INSERT IGNORE INTO " + table + " VALUES " + strings.Join(rows, ", ")); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("DELETE FROM " + table + " WHERE CAST(v AS CHAR) LIKE '0000-00-00%'"); err != nil { // no value at all
			t.Fatal(err)
		}
	}
	u.Path = "/" + name
	return sources.Secret(u.String())
}

func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

func server(t *testing.T, variable string) string {
	t.Helper()
	address := os.Getenv(variable)
	if address == "" {
		t.Fatal(variable + " is not set: run `make test`, which starts the servers")
	}
	return address
}
