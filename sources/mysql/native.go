package mysql

import (
	"fmt"
	"strings"

	"plumbline/sources"
)

// native is what an image's Native says: in which table the record is, and what
// its columns hold.
type native struct {
	table               string
	outOfScope, deleted bool
	columns             []nativeColumn
}

// nativeColumn is one column of a record: the bytes of its output.
type nativeColumn struct {
	name, declared string
	null           bool
	text           string
}

const nativeForm = "mysql 1"

// encode is the injective encoding of an image.
func (n *native) encode() []byte {
	items := []sources.Value{sources.Text(nativeForm), sources.Text(n.table), sources.Bool(n.outOfScope), sources.Bool(n.deleted)}
	for _, c := range n.columns {
		held := sources.Bytes([]byte(c.text))
		if c.null {
			held = sources.Null()
		}
		items = append(items, sources.Text(c.name), sources.Text(c.declared), held)
	}
	return sources.ListOf(items).AppendEncoding(nil)
}

// decodeNative reads an image's Native back; that of no record is nil.
func decodeNative(image *sources.Image) (*native, error) {
	if image == nil || !image.Exists {
		return nil, nil
	}
	list, rest, err := sources.DecodeValue(image.Native)
	items := list.Items()
	if err != nil || len(rest) > 0 || len(items) < 4 || len(items)%3 != 1 || items[0].AsText() != nativeForm {
		return nil, sources.Final(fmt.Errorf("the record's image is none that MySQL's adapter made"))
	}
	n := &native{table: items[1].AsText(), outOfScope: items[2].AsBool(), deleted: items[3].AsBool()}
	for i := 4; i < len(items); i += 3 {
		n.columns = append(n.columns, nativeColumn{name: items[i].AsText(), declared: items[i+1].AsText(), null: items[i+2].IsNull(), text: items[i+2].AsText()})
	}
	return n, nil
}

func (n *native) column(name string) *nativeColumn {
	for i := range n.columns {
		if strings.EqualFold(n.columns[i].name, name) {
			return &n.columns[i]
		}
	}
	return nil
}

// of are the columns that an image names. One of another table is stale, and so is
// one with a column that is gone, or of another type.
func (l *layout) of(p *plan, n *native) ([]*stored, error) {
	if n.table != p.place() {
		return nil, fmt.Errorf("the record is of another table than %s: %w", p.title(), errChanged)
	}
	columns := make([]*stored, len(n.columns))
	for i, held := range n.columns {
		c := l.column(held.name)
		if c == nil || c.declared != held.declared {
			return nil, fmt.Errorf("%s of %s: %w", held.name, p.title(), errChanged)
		}
		columns[i] = c
	}
	return columns, nil
}
