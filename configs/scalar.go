package configs

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/cockroachdb/apd/v3"

	"plumbline/sources"
)

// text wants words, which become a string.
func text(words string) scalar {
	return scalar{words: words, editor: object{"type": "string", "minLength": 1}, parse: func(w written) (any, error) {
		if !w.quoted && !w.expanded && plainForm(w.text) != formText {
			return nil, &refusal{message: fmt.Sprintf("wants %s, not %s: put %s in quotes to make it text", words, w.describe(), w.text)}
		}
		if strings.TrimSpace(w.text) == "" {
			return nil, &refusal{message: fmt.Sprintf("is empty: give it %s, or remove it", words)}
		}
		return w.text, nil
	}}
}

// secret wants text that is never shown; it becomes a sources.Secret.
func secret(words string) scalar {
	plain := text(words)
	return scalar{words: words, editor: plain.editor, parse: func(w written) (any, error) {
		w.quoted = true // whatever it looks like
		v, err := plain.parse(w)
		if err != nil {
			return nil, err
		}
		return sources.Secret(v.(string)), nil
	}}
}

// field wants the name of a field or dataset as the store writes it.
func field(words string) scalar {
	s := text(words)
	return s.also(func(w written) error {
		if err := fieldName(w.text); err != nil {
			return &refusal{message: fmt.Sprintf("name %s %v", w.shown(), err)}
		}
		return nil
	})
}

// also wants more of what s wants already.
func (s scalar) also(check func(w written) error) scalar {
	plain := s.parse
	s.parse = func(w written) (any, error) {
		v, err := plain(w)
		if err == nil {
			err = check(w)
		}
		if err != nil {
			return nil, err
		}
		return v, nil
	}
	return s
}

// optional also accepts a value that ${…} leaves empty.
func optional(s scalar) scalar {
	full := s.parse
	s.parse = func(w written) (any, error) {
		if w.expanded && w.text == "" {
			return nil, nil
		}
		return full(w)
	}
	return s
}

// fieldName refuses names that no store means.
func fieldName(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("is empty: name a field")
	case strings.TrimSpace(s) != s:
		return fmt.Errorf("begins or ends with a space: remove it")
	case strings.ContainsFunc(s, unicode.IsControl):
		return fmt.Errorf("holds an invisible character: remove it")
	}
	return nil
}

// properName checks the names of sources, checks and replicas, which stand in
// addresses of pages, in metrics and on command lines.
func properName(s string) error {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	if s == "" || !only(s, letters+"-_.") || !strings.Contains(letters, s[:1]) {
		return fmt.Errorf("is refused: use letters, digits, hyphens, underscores and points only, a letter or digit first")
	}
	if len(s) > 64 {
		return fmt.Errorf("is longer than 64 characters: shorten it")
	}
	return nil
}

const namePattern = `^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`

// word wants one of the given words; later ones are known but refused until
// their release.
func word(now []string, later ...string) scalar {
	all := slices.Concat(now, later)
	words := "one of " + strings.Join(now, ", ")
	if len(now) == 1 {
		words = now[0]
	}
	return scalar{words: words, editor: object{"enum": all}, parse: func(w written) (any, error) {
		switch {
		case slices.Contains(now, w.text):
			return w.text, nil
		case slices.Contains(later, w.text):
			return nil, &refusal{message: fmt.Sprintf("%q is not yet supported: use %s", w.text, words)}
		}
		return nil, &refusal{message: fmt.Sprintf("wants %s, not %s", words, w.shown()), suggestion: nearest(w.text, all)}
	}}
}

// integer wants a whole number from low to high, which becomes an int.
func integer(low, high int) scalar {
	return scalar{words: fmt.Sprintf("a whole number from %d to %d", low, high),
		editor: object{"type": "integer", "minimum": low, "maximum": high},
		parse: func(w written) (any, error) {
			i, err := strconv.Atoi(w.text)
			if err != nil || i < low || i > high || w.quoted && !w.expanded {
				return nil, errUnwanted
			}
			return i, nil
		}}
}

// truth wants true or false, which becomes a bool.
func truth() scalar {
	return scalar{words: "true or false", editor: object{"type": "boolean"}, parse: func(w written) (any, error) {
		if plainForm(w.text) != formBool || w.quoted && !w.expanded {
			return nil, errUnwanted
		}
		return strings.EqualFold(w.text, "true"), nil
	}}
}

