package web

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"plumbline/access"
	"plumbline/ledger"
)

// glance is what every page tells of the ledger, read once in a while for all.
type glance[T any] struct {
	mu   sync.Mutex
	at   time.Time
	last T
}

// look is the last answer where it is younger than lasts, and else what read
// says now; where that fails, it is the last answer still.
func (g *glance[T]) look(now time.Time, lasts time.Duration, read func() (T, error)) T {
	g.mu.Lock()
	defer g.mu.Unlock()
	if age := now.Sub(g.at); age >= 0 && age < lasts {
		return g.last
	}
	if fresh, err := read(); err == nil {
		g.at, g.last = now, fresh
	}
	return g.last
}

// forget lets the next look read: what it is about was just changed here.
func (g *glance[T]) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at = time.Time{}
}

// outletsFor is how long what the outlets said stands on other pages than theirs.
const outletsFor = 5 * time.Second

// undelivered say, to those who can do something about it, where people cannot be told.
func (s *Server) undelivered(c *gin.Context) []notice {
	ctx := c.Request.Context()
	if s.ledger.Ledger == nil || !access.ActorOf(ctx).May(access.Act) {
		return nil
	}
	list := outletNotices(s.outlets.look(s.o.Now(), outletsFor, func() ([]ledger.OutletState, error) { return s.ledger.Outlets(ctx) }))
	for i := range list {
		list[i].Text = s.o.Lens.Scrub(list[i].Text)
	}
	return list
}

// outletNotices are a line for each outlet that takes nothing, the first few.
func outletNotices(outlets []ledger.OutletState) []notice {
	const most = 3
	var list []notice
	whole := map[string]bool{}
	for i := range outlets {
		whole[outlets[i].Integration] = whole[outlets[i].Integration] || outlets[i].Address == "" && outlets[i].Error != ""
	}
	// Where nothing is taken at all, that is said once.
	refusing := slices.DeleteFunc(slices.Clone(outlets), func(o ledger.OutletState) bool { return o.Error == "" || o.Address != "" && whole[o.Integration] })
	for i := range refusing[:min(most, len(refusing))] {
		o := &refusing[i]
		text := targetWords(o.Integration, "") + " takes no messages"
		if o.Address != "" {
			text += " to " + o.Address
		}
		text += ": " + strings.TrimSuffix(o.Error, ".") + "."
		if o.Queue > 0 {
			text += " " + several(o.Queue, "message waits.", "messages wait.")
		}
		list = append(list, notice{"warn", "warn", text})
	}
	if more := len(refusing) - most; more > 0 {
		list = append(list, notice{"warn", "warn", several(int64(more), "more target takes", "more targets take") + " no messages."})
	}
	return list
}

// openIncidents are the incidents that are open, counted once a second at most:
// every page shows them.
func (s *Server) openIncidents(ctx context.Context) ledger.IncidentCounts {
	return s.incidents.look(s.o.Now(), openFor, func() (ledger.IncidentCounts, error) { return s.ledger.OpenIncidents(ctx) })
}
