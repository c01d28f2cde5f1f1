package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"plumbline/access"
	"plumbline/ledger"
)

// keyHeader asks that a POST be done once, however often it is sent.
const keyHeader = "Idempotency-Key"

// kept is an answer as the ledger keeps it for whoever asks again.
type kept struct {
	Location    string `json:"location,omitempty"`
	ContentType string `json:"content_type"`
	Body        string `json:"body"`
}

// errNotKept undoes the claim on a key: what was asked for was not done, so it
// may be asked for again.
var errNotKept = errors.New("the answer is not kept")

// once does a POST that carries an Idempotency-Key once: sent again, it gets the
// first answer, marked Idempotency-Replayed, and nothing is done. The key counts
// together with path and body. Problems of the server are not kept.
func (a *api) once(c *gin.Context) {
	key := c.GetHeader(keyHeader)
	if key == "" || c.Request.Method != http.MethodPost || !strings.HasPrefix(c.Request.URL.Path, apiRoot) || c.FullPath() == "" {
		c.Next()
		return
	}
	if n, _ := a.routes.needOf(c); n.Permission == access.Reveal {
		writeProblem(c, newProblem(http.StatusBadRequest, "what is revealed is kept nowhere, so it takes no "+keyHeader, "ask without it: each time is written down"))
		return
	}
	if len(key) > 200 {
		writeProblem(c, newProblem(http.StatusBadRequest, keyHeader+" is longer than 200 characters", "send a shorter one, such as a UUID"))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, bodyBytes))
	if err != nil {
		writeProblem(c, newProblem(http.StatusRequestEntityTooLarge, "the request cannot be read whole: "+err.Error(), "send at most 1 MiB"))
		return
	}
	c.Request.Body = io.NopCloser(bytes.NewReader(body))
	// An answer is for whoever asked, as they were when they asked.
	actor := access.ActorOf(c.Request.Context())
	asked := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %s", actor.Account, actor.Token, actor.Role, access.ScopeWords(actor.Scopes), body))
	real := c.Writer
	held := &heldAnswer{ResponseWriter: real, header: http.Header{}}
	status, answer, replayed, err := a.Ledger.Remember(c.Request.Context(), key, "POST "+c.Request.URL.Path+" "+hex.EncodeToString(asked[:]),
		func() (int, []byte, error) {
			c.Writer = held
			defer func() { c.Writer = real }()
			c.Next()
			if held.Status() >= http.StatusInternalServerError {
				return 0, nil, errNotKept
			}
			text, err := json.Marshal(kept{held.header.Get("Location"), held.header.Get("Content-Type"), held.body.String()})
			return held.Status(), text, err
		})
	c.Writer = real
	var busy *ledger.InProgressError
	switch {
	case replayed:
		a.replay(c, status, answer)
	case held.written: // done, be it that its answer could not be kept
		if err != nil && !errors.Is(err, errNotKept) {
			a.Log.Error("keep the answer to an idempotent request", "error", a.Lens.Scrub(err.Error()))
		}
		held.release()
	case errors.As(err, &busy):
		writeProblem(c, newProblem(http.StatusConflict, "the same request is being done", "ask again in a moment: it will get the same answer"))
	default:
		var problem *Problem
		if !errors.As(a.problemOf(err), &problem) {
			problem = newProblem(http.StatusInternalServerError, "the request was not done", "try again")
		}
		writeProblem(c, problem)
	}
}

func (a *api) replay(c *gin.Context, status int, text []byte) {
	var answer kept
	if err := json.Unmarshal(text, &answer); err != nil {
		a.Log.Error("read a kept answer", "error", err)
		writeProblem(c, newProblem(http.StatusInternalServerError, "it was done, and its answer cannot be read again", "look at what it was to change"))
		return
	}
	if attempt := access.AttemptOf(c.Request.Context()); attempt != nil {
		attempt.Record() // it was, when it was done
	}
	c.Header("Idempotency-Replayed", "true")
	if answer.Location != "" {
		c.Header("Location", answer.Location)
	}
	c.Data(status, answer.ContentType, []byte(answer.Body))
	c.Abort()
}

// heldAnswer holds an answer back until it has been kept.
type heldAnswer struct {
	gin.ResponseWriter
	header  http.Header
	status  int
	body    bytes.Buffer
	written bool
}

func (h *heldAnswer) Header() http.Header { return h.header }

func (h *heldAnswer) WriteHeader(status int) { h.status, h.written = status, true }

func (h *heldAnswer) WriteHeaderNow() { h.written = true }

func (h *heldAnswer) Status() int {
	if h.status == 0 {
		return http.StatusOK
	}
	return h.status
}

func (h *heldAnswer) Size() int { return h.body.Len() }

func (h *heldAnswer) Written() bool { return h.written }

func (h *heldAnswer) Write(b []byte) (int, error) {
	h.written = true
	return h.body.Write(b)
}

func (h *heldAnswer) WriteString(s string) (int, error) { return h.Write([]byte(s)) }

func (h *heldAnswer) Flush() {}

// release sends the answer.
func (h *heldAnswer) release() {
	for name, values := range h.header {
		h.ResponseWriter.Header()[name] = values
	}
	h.ResponseWriter.WriteHeader(h.Status())
	_, _ = h.ResponseWriter.Write(h.body.Bytes()) // whoever went away needs no answer
}
