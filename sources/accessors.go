package sources

import (
	"math"
	"strings"
	"time"
)

// Kind says what v is.
func (v Value) Kind() Kind { return v.kind }

// IsAbsent says whether nobody delivered the field.
func (v Value) IsAbsent() bool { return v.kind == KindAbsent }

// IsNull says whether the field is there and null.
func (v Value) IsNull() bool { return v.kind == KindNull }

// AsBool returns the truth of a bool; false for other kinds.
func (v Value) AsBool() bool { return v.kind == KindBool && v.num == 1 }

// AsInt returns the integer of an int; 0 for other kinds.
func (v Value) AsInt() int64 {
	if v.kind != KindInt {
		return 0
	}
	return v.num
}

// AsFloat returns the float of a float; 0 for other kinds.
func (v Value) AsFloat() float64 {
	if v.kind != KindFloat {
		return 0
	}
	return math.Float64frombits(uint64(v.num))
}

// AsText returns the bytes of a text or byte string as they are, and "" for other kinds.
func (v Value) AsText() string {
	if v.kind != KindText && v.kind != KindBytes {
		return ""
	}
	return v.str
}

// AsUUID returns the 16 bytes of a uuid.
func (v Value) AsUUID() (u [16]byte) {
	if v.kind == KindUUID {
		copy(u[:], v.str)
	}
	return u
}

// AsObjectID returns the 12 bytes of an objectid.
func (v Value) AsObjectID() (o [12]byte) {
	if v.kind == KindObjectID {
		copy(o[:], v.str)
	}
	return o
}

// AsTime returns a finite time in UTC; a naive time reads as if its zone were UTC.
func (v Value) AsTime() time.Time {
	if v.kind != KindTime {
		return time.Time{}
	}
	return time.Unix(v.num, int64(v.nanos)).UTC()
}

// AsDays returns a date's days since 1970-01-01.
func (v Value) AsDays() int64 {
	if v.kind != KindDate {
		return 0
	}
	return v.num
}

// AsDuration returns a duration's months, days and nanoseconds.
func (v Value) AsDuration() (months, days int32, nanoseconds int64) {
	if v.kind != KindDuration {
		return 0, 0, 0
	}
	if len(v.str) == 8 {
		months, days = int32(readUint32(v.str)), int32(readUint32(v.str[4:]))
	}
	return months, days, v.num
}

// Naive says whether v is a time without a zone.
func (v Value) Naive() bool { return v.kind == KindTime && v.flag&flagNaive != 0 }

// Infinite returns +1 or -1 for an infinite decimal, float, time or date, else 0.
func (v Value) Infinite() int {
	switch {
	case v.kind == KindFloat && math.IsInf(v.AsFloat(), 1), v.flag&flagPosInf != 0:
		return 1
	case v.kind == KindFloat && math.IsInf(v.AsFloat(), -1), v.flag&flagNegInf != 0:
		return -1
	}
	return 0
}

// NaN says whether v is a decimal or float that is not a number.
func (v Value) NaN() bool {
	return v.flag&flagNaN != 0 || v.kind == KindFloat && math.IsNaN(v.AsFloat())
}

// Precision returns what the store declares: digits of a second of a time,
// digits after the point of a decimal, bits (32 or 64) of a float.
func (v Value) Precision() int { return int(v.prec) }

// WithPrecision returns v as if its store had declared that precision.
func (v Value) WithPrecision(p int) Value {
	v.prec = uint8(p)
	return v
}

// Len returns how many items a list or document has, or bytes a text or byte string.
func (v Value) Len() int {
	if v.nested != nil {
		return len(v.nested.list) + len(v.nested.fields)
	}
	return len(v.AsText())
}

// Items returns a list's values; the caller must not change them.
func (v Value) Items() []Value {
	if v.kind != KindList {
		return nil
	}
	return v.nested.list
}

// Fields returns a document's members in the order of their names' bytes; the
// caller must not change them.
func (v Value) Fields() []Field {
	if v.kind != KindDocument {
		return nil
	}
	return v.nested.fields
}

// Get follows a dotted path through documents. What is not there is absent.
func (v Value) Get(path string) Value {
	for path != "" {
		name, rest, _ := strings.Cut(path, ".")
		v, path = v.member(name), rest
	}
	return v
}

func (v Value) member(name string) Value {
	fields := v.Fields()
	lo, hi := 0, len(fields)
	for lo < hi {
		mid := (lo + hi) / 2
		if fields[mid].Name < name {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(fields) && fields[lo].Name == name {
		return fields[lo].Value
	}
	return Value{}
}

// Equal says whether v and w are the same value of the same kind. Rules decide
// what else counts as equal; Equal is identity.
func (v Value) Equal(w Value) bool {
	if v.kind != w.kind || v.flag != w.flag || v.num != w.num || v.nanos != w.nanos || v.str != w.str {
		return false
	}
	if v.nested == nil {
		return true
	}
	if len(v.nested.list) != len(w.nested.list) || len(v.nested.fields) != len(w.nested.fields) {
		return false
	}
	for i, item := range v.nested.list {
		if !item.Equal(w.nested.list[i]) {
			return false
		}
	}
	for i, f := range v.nested.fields {
		if f.Name != w.nested.fields[i].Name || !f.Value.Equal(w.nested.fields[i].Value) {
			return false
		}
	}
	return true
}
