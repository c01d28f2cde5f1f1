package checks

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"plumbline/sources"
)

// DifferenceKind says how one record differs.
type DifferenceKind string

// The kinds of difference, as words.md declares them.
const (
	Mismatch   DifferenceKind = "mismatch"   // both have it, and a field or an invariant differs
	Missing    DifferenceKind = "missing"    // the owner has it, the replica lacks it
	Extra      DifferenceKind = "extra"      // the replica has it, the owner lacks it
	Duplicate  DifferenceKind = "duplicate"  // one side has it more than once
	Unreadable DifferenceKind = "unreadable" // delivered, but without canonical form
)

// Difference is one record that differs in one run.
type Difference struct {
	Kind DifferenceKind
	// Key is the record's key in canonical form, ID the copy's own identity. A key
	// without canonical form is as its side wrote it, and is not whole.
	Key, ID sources.Key
	// Fields are those that differ, in the order of the rules.
	Fields []FieldDifference
	// Reason says in words what Kind alone does not: which side has it twice, why it is unreadable.
	Reason string
	// Age relates the copy to its owner by their versions, where both declare one.
	Age                          Age
	OwnerVersion, ReplicaVersion sources.Value
	// FirstSeen is when the difference was first read, LastSeen when it was last.
	FirstSeen, LastSeen time.Time
}

// FieldDifference is one compared field, or one invariant, that differs.
type FieldDifference struct {
	Owner, Replica           string // the field's name on each side; both empty for an invariant
	OwnerValue, ReplicaValue sources.Value
	Rule                     string // the rule in words: exact, within 0.01, invariant line-total
	Note                     string // why it differs where the values alone do not say
	Mask                     Mask
}

// FindingID is a short stable name of what (check, replica, key, id) identifies:
// "F-" and 40 bits of SHA-256 over their injective encoding, in hexadecimal.
func FindingID(check, replica string, key, id sources.Key) string {
	identity := sources.Key{sources.Text(check), sources.Text(replica), sources.ListOf(key), sources.ListOf(id)}
	sum := sha256.Sum256([]byte(identity.Encode()))
	return "F-" + hex.EncodeToString(sum[:5])
}
