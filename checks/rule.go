package checks

import (
	"time"

	"github.com/cockroachdb/apd/v3"

	"plumbline/sources"
)

// Rule says how one field is compared. The zero of every option is the plain
// rule: both values are the same, numbers of different kinds by what they count.
type Rule struct {
	Owner, Replica FieldRef
	// FoldCase and FoldSpace compare texts after Unicode case folding, and with
	// each run of white space as one space and none at the ends.
	FoldCase, FoldSpace bool
	// TrimLeft and TrimRight drop white space at the ends of texts.
	TrimLeft, TrimRight bool
	// NFC compares texts after Unicode normalisation form C.
	NFC bool
	// Within is how far numbers may lie apart, inclusive; nil means not at all.
	Within *apd.Decimal
	// WithinPercent is how far the replica's number may lie from the owner's, in
	// percent of the owner's magnitude, inclusive.
	WithinPercent *apd.Decimal
	// WithinTime is how far times and durations may lie apart, inclusive.
	WithinTime time.Duration
	// Precision compares times at this many digits of a second; -1 means at the
	// lower declared precision of the two sides.
	Precision int
	// Map turns owner values into replica values. An owner value that is not in
	// it is a mismatch named so. nil means no map.
	Map []MapPair
	// NullEquals are values that count as null, on both sides.
	NullEquals []sources.Value
	// AnyOrder compares lists as multisets.
	AnyOrder bool
	// Mask hides the field's values wherever they are shown.
	Mask Mask
	// IgnoreUntil leaves the field out before this instant; zero means never.
	IgnoreUntil  time.Time
	IgnoreReason string
}

// FieldRef names a field on one side and how that side writes it.
type FieldRef struct {
	Name string
	// As is the kind to read the values as, or KindAbsent to take them as they come.
	As sources.Kind
	// Zone gives naive times their meaning; nil leaves them naive.
	Zone *time.Location
}

// MapPair is one entry of a Map.
type MapPair struct{ Owner, Replica sources.Value }

// Mask says how much of a field's values is shown.
type Mask uint8

// The masks, from showing all to showing nothing.
const (
	MaskNone Mask = iota
	MaskPartial
	MaskHash
	MaskFull
)

// Invariant is a condition that every pair of owner and replica record must meet.
type Invariant struct {
	Name string
	Expr string
	// Program is Expr compiled by CompileInvariant.
	Program *Program
}
