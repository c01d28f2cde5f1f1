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

	"plumbline/alerts"
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
	// Listen is where pages and API are served: a host and a port. Where others
	// could reach it and there are no accounts, 127.0.0.1 takes the host's place.
	Listen string
	// Listener, where it is not nil, is listened on already; the Service closes it.
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
	waits   *waitLog
	desk    *auditor.Desk
	// entrance is what is to be said of where it listens.
	entrance entrance

	inForce atomic.Pointer[inForce]
	telling atomic.Pointer[telling]
	readers atomic.Pointer[Readers] // of the configuration in force

	mu      sync.Mutex // held while a configuration is taken over
	retired []*Readers // of earlier configurations, perhaps not yet closed
	silent  bool       // nothing is told any more

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
	policies alerts.Policies
}

// Start opens the ledger and begins to work and to serve. ctx bounds the start
// alone. What was opened is closed again where it fails, the listener too.
func Start(ctx context.Context, o Options) (*Service, error) {
	s := &Service{o: o, events: web.NewEvents(), metrics: web.NewMetrics(o.Version),
		waits: &waitLog{log: o.Log}, entrance: entrance{pages: o.Listener}, failed: make(chan error, 1)}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.entrance.close(), s.release())
	}
	return s, nil
}

func (s *Service) start(ctx context.Context) (err error) {
	config := s.o.Config
	if s.o.Listener == nil { // before anything is made
		if _, _, err := divide(s.o.Listen); err != nil {
			return err
		}
	}
	if s.ledger, err = ledger.Open(ctx, config.Ledger.Reveal(), s.ledgerOptions()); err != nil {
		return fmt.Errorf("open the ledger %s: %w", ledgerName(config), err)
	}
	if s.entrance, err = enter(ctx, s.o, s.ledger); err != nil {
		return err
	}
	if err := s.warnOfOthers(ctx); err != nil {
		return err
	}
	s.prober = web.NewProber(web.ProberOptions{Sources: s.allReaders, Every: s.o.ProbeEvery, Changed: s.changed, Scrub: s.o.Scrub})
	s.readers.Store(NewReaders(config.Sources, ReaderOptions{OnWait: s.waited, OnQuery: s.metrics.Queried}))
	s.take(config, time.Now())
	lens := drift.Lens{Masker: drift.NewMasker(s.ledger.MaskKey()), Scrub: s.o.Scrub}
	if s.auditor, err = s.startAuditor(ctx, lens); err != nil {
		return err
	}
	s.desk = auditor.NewDesk(s.ledger, s.auditor, time.Now)
	shown := web.Options{Ledger: s.ledger, Auditor: s.auditor, Desk: s.desk, Slack: s.slackHandler(), PublicURL: config.Server.PublicURL,
		TrustedProxies: config.Server.TrustedProxies, Declared: s.Declared, Sources: s.prober.States,
		Metrics: s.metrics, Events: s.events, Lens: lens, Version: s.o.Version, Log: s.o.Log}
	server, err := web.New(shown)
	if err != nil {
		return errors.Join(fmt.Errorf("prepare the pages: %w", err), s.stopAuditor())
	}
	beside, end := context.WithCancel(context.WithoutCancel(ctx))
	s.end = end
	s.running.Go(func() {
		s.serve(beside, func(ctx context.Context) error { return server.Serve(ctx, s.entrance.pages) })
	})
	if s.entrance.metrics != nil {
		handler := web.MetricsHandler(shown)
		s.running.Go(func() {
			s.serve(beside, func(ctx context.Context) error { return serveMetrics(ctx, s.entrance.metrics, handler) })
		})
	}
	s.retell(ctx, config)
	for _, loop := range []func(context.Context){s.prober.Run, s.watchConfig, s.sealAudit, s.sendDigests} {
		s.running.Go(func() { loop(beside) })
	}
	return nil
}

// serve answers until ctx ends, and says where it ended before.
func (s *Service) serve(ctx context.Context, answer func(context.Context) error) {
	if err := answer(ctx); err != nil {
		select {
		case s.failed <- err:
		default: // what ended first is told
		}
	}
}

func (s *Service) ledgerOptions() ledger.Options {
	o := LedgerOptions(s.o.Config)
	o.Watch, o.Policies = s.changed, s.policies
	return o
}

// LedgerOptions are what everybody who opens a configuration's ledger must know of it.
func LedgerOptions(config *configs.Config) (o ledger.Options) {
	if key := config.Access.AuditKey.Reveal(); key != "" {
		o.AuditKey = []byte(key)
	}
	if key := config.Access.DataKey.Reveal(); key != "" {
		o.DataKey = []byte(key)
	}
	return o
}

// changed hears of what changes in the ledger.
func (s *Service) changed(c ledger.Change) {
	s.events.Publish(c)
	s.wakeTellers(c)
	if s.o.Watch != nil {
		s.o.Watch(c)
	}
}

func (s *Service) startAuditor(ctx context.Context, lens drift.Lens) (*auditor.Auditor, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("learn this machine's name: %w", err)
	}
	now := s.inForce.Load()
	process := ledger.Process{ID: rand.Text(), Host: host, PID: os.Getpid(), Version: s.o.Version,
		Listen: s.entrance.pages.Addr().String(), StartedAt: time.Now()}
	a, err := auditor.Start(ctx, auditor.Options{Ledger: s.ledger, Checks: Checks(now.config, s.ledger.MaskKey()), Hash: now.hash,
		Readers: s.readers.Load().Find, Lens: lens, Process: process, Workers: s.o.Workers, Log: s.o.Log, Observer: s.metrics,
		Fixing: NewFixing(s.Config)})
	if err != nil {
		return nil, fmt.Errorf("start the auditor: %w", err)
	}
	return a, nil
}

// take makes a configuration the one in force.
func (s *Service) take(config *configs.Config, at time.Time) {
	declared := Declare(config, at)
	s.metrics.Declare(declared)
	s.inForce.Store(&inForce{config: config, hash: config.Hash(s.ledger.MaskKey()), declared: declared, policies: config.Policies()})
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
func (s *Service) Address() string { return "http://" + s.entrance.pages.Addr().String() }

// Said are lines about where it listens, for whoever started it: one may hold
// the code that makes the first account, so they belong into no log.
func (s *Service) Said() []string { return s.entrance.said }

// Failed brings the error that ended the pages, should one.
func (s *Service) Failed() <-chan error { return s.failed }

func (s *Service) waited(w sources.Wait) {
	s.prober.Waited(w)
	s.metrics.Waited(w)
	s.waits.waited(w)
}

func (s *Service) allReaders() map[string]*sources.Reader { return s.readers.Load().All() }

// drainWithin is how long work under way may take to reach a place where it can
// be left: a page read, and its cursor kept.
const drainWithin = 20 * time.Second

// Stop begins no new work, lets the pages under way be read and kept, ends the
// serving and gives everything back, within 25 s. Further calls return the same.
func (s *Service) Stop() error {
	s.stop.Do(func() {
		s.end()
		s.events.Close()
		s.running.Go(s.stopTelling)
		drained := s.stopAuditor()
		s.running.Wait()
		s.stopped = errors.Join(drained, s.sealLast(), s.release())
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
	if readers := s.readers.Load(); readers != nil {
		for _, r := range append(s.retired, readers) {
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
