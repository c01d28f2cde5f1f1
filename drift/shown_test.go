package drift

import (
	"fmt"
	"plumbline/checks"
	"plumbline/sources"
	"strings"
	"testing"
)

func TestMasksShowNoMoreThanTheyMay(t *testing.T) {
	t.Parallel()
	masker := NewMasker(NewMaskKey())
	email := sources.Text("ada@example.com")
	for _, row := range []struct {
		value sources.Value
		mask  checks.Mask
		want  Value
	}{
		{email, checks.MaskNone, Value{Type: "text", Text: "ada@example.com"}},
		{email, checks.MaskPartial, Value{Type: "text", Text: "a***m", Masked: true}},
		{email, checks.MaskFull, Value{Type: "text", Text: "***", Masked: true}},
		{sources.Text("1234567"), checks.MaskPartial, Value{Type: "text", Text: "***", Masked: true}},
		{sources.Text("你好你好你好你好"), checks.MaskPartial, Value{Type: "text", Text: "你***好", Masked: true}},
		{sources.Int(4111111111111111), checks.MaskPartial, Value{Type: "int", Text: "4***1", Masked: true}},
		{sources.Null(), checks.MaskFull, Value{Type: "null", Masked: true}},
		{sources.Value{}, checks.MaskHash, Value{Type: "absent", Masked: true}},
		{sources.Text("\xff"), checks.MaskNone, Value{Type: "text", Text: "\xff", Base64: "/w=="}},
		{sources.Text("\xff"), checks.MaskFull, Value{Type: "text", Text: "***", Masked: true}},
	} {
		if got := masker.Show(row.value, row.mask); got != row.want {
			t.Errorf("%v under %d: got %+v, want %+v", row.value, row.mask, got, row.want)
		}
	}
	first, again, other := masker.Show(email, checks.MaskHash), masker.Show(email, checks.MaskHash), masker.Show(sources.Text("x"), checks.MaskHash)
	if first != again || first == other || len(first.Text) != 9 || first.Text[0] != '#' {
		t.Errorf("hashes %v, %v, %v", first, again, other)
	}
	if elsewhere := NewMasker(NewMaskKey()).Show(email, checks.MaskHash); elsewhere == first {
		t.Error("two keys hash alike")
	}
}

func TestNotesOfMaskedFieldsHoldNoValue(t *testing.T) {
	t.Parallel()
	hidden := "masked: the reason is not shown"
	for text, want := range map[string]string{
		"": "",
		"the map has no entry for the owner's value":     "the map has no entry for the owner's value",
		"owner has int, replica has text: declare as":    "owner has int, replica has text: declare as",
		"one side has a time without a zone: declare tz": "one side has a time without a zone: declare tz",
		"does not hold": "does not hold",
		`owner's text "secret" cannot be read as int`:               hidden,
		"cannot be told: secret is no number":                       hidden,
		`replica's text "secret: declare as" cannot: declare as`:    hidden,
		`owner's text "does not hold" cannot be read as uuid: x, y`: hidden,
	} {
		if got := note(text, checks.MaskHash); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
		if got := note(text, checks.MaskNone); got != text {
			t.Errorf("%q without a mask: got %q", text, got)
		}
	}
}

func TestMasksOfKeysComeFromTheRulesThatNameThem(t *testing.T) {
	t.Parallel()
	rule := func(owner, replica string, mask checks.Mask) checks.Rule {
		return checks.Rule{Owner: checks.FieldRef{Name: owner}, Replica: checks.FieldRef{Name: replica}, Mask: mask}
	}
	check := &checks.Check{Edges: []checks.Edge{{Rules: []checks.Rule{rule("email", "mail", checks.MaskPartial), rule("x", "tenant", checks.MaskFull), rule("y", "copy", checks.MaskHash)}}}}
	check.Owner.Dataset.Key = []string{"email", "region", "plain"}
	check.Edges[0].Replica.Dataset.Key = []string{"address", "tenant", "plain"}
	check.Edges[0].Replica.Dataset.ID = []string{"copy", "address", "other"}
	m := MasksOf(check, &check.Edges[0])
	if got, want := fmt.Sprint(m.key, m.id), fmt.Sprint([]checks.Mask{checks.MaskPartial, checks.MaskFull, checks.MaskNone},
		[]checks.Mask{checks.MaskHash, checks.MaskPartial, checks.MaskNone}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := m.Message("source a: scan b: key ada@example.com is odd"); got != "source a: scan b: key *** (masked)" {
		t.Errorf("got %q", got)
	}
	if got := m.Message(`position text "jane@example.org" is none of type int8`); got != "position *** (masked)" {
		t.Errorf("got %q", got)
	}
	if got := (Masks{}).Message("key 42: neither side has it"); got != "key 42: neither side has it" {
		t.Errorf("got %q", got)
	}
}

func TestShownValues(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		value        Value
		shown, whole string
	}{
		{Value{Type: "text", Text: "paid"}, `"paid"`, "paid"},
		{Value{Type: "text", Text: ""}, `""`, `""`},
		{Value{Type: "text", Text: "null"}, `"null"`, `"null"`},
		{Value{Type: "null"}, "null", "null"},
		{Value{Type: "absent"}, "absent", "absent"},
		{Value{Type: "text", Text: " x"}, `" x"`, `" x"`},
		{Value{Type: "text", Text: `a"b`}, `"a\"b"`, `"a\"b"`},
		{Value{Type: "int", Text: "9182736450192837465"}, "9182736450192837465", "9182736450192837465"},
		{Value{Type: "bytes", Text: `\x6869`}, `\x6869`, `\x6869`},
		{Value{Type: "text", Text: "***", Masked: true}, "***", "***"},
		{Value{Type: "text", Text: strings.Repeat("x", 50)}, `"` + strings.Repeat("x", 39) + `…"`, strings.Repeat("x", 50)},
	} {
		if got := row.value.Short(); got != row.shown {
			t.Errorf("Short of %+v: = %s, want %s", row.value, got, row.shown)
		}
		if got := row.value.Whole(); got != row.whole {
			t.Errorf("Whole of %+v: = %s, want %s", row.value, got, row.whole)
		}
	}
}
