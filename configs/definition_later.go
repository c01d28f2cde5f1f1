package configs

import "time"

// What belongs to the configuration and takes effect in later releases. It is
// read as strictly as the rest, and then refused as not yet supported.

func alerts() *record {
	return &record{name: "alerts", words: "a mapping with slack or webhooks", doc: "How people are told.", keys: []key{
		{name: "slack", doc: "A Slack app.", value: &record{name: "slack", words: "a mapping with token", doc: "A Slack app.", keys: []key{
			{name: "token", doc: "The bot's token.", value: secret("a token")},
			{name: "signing_secret", doc: "The secret that signs what Slack sends.", value: secret("a secret")},
			{name: "app_token", doc: "The token for socket mode.", value: optional(secret("a token"))},
		}}},
		{name: "webhooks", doc: "Addresses that are sent each change.", value: list{of: anything{}, words: "a list of webhooks"}},
	}}
}

func alert() *record {
	return &record{name: "alert", words: "a mapping with slack", doc: "Who is told about a check, and when.", keys: []key{
		{name: "slack", doc: "The channel.", value: text(`a channel such as "#data"`)},
		{name: "above", doc: "How much must differ before anybody is told.", value: &record{name: "above", words: "a mapping with findings or share",
			doc: "How much must differ.", keys: []key{
				{name: "findings", doc: "More findings than this.", standard: "0", value: integer(0, 1_000_000_000)},
				{name: "share", doc: "A larger share than this.", standard: "0%", value: percent()},
			}}},
		{name: "repeat", doc: "How often an open incident is told again.", standard: "4h", value: duration(time.Minute, 366*24*time.Hour, false)},
	}}
}

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

func fix() *record {
	return &record{name: "fix", words: "a mapping with mode", doc: "How differences may be put right.", keys: []key{
		{name: "mode", doc: "Whether fixes are made.", standard: "off", value: word([]string{"off"}, "propose", "apply")},
		{name: "by", doc: "The way a fix takes.", standard: "write", value: word([]string{"write", "request", "event", "outbox"})},
		{name: "allow", doc: "What a fix may do.", value: list{of: word([]string{"update", "insert", "delete"}), words: "a list such as [update]"}},
		{name: "max_records", doc: "How many records one plan may touch.", standard: "100", value: integer(0, 1_000_000)},
		{name: "max_share", doc: "The share of records one plan may touch.", standard: "20%", value: percent()},
	}}
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

// anything is left to a later release.
type anything struct{}

func (anything) accepts(nodeKind) bool     { return true }
func (anything) wants() string             { return "a value" }
func (anything) schema(definitions) object { return object{} }

func (anything) read(_ *reader, n *node, path string) *setting {
	return &setting{position: n.position, path: path, key: n.position}
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
