package sourcetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"plumbline/sources"
)

// desk is a table of several kinds of values; its column other is no field of the dataset.
func (w *writing) desk(t testing.TB, name string, rows int) *fixture {
	t.Helper()
	table := Table{Name: name, Key: []string{"k"}, Unique: true, Indexed: true, Columns: []Column{{Name: "k", Kind: sources.KindInt, NotNull: true},
		{Name: serial, Kind: sources.KindInt, NotNull: true}, {Name: "v", Kind: sources.KindText}, {Name: "c", Kind: sources.KindInt, NotNull: true},
		{Name: "w", Kind: sources.KindText}, {Name: "other", Kind: sources.KindText}}}
	amount := sources.Kind(0)
	if w.holds(t, sources.Decimal("125", -1, 1), aField) {
		amount = sources.KindDecimal
		table.Columns = append(table.Columns, Column{Name: "amount", Kind: amount})
	}
	for n := range rows {
		row := []sources.Value{sources.Int(int64(n) * 7), sources.Int(int64(n)), sources.Text(fmt.Sprintf("v%d", n)), sources.Int(0),
			sources.Null(), sources.Text(fmt.Sprintf("kept %d", n))}
		if amount != 0 {
			row = append(row, sources.Decimal(fmt.Sprint(1000+n), -2, 2))
		}
		table.Rows = append(table.Rows, row)
	}
	f := w.load(t, table)
	f.dataset.Fields = slices.DeleteFunc(f.dataset.Fields, func(name string) bool { return name == "other" })
	return f
}

// value is a field of an image's record.
func value(f *fixture, image *sources.Image, field string) sources.Value {
	return image.Record.Fields[slices.Index(f.dataset.Fields, field)]
}

func (w *writing) testLook(t *testing.T) {
	f := w.desk(t, "w_look", 5)
	for n := range f.rows {
		for _, how := range []sources.Looking{{}, {Whole: true}} {
			image := w.look(t, f, n, how)
			if !image.Exists || !sameParts(f.rows[n].Key, image.Record.Key) || value(f, image, "v").AsText() != fmt.Sprintf("v%d", n) || len(image.Native) == 0 {
				t.Fatalf("the image of row %d: %+v", n, image)
			}
			if len(image.Record.Fields) != len(f.dataset.Fields) {
				t.Fatalf("the image of row %d has %d fields, not %d", n, len(image.Record.Fields), len(f.dataset.Fields))
			}
		}
		settled := w.lookBy(t, w.writer, f, n, sources.Looking{Settled: true})
		if now := w.look(t, f, n, sources.Looking{}); string(now.Native) != string(settled.Native) || now.ReadAt.Before(settled.ReadAt) {
			t.Errorf("row %d: a look after a settled one is another, or read earlier", n)
		}
	}
	absent := func(what string, d *sources.Dataset, key sources.Key) {
		t.Helper()
		image, err := w.reader.Look(t.Context(), d, key, nil, sources.Looking{})
		if err != nil || image.Exists || image.ReadAt.IsZero() {
			t.Errorf("%s: %+v, %v", what, image, w.note(err))
		}
	}
	absent("a key that is not there", &f.dataset, sources.Key{sources.Int(3)})
	absent("a key that the column cannot hold", &f.dataset, sources.Key{sources.Text("three")})
	scoped := f.dataset
	scoped.Scope = []sources.Condition{{Field: "v", Value: sources.Text("v1")}}
	absent("a record out of the scope", &scoped, f.rows[0].Key)
	if image, err := w.reader.Look(t.Context(), &scoped, f.rows[1].Key, nil, sources.Looking{}); err != nil || !image.Exists {
		t.Errorf("a record within the scope: %+v, %v", image, w.note(err))
	}
	missing := f.dataset
	missing.Name += "_gone"
	if _, err := w.reader.Look(t.Context(), &missing, f.rows[0].Key, nil, sources.Looking{}); err == nil && w.Cannot[CannotMissOnRead] == "" {
		t.Error("a look into a table that is not there is no error")
	}
	w.testLookAtMany(t)
}

