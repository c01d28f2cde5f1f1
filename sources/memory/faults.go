package memory

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"

	"plumbline/sources"
)

// Read is one call of a source's methods, a write among them.
type Read struct {
	N       int    // the how manieth of this source, from 1
	Op      string // lookup, scan, split, count, describe, explain, probe, preflight, look, become or write
	Dataset *sources.Dataset
}

// Fault is what befalls a read.
type Fault struct {
	// Err is what the read returns, instead of any record. Mark it with
	// sources.Final or sources.Timeout; without a mark it is transient.
	Err error
	// After is how many records the read takes before it fails; 0 fails it
	// before any. A read that ends earlier ends well.
	After int
	// Hang lets the read wait until its context ends, and return the context's error.
	Hang bool
	// Freeze stops a write, once it has looked at its record and before it changes
	// it, until the channel is closed, as a process is stopped: it holds its lock
	// all the while, and hears of nothing.
	Freeze <-chan struct{}
}

// Faults decides about each read; nil means that nothing befalls it. It may
// also wait, change the store or cancel contexts: it runs before the read
// looks at anything and holds no lock. It is called from many goroutines.
type Faults func(ctx context.Context, r Read) *Fault

// ErrBroken is the transient error of FailRandomly.
var ErrBroken = errors.New("the connection broke")

// FailNth lets the reads with these numbers fail.
func FailNth(f Fault, reads ...int) Faults {
	at := map[int]bool{}
	for _, n := range reads {
		at[n] = true
	}
	return func(_ context.Context, r Read) *Fault {
		if at[r.N] {
			return &f
		}
		return nil
	}
}

// FailRandomly lets a share of all reads fail: before a record or after up to
// 20, transiently or as timeouts. The seed decides which; with several
// goroutines also which of them comes first.
func FailRandomly(seed uint64, share float64) Faults {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 0))
	return func(context.Context, Read) *Fault {
		mu.Lock()
		defer mu.Unlock()
		if random.Float64() >= share {
			return nil
		}
		f := &Fault{Err: ErrBroken, After: max(0, random.IntN(40)-20)}
		if random.IntN(3) == 0 {
			f.Err = sources.Timeout(errors.New("the statement took too long"))
		}
		return f
	}
}

// fate is a fault as it comes upon one read.
type fate struct {
	fault *Fault
	taken int
}

// begin lets a read begin, or fail or hang at once.
func (f *fate) begin(ctx context.Context) error {
	switch {
	case f.fault == nil:
		return ctx.Err()
	case f.fault.Hang:
		<-ctx.Done()
		return ctx.Err()
	case f.fault.After <= 0 && f.fault.Err != nil:
		return f.fault.Err
	}
	return ctx.Err()
}

// take takes one more record, or fails.
func (f *fate) take() error {
	f.taken++
	if f.fault != nil && f.fault.Err != nil && f.taken > f.fault.After {
		return f.fault.Err
	}
	return nil
}
