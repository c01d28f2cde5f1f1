package configs

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"plumbline/checks"
	"plumbline/sources"
	"plumbline/sources/condition"
)

// fitsRedis refuses what a store of bare keys does not understand.
func (l *lowering) fitsRedis(s *setting, d *sources.Dataset) {
	for _, name := range []string{"query", "filter", "pipeline"} {
		l.refuse(s, name, "does not fit redis: name a pattern of keys with dataset, such as user:{id}")
	}
	l.refuseForms(s, "redis")
	l.conditions(s)
	if d.Format == "" {
		d.Format = sources.FormatJSON
	}
	if unwind := s.get("unwind"); unwind != nil && !unwind.bad && d.Format != sources.FormatJSON {
		l.report(unwind, "needs format: json: a record written as %s holds no array", d.Format)
	}
	dataset := s.get("dataset")
	switch {
	case dataset == nil:
		l.report(s, "%q is missing: name a pattern of keys, such as user:{id}", "dataset")
		return
	case dataset.bad || isBad(s.get("key")) || isBad(s.get("id")):
		return
	}
	pattern, err := sources.ParsePattern(d.Name)
	if err != nil {
		l.reportWritten(dataset, "pattern %s %v", dataset.raw.shown(), err)
		return
	}
	known := slices.Concat(d.Key, d.ID)
	for _, name := range pattern.Fields {
		switch {
		case !slices.Contains(known, name):
			l.unknownField(dataset, "pattern", name, slices.Concat(shownNames(s.get("key")), shownNames(s.get("id"))))
		case strings.Contains(name, "."):
			l.reportWritten(dataset, "pattern %s holds {%s}: a field of the pattern has no points in its name", dataset.raw.shown(), shorten(name))
		}
	}
	if d.Unwind != "" || len(d.ID) > 0 {
		return
	}
	for _, name := range d.Key {
		if !slices.Contains(pattern.Fields, name) && !dataset.bad {
			l.report(dataset, "pattern %s does not hold every field of the key, by which records are looked up: write them in braces, as in user:{id}", dataset.raw.shown())
		}
	}
}

// fitsHTTP refuses what an HTTP API does not understand, and lowers how it gives
// the records.
func (l *lowering) fitsHTTP(s *setting, d *sources.Dataset, owner *setting) {
	for _, name := range []string{"dataset", "query", "filter", "pipeline"} {
		l.refuse(s, name, "does not fit http: say with list, get or batch how the API gives its records")
	}
	l.refuseForms(s, "http")
	l.conditions(s)
	list, get, batch := s.get("list"), s.get("get"), s.get("batch")
	if list == nil && get == nil && batch == nil {
		l.report(s, "%q is missing: say how the API lists its records, or gives them by key with get or batch", "list")
		return
	}
	p := placeholders{key: d.Key, shown: shownNames(s.get("key")), bad: isBad(s.get("key"))}
	if owner != nil {
		p.ownerKey, p.shown = keyNames(owner.get("key")), slices.Concat(p.shown, shownNames(owner.get("key")))
	}
	d.Endpoint = &sources.Endpoint{}
	if usable(list) {
		d.Endpoint.List = &sources.Listing{Path: valueOf[string](list, "path"), Query: l.listingQuery(list.get("query")),
			Items: valueOf[string](list, "items"), Next: valueOf[string](list, "next"), PageSize: valueOf[int](list, "page_size")}
	}
	if usable(get) {
		d.Endpoint.Get = &sources.Getting{Path: valueOf[string](get, "path"), Query: parametersOf(get.get("query")),
			Item: valueOf[string](get, "item"), Absent: valuesOf[int](get.get("absent"))}
		l.getting(get, d.Endpoint.Get, p)
	}
	if usable(batch) {
		d.Endpoint.Batch = &sources.Batching{Path: valueOf[string](batch, "path"), Query: parametersOf(batch.get("query")),
			Items: valueOf[string](batch, "items"), Size: valueOf[int](batch, "size")}
		l.batching(batch, d.Endpoint.Batch, p)
	}
}

