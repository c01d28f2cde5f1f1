package mongodb

import (
	"fmt"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
)

// maxForms bounds in how many spellings one key part is asked for.
const maxForms = 128

// keyForms are the BSON values under which a collection may hold a key part:
// every one that is equal to v as keys are matched. MongoDB compares numbers by
// value whatever their type, so one form finds all of that value; a double and
// the decimal it is written as are two. It finds more than was asked for at
// times; records are checked again when they have come. None means that no BSON
// value is equal to v.
func keyForms(v sources.Value) ([]bsoncore.Value, error) {
	if k := v.Kind(); k == sources.KindFloat || k == sources.KindDecimal {
		return numberForms(v, sources.Canonical), nil
	}
	forms, err := exactForms(v)
	if err != nil {
		return nil, err
	}
	switch v.Kind() {
	case sources.KindUUID, sources.KindObjectID: // equal to their text
		return append(forms, bsonString(v.String())), nil
	case sources.KindText:
	default:
		return forms, nil
	}
	if u, ok := sources.ParseUUID(v.AsText()); ok && sources.UUID(u).String() == v.AsText() {
		forms = append(forms, bsonBinary(bson.TypeBinaryUUID, u[:]))
	}
	if id, ok := sources.ParseObjectID(v.AsText()); ok && sources.ObjectID(id).String() == v.AsText() {
		forms = append(forms, bsonObjectID(id))
	}
	return forms, nil
}

// exactForms are the BSON values that read back as v.
func exactForms(v sources.Value) ([]bsoncore.Value, error) {
	switch v.Kind() {
	case sources.KindNull:
		return []bsoncore.Value{{Type: bsoncore.TypeNull}}, nil
	case sources.KindBool:
		return []bsoncore.Value{bsonBool(v.AsBool())}, nil
	case sources.KindInt:
		return []bsoncore.Value{bsonInt(v.AsInt())}, nil
	case sources.KindFloat, sources.KindDecimal:
		return numberForms(v, exactDecimal), nil
	case sources.KindText:
		return []bsoncore.Value{bsonString(v.AsText())}, nil
	case sources.KindBytes:
		return binaryForms([]byte(v.AsText())), nil
	case sources.KindUUID:
		u := v.AsUUID()
		return []bsoncore.Value{bsonBinary(bson.TypeBinaryUUID, u[:])}, nil
	case sources.KindObjectID:
		return []bsoncore.Value{bsonObjectID(v.AsObjectID())}, nil
	case sources.KindTime:
		if v.Naive() || v.Infinite() != 0 || v.AsTime().Nanosecond()%int(time.Millisecond) != 0 {
			return nil, nil
		}
		return []bsoncore.Value{bsonDateTime(v.AsTime().UnixMilli())}, nil
	case sources.KindList, sources.KindDocument:
		return nestedForms(v)
	}
	return nil, nil // absent, dates and durations are nothing BSON has
}

// exactDecimal is a finite number as the decimal that it is, to the last digit.
func exactDecimal(v sources.Value) sources.Value {
	d, _ := v.ExactDecimal()
	return d.WithPrecision(0)
}

// numberForms are a double and a decimal128, each where asDecimal makes the same
// decimal of it as of v.
func numberForms(v sources.Value, asDecimal func(sources.Value) sources.Value) []bsoncore.Value {
	if i, ok := v.Integer(); ok {
		return []bsoncore.Value{bsonInt(i)}
	}
	if v.Kind() == sources.KindFloat && (v.NaN() || v.Infinite() != 0) {
		return []bsoncore.Value{bsonDouble(v.AsFloat())}
	}
	if v.NaN() || v.Infinite() != 0 { // a decimal; the server holds these equal to the double's
		f, err := strconv.ParseFloat(v.String(), 64)
		if err != nil {
			return nil
		}
		return []bsoncore.Value{bsonDouble(f)}
	}
	var forms []bsoncore.Value
	wanted := asDecimal(v)
	if f, err := strconv.ParseFloat(wanted.WithPrecision(0).String(), 64); err == nil && asDecimal(sources.Float(f)).Equal(wanted) {
		forms = append(forms, bsonDouble(f))
	}
	if d, ok := decimal128(wanted); ok {
		forms = append(forms, bsonDecimal(d))
	}
	return forms
}

