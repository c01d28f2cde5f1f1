package mysql

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"plumbline/sources"
)

var (
	errNoForm     = errors.New("the column has no form for such a value")
	errTooLong    = errors.New("the value is longer than the column takes")
	errOutOfRange = errors.New("the value is out of the column's range")
	errNoLabel    = errors.New("the value is no label of the column")
)

// assigned is a value as the text by which a column is made to hold it, as
// stored.typed reads it. It may be one that the column rounds; one that the
// server would cut off, or put another in the place of, is an error. The value
// is neither null nor absent. No error shows it.
func (c *stored) assigned(v sources.Value) (string, error) {
	if c.json || c.base == "json" {
		return jsonText(v)
	}
	switch c.base {
	case "tinyint", "smallint", "mediumint", "int", "bigint", "year", "bit":
		return c.integer(v)
	case "decimal", "numeric":
		return c.decimal(v)
	case "float", "double", "real":
		return c.float(v)
	case "date", "datetime", "timestamp":
		return c.moment(v)
	case "time":
		return c.span(v)
	case "enum", "set":
		return c.label(v)
	}
	switch c.spelling() {
	case spellText:
		return c.words(v)
	case spellBytes:
		return c.bytes(v)
	case spellShape:
		return "", errNoForm
	}
	if v.Kind() == sources.KindList || v.Kind() == sources.KindDocument || v.Kind() == sources.KindBytes {
		return "", errNoForm
	}
	return v.String(), nil
}

// integer takes what counts a whole number, and never rounds.
func (c *stored) integer(v sources.Value) (string, error) {
	n := new(big.Int)
	switch k := v.Kind(); {
	case k == sources.KindBool:
		if v.AsBool() {
			n.SetInt64(1)
		}
	case k == sources.KindBytes && c.base == "bit":
		n.SetBytes([]byte(v.AsText()))
	case k.Number() || k == sources.KindText:
		if k == sources.KindText {
			var err error
			if v, err = sources.ParseDecimal(v.AsText()); err != nil {
				return "", errNoForm
			}
		}
		r, ok := rational(v)
		if !ok || !r.IsInt() {
			return "", errNoForm
		}
		n.Set(r.Num())
	default:
		return "", errNoForm
	}
	low, high := c.bounds()
	if n.Cmp(low) < 0 || n.Cmp(high) > 0 {
		if c.base != "year" || n.Sign() != 0 {
			return "", errOutOfRange
		}
	}
	return n.String(), nil
}

// bounds are the least and the greatest integer that the column takes.
func (c *stored) bounds() (low, high *big.Int) {
	bits := map[string]uint{"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64, "bit": uint(c.length)}[c.base]
	switch {
	case c.base == "year":
		return big.NewInt(1901), big.NewInt(2155)
	case c.unsigned || c.base == "bit":
		high = new(big.Int).Lsh(big.NewInt(1), bits)
		return new(big.Int), high.Sub(high, big.NewInt(1))
	}
	high = new(big.Int).Lsh(big.NewInt(1), bits-1)
	return new(big.Int).Neg(high), new(big.Int).Sub(high, big.NewInt(1))
}

// rational is a finite number, exactly. One with more digits than any column
// holds is none.
func rational(v sources.Value) (*big.Rat, bool) {
	if v.NaN() || v.Infinite() != 0 {
		return nil, false
	}
	if digits, exponent, ok := v.DecimalParts(); ok && (exponent > 400 || exponent < -2000 || len(digits) > 2000) {
		return nil, false
	}
	return new(big.Rat).SetString(v.String())
}

// decimal rounds half away from zero to the column's scale, as the server does.
func (c *stored) decimal(v sources.Value) (string, error) {
	if !v.Kind().Number() {
		return "", errNoForm
	}
	r, ok := rational(v)
	if !ok {
		return "", errNoForm
	}
	text := r.FloatString(int(max(c.scale, 0))) // rounds so
	whole, _, _ := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	if whole = strings.TrimLeft(whole, "0"); int64(len(whole)) > c.digits-max(c.scale, 0) {
		return "", errOutOfRange
	}
	if c.unsigned && strings.HasPrefix(text, "-") && strings.Trim(text, "-0.") != "" {
		return "", errOutOfRange
	}
	return text, nil
}

func (c *stored) float(v sources.Value) (string, error) {
	if !v.Kind().Number() {
		return "", errNoForm
	}
	bits := 64
	if c.base == "float" {
		bits = 32
	}
	f, err := strconv.ParseFloat(v.String(), bits)
	switch {
	case err != nil || math.IsInf(f, 0):
		return "", errOutOfRange
	case math.IsNaN(f):
		return "", errNoForm
	case c.unsigned && f < 0:
		return "", errOutOfRange
	}
	if c.scale >= 0 { // float(7,2) keeps so many digits after the point
		if f, err = strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(c.scale), bits), bits); err != nil {
			return "", errOutOfRange
		}
	}
	return strconv.FormatFloat(f, 'g', -1, 64), nil // of 32 bits too: the digits of just that number
}

