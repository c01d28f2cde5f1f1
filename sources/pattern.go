package sources

import (
	"fmt"
	"slices"
	"strings"
)

// Pattern is a text that holds the names of fields in braces, such as user:{id};
// {{ and }} stand for single braces.
type Pattern struct {
	// Literals are the texts between the fields, one more than there are fields:
	// the first stands before the first field, the last behind the last.
	Literals []string
	Fields   []string
}

// ParsePattern reads a pattern. Each field stands in it once, and something stands
// between any two, so that a text that was made from it can be taken apart.
func ParsePattern(text string) (Pattern, error) {
	var p Pattern
	var literal strings.Builder
	for rest := text; rest != ""; {
		switch {
		case strings.HasPrefix(rest, "{{"), strings.HasPrefix(rest, "}}"):
			literal.WriteByte(rest[0])
			rest = rest[2:]
		case rest[0] == '}':
			return Pattern{}, fmt.Errorf("holds a } that closes nothing: remove it, or write }} to mean } itself")
		case rest[0] == '{':
			name, after, closed := strings.Cut(rest[1:], "}")
			switch {
			case !closed || strings.Contains(name, "{"):
				return Pattern{}, fmt.Errorf("holds a { that is never closed: add }, or write {{ to mean { itself")
			case name == "" || strings.TrimSpace(name) != name:
				return Pattern{}, fmt.Errorf("holds {%s}: write the name of a field in the braces, as in {id}", name)
			case slices.Contains(p.Fields, name):
				return Pattern{}, fmt.Errorf("holds {%s} twice: remove one", name)
			case len(p.Fields) > 0 && literal.Len() == 0:
				return Pattern{}, fmt.Errorf("holds {%s} right behind {%s}: put something between them, or nobody knows where one ends", name, p.Fields[len(p.Fields)-1])
			}
			p.Literals, p.Fields = append(p.Literals, literal.String()), append(p.Fields, name)
			literal.Reset()
			rest = after
		default:
			literal.WriteByte(rest[0])
			rest = rest[1:]
		}
	}
	p.Literals = append(p.Literals, literal.String())
	return p, nil
}

// String writes the pattern as ParsePattern reads it.
func (p Pattern) String() string {
	braces := strings.NewReplacer("{", "{{", "}", "}}")
	var b strings.Builder
	b.WriteString(braces.Replace(p.Literals[0]))
	for i, name := range p.Fields {
		b.WriteString("{" + name + "}" + braces.Replace(p.Literals[i+1]))
	}
	return b.String()
}

// Fill writes values in the place of the fields.
func (p Pattern) Fill(values []string) string {
	var b strings.Builder
	b.WriteString(p.Literals[0])
	for i, v := range values {
		b.WriteString(v + p.Literals[i+1])
	}
	return b.String()
}

// Take takes a text apart into the values of the fields; false where the pattern
// did not make it. Every field but the last ends where the text behind it first
// stands, so a text has one way to be taken apart at most, while Fill may make one
// text of several sets of values.
func (p Pattern) Take(text string) (values []string, ok bool) {
	rest, ok := strings.CutPrefix(text, p.Literals[0])
	if !ok || len(p.Fields) == 0 {
		return nil, ok && rest == ""
	}
	for _, literal := range p.Literals[1:len(p.Fields)] {
		value, after, found := strings.Cut(rest, literal)
		if !found {
			return nil, false
		}
		values, rest = append(values, value), after
	}
	last, ok := strings.CutSuffix(rest, p.Literals[len(p.Fields)])
	if !ok {
		return nil, false
	}
	return append(values, last), true
}