// duration wants a time span from low to high, which becomes a time.Duration;
// off also allows a bare 0.
func duration(low, high time.Duration, off bool) scalar {
	words := fmt.Sprintf("a duration from %s to %s, such as 30s or 4h", durationText(low), durationText(high))
	editor := object{"type": "string", "pattern": durationPattern}
	if off {
		words += ", or 0"
		editor = object{"anyOf": []any{editor, object{"const": 0}}}
	}
	return scalar{words: words, editor: editor, parse: func(w written) (any, error) {
		if off && w.text == "0" {
			return time.Duration(0), nil
		}
		d, ok := parseDuration(w.text)
		if !ok || d < low || d > high {
			return nil, errUnwanted
		}
		return d, nil
	}}
}

const durationPattern = `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h|d))+$`

// parseDuration reads Go's durations, and d for 24 hours. A unit is always needed.
func parseDuration(s string) (time.Duration, bool) {
	if s == "" || strings.ContainsAny(s, "+-") || !unicode.IsLetter(rune(s[len(s)-1])) {
		return 0, false
	}
	days, rest, found := strings.Cut(s, "d")
	if !found {
		days, rest = "", s
	} else if n, err := strconv.ParseUint(days, 10, 16); err != nil {
		return 0, false
	} else {
		days = fmt.Sprintf("%dh", n*24)
	}
	d, err := time.ParseDuration(days + rest)
	return d, err == nil
}

func durationText(d time.Duration) string {
	if d >= 24*time.Hour && d%(24*time.Hour) == 0 && d != 24*time.Hour {
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	s := d.String()
	s = strings.TrimSuffix(s, "0s")
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	if s == "" {
		return "0s"
	}
	return s
}

// percent wants a share, which becomes an apd.Decimal of hundredths: 20% is 20.
func percent() scalar {
	return scalar{words: "a percentage from 0% to 100%",
		editor: object{"type": "string", "pattern": `^[0-9]+(\.[0-9]+)?%$`},
		parse: func(w written) (any, error) {
			digits, ok := strings.CutSuffix(w.text, "%")
			d, fine := parseAmount(digits)
			if !ok || !fine || d.Cmp(apd.New(100, 0)) > 0 {
				return nil, errUnwanted
			}
			return d, nil
		}}
}

// parseAmount reads a decimal that is not negative, of at most 100 digits on
// either side of the point.
func parseAmount(s string) (*apd.Decimal, bool) {
	if len(s) > 200 || s == "" || strings.ContainsAny(s[:1], "+-") {
		return nil, false
	}
	v, err := sources.ParseDecimal(s)
	if err != nil {
		return nil, false
	}
	digits, exponent, finite := v.DecimalParts()
	if !finite || exponent < -100 || exponent+int64(len(digits)) > 100 {
		return nil, false
	}
	d, _, err := apd.NewFromString(digits + "E" + strconv.FormatInt(exponent, 10))
	return d, err == nil
}

// literal wants any single value, which becomes a sources.Value.
func literal(words string) scalar {
	return scalar{words: words, editor: object{"type": []string{"string", "number", "boolean"}}, parse: func(w written) (any, error) {
		v, err := w.value()
		if err != nil {
			return nil, &refusal{message: fmt.Sprintf("%s: %v", w.shown(), err)}
		}
		return v, nil
	}}
}

// name wants the name of a source, check or replica.
func name() scalar {
	s := text("a name")
	s.editor = object{"type": "string", "pattern": namePattern}
	return s.also(func(w written) error {
		if err := properName(w.text); err != nil {
			return &refusal{message: fmt.Sprintf("name %s %v", w.shown(), err)}
		}
		return nil
	})
}

// link wants the address of a page.
func link() scalar {
	s := text("an address such as https://wiki.example.com/page")
	s.parse = func(w written) (any, error) {
		u, err := url.Parse(w.text)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			return nil, errUnwanted
		}
		return w.text, nil
	}
	return s
}

// site wants the address of a whole site: pages lead to each other from its root.
func site() scalar {
	s := text("an address without a path, such as https://plumbline.example.com")
	whole := link()
	s.parse = func(w written) (any, error) {
		v, err := whole.parse(w)
		if err != nil {
			return nil, err
		}
		if u, err := url.Parse(w.text); err != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return nil, errUnwanted
		}
		return v, nil
	}
	return s
}
