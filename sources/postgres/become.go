package postgres

import (
	"context"
	"fmt"
	"strings"

	"plumbline/sources"
)

// Become has the server convert what is assigned, compute the columns that it
// computes from it, and evaluate the table's checks, by a SELECT over the row.
func (s *source) Become(ctx context.Context, d *sources.Dataset, before *sources.Image, set []sources.Assignment) (*sources.Image, error) {
	p, err := s.planFor(ctx, d)
	if err != nil {
		return nil, err
	}
	image, err := s.become(ctx, p, before, set)
	if err != nil {
		return nil, s.failed(p, err)
	}
	return image, nil
}

func (s *source) become(ctx context.Context, p *plan, before *sources.Image, set []sources.Assignment) (*sources.Image, error) {
	was, err := decodeNative(before)
	if err != nil {
		return nil, err
	}
	if was == nil {
		return nil, sources.Final(fmt.Errorf("there is no record in %s to change", p.title()))
	}
	l, err := p.layoutFor(ctx, s, false)
	if err != nil {
		return nil, err
	}
	imaged, err := l.of(p, was)
	if err != nil {
		return nil, err
	}
	checks := l.checks
	if !l.readable() {
		checks = nil // they may be about what our role cannot see; the server tells when it is written
	}
	st, err := p.wouldBe(l, was, imaged, checks, before, set)
	if err != nil {
		return nil, err
	}
	res, err := s.run(ctx, st)
	if strings.HasPrefix(code(err), "23") { // a domain's check
		return nil, sources.Final(err)
	}
	if err != nil {
		return nil, err
	}
	if len(res.ends) != 1 {
		return nil, sources.Final(fmt.Errorf("the record is no longer there"))
	}
	if _, big := res.big[0]; big {
		return nil, sources.Final(fmt.Errorf("the record would be larger than %d MiB", sources.MaxRecordSize>>20))
	}
	row := res.data
	for range checks {
		var holds []byte
		var null bool
		if holds, row, null = cutColumn(row); !null && holds[0] == 0 {
			return nil, sources.Final(fmt.Errorf("a check of %s does not allow the values", p.title()))
		}
	}
	image, err := p.image(row, imaged)
	if err != nil {
		return nil, err
	}
	image.ReadAt = before.ReadAt
	return image, nil
}

// wouldBe selects the row as it would be, in three steps: as the image has it
// (columns that are in no image as they are now), with what is assigned, and with
// what is computed from that.
func (p *plan) wouldBe(l *layout, was *native, imaged []*stored, checks []string, before *sources.Image, set []sources.Assignment) (*statement, error) {
	b, st := &builder{}, &statement{keep: 1}
	changed, err := p.settings(b, l, set)
	if err != nil {
		return nil, err
	}
	held, assigned := map[string]string{}, map[string]string{}
	for _, c := range imaged {
		held[c.name] = b.held(c, was.column(c.name))
	}
	for _, s := range changed {
		assigned[s.column.name] = s.expression
	}
	var old, put, computed []string
	for _, c := range l.columns {
		if !c.readable {
			continue
		}
		name := ident(c.name)
		old = append(old, either(held[c.name], name)+" AS "+name)
		put = append(put, either(assigned[c.name], name)+" AS "+name)
		if c.generated != "" && l.readable() {
			computed = append(computed, fmt.Sprintf("(%s)::%s AS %s", c.generated, c.declared, name))
		} else {
			computed = append(computed, name)
		}
	}
	conditions, ok := p.identified(b, before.Record.Key, before.Record.ID)
	conditions = append(conditions, b.scopeConditions(p.scope)...)
	if b.err != nil || !ok {
		return nil, fmt.Errorf("find the record again: %w", b.err)
	}
	var list []string
	for _, check := range checks {
		list = append(list, "("+check+")")
		st.formats, st.types = append(st.formats, formatBinary), append(st.types, oidBool)
	}
	list = append(list, p.imageList(st, imaged))
	as := ident(p.table.name)
	st.text = fmt.Sprintf("SELECT %s FROM (SELECT %s FROM (SELECT %s FROM (SELECT %s FROM %s WHERE %s FETCH FIRST ROW ONLY) AS %s) AS %s) AS %s",
		strings.Join(list, ", "), strings.Join(computed, ", "), strings.Join(put, ", "), strings.Join(old, ", "), p.from, join(conditions), as, as, as)
	st.params = b.params
	return st, nil
}

// held is a column's value as an image has it.
func (b *builder) held(c *stored, v *nativeColumn) string {
	if v.null {
		return "NULL::" + c.declared
	}
	return b.arg(param{text: v.text, typ: c.typ.oid}) + "::" + c.declared
}

func either(expression, otherwise string) string {
	if expression != "" {
		return expression
	}
	return otherwise
}

func join(conditions []string) string { return strings.Join(conditions, " AND ") }

// of are the columns that an image names. One of another table is stale, and so is
// one with a column that is gone, or of another type.
func (l *layout) of(p *plan, n *native) ([]*stored, error) {
	if n.table != p.table.place() {
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

// readable says whether our role may read every column.
func (l *layout) readable() bool {
	for _, c := range l.columns {
		if !c.readable {
			return false
		}
	}
	return true
}
