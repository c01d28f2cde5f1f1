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

// try runs do until it succeeds, fails for good, or the attempts are used up.
func (r *Reader) try(ctx context.Context, op, what string, do func(context.Context) error) error {
	backoff := r.limits.Backoff
	for attempt := 1; ; attempt++ {
		began := time.Now()
		err := r.once(ctx, do)
		r.asked(op, began, err)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case FailureOf(err) == FailureFinal:
			return fmt.Errorf("source %s: %s: %w", r.name, what, err)
		case attempt == r.limits.Attempts:
			return fmt.Errorf("source %s: %s: tried %d times: %w", r.name, what, attempt, err)
		}
		jittered := backoff/2 + rand.N(backoff)
		if err := r.wait(ctx, WaitRetry, jittered, "retrying: "+shorten(err.Error(), 200)); err != nil {
			return err
		}
		backoff = min(2*backoff, 5*time.Second)
	}
}

// InUse is how many reads are under way, of all who share the source.
func (r *Reader) InUse() int { return int(r.inUse.Load()) }

func (r *Reader) once(ctx context.Context, do func(context.Context) error) error {
	r.inUse.Add(1)
	defer r.inUse.Add(-1)
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
