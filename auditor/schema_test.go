package auditor_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"plumbline/alerts"
	"plumbline/auditor"
	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/sources"
	"plumbline/sources/memory"
)

// schemaWorld is a shop whose check has run once and is in sync.
type schemaWorld struct {
	*testing.T
	*shop
	l *ledger.Ledger
	a *auditor.Auditor
}

func newSchemaWorld(t *testing.T, engine string, limits sources.Limits) *schemaWorld {
	w := &schemaWorld{T: t, shop: newShop(limits)}
	for key := range int64(200) {
		put(w.owner, key, key)
		put(w.replica, key, key)
	}
	var err error
	w.l, err = ledger.Open(t.Context(), ledgerURL(t, engine), ledger.Options{Policies: everythingIsTold})
	must(t, err)
	t.Cleanup(func() { must(t, w.l.Close()) })
	w.a = start(t, auditor.Options{Ledger: w.l, Checks: []auditor.Check{{Check: w.check("shop", 50*time.Millisecond), Hash: "one"}}, Readers: w.find})
	if run := runNow(t, w.a, w.l, "shop"); run.Result != checks.Clean || run.Shape == "" {
		t.Fatalf("%s %v, shape %q", run.Result, run.Reasons, run.Shape)
	}
	return w
}

// incidents are those that are not resolved, by kind.
func (w *schemaWorld) incidents() map[alerts.Kind]*alerts.Incident {
	list, _, err := w.l.Incidents(context.Background(), ledger.IncidentFilter{State: "open"})
	must(w, err)
	open := map[alerts.Kind]*alerts.Incident{}
	for _, i := range list {
		open[i.Kind] = i
	}
	return open
}

// retyped makes the replica's values texts; back makes them numbers again.
func (w *schemaWorld) retyped(kind sources.Kind, declared string) {
	w.replica.Alter(shopTable, func(t *memory.Table) {
		t.Columns[1].FieldType = sources.FieldType{Declared: declared, Kind: kind, Strict: true}
	},
		func(v []sources.Value) []sources.Value {
			if kind == sources.KindText {
				v[1] = sources.Text(v[1].String() + " EUR")
			} else {
				v[1] = v[0]
			}
			return v
		})
}

// brokenBy holds a run against a schema that changed: one incident, and no finding.
func (w *schemaWorld) brokenBy(run *ledger.Run, words string) {
	w.Helper()
	if run.Result != checks.Incomplete || run.Counts.Differences() != 0 || len(run.Reasons) != 1 {
		w.Errorf("the run is %s: %+v %v", run.Result, run.Counts, run.Reasons)
	}
	open := w.incidents()
	i := open[alerts.Schema]
	if i == nil || len(open) != 1 || len(i.Facts.Edges[0].Schema) == 0 || i.Facts.Edges[0].Schema[0] != words {
		w.Fatalf("open: %+v", open)
	}
	edge, err := w.l.Edge(context.Background(), "shop", "replica")
	must(w, err)
	if edge.Consistency != drift.Unknown || i.Facts.Edges[0].SchemaSince.IsZero() || len(openFindings(w, w.l, "shop")) != 0 {
		w.Errorf("%s since %s, %v", edge.Consistency, i.Facts.Edges[0].SchemaSince, openFindings(w, w.l, "shop"))
	}
}

// A type that changed between runs is one incident of its own, and ends when the
// type is what it was.
func TestASchemaThatChangedIsAnIncidentOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			aSchemaChanges(newSchemaWorld(t, engine, sources.Limits{}))
		})
	}
}

func aSchemaChanges(w *schemaWorld) {
	t := w.T
	w.retyped(sources.KindText, "text")
	w.brokenBy(runNow(t, w.a, w.l, "shop"), "value is now text in replica.records, was bigint")
	w.brokenBy(runNow(t, w.a, w.l, "shop"), "value is now text in replica.records, was bigint")
	changes, err := w.l.SchemaChanges(t.Context(), "shop", time.Time{})
	must(t, err)
	if len(changes) != 1 || !changes[0].Breaks || changes[0].Side != checks.ReplicaSide {
		t.Errorf("found: %+v", changes)
	}
	w.retyped(sources.KindInt, "bigint")
	if run := runNow(t, w.a, w.l, "shop"); run.Result != checks.Clean || len(w.incidents()) != 0 {
		t.Errorf("%s %v, open %v", run.Result, run.Reasons, w.incidents())
	}
	all, _, err := w.l.Incidents(t.Context(), ledger.IncidentFilter{})
	must(t, err)
	if len(all) != 1 || !strings.HasPrefix(all[0].Resolution, "the two sides can be compared again") {
		t.Errorf("incidents: %+v", all)
	}
}

