package web

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"plumbline/drift"
)

// shownValue is a value on a page: a word where there is none, else its text in
// pieces, of which the odd ones are escapes of ours.
type shownValue struct {
	Nothing string // absent, null, empty
	Pieces  []piece
	Kind    string
}

type piece struct {
	Text  string
	Odd   bool
	Title string // what the character is
}

// longestValue is how much of a text a page shows; a document may be megabytes.
const longestValue = 4000

// show is a value as the page shows it. With visible, what does not show is
// written out: spaces at the ends and in rows, control and direction characters.
func show(v drift.Value, visible bool) shownValue {
	out := shownValue{Kind: v.Type}
	switch {
	case v.Type == "absent" || v.Type == "null":
		out.Nothing, out.Kind = v.Type, ""
		return out
	case v.Text == "" && !v.Masked:
		out.Nothing = "empty"
		return out
	case v.Masked:
		out.Kind = v.Type + ", masked"
	}
	text, more := v.Text, ""
	if len(text) > longestValue {
		cut := longestValue
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		more = fmt.Sprintf(" … %s more", several(int64(len(text)-cut), "byte", "bytes"))
		text = text[:cut]
	}
	if visible {
		out.Pieces = pieces(text)
	} else {
		out.Pieces = []piece{{Text: strings.ToValidUTF8(text, "\uFFFD")}}
	}
	if more != "" {
		out.Pieces = append(out.Pieces, piece{Text: more, Odd: true, Title: "cut off here"})
	}
	return out
}

// pieces cuts a text into stretches that read as they are and escapes for what
// does not show.
func pieces(text string) []piece {
	var out []piece
	plain := 0
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		p, odd := oddity(text, i, r, size)
		if odd {
			if plain < i {
				out = append(out, piece{Text: text[plain:i]})
			}
			out = append(out, p)
			plain = i + size
		}
		i += size
	}
	if plain < len(text) {
		out = append(out, piece{Text: text[plain:]})
	}
	return out
}

func oddity(text string, i int, r rune, size int) (piece, bool) {
	switch {
	case r == utf8.RuneError && size == 1:
		return piece{fmt.Sprintf(`\x%02x`, text[i]), true, "a byte that is no UTF-8"}, true
	case r == ' ':
		end := i == 0 || i+1 == len(text) || text[i-1] == ' ' || text[i+1] == ' '
		return piece{"␣", true, "space"}, end
	case unicode.IsPrint(r) && !unicode.Is(unicode.Mn, r):
		return piece{}, false
	}
	title := fmt.Sprintf("U+%04X", r)
	if unicode.Is(unicode.Mn, r) { // sits on the character before it
		return piece{fmt.Sprintf(`\u%04x`, r), true, title}, true
	}
	return piece{drift.Visible(string(r)), true, title}, true
}

// hides says whether a value holds what a plain page does not show.
func hides(v drift.Value) bool {
	if v.Masked {
		return false
	}
	for _, p := range pieces(v.Text) {
		if p.Odd {
			return true
		}
	}
	return false
}

// copyText is what the copy button takes: the exact value, where it is whole.
func copyText(v drift.Value) string {
	if v.Masked || len(v.Text) > longestValue {
		return ""
	}
	return v.Text
}
