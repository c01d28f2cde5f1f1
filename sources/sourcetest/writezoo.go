package sourcetest

import (
	"fmt"
	"strings"
	"testing"

	"plumbline/sources"
)

// zoos are the tables of values that the store holds: the suite's and the harness's.
func (w *writing) zoos(t *testing.T) (all []*fixture) {
	t.Helper()
	for _, vt := range valueTables() {
		vt.name = "w " + vt.name
		if f := w.valueFixture(t, vt); f != nil {
			all = append(all, f)
		}
	}
	if w.hands.Zoo == nil {
		return all
	}
	for _, zoo := range w.hands.Zoo(t) {
		f := &fixture{dataset: zoo.Dataset, at: -1}
		all = append(all, f)
		for n := range zoo.Rows {
			f.rows = append(f.rows, sources.Record{})
			f.rows[n].Key = w.keyOf(t, f, int64(n))
		}
	}
	return all
}

// keyOf finds the key of a row of the harness's own table by its serial.
func (w *writing) keyOf(t *testing.T, f *fixture, n int64) sources.Key {
	t.Helper()
	for _, k := range []sources.Key{{sources.Int(n)}, {sources.Text(fmt.Sprint(n))}} {
		image, err := w.reader.Look(t.Context(), &f.dataset, k, nil, sources.Looking{})
		if err != nil {
			t.Fatalf("look into %s: %v", f.dataset.Name, w.note(err))
		}
		if image.Exists {
			return k
		}
	}
	t.Fatalf("%s has no row whose key is %d: keys of a zoo are its serials", f.dataset.Name, n)
	return nil
}

// testZoo lets every value take the place of another, and takes that back.
func (w *writing) testZoo(t *testing.T) {
	pairs := 0
	for _, f := range w.zoos(t) {
		t.Run(f.dataset.Name, func(t *testing.T) {
			all := w.hands.Dump(t, &f.dataset)
			for trial := range w.trials(max(4, len(f.rows))) {
				from := trial % len(f.rows)
				to := (from + 1 + w.random.IntN(max(1, len(f.rows)-1))) % len(f.rows)
				if w.swap(t, f, from, to) {
					pairs++
				}
			}
			if err := dumps(all, w.hands.Dump(t, &f.dataset)); err != nil {
				t.Fatalf("after all was taken back: %v", err)
			}
		})
	}
	t.Logf("conformance: %s: %d values were written, found and taken back", w.Adapter, pairs)
}

// swap writes one row's value into another and takes it back; false where the
// two are one value.
func (w *writing) swap(t *testing.T, f *fixture, from, to int) bool {
	t.Helper()
	what := func(text string) string {
		return fmt.Sprintf("row %d of %s with the value of row %d: %s", from, f.dataset.Name, to, text)
	}
	before, wanted := w.look(t, f, from, sources.Looking{}), w.look(t, f, to, sources.Looking{})
	v := value(f, wanted, "v")
	if wanted.Record.Unreadable != "" || before.Record.Unreadable != "" {
		return false
	}
	if why := w.Holds(v); why != "" && v.IsAbsent() {
		return false
	}
	all := w.hands.Dump(t, &f.dataset)
	after, err := w.reader.Become(t.Context(), &f.dataset, before, []sources.Assignment{set("v", v)})
	if err != nil {
		t.Error(what(fmt.Sprintf("become: %v", w.note(err))))
		return false
	}
	if got := value(f, after, "v"); !got.Equal(v) {
		t.Error(what(fmt.Sprintf("it becomes the %s %s, not the %s %s", got.Kind(), clip(got.String()), v.Kind(), clip(v.String()))))
		return false
	}
	if string(after.Native) == string(before.Native) {
		return false
	}
	if _, err := w.reader.Preview(&f.dataset, f.change(from, before, after)); err != nil {
		t.Error(what(fmt.Sprintf("preview: %v", w.note(err))))
	}
	if err := w.write(t, f, f.change(from, before, after)); err != nil {
		t.Error(what(fmt.Sprintf("write: %v", w.note(err))))
		return false
	}
	if now := w.look(t, f, from, sources.Looking{}); string(now.Native) != string(after.Native) || !value(f, now, "v").Equal(v) {
		t.Error(what("it holds something else than it was to become"))
	}
	if complaint := stale(w.note(w.write(t, f, f.change(from, before, after)))); complaint != "" {
		t.Error(what("written again: " + complaint))
	}
	if err := dumps(all, w.hands.Dump(t, &f.dataset), int64(from)); err != nil {
		t.Error(what(err.Error()))
	}
	if err := w.write(t, f, f.change(from, after, before)); err != nil {
		t.Error(what(fmt.Sprintf("take back: %v", w.note(err))))
		return false
	}
	if err := dumps(all, w.hands.Dump(t, &f.dataset)); err != nil {
		t.Error(what("taken back: " + err.Error()))
	}
	return true
}

