package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"plumbline/access"
	"plumbline/alerts"
	"plumbline/auditor"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
)

// Problem is why a request was not served, and what to do about it: an RFC 9457
// problem with one member more.
type Problem struct {
	Type     string `json:"type" doc:"about:blank: the status says what kind of problem it is."`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	NextStep string `json:"next_step" doc:"What to do about it."`
	// Errors are the parts of a request that are wrong.
	Errors []ProblemPart `json:"errors,omitempty" nullable:"false"`
}

// ProblemPart is one part of a request that is wrong.
type ProblemPart struct {
	Location string `json:"location"`
	Message  string `json:"message"`
}

// Error is the detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus is the answer's status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is that of RFC 9457.
func (p *Problem) ContentType(string) string { return problemType }

const problemType = "application/problem+json"

func newProblem(status int, detail, next string) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, NextStep: next}
}

// problemOf tells an error of the ledger or the auditor to whoever asked.
func (a *api) problemOf(err error) error {
	var problem *Problem
	var notFound *ledger.NotFoundError
	var ended *ledger.Ended
	var overlap *ledger.OverlapError
	var stale *ledger.StaleError
	var not *drift.NotPossible
	var told *alerts.NotPossible
	var impossible *auditor.NotPossible
	var cursor *ledger.CursorError
	var denied *access.DeniedError
	var refused *reconciler.Refusal
	text := a.Lens.Scrub(err.Error())
	switch {
	case errors.As(err, &problem):
		return problem
	case errors.As(err, &denied):
		return newProblem(http.StatusForbidden, text, leave(denied))
	case errors.As(err, &notFound):
		list := notFound.What + "s"
		switch notFound.What {
		case "edge", "replica":
			list = "checks"
		case "plan":
			list = "fixes"
		}
		return newProblem(http.StatusNotFound, text, fmt.Sprintf("list them with GET %s/%s; what is long over is deleted", apiRoot, list))
	case errors.As(err, &cursor):
		return newProblem(http.StatusUnprocessableEntity, fmt.Sprintf("%q is not what a page before gave as its next", cursor.Cursor),
			"begin again without after, and take it from the next of each page")
	case errors.As(err, &overlap):
		return newProblem(http.StatusConflict, text, fmt.Sprintf("follow it at %s/runs/%s", apiRoot, strings.TrimPrefix(overlap.Run, "#")))
	case errors.As(err, &ended):
		return newProblem(http.StatusConflict, text, "look at its result, or begin a new run")
	case errors.As(err, &stale):
		list := "findings"
		if isIncident(stale.Finding) {
			list = "incidents"
		}
		return newProblem(http.StatusConflict, text, fmt.Sprintf("read it anew at %s/%s/%s and decide again", apiRoot, list, stale.Finding))
	case errors.As(err, &refused):
		next := a.Lens.Scrub(refused.Next)
		if next == "" {
			next = "look at the plan as it is now: GET " + apiRoot + "/fixes/" + refused.Plan
		}
		return newProblem(http.StatusConflict, a.Lens.Scrub(whyRefused(refused)), next)
	case errors.As(err, &told):
		return newProblem(http.StatusConflict, text, fmt.Sprintf("look at what happened to it at %s/incidents/%s", apiRoot, told.Incident))
	case errors.As(err, &not):
		return newProblem(http.StatusConflict, text, fmt.Sprintf("look at its timeline at %s/findings/%s", apiRoot, not.Finding))
	case errors.As(err, &impossible):
		return newProblem(http.StatusConflict, text, "look at the check and at GET "+apiRoot+"/sources, then ask again")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return newProblem(http.StatusServiceUnavailable, "it took too long", "try again; if it stays so, ask /readyz")
	}
	a.Log.Error("answer the API", "error", drift.Keyless(text))
	return newProblem(http.StatusInternalServerError, text, "try again; if it stays so, ask /readyz and look at the log of plumbline serve")
}

// whyRefused says of which plan an act is refused, and why.
func whyRefused(r *reconciler.Refusal) string {
	if r.Plan == "" {
		return r.Why
	}
	return r.Plan + ": " + r.Why
}

// unread tells an error of an act that reads stores: where one did not answer,
// that is no fault of ours, and its words are for who may see values.
func (a *api) unread(ctx context.Context, err error) error {
	err = a.problemOf(err)
	if p, ok := errors.AsType[*Problem](err); ok && p.Status == http.StatusInternalServerError {
		return newProblem(http.StatusBadGateway, a.textFor(ctx, p.Detail), "nothing was changed: look at GET "+apiRoot+"/sources, then ask again")
	}
	return err
}

// ours turns the framework's own errors into problems of ours; it is a
// huma.Transformer.
func ours(_ huma.Context, _ string, body any) (any, error) {
	theirs, ok := body.(*huma.ErrorModel)
	if !ok {
		return body, nil
	}
	next := "read " + openAPIPath + ", which says what may be asked"
	switch {
	case theirs.Status >= http.StatusInternalServerError:
		next = "try again; if it stays so, ask /readyz and look at the log of plumbline serve"
	case theirs.Status == http.StatusUnsupportedMediaType:
		next = "send JSON with the header Content-Type: application/json"
	}
	p := newProblem(theirs.Status, theirs.Detail, next)
	var words []string
	for _, e := range theirs.Errors {
		p.Errors = append(p.Errors, ProblemPart{Location: e.Location, Message: e.Message})
		words = append(words, strings.TrimSpace(e.Location+" "+e.Message))
	}
	if len(words) > 0 {
		p.Detail = fmt.Sprintf("%s: %s", theirs.Detail, strings.Join(words, "; "))
	}
	return p, nil
}

// writeProblem answers a request that the framework does not serve.
func writeProblem(c *gin.Context, p *Problem) {
	c.Header("Content-Type", problemType)
	c.Abort()
	c.PureJSON(p.Status, p)
}

// unserved answers what the API does not have with a problem, where pages answer
// with a page.
func (a *api) unserved(c *gin.Context) {
	if c.FullPath() != "" || !strings.HasPrefix(c.Request.URL.Path, "/api/") {
		c.Next()
		return
	}
	next := "read " + openAPIPath + ", which says what may be asked"
	if c.Writer.Status() == http.StatusMethodNotAllowed {
		writeProblem(c, newProblem(http.StatusMethodNotAllowed, c.Request.Method+" cannot be done here", next))
		return
	}
	writeProblem(c, newProblem(http.StatusNotFound, "the API has no "+c.Request.URL.Path, next))
}

// sheltered answers a panic with a problem: it ends this request, and what it was
// about is in the log.
func (a *api) sheltered(c *gin.Context) {
	if !strings.HasPrefix(c.Request.URL.Path, "/api/") {
		c.Next()
		return
	}
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		if cause == http.ErrAbortHandler {
			panic(cause)
		}
		a.Log.Error("answer the API", "path", c.Request.URL.Path, "panic", a.Lens.Scrub(fmt.Sprint(cause)), "stack", string(debug.Stack()))
		if !c.Writer.Written() {
			writeProblem(c, newProblem(http.StatusInternalServerError, "something broke", "runs are not concerned: try again, and report it with the line of the log"))
		}
	}()
	c.Next()
}
