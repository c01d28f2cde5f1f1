package checks

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Result says how an edge's run ended.
type Result string

// The results. Drift stands even where not everything was read; Clean only where everything was.
const (
	Clean      Result = "clean"
	Drift      Result = "drift"
	Incomplete Result = "incomplete"
	Error      Result = "error"
	Cancelled  Result = "cancelled"
)

// Counts are what a run of one edge saw. Compared is the sum of Equal,
// Mismatch, Missing, Extra, Duplicate and Unreadable, counted per copy.
type Counts struct {
	// OwnerRecords and ReplicaRecords were read, looked-up ones included where
	// the plan does not scan that side.
	OwnerRecords, ReplicaRecords int64
	Equal                        int64
	Mismatch                     int64
	Missing                      int64
	Extra                        int64
	Duplicate                    int64
	Unreadable                   int64
	// Skipped could not be read, or did not hold still; it is not compared.
	Skipped int64
	// Unsettled is the part of Skipped whose owner changed faster than it settles.
	Unsettled int64
	// SuspectsCleared differed when first read and were equal when read again.
	SuspectsCleared int64

	// RandomKeys are the owner's keys that were drawn at random and judged, and
	// RandomDrift those of them with a confirmed difference. RandomGone were drawn
	// and are of no interest by now: nobody has them, or they left the scope. Of a
	// key drawn at random that is in neither, nothing is known.
	RandomKeys, RandomDrift, RandomGone int64
	// RandomReplicaKeys, RandomExtras and RandomReplicaGone are the same of the
	// replica's keys; RandomExtras are those that the owner lacks.
	RandomReplicaKeys, RandomExtras, RandomReplicaGone int64
}

// Compared is how many records were judged.
func (c *Counts) Compared() int64 { return c.Equal + c.Differences() }

// Differences is how many of them differ.
func (c *Counts) Differences() int64 {
	return c.Mismatch + c.Missing + c.Extra + c.Duplicate + c.Unreadable
}

// Add adds another part's counts.
func (c *Counts) Add(d Counts) {
	c.OwnerRecords += d.OwnerRecords
	c.ReplicaRecords += d.ReplicaRecords
	c.Equal += d.Equal
	c.Mismatch += d.Mismatch
	c.Missing += d.Missing
	c.Extra += d.Extra
	c.Duplicate += d.Duplicate
	c.Unreadable += d.Unreadable
	c.Skipped += d.Skipped
	c.Unsettled += d.Unsettled
	c.SuspectsCleared += d.SuspectsCleared
	c.addRandom(d)
}

func (c *Counts) count(k DifferenceKind, n int64) {
	switch k {
	case Mismatch:
		c.Mismatch += n
	case Missing:
		c.Missing += n
	case Extra:
		c.Extra += n
	case Duplicate:
		c.Duplicate += n
	case Unreadable:
		c.Unreadable += n
	}
}

// EdgeRun is the run of one check for one replica.
type EdgeRun struct {
	ID      string
	Check   string
	Replica string // the edge's name
	Result  Result
	// Err is why nothing could be read, where Result is Error.
	Err       error
	StartedAt time.Time
	Duration  time.Duration
	Plan      Plan
	Counts    Counts
	// Unread is about how many records were to be compared and never read.
	Unread int64
	// Pending is how many suspects are neither confirmed nor cleared.
	Pending int64
	// Differences are confirmed, ordered by key and id; Omitted is how many more
	// were counted and not kept.
	Differences []Difference
	Omitted     int64
	// Reasons say why the run is not complete, each with how often.
	Reasons map[string]int64
	// OwnerKey and ReplicaID name the parts of a difference's Key and ID.
	OwnerKey, ReplicaID []string
	// Copies: one owner record may have many copies here.
	Copies bool
	// Shape is the fingerprint of both sides' shapes, "" where neither store tells
	// them; SchemaChanges are the changes that were met, those that broke nothing too.
	Shape         string
	SchemaChanges []SchemaChange
	// Sampled says what was drawn, where only a sample was compared; nil is everything.
	Sampled *Sampled
	// Next is where the rolling part of each side goes on, where there was one.
	Next map[Role]Watermark
}

// Coverage is the share of what the run set out to compare that it compared:
// 1 only when everything was.
func (r *EdgeRun) Coverage() float64 {
	compared := r.Counts.Compared()
	if left := r.left(); left > 0 {
		return float64(compared) / float64(compared+left)
	}
	if compared == 0 && r.Result != Clean {
		return 0
	}
	return 1
}

// left is how many records were not compared, as far as can be told.
func (r *EdgeRun) left() int64 { return r.Unread + r.Counts.Skipped + r.Pending }

// ReasonList says why the run is not complete, in a stable order.
func (r *EdgeRun) ReasonList() []string {
	var list []string
	for _, reason := range slices.Sorted(maps.Keys(r.Reasons)) {
		if n := r.Reasons[reason]; n > 1 {
			reason = fmt.Sprintf("%s (%d times)", reason, n)
		}
		list = append(list, reason)
	}
	return list
}