func (w *writing) testLookAtMany(t *testing.T) {
	if why := w.Cannot[CannotLookAtMany]; why != "" {
		return
	}
	many := w.load(t, Table{Name: "w_many", Key: []string{"k"}, Indexed: true, Columns: []Column{{Name: "k", Kind: sources.KindInt, NotNull: true},
		{Name: serial, Kind: sources.KindInt, NotNull: true}, {Name: "v", Kind: sources.KindText}},
		Rows: [][]sources.Value{{sources.Int(1), sources.Int(0), sources.Text("a")}, {sources.Int(1), sources.Int(1), sources.Text("b")}, {sources.Int(2), sources.Int(2), sources.Text("c")}}})
	var several *sources.ManyError
	if _, err := w.reader.Look(t.Context(), &many.dataset, many.rows[0].Key, nil, sources.Looking{}); !errors.As(err, &several) {
		t.Errorf("a key of two records: %v; it is no ManyError", w.note(err))
	}
	if image := w.look(t, many, 2, sources.Looking{}); value(many, image, "v").AsText() != "c" {
		t.Errorf("the one record of a key: %+v", image)
	}
}

func (w *writing) testImages(t *testing.T) {
	f := w.desk(t, "w_images", 2)
	first, whole := w.look(t, f, 0, sources.Looking{}), w.look(t, f, 0, sources.Looking{Whole: true})
	seen := map[string]string{string(first.Native): "at first", string(w.look(t, f, 1, sources.Looking{}).Native): "of another record"}
	for _, change := range []struct {
		field string
		value sources.Value
	}{{"v", sources.Text("")}, {"v", sources.Null()}, {"v", sources.Text("null")}, {"v", sources.Text("v0 ")}, {"v", sources.Text("V0")}, {"c", sources.Int(1)}} {
		w.hands.Change(t, &f.dataset, 0, map[string]sources.Value{change.field: change.value})
		now := w.look(t, f, 0, sources.Looking{})
		what := fmt.Sprintf("with %s %s", change.field, change.value)
		if was, same := seen[string(now.Native)]; same {
			t.Errorf("the image %s is that %s", what, was)
		}
		seen[string(now.Native)] = what
	}
	w.hands.Change(t, &f.dataset, 0, map[string]sources.Value{"v": sources.Text("v0"), "c": sources.Int(0)})
	if again := w.look(t, f, 0, sources.Looking{}); string(again.Native) != string(first.Native) {
		t.Error("a record that is what it was has another image")
	}
	w.hands.Change(t, &f.dataset, 0, map[string]sources.Value{"other": sources.Text("else")})
	if again := w.look(t, f, 0, sources.Looking{}); string(again.Native) != string(first.Native) {
		t.Error("a column that is no field is in the image")
	}
	if again := w.look(t, f, 0, sources.Looking{Whole: true}); string(again.Native) == string(whole.Native) {
		t.Error("a whole image lacks a column")
	}
}

func (w *writing) testUpdates(t *testing.T) {
	f := w.desk(t, "w_updates", 6)
	fields := [][]sources.Assignment{{set("v", sources.Text("new"))}, {set("v", sources.Null())}, {set("w", sources.Text(""))},
		{set("c", sources.Int(-5)), set("v", sources.Text("both"))}, {set("w", sources.Text("O'Reilly \\ \" $1 %s"))}}
	if slices.Contains(f.dataset.Fields, "amount") {
		fields = append(fields, []sources.Assignment{set("amount", sources.Decimal("1250", -2, 2))})
	}
	for _, assignments := range fields {
		for n := range f.rows {
			all := w.hands.Dump(t, &f.dataset)
			before := w.look(t, f, n, sources.Looking{})
			after := w.become(t, f, before, assignments...)
			if !after.Exists {
				t.Fatalf("a record that is assigned to is gone")
			}
			for _, a := range assignments {
				if got := value(f, after, a.Field); !got.Equal(a.Value) {
					t.Fatalf("%s becomes the %s %s, not %s", a.Field, got.Kind(), got, a.Value)
				}
			}
			c := f.change(n, before, after)
			if preview, err := w.reader.Preview(&f.dataset, c); err != nil || preview.Text == "" || len(preview.Args) == 0 {
				t.Fatalf("preview: %+v, %v", preview, w.note(err))
			}
			if string(before.Native) == string(after.Native) {
				continue // it holds that already
			}
			w.mustWrite(t, f, c)
			now := w.look(t, f, n, sources.Looking{})
			if string(now.Native) != string(after.Native) {
				t.Fatalf("row %d holds something else than it was to become", n)
			}
			written := w.hands.Dump(t, &f.dataset)
			if err := dumps(all, written, int64(n)); err != nil {
				t.Fatal(err)
			}
			if written[int64(n)] == all[int64(n)] {
				t.Fatalf("row %d is what it was", n)
			}
			w.mustWrite(t, f, f.change(n, after, before))
			if err := dumps(all, w.hands.Dump(t, &f.dataset)); err != nil {
				t.Fatalf("taken back: %v", err)
			}
			if n%2 == 0 { // stays changed for the next
				w.mustWrite(t, f, c)
			}
		}
	}
	for n := range f.rows {
		if !slices.Contains([]string{fmt.Sprintf("kept %d", n)}, w.other(t, f, n)) {
			t.Errorf("row %d: the column that is no field was changed", n)
		}
	}
}

