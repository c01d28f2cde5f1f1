package drift

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestVisible(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ text, want string }{
		{"plain text, 12.50", "plain text, 12.50"},
		{"", ""},
		{"Ærlig talt 你好 🍎", "Ærlig talt 你好 🍎"},
		{"\x1b[31mred\x1b[0m", `\x1b[31mred\x1b[0m`},
		{"a\nb\tc\rd", `a\nb\tc\rd`},
		{"\x00\x07\x7f", `\x00\x07\x7f`},
		{"\u009b31m", `\u009b31m`},
		{"\u202egnp.exe", `\u202egnp.exe`},
		{"\u2066x\u2069\u200f", `\u2066x\u2069\u200f`},
		{"zero\u200bwidth\ufeff", `zero\u200bwidth\ufeff`},
		{"no\u00a0break", `no\u00a0break`},
		{"\U000e0041", `\U000e0041`},
		{"\u2028\u2029", `\u2028\u2029`},
		{"\xff\xfeb\xc3", `\xff\xfeb\xc3`},
		{"\ufffd", "\ufffd"},
		{`\x1b`, `\\x1b`},
		{`C:\dir`, `C:\dir`},
		{`C:\new`, `C:\\new`},
		{`ends in \`, `ends in \`},
		{"e\u0301", "e\u0301"},
	} {
		if got := Visible(row.text); got != row.want {
			t.Errorf("Visible(%q) = %s, want %s", row.text, got, row.want)
		}
	}
}

// Whatever the bytes, what is shown is printable and stays on its line.
func TestVisibleNeverActs(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const alphabet = "\x00\x1b\\nux\"0a\xe2\x80\xae\xff\n "
	seen := map[string]string{}
	for range 20_000 {
		b := make([]byte, random.IntN(4))
		for i := range b {
			b[i] = alphabet[random.IntN(len(alphabet))]
		}
		text := string(b)
		shown := Visible(text)
		if !utf8.ValidString(shown) || strings.ContainsFunc(shown, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Fatalf("Visible(%q) = %q", text, shown)
		}
		if other, twice := seen[shown]; twice && other != text {
			t.Fatalf("%q and %q look alike: %s", text, other, shown)
		}
		seen[shown] = text
	}
}

func TestWidthAndShorten(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		text    string
		width   int
		shorten string // to 4 columns
	}{
		{"abcd", 4, "abcd"},
		{"abcde", 5, "abc…"},
		{"你好吗", 6, "你…"},
		{"e\u0301abc", 4, "e\u0301abc"},
		{"🍎🍎🍎", 6, "🍎…"},
		{"", 0, ""},
	} {
		if got := Width(row.text); got != row.width {
			t.Errorf("Width(%q) = %d, want %d", row.text, got, row.width)
		}
		if got := Shorten(row.text, 4); got != row.shorten {
			t.Errorf("Shorten(%q) = %q, want %q", row.text, got, row.shorten)
		}
	}
}

func TestLinesKeepsLines(t *testing.T) {
	t.Parallel()
	if got := Lines("one\x1b\ntwo\n"); got != "one\\x1b\ntwo" {
		t.Errorf("got %q", got)
	}
}
