package checks

import (
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/apd/v3"

	"plumbline/sources"
)

func declared(kind sources.Kind, words string) sources.FieldType {
	return sources.FieldType{Kind: kind, Declared: words}
}

func naive(words string) sources.FieldType {
	return sources.FieldType{Kind: sources.KindTime, Declared: words, Naive: true}
}

// TestVetFields declares one field on each side and expects one problem, or none.
func TestVetFields(t *testing.T) {
	t.Parallel()
	var (
		numeric  = declared(sources.KindDecimal, "numeric(12,2)")
		bigint   = declared(sources.KindInt, "bigint")
		double   = declared(sources.KindFloat, "double")
		text     = declared(sources.KindText, "text")
		sampled  = declared(sources.KindText, "text (sampled 100)")
		boolean  = declared(sources.KindBool, "boolean")
		uuid     = declared(sources.KindUUID, "uuid")
		bytes    = declared(sources.KindBytes, "bytea")
		zoned    = declared(sources.KindTime, "timestamptz")
		day      = declared(sources.KindDate, "date")
		list     = declared(sources.KindList, "text[]")
		document = declared(sources.KindDocument, "jsonb")
		nobody   = sources.FieldType{}
	)
	as := func(kind sources.Kind) func(*Rule) { return func(r *Rule) { r.Replica.As = kind } }
	for _, row := range []struct {
		owner, replica sources.FieldType
		rule           func(*Rule)
		want           string // "" for nothing, else part of the only problem
		warning        bool
	}{
		{owner: text, replica: text},
		{owner: numeric, replica: double},
		{owner: bigint, replica: numeric},
		{owner: uuid, replica: text},
		{owner: text, replica: uuid},
		{owner: nobody, replica: text},
		{owner: numeric, replica: nobody},
		{owner: numeric, replica: sampled,
			want: "fields[0]: owner price is numeric(12,2), replica amount is text (sampled 100): they are never equal: add as: decimal to the replica side"},
		{owner: text, replica: bigint, want: "add as: int to the owner side"},
		{owner: text, replica: boolean, want: "add as: bool to the owner side"},
		{owner: boolean, replica: bigint, want: "add as: bool to the replica side"},
		{owner: zoned, replica: bigint, want: "add as: time to the replica side"},
		{owner: day, replica: zoned, want: "add as: date to the replica side"},
		{owner: uuid, replica: bytes, want: "add as: uuid to the replica side"},
		{owner: list, replica: text, want: "compare another field, or leave this one out"},
		{owner: document, replica: list, want: "compare another field"},
		{owner: numeric, replica: text, rule: as(sources.KindDecimal)},
		{owner: numeric, replica: list, rule: as(sources.KindDecimal), want: "replica amount is text[], which cannot be read as decimal: change as"},
		{owner: naive("timestamp"), replica: zoned, want: "such as tz: UTC, to the owner side"},
		{owner: zoned, replica: naive("datetime"), want: "such as tz: UTC, to the replica side"},
		{owner: naive("timestamp"), replica: naive("datetime")},
		{owner: zoned, replica: naive("datetime"), rule: func(r *Rule) { r.Replica.Zone = time.UTC }},
		{owner: zoned, replica: text, rule: as(sources.KindTime)},
		{owner: bigint, replica: text, rule: mapping(sources.Int(1), sources.Text("ACTIVE"))},
		{owner: bigint, replica: text, rule: mapping(sources.Text("1"), sources.Text("ACTIVE")), want: `map: text "1" is never a value of owner price`},
		{owner: bigint, replica: text, rule: mapping(sources.Int(1), sources.Int(2)), want: `map: int "2" is never a value of replica amount`},
		{owner: bigint, replica: text, rule: mapping(sources.Null(), sources.Text("NONE"))},
		{owner: text, replica: text, rule: func(r *Rule) { r.Within = apd.New(1, -2) }, want: "within, a number, does not apply to values of kind text: add as: decimal to both sides"},
		{owner: boolean, replica: boolean, rule: func(r *Rule) { r.Within = apd.New(1, -2) }, want: "within, a number, does not apply to values of kind bool and changes nothing", warning: true},
		{owner: bigint, replica: bigint, rule: func(r *Rule) { r.FoldCase = true }, want: "fold does not apply to values of kind int", warning: true},
		{owner: list, replica: list, rule: func(r *Rule) { r.AnyOrder = true }},
	} {
		rule := Rule{Owner: FieldRef{Name: "price"}, Replica: FieldRef{Name: "amount"}, Precision: -1}
		if row.rule != nil {
			row.rule(&rule)
		}
		check := &Check{Name: "c", Edges: []Edge{{Name: "copy", Rules: []Rule{rule}}}}
		check.Owner.Dataset.Key, check.Edges[0].Replica.Dataset.Key = []string{"id"}, []string{"id"}
		problems := Vet(Compile(check, 0, time.Now()),
			sources.Description{Types: map[string]sources.FieldType{"price": row.owner}},
			sources.Description{Types: map[string]sources.FieldType{"amount": row.replica}})
		expectProblem(t, row.owner.Declared+" and "+row.replica.Declared, problems, row.want, row.warning)
	}
}

