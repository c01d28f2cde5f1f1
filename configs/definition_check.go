package configs

import "time"

// check becomes a checks.Check. The keys that a check must have are not marked
// required, because defaults may set them.
func check() *record {
	const belongs = "belongs to the replica: write it under replica, or under an entry of replicas"
	return &record{name: "check", words: "a mapping with owner, replica and fields",
		doc: "The comparison of one owner with its replicas.", keys: []key{
			{name: "description", doc: "What the check says about the business.", value: text("a sentence")},
			{name: "severity", doc: "How bad a difference is.", standard: "medium", value: word([]string{"low", "medium", "high", "critical"})},
			{name: "team", doc: "The team that answers for it.", value: text("the name of a team")},
			{name: "runbook", doc: "A page that says what to do.", value: link()},
			{name: "schedule", doc: "When it runs by itself: cron, @every 30s, @hourly, CRON_TZ=Europe/Oslo 0 3 * * *. Default only when asked.", value: schedule()},
			{name: "owner", doc: "The dataset that is the truth.", value: owner()},
			{name: "replica", doc: "The dataset that holds a copy.", value: replica()},
			{name: "replicas", doc: "Several datasets that each hold a copy.",
				value: list{of: replica(), words: "a list of replicas", few: "is empty: list at least one replica"}},
			{name: "fields", doc: "The fields that are compared; [] compares existence only.", value: fields()},
			{name: "invariants", doc: "Conditions that every pair of owner and replica record must meet.",
				value: list{of: invariant(), words: "a list of invariants"}},
			{name: "allow_empty", doc: "An owner without records is a fact, not a fault.", standard: "false", value: truth()},
			{name: "sample", doc: "Which records are compared.", standard: "all", value: sample()},
			{name: "settle", doc: "How long a difference must outlive before it is confirmed.", standard: "30s", value: settle()},
			{name: "alert", doc: "Who is told, and when.", value: alert()},
			{name: "fix", doc: "How differences may be put right.", value: fix()},
			{name: "missing", misplaced: "missing " + belongs},
			{name: "extra", misplaced: "extra " + belongs},
			{name: "name", misplaced: "a check is named by its key under checks: remove name"},
		}}
}

// owner becomes the checks.Side of the owner.
func owner() *record {
	return &record{name: "owner", words: "a mapping with source, dataset and key", doc: "The dataset that is the truth for a record.",
		keys: append(side(),
			key{name: "where", doc: "Which records the check is about, in the source's own language; for redis and http an expression such as state == 'open'. Replicas are looked up unfiltered.", value: conditionText()},
			key{name: "id", misplaced: "id belongs to the replica: the owner has one record for each key"},
			key{name: "name", misplaced: "name belongs to the replica: the owner needs none"},
			key{name: "missing", misplaced: "missing belongs to the replica: write it there"},
			key{name: "extra", misplaced: "extra belongs to the replica: write it there"},
		)}
}

// replica becomes a checks.Edge.
func replica() *record {
	return &record{name: "replica", words: "a mapping with source, dataset and key", doc: "A dataset that holds a copy of the owner's records.",
		keys: append(side(),
			key{name: "name", doc: "What tells the check's replicas apart. Default the source's name.", value: name()},
			key{name: "id", doc: "The copy's own identity, where one owner record may have many copies.",
				value: list{of: field("the name of a field"), words: "a list of fields, such as [_id]", few: "is empty: name a field, or remove it"}},
			key{name: "missing", doc: "Whether records that only the owner has are reported. Default report, and ignore where id is set.",
				value: word([]string{"report", "ignore"})},
			key{name: "extra", doc: "Whether records that only the replica has are reported.", standard: "report", value: word([]string{"report", "ignore"})},
			key{name: "fields", doc: "Fields of this replica, instead of the check's.", value: fields()},
			key{name: "settle", doc: "Settle time of this replica. Default the check's.", value: settle()},
			key{name: "fix", doc: "How differences of this replica may be put right. Default the check's.", value: fix()},
			key{name: "schedule", misplaced: "schedule belongs to the check: all its replicas are compared together"},
			key{name: "alert", misplaced: "alert belongs to the check: people are told of all its replicas at once"},
			key{name: "where", misplaced: "where belongs to the owner: a record whose filter field drifted would look missing"},
		)}
}

// side are the keys of owner and replica alike.
func side() []key {
	keyEntry := either{words: "a field's name, or {field, as, prefix}", of: []shape{field("a field's name"), keyPart()}}
	return []key{
		{name: "source", doc: "The source it is in, by name.", value: name(), required: true, example: "the name of a source"},
		{name: "dataset", doc: "The table, the collection, or the pattern of Redis keys, with fields in braces: user:{id}.", value: field("the name of a table or collection")},
		{name: "query", doc: "An SQL SELECT instead of a table.", value: text("an SQL SELECT")},
		{name: "filter", doc: "A MongoDB filter, applied to every read.", value: conditionText()},
		{name: "pipeline", doc: "A MongoDB aggregation instead of a bare collection.",
			value: either{words: "a list of stages", of: []shape{text("a list of stages"), jsonTree{}}}},
		{name: "unwind", doc: "The array of each document in which the records live.", value: field("the name of an array")},
		{name: "scope", doc: "Fields that hold one value in every record, such as a tenant; applied to every read.",
			value: dict{words: "a mapping of fields to values", of: literal("a value"), name: fieldName, few: "is empty: name a field, or remove it"}},
		{name: "key", doc: "The fields that identify a record on both sides, in the same order.", required: true, example: "the identifying fields, such as key: [id]",
			value: list{of: keyEntry, words: "a list of fields, such as [id]", few: "is empty: name the fields that identify a record"}},
		{name: "version", doc: "A field that changes with every change of a record.", value: field("the name of a field")},
		{name: "deleted_when", doc: "When a record counts as deleted, in the source's own language; for redis and http an expression such as state == 'gone'.", value: conditionText()},
		{name: "list", doc: "How an HTTP API lists all records. Without it extra records cannot be found.", value: listing()},
		{name: "get", doc: "How an HTTP API gives one record.", value: getting()},
		{name: "batch", doc: "How an HTTP API gives many records by their keys.", value: batching()},
		{name: "format", doc: "How Redis values are written. Default json.", value: word([]string{"json", "hash", "text"})},
	}
}

