package reconciler

import (
	"context"
	"errors"
	"time"

	"plumbline/sources"
)

// longestWait bounds how long an item is waited for while it is held; whatever
// takes longer is given back, and come back to.
const longestWait = WriteFor + 2*WriteMargin

// doubt finds out what became of an item that was to be written and whose outcome
// nobody kept. A record that is what the item makes of it was written. One that
// is as it was before was not, once the store's own clock is past the time until
// which it might be: then it is pending again. Until that time nothing is said of
// what somebody else was to write, who may be frozen and yet come to it: so whoever
// takes an applied item back has no earlier write to fear. ours says that it was
// this call's own write, which is over.
func (a *Applier) doubt(ctx context.Context, p *Plan, i *Item, ours bool) (ItemState, time.Duration, error) {
	for {
		image, err := a.Edge.look(ctx, a.Fixer.Reader, i, true)
		var many *sources.ManyError
		switch {
		case errors.As(err, &many):
			return a.settle(ctx, p, i, ItemFailed, "the replica has several records of this key by now: whether it was written nobody can say")
		case err != nil:
			return a.unreachable(ctx, p, i, err)
		}
		left := i.Until.Add(WriteMargin).Sub(image.ReadAt)
		if sameImage(image, i.After) && (ours || left < 0) {
			return a.applied(ctx, p, i, ItemApplied, "whether it was written was not known at first; the record is as it was to become")
		}
		if left >= 0 {
			if state, wait, err := a.notYet(ctx, i, left); err != nil || wait > 0 {
				return state, wait, err
			}
			continue
		}
		if sameImage(image, i.Before) {
			return a.settle(ctx, p, i, Pending, "")
		}
		i.Now = a.Edge.heldNow(i, image)
		return a.settle(ctx, p, i, ItemFailed, "the record was changed by others since; whether our write came first nobody can say")
	}
}

// notYet waits until a time by the store's clock has come. Where that is long, the
// item is given back instead, and wait says for how long.
func (a *Applier) notYet(ctx context.Context, i *Item, left time.Duration) (ItemState, time.Duration, error) {
	if left > longestWait {
		return i.State, longestWait, a.release(ctx, i, nil)
	}
	if err := pause(ctx, left+time.Millisecond); err != nil {
		return i.State, 0, a.release(ctx, i, err)
	}
	return i.State, 0, nil
}

// pause waits, or returns the context's error.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
