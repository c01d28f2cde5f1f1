package sources

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// String writes v for a person, whole and exact: texts bare, bytes as \x hex,
// times in RFC 3339, naive times without a zone, lists and documents as JSON.
// It does not make control characters visible; who prints to a terminal does.
func (v Value) String() string {
	switch v.kind {
	case KindAbsent, KindNull:
		return v.kind.String()
	case KindBool:
		return strconv.FormatBool(v.AsBool())
	case KindInt:
		return strconv.FormatInt(v.num, 10)
	case KindDecimal:
		return v.decimalText()
	case KindFloat:
		return v.floatText()
	case KindText:
		return v.str
	case KindBytes:
		return `\x` + hex.EncodeToString([]byte(v.str))
	case KindTime:
		return v.timeText()
	case KindDate:
		switch v.Infinite() {
		case 1:
			return "infinity"
		case -1:
			return "-infinity"
		}
		return dateText(time.Unix(v.num*86400, 0).UTC())
	case KindDuration:
		return v.durationText()
	case KindUUID:
		h := hex.EncodeToString([]byte(v.str))
		return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
	case KindObjectID:
		return hex.EncodeToString([]byte(v.str))
	default:
		return string(v.appendJSON(nil))
	}
}

func (v Value) floatText() string {
	f := v.AsFloat()
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	bits := 64
	if v.prec == 32 {
		bits = 32
	}
	format := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'g'
	}
	return strconv.FormatFloat(f, format, -1, bits)
}

func dateText(t time.Time) string {
	if t.Year() <= 0 { // the year before 1 is 1 BC
		return fmt.Sprintf("%04d-%02d-%02d BC", 1-t.Year(), t.Month(), t.Day())
	}
	return t.Format("2006-01-02")
}

func (v Value) timeText() string {
	switch v.Infinite() {
	case 1:
		return "infinity"
	case -1:
		return "-infinity"
	}
	t := v.AsTime()
	clock := "15:04:05"
	digits := int(v.prec)
	for d, unit := 9, int32(1); d > digits; d, unit = d-1, unit*10 { // never hide what is there
		if v.nanos%(unit*10)/unit != 0 {
			digits = d
			break
		}
	}
	if digits > 0 {
		clock += "." + strings.Repeat("0", min(digits, 9))
	}
	zone := "Z"
	if v.Naive() {
		zone = ""
	}
	date := dateText(t)
	if base, bc := strings.CutSuffix(date, " BC"); bc {
		date, zone = base, zone+" BC"
	}
	return date + "T" + t.Format(clock) + zone
}

func (v Value) durationText() string {
	months, days, ns := v.AsDuration()
	parts := []string{}
	if months != 0 {
		parts = append(parts, fmt.Sprintf("%d months", months))
	}
	if days != 0 {
		parts = append(parts, fmt.Sprintf("%d days", days))
	}
	if ns != 0 || len(parts) == 0 {
		parts = append(parts, time.Duration(ns).String())
	}
	return strings.Join(parts, " ")
}

// appendJSON writes v as plain JSON: numbers as they are, what JSON lacks as strings.
func (v Value) appendJSON(b []byte) []byte {
	switch v.kind {
	case KindAbsent, KindNull:
		return append(b, "null"...)
	case KindBool, KindInt:
		return append(b, v.String()...)
	case KindDecimal, KindFloat:
		if v.NaN() || v.Infinite() != 0 {
			return append(b, `"`+v.String()+`"`...)
		}
		return append(b, v.String()...)
	case KindList:
		b = append(b, '[')
		for i, item := range v.Items() {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.appendJSON(b)
		}
		return append(b, ']')
	case KindDocument:
		b = append(b, '{')
		for i, f := range v.Fields() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSONString(b, f.Name)
			b = f.Value.appendJSON(append(b, ':'))
		}
		return append(b, '}')
	default:
		return appendJSONString(b, v.String())
	}
}

func appendJSONString(b []byte, s string) []byte {
	var quoted bytes.Buffer
	encoder := json.NewEncoder(&quoted)
	// A text with < or & is shown as it is.
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil { // a string always marshals
		panic(err)
	}
	return append(b, bytes.TrimSuffix(quoted.Bytes(), []byte{'\n'})...)
}

// MarshalJSON writes {"type": kind, "text": exact text}. A text that is not
// valid UTF-8 also carries its bytes as "base64", because JSON text cannot.
func (v Value) MarshalJSON() ([]byte, error) {
	out := struct {
		Type   string `json:"type"`
		Text   string `json:"text"`
		Base64 string `json:"base64,omitempty"`
	}{Type: v.kind.String(), Text: v.String()}
	switch {
	case v.kind == KindAbsent || v.kind == KindNull:
		out.Text = ""
	case v.kind == KindText && !utf8.ValidString(v.str):
		out.Base64 = base64.StdEncoding.EncodeToString([]byte(v.str))
	}
	return json.Marshal(out)
}
