package checks

import (
	"fmt"
	"strings"

	"plumbline/sources"
)

// plain says whether the rule asks for nothing but the same value.
func (r *Rule) plain() bool {
	return !r.FoldCase && !r.FoldSpace && !r.TrimLeft && !r.TrimRight && !r.NFC &&
		r.Within == nil && r.WithinPercent == nil && r.WithinTime == 0 && r.Precision < 0 &&
		r.Map == nil && r.NullEquals == nil && !r.AnyOrder &&
		r.Owner.As == sources.KindAbsent && r.Replica.As == sources.KindAbsent &&
		r.Owner.Zone == nil && r.Replica.Zone == nil
}

// Words says in words how the field is compared: "exact", "within 0.01, fold case".
func (r *Rule) Words() string {
	var words []string
	add := func(on bool, format string, args ...any) {
		if on {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	add(r.FoldCase && r.FoldSpace, "fold case and space")
	add(r.FoldCase && !r.FoldSpace, "fold case")
	add(r.FoldSpace && !r.FoldCase, "fold space")
	add(r.TrimLeft && r.TrimRight, "trim")
	add(r.TrimLeft && !r.TrimRight, "trim left")
	add(r.TrimRight && !r.TrimLeft, "trim right")
	add(r.NFC, "unicode nfc")
	add(r.Within != nil, "within %s", r.Within)
	add(r.WithinPercent != nil, "within %s %%", r.WithinPercent)
	add(r.WithinTime != 0, "within %s", r.WithinTime)
	add(r.Precision >= 0, "to %d digits of a second", r.Precision)
	add(r.Map != nil, "mapped")
	add(len(r.NullEquals) > 0, "null equals %s", listed(r.NullEquals))
	add(r.AnyOrder, "in any order")
	add(r.Owner.As != sources.KindAbsent, "owner as %s", r.Owner.As)
	add(r.Replica.As != sources.KindAbsent, "replica as %s", r.Replica.As)
	if len(words) == 0 {
		return "exact"
	}
	return strings.Join(words, ", ")
}

func listed(vs []sources.Value) string {
	words := make([]string, len(vs))
	for i, v := range vs {
		words[i] = v.Kind().String()
		if !v.IsAbsent() && !v.IsNull() {
			words[i] = fmt.Sprintf("%q", v.String())
		}
	}
	return strings.Join(words, ", ")
}
