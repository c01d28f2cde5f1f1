package configs

import (
	"cmp"
	"maps"
	"slices"

	"plumbline/checks"
	"plumbline/sources"
)

// side lowers what owner and replica have in common; owner is that of a replica,
// and nil for the owner itself.
func (l *lowering) side(s, owner *setting) checks.Side {
	if s.under == nil {
		return checks.Side{}
	}
	side := checks.Side{Source: valueOf[string](s, "source"), Version: valueOf[string](s, "version"), Dataset: sources.Dataset{
		Name: valueOf[string](s, "dataset"), Query: valueOf[string](s, "query"),
		Filter: valueOf[string](s, "filter"), Pipeline: valueOf[string](s, "pipeline"),
		Unwind: valueOf[string](s, "unwind"), DeletedWhen: valueOf[string](s, "deleted_when"),
		Scope: conditions(s.get("scope")), Format: sources.Format(valueOf[string](s, "format")),
	}}
	side.Dataset.Key, side.Forms, side.Masks = l.keyForms(s.get("key"))
	if s.record.find("where").misplaced == "" {
		side.Dataset.Where = valueOf[string](s, "where")
	} else {
		side.Dataset.ID = l.names(s.get("id"))
	}
	side.Kind = l.kindOf(s.get("source"))
	switch side.Kind {
	case "postgres", "mysql", "sqlite":
		l.fitsSQL(s, side.Kind)
	case "mongodb":
		l.fitsMongoDB(s)
	case "redis":
		l.fitsRedis(s, &side.Dataset)
	case "http":
		l.fitsHTTP(s, &side.Dataset, owner)
	}
	return side
}

// kindOf finds the kind of a declared source; "" where it is not known.
func (l *lowering) kindOf(s *setting) string {
	if s == nil || s.bad {
		return ""
	}
	name := s.value.(string)
	source, known := l.sources[name]
	if !known {
		p := s.problem(s.path, "source %s is not declared: add it under sources", s.raw.shown())
		if !s.raw.expanded {
			p.Suggestion = nearest(name, slices.Collect(maps.Keys(l.sources)))
		}
		if p.Suggestion != "" {
			p.Message = "source " + s.raw.shown() + " is not declared"
		}
		s.bad, l.problems = true, append(l.problems, p)
	}
	return source.Kind
}

// fitsSQL refuses what an SQL store does not understand.
func (l *lowering) fitsSQL(s *setting, kind string) {
	l.refuse(s, "filter", "does not fit "+kind+": write where on the owner, or a query")
	l.refuse(s, "pipeline", "does not fit "+kind+": write a query")
	l.refuse(s, "unwind", "does not fit "+kind+": unnest the array in a query")
	l.refuseForms(s, kind)
	switch dataset, query := s.get("dataset"), s.get("query"); {
	case dataset == nil && query == nil:
		l.report(s, "%q is missing: name a table, or write a query", "dataset")
	case dataset != nil && query != nil:
		l.problems = append(l.problems, query.key.problem(query.path, "a side has dataset or query, not both: remove one"))
	}
	for _, name := range []string{"query", "where", "deleted_when"} {
		switch c := s.get(name); {
		case c == nil || c.bad:
		case !c.textual():
			l.report(c, "wants text in the language of %s, not a mapping or a list", kind)
		default:
			if why := checkSQL(kind, c.value.(string)); why != "" {
				l.report(c, "%s", why)
			}
		}
	}
}

