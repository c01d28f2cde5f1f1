// Package redis reads Redis, Valkey and what speaks as they do: a store of bare
// keys, each of which holds one record (or, unwound, several).
//
// A dataset is a pattern of keys with fields in braces, user:{id}. Looking up is
// exact and cheap where the pattern is made of the key's fields: the keys are
// written out and got in one round trip. Everything else goes by SCAN, which has
// no order, may give a key twice, and misses keys that come or go while it runs;
// listing.go makes of it an order in which every key stands once.
//
// Only commands that read are ever sent: SCAN, STRLEN, GET, HLEN, MEMORY USAGE,
// HGETALL, DBSIZE, INFO and ACL.
package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"plumbline/sources"
)

// Open makes a source of one database of a server that stands alone:
// redis://user:password@host:port/0, rediss:// with TLS, unix:///path?db=0.
func Open(o sources.Options) (sources.Source, error) {
	o = o.WithDefaults()
	options, err := parseURL(o.URL)
	if err != nil {
		return nil, sources.Final(err)
	}
	logging.Disable() // the driver would write on our stderr what its errors say too
	options.Protocol = 2
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	options.MaxRetries = -1 // the Reader tries again
	options.DialerRetries = 1
	options.DialTimeout = 5 * time.Second
	options.ReadTimeout, options.WriteTimeout = o.StatementTimeout, o.StatementTimeout
	options.ContextTimeoutEnabled = true
	options.PoolSize, options.MaxActiveConns = o.Connections, o.Connections
	options.PipelinePoolSize = -1 // else pipelines have a pool of their own
	options.PoolTimeout = o.StatementTimeout
	return &source{client: redis.NewClient(options), address: options.Addr, timeout: o.StatementTimeout,
		most: maxListed, slots: make(chan struct{}, o.Connections), prepared: map[*sources.Dataset]*dataset{}, listings: map[string]*listing{},
		counted: map[string]int64{}, now: time.Now}, nil
}

// source is one database of a server. It is safe for many goroutines.
type source struct {
	client  *redis.Client
	address string
	timeout time.Duration
	slots   chan struct{} // one for each connection there may be
	most    int           // keys that a listing holds
	now     func() time.Time

	mu       sync.Mutex
	prepared map[*sources.Dataset]*dataset
	listings map[string]*listing
	counted  map[string]int64 // how many keys the last whole listing of a pattern had
}

func (s *source) Close() error {
	if err := s.client.Close(); err != nil {
		return fmt.Errorf("close redis %s: %w", s.address, err)
	}
	return nil
}

// ask sends commands and waits for their answers, but not longer than ctx: an
// answer that comes later is dropped, and its connection given back then. ask
// returns what do returns.
func ask[T any](ctx context.Context, s *source, what string, do func(ctx context.Context) (T, error)) (T, error) {
	var none T
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return none, fmt.Errorf("%s: %w", what, ctx.Err())
	}
	if err := ctx.Err(); err != nil {
		<-s.slots
		return none, fmt.Errorf("%s: %w", what, err)
	}
	type answer struct {
		value T
		err   error
	}
	answered := make(chan answer, 1)
	go func() {
		defer func() { <-s.slots }()
		value, err := do(ctx)
		answered <- answer{value, err}
	}()
	select {
	case a := <-answered:
		if a.err != nil {
			return none, s.failure(ctx, what, a.err)
		}
		return a.value, nil
	case <-ctx.Done():
		return none, fmt.Errorf("%s: %w", what, ctx.Err())
	}
}

// failure classifies an error of the driver, and tells it without what it quotes:
// a server may repeat what a command was sent with.
func (s *source) failure(ctx context.Context, what string, err error) error {
	if gone := ctx.Err(); gone != nil {
		return fmt.Errorf("%s: %w", what, gone)
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		if end, bounded := ctx.Deadline(); bounded && !time.Now().Before(end) {
			return fmt.Errorf("%s: %w", what, context.DeadlineExceeded)
		}
		return sources.Timeout(fmt.Errorf("%s: redis %s did not answer in time", what, s.address))
	}
	said := sources.Quoteless(err.Error())
	var refused redis.Error
	if !errors.As(err, &refused) {
		return fmt.Errorf("%s: reach redis %s: %s", what, s.address, said)
	}
	word, _, _ := strings.Cut(refused.Error(), " ")
	told := fmt.Errorf("%s: redis %s: %s", what, s.address, said)
	switch word {
	case "MOVED", "ASK", "CROSSSLOT", "CLUSTERDOWN":
		return sources.Final(fmt.Errorf("%s: redis %s is a node of a cluster, which is not yet supported: read a server that stands alone, or a replica of one", what, s.address))
	case "NOPERM":
		return sources.Final(fmt.Errorf("%w: grant the user +@read, +@connection and +info", told))
	case "NOAUTH", "WRONGPASS", "ERR", "WRONGTYPE", "DENIED":
		return sources.Final(told)
	}
	return told // LOADING, BUSY, MASTERDOWN, TRYAGAIN and the like pass
}
