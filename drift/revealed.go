package drift

import (
	"time"

	"plumbline/checks"
	"plumbline/sources"
)

// Revealed is a record as it was read just now, with what masks cover elsewhere.
// It is shown once, to whoever gave a reason, and kept nowhere.
type Revealed struct {
	Key, ID Named
	Fields  []Field // those that differ
	Reason  string
	ReadAt  time.Time
	// Equal: it no longer differs, so there are no fields to show.
	Equal bool
}

// Reveal shows a difference without its masks; d is nil where nothing differs
// any more.
func (l Lens) Reveal(check *checks.Check, edge *checks.Edge, key, id sources.Key, d *checks.Difference) *Revealed {
	bare := func(names []string, values sources.Key) Named {
		return l.named(names, values, make([]checks.Mask, len(values)))
	}
	r := &Revealed{Key: bare(check.Owner.Dataset.Key, key), ID: bare(edge.Replica.Dataset.ID, id), Fields: []Field{}, Equal: d == nil}
	if d == nil {
		return r
	}
	for i := range d.Fields {
		open := d.Fields[i]
		open.Mask = checks.MaskNone
		r.Fields = append(r.Fields, l.Field(&open))
	}
	r.Reason = l.Scrub(d.Reason)
	return r
}
