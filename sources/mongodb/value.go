package mongodb

import (
	"errors"
	"fmt"
	"math"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
)

// errMalformed says that bytes which the server sent are no BSON. It is no fact
// about a record: the page failed.
var errMalformed = errors.New("the server sent malformed BSON")

// unreadable says why a value has no canonical form. It is a fact about the record.
type unreadable struct{ why string }

func (u *unreadable) Error() string { return u.why }

// valueOf makes a Value of a BSON value. Its errors are errMalformed and *unreadable.
//
// double, int32 and int64 keep their exact values; decimal128 keeps its digits and
// its scale. A string keeps its bytes, valid UTF-8 or not; the deprecated symbol
// is a text too. Binary of subtype 4 and 16 bytes is a uuid; every other binary is
// bytes, among them subtype 3, a uuid whose byte order depends on who wrote it.
// The deprecated undefined is null. Regular expressions, code, internal
// timestamps, DBPointers, MinKey and MaxKey have no canonical form.
func valueOf(v bsoncore.Value) (sources.Value, error) { return valueAt(v, 0) }

func valueAt(v bsoncore.Value, depth int) (sources.Value, error) {
	switch v.Type {
	case bsoncore.TypeEmbeddedDocument, bsoncore.TypeArray:
		if depth >= sources.MaxDepth {
			return sources.Value{}, &unreadable{sources.ErrTooDeep.Error()}
		}
		if v.Type == bsoncore.TypeArray {
			return listOf(v.Data, depth+1)
		}
		return documentOf(v.Data, depth+1)
	case bsoncore.TypeNull, bsoncore.TypeUndefined:
		return sources.Null(), nil
	case bsoncore.TypeRegex, bsoncore.TypeDBPointer, bsoncore.TypeJavaScript, bsoncore.TypeCodeWithScope,
		bsoncore.TypeTimestamp, bsoncore.TypeMinKey, bsoncore.TypeMaxKey:
		return sources.Value{}, &unreadable{fmt.Sprintf("a BSON %s has no canonical form", v.Type)}
	}
	out, ok := scalarOf(v)
	if !ok {
		return sources.Value{}, errMalformed
	}
	return out, nil
}

func scalarOf(v bsoncore.Value) (out sources.Value, ok bool) {
	switch v.Type {
	case bsoncore.TypeDouble:
		var f float64
		f, _, ok = bsoncore.ReadDouble(v.Data)
		return sources.Float(f), ok
	case bsoncore.TypeString, bsoncore.TypeSymbol:
		var s string
		s, _, ok = bsoncore.ReadString(v.Data)
		return sources.Text(s), ok
	case bsoncore.TypeBinary:
		subtype, data, _, ok := bsoncore.ReadBinary(v.Data)
		if subtype == bson.TypeBinaryUUID && len(data) == 16 {
			return sources.UUID([16]byte(data)), ok
		}
		return sources.Bytes(data), ok
	case bsoncore.TypeObjectID:
		var id [12]byte
		id, _, ok = bsoncore.ReadObjectID(v.Data)
		return sources.ObjectID(id), ok
	case bsoncore.TypeBoolean:
		var b bool
		b, _, ok = bsoncore.ReadBoolean(v.Data)
		return sources.Bool(b), ok
	case bsoncore.TypeDateTime:
		var ms int64
		ms, _, ok = bsoncore.ReadDateTime(v.Data)
		return sources.Time(time.UnixMilli(ms), 3), ok
	case bsoncore.TypeInt32:
		var i int32
		i, _, ok = bsoncore.ReadInt32(v.Data)
		return sources.Int(int64(i)), ok
	case bsoncore.TypeInt64:
		var i int64
		i, _, ok = bsoncore.ReadInt64(v.Data)
		return sources.Int(i), ok
	case bsoncore.TypeDecimal128:
		high, low, _, ok := bsoncore.ReadDecimal128(v.Data)
		return decimalOf(bson.NewDecimal128(high, low)), ok
	}
	return sources.Value{}, false
}

func decimalOf(d bson.Decimal128) sources.Value {
	if sign := d.IsInf(); sign != 0 {
		return sources.DecimalInfinity(sign)
	}
	digits, exponent, err := d.BigInt()
	if err != nil { // what is neither finite nor infinite
		return sources.DecimalNaN()
	}
	return sources.Decimal(digits.String(), int64(exponent), max(0, -exponent))
}

func documentOf(data []byte, depth int) (sources.Value, error) {
	var fields []sources.Field
	err := elements(data, func(name []byte, v bsoncore.Value) error {
		value, err := valueAt(v, depth)
		if err == nil {
			fields = append(fields, sources.Field{Name: string(name), Value: value})
		}
		return err
	})
	if err != nil {
		return sources.Value{}, err
	}
	out, err := sources.DocumentOf(fields)
	if err != nil {
		return sources.Value{}, &unreadable{err.Error()}
	}
	return out, nil
}

