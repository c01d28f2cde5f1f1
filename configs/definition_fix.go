package configs

import (
	"time"

	"plumbline/reconciler"
	"plumbline/sources"
)

// How differences may be put right: a check's fix, and a replica's.

// fix becomes a reconciler.Policy.
func fix() *record {
	return &record{name: "fix", words: "a mapping with mode", doc: "How differences may be put right.", keys: []key{
		{name: "mode", doc: "Whether plans of fixes are made: off makes none, propose drafts one when drift is confirmed and waits for approval, apply also applies it, within the bounds below.",
			standard: "off", value: word([]string{string(reconciler.ModeOff), string(reconciler.ModePropose), string(reconciler.ModeApply)})},
		{name: "by", doc: "The way a fix takes: write goes straight to the replica's store, request asks its service.", standard: "write",
			value: word([]string{string(reconciler.Write), string(reconciler.Request)}, "event", "outbox")},
		{name: "allow", doc: "What a fix may do, and what it may touch besides its record. Default [update].",
			value: list{of: word(allowed()), words: "a list such as [update]", few: "is empty: name what a fix may do, or write mode: off"}},
		{name: "max_records", doc: "How many records one plan may touch. A plan is drafted within a minute.", standard: "100", value: integer(1, 10_000)},
		{name: "max_share", doc: "The share of the compared records that may differ for a plan to be made at all.", standard: "20%", value: percent()},
		{name: "approvals", doc: "How many people, none of them the one who drafted it, approve a plan before it is applied; 0 lets whoever may approve apply at once.",
			standard: "1", value: integer(0, 5)},
		{name: "request", doc: "What the service is asked, where fixes go by: request.", value: fixRequest()},
	}}
}

// allowed are the words of fix.allow: kinds of change, then what a fix would
// touch besides its record.
func allowed() []string {
	words := []string{string(sources.Update), string(sources.Insert), string(sources.Delete), string(reconciler.AllowOwner)}
	for _, hazard := range sources.HazardKinds() {
		words = append(words, string(hazard))
	}
	return words
}

// fixRequest becomes a reconciler.RequestTemplate.
func fixRequest() *record {
	return &record{name: "fix_request", words: "a mapping with url", doc: "An HTTP request with places for a record's values: {key.NAME}, {id.NAME}, {owner.FIELD}, {replica.FIELD}.", keys: []key{
		{name: "method", doc: "The method.", standard: "POST", value: word([]string{"POST", "PUT", "PATCH", "DELETE"})},
		{name: "url", doc: "Where it is sent; places stand in its path and query.", value: text("an address such as https://basket.example.com/items/{key.id}"),
			required: true, example: "where it is sent, such as url: https://basket.example.com/items/{key.id}"},
		{name: "headers", doc: "Headers sent with it. Never shown.",
			value: dict{words: "a mapping of headers", of: secret("the header's value"), name: headerName}},
		{name: "body", doc: "What is sent, as JSON with places. Default nothing.", value: text(`a JSON text such as '{"price": {owner.price}}'`)},
		{name: "accepted", doc: "The statuses that mean it was taken. Default [200, 201, 202, 204].",
			value: list{of: integer(200, 299), words: "a list of statuses such as [200, 202]", few: "is empty: name a status, or remove it"}},
		{name: "timeout", doc: "How long one try may take.", standard: "10s", value: duration(100*time.Millisecond, 5*time.Minute, false)},
		{name: "tries", doc: "How often it is tried in all.", standard: "4", value: integer(1, 20)},
	}}
}
