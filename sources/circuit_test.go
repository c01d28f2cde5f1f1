package sources_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"plumbline/sources"
	"plumbline/sources/memory"
)

func TestASourceThatFailsIsLeftAloneAndTriedNowAndThen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		broken.Store(true)
		b := newBusy(nil)
		r := b.reader(sources.Limits{Attempts: 1}, func(context.Context, memory.Read) *memory.Fault {
			if broken.Load() {
				return &memory.Fault{Err: memory.ErrBroken}
			}
			return nil
		})
		read := func() error {
			_, err := r.Stream(dataset(), sources.ScanRequest{}).Next(t.Context())
			return err
		}
		for range 300 * 4 { // of a second
			var open *sources.CircuitError
			if err := read(); !errors.Is(err, memory.ErrBroken) {
				t.Fatal(err)
			} else if errors.As(err, &open) && (open.Source != "shop" || open.Since.Sub(b.began) > time.Second) {
				t.Fatalf("%+v", open)
			}
			time.Sleep(250 * time.Millisecond)
		}
		var rests []time.Duration // between reads that reached the store
		for i, at := range b.reads {
			if i > 0 && at-b.reads[i-1] > time.Second {
				rests = append(rests, (at - b.reads[i-1]).Truncate(2*time.Second))
			}
		}
		if want := []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 120 * time.Second}; !slices.Equal(rests, want) {
			t.Errorf("it was left alone for %v", rests)
		}
		if open := r.Circuit(); open == nil || open.Rest > 2*time.Minute {
			t.Fatalf("%+v", open)
		}
		broken.Store(false)
		time.Sleep(r.Circuit().Rest)
		if err := read(); err != nil || r.Circuit() != nil {
			t.Errorf("after it was mended: %v, %v", err, r.Circuit())
		}
	})
}

func TestOneReadAloneTriesASourceThatWasLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBusy(nil)
		r := b.reader(sources.Limits{Attempts: 10, Backoff: time.Second}, func(context.Context, memory.Read) *memory.Fault {
			return &memory.Fault{Err: memory.ErrBroken}
		})
		for r.Circuit() == nil {
			_, err := r.Stream(dataset(), sources.ScanRequest{}).Next(t.Context())
			if err == nil {
				t.Fatal("a broken store was read")
			}
		}
		time.Sleep(r.Circuit().Rest)
		before := len(b.reads)
		var readers sync.WaitGroup
		for range 20 {
			readers.Go(func() {
				if _, err := r.Stream(dataset(), sources.ScanRequest{}).Next(t.Context()); !errors.Is(err, memory.ErrBroken) {
					t.Error(err)
				}
			})
		}
		readers.Wait()
		if n := len(b.reads) - before; n != 1 {
			t.Errorf("%d reads tried the store", n)
		}
	})
}

func TestWhatIsNoOutageLeavesNoSourceAlone(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(n int) *memory.Fault{
		"an error of the configuration": func(int) *memory.Fault {
			return &memory.Fault{Err: sources.Final(errors.New("no such column"))}
		},
		"failures with answers between": func(n int) *memory.Fault {
			if n%4 == 0 {
				return nil
			}
			return &memory.Fault{Err: memory.ErrBroken}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBusy(nil)
				r := b.reader(sources.Limits{Attempts: 1}, func(_ context.Context, read memory.Read) *memory.Fault { return fault(read.N) })
				for range 100 {
					var open *sources.CircuitError
					if _, err := r.Stream(dataset(), sources.ScanRequest{}).Next(t.Context()); errors.As(err, &open) {
						t.Fatal(err)
					}
					time.Sleep(time.Second)
				}
			})
		})
	}
}

func TestASourceIsSlowWhileItLeavesReadsUnanswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBusy(nil)
		var hangs atomic.Bool
		hangs.Store(true)
		r := b.reader(sources.Limits{}, func(context.Context, memory.Read) *memory.Fault { return &memory.Fault{Hang: hangs.Load()} })
		ctx, cancel := context.WithCancel(t.Context())
		var reading sync.WaitGroup
		reading.Go(func() { _, _ = r.Stream(dataset(), sources.ScanRequest{}).Next(ctx) })
		time.Sleep(4 * time.Second)
		if r.Slow() {
			t.Error("it is slow after 4 s")
		}
		time.Sleep(2 * time.Second)
		if !r.Slow() {
			t.Error("it is not slow after 6 s")
		}
		cancel()
		reading.Wait()
		if !r.Slow() || r.InUse() != 0 {
			t.Error("it is no longer slow because nobody asks")
		}
		hangs.Store(false)
		if _, err := r.Stream(dataset(), sources.ScanRequest{}).Next(t.Context()); err != nil || r.Slow() {
			t.Errorf("after an answer: %v, slow %v", err, r.Slow())
		}
	})
}