// testRefusedValues gives values to columns that cannot hold them.
func (w *writing) testRefusedValues(t *testing.T) {
	f := w.desk(t, "w_refused", 1)
	before := w.look(t, f, 0, sources.Looking{})
	all := w.hands.Dump(t, &f.dataset)
	refusals := []sources.Assignment{set("c", sources.Null())}
	for _, v := range []sources.Value{sources.Text("a\x00b"), sources.Text("\xff")} {
		if w.Holds(v) != "" {
			refusals = append(refusals, set("v", v))
		}
	}
	for _, a := range refusals {
		after, err := w.reader.Become(t.Context(), &f.dataset, before, []sources.Assignment{a})
		if err != nil {
			if sources.FailureOf(w.note(err)) != sources.FailureFinal {
				t.Errorf("%s of the %s %s: %v; it is not final", a.Field, a.Value.Kind(), a.Value, err)
			}
			if v := a.Value.String(); len(v) > 2 && strings.Contains(err.Error(), v) {
				t.Errorf("an error shows a value: %v", err)
			}
			continue
		}
		if value(f, after, a.Field).Equal(a.Value) && a.Field == "v" { // kept after all: then it must be written too
			t.Errorf("%s takes the %s %s, which the harness says it cannot hold", a.Field, a.Value.Kind(), a.Value)
		}
	}
	for name, a := range map[string]sources.Assignment{"a field that is none": set("none", sources.Int(1)), "a field of the key": set("k", sources.Int(1))} {
		if _, err := w.reader.Become(t.Context(), &f.dataset, before, []sources.Assignment{a}); err == nil {
			t.Errorf("%s is assigned to", name)
		}
	}
	if err := dumps(all, w.hands.Dump(t, &f.dataset)); err != nil {
		t.Error(err)
	}
}

func (w *writing) testHazards(t *testing.T) {
	for _, h := range w.hands.Hazards(t) {
		t.Run(h.Name, func(t *testing.T) {
			found, err := w.reader.Preflight(t.Context(), &h.Dataset, h.Fields, h.Deletes)
			if (err != nil) != h.Refused {
				t.Fatalf("%v; refused should be %v", w.note(err), h.Refused)
			}
			if err != nil {
				return
			}
			wanted, got := map[sources.HazardKind]bool{}, map[sources.HazardKind]bool{}
			for _, k := range h.Kinds {
				wanted[k] = true
			}
			for _, hazard := range found {
				got[hazard.Kind] = true
				if !wanted[hazard.Kind] {
					t.Errorf("there is no hazard %s: %s", hazard.Kind, hazard.What)
				}
				if hazard.What == "" {
					t.Errorf("a hazard %s says nothing", hazard.Kind)
				}
			}
			for k := range wanted {
				if !got[k] {
					t.Errorf("the hazard %s is not named: %v", k, found)
				}
			}
		})
	}
}
