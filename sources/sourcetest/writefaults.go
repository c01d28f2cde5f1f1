package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"plumbline/sources"
)

// outcome says how what a write said and what a record holds do not go together.
func outcome(c *sources.Change, err error, now *sources.Image) string {
	same := func(image *sources.Image) bool {
		return now.Exists == image.Exists && (!now.Exists || string(now.Native) == string(image.Native))
	}
	var not *sources.NotWritten
	switch {
	case !same(c.Before) && !same(c.After):
		return "the record is neither what it was nor what it was to become"
	case err == nil && !same(c.After):
		return "it is said to be written and is not"
	case errors.As(err, &not) && !same(c.Before):
		return "it is said not to be written and is: " + err.Error()
	}
	return ""
}

// through opens a writer over a line that can break, with its connection made.
func (w *writing) through(t *testing.T, f *fixture, n int) (sources.Writer, sources.Source, Line) {
	t.Helper()
	url, line := w.Through(t)
	src := w.open(t, sources.Options{Name: w.Adapter, URL: url, Connections: 1, Writable: true, StatementTimeout: 5 * time.Second})
	writer := w.writerOf(t, src)
	w.lookBy(t, writer, f, n, sources.Looking{})
	return writer, src, line
}

// talk is how much comes from the store while a write is made, within a few
// bytes: found by cutting ever more closely. 0 where a line that is to be cut
// lets no write through at all.
func (w *writing) talk(t *testing.T, f *fixture) int {
	t.Helper()
	writer, src, line := w.through(t, f, 0)
	done := func(after int) bool {
		line.Mend()
		before := w.lookBy(t, w.writer, f, 0, sources.Looking{Settled: true})
		w.warm(t, writer, f, 0)
		c := f.change(0, before, w.become(t, f, before, set("v", sources.Text(fmt.Sprintf("talk %d", w.random.Uint64())))))
		line.Cut(after)
		return w.note(writer.Write(t.Context(), &f.dataset, c, before.ReadAt.Add(leave))) == nil
	}
	enough := 16
	for ; !done(enough); enough *= 2 {
		if enough > 1<<16 { // a line that no write comes through whole, however far it is cut
			enough = 0
			break
		}
	}
	for little := 0; enough-little > 4; {
		if middle := (little + enough) / 2; done(middle) {
			enough = middle
		} else {
			little = middle
		}
	}
	line.Mend()
	if err := src.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	return enough
}

// warm has a writer's connection made anew where it was cut.
func (w *writing) warm(t *testing.T, writer sources.Writer, f *fixture, n int) {
	t.Helper()
	for tries := 0; ; tries++ {
		_, err := writer.Look(t.Context(), &f.dataset, f.rows[n].Key, nil, sources.Looking{})
		if err == nil {
			return
		}
		if w.note(err); tries > 3 {
			t.Fatalf("the line is whole again and looks still fail: %v", err)
		}
	}
}

// moment is a place of a talk, anywhere in it or near its end, where it is decided.
func (w *writing) moment(talk, i int) int {
	switch {
	case talk == 0:
		return w.random.IntN(2) * w.random.IntN(1000)
	case i%2 == 0:
		return w.random.IntN(talk + talk/8 + 1)
	}
	return max(0, talk-w.random.IntN(talk/4+2))
}