// What is new, or wider, is noted and stops nothing.
func TestAFieldThatIsNewIsNotedOnce(t *testing.T) {
	t.Parallel()
	w := newSchemaWorld(t, "sqlite", sources.Limits{})
	w.replica.Alter(shopTable, func(t *memory.Table) {
		t.Columns = append(t.Columns, memory.Column{Name: "note", FieldType: sources.FieldType{Kind: sources.KindText}})
	}, func(v []sources.Value) []sources.Value { return append(v, sources.Null()) })
	for range 2 {
		if run := runNow(t, w.a, w.l, "shop"); run.Result != checks.Clean || len(w.incidents()) != 0 {
			t.Fatalf("%s %v, open %v", run.Result, run.Reasons, w.incidents())
		}
	}
	changes, err := w.l.SchemaChanges(t.Context(), "shop", time.Time{})
	must(t, err)
	if len(changes) != 1 || changes[0].Breaks || changes[0].Words != "note is new in replica.records" {
		t.Errorf("found: %+v", changes)
	}
}

// A field that goes while a run reads ends the run within a page, whoever reads on.
func TestAFieldThatGoesWhileARunReadsIsNoDrift(t *testing.T) {
	t.Parallel()
	w := newSchemaWorld(t, "sqlite", sources.Limits{PageRecords: 20, Backoff: time.Millisecond})
	var scans atomic.Int64
	w.befall(nil, func(_ context.Context, r memory.Read) *memory.Fault {
		if r.Op == "scan" && scans.Add(1) == 4 {
			w.replica.Alter(shopTable, func(t *memory.Table) { t.Columns[1].Name = "amount" }, nil)
		}
		return nil
	})
	run := runNow(t, w.a, w.l, "shop")
	w.brokenBy(run, "value is gone from replica.records, where amount is new: it may have been renamed")
	if read := run.Counts.Compared(); read > 100 {
		t.Errorf("%d records were compared", read)
	}
	w.brokenBy(runNow(t, w.a, w.l, "shop"), "value is gone from replica.records, where amount is new: it may have been renamed")
	w.replica.Rename(shopTable, "elsewhere")
	runNow(t, w.a, w.l, "shop")
	if words := w.incidents()[alerts.Schema].Facts.Edges[0].Schema; len(words) != 2 || words[1] != "replica.records is gone: it was dropped or renamed" {
		t.Errorf("told: %q", words)
	}
}

// Suspects that were seen before a type changed are not confirmed after it.
func TestSuspectsFromBeforeASchemaChangedAreNotConfirmed(t *testing.T) {
	t.Parallel()
	w := newSchemaWorld(t, "sqlite", sources.Limits{})
	put(w.replica, 7, 70)
	w.a = nil
	a := start(t, auditor.Options{Ledger: w.l, Hash: "two", Checks: []auditor.Check{{Check: w.check("shop", 2*time.Second), Hash: "one"}}, Readers: w.find})
	runs, err := a.Run(t.Context(), "shop", ledger.ByPerson, "ada", nil)
	must(t, err)
	until(t, "the scan has ended", func() bool {
		run, err := w.l.Run(context.Background(), runs[0].ID)
		must(t, err)
		return run.State == ledger.Settling
	})
	w.retyped(sources.KindText, "text")
	run := finished(t, w.l, runs[0].ID)
	if run.Result != checks.Incomplete || run.Counts.Differences() != 0 || len(openFindings(t, w.l, "shop")) != 0 {
		t.Errorf("%s %+v %v", run.Result, run.Counts, run.Reasons)
	}
	if open := w.incidents(); len(open) != 1 || open[alerts.Schema] == nil {
		t.Errorf("open: %v", open)
	}
}
