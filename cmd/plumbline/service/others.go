package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// AliveFor is how old the last sign of life of a process may be.
const AliveFor = 30 * time.Second

// warnOfOthers says so where another process serves the same SQLite ledger: a
// file has one writer, and is for one process.
func (s *Service) warnOfOthers(ctx context.Context) error {
	if s.ledger.Engine() != "sqlite" {
		return nil
	}
	processes, err := s.ledger.Processes(ctx)
	if err != nil {
		return fmt.Errorf("look for other processes: %w", err)
	}
	here, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("learn this machine's name: %w", err)
	}
	for i := range processes {
		p := &processes[i]
		if p.Host != here || p.PID == os.Getpid() || time.Since(p.Heartbeat) > AliveFor || errors.Is(syscall.Kill(p.PID, 0), syscall.ESRCH) {
			continue
		}
		s.entrance.say(s.o, fmt.Sprintf("process %d serves the same SQLite ledger: end one of them, or keep the ledger in PostgreSQL, which many may share", p.PID))
		return nil
	}
	return nil
}
