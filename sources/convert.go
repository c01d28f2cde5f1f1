package sources

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// ParseUUID reads a uuid in any of its usual spellings: either case, with or
// without hyphens, braces or a urn:uuid: prefix.
func ParseUUID(s string) (u [16]byte, ok bool) {
	s = strings.TrimPrefix(strings.ToLower(s), "urn:uuid:")
	if strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") {
		s = s[1 : len(s)-1]
	}
	if len(s) == 36 {
		if s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
			return u, false
		}
		s = s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	}
	if len(s) != 32 {
		return u, false
	}
	_, err := hex.Decode(u[:], []byte(s))
	return u, err == nil
}

// ParseObjectID reads 24 hexadecimal digits.
func ParseObjectID(s string) (o [12]byte, ok bool) {
	if len(s) != 24 {
		return o, false
	}
	_, err := hex.Decode(o[:], []byte(s))
	return o, err == nil
}

// ParseInt reads an integer in its one plain spelling: no plus, no leading
// zeros, no spaces. So different texts are different integers.
func ParseInt(s string) (i int64, ok bool) {
	i, err := strconv.ParseInt(s, 10, 64)
	return i, err == nil && strconv.FormatInt(i, 10) == s
}

// Canonical returns the form in which a key part is matched: integral numbers
// as ints (or, beyond 64 bits, as decimals), other floats as the shortest
// decimal that is that float, which is how stores and people write it, a uuid
// and an objectid as their lower-case text. Two key parts that are equal under
// "numbers by what they count, a uuid and its text alike" have the same
// canonical form, whatever store they came from, and floats that differ have
// different ones. A float's declared width plays no part.
func Canonical(v Value) Value {
	switch v.kind {
	case KindDecimal, KindFloat:
		if i, ok := v.Integer(); ok {
			return Int(i)
		}
		if v.kind == KindFloat {
			return canonicalFloat(v.AsFloat())
		}
	case KindUUID, KindObjectID:
		return Text(v.String())
	}
	return v
}

// canonicalFloat is the canonical form of a float that is no 64-bit integer. NaN
// and infinities are their own.
func canonicalFloat(f float64) Value {
	if f == math.Trunc(f) {
		if d, ok := Float(f).ExactDecimal(); ok {
			return d
		}
	}
	d, err := ParseDecimal(strconv.FormatFloat(f, 'g', -1, 64))
	if err != nil || d.flag != 0 {
		return Float(f)
	}
	return d.WithPrecision(0)
}

// timeLayouts are the texts that As reads as times; a comma or point and any
// number of digits may follow the seconds.
func timeLayouts() (zoned, naive []string) {
	return []string{"2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05Z0700",
			"2006-01-02 15:04:05Z0700", "2006-01-02 15:04:05Z07", "2006-01-02 15:04:05 Z07:00", "2006-01-02 15:04:05 Z0700 MST"},
		[]string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04"}
}

// As converts v to kind to, exactly: what cannot be converted without loss or
// guess is an error. zone gives naive times their meaning; nil leaves them
// naive. Absent and null stay what they are.
//
//   - to text: every scalar in its one plain spelling
//   - to int, decimal, float: numbers that agree exactly, plain texts of them; a
//     decimal becomes the nearest float, a float the shortest decimal that is it
//   - to bool: 0 and 1, t/f, true/false, yes/no, y/n, on/off in any case
//   - to time: RFC 3339 and SQL texts; integers as seconds (or, from 10^11 on,
//     milliseconds; from 10^14 on, microseconds; from 10^17 on, nanoseconds)
//     since 1970 UTC; dates as their midnight
//   - to date: YYYY-MM-DD texts; times at their date in zone (UTC when nil)
//   - to uuid: any usual spelling, 16 bytes; to objectid: 24 hex digits, 12 bytes
//   - to bytes: the bytes of a text; of \x and hexadecimal digits, those bytes
func As(v Value, to Kind, zone *time.Location) (Value, error) {
	if v.kind == KindAbsent || v.kind == KindNull {
		return v, nil
	}
	if v.kind == KindTime && zone != nil && v.Naive() {
		v = inZone(v, zone)
	}
	if v.kind == to {
		return v, nil
	}
	if out, ok := convert(v, to, zone); ok {
		return out, nil
	}
	return Value{}, fmt.Errorf("%s %q cannot be read as %s", v.kind, shorten(v.String(), 60), to)
}

