package mysql

import (
	"context"
	"time"
)

// cancelWithin bounds how long an interrupted statement may take to end before
// its connection is given up.
const cancelWithin = time.Second

// cancelAgain is how soon a kill that did nothing is sent again.
const cancelAgain = 100 * time.Millisecond

// interrupt ends the statement that begins with mark, until ended or until
// cancelWithin is over. The statement is found by its mark, not by its
// connection's number, which means nothing behind a proxy.
func (p *pool) interrupt(mark string, ended <-chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), cancelWithin)
	defer cancel()
	p.kill(ctx, mark, ended)
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

// kill sends KILL QUERY over a connection of its own. That it fails tells nobody:
// the connection of the statement is cut off then, and the server's own bound on
// its time ends it.
func (p *pool) kill(ctx context.Context, mark string, ended <-chan struct{}) {
	dc, err := p.connector.Connect(ctx)
	if err != nil {
		return
	}
	killer := newConn(p, dc)
	killer.killer = true
	defer killer.close()
	for {
		// The text of this very statement holds the mark too.
		rows, err := killer.facts(ctx, "SELECT ID FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND LOCATE("+
			hexText("/* "+mark+" */")+", INFO) = 1")
		if err != nil {
			return
		}
		for _, r := range rows {
			if err := killer.exec(ctx, "KILL QUERY "+r["ID"]); err != nil && number(err) != errNoSuchThread {
				return
			}
		}
		select {
		case <-ended:
			return
		case <-ctx.Done():
			return
		case <-time.After(cancelAgain):
		}
	}
}
