package sourcetest

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"plumbline/sources"
)

// WriterHarness is how the test of an adapter whose source is a sources.Writer
// hands its store to RunWriter. The suite calls its functions one after the
// other, but for Count.
//
// "Other hands" are whoever else writes to the store: a connection of the
// harness's own, never the adapter. They find a row by its serial, the column n
// that every table of the suite has.
type WriterHarness struct {
	Harness
	// Change has other hands set columns of a row; an absent value leaves the column out.
	Change func(t testing.TB, d *sources.Dataset, n int64, set map[string]sources.Value)
	// Remove has other hands delete a row.
	Remove func(t testing.TB, d *sources.Dataset, n int64)
	// Count has other hands add one to a column of a row, in one atomic step. It is
	// called by many goroutines at once.
	Count func(d *sources.Dataset, column string, n int64) error
	// Dump is all that the store keeps of each row of the dataset's table, type for
	// type, by serial, as a text: equal exactly where the rows are.
	Dump func(t testing.TB, d *sources.Dataset) map[int64]string
	// Changes is how many changes the store says were ever made to the dataset's
	// table, whoever made them; nil with a reason under CannotCountChanges.
	Changes func(t testing.TB, d *sources.Dataset) int64
	// Hold has other hands keep a row locked, so that nobody else can write it,
	// until release; nil with a reason under CannotHoldLocks.
	Hold func(t testing.TB, d *sources.Dataset, n int64) (release func())
	// Zoo makes tables of values in the store's own types, beyond those that the
	// suite knows: their key is k, they have n, from 0, and in a field v the values,
	// all of one type. It may be nil.
	Zoo func(t testing.TB) []Zoo
	// Hazards makes tables whose records cannot be written without touching more;
	// nil with a reason under CannotBeHazardous.
	Hazards func(t testing.TB) []Hazardous
}

// The abilities that RunWriter asks for.
const (
	CannotInsert       Ability = "put deleted records back"
	CannotCountChanges Ability = "count the changes made to a table"
	CannotHoldLocks    Ability = "lock a record against others"
	CannotFreeze       Ability = "freeze the line to the store"
	CannotLookAtMany   Ability = "hold several records of one key"
	CannotBeHazardous  Ability = "touch more than the record written"
)

// Zoo is a table of the harness's own, of Rows rows.
type Zoo struct {
	Dataset sources.Dataset
	Rows    int
}

// Hazardous is a dataset, and what a write to fields of it would touch.
type Hazardous struct {
	Name    string
	Dataset sources.Dataset
	Fields  []string
	Deletes bool
	// Kinds are the hazards that Preflight must name, each at least once, and no
	// other. Refused: it is an error instead.
	Kinds   []sources.HazardKind
	Refused bool
}

// Freezer is a Line that can stop in the midst of a talk.
type Freezer interface {
	Line
	// Freeze lets that many more bytes come from the store; what comes after, and
	// whatever is sent to it then, is kept back until Mend. 0 freezes at once.
	Freeze(after int)
}

// RunWriter runs every case of the contract of sources.Writer against an adapter.
func RunWriter(t *testing.T, h WriterHarness) {
	t.Helper()
	w := &writing{suite: newSuite(t, h.Harness), hands: h, times: 1}
	w.run(t, append(w.cases(), w.longCases()...))
	t.Run("no error shows a secret", w.testSecrets)
}

// SoakWriter runs those cases that take their strength from being tried often,
// ten times as often as RunWriter. It is for a test whose name begins with
// TestSoak, and does nothing unless PLUMBLINE_SOAK is set.
func SoakWriter(t *testing.T, h WriterHarness) {
	t.Helper()
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return
	}
	w := &writing{suite: newSuite(t, h.Harness), hands: h, times: 10}
	w.run(t, w.longCases())
}

// writeCase is one case of the contract; asks are what it cannot do without.
type writeCase struct {
	name string
	run  func(*testing.T)
	asks []Ability
}

func (w *writing) cases() []writeCase {
	return []writeCase{
		{"look finds one record, none, or says that there are several", w.testLook, nil},
		{"images are equal exactly where records are", w.testImages, nil},
		{"write sets the fields that change and nothing else", w.testUpdates, nil},
		{"what changed since is stale and stays as it is", w.testStale, nil},
		{"what is late is not written", w.testLate, nil},
		{"a record is deleted and put back, type for type", w.testDeletes, nil},
		{"a value that the store cannot take is refused before it is written", w.testRefusedValues, nil},
		{"without leave to write nothing can be written", w.testReadOnlyWriter, nil},
		{"looking changes nothing", w.testLookingChangesNothing, []Ability{CannotCountChanges}},
		{"a locked record is given up in time", w.testLocked, []Ability{CannotHoldLocks}},
		{"preflight names what else would be touched", w.testHazards, []Ability{CannotBeHazardous}},
	}
}

func (w *writing) longCases() []writeCase {
	return []writeCase{
		{"every value is written, found and taken back, type for type", w.testZoo, nil},
		{"one change is made once, however many make it", w.testOnce, nil},
		{"no change of other hands is ever lost", w.testHotWriters, nil},
		{"a line cut in mid-write leaves all or nothing, and a settled look tells", w.testCutWrites, []Ability{CannotCut}},
		{"a frozen writer does nothing after its time", w.testFrozen, []Ability{CannotFreeze}},
		{"a cancelled write is over at once", w.testCancelledWrites, nil},
	}
}

