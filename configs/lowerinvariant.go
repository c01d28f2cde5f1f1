package configs

import (
	"strings"

	"plumbline/checks"
)

// invariants compiles the conditions of a check.
func (l *lowering) invariants(s *setting) []checks.Invariant {
	if s == nil {
		return nil
	}
	var all []checks.Invariant
	taken := map[string]bool{}
	for _, item := range s.items {
		if item.bad {
			continue
		}
		name, expr := item.get("name"), item.get("expr")
		if taken[name.value.(string)] {
			l.report(name, "two invariants are named %s: rename one", name.raw.shown())
		}
		taken[name.value.(string)] = true
		compiled, err := checks.CompileInvariant(name.value.(string), expr.value.(string))
		switch {
		case err == nil:
			all = append(all, compiled)
		case expr.raw.expanded || name.raw.expanded:
			l.report(expr, "is no condition with what ${…} stands for: write it out to see why")
		default:
			l.report(expr, "%s", strings.TrimPrefix(err.Error(), "invariant "+name.value.(string)+": "))
		}
	}
	return all
}
