package postgres

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"plumbline/sources"
)

func TestDescribeTypes(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' TEMPLATE template0")
	d.exec(`CREATE DOMAIN price AS numeric(12,2);
		CREATE TABLE k (id bigint PRIMARY KEY, a varchar(20), b text COLLATE "C" NOT NULL, c price, d timestamp(3), e json, f jsonb, g int[], h json[], i inet)`)
	desc, err := d.open().Describe(t.Context(), &sources.Dataset{Name: "public.k", Key: []string{"id"},
		Fields: []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "f.color"}, Scope: []sources.Condition{{Field: "b", Value: sources.Text("eu")}}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]sources.FieldType{
		"id":      {Declared: "bigint", Kind: sources.KindInt, Strict: true, Raw: "int8"},
		"a":       {Declared: "character varying(20)", Kind: sources.KindText, Strict: true, Nullable: true, Collation: "default en-US", Raw: "text UTF8"},
		"b":       {Declared: "text", Kind: sources.KindText, Strict: true, Raw: "text UTF8"},
		"c":       {Declared: "price", Kind: sources.KindDecimal, Strict: true, Nullable: true, Raw: "numeric"},
		"d":       {Declared: "timestamp(3) without time zone", Kind: sources.KindTime, Strict: true, Naive: true, Nullable: true, Raw: "timestamp"},
		"e":       {Declared: "json", Nullable: true},
		"f":       {Declared: "jsonb", Nullable: true, Raw: "jsonb"},
		"g":       {Declared: "integer[]", Kind: sources.KindList, Strict: true, Nullable: true, Raw: "array of int4"},
		"h":       {Declared: "json[]", Kind: sources.KindList, Strict: true, Nullable: true},
		"i":       {Declared: "inet", Kind: sources.KindText, Strict: true, Nullable: true, Raw: "inet as text UTF8"},
		"f.color": {Declared: "in jsonb", Nullable: true},
	}
	if !reflect.DeepEqual(desc.Types, want) {
		for name, w := range want {
			if desc.Types[name] != w {
				t.Errorf("%s: %+v, want %+v", name, desc.Types[name], w)
			}
		}
	}
}

