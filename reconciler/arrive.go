package reconciler

import (
	"context"
	"time"
)

// arriveWithin is how long the credentials that read may take to see what was written.
const arriveWithin = 2 * time.Second

// arrived looks, after the first write of an Apply, whether those who read the
// replica see it. Where they still see what was there before, the credentials that
// write lead somewhere else, to a copy that holds the same: then nothing more is
// written. Through a standby nobody can tell.
func (a *Applier) arrived(ctx context.Context, p *Plan, i *Item) {
	facts, _, err := a.Edge.Replica.Probe(ctx)
	if err == nil && facts.Standby {
		a.sure = true
		return
	}
	for began := time.Now(); err == nil; err = pause(ctx, arriveWithin/8) {
		image, failed := a.Edge.look(ctx, a.Edge.Replica, i, false)
		if failed != nil {
			err = failed
			break
		}
		a.astray = sameImage(image, i.Before)
		if a.sure = true; !a.astray || time.Since(began) >= arriveWithin {
			break
		}
	}
	switch {
	case err != nil && ctx.Err() == nil: // the next write is looked at
		a.sure, a.astray = false, false
		a.Log.Warn("a fix was made, and where the replica is read it could not be looked at yet", "plan", p.ID, "item", i.N, "reason", a.Edge.text(err.Error()))
	case a.astray:
		a.Log.Error("a fix is not to be seen where the replica is read, nothing more is written", "plan", p.ID, "item", i.N)
	}
}

// lost says why nothing more is written once a write was not seen to arrive.
const lost = "nothing was written: what the plan wrote before is not to be seen where the replica is read, so fix_url may lead to another database than url, or something writes the old values back at once"
