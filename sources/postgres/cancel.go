package postgres

import (
	"context"
	"time"
)

// interruptUntil cancels again and again until what runs has ended: a cancel
// that arrives between two statements of a transaction is lost.
func (c *conn) interruptUntil(ended <-chan struct{}) {
	c.interrupt()
	again := time.NewTicker(cancelAgain)
	defer again.Stop()
	for {
		select {
		case <-ended:
			return
		case <-again.C:
			ctx, cancel := context.WithTimeout(context.Background(), cancelWithin)
			_ = c.pg.CancelRequest(ctx) // giveUpAt ends the wait
			cancel()
		}
	}
}

// interrupt cancels what runs and gives it a moment to end.
func (c *conn) interrupt() {
	c.wire.giveUpAt(time.Now().Add(cancelWithin))
	ctx, cancel := context.WithTimeout(context.Background(), cancelWithin)
	defer cancel()
	_ = c.pg.CancelRequest(ctx) // if it does not arrive, giveUpAt ends the wait
}
