package checks

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"plumbline/sources"
)

// judge compares one field's values under the rule. The note says why they
// differ where the two values alone would not tell.
func (r *Rule) judge(owner, replica sources.Value) (equal bool, note string) {
	owner, err := sources.As(owner, kindOr(r.Owner.As, owner), r.Owner.Zone)
	if err != nil {
		return false, "owner's " + err.Error()
	}
	replica, err = sources.As(replica, kindOr(r.Replica.As, replica), r.Replica.Zone)
	if err != nil {
		return false, "replica's " + err.Error()
	}
	if r.Map != nil && !owner.IsNull() && !owner.IsAbsent() || r.mapsNull(owner) {
		mapped, ok := r.mapped(owner)
		if !ok {
			return false, "the map has no entry for the owner's value"
		}
		owner = mapped
	}
	owner, replica = r.nulled(owner), r.nulled(replica)
	owner, replica = r.folded(owner), r.folded(replica)
	if r.near(owner, replica) {
		return true, ""
	}
	if r.AnyOrder && owner.Kind() == sources.KindList && replica.Kind() == sources.KindList {
		return r.sameMultiset(owner.Items(), replica.Items()), ""
	}
	if same(owner, replica, r.Precision) {
		return true, ""
	}
	return false, kindNote(owner, replica)
}

func kindOr(as sources.Kind, v sources.Value) sources.Kind {
	if as == sources.KindAbsent {
		return v.Kind()
	}
	return as
}

func kindNote(owner, replica sources.Value) string {
	o, r := owner.Kind(), replica.Kind()
	switch {
	case o == r && owner.Naive() != replica.Naive():
		return "one side has a time without a zone: declare tz"
	case o == r || o.Number() && r.Number() || o <= sources.KindNull || r <= sources.KindNull:
		return ""
	}
	return "owner has " + o.String() + ", replica has " + r.String() + ": declare as"
}

func (r *Rule) mapsNull(v sources.Value) bool {
	return r.Map != nil && v.IsNull() && slices.ContainsFunc(r.Map, func(p MapPair) bool { return p.Owner.IsNull() })
}

func (r *Rule) mapped(v sources.Value) (sources.Value, bool) {
	for _, p := range r.Map {
		if same(p.Owner, v, -1) {
			return p.Replica, true
		}
	}
	return sources.Value{}, false
}

func (r *Rule) nulled(v sources.Value) sources.Value {
	for _, n := range r.NullEquals {
		if same(n, v, -1) {
			return sources.Null()
		}
	}
	return v
}

// folded brings a text, or each text of a list, to the form the rule compares.
func (r *Rule) folded(v sources.Value) sources.Value {
	if !r.FoldCase && !r.FoldSpace && !r.TrimLeft && !r.TrimRight && !r.NFC {
		return v
	}
	if v.Kind() == sources.KindList {
		items := make([]sources.Value, v.Len())
		for i, item := range v.Items() {
			items[i] = r.folded(item)
		}
		return sources.ListOf(items)
	}
	if v.Kind() != sources.KindText {
		return v
	}
	s := v.AsText()
	if r.NFC {
		s = norm.NFC.String(s)
	}
	if r.FoldCase {
		s = cases.Fold().String(s)
	}
	if r.FoldSpace {
		s = strings.Join(strings.Fields(s), " ")
	}
	if r.TrimLeft {
		s = strings.TrimLeftFunc(s, unicode.IsSpace)
	}
	if r.TrimRight {
		s = strings.TrimRightFunc(s, unicode.IsSpace)
	}
	return sources.Text(s)
}

func (r *Rule) sameMultiset(owner, replica []sources.Value) bool {
	if len(owner) != len(replica) {
		return false
	}
	taken := make([]bool, len(replica))
	for _, o := range owner {
		i := slices.IndexFunc(replica, func(v sources.Value) bool { return same(o, v, r.Precision) })
		for i >= 0 && taken[i] {
			next := slices.IndexFunc(replica[i+1:], func(v sources.Value) bool { return same(o, v, r.Precision) })
			if next < 0 {
				i = -1
				break
			}
			i += 1 + next
		}
		if i < 0 {
			return false
		}
		taken[i] = true
	}
	return true
}

// same is the plain rule: the same value, numbers by what they count whatever
// their kind, a uuid or objectid and its text alike, instants at the lower
// declared precision of the two (or at precision digits where that is ≥ 0).
func same(owner, replica sources.Value, precision int) bool {
	o, r := owner.Kind(), replica.Kind()
	switch {
	case o.Number() && r.Number():
		return sameNumber(owner, replica)
	case o == sources.KindTime && r == sources.KindTime:
		return sameTime(owner, replica, precision)
	case o == sources.KindList && r == sources.KindList:
		return slices.EqualFunc(owner.Items(), replica.Items(), func(a, b sources.Value) bool { return same(a, b, precision) })
	case o == sources.KindDocument && r == sources.KindDocument:
		return slices.EqualFunc(owner.Fields(), replica.Fields(), func(a, b sources.Field) bool {
			return a.Name == b.Name && same(a.Value, b.Value, precision)
		})
	case o == sources.KindText && r != o:
		return sameIdentifier(replica, owner)
	case r == sources.KindText && r != o:
		return sameIdentifier(owner, replica)
	}
	return owner.Equal(replica)
}

func sameIdentifier(id, text sources.Value) bool {
	switch id.Kind() {
	case sources.KindUUID:
		u, ok := sources.ParseUUID(text.AsText())
		return ok && u == id.AsUUID()
	case sources.KindObjectID:
		o, ok := sources.ParseObjectID(text.AsText())
		return ok && o == id.AsObjectID()
	}
	return false
}

// sameNumber compares exactly where both numbers are exact, and otherwise asks
// whether the exact one rounds to the float: 0.1 is the float next to it, and
// 2^53+1 is not the float 2^53.
func sameNumber(a, b sources.Value) bool {
	if a.NaN() || b.NaN() {
		return a.NaN() && b.NaN()
	}
	if a.Infinite() != 0 || b.Infinite() != 0 {
		return a.Infinite() == b.Infinite()
	}
	af, bf := a.Kind() == sources.KindFloat, b.Kind() == sources.KindFloat
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

func sameFloat(a, b sources.Value) bool {
	if a.Precision() == 32 || b.Precision() == 32 {
		return float32(a.AsFloat()) == float32(b.AsFloat())
	}
	return a.AsFloat() == b.AsFloat()
}

func roundsTo(exact, float sources.Value) bool {
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
func sameTime(a, b sources.Value, precision int) bool {
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
