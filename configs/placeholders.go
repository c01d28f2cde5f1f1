package configs

import (
	"slices"

	"plumbline/sources"
)

// placeholders resolve what stands in braces in the paths and parameters of an
// HTTP API: the fields of the side's key, or those of the owner's key in their
// place. What is lowered names the side's own.
type placeholders struct {
	key, ownerKey []string
	shown         []string // those of both that a message may show
	bad           bool     // the key could not be read, so nothing is said of it
}

// own is the field of the side's key that a name means; "" for none.
func (p placeholders) own(name string) string {
	if slices.Contains(p.key, name) {
		return name
	}
	if i := slices.Index(p.ownerKey, name); i >= 0 && i < len(p.key) {
		return p.key[i]
	}
	return ""
}

// listingQuery lowers the parameters of a listing, which hold {page_size} and
// {next} alone.
func (l *lowering) listingQuery(s *setting) map[string]string {
	l.eachPattern(s, func(_ string, at *setting, pattern sources.Pattern) {
		for _, name := range pattern.Fields {
			if name != "page_size" && name != "next" && !at.bad {
				l.reportWritten(at, "parameter %s holds {%s}: a list knows {page_size} and {next} alone", at.raw.shown(), shorten(name))
			}
		}
	})
	return parametersOf(s)
}

// getting checks that a request for one record holds the whole key, and writes
// every field in braces as the side's own.
func (l *lowering) getting(s *setting, g *sources.Getting, p placeholders) {
	held := map[string]bool{}
	resolve := func(at *setting, what string, pattern sources.Pattern) string {
		for i, name := range pattern.Fields {
			own := p.own(name)
			if own == "" {
				if !p.bad {
					l.unknownField(at, what, name, p.shown)
				}
				return ""
			}
			pattern.Fields[i], held[own] = own, true
		}
		return pattern.String()
	}
	if path := s.get("path"); path != nil && !path.bad {
		if pattern, ok := l.pattern(path, "path"); ok {
			g.Path = resolve(path, "path", pattern)
		}
	}
	l.eachPattern(s.get("query"), func(name string, at *setting, pattern sources.Pattern) {
		g.Query[name] = resolve(at, "parameter", pattern)
	})
	if s.bad || p.bad || isBad(s.get("path")) || anyBad(s.get("query")) {
		return
	}
	for _, name := range p.key {
		switch {
		case held[name]:
		case slices.Contains(p.shown, name):
			l.report(s, "holds no {%s}: write every field of the key in braces, in path or query", shorten(name))
		default:
			l.report(s, "does not hold the whole key: write every field of it in braces, in path or query")
		}
	}
}

// batching checks that one parameter holds the keys, and writes it as {ids}.
func (l *lowering) batching(s *setting, b *sources.Batching, p placeholders) {
	if len(p.key) > 1 && !p.bad {
		l.report(s, "asks by a key of one field, and this key has %d: use get", len(p.key))
		return
	}
	plurals, shown := []string{"ids"}, []string{"ids"}
	for _, name := range slices.Concat(p.key, p.ownerKey) {
		plurals = append(plurals, name+"s")
	}
	for _, name := range p.shown {
		shown = append(shown, name+"s")
	}
	held := 0
	l.eachPattern(s.get("query"), func(name string, at *setting, pattern sources.Pattern) {
		for i, field := range pattern.Fields {
			if !slices.Contains(plurals, field) {
				l.unknownField(at, "parameter", field, shown)
				return
			}
			held++
			pattern.Fields[i] = "ids"
		}
		b.Query[name] = pattern.String()
	})
	if path := s.get("path"); path != nil && !path.bad {
		if pattern, ok := l.pattern(path, "path"); ok && len(pattern.Fields) > 0 {
			l.reportWritten(path, "path %s holds {%s}: the keys belong into a parameter, such as query: {ids: \"{ids}\"}", path.raw.shown(), shorten(pattern.Fields[0]))
		}
	}
	if held != 1 && !s.bad && !anyBad(s.get("query")) {
		l.report(s, "must hold the keys in one parameter, such as query: {ids: \"{ids}\"}")
	}
}

// anyBad says whether a problem was reported of any parameter.
func anyBad(query *setting) bool {
	return query != nil && slices.ContainsFunc(query.names, func(name string) bool { return query.under[name].bad })
}

// eachPattern reads each parameter of a query as a pattern.
func (l *lowering) eachPattern(s *setting, each func(name string, at *setting, pattern sources.Pattern)) {
	if s == nil {
		return
	}
	for _, name := range s.names {
		if at := s.under[name]; !at.bad {
			if pattern, ok := l.pattern(at, "parameter"); ok {
				each(name, at, pattern)
			}
		}
	}
}

// pattern reads a text with fields in braces.
func (l *lowering) pattern(s *setting, what string) (sources.Pattern, bool) {
	pattern, err := sources.ParsePattern(s.value.(string))
	if err != nil {
		l.reportWritten(s, "%s %s %v", what, s.raw.shown(), err)
	}
	return pattern, err == nil
}

// reportWritten reports a problem in words that quote a value, unless parts of it
// came from ${…}.
func (l *lowering) reportWritten(s *setting, format string, args ...any) {
	if s.raw.expanded {
		l.report(s, "is no text with fields in braces with what ${…} stands for: write it out to see why")
		return
	}
	l.report(s, format, args...)
}
