package redis

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"plumbline/sources"
	"plumbline/sources/jsonrecord"
)

// records are those of one key of Redis: one, or those of the unwound array.
//
// A field of the pattern is a text, unless the document has it too: then it is
// what the document says, which must read as the key does.
func (p *dataset) records(shape *jsonrecord.Shape, one *stored) []sources.Record {
	texts, ok := p.pattern.Take(one.key)
	if !one.there || !ok {
		return nil
	}
	if one.skipped != "" || one.unreadable != "" {
		return []sources.Record{p.unread(texts, one)}
	}
	document, why := p.document(one, texts)
	if why == "" {
		records, err := shape.Records(document)
		if err == nil {
			return records
		}
		why = sources.Quoteless(err.Error())
	}
	one.unreadable = why
	return []sources.Record{p.unread(texts, one)}
}

// document writes what a key holds as one JSON document, the fields of the
// pattern included. why says that it is none.
func (p *dataset) document(one *stored, texts []string) (document []byte, why string) {
	switch p.format {
	case sources.FormatHash:
		return p.flat(one.hash, texts), ""
	case sources.FormatText:
		return p.flat(map[string]string{"value": one.text}, texts), ""
	}
	raw := []byte(strings.TrimSpace(one.text))
	if err := jsonrecord.Check(raw); err != nil {
		return nil, err.Error()
	}
	if raw[0] != '{' {
		return nil, "the value is no JSON object"
	}
	held := make([]bool, len(texts))
	err := jsonrecord.Members(raw, func(name string, value []byte) error {
		i := slices.Index(p.pattern.Fields, name)
		if i < 0 {
			return nil
		}
		held[i] = true
		v, err := sources.ParseJSON(value)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if sources.Canonical(v).String() != texts[i] || v.IsNull() {
			return fmt.Errorf("%s is another in the document than in the key of Redis", name)
		}
		p.saw(name, v.Kind())
		return nil
	})
	if err != nil {
		return nil, sources.Quoteless(err.Error())
	}
	front := []byte{'{'}
	for i, name := range p.pattern.Fields {
		if !held[i] {
			front = append(appendText(append(appendText(front, name), ':'), texts[i]), ',')
		}
	}
	if len(front) == 1 {
		return raw, ""
	}
	behind := strings.TrimLeft(string(raw[1:]), " \t\r\n")
	if behind == "}" {
		front = front[:len(front)-1]
	}
	return append(front, behind...), ""
}

// flat writes texts as a document, those of the pattern before those of the same
// name. A point in a name is a step down.
func (p *dataset) flat(fields map[string]string, texts []string) []byte {
	all := maps.Clone(fields)
	for i, name := range p.pattern.Fields {
		all[name] = texts[i]
	}
	names := slices.Sorted(maps.Keys(all))
	document, _ := appendLevel(nil, names, all, "")
	return document
}

// appendLevel writes the fields whose names begin with prefix, and returns those
// behind them. names are in order.
func appendLevel(b []byte, names []string, all map[string]string, prefix string) (document []byte, behind []string) {
	b = append(b, '{')
	first := true
	for len(names) > 0 && strings.HasPrefix(names[0], prefix) {
		if !first {
			b = append(b, ',')
		}
		first = false
		step, _, deeper := strings.Cut(names[0][len(prefix):], ".")
		b = append(appendText(b, step), ':')
		if deeper && strings.Count(prefix, ".") < sources.MaxDepth {
			b, names = appendLevel(b, names, all, prefix+step+".")
			continue
		}
		b = appendText(b, all[names[0]])
		names = names[1:]
	}
	return append(b, '}'), names
}

// appendText writes a text as JSON, its bytes as they are.
func appendText(b []byte, text string) []byte {
	b = append(b, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < 0x20:
			b = fmt.Appendf(b, `\u%04x`, c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// unread is a record of which no more is known than its key in Redis.
func (p *dataset) unread(texts []string, one *stored) sources.Record {
	r := sources.Record{Key: make(sources.Key, len(p.Key)), Skipped: one.skipped, Unreadable: one.unreadable}
	if len(p.ID) > 0 {
		r.ID = make(sources.Key, len(p.ID))
	}
	for i, name := range p.pattern.Fields {
		v := sources.Text(texts[i])
		if kind := p.kindOf(name); kind != sources.KindAbsent && kind != sources.KindText {
			if as, err := sources.As(v, kind, nil); err == nil && sources.Canonical(as).String() == texts[i] {
				v = as
			}
		}
		if at := slices.Index(p.Key, name); at >= 0 {
			r.Key[at] = v
		}
		if at := slices.Index(p.ID, name); at >= 0 {
			r.ID[at] = v
		}
	}
	return r
}
