package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"plumbline/sources"
)

// maxIdle is how long an unused connection is trusted to be alive.
const maxIdle = 5 * time.Minute

// pool lends connections, never more at once than it has places.
type pool struct {
	config *pgconn.Config
	hide   *strings.Replacer
	places chan struct{}
	// perTransaction: settings do not last beyond a transaction here.
	perTransaction atomic.Bool

	mu     sync.Mutex
	idle   []*conn
	closed bool
}

func newPool(config *pgconn.Config, o sources.Options) *pool {
	hide := strings.NewReplacer()
	if u, err := url.Parse(o.URL.Reveal()); err == nil {
		hide = secretsOf(u)
	}
	return &pool{config: config, hide: hide, places: make(chan struct{}, o.Connections)}
}

var errClosed = errors.New("the source is closed")

// acquire waits for a place and returns a connection, to be released.
func (p *pool) acquire(ctx context.Context) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case p.places <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c, err := p.take(ctx)
	if err != nil {
		<-p.places
		return nil, err
	}
	return c, nil
}

func (p *pool) take(ctx context.Context) (*conn, error) {
	for {
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return nil, sources.Final(errClosed)
		}
		if len(p.idle) == 0 {
			p.mu.Unlock()
			return p.connect(ctx)
		}
		c := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		p.mu.Unlock()
		if time.Since(c.used) < maxIdle {
			return c, nil
		}
		c.close()
	}
}

// connect opens a connection, with settings of the session where they hold, and
// with settings of each transaction where they do not.
func (p *pool) connect(ctx context.Context) (*conn, error) {
	for {
		perTransaction := p.perTransaction.Load()
		c, err := dial(ctx, p.config, perTransaction)
		if err == nil && !perTransaction {
			holds, failure := hasSettings(ctx, c, p.config.RuntimeParams)
			if failure == nil && holds {
				return c, nil
			}
			c.close()
			if failure != nil {
				return nil, failure
			}
			p.perTransaction.Store(true)
			continue
		}
		switch {
		case err == nil:
			return c, nil
		case !perTransaction && strings.Contains(err.Error(), "unsupported startup parameter"):
			p.perTransaction.Store(true)
		case ctx.Err() != nil || ranOut(ctx, err):
			<-ctx.Done()
			return nil, ctx.Err()
		default:
			return nil, p.connectError(err)
		}
	}
}

// ranOut says whether err is a dial that took until ctx's deadline: the dialer's
// clock may strike a moment before ctx's own.
func ranOut(ctx context.Context, err error) bool {
	deadline, ok := ctx.Deadline()
	var late net.Error
	return ok && errors.As(err, &late) && late.Timeout() && time.Until(deadline) < 100*time.Millisecond
}

// connectError keeps the server's own words and class and drops all else that
// pgconn tells, which may hold the URL.
func (p *pool) connectError(err error) error {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return fmt.Errorf("connect: %w", classify(refused))
	}
	return fmt.Errorf("connect: %s", p.hide.Replace(strings.ReplaceAll(err.Error(), "\n", " ")))
}

// release takes a connection back. One that broke takes the idle ones with it:
// what cut it has likely cut them too.
func (p *pool) release(c *conn) {
	defer func() { <-p.places }()
	p.mu.Lock()
	keep := !c.broken && !p.closed
	var stale []*conn
	if keep {
		c.used = time.Now()
		p.idle = append(p.idle, c)
	} else if c.hungUp {
		stale, p.idle = p.idle, nil
	}
	p.mu.Unlock()
	if !keep {
		c.close()
	}
	for _, s := range stale {
		s.close()
	}
}

func (p *pool) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
}
