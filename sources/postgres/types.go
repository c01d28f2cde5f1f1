package postgres

import "plumbline/sources"

// The object ids of the types that PostgreSQL is born with and we know.
const (
	oidBool        = 16
	oidBytea       = 17
	oidName        = 19
	oidInt8        = 20
	oidInt2        = 21
	oidInt4        = 23
	oidText        = 25
	oidOid         = 26
	oidJSON        = 114
	oidBox         = 603
	oidFloat4      = 700
	oidFloat8      = 701
	oidBpchar      = 1042
	oidVarchar     = 1043
	oidDate        = 1082
	oidTime        = 1083
	oidTimestamp   = 1114
	oidTimestamptz = 1184
	oidInterval    = 1186
	oidNumeric     = 1700
	oidUUID        = 2950
	oidJSONB       = 3802
	oidTextArray   = 1009
)

const (
	formatText   = 0
	formatBinary = 1
)

// dataType is a type of the server, domains resolved to what they are made of.
type dataType struct {
	oid    uint32
	name   string
	array  uint32    // the type of its arrays; 0 when there is none
	elem   *dataType // of an array
	enum   bool
	labels []string // of an enum
}

func (t *dataType) citext() bool { return t.name == "citext" }

// text says whether values are plain texts, equal where their bytes are.
func (t *dataType) text() bool {
	switch t.oid {
	case oidText, oidVarchar, oidName:
		return true
	}
	return t.enum || t.citext()
}

// json says whether values are JSON.
func (t *dataType) json() bool { return t.oid == oidJSON || t.oid == oidJSONB }

// form is how values of a column reach us and what they become.
type form struct {
	kind   sources.Kind
	naive  bool
	raw    string // FieldType.Raw
	format int16
	// oid is the type that the column has on the wire.
	oid    uint32
	decode func(raw []byte) (sources.Value, error)
}

// formOf chooses the form of a type with a column's modifier. What we do not
// know we take in its text form.
func formOf(t *dataType, modifier int32) form {
	f := form{format: formatBinary, oid: t.oid}
	switch {
	case t.text():
		f.kind, f.raw, f.decode = sources.KindText, "text UTF8", decodeText
		return f
	case t.elem != nil:
		return arrayForm(t, modifier)
	}
	switch t.oid {
	case oidBool:
		f.kind, f.raw, f.decode = sources.KindBool, "bool", decodeBool
	case oidInt2:
		f.kind, f.raw, f.decode = sources.KindInt, "int2", decodeInt2
	case oidInt4:
		f.kind, f.raw, f.decode = sources.KindInt, "int4", decodeInt4
	case oidInt8:
		f.kind, f.raw, f.decode = sources.KindInt, "int8", decodeInt8
	case oidOid:
		f.kind, f.raw, f.decode = sources.KindInt, "oid", decodeOid
	case oidNumeric:
		f.kind, f.raw, f.decode = sources.KindDecimal, "numeric", decodeNumeric
	case oidFloat4:
		f.kind, f.raw, f.decode = sources.KindFloat, "float4", decodeFloat4
	case oidFloat8:
		f.kind, f.raw, f.decode = sources.KindFloat, "float8", decodeFloat8
	case oidBpchar:
		f.kind, f.raw, f.decode = sources.KindText, "bpchar UTF8", decodeBpchar
	case oidBytea:
		f.kind, f.raw, f.decode = sources.KindBytes, "bytea", decodeBytea
	case oidTimestamptz:
		f.kind, f.raw, f.decode = sources.KindTime, "timestamptz", decodeTime(digits(modifier), false)
	case oidTimestamp:
		f.kind, f.naive, f.raw, f.decode = sources.KindTime, true, "timestamp", decodeTime(digits(modifier), true)
	case oidDate:
		f.kind, f.raw, f.decode = sources.KindDate, "date", decodeDate
	case oidTime:
		f.kind, f.raw, f.decode = sources.KindDuration, "time", decodeClock
	case oidInterval:
		f.kind, f.raw, f.decode = sources.KindDuration, "interval", decodeInterval
	case oidUUID:
		f.kind, f.raw, f.decode = sources.KindUUID, "uuid", decodeUUID
	case oidJSONB:
		f.raw, f.decode = "jsonb", decodeJSONB
	case oidJSON:
		f.decode = sources.ParseJSON // equal texts may both hold a name twice, which is no value
	default:
		f.kind, f.raw, f.format, f.decode = sources.KindText, t.name+" as text UTF8", formatText, decodeText
	}
	return f
}

func arrayForm(t *dataType, modifier int32) form {
	elem := formOf(t.elem, modifier)
	f := form{kind: sources.KindList, format: elem.format, oid: t.oid, decode: decodeArray(elem.decode)}
	if elem.format == formatText {
		f.decode = arrayText{delimiter: ','}.decode
		if t.elem.oid == oidBox { // whose own text has commas
			f.decode = arrayText{delimiter: ';'}.decode
		}
	}
	if elem.raw != "" && !t.elem.enum { // an enum's array carries the enum's own object id
		f.raw = "array of " + elem.raw
	}
	return f
}

// digits is how many digits of a second a type's modifier declares.
func digits(modifier int32) int {
	if modifier < 0 || modifier > 6 {
		return 6
	}
	return int(modifier)
}
