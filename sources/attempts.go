package sources

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"time"
)

// try runs do until it succeeds, fails for good, or the attempts are used up. A
// source that is left alone is not asked, and one that is tried again is asked once.
func (r *Reader) try(ctx context.Context, op, what string, do func(context.Context) error) error {
	backoff := r.limits.Backoff
	probe, err := r.guard.circuit.enter(r.name)
	if err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		if err := r.yield(ctx); err != nil {
			r.guard.circuit.ended(probe, nil, true)
			return err
		}
		began := time.Now()
		err := r.once(ctx, do)
		r.asked(op, began, err)
		if rest := r.guard.circuit.ended(probe, err, ctx.Err() != nil); rest > 0 && r.onWait != nil {
			r.onWait(Wait{Source: r.name, Cause: WaitCircuit, Reason: "left alone: " + shorten(err.Error(), 200), For: rest})
		}
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case FailureOf(err) == FailureFinal:
			return fmt.Errorf("source %s: %s: %w", r.name, what, err)
		case attempt == r.limits.Attempts, probe:
			return fmt.Errorf("source %s: %s: tried %d times: %w", r.name, what, attempt, err)
		}
		jittered := max(backoff/2+rand.N(backoff), RetryAfterOf(err))
		if err := r.wait(ctx, WaitRetry, jittered, "retrying: "+shorten(err.Error(), 200)); err != nil {
			return err
		}
		backoff = min(2*backoff, 5*time.Second)
	}
}

// InUse is how many reads are under way, of all who share the source.
func (r *Reader) InUse() int { return r.guard.watch.reads() }

func (r *Reader) once(ctx context.Context, do func(context.Context) error) error {
	ended := r.guard.watch.begin()
	err := r.bounded(ctx, do)
	ended(err == nil || FailureOf(err) == FailureFinal)
	return err
}

// bounded gives a read the time that its statement has, and a little more.
func (r *Reader) bounded(ctx context.Context, do func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, r.limits.Statement+5*time.Second)
	defer cancel()
	err := contained(bounded, do)
	if err != nil && ctx.Err() == nil && bounded.Err() != nil {
		return Timeout(fmt.Errorf("no answer within %s: %w", r.limits.Statement+5*time.Second, err))
	}
	if errors.Is(err, io.EOF) { // io.EOF means "read to the end" to our callers, never "connection gone"
		return fmt.Errorf("connection closed: %w", errConnectionGone)
	}
	return err
}

// contained makes an adapter's panic the final error of its read: whatever
// goroutine it happens in, the process goes on.
func contained(ctx context.Context, do func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = Final(fmt.Errorf("the adapter broke down: %s", PanicWords(p)))
		}
	}()
	return do(ctx)
}

// PanicWords says what a panic was about without what it may hold of data: the
// runtime's own errors in full, of anything else its type.
func PanicWords(value any) string {
	if own, ok := value.(runtime.Error); ok {
		return own.Error()
	}
	return fmt.Sprintf("a panic with a %T", value)
}

var errConnectionGone = errors.New("the store hung up")