func convert(v Value, to Kind, zone *time.Location) (Value, bool) {
	switch to {
	case KindText:
		return Text(v.String()), v.kind != KindList && v.kind != KindDocument
	case KindInt:
		if v.kind == KindText {
			i, ok := ParseInt(strings.TrimSpace(v.str))
			return Int(i), ok
		}
		if v.kind == KindBool {
			return Int(v.num), true
		}
		i, ok := v.Integer()
		return Int(i), ok
	case KindDecimal:
		if v.kind == KindText {
			d, err := ParseDecimal(strings.TrimSpace(v.str))
			return d, err == nil
		}
		if v.kind == KindFloat {
			d, err := ParseDecimal(v.floatText())
			return d, err == nil
		}
		return v.ExactDecimal()
	case KindFloat:
		if v.kind == KindText || v.kind == KindInt || v.kind == KindDecimal {
			f, err := strconv.ParseFloat(strings.TrimSpace(v.String()), 64)
			return Float(f), err == nil
		}
	case KindBool:
		return toBool(v)
	case KindTime:
		return toTime(v, zone)
	case KindDate:
		return toDate(v, zone)
	case KindUUID:
		if (v.kind == KindBytes || v.kind == KindText) && len(v.str) == 16 && v.kind == KindBytes {
			return UUID([16]byte([]byte(v.str))), true
		}
		u, ok := ParseUUID(v.AsText())
		return UUID(u), ok && v.kind == KindText
	case KindObjectID:
		if v.kind == KindBytes && len(v.str) == 12 {
			return ObjectID([12]byte([]byte(v.str))), true
		}
		o, ok := ParseObjectID(v.AsText())
		return ObjectID(o), ok && v.kind == KindText
	case KindBytes:
		if v.kind == KindText {
			if digits, ok := strings.CutPrefix(v.str, `\x`); ok {
				b, err := hex.DecodeString(digits)
				return Bytes(b), err == nil
			}
		}
		return Bytes([]byte(v.str)), v.kind == KindText || v.kind == KindUUID || v.kind == KindObjectID
	}
	return Value{}, false
}

func toBool(v Value) (Value, bool) {
	if i, ok := v.Integer(); ok && (i == 0 || i == 1) {
		return Bool(i == 1), true
	}
	if v.kind == KindText {
		switch strings.ToLower(strings.TrimSpace(v.str)) {
		case "t", "true", "y", "yes", "on", "1":
			return Bool(true), true
		case "f", "false", "n", "no", "off", "0":
			return Bool(false), true
		}
	}
	return Value{}, false
}

func toTime(v Value, zone *time.Location) (Value, bool) {
	switch v.kind {
	case KindText:
		return ParseTime(v.str, zone)
	case KindDate:
		if v.Infinite() != 0 {
			return TimeInfinity(v.Infinite(), zone == nil), true
		}
		midnight := NaiveTime(time.Unix(v.num*86400, 0).UTC(), 9)
		if zone != nil {
			midnight = inZone(midnight, zone)
		}
		return midnight, true
	}
	i, ok := v.Integer()
	if !ok {
		return Value{}, false
	}
	magnitude := max(i, -i)
	switch {
	case magnitude < 1e11:
		return Time(time.Unix(i, 0), 0), true
	case magnitude < 1e14:
		return Time(time.UnixMilli(i), 3), true
	case magnitude < 1e17:
		return Time(time.UnixMicro(i), 6), true
	default:
		return Time(time.Unix(0, i), 9), true
	}
}

// ParseTime reads an RFC 3339 or SQL timestamp. One without a zone gets zone,
// or stays naive when zone is nil. Nine digits of a second count.
func ParseTime(s string, zone *time.Location) (Value, bool) {
	zoned, naive := timeLayouts()
	s = strings.TrimSpace(s)
	for _, layout := range zoned {
		if t, err := time.Parse(layout, s); err == nil {
			return Time(t, 9), true
		}
	}
	for _, layout := range naive {
		if t, err := time.Parse(layout, s); err == nil {
			v := NaiveTime(t, 9)
			if zone != nil {
				v = inZone(v, zone)
			}
			return v, true
		}
	}
	switch strings.ToLower(s) {
	case "infinity":
		return TimeInfinity(1, zone == nil), true
	case "-infinity":
		return TimeInfinity(-1, zone == nil), true
	}
	return Value{}, false
}

// inZone gives a naive time the zone it was meant in. A reading that a clock
// change skipped or repeated is taken as package time takes it.
func inZone(v Value, zone *time.Location) Value {
	if v.Infinite() != 0 {
		return TimeInfinity(v.Infinite(), false)
	}
	t := v.AsTime()
	t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone)
	return Time(t, int(v.prec))
}

func toDate(v Value, zone *time.Location) (Value, bool) {
	switch v.kind {
	case KindText:
		t, err := time.Parse("2006-01-02", strings.TrimSpace(v.str))
		return Date(t.Unix() / 86400), err == nil
	case KindTime:
		if v.Infinite() != 0 {
			return DateInfinity(v.Infinite()), true
		}
		t := v.AsTime()
		if zone != nil && !v.Naive() {
			t = t.In(zone)
		}
		return DateOf(t), true
	}
	return Value{}, false
}

// DateOf is the calendar date that t's clock shows.
func DateOf(t time.Time) Value {
	midnight := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	return Date(midnight.Unix() / 86400)
}

// shorten cuts s to at most n bytes at a character's edge, saying so with "…".
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
