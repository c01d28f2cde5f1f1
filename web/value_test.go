package web

import (
	"strings"
	"testing"

	"plumbline/drift"
)

func TestWhatDoesNotShowIsWrittenOut(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"paid":           "paid",
		"paid ":          "paid[␣]",
		" a  b":          "[␣]a[␣][␣]b",
		"a b":            "a b",
		"line\nnext":     `line[\n]next`,
		"a\u202eb":       `a[\u202e]b`,
		"a\u200bb":       `a[\u200b]b`,
		"e\u0301":        `e[\u0301]`,
		"\xffx":          `[\xff]x`,
		"\u00a0":         `[\u00a0]`,
		"zażółć 日本":      "zażółć 日本",
		"<script>1":      "<script>1",
		"\U000e0041 tag": `[\U000e0041] tag`,
	} {
		var b strings.Builder
		for _, p := range show(drift.Value{Type: "text", Text: text}, true).Pieces {
			if p.Odd {
				b.WriteString("[" + p.Text + "]")
			} else {
				b.WriteString(p.Text)
			}
		}
		if b.String() != want {
			t.Errorf("%q is written out as %q, want %q", text, b.String(), want)
		}
		if hides(drift.Value{Type: "text", Text: text}) != strings.Contains(want, "[") {
			t.Errorf("hides(%q) does not agree with what is written out", text)
		}
	}
}

func TestWordsStandWhereThereIsNoValue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value   drift.Value
		nothing string
		copies  string
	}{
		{drift.Value{Type: "absent"}, "absent", ""},
		{drift.Value{Type: "null"}, "null", ""},
		{drift.Value{Type: "text"}, "empty", ""},
		{drift.Value{Type: "text", Text: "null"}, "", "null"},
		{drift.Value{Type: "text", Text: "***", Masked: true}, "", ""},
		{drift.Value{Type: "int", Text: "9223372036854775807"}, "", "9223372036854775807"},
	} {
		if got := show(c.value, false); got.Nothing != c.nothing {
			t.Errorf("%+v shows %q as nothing, want %q", c.value, got.Nothing, c.nothing)
		}
		if got := copyText(c.value); got != c.copies {
			t.Errorf("%+v copies %q, want %q", c.value, got, c.copies)
		}
	}
}

func TestLongValuesAreCutAtACharacter(t *testing.T) {
	t.Parallel()
	v := show(drift.Value{Type: "text", Text: strings.Repeat("日", 5000)}, false)
	if len(v.Pieces) != 2 || !v.Pieces[1].Odd || v.Pieces[0].Text != strings.Repeat("日", 1333) {
		t.Errorf("a text of 15,000 bytes is shown in %d pieces, the first of %d bytes", len(v.Pieces), len(v.Pieces[0].Text))
	}
}
