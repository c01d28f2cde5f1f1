package postgres

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"plumbline/sources"
)

// fix lets a field of row 1 become a value, and writes it.
func fix(t *testing.T, reader, writer *source, ds *sources.Dataset, field string, v sources.Value) (*sources.Change, error) {
	t.Helper()
	before := look(t, reader, ds, 1, false)
	after, err := reader.Become(t.Context(), ds, before, []sources.Assignment{{Field: field, Value: v}})
	if err != nil {
		return nil, err
	}
	c := &sources.Change{Key: sources.Key{sources.Int(1)}, Before: before, After: after}
	return c, writer.Write(t.Context(), ds, c, before.ReadAt.Add(time.Minute))
}

// Whatever a database is set to, and whatever stands between us and the server, a
// write sees what is committed, and what it says is done is on the disk.
func TestWritesUnderStrangeSettingsAndBehindAPooler(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	for _, setting := range []string{"default_transaction_isolation = 'serializable'", "default_transaction_read_only = on", "synchronous_commit = off", "TimeZone = 'Asia/Kolkata'",
		"DateStyle = 'German'", "extra_float_digits = 0", "IntervalStyle = 'iso_8601'", "bytea_output = 'escape'"} {
		d.exec(fmt.Sprintf("ALTER DATABASE %s SET %s", d.url.Path[1:], setting))
	}
	d.exec(`CREATE TABLE shown (k int PRIMARY KEY, at timestamptz, f float8, i interval, b bytea, v text, c text);
		INSERT INTO shown VALUES (1, '2024-01-01', 0.1, '1 mon', '\xff00', 'v', 'c');
		CREATE FUNCTION durable() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF current_setting('synchronous_commit') = 'off' THEN RAISE 'not durable'; END IF; RETURN NEW; END $$;
		CREATE TRIGGER t BEFORE UPDATE ON shown FOR EACH ROW EXECUTE FUNCTION durable()`)
	ds := &sources.Dataset{Name: "shown", Key: []string{"k"}, Fields: []string{"at", "f", "i", "b", "v"}}
	plain := d.open()
	for way, address := range map[string]string{"a server": d.url.Host, "a pooler that refuses": pooler(t, d, true), "a pooler that drops": pooler(t, d, false)} {
		u := *d.url
		u.Host = address
		through := &database{t: t, url: &u}
		writer := through.openWith(sources.Options{Writable: true, URL: through.as(nil, "sslmode", "disable")})
		c, err := fix(t, plain, writer, ds, "v", sources.Text(way))
		if err != nil {
			t.Fatalf("behind %s: %v", way, err)
		}
		if now := look(t, writer, ds, 1, false); string(now.Native) != string(c.After.Native) {
			t.Errorf("behind %s: the image is another than that of the reader", way)
		}
		var not *sources.NotWritten
		if err := writer.Write(t.Context(), ds, c, c.Before.ReadAt.Add(time.Minute)); !errors.As(err, &not) || !not.Stale {
			t.Errorf("behind %s: written again: %v", way, err)
		}
		back := &sources.Change{Key: c.Key, Before: c.After, After: c.Before}
		if err := writer.Write(t.Context(), ds, back, c.Before.ReadAt); !errors.As(err, &not) || !not.Late {
			t.Errorf("behind %s: written late: %v", way, err)
		}
		if err := writer.Write(t.Context(), ds, back, c.Before.ReadAt.Add(time.Minute)); err != nil {
			t.Errorf("behind %s: taken back: %v", way, err)
		}
	}
}

