package mysql

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"plumbline/sources"
)

// Constants are written so that the server reads the very same value back,
// whatever its settings, and compares it by the column's own index.

// exactly returns v as its column would hold it, and as a constant. ok is false
// where the column cannot hold v: nothing in it equals v then.
func exactly(c *column, v sources.Value) (native sources.Value, constant string, ok bool) {
	t := &c.typ
	switch t.family {
	case familyInt, familyBit:
		return exactInt(t, v)
	case familyDecimal:
		return exactDecimal(t, v)
	case familyFloat:
		return exactFloat(v, t.name == "float")
	case familyBytes, familyShape:
		native, ok = asBytes(v)
		return native, hexBytes(native.AsText()), ok
	case familyDate:
		days := v.AsDays()
		return v, dateConstant(days), v.Kind() == sources.KindDate && v.Infinite() == 0 && firstDay <= days && days <= lastDay
	case familyDatetime, familyInstant:
		constant, exact, ok := timeConstant(v, t.family == familyDatetime)
		return v, constant, ok && exact
	case familyClock:
		_, _, ns := v.AsDuration()
		return v, clockConstant(ns), isClock(v) && ns%1000 == 0 && -mostClock <= ns && ns <= mostClock
	case familyUUID:
		native, ok = asUUID(v)
		return native, "'" + native.String() + "'", ok
	}
	text, ok := plain(v)
	return sources.Text(text), textConstant(c, text), ok && holdsText(c, text)
}

// bound returns a position's value as a constant to compare with. Unlike a value
// to be equal to, a bound may be one that the column cannot hold: it lies between
// those that it can.
func bound(c *column, v sources.Value) (string, error) {
	constant, ok := "", false
	switch c.typ.family {
	case familyInt, familyBit, familyDecimal:
		constant, ok = number10(v)
	case familyDatetime, familyInstant: // columns hold whole microseconds: above t is above its microsecond
		constant, _, ok = timeConstant(v, c.typ.family == familyDatetime)
	case familyDate:
		constant, ok = dateConstant(min(max(v.AsDays(), firstDay), lastDay)), v.Kind() == sources.KindDate && v.Infinite() == 0
	case familyText, familyLabel, familyOther:
		var text string
		text, ok = plain(v)
		constant = textConstant(c, text)
	default:
		_, constant, ok = exactly(c, v)
	}
	if !ok {
		return "", sources.Final(fmt.Errorf("a position's %s is none of column %s of type %s", v.Kind(), c.name, c.declared))
	}
	return constant, nil
}

// exactInt reads numbers that count, and their plain texts.
func exactInt(t *dataType, v sources.Value) (sources.Value, string, bool) {
	n := new(big.Int)
	if v.Kind() == sources.KindText {
		if _, ok := n.SetString(v.AsText(), 10); !ok || n.String() != v.AsText() {
			return v, "", false
		}
	} else {
		text, ok := number10(v)
		if _, whole := n.SetString(text, 10); !ok || !whole {
			return v, "", false
		}
	}
	bits := uint(8 * t.bytes)
	if t.family == familyBit {
		bits = 64
	}
	least, most := new(big.Int), new(big.Int).Lsh(big.NewInt(1), bits)
	if !t.unsigned && t.family == familyInt {
		most.Rsh(most, 1)
		least.Neg(most)
	}
	if n.Cmp(least) < 0 || n.Cmp(most) >= 0 {
		return v, "", false
	}
	if n.IsInt64() {
		return sources.Int(n.Int64()), n.String(), true
	}
	return sources.Uint(n.Uint64()), n.String(), true
}

// number10 writes a number in decimal digits, without an exponent. ok is false for
// what is no number, or one far beyond all that columns hold.
func number10(v sources.Value) (text string, ok bool) {
	if !v.Kind().Number() || v.NaN() || v.Infinite() != 0 {
		return "", false
	}
	d, ok := sources.Canonical(v).ExactDecimal()
	if !ok {
		return "", false
	}
	digits, exponent, ok := d.DecimalParts()
	if !ok || exponent > 80 || exponent < -400 || len(digits) > 400 {
		return "", false
	}
	sign := ""
	if rest, negative := strings.CutPrefix(digits, "-"); negative {
		sign, digits = "-", rest
	}
	if exponent >= 0 {
		if digits == "0" {
			exponent = 0
		}
		return sign + digits + strings.Repeat("0", int(exponent)), true
	}
	if behind := int(-exponent); len(digits) <= behind {
		digits = strings.Repeat("0", behind-len(digits)+1) + digits
	}
	at := len(digits) + int(exponent)
	return sign + digits[:at] + "." + digits[at:], true
}

