package postgres

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"plumbline/sources"
)

// change is one change of a record, as a statement that returns the image of
// what it did, and what that must be.
type change struct {
	text      string // what is done, without what it returns
	statement *statement
	places    []sources.PreviewArg
	imaged    []*stored
	becomes   *native // what the statement must return
}

// errNotWhole says that an image cannot make a record.
var errNotWhole = errors.New("the image does not hold the whole record: it cannot be put back")

// composer writes a change's statement, and what its parameters are of.
type composer struct {
	builder
	plan   *plan
	places []sources.PreviewArg
}

// place is the next parameter, of a field.
func (c *composer) place(field string, v sources.Value, p param) string {
	place := c.arg(p)
	c.places = append(c.places, sources.PreviewArg{Place: place, Field: field, Value: v})
	return place
}

// fieldOf names the dataset's field that is a column; else the column.
func (p *plan) fieldOf(name string) string {
	for i, c := range p.scanBy {
		if c.name == name {
			return slices.Concat(p.dataset.Key, p.dataset.ID)[i]
		}
	}
	for i, f := range p.fields {
		if f.path == "" && p.columns[f.column].name == name {
			return p.dataset.Fields[i]
		}
	}
	return name
}

// compose writes a change. An error of errChanged says that the table is no
// longer what it was when the images were made.
func (p *plan) composeChange(l *layout, c *sources.Change, until time.Time) (*change, error) {
	before, err := decodeNative(c.Before)
	if err != nil {
		return nil, err
	}
	after, err := decodeNative(c.After)
	if err != nil {
		return nil, err
	}
	out, w := &change{statement: &statement{keep: 1}, becomes: after}, &composer{plan: p}
	switch {
	case before == nil && after == nil:
		return nil, sources.Final(errors.New("a change from no record to none is none"))
	case after == nil:
		out.becomes = before
	}
	if out.imaged, err = l.of(p, out.becomes); err != nil {
		return nil, err
	}
	var text string
	switch c.Kind() {
	case sources.Update:
		text, err = w.update(out.imaged, c, before, after, until)
	case sources.Delete:
		text, err = fmt.Sprintf("DELETE FROM %s WHERE %s", p.from, join(w.still(out.imaged, c, before, until))), nil
	case sources.Insert:
		text, err = w.insert(l, c, after, until)
	}
	if err == nil {
		err = w.err
	}
	if err != nil {
		return nil, err
	}
	out.text, out.statement.text = text, text+" RETURNING "+p.imageList(out.statement, out.imaged)
	out.statement.params, out.places = w.params, w.places
	return out, nil
}

// update sets the columns that change, and no others.
func (w *composer) update(columns []*stored, c *sources.Change, before, after *native, until time.Time) (string, error) {
	if before.table != after.table || len(before.columns) != len(after.columns) {
		return "", sources.Final(errors.New("the two images of the record do not hold the same columns"))
	}
	var set []string
	for i, column := range columns {
		was, is := before.columns[i], after.columns[i]
		if was.name != is.name || was.declared != is.declared {
			return "", sources.Final(errors.New("the two images of the record do not hold the same columns"))
		}
		if was == is || column.generated != "" {
			continue
		}
		set = append(set, ident(is.name)+" = "+w.value(column, &is))
	}
	if len(set) == 0 {
		return "", sources.Final(errors.New("the change changes nothing"))
	}
	return fmt.Sprintf("UPDATE %s SET %s WHERE %s", w.plan.from, strings.Join(set, ", "), join(w.still(columns, c, before, until))), nil
}

// value is a column's value in an image, to be assigned.
func (w *composer) value(column *stored, v *nativeColumn) string {
	if v.null {
		return "NULL"
	}
	return w.place(w.plan.fieldOf(v.name), sources.Text(v.text), param{text: v.text, typ: column.typ.oid})
}

// still are the conditions under which a record is what it was: its key, each
// column of its image by the column's own text, the scope and flags, and the time.
func (w *composer) still(columns []*stored, c *sources.Change, was *native, until time.Time) []string {
	conditions := w.led(c)
	for i, column := range columns {
		if !w.ledBy(column, &was.columns[i], c) {
			conditions = append(conditions, w.unchanged(column, &was.columns[i]))
		}
	}
	d := w.plan.dataset
	if d.Where != "" {
		conditions = append(conditions, fmt.Sprintf("(%s\n) IS %sTRUE", d.Where, not(was.outOfScope)))
	}
	if d.DeletedWhen != "" {
		conditions = append(conditions, fmt.Sprintf("(%s\n) IS %sTRUE", d.DeletedWhen, not(!was.deleted)))
	}
	return append(conditions, w.inTime(until))
}