// conditions compiles where and deleted_when of a store that has no language of
// its own.
func (l *lowering) conditions(s *setting) {
	for _, name := range []string{"where", "deleted_when"} {
		c := s.get(name)
		switch {
		case c == nil || c.bad:
			continue
		case !c.textual():
			l.report(c, "wants an expression such as state == 'gone', not a mapping or a list")
			continue
		}
		if _, err := condition.Compile(c.value.(string)); err != nil {
			if c.raw.expanded {
				l.report(c, "is no condition with what ${…} stands for: write it out to see why")
				continue
			}
			l.report(c, "%s", strings.TrimPrefix(err.Error(), fmt.Sprintf("condition %q: ", c.value)))
		}
	}
}

// headers are the headers of a source.
func (l *lowering) headers(source *Source, s *setting) map[string]sources.Secret {
	if s == nil || s.bad {
		return nil
	}
	if source.Kind != "http" && source.Kind != "" {
		l.problems = append(l.problems, s.key.problem(s.path, "does not fit %s: only http has headers", source.Kind))
		s.bad = true
		return nil
	}
	all, first := map[string]sources.Secret{}, map[string]string{}
	for _, name := range s.names {
		if other, twice := first[strings.ToLower(name)]; twice {
			l.report(s.under[name], "header %s is header %s: keep one", shorten(name), shorten(other))
		}
		first[strings.ToLower(name)] = name
		all[name], _ = s.under[name].value.(sources.Secret)
	}
	return all
}

// reachable refuses an edge of which neither side, or not the one that is needed,
// can say what records it has, and notes what cannot be found.
func (l *lowering) reachable(owner *setting, o *checks.Side, replica *setting, e *checks.Edge) {
	blind := func(side *checks.Side) bool { return side.Dataset.Endpoint != nil && side.Dataset.Endpoint.List == nil }
	switch ownerBlind, replicaBlind := blind(o), blind(&e.Replica); {
	case ownerBlind && replicaBlind:
		l.report(replica, "neither side has list: one must say what records there are")
	case ownerBlind && !e.IgnoreMissing:
		l.note(owner, "has no list: missing records cannot be found")
	case replicaBlind && !e.IgnoreExtra:
		l.note(replica, "has no list: extra records cannot be found")
	}
}

func usable(s *setting) bool { return s != nil && s.under != nil }

func isBad(s *setting) bool { return s == nil || s.bad }

// keyNames are the fields of a key or an id, as far as they are written well.
func keyNames(key *setting) (names []string) {
	for _, item := range namesIn(key) {
		name, _ := item.value.(string)
		names = append(names, name)
	}
	return names
}

// shownNames are those of them that a message may show.
func shownNames(key *setting) (names []string) {
	for _, item := range namesIn(key) {
		if name, ok := item.value.(string); ok && !item.raw.expanded {
			names = append(names, name)
		}
	}
	return names
}

// namesIn are the settings that name the fields of a key or an id.
func namesIn(key *setting) (all []*setting) {
	if isBad(key) {
		return nil
	}
	for _, item := range key.items {
		if item.under != nil {
			item = at(item, "field")
		}
		all = append(all, item)
	}
	return all
}

// parametersOf are the query parameters of a request; nil where none are written.
func parametersOf(s *setting) map[string]string {
	if s == nil || s.under == nil {
		return nil
	}
	all := map[string]string{}
	for _, name := range s.names {
		if v, ok := s.under[name].value.(string); ok {
			all[name] = v
		}
	}
	return all
}

// unknownField reports a field in braces that is none of those known.
func (l *lowering) unknownField(s *setting, what, name string, known []string) {
	if s.raw.expanded {
		l.reportWritten(s, "")
		return
	}
	known = slices.Sorted(maps.Keys(set(known)))
	s.bad = true
	p := s.problem(s.path, "%s %s holds {%s}, which is no field of the key", what, s.raw.shown(), shorten(name))
	if p.Suggestion = nearest(name, known); p.Suggestion == "" && len(known) > 0 {
		p.Message += ": write one of {" + strings.Join(known, "}, {") + "}"
	}
	l.problems = append(l.problems, p)
}

func set(names []string) map[string]bool {
	all := map[string]bool{}
	for _, name := range names {
		if name != "" {
			all[name] = true
		}
	}
	return all
}
