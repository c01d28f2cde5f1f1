package auditor

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"plumbline/checks"
	"plumbline/ledger"
	"plumbline/sources"
)

// opened is an edge that is ready to be read, with what is heard of its pauses.
type opened struct {
	audit *checks.Audit
	book  *book
	at    time.Time
	waits waits
}

// open opens an edge for a run, or for what is no run's: nil. Of a run that several
// jobs work on, whoever comes within a minute finds it open: the stores are not
// asked for each job what they declare.
func (a *Auditor) open(ctx context.Context, b *book, edge ledger.EdgeFacts, run *ledger.Run) (*opened, error) {
	options := checks.Options{Findings: edge.Check.Findings, Segments: a.options.Segments}
	if run != nil {
		if known := a.audits.find(run.ID, b, a.now()); known != nil {
			return known, nil
		}
		options.Sample, options.Since = &run.Sample, run.Asked.Since
	}
	if err := a.shaped(ctx, edge, run, &options); err != nil {
		return nil, err
	}
	o := &opened{book: b, at: a.now(), waits: waits{show: func(text string) string { return shownText(edge, text) }}}
	audit, err := checks.Open(ctx, edge.Check, edge.I, func(name string) (*sources.Reader, error) {
		reader, err := b.readers(name)
		if err != nil {
			return nil, err
		}
		return reader.Heard(o.waits.add).Patient(patience), nil
	}, options)
	if err != nil {
		return nil, err
	}
	o.audit = audit
	if run != nil {
		a.audits.keep(run.ID, o)
	}
	return o, nil
}

// shift is what a worker brings to an edge that is open.
func (a *Auditor) shift(b *book, edge ledger.EdgeFacts, o *opened) *Shift {
	return &Shift{Ledger: a.ledger, Audit: o.audit, Edge: edge, Worker: a.me, Now: a.now, Stop: b.closed, Bounds: a.options.Bounds, Waits: o.waits.take}
}

// audits are edges that are open for runs.
type audits struct {
	mu    sync.Mutex
	byRun map[string]*opened
}

const (
	auditsKept = 256
	auditsFor  = time.Minute
)

func (k *audits) find(run string, b *book, now time.Time) *opened {
	k.mu.Lock()
	defer k.mu.Unlock()
	o := k.byRun[run]
	if o == nil || o.book != b || now.Sub(o.at) > auditsFor || now.Before(o.at) {
		delete(k.byRun, run)
		return nil
	}
	return o
}

func (k *audits) keep(run string, o *opened) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byRun == nil || len(k.byRun) >= auditsKept {
		k.byRun = map[string]*opened{}
	}
	k.byRun[run] = o
}

func (k *audits) forget(run string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.byRun, run)
}

// samePlan says why a run cannot be read on as it was planned; "" when it can.
func samePlan(planned, now checks.Plan) string {
	if planned.Kind == now.Kind && slices.Equal(planned.Passes, now.Passes) && (planned.Sampled == "") == (now.Sampled == "") {
		return ""
	}
	return fmt.Sprintf("what the stores declare changed while the run went on: planned was %q, and now it would be %q", planned.Words(), now.Words())
}

// waits gathers pauses by reason.
type waits struct {
	show func(string) string // a reason, which may be a store's own words, as it may be kept

	mu     sync.Mutex
	known  map[string]bool // the reasons so far
	millis map[string]int64
}

// reasonsKept bounds how many different reasons are told apart.
const reasonsKept = 20

func (w *waits) add(pause sources.Wait) {
	reason := pause.Source + ": " + w.show(pause.Reason)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.millis == nil {
		w.millis = map[string]int64{}
	}
	if w.known == nil {
		w.known = map[string]bool{}
	}
	if !w.known[reason] && len(w.known) >= reasonsKept {
		reason = pause.Source + ": other reasons"
	}
	w.known[reason] = true
	w.millis[reason] += pause.For.Milliseconds()
}

func (w *waits) take() map[string]int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.millis
	w.millis = nil
	return taken
}

// PanicError is a panic in a rule or an adapter: it ends the work it happened
// in, and nothing else.
type PanicError struct {
	Value any
	Stack []byte
}

// Error says what it was about without the data that its words may hold.
func (e *PanicError) Error() string { return "broke down: " + sources.PanicWords(e.Value) }

// contained makes a panic of do an error.
func contained(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{Value: p, Stack: debug.Stack()}
		}
	}()
	return do()
}
