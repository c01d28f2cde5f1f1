package configs

import "fmt"

// key declares one key of a record. This is the one place that knows it: the
// strict reader, the defaults and the JSON Schema all come from here.
type key struct {
	name string
	doc  string // what it means; the default is added to it
	// standard is the default as it would be written; "" where there is none.
	standard string
	value    shape
	// required: must be written; example is how.
	required bool
	example  string
	// misplaced is why a known word is refused here; it is no part of the schema.
	misplaced string
}

// record is a mapping of declared keys.
type record struct {
	name  string // of its definition in the JSON Schema
	words string
	doc   string
	keys  []key
}

func (rec *record) accepts(k nodeKind) bool { return k == mappingNode }
func (rec *record) wants() string           { return rec.words }

func (rec *record) find(name string) *key {
	for i := range rec.keys {
		if rec.keys[i].name == name {
			return &rec.keys[i]
		}
	}
	return nil
}

// standard is the declared default of a key, in the type its shape promises.
func (rec *record) standard(name string) any {
	k := rec.find(name)
	if k == nil {
		panic("configs: no key " + name + " is declared in " + rec.name)
	}
	if k.standard == "" {
		return nil
	}
	value, err := k.value.(scalar).parse(written{text: k.standard})
	if err != nil {
		panic(fmt.Sprintf("configs: default of %s: %v", name, err))
	}
	return value
}

func (rec *record) read(r *reader, n *node, path string) *setting {
	s := &setting{position: n.position, path: path, key: n.position, record: rec, under: map[string]*setting{}}
	if n.kind != mappingNode {
		return r.wrongKind(s, rec, n)
	}
	written := map[string]position{}
	for _, e := range n.entries {
		name := e.key.text
		if first, twice := written[name]; twice {
			s.bad = true
			r.problems = append(r.problems, e.key.problem(path, "key %q is written twice, first on line %d: keep one", shorten(name), first.line))
			continue
		}
		written[name] = e.key.position
		s.take(r, e)
	}
	for _, k := range rec.keys {
		if _, present := s.under[k.name]; k.required && !present {
			r.report(s, "%q is missing: add %s", k.name, k.example)
		}
	}
	return s
}

// take reads one entry of a record.
func (s *setting) take(r *reader, e entry) {
	k := s.record.find(e.key.text)
	switch {
	case k == nil:
		s.bad = true
		p := e.key.problem(s.path, "unknown key %s", e.key.shown())
		if p.Suggestion = nearest(e.key.text, s.record.names()); p.Suggestion != "" && s.under[p.Suggestion] == nil {
			s.under[p.Suggestion] = &setting{position: e.value.position, path: s.path, key: e.key.position, bad: true}
		}
		if p.Suggestion == "" {
			p.Message += ": remove it"
		}
		r.problems = append(r.problems, p)
		return
	case k.misplaced != "":
		s.bad = true
		r.problems = append(r.problems, e.key.problem(within(s.path, k.name), "%s", k.misplaced))
		return
	}
	child := r.value(k.value, e.value, within(s.path, k.name))
	child.key = e.key.position
	s.under[k.name] = child
	s.names = append(s.names, k.name)
	s.bad = s.bad || child.bad
}

// names are the keys that may be written here.
func (rec *record) names() []string {
	var names []string
	for _, k := range rec.keys {
		if k.misplaced == "" {
			names = append(names, k.name)
		}
	}
	return names
}

// dict is a mapping of freely chosen names to one shape.
type dict struct {
	words string
	of    shape
	// name checks a name; its error completes `name "x" …`.
	name func(string) error
	few  string // what to say of an empty mapping; "" accepts it
}

func (d dict) accepts(k nodeKind) bool { return k == mappingNode }
func (d dict) wants() string           { return d.words }

func (d dict) read(r *reader, n *node, path string) *setting {
	s := &setting{position: n.position, path: path, key: n.position, under: map[string]*setting{}}
	if n.kind != mappingNode {
		return r.wrongKind(s, d, n)
	}
	if len(n.entries) == 0 && d.few != "" {
		r.report(s, "%s", d.few)
	}
	for _, e := range n.entries {
		name := e.key.text
		if err := d.name(name); err != nil {
			s.bad = true
			r.problems = append(r.problems, e.key.problem(path, "name %s %v", e.key.shown(), err))
			continue
		}
		if first := s.under[name]; first != nil {
			s.bad = true
			r.problems = append(r.problems, e.key.problem(path, "%q is written twice, first on line %d: keep one", shorten(name), first.key.line))
			continue
		}
		child := r.value(d.of, e.value, within(path, name))
		child.key = e.key.position
		s.under[name], s.names = child, append(s.names, name)
		s.bad = s.bad || child.bad
	}
	return s
}
