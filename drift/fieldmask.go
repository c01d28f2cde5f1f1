package drift

import (
	"strings"

	"plumbline/checks"
)

// FieldMask says how much of a field of an edge's replica is hidden where what the
// replica holds is shown: as much as the most hidden rule, or part of the key or
// id, that it holds or lies in. What the check does not name at all is hidden whole.
func FieldMask(check *checks.Check, edge *checks.Edge, name string) checks.Mask {
	mask, named := checks.MaskNone, false
	hide := func(declared string, m checks.Mask) {
		switch {
		case declared == name, strings.HasPrefix(name, declared+"."):
			named = true
			mask = max(mask, m)
		case strings.HasPrefix(declared, name+"."):
			mask = max(mask, m)
		}
	}
	for _, r := range edge.Rules {
		hide(r.Replica.Name, r.Mask)
	}
	masks := MasksOf(check, edge)
	for i, part := range edge.Replica.Dataset.Key {
		if i < len(masks.key) {
			hide(part, masks.key[i])
		}
	}
	for i, part := range edge.Replica.Dataset.ID {
		hide(part, masks.id[i])
	}
	for _, c := range edge.Replica.Dataset.Scope {
		hide(c.Field, checks.MaskNone)
	}
	if edge.Replica.Version != "" {
		hide(edge.Replica.Version, checks.MaskNone)
	}
	if !named {
		return checks.MaskFull
	}
	return mask
}
