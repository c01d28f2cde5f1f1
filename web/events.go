package web

import (
	"sync"

	"plumbline/ledger"
)

// Events tells whoever listens what changed in the ledger. Publish is what
// ledger.Options.Watch wants. It is safe for many goroutines.
type Events struct {
	mu        sync.Mutex
	listeners map[*listener]struct{}
	closed    bool
}

// NewEvents makes an Events that nobody listens to yet.
func NewEvents() *Events { return &Events{listeners: map[*listener]struct{}{}} }

// mostListeners bounds how many listen at once: each is a connection that stays.
const mostListeners = 256

// mostPending is how many different changes a listener is told of at once. More
// are told as one change of the topic "many".
const mostPending = 100

// listener holds what one reader has not been told yet, each change once.
type listener struct {
	pending []ledger.Change
	known   map[ledger.Change]struct{}
	wake    chan struct{} // holds one where something is pending; closed with the Events
}

// Publish tells a change to all who listen. It never waits for them.
func (e *Events) Publish(c ledger.Change) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	for l := range e.listeners {
		l.add(c)
	}
}

func (l *listener) add(c ledger.Change) {
	if _, told := l.known[c]; told {
		return
	}
	if len(l.pending) >= mostPending {
		c = ledger.Change{Topic: "many"}
		l.pending, l.known = l.pending[:0], map[ledger.Change]struct{}{}
	}
	if _, many := l.known[ledger.Change{Topic: "many"}]; many {
		return
	}
	l.pending = append(l.pending, c)
	l.known[c] = struct{}{}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// listen begins to listen; ok is false where too many do already or the process ends.
func (e *Events) listen() (l *listener, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || len(e.listeners) >= mostListeners {
		return nil, false
	}
	l = &listener{known: map[ledger.Change]struct{}{}, wake: make(chan struct{}, 1)}
	e.listeners[l] = struct{}{}
	return l, true
}

// leave ends listening.
func (e *Events) leave(l *listener) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.listeners, l)
}

// take returns what l has not been told yet, in the order it came.
func (e *Events) take(l *listener) []ledger.Change {
	e.mu.Lock()
	defer e.mu.Unlock()
	taken := append([]ledger.Change(nil), l.pending...)
	l.pending, l.known = l.pending[:0], map[ledger.Change]struct{}{}
	return taken
}

// Close ends every stream, so that the server need not wait for its readers.
func (e *Events) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	e.closed = true
	for l := range e.listeners {
		close(l.wake)
		delete(e.listeners, l)
	}
}
