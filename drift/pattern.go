package drift

import (
	"fmt"

	"plumbline/checks"
)

// PairWords says in visible words how one field differs. Findings that differ in
// the same words are of one pattern.
func PairWords(f *Field) string {
	words := fmt.Sprintf("%s: owner %s replica %s", Visible(f.Title()), f.Owner.Short(), f.Replica.Short())
	if f.Note != "" {
		words += " (" + Visible(f.Note) + ")"
	}
	return words
}

// KindWords says in visible words how a difference without fields differs.
func KindWords(kind checks.DifferenceKind, reason string) string {
	words := map[checks.DifferenceKind]string{checks.Missing: "missing in the replica", checks.Extra: "extra in the replica",
		checks.Duplicate: "duplicate", checks.Unreadable: "unreadable"}[kind]
	if words == "" {
		words = string(kind)
	}
	if reason != "" {
		words += ": " + Visible(reason)
	}
	return words
}
