package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"

	"plumbline/sources"
)

// maxIdle is how long an unused connection is trusted to be alive.
const maxIdle = 5 * time.Minute

// pool lends connections, never more at once than it has places.
type pool struct {
	connector        driver.Connector
	address          string
	database         string
	statementTimeout time.Duration
	places           chan struct{}
	running          atomic.Int64 // statements of ours that are at work

	mu     sync.Mutex
	idle   []*conn
	closed bool
}

func newPool(config *mysql.Config, o sources.Options) (*pool, error) {
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("url: %s", sources.Quoteless(err.Error()))
	}
	return &pool{connector: connector, address: config.Addr, database: config.DBName, statementTimeout: o.StatementTimeout,
		places: make(chan struct{}, o.Connections)}, nil
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

// connect opens a connection whose session is as ours must be.
func (p *pool) connect(ctx context.Context) (*conn, error) {
	dc, err := p.connector.Connect(ctx)
	if err != nil {
		if ctx.Err() != nil || ranOut(ctx, err) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return nil, p.connectError(err)
	}
	c := newConn(p, dc)
	if err := c.begin(ctx); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// ranOut says whether err is a dial that took until ctx's deadline: the dialer's
// clock may strike a moment before ctx's own.
func ranOut(ctx context.Context, err error) bool {
	deadline, ok := ctx.Deadline()
	var late net.Error
	return ok && errors.As(err, &late) && late.Timeout() && time.Until(deadline) < 100*time.Millisecond
}

// connectError keeps the server's own words and class, and of all else the
// network's.
func (p *pool) connectError(err error) error {
	var refused *mysql.MySQLError
	if errors.As(err, &refused) {
		return fmt.Errorf("connect to %s: %w", p.address, classify(refused))
	}
	var network *net.OpError
	if errors.As(err, &network) {
		return fmt.Errorf("connect to %s: %s", p.address, strings.ReplaceAll(network.Err.Error(), "\n", " "))
	}
	return fmt.Errorf("connect to %s: %s", p.address, sources.Quoteless(strings.ReplaceAll(err.Error(), "\n", " ")))
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
