package memory_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"plumbline/sources"
	"plumbline/sources/memory"
)

// desk is a store of one record, a writer of it, and the change from a to b.
type desk struct {
	store   *memory.Store
	dataset *sources.Dataset
	writer  sources.Writer
	change  *sources.Change
	now     time.Time
}

func newDesk(t *testing.T, faults memory.Faults) *desk {
	t.Helper()
	d := &desk{store: memory.NewStore(), dataset: &sources.Dataset{Name: "t", Key: []string{"k"}, Fields: []string{"v", "doc.a"}}, now: time.UnixMilli(1_000_000)}
	d.store.SetClock(func() time.Time { return d.now })
	kind := func(k sources.Kind) sources.FieldType { return sources.FieldType{Kind: k, Nullable: true} }
	d.store.Create(memory.Table{Name: "t", Unique: []string{"k"}, Columns: []memory.Column{{Name: "k", FieldType: kind(sources.KindInt)},
		{Name: "v", FieldType: kind(sources.KindText)}, {Name: "doc", FieldType: kind(sources.KindDocument)}}})
	d.store.Put("t", sources.Int(1), sources.Text("a"), document(t, "a", sources.Int(1), "z", sources.Null()))
	d.writer = d.store.Source(memory.Config{Faults: faults, Writable: true}).(sources.Writer)
	before := d.look(t, sources.Looking{})
	d.change = &sources.Change{Key: key(), Before: before, After: d.become(t, before, sources.Assignment{Field: "v", Value: sources.Text("b")})}
	return d
}

func key() sources.Key { return sources.Key{sources.Int(1)} }