// Whatever can stand behind FROM can be a dataset.
func TestRelationsOfEveryKind(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec(`CREATE SCHEMA shop; CREATE TABLE shop.base (id int PRIMARY KEY, v text);
		INSERT INTO shop.base SELECT i, 'v' || i FROM generate_series(1, 2000) AS i;
		CREATE VIEW shop.seen AS SELECT * FROM shop.base; CREATE MATERIALIZED VIEW shop.kept AS SELECT * FROM shop.base; CREATE UNIQUE INDEX ON shop.kept (id);
		CREATE TABLE shop.parts (id int PRIMARY KEY, v text) PARTITION BY HASH (id);
		CREATE TABLE shop.parts0 PARTITION OF shop.parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
		CREATE TABLE shop.parts1 PARTITION OF shop.parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
		INSERT INTO shop.parts SELECT * FROM shop.base;
		CREATE TABLE shop.parent (id int PRIMARY KEY, v text); CREATE TABLE shop.child (PRIMARY KEY (id)) INHERITS (shop.parent);
		INSERT INTO shop.parent SELECT * FROM shop.base WHERE id <= 1500; INSERT INTO shop.child SELECT * FROM shop.base WHERE id > 1400;
		CREATE TABLE shop."Mixed Case" AS SELECT * FROM shop.base; CREATE INDEX ON shop."Mixed Case" (id); ANALYZE`)
	if d.one("SELECT count(*)::text FROM pg_available_extensions WHERE name = 'postgres_fdw'") == "1" {
		d.exec(fmt.Sprintf(`CREATE EXTENSION postgres_fdw; CREATE SERVER here FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host %s, port %s, dbname %s);
			CREATE USER MAPPING FOR CURRENT_USER SERVER here OPTIONS (user %s); CREATE FOREIGN TABLE shop.far (id int, v text) SERVER here OPTIONS (schema_name 'shop', table_name 'base')`,
			literal(d.url.Hostname()), literal(d.url.Port()), literal(d.url.Path[1:]), literal(d.url.User.Username())))
	}
	s := d.open()
	for _, c := range []struct {
		name    string
		rows    int
		indexed bool
		unique  bool
	}{
		{"shop.base", 2000, true, true}, {"shop.seen", 2000, true, false}, {"shop.kept", 2000, true, true}, {"shop.parts", 2000, true, true},
		{"shop.parent", 2100, true, false}, {"shop.Mixed Case", 2000, true, false}, {`shop."Mixed Case"`, 2000, true, false}, {`"shop".base`, 2000, true, true}, {"shop.far", 2000, false, false},
	} {
		if c.name == "shop.far" && d.one("SELECT count(*)::text FROM pg_extension WHERE extname = 'postgres_fdw'") == "0" {
			t.Log("the server has no postgres_fdw: foreign tables are left out")
			continue
		}
		ds := &sources.Dataset{Name: c.name, Key: []string{"id"}, Fields: []string{"v"}}
		desc, err := s.Describe(t.Context(), ds)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if (desc.ScanIndex != "") != c.indexed || (desc.KeyIndex != "") != c.indexed || desc.Unique != c.unique {
			t.Errorf("%s: %+v", c.name, desc)
		}
		if n := len(scanAll(t, s, ds, sources.ScanRequest{Limit: sources.Limit{Records: 300}})); n != c.rows {
			t.Errorf("%s: %d rows, want %d", c.name, n, c.rows)
		}
		found := lookupAll(t, s, ds, 10, sources.Key{sources.Int(7)}, sources.Key{sources.Int(2000)}, sources.Key{sources.Int(2001)})
		if len(found) != 2 {
			t.Errorf("%s: found %v", c.name, found)
		}
		if _, err := s.Explain(t.Context(), ds); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if n, err := s.Count(t.Context(), ds); err != nil || n < 100 {
			t.Errorf("%s: about %d rows, %v", c.name, n, err)
		}
	}
}

func TestSearchPath(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec(`CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE a.k (id int); CREATE TABLE b.k (id int); INSERT INTO b.k VALUES (1)`)
	ds := &sources.Dataset{Name: "k", Key: []string{"id"}}
	if _, err := d.open().Describe(t.Context(), ds); err == nil || !strings.Contains(err.Error(), `did you mean "a.k"?`) && !strings.Contains(err.Error(), `not found`) {
		t.Errorf("outside the search path: %v", err)
	}
	for path, want := range map[string]int{"b,a": 1, "a, b": 0} {
		s := d.openWith(sources.Options{URL: d.as(nil, "search_path", path)})
		for _, perTransaction := range []bool{false, true} {
			s.pool.perTransaction.Store(perTransaction)
			if n := len(scanAll(t, s, ds, sources.ScanRequest{})); n != want {
				t.Errorf("search_path %s: %d rows, want %d", path, n, want)
			}
		}
	}
}

