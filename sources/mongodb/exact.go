package mongodb

import (
	"math"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// The server calls numbers of different types equal, a decimal and itself with
// more zeros, zero and minus zero, strings and symbols, and nothing and null. What
// is written only while nothing has changed must tell them apart, at any depth, so
// $eq is joined by comparisons of types and, for some, of texts. All of them are
// made so that no content of the document can make them fail.

// exactly are conditions that an expression's value is this one, type for type;
// without a type, that there is none.
func exactly(e any, v bsoncore.Value) (bson.A, error) {
	if v.Type == 0 {
		return bson.A{typed(e, "missing")}, nil
	}
	all := bson.A{typed(e, typeName(v.Type)), equals(e, doc("$literal", rawValue(v)))}
	if hidden(v) {
		all = append(all, equals(spelled(e), spelled(doc("$literal", rawValue(v)))))
	}
	if v.Type != bsoncore.TypeArray && v.Type != bsoncore.TypeEmbeddedDocument {
		return all, nil
	}
	x := &exactness{root: e, all: all}
	inner, err := x.members(e, v, nil, maxNested)
	if inner != nil {
		x.all = append(x.all, inner)
	}
	return x.all, err
}

// maxNested is how many levels of a value conditions follow it into. Servers bound
// how deep expressions are; what lies deeper is reached from the top again.
const maxNested = 30

// exactness makes the conditions that what is nested in a value is of its types.
type exactness struct {
	root any
	all  bson.A
}

// members is the condition on what a list or document, at a place that the indexes
// lead to, holds; nil where it is empty.
func (x *exactness) members(at any, v bsoncore.Value, path []int32, levels int) (any, error) {
	var types, values, same bson.A
	spell := false
	err := elements(v.Data, func(_ []byte, m bsoncore.Value) error {
		i := int32(len(types))
		types, values = append(types, typeName(m.Type)), append(values, rawValue(m))
		spell = spell || hidden(m)
		if m.Type != bsoncore.TypeArray && m.Type != bsoncore.TypeEmbeddedDocument {
			return nil
		}
		below := append(path[:len(path):len(path)], i)
		if levels > 0 {
			inner, err := x.members(doc("$arrayElemAt", bson.A{"$$members", i}), m, below, levels-1)
			if inner != nil {
				same = append(same, inner)
			}
			return err
		}
		from := doc("$reduce", bson.D{{Key: "input", Value: below}, {Key: "initialValue", Value: x.root},
			{Key: "in", Value: doc("$arrayElemAt", bson.A{membersOf("$$value"), "$$this"})}})
		inner, err := x.members(from, m, below, maxNested)
		if inner != nil {
			x.all = append(x.all, inner)
		}
		return err
	})
	if err != nil || len(types) == 0 {
		return nil, err
	}
	same = append(same, equals(mapped("$$members", doc("$type", "$$this")), types))
	if spell {
		same = append(same, equals(mapped("$$members", spelled("$$this")), mapped(doc("$literal", values), spelled("$$this"))))
	}
	return doc("$let", bson.D{{Key: "vars", Value: doc("members", membersOf(at))}, {Key: "in", Value: doc("$and", same)}}), nil
}

// membersOf are the values in a list or document; none of anything else.
func membersOf(e any) bson.D {
	of := doc("$switch", bson.D{{Key: "branches", Value: bson.A{
		bson.D{{Key: "case", Value: doc("$isArray", bson.A{"$$of"})}, {Key: "then", Value: "$$of"}},
		bson.D{{Key: "case", Value: typed("$$of", "object")}, {Key: "then", Value: doc("$map", bson.D{
			{Key: "input", Value: doc("$objectToArray", "$$of")}, {Key: "as", Value: "member"}, {Key: "in", Value: "$$member.v"}})}},
	}}, {Key: "default", Value: bson.A{}}})
	return doc("$let", bson.D{{Key: "vars", Value: doc("of", e)}, {Key: "in", Value: of}})
}

// hidden says whether values of v's type can be equal to it and yet not be it.
func hidden(v bsoncore.Value) bool {
	if v.Type == bsoncore.TypeDouble {
		f, ok := v.DoubleOK()
		return ok && (f == 0 || math.IsNaN(f))
	}
	return v.Type == bsoncore.TypeDecimal128
}

// holdingPins are conditions that a document's places are as pinned. root is what the
// paths begin with: "$", or a variable and a dot.
func holdingPins(root string, pins []pin) (all bson.A, err error) {
	parents := map[string]bool{}
	for _, p := range pins {
		for i, c := range p.path {
			if c == '.' && !parents[p.path[:i]] {
				parents[p.path[:i]] = true
				all = append(all, typed(root+p.path[:i], "object"))
			}
		}
		place := root + p.path
		if p.path == "" {
			place = strings.TrimSuffix(root, ".")
		}
		conditions, err := exactly(place, p.value)
		if err != nil {
			return nil, err
		}
		all = append(all, conditions...)
	}
	return all, nil
}

func equals(a, b any) bson.D { return doc("$eq", bson.A{a, b}) }

func typed(e any, name string) bson.D { return equals(doc("$type", e), name) }

// guarded is a condition that is looked at only where another holds.
func guarded(first, then any) bson.D { return doc("$cond", bson.A{first, then, false}) }

func mapped(input, in any) bson.D {
	return doc("$map", bson.D{{Key: "input", Value: input}, {Key: "in", Value: in}})
}

// spelled is a value as the server writes it; null where it cannot.
func spelled(e any) bson.D {
	return doc("$convert", bson.D{{Key: "input", Value: e}, {Key: "to", Value: "string"}, {Key: "onError", Value: nil}, {Key: "onNull", Value: nil}})
}

// typeName is a type in the server's words.
func typeName(t bsoncore.Type) string {
	switch t {
	case bsoncore.TypeDouble:
		return "double"
	case bsoncore.TypeString:
		return "string"
	case bsoncore.TypeEmbeddedDocument:
		return "object"
	case bsoncore.TypeArray:
		return "array"
	case bsoncore.TypeBinary:
		return "binData"
	case bsoncore.TypeUndefined:
		return "undefined"
	case bsoncore.TypeObjectID:
		return "objectId"
	case bsoncore.TypeBoolean:
		return "bool"
	case bsoncore.TypeDateTime:
		return "date"
	case bsoncore.TypeNull:
		return "null"
	case bsoncore.TypeRegex:
		return "regex"
	case bsoncore.TypeDBPointer:
		return "dbPointer"
	case bsoncore.TypeJavaScript:
		return "javascript"
	case bsoncore.TypeSymbol:
		return "symbol"
	case bsoncore.TypeCodeWithScope:
		return "javascriptWithScope"
	case bsoncore.TypeInt32:
		return "int"
	case bsoncore.TypeTimestamp:
		return "timestamp"
	case bsoncore.TypeInt64:
		return "long"
	case bsoncore.TypeDecimal128:
		return "decimal"
	case bsoncore.TypeMinKey:
		return "minKey"
	case bsoncore.TypeMaxKey:
		return "maxKey"
	}
	return t.String()
}