// other reads the column that is no field of the desk.
func (w *writing) other(t testing.TB, f *fixture, n int) string {
	t.Helper()
	d := f.dataset
	d.Fields = append(slices.Clone(d.Fields), "other")
	image, err := w.reader.Look(t.Context(), &d, f.rows[n].Key, f.rows[n].ID, sources.Looking{})
	if err != nil {
		t.Fatal(w.note(err))
	}
	return image.Record.Fields[len(d.Fields)-1].AsText()
}

func (w *writing) testStale(t *testing.T) {
	f := w.desk(t, "w_stale", 2)
	changes := []map[string]sources.Value{{"v": sources.Text("else")}, {"v": sources.Null()}, {"v": sources.Text("v0 ")}, {"v": sources.Text("")}, {"c": sources.Int(1)}, {"w": sources.Text("")}}
	for _, change := range changes {
		for _, field := range []string{"v", "w"} {
			before := w.look(t, f, 0, sources.Looking{})
			after := w.become(t, f, before, set(field, sources.Text("fixed")))
			w.hands.Change(t, &f.dataset, 0, change)
			all := w.hands.Dump(t, &f.dataset)
			if complaint := stale(w.note(w.write(t, f, f.change(0, before, after)))); complaint != "" {
				t.Errorf("an update after %v: %s", change, complaint)
			}
			if err := dumps(all, w.hands.Dump(t, &f.dataset)); err != nil {
				t.Fatal(err)
			}
			w.hands.Change(t, &f.dataset, 0, map[string]sources.Value{"v": sources.Text("v0"), "c": sources.Int(0), "w": sources.Null()})
			if now := w.look(t, f, 0, sources.Looking{}); string(now.Native) != string(before.Native) {
				t.Fatal("the record is not what it was at first")
			}
		}
	}
	before := w.look(t, f, 0, sources.Looking{})
	after := w.become(t, f, before, set("v", sources.Text("fixed")))
	w.hands.Change(t, &f.dataset, 0, map[string]sources.Value{"other": sources.Text("else")})
	w.mustWrite(t, f, f.change(0, before, after)) // what is no field may change
	if w.other(t, f, 0) != "else" {
		t.Error("a column that is no field was set back")
	}
	w.hands.Remove(t, &f.dataset, 0)
	if complaint := stale(w.note(w.write(t, f, f.change(0, after, before)))); complaint != "" {
		t.Errorf("an update of a record that is gone: %s", complaint)
	}
	if len(w.hands.Dump(t, &f.dataset)) != 1 {
		t.Error("an update made a record")
	}
}

func (w *writing) testLate(t *testing.T) {
	f := w.desk(t, "w_late", 1)
	before := w.look(t, f, 0, sources.Looking{})
	after := w.become(t, f, before, set("v", sources.Text("late")))
	all := w.hands.Dump(t, &f.dataset)
	for _, until := range []time.Time{before.ReadAt.Add(-time.Second), before.ReadAt.Add(-time.Hour), {}} {
		var not *sources.NotWritten
		err := w.note(w.writer.Write(t.Context(), &f.dataset, f.change(0, before, after), until))
		if !errors.As(err, &not) || !not.Late || not.Stale {
			t.Errorf("a write until %s: %v; it should be late", until, err)
		}
	}
	if err := dumps(all, w.hands.Dump(t, &f.dataset)); err != nil {
		t.Fatal(err)
	}
	w.mustWrite(t, f, f.change(0, before, after))
}

