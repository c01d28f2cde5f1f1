package configs

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"plumbline/sources"
)

// jsonTree is a MongoDB condition or pipeline written as YAML; it becomes the
// same as JSON text.
type jsonTree struct{}

func (jsonTree) accepts(k nodeKind) bool { return k != scalarNode }
func (jsonTree) wants() string           { return "a condition" }

func (t jsonTree) read(r *reader, n *node, path string) *setting {
	s := &setting{position: n.position, path: path, key: n.position}
	s.value = string(r.appendJSON(nil, n, s))
	return s
}

// appendJSON writes n as JSON, in the order of the file. What cannot be is
// reported on s.
func (r *reader) appendJSON(b []byte, n *node, s *setting) []byte {
	switch n.kind {
	case mappingNode:
		first := map[string]position{}
		b = append(b, '{')
		for i, e := range n.entries {
			if at, twice := first[e.key.text]; twice {
				s.bad = true
				r.problems = append(r.problems, e.key.problem(s.path, "%s is written twice, first on line %d: keep one", e.key.shown(), at.line))
			}
			first[e.key.text] = e.key.position
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendJSONText(b, e.key.text), ':')
			b = r.appendJSON(b, e.value, s)
		}
		return append(b, '}')
	case listNode:
		b = append(b, '[')
		for i, item := range n.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = r.appendJSON(b, item, s)
		}
		return append(b, ']')
	}
	w, problem := r.expand(n)
	if problem != nil {
		problem.Path = s.path
		s.bad, r.problems = true, append(r.problems, *problem)
		return append(b, "null"...)
	}
	v, err := w.value()
	if err != nil {
		s.bad = true
		r.problems = append(r.problems, n.problem(s.path, "%s: %v", n.shown(), err))
		return append(b, "null"...)
	}
	if v.Kind() == sources.KindText {
		return appendJSONText(b, v.AsText())
	}
	return append(b, v.String()...)
}

func appendJSONText(b []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil { // a string always marshals
		panic(err)
	}
	return append(b, quoted...)
}

// checkJSON says why a text is not the JSON that opens with one of opening's
// characters; "" when it is.
func checkJSON(s, opening, words string) string {
	var syntax *json.SyntaxError
	trimmed := strings.TrimSpace(s)
	switch err := json.Unmarshal([]byte(trimmed), new(any)); {
	case trimmed == "" || !strings.Contains(opening, trimmed[:1]):
		return fmt.Sprintf("wants %s in JSON", words)
	case errors.As(err, &syntax):
		return fmt.Sprintf("wants %s in JSON; from character %d on this is none", words, syntax.Offset)
	case err != nil:
		return fmt.Sprintf("wants %s in JSON", words)
	}
	return ""
}
