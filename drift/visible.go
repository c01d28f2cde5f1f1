package drift

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Visible returns s as one line in which nothing acts or hides: control
// characters, characters that change the direction of text or have no shape,
// spaces other than the plain one and bytes that are no UTF-8 are written as
// \n, \t, \r, \x1b, \u202e. A backslash that could be taken for the beginning
// of such an escape is doubled, so different texts look different.
func Visible(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\\' && ambiguous(s[i+1:]):
			b.WriteString(`\\`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		i += size
	}
	return b.String()
}

func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == '\\' {
			return false
		}
	}
	return true
}

// ambiguous says whether a backslash before rest would read as an escape: of
// what follows, or of what its escape begins with.
func ambiguous(rest string) bool {
	r, size := utf8.DecodeRuneInString(rest)
	return size > 0 && (strings.ContainsRune(`ntrxuU"\`, r) || r == utf8.RuneError && size == 1 || !unicode.IsPrint(r))
}

// Lines is Visible for text of several lines, which it keeps.
func Lines(s string) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	for i, line := range lines {
		lines[i] = Visible(line)
	}
	return strings.Join(lines, "\n")
}

// Shorten cuts visible text to at most width columns, saying so with "…".
func Shorten(s string, width int) string {
	if Width(s) <= width {
		return s
	}
	used := 0
	for i, r := range s {
		if used += runeWidth(r); used > width-1 {
			return s[:i] + "…"
		}
	}
	return s
}
