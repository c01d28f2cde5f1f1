package mysql

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"strings"

	"plumbline/sources"
)

// take adds one row: each column four bytes of length (-1 for null) and its raw
// bytes; then the flags, a byte each.
func (r *result) take(values []driver.Value, st *statement) error {
	start := len(r.data)
	for i, v := range values[:len(values)-st.extra()] {
		at := len(r.data)
		r.data = append(r.data, 0, 0, 0, 0)
		if v == nil {
			binary.BigEndian.PutUint32(r.data[at:], ^uint32(0))
			continue
		}
		var ok bool
		if st.columns == nil {
			r.data, ok = appendAny(r.data, v)
		} else {
			var plain bool
			r.data, plain, ok = st.columns[i].form.append(r.data, v)
			proves := st.columns[i].form.proves
			r.odd = r.odd || !plain || st.raw && proves != nil && !proves(r.data[at+4:])
		}
		if !ok {
			return errChanged
		}
		binary.BigEndian.PutUint32(r.data[at:], uint32(len(r.data)-at-4))
	}
	size := len(r.data) - start
	extra := values[len(values)-st.extra():]
	if st.sized {
		unread, ok := asInt(extra[st.flags])
		if !ok {
			return errChanged
		}
		size += int(unread)
	}
	if size > sources.MaxRecordSize && st.columns != nil {
		r.shorten(start, st.keep, len(st.columns))
		if r.big == nil {
			r.big = map[int]int{}
		}
		r.big[len(r.ends)] = size
	}
	for _, v := range extra[:st.flags] {
		flag, ok := asInt(v)
		if !ok {
			return errChanged
		}
		r.data = append(r.data, byte(flag))
	}
	r.ends = append(r.ends, len(r.data))
	return nil
}

// shorten drops of the row that begins at start all but its first columns.
func (r *result) shorten(start, keep, columns int) {
	at := start
	for range keep {
		at += 4 + int(max(0, int32(binary.BigEndian.Uint32(r.data[at:]))))
	}
	r.data = r.data[:at]
	for range columns - keep {
		r.data = binary.BigEndian.AppendUint32(r.data, ^uint32(0))
	}
}

// asInt reads a number or the text of one; null is 0.
func asInt(v driver.Value) (int64, bool) {
	switch v := v.(type) {
	case nil:
		return 0, true
	case int64:
		return v, true
	case uint64:
		return int64(v), true
	case []byte:
		var n int64
		_, err := fmt.Sscan(string(v), &n)
		return n, err == nil
	}
	return 0, false
}

// appendAny appends a value's text, whatever it is.
func appendAny(b []byte, v driver.Value) ([]byte, bool) {
	switch v := v.(type) {
	case []byte:
		return append(b, v...), true
	default:
		return fmt.Append(b, v), true
	}
}

// texts returns the rows of a result of texts, null as "".
func (r *result) texts() [][]string {
	rows := make([][]string, len(r.ends))
	start := 0
	for i, end := range r.ends {
		for row := r.data[start:end]; len(row) > 0; {
			var column []byte
			column, row, _ = cutColumn(row)
			rows[i] = append(rows[i], string(column))
		}
		start = end
	}
	return rows
}

// texts runs one catalogue query; each question mark in it stands for one of
// params, and null is "".
func (s *source) texts(ctx context.Context, query string, params ...string) ([][]string, error) {
	res, err := s.run(ctx, &statement{text: filled(query, params)})
	if err != nil {
		return nil, err
	}
	return res.texts(), nil
}

// filled writes params into a query in place of its question marks.
func filled(query string, params []string) string {
	for _, p := range params {
		before, after, _ := strings.Cut(query, "?")
		query = before + hexText(p) + after
	}
	return query
}

// facts runs one catalogue query: a row is its columns by their names in upper
// case, without those that are null.
func (c *conn) facts(ctx context.Context, query string) ([]map[string]string, error) {
	res, err := c.run(ctx, &statement{text: query})
	if err != nil {
		return nil, err
	}
	rows := make([]map[string]string, len(res.ends))
	start := 0
	for i, end := range res.ends {
		rows[i] = map[string]string{}
		row := res.data[start:end]
		for _, f := range res.fields {
			column, rest, null := cutColumn(row)
			if !null {
				rows[i][strings.ToUpper(f.name)] = string(column)
			}
			row = rest
		}
		start = end
	}
	return rows, nil
}

// cutColumn takes the first column off a row; null is true where it has no value.
func cutColumn(row []byte) (column, rest []byte, null bool) {
	n := int32(binary.BigEndian.Uint32(row))
	if n < 0 {
		return nil, row[4:], true
	}
	return row[4 : 4+n], row[4+n:], false
}
