package configs

import (
	"time"
)

// The configuration as it is declared: every key once, with what it means, what
// it wants and its default. definition.go holds the file and its sources,
// definition_check.go the checks, definition_sample.go which records a run compares,
// definition_endpoint.go how an HTTP API gives them, definition_fix.go how differences
// are put right, definition_alerts.go who is told and who may act.

// configuration is a whole file.
func configuration() *record {
	return &record{name: "configuration", words: "a mapping with sources and checks",
		doc: "What Plumbline reads and what it compares.", keys: []key{
			{name: "ledger", doc: "Plumbline's own database: sqlite://FILE, beside this file, or postgres://… for several processes.", standard: "sqlite://plumbline.db", value: ledgerAddress()},
			{name: "server", doc: "Where the pages and the API are served.", value: server()},
			{name: "defaults", doc: "Keys for every check that does not set them itself.", value: check()},
			{name: "sources", doc: "The stores that are read, by name.", value: dict{words: "a mapping of names to sources", of: source(), name: properName}},
			{name: "checks", doc: "The comparisons, by name.", value: dict{words: "a mapping of names to checks", of: check(), name: properName}},
			{name: "alerts", doc: "How people are told.", value: alerting()},
			{name: "access", doc: "Who may do what.", value: accessing()},
		}}
}

// server becomes a Server.
func server() *record {
	return &record{name: "server", words: "a mapping with listen", doc: "Where the pages and the API are served.", keys: []key{
		{name: "listen", doc: "The address to listen on; only this machine's own until there are accounts.", standard: "127.0.0.1:8080", value: hostPort()},
		{name: "public_url", doc: "The address by which people reach it; links in messages begin with it.", value: site()},
		{name: "trusted_proxies", doc: "Proxies whose word is taken for the address that a request came from. Default nobody's.",
			value: list{of: network(), words: "a list of addresses or ranges such as [10.0.0.0/8]"}},
		{name: "metrics", doc: "An address of its own for /metrics, without sign-in. Default none: /metrics is served where the pages are.", value: hostPort()},
	}}
}

// source becomes a Source.
func source() *record {
	return &record{name: "source", words: "a mapping with kind and url",
		doc: "One store of one service.", keys: []key{
			{name: "kind", doc: "The kind of store; mysql is MariaDB too, and kafka is not yet supported.",
				value: word([]string{"postgres", "mongodb", "mysql", "sqlite", "redis", "http"}, "kafka"), required: true, example: "kind: postgres, mongodb, mysql, sqlite, redis or http"},
			{name: "url", doc: "The store's address, with credentials that may only read. Never shown.", value: secret("the store's address"),
				required: true, example: "the store's address, such as url: ${CATALOG_URL}"},
			{name: "fix_url", doc: "The address with credentials that may write; only the reconciler opens it. Never shown.", value: secret("the store's address")},
			{name: "team", doc: "The team that runs the service.", value: text("the name of a team")},
			{name: "headers", doc: "Headers sent with each request to an HTTP API. Their values are never shown.",
				value: dict{words: "a mapping of headers", of: headerValue(), name: headerName, few: "is empty: name a header, or remove it"}},
			{name: "limits", doc: "How much is asked of the store.", value: limits()},
		}}
}

// limits becomes Limits.
func limits() *record {
	return &record{name: "limits", words: "a mapping of limits", doc: "How much is asked of a store.", keys: []key{
		{name: "connections", doc: "How many connections are open at once.", standard: "4", value: integer(1, 100)},
		{name: "page", doc: "How long one page of records should take; pages size themselves to it.", standard: "500ms",
			value: duration(10*time.Millisecond, time.Minute, false)},
		{name: "statement_timeout", doc: "How long one statement may take.", standard: "30s", value: duration(100*time.Millisecond, 24*time.Hour, false)},
		{name: "records_per_second", doc: "How many records are read each second; 0 is no bound.", standard: "0", value: integer(0, 1_000_000_000)},
		{name: "max_lag", doc: "Wait while replication lags further behind; 0 is off.", standard: "10s", value: duration(10*time.Millisecond, 24*time.Hour, true)},
		{name: "max_active", doc: "Wait while more statements of others are active; 0 is off.", standard: "25", value: integer(0, 1_000_000)},
	}}
}