func (w *writing) testCutWrites(t *testing.T) {
	f := w.desk(t, "w_cut", 1)
	talk := w.talk(t, f)
	writer, src, line := w.through(t, f, 0)
	done, undone, unknown := 0, 0, 0
	for trial := range w.trials(30) {
		before := w.look(t, f, 0, sources.Looking{})
		c := f.change(0, before, w.become(t, f, before, set("v", sources.Text(time.Duration(trial).String()))))
		deletes := trial%5 == 4 && w.Cannot[CannotInsert] == ""
		if deletes {
			c = f.change(0, w.look(t, f, 0, sources.Looking{Whole: true}), &sources.Image{})
		}
		w.warm(t, writer, f, 0)
		line.Cut(w.moment(talk, trial))
		err := w.note(writer.Write(t.Context(), &f.dataset, c, before.ReadAt.Add(leave)))
		line.Mend()
		now := w.lookBy(t, w.writer, f, 0, sources.Looking{Settled: true, Whole: deletes})
		if complaint := outcome(c, err, now); complaint != "" {
			t.Fatalf("%s over a line that was cut: %s", c.Kind(), complaint)
		}
		var not *sources.NotWritten
		switch {
		case err == nil:
			done++
		case errors.As(err, &not):
			undone++
		default:
			unknown++
		}
		if !now.Exists {
			w.mustWrite(t, f, f.change(0, now, c.Before))
		}
	}
	t.Logf("conformance: %s: of the writes over lines that were cut while %d bytes came, %d said done, %d not done, %d did not know", w.Adapter, talk, done, undone, unknown)
	if undone+unknown == 0 || talk > 0 && done == 0 {
		t.Error("it was not at all moments that lines were cut")
	}
	if err := src.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// testLocked writes a record that other hands keep locked.
func (w *writing) testLocked(t *testing.T) {
	f := w.desk(t, "w_locked", 1)
	before := w.look(t, f, 0, sources.Looking{})
	c := f.change(0, before, w.become(t, f, before, set("v", sources.Text("fixed"))))
	src := w.open(t, sources.Options{Name: w.Adapter, URL: w.URL, Writable: true, StatementTimeout: 2 * time.Second})
	writer := w.writerOf(t, src)
	for _, until := range []time.Duration{500 * time.Millisecond, 30 * time.Second} {
		release := w.hands.Hold(t, &f.dataset, 0)
		now := w.look(t, f, 0, sources.Looking{})
		ended := make(chan error, 1)
		go func() { ended <- writer.Write(t.Context(), &f.dataset, c, now.ReadAt.Add(until)) }()
		var err error
		select {
		case err = <-ended:
		case <-time.After(leave):
			release()
			t.Fatal("a write of a locked record has no end")
		}
		release()
		var not *sources.NotWritten
		if !errors.As(w.note(err), &not) || not.Stale {
			t.Errorf("a write of a locked record: %v; it was certainly not written, and is not stale", err)
		}
		if now := w.lookBy(t, w.writer, f, 0, sources.Looking{Settled: true}); string(now.Native) != string(before.Native) {
			t.Fatal("the record was written after all")
		}
	}
	if err := w.write(t, f, c); err != nil {
		t.Errorf("once the lock is released: %v", w.note(err))
	}
	if err := src.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// settleAfter is how long after its time a write may still take effect.
const settleAfter = 5 * time.Second

// testFrozen freezes writers at some moment of their write, lets their time pass,
// looks, and thaws them.
func (w *writing) testFrozen(t *testing.T) {
	const rows = 12
	f := w.desk(t, "w_frozen", rows)
	talk := w.talk(t, f)
	type frozen struct {
		change *sources.Change
		source sources.Source
		line   Freezer
		ended  chan error
		until  time.Time
	}
	var all []*frozen
	for n := range rows {
		writer, src, line := w.through(t, f, n)
		z := &frozen{source: src, ended: make(chan error, 1)}
		var ok bool
		if z.line, ok = line.(Freezer); !ok {
			t.Fatal("the line cannot be frozen, and the harness does not say why")
		}
		before := w.look(t, f, n, sources.Looking{})
		z.change = f.change(n, before, w.become(t, f, before, set("v", sources.Text("frozen"))))
		z.until = before.ReadAt.Add(2 * time.Second)
		z.line.Freeze(w.moment(talk, n))
		ctx, cancel := context.WithTimeout(t.Context(), leave)
		defer cancel()
		go func() { z.ended <- writer.Write(ctx, &f.dataset, z.change, z.until) }()
		all = append(all, z)
	}
	w.waitForStore(t, f, all[rows-1].until.Add(settleAfter))
	applied, images := 0, make([]*sources.Image, rows)
	for n := range all {
		images[n] = w.lookBy(t, w.writer, f, n, sources.Looking{Settled: true})
		if string(images[n].Native) == string(all[n].change.After.Native) {
			applied++
		}
	}
	for n, z := range all {
		z.line.Mend()
		var err error
		select {
		case err = <-z.ended:
		case <-time.After(2 * leave):
			t.Fatal("a thawed write has no end")
		}
		now := w.lookBy(t, w.writer, f, n, sources.Looking{Settled: true})
		if string(now.Native) != string(images[n].Native) {
			t.Errorf("writer %d did something after its time: %v", n, err)
		}
		if complaint := outcome(z.change, w.note(err), now); complaint != "" {
			t.Errorf("writer %d: %s", n, complaint)
		}
		if err := z.source.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	t.Logf("conformance: %s: of %d writers that were frozen, %d had written when their time was over, and none did later", w.Adapter, rows, applied)
}

// waitForStore waits until the store's clock is past at.
func (w *writing) waitForStore(t *testing.T, f *fixture, at time.Time) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(2 * leave); ; <-tick.C {
		if w.look(t, f, 0, sources.Looking{}).ReadAt.After(at) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the store's clock does not reach %s", at)
		}
	}
}

// testCancelledWrites cancels writes at some moment.
func (w *writing) testCancelledWrites(t *testing.T) {
	f := w.desk(t, "w_cancelled", 1)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	before := w.look(t, f, 0, sources.Looking{})
	c := f.change(0, before, w.become(t, f, before, set("v", sources.Text("cancelled"))))
	if err := w.writer.Write(gone, &f.dataset, c, before.ReadAt.Add(leave)); err == nil || outcome(c, w.note(err), w.look(t, f, 0, sources.Looking{})) != "" {
		t.Errorf("a write cancelled before it began: %v", err)
	}
	for trial := range w.trials(30) {
		before := w.look(t, f, 0, sources.Looking{})
		c := f.change(0, before, w.become(t, f, before, set("v", sources.Text(time.Duration(trial).String()))))
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(w.random.IntN(6000))*time.Microsecond)
		err := w.writer.Write(ctx, &f.dataset, c, before.ReadAt.Add(leave))
		cancel()
		now := w.lookBy(t, w.writer, f, 0, sources.Looking{Settled: true})
		if complaint := outcome(c, w.note(err), now); complaint != "" {
			t.Errorf("a write cancelled in its midst: %s", complaint)
		}
	}
	before = w.look(t, f, 0, sources.Looking{})
	w.mustWrite(t, f, f.change(0, before, w.become(t, f, before, set("v", sources.Text("afterwards")))))
}
