// Package demo is the shop that drifts: `plumbline demo` runs it, and so anybody
// can see within a minute, without a server or a configuration, what Plumbline
// tells and what it keeps quiet about.
//
// Seven services keep a store each, SQLite files: the catalog's products lie as
// copies in baskets, the crm's customers in billing and loyalty, orders in
// search. Some 30 changes a second are made at the owners, and events carry them
// to the copies 0.2 to 2.5 s later. Now and then something goes wrong that goes
// wrong in real shops: an event is lost, late, delivered twice or out of order,
// a batch of them is dropped, one half of a dual write fails, a delete is lost, a
// name is cut, a price rounded, a local time stored as UTC, a store is locked for
// maintenance. Late events arrive in the end, and every 30 s a replay mends most
// of what lies longer.
//
// Plumbline audits the shop meanwhile by shop.yaml, a configuration like any
// other: the same schedules, jobs, ledger and pages as `plumbline serve`. It
// reads the files, and loyalty by its API (loyalty.go). The shop remembers what it let go wrong (truth.go).
// Nothing of that reaches the audit; it is held against its findings afterwards,
// so that the demo itself can say whether one was missed or made up.
//
// The simulation (shop.go, traffic.go, pipeline.go, faults.go, outage.go) is
// driven step by step and only says what to write; stores.go writes. A batch of
// lost events stays for people to fix, and what they fixed the shop reads back
// (readback.go). follow.go
// reads from the ledger what the audit found, and view.go and report.go tell it.
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
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"plumbline/configs"
	"plumbline/ledger"
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
	// People sign in, where there are any, and their passwords are told.
	People []Person
	// Serve audits the shop by the configuration file at path, for the directory
	// that the file calls SHOP_DIR, as `plumbline serve` does. watch hears of every
	// change of the ledger.
	Serve func(ctx context.Context, path, dir string, watch func(ledger.Change)) (Service, error)
}

// Person is somebody who signs in to the demo.
type Person struct{ Name, Password, Role string }

// Service is a running audit with its ledger and its pages.
type Service interface {
	Ledger() *ledger.Ledger
	// Config is the configuration in force.
	Config() *configs.Config
	// Address is where people look at it: http://127.0.0.1:8080.
	Address() string
	// Failed brings the error that ended it, should one.
	Failed() <-chan error
	// Stop lets the work under way end and gives everything back.
	Stop() error
}

// Run runs the demo until ctx ends or its time is over, which are no errors. It
// fails where the shop cannot write, the audit cannot go on, or out is closed.
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
	began := time.Now()
	truth := &truth{}
	shop := newShop(o.Seed, began, truth)
	records := shop.records()
	if err := stores.apply(ctx, shop.takeWrites()); err != nil {
		return r, unlessEnded(ctx, err)
	}

	heard := make(chan struct{}, 1)
	loyalty, err := openLoyalty(dir)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, loyalty.close()) }()
	service, err := serve(ctx, o, dir, loyalty.address(), heard)
	if err != nil {
		return r, unlessEnded(ctx, err)
	}
	stopped := false
	stop := func() error {
		if stopped {
			return nil
		}
		stopped = true
		return service.Stop()
	}
	defer func() { err = errors.Join(err, stop()) }()
	config := service.Config()
	view := newView(&screen{out: out, color: o.Color, interactive: o.Interactive, width: o.Width}, began, truth,
		states(config, began))
	view.address = service.Address()
	view.welcome(o, dir, service.Address(), records)

	ended := ctx
	if o.Duration > 0 {
		var cancel context.CancelFunc
		ended, cancel = context.WithTimeout(ctx, o.Duration)
		defer cancel()
	}
	group, running := errgroup.WithContext(ended)
	mended := &touched{}
	group.Go(func() error { return trade(running, shop, stores, view, mended) })
	group.Go(func() error {
		return (&follower{ledger: service.Ledger(), view: view, heard: heard, touched: mended, plans: map[string]int64{}}).follow(running)
	})
	group.Go(func() error {
		select {
		case err := <-service.Failed():
			return err
		case <-running.Done():
			return nil
		}
	})
	if err := group.Wait(); err != nil {
		return r, err
	}
	if err := stop(); err != nil {
		return r, err
	}
	now := time.Now()
	r = view.result(now)
	view.farewell(r, now)
	return r, view.err()
}

// serve puts the shop's configuration, with the address of loyalty's API, beside
// its files and audits by it.
func serve(ctx context.Context, o Options, dir, loyalty string, heard chan struct{}) (Service, error) {
	file := filepath.Join(dir, "plumbline.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(shopYAML, "${SHOP_LOYALTY}", loyalty, 1)), 0o600); err != nil {
		return nil, fmt.Errorf("write the shop's configuration: %w", err)
	}
	return o.Serve(ctx, file, dir, hear(heard))
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
	// readEvery is how often the shop reads back what fixes are about.
	readEvery = time.Second
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

// trade drives the shop, its maintenance, and the board that tells how all
// checks stand.
func trade(ctx context.Context, s *shop, st *stores, v *view, t *touched) error {
	tick := time.NewTicker(stepEvery)
	defer tick.Stop()
	board, down, read := v.began.Add(firstBoard), false, v.began
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
		if now.After(read) {
			read = now.Add(readEvery)
			if err := readBack(ctx, s, st, t); err != nil {
				return unlessEnded(ctx, err)
			}
		}
		if n := s.replayed - replayed; n > 0 {
			v.replayed(n, now)
		}
		if underMaintenance(now.Sub(v.began)) != down {
			down = !down
			if err := st.maintain(maintained, down); err != nil {
				return err
			}
			v.outage(maintained, down, now)
		}
		if now.After(board) {
			board = now.Add(boardEvery)
			v.board(now)
		}
		v.status(now, s.changes, s.pipeline.queue.Len())
	}
}