// keyPart becomes a checks.KeyForm.
func keyPart() *record {
	return &record{name: "key_part", words: "a mapping with field", doc: "How a side writes one part of the key.", keys: []key{
		{name: "field", doc: "The field's name.", value: field("the name of a field"), required: true, example: "the name of a field"},
		{name: "as", doc: "The kind it is written as.", value: kindWord()},
		{name: "prefix", doc: "What stands before the part's text on this side; implies as: text.", value: text("the prefix")},
		{name: "mask", doc: "How keys are hidden where they are shown.", standard: "none", value: maskWord()},
	}}
}

// fields become checks.Rules.
func fields() shape {
	return list{words: "a list of fields such as [name, price], or [] to compare existence only",
		of: either{words: "a field's name, or a mapping with owner and replica", of: []shape{field("a field's name"), rule()}}}
}

// rule becomes a checks.Rule.
func rule() *record {
	return &record{name: "rule", words: "a mapping with owner and replica", doc: "How one field is compared.", keys: []key{
		{name: "owner", doc: "The field in the owner.", value: ruleSide(), required: true, example: "the owner's field"},
		{name: "replica", doc: "The field in the replica.", value: ruleSide(), required: true, example: "the replica's field"},
		{name: "fold", doc: "Differences that do not count: case, space.",
			value: list{of: word([]string{"case", "space"}), words: "a list such as [case, space]", few: "is empty: write case, space or both, or remove it"}},
		{name: "trim", doc: "Drop white space at the ends of texts: true is both.", standard: "none", value: trim()},
		{name: "unicode", doc: "Compare texts after Unicode normalisation.", value: word([]string{"nfc"})},
		{name: "within", doc: "How far numbers, or times, may lie apart, inclusive.", value: toleranceScalar()},
		{name: "within_percent", doc: "How far the replica's number may lie from the owner's, in percent of the owner's, inclusive.", value: relative()},
		{name: "precision", doc: "Compare times at these digits of a second. Default the lower precision of the two sides.", value: precision()},
		{name: "map", doc: "Owner values and the replica values they become; a value that is not in it is a mismatch.", value: valueMap{}},
		{name: "null_equals", doc: "Values that count as null on both sides; absent means a field nobody wrote.",
			value: list{of: nullWord(), words: `a list such as [absent, ""]`, few: "is empty: list a value, or remove it"}},
		{name: "order", doc: "Compare lists whatever the order of their items.", value: word([]string{"ignore"})},
		{name: "mask", doc: "How the field's values are hidden where they are shown.", standard: "none", value: maskWord()},
		{name: "ignore", doc: "Leave the field out until the beginning of a day, in UTC.", value: ignore()},
	}}
}

// ruleSide becomes a checks.FieldRef.
func ruleSide() shape {
	return either{words: "a field's name, or {field, as, tz}", of: []shape{field("a field's name"),
		&record{name: "rule_side", words: "a mapping with field", doc: "A field and how its side writes it.", keys: []key{
			{name: "field", doc: "The field's name.", value: field("the name of a field"), required: true, example: "the name of a field"},
			{name: "as", doc: "The kind to read its values as.", value: kindWord()},
			{name: "tz", doc: "The time zone of times that are written without one.", value: zone()},
		}}}}
}

func ignore() *record {
	return &record{name: "ignore", words: "a mapping with until and reason", doc: "A field left out for a while.", keys: []key{
		{name: "until", doc: "The day from which it is compared again.", value: date(), required: true, example: "a date, such as until: 2027-01-31"},
		{name: "reason", doc: "Why it is left out.", value: text("a sentence"), required: true, example: "why the field is left out"},
	}}
}

// invariant becomes a checks.Invariant.
func invariant() *record {
	return &record{name: "invariant", words: "a mapping with name and expr", doc: "A condition on a pair of records. Numbers are exact decimals.", keys: []key{
		{name: "name", doc: "What it is called.", value: name(), required: true, example: "what it is called, such as name: line-total"},
		{name: "expr", doc: "The condition, on owner.field and replica['a.b'].", value: text("a condition"), required: true, example: "the condition"},
	}}
}

func settle() shape   { return duration(0, 24*time.Hour, false) }
func maskWord() shape { return word([]string{"none", "partial", "hash", "full"}) }

// conditionText is written in the source's own language: SQL text, or for MongoDB
// JSON text or the same as YAML.
func conditionText() shape {
	return either{words: "a condition", of: []shape{text("a condition"), jsonTree{}}}
}
