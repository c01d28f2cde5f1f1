package jsonrecord_test

import (
	"fmt"
	"strings"
	"testing"

	"plumbline/sources"
	"plumbline/sources/jsonrecord"
)

// records reads one document and writes what came of it: key, id, fields, flags.
func records(t *testing.T, d *sources.Dataset, document string) string {
	t.Helper()
	shape, err := jsonrecord.New(d)
	if err != nil {
		t.Fatal(err)
	}
	if err := jsonrecord.Check([]byte(document)); err != nil {
		t.Fatalf("%s: %v", document, err)
	}
	all, err := shape.Records([]byte(document))
	if err != nil {
		return "error: " + err.Error()
	}
	var out []string
	for _, r := range all {
		words := []string{r.Key.String()}
		if len(d.ID) > 0 {
			words = append(words, "id "+r.ID.String())
		}
		for _, f := range r.Fields {
			words = append(words, fmt.Sprintf("%s %s", f.Kind(), f))
		}
		for word, is := range map[string]bool{"out of scope": r.OutOfScope, "deleted": r.Deleted, "unreadable: " + r.Unreadable: r.Unreadable != "", "skipped": r.Skipped != ""} {
			if is {
				words = append(words, word)
			}
		}
		out = append(out, strings.Join(words, ", "))
	}
	return strings.Join(out, "; ")
}

func TestFieldsAreFoundByPathAndUnwound(t *testing.T) {
	t.Parallel()
	plain := &sources.Dataset{Key: []string{"id"}, Fields: []string{"name", "address.city", "lines.sku"}}
	basket := &sources.Dataset{Unwind: "items", Key: []string{"items.sku"}, ID: []string{"_id", "items.n"}, Fields: []string{"items.price", "owner"}}
	deep := &sources.Dataset{Unwind: "a.items", Key: []string{"a.items.sku"}, Fields: []string{"a.name"}}
	flags := &sources.Dataset{Key: []string{"id"}, Fields: []string{}, Scope: []sources.Condition{{Field: "tenant", Value: sources.Text("eu")}},
		Where: `state != "draft"`, DeletedWhen: "filled(gone_at)"}
	texts := &sources.Dataset{Unwind: "tags", Key: []string{"tags"}, Fields: []string{"id"}}
	for _, c := range []struct {
		d              *sources.Dataset
		document, want string
	}{
		{plain, `{"id":7,"name":"Ada","address":{"city":"Oslo"}}`, `7, text Ada, text Oslo, absent absent`},
		{plain, ` { "name" : null , "id" : 9007199254740993 } `[1:], `9007199254740993, null null, absent absent, absent absent`},
		{plain, `{"id":1.50,"name":"a\"}{,\\","address":"Oslo"}`, `1.50, text a"}{,\, absent absent, absent absent`},
		{plain, `{"id":1,"lines":[{"sku":"a"},5,{"n":1},{"sku":null}]}`, `1, absent absent, absent absent, list ["a",null]`},
		{plain, `{"id":1,"name":"a","name":"b"}`, `1, text a, absent absent, absent absent, unreadable: name: name appears twice in a document`},
		{plain, `{"id":1,"unwanted":{"x":1,"x":2},"name":"a"}`, `1, text a, absent absent, absent absent`},
		{plain, `{"id":1,"name":"\ud800"}`, `1, absent absent, absent absent, absent absent, unreadable: name: read JSON at byte 7: half of a surrogate pair, which is no character`},
		{plain, `{"id":1,"name":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`, `1, absent absent, absent absent, absent absent, unreadable: name: nested deeper than 128 levels`},
		{plain, `[1]`, `error: an array is no object`},
		{plain, `"x"`, `error: a text is no object`},
		{basket, `{"_id":"b1","owner":"Ada","items":[{"sku":1,"n":1,"price":2.5},{"sku":2,"n":2}]}`,
			`1, id b1,1, decimal 2.5, text Ada; 2, id b1,2, absent absent, text Ada`},
		{basket, `{"_id":"b1","items":[]}`, ``},
		{basket, `{"_id":"b1","items":null}`, ``},
		{basket, `{"_id":"b1"}`, ``},
		{deep, `{"a":{"name":"x","items":[{"sku":1},{"sku":2}]}}`, `1, text x; 2, text x`},
		{deep, `{"a":[{"name":"x","items":[{"sku":1}]},{"name":"y","items":[{"sku":2}]}]}`, `1, text x; 2, text y`},
		{texts, `{"id":1,"tags":["a","b"]}`, `a, int 1; b, int 1`},
		{flags, `{"id":1,"tenant":"eu","state":"live"}`, `1`},
		{flags, `{"id":1,"tenant":"us","state":"live"}`, ``},
		{flags, `{"id":1}`, ``},
		{flags, `{"id":1,"tenant":"eu","state":"draft","gone_at":"2024-01-01"}`, `1, out of scope, deleted`},
		{flags, `{"id":1,"tenant":"eu","gone_at":null}`, `1, out of scope`},
	} {
		got := records(t, c.d, c.document)
		if strings.Contains(c.want, "out of scope, deleted") {
			got = strings.Replace(got, "deleted, out of scope", "out of scope, deleted", 1) // written in no order
		}
		if got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.document, got, c.want)
		}
	}
}

