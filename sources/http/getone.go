package http

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"plumbline/sources"
)

// getOne asks for one key by get.
func (s *source) getOne(ctx context.Context, p *dataset, keys []asked) (*found, error) {
	g, a := p.get, keys[0]
	at, why := s.getAddress(p, a)
	switch {
	case why == noSegment:
		return &found{absent: keys, alive: true}, nil
	case why != "":
		return &found{records: skipped(keys, why), alive: true}, nil
	}
	got, err := s.get(ctx, g.what, at, g.absent...)
	if err != nil {
		if status := refusesKey(err); status != 0 {
			return &found{records: skipped(keys, fmt.Sprintf("the service answers %d to this key", status)), alive: true}, nil
		}
		return nil, err
	}
	if got.status != http.StatusOK {
		return &found{absent: keys}, nil
	}
	item, err := find(got.body, g.item)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", g.what, err)
	}
	if item == nil {
		return nil, fmt.Errorf("%s: the answer has nothing at %s, where the record should be", g.what, spelled(g.item))
	}
	records, err := p.records(item, g.what, spelled(g.item))
	if err != nil {
		return nil, err
	}
	if doubt, err := p.doubtOf(item, keys); doubt != "" || err != nil {
		return &found{records: skipped(keys, doubt), alive: true}, err
	}
	out := &found{alive: true}
	for _, r := range records {
		switch {
		case canonical(r.Key) == a.id:
			out.records = append(out.records, r)
		case !r.Key.Whole() && r.Unreadable != "":
			out.records = append(out.records, skipped(keys, keyUnreadable)...)
		case p.Unwind != "" || sameText(r.Key, a):
			// Other elements of the document, or a key of another kind that is written alike.
		default:
			out.records = append(out.records, skipped(keys, anotherRecord)...)
		}
	}
	if len(out.records) == 0 {
		out.absent = keys
	} else if out.records[0].Skipped == "" {
		p.remember(a)
	}
	return out, nil
}

// sameText says whether a key is written as the one asked for, and so is of another kind.
func sameText(k sources.Key, a asked) bool {
	return slices.EqualFunc(k, a.texts, func(v sources.Value, text string) bool {
		spelled, ok := textOf(v)
		return ok && spelled == text
	})
}

// refusesKey is the status by which a service refuses a single key, as one that it
// cannot read or that is too long for it; 0 for any other error.
func refusesKey(err error) int {
	var status *statusError
	if errors.As(err, &status) {
		switch status.status {
		case http.StatusBadRequest, http.StatusNotAcceptable, http.StatusRequestURITooLong, http.StatusUnprocessableEntity, http.StatusRequestHeaderFieldsTooLarge:
			return status.status
		}
	}
	return 0
}

// noSegment is why a key can stand in no address and so belongs to no record.
const noSegment = "an empty key is no part of a path"

// getAddress is where a record is, its key escaped so that it is one part of the
// path or one value of the query whatever it holds. why says which key cannot be.
func (s *source) getAddress(p *dataset, a asked) (at *url.URL, why string) {
	part := func(name string) string { return a.texts[p.keyPart(name)] }
	var plain, escaped strings.Builder
	for i, literal := range p.get.path.Literals {
		plain.WriteString(literal)
		escaped.WriteString((&url.URL{Path: literal}).EscapedPath())
		if i == len(p.get.path.Fields) {
			break
		}
		text := part(p.get.path.Fields[i])
		plain.WriteString(text)
		escaped.WriteString(url.PathEscape(text))
	}
	for segment := range strings.SplitSeq(escaped.String(), "/") {
		switch {
		case segment == "." || segment == "..":
			return nil, "the API cannot be asked for this key: in an address it would name another place"
		case len(segment) > 3*longestKey:
			return nil, "the API cannot be asked for this key: it is too long"
		}
	}
	for i := range p.get.path.Fields {
		if part(p.get.path.Fields[i]) == "" {
			return nil, noSegment
		}
	}
	query := url.Values{}
	for name, pattern := range p.get.query {
		var value strings.Builder
		for i, literal := range pattern.Literals {
			value.WriteString(literal)
			if i < len(pattern.Fields) {
				value.WriteString(part(pattern.Fields[i]))
			}
		}
		query.Set(name, value.String())
	}
	return s.address(plain.String(), escaped.String(), query), ""
}
