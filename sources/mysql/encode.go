package mysql

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"time"
)

// epochDays and epochSeconds are where PostgreSQL's dates and times begin, 2000-01-01.
const (
	epochDays    = 10_957
	epochSeconds = epochDays * 86_400
)

func appendText(b []byte, v any) (out []byte, plain, ok bool) {
	text, ok := v.([]byte)
	return append(b, text...), true, ok
}

// appendInt writes an integer in so many bytes.
func appendInt(bytes int) func(b []byte, v any) (out []byte, plain, ok bool) {
	return func(b []byte, v any) ([]byte, bool, bool) {
		var u uint64
		switch v := v.(type) {
		case int64:
			u = uint64(v)
		case uint64:
			u = v
		default:
			return b, true, false
		}
		switch bytes {
		case 2:
			return binary.BigEndian.AppendUint16(b, uint16(u)), true, true
		case 4:
			return binary.BigEndian.AppendUint32(b, uint32(u)), true, true
		}
		return binary.BigEndian.AppendUint64(b, u), true, true
	}
}

// appendBit writes the number that up to eight bytes count.
func appendBit(b []byte, v any) (out []byte, plain, ok bool) {
	bits, ok := v.([]byte)
	if !ok || len(bits) > 8 {
		return b, true, false
	}
	var u uint64
	for _, c := range bits {
		u = u<<8 | uint64(c)
	}
	return binary.BigEndian.AppendUint64(b, u), true, true
}

func appendFloat4(b []byte, v any) (out []byte, plain, ok bool) {
	switch f := v.(type) {
	case float64: // selected as a double, which holds every float exactly
		return binary.BigEndian.AppendUint32(b, math.Float32bits(float32(f))), true, true
	}
	return b, true, false
}

func appendFloat8(b []byte, v any) (out []byte, plain, ok bool) {
	f, ok := v.(float64)
	return binary.BigEndian.AppendUint64(b, math.Float64bits(f)), true, ok
}

func appendUUID(b []byte, v any) (out []byte, plain, ok bool) {
	text, ok := v.([]byte)
	if !ok || len(text) != 36 {
		return b, true, false
	}
	for _, part := range [][]byte{text[:8], text[9:13], text[14:18], text[19:23], text[24:]} {
		var err error
		if b, err = hex.AppendDecode(b, part); err != nil {
			return b, true, false
		}
	}
	return b, true, true
}

// appendNumeric writes a decimal's digits in groups of four, as PostgreSQL does:
// how many groups, the first one's weight, the sign, the scale, the groups.
func appendNumeric(b []byte, v any) (out []byte, plain, ok bool) {
	text, ok := v.([]byte)
	if !ok || len(text) == 0 || len(text) > maxDigits+2 {
		return b, true, false
	}
	sign := uint16(0)
	if text[0] == '-' {
		sign, text = 0x4000, text[1:]
	}
	point := len(text)
	for i, c := range text {
		if c == '.' {
			point = i
		} else if c < '0' || c > '9' {
			return b, true, false
		}
	}
	scale := max(0, len(text)-point-1)
	// The digits before the point and those behind it are made whole groups with zeros.
	var digits [maxDigits + 8]byte
	n := copy(digits[(4-point%4)%4:], text[:point]) + (4-point%4)%4
	top := n/4 - 1
	if scale > 0 {
		n += copy(digits[n:], text[point+1:])
	}
	n = (n + 3) / 4 * 4
	group := func(weight int) uint16 {
		at := 4 * (top - weight)
		return uint16(digits[at]&15)*1000 + uint16(digits[at+1]&15)*100 + uint16(digits[at+2]&15)*10 + uint16(digits[at+3]&15)
	}
	first, last := top, top-n/4+1
	for first >= last && group(first) == 0 {
		first--
	}
	for last <= first && group(last) == 0 {
		last++
	}
	if first < last {
		first, last, sign = 0, 1, 0
	}
	b = binary.BigEndian.AppendUint16(b, uint16(first-last+1))
	b = binary.BigEndian.AppendUint16(b, uint16(int16(first)))
	b = binary.BigEndian.AppendUint16(b, sign)
	b = binary.BigEndian.AppendUint16(b, uint16(scale))
	for weight := first; weight >= last; weight-- {
		b = binary.BigEndian.AppendUint16(b, group(weight))
	}
	return b, true, true
}

