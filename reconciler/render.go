package reconciler

import (
	"bytes"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"plumbline/sources"
)

// filling gives places their values; shown, where it is not nil, says what
// stands for a value that a mask covers.
type filling struct {
	value func(p place) (sources.Value, error)
	shown func(p place, v sources.Value) (text string, masked bool)
}

// unfitError says why a value has no place in a request, without the value.
type unfitError struct {
	place place
	why   string
}

func (e *unfitError) Error() string { return e.place.String() + " " + e.why }

// render makes the request of a record. An *unfitError is a value that cannot
// stand where the template puts it.
func (t *RequestTemplate) render(f *filling) (*PreparedRequest, error) {
	parts, err := parsePlaces(t.URL)
	if err != nil {
		return nil, err
	}
	r := &PreparedRequest{Method: t.Method}
	if r.URL, err = renderURL(parts, f); err != nil {
		return nil, err
	}
	if t.Body == "" {
		return r, nil
	}
	if parts, err = parsePlaces(t.Body); err != nil {
		return nil, err
	}
	if t.sendsForm() {
		r.Body, err = renderForm(parts, f)
	} else {
		r.Body, err = renderJSON(parts, f)
	}
	return r, err
}

// contentType is what the body is said to be.
func (t *RequestTemplate) contentType() string {
	for name, value := range t.Headers {
		if http.CanonicalHeaderKey(name) == "Content-Type" {
			return value.Reveal()
		}
	}
	return "application/json"
}

func (t *RequestTemplate) sendsForm() bool {
	kind, _, err := mime.ParseMediaType(t.contentType())
	return err == nil && kind == "application/x-www-form-urlencoded"
}

// plain is a value as it stands in a path, a query, a form or within a JSON text.
func (f *filling) plain(p place) (string, error) {
	v, err := f.value(p)
	if err != nil {
		return "", err
	}
	if f.shown != nil {
		if text, masked := f.shown(p, v); masked {
			return text, nil
		}
	}
	if v.IsAbsent() || v.IsNull() {
		return "", &unfitError{p, "is " + v.Kind().String() + ", which has no spelling there"}
	}
	text := v.String()
	if !utf8.ValidString(text) {
		return "", &unfitError{p, "is a text that is no valid UTF-8"}
	}
	return text, nil
}

// renderURL escapes each value for where it stands, so that it stays within its
// segment of the path, or its part of the query.
func renderURL(parts []place, f *filling) (string, error) {
	out, query := "", false
	var filled []span
	for _, p := range parts {
		if p.of == "" {
			out += p.literal
			query = query || strings.Contains(p.literal, "?")
			continue
		}
		text, err := f.plain(p)
		if err != nil {
			return "", err
		}
		from := len(out)
		if query {
			out += url.QueryEscape(text)
			continue
		}
		out += url.PathEscape(text)
		filled = append(filled, span{p, from})
	}
	for _, s := range filled {
		switch segmentAt(out, s.from) {
		case "":
			return "", &unfitError{s.place, "is empty, and the path would be another"}
		case ".", "..":
			return "", &unfitError{s.place, "would lead to another path"}
		}
	}
	if _, err := url.Parse(out); err != nil {
		return "", errors.New("the request's address cannot be read once it is filled")
	}
	return out, nil
}

type span struct {
	place place
	from  int
}

// segmentAt is the path's segment that a position stands in.
func segmentAt(address string, at int) string {
	from := strings.LastIndexByte(address[:at], '/') + 1
	segment := address[from:]
	if end := strings.IndexAny(segment, "/?"); end >= 0 {
		segment = segment[:end]
	}
	return segment
}

func renderForm(parts []place, f *filling) (string, error) {
	var out strings.Builder
	for _, p := range parts {
		if p.of == "" {
			out.WriteString(p.literal)
			continue
		}
		text, err := f.plain(p)
		if err != nil {
			return "", err
		}
		out.WriteString(url.QueryEscape(text))
	}
	return out.String(), nil
}

