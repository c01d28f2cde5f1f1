package slacktest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Channel is a channel of the workspace.
type Channel struct {
	ID, Name string
	// Private, Archived and Outside: the app is not in it.
	Private, Archived, Outside bool
}

// Options say what workspace it is. The zero value is one with the channels
// #basket and #data.
type Options struct {
	// Address is where it listens; "" is a free port of 127.0.0.1.
	Address string
	// Token, AppToken and SigningSecret are what the app must present and what
	// requests to it are signed with; there are defaults.
	Token, AppToken, SigningSecret string
	// Team is the workspace, and Bot the app's user in it.
	Team, Bot string
	Channels  []Channel
	// NoHistory: the app may not read channels.
	NoHistory bool
	// Pace is the least time between two messages in a channel, 1 s as Slack asks,
	// and Slack how much earlier one may come, since requests travel; Unpaced asks
	// for none.
	Pace, Slack time.Duration
	Unpaced     bool
	Faults      Faults
	Now         func() time.Time
}

// The defaults of Options.
const (
	Token         = "xoxb-slacktest"
	AppToken      = "xapp-slacktest"
	SigningSecret = "slacktest-signing-secret"
	Team          = "T0SLACKTEST"
	Bot           = "U0PLUMBLINE"
	App           = "A0PLUMBLINE"
	BotID         = "B0PLUMBLINE"
)

func (o Options) withDefaults() Options {
	fill := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
	fill(&o.Address, "127.0.0.1:0")
	fill(&o.Token, Token)
	fill(&o.AppToken, AppToken)
	fill(&o.SigningSecret, SigningSecret)
	fill(&o.Team, Team)
	fill(&o.Bot, Bot)
	if o.Channels == nil {
		o.Channels = []Channel{{ID: "C0000BASKET", Name: "basket"}, {ID: "C000000DATA", Name: "data"}}
	}
	if o.Pace == 0 {
		o.Pace = time.Second
	}
	if o.Slack == 0 {
		o.Slack = 400 * time.Millisecond
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Server is a Slack. Everything of it may be called from many goroutines.
type Server struct {
	o        Options
	URL      string // http://127.0.0.1:port
	http     *http.Server
	faults   *faults
	done     chan struct{}
	finished chan struct{}

	mu         sync.Mutex
	changed    chan struct{} // closed and made anew with every change
	lastStamp  int64
	messages   []*Message
	private    []Private
	requests   []Request
	violations []string
	free       map[string]time.Time // by channel: when the next message may come
	updates    []time.Time
	answers    map[string]*answerPlace
	tickets    map[string]bool
	sockets    []*socket
	closing    bool
	turn       int
}

// New starts a server; Close ends it.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	listener, err := net.Listen("tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("listen for slacktest: %w", err)
	}
	s := &Server{
		o: o, URL: "http://" + listener.Addr().String(), faults: newFaults(o.Faults),
		done: make(chan struct{}), finished: make(chan struct{}), changed: make(chan struct{}),
		free: map[string]time.Time{}, answers: map[string]*answerPlace{}, tickets: map[string]bool{},
	}
	s.http = &http.Server{Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(s.finished)
		if err := s.http.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			s.violate("serve: %v", err)
		}
	}()
	return s, nil
}

// Start starts a server that ends with the test. It logs the seed of its faults,
// and fails the test for every violation of Slack's rules unless it was told to
// expect them with Violations.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if o.Faults.Share > 0 {
		t.Logf("slacktest: faults with seed %d", s.faults.seed)
	}
	t.Cleanup(func() {
		s.Close()
		for _, v := range s.Violations() {
			t.Errorf("slacktest: %s", v)
		}
	})
	return s
}

// Close ends the server, its sockets and every answer that hangs.
func (s *Server) Close() {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return
	}
	s.closing = true
	sockets := s.sockets
	s.sockets = nil
	s.mu.Unlock()
	close(s.done)
	for _, k := range sockets {
		k.end()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		s.http.Close()
	}
	<-s.finished
}

// API is the address of the methods, as a client of Slack's is given it.
func (s *Server) API() string { return s.URL + "/api/" }

// Host is the host that answers to commands and buttons go to.
func (s *Server) Host() string { return strings.TrimPrefix(s.URL, "http://") }

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/{method}", s.serveMethod)
	mux.HandleFunc("GET /api/{method}", s.serveMethod)
	mux.HandleFunc("POST /respond/{place}", s.serveAnswer)
	mux.HandleFunc("GET /socket", s.serveSocket)
	return mux
}

// Request is one that was made of a method.
type Request struct {
	Method string
	Form   url.Values // without the token
	At     time.Time
	// Fault is what it met; Error is the word it was refused with; Done whether it
	// was carried out, whatever its answer.
	Fault Fault
	Error string
	Done  bool
}

// Requests returns what was asked, the oldest first; of all methods, or of one.
func (s *Server) Requests(method string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Request
	for _, r := range s.requests {
		if method == "" || r.Method == method {
			list = append(list, r)
		}
	}
	return list
}

// Violations returns and forgets what broke Slack's rules: messages too fast for a
// channel, requests before Retry-After had passed, texts that ping or are too long.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.violations
	s.violations = nil
	return list
}

func (s *Server) violate(format string, a ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.violations = append(s.violations, fmt.Sprintf(format, a...))
}

// change tells those who wait that something happened. mu is held.
func (s *Server) change() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Await waits until a condition holds, looking at it again with every change.
func (s *Server) Await(ctx context.Context, what string, holds func() bool) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if holds() {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, context.Cause(ctx))
		case <-changed:
		}
	}
}

// channel finds a channel by its id, or where names do by its name.
func (s *Server) channel(address string, names bool) (Channel, bool) {
	for _, c := range s.o.Channels {
		if c.ID == address || names && c.Name == strings.TrimPrefix(address, "#") {
			return c, true
		}
	}
	return Channel{}, false
}

// stamp is the next ts: unique and rising. mu is held.
func (s *Server) stamp() string {
	s.lastStamp = max(s.lastStamp+1, s.o.Now().UnixMicro())
	return fmt.Sprintf("%d.%06d", s.lastStamp/1e6, s.lastStamp%1e6)
}
