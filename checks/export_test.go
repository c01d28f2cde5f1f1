package checks

import "plumbline/sources"

// ParseTableRule reads a rule as the tables under testdata write it.
func ParseTableRule(words []string) (Rule, error) { return parseRule(words) }

// AgeOf relates two versions.
func AgeOf(owner, replica sources.Value) Age {
	c := &Comparison{}
	age, _, _ := c.age(&sources.Record{Fields: []sources.Value{owner}}, &sources.Record{Fields: []sources.Value{replica}})
	return age
}
