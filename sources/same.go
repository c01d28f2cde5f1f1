package sources

import (
	"math"
	"slices"
	"strconv"
	"time"
)

// Same is the plain rule of equality: the same value, numbers by what they count whatever
// their kind, a uuid or objectid and its text alike, instants at the lower
// declared precision of the two (or at precision digits where that is ≥ 0). It is wider than Value.Equal, which is identity.
func Same(owner, replica Value, precision int) bool {
	o, r := owner.Kind(), replica.Kind()
	switch {
	case o.Number() && r.Number():
		return sameNumber(owner, replica)
	case o == KindTime && r == KindTime:
		return sameTime(owner, replica, precision)
	case o == KindList && r == KindList:
		return slices.EqualFunc(owner.Items(), replica.Items(), func(a, b Value) bool { return Same(a, b, precision) })
	case o == KindDocument && r == KindDocument:
		return slices.EqualFunc(owner.Fields(), replica.Fields(), func(a, b Field) bool {
			return a.Name == b.Name && Same(a.Value, b.Value, precision)
		})
	case o == KindText && r != o:
		return sameIdentifier(replica, owner)
	case r == KindText && r != o:
		return sameIdentifier(owner, replica)
	}
	return owner.Equal(replica)
}

func sameIdentifier(id, text Value) bool {
	switch id.Kind() {
	case KindUUID:
		u, ok := ParseUUID(text.AsText())
		return ok && u == id.AsUUID()
	case KindObjectID:
		o, ok := ParseObjectID(text.AsText())
		return ok && o == id.AsObjectID()
	}
	return false
}

// sameNumber compares exactly where both numbers are exact, and otherwise asks
// whether the exact one rounds to the float: 0.1 is the float next to it, and
// 2^53+1 is not the float 2^53.
func sameNumber(a, b Value) bool {
	if a.NaN() || b.NaN() {
		return a.NaN() && b.NaN()
	}
	if a.Infinite() != 0 || b.Infinite() != 0 {
		return a.Infinite() == b.Infinite()
	}
	af, bf := a.Kind() == KindFloat, b.Kind() == KindFloat
	switch {
	case af && bf:
		return sameFloat(a, b)
	case af:
		return roundsTo(b, a)
	case bf:
		return roundsTo(a, b)
	}
	ad, ae, _ := a.DecimalParts()
	bd, be, _ := b.DecimalParts()
	return ad == bd && ae == be
}

func sameFloat(a, b Value) bool {
	if a.Precision() == 32 || b.Precision() == 32 {
		return float32(a.AsFloat()) == float32(b.AsFloat())
	}
	return a.AsFloat() == b.AsFloat()
}

func roundsTo(exact, float Value) bool {
	if i, ok := exact.Integer(); ok {
		j, ok := float.Integer()
		return ok && i == j
	}
	bits := 64
	if float.Precision() == 32 {
		bits = 32
	}
	f, err := strconv.ParseFloat(exact.String(), bits)
	return err == nil && f == float.AsFloat()
}

// sameTime accepts that the side of lower precision was made by truncating
// (downwards, or towards 1970) or by rounding the other.
func sameTime(a, b Value, precision int) bool {
	if a.Naive() != b.Naive() || a.Infinite() != b.Infinite() {
		return false
	}
	if a.Infinite() != 0 {
		return true
	}
	digits := min(a.Precision(), b.Precision())
	if precision >= 0 {
		digits = precision
	}
	if digits >= 9 {
		return a.AsTime().Equal(b.AsTime())
	}
	unit := int64(math.Pow10(9 - digits))
	at, bt := a.AsTime(), b.AsTime()
	if d := at.Sub(bt); d >= time.Duration(unit) || d <= -time.Duration(unit) { // also keeps what follows from overflowing
		return false
	}
	base := min(at.Unix(), bt.Unix()) // nanoseconds since base fit easily
	an := (at.Unix()-base)*1e9 + int64(at.Nanosecond())
	bn := (bt.Unix()-base)*1e9 + int64(bt.Nanosecond())
	return reduced(an, bn, unit, bt.Unix() < 0) || reduced(bn, an, unit, at.Unix() < 0)
}

// reduced says whether low, a multiple of unit, is high truncated or rounded to
// unit; where neither is a multiple, whether both truncate alike or round alike.
func reduced(low, high, unit int64, before1970 bool) bool {
	floor := high - high%unit
	ceiling := floor
	if high%unit != 0 {
		ceiling += unit
	}
	if low%unit != 0 {
		return low-low%unit == floor || (low+unit/2)/unit == (high+unit/2)/unit
	}
	return low == floor || low == ceiling && (before1970 || 2*(ceiling-high) <= unit)
}