func TestQueries(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec(`CREATE TABLE orders (id int PRIMARY KEY, customer int, total numeric(10,2), paid boolean);
		INSERT INTO orders SELECT i, i % 10, i / 4.0, i % 3 = 0 FROM generate_series(1, 100) AS i; CREATE INDEX ON orders (customer); ANALYZE`)
	s := d.open()
	for _, query := range []string{
		"SELECT customer AS id, sum(total) AS total, count(*) AS n FROM orders GROUP BY customer",
		"SELECT customer AS id, sum(total) AS total, count(*) AS n FROM orders GROUP BY customer ;\n ; ",
		"SELECT customer AS id, sum(total) AS total, count(*) AS n FROM orders GROUP BY customer -- by customer",
		"WITH c AS (SELECT customer, total FROM orders) SELECT customer AS id, sum(total) AS total, count(*) AS n FROM c GROUP BY 1 ORDER BY 2",
	} {
		ds := &sources.Dataset{Query: query, Key: []string{"id"}, Fields: []string{"total", "n"}, Where: "total > 125", DeletedWhen: "id = 3",
			Scope: []sources.Condition{{Field: "n", Value: sources.Int(10)}}}
		desc, err := s.Describe(t.Context(), ds)
		if err != nil || desc.Types["total"].Kind != sources.KindDecimal || desc.Types["n"].Raw != "int8" || desc.Order != sources.OrderExact {
			t.Errorf("%s: %+v, %v", query, desc, err)
		}
		records := scanAll(t, s, ds, sources.ScanRequest{Limit: sources.Limit{Records: 3}})
		if len(records) != 10 || !records[3].Deleted || records[4].Deleted {
			t.Errorf("%s: %+v", query, records)
		}
		for _, r := range records {
			total, err := strconv.ParseFloat(r.Fields[0].String(), 64)
			if err != nil || r.OutOfScope == (total > 125) {
				t.Errorf("%s: %s is out of scope: %v, %v", query, r.Fields[0], r.OutOfScope, err)
			}
		}
		if found := lookupAll(t, s, ds, 2, sources.Key{sources.Int(3)}, sources.Key{sources.Int(4)}, sources.Key{sources.Int(44)}); len(found) != 2 || !found[0].Deleted {
			t.Errorf("%s: %+v", query, found)
		}
		if statements, err := s.Explain(t.Context(), ds); err != nil || len(statements) < 2 {
			t.Errorf("%s: %+v, %v", query, statements, err)
		}
	}
}

