package reconciler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"plumbline/sources"
)

// The times of one item. A write may take effect for WriteFor by the store's own
// clock; WriteMargin later it is taken to be over, whatever became of who sent it.
// A claim is held for HoldFor, and longer where a service may be slow to answer.
const (
	WriteFor    = 15 * time.Second
	WriteMargin = 5 * time.Second
	HoldFor     = 60 * time.Second
)

// triesOfItem is how often an item is begun anew that the store was too busy to take.
const triesOfItem = 3

// unreachableFor is how long a store that cannot be reached is left alone.
const unreachableFor = 10 * time.Second

// Applier applies a plan that was begun, one item after the other. Every outcome
// is kept by the Journal before the next item is touched.
type Applier struct {
	Edge *Edge
	// Fixer may write to the replica's store; nil for requests.
	Fixer *sources.Fixer
	// HTTP sends requests; its redirects are not followed. nil where none is sent.
	HTTP    *http.Client
	Journal Journal
	Worker  string
	Now     func() time.Time
	// Observe hears of each outcome; it may be nil.
	Observe func(check string, by Route, result ItemState)
	// Verify reads both sides of an item again that was applied or sent; it may be
	// nil. Its error is logged, and whoever looks for what was not seen tries again.
	Verify func(ctx context.Context, i *Item) error
	Log    *slog.Logger

	// sure: a write was looked for where the replica is read, or cannot be; astray:
	// it is not to be seen there.
	sure, astray bool
}

// Apply works until no item of the plan is left for it to do, or the plan stops on
// an error: then done is true, and the plan can be ended. Where it is not, and err
// is nil, there is more to do after wait: a store cannot be reached, or somebody
// else holds an item. ErrFrozen, ErrLost and the context's error end it between
// items; hashes are those of the plan's items, in order, as they were approved.
func (a *Applier) Apply(ctx context.Context, p *Plan, hashes []string) (done bool, wait time.Duration, err error) {
	if p.CheckHash != a.Edge.CheckHash || p.Check != a.Edge.Check.Name || p.Replica != a.Edge.Name() {
		return false, 0, changedCheck(p.ID)
	}
	if PlanHash(hashes) != p.Hash {
		return false, 0, &Refusal{Plan: p.ID, Why: "its items are not those that were approved", Next: "Draft the plan again."}
	}
	if p.By == Write && a.Fixer == nil {
		return false, 0, errors.New("apply a plan: nothing was opened that may write")
	}
	a.sure, a.astray = false, false
	tried := map[int]int{}
	for {
		if ctx.Err() != nil {
			return false, 0, ctx.Err()
		}
		i, err := a.Journal.ClaimItem(ctx, p.ID, a.Worker, a.hold(p))
		var held *HeldError
		switch {
		case errors.As(err, &held):
			return false, max(held.Until.Sub(a.Now()), time.Second), nil
		case err != nil:
			return false, 0, err
		case i == nil:
			return true, 0, nil
		}
		tried[i.N]++
		state, wait, err := a.item(ctx, p, i, hashes, tried[i.N] >= triesOfItem)
		switch {
		case errors.Is(err, ErrLost) && tried[i.N] < triesOfItem:
			continue
		case err != nil || wait > 0:
			return false, wait, err
		case state == ItemFailed && p.StopOnError:
			return true, 0, nil
		}
	}
}

// hold is how long an item is claimed for.
func (a *Applier) hold(p *Plan) time.Duration {
	t := a.Edge.Policy.Request
	if p.By != Request || t == nil {
		return HoldFor
	}
	return HoldFor + time.Duration(t.Tries)*(t.Timeout+longestPause)
}

// item does what is to be done about a claimed item; last says that it was begun
// often enough. wait is how long to leave the plan alone, where that helps.
func (a *Applier) item(ctx context.Context, p *Plan, i *Item, hashes []string, last bool) (ItemState, time.Duration, error) {
	if i.N < 1 || i.N > len(hashes) || ItemHash(p.Check, p.Replica, p.CheckHash, p.Undoes, i) != hashes[i.N-1] {
		return a.settle(ctx, p, i, ItemFailed, "it is not what was approved: it was changed in the ledger, and "+whatIsKnown(i))
	}
	switch {
	case p.By == Request && i.Request != nil:
		return a.ask(ctx, p, i)
	case p.By == Request || i.Before == nil || i.After == nil:
		return a.settle(ctx, p, i, ItemFailed, "it does not say what to do, and "+whatIsKnown(i))
	case i.State == Doubtful:
		return a.doubt(ctx, p, i, false)
	}
	return a.write(ctx, p, i, last)
}

// whatIsKnown says whether an item that is given up was written.
func whatIsKnown(i *Item) string {
	if i.State == Doubtful {
		return "whether it was written nobody can say"
	}
	return "nothing was written"
}

