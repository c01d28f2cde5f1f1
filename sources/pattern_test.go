package sources_test

import (
	"slices"
	"strings"
	"testing"

	"plumbline/sources"
)

func TestPatternFillsAndTakesApart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, text string
		fields        []string
		values        []string // nil where the text is not the pattern's
	}{
		{"user:{id}", "user:42", []string{"id"}, []string{"42"}},
		{"user:{id}", "user:", []string{"id"}, []string{""}},
		{"user:{id}", "users:42", []string{"id"}, nil},
		{"user:{id}:v1", "user:a:v1:v1", []string{"id"}, []string{"a:v1"}},
		{"user:{id}:v1", "user:v1", []string{"id"}, nil},
		{"{a}:{b}", "1:2:3", []string{"a", "b"}, []string{"1", "2:3"}},
		{"{{user:{a.b}}}:cart", "{user:7}:cart", []string{"a.b"}, []string{"7"}},
		{"fixed", "fixed", nil, []string{}},
		{"fixed", "fixed2", nil, nil},
	} {
		p, err := sources.ParsePattern(c.pattern)
		if err != nil {
			t.Fatalf("%s: %v", c.pattern, err)
		}
		values, ok := p.Take(c.text)
		if !slices.Equal(p.Fields, c.fields) || ok != (c.values != nil) || !slices.Equal(values, c.values) {
			t.Errorf("%s of %s: fields %v, values %q, %v", c.pattern, c.text, p.Fields, values, ok)
		}
		if p.String() != c.pattern || ok && p.Fill(values) != c.text {
			t.Errorf("%s is written as %s, and fills to %s", c.pattern, p.String(), p.Fill(values))
		}
	}
}

func TestPatternSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		"user:{id": "never closed", "user:id}": "closes nothing", "{}": "name of a field", "{ id}": "name of a field",
		"{a}{b}": "right behind", "{a}:{a}": "twice", "{a{b}}": "never closed",
	} {
		if _, err := sources.ParsePattern(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %q", pattern, err, want)
		}
	}
}
