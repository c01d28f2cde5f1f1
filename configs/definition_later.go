package configs

// What belongs to the configuration and takes effect in later releases. It is
// read as strictly as the rest, and then refused as not yet supported.

func sample() shape {
	keys := record{name: "sample", words: "all", doc: "A share of the records. Not yet supported.", keys: []key{
		{name: "keys", doc: "How many records a run compares.", value: integer(1, 1_000_000_000)},
		{name: "recent", doc: "The share of those that changed last.", value: percent()},
		{name: "rolling", doc: "The share of those not compared for longest.", value: percent()},
		{name: "random", doc: "The share drawn at random.", value: percent()},
		{name: "recent_by", doc: "The field that says when a record changed.", value: field("the name of a field")},
	}}
	return either{words: "all", of: []shape{word([]string{"all"}), unsupported{&keys, "all"}}}
}

func listing() *record {
	return &record{name: "list", words: "a mapping with path", doc: "How an HTTP API lists its records.", keys: []key{
		{name: "path", doc: "The path.", value: text("a path")},
		{name: "query", doc: "Query parameters.", value: parameters()},
		{name: "items", doc: "Where the records are in the answer.", value: text("a path such as $.data")},
		{name: "next", doc: "Where the answer says how to go on.", value: text("a path such as $.page.next")},
		{name: "page_size", doc: "How many records are asked for at once.", value: integer(1, 1_000_000)},
	}}
}

func getting() *record {
	return &record{name: "get", words: "a mapping with path", doc: "How an HTTP API gives one record.", keys: []key{
		{name: "path", doc: "The path, with the key in braces.", value: text("a path such as /members/{id}")},
		{name: "query", doc: "Query parameters.", value: parameters()},
		{name: "absent", doc: "The statuses that mean there is none.", value: list{of: integer(100, 599), words: "a list of statuses, such as [404]"}},
	}}
}

func batching() *record {
	return &record{name: "batch", words: "a mapping with path", doc: "How an HTTP API gives many records.", keys: []key{
		{name: "path", doc: "The path.", value: text("a path")},
		{name: "query", doc: "Query parameters, with the keys in braces.", value: parameters()},
		{name: "size", doc: "How many keys are asked for at once.", value: integer(1, 1_000_000)},
	}}
}

func parameters() shape {
	return dict{words: "a mapping of parameters", of: literal("a value"), name: fieldName}
}

// unsupported is a shape that a later release will act on.
type unsupported struct {
	shape
	instead string
}

func (u unsupported) read(r *reader, n *node, path string) *setting {
	s := u.shape.read(r, n, path)
	r.report(s, "not yet supported: use %s", u.instead)
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