// decimal128 is a finite decimal of at most 34 digits; ok is false beyond that.
func decimal128(v sources.Value) (bson.Decimal128, bool) {
	digits, exponent, ok := v.DecimalParts()
	if !ok {
		return bson.Decimal128{}, false
	}
	d, err := bson.ParseDecimal128(fmt.Sprintf("%sE%d", digits, exponent))
	if err != nil {
		return bson.Decimal128{}, false
	}
	return d, decimalOf(d).Equal(v) // parsing rounds
}

// binaryForms are these bytes under every subtype that reads back as bytes, but
// for the compressed column, which servers refuse in a condition.
func binaryForms(b []byte) []bsoncore.Value {
	subtypes := []byte{0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x08, 0x09, 0x80}
	forms := make([]bsoncore.Value, 0, len(subtypes))
	for _, subtype := range subtypes {
		if subtype == bson.TypeBinaryUUID && len(b) == 16 {
			continue
		}
		forms = append(forms, bsonBinary(subtype, b))
	}
	return forms
}

// nestedForms writes a list or document. MongoDB compares documents member by
// member in their stored order, which a canonical document no longer knows, so
// every order is a form.
func nestedForms(v sources.Value) ([]bsoncore.Value, error) {
	var names []string
	var choices [][]bsoncore.Value
	collect := func(name string, item sources.Value) error {
		forms, err := exactForms(item)
		names, choices = append(names, name), append(choices, forms)
		return err
	}
	for i, item := range v.Items() {
		if err := collect(strconv.Itoa(i), item); err != nil {
			return nil, err
		}
	}
	for _, f := range v.Fields() {
		if err := collect(f.Name, f.Value); err != nil {
			return nil, err
		}
	}
	orders := [][]int{inOrder(len(names))}
	if v.Kind() == sources.KindDocument {
		orders = permutations(len(names))
	}
	total := len(orders)
	for _, c := range choices {
		total *= len(c)
	}
	if orders == nil || total > maxForms {
		return nil, sources.Final(fmt.Errorf("look up a key that is a %s of %d members: name its members as the key (for an _id {a, b}: key: [_id.a, _id.b])",
			v.Kind(), v.Len()))
	}
	var forms []bsoncore.Value
	for _, order := range orders {
		forms = append(forms, combine(v.Kind(), names, choices, order)...)
	}
	return forms, nil
}

// combine makes every document with its members in the given order, each member in each of its forms.
func combine(kind sources.Kind, names []string, choices [][]bsoncore.Value, order []int) []bsoncore.Value {
	rows := [][]bsoncore.Value{nil}
	ordered := make([]string, len(order))
	for at, i := range order {
		ordered[at] = names[i]
		var grown [][]bsoncore.Value
		for _, row := range rows {
			for _, choice := range choices[i] {
				grown = append(grown, append(row[:len(row):len(row)], choice))
			}
		}
		rows = grown
	}
	forms := make([]bsoncore.Value, len(rows))
	for i, row := range rows {
		forms[i] = bsonDocument(ordered, row)
		if kind == sources.KindList {
			forms[i].Type = bsoncore.TypeArray
		}
	}
	return forms
}

func inOrder(n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	return order
}

// permutations are the orders of n members; nil where there are more than maxForms.
func permutations(n int) [][]int {
	orders := [][]int{nil}
	for i := range n {
		if len(orders)*(i+1) > maxForms {
			return nil
		}
		var grown [][]int
		for _, o := range orders {
			for at := range len(o) + 1 {
				next := append(append(append([]int(nil), o[:at]...), i), o[at:]...)
				grown = append(grown, next)
			}
		}
		orders = grown
	}
	return orders
}

// anyOf is the condition that a field is one of some values, whose type is told
// from their spelling by nobody: they are sent as BSON.
func anyOf(forms []bsoncore.Value) bson.D {
	values := make(bson.A, len(forms))
	for i, f := range forms {
		values[i] = rawValue(f)
	}
	return doc("$in", values)
}
