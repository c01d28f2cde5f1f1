package mysql

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"plumbline/sources"
)

var (
	errRaw  = errors.New("is none in our own binary form")
	errZero = errors.New("is a date that no calendar has")
)

func decodeText(raw []byte) (sources.Value, error)  { return sources.Text(string(raw)), nil }
func decodeBytes(raw []byte) (sources.Value, error) { return sources.Bytes(raw), nil }

func decodeInt(raw []byte) (sources.Value, error) {
	switch len(raw) {
	case 2:
		return sources.Int(int64(int16(binary.BigEndian.Uint16(raw)))), nil
	case 4:
		return sources.Int(int64(int32(binary.BigEndian.Uint32(raw)))), nil
	case 8:
		return sources.Int(int64(binary.BigEndian.Uint64(raw))), nil
	}
	return sources.Value{}, fmt.Errorf("an integer %w", errRaw)
}

// decodeUnsigned reads an integer up to 2^64-1; from 2^63 on it is a decimal.
func decodeUnsigned(raw []byte) (sources.Value, error) {
	if len(raw) != 8 {
		return sources.Value{}, fmt.Errorf("an integer %w", errRaw)
	}
	return sources.Uint(binary.BigEndian.Uint64(raw)), nil
}

func decodeFloat4(raw []byte) (sources.Value, error) {
	if len(raw) != 4 {
		return sources.Value{}, fmt.Errorf("a float %w", errRaw)
	}
	return sources.Float32(math.Float32frombits(binary.BigEndian.Uint32(raw))), nil
}

func decodeFloat8(raw []byte) (sources.Value, error) {
	if len(raw) != 8 {
		return sources.Value{}, fmt.Errorf("a float %w", errRaw)
	}
	return sources.Float(math.Float64frombits(binary.BigEndian.Uint64(raw))), nil
}

func decodeUUID(raw []byte) (sources.Value, error) {
	if len(raw) != 16 {
		return sources.Value{}, fmt.Errorf("a uuid %w", errRaw)
	}
	return sources.UUID([16]byte(raw)), nil
}

func decodeDate(raw []byte) (sources.Value, error) {
	if len(raw) != 4 {
		return sources.Value{}, errZero
	}
	return sources.Date(int64(int32(binary.BigEndian.Uint32(raw))) + epochDays), nil
}

func decodeTime(digits int, naive bool) func(raw []byte) (sources.Value, error) {
	return func(raw []byte) (sources.Value, error) {
		if len(raw) != 8 {
			return sources.Value{}, errZero
		}
		micros := int64(binary.BigEndian.Uint64(raw))
		at := time.UnixMicro(micros + epochSeconds*1_000_000).UTC()
		if naive {
			return sources.NaiveTime(at, digits), nil
		}
		return sources.Time(at, digits), nil
	}
}

func decodeClock(raw []byte) (sources.Value, error) {
	if len(raw) != 8 {
		return sources.Value{}, fmt.Errorf("a time %w", errRaw)
	}
	return sources.Duration(0, 0, int64(binary.BigEndian.Uint64(raw))*1000), nil
}

// decodeNumeric reads what appendNumeric wrote.
func decodeNumeric(raw []byte) (sources.Value, error) {
	if len(raw) < 8 || len(raw) != 8+2*int(binary.BigEndian.Uint16(raw)) {
		return sources.Value{}, fmt.Errorf("a decimal %w", errRaw)
	}
	weight := int64(int16(binary.BigEndian.Uint16(raw[2:])))
	scale := int(binary.BigEndian.Uint16(raw[6:]))
	var small [96]byte
	text := small[:0]
	if binary.BigEndian.Uint16(raw[4:]) != 0 {
		text = append(text, '-')
	}
	groups := raw[8:]
	if len(groups) == 0 {
		return sources.Decimal("0", 0, scale), nil
	}
	for i := 0; i < len(groups); i += 2 {
		g := binary.BigEndian.Uint16(groups[i:])
		text = append(text, '0'+byte(g/1000), '0'+byte(g/100%10), '0'+byte(g/10%10), '0'+byte(g%10))
	}
	return sources.Decimal(string(text), 4*(weight+1-int64(len(groups)/2)), scale), nil
}
