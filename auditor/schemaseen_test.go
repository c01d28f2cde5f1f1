package auditor_test

import (
	"strings"
	"testing"

	"plumbline/alerts"
	"plumbline/checks"
	"plumbline/ledger"
	"plumbline/sources"
	"plumbline/sources/memory"
)

// loosen has both stores declare no type of the values.
func (w *schemaWorld) loosen() {
	for _, store := range []*memory.Store{w.owner, w.replica} {
		store.Alter(shopTable, func(t *memory.Table) { t.Columns[1].FieldType = sources.FieldType{} }, nil)
	}
}

// A type that no store declares changed between runs: while it stays so, every run
// finds it anew, and that is one incident all the while.
func TestAKindThatStaysAnotherIsOneIncident(t *testing.T) {
	t.Parallel()
	w := newSchemaWorld(t, "sqlite", sources.Limits{})
	w.loosen()
	if run := runNow(t, w.a, w.l, "shop"); run.Result != checks.Clean {
		t.Fatalf("%s %v", run.Result, run.Reasons)
	}
	write := func(value func(sources.Value) sources.Value) {
		w.replica.Alter(shopTable, func(*memory.Table) {}, func(v []sources.Value) []sources.Value { return []sources.Value{v[0], value(v[0])} })
	}
	write(func(v sources.Value) sources.Value { return sources.Text(v.String() + " EUR") })
	for range 3 {
		w.brokenBy(runNow(t, w.a, w.l, "shop"), "value is now text in replica.records, was int")
	}
	write(func(v sources.Value) sources.Value { return v })
	if run := runNow(t, w.a, w.l, "shop"); run.Result != checks.Clean || len(w.incidents()) != 0 {
		t.Errorf("%s %v, open %v", run.Result, run.Reasons, w.incidents())
	}
	all, _, err := w.l.Incidents(t.Context(), ledger.IncidentFilter{})
	must(t, err)
	if len(all) != 1 || all[0].Kind != alerts.Schema || !strings.HasPrefix(all[0].Resolution, "the two sides can be compared again") {
		for _, i := range all {
			t.Errorf("%s %s: %s", i.Kind, i.State, i.Resolution)
		}
	}
}

// A run of given keys may go on beside one that reads everything: what that one was
// planned by stays what it is held against.
func TestARunOfGivenKeysLeavesTheShapesOfAnotherAlone(t *testing.T) {
	t.Parallel()
	w := newSchemaWorld(t, "sqlite", sources.Limits{})
	before, err := w.l.Schema(t.Context(), "shop", "replica")
	must(t, err)
	w.retyped(sources.KindDecimal, "numeric")
	runs, err := w.a.Run(t.Context(), "shop", ledger.ByPerson, "ada", []sources.Key{{sources.Int(7)}})
	must(t, err)
	if run := finished(t, w.l, runs[0].ID); run.Result != checks.Clean || run.Shape == "" {
		t.Fatalf("%s %v", run.Result, run.Reasons)
	}
	after, err := w.l.Schema(t.Context(), "shop", "replica")
	must(t, err)
	if after.Run != before.Run || after.Shapes.Replica.Schema.Fields[1].Declared != "bigint" {
		t.Errorf("the shapes are those of run %s by now: %+v", after.Run, after.Shapes.Replica.Schema)
	}
}
