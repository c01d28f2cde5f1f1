package sources_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"plumbline/sources"
	"plumbline/sources/memory"
)

// busy is a store of some records whose pages take 100 ms each, and whose load
// is what a test says.
type busy struct {
	store *memory.Store
	began time.Time
	// load is how busy the store is so long after it began.
	load func(time.Duration) (sources.Load, error)

	mu     sync.Mutex
	reads  []time.Duration
	gauges []time.Duration
	waits  []sources.Wait
}

func newBusy(load func(time.Duration) (sources.Load, error)) *busy {
	b := &busy{store: memory.NewStore(), began: time.Now(), load: load}
	b.store.Create(memory.Table{Name: "t", Unique: []string{"k"}, Columns: []memory.Column{{Name: "k", FieldType: sources.FieldType{Kind: sources.KindInt}}}})
	for i := range 100 {
		b.store.Put("t", sources.Int(int64(i)))
	}
	return b
}

func dataset() *sources.Dataset { return &sources.Dataset{Name: "t", Key: []string{"k"}} }

func (b *busy) reader(limits sources.Limits, faults memory.Faults) *sources.Reader {
	limits.PageRecords = 1
	config := memory.Config{Connections: 100, Load: func() (sources.Load, error) {
		at := b.note(&b.gauges)
		return b.load(at)
	}}
	config.Faults = func(ctx context.Context, r memory.Read) *memory.Fault {
		if r.Op == "gauge" {
			return nil
		}
		b.note(&b.reads)
		time.Sleep(100 * time.Millisecond)
		if faults == nil {
			return nil
		}
		return faults(ctx, r)
	}
	return sources.NewReader("shop", b.store.Source(config), limits, func(w sources.Wait) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.waits = append(b.waits, w)
	})
}

func (b *busy) note(into *[]time.Duration) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := time.Since(b.began)
	*into = append(*into, at)
	return at
}

// between counts the reads that began in a span of time.
func (b *busy) between(from, to time.Duration) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, at := range b.reads {
		if at > from && at < to {
			n++
		}
	}
	return n
}

// drain reads a dataset to its end.
func drain(t *testing.T, r *sources.Reader) {
	stream := r.Stream(dataset(), sources.ScanRequest{})
	for {
		_, err := stream.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Error(err)
			return
		}
	}
}

// look looks up every key of the dataset.
func look(t *testing.T, r *sources.Reader) {
	var keys []sources.Key
	for i := range 100 {
		keys = append(keys, sources.Key{sources.Int(int64(i))})
	}
	if err := r.Lookup(t.Context(), dataset(), keys, func(*sources.Page) error { return nil }); err != nil {
		t.Error(err)
	}
}

func TestReadsWaitWhileALimitIsBreachedAndSayWhy(t *testing.T) {
	t.Parallel()
	const from, to = 3 * time.Second, 6 * time.Second
	over := func(l sources.Load) func(time.Duration) (sources.Load, error) {
		return func(at time.Duration) (sources.Load, error) {
			if at >= from && at < to {
				return l, nil
			}
			return sources.Load{ActiveKnown: true, LagKnown: true, Lag: 10 * time.Second}, nil
		}
	}
	limits := sources.Limits{MaxLag: 10 * time.Second, MaxActive: 25}
	for _, c := range []struct {
		name, cause, reason string
		load                sources.Load
		read                func(*testing.T, *sources.Reader)
	}{
		{"active, scan", sources.WaitActive, "active queries 31 > 25", sources.Load{Active: 31, ActiveKnown: true}, drain},
		{"active, look-up", sources.WaitActive, "active queries 31 > 25", sources.Load{Active: 31}, look},
		{"lag, scan", sources.WaitLag, "replication lag 13.5 s > 10 s", sources.Load{Lag: 13500 * time.Millisecond, LagKnown: true, Active: 99}, drain},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBusy(over(c.load))
				c.read(t, b.reader(limits, nil))
				if b.between(0, from) == 0 {
					t.Error("nothing was read before")
				}
				if n := b.between(from+time.Second, to); n > 0 {
					t.Errorf("%d reads began more than a second after the breach", n)
				}
				if b.between(to, to+2*time.Second) == 0 {
					t.Error("no read began within two seconds of its end")
				}
				var waited time.Duration
				for _, w := range b.waits {
					if w.Reason == "giving way to statements of others" { // those that were seen are not forgotten at once
						continue
					}
					if w.Cause != c.cause || w.Reason != c.reason || w.Source != "shop" {
						t.Errorf("it waited with %+v", w)
					}
					waited += w.For
				}
				if waited < to-from-time.Second || waited > to-from+2*time.Second {
					t.Errorf("the waits told of are %s", waited)
				}
			})
		})
	}
}