// write is one item of the write route, from looking at it to its outcome.
func (a *Applier) write(ctx context.Context, p *Plan, i *Item, last bool) (ItemState, time.Duration, error) {
	if a.astray {
		return a.settle(ctx, p, i, ItemFailed, lost)
	}
	met, err := a.Edge.meet(ctx, a.Fixer.Reader, i)
	if err != nil {
		return a.unreachable(ctx, p, i, err)
	}
	if met.state != Pending {
		i.Now = met.now
		return a.settle(ctx, p, i, met.state, met.note)
	}
	until := met.image.ReadAt.Add(WriteFor)
	if err := a.Journal.Intend(ctx, i, until); err != nil {
		return a.notBegun(ctx, i, err)
	}
	// From here on the item is finished, whoever wants us to stop.
	change := &sources.Change{Key: i.Asked, ID: i.AskedID, Before: met.image, After: i.After}
	err = a.Fixer.Write(context.WithoutCancel(ctx), a.Edge.replica(), change, until)
	var not *sources.NotWritten
	switch {
	case err == nil:
		state, wait, err := a.applied(ctx, p, i, ItemApplied, "")
		if err == nil && !a.sure {
			a.arrived(ctx, p, i)
		}
		return state, wait, err
	case !errors.As(err, &not):
		a.Log.Warn("whether a fix was written is not known yet", "plan", p.ID, "item", i.N, "reason", a.Edge.text(err.Error()))
		return a.doubt(ctx, p, i, true)
	case not.Stale:
		if now, err := a.Edge.look(ctx, a.Fixer.Reader, i, false); err == nil {
			i.Now = a.Edge.heldNow(i, now)
		}
		return a.settle(ctx, p, i, ItemStale, "the replica's record was changed while it was to be written")
	case !last && (not.Late || sources.FailureOf(err) != sources.FailureFinal):
		return a.settle(ctx, p, i, Pending, "")
	case not.Late:
		return a.settle(ctx, p, i, ItemFailed, "the store did not come to it in time: nothing was written")
	}
	return a.settle(ctx, p, i, ItemFailed, "the store refused it: "+a.Edge.text(not.Err.Error()))
}

// applied keeps that an item took effect, or that its service took it, and has
// both sides read again.
func (a *Applier) applied(ctx context.Context, p *Plan, i *Item, state ItemState, note string) (ItemState, time.Duration, error) {
	state, wait, err := a.settle(ctx, p, i, state, note)
	if err != nil || a.Verify == nil {
		return state, wait, err
	}
	if err := a.Verify(ctx, i); err != nil && ctx.Err() == nil {
		a.Log.Warn("a fix was made, and its record could not be read again yet", "plan", p.ID, "item", i.N, "reason", a.Edge.text(err.Error()))
	}
	return state, wait, nil
}

// settle keeps what became of an item, even where the context is done: it has
// become of it.
func (a *Applier) settle(ctx context.Context, p *Plan, i *Item, state ItemState, note string) (ItemState, time.Duration, error) {
	i.Note = note
	if err := a.Journal.Settle(context.WithoutCancel(ctx), i, state); err != nil {
		return i.State, 0, err
	}
	if a.Observe != nil && state != Pending {
		a.Observe(p.Check, p.By, i.State)
	}
	return i.State, 0, nil
}

// notBegun gives an item back that was not to be written after all.
func (a *Applier) notBegun(ctx context.Context, i *Item, why error) (ItemState, time.Duration, error) {
	if errors.Is(why, ErrLost) {
		return i.State, 0, why
	}
	return i.State, 0, a.release(ctx, i, why)
}

// release gives an item back as it was; the error is why, or that of the ledger.
func (a *Applier) release(ctx context.Context, i *Item, why error) error {
	err := a.Journal.Release(context.WithoutCancel(ctx), i)
	switch {
	case err == nil || errors.Is(err, ErrLost):
		return why
	case why == nil:
		return err
	}
	return fmt.Errorf("%w (and the item was not given back: %w)", why, err)
}

// unreachable is of a store that could not be read: what will not mend by itself
// fails the item, all else is tried again later.
func (a *Applier) unreachable(ctx context.Context, p *Plan, i *Item, err error) (ItemState, time.Duration, error) {
	if ctx.Err() != nil {
		return i.State, 0, a.release(ctx, i, ctx.Err())
	}
	if sources.FailureOf(err) == sources.FailureFinal {
		return a.settle(ctx, p, i, ItemFailed, whatIsKnown(i)+", since its record cannot be read: "+a.Edge.text(err.Error()))
	}
	a.Log.Warn("a store cannot be read, the plan goes on later", "plan", p.ID, "item", i.N, "reason", a.Edge.text(err.Error()))
	return i.State, unreachableFor, a.release(ctx, i, nil)
}
