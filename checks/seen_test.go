package checks_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"plumbline/checks"
	"plumbline/sources"
	"plumbline/sources/memory"
)

// loose is a store that declares no type of price, with n records.
func loose(n int, price func(i int) sources.Value) *memory.Store {
	store := memory.NewStore()
	store.Create(memory.Table{Name: "records", Unique: []string{"id"}, Columns: []memory.Column{
		{Name: "id", FieldType: sources.FieldType{Kind: sources.KindInt, Strict: true}}, {Name: "price"}}})
	for i := range n {
		store.Put("records", sources.Int(int64(i)), price(i))
	}
	return store
}

func number(i int) sources.Value { return sources.Int(int64(i)) }

func words(i int) sources.Value { return sources.Text(fmt.Sprintf("%d EUR", i)) }

func runLoose(owner, replica sources.Source, o checks.Options) checks.EdgeRun {
	limits := sources.Limits{PageRecords: 50}
	side := func(source string) checks.Side {
		return checks.Side{Source: source, Kind: "memory", Dataset: sources.Dataset{Name: "records", Key: []string{"id"}}}
	}
	check := &checks.Check{Name: "loose", Owner: side("one"), Edges: []checks.Edge{{Name: "two", Replica: side("two"), Rules: []checks.Rule{field("price", "price")}}}}
	readers := map[string]*sources.Reader{"one": sources.NewReader("one", owner, limits, nil), "two": sources.NewReader("two", replica, limits, nil)}
	o.Settle, o.Segments, o.Parallel = noSettle(), 1, 1
	return checks.Run(context.Background(), check, 0, func(name string) (*sources.Reader, error) { return readers[name], nil }, o)
}

// What a check never could compare is reported record by record, whatever page it is in.
func TestAFirstRunOfOtherKindsReportsMismatches(t *testing.T) {
	t.Parallel()
	for what, price := range map[string]func(int) sources.Value{
		"all texts":              words,
		"texts in the last half": func(i int) sources.Value { return map[bool]sources.Value{true: words(i), false: number(i)}[i >= 200] },
		"gone in the last half":  func(i int) sources.Value { return map[bool]sources.Value{false: number(i)}[i >= 200] },
	} {
		want := int64(200)
		if what == "all texts" {
			want = 400
		}
		run := runLoose(loose(400, number).Source(memory.Config{}), loose(400, price).Source(memory.Config{}), checks.Options{})
		if run.Result != checks.Drift || run.Counts.Mismatch != want {
			t.Errorf("%s: %s %+v %v", what, run.Result, run.Counts, run.ReasonList())
		}
	}
}

// Where earlier runs read everything, what they saw tells a change from drift at once.
func TestAFieldThatCameToBeOfAnotherKindSinceIsNoDrift(t *testing.T) {
	t.Parallel()
	seen := &checks.Seen{Replica: checks.SeenFields{"price": {Records: 400, Present: 400, Values: 400, Kinds: map[sources.Kind]int64{sources.KindInt: 400}}}}
	for want, price := range map[string]func(int) sources.Value{
		"price is now text in two.records, was int":     words,
		"price is in no record of two.records any more": func(int) sources.Value { return sources.Value{} },
	} {
		run := runLoose(loose(400, number).Source(memory.Config{}), loose(400, price).Source(memory.Config{}), checks.Options{Seen: seen})
		if run.Result != checks.Incomplete || len(run.Differences) > 0 || run.ReasonList()[0] != checks.SchemaPrefix+want {
			t.Errorf("%s: %s %+v %v", want, run.Result, run.Counts, run.ReasonList())
		}
	}
	run := runLoose(loose(400, number).Source(memory.Config{}), loose(400, func(i int) sources.Value {
		return map[bool]sources.Value{true: words(i), false: number(i)}[i%10 == 3]
	}).Source(memory.Config{}), checks.Options{Seen: seen})
	if run.Result != checks.Drift || run.Counts.Mismatch != 40 || !strings.Contains(run.Differences[0].Fields[0].Note, "text") {
		t.Errorf("single records of another kind: %s %+v", run.Result, run.Counts)
	}
}

// What changes after the scan, before its suspects are judged, confirms none.
func TestAFieldThatChangesBeforeSuspectsAreJudgedConfirmsNone(t *testing.T) {
	t.Parallel()
	owner, replica := loose(400, number), loose(400, number)
	replica.Put("records", sources.Int(7), sources.Int(70)) // in flight
	var lookups atomic.Int64
	config := memory.Config{Faults: func(_ context.Context, r memory.Read) *memory.Fault {
		if r.Op == "lookup" && lookups.Add(1) == 1 {
			replica.Update("records", func(func(string) sources.Value) bool { return true }, func(column string, v sources.Value) sources.Value {
				if column == "price" {
					return sources.Text(v.String() + " EUR")
				}
				return v
			})
		}
		return nil
	}}
	run := runLoose(owner.Source(memory.Config{}), replica.Source(config), checks.Options{Plan: checks.PlanRanges})
	if run.Plan.Kind == checks.PlanRanges && (run.Result != checks.Incomplete || len(run.Differences) > 0) {
		t.Errorf("%s %+v %v", run.Result, run.Counts, run.ReasonList())
	}
	if lookups.Load() == 0 {
		t.Errorf("nothing was looked up: %s %v", run.Result, run.ReasonList())
	}
}