func (w *writing) run(t *testing.T, cases []writeCase) {
	t.Helper()
	w.checkHarness(t)
	w.source = w.open(t, sources.Options{Name: w.Adapter, URL: w.URL, Connections: 4})
	w.reader = w.writerOf(t, w.source)
	fixing := w.open(t, sources.Options{Name: w.Adapter, URL: w.URL, Connections: 8, Writable: true})
	w.writer = w.writerOf(t, fixing)
	for _, c := range cases {
		if ability, why := w.lacks(c.asks); why != "" {
			t.Logf("conformance: %s left out: %s: cannot %s: %s", w.Adapter, c.name, ability, why)
			continue
		}
		t.Run(c.name, c.run)
	}
	for _, src := range []sources.Source{w.source, fixing} {
		if err := src.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

// writing is one RunWriter or SoakWriter.
type writing struct {
	*suite
	hands  WriterHarness
	reader sources.Writer // of a source without leave to write
	writer sources.Writer
	times  int // how many times as often as RunWriter what is tried often is tried
}

func (w *writing) checkHarness(t *testing.T) {
	t.Helper()
	w.suite.checkHarness(t)
	for ability, missing := range map[Ability]bool{CannotCountChanges: w.hands.Changes == nil, CannotHoldLocks: w.hands.Hold == nil, CannotBeHazardous: w.hands.Hazards == nil} {
		if missing && w.Cannot[ability] == "" {
			t.Fatalf("the harness says neither how to %s nor in Cannot why not", ability)
		}
	}
	if w.hands.Change == nil || w.hands.Remove == nil || w.hands.Count == nil || w.hands.Dump == nil {
		t.Fatal("the harness lacks Change, Remove, Count or Dump")
	}
}

func (w *writing) writerOf(t *testing.T, src sources.Source) sources.Writer {
	t.Helper()
	writer, ok := src.(sources.Writer)
	if !ok {
		t.Fatalf("the source of %s is no Writer", w.Adapter)
	}
	return writer
}

// trials is how often to try what takes its strength from being tried often.
func (w *writing) trials(n int) int { return n * w.times }

// leave is how long a write of the suite may take, where time is not what is tried.
const leave = time.Minute

// look looks at a row, or fails.
func (w *writing) look(t testing.TB, f *fixture, n int, how sources.Looking) *sources.Image {
	t.Helper()
	return w.lookBy(t, w.reader, f, n, how)
}

func (w *writing) lookBy(t testing.TB, by sources.Writer, f *fixture, n int, how sources.Looking) *sources.Image {
	t.Helper()
	image, err := by.Look(t.Context(), &f.dataset, f.rows[n].Key, f.rows[n].ID, how)
	if err != nil {
		t.Fatalf("look at row %d of %s: %v", n, f.dataset.Name, w.note(err))
	}
	if image.ReadAt.IsZero() {
		t.Fatalf("the image of row %d of %s has no ReadAt", n, f.dataset.Name)
	}
	return image
}

// become is a row after assignments, or a failure.
func (w *writing) become(t testing.TB, f *fixture, before *sources.Image, set ...sources.Assignment) *sources.Image {
	t.Helper()
	after, err := w.reader.Become(t.Context(), &f.dataset, before, set)
	if err != nil {
		t.Fatalf("become in %s: %v", f.dataset.Name, w.note(err))
	}
	return after
}

func (f *fixture) change(n int, before, after *sources.Image) *sources.Change {
	return &sources.Change{Key: f.rows[n].Key, ID: f.rows[n].ID, Before: before, After: after}
}

// write makes a change with time enough.
func (w *writing) write(t testing.TB, f *fixture, c *sources.Change) error {
	at := c.Before.ReadAt
	if c.After.ReadAt.After(at) {
		at = c.After.ReadAt
	}
	return w.writer.Write(t.Context(), &f.dataset, c, at.Add(leave))
}

// mustWrite makes a change, or fails.
func (w *writing) mustWrite(t testing.TB, f *fixture, c *sources.Change) {
	t.Helper()
	if err := w.write(t, f, c); err != nil {
		t.Fatalf("%s of a row of %s: %v", c.Kind(), f.dataset.Name, w.note(err))
	}
}

// stale says how err is not that of a stale record.
func stale(err error) string {
	var not *sources.NotWritten
	if !errors.As(err, &not) || !not.Stale {
		return fmt.Sprintf("%v; it should be stale", err)
	}
	return ""
}

// dumps compares two dumps but for the rows that were to change.
func dumps(before, after map[int64]string, but ...int64) error {
	changed := map[int64]bool{}
	for _, n := range but {
		changed[n] = true
	}
	for n, was := range before {
		is, there := after[n]
		if !changed[n] && !there {
			return fmt.Errorf("row %d is gone", n)
		}
		if !changed[n] && is != was {
			return fmt.Errorf("row %d was %s and is %s", n, clip(was), clip(is))
		}
	}
	for n := range after {
		if _, there := before[n]; !there && !changed[n] {
			return fmt.Errorf("row %d was made", n)
		}
	}
	return nil
}

func set(field string, v sources.Value) sources.Assignment {
	return sources.Assignment{Field: field, Value: v}
}
