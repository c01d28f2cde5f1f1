// Package postgres reads PostgreSQL 13 and later, and writes single records to it.
//
// Every statement that reads travels alone: BEGIN READ ONLY with row
// security off, the statement with its parameters, COMMIT, all sent at once and
// answered at once. A change travels in three steps, so that what it did is judged
// before it is committed (see transaction). Nothing is prepared, held or set beyond that transaction, so
// a pooler between us and the server (PgBouncer in transaction mode) does no harm.
//
// Rows are taken from the connection as the server's own binary bytes, into one
// block of memory a page, and decoded only when somebody wants their values.
package postgres

import (
	"context"
	"fmt"
	"sync"

	"plumbline/sources"
)

// Open makes a source of a PostgreSQL URL (postgres://…). It reaches nothing.
// An error names no part of the URL that could be a secret.
func Open(o sources.Options) (sources.Source, error) {
	o = o.WithDefaults()
	config, err := parseURL(o)
	if err != nil {
		return nil, sources.Final(fmt.Errorf("source %s: %w", o.Name, err))
	}
	return &source{pool: newPool(config, o), gauges: newGauges(), writable: o.Writable, plans: map[*sources.Dataset]*plan{}}, nil
}

// maxPlans bounds how many datasets are remembered: one that is forgotten is
// learnt anew.
const maxPlans = 1000

// source is an opened PostgreSQL database. It offers everything a source may offer.
type source struct {
	pool     *pool
	gauges   *gauges
	writable bool

	mu    sync.Mutex
	plans map[*sources.Dataset]*plan
}

var (
	_ sources.Scanner   = (*source)(nil)
	_ sources.Splitter  = (*source)(nil)
	_ sources.Counter   = (*source)(nil)
	_ sources.Describer = (*source)(nil)
	_ sources.Explainer = (*source)(nil)
	_ sources.Prober    = (*source)(nil)
	_ sources.Gauger    = (*source)(nil)
	_ sources.Shaper    = (*source)(nil)
	_ sources.Writer    = (*source)(nil)
	_ sources.Sampler   = (*source)(nil)
	_ sources.Recenter  = (*source)(nil)
)

// Close closes the connections that are idle; those in use close when their
// statement has ended.
func (s *source) Close() error {
	s.gauges.close()
	s.pool.close()
	return nil
}

// run runs one statement on whatever connection is free.
func (s *source) run(ctx context.Context, st *statement) (*result, error) {
	c, err := s.pool.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer s.pool.release(c)
	return c.run(ctx, st)
}

// texts runs one catalogue query.
func (s *source) texts(ctx context.Context, query string, params ...string) ([][]string, error) {
	res, err := s.run(ctx, textStatement(query, params))
	if err != nil {
		return nil, err
	}
	return res.texts(), nil
}

// planFor returns what is known of a dataset, learnt at first use.
func (s *source) planFor(ctx context.Context, d *sources.Dataset) (*plan, error) {
	s.mu.Lock()
	p := s.plans[d]
	s.mu.Unlock()
	if p != nil {
		return p, nil
	}
	return s.learn(ctx, d)
}

// learn reads the catalogue anew.
func (s *source) learn(ctx context.Context, d *sources.Dataset) (*plan, error) {
	p, err := newPlan(ctx, s, d)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	if len(s.plans) >= maxPlans {
		clear(s.plans)
	}
	s.plans[d] = p
	s.mu.Unlock()
	return p, nil
}

// forget makes the next read of d look at the catalogue again: its table is not
// as it was.
func (s *source) forget(d *sources.Dataset) {
	s.mu.Lock()
	delete(s.plans, d)
	s.mu.Unlock()
}