// renderJSON puts each value as the JSON value that it is, or, between quotes,
// as the inside of a JSON text. The result is one JSON text, or an error.
func renderJSON(parts []place, f *filling) (string, error) {
	var out bytes.Buffer
	quoted := false
	for _, p := range parts {
		if p.of == "" {
			quoted = inQuotes(p.literal, quoted)
			out.WriteString(p.literal)
			continue
		}
		text, err := f.jsonValue(p, quoted)
		if err != nil {
			return "", err
		}
		out.WriteString(text)
	}
	if _, err := sources.ParseJSON(out.Bytes()); err != nil {
		return "", errors.New("body: is not one JSON text once its places are filled: write JSON, with each place where a value stands or within quotes")
	}
	return out.String(), nil
}

// inQuotes says whether a JSON text is open after more of it was read.
func inQuotes(text string, open bool) bool {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '"':
			open = !open
		case open && text[i] == '\\':
			i++
		}
	}
	return open
}

func (f *filling) jsonValue(p place, quoted bool) (string, error) {
	if quoted {
		text, err := f.plain(p)
		if err != nil {
			return "", err
		}
		written := jsonText(text)
		return written[1 : len(written)-1], nil
	}
	v, err := f.value(p)
	if err != nil {
		return "", err
	}
	if f.shown != nil {
		if text, masked := f.shown(p, v); masked {
			return jsonText(text), nil
		}
	}
	b, err := appendExactJSON(nil, v)
	if err != nil {
		return "", &unfitError{p, err.Error()}
	}
	return string(b), nil
}

func jsonText(s string) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil { // a string always marshals
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// appendExactJSON writes a value so that whoever reads JSON's numbers as 64-bit
// floats still reads it exactly: a number that such a reader would round is
// written as a text.
func appendExactJSON(b []byte, v sources.Value) ([]byte, error) {
	var err error
	switch v.Kind() {
	case sources.KindAbsent, sources.KindNull:
		return append(b, "null"...), nil
	case sources.KindBool:
		return append(b, v.String()...), nil
	case sources.KindInt, sources.KindDecimal, sources.KindFloat:
		if exactAsFloat(v) {
			return append(b, v.String()...), nil
		}
		return append(b, jsonText(v.String())...), nil
	case sources.KindList:
		b = append(b, '[')
		for i, item := range v.Items() {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendExactJSON(b, item); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case sources.KindDocument:
		b = append(b, '{')
		for i, field := range v.Fields() {
			if i > 0 {
				b = append(b, ',')
			}
			if !utf8.ValidString(field.Name) {
				return nil, errors.New("holds a text that is no valid UTF-8")
			}
			b = append(append(b, jsonText(field.Name)...), ':')
			if b, err = appendExactJSON(b, field.Value); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	}
	text := v.String()
	if !utf8.ValidString(text) {
		return nil, errors.New("is a text that is no valid UTF-8")
	}
	return append(b, jsonText(text)...), nil
}

// exactAsFloat says whether a number's plain spelling, read as a 64-bit float and
// written again as shortly as tells it apart, is the same number.
func exactAsFloat(v sources.Value) bool {
	if v.NaN() || v.Infinite() != 0 {
		return false
	}
	if v.Kind() == sources.KindFloat {
		return true
	}
	f, err := strconv.ParseFloat(v.String(), 64)
	if err != nil {
		return false
	}
	if i, whole := v.Integer(); whole && v.Kind() == sources.KindInt {
		const most = 1<<53 - 1
		return -most <= i && i <= most
	}
	back, err := sources.ParseDecimal(strconv.FormatFloat(f, 'g', -1, 64))
	if err != nil {
		return false
	}
	exact, ok := v.ExactDecimal()
	return ok && sameDecimal(back, exact)
}

func sameDecimal(a, b sources.Value) bool {
	ad, ae, aok := a.DecimalParts()
	bd, be, bok := b.DecimalParts()
	return aok && bok && ad == bd && ae == be
}
