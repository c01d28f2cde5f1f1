// Package service puts a Plumbline together that runs: the ledger, the readers
// of the sources, the auditor that works on time, the prober, and the pages.
// `plumbline serve` runs one, and so does `plumbline demo`.
package service

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"plumbline/auditor"
	"plumbline/configs"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/sources"
	"plumbline/web"
)

// Options say what a Service is made of. All but Watch, ProbeEvery and Workers
// must be set.
type Options struct {
	// Config is the configuration to begin with.
	Config *configs.Config
	// Load reads the configuration again, and Stamp is a text that changes
	// whenever there is something new to read.
	Load  func() (*configs.Config, error)
	Stamp func() string
	// Listener is where pages and API are served; the Service closes it.
	Listener net.Listener
	Version  string
	// Scrub takes secrets out of texts of any configuration that was loaded.
	Scrub func(string) string
	Log   *slog.Logger
	// Watch hears of every change of the ledger, from any goroutine; it must not block.
	Watch func(ledger.Change)
	// ProbeEvery is how often each source is asked how it is; 0 means 30 s.
	ProbeEvery time.Duration
	// Workers is how many jobs are worked on at once; 0 is the auditor's own choice.
	Workers int
}

// Service is a running Plumbline. Its methods are safe for many goroutines.
type Service struct {
	o       Options
	ledger  *ledger.Ledger
	auditor *auditor.Auditor
	events  *web.Events
	prober  *web.Prober
	metrics *web.Metrics

	mu      sync.Mutex // of a reload, and of what follows
	readers *Readers
	retired []*Readers // of earlier configurations, not yet closed

	inForce atomic.Pointer[inForce]
	failed  chan error
	end     context.CancelFunc // of all that runs beside the auditor
	running sync.WaitGroup
	stop    sync.Once
	stopped error
}

// inForce is the configuration that is acted on.
type inForce struct {
	config   *configs.Config
	hash     string
	declared *web.Declared
}

// Start opens the ledger and begins to work and to serve. What it has opened it
// closes again where it fails, the listener too.
func Start(ctx context.Context, o Options) (s *Service, err error) {
	s = &Service{o: o, events: web.NewEvents(), failed: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.Listener.Close(), s.release())
		}
	}()
	watch := func(c ledger.Change) {
		s.events.Publish(c)
		if o.Watch != nil {
			o.Watch(c)
		}
	}
	if s.ledger, err = ledger.Open(ctx, o.Config.Ledger.Reveal(), ledger.Options{Watch: watch}); err != nil {
		return nil, fmt.Errorf("open the ledger %s: %w", ledgerName(o.Config), err)
	}
	s.metrics = web.NewMetrics(o.Version)
	s.prober = web.NewProber(web.ProberOptions{Sources: s.allReaders, Every: o.ProbeEvery, Changed: watch, Scrub: o.Scrub})
	s.readers = NewReaders(o.Config.Sources, ReaderOptions{OnWait: s.waited, OnQuery: s.metrics.Queried})
	s.take(o.Config, time.Now())

	lens := drift.Lens{Masker: drift.NewMasker(s.ledger.MaskKey()), Scrub: o.Scrub}
	if s.auditor, err = s.startAuditor(ctx, lens); err != nil {
		return nil, err
	}
	server, err := web.New(web.Options{Ledger: s.ledger, Auditor: s.auditor, Declared: s.Declared, Sources: s.prober.States,
		Metrics: s.metrics, Events: s.events, Lens: lens, Version: o.Version, Log: o.Log})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the pages: %w", err), s.stopAuditor())
	}
	beside, end := context.WithCancel(context.WithoutCancel(ctx))
	s.end = end
	s.running.Go(func() {
		if err := server.Serve(beside, o.Listener); err != nil {
			s.failed <- err
		}
	})
	s.running.Go(func() { s.prober.Run(beside) })
	s.running.Go(func() { s.watchConfig(beside) })
	return s, nil
}

func (s *Service) startAuditor(ctx context.Context, lens drift.Lens) (*auditor.Auditor, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("learn this machine's name: %w", err)
	}
	now := s.inForce.Load()
	process := ledger.Process{ID: rand.Text(), Host: host, PID: os.Getpid(), Version: s.o.Version,
		Listen: s.o.Listener.Addr().String(), StartedAt: time.Now()}
	a, err := auditor.Start(ctx, auditor.Options{Ledger: s.ledger, Checks: scheduled(now.config, s.ledger.MaskKey()), Hash: now.hash,
		Readers: s.readers.Find, Lens: lens, Process: process, Workers: s.o.Workers, Log: s.o.Log, Observer: s.metrics})
	if err != nil {
		return nil, fmt.Errorf("start the auditor: %w", err)
	}
	return a, nil
}

// take makes a configuration the one in force.
func (s *Service) take(config *configs.Config, at time.Time) {
	declared := declare(config, at)
	s.metrics.Declare(declared)
	s.inForce.Store(&inForce{config: config, hash: config.Hash(s.ledger.MaskKey()), declared: declared})
}

// Ledger is the ledger, for as long as the Service runs.
func (s *Service) Ledger() *ledger.Ledger { return s.ledger }

// Config is the configuration in force.
func (s *Service) Config() *configs.Config { return s.inForce.Load().config }

// Declared is what pages and API tell of the configuration in force.
func (s *Service) Declared() *web.Declared {
	declared := s.inForce.Load().declared
	if s.auditor == nil || !s.auditor.State().Behind() {
		return declared
	}
	told := *declared
	told.Notices = append(slices.Clone(told.Notices), otherConfiguration)
	return &told
}

// otherConfiguration is told while another process has a newer configuration.
const otherConfiguration = "Another process on this ledger was started later with another configuration. " +
	"This one begins no runs until both have the same: it only finishes those of its own."

// Address is where people look at it.
func (s *Service) Address() string { return "http://" + s.o.Listener.Addr().String() }

// Failed brings the error that ended the pages, should one.
func (s *Service) Failed() <-chan error { return s.failed }

func (s *Service) waited(w sources.Wait) {
	s.prober.Waited(w)
	s.metrics.Waited(w)
}

func (s *Service) allReaders() map[string]*sources.Reader {
	s.mu.Lock()
	readers := s.readers
	s.mu.Unlock()
	return readers.All()
}

// drainWithin is how long work under way may take to reach a place where it can
// be left: a page read, and its cursor kept.
const drainWithin = 20 * time.Second

// Stop begins no new work, lets the pages under way be read and kept, ends the
// serving and gives everything back, within 25 s. Further calls return the same.
func (s *Service) Stop() error {
	s.stop.Do(func() {
		s.end()
		s.events.Close()
		drained := s.stopAuditor()
		s.running.Wait()
		s.stopped = errors.Join(drained, s.release())
	})
	return s.stopped
}

func (s *Service) stopAuditor() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainWithin)
	defer cancel()
	if err := s.auditor.Stop(ctx); err != nil {
		return fmt.Errorf("stop the auditor: %w", err)
	}
	return nil
}

// release closes what was opened, in reverse.
func (s *Service) release() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	if s.readers != nil {
		for _, r := range append(s.retired, s.readers) {
			errs = append(errs, r.Close())
		}
	}
	if s.ledger != nil {
		if err := s.ledger.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close the ledger: %w", err))
		}
	}
	return errors.Join(errs...)
}