func TestPathsIntoJSON(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec(`CREATE TABLE k (id int PRIMARY KEY, attrs jsonb, old json, "attrs.plain" text);
		INSERT INTO k VALUES (1, '{"color": "red", "size": {"w": 1.50, "h": 9007199254740993}, "a.b": 1, "none": null}', '{"tags": ["x", "y"], "tags2": {}}', 'plain'),
			(2, '[1, 2]', '"text"', NULL), (3, NULL, NULL, NULL), (4, '{"color": 5, "tenant": "eu"}', '{"a": 1, "a": 2}', NULL)`)
	s := d.open()
	ds := &sources.Dataset{Name: "k", Key: []string{"id"}, Fields: []string{"attrs.color", "attrs.size.w", "id", "attrs.size.h", "attrs.none", "attrs", "old.tags", "attrs.plain"}}
	records := scanAll(t, s, ds, sources.ScanRequest{Raw: true})
	absent := sources.Value{}
	for i, want := range [][]sources.Value{
		{sources.Text("red"), decimal(t, "1.5"), sources.Int(1), sources.Int(1<<53 + 1), sources.Null(),
			parsed(t, `{"color": "red", "size": {"w": 1.50, "h": 9007199254740993}, "a.b": 1, "none": null}`), parsed(t, `["x", "y"]`), sources.Text("plain")},
		{absent, absent, sources.Int(2), absent, absent, parsed(t, "[1,2]"), absent, sources.Null()},
		{absent, absent, sources.Int(3), absent, absent, sources.Null(), absent, sources.Null()},
		{sources.Int(5), absent, sources.Int(4), absent, absent, parsed(t, `{"color": 5, "tenant": "eu"}`), absent, sources.Null()},
	} {
		for j, v := range records[i].Fields {
			if !v.Equal(want[j]) {
				t.Errorf("row %d: %s is %s %s, want %s %s", i+1, ds.Fields[j], v.Kind(), v, want[j].Kind(), want[j])
			}
		}
	}
	if !strings.Contains(records[3].Unreadable, "twice") || records[2].Unreadable != "" {
		t.Errorf("unreadable: %q, %q", records[3].Unreadable, records[2].Unreadable)
	}
	for value, want := range map[string]int{`"eu"`: 4, `5`: 4, `"red"`: 1, `1.500`: 1} {
		field := map[string]string{`"eu"`: "attrs.tenant", `1.500`: "attrs.size.w"}[value]
		if field == "" {
			field = "attrs.color"
		}
		scoped := &sources.Dataset{Name: "k", Key: []string{"id"}, Scope: []sources.Condition{{Field: field, Value: parsed(t, value)}}}
		got := scanAll(t, s, scoped, sources.ScanRequest{})
		if len(got) != 1 || got[0].Key[0].AsInt() != int64(want) {
			t.Errorf("scope %s = %s: %v", field, value, got)
		}
	}
	if _, err := s.Describe(t.Context(), &sources.Dataset{Name: "k", Key: []string{"attrs.color"}}); sources.FailureOf(err) != sources.FailureFinal || !strings.Contains(err.Error(), "use a query") {
		t.Errorf("a key inside JSON: %v", err)
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec(`CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
		CREATE TABLE k (id int PRIMARY KEY, tenant text, ci text COLLATE nocase, code char(4), day date, flag boolean, big numeric, ip inet, none text);
		INSERT INTO k VALUES (1, '5', 'EU', 'ab', '2024-01-01', true, 5, '10.0.0.1', NULL), (2, 'EU', 'eu', 'cd', '2024-01-02', false, 6, '10.0.0.2', 'x')`)
	s := d.open()
	for _, c := range []struct {
		field string
		value sources.Value
		want  int64
	}{
		{"tenant", sources.Int(5), 1}, {"tenant", sources.Text("EU"), 2}, {"ci", sources.Text("EU"), 1}, {"ci", sources.Text("eu"), 2},
		{"code", sources.Text("ab"), 1}, {"day", sources.Text("2024-01-02"), 2}, {"flag", sources.Bool(true), 1}, {"flag", sources.Text("no"), 2},
		{"big", sources.Int(5), 1}, {"big", sources.Text("6"), 2}, {"ip", sources.Text("10.0.0.2"), 2}, {"none", sources.Null(), 1}, {"id", sources.Text("2"), 2},
	} {
		ds := &sources.Dataset{Name: "k", Key: []string{"id"}, Scope: []sources.Condition{{Field: c.field, Value: c.value}}}
		both := []sources.Key{{sources.Int(1)}, {sources.Int(2)}}
		for way, got := range map[string][]sources.Record{"scan": scanAll(t, s, ds, sources.ScanRequest{}), "look-up": lookupAll(t, s, ds, 10, both...)} {
			if len(got) != 1 || got[0].Key[0].AsInt() != c.want {
				t.Errorf("%s of %s = %s %s: %v", way, c.field, c.value.Kind(), c.value, got)
			}
		}
	}
	for field, value := range map[string]sources.Value{"id": sources.Text("five"), "day": sources.Bool(true), "big": sources.ListOf(nil)} {
		_, err := tryScan(t.Context(), s, &sources.Dataset{Name: "k", Key: []string{"id"}, Scope: []sources.Condition{{Field: field, Value: value}}}, sources.ScanRequest{})
		if sources.FailureOf(err) != sources.FailureFinal || err == nil || !strings.Contains(err.Error(), "scope "+field) {
			t.Errorf("scope %s = %s: %v", field, value, err)
		}
	}
}

func TestMissingNames(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec(`CREATE SCHEMA shop; CREATE TABLE shop.products (id int PRIMARY KEY, name text); CREATE TABLE orders (id int)`)
	s := d.open()
	for _, c := range []struct {
		ds   sources.Dataset
		want string
	}{
		{sources.Dataset{Name: "shop.product", Key: []string{"id"}}, `table "shop.product" not found (did you mean "shop.products"?)`},
		{sources.Dataset{Name: "Orders", Key: []string{"id"}}, `table "Orders" not found (did you mean "orders"?)`},
		{sources.Dataset{Name: "shop.products", Key: []string{"ID"}}, `column "ID" not found in shop.products (did you mean "id"?)`},
		{sources.Dataset{Name: "shop.products", Key: []string{"id"}, Fields: []string{"nmae"}}, `column "nmae" not found in shop.products (did you mean "name"?)`},
		{sources.Dataset{Query: "SELECT 1 AS id, 2 AS total", Key: []string{"id"}, Fields: []string{"totl"}}, `column "totl" not found in the query (did you mean "total"?)`},
	} {
		_, err := s.Describe(t.Context(), &c.ds)
		var missing *sources.NotFoundError
		if !errors.As(err, &missing) || missing.Error() != c.want || sources.FailureOf(err) != sources.FailureFinal {
			t.Errorf("%+v: %v, want %s", c.ds, err, c.want)
		}
		if _, err := tryScan(t.Context(), s, &c.ds, sources.ScanRequest{}); !errors.As(err, &missing) {
			t.Errorf("%+v: a scan says %v", c.ds, err)
		}
	}
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	role := "plumbline_reader_" + strings.TrimPrefix(d.url.Path, "/plumbline_")
	d.exec(fmt.Sprintf(`CREATE ROLE %[1]s LOGIN; CREATE SCHEMA hidden; CREATE SCHEMA shop; GRANT USAGE ON SCHEMA shop TO %[1]s;
		CREATE TABLE hidden.k (id int PRIMARY KEY, v text); CREATE TABLE shop.k (id int PRIMARY KEY, v text, w text); CREATE TABLE shop.open (id int PRIMARY KEY, v text);
		GRANT SELECT (id, v) ON shop.k TO %[1]s; GRANT SELECT ON shop.open TO %[1]s; INSERT INTO shop.k VALUES (1, 'v', 'w')`, ident(role)))
	t.Cleanup(func() { d.exec(fmt.Sprintf("DROP OWNED BY %[1]s; DROP ROLE %[1]s", ident(role))) })
	s := d.openWith(sources.Options{URL: d.as(url.User(role))})
	for _, c := range []struct {
		name   string
		fields []string
		want   string
	}{
		{"hidden.k", []string{"v"}, `may not use schema hidden; run: GRANT USAGE ON SCHEMA "hidden" TO "` + role + `"`},
		{"shop.k", []string{"v", "w"}, `may not read w of shop.k; run: GRANT SELECT ON "shop"."k" TO "` + role + `"`},
	} {
		_, err := s.Describe(t.Context(), &sources.Dataset{Name: c.name, Key: []string{"id"}, Fields: c.fields})
		if err == nil || !strings.Contains(err.Error(), c.want) || sources.FailureOf(err) != sources.FailureFinal {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
	ds := &sources.Dataset{Name: "shop.k", Key: []string{"id"}, Fields: []string{"v"}}
	if n := len(scanAll(t, s, ds, sources.ScanRequest{})); n != 1 {
		t.Errorf("permitted columns: %d rows", n)
	}
	desc, err := s.Describe(t.Context(), ds)
	if err != nil || len(desc.Warnings) > 0 {
		t.Errorf("a role that can only read: %v, %v", desc.Warnings, err)
	}
	if facts, err := s.Probe(t.Context()); err != nil || facts.CanWrite || facts.Standby || facts.Product != "PostgreSQL" || facts.Version == "" {
		t.Errorf("probe: %+v, %v", facts, err)
	}
	// Taken away while we read.
	d.exec("REVOKE SELECT (v) ON shop.k FROM " + ident(role))
	if _, err := tryScan(t.Context(), s, ds, sources.ScanRequest{}); sources.FailureOf(err) != sources.FailureFinal || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("after revoking: %v", err)
	}
	owner := d.open()
	if facts, err := owner.Probe(t.Context()); err != nil || !facts.CanWrite {
		t.Errorf("probe of a superuser: %+v, %v", facts, err)
	}
	if desc, err := owner.Describe(t.Context(), ds); err != nil || !strings.Contains(fmt.Sprint(desc.Warnings), "may write") {
		t.Errorf("a superuser: %v, %v", desc.Warnings, err)
	}
	if _, err := d.openWith(sources.Options{URL: d.as(url.User("no_such_role_" + role))}).Probe(t.Context()); sources.FailureOf(err) != sources.FailureFinal {
		t.Errorf("a role that is not there: %v", err)
	}
}
