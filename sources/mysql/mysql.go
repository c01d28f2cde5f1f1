// Package mysql reads MySQL 8 and MariaDB 10.6 and later, and writes single records to them.
//
// Every read is one SELECT of its own in a session that is read-only, speaks
// UTC and utf8mb4, and has a bound on its statements' time; what the session is
// asked to be is looked at before it is used. Constants are written into the
// statement in forms that no setting of the server reads otherwise (texts and
// bytes in hexadecimal), so nothing is prepared.
//
// Rows are kept as bytes, in one block of memory a page, and decoded only when
// somebody wants their values.
package mysql

import (
	"context"
	"fmt"
	"sync"

	"plumbline/sources"
)

// Open makes a source of a URL (mysql://… or mariadb://…). It reaches nothing.
// An error names no part of the URL that could be a secret.
func Open(o sources.Options) (sources.Source, error) {
	o = o.WithDefaults()
	config, err := parseURL(o)
	if err != nil {
		return nil, sources.Final(fmt.Errorf("source %s: %w", o.Name, err))
	}
	p, err := newPool(config, o)
	if err != nil {
		return nil, sources.Final(fmt.Errorf("source %s: %w", o.Name, err))
	}
	s := &source{pool: p, gauges: newGauges(), writable: o.Writable, plans: map[*sources.Dataset]*plan{}, shapes: map[*sources.Dataset]*shape{}}
	if o.Writable {
		// A commit is sent with the condition it depends on. Nothing else is several
		// statements, least of all a condition that somebody wrote.
		several := config.Clone()
		several.MultiStatements = true
		if s.writers, err = newPool(several, o); err != nil {
			return nil, sources.Final(fmt.Errorf("source %s: %w", o.Name, err))
		}
		s.writers.places = p.places
	}
	return s, nil
}

// maxPlans bounds how many datasets are remembered: one that is forgotten is
// learnt anew.
const maxPlans = 1000

// source is an opened database. It offers everything a source may offer.
type source struct {
	pool     *pool
	gauges   *gauges
	writable bool
	writers  *pool // of sessions that write; nil unless writable

	mu     sync.Mutex
	plans  map[*sources.Dataset]*plan
	shapes map[*sources.Dataset]*shape
}

var (
	_ sources.Writer    = (*source)(nil)
	_ sources.Scanner   = (*source)(nil)
	_ sources.Splitter  = (*source)(nil)
	_ sources.Counter   = (*source)(nil)
	_ sources.Describer = (*source)(nil)
	_ sources.Explainer = (*source)(nil)
	_ sources.Prober    = (*source)(nil)
	_ sources.Sampler   = (*source)(nil)
	_ sources.Recenter  = (*source)(nil)
	_ sources.Gauger    = (*source)(nil)
	_ sources.Shaper    = (*source)(nil)
)

// Close closes the connections that are idle; those in use close when their
// statement has ended.
func (s *source) Close() error {
	s.gauges.close()
	s.pool.close()
	return nil
}

// run runs one statement that reads on whatever connection is free.
func (s *source) run(ctx context.Context, st *statement) (*result, error) {
	c, err := s.pool.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer s.pool.release(c)
	return c.run(ctx, st)
}

// facts runs one catalogue query: a row is its columns by their names in upper
// case, without those that are null.
func (s *source) facts(ctx context.Context, query string) ([]map[string]string, error) {
	c, err := s.pool.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer s.pool.release(c)
	return c.facts(ctx, query)
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
