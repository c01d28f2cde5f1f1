package service

import (
	"context"
	"fmt"
	"strings"
	"time"

	"plumbline/ledger"
)

const (
	// lookEvery is how often the configuration is looked at. A change is taken up
	// once its files have held still for that long, since a half-written file may
	// read well.
	lookEvery = 2 * time.Second
	// retireAfter is when the readers of an earlier configuration are closed. The
	// auditor has let go of them by then, and no probe lasts that long.
	retireAfter = 15 * time.Second
	// mostProblems is how many problems of a configuration a page is told.
	mostProblems = 5
)

// watchConfig takes over what the configuration becomes, until ctx ends.
func (s *Service) watchConfig(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for read, last := s.o.Stamp(), ""; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		stamp := s.o.Stamp()
		if stamp != read && stamp == last && s.Reload(ctx) {
			read = stamp
		}
		last = stamp
	}
}

// Reload reads the configuration again and acts by it from now on. One that is
// broken is logged and shown, and the last good one is kept. settled is false
// where trying again may help, since the ledger could not be told.
func (s *Service) Reload(ctx context.Context) (settled bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	config, err := s.o.Load()
	if err != nil {
		s.refuse(fmt.Errorf("read the configuration: %w", err))
		return true
	}
	before := s.inForce.Load()
	if config.Ledger != before.config.Ledger || config.Access != before.config.Access || !config.Server.Equal(before.config.Server) {
		s.o.Log.Warn("ledger, server and access are taken over when plumbline is started again")
		config.Ledger, config.Server, config.Access = before.config.Ledger, before.config.Server, before.config.Access
	}
	hash := config.Hash(s.ledger.MaskKey())
	if hash != before.hash {
		readers := s.readers.Load().Next(config.Sources)
		if err := s.auditor.Reload(ctx, Checks(config, s.ledger.MaskKey()), hash, readers.Find); err != nil {
			s.refuse(fmt.Errorf("take over the configuration: %w", err))
			return false
		}
		s.retire(s.readers.Swap(readers))
	}
	s.take(config, time.Now())
	s.retell(ctx, config)
	s.o.Log.Info("configuration read", "checks", len(config.Checks), "sources", len(config.Sources), "changed", hash != before.hash)
	s.events.Publish(ledger.Change{Topic: "config"})
	return true
}

// refuse keeps the configuration in force and says why.
func (s *Service) refuse(err error) {
	s.o.Log.Error("the last good configuration is kept", "error", err)
	before := s.inForce.Load()
	declared := *before.declared
	lines := strings.Split(s.o.Scrub(err.Error()), "\n")
	if n := len(lines) - mostProblems; n > 0 {
		lines = append(lines[:mostProblems], fmt.Sprintf("and %d more; plumbline validate lists them all", n))
	}
	declared.LastReloadError = strings.Join(lines, "\n")
	s.inForce.Store(&inForce{config: before.config, hash: before.hash, declared: &declared, policies: before.policies})
	s.events.Publish(ledger.Change{Topic: "config"})
}

// retire closes readers that the auditor has let go of. s is locked.
func (s *Service) retire(old *Readers) {
	s.retired = append(s.retired, old)
	time.AfterFunc(retireAfter, func() {
		if err := old.Close(); err != nil {
			s.o.Log.Warn("close the sources of an earlier configuration", "error", err)
		}
	})
}
