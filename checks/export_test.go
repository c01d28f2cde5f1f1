package checks

// ParseTableRule reads a rule as the tables under testdata write it.
func ParseTableRule(words []string) (Rule, error) { return parseRule(words) }