// A role that may only read sees what a write would do; a role with another
// search path sees the same image; a role that may not write is told what to grant.
func TestRolesOfReadingAndWriting(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	suffix := strings.TrimPrefix(d.url.Path, "/plumbline_")
	reader, fixer := "plumbline_looks_"+suffix, "plumbline_fixes_"+suffix
	d.exec(fmt.Sprintf(`CREATE ROLE %[1]s LOGIN; CREATE ROLE %[2]s LOGIN; CREATE SCHEMA shop; GRANT USAGE ON SCHEMA shop TO %[1]s, %[2]s;
		CREATE TYPE shop.mood AS ENUM ('glad', 'sad'); CREATE TABLE shop.guests (k int PRIMARY KEY, v shop.mood, w text, secret text CHECK (secret <> 'x'));
		INSERT INTO shop.guests VALUES (1, 'glad', 'w', 's'); GRANT SELECT (k, v, w), UPDATE (v) ON shop.guests TO %[2]s; GRANT SELECT (k, v, w) ON shop.guests TO %[1]s;
		ALTER ROLE %[1]s SET search_path = 'shop'`, ident(reader), ident(fixer)))
	t.Cleanup(func() {
		d.exec(fmt.Sprintf("DROP OWNED BY %[1]s, %[2]s; DROP ROLE %[1]s, %[2]s", ident(reader), ident(fixer)))
	})
	ds := &sources.Dataset{Name: "shop.guests", Key: []string{"k"}, Fields: []string{"v", "w"}}
	looks := d.openWith(sources.Options{URL: d.as(url.User(reader))})
	fixes := d.openWith(sources.Options{URL: d.as(url.User(fixer)), Writable: true})

	if hazards, err := looks.Preflight(t.Context(), ds, []string{"v"}, true); err != nil || len(hazards) > 0 {
		t.Errorf("preflight by a role that may only read: %v, %v", hazards, err)
	}
	if a, b := look(t, looks, ds, 1, false), look(t, fixes, ds, 1, false); string(a.Native) != string(b.Native) {
		t.Error("two roles have two images of one record")
	}
	if _, err := fix(t, looks, fixes, ds, "v", sources.Text("sad")); err != nil {
		t.Errorf("a write by a role that may: %v", err)
	}
	for what, err := range map[string]error{
		"preflight of a column": func() error { _, err := fixes.Preflight(t.Context(), ds, []string{"w"}, false); return err }(),
		"preflight of deletes":  func() error { _, err := fixes.Preflight(t.Context(), ds, nil, true); return err }(),
		"a whole look": func() error {
			_, err := looks.Look(t.Context(), ds, sources.Key{sources.Int(1)}, nil, sources.Looking{Whole: true})
			return err
		}(),
	} {
		if err == nil || sources.FailureOf(err) != sources.FailureFinal || !strings.Contains(err.Error(), "GRANT") {
			t.Errorf("%s without the right: %v", what, err)
		}
	}
	var not *sources.NotWritten
	if _, err := fix(t, looks, fixes, ds, "w", sources.Text("else")); !errors.As(err, &not) || not.Stale || not.Late {
		t.Errorf("a write without the right: %v", err)
	}
}

