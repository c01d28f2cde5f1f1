package web

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"plumbline/drift"
	"plumbline/ledger"
)

func TestOwnersStandLeftOfTheirReplicas(t *testing.T) {
	t.Parallel()
	m := drawMap([]copying{
		{Check: "a", Owner: "crm", Replica: "orders", State: drift.InSync},
		{Check: "b", Owner: "orders", Replica: "search", State: drift.Drifted, Open: 412},
		{Check: "c", Owner: "crm", Replica: "search", State: drift.Unknown},
		{Check: "d", Owner: "orders", Replica: "search", State: drift.InSync},
	}, map[string]string{"search": "refused"})
	x := map[string]int{}
	for _, n := range m.Nodes {
		x[n.Name] = n.X
		if n.Down != (n.Name == "search") {
			t.Errorf("%s is down: %v", n.Name, n.Down)
		}
	}
	if !(x["crm"] < x["orders"] && x["orders"] < x["search"]) {
		t.Errorf("columns %v", x)
	}
	var labels []string
	for _, l := range m.Links {
		labels = append(labels, l.Tone+" "+l.Label+" "+l.URL)
	}
	want := []string{"drift ≠ 2 checks · 412 /?q=orders+%E2%86%92+search", "unknown ? c /checks/c", "ok ✓ a /checks/a"}
	if !slices.Equal(labels, want) {
		t.Errorf("links %q, want %q", labels, want)
	}
}

// Whatever is configured, circles included, every node and label lies within the
// drawing, no two nodes on each other, and it stays small enough to be sent.
func TestMapHoldsAnyShape(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	for range 200 {
		var copies []copying
		sources := 1 + random.IntN(60)
		for i := range random.IntN(150) {
			copies = append(copies, copying{Check: fmt.Sprintf("check-%d", i), Owner: fmt.Sprintf("s%d", random.IntN(sources)), Replica: fmt.Sprintf("s%d", random.IntN(sources)),
				State: []drift.Consistency{drift.InSync, drift.Drifted, drift.Unknown}[random.IntN(3)], Open: random.Int64N(9)})
		}
		m := drawMap(copies, nil)
		if len(m.Nodes) > mapNodes || len(m.Links) > mapLinks {
			t.Fatalf("%d nodes and %d links", len(m.Nodes), len(m.Links))
		}
		if len(copies) > 0 && (len(m.Nodes) == 0 || len(m.Links) == 0) {
			t.Fatal("nothing is drawn")
		}
		for _, l := range m.Links {
			if l.PlateX < 0 || l.PlateY < 0 || l.PlateX+l.PlateW > m.Width || l.PlateY+plateHeight > m.Height {
				t.Fatalf("the label %+v lies outside of %d × %d", l, m.Width, m.Height)
			}
		}
		for i, a := range m.Nodes {
			if a.X < 0 || a.Y < 0 || a.X+a.W > m.Width || a.Y+a.H > m.Height {
				t.Fatalf("node %+v lies outside of %d × %d", a, m.Width, m.Height)
			}
			for _, b := range m.Nodes[:i] {
				if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
					t.Fatalf("%s lies on %s", a.Name, b.Name)
				}
			}
		}
	}
}

func TestStripMergesBucketsByTheWorst(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 1, 9, 10, 58, 0, 0, time.UTC)
	half := now.Truncate(30 * time.Minute) // 10:30
	s := stripOf([]ledger.Bucket{
		{At: half, Worst: "clean", Runs: 3, Coverage: 1},
		{At: half.Add(-30 * time.Minute), Worst: "drift", Runs: 2, Differences: 7, Coverage: 1},
		{At: half.Add(-2 * time.Hour), Worst: "error", Runs: 1},
		{At: half.Add(-40 * time.Hour), Worst: "drift", Runs: 1, Coverage: 1}, // long ago
		{At: half.Add(time.Hour), Worst: "drift", Runs: 1, Coverage: 1},       // a clock ahead
	}, now, 24)
	if len(s.Cells) != 24 || s.Cells[23].Class != "d" || s.Cells[21].Class != "u" || s.Cells[22].Class != "" {
		t.Fatalf("cells %+v", s.Cells[20:])
	}
	if got := s.Cells[23].Title; got != "10:00: drift, 5 runs" {
		t.Errorf("title %q", got)
	}
	if got := s.Cells[21].Title; !strings.Contains(got, "could not check, 1 run, 0 % read") {
		t.Errorf("title %q", got)
	}
	if s.Words != "last 24 hours: drift in 1 of 2 parts with runs" {
		t.Errorf("words %q", s.Words)
	}
}
