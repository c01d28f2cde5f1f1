package postgres

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"plumbline/sources"
)

// The binary forms are those of the server's send functions: integers in
// network order, times as microseconds and dates as days since 2000.

const (
	epochSeconds = 946_684_800 // 2000-01-01 in Unix seconds
	epochDays    = 10_957      // … and in days since 1970-01-01
)

// errBinary says that a value is not in the form its type is sent in.
var errBinary = errors.New("is not in its type's binary form")

func sized(raw []byte, size int) error {
	if len(raw) != size {
		return fmt.Errorf("a value of %d bytes %w", len(raw), errBinary)
	}
	return nil
}

func decodeBool(raw []byte) (sources.Value, error) {
	if err := sized(raw, 1); err != nil {
		return sources.Value{}, err
	}
	return sources.Bool(raw[0] != 0), nil
}

func decodeInt2(raw []byte) (sources.Value, error) {
	if err := sized(raw, 2); err != nil {
		return sources.Value{}, err
	}
	return sources.Int(int64(int16(binary.BigEndian.Uint16(raw)))), nil
}

func decodeInt4(raw []byte) (sources.Value, error) {
	if err := sized(raw, 4); err != nil {
		return sources.Value{}, err
	}
	return sources.Int(int64(int32(binary.BigEndian.Uint32(raw)))), nil
}

func decodeInt8(raw []byte) (sources.Value, error) {
	if err := sized(raw, 8); err != nil {
		return sources.Value{}, err
	}
	return sources.Int(int64(binary.BigEndian.Uint64(raw))), nil
}

func decodeOid(raw []byte) (sources.Value, error) {
	if err := sized(raw, 4); err != nil {
		return sources.Value{}, err
	}
	return sources.Int(int64(binary.BigEndian.Uint32(raw))), nil
}

func decodeFloat4(raw []byte) (sources.Value, error) {
	if err := sized(raw, 4); err != nil {
		return sources.Value{}, err
	}
	return sources.Float32(math.Float32frombits(binary.BigEndian.Uint32(raw))), nil
}

func decodeFloat8(raw []byte) (sources.Value, error) {
	if err := sized(raw, 8); err != nil {
		return sources.Value{}, err
	}
	return sources.Float(math.Float64frombits(binary.BigEndian.Uint64(raw))), nil
}

func decodeText(raw []byte) (sources.Value, error) { return sources.Text(string(raw)), nil }

func decodeBytea(raw []byte) (sources.Value, error) { return sources.Bytes(raw), nil }

// decodeBpchar drops the spaces that char(n) pads with: by its type's meaning
// they are no part of the value.
func decodeBpchar(raw []byte) (sources.Value, error) {
	return sources.Text(strings.TrimRight(string(raw), " ")), nil
}

func decodeUUID(raw []byte) (sources.Value, error) {
	if err := sized(raw, 16); err != nil {
		return sources.Value{}, err
	}
	return sources.UUID([16]byte(raw)), nil
}

func decodeJSONB(raw []byte) (sources.Value, error) {
	if len(raw) == 0 || raw[0] != 1 {
		return sources.Value{}, fmt.Errorf("a jsonb value %w", errBinary)
	}
	return sources.ParseJSON(raw[1:])
}

// decodeTime reads timestamptz, or timestamp where naive.
func decodeTime(digits int, naive bool) func([]byte) (sources.Value, error) {
	return func(raw []byte) (sources.Value, error) {
		if err := sized(raw, 8); err != nil {
			return sources.Value{}, err
		}
		micros := int64(binary.BigEndian.Uint64(raw))
		switch micros {
		case math.MaxInt64:
			return sources.TimeInfinity(1, naive), nil
		case math.MinInt64:
			return sources.TimeInfinity(-1, naive), nil
		}
		seconds, rest := floorDiv(micros, 1_000_000)
		t := time.Unix(seconds+epochSeconds, rest*1000).UTC()
		if naive {
			return sources.NaiveTime(t, digits), nil
		}
		return sources.Time(t, digits), nil
	}
}

