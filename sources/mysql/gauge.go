package mysql

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"plumbline/sources"
)

// Gauge asks how many threads are at work, ours left out, and how far a standby is
// behind its primary. It goes by a connection of its own where the source may have
// two: it is asked just when all others are stuck.
func (s *source) Gauge(ctx context.Context) (load sources.Load, err error) {
	err = s.gauges.use(ctx, s.pool, func(c *conn) error {
		load, err = loadOf(ctx, c)
		return err
	})
	return load, err
}

func loadOf(ctx context.Context, c *conn) (load sources.Load, err error) {
	if load.Active, load.ActiveKnown, err = c.others(ctx); err != nil {
		return load, err
	}
	if load.Active > 0 { // one of ours that ended as the server counted is none of others
		again, _, err := c.others(ctx)
		if err != nil {
			return load, err
		}
		load.Active = min(load.Active, again)
	}
	lines, denied, err := c.replication(ctx)
	if err != nil {
		return load, fmt.Errorf("ask how late the server is: %w", err)
	}
	load.Standby = len(lines) > 0
	load.Lag, load.LagKnown = lag(lines)
	switch {
	case denied != "":
		load.Note = "how late it is, the server does not tell our role; run: GRANT " + denied + " ON *.* TO …"
	case load.Standby && !load.LagKnown:
		load.Note = "the standby's line to its primary is down; how late it is, nobody knows"
	case !load.Standby:
		load.Note = "a primary does not tell how late its standbys are; give the standby itself as a source"
	}
	return load, nil
}

// others counts the threads at work that are not of our pool: those of ours are
// the most that were at work before or after the server was asked.
func (c *conn) others(ctx context.Context) (active int, known bool, err error) {
	before := c.pool.running.Load()
	rows, err := c.facts(ctx, "SHOW GLOBAL STATUS LIKE 'Threads_running'")
	if err != nil {
		return 0, false, fmt.Errorf("ask how busy the server is: %w", err)
	}
	ours := int(max(before, c.pool.running.Load())) + 1 // the one that asked
	if len(rows) == 0 {
		return 0, false, nil
	}
	running, err := strconv.Atoi(rows[0]["VALUE"])
	return max(0, running-ours), err == nil, nil
}

// lag is the longest delay of a standby's lines; it is known only where each tells its own.
func lag(lines []map[string]string) (longest time.Duration, known bool) {
	for _, line := range lines {
		text, ok := line["SECONDS_BEHIND_SOURCE"]
		if !ok {
			text, ok = line["SECONDS_BEHIND_MASTER"]
		}
		seconds, err := strconv.Atoi(text)
		if !ok || err != nil {
			return 0, false
		}
		longest = max(longest, time.Duration(seconds)*time.Second)
	}
	return longest, len(lines) > 0
}

// gauges is the connection that gauges go by. It holds one of the pool's places
// from the first gauge on, where there is more than one.
type gauges struct {
	turn chan struct{} // of one place: whoever holds it may use what follows
	held bool
	conn *conn
}

func newGauges() *gauges { return &gauges{turn: make(chan struct{}, 1)} }

// use asks over the connection; one that was cut since the last gauge, perhaps long
// ago, is made anew.
func (g *gauges) use(ctx context.Context, p *pool, ask func(*conn) error) error {
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-g.turn }()
	if cap(p.places) == 1 {
		c, err := p.acquire(ctx)
		if err != nil {
			return err
		}
		defer p.release(c)
		return ask(c)
	}
	for {
		known := g.conn != nil
		if err := g.connect(ctx, p); err != nil {
			return err
		}
		err := ask(g.conn)
		gone := g.conn.hungUp
		if g.conn.used = time.Now(); g.conn.broken {
			g.close()
		}
		if !gone || !known || ctx.Err() != nil {
			return err
		}
	}
}

// connect makes the connection where there is none that may be alive, and takes a
// place for it.
func (g *gauges) connect(ctx context.Context, p *pool) (err error) {
	if !g.held {
		select {
		case p.places <- struct{}{}:
			g.held = true
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if g.conn != nil && time.Since(g.conn.used) < maxIdle {
		return nil
	}
	g.close()
	g.conn, err = p.take(ctx)
	return err
}

// close gives the connection back; no gauge may be under way.
func (g *gauges) close() {
	if g.conn != nil {
		g.conn.close()
		g.conn = nil
	}
}
