package postgres

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"plumbline/sources"
)

// gaugeQuery asks, in this order: how many statements of others are at work; of
// how many sessions the server hides it from our role; whether it is a standby;
// its lag in seconds, or that of the standby furthest behind; and, of a primary,
// how many standbys it hides from us.
//
// A standby that has replayed all it received is not late, however long ago its
// primary last wrote: the time of the last transaction replayed says nothing then.
// It must be receiving, though: one that was cut off has replayed all it has too.
// Of a session whose role is not ours, application_name is all that one without
// pg_monitor sees, and that is what tells our own sessions, of any role, apart; a ledger may live here too.
const gaugeQuery = `SELECT
	(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND state IN ('active', 'fastpath function call') AND application_name NOT IN ('plumbline', 'plumbline ledger')),
	(SELECT count(*) FROM pg_stat_activity WHERE usesysid IS NOT NULL AND state IS NULL AND backend_type IS NULL AND application_name NOT IN ('plumbline', 'plumbline ledger')),
	pg_is_in_recovery(),
	CASE WHEN pg_is_in_recovery() THEN
		CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() AND EXISTS (SELECT FROM pg_stat_wal_receiver WHERE pid IS NOT NULL) THEN 0
		ELSE extract(epoch FROM greatest(clock_timestamp() - pg_last_xact_replay_timestamp(), interval '0')) END
	ELSE (SELECT extract(epoch FROM max(coalesce(replay_lag, interval '0'))) FROM pg_stat_replication WHERE state IS NOT NULL) END,
	CASE WHEN pg_is_in_recovery() THEN 0 ELSE (SELECT count(*) FROM pg_stat_replication WHERE state IS NULL) END`

// Gauge implements sources.Gauger, on a connection of its own where the source
// may have two: it is asked just when all others are stuck.
func (s *source) Gauge(ctx context.Context) (sources.Load, error) {
	res, err := s.gauges.run(ctx, s.pool, textStatement(gaugeQuery, nil))
	if err != nil {
		return sources.Load{}, err
	}
	return loadOf(res.texts()[0])
}

// loadOf reads the answer to gaugeQuery.
func loadOf(row []string) (l sources.Load, err error) {
	hidden, unseen := row[1] != "0", row[4] != "0"
	if l.Active, err = strconv.Atoi(row[0]); err != nil {
		return l, fmt.Errorf("read the number of active statements: %w", err)
	}
	l.ActiveKnown, l.Standby = !hidden, row[2] == "t"
	if row[3] != "" {
		lag, err := strconv.ParseFloat(row[3], 64)
		if err != nil {
			return l, fmt.Errorf("read the replication lag: %w", err)
		}
		l.Lag, l.LagKnown = time.Duration(lag*float64(time.Second)), !unseen
	}
	switch {
	case hidden && unseen:
		l.Note = "what other roles run, and how far standbys are behind, is hidden from ours; GRANT pg_monitor shows it"
	case hidden:
		l.Note = "what other roles run is hidden from ours; GRANT pg_monitor shows it"
	case unseen:
		l.Note = "how far standbys are behind is hidden from our role; GRANT pg_monitor shows it"
	case l.Standby && !l.LagKnown:
		l.Note = "this standby has replayed nothing since it began, so it does not know how late it is"
	}
	return l, nil
}

// gauges is the connection that gauges go by. It holds one of the pool's places
// from the first gauge on, where there is more than one.
type gauges struct {
	turn chan struct{} // of one place: whoever holds it may use what follows
	held bool
	conn *conn
}

func newGauges() *gauges { return &gauges{turn: make(chan struct{}, 1)} }

func (g *gauges) run(ctx context.Context, p *pool, st *statement) (*result, error) {
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-g.turn }()
	if cap(p.places) == 1 {
		c, err := p.acquire(ctx)
		if err != nil {
			return nil, err
		}
		defer p.release(c)
		return c.run(ctx, st)
	}
	for {
		known := g.conn != nil
		if err := g.connect(ctx, p); err != nil {
			return nil, err
		}
		res, err := g.conn.run(ctx, st)
		gone := g.conn.hungUp
		if g.conn.broken {
			g.conn.close()
			g.conn = nil
		} else {
			g.conn.used = time.Now()
		}
		if !gone || !known || ctx.Err() != nil {
			return res, err
		}
	} // it was cut since the last gauge, perhaps long ago
}

// connect makes the connection where there is none that may be alive, and takes
// a place for it.
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
	if g.conn != nil {
		g.conn.close()
	}
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
