package web

import "plumbline/ledger"

// SchemaChangeBody is a change of how a store keeps the data, as it was found. It
// holds names of fields and types, and no value of a record.
type SchemaChangeBody struct {
	Replica string  `json:"replica"`
	Side    string  `json:"side" enum:"owner,replica"`
	Words   string  `json:"words"`
	Breaks  bool    `json:"breaks" doc:"Nothing could be compared for it."`
	Run     string  `json:"run" doc:"The run that found it."`
	FoundAt Instant `json:"found_at"`
}

func schemaChangeBodies(list []ledger.FoundChange) []SchemaChangeBody {
	bodies := make([]SchemaChangeBody, 0, len(list))
	for _, c := range list {
		bodies = append(bodies, SchemaChangeBody{c.Replica, string(c.Side), c.Words, c.Breaks, c.Run, Instant(c.At)})
	}
	return bodies
}
