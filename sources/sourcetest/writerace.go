package sourcetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"plumbline/sources"
)

// testOnce has many make one change at once.
func (w *writing) testOnce(t *testing.T) {
	f := w.desk(t, "w_once", 1)
	const writers = 8
	for round := range w.trials(10) {
		before := w.look(t, f, 0, sources.Looking{})
		after := w.become(t, f, before, set("v", sources.Text(fmt.Sprint("round ", round))))
		c := f.change(0, before, after)
		errs := make([]error, writers)
		var all sync.WaitGroup
		for g := range errs {
			all.Go(func() { errs[g] = w.write(t, f, c) })
		}
		all.Wait()
		done := 0
		for _, err := range errs {
			var not *sources.NotWritten
			switch {
			case err == nil:
				done++
			case !errors.As(w.note(err), &not) || not.Late:
				t.Errorf("one of %d writers: %v", writers, err)
			}
		}
		now := w.look(t, f, 0, sources.Looking{})
		if done != 1 || string(now.Native) != string(after.Native) {
			t.Fatalf("%d of %d writers made the change, and it is made: %v", done, writers, string(now.Native) == string(after.Native))
		}
	}
}

// great is what a writer adds in the race; other hands add one.
const great = 1_000_000

// testHotWriters adds to counters what was looked at plus a great number, while
// other hands add one: whoever overwrites what he did not see loses a count.
func (w *writing) testHotWriters(t *testing.T) {
	const rows, writers = 4, 4
	f := w.desk(t, "w_hot", rows)
	reader := sources.NewReader(w.Adapter, w.source, sources.Limits{}, nil)
	each := w.trials(1000) / writers
	var written, refused [rows]atomic.Int64
	var counted [rows]int64
	done := make(chan struct{})
	var others, all sync.WaitGroup
	problems := make(chan error, writers+1)
	seed := w.random.Uint64()
	var tries atomic.Int64
	others.Go(func() { // about one count for each two tries
		random := rand.New(rand.NewPCG(seed, 1))
		for last := int64(-1); ; {
			select {
			case <-done:
				return
			default:
			}
			if now := tries.Load(); now == last || now%2 == 1 {
				continue
			} else {
				last = now
			}
			n := random.IntN(rows)
			if err := w.hands.Count(&f.dataset, "c", int64(n)); err != nil {
				problems <- fmt.Errorf("count: %w", err)
				return
			}
			counted[n]++
		}
	})
	for g := range writers {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(10+g)))
			for range each {
				n := random.IntN(rows)
				done, err := w.addGreat(t, f, reader, n, &tries)
				if err != nil {
					problems <- fmt.Errorf("writer %d: %w", g, err)
					return
				}
				if done {
					written[n].Add(1)
				} else {
					refused[n].Add(1)
				}
			}
		})
	}
	all.Wait()
	close(done)
	others.Wait()
	close(problems)
	for err := range problems {
		t.Error(w.note(err))
	}
	made, stale, ones := int64(0), int64(0), int64(0)
	for n := range rows {
		want := counted[n] + great*written[n].Load()
		if got := value(f, w.look(t, f, n, sources.Looking{}), "c").AsInt(); got != want {
			t.Errorf("row %d counts %d, not %d: %d of other hands and %d of ours", n, got, want, counted[n], written[n].Load())
		}
		made, stale, ones = made+written[n].Load(), stale+refused[n].Load(), ones+counted[n]
	}
	t.Logf("conformance: %s: %d interleavings: %d written, %d stale, while other hands wrote %d times; none lost", w.Adapter, made+stale, made, stale, ones)
	if made == 0 || stale == 0 || ones == 0 {
		t.Errorf("it was no race: %d written, %d stale, %d by other hands", made, stale, ones)
	}
}

// addGreat looks at a row and adds to its counter; false where it was stale. What
// it reads, it reads through a Reader, which tries again where others are in the way.
func (w *writing) addGreat(t *testing.T, f *fixture, r *sources.Reader, n int, tries *atomic.Int64) (bool, error) {
	before, err := r.Look(t.Context(), &f.dataset, f.rows[n].Key, nil, sources.Looking{})
	if err != nil {
		return false, err
	}
	tries.Add(1)
	after, err := r.Become(t.Context(), &f.dataset, before, []sources.Assignment{set("c", sources.Int(value(f, before, "c").AsInt()+great))})
	if err != nil {
		return false, err
	}
	err = w.write(t, f, f.change(n, before, after))
	var not *sources.NotWritten
	if errors.As(err, &not) && not.Stale {
		return false, nil
	}
	return err == nil, err
}
