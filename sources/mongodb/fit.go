package mongodb

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
)

// fitted is a value as BSON: of the type that stands in its place now, where that
// type holds it, and otherwise of its own. Instants lose what is finer than a
// millisecond. A list's items and a document's members fit what is in their places.
func fitted(v sources.Value, old bsoncore.Value) (bsoncore.Value, error) {
	switch v.Kind() {
	case sources.KindAbsent:
		return bsoncore.Value{}, nil
	case sources.KindList:
		return fittedList(v, old)
	case sources.KindDocument:
		return fittedDocument(v, old)
	case sources.KindTime:
		if v.Naive() || v.Infinite() != 0 {
			break
		}
		at := v.AsTime()
		if at.Before(time.UnixMilli(math.MinInt64)) || at.After(time.UnixMilli(math.MaxInt64)) {
			break
		}
		return bsonDateTime(at.UnixMilli()), nil
	default:
		forms, err := formsOf(v)
		if err != nil {
			return bsoncore.Value{}, err
		}
		for _, f := range forms {
			if f.Type == old.Type && (f.Type != bsoncore.TypeBinary || subtype(f) == subtype(old)) {
				return f, nil
			}
		}
		if len(forms) > 0 {
			return forms[0], nil
		}
	}
	return bsoncore.Value{}, fmt.Errorf("BSON has no type for this %s", v.Kind())
}

// formsOf are a scalar's forms in BSON, its own first.
func formsOf(v sources.Value) ([]bsoncore.Value, error) {
	switch v.Kind() {
	case sources.KindInt, sources.KindFloat, sources.KindDecimal:
		return numericForms(v), nil
	case sources.KindBytes:
		return binaryForms([]byte(v.AsText())), nil
	}
	return keyForms(v)
}

// numericForms are the numbers of BSON that are equal to v.
func numericForms(v sources.Value) (forms []bsoncore.Value) {
	special := v.NaN() || v.Infinite() != 0
	if i, ok := v.Integer(); ok {
		forms = append(forms, bsonInt(i))
		if i == int64(int32(i)) {
			forms = append(forms, bsoncore.Value{Type: bsoncore.TypeInt32, Data: bsoncore.AppendInt32(nil, int32(i))})
		}
	}
	if f, ok := doubleOf(v); ok {
		forms = append(forms, bsonDouble(f))
	}
	if d, ok := decimalForm(v, special); ok {
		forms = append(forms, bsonDecimal(d))
	}
	own := map[sources.Kind]bsoncore.Type{sources.KindInt: bsoncore.TypeInt64, sources.KindFloat: bsoncore.TypeDouble, sources.KindDecimal: bsoncore.TypeDecimal128}[v.Kind()]
	if at := slices.IndexFunc(forms, func(f bsoncore.Value) bool { return f.Type == own }); at > 0 {
		forms[0], forms[at] = forms[at], forms[0]
	}
	return forms
}

// decimalForm is the decimal128 that is equal to v: of a decimal with the scale it
// has, of a float the shortest one that is it.
func decimalForm(v sources.Value, special bool) (bson.Decimal128, bool) {
	if v.Kind() == sources.KindDecimal || special {
		d, err := bson.ParseDecimal128(v.String())
		if err == nil && (special || decimalOf(d).Equal(v)) { // parsing rounds
			return d, true
		}
	}
	exact, ok := sources.Canonical(v).ExactDecimal()
	if !ok {
		return bson.Decimal128{}, false
	}
	return decimal128(exact)
}

// doubleOf is the double that is equal to v.
func doubleOf(v sources.Value) (float64, bool) {
	if v.Kind() == sources.KindFloat {
		return v.AsFloat(), true
	}
	text := v.String()
	if i, ok := v.Integer(); ok {
		text = strconv.FormatInt(i, 10)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, false
	}
	return f, sources.Canonical(sources.Float(f)).Equal(sources.Canonical(v))
}

func subtype(v bsoncore.Value) byte {
	t, _, ok := v.BinaryOK()
	if !ok {
		return 0xff
	}
	return t
}

func fittedList(v sources.Value, old bsoncore.Value) (bsoncore.Value, error) {
	var before, values []bsoncore.Value
	if old.Type == bsoncore.TypeArray {
		err := elements(old.Data, func(_ []byte, item bsoncore.Value) error {
			before = append(before, item)
			return nil
		})
		if err != nil {
			return old, err
		}
	}
	var names []string
	for i, item := range v.Items() {
		var place bsoncore.Value
		if i < len(before) {
			place = before[i]
		}
		one, err := fitted(item, place)
		if err != nil {
			return old, err
		}
		names, values = append(names, strconv.Itoa(i)), append(values, one)
	}
	list := bsonDocument(names, values)
	list.Type = bsoncore.TypeArray
	return list, nil
}

// fittedDocument keeps the order of the members that are there; others follow.
func fittedDocument(v sources.Value, old bsoncore.Value) (bsoncore.Value, error) {
	wanted := slices.Clone(v.Fields())
	place := map[string]int{}
	before := map[string]bsoncore.Value{}
	if old.Type == bsoncore.TypeEmbeddedDocument {
		err := elements(old.Data, func(name []byte, m bsoncore.Value) error {
			if _, known := place[string(name)]; !known {
				place[string(name)], before[string(name)] = len(place)-math.MaxInt32, m
			}
			return nil
		})
		if err != nil {
			return old, err
		}
	}
	slices.SortStableFunc(wanted, func(a, b sources.Field) int { return place[a.Name] - place[b.Name] })
	var names []string
	var values []bsoncore.Value
	for _, f := range wanted {
		if slices.Contains([]byte(f.Name), 0) {
			return old, fmt.Errorf("a document has a member whose name holds a zero byte")
		}
		one, err := fitted(f.Value, before[f.Name])
		if err != nil {
			return old, err
		}
		names, values = append(names, f.Name), append(values, one)
	}
	return bsonDocument(names, values), nil
}