func document(t *testing.T, pairs ...any) sources.Value {
	t.Helper()
	var fields []sources.Field
	for i := 0; i < len(pairs); i += 2 {
		fields = append(fields, sources.Field{Name: pairs[i].(string), Value: pairs[i+1].(sources.Value)})
	}
	v, err := sources.DocumentOf(fields)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (d *desk) look(t *testing.T, how sources.Looking) *sources.Image {
	t.Helper()
	image, err := d.writer.Look(t.Context(), d.dataset, key(), nil, how)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func (d *desk) become(t *testing.T, before *sources.Image, set ...sources.Assignment) *sources.Image {
	t.Helper()
	after, err := d.writer.Become(t.Context(), d.dataset, before, set)
	if err != nil {
		t.Fatal(err)
	}
	return after
}

func (d *desk) write(ctx context.Context) error {
	return d.writer.Write(ctx, d.dataset, d.change, d.now.Add(time.Minute))
}

// holds says what the record holds: a, before the change, or b.
func (d *desk) holds() string { return d.store.Rows("t")[0].Values[1].AsText() }

// onWrite lets one fault befall writes and nothing else.
func onWrite(f memory.Fault) memory.Faults {
	return func(_ context.Context, r memory.Read) *memory.Fault {
		if r.Op != "write" {
			return nil
		}
		return &f
	}
}

func TestAWriteIsCutBeforeOrAfterItIsMade(t *testing.T) {
	t.Parallel()
	for after, want := range map[int]string{0: "a", 1: "b"} {
		d := newDesk(t, onWrite(memory.Fault{Err: memory.ErrBroken, After: after}))
		var not *sources.NotWritten
		if err := d.write(t.Context()); !errors.Is(err, memory.ErrBroken) || errors.As(err, &not) {
			t.Errorf("cut after %d: %v", after, err)
		}
		if got := d.holds(); got != want {
			t.Errorf("cut after %d, the record holds %s", after, got)
		}
	}
	d := newDesk(t, onWrite(memory.Fault{Hang: true}))
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	if err := d.write(ctx); !errors.Is(err, context.Canceled) || d.holds() != "a" {
		t.Errorf("a write that hangs: %v, and the record holds %s", err, d.holds())
	}
}

func TestFrozenWriteHoldsOffAllOthers(t *testing.T) {
	t.Parallel()
	thaw, begun := make(chan struct{}), make(chan struct{}, 1)
	d := newDesk(t, func(_ context.Context, r memory.Read) *memory.Fault {
		if r.Op != "write" {
			return nil
		}
		begun <- struct{}{}
		return &memory.Fault{Freeze: thaw}
	})
	ctx, cancel := context.WithCancel(t.Context())
	written := make(chan error, 1)
	go func() { written <- d.write(ctx) }()
	<-begun
	for !d.waited(t) { // until it holds the lock
	}
	cancel()
	if d.look(t, sources.Looking{}); d.holds() != "a" {
		t.Error("a frozen write is seen")
	}
	settled := make(chan string, 1)
	go func() {
		d.look(t, sources.Looking{Settled: true})
		settled <- d.holds()
	}()
	changed := make(chan struct{})
	go func() {
		d.store.Update("t", func(func(string) sources.Value) bool { return true }, func(_ string, v sources.Value) sources.Value { return v })
		close(changed)
	}()
	select {
	case <-settled:
		t.Error("a settled look did not wait for the frozen write")
	case <-changed:
		t.Error("other hands did not wait for the frozen write")
	case <-time.After(20 * time.Millisecond):
	}
	close(thaw)
	if err := <-written; err != nil {
		t.Errorf("thawed: %v", err)
	}
	if got := <-settled; got != "b" {
		t.Errorf("a settled look found %s", got)
	}
	<-changed
}

// waited says whether a settled look has to wait.
func (d *desk) waited(t *testing.T) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := d.writer.Look(ctx, d.dataset, key(), nil, sources.Looking{Settled: true})
	return errors.Is(err, context.DeadlineExceeded)
}

func TestTheStoresOwnClockDecidesWhatIsLate(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	until := d.change.Before.ReadAt.Add(time.Second)
	if !d.change.Before.ReadAt.Equal(d.now) {
		t.Errorf("read at %s by a clock that shows %s", d.change.Before.ReadAt, d.now)
	}
	d.now = until
	var not *sources.NotWritten
	if err := d.writer.Write(t.Context(), d.dataset, d.change, until); !errors.As(err, &not) || !not.Late {
		t.Error(err)
	}
	d.now = until.Add(-time.Millisecond)
	if err := d.writer.Write(t.Context(), d.dataset, d.change, until); err != nil {
		t.Error(err)
	}
}

func TestFieldsWithinADocumentAreSetAndTakenOut(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	before := d.look(t, sources.Looking{})
	for _, step := range []struct {
		value sources.Value
		want  sources.Value
	}{{sources.Text("x"), document(t, "a", sources.Text("x"), "z", sources.Null())}, {sources.Value{}, document(t, "z", sources.Null())}} {
		after := d.become(t, before, sources.Assignment{Field: "doc.a", Value: step.value})
		if err := d.writer.Write(t.Context(), d.dataset, &sources.Change{Key: key(), Before: before, After: after}, d.now.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if got := d.store.Rows("t")[0].Values[2]; !got.Equal(step.want) {
			t.Errorf("the document is %s, not %s", got, step.want)
		}
		before = after
	}
}

func TestAColumnConvertsOrRefusesWhatIsAssigned(t *testing.T) {
	t.Parallel()
	d := newDesk(t, nil)
	d.store.Create(memory.Table{Name: "t", Unique: []string{"k"}, Columns: []memory.Column{{Name: "k"}, {Name: "v", Convert: func(v sources.Value) (sources.Value, error) {
		if v.Kind() != sources.KindText {
			return v, errors.New("only texts")
		}
		return sources.Text(v.AsText()[:1]), nil
	}}, {Name: "doc"}}})
	d.store.Put("t", sources.Int(1), sources.Text("a"), sources.Null())
	before := d.look(t, sources.Looking{})
	if after := d.become(t, before, sources.Assignment{Field: "v", Value: sources.Text("bcd")}); after.Record.Fields[0].AsText() != "b" {
		t.Errorf("it becomes %s", after.Record.Fields[0])
	}
	_, err := d.writer.Become(t.Context(), d.dataset, before, []sources.Assignment{{Field: "v", Value: sources.Int(1)}})
	if sources.FailureOf(err) != sources.FailureFinal {
		t.Error(err)
	}
}
