// Package condition evaluates conditions over records, for stores that have no
// language of their own to ask, and the expressions of invariants: one small
// language with exact decimals, read by github.com/expr-lang/expr and evaluated
// here.
package condition

import (
	"fmt"
	"slices"
	"strings"

	"plumbline/sources"
)

// Condition is a compiled condition over the fields of one record, such as
//
//	state == "gone" && amount > 12.50 or not filled(address.city)
//
// Fields are written by name, nested ones by dotted path, and those that are no
// plain name as $env['first-name']. Absent and null are unknown, as in SQL: no
// comparison with them holds, nor does its negation. filled(x) says that a field
// is there and not null, empty(x) that it is absent, null or "".
type Condition struct {
	text   string
	fields []string
	holds  *Expression
}

// Compile reads a condition. The error is final and says where it goes wrong; an
// empty text is an error.
func Compile(text string) (*Condition, error) {
	c := &Condition{text: text}
	language := Language{Field: c.slot, Unknown: true}
	var err error
	if c.holds, err = language.Compile(text); err != nil {
		return nil, sources.Final(fmt.Errorf("condition %q: %w", text, err))
	}
	if len(c.fields) == 0 {
		return nil, sources.Final(fmt.Errorf("condition %q: names no field", text))
	}
	return c, nil
}

func (c *Condition) slot(path []string, spelling string) (int, error) {
	if len(path) > 0 && path[0] == "$env" {
		path = path[1:]
	}
	if len(path) == 0 {
		return 0, fmt.Errorf("%q is no field", spelling)
	}
	name := strings.Join(path, ".")
	if i := slices.Index(c.fields, name); i >= 0 {
		return i, nil
	}
	c.fields = append(c.fields, name)
	return len(c.fields) - 1, nil
}

// Fields are the fields the condition looks at, each once, nested ones by dotted path.
func (c *Condition) Fields() []string { return slices.Clone(c.fields) }

// Holds evaluates the condition for one record; get gives the field at a path. An
// error says, without quoting a value, why it cannot be told of this record, such
// as a text compared with a number: the record is then unreadable, and neither in
// scope nor out of it.
func (c *Condition) Holds(get func(path string) sources.Value) (bool, error) {
	holds, err := c.holds.Holds(func(slot int) sources.Value { return get(c.fields[slot]) })
	if err != nil {
		return false, fmt.Errorf("condition %q: %w", c.text, err)
	}
	return holds, nil
}
