package alerts

import "time"

// Request is something that somebody asks of Plumbline through an integration,
// taken once and kept until it is done.
type Request struct {
	// ID tells one request from every other: it is of what was signed, or of the envelope.
	ID     []byte
	Kind   string // as the integration calls it
	Body   string // what the integration made of it
	CameAt time.Time
	// Term counts how often it was claimed: from the second time on, whoever had it
	// before may have done it already.
	Term int64
}
