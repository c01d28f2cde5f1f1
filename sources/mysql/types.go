package mysql

import (
	"strings"

	"plumbline/sources"
)

// family is what a type's values are, as far as we read, write and compare them.
type family uint8

const (
	familyText     family = iota // char, varchar, text: compared by a collation
	familyLabel                  // enum, set: ordered by number, compared as text
	familyInt                    // tinyint to bigint, year
	familyBit                    // bit: a number in its bytes
	familyDecimal                // decimal
	familyFloat                  // float, double
	familyBytes                  // binary, varbinary, blob
	familyDate                   // date
	familyDatetime               // datetime: no zone
	familyInstant                // timestamp
	familyClock                  // time: a span of time
	familyUUID                   // MariaDB's uuid
	familyJSON                   // json; in MariaDB a longtext that must be JSON
	familyShape                  // geometries
	familyOther                  // what we do not know: its text form
)

// dataType is a type of the server.
type dataType struct {
	name     string // int, varchar, datetime
	family   family
	unsigned bool
	bytes    int   // of an int
	digits   int   // of a second
	scale    int64 // of a decimal
	whole    int64 // digits of a decimal before the point
	pads     bool  // char: trailing spaces are no part of its values
}

// intBytes are the integer types and how many bytes they have.
func intBytes(name string) int {
	switch name {
	case "tinyint":
		return 1
	case "smallint":
		return 2
	case "mediumint":
		return 3
	case "int":
		return 4
	case "bigint":
		return 8
	}
	return 0
}

// typeOf makes a type of its name, as the catalogue or a result says it.
func typeOf(name string) dataType {
	t := dataType{name: name}
	if rest, ok := strings.CutPrefix(name, "unsigned "); ok {
		t.name, t.unsigned = rest, true
	}
	t.bytes = intBytes(t.name)
	switch t.name {
	case "tinyint", "smallint", "mediumint", "int", "bigint":
		t.family = familyInt
	case "year":
		t.family, t.bytes, t.unsigned = familyInt, 2, true
	case "bit":
		t.family = familyBit
	case "decimal":
		t.family = familyDecimal
	case "float", "double":
		t.family = familyFloat
	case "char":
		t.pads = true
	case "varchar", "tinytext", "text", "mediumtext", "longtext", "null":
	case "enum", "set":
		t.family = familyLabel
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "vector":
		t.family = familyBytes
	case "date":
		t.family = familyDate
	case "datetime":
		t.family = familyDatetime
	case "timestamp":
		t.family = familyInstant
	case "time":
		t.family = familyClock
	case "uuid":
		t.family = familyUUID
	case "json":
		t.family = familyJSON
	case "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection", "geomcollection":
		t.family = familyShape
	default:
		t.family = familyOther
	}
	return t
}

// long says whether one value may be larger than a record may be.
func (t *dataType) long() bool {
	switch t.name {
	case "longtext", "longblob", "mediumtext", "mediumblob":
		return true
	}
	return t.family == familyJSON || t.family == familyShape
}

// keyable says whether values can be a key.
func (t *dataType) keyable() bool { return t.family != familyJSON && t.family != familyShape }

// kind is the kind of every value, or KindAbsent where that differs; strict says
// that it holds without exception.
func (t *dataType) kind() (kind sources.Kind, strict bool) {
	switch t.family {
	case familyInt, familyBit:
		return sources.KindInt, !t.unsigned && t.family != familyBit || t.bytes > 0 && t.bytes < 8 // from 2^63 on they are decimals
	case familyDecimal:
		return sources.KindDecimal, true
	case familyFloat:
		return sources.KindFloat, true
	case familyBytes, familyShape:
		return sources.KindBytes, false // a uuid and an objectid are found by their bytes, too
	case familyDate:
		return sources.KindDate, true
	case familyDatetime, familyInstant:
		return sources.KindTime, true
	case familyClock:
		return sources.KindDuration, true
	case familyUUID:
		return sources.KindUUID, true
	case familyJSON:
		return sources.KindAbsent, false
	}
	return sources.KindText, true
}

// columnForm is how values of a column become raw bytes and what those become. The
// layouts are those of PostgreSQL's binary format, so that equal bytes are equal
// values there too; "text" and the like are our own.
type columnForm struct {
	raw string // FieldType.Raw
	// append appends a value's raw bytes. plain is false where the value has no
	// canonical form, ok where it is none of the type.
	append func(b []byte, v any) (out []byte, plain, ok bool)
	decode func(raw []byte) (sources.Value, error)
	// proves says whether raw bytes have a canonical form where append does not
	// look; nil where they always have.
	proves func(raw []byte) bool
}

// formOf chooses the form of a type.
func formOf(t *dataType) columnForm {
	switch t.family {
	case familyInt:
		return intForm(t)
	case familyBit:
		return columnForm{raw: "bit", append: appendBit, decode: decodeUnsigned}
	case familyDecimal:
		return columnForm{raw: "numeric", append: appendNumeric, decode: decodeNumeric}
	case familyFloat:
		if t.name == "float" {
			return columnForm{raw: "float4", append: appendFloat4, decode: decodeFloat4}
		}
		return columnForm{raw: "float8", append: appendFloat8, decode: decodeFloat8}
	case familyBytes, familyShape:
		return columnForm{raw: "bytea", append: appendText, decode: decodeBytes}
	case familyDate:
		return columnForm{raw: "date", append: appendDate, decode: decodeDate}
	case familyDatetime:
		return columnForm{raw: "timestamp", append: appendTime, decode: decodeTime(t.digits, true)}
	case familyInstant:
		return columnForm{raw: "timestamptz", append: appendTime, decode: decodeTime(t.digits, false)}
	case familyClock:
		return columnForm{raw: "span", append: appendClock, decode: decodeClock}
	case familyUUID:
		return columnForm{raw: "uuid", append: appendUUID, decode: decodeUUID}
	case familyJSON:
		return columnForm{raw: "json text", append: appendText, decode: sources.ParseJSON, proves: isJSON}
	}
	return columnForm{raw: "text UTF8", append: appendText, decode: decodeText}
}

// isJSON: equal texts may both hold a name twice, which is no value.
func isJSON(raw []byte) bool {
	_, err := sources.ParseJSON(raw)
	return err == nil
}

func intForm(t *dataType) columnForm {
	switch {
	case t.bytes <= 2 && !(t.unsigned && t.bytes == 2 && t.name != "year"):
		return columnForm{raw: "int2", append: appendInt(2), decode: decodeInt}
	case t.bytes <= 3, t.bytes == 4 && !t.unsigned:
		return columnForm{raw: "int4", append: appendInt(4), decode: decodeInt}
	case t.unsigned && t.bytes == 8:
		return columnForm{raw: "uint8", append: appendInt(8), decode: decodeUnsigned}
	}
	return columnForm{raw: "int8", append: appendInt(8), decode: decodeInt}
}
