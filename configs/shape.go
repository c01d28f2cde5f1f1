package configs

import (
	"errors"
	"slices"
	"strings"

	"plumbline/sources"
)

// shape is what may be written in one place. The same shapes read a
// configuration strictly and write the JSON Schema, so the two cannot disagree;
// the shapes themselves are declared in definition*.go.
type shape interface {
	// accepts says whether a value of this form could be meant.
	accepts(nodeKind) bool
	// wants says in words what belongs here.
	wants() string
	// read checks a value and reports all that is wrong with it. What it
	// returns is bad where anything was.
	read(r *reader, n *node, path string) *setting
	// schema describes the shape in JSON Schema.
	schema(d definitions) object
}

// setting is what was read in one place.
type setting struct {
	position // of the value
	path     string
	key      position // of the key it belongs to; the value's own in a list
	// bad: a problem was reported here or below, so what is read of it may be
	// half. Whoever lowers it reports nothing more that could follow from that.
	bad bool
	// value is what a scalar means, in the type its shape promises.
	value any
	raw   written // a scalar as it stands in the file, expanded set where ${…} was in it
	names []string
	under map[string]*setting // of a record or dict, by name
	items []*setting          // of a list
	// record is the shape of a record; fallback what defaults sets for a check.
	record   *record
	fallback *setting
}

// get returns the setting of a key, or of defaults where the key is not
// written; nil where neither is.
func (s *setting) get(name string) *setting {
	if s == nil {
		return nil
	}
	if own := s.under[name]; own != nil || s.fallback == nil {
		return own
	}
	return s.fallback.under[name]
}

// valueOf returns what a key of a record means, or its declared default, or
// the zero T where it has none. A bad value counts as not written.
func valueOf[T any](s *setting, name string) T {
	if got := s.get(name); got != nil && !got.bad {
		if v, ok := got.value.(T); ok {
			return v
		}
	}
	v, _ := s.record.standard(name).(T)
	return v
}

// reader reads one configuration and gathers what is wrong with it.
type reader struct {
	env      func(string) (string, bool)
	readFile func(string) ([]byte, error)
	problems Problems
}

// report notes a problem where s stands and marks s bad.
func (r *reader) report(s *setting, format string, args ...any) {
	s.bad = true
	r.problems = append(r.problems, s.problem(s.path, format, args...))
}

func (r *reader) wrongKind(s *setting, want shape, n *node) *setting {
	got := n.kind.String()
	if n.kind == scalarNode {
		got = n.describe()
	}
	r.report(s, "wants %s, not %s", want.wants(), got)
	return s
}

// refusal is why a scalar is not accepted; suggestion is the word probably meant.
type refusal struct{ message, suggestion string }

func (e *refusal) Error() string { return e.message }

// scalar is a single value.
type scalar struct {
	words string // what it wants: "a duration such as 30s"
	// parse reads the expanded value. Its error is errUnwanted where "wants this,
	// not that" says all, and a *refusal where there is more to say.
	parse func(w written) (any, error)
	// editor is the JSON Schema of what is written without ${…}.
	editor object
}

var errUnwanted = errors.New("")

func (s scalar) accepts(k nodeKind) bool { return k == scalarNode }
func (s scalar) wants() string           { return s.words }

func (s scalar) read(r *reader, n *node, path string) *setting {
	at := &setting{position: n.position, path: path, key: n.position}
	if n.kind != scalarNode {
		return r.wrongKind(at, s, n)
	}
	w, problem := r.expand(n)
	if problem != nil {
		problem.Path = path
		at.bad, r.problems = true, append(r.problems, *problem)
		return at
	}
	at.raw = written{text: n.text, quoted: n.quoted, expanded: w.expanded}
	value, err := s.parse(w)
	var refused *refusal
	switch {
	case err == nil:
		at.value = value
	case errors.As(err, &refused) && !w.expanded:
		r.report(at, "%s", refused.message)
		r.problems[len(r.problems)-1].Suggestion = refused.suggestion
	case w.expanded && w.text == "":
		r.report(at, "wants %s, and %s stands for nothing", s.words, n.shown())
	case w.expanded:
		r.report(at, "wants %s, and what %s stands for is not", s.words, n.shown())
	case w.quoted && s.reads(written{text: w.text}):
		r.report(at, "wants %s, not text: remove the quotes", s.words)
	default:
		r.report(at, "wants %s, not %s", s.words, n.shown())
	}
	return at
}

func (s scalar) reads(w written) bool {
	_, err := s.parse(w)
	return err == nil
}

// list is any number of one shape.
type list struct {
	of    shape
	words string
	// few is what to say of an empty list; "" accepts it.
	few string
}

func (l list) accepts(k nodeKind) bool { return k == listNode }
func (l list) wants() string           { return l.words }

func (l list) read(r *reader, n *node, path string) *setting {
	s := &setting{position: n.position, path: path, key: n.position}
	if n.kind != listNode {
		return r.wrongKind(s, l, n)
	}
	if len(n.items) == 0 && l.few != "" {
		r.report(s, "%s", l.few)
	}
	for i, item := range n.items {
		child := r.value(l.of, item, itemPath(path, i))
		s.items = append(s.items, child)
		s.bad = s.bad || child.bad
	}
	return s
}

// either is one of several shapes, told apart by their form.
type either struct {
	words string
	of    []shape
}

func (e either) wants() string { return e.words }

func (e either) accepts(k nodeKind) bool {
	return slices.ContainsFunc(e.of, func(s shape) bool { return s.accepts(k) })
}

func (e either) read(r *reader, n *node, path string) *setting {
	for _, s := range e.of {
		if s.accepts(n.kind) {
			return s.read(r, n, path)
		}
	}
	return r.wrongKind(&setting{position: n.position, path: path, key: n.position}, e, n)
}

// value reads n by its shape; nothing written is an error wherever it stands.
func (r *reader) value(s shape, n *node, path string) *setting {
	if n.isNull() {
		at := &setting{position: n.position, path: path, key: n.position}
		r.report(at, "is empty: give it %s, or remove it", s.wants())
		return at
	}
	return s.read(r, n, path)
}

// nearest is the candidate that was probably meant by what is written.
func nearest(text string, candidates []string) string {
	return sources.Nearest(strings.TrimSpace(text), candidates)
}