// floorDiv divides rounding down, so that the rest is never negative.
func floorDiv(a, b int64) (quotient, rest int64) {
	quotient, rest = a/b, a%b
	if rest < 0 {
		quotient, rest = quotient-1, rest+b
	}
	return quotient, rest
}

func decodeDate(raw []byte) (sources.Value, error) {
	if err := sized(raw, 4); err != nil {
		return sources.Value{}, err
	}
	switch days := int32(binary.BigEndian.Uint32(raw)); days {
	case math.MaxInt32:
		return sources.DateInfinity(1), nil
	case math.MinInt32:
		return sources.DateInfinity(-1), nil
	default:
		return sources.Date(int64(days) + epochDays), nil
	}
}

// decodeClock reads a time of day, as the time since midnight.
func decodeClock(raw []byte) (sources.Value, error) {
	if err := sized(raw, 8); err != nil {
		return sources.Value{}, err
	}
	return sources.Duration(0, 0, int64(binary.BigEndian.Uint64(raw))*1000), nil
}

var (
	errLongInterval     = errors.New("an interval of more than 292 years of hours has no canonical form")
	errInfiniteInterval = errors.New("an infinite interval has no canonical form")
)

func decodeInterval(raw []byte) (sources.Value, error) {
	if err := sized(raw, 16); err != nil {
		return sources.Value{}, err
	}
	micros := int64(binary.BigEndian.Uint64(raw))
	days, months := int32(binary.BigEndian.Uint32(raw[8:])), int32(binary.BigEndian.Uint32(raw[12:]))
	switch {
	case micros == math.MaxInt64 && days == math.MaxInt32 && months == math.MaxInt32,
		micros == math.MinInt64 && days == math.MinInt32 && months == math.MinInt32:
		return sources.Value{}, errInfiniteInterval
	case micros > math.MaxInt64/1000 || micros < math.MinInt64/1000:
		return sources.Value{}, errLongInterval
	}
	return sources.Duration(months, days, micros*1000), nil
}

// Signs of a binary numeric.
const (
	numericPositive    = 0x0000
	numericNegative    = 0x4000
	numericNaN         = 0xC000
	numericPosInfinity = 0xD000
	numericNegInfinity = 0xF000
)

// decodeNumeric reads digits in base 10,000, of which the first has the weight
// 10,000^weight.
func decodeNumeric(raw []byte) (sources.Value, error) {
	if len(raw) < 8 || len(raw) != 8+2*int(binary.BigEndian.Uint16(raw)) {
		return sources.Value{}, fmt.Errorf("a numeric %w", errBinary)
	}
	weight := int64(int16(binary.BigEndian.Uint16(raw[2:])))
	scale := int(binary.BigEndian.Uint16(raw[6:]))
	var small [64]byte
	text := small[:0]
	switch binary.BigEndian.Uint16(raw[4:]) {
	case numericPositive:
	case numericNegative:
		text = append(text, '-')
	case numericNaN:
		return sources.DecimalNaN(), nil
	case numericPosInfinity:
		return sources.DecimalInfinity(1), nil
	case numericNegInfinity:
		return sources.DecimalInfinity(-1), nil
	default:
		return sources.Value{}, fmt.Errorf("a numeric %w", errBinary)
	}
	groups := raw[8:]
	if len(groups) == 0 {
		return sources.Decimal("0", 0, scale), nil
	}
	for i := 0; i < len(groups); i += 2 {
		g := binary.BigEndian.Uint16(groups[i:])
		if g > 9999 {
			return sources.Value{}, fmt.Errorf("a numeric %w", errBinary)
		}
		text = append(text, '0'+byte(g/1000), '0'+byte(g/100%10), '0'+byte(g/10%10), '0'+byte(g%10))
	}
	return sources.Decimal(string(text), 4*(weight+1-int64(len(groups)/2)), scale), nil
}
