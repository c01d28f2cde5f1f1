package checks

import (
	"context"
	"time"
)

// Late is how far what is read may be behind what was written: the lag of the
// standby that is read, of both sides' the greater; 0 where no standby is read or
// none says. A difference has outlived the settle time only where both sides were
// read that much later.
func (a *Audit) Late(ctx context.Context) time.Duration { return a.edge.late(ctx) }

func (e *edge) late(ctx context.Context) time.Duration {
	return max(e.owner.reader.Late(ctx), e.replica.reader.Late(ctx))
}
