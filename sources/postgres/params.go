package postgres

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"plumbline/sources"
)

// Parameters travel as texts, in the form that their type's input function
// reads back as the very same value.

// The first day that dates and timestamps can be, 4714-11-24 BC, and where they
// end, in days since 2000.
const (
	firstDay   = -2_451_545
	endOfDates = 2_145_031_949
	endOfTimes = 106_751_983 // 294277-01-01
)

// exactly returns v as its column would hold it, and as a parameter. ok is
// false where the column cannot hold v: nothing in it equals v then.
func exactly(t *dataType, v sources.Value) (native sources.Value, text string, ok bool) {
	switch t.oid {
	case oidInt2:
		return integer(v, math.MinInt16, math.MaxInt16)
	case oidInt4:
		return integer(v, math.MinInt32, math.MaxInt32)
	case oidInt8:
		return integer(v, math.MinInt64, math.MaxInt64)
	case oidOid:
		return integer(v, 0, math.MaxUint32)
	case oidNumeric:
		return numeric(v)
	case oidFloat4, oidFloat8:
		return float(v, t.oid == oidFloat4)
	case oidBool:
		return v, v.String(), v.Kind() == sources.KindBool
	case oidBytea:
		return v, v.String(), v.Kind() == sources.KindBytes
	case oidUUID:
		u, ok := asUUID(v)
		return u, u.String(), ok
	case oidTimestamp, oidTimestamptz:
		floor, exact, ok := microseconds(v, t.oid == oidTimestamp)
		return v, timestamp(floor), ok && exact
	case oidDate:
		days := v.AsDays() - epochDays
		return v, date(v), v.Kind() == sources.KindDate && (v.Infinite() != 0 || firstDay <= days && days < endOfDates)
	case oidTime:
		return clock(v)
	case oidInterval:
		return interval(v)
	case oidBpchar:
		text, ok := plain(v)
		return sources.Text(strings.TrimRight(text, " ")), text, ok
	}
	text, ok = plain(v)
	if t.enum {
		ok = ok && slices.Contains(t.labels, text)
	}
	return sources.Text(text), text, ok
}

// bound returns a position's value as a parameter and the type to compare it
// in. Unlike a value to be equal to, a bound may be one that the column cannot
// hold: it lies between those that it can.
func bound(t *dataType, v sources.Value) (p param, err error) {
	text, ok := "", false
	p.typ = wireType(t)
	switch t.oid {
	case oidInt2, oidInt4, oidInt8:
		p.typ = oidInt8
		_, text, ok = integer(v, math.MinInt64, math.MaxInt64)
	case oidTimestamp, oidTimestamptz:
		// Columns hold whole microseconds: above t is above its microsecond.
		var floor sources.Value
		floor, _, ok = microseconds(v, t.oid == oidTimestamp)
		text = timestamp(floor)
	default:
		_, text, ok = exactly(t, v)
		if !ok && !known(t) {
			text, ok = plain(v)
		}
	}
	if !ok {
		return p, sources.Final(fmt.Errorf("position %s %q is none of type %s", v.Kind(), v.String(), t.name))
	}
	p.text = text
	return p, nil
}

// known says whether we can tell which values a type holds. The values of
// others are looked up by their text form.
func known(t *dataType) bool {
	return t.text() || t.oid == oidBpchar || formOf(t, -1).format == formatBinary
}

// comparable says whether a type has values that can be a key.
func comparable(t *dataType) bool { return t.elem == nil && !t.json() }

func integer(v sources.Value, least, most int64) (sources.Value, string, bool) {
	i, ok := v.Integer()
	if v.Kind() == sources.KindText {
		i, ok = sources.ParseInt(v.AsText())
	}
	return sources.Int(i), strconv.FormatInt(i, 10), ok && least <= i && i <= most
}

// Bounds of a numeric: digits before and after the point.
const (
	numericDigits = 131_072
	numericScale  = 16_383
)

func numeric(v sources.Value) (sources.Value, string, bool) {
	d := v
	if v.Kind() == sources.KindText {
		parsed, err := sources.ParseDecimal(v.AsText())
		if err != nil || parsed.String() != v.AsText() {
			return v, "", false
		}
		d = parsed
	}
	switch {
	case !d.Kind().Number():
		return v, "", false
	case d.NaN():
		return sources.DecimalNaN(), "NaN", true
	case d.Infinite() != 0:
		return sources.DecimalInfinity(d.Infinite()), sources.DecimalInfinity(d.Infinite()).String(), true
	}
	d, ok := sources.Canonical(d).ExactDecimal()
	if !ok {
		return v, "", false
	}
	written, exponent, ok := d.DecimalParts()
	text := written + "e" + strconv.FormatInt(exponent, 10)
	return d, text, ok && int64(len(written))+exponent <= numericDigits && -exponent <= numericScale
}

