package drift_test

import (
	"bytes"
	"testing"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/sources"
)

// The id of a finding says who it is to those who have the key, and nobody can
// try keys out on it without: neither on the id nor on what rows are found by.
func TestIDsOfFindingsTellNoKeys(t *testing.T) {
	t.Parallel()
	one, other := drift.NewMasker(bytes.Repeat([]byte{1}, 32)), drift.NewMasker(bytes.Repeat([]byte{2}, 32))
	key := sources.Key{sources.Int(42)}
	id := one.FindingID("orders", "search", key, nil)
	if id != one.FindingID("orders", "search", key, nil) {
		t.Error("one record has two ids")
	}
	for what, meets := range map[string]string{
		"without the key":         checks.FindingID("orders", "search", key, nil),
		"with another key":        other.FindingID("orders", "search", key, nil),
		"of another record":       one.FindingID("orders", "search", sources.Key{sources.Int(43)}, nil),
		"of another check":        one.FindingID("prices", "search", key, nil),
		"of another replica":      one.FindingID("orders", "cache", key, nil),
		"of a copy of the record": one.FindingID("orders", "search", key, key),
	} {
		if meets == id {
			t.Errorf("it is the same %s", what)
		}
	}
	if bytes.HasPrefix(one.Identity("row", "orders", "search", key, nil), one.Identity("finding", "orders", "search", key, nil)[:5]) {
		t.Error("two purposes share a hash")
	}
}
