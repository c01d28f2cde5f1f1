package sources

import (
	"math"
	"time"
)

// Kind names what a Value is. The zero Kind is KindAbsent: a field nobody
// delivered is absent, never null and never empty.
type Kind uint8

// The kinds of values. Every adapter maps what its store holds onto these and
// no others; what fits none of them makes the record unreadable.
const (
	KindAbsent Kind = iota
	KindNull
	KindBool
	KindInt
	KindDecimal
	KindFloat
	KindText
	KindBytes
	KindTime
	KindDate
	KindDuration
	KindUUID
	KindObjectID
	KindList
	KindDocument
)

// kindNames are the words for kinds in configuration, JSON and messages, by Kind.
func kindNames() [15]string {
	return [...]string{"absent", "null", "bool", "int", "decimal", "float", "text", "bytes",
		"time", "date", "duration", "uuid", "objectid", "list", "document"}
}

func (k Kind) String() string {
	names := kindNames()
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}

// KindByName finds the kind a configuration names; ok is false for an unknown word.
func KindByName(name string) (k Kind, ok bool) {
	for i, n := range kindNames() {
		if n == name {
			return Kind(i), true
		}
	}
	return KindAbsent, false
}

// Number says whether k is a kind that counts: int, decimal or float.
func (k Kind) Number() bool { return k == KindInt || k == KindDecimal || k == KindFloat }

const (
	flagNaive  uint8 = 1 << iota // a time without a zone
	flagPosInf                   // +infinity of a decimal, time or date
	flagNegInf                   // -infinity of a decimal, time or date
	flagNaN                      // a decimal that is not a number
)

// Value is one field in canonical form: tagged, exact, immutable. The zero
// Value is absent. Two Values of one kind are the same value exactly when
// Equal says so, which is exactly when their encodings are the same bytes.
//
// A Value also carries the declared precision of where it came from (digits of
// a second, scale of a decimal, width of a float). Precision guides comparison
// and display; it is no part of the value's identity or encoding.
type Value struct {
	kind   Kind
	flag   uint8
	prec   uint8
	nanos  int32 // of a time: nanoseconds within the second
	num    int64 // bool, int, float bits, seconds, days, nanoseconds, decimal exponent
	str    string
	nested *nested
}

type nested struct {
	list   []Value
	fields []Field
}

// Field is one named member of a document.
type Field struct {
	Name  string
	Value Value
}

// Null is the value of a field that is there and says "nothing".
func Null() Value { return Value{kind: KindNull} }

// Bool makes a truth value.
func Bool(b bool) Value {
	v := Value{kind: KindBool}
	if b {
		v.num = 1
	}
	return v
}

// Int makes an integer. Integers beyond 64 bits are decimals.
func Int(i int64) Value { return Value{kind: KindInt, num: i} }

// Uint makes an integer, or a decimal where u exceeds 2^63-1.
func Uint(u uint64) Value {
	if u <= math.MaxInt64 {
		return Int(int64(u))
	}
	return decimalFromUint(u)
}

// Float makes a 64-bit float. Negative zero becomes zero and every NaN the
// same NaN, since each pair is one value.
func Float(f float64) Value { return makeFloat(f, 64) }

// Float32 makes a float that its store keeps in 32 bits.
func Float32(f float32) Value { return makeFloat(float64(f), 32) }

func makeFloat(f float64, width uint8) Value {
	switch {
	case f == 0:
		f = 0
	case math.IsNaN(f):
		f = math.NaN()
	}
	if f == 0 { // drops the sign of -0
		return Value{kind: KindFloat, prec: width}
	}
	return Value{kind: KindFloat, prec: width, num: int64(math.Float64bits(f))}
}

// Text makes a text of exactly these bytes, valid UTF-8 or not.
func Text(s string) Value { return Value{kind: KindText, str: s} }

// Bytes makes a byte string; b is copied.
func Bytes(b []byte) Value { return Value{kind: KindBytes, str: string(b)} }

// Time makes an instant; digits (0 to 9) is how many digits of a second its
// store declares to keep.
func Time(t time.Time, digits int) Value {
	return Value{kind: KindTime, prec: uint8(digits), num: t.Unix(), nanos: int32(t.Nanosecond())}
}

// NaiveTime makes a time of day on a date without a zone, taken from the
// clock reading of t as it would read in UTC.
func NaiveTime(t time.Time, digits int) Value {
	t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	v := Time(t, digits)
	v.flag = flagNaive
	return v
}

// TimeInfinity is a time after (sign > 0) or before all others, as PostgreSQL has them.
func TimeInfinity(sign int, naive bool) Value {
	v := Value{kind: KindTime, flag: infinity(sign), prec: 9}
	if naive {
		v.flag |= flagNaive
	}
	return v
}

// Date makes a calendar date, as days since 1970-01-01 in the proleptic Gregorian calendar.
func Date(days int64) Value { return Value{kind: KindDate, num: days} }

// DateInfinity is a date after (sign > 0) or before all others.
func DateInfinity(sign int) Value { return Value{kind: KindDate, flag: infinity(sign)} }

func infinity(sign int) uint8 {
	if sign < 0 {
		return flagNegInf
	}
	return flagPosInf
}

// Duration makes a span of time. Months and days are kept apart from
// nanoseconds: a month is no number of days, and a day no number of hours.
func Duration(months, days int32, nanoseconds int64) Value {
	v := Value{kind: KindDuration, num: nanoseconds}
	if months != 0 || days != 0 {
		v.str = string(appendUint32(appendUint32(nil, uint32(months)), uint32(days)))
	}
	return v
}

// UUID makes a universally unique identifier.
func UUID(u [16]byte) Value { return Value{kind: KindUUID, str: string(u[:])} }

// ObjectID makes a MongoDB object identifier.
func ObjectID(o [12]byte) Value { return Value{kind: KindObjectID, str: string(o[:])} }

// ListOf makes a list; it keeps vs, which the caller must not change afterwards.
func ListOf(vs []Value) Value { return Value{kind: KindList, nested: &nested{list: vs}} }