// moment writes a date, a time of no zone, or an instant in UTC, with all its
// digits: how the server rounds them, its cast tells.
func (c *stored) moment(v sources.Value) (string, error) {
	if v.Infinite() != 0 {
		return "", errNoForm
	}
	var at time.Time
	switch {
	case c.base == "date" && v.Kind() == sources.KindDate:
		at = time.Unix(v.AsDays()*86400, 0).UTC()
	case c.base == "datetime" && v.Kind() == sources.KindTime && v.Naive(), c.base == "timestamp" && v.Kind() == sources.KindTime && !v.Naive():
		at = v.AsTime()
	default:
		return "", errNoForm
	}
	if at.Year() < 0 || at.Year() > 9999 {
		return "", errOutOfRange
	}
	if c.base == "date" {
		return at.Format("2006-01-02"), nil
	}
	if c.base == "timestamp" && (at.Unix() < 1 || at.Unix() > math.MaxUint32) {
		return "", errOutOfRange
	}
	// Half of the last digit would carry the end of the year 9999 over it.
	digits := at.Nanosecond() / 1000
	return at.Format("2006-01-02 15:04:05") + fmt.Sprintf(".%06d", digits), nil
}

// longestSpan is the most that a time column holds, of either sign.
const longestSpan = 838*time.Hour + 59*time.Minute + 59*time.Second

func (c *stored) span(v sources.Value) (string, error) {
	if v.Kind() != sources.KindDuration {
		return "", errNoForm
	}
	months, days, ns := v.AsDuration()
	if months != 0 || days > 40 || days < -40 || ns > 1000*int64(time.Hour) || ns < -1000*int64(time.Hour) {
		return "", errOutOfRange
	}
	d := time.Duration(days)*24*time.Hour + time.Duration(ns)
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	if d.Truncate(time.Second) > longestSpan {
		return "", errOutOfRange
	}
	return fmt.Sprintf("%s%02d:%02d:%02d.%06d", sign, d/time.Hour, d/time.Minute%60, d/time.Second%60, d/time.Microsecond%1e6), nil
}

// label takes the labels themselves: neither their numbers nor what a collation
// calls equal to them.
func (c *stored) label(v sources.Value) (string, error) {
	if v.Kind() != sources.KindText {
		return "", errNoForm
	}
	text := v.AsText()
	if c.base == "enum" {
		if !slices.Contains(c.labels, text) {
			return "", errNoLabel
		}
		return text, nil
	}
	chosen := map[string]bool{}
	if text != "" {
		for _, member := range strings.Split(text, ",") {
			if !slices.Contains(c.labels, member) {
				return "", errNoLabel
			}
			chosen[member] = true
		}
	}
	ordered := slices.DeleteFunc(slices.Clone(c.labels), func(label string) bool { return !chosen[label] })
	return strings.Join(ordered, ","), nil
}

// words writes text in UTF-8; whether the column's character set has all of it,
// Become asks the server.
func (c *stored) words(v sources.Value) (string, error) {
	switch v.Kind() {
	case sources.KindList, sources.KindDocument, sources.KindBytes:
		return "", errNoForm
	}
	text := v.String()
	if c.base == "char" {
		text = strings.TrimRight(text, " ") // which is how the column has them
	}
	switch {
	case !utf8.ValidString(text):
		return "", errNoForm
	case int64(utf8.RuneCountInString(text)) > c.length:
		return "", errTooLong
	case strings.HasSuffix(c.base, "text") && int64(len(text)) > c.octets && strings.HasPrefix(c.charset, "utf8"):
		return "", errTooLong
	}
	return text, nil
}

func (c *stored) bytes(v sources.Value) (string, error) {
	text := v.AsText()
	switch v.Kind() {
	case sources.KindBytes:
	case sources.KindUUID:
		id := v.AsUUID()
		text = string(id[:])
	case sources.KindObjectID:
		id := v.AsObjectID()
		text = string(id[:])
	default:
		return "", errNoForm
	}
	if int64(len(text)) > c.octets {
		return "", errTooLong
	}
	if c.base == "binary" {
		text += strings.Repeat("\x00", int(c.octets)-len(text))
	}
	return text, nil
}

// jsonText writes a value as JSON, what JSON has no form of as text.
func jsonText(v sources.Value) (string, error) {
	switch v.Kind() {
	case sources.KindInt, sources.KindDecimal, sources.KindFloat, sources.KindBool, sources.KindList, sources.KindDocument:
		return v.String(), nil
	case sources.KindAbsent, sources.KindNull:
		return "null", nil
	}
	return quotedJSON(v.String())
}

// quotedJSON writes a text as JSON, its characters as they are.
func quotedJSON(text string) (string, error) {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil {
		return "", err
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}
