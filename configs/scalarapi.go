package configs

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// headerValue wants the value of a header, which becomes a sources.Secret.
func headerValue() scalar {
	s := secret("the header's value")
	return s.also(func(w written) error {
		if strings.ContainsFunc(w.text, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }) || strings.TrimSpace(w.text) != w.text {
			return &refusal{message: "holds a line break, another invisible character, or a space at an end: remove it"}
		}
		return nil
	})
}

// apiPath wants a path of an API, which becomes a string.
func apiPath() scalar {
	s := text("a path such as /members")
	return s.also(func(w written) error {
		switch {
		case strings.Contains(w.text, "://"):
			return &refusal{message: "is a whole address: write only what comes behind the source's url, such as /members"}
		case !strings.HasPrefix(w.text, "/"):
			return &refusal{message: fmt.Sprintf("path %s does not begin with /: write what comes behind the source's url, such as /members", w.shown())}
		case strings.ContainsAny(w.text, "?#"):
			return &refusal{message: "holds ? or #: write parameters under query"}
		case strings.ContainsFunc(w.text, unicode.IsControl) || strings.HasPrefix(w.text, "//"):
			return &refusal{message: fmt.Sprintf("%s is no path: write what comes behind the source's url, such as /members", w.shown())}
		}
		for part := range strings.SplitSeq(w.text, "/") {
			if part == "." || part == ".." {
				return &refusal{message: fmt.Sprintf("path %s holds %s: write the path without it", w.shown(), part)}
			}
		}
		return nil
	})
}

// answerPath wants where something is in an answer: $, or names behind it.
func answerPath() scalar {
	s, form := text("a path such as $.data"), regexp.MustCompile(`^\$(\.[^][.*?()'"\s@]+|\['[^']+'\]|\["[^"]+"\])*$`)
	return s.also(func(w written) error {
		if !form.MatchString(w.text) {
			return &refusal{message: fmt.Sprintf("%s is no path into an answer: write $ for the whole, $.data.items, or $['odd name']", w.shown())}
		}
		return nil
	})
}

// parameter wants the value of a query parameter, which becomes a string as it
// is written.
func parameter() scalar {
	return scalar{words: "a value", editor: object{"type": []string{"string", "number", "boolean"}}, parse: func(w written) (any, error) {
		return w.text, nil
	}}
}
