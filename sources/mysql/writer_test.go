package mysql

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"plumbline/sources"
)

// become looks at row 1 of a table and assigns to it.
func become(t *testing.T, s *source, d *sources.Dataset, field string, v sources.Value) (*sources.Change, error) {
	t.Helper()
	key := sources.Key{sources.Int(1)}
	before, err := s.Look(t.Context(), d, key, nil, sources.Looking{})
	if err != nil {
		t.Fatal(err)
	}
	after, err := s.Become(t.Context(), d, before, []sources.Assignment{{Field: field, Value: v}})
	return &sources.Change{Key: key, Before: before, After: after}, err
}

func TestAFieldInsideADocumentIsSetAndRemoved(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	source := d.open(sources.Options{Writable: true})
	d.exec(`CREATE TABLE docs (k int PRIMARY KEY, doc json)`)
	for _, c := range []struct {
		doc, field string
		value      sources.Value
		want       string
	}{
		{`{"a": {"b": 1}, "c": [1, 2.50]}`, "doc.a.b", sources.Text(`it's "2" <`), `{"a": {"b": "it's \"2\" <"}, "c": [1, 2.50]}`},
		{`{"a": {"b": 1}}`, "doc.a.b", sources.Null(), `{"a": {"b": null}}`},
		{`{"a": {"b": 1, "c": 2}}`, "doc.a.b", sources.Value{}, `{"a": {"c": 2}}`},
		{`{"a": {}}`, "doc.a.b", sources.Decimal("150", -2, 2), `{"a": {"b": 1.50}}`},
		{`{"a\"b": 1}`, `doc.a"b`, sources.Bool(true), `{"a\"b": true}`},
	} {
		d.exec("REPLACE INTO docs VALUES (1, ?)", c.doc)
		ds := &sources.Dataset{Name: "docs", Key: []string{"k"}, Fields: []string{c.field}}
		change, err := become(t, source, ds, c.field, c.value)
		if err != nil {
			t.Fatalf("%s: %v", c.doc, err)
		}
		if got := change.After.Record.Fields[0]; !got.Equal(c.value) {
			t.Errorf("%s: %s becomes the %s %s, not %s", c.doc, c.field, got.Kind(), got, c.value)
		}
		if err := source.Write(t.Context(), ds, change, change.Before.ReadAt.Add(time.Minute)); err != nil {
			t.Fatalf("%s: %v", c.doc, err)
		}
		if got := d.rows("SELECT doc FROM docs")[0][0]; got != c.want {
			t.Errorf("%s became %s, not %s", c.doc, got, c.want)
		}
	}
}

// A text that the column's character set lacks would be written as question marks.
func TestATextThatTheColumnCannotSpellIsRefused(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	source := d.open(sources.Options{Writable: true})
	d.exec(`CREATE TABLE words (k int PRIMARY KEY, v varchar(20) CHARACTER SET latin1, w varchar(20) CHARACTER SET utf8mb3)`)
	d.exec(`INSERT INTO words VALUES (1, 'a', 'a')`)
	ds := &sources.Dataset{Name: "words", Key: []string{"k"}, Fields: []string{"v", "w"}}
	for field, text := range map[string]string{"v": "日本", "w": "😀"} {
		_, err := become(t, source, ds, field, sources.Text(text))
		if !errors.Is(err, errNotInCharset) || sources.FailureOf(err) != sources.FailureFinal || strings.Contains(err.Error(), text) {
			t.Errorf("%s in %s: %v", text, field, err)
		}
	}
	if _, err := become(t, source, ds, "v", sources.Text("é€")); err != nil {
		t.Error(err)
	}
}

