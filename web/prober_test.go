package web_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"plumbline/ledger"
	"plumbline/sources"
	"plumbline/web"
)

// asked is a source that only says how it is.
type asked struct {
	sources.Source
	err   atomic.Pointer[error]
	hangs bool
}

func (a *asked) Probe(ctx context.Context) (sources.Facts, error) {
	if a.hangs {
		<-ctx.Done()
		return sources.Facts{}, ctx.Err()
	}
	if err := a.err.Load(); err != nil {
		return sources.Facts{}, *err
	}
	return sources.Facts{Product: "SQLite", Version: "3", CanWrite: true, Notes: []string{"hunter2 is its password"}}, nil
}

func readersOf(stores map[string]*asked) map[string]*sources.Reader {
	readers := map[string]*sources.Reader{}
	for name, source := range stores {
		readers[name] = sources.NewReader(name, source, sources.Limits{}, nil)
	}
	return readers
}

func TestProber(t *testing.T) {
	t.Parallel()
	shop := &asked{}
	readers := readersOf(map[string]*asked{"shop": shop, "basket": {}})
	now := time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)
	var changes atomic.Int32
	p := web.NewProber(web.ProberOptions{Sources: func() map[string]*sources.Reader { return readers }, Now: func() time.Time { return now },
		Changed: func(c ledger.Change) {
			if c.Topic == "source" {
				changes.Add(1)
			}
		}, Scrub: func(s string) string { return strings.ReplaceAll(s, "hunter2", "***") }})
	p.Waited(sources.Wait{Source: "shop", Cause: sources.WaitRate, For: time.Second})
	p.Waited(sources.Wait{Source: "shop", Cause: sources.WaitRate, For: time.Second})
	if s := p.States()["shop"]; s.State != web.SourceUnknown || s.Waited[sources.WaitRate] != 2*time.Second {
		t.Errorf("before it was asked: %+v", s)
	}
	if s := p.States()["shop"]; s.Today[sources.WaitRate] != 2*time.Second {
		t.Errorf("today: %+v", s)
	}
	now = now.Add(24 * time.Hour)
	if s := p.States()["shop"]; len(s.Today) > 0 || s.Waited[sources.WaitRate] != 2*time.Second {
		t.Errorf("a day later: %+v", s)
	}
	p.Round(t.Context())
	began := now
	if s := p.States()["shop"]; s.State != web.SourceUp || !s.Since.Equal(began) || !s.Facts.CanWrite || s.Facts.Notes[0] != "*** is its password" || s.Why != "" {
		t.Errorf("up: %+v", s)
	}

	now = now.Add(30 * time.Second)
	down := errors.New("hunter2 refused")
	shop.err.Store(&down)
	p.Round(t.Context())
	s := p.States()["shop"]
	if s.State != web.SourceDown || !s.Since.Equal(now) || !strings.Contains(s.Why, "*** refused") || s.Facts.Product != "SQLite" {
		t.Errorf("down: %+v", s)
	}
	if other := p.States()["basket"]; other.State != web.SourceUp || !other.Since.Equal(began) || !other.ProbedAt.Equal(now) {
		t.Errorf("the other: %+v", other)
	}
	now = now.Add(30 * time.Second)
	p.Round(t.Context())
	if again := p.States()["shop"]; !again.Since.Equal(s.Since) || !again.ProbedAt.Equal(now) {
		t.Errorf("still down: %+v", again)
	}
	shop.err.Store(nil)
	p.Round(t.Context())
	if n := changes.Load(); n != 4 {
		t.Errorf("heard of %d changes, want 4: both up, one down, one up", n)
	}
	delete(readers, "shop")
	p.Round(t.Context())
	if _, known := p.States()["shop"]; known {
		t.Error("what is no longer declared is still known")
	}
}

// One source that hangs keeps nobody from asking the others, and the end of the
// process is no fault of its.
func TestProberWaitsForNobody(t *testing.T) {
	t.Parallel()
	readers := readersOf(map[string]*asked{"slow": {hangs: true}, "shop": {}})
	p := web.NewProber(web.ProberOptions{Sources: func() map[string]*sources.Reader { return readers }})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		p.Run(ctx)
		close(ended)
	}()
	for deadline := time.Now().Add(10 * time.Second); p.States()["shop"].State != web.SourceUp; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the other source was never asked")
		}
	}
	cancel()
	<-ended
	if s, known := p.States()["slow"]; known && s.State == web.SourceDown {
		t.Errorf("it is taken for down: %+v", s)
	}
}
