package checks_test

import (
	"context"
	"sync/atomic"
	"testing"

	"plumbline/checks"
	"plumbline/sources"
	"plumbline/sources/memory"
)

// Records that lack a field lie together where it came to be written later. A run
// over data that did not change says nothing of a schema, whatever page it reads first.
func TestRecordsThatNeverHadAFieldAreNoChangeOfSchema(t *testing.T) {
	t.Parallel()
	seen := func(present int64) *checks.Seen {
		fields := checks.SeenFields{"price": {Records: 1000, Present: present, Values: present, Kinds: map[sources.Kind]int64{sources.KindInt: present}}}
		return &checks.Seen{Owner: fields, Replica: fields}
	}
	lately := func(i int) sources.Value { return map[bool]sources.Value{true: number(i)}[i >= 60] } // two pages of the first records have none
	never := func(int) sources.Value { return sources.Value{} }
	for _, x := range []struct {
		what           string
		owner, replica func(int) sources.Value
		seen           *checks.Seen
		result         checks.Result
		why            string
	}{
		{"as it was", lately, lately, seen(940), checks.Clean, ""},
		{"gone from all", number, never, seen(940), checks.Incomplete, "price is in no record of two.records any more"},
		{"gone from all, that all had", number, never, seen(1000), checks.Incomplete, "price is in no record of two.records any more"},
		{"gone from some, that all had", number, lately, seen(1000), checks.Drift, ""},
	} {
		run := runLoose(loose(1000, x.owner).Source(memory.Config{}), loose(1000, x.replica).Source(memory.Config{}), checks.Options{Seen: x.seen})
		if run.Result != x.result || x.why != "" && run.ReasonList()[0] != checks.SchemaPrefix+x.why || x.why == "" && len(run.Reasons) > 0 {
			t.Errorf("%s: %s %+v %v", x.what, run.Result, run.Counts, run.ReasonList())
		}
	}
}

// A sample of a store that declares no types tells a field that came to be another
// one while it is read, like any run.
func TestAFieldThatChangesWhileASampleIsReadIsNoDrift(t *testing.T) {
	t.Parallel()
	owner, replica := loose(6000, number), loose(6000, number)
	var lookups atomic.Int64
	config := memory.Config{Faults: func(_ context.Context, r memory.Read) *memory.Fault {
		if r.Op == "lookup" && len(r.Dataset.Fields) > 0 && lookups.Add(1) == 70 { // in the second thousand of keys
			replica.Update("records", func(func(string) sources.Value) bool { return true }, func(column string, v sources.Value) sources.Value {
				if column == "price" {
					return sources.Text(v.String() + " EUR")
				}
				return v
			})
		}
		return nil
	}}
	run := runLoose(owner.Source(memory.Config{}), replica.Source(config), checks.Options{Sample: &checks.Sample{Keys: 4000, Random: 1}, Seed: 1})
	if run.Result != checks.Incomplete || len(run.Differences) > 0 || run.ReasonList()[0] != checks.SchemaPrefix+"price is now text in two.records, was int" {
		t.Errorf("%s %+v %v after %d look-ups", run.Result, run.Counts, run.ReasonList(), lookups.Load())
	}
}
