package mongodb

import (
	"errors"
	"fmt"
	"math"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"plumbline/sources"
)

// class is a stretch of the index on _id whose values a bound of one kind can
// reach. BSON orders values by type first, and a span must not depend on that:
// the span (Int 10, Int 20] means numbers, and the span (Int 10, …) means the
// larger numbers and everything that is no number.
type class int

// The classes, in the index's order. Binary is cut in three because uuids lie
// together in its midst (binary is ordered by length, subtype, bytes).
const (
	classLow      class = iota // MinKey, null
	classNumber                // NaN first
	classText                  // string, symbol
	classDocument              // document, array
	classShort                 // binary shorter than a uuid, or of a lower subtype
	classUUID                  // binary of 16 bytes, subtype 4
	classLong                  // other binary
	classObjectID
	classBool
	classTime
	classHigh // internal timestamp, regular expression, DBPointer, code, MaxKey
	classes
)

// floor is the least value of a class.
func (c class) floor() bsoncore.Value {
	switch c {
	case classLow:
		return bsoncore.Value{Type: bsoncore.TypeMinKey}
	case classNumber:
		return nan()
	case classText:
		return bsonString("")
	case classDocument:
		return bsonDocument(nil, nil)
	case classShort:
		return bsonBinary(bson.TypeBinaryGeneric, nil)
	case classUUID:
		return bsonBinary(bson.TypeBinaryUUID, make([]byte, 16))
	case classLong:
		return bsonBinary(bson.TypeBinaryUUID+1, make([]byte, 16))
	case classObjectID:
		return bsonObjectID([12]byte{})
	case classBool:
		return bsonBool(false)
	case classTime:
		return bsonDateTime(math.MinInt64)
	}
	return bsonTimestamp(0, 0)
}

func classOf(v bsoncore.Value) class {
	switch v.Type {
	case bsoncore.TypeMinKey, bsoncore.TypeNull, bsoncore.TypeUndefined:
		return classLow
	case bsoncore.TypeDouble, bsoncore.TypeInt32, bsoncore.TypeInt64, bsoncore.TypeDecimal128:
		return classNumber
	case bsoncore.TypeString, bsoncore.TypeSymbol:
		return classText
	case bsoncore.TypeEmbeddedDocument, bsoncore.TypeArray:
		return classDocument
	case bsoncore.TypeBinary:
		subtype, data, _, _ := bsoncore.ReadBinary(v.Data)
		switch {
		case len(data) < 16 || len(data) == 16 && subtype < bson.TypeBinaryUUID:
			return classShort
		case len(data) == 16 && subtype == bson.TypeBinaryUUID:
			return classUUID
		}
		return classLong
	case bsoncore.TypeObjectID:
		return classObjectID
	case bsoncore.TypeBoolean:
		return classBool
	case bsoncore.TypeDateTime:
		return classTime
	}
	return classHigh
}

// place is a position read back: an _id, and the class in which its scan began.
// Where that is another than the _id's own, the scan was already past its home
// and among the types that no bound reaches.
type place struct {
	id   bsoncore.Value
	home class
}

// position writes a place so that other stores may use it where they can: numbers,
// texts, uuids, objectids, times and bools as themselves. What does not
// convert exactly, or is away from home, is a list that only this package reads.
// plainText says that the dataset's ids are texts, so that a text which spells a
// uuid or an objectid will be read back as a text.
func (p place) position(plainText bool) sources.Position {
	if v, err := valueOf(p.id); err == nil && p.home == classOf(p.id) {
		switch v.Kind() {
		case sources.KindInt, sources.KindUUID, sources.KindObjectID, sources.KindTime, sources.KindBool:
			return sources.Position{v}
		case sources.KindFloat, sources.KindDecimal:
			if i, ok := v.Integer(); ok {
				v = sources.Int(i)
			}
			return sources.Position{v}
		case sources.KindText:
			_, uuid := sources.ParseUUID(v.AsText())
			_, objectID := sources.ParseObjectID(v.AsText())
			if plainText || !uuid && !objectID {
				return sources.Position{v}
			}
		}
	}
	return sources.Position{sources.ListOf([]sources.Value{
		sources.Int(int64(p.home)), sources.Int(int64(p.id.Type)), sources.Bytes(p.id.Data),
	})}
}

// errPosition is final: no later read will understand it.
var errPosition = errors.New("a position that this source did not make")

// placeOf reads a position, or a bound that another store's keys gave. kind is
// the kind of the dataset's ids as far as sampling can tell. Times round down: an _id has whole milliseconds,
// so it is after, or up to, t exactly when it is so of t's millisecond.
func placeOf(p sources.Position, kind sources.Kind) (place, error) {
	if len(p) != 1 {
		return place{}, sources.Final(fmt.Errorf("%w: %d parts", errPosition, len(p)))
	}
	id, home, err := boundOf(p[0], kind)
	if err != nil {
		return place{}, sources.Final(err)
	}
	return place{id: id, home: home}, nil
}

func boundOf(v sources.Value, kind sources.Kind) (bsoncore.Value, class, error) {
	at := func(id bsoncore.Value) (bsoncore.Value, class, error) { return id, classOf(id), nil }
	switch v.Kind() {
	case sources.KindList:
		items := v.Items()
		if len(items) != 3 || items[0].AsInt() < 0 || items[0].AsInt() >= int64(classes) {
			return bsoncore.Value{}, 0, errPosition
		}
		id, rest, ok := bsoncore.ReadValue([]byte(items[2].AsText()), bsoncore.Type(items[1].AsInt()))
		if !ok || len(rest) > 0 {
			return bsoncore.Value{}, 0, errPosition
		}
		return id, class(items[0].AsInt()), nil
	case sources.KindText:
		if u, ok := sources.ParseUUID(v.AsText()); ok && kind == sources.KindUUID {
			return at(bsonBinary(bson.TypeBinaryUUID, u[:]))
		}
		if id, ok := sources.ParseObjectID(v.AsText()); ok && kind == sources.KindObjectID {
			return at(bsonObjectID(id))
		}
		return at(bsonString(v.AsText()))
	case sources.KindUUID:
		u := v.AsUUID()
		return at(bsonBinary(bson.TypeBinaryUUID, u[:]))
	case sources.KindObjectID:
		return at(bsonObjectID(v.AsObjectID()))
	case sources.KindTime:
		if v.Infinite() == 0 && !v.Naive() {
			return at(bsonDateTime(v.AsTime().UnixMilli()))
		}
	default:
		if forms, err := exactForms(v); err == nil && len(forms) > 0 && v.Kind() != sources.KindNull && v.Kind() != sources.KindBytes {
			return at(forms[0])
		}
	}
	return bsoncore.Value{}, 0, fmt.Errorf("%s %s cannot bound a range of _id", v.Kind(), v)
}
