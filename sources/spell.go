package sources

import (
	"strings"
	"time"
)

// SpellLike writes a time as the text of another time is written: with the same
// divider, offset and digits of a second, and more of these only where the time
// would lose some. ok is false where like is no such text, or has an offset that
// the time has not, or the other way round.
func SpellLike(v Value, like string) (text Value, ok bool) {
	if v.kind != KindTime || v.Infinite() != 0 {
		return Value{}, false
	}
	zoned, layouts := timeLayouts()
	if !v.Naive() {
		layouts = zoned
	}
	for _, layout := range layouts {
		t, err := time.Parse(layout, like)
		if err != nil || strings.Contains(layout, "MST") { // a zone's short name may be any of several
			continue
		}
		digits := max(digitsOfSecond(like), digitsNeeded(v.AsTime().Nanosecond()))
		if digits > 0 {
			layout = strings.Replace(layout, ":05", ":05."+strings.Repeat("0", digits), 1)
		}
		return Text(v.AsTime().In(t.Location()).Format(layout)), true
	}
	return Value{}, false
}

// digitsOfSecond is how many digits stand behind the second of a time's text.
func digitsOfSecond(text string) (n int) {
	_, rest, found := strings.Cut(text, ".")
	if !found {
		_, rest, _ = strings.Cut(text, ",")
	}
	for n < len(rest) && n < 9 && '0' <= rest[n] && rest[n] <= '9' {
		n++
	}
	return n
}

func digitsNeeded(nanos int) (n int) {
	for n = 9; n > 0 && nanos%10 == 0; n-- {
		nanos /= 10
	}
	return n
}