// fitsMongoDB refuses what MongoDB does not understand.
func (l *lowering) fitsMongoDB(s *setting) {
	l.refuse(s, "query", "does not fit mongodb: name a collection with dataset, and filter it or give it a pipeline")
	l.refuseForms(s, "mongodb")
	if s.get("dataset") == nil && s.get("query") == nil {
		l.report(s, "%q is missing: name a collection", "dataset")
	}
	if filter, pipeline := s.get("filter"), s.get("pipeline"); filter != nil && pipeline != nil && !filter.bad && !pipeline.bad {
		l.problems = append(l.problems, filter.key.problem(filter.path, "a side has filter or pipeline, not both: make the filter a $match stage"))
	}
	if unwind, pipeline := s.get("unwind"), s.get("pipeline"); unwind != nil && pipeline != nil && !unwind.bad && !pipeline.bad {
		l.problems = append(l.problems, unwind.key.problem(unwind.path, "a side has unwind or pipeline, not both: make it an $unwind stage"))
	}
	for _, name := range []string{"filter", "where", "deleted_when"} {
		l.fitsJSON(s.get(name), "{", "a condition such as {\"state\": \"gone\"}")
	}
	l.fitsJSON(s.get("pipeline"), "[", "a list of stages")
}

// refuseForms refuses what only stores have that know no fields of their own.
func (l *lowering) refuseForms(s *setting, kind string) {
	if kind != "redis" {
		l.refuse(s, "format", "does not fit "+kind+": only redis has formats")
	}
	if kind != "http" {
		for _, name := range []string{"list", "get", "batch"} {
			l.refuse(s, name, "does not fit "+kind+": only http has "+name)
		}
	}
}

func (l *lowering) fitsJSON(c *setting, opening, words string) {
	if c == nil || c.bad {
		return
	}
	if why := checkJSON(c.value.(string), opening, words); why != "" {
		l.report(c, "%s", why)
	}
}

func (l *lowering) refuse(s *setting, name, why string) {
	if c := s.get(name); c != nil && !c.bad {
		c.bad = true
		l.problems = append(l.problems, c.key.problem(c.path, "%s", why))
	}
}

// textual says whether a condition was written as text rather than as a tree.
func (s *setting) textual() bool { return s.raw != written{} }

func conditions(s *setting) []sources.Condition {
	if s == nil {
		return nil
	}
	var all []sources.Condition
	for _, name := range s.names {
		if v, ok := s.under[name].value.(sources.Value); ok {
			all = append(all, sources.Condition{Field: name, Value: v})
		}
	}
	slices.SortFunc(all, func(a, b sources.Condition) int { return cmp.Compare(a.Field, b.Field) })
	return all
}

// names lowers a list of field names, in which none may stand twice.
func (l *lowering) names(s *setting) []string {
	if s == nil {
		return nil
	}
	var all []string
	for _, item := range s.items {
		name, ok := item.value.(string)
		if ok && slices.Contains(all, name) {
			l.report(item, "names %s twice: remove one", item.raw.shown())
		}
		all = append(all, name)
	}
	return all
}

// keyForms lowers a key: its fields, and how the side writes each.
func (l *lowering) keyForms(s *setting) (names []string, forms []checks.KeyForm, masks []checks.Mask) {
	if s == nil {
		return nil, nil, nil
	}
	for _, item := range s.items {
		name, form, mask, at := "", checks.KeyForm{}, checks.MaskNone, item
		if item.under == nil {
			name, _ = item.value.(string)
		} else {
			name = valueOf[string](item, "field")
			form = checks.KeyForm{As: valueOf[sources.Kind](item, "as"), Prefix: valueOf[string](item, "prefix")}
			mask = maskOf(valueOf[string](item, "mask"))
			at = cmp.Or(item.get("field"), item)
		}
		switch as := item.get("as"); {
		case form.Prefix == "":
		case as == nil:
			form.As = sources.KindText
		case form.As != sources.KindText && !as.bad:
			l.report(as, "a prefix makes the key text: write as: text, or remove as")
		}
		if name != "" && slices.Contains(names, name) {
			l.report(at, "names %s twice: remove one", at.raw.shown())
		}
		names, forms, masks = append(names, name), append(forms, form), append(masks, mask)
	}
	if !slices.ContainsFunc(masks, func(m checks.Mask) bool { return m != checks.MaskNone }) {
		masks = nil
	}
	return names, forms, masks
}
