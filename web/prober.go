package web

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"plumbline/ledger"
	"plumbline/sources"
)

// ProberOptions say what a Prober asks.
type ProberOptions struct {
	// Sources are the readers of the configuration in force, by name; they are
	// asked for before each round.
	Sources func() map[string]*sources.Reader
	// Every is how long a source is left alone between two probes; 0 means 30 s.
	Every time.Duration
	// Changed hears when a source begins or ceases to answer; nil is nobody.
	Changed func(ledger.Change)
	// Scrub takes secrets out of what stores and drivers say; nil takes none.
	Scrub func(string) string
	Now   func() time.Time // default time.Now
}

// Prober asks each source now and then whether it answers and who it is, and
// remembers that for the page of sources. It is safe for many goroutines.
type Prober struct {
	o ProberOptions

	mu     sync.Mutex
	states map[string]*SourceState
	day    time.Time // that Today is of
}

// NewProber makes a Prober that has asked nobody yet.
func NewProber(o ProberOptions) *Prober {
	if o.Every == 0 {
		o.Every = 30 * time.Second
	}
	if o.Scrub == nil {
		o.Scrub = func(text string) string { return text }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Prober{o: o, states: map[string]*SourceState{}}
}

// probeWithin bounds one probe: a store that takes longer does not answer.
const probeWithin = 10 * time.Second

// Run probes all sources side by side, round after round, until ctx ends.
func (p *Prober) Run(ctx context.Context) {
	tick := time.NewTicker(p.o.Every)
	defer tick.Stop()
	for {
		p.Round(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Round probes every source once and forgets those no longer declared.
func (p *Prober) Round(ctx context.Context) {
	readers := p.o.Sources()
	p.mu.Lock()
	maps.DeleteFunc(p.states, func(name string, _ *SourceState) bool { return readers[name] == nil })
	p.mu.Unlock()
	var round sync.WaitGroup
	for _, name := range slices.Sorted(maps.Keys(readers)) {
		round.Go(func() { p.probe(ctx, name, readers[name]) })
	}
	round.Wait()
}

func (p *Prober) probe(ctx context.Context, name string, reader *sources.Reader) {
	bounded, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	facts, took, err := reader.Probe(bounded)
	if ctx.Err() != nil {
		return
	}
	for i := range facts.Notes {
		facts.Notes[i] = p.o.Scrub(facts.Notes[i])
	}
	state, why := SourceUp, ""
	if err != nil {
		state, why = SourceDown, p.o.Scrub(err.Error())
	}
	if err == nil { // who waits for the load to fall asks oftener
		reader.Gauged(bounded)
	}
	p.mu.Lock()
	s, now := p.of(name), p.o.Now()
	changed := s.State != state
	if changed {
		s.State, s.Since = state, now
	}
	s.ProbedAt, s.Why, s.Latency = now, why, took
	if err == nil { // what it was stays known while it is away
		s.Facts = facts
	}
	p.mu.Unlock()
	if changed && p.o.Changed != nil {
		p.o.Changed(ledger.Change{Topic: "source"})
	}
}

// Waited adds a pause that a reader made.
func (p *Prober) Waited(w sources.Wait) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turnDay()
	s := p.of(w.Source)
	s.Waited[w.Cause] += w.For
	s.Today[w.Cause] += w.For
}

// turnDay forgets what is not of today; p is locked.
func (p *Prober) turnDay() {
	today := p.o.Now().UTC().Truncate(24 * time.Hour)
	if today.Equal(p.day) {
		return
	}
	p.day = today
	for _, s := range p.states {
		s.Today = map[string]time.Duration{}
	}
}

// of is the state of a source; p is locked.
func (p *Prober) of(name string) *SourceState {
	s := p.states[name]
	if s == nil {
		s = &SourceState{Name: name, State: SourceUnknown, Waited: map[string]time.Duration{}, Today: map[string]time.Duration{}}
		p.states[name] = s
	}
	return s
}

// States is what is known of each source, by name.
func (p *Prober) States() map[string]SourceState {
	readers := p.o.Sources()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turnDay()
	all := make(map[string]SourceState, len(p.states))
	for name, s := range p.states {
		one := *s
		one.Waited, one.Today = maps.Clone(s.Waited), maps.Clone(s.Today)
		if reader := readers[name]; reader != nil {
			one.InUse = reader.InUse()
			p.burden(&one, reader)
		}
		all[name] = one
	}
	return all
}

// burden adds what a reader knows of its source's load, and of its failures: a
// source that is left alone does not answer reads, even where it answers us.
func (p *Prober) burden(s *SourceState, reader *sources.Reader) {
	load := reader.Load()
	if load.LagKnown {
		s.Lag = &load.Lag
	}
	if load.ActiveKnown || load.Active > 0 {
		s.Active = &load.Active
	}
	if load.Note != "" {
		s.Facts.Notes = append(slices.Clone(s.Facts.Notes), p.o.Scrub(load.Note))
	}
	if p.o.Now().Sub(load.At) < 2*p.o.Every { // nobody may have asked since
		s.Throttled, s.ThrottledSince = load.Reason, load.Since
	}
	if open := reader.Circuit(); open != nil {
		s.State, s.Since, s.Why = SourceDown, open.Since, p.o.Scrub(open.Error())
	}
}
