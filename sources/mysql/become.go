package mysql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"plumbline/sources"
)

// errNotInCharset says that a text would come back as another.
var errNotInCharset = errors.New("the column's character set does not have all of the text")

// Become converts what is assigned as the column does, and has the server cast
// it, compute the columns that it computes from it, and evaluate the table's
// checks, by a SELECT over the row.
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
	changed, err := p.settings(l, was, set)
	if err != nil {
		return nil, err
	}
	b := &builder{}
	conditions, ok := p.identified(b, before.Record.Key, before.Record.ID)
	conditions = append(conditions, b.scopeConditions(p.scope)...)
	if b.err != nil || !ok {
		return nil, errors.Join(errors.New("find the record again"), b.err)
	}
	st := p.wouldBe(l, was, imaged, changed, strings.Join(conditions, " AND "))
	res, err := s.run(ctx, st)
	if err != nil {
		return nil, err
	}
	if len(res.ends) != 1 {
		return nil, sources.Final(errors.New("the record is no longer there"))
	}
	if _, big := res.big[0]; big {
		return nil, sources.Final(fmt.Errorf("the record would be too large to be put back (%d MiB and more)", sources.MaxRecordSize>>21))
	}
	row := res.data
	for _, c := range changed {
		var kept []byte
		if kept, row, _ = cutColumn(row); string(kept) == "0" {
			return nil, sources.Final(fmt.Errorf("%s: %w", c.column.name, errNotInCharset))
		}
	}
	for range l.checks {
		var holds []byte
		var null bool
		if holds, row, null = cutColumn(row); !null && string(holds) == "0" {
			return nil, sources.Final(fmt.Errorf("a check of %s does not allow the values", p.title()))
		}
	}
	image, err := p.image(row, imaged)
	if err != nil {
		return nil, err
	}
	image.ReadAt = before.ReadAt
	return &image.Image, nil
}

// setting is one column of an update: an expression of the column's type over the
// record as it is, and one that is 0 where the column cannot hold all of it.
type setting struct {
	column           *stored
	expression, kept string
}

// wouldBe selects the row as it would be, in three steps: as the image has it
// (columns that are in no image as they are now), with what is assigned, and with
// what is computed from that.
func (p *plan) wouldBe(l *layout, was *native, imaged []*stored, changed []setting, conditions string) *statement {
	var old, put, computed, first []string
	st := &statement{}
	for _, c := range l.columns {
		name := ident(c.name)
		held, assigned, generated := name, name, name
		if v := was.column(c.name); v != nil && v.null {
			held = "NULL"
		} else if v != nil {
			held = c.typed(hexBytes(v.text))
		}
		if i := slices.IndexFunc(changed, func(s setting) bool { return s.column == c }); i >= 0 {
			assigned = changed[i].expression
		}
		if c.generated != "" {
			generated = "(" + c.generated + ")"
		}
		old, put, computed = append(old, held+" AS "+name), append(put, assigned+" AS "+name), append(computed, generated+" AS "+name)
	}
	var columns []*column
	for _, s := range changed {
		first = append(first, either(s.kept, "1"))
	}
	for _, check := range l.checks {
		first = append(first, "("+check+") IS NOT FALSE")
	}
	for i := range first {
		first[i] = "CAST(" + first[i] + " AS BINARY)"
		columns = append(columns, &column{form: columnForm{append: appendText}})
	}
	list := append(first, p.imageList(st, imaged))
	st.columns = append(columns, st.columns...)
	as := ident(p.table)
	st.text = fmt.Sprintf("SELECT %s FROM (SELECT %s FROM (SELECT %s FROM (SELECT %s FROM %s WHERE %s LIMIT 1) AS %s) AS %[7]s) AS %[7]s",
		strings.Join(list, ", "), strings.Join(computed, ", "), strings.Join(put, ", "), strings.Join(old, ", "), p.from, conditions, as)
	return st
}

func either(expression, otherwise string) string {
	if expression != "" {
		return expression
	}
	return otherwise
}

// fieldColumn is the column that a field is of, and the path of one inside it.
func (p *plan) fieldColumn(l *layout, field string) (*stored, string, error) {
	i := slices.Index(p.dataset.Fields, field)
	if i < 0 {
		return nil, "", sources.Final(fmt.Errorf("%s is no field of %s", field, p.title()))
	}
	c := l.column(p.columns[p.fields[i].column].name)
	switch {
	case c == nil:
		return nil, "", errChanged
	case c.generated != "":
		return nil, "", sources.Final(fmt.Errorf("%s is computed by the server: it cannot be written", c.name))
	}
	return c, p.fields[i].path, nil
}

// settings writes the columns that assignments change: a column by its value, and
// the JSON around a field that is inside it.
func (p *plan) settings(l *layout, was *native, set []sources.Assignment) (out []setting, err error) {
	for _, a := range set {
		c, path, err := p.fieldColumn(l, a.Field)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(out, func(s setting) bool { return s.column == c })
		if at < 0 {
			out, at = append(out, setting{column: c, expression: ident(c.name)}), len(out)
		}
		if path != "" {
			out[at].expression, err = inside(out[at].expression, path, a.Value)
		} else {
			out[at], err = anew(c, a.Value)
		}
		if err != nil {
			return nil, sources.Final(fmt.Errorf("%s: %w", a.Field, err))
		}
	}
	return out, nil
}

// anew is a column's new value.
func anew(c *stored, v sources.Value) (setting, error) {
	s := setting{column: c, expression: "NULL"}
	switch {
	case v.IsAbsent():
		return s, errors.New("a column is there in every row: it cannot be removed")
	case v.IsNull() && c.notNull:
		return s, errors.New("the column is declared NOT NULL")
	case v.IsNull():
		return s, nil
	}
	text, err := c.assigned(v)
	if err != nil {
		return s, err
	}
	if c.spelling() != spellText {
		s.expression = c.typed(hexBytes(text))
		return s, nil
	}
	inSet := "CONVERT(" + hexText(text) + " USING " + c.charset + ")"
	s.expression = inSet + " COLLATE " + c.collation
	s.kept = "CAST(CONVERT(" + inSet + " USING utf8mb4) AS BINARY) = " + hexBytes(text)
	return s, nil
}

// inside sets or removes what is at a path of a document; the rest stays, though
// MariaDB may space it anew.
func inside(document, path string, v sources.Value) (string, error) {
	at := "$"
	for _, name := range strings.Split(path, ".") {
		quoted, err := quotedJSON(name)
		if err != nil {
			return "", err
		}
		at += "." + quoted
	}
	if v.IsAbsent() {
		return fmt.Sprintf("JSON_REMOVE(%s, %s)", document, hexText(at)), nil
	}
	text, err := jsonText(v)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("JSON_SET(%s, %s, JSON_EXTRACT(%s, '$'))", document, hexText(at), hexText(text)), nil
}
