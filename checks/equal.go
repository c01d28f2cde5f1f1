package checks

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"plumbline/sources"
)

// judge compares one field's values under the rule. The note says why they
// differ where the two values alone would not tell.
func (r *Rule) judge(owner, replica sources.Value) (equal bool, note string) {
	if r.takesAsTheyCome() && isPlain(owner) && owner.Equal(replica) {
		return true, ""
	}
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
	if sources.Same(owner, replica, r.Precision) {
		return true, ""
	}
	return false, kindNote(owner, replica)
}

// takesAsTheyCome says that no value is converted, mapped or counted as null: one
// and the same on both sides is equal then, whatever else the rule allows.
func (r *Rule) takesAsTheyCome() bool {
	return r.Map == nil && r.NullEquals == nil && r.Owner.As == sources.KindAbsent && r.Replica.As == sources.KindAbsent &&
		r.Owner.Zone == nil && r.Replica.Zone == nil
}

// isPlain says that a value is there, one and no list, and equal to itself.
func isPlain(v sources.Value) bool {
	switch v.Kind() {
	case sources.KindAbsent, sources.KindNull, sources.KindList, sources.KindDocument:
		return false
	}
	return !v.NaN()
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
		if sources.Same(p.Owner, v, -1) {
			return p.Replica, true
		}
	}
	return sources.Value{}, false
}

func (r *Rule) nulled(v sources.Value) sources.Value {
	for _, n := range r.NullEquals {
		if sources.Same(n, v, -1) {
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
		i := slices.IndexFunc(replica, func(v sources.Value) bool { return sources.Same(o, v, r.Precision) })
		for i >= 0 && taken[i] {
			next := slices.IndexFunc(replica[i+1:], func(v sources.Value) bool { return sources.Same(o, v, r.Precision) })
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