func TestNobodyIsHeldBackByALoadThatIsUnknown(t *testing.T) {
	t.Parallel()
	for name, load := range map[string]func(time.Duration) (sources.Load, error){
		"unknown": func(time.Duration) (sources.Load, error) { return sources.Load{Lag: time.Hour}, nil },
		"fails":   func(time.Duration) (sources.Load, error) { return sources.Load{Active: 99}, errors.New("no such view") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBusy(load)
				r := b.reader(sources.Limits{MaxLag: time.Second, MaxActive: 1}, nil)
				drain(t, r)
				if took := time.Since(b.began); took > 11*time.Second || len(b.waits) > 0 {
					t.Errorf("reading took %s, with waits %v", took, b.waits)
				}
				if name == "fails" && r.Load().Err == nil {
					t.Error("that the store did not say is not told")
				}
			})
		})
	}
}

func TestScansGiveWayWhileOthersAreAtWork(t *testing.T) {
	t.Parallel()
	for _, segments := range []int{1, 4} {
		synctest.Test(t, func(t *testing.T) {
			b := newBusy(func(at time.Duration) (sources.Load, error) {
				if at < 15*time.Second {
					return sources.Load{Active: 1, ActiveKnown: true}, nil
				}
				return sources.Load{ActiveKnown: true}, nil
			})
			r := b.reader(sources.Limits{MaxActive: 25}, nil)
			var readers sync.WaitGroup
			for range segments {
				readers.Go(func() { drain(t, r) })
			}
			readers.Wait()
			pages := b.between(4*time.Second, 14*time.Second) // of 100 ms each, in 10 s
			if share := float64(pages) / 100; share > 0.26 || share < 0.15 {
				t.Errorf("%d segments: %d pages were read, which is %.2f of the time", segments, pages, share)
			}
			if len(b.waits) == 0 || b.waits[0].Cause != sources.WaitActive || b.waits[0].Reason != "giving way to statements of others" {
				t.Errorf("the waits are %v", b.waits)
			}
			if n := b.between(31*time.Second, 33*time.Second); segments == 1 && n < 15 {
				t.Errorf("%d pages were read in two seconds when nobody else was at work", n)
			}
		})
	}
}

func TestReadersOfASourceShareItsGauge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBusy(func(time.Duration) (sources.Load, error) { return sources.Load{ActiveKnown: true}, nil })
		r := b.reader(sources.Limits{MaxActive: 1}, nil)
		var readers sync.WaitGroup
		for range 10 {
			readers.Go(func() { drain(t, r.Heard(func(sources.Wait) {})) })
		}
		readers.Wait()
		if most := int(time.Since(b.began)/(500*time.Millisecond)) + 1; len(b.gauges) > most || len(b.gauges) < most/2 {
			t.Errorf("the store was gauged %d times in %s", len(b.gauges), time.Since(b.began))
		}
		b = newBusy(b.load)
		drain(t, b.reader(sources.Limits{}, nil))
		if len(b.gauges) > 0 {
			t.Errorf("a store without limits was gauged %d times", len(b.gauges))
		}
	})
}

func TestAPatientReaderGivesUpOnABusyStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBusy(func(time.Duration) (sources.Load, error) { return sources.Load{Active: 26}, nil })
		r := b.reader(sources.Limits{MaxActive: 25}, nil).Patient(4 * time.Second)
		_, err := r.Stream(dataset(), sources.ScanRequest{}).Next(t.Context())
		var throttled *sources.ThrottledError
		if !errors.As(err, &throttled) || throttled.Reason != "active queries 26 > 25" || throttled.Source != "shop" {
			t.Fatalf("%v", err)
		}
		if took := time.Since(b.began); took != 4*time.Second || b.between(-1, took) > 0 {
			t.Errorf("it gave up after %s and %d reads", took, b.between(-1, took))
		}
		if cause, reason := r.Held(); cause != sources.WaitActive || reason == "" {
			t.Errorf("it is held by %q, %q", cause, reason)
		}
	})
}

func TestTheLagOfAStandbyIsHowLateItsReadsAre(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		load := sources.Load{Lag: 3 * time.Second, LagKnown: true}
		var failure error
		b := newBusy(func(time.Duration) (sources.Load, error) { return load, failure })
		r := b.reader(sources.Limits{MaxLag: 10 * time.Second}, nil)
		if late := r.Late(t.Context()); late != 0 {
			t.Errorf("reads of a primary are %s late", late)
		}
		time.Sleep(time.Second)
		load.Standby = true
		if late := r.Late(t.Context()); late != 3*time.Second {
			t.Errorf("reads of a standby are %s late", late)
		}
		time.Sleep(100 * time.Millisecond) // in which nobody asks, and it may have stood still
		if late := r.Late(t.Context()); late != 3100*time.Millisecond {
			t.Errorf("by what was said 0.1 s ago, reads of a standby are %s late", late)
		}
		failure = errors.New("no answer")
		time.Sleep(900 * time.Millisecond)
		if late := r.Late(t.Context()); late != 4*time.Second {
			t.Errorf("a second after it last said how late it is, reads of a standby are %s late", late)
		}
		time.Sleep(time.Minute) // gauges that fail hold nothing up for ever
		if late := r.Late(t.Context()); late != 0 {
			t.Errorf("of a standby that no longer says how late it is, reads are %s late", late)
		}
	})
}