func mapping(owner, replica sources.Value) func(*Rule) {
	return func(r *Rule) { r.Map = []MapPair{{Owner: owner, Replica: replica}} }
}

func expectProblem(t *testing.T, what string, got []Problem, want string, warning bool) {
	t.Helper()
	switch {
	case want == "" && len(got) > 0:
		t.Errorf("%s: want no problem, got %v", what, got)
	case want == "":
	case len(got) != 1:
		t.Errorf("%s: want the one problem %q, got %v", what, want, got)
	case !strings.Contains(got[0].Path+": "+got[0].Message, want) || got[0].Warning != warning:
		t.Errorf("%s: want %q (warning %v), got %v", what, want, warning, got[0])
	}
}

func TestVetKeys(t *testing.T) {
	t.Parallel()
	var (
		bigint = declared(sources.KindInt, "bigint")
		text   = declared(sources.KindText, "text")
		uuid   = declared(sources.KindUUID, "uuid")
		bytes  = declared(sources.KindBytes, "bytea")
		zoned  = declared(sources.KindTime, "timestamptz")
		null   = sources.FieldType{Kind: sources.KindInt, Declared: "int", Nullable: true}
		list   = declared(sources.KindList, "array")
	)
	for _, row := range []struct {
		owner, replica sources.FieldType
		forms          [2]KeyForm
		want           string
		warning        bool
	}{
		{owner: bigint, replica: bigint},
		{owner: bigint, replica: declared(sources.KindDecimal, "numeric")},
		{owner: uuid, replica: text},
		{owner: bigint, replica: sources.FieldType{}},
		{owner: bigint, replica: text, want: "replica.key[0]: owner id is bigint, replica ref is text: no key would ever match: write {field: ref, as: text} in the replica's key"},
		{owner: text, replica: bigint, want: "owner.key[0]: owner id is text, replica ref is bigint: no key would ever match: write {field: id, as: text} in the owner's key"},
		{owner: uuid, replica: bytes, want: "no key would ever match: write {field: ref, as: uuid} in the replica's key"},
		{owner: bytes, replica: uuid, want: "no key would ever match: write {field: id, as: uuid} in the owner's key"},
		{owner: uuid, replica: bytes, forms: [2]KeyForm{{}, {As: sources.KindUUID}}},
		{owner: bigint, replica: bytes, want: "no key would ever match: choose another key"},
		{owner: bigint, replica: text, forms: [2]KeyForm{{}, {As: sources.KindText}}},
		{owner: bigint, replica: text, forms: [2]KeyForm{{}, {As: sources.KindText, Prefix: "p-"}}},
		{owner: bigint, replica: bytes, forms: [2]KeyForm{{}, {As: sources.KindInt}}, want: "ref is bytea, which cannot be read as int: change as"},
		{owner: bigint, replica: text, forms: [2]KeyForm{{}, {As: sources.KindInt}}, want: "ref is text, read as int", warning: true},
		{owner: bigint, replica: text, forms: [2]KeyForm{{As: sources.KindText}, {}}},
		{owner: uuid, replica: text, forms: [2]KeyForm{{As: sources.KindText}, {}}},
		{owner: zoned, replica: naive("timestamp"), want: "choose another key"},
		{owner: null, replica: bigint, want: "owner.key[0]: id may be null", warning: true},
		{owner: declared(sources.KindFloat, "real"), replica: declared(sources.KindDecimal, "numeric"),
			want: "owner.key[0]: id is real: keys of floats meet only where both sides hold the very same number", warning: true},
		{owner: list, replica: list, want: "id is array, which cannot be a key"},
	} {
		check := &Check{Name: "c", Edges: []Edge{{Name: "copy"}}}
		check.Owner.Dataset.Key, check.Edges[0].Replica.Dataset.Key = []string{"id"}, []string{"ref"}
		check.Owner.Forms, check.Edges[0].Replica.Forms = row.forms[:1], row.forms[1:]
		problems := Vet(Compile(check, 0, time.Now()),
			sources.Description{Types: map[string]sources.FieldType{"id": row.owner}},
			sources.Description{Types: map[string]sources.FieldType{"ref": row.replica}})
		expectProblem(t, row.owner.Declared+" and "+row.replica.Declared, problems, row.want, row.warning)
	}
}

