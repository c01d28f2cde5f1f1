package access

import (
	"context"
	"fmt"
	"sync/atomic"
)

// Hasher hashes passwords, few at a time: each takes a core and 19 MiB for a
// moment. It is safe for many goroutines.
type Hasher struct {
	places   chan struct{}
	computed atomic.Int64
}

// NewHasher makes a Hasher that computes so many hashes at a time.
func NewHasher(atOnce int) *Hasher { return &Hasher{places: make(chan struct{}, atOnce)} }

// Hash is HashPassword in its turn.
func (h *Hasher) Hash(ctx context.Context, password string) (hash string, err error) {
	err = h.inTurn(ctx, func() { hash = HashPassword(password) })
	return hash, err
}

// Match is MatchPassword in its turn.
func (h *Hasher) Match(ctx context.Context, hash, password string) (matches bool, err error) {
	err = h.inTurn(ctx, func() { matches = MatchPassword(hash, password) })
	return matches, err
}

// Computed is how many hashes were computed so far.
func (h *Hasher) Computed() int64 { return h.computed.Load() }

func (h *Hasher) inTurn(ctx context.Context, compute func()) error {
	select {
	case h.places <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("wait to hash a password: %w", ctx.Err())
	}
	defer func() { <-h.places }()
	h.computed.Add(1)
	compute()
	return nil
}
