package service

import (
	"log/slog"
	"sync"
	"time"

	"plumbline/drift"
	"plumbline/sources"
)

// sayAgain is how long after a pause of a source was logged one of the same cause
// is logged again: reading waits in short pieces.
const sayAgain = time.Minute

// waitLog logs pauses for the load of a source, and sources that are left alone.
// Waiting for the rate and reading again are no news. It is safe for many goroutines.
type waitLog struct {
	log  *slog.Logger
	mu   sync.Mutex
	said map[[2]string]time.Time
}

func (l *waitLog) waited(w sources.Wait) {
	switch w.Cause {
	case sources.WaitLag, sources.WaitActive, sources.WaitCircuit:
	default:
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	id, now := [2]string{w.Source, w.Cause}, time.Now()
	if w.Cause != sources.WaitCircuit && now.Sub(l.said[id]) < sayAgain {
		return
	}
	if l.said == nil {
		l.said = map[[2]string]time.Time{}
	}
	l.said[id] = now
	l.log.Info("reading waits", "source", w.Source, "cause", w.Cause, "reason", drift.Keyless(w.Reason))
}