func TestVetPassesOnWhatStoresWarnOf(t *testing.T) {
	t.Parallel()
	check := &Check{Name: "c", Edges: []Edge{{Name: "copy"}}}
	problems := Vet(Compile(check, 0, time.Now()),
		sources.Description{KeyIndex: "products_ref"}, sources.Description{Warnings: []string{"no index of baskets serves look-ups"}})
	if len(problems) != 2 || problems[0] != (Problem{"replica", "no index of baskets serves look-ups", true}) ||
		!strings.Contains(problems[1].Message, "sharing a key") || !problems[1].Warning {
		t.Errorf("got %v", problems)
	}
}

func TestKeyTextIsWhatParseKeyReads(t *testing.T) {
	t.Parallel()
	beyond, err := sources.ParseDecimal("18446744073709551615")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		key   sources.Key
		kinds []sources.Kind
		forms []KeyForm
		text  string
		back  sources.Key // where the owner writes it otherwise than in canonical form
	}{
		{sources.Key{sources.Int(42)}, []sources.Kind{sources.KindInt}, nil, "42", nil},
		{sources.Key{beyond, sources.Int(2)}, []sources.Kind{sources.KindInt, sources.KindInt}, nil, "18446744073709551615,2", nil},
		{sources.Key{sources.Text(`a,b\c`)}, []sources.Kind{sources.KindText}, nil, `a,b\c`, nil},
		{sources.Key{sources.Text(`a,b`), sources.Text(`c\,d`)}, []sources.Kind{sources.KindText, sources.KindText}, nil, `a\,b,c\\\,d`, nil},
		{sources.Key{sources.Text("7")}, []sources.Kind{sources.KindText}, []KeyForm{{Prefix: "p-"}}, "p-7", sources.Key{sources.Text("p-7")}},
	} {
		text := KeyText(&Check{Owner: Side{Forms: row.forms}}, row.key)
		back, err := ParseKey(text, row.kinds)
		if row.back == nil {
			row.back = row.key
		}
		if text != row.text || err != nil || !back.Equal(row.back) {
			t.Errorf("key %v: wrote %q, want %q; read back %v, %v", row.key, text, row.text, back, err)
		}
	}
}
