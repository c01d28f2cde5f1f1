package checks

import (
	"fmt"
	"slices"
	"testing"

	"plumbline/sources"
)

// How a key as one side writes it is matched, and asked for on the other side.
func TestKeyForms(t *testing.T) {
	t.Parallel()
	text, none := KeyForm{As: sources.KindText}, KeyForm{}
	prefixed := KeyForm{As: sources.KindText, Prefix: "p-"}
	declared := func(kind sources.Kind) sources.FieldType { return sources.FieldType{Kind: kind, Strict: true} }
	sampled := func(kind sources.Kind) sources.FieldType { return sources.FieldType{Kind: kind} }
	uuid, _ := sources.ParseUUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")
	cases := []struct {
		name        string
		native      sources.Value
		mine, other KeyForm
		canonical   string // kind and text, or the error
		asks        sources.FieldType
		asked       []string // under which forms the other side is asked
	}{
		{"an int is an int", sources.Int(42), none, none, "int 42", declared(sources.KindInt), []string{"int 42"}},
		{"an integral float is the int it counts", sources.Float(42), none, none, "int 42", declared(sources.KindDecimal), []string{"decimal 42"}},
		{"a decimal key stays exact", sources.Decimal("15", -1, 1), none, none, "decimal 1.5", declared(sources.KindInt), nil},
		{"a uuid is its text", sources.UUID(uuid), none, none, "text a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", declared(sources.KindText), []string{"text a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}},
		{"a uuid's text asks a uuid column for the uuid", sources.Text("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), none, none, "text a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", declared(sources.KindUUID), []string{"uuid a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}},
		{"a uuid asks 16 bytes that are read as uuids for its own", sources.UUID(uuid), none, KeyForm{As: sources.KindUUID}, "text a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", declared(sources.KindBytes), []string{`bytes \xa0eebc999c0b4ef8bb6d6bb9bd380a11`}},
		{"16 bytes read as a uuid are its text", sources.Bytes(uuid[:]), KeyForm{As: sources.KindUUID}, none, "text a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", declared(sources.KindUUID), []string{"uuid a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}},
		{"what is no uuid asks no bytes", sources.Text("p-42"), none, KeyForm{As: sources.KindUUID}, "text p-42", declared(sources.KindBytes), nil},
		{"a prefix is taken off", sources.Text("p-42"), prefixed, none, "text 42", declared(sources.KindInt), []string{"int 42"}},
		{"a key without its prefix is none of ours", sources.Text("q-42"), prefixed, none, `key part 1, q-42, does not begin with "p-"`, declared(sources.KindInt), nil},
		{"a prefix is put on", sources.Int(42), none, prefixed, "text 42", sampled(sources.KindText), []string{"text p-42"}},
		{"an int column is asked for the int whatever the form says", sources.Int(42), none, text, "text 42", declared(sources.KindInt), []string{"int 42"}},
		{"zeros in front make another key", sources.Text("p-042"), prefixed, none, "text 042", declared(sources.KindInt), nil},
		{"where nothing is declared, text and int are asked for", sources.Text("p-42"), prefixed, none, "text 42", sampled(sources.KindAbsent), []string{"text 42", "int 42"}},
		{"where a kind was only sampled, others are asked for too", sources.Text("p-42"), prefixed, none, "text 42", sampled(sources.KindInt), []string{"int 42", "text 42"}},
		{"null is no key", sources.Null(), none, none, "key part 1 is null", declared(sources.KindInt), nil},
		{"a text that is no int is unreadable as one", sources.Text("x"), KeyForm{As: sources.KindInt}, none, `key part 1: text "x" cannot be read as int`, declared(sources.KindInt), nil},
	}
	for _, c := range cases {
		canonical, err := canonicalKey(sources.Key{c.native}, []KeyForm{c.mine}, []KeyForm{c.other})
		if err != nil {
			if err.Error() != c.canonical {
				t.Errorf("%s: %v, want %s", c.name, err, c.canonical)
			}
			continue
		}
		var asked []string
		for _, k := range nativeKeys(canonical, []KeyForm{c.other}, []KeyForm{c.mine}, []sources.FieldType{c.asks}) {
			asked = append(asked, said(k[0]))
		}
		if said(canonical[0]) != c.canonical || !slices.Equal(asked, c.asked) {
			t.Errorf("%s: %s, asked for as %q, want %s as %q", c.name, said(canonical[0]), asked, c.canonical, c.asked)
		}
	}
}

func said(v sources.Value) string { return fmt.Sprintf("%s %s", v.Kind(), v) }
