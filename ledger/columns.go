package ledger

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"plumbline/sources"
)

// millis is how a time is kept; the zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// timeOf is the time that millis kept.
func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// text is s as both engines take it: valid UTF-8 without NUL.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// encodeKey keeps a key, an id or a position that is not open.
func encodeKey(values []sources.Value) []byte {
	b := []byte{}
	for _, v := range values {
		b = v.AppendEncoding(b)
	}
	return b
}

// decodeKey reads all values back; none is nil.
func decodeKey(b []byte) (values []sources.Value, err error) {
	for len(b) > 0 {
		var v sources.Value
		if v, b, err = sources.DecodeValue(b); err != nil {
			return nil, fmt.Errorf("read a key: %w", err)
		}
		values = append(values, v)
	}
	return values, nil
}

// decodePosition reads a position back, which a byte stands before, since a driver
// may read no bytes back as none.
func decodePosition(b []byte) (sources.Position, error) {
	if len(b) == 0 {
		return nil, nil
	}
	values, err := decodeKey(b[1:])
	if values == nil {
		values = sources.Position{}
	}
	return values, err
}

// document is v as JSON.
func document(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("write JSON: %w", err)
	}
	return string(b), nil
}

func undocument(s string, v any) error {
	if s == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(s), v); err != nil {
		return fmt.Errorf("read JSON: %w", err)
	}
	return nil
}

// placeholders writes "($1,$2),($3,$4)" for rows of a number of columns, the
// first of them numbered from.
func placeholders(from, rows, columns int) string {
	b := make([]byte, 0, rows*columns*6)
	for r := range rows {
		if r > 0 {
			b = append(b, ',')
		}
		b = append(b, '(')
		for c := range columns {
			if c > 0 {
				b = append(b, ',')
			}
			b = append(b, '$')
			b = strconv.AppendInt(b, int64(from+r*columns+c), 10)
		}
		b = append(b, ')')
	}
	return string(b)
}

// mostParameters is about how many parameters a statement that is repeated has.
const mostParameters = 512

// chunks hands items on in pieces of few sizes, so that the statements made for
// them are few and an engine may keep them prepared. Each item fills columns.
func chunks[T any](items []T, columns int, do func([]T) error) error {
	for _, size := range []int{256, 64, 32, 16, 8, 4, 2, 1} {
		for size*columns <= max(mostParameters, columns) && len(items) >= size {
			if err := do(items[:size]); err != nil {
				return err
			}
			items = items[size:]
		}
	}
	return nil
}
