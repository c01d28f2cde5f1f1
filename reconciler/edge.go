package reconciler

import (
	"time"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/sources"
)

// Edge is one edge of a check with all that drafting and applying need of it.
// Its readers read with credentials that need not be able to write.
type Edge struct {
	Check          *checks.Check
	I              int // which of Check.Edges
	Audit          *checks.Audit
	Owner, Replica *sources.Reader
	Lens           drift.Lens
	Policy         Policy
	// CheckHash is of the check and its policy as they are now.
	CheckHash string
	// OwnerDatasets names a check in which a dataset of a source is the owner's; "" for none.
	OwnerDatasets func(source string, d *sources.Dataset) (check string)
	// CanHide: a data key is configured, so what masks cover can be kept encrypted.
	CanHide bool
}

// Name is the edge's own: that of its replica.
func (e *Edge) Name() string { return e.declared().Name }

func (e *Edge) declared() *checks.Edge { return &e.Check.Edges[e.I] }

func (e *Edge) comparison() *checks.Comparison { return e.Audit.Comparison() }

// replica is the dataset that is put right.
func (e *Edge) replica() *sources.Dataset { return &e.Audit.Comparison().Replica }

func (e *Edge) masks() drift.Masks { return drift.MasksOf(e.Check, e.declared()) }

// masked says whether anything of the check's records is masked.
func (e *Edge) masked() bool {
	if e.masks().HidesRecord() {
		return true
	}
	for _, r := range e.declared().Rules {
		if r.Mask != checks.MaskNone {
			return true
		}
	}
	return false
}

// Facts are what the ledger and the clock know when a plan is drafted or begun.
type Facts struct {
	// Open is how many findings of the edge are open; Compared how many records
	// its last whole run compared.
	Open, Compared int64
	Frozen         *Freeze
	Paused         *Pause
	// FixedLately is how often each finding was fixed within FixedWithin.
	FixedLately map[string]int
	// LeftAlone are findings whose fix was taken back and that were not resolved since.
	LeftAlone map[string]bool
	// Auto: Plumbline drafts it itself.
	Auto bool
	Now  time.Time
}

// A finding that was fixed FixedOften times within FixedWithin is not fixed by
// Plumbline itself any more: something else undoes it.
const (
	FixedOften  = 3
	FixedWithin = 24 * time.Hour
)