// An update leaves alone a column that the server would set to the time.
func TestAnUpdateRenewsNoTimestamp(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	source := d.open(sources.Options{Writable: true})
	d.exec(`CREATE TABLE stamped (k int PRIMARY KEY, v int, at timestamp(6) DEFAULT '2024-01-01' ON UPDATE current_timestamp(6), dt datetime DEFAULT '2024-01-01' ON UPDATE current_timestamp)`)
	d.exec(`INSERT INTO stamped (k, v) VALUES (1, 1)`)
	ds := &sources.Dataset{Name: "stamped", Key: []string{"k"}, Fields: []string{"v"}}
	change, err := become(t, source, ds, "v", sources.Int(2))
	if err == nil {
		err = source.Write(t.Context(), ds, change, change.Before.ReadAt.Add(time.Minute))
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(d.rows("SELECT * FROM stamped")[0], " "); got != "1 2 2024-01-01 00:00:00.000000 2024-01-01 00:00:00" {
		t.Error(got)
	}
}

// A record with a zero date, which is on no calendar, is put back as it was.
func TestARecordOfZeroesIsPutBack(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	source := d.open(sources.Options{Writable: true})
	d.exec(`CREATE TABLE zeroes (k int AUTO_INCREMENT PRIMARY KEY, v date, w datetime, x year, p point)`)
	d.exec(`INSERT INTO zeroes VALUES (0, '0000-00-00', '0000-00-00', 0, POINT(1, 2))`)
	all := d.dump("zeroes")
	ds := &sources.Dataset{Name: "zeroes", Key: []string{"k"}, Fields: []string{"x"}}
	key := sources.Key{sources.Int(0)}
	before, err := source.Look(t.Context(), ds, key, nil, sources.Looking{Whole: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*sources.Change{{Key: key, Before: before, After: &sources.Image{}}, {Key: key, Before: &sources.Image{}, After: before}} {
		if err := source.Write(t.Context(), ds, c, before.ReadAt.Add(time.Minute)); err != nil {
			t.Fatalf("%s: %v", c.Kind(), err)
		}
	}
	if now := d.dump("zeroes"); now["0"] != all["0"] {
		t.Errorf("%q became %q", all["0"], now["0"])
	}
}

// A preview shows no value: each has a place.
func TestAPreviewHasPlacesForItsValues(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	source := d.open(sources.Options{})
	d.exec(`CREATE TABLE shown (k varchar(20) PRIMARY KEY, v varchar(20), w int)`)
	d.exec(`INSERT INTO shown VALUES ('key?1', 'secret', 4711)`)
	ds := &sources.Dataset{Name: "shown", Key: []string{"k"}, Fields: []string{"v", "w"}}
	key := sources.Key{sources.Text("key?1")}
	before, err := source.Look(t.Context(), ds, key, nil, sources.Looking{})
	if err != nil {
		t.Fatal(err)
	}
	after, err := source.Become(t.Context(), ds, before, []sources.Assignment{{Field: "v", Value: sources.Text("hidden")}, {Field: "w", Value: sources.Null()}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := source.Preview(ds, &sources.Change{Key: key, Before: before, After: after})
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"key?1", "secret", "hidden", "4711", fmt.Sprintf("%x", "secret"), fmt.Sprintf("%x", "key?1")} {
		if strings.Contains(p.Text, value) {
			t.Errorf("the preview shows %s: %s", value, p.Text)
		}
	}
	fields := map[string]string{}
	for _, a := range p.Args {
		if !strings.Contains(p.Text, a.Place) {
			t.Errorf("%s is no place of %s", a.Place, p.Text)
		}
		fields[a.Place] = a.Field + " " + a.Value.String()
	}
	if !strings.HasPrefix(p.Text, "UPDATE") || !strings.Contains(p.Text, "`w` = NULL") || fields["?1"] != "v hidden" {
		t.Errorf("%s with %v", p.Text, fields)
	}
}

// A role that lacks a right is told which; one that cannot see what else a write
// would touch is told that.
func TestARoleIsToldWhatItLacks(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	d.exec(`CREATE TABLE narrow (k int PRIMARY KEY, v int, w int)`)
	name := d.user + "_n"
	d.exec(fmt.Sprintf("CREATE USER '%s'@'%%' IDENTIFIED BY '%s'", name, password))
	t.Cleanup(func() { d.exec(fmt.Sprintf("DROP USER '%s'@'%%'", name)) })
	d.exec(fmt.Sprintf("GRANT SELECT, UPDATE (v) ON %s.narrow TO '%s'@'%%'", d.name, name))
	u := d.own()
	source := d.open(sources.Options{Writable: true, URL: sources.Secret(strings.Replace(d.as(u).Reveal(), d.user+":", name+":", 1))})
	ds := &sources.Dataset{Name: "narrow", Key: []string{"k"}, Fields: []string{"v", "w"}}
	hazards, err := source.Preflight(t.Context(), ds, []string{"v"}, false)
	if err != nil || len(hazards) != 1 || hazards[0].Kind != sources.HazardTriggers || !strings.Contains(hazards[0].What, "GRANT TRIGGER") {
		t.Errorf("preflight of what it may write: %v, %v", hazards, err)
	}
	for right, ask := range map[string]func() error{
		"UPDATE (`w`)": func() error { _, err := source.Preflight(t.Context(), ds, []string{"w"}, false); return err },
		"DELETE":       func() error { _, err := source.Preflight(t.Context(), ds, nil, true); return err },
	} {
		if err := ask(); err == nil || !strings.Contains(err.Error(), "GRANT "+right) {
			t.Errorf("without %s: %v", right, err)
		}
	}
}
