// Package demo is the shop that drifts: `plumbline demo` runs it, and so anybody
// can see within a minute, without a server or a configuration, what Plumbline
// tells and what it keeps quiet about.
//
// Six services keep a store each, SQLite files: the catalog's products lie as
// copies in baskets, the crm's customers in billing, orders in search. Some 30
// changes a second are made at the owners, and events carry them to the copies
// 0.2 to 2.5 s later. Now and then something goes wrong that goes wrong in real
// shops: an event is lost, late, delivered twice or out of order, one half of a
// dual write fails, a delete is lost, a name is cut, a price rounded, a local
// time stored as UTC. Late events arrive in the end, and every 30 s a replay
// mends most of what lies longer.
//
// Plumbline audits the shop meanwhile by shop.yaml, a configuration like any
// other, and reads the files alone. The shop remembers what it let go wrong
// (truth.go). Nothing of that reaches the audit; it is held against its findings
// afterwards, so that the demo itself can say whether one was missed or made up.
//
// The simulation (shop.go, traffic.go, pipeline.go, faults.go) is driven step by
// step and only says what to write; stores.go writes, audit.go reads.
package demo

import (
	"context"
	_ "embed" // for shop.yaml
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"plumbline/sources"
)

//go:embed shop.yaml
var shopYAML string

// Options say how a demo runs.
type Options struct {
	// Dir is where the shop keeps its files; they stay there. "" is a fresh
	// temporary directory that is removed in the end.
	Dir string
	// Seed makes two demos of one day do the same to the same records; 0 takes a
	// random one. It is printed.
	Seed uint64
	// Duration is how long the demo runs; 0 is until ctx ends.
	Duration time.Duration
	// Color sets words in colour.
	Color bool
	// Width is how many characters a line has; 0 means 120.
	Width int
	// Interactive keeps a status line at the bottom, for a terminal.
	Interactive bool
	// Openers open the kinds of source that shop.yaml names.
	Openers map[string]sources.Opener
}

// Run runs the demo until ctx ends or its time is over, which are no errors. It
// fails where the shop cannot write, the audit cannot read, or out is closed.
func Run(ctx context.Context, out io.Writer, o Options) error {
	_, err := run(ctx, out, o)
	return err
}

func run(ctx context.Context, out io.Writer, o Options) (r result, err error) {
	if o.Seed == 0 {
		o.Seed = uint64(rand.Uint32())
	}
	if o.Width == 0 {
		o.Width = 120
	}
	dir, remove, err := directory(o.Dir)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	stores, err := createStores(ctx, dir)
	if err != nil {
		return r, unlessEnded(ctx, err)
	}
	defer func() { err = errors.Join(err, stores.close()) }()
	config, err := loadConfig(dir)
	if err != nil {
		return r, err
	}
	readers, err := openReaders(config.Sources, o.Openers)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, readers.close()) }()

	began := time.Now()
	truth := &truth{}
	shop := newShop(o.Seed, began, truth)
	view := newView(&screen{out: out, color: o.Color, interactive: o.Interactive, width: o.Width}, began, truth, config.Checks)
	view.welcome(o, dir, shop.records())
	if err := stores.apply(ctx, shop.takeWrites()); err != nil {
		return r, unlessEnded(ctx, err)
	}

	ended := ctx
	if o.Duration > 0 {
		var cancel context.CancelFunc
		ended, cancel = context.WithTimeout(ctx, o.Duration)
		defer cancel()
	}
	group, running := errgroup.WithContext(ended)
	group.Go(func() error { return trade(running, shop, stores, view) })
	for i := range config.Checks {
		// Checks begin one after the other, so that people can follow.
		first := time.Second + time.Duration(i)*700*time.Millisecond
		group.Go(func() error { return audit(running, &config.Checks[i], readers, view, first) })
	}
	if err := group.Wait(); err != nil {
		return r, err
	}
	now := time.Now()
	r = view.result(now)
	view.farewell(r, now)
	return r, view.err()
}

// directory makes the shop's directory and says how to take it away again.
func directory(dir string) (path string, remove func() error, err error) {
	if dir == "" {
		dir, err = os.MkdirTemp("", "plumbline-demo-*")
		if err != nil {
			return "", nil, fmt.Errorf("make a directory for the shop: %w", err)
		}
		return dir, func() error { return os.RemoveAll(dir) }, nil
	}
	if dir, err = filepath.Abs(dir); err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return "", nil, fmt.Errorf("make a directory for the shop: %w", err)
	}
	return dir, func() error { return nil }, nil
}

// unlessEnded drops an error that is only ctx's end.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

const (
	stepEvery  = 100 * time.Millisecond
	firstBoard = 12 * time.Second
	boardEvery = 20 * time.Second
	// tooLate is how far behind the clock the shop skips what it did not do.
	tooLate = 5 * time.Second
)

// catchUp moves the shop on in equal steps, so that a seed always does the same.
func catchUp(s *shop, now time.Time) (writes []write) {
	if now.Sub(s.now) > tooLate {
		return s.step(now)
	}
	for next := s.now.Add(stepEvery); !next.After(now); next = next.Add(stepEvery) {
		writes = append(writes, s.step(next)...)
	}
	return writes
}

// trade drives the shop, and the board that tells how all checks stand.
func trade(ctx context.Context, s *shop, st *stores, v *view) error {
	tick := time.NewTicker(stepEvery)
	defer tick.Stop()
	board := v.began.Add(firstBoard)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		replayed := s.replayed
		if err := st.apply(ctx, catchUp(s, time.Now())); err != nil {
			return unlessEnded(ctx, err)
		}
		now := time.Now()
		s.committed(now)
		if n := s.replayed - replayed; n > 0 {
			v.replayed(n, now)
		}
		if now.After(board) {
			board = now.Add(boardEvery)
			v.board(now)
		}
		v.status(now, s.changes, s.pipeline.queue.Len())
	}
}
