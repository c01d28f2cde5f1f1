package http

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"plumbline/sources"
	"plumbline/sources/jsonrecord"
)

// answerPath takes $.a['b c'].d apart; "" and "$" are the answer itself.
func answerPath(text string) ([]string, error) {
	if text == "" || text == "$" {
		return nil, nil
	}
	rest, ok := strings.CutPrefix(text, "$")
	var path []string
	part := regexp.MustCompile(`^(?:\.([^][.*?()'"\s@]+)|\['([^']+)'\]|\["([^"]+)"\])`)
	for ok && rest != "" {
		found := part.FindStringSubmatch(rest)
		if found == nil {
			ok = false
			break
		}
		path = append(path, found[1]+found[2]+found[3])
		rest = rest[len(found[0]):]
	}
	if !ok {
		return nil, fmt.Errorf("%q is no path into an answer: write $ for the whole, $.data.items, or $['odd name']", text)
	}
	return path, nil
}

// find follows a path into an answer. nil is nothing there; a name that appears
// twice on the way is an error.
func find(raw []byte, path []string) ([]byte, error) {
	for i, name := range path {
		if raw[0] != '{' {
			return nil, nil
		}
		var below []byte
		err := jsonrecord.Members(raw, func(member string, value []byte) error {
			if member != name {
				return nil
			}
			if below != nil {
				return fmt.Errorf("$.%s stands twice in the answer", strings.Join(path[:i+1], "."))
			}
			below = value
			return nil
		})
		if err != nil || below == nil {
			return nil, err
		}
		raw = below
	}
	return raw, nil
}

// spelled writes path as it is written in a configuration.
func spelled(path []string) string {
	out := "$"
	for _, name := range path {
		out += "." + name
	}
	return out
}

// address is a path below the source's url, whose query goes along.
func (s *source) address(path, rawPath string, query url.Values) *url.URL {
	at := *s.base
	at.Path = strings.TrimSuffix(s.base.Path, "/") + path
	at.RawPath = strings.TrimSuffix(s.base.EscapedPath(), "/") + rawPath
	all := s.base.Query()
	for name, values := range query {
		all[name] = values
	}
	at.RawQuery = all.Encode()
	return &at
}

// listAddress is where a page of the list is. next is what the page before named;
// "" is the first page. An address of another origin is refused.
func (s *source) listAddress(l *listing, next string) (*url.URL, error) {
	first := s.address(l.Path, (&url.URL{Path: l.Path}).EscapedPath(), nil)
	if strings.Contains(next, "://") || !l.holed && (strings.HasPrefix(next, "/") || strings.HasPrefix(next, "?")) {
		to, err := first.Parse(next)
		if err != nil {
			return nil, fmt.Errorf("%s: %s names a next page whose address cannot be read", l.what, spelled(l.next))
		}
		if to.User != nil || !s.own(to) {
			return nil, sources.Final(fmt.Errorf("%s: %s leads to %s://%s, which is not the source's own address", l.what, spelled(l.next), brief(to.Scheme), brief(to.Host)))
		}
		to.Fragment = ""
		return s.signed(to), nil
	}
	query := first.Query()
	size := ""
	if l.PageSize > 0 {
		size = strconv.Itoa(l.PageSize)
	}
	sized := false
	for name, value := range l.Query {
		sized = sized || strings.Contains(value, "{page_size}")
		if strings.Contains(value, "{next}") && next == "" {
			continue // the first page is asked for without
		}
		query.Set(name, strings.NewReplacer("{page_size}", size, "{next}", next).Replace(value))
	}
	if size != "" && !sized {
		if _, given := l.Query["page_size"]; !given {
			query.Set("page_size", size)
		}
	}
	if next != "" {
		if _, given := l.Query[l.cursor]; !given {
			query.Set(l.cursor, next)
		}
	}
	first.RawQuery = query.Encode()
	return first, nil
}

// signed adds what the url's own query says where an address that the service gave lacks it.
func (s *source) signed(to *url.URL) *url.URL {
	query := to.Query()
	for name, values := range s.base.Query() {
		if !query.Has(name) {
			query[name] = values
		}
	}
	to.RawQuery = query.Encode()
	return to
}
