package web

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"plumbline/access"
)

// healthBody is what /livez and /readyz say.
type healthBody struct {
	Status string `json:"status"` // ok | not ready
	// Reason says why not, and Notes what is wrong without making the process unready.
	Reason string   `json:"reason,omitempty"`
	Notes  []string `json:"notes,omitempty"`
}

// health answers whoever keeps processes running. A source that is down is no
// fault of ours: sending requests elsewhere would not mend it.
type health struct {
	Options
	mu     sync.Mutex
	asked  time.Time
	answer error
}

// serveHealth adds /livez and /readyz.
func serveHealth(routes *routes, o Options) {
	h := &health{Options: o.withDefaults()}
	routes.reads("/livez", access.Public, func(c *gin.Context) { c.PureJSON(http.StatusOK, healthBody{Status: "ok"}) })
	routes.reads("/readyz", access.Public, h.ready)
}

const (
	// readyFor is how long an answer of the ledger stands, so that whoever asks
	// often does not write often.
	readyFor = time.Second
	// readyWithin is how long the ledger may take.
	readyWithin = 2 * time.Second
)

func (h *health) ready(c *gin.Context) {
	declared := h.Declared()
	body, detail := healthBody{Status: "ok"}, ""
	if declared.LastReloadError != "" {
		body.Notes = append(body.Notes, "the configuration was changed and refused, the one before stays in force: "+h.Lens.Scrub(declared.LastReloadError))
	}
	body.Notes = append(body.Notes, declared.Notices...)
	switch err := h.ping(c.Request.Context()); {
	case err != nil:
		body.Status, body.Reason = "not ready", "the ledger cannot be written"
		detail = h.Lens.Scrub(err.Error())
	case declared.LoadedAt.IsZero():
		body.Status, body.Reason = "not ready", "no configuration has been read yet"
	}
	if !access.ActorOf(c.Request.Context()).May(access.View) { // a probe needs no more than the status
		body.Notes = nil
	} else if detail != "" {
		body.Reason += ": " + detail
	}
	if body.Reason != "" {
		c.PureJSON(http.StatusServiceUnavailable, body)
		return
	}
	c.PureJSON(http.StatusOK, body)
}

// ping asks the ledger, or gives its last answer where that is fresh.
func (h *health) ping(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := h.Now(); now.Sub(h.asked) >= readyFor || now.Before(h.asked) {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyWithin)
		defer cancel()
		h.answer = h.Ledger.Ping(bounded)
		h.asked = now
	}
	return h.answer
}