func not(no bool) string {
	if no {
		return "NOT "
	}
	return ""
}

// led are the conditions that lead to the record: key, id and scope.
func (w *composer) led(c *sources.Change) []string {
	at := len(w.params)
	conditions, ok := w.plan.identified(&w.builder, c.Key, c.ID)
	if !ok && w.err == nil {
		w.err = sources.Final(fmt.Errorf("%s cannot hold such a key", w.plan.title()))
	}
	w.explain(at, slices.Concat(w.plan.dataset.Key, w.plan.dataset.ID), slices.Concat(c.Key, c.ID))
	for _, term := range w.plan.scope {
		at = len(w.params)
		conditions = append(conditions, w.scopeCondition(term))
		w.explain(at, []string{term.column.name}, []sources.Value{term.value})
	}
	return conditions
}

// ledBy says whether a column's value is asked for already, as what leads to the record.
func (w *composer) ledBy(of *stored, was *nativeColumn, c *sources.Change) bool {
	parts := slices.Concat(c.Key, c.ID)
	i := slices.IndexFunc(w.plan.scanBy, func(by *column) bool { return by.name == was.name })
	if i < 0 || i >= len(parts) || was.null || !of.sameIsEqual() {
		return false
	}
	_, text, ok := exactly(of.typ, parts[i])
	return ok && text == was.text
}

// explain notes what the parameters since at are of: those of one condition each
// hold the text of one value.
func (w *composer) explain(at int, fields []string, values []sources.Value) {
	for i := at; i < len(w.params); i++ {
		arg := sources.PreviewArg{Place: fmt.Sprintf("$%d", i+1), Field: fields[0], Value: sources.Text(w.params[i].text)}
		for j, v := range values {
			if missing(v) || w.params[i].text != v.String() {
				continue
			}
			arg.Field, arg.Value = fields[j], v
		}
		w.places = append(w.places, arg)
	}
}

// unchanged says that a column holds what it held: its own text is the same.
func (w *composer) unchanged(column *stored, was *nativeColumn) string {
	name := ident(was.name)
	switch {
	case was.null && column.composite: // a row of nulls IS NULL too
		return "num_nulls(" + name + ") = 1"
	case was.null:
		return name + " IS NULL"
	case column.sameIsEqual():
		return name + " = " + w.place(w.plan.fieldOf(was.name), sources.Text(was.text), param{text: was.text, typ: wireType(column.typ)})
	}
	condition := outputOf(name)
	if column.nondeterministic {
		condition += ` COLLATE "C"`
	}
	condition += " = " + w.place(w.plan.fieldOf(was.name), sources.Text(was.text), param{text: was.text, typ: oidText})
	if was.text == "" { // the output of null is empty too
		condition += " AND " + name + " IS NOT NULL"
	}
	return condition
}

// sameIsEqual says whether two values of the column are equal exactly where their
// texts are: not so with numeric (1.5 and 1.50), floats (0 and -0) or padded texts.
func (c *stored) sameIsEqual() bool {
	switch c.typ.oid {
	case oidBool, oidInt2, oidInt4, oidInt8, oidOid, oidUUID, oidBytea, oidDate, oidTimestamp, oidTimestamptz:
		return true
	case oidText, oidVarchar, oidName:
		return !c.nondeterministic
	}
	return c.typ.enum
}

// inTime says that the server's clock is before until.
func (w *composer) inTime(until time.Time) string {
	at := sources.Value{}
	if !until.IsZero() {
		at = sources.Time(until, 6)
	}
	return "clock_timestamp() < " + w.place("", at, param{text: moment(until), typ: oidTimestamptz})
}

// moment is a time as the server reads it; the zero time is before all others.
func moment(at time.Time) string {
	if at.IsZero() {
		return "-infinity"
	}
	return timestamp(sources.Time(at, 6))
}

// insert puts a whole record back, where there is none of its key.
func (w *composer) insert(l *layout, c *sources.Change, after *native, until time.Time) (string, error) {
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
	return fmt.Sprintf("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s WHERE NOT EXISTS (SELECT FROM %s WHERE %s) AND %s", w.plan.from,
		strings.Join(names, ", "), strings.Join(values, ", "), w.plan.from, join(w.led(c)), w.inTime(until)), nil
}

// Preview is the statement as it is sent, but for what it returns. The place of the time until which it
// may be made has no value yet.
func (s *source) Preview(d *sources.Dataset, c *sources.Change) (sources.Preview, error) {
	p, l, err := s.remembered(d)
	if err != nil {
		return sources.Preview{}, err
	}
	composed, err := p.composeChange(l, c, time.Time{})
	if err != nil {
		return sources.Preview{}, err
	}
	return sources.Preview{Text: composed.text, Args: composed.places}, nil
}
