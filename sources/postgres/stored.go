package postgres

import (
	"context"
	"fmt"
	"slices"

	"plumbline/sources"
)

// layout is what a table keeps of a record, and what it asks of it.
type layout struct {
	columns []*stored // in the table's order
	checks  []string  // conditions of its CHECK constraints
}

// stored is a column as a record's image names it.
type stored struct {
	name, number string
	// declared is the type in words that mean the same to every role: schemas named.
	declared  string
	typ       *dataType
	modifier  int32
	notNull   bool
	composite bool
	// generated is the expression that computes the column; "" for a column that is written.
	generated string
	// nondeterministic: texts of different bytes may be equal in the column's collation.
	nondeterministic bool
	readable         bool
}

// plainNames makes the server name everything with its schema, so that what the
// catalogue says is the same for a role that reads and one that writes.
const plainNames = "SET LOCAL search_path = ''"

// layoutOf reads the columns and checks of a dataset's table.
func layoutOf(ctx context.Context, s *source, p *plan) (*layout, error) {
	if p.table == nil {
		return nil, sources.Final(fmt.Errorf("%s is a query: nothing can be written through it", p.title()))
	}
	st := textStatement(`SELECT a.attname, a.attnum, format_type(a.atttypid, a.atttypmod), a.atttypid, a.atttypmod, a.attnotnull,
			y.typtype = 'c', CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) ELSE '' END,
			coalesce(NOT l.collisdeterministic, false), has_column_privilege(a.attrelid, a.attnum, 'SELECT')
		FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
			LEFT JOIN pg_collation l ON l.oid = a.attcollation
		WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`, []string{p.table.oid})
	st.setup = plainNames
	res, err := s.run(ctx, st)
	if err != nil {
		return nil, fmt.Errorf("look up what %s keeps: %w", p.title(), err)
	}
	rows := res.texts()
	types := make([]string, len(rows))
	for i, r := range rows {
		types[i] = r[3]
	}
	known, err := typesOf(ctx, s, types)
	if err != nil {
		return nil, err
	}
	l := &layout{}
	for _, r := range rows {
		c := column{name: r[0]}
		if err := c.resolve(known, r[3], r[4]); err != nil {
			return nil, err
		}
		l.columns = append(l.columns, &stored{name: r[0], number: r[1], declared: r[2], typ: c.typ, modifier: c.modifier, notNull: r[5] == "t",
			composite: r[6] == "t", generated: r[7], nondeterministic: r[8] == "t", readable: r[9] == "t"})
	}
	st = textStatement(`SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE conrelid = $1::oid AND contype = 'c' ORDER BY conname`, []string{p.table.oid})
	st.setup = plainNames
	if res, err = s.run(ctx, st); err != nil {
		return nil, fmt.Errorf("look up the checks of %s: %w", p.title(), err)
	}
	for _, r := range res.texts() {
		l.checks = append(l.checks, r[0])
	}
	return l, nil
}

// layoutFor is what is known of the plan's table, read at first use, or anew.
func (p *plan) layoutFor(ctx context.Context, s *source, anew bool) (*layout, error) {
	if l := p.layout.Load(); l != nil && !anew {
		return l, nil
	}
	l, err := layoutOf(ctx, s, p)
	if err == nil {
		p.layout.Store(l)
	}
	return l, err
}

func (l *layout) column(name string) *stored {
	for _, c := range l.columns {
		if c.name == name {
			return c
		}
	}
	return nil
}

// imaged are the columns that an image of the plan's records holds: all, or
// those that the dataset names.
func (l *layout) imaged(p *plan, whole bool) ([]*stored, error) {
	if whole {
		for _, c := range l.columns {
			if !c.readable {
				return nil, sources.Final(fmt.Errorf("our role may not read %s of %s, without which a deleted record could not be put back; run: GRANT SELECT (%s) ON %s TO …",
					c.name, p.title(), ident(c.name), p.from))
			}
		}
		return l.columns, nil
	}
	var chosen []*stored
	for _, c := range l.columns {
		if slices.ContainsFunc(p.columns, func(of *column) bool { return of.name == c.name }) {
			chosen = append(chosen, c)
		}
	}
	return chosen, nil
}

// native is what an image's Native says: in which table the record is, and what
// its columns hold.
type native struct {
	table               string
	outOfScope, deleted bool
	columns             []nativeColumn
}

// nativeColumn is one column of a record, in the text that its type writes and reads.
type nativeColumn struct {
	name, declared string
	null           bool
	text           string
}

const nativeForm = "postgres 2"

// encode is the injective encoding of an image.
func (n *native) encode() []byte {
	items := []sources.Value{sources.Text(nativeForm), sources.Text(n.table), sources.Bool(n.outOfScope), sources.Bool(n.deleted)}
	for _, c := range n.columns {
		held := sources.Text(c.text)
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
		return nil, sources.Final(fmt.Errorf("the record's image is none that PostgreSQL's adapter made"))
	}
	n := &native{table: items[1].AsText(), outOfScope: items[2].AsBool(), deleted: items[3].AsBool()}
	for i := 4; i < len(items); i += 3 {
		n.columns = append(n.columns, nativeColumn{name: items[i].AsText(), declared: items[i+1].AsText(), null: items[i+2].IsNull(), text: items[i+2].AsText()})
	}
	return n, nil
}

func (n *native) column(name string) *nativeColumn {
	for i := range n.columns {
		if n.columns[i].name == name {
			return &n.columns[i]
		}
	}
	return nil
}
