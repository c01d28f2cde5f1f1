package configs

import (
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/apd/v3"

	"plumbline/checks"
	"plumbline/sources"
)

// rules lowers the compared fields for one pair of owner and replica.
func (l *lowering) rules(s, owner, replica *setting) []checks.Rule {
	var all []checks.Rule
	type pair struct{ owner, replica string }
	first := map[pair]*setting{}
	for _, item := range s.items {
		rule := checks.Rule{Precision: -1}
		if item.under == nil {
			name, ok := item.value.(string)
			if !ok {
				continue
			}
			rule.Owner.Name, rule.Replica.Name = inside(owner, name), inside(replica, name)
		} else {
			rule = l.rule(item)
		}
		compared := pair{rule.Owner.Name, rule.Replica.Name}
		if earlier := first[compared]; earlier != nil && compared.owner != "" && compared.replica != "" {
			l.report(item, "compares the same two fields as line %d: remove one", earlier.line)
		}
		first[compared] = item
		all = append(all, rule)
	}
	return all
}

// inside names a bare field on one side: where the side's records live in an
// array, the field is one of the array's elements.
func inside(side *setting, name string) string {
	array := ""
	if side != nil && side.under != nil {
		array = valueOf[string](side, "unwind")
	}
	if array == "" || strings.HasPrefix(name, array+".") {
		return name
	}
	return array + "." + name
}

func (l *lowering) rule(s *setting) checks.Rule {
	r := checks.Rule{Owner: fieldRef(s.get("owner")), Replica: fieldRef(s.get("replica")), Precision: -1,
		NFC: valueOf[string](s, "unicode") == "nfc", AnyOrder: valueOf[string](s, "order") == "ignore",
		WithinPercent: valueOf[*apd.Decimal](s, "within_percent"), Map: valueOf[[]checks.MapPair](s, "map"),
		Mask: maskOf(valueOf[string](s, "mask")),
	}
	for _, what := range l.names(s.get("fold")) {
		r.FoldCase, r.FoldSpace = r.FoldCase || what == "case", r.FoldSpace || what == "space"
	}
	ends := valueOf[string](s, "trim")
	r.TrimLeft, r.TrimRight = ends == "left" || ends == "both", ends == "right" || ends == "both"
	within := valueOf[tolerance](s, "within")
	r.Within, r.WithinTime = within.number, within.time
	if digits := s.get("precision"); digits != nil && !digits.bad {
		r.Precision = digits.value.(int)
	}
	r.NullEquals = l.nulls(s.get("null_equals"))
	if ignored := s.get("ignore"); ignored != nil && !ignored.bad {
		r.IgnoreUntil, r.IgnoreReason = valueOf[time.Time](ignored, "until"), valueOf[string](ignored, "reason")
	}
	l.agree(s, &r)
	return r
}

func fieldRef(s *setting) checks.FieldRef {
	if s == nil {
		return checks.FieldRef{}
	}
	if s.under == nil {
		name, _ := s.value.(string)
		return checks.FieldRef{Name: name}
	}
	return checks.FieldRef{Name: valueOf[string](s, "field"), As: valueOf[sources.Kind](s, "as"), Zone: valueOf[*time.Location](s, "tz")}
}

func maskOf(word string) checks.Mask {
	return map[string]checks.Mask{"partial": checks.MaskPartial, "hash": checks.MaskHash, "full": checks.MaskFull}[word]
}

func (l *lowering) nulls(s *setting) []sources.Value {
	if s == nil {
		return nil
	}
	var all []sources.Value
	for _, item := range s.items {
		v, ok := item.value.(sources.Value)
		switch {
		case !ok:
			continue
		case slices.ContainsFunc(all, v.Equal):
			l.report(item, "names %s twice: remove one", item.raw.shown())
		}
		all = append(all, v)
	}
	return all
}

// agree refuses options that cannot work together, or not with the kinds that
// the values are read as.
func (l *lowering) agree(s *setting, r *checks.Rule) {
	for _, c := range conflicts(r) {
		if slices.ContainsFunc(c, func(name string) bool { return s.get(name) == nil || s.get(name).bad }) {
			continue
		}
		l.report(s, "%s and %s cannot work together: remove one", c[0], c[1])
	}
	numeric := []sources.Kind{sources.KindInt, sources.KindDecimal, sources.KindFloat}
	temporal := []sources.Kind{sources.KindTime, sources.KindDate}
	l.needs(s, r, r.Within != nil, "within (a number)", numeric)
	l.needs(s, r, r.WithinPercent != nil, "within_percent", numeric)
	l.needs(s, r, r.WithinTime != 0, "within (a duration)", temporal)
	l.needs(s, r, r.Precision >= 0, "precision", []sources.Kind{sources.KindTime})
	l.needs(s, r, r.FoldCase || r.FoldSpace, "fold", []sources.Kind{sources.KindText})
	l.needs(s, r, r.TrimLeft || r.TrimRight, "trim", []sources.Kind{sources.KindText})
	l.needs(s, r, r.NFC, "unicode", []sources.Kind{sources.KindText})
	for _, name := range []string{"owner", "replica"} {
		side := s.get(name)
		if side == nil || side.bad || side.under == nil {
			continue
		}
		if as := valueOf[sources.Kind](side, "as"); side.get("tz") != nil && as != sources.KindAbsent && !slices.Contains(temporal, as) {
			l.report(side.get("tz"), "a time zone means nothing for as: %s: remove tz, or read the field as: time", as)
		}
	}
	if o, p := family(r.Owner.As), family(r.Replica.As); o != p && o != sources.KindAbsent && p != sources.KindAbsent && r.Map == nil {
		l.report(s, "the owner's %s and the replica's %s are never equal: read both as the same kind", r.Owner.As, r.Replica.As)
	}
}

// conflicts are the pairs of options that no rule can have, by their keys.
func conflicts(r *checks.Rule) [][]string {
	tolerances := []string{"within", "within_percent"}
	var all [][]string
	for _, name := range tolerances {
		for _, other := range []string{"map", "fold", "trim", "unicode", "order", "precision"} {
			all = append(all, []string{name, other})
		}
	}
	for _, other := range []string{"map", "fold", "trim", "unicode"} {
		all = append(all, []string{"precision", other})
	}
	all = append(all, []string{"map", "order"})
	if r.WithinTime != 0 {
		all = append(all, tolerances)
	}
	return all
}

// needs refuses an option where a side's values are read as a kind it does not apply to.
func (l *lowering) needs(s *setting, r *checks.Rule, on bool, option string, kinds []sources.Kind) {
	if !on {
		return
	}
	for _, side := range []struct {
		name string
		as   sources.Kind
	}{{"owner", r.Owner.As}, {"replica", r.Replica.As}} {
		if side.as != sources.KindAbsent && !slices.Contains(kinds, side.as) {
			l.report(s, "%s does not apply to the %s's values, which are read as %s: remove it, or change as", option, side.name, side.as)
		}
	}
}

// family groups kinds whose values can be equal to each other.
func family(k sources.Kind) sources.Kind {
	switch {
	case k.Number():
		return sources.KindDecimal
	case k == sources.KindUUID || k == sources.KindObjectID:
		return sources.KindText
	}
	return k
}