// float returns the float whose canonical form v has.
func float(v sources.Value, single bool) (sources.Value, string, bool) {
	if !v.Kind().Number() {
		return v, "", false
	}
	f, err := strconv.ParseFloat(sources.Canonical(v).String(), 64)
	if err != nil {
		return v, "", false
	}
	native := sources.Float(f)
	if finite := !v.NaN() && v.Infinite() == 0; finite && !sources.Canonical(native).Equal(sources.Canonical(v)) {
		return v, "", false
	}
	if !single {
		return native, strconv.FormatFloat(f, 'g', -1, 64), true
	}
	return sources.Float32(float32(f)), strconv.FormatFloat(f, 'g', -1, 32), float64(float32(f)) == f || math.IsNaN(f)
}

func asUUID(v sources.Value) (sources.Value, bool) {
	if v.Kind() == sources.KindUUID {
		return v, true
	}
	u, ok := sources.ParseUUID(v.AsText())
	return sources.UUID(u), ok && v.Kind() == sources.KindText && sources.UUID(u).String() == v.AsText()
}

// plain returns a text that the server can take: valid UTF-8 without NUL.
// A uuid and an objectid are matched as their texts.
func plain(v sources.Value) (string, bool) {
	switch v.Kind() {
	case sources.KindText, sources.KindUUID, sources.KindObjectID:
		text := v.String()
		return text, utf8.ValidString(text) && !strings.Contains(text, "\x00")
	}
	return "", false
}

// microseconds rounds an instant down to what columns keep. ok is false where v
// is no such time or beyond what PostgreSQL holds.
func microseconds(v sources.Value, naive bool) (floor sources.Value, exact, ok bool) {
	if v.Kind() != sources.KindTime || v.Naive() != naive {
		return v, false, false
	}
	if v.Infinite() != 0 {
		return v, true, true
	}
	t := v.AsTime()
	floor = sources.Time(t.Add(-time.Duration(t.Nanosecond()%1000)), 6)
	day, _ := floorDiv(t.Unix()-epochSeconds, 86400)
	return floor, t.Nanosecond()%1000 == 0, firstDay <= day && day < endOfTimes
}

// timestamp writes a time as the server reads it, whether with a zone or not.
func timestamp(v sources.Value) string {
	if v.Infinite() != 0 {
		return v.String()
	}
	t := v.AsTime()
	return calendar(t.Year(), t.Format("-01-02 15:04:05.000000")+"+00")
}

func date(v sources.Value) string {
	if v.Kind() != sources.KindDate || v.Infinite() != 0 {
		return v.String()
	}
	t := time.Unix(v.AsDays()*86400, 0).UTC()
	return calendar(t.Year(), t.Format("-01-02"))
}

// calendar puts the year in front: the year before 1 is 1 BC.
func calendar(year int, rest string) string {
	if year <= 0 {
		return fmt.Sprintf("%04d%s BC", 1-year, rest)
	}
	return fmt.Sprintf("%04d%s", year, rest)
}

func clock(v sources.Value) (sources.Value, string, bool) {
	months, days, ns := v.AsDuration()
	ok := v.Kind() == sources.KindDuration && months == 0 && days == 0 && 0 <= ns && ns <= int64(24*time.Hour) && ns%1000 == 0
	return v, hours(ns), ok
}

func interval(v sources.Value) (sources.Value, string, bool) {
	months, days, ns := v.AsDuration()
	sign := "+"
	if ns < 0 {
		sign = "-"
	}
	text := fmt.Sprintf("%+d mons %+d days %s%s", months, days, sign, hours(ns))
	return v, text, v.Kind() == sources.KindDuration && ns%1000 == 0
}

// hours writes the size of a span as hours, minutes and seconds.
func hours(ns int64) string {
	micros := uint64(max(ns/1000, -(ns / 1000)))
	return fmt.Sprintf("%02d:%02d:%02d.%06d", micros/3_600_000_000, micros/60_000_000%60, micros/1_000_000%60, micros%1_000_000)
}
