package terminal

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"
)

// Style colours text, or leaves it as it is where colour is off.
type Style struct{ on bool }

// NewStyle is a style that colours if on.
func NewStyle(on bool) Style { return Style{on} }

// Good, Bad, Doubt and Strong colour what is in order, what is not, what is not
// known, and what comes first.
func (s Style) Good(text string) string   { return s.colour("32", text) }
func (s Style) Bad(text string) string    { return s.colour("31", text) }
func (s Style) Doubt(text string) string  { return s.colour("33", text) }
func (s Style) Strong(text string) string { return s.colour("1", text) }

func (s Style) colour(code, text string) string {
	if !s.on || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// IsTerminal says whether what is written to w goes to a person's terminal.
func IsTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Columns is how wide the terminal behind w is; 80 where it does not say.
func Columns(w any) int {
	if f, ok := w.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
			return columns
		}
	}
	return 80
}

// Count writes n with a comma between thousands.
func Count(n int64) string {
	digits, sign := strconv.FormatInt(n, 10), ""
	if n < 0 {
		digits, sign = digits[1:], "-"
	}
	var groups []string
	for len(digits) > 3 {
		groups = append([]string{digits[len(digits)-3:]}, groups...)
		digits = digits[:len(digits)-3]
	}
	return sign + strings.Join(append([]string{digits}, groups...), ",")
}

// Plural writes n and what is counted: 1 record, 1,200 records.
func Plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return Count(n) + " " + what + "s"
}
