package ledger

import (
	"fmt"
	"strings"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/sources"
)

// EdgeFacts is what recording needs to turn a difference into a finding as it is kept.
type EdgeFacts struct {
	Check *checks.Check
	I     int // which of its edges
	Lens  drift.Lens
	// AllowEmpty: an edge without records is a fact.
	AllowEmpty bool
	// Hash is of the check as it is now; "" where that does not matter.
	Hash string
}

// ReasonChanged is why a run is incomplete whose check was changed before its end.
const ReasonChanged = "the check was changed while the run went on; the next run is of the new one"

func (f EdgeFacts) edge() *checks.Edge { return &f.Check.Edges[f.I] }

// Finding is what a difference is as a finding: who it is, and how it differs, masked.
func (f EdgeFacts) Finding(d *checks.Difference) *drift.Finding {
	check, edge := f.Check, f.edge()
	masks := drift.MasksOf(check, edge)
	finding := &drift.Finding{ID: f.Lens.Masker.FindingID(check.Name, edge.Name, d.Key, d.ID), Check: check.Name, Replica: edge.Name,
		Key: d.Key, CopyID: d.ID, Kind: d.Kind, Fields: f.Lens.Fields(d), Reason: f.Lens.Text(d.Reason, masks), Age: d.Age,
		FirstSeen: d.FirstSeen, LastSeen: d.LastSeen}
	finding.KeyText = keyText(f.Lens.Key(check, d.Key, masks), f.Lens.ID(edge, d.ID, masks))
	finding.Pattern = patternOf(finding)
	return finding
}

// reason is a text of the engine as it may be kept.
func (f EdgeFacts) reason(text string) string {
	return f.Lens.Text(text, drift.MasksOf(f.Check, f.edge()))
}

// keyColumns is how wide each part of a key is kept as text: enough to find a
// key by, and bounded, as an index is.
const keyColumns = 120

func keyText(key, id drift.Named) string {
	var parts []string
	for _, part := range append(append(drift.Named{}, key...), id...) {
		parts = append(parts, drift.Visible(part.Name)+"="+drift.Shorten(part.Value.Whole(), keyColumns))
	}
	return strings.Join(parts, " ")
}

// patternOf says how a finding differs: by its first field in the order of the
// rules, naming the others, or by its kind.
func patternOf(f *drift.Finding) string {
	if len(f.Fields) == 0 {
		return drift.KindWords(f.Kind, f.Reason)
	}
	words := drift.PairWords(&f.Fields[0])
	if len(f.Fields) == 1 {
		return words
	}
	others := make([]string, 0, len(f.Fields)-1)
	for i := range f.Fields[1:] {
		others = append(others, drift.Visible(f.Fields[i+1].Title()))
	}
	return words + ", also " + strings.Join(others, ", ")
}

// otherPattern is where findings go whose own pattern would be one too many.
func otherPattern(f *drift.Finding) string {
	if len(f.Fields) == 0 {
		return drift.KindWords(f.Kind, "") + ": other reasons"
	}
	return drift.Visible(f.Fields[0].Title()) + ": other pairs of values"
}

// ident is who a finding or a suspect is: a keyed hash that meets another's with a
// chance of 2^-128, where a finding's id of 40 bits is for people. It lies beside
// keys that are encrypted, so nobody may try keys out on it.
type ident [16]byte

func identOf(m *drift.Masker, check, replica string, key, id sources.Key) (i ident) {
	copy(i[:], m.Identity("row", check, replica, key, id))
	return i
}

// anotherID is the nth id to try for a finding whose id another has already.
func anotherID(id string, n int) string { return fmt.Sprintf("%s-%d", id, n) }
