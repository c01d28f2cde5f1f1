package reconciler

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"plumbline/checks"
	"plumbline/sources"
)

// place is a part of a template: literal text, or one value of a record.
type place struct {
	literal string
	of      string // key, id, owner or replica; "" for literal text
	name    string
}

func (p place) String() string {
	if p.of == "" {
		return p.literal
	}
	return "{" + p.of + "." + p.name + "}"
}

// placeWords are what a place may be of.
func placeWords() []string { return []string{"key", "id", "owner", "replica"} }

// parsePlaces cuts a template. A brace with a letter after it begins a place;
// every other stands for itself, so JSON is written as it is.
func parsePlaces(text string) (parts []place, err error) {
	literal := ""
	for text != "" {
		at := strings.IndexByte(text, '{')
		if at < 0 || at+1 == len(text) {
			break
		}
		literal, text = literal+text[:at], text[at:]
		if c := text[1] | 0x20; c < 'a' || c > 'z' {
			literal, text = literal+text[:1], text[1:]
			continue
		}
		end := strings.IndexByte(text, '}')
		if end < 0 {
			return nil, fmt.Errorf("%q is not closed: a place is {key.NAME}, {id.NAME}, {owner.FIELD} or {replica.FIELD}", text)
		}
		of, name, _ := strings.Cut(text[1:end], ".")
		if !slices.Contains(placeWords(), of) || name == "" {
			return nil, fmt.Errorf("%q is no place: one is {key.NAME}, {id.NAME}, {owner.FIELD} or {replica.FIELD}", text[:end+1])
		}
		if literal != "" {
			parts = append(parts, place{literal: literal})
		}
		parts = append(parts, place{of: of, name: name})
		literal, text = "", text[end+1:]
	}
	if literal += text; literal != "" {
		parts = append(parts, place{literal: literal})
	}
	return parts, nil
}

// Check says what is wrong with a template for an edge, nil for nothing: each of
// its places is one that the edge has, its scheme and host are its own and no
// record's, and whatever values it is filled with, its body stays what it is.
func (t *RequestTemplate) Check(check *checks.Check, edge *checks.Edge) error {
	if !slices.Contains([]string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}, t.Method) {
		return fmt.Errorf("method %q is none that changes something: write POST, PUT, PATCH or DELETE", t.Method)
	}
	address, err := parsePlaces(t.URL)
	if err != nil {
		return fmt.Errorf("url: %w", err)
	}
	if err := checkAddress(address); err != nil {
		return fmt.Errorf("url: %w", err)
	}
	body, err := parsePlaces(t.Body)
	if err != nil {
		return fmt.Errorf("body: %w", err)
	}
	for _, p := range slices.Concat(address, body) {
		if err := p.check(check, edge); err != nil {
			return err
		}
	}
	for name, value := range t.Headers {
		if strings.ContainsAny(value.Reveal(), "\r\n\x00") {
			return fmt.Errorf("header %s holds a line break", name)
		}
	}
	sample := &filling{value: func(p place) (sources.Value, error) { return sources.Text("x"), nil }}
	if _, err := t.render(sample); err != nil {
		return err
	}
	return nil
}

// checkAddress has scheme and host stand before the first place: where a request
// goes is never for a record to say.
func checkAddress(parts []place) error {
	if len(parts) == 0 {
		return errors.New("is empty")
	}
	fixed := parts[0].literal
	u, err := url.Parse(fixed)
	if err != nil {
		return errors.New("is not an address")
	}
	rest, web := strings.CutPrefix(fixed, u.Scheme+"://")
	switch {
	case !web || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Hostname() == "":
		return errors.New("write it whole, as https://HOST/PATH, with no place before its path")
	case len(parts) > 1 && !strings.ContainsAny(rest, "/?"):
		return errors.New("a place stands in its host: end the host with / first")
	case u.User != nil:
		return errors.New("holds a user or a password: send those in a header")
	}
	for _, p := range parts {
		if strings.Contains(p.literal, "#") {
			return errors.New("holds a #, and what follows it is never sent")
		}
		if strings.ContainsFunc(p.literal, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			return errors.New("holds white space or a control character")
		}
	}
	return nil
}

// check says whether an edge has what a place is filled with.
func (p place) check(check *checks.Check, edge *checks.Edge) error {
	var has []string
	switch p.of {
	case "":
		return nil
	case "key":
		has = check.Owner.Dataset.Key
	case "id":
		has = edge.Replica.Dataset.ID
	case "owner":
		for _, r := range edge.Rules {
			has = append(has, r.Owner.Name)
		}
	case "replica":
		for _, r := range edge.Rules {
			has = append(has, r.Replica.Name)
		}
	}
	if slices.Contains(has, p.name) {
		return nil
	}
	if len(has) == 0 {
		return fmt.Errorf("%s: replica %s has no %s", p, edge.Name, p.of)
	}
	near := ""
	if best := sources.Nearest(p.name, has); best != "" {
		near = fmt.Sprintf(" (did you mean {%s.%s}?)", p.of, best)
	}
	return fmt.Errorf("%s: there is none of this name that is compared; there are %s%s", p, strings.Join(has, ", "), near)
}
