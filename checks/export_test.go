package checks

import "plumbline/sources"

// ParseTableRule reads a rule as the tables under testdata write it.
func ParseTableRule(words []string) (Rule, error) { return parseRule(words) }

// Interval is the interval of a share.
func Interval(differ, drawn, all int64) (low, high float64) { return interval(differ, drawn, all) }

// AgeOf relates two versions.
func AgeOf(owner, replica sources.Value) Age {
	c := &Comparison{}
	age, _, _ := c.age(&sources.Record{Fields: []sources.Value{owner}}, &sources.Record{Fields: []sources.Value{replica}})
	return age
}
