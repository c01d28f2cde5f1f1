package sqlite

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"plumbline/sources"
)

// native is what a row holds, by storage class, and the table that it is in: what
// sources.Image.Native encodes. The key's and id's columns come first, then those
// of the scope, of the fields, and, of a whole row, all others.
type native struct {
	schema, table string
	keys          int // how many cells are of the key and id
	whole         bool
	// The row's place in the dataset is part of what it is: one that was deleted,
	// as the dataset understands it, since it was looked at is another one.
	outOfScope, deleted bool
	cells               []cell
}

// cell is what one column holds: nil, int64, float64, string or []byte.
type cell struct {
	column    string
	generated bool // computed by SQLite, and never written
	raw       any
}

func (n *native) from() string { return quote(n.schema) + "." + quote(n.table) }

// encode is injective: of a real it keeps the bits, so that even zeros are told apart.
func (n *native) encode() []byte {
	parts := []sources.Value{sources.Text(n.schema), sources.Text(n.table), sources.Int(int64(n.keys)),
		sources.Bool(n.whole), sources.Bool(n.outOfScope), sources.Bool(n.deleted)}
	for _, c := range n.cells {
		v := stored(c.raw)
		if f, ok := c.raw.(float64); ok {
			v = sources.ListOf([]sources.Value{sources.Int(int64(math.Float64bits(f)))})
		}
		parts = append(parts, sources.Text(c.column), sources.Bool(c.generated), v)
	}
	return sources.ListOf(parts).AppendEncoding(nil)
}

var errNative = sources.Final(errors.New("the image is none that SQLite's adapter made"))

func decodeNative(b []byte) (*native, error) {
	v, rest, err := sources.DecodeValue(b)
	parts := v.Items()
	if err != nil || len(rest) > 0 || len(parts) < 6 || len(parts)%3 != 0 {
		return nil, errNative
	}
	n := &native{schema: parts[0].AsText(), table: parts[1].AsText(), keys: int(parts[2].AsInt()),
		whole: parts[3].AsBool(), outOfScope: parts[4].AsBool(), deleted: parts[5].AsBool()}
	for at := 6; at < len(parts); at += 3 {
		c := cell{column: parts[at].AsText(), generated: parts[at+1].AsBool()}
		switch v := parts[at+2]; v.Kind() {
		case sources.KindNull:
		case sources.KindInt:
			c.raw = v.AsInt()
		case sources.KindText:
			c.raw = v.AsText()
		case sources.KindBytes:
			c.raw = []byte(v.AsText())
		case sources.KindList:
			if v.Len() != 1 {
				return nil, errNative
			}
			c.raw = math.Float64frombits(uint64(v.Items()[0].AsInt()))
		default:
			return nil, errNative
		}
		n.cells = append(n.cells, c)
	}
	if n.keys < 1 || n.keys > len(n.cells) {
		return nil, errNative
	}
	return n, nil
}

// cell finds what a column holds; nil where the image does not say.
func (n *native) cell(column string) *cell {
	for i := range n.cells {
		if n.cells[i].column == column {
			return &n.cells[i]
		}
	}
	return nil
}

// sameRaw says whether two columns hold the same, type for type.
func sameRaw(a, b any) bool {
	if x, ok := a.(float64); ok {
		y, ok := b.(float64)
		return ok && math.Float64bits(x) == math.Float64bits(y)
	}
	return stored(a).Equal(stored(b))
}

// frame is a native of the dataset without what the cells hold.
func (c *compiled) frame(whole bool) *native {
	n := &native{schema: c.object.schema, table: c.object.name, whole: whole}
	take := func(one *column) {
		if n.cell(one.name) == nil {
			n.cells = append(n.cells, cell{column: one.name, generated: one.generated})
		}
	}
	for _, k := range c.keys {
		take(k)
	}
	n.keys = len(n.cells)
	for _, condition := range c.dataset.Scope {
		take(c.object.column(condition.Field))
	}
	for _, column := range c.columns {
		take(column)
	}
	for i := range c.object.columns {
		if whole {
			take(&c.object.columns[i])
		}
	}
	return n
}

// images reads the rows for which a condition holds, whatever the dataset's own
// conditions say, and keeps those that the record fits: at most two.
func (c *compiled) images(r reading, from, where string, args []any, whole bool, fits func(*sources.Record) bool) (found []*sources.Image, err error) {
	frame := c.frame(whole)
	list, large := []string{c.list(false)}, []string(nil)
	for _, one := range frame.cells {
		over := fmt.Sprintf("octet_length(%s) > %d", quote(one.column), sources.MaxRecordSize)
		list = append(list, fmt.Sprintf("iif(%s, NULL, %s)", over, quote(one.column)))
		large = append(large, over)
	}
	text := "SELECT " + strings.Join(list, ", ") + ", (" + strings.Join(large, " OR ") + ") FROM " + from + " WHERE " + where
	err = r.each(text, args, func(values []any) (bool, error) {
		last := len(values) - 1
		front := last - len(frame.cells)
		record := c.row(values[:front], false).record
		if !fits(&record) {
			return true, nil
		}
		if values[last] == int64(1) && record.Skipped == "" {
			record.Skipped = fmt.Sprintf("a value is larger than %d bytes", sources.MaxRecordSize)
		}
		image := &sources.Image{Exists: true, Record: record}
		if record.Skipped == "" { // what was not read cannot be written
			n := *frame
			n.cells, n.outOfScope, n.deleted = slices.Clone(frame.cells), record.OutOfScope, record.Deleted
			for i := range n.cells {
				n.cells[i].raw = values[front+i]
			}
			image.Native = n.encode()
		}
		found = append(found, image)
		return len(found) < 2, nil
	})
	return found, err
}