// appendDate writes days; a date that is on no calendar (0000-00-00, a day 0) is
// kept as its text, which no decoder reads.
func appendDate(b []byte, v any) (out []byte, plain, ok bool) {
	text, ok := v.([]byte)
	if !ok {
		return b, true, false
	}
	days, good := daysOf(text)
	if !good {
		return append(b, text...), false, true
	}
	return binary.BigEndian.AppendUint32(b, uint32(int32(days-epochDays))), true, true
}

// appendTime writes microseconds; a zero date stays a text, as in appendDate.
func appendTime(b []byte, v any) (out []byte, plain, ok bool) {
	text, ok := v.([]byte)
	if !ok {
		return b, true, false
	}
	days, good := int64(0), len(text) >= 19
	if good {
		days, good = daysOf(text[:10])
	}
	micros, fine := int64(0), false
	if good {
		micros, fine = microsOf(text[11:])
	}
	if !fine {
		return append(b, text...), false, true
	}
	return binary.BigEndian.AppendUint64(b, uint64((days-epochDays)*86_400_000_000+micros)), true, true
}

// appendClock writes a span of up to 838 hours in microseconds.
func appendClock(b []byte, v any) (out []byte, plain, ok bool) {
	text, ok := v.([]byte)
	if !ok {
		return b, true, false
	}
	sign := int64(1)
	if len(text) > 0 && text[0] == '-' {
		sign, text = -1, text[1:]
	}
	micros, good := microsOf(text)
	if !good {
		return b, true, false
	}
	return binary.BigEndian.AppendUint64(b, uint64(sign*micros)), true, true
}

// daysOf reads 2024-02-29 as days since 1970. ok is false where the calendar has
// no such day.
func daysOf(text []byte) (days int64, ok bool) {
	if len(text) != 10 || text[4] != '-' || text[7] != '-' {
		return 0, false
	}
	year, ok1 := digitsOf(text[:4])
	month, ok2 := digitsOf(text[5:7])
	day, ok3 := digitsOf(text[8:10])
	if !ok1 || !ok2 || !ok3 || month < 1 || month > 12 || day < 1 || day > 31 {
		return 0, false
	}
	t := time.Date(int(year), time.Month(month), int(day), 0, 0, 0, 0, time.UTC)
	return t.Unix() / 86_400, t.Day() == int(day) && (t.Unix() >= 0 || t.Unix()%86_400 == 0)
}

// microsOf reads 12:34:56.789 (with two digits of hours or more) as microseconds.
func microsOf(text []byte) (micros int64, ok bool) {
	colon := 0
	for colon < len(text) && text[colon] != ':' {
		colon++
	}
	rest := text[colon:]
	if colon < 2 || len(rest) < 6 || rest[3] != ':' {
		return 0, false
	}
	hours, ok1 := digitsOf(text[:colon])
	minutes, ok2 := digitsOf(rest[1:3])
	seconds, ok3 := digitsOf(rest[4:6])
	micros = ((hours*60+minutes)*60 + seconds) * 1_000_000
	if len(rest) > 6 {
		unit := int64(1_000_000)
		if rest[6] != '.' || len(rest) > 13 {
			return 0, false
		}
		for _, c := range rest[7:] {
			if c < '0' || c > '9' {
				return 0, false
			}
			unit /= 10
			micros += int64(c-'0') * unit
		}
	}
	return micros, ok1 && ok2 && ok3
}

func digitsOf(text []byte) (n int64, ok bool) {
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(text) > 0
}