func exactDecimal(t *dataType, v sources.Value) (sources.Value, string, bool) {
	d := v
	if v.Kind() == sources.KindText {
		parsed, err := sources.ParseDecimal(v.AsText())
		if err != nil || parsed.String() != v.AsText() {
			return v, "", false
		}
		d = parsed
	}
	text, ok := number10(d)
	if !ok {
		return v, "", false
	}
	whole, behind, _ := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	native, ok := sources.Canonical(d).ExactDecimal()
	return native, text, ok && int64(len(strings.TrimLeft(whole, "0"))) <= t.whole && int64(len(strings.TrimRight(behind, "0"))) <= t.scale
}

// exactFloat returns the float whose canonical form v has. A single-precision one
// is written as the double that it is.
func exactFloat(v sources.Value, single bool) (sources.Value, string, bool) {
	if !v.Kind().Number() || v.NaN() || v.Infinite() != 0 {
		return v, "", false
	}
	f, err := strconv.ParseFloat(sources.Canonical(v).String(), 64)
	if err != nil || !sources.Canonical(sources.Float(f)).Equal(sources.Canonical(v)) {
		return v, "", false
	}
	text := strconv.FormatFloat(f, 'e', -1, 64)
	if !single {
		return sources.Float(f), text, true
	}
	return sources.Float32(float32(f)), text, float64(float32(f)) == f
}

// asBytes takes a uuid and an objectid for their bytes: so they are kept in binary columns.
func asBytes(v sources.Value) (sources.Value, bool) {
	switch v.Kind() {
	case sources.KindBytes:
		return v, true
	case sources.KindUUID:
		u := v.AsUUID()
		return sources.Bytes(u[:]), true
	case sources.KindObjectID:
		o := v.AsObjectID()
		return sources.Bytes(o[:]), true
	}
	return v, false
}

func asUUID(v sources.Value) (sources.Value, bool) {
	if v.Kind() == sources.KindUUID {
		return v, true
	}
	u, ok := sources.ParseUUID(v.AsText())
	return sources.UUID(u), ok && v.Kind() == sources.KindText && sources.UUID(u).String() == v.AsText()
}

// plain returns a text that the server can take. A uuid and an objectid are
// matched as their texts.
func plain(v sources.Value) (string, bool) {
	switch v.Kind() {
	case sources.KindText, sources.KindUUID, sources.KindObjectID:
		text := v.String()
		return text, utf8.ValidString(text)
	}
	return "", false
}

// holdsText says whether the column's character set has all of text's characters,
// as far as we know it: what a set lacks becomes another character, and is told
// apart when it is read.
func holdsText(c *column, text string) bool {
	most := rune(utf8.MaxRune)
	switch c.charset {
	case "ascii":
		most = 0x7f
	case "utf8mb3", "utf8":
		most = 0xffff
	}
	for _, r := range text {
		if r > most {
			return false
		}
	}
	return !c.typ.pads || !strings.HasSuffix(text, " ")
}

// textConstant writes a text in the character set and collation of its column.
func textConstant(c *column, text string) string {
	switch {
	case c.typ.family == familyLabel:
		return hexText(text) + " COLLATE utf8mb4_bin"
	case c.collation == "":
		return hexText(text)
	case c.charset == "utf8mb4":
		return hexText(text) + " COLLATE " + c.collation
	}
	return "CONVERT(" + hexText(text) + " USING " + c.charset + ") COLLATE " + c.collation
}

// The days that dates can be, in days since 1970: 0000-01-01 to 9999-12-31.
const (
	firstDay = -719_528
	lastDay  = 2_932_896
)

func dateConstant(days int64) string {
	return "DATE'" + time.Unix(days*86_400, 0).UTC().Format("2006-01-02") + "'"
}

// timeConstant writes a time rounded down to a microsecond, or the first or last
// that can be. ok is false where v is no such time.
func timeConstant(v sources.Value, naive bool) (constant string, exact, ok bool) {
	if v.Kind() != sources.KindTime || v.Naive() != naive || v.Infinite() != 0 {
		return "", false, false
	}
	t := v.AsTime()
	exact = t.Nanosecond()%1000 == 0
	switch year := t.Year(); {
	case year < 0:
		t, exact = time.Unix(firstDay*86_400, 0).UTC(), false
	case year > 9999:
		t, exact = time.Unix((lastDay+1)*86_400-1, 999_999_000).UTC(), false
	}
	return "TIMESTAMP'" + t.Format("2006-01-02 15:04:05.000000") + "'", exact, true
}

// mostClock is the longest span that a time column holds, in nanoseconds.
const mostClock = int64(838*time.Hour + 59*time.Minute + 59*time.Second + 999_999*time.Microsecond)

func isClock(v sources.Value) bool {
	months, days, _ := v.AsDuration()
	return v.Kind() == sources.KindDuration && months == 0 && days == 0
}

func clockConstant(ns int64) string {
	sign := ""
	if ns < 0 {
		sign = "-"
	}
	micros := uint64(math.Abs(float64(ns / 1000)))
	return fmt.Sprintf("TIME'%s%02d:%02d:%02d.%06d'", sign, micros/3_600_000_000, micros/60_000_000%60, micros/1_000_000%60, micros%1_000_000)
}
