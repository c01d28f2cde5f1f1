package drift_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/sources"
)

// Behind the veil a finding keeps what it is and where it stands, and no value.
func TestVeilHidesEveryValue(t *testing.T) {
	t.Parallel()
	canary := func(i int) string { return fmt.Sprintf("canary-%d", i) }
	value := func(i int, masked bool) drift.Value {
		return drift.Value{Type: "text", Text: canary(i), Base64: canary(i + 1), Masked: masked}
	}
	f := &drift.Finding{ID: "F-1", Check: "c", Replica: "r", Key: sources.Key{sources.Text(canary(1)), sources.Int(42)}, CopyID: sources.Key{sources.Text(canary(2))},
		KeyText: "id=" + canary(1), Kind: checks.Mismatch, State: drift.Acknowledged, Reason: canary(3), Pattern: `price: owner "` + canary(4) + `"`, Age: checks.Stale,
		Fields: []drift.Field{{OwnerField: "price", ReplicaField: "price", Owner: value(5, false), Replica: value(7, true), Rule: "exact", Note: canary(9)},
			{OwnerField: "name", ReplicaField: "title", Owner: drift.Value{Type: "absent"}, Replica: value(10, false), Rule: "exact"}},
		FirstSeen: time.Unix(7, 0), Seen: 3, Revision: 4}
	before := fmt.Sprintf("%+v", f)
	v := f.Veil()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{string(text), fmt.Sprintf("%+v %v %v", v, v.Key.Encode(), v.CopyID.Encode())} {
		if strings.Contains(shown, "canary") || strings.Contains(shown, "42") {
			t.Errorf("the veil shows %s", shown)
		}
	}
	if v.Pattern != "price, name → title differ" || v.State != f.State || v.Age != f.Age || v.Seen != 3 || v.Revision != 4 || !v.Whole() || v.KeyText != "***" || v.Fields[1].Owner.Type != "absent" {
		t.Errorf("the veil hides too much: %+v", v)
	}
	if again := v.Veil(); fmt.Sprintf("%+v", again) != fmt.Sprintf("%+v", v) {
		t.Error("a veil over a veil shows something else")
	}
	if fmt.Sprintf("%+v", f) != before {
		t.Error("the finding itself was changed")
	}
	missing := (&drift.Finding{Kind: checks.Missing, Pattern: "missing in the replica: " + canary(1)}).Veil()
	if missing.Pattern != "missing in the replica" || missing.Whole() {
		t.Errorf("a missing record: %+v", missing)
	}
}
