package checks

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumbline/sources"
)

// Suspects that no longer fit into memory come back as they were, in their order.
func TestSuspectsBeyondMemoryComeBack(t *testing.T) {
	t.Parallel()
	log := newSuspectLog(1, 1)
	want := make([]Suspect, 3*suspectsInMemory)
	for i := range want {
		at := log.began.Add(time.Duration(i))
		want[i] = Suspect{Key: sources.Key{sources.Int(int64(i))}, FirstSeen: at, Since: at.Add(time.Second), Restarts: i % 3, Duplicate: i%5 == 0}
		want[i].Owner[0] = byte(i)
		if i%2 == 0 {
			want[i].ID = sources.Key{sources.Text("copy")}
		}
	}
	for from := 0; from < len(want); from += 1000 {
		if err := log.add(want[from:min(from+1000, len(want))]); err != nil {
			t.Fatal(err)
		}
	}
	if len(log.memory) > suspectsInMemory || log.len() != int64(len(want)) {
		t.Errorf("%d of %d suspects are in memory", len(log.memory), log.len())
	}
	var got []Suspect
	if err := log.drain(777, func(batch []Suspect) error { got = append(got, batch...); return nil }); err != nil {
		t.Fatal(err)
	}
	same := cmp.Comparer(func(a, b sources.Key) bool { return a.Equal(b) })
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Errorf("suspects came back otherwise:\n%.2000s", diff)
	}
	if err := log.close(); err != nil {
		t.Error(err)
	}
}