// What the server would round is seen rounded, what it would cut off or does not
// allow is refused, and what it computes is seen computed, before anything is written.
func TestBecomeIsWhatTheServerMakesOfIt(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec(`CREATE DOMAIN positive AS numeric(6,2) CHECK (VALUE > 0);
		CREATE TABLE goods (k int PRIMARY KEY, price numeric(6,2) NOT NULL, d positive, code varchar(3), pad char(3), at timestamptz(0), b bit(3), r real, tags varchar(3)[],
			doc jsonb, raw json, total numeric GENERATED ALWAYS AS (price * 2) STORED, CHECK (price < 1000));
		INSERT INTO goods VALUES (1, 1.50, 1, 'abc', 'a', '2024-01-01', '101', 0.5, '{a}', '{"a": {"b": 1, "c": 1.50}, "z": null}', '{"b" : 1}')`)
	ds := &sources.Dataset{Name: "goods", Key: []string{"k"}, Fields: []string{"price", "d", "code", "pad", "at", "b", "r", "tags", "doc", "doc.a.b", "doc.none.x", "raw", "raw.b", "total"}}
	s := d.openWith(sources.Options{Writable: true})
	before := look(t, s, ds, 1, false)
	decimal := func(text string) sources.Value {
		v, err := sources.ParseDecimal(text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	at := time.Date(2024, 5, 5, 12, 0, 0, 700_000_000, time.UTC)
	for _, c := range []struct {
		field  string
		value  sources.Value
		want   string // of the field, as its value's text; "" where it is refused
		others map[string]string
	}{
		{"price", decimal("2.345"), "2.35", map[string]string{"total": "4.70"}},
		{"price", decimal("100000"), "", nil},
		{"price", decimal("1000"), "", nil}, // the check
		{"price", sources.Null(), "", nil},
		{"d", decimal("0"), "", nil},
		{"d", decimal("7.1"), "7.10", nil},
		{"code", sources.Text("abcd"), "", nil},
		{"code", sources.Text("ab     "), "ab ", nil},
		{"pad", sources.Text("abcd"), "", nil},
		{"pad", sources.Text("b"), "b", nil},
		{"at", sources.Time(at, 9), sources.Time(time.Date(2024, 5, 5, 12, 0, 1, 0, time.UTC), 0).String(), nil},
		{"b", sources.Text("11"), "", nil},
		{"b", sources.Text("011"), "011", nil},
		{"r", sources.Float(0.25), "0.25", nil},
		{"tags", sources.ListOf([]sources.Value{sources.Text("abcd")}), "", nil},
		{"tags", sources.ListOf([]sources.Value{sources.Text("abc"), sources.Null()}), sources.ListOf([]sources.Value{sources.Text("abc"), sources.Null()}).String(), nil},
		{"doc.a.b", sources.Int(2), "2", map[string]string{"doc": `{"a":{"b":2,"c":1.50},"z":null}`}},
		{"doc.a.b", sources.Value{}, sources.Value{}.String(), map[string]string{"doc": `{"a":{"c":1.50},"z":null}`}},
		{"raw.b", sources.Int(2), "", nil},
		{"total", decimal("3"), "", nil},
		{"k", sources.Int(2), "", nil},
	} {
		after, err := s.Become(t.Context(), ds, before, []sources.Assignment{{Field: c.field, Value: c.value}})
		if c.want == "" && !c.value.IsAbsent() {
			if err == nil || sources.FailureOf(err) != sources.FailureFinal {
				t.Errorf("%s = %s: %v; it should be refused", c.field, c.value, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s = %s: %v", c.field, c.value, err)
			continue
		}
		wanted := map[string]string{c.field: c.want}
		for f, want := range c.others {
			wanted[f] = want
		}
		for f, want := range wanted {
			if got := after.Record.Fields[slices.Index(ds.Fields, f)].String(); got != want {
				t.Errorf("%s = %s: %s becomes %q, not %q", c.field, c.value, f, got, want)
			}
		}
		change := &sources.Change{Key: sources.Key{sources.Int(1)}, Before: before, After: after}
		if err := s.Write(t.Context(), ds, change, before.ReadAt.Add(time.Minute)); err != nil {
			t.Errorf("%s = %s: write: %v", c.field, c.value, err)
			continue
		}
		change.Before, change.After = after, before
		if err := s.Write(t.Context(), ds, change, before.ReadAt.Add(time.Minute)); err != nil {
			t.Errorf("%s = %s: take back: %v", c.field, c.value, err)
		}
	}
}

// A key is its bytes: what a collation calls equal to it is another record.
func TestLookIsNotLedAstrayByACollation(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec(`CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
		CREATE TABLE names (k text COLLATE loose PRIMARY KEY, v text); INSERT INTO names VALUES ('Ada', 'v')`)
	ds := &sources.Dataset{Name: "names", Key: []string{"k"}, Fields: []string{"v"}}
	s := d.openWith(sources.Options{Writable: true})
	for key, there := range map[string]bool{"Ada": true, "ada": false, "ADA": false, "Áda": false} {
		image, err := s.Look(t.Context(), ds, sources.Key{sources.Text(key)}, nil, sources.Looking{})
		if err != nil || image.Exists != there {
			t.Errorf("%s: %+v, %v", key, image, err)
		}
	}
}

// A preview shows the statement that is sent, with a place for every value, and
// which field it is of.
func TestPreviewShowsTheStatement(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec(`CREATE TABLE goods (k int PRIMARY KEY, tenant text, price numeric(6,2), name text, gone timestamptz); INSERT INTO goods VALUES (1, 'eu', 1.50, 'a', NULL)`)
	ds := &sources.Dataset{Name: "goods", Key: []string{"k"}, Fields: []string{"price", "name"}, Scope: []sources.Condition{{Field: "tenant", Value: sources.Text("eu")}}, DeletedWhen: "gone IS NOT NULL"}
	s := d.open()
	before := look(t, s, ds, 1, true)
	after, err := s.Become(t.Context(), ds, look(t, s, ds, 1, false), []sources.Assignment{{Field: "price", Value: sources.Int(2)}})
	if err != nil {
		t.Fatal(err)
	}
	key := sources.Key{sources.Int(1)}
	for want, c := range map[string]*sources.Change{
		`UPDATE "public"."goods" SET "price" = $1 WHERE "k" = $2 AND "tenant" = $3 AND format('%s', "price") = $4 AND "name" = $5 AND (gone IS NOT NULL
) IS NOT TRUE AND clock_timestamp() < $6 | $1 price 2.00, $2 k 1, $3 tenant eu, $4 price 1.50, $5 name a, $6  absent`: {Key: key, Before: look(t, s, ds, 1, false), After: after},
		`DELETE FROM "public"."goods" WHERE "k" = $1 AND "tenant" = $2 AND "tenant" = $3 AND format('%s', "price") = $4 AND "name" = $5 AND "gone" IS NULL AND (gone IS NOT NULL
) IS NOT TRUE AND clock_timestamp() < $6 | $1 k 1, $2 tenant eu, $3 tenant eu, $4 price 1.50, $5 name a, $6  absent`: {Key: key, Before: before, After: &sources.Image{}},
		`INSERT INTO "public"."goods" ("k", "tenant", "price", "name", "gone") OVERRIDING SYSTEM VALUE SELECT $1, $2, $3, $4, NULL WHERE NOT EXISTS (SELECT FROM "public"."goods" WHERE "k" = $5 AND "tenant" = $6) AND clock_timestamp() < $7 | $1 k 1, $2 tenant eu, $3 price 1.50, $4 name a, $5 k 1, $6 tenant eu, $7  absent`: {Key: key, Before: &sources.Image{}, After: before},
	} {
		preview, err := s.Preview(ds, c)
		if err != nil {
			t.Fatal(err)
		}
		var args []string
		for _, a := range preview.Args {
			args = append(args, fmt.Sprintf("%s %s %s", a.Place, a.Field, a.Value))
		}
		if got := preview.Text + " | " + strings.Join(args, ", "); got != want {
			t.Errorf("%s\nis not\n%s", got, want)
		}
	}
}
