package postgres

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"plumbline/sources"
)

// modifierOffset is what a declared length is kept with.
const modifierOffset = 4

var (
	errNoForm  = errors.New("the column has no form for such a value")
	errTooLong = errors.New("the value is longer than the column takes")
)

const (
	oidBit    = 1560
	oidVarbit = 1562
)

// assigned is a value as a column's type reads it, to be assigned to it. Unlike
// a value to be equal to, it may be one that the column rounds. The value is
// neither null nor absent. No error shows it.
func assigned(t *dataType, modifier int32, v sources.Value) (string, error) {
	switch {
	case t.json():
		return jsonText(v), nil
	case t.elem != nil:
		return assignedArray(t, modifier, v)
	}
	switch t.oid {
	case oidNumeric:
		if v.Kind().Number() {
			return v.String(), nil
		}
	case oidFloat4, oidFloat8:
		if v.Kind().Number() {
			return v.String(), nil
		}
	case oidTimestamp, oidTimestamptz:
		return assignedTime(t, v)
	case oidTime, oidInterval:
		return assignedSpan(t, v)
	}
	_, text, ok := exactly(t, v)
	if !ok {
		switch v.Kind() {
		case sources.KindList, sources.KindDocument, sources.KindBytes:
			return "", errNoForm
		}
		if _, text, ok = exactly(t, sources.Text(v.String())); !ok {
			return "", errNoForm
		}
	}
	return text, fits(t, modifier, text)
}

// fits says whether an assignment takes a text that a cast would cut off.
func fits(t *dataType, modifier int32, text string) error {
	switch t.oid {
	case oidVarchar, oidBpchar:
		if limit := int(modifier) - modifierOffset; modifier >= modifierOffset && utf8.RuneCountInString(strings.TrimRight(text, " ")) > limit {
			return errTooLong
		}
	case oidBit:
		if modifier > 0 && len(text) != int(modifier) {
			return errors.New("the value is not as long as the column has it")
		}
	case oidVarbit:
		if modifier > 0 && len(text) > int(modifier) {
			return errTooLong
		}
	}
	return nil
}

// assignedTime keeps the nanoseconds for the server to round.
func assignedTime(t *dataType, v sources.Value) (string, error) {
	if _, _, ok := microseconds(v, t.oid == oidTimestamp); !ok {
		return "", errNoForm
	}
	if v.Infinite() != 0 {
		return v.String(), nil
	}
	at := v.AsTime()
	return calendar(at.Year(), at.Format("-01-02 15:04:05.000000000")+"+00"), nil
}

func assignedSpan(t *dataType, v sources.Value) (string, error) {
	if v.Kind() != sources.KindDuration {
		if v.Kind() == sources.KindText {
			return v.AsText(), nil // the server reads it, or refuses it
		}
		return "", errNoForm
	}
	months, days, ns := v.AsDuration()
	whole := sources.Duration(months, days, ns-ns%1000)
	write := interval
	if t.oid == oidTime {
		write = clock
	}
	_, text, ok := write(whole)
	if !ok {
		return "", errNoForm
	}
	return text, nil
}

// assignedArray writes a list, one of lists as several dimensions.
func assignedArray(t *dataType, modifier int32, v sources.Value) (string, error) {
	if v.Kind() != sources.KindList {
		return "", errNoForm
	}
	delimiter := ","
	if t.elem.oid == oidBox {
		delimiter = ";"
	}
	var items []string
	for _, item := range v.Items() {
		switch {
		case missing(item):
			items = append(items, "NULL")
		case item.Kind() == sources.KindList && !t.elem.json():
			text, err := assignedArray(t, modifier, item)
			if err != nil {
				return "", err
			}
			items = append(items, text)
		default:
			text, err := assigned(t.elem, modifier, item)
			if err != nil {
				return "", err
			}
			quoted := array([]string{text})
			items = append(items, quoted[1:len(quoted)-1])
		}
	}
	return "{" + strings.Join(items, delimiter) + "}", nil
}

// setting is one column of an update, as an expression over the record as it is.
type setting struct {
	column     *stored
	expression string
}

// settings writes the columns that assignments change: a column by its value, and
// the JSON around a field that is inside it.
func (p *plan) settings(b *builder, l *layout, set []sources.Assignment) ([]setting, error) {
	var out []setting
	for _, a := range set {
		i := slices.Index(p.dataset.Fields, a.Field)
		if i < 0 {
			return nil, sources.Final(fmt.Errorf("%s is no field of %s", a.Field, p.title()))
		}
		source := p.fields[i]
		c := l.column(p.columns[source.column].name)
		if c == nil {
			return nil, errChanged
		}
		if c.generated != "" {
			return nil, sources.Final(fmt.Errorf("%s is computed by the server: it cannot be written", c.name))
		}
		at := slices.IndexFunc(out, func(s setting) bool { return s.column == c })
		if at < 0 {
			out, at = append(out, setting{column: c, expression: ident(c.name)}), len(out)
		}
		var err error
		if source.path != "" {
			out[at].expression, err = inside(b, c, out[at].expression, source.path, a.Value)
		} else {
			out[at].expression, err = anew(b, c, a.Value)
		}
		if err != nil {
			return nil, sources.Final(fmt.Errorf("%s: %w", a.Field, err))
		}
	}
	return out, nil
}

// anew is a column's new value, converted as an assignment converts it.
func anew(b *builder, c *stored, v sources.Value) (string, error) {
	switch {
	case v.IsAbsent():
		return "", errors.New("a column is there in every row: it cannot be removed")
	case v.IsNull() && c.notNull:
		return "", errors.New("the column is declared NOT NULL")
	case v.IsNull():
		return "NULL::" + c.declared, nil
	}
	text, err := assigned(c.typ, c.modifier, v)
	if err != nil {
		return "", err
	}
	return b.arg(param{text: text, typ: c.typ.oid}) + "::" + c.declared, nil
}

// inside sets or removes what is at a path of a jsonb document; the rest stays.
func inside(b *builder, c *stored, document, path string, v sources.Value) (string, error) {
	if c.typ.oid != oidJSONB {
		return "", errors.New("to set a field inside a json column, its whole text would have to be written anew; make it jsonb")
	}
	at := b.arg(param{text: array(strings.Split(path, ".")), typ: oidTextArray})
	if v.IsAbsent() {
		return fmt.Sprintf("(%s #- %s)", document, at), nil
	}
	return fmt.Sprintf("jsonb_set(%s, %s, %s)", document, at, b.arg(param{text: jsonText(v), typ: oidJSONB})), nil
}