func listOf(data []byte, depth int) (sources.Value, error) {
	var list []sources.Value
	err := elements(data, func(_ []byte, v bsoncore.Value) error {
		value, err := valueAt(v, depth)
		list = append(list, value)
		return err
	})
	if err != nil {
		return sources.Value{}, err
	}
	return sources.ListOf(list), nil
}

// elements calls each for every member of a document or array, in order. name is
// valid only until each returns.
func elements(data []byte, each func(name []byte, v bsoncore.Value) error) error {
	length, rest, ok := bsoncore.ReadLength(data)
	if !ok || length < 5 || int(length) > len(data) {
		return errMalformed
	}
	rest = rest[:length-4]
	for len(rest) > 1 {
		kind := bsoncore.Type(rest[0])
		name, after, ok := bsoncore.ReadKeyBytes(rest[1:])
		if !ok {
			return errMalformed
		}
		var v bsoncore.Value
		if v, rest, ok = bsoncore.ReadValue(after, kind); !ok {
			return errMalformed
		}
		if err := each(name, v); err != nil {
			return err
		}
	}
	if len(rest) != 1 || rest[0] != 0 {
		return errMalformed
	}
	return nil
}

// equalBSON says whether two values are the same type and bytes.
func equalBSON(a, b bsoncore.Value) bool { return a.Type == b.Type && string(a.Data) == string(b.Data) }

// member finds the first member of a document by that name, and how many there are.
func member(data []byte, name string) (found bsoncore.Value, times int, err error) {
	err = elements(data, func(n []byte, v bsoncore.Value) error {
		if string(n) == name {
			if times == 0 {
				found = v
			}
			times++
		}
		return nil
	})
	return found, times, err
}

// textOf is the text of a document's member; "" where it has none.
func textOf(data []byte, name string) string {
	v, _, err := member(data, name)
	if err != nil {
		return ""
	}
	s, _ := v.StringValueOK()
	return s
}

// identity is a value's type and bytes, fit to be a map key.
func identity(v bsoncore.Value) string { return string(append([]byte{byte(v.Type)}, v.Data...)) }

// rawValue is v as commands carry it.
func rawValue(v bsoncore.Value) bson.RawValue {
	return bson.RawValue{Type: bson.Type(v.Type), Value: v.Data}
}

// Some values of BSON, as bounds and as forms of keys.

func bsonInt(i int64) bsoncore.Value {
	return bsoncore.Value{Type: bsoncore.TypeInt64, Data: bsoncore.AppendInt64(nil, i)}
}

func bsonDouble(f float64) bsoncore.Value {
	return bsoncore.Value{Type: bsoncore.TypeDouble, Data: bsoncore.AppendDouble(nil, f)}
}

func bsonString(s string) bsoncore.Value {
	return bsoncore.Value{Type: bsoncore.TypeString, Data: bsoncore.AppendString(nil, s)}
}

func bsonBinary(subtype byte, b []byte) bsoncore.Value {
	return bsoncore.Value{Type: bsoncore.TypeBinary, Data: bsoncore.AppendBinary(nil, subtype, b)}
}

func bsonObjectID(id [12]byte) bsoncore.Value {
	return bsoncore.Value{Type: bsoncore.TypeObjectID, Data: bsoncore.AppendObjectID(nil, id)}
}

func bsonBool(b bool) bsoncore.Value {
	return bsoncore.Value{Type: bsoncore.TypeBoolean, Data: bsoncore.AppendBoolean(nil, b)}
}

func bsonDateTime(ms int64) bsoncore.Value {
	return bsoncore.Value{Type: bsoncore.TypeDateTime, Data: bsoncore.AppendDateTime(nil, ms)}
}

func bsonTimestamp(t, i uint32) bsoncore.Value {
	return bsoncore.Value{Type: bsoncore.TypeTimestamp, Data: bsoncore.AppendTimestamp(nil, t, i)}
}

func bsonDecimal(d bson.Decimal128) bsoncore.Value {
	high, low := d.GetBytes()
	return bsoncore.Value{Type: bsoncore.TypeDecimal128, Data: bsoncore.AppendDecimal128(nil, high, low)}
}

// bsonDocument is a document of members in the given order.
func bsonDocument(names []string, values []bsoncore.Value) bsoncore.Value {
	start, data := bsoncore.AppendDocumentStart(nil)
	for i, name := range names {
		data = bsoncore.AppendValueElement(data, name, values[i])
	}
	data = bsoncore.UpdateLength(append(data, 0), start, int32(len(data)+1))
	return bsoncore.Value{Type: bsoncore.TypeEmbeddedDocument, Data: data}
}

// nan is the lowest of BSON's numbers.
func nan() bsoncore.Value { return bsonDouble(math.NaN()) }
