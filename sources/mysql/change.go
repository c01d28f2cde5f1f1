package mysql

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"plumbline/sources"
)

// change is one change of a record, as the statement that makes it.
type change struct {
	text    string // with its values
	preview sources.Preview
	imaged  []*stored
	before  *native // nil for an insert
	becomes *native // nil for a delete
}

// errNotWhole says that an image cannot make a record.
var errNotWhole = errors.New("the image does not hold the whole record: it cannot be put back")

// composer writes a change's statement, and what its places are of.
type composer struct {
	plan   *plan
	places []sources.PreviewArg
	values []string // constants, by place
}

// token stands for a place until the text is rendered: no statement holds a NUL.
func token(n int) string { return fmt.Sprintf("\x00%d\x00", n) }

// place is the next place, of a field.
func (c *composer) place(field string, v sources.Value, constant string) string {
	c.values = append(c.values, constant)
	c.places = append(c.places, sources.PreviewArg{Place: fmt.Sprintf("?%d", len(c.values)), Field: field, Value: v})
	return token(len(c.values))
}

// render writes what each place stands for.
func (c *composer) render(text string, of func(n int) string) string {
	pairs := make([]string, 0, 2*len(c.values))
	for n := range c.values {
		pairs = append(pairs, token(n+1), of(n))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// fieldOf names the dataset's field that is a column; else the column.
func (p *plan) fieldOf(name string) string {
	for i, c := range p.scanBy {
		if strings.EqualFold(c.name, name) {
			return slices.Concat(p.dataset.Key, p.dataset.ID)[i]
		}
	}
	for i, f := range p.fields {
		if f.path == "" && strings.EqualFold(p.columns[f.column].name, name) {
			return p.dataset.Fields[i]
		}
	}
	return name
}

// composeChange writes a change. An error of errChanged says that the table is no
// longer what it was when the images were made.
func (p *plan) composeChange(l *layout, c *sources.Change, until time.Time) (*change, error) {
	out, w := &change{}, &composer{plan: p}
	var err error
	if out.before, err = decodeNative(c.Before); err != nil {
		return nil, err
	}
	if out.becomes, err = decodeNative(c.After); err != nil {
		return nil, err
	}
	of := out.becomes
	switch {
	case out.before == nil && out.becomes == nil:
		return nil, sources.Final(errors.New("a change from no record to none is none"))
	case of == nil:
		of = out.before
	}
	if out.imaged, err = l.of(p, of); err != nil {
		return nil, err
	}
	var text string
	switch c.Kind() {
	case sources.Update:
		text, err = w.update(l, out, until)
	case sources.Delete:
		text = fmt.Sprintf("DELETE FROM %s WHERE %s", p.from, strings.Join(w.still(out.imaged, out.before, until), " AND "))
	case sources.Insert:
		text, err = w.insert(l, out.becomes, until)
	}
	if err != nil {
		return nil, err
	}
	out.text = w.render(text, func(n int) string { return w.values[n] })
	out.preview = sources.Preview{Text: w.render(text, func(n int) string { return w.places[n].Place }), Args: w.places}
	return out, nil
}

var errOtherColumns = sources.Final(errors.New("the two images of the record do not hold the same columns"))

// update sets the columns that change, and no others: one that the server would
// set to the time is told to stay.
func (w *composer) update(l *layout, c *change, until time.Time) (string, error) {
	if c.before.table != c.becomes.table || len(c.before.columns) != len(c.becomes.columns) {
		return "", errOtherColumns
	}
	var set []string
	assigned := map[*stored]bool{}
	for i, column := range c.imaged {
		was, is := c.before.columns[i], c.becomes.columns[i]
		if was.name != is.name || was.declared != is.declared {
			return "", errOtherColumns
		}
		if was != is && column.generated == "" {
			assigned[column] = true
			set = append(set, ident(is.name)+" = "+w.value(column, &is))
		}
	}
	if len(set) == 0 {
		return "", sources.Final(errors.New("the change changes nothing"))
	}
	for _, column := range l.columns {
		if column.renewed && !assigned[column] {
			set = append(set, ident(column.name)+" = "+ident(column.name))
		}
	}
	return fmt.Sprintf("UPDATE %s SET %s WHERE %s", w.plan.from, strings.Join(set, ", "), strings.Join(w.still(c.imaged, c.before, until), " AND ")), nil
}

// value is a column's value in an image, to be assigned.
func (w *composer) value(column *stored, v *nativeColumn) string {
	if v.null {
		return "NULL"
	}
	return column.holding(w.held(v))
}

// held is the place of what a column holds.
func (w *composer) held(v *nativeColumn) string {
	return w.place(w.plan.fieldOf(v.name), sources.Text(v.text), hexBytes(v.text))
}

// still are the conditions under which a record is what it was: each column of
// its image by its spelling, those of the key and id by an index too, and the time.
func (w *composer) still(columns []*stored, was *native, until time.Time) (conditions []string) {
	for i, column := range columns {
		v := &was.columns[i]
		if v.null {
			conditions = append(conditions, ident(v.name)+" IS NULL")
			continue
		}
		if slices.ContainsFunc(w.plan.keyColumns(), func(name string) bool { return strings.EqualFold(name, v.name) }) {
			conditions = append(conditions, ident(v.name)+" = "+column.typed(w.held(v)))
		}
		conditions = append(conditions, column.output()+" = "+w.held(v))
	}
	return append(conditions, w.inTime(until))
}

// inTime says that the server's clock is before until.
func (w *composer) inTime(until time.Time) string {
	at := sources.Value{}
	if !until.IsZero() {
		at = sources.Time(until, 6)
	}
	return "SYSDATE(6) < " + w.place("", at, moment(until))
}

// moment is a time as the server reads it; the zero time is before all others.
func moment(at time.Time) string {
	if at.Year() < 1000 {
		at = time.Date(1000, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return "TIMESTAMP'" + at.UTC().Truncate(time.Microsecond).Format("2006-01-02 15:04:05.000000") + "'"
}

// insert puts a whole record back.
func (w *composer) insert(l *layout, after *native, until time.Time) (string, error) {
	var names, values []string
	for _, column := range l.columns {
		held := after.column(column.name)
		if held == nil {
			return "", sources.Final(fmt.Errorf("%s: %w", column.name, errNotWhole))
		}
		if column.generated == "" {
			names, values = append(names, ident(column.name)), append(values, w.value(column, held))
		}
	}
	return fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM DUAL WHERE %s", w.plan.from, strings.Join(names, ", "), strings.Join(values, ", "), w.inTime(until)), nil
}
