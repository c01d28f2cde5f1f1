package configs

// An HTTP side's list, get and batch become a sources.Endpoint.

func listing() *record {
	return &record{name: "list", words: "a mapping with path", doc: "How an HTTP API lists its records, page by page.", keys: []key{
		{name: "path", doc: "The path, below the source's url.", value: apiPath(), required: true, example: "the path, such as path: /members"},
		{name: "query", doc: "Query parameters; {page_size} and {next} stand for themselves.", value: parameters()},
		{name: "items", doc: "Where the records are in the answer.", standard: "$", value: answerPath()},
		{name: "next", doc: "Where the answer says how to go on: an address, or a cursor. Default nowhere: the list is one page.", value: answerPath()},
		{name: "page_size", doc: "How many records are asked for at once. Default what the API gives.", value: integer(1, 100_000)},
	}}
}

func getting() *record {
	return &record{name: "get", words: "a mapping with path", doc: "How an HTTP API gives one record.", keys: []key{
		{name: "path", doc: "The path, below the source's url, with the key's fields in braces.", value: apiPath(), required: true, example: "the path, such as path: /members/{id}"},
		{name: "query", doc: "Query parameters, which may hold the key's fields in braces.", value: parameters()},
		{name: "item", doc: "Where the record is in the answer.", standard: "$", value: answerPath()},
		{name: "absent", doc: "The statuses that mean there is none. Default [404].",
			value: list{of: integer(200, 499), words: "a list of statuses, such as [404]", few: "is empty: list a status such as 404, or remove it"}},
	}}
}

func batching() *record {
	return &record{name: "batch", words: "a mapping with path", doc: "How an HTTP API gives many records by their keys.", keys: []key{
		{name: "path", doc: "The path, below the source's url.", value: apiPath(), required: true, example: "the path, such as path: /members"},
		{name: "query", doc: "Query parameters, one of which holds the keys: {ids}, divided by commas.", value: parameters()},
		{name: "items", doc: "Where the records are in the answer.", standard: "$", value: answerPath()},
		{name: "size", doc: "How many keys are asked for at once.", standard: "100", value: integer(1, 10_000)},
	}}
}

func parameters() shape {
	return dict{words: "a mapping of parameters", of: parameter(), name: fieldName, few: "is empty: name a parameter, or remove it"}
}
