package slacktest

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Fault is what goes wrong with a request.
type Fault string

// The faults.
const (
	None        Fault = ""
	TooMany     Fault = "429"            // refused, with Retry-After
	Broken      Fault = "500"            // not done, and a page of HTML
	BrokenDone  Fault = "500 after it"   // done all the same
	Internal    Fault = "internal_error" // ok:false; Slack says that some of it may be done: not done
	InternalDid Fault = "internal_error, done"
	LostBefore  Fault = "lost before" // the connection is cut, nothing done
	LostAfter   Fault = "lost after"  // done, and the connection is cut
	Cut         Fault = "cut"         // done, and half an answer
	Hang        Fault = "hangs"       // done, and no answer until the caller gives up
)

// Faults says how often which goes wrong.
type Faults struct {
	Share float64 // of the requests of Methods
	Seed  uint64  // 0 is one of chance
	// Kinds are the faults, each as likely; nil is all but Hang.
	Kinds []Fault
	// Methods are those that break; nil is all that write.
	Methods []string
	// RetryAfter is what a 429 asks for; 0 is 2 s.
	RetryAfter time.Duration
}

type faults struct {
	Faults
	seed   uint64
	mu     sync.Mutex
	random *rand.Rand
	script map[string][]Fault
	refuse map[string][]string
	// until is when a 429's Retry-After has passed, by method.
	until map[string]time.Time
}

func newFaults(f Faults) *faults {
	if f.Seed == 0 {
		f.Seed = rand.Uint64()
	}
	if f.Kinds == nil {
		f.Kinds = []Fault{TooMany, Broken, BrokenDone, Internal, InternalDid, LostBefore, LostAfter, Cut}
	}
	if f.Methods == nil {
		f.Methods = []string{"chat.postMessage", "chat.update", "chat.postEphemeral"}
	}
	if f.RetryAfter == 0 {
		f.RetryAfter = 2 * time.Second
	}
	return &faults{
		Faults: f, seed: f.Seed, random: rand.New(rand.NewPCG(f.Seed, 0)),
		script: map[string][]Fault{}, refuse: map[string][]string{}, until: map[string]time.Time{},
	}
}

// Script sets what the next requests of a method meet, one after the other; those
// after them meet what chance has for them.
func (s *Server) Script(method string, list ...Fault) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.script[method] = append(s.faults.script[method], list...)
}

// Refuse sets the errors that the next requests of a method are answered with.
func (s *Server) Refuse(method string, codes ...string) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.refuse[method] = append(s.faults.refuse[method], codes...)
}

// Break sets the share of requests that go wrong from now on: 1 is an outage.
func (s *Server) Break(share float64, kinds ...Fault) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.Share = share
	if len(kinds) > 0 {
		s.faults.Kinds = kinds
	}
}

// next says what a request meets: a fault, or an error to refuse it with.
func (f *faults) next(method string) (Fault, string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if list := f.refuse[method]; len(list) > 0 {
		f.refuse[method] = list[1:]
		return None, list[0]
	}
	if list := f.script[method]; len(list) > 0 {
		f.script[method] = list[1:]
		return list[0], ""
	}
	if f.Share > 0 && slices.Contains(f.Methods, method) && f.random.Float64() < f.Share {
		return f.Kinds[f.random.IntN(len(f.Kinds))], ""
	}
	return None, ""
}

// limited begins a pause after a 429, and early says whether one is broken.
func (f *faults) limited(method string, now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.until[method] = now.Add(f.RetryAfter)
	return f.RetryAfter
}

func (f *faults) early(method string, now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.until[method].Sub(now)
}