// A condition that cannot be told of one record makes that record unreadable, and
// no other.
func TestAConditionThatCannotBeToldSpoilsItsRecordAlone(t *testing.T) {
	t.Parallel()
	d := &sources.Dataset{Key: []string{"id"}, Where: "n > 5"}
	if got := records(t, d, `{"id":1,"n":"six"}`); !strings.Contains(got, "unreadable: where") || strings.Contains(got, "six") {
		t.Error(got)
	}
	if got := records(t, d, `{"id":1,"n":6}`); got != "1" {
		t.Error(got)
	}
}

func TestARecordThatIsTooLongIsSkipped(t *testing.T) {
	t.Parallel()
	d := &sources.Dataset{Key: []string{"id"}, Fields: []string{"v"}}
	if got := records(t, d, `{"id":1,"v":"`+strings.Repeat("x", sources.MaxRecordSize)+`"}`); got != "1, skipped" {
		t.Errorf("%.100s", got)
	}
}

func TestWhatIsNotJSONIsSaidWithoutQuotingIt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		``: "ends too early", `{"secret":`: "ends too early", `{"secret":1}}`: "not JSON", `<html>secret`: "not JSON at byte 1",
		`{"secret":01}`: "not JSON", `[1,]`: "not JSON", strings.Repeat("[", 20_000): "not JSON",
	} {
		err := jsonrecord.Check([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%.20s: %v, want %q", text, err, want)
		}
	}
}

// FuzzRecords: whatever passes Check is walked to its end, and reads the same as
// by the parser of whole documents where that can read it.
func FuzzRecords(f *testing.F) {
	for _, seed := range []string{`{"a":1}`, `{"a":{"b":[1,{"c":null}]},"b":"x\"y"}`, `[]`, ` {"a" : [ ] , "b":{}} `, `{"a":1,"a":2}`, `{"\u0061":1}`, `{"a":"\ud800"}`} {
		f.Add([]byte(seed))
	}
	d := &sources.Dataset{Key: []string{"a"}, Fields: []string{"a", "b", "b.c"}}
	shape, err := jsonrecord.New(d)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if jsonrecord.Check(raw) != nil || len(raw) == 0 || raw[0] != '{' {
			return
		}
		got, err := shape.Records(raw)
		if err != nil || len(got) != 1 {
			t.Fatalf("%q: %v, %v", raw, got, err)
		}
		whole, err := sources.ParseJSON(raw)
		if err != nil {
			return
		}
		for i, name := range []string{"a", "b"} {
			if want := whole.Get(name); got[0].Unreadable != "" || !got[0].Fields[i].Equal(want) {
				t.Fatalf("%q: %s is %s (%s), want %s", raw, name, got[0].Fields[i], got[0].Unreadable, want)
			}
		}
	})
}
