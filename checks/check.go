package checks

import (
	"time"

	"plumbline/sources"
)

// Check is the declared comparison of one owner with its replicas.
type Check struct {
	Name        string
	Description string
	Severity    string // low | medium | high | critical
	Team        string
	Runbook     string
	Owner       Side
	Edges       []Edge
	// AllowEmpty: an owner without records is a fact, not a fault.
	AllowEmpty bool
	// Sample says which records a run compares; the zero Sample is all of them.
	Sample Sample
	// Findings bounds how many differences a run keeps; all are counted.
	Findings int
}

// Side is one dataset of a check, as that side writes it.
type Side struct {
	Source  string
	Kind    string // the source's kind of store
	Dataset sources.Dataset
	// Forms say how this side writes each part of the key, in the order of Dataset.Key.
	Forms []KeyForm
	// Masks say how the parts of the key are hidden where they are shown; nil is not
	// at all. Those of either side count.
	Masks []Mask
	// Version is the field that changes with every change of a record; "" when undeclared.
	Version string
}

// KeyForm is how one side writes one part of the key.
type KeyForm struct {
	// As is the kind this side writes, or KindAbsent to take values as they come.
	As sources.Kind
	// Prefix stands before the part's text on this side.
	Prefix string
}

// Edge is one replica of a check, with the rules it is compared by.
type Edge struct {
	// Name tells the check's replicas apart; a source's name unless declared.
	Name       string
	Replica    Side
	Rules      []Rule
	Invariants []Invariant
	// Settle is how long a difference must outlive before it is confirmed.
	Settle time.Duration
	// IgnoreMissing and IgnoreExtra leave out what only one side has.
	IgnoreMissing, IgnoreExtra bool
}

// Copies says whether one owner record may have many copies in the replica.
func (e *Edge) Copies() bool { return len(e.Replica.Dataset.ID) > 0 }