func (w *writing) testDeletes(t *testing.T) {
	f := w.desk(t, "w_deletes", 4)
	all := w.hands.Dump(t, &f.dataset)
	gone := &sources.Image{}
	for n := range f.rows {
		before := w.look(t, f, n, sources.Looking{Whole: true})
		deletion := f.change(n, before, gone)
		if preview, err := w.reader.Preview(&f.dataset, deletion); err != nil || preview.Text == "" {
			t.Fatalf("preview: %+v, %v", preview, w.note(err))
		}
		w.mustWrite(t, f, deletion)
		if w.look(t, f, n, sources.Looking{}).Exists {
			t.Fatalf("row %d is still there", n)
		}
		if err := dumps(all, w.hands.Dump(t, &f.dataset), int64(n)); err != nil {
			t.Fatal(err)
		}
		if complaint := stale(w.note(w.write(t, f, deletion))); complaint != "" {
			t.Errorf("a record deleted twice: %s", complaint)
		}
		if why := w.Cannot[CannotInsert]; why != "" {
			delete(all, int64(n))
			continue
		}
		back := f.change(n, gone, before)
		if preview, err := w.reader.Preview(&f.dataset, back); err != nil || preview.Text == "" {
			t.Fatalf("preview: %+v, %v", preview, w.note(err))
		}
		w.mustWrite(t, f, back)
		if err := dumps(all, w.hands.Dump(t, &f.dataset)); err != nil {
			t.Fatalf("put back: %v", err)
		}
		if now := w.look(t, f, n, sources.Looking{Whole: true}); string(now.Native) != string(before.Native) {
			t.Errorf("row %d was put back as something else", n)
		}
		if complaint := stale(w.note(w.write(t, f, back))); complaint != "" {
			t.Errorf("a record put back where there is one: %s", complaint)
		}
		w.hands.Change(t, &f.dataset, int64(n), map[string]sources.Value{"other": sources.Text("changed")})
		if complaint := stale(w.note(w.write(t, f, deletion))); complaint != "" {
			t.Errorf("the delete of a record of which any column changed: %s", complaint)
		}
		w.hands.Change(t, &f.dataset, int64(n), map[string]sources.Value{"other": sources.Text(fmt.Sprintf("kept %d", n))})
		if err := dumps(all, w.hands.Dump(t, &f.dataset)); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *writing) testReadOnlyWriter(t *testing.T) {
	f := w.desk(t, "w_read_only", 1)
	before := w.look(t, f, 0, sources.Looking{})
	after := w.become(t, f, before, set("v", sources.Text("fixed")))
	whole := w.look(t, f, 0, sources.Looking{Whole: true})
	all := w.hands.Dump(t, &f.dataset)
	for _, c := range []*sources.Change{f.change(0, before, after), f.change(0, whole, &sources.Image{})} {
		var not *sources.NotWritten
		err := w.note(w.reader.Write(t.Context(), &f.dataset, c, before.ReadAt.Add(leave)))
		if !errors.As(err, &not) || not.Stale || not.Late {
			t.Errorf("%s by a source without leave to write: %v", c.Kind(), err)
		}
	}
	if _, err := w.reader.Preflight(t.Context(), &f.dataset, []string{"v"}, true); err != nil {
		t.Errorf("preflight: %v", w.note(err))
	}
	if err := dumps(all, w.hands.Dump(t, &f.dataset)); err != nil {
		t.Fatal(err)
	}
}

func (w *writing) testLookingChangesNothing(t *testing.T) {
	f := w.desk(t, "w_looking", 3)
	changes, all := w.hands.Changes(t, &f.dataset), w.hands.Dump(t, &f.dataset)
	for i := range 100 {
		n := i % 3
		by := []sources.Writer{w.reader, w.writer}[i%2]
		before := w.lookBy(t, by, f, n, sources.Looking{Whole: i%4 < 2, Settled: by == w.writer && i%3 == 0})
		after, err := by.Become(t.Context(), &f.dataset, before, []sources.Assignment{set("v", sources.Text(fmt.Sprint(i)))})
		if err != nil {
			t.Fatal(w.note(err))
		}
		if _, err := by.Preview(&f.dataset, f.change(n, before, after)); err != nil {
			t.Fatal(w.note(err))
		}
		if _, err := by.Preflight(t.Context(), &f.dataset, []string{"v", "c"}, true); err != nil {
			t.Fatal(w.note(err))
		}
	}
	if now := w.hands.Changes(t, &f.dataset); now != changes {
		t.Errorf("%d changes were made by looking", now-changes)
	}
	if err := dumps(all, w.hands.Dump(t, &f.dataset)); err != nil {
		t.Error(err)
	}
}
