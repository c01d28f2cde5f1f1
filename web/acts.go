package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"plumbline/access"
	"plumbline/alerts"
	"plumbline/auditor"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
)

// said turns the word that an act leaves in the address into a line for the page.
func said(word string) *notice {
	word, number, _ := cutNumber(word)
	lines := map[string]notice{
		"run":           {"ok", "run", "A run was begun."},
		"recheck":       {"ok", "ok", "The record was read again, on both sides."},
		"ack":           {"ok", "eye", "Acknowledged."},
		"mute":          {"ok", "mute", "Muted."},
		"unmute":        {"ok", "ok", "No longer muted."},
		"cancel":        {"ok", "stop", "The run was asked to stop."},
		"resume":        {"ok", "run", "The run goes on with what it had not read."},
		"set-up":        {"ok", "ok", "The first account is made, and you are signed in. Add those of others here."},
		"account-added": {"ok", "ok", "The account is made."}, "account-changed": {"ok", "ok", "Done. It holds at once."},
		"session-ended": {"ok", "stop", "The session is over."}, "token-revoked": {"ok", "stop", "The token is good for nothing any more."},
		"linked": {"ok", "ok", "The Slack user now acts for your account."}, "unlinked": {"ok", "ok", "The Slack user acts for no account any more."},
		"fix-drafted": {"ok", "ok", "The plan is drafted. Nothing is changed yet."}, "fix-ask": {"ok", "ok", "People are asked to approve it."}, "fix-approve": {"ok", "ok", "Approved. It may be applied."},
		"fix-apply": {"ok", "run", "It was begun. What becomes of each record stands below."}, "fix-withdraw": {"ok", "stop", "Withdrawn. Nothing more of it will be applied."}, "fix-undo": {"ok", "ok", "This plan would take the other back. Nothing is changed yet."},
		"freeze": {"ok", "stop", "Frozen. No record is written until it is lifted."}, "unfreeze": {"ok", "ok", "This freeze is lifted. What was being applied goes on by itself."}, "fixes-resumed": {"ok", "run", "Plumbline makes fixes of this check by itself again."},
		"baseline": {"ok", "eye", several(number, "finding", "findings") + " taken as known."},
		"ack-many": {"ok", "eye", several(number, "finding", "findings") + " acknowledged."}, "mute-many": {"ok", "mute", several(number, "finding", "findings") + " muted."},
	}
	line, known := lines[word]
	if !known {
		return nil
	}
	return &line
}

// cutNumber parts "ack-many.412".
func cutNumber(word string) (name string, number int64, ok bool) {
	for i := range word {
		if word[i] == '.' {
			n, err := strconv.ParseInt(word[i+1:], 10, 64)
			return word[:i], n, err == nil
		}
	}
	return word, 0, false
}

func (s *Server) postRun(c *gin.Context) {
	name := c.Param("name")
	if s.o.Declared().Check(name) == nil {
		s.problem(c, http.StatusNotFound, problem{Heading: "There is no check of this name", Text: name, Next: "It may have been taken out of the configuration."})
		return
	}
	if s.idle(c) {
		return
	}
	runs, err := s.o.Auditor.Run(c.Request.Context(), name, ledger.ByPerson, actorName(c), nil)
	if err != nil {
		s.refused(c, err, checkURL(name))
		return
	}
	to := checkURL(name)
	if len(runs) == 1 {
		to = runURL(runs[0].ID)
	}
	c.Redirect(http.StatusSeeOther, to+"?said=run")
}

func (s *Server) actOnRun(c *gin.Context) {
	id, act := c.Param("id"), c.Param("act")
	call(c, act)
	if act != "cancel" && act != "resume" {
		s.problem(c, http.StatusNotFound, problem{Heading: "A run cannot do this", Text: act, Next: "Go back to the run and use its buttons."})
		return
	}
	if s.idle(c) {
		return
	}
	do := s.o.Auditor.Cancel
	if act == "resume" {
		do = s.o.Auditor.Resume
	}
	if _, err := do(c.Request.Context(), runName(id), actorName(c)); err != nil {
		s.refused(c, err, runURL(id))
		return
	}
	c.Redirect(http.StatusSeeOther, runURL(id)+"?said="+act)
}

func (s *Server) actOnOne(c *gin.Context) {
	id, act := c.Param("id"), c.Param("act")
	call(c, act)
	if act == "recheck" {
		s.recheck(c, id)
		return
	}
	o, err := s.observation(c, act)
	if err != nil {
		s.problem(c, http.StatusBadRequest, problem{Heading: "This cannot be done", Text: err.Error(), Next: "Go back to the finding and use its buttons.", Links: []pageLink{{id, findingURL(id)}}})
		return
	}
	revision, _ := strconv.ParseInt(c.PostForm("revision"), 10, 64)
	if _, err := s.ledger.Act(c.Request.Context(), []string{id}, o, revision); err != nil {
		s.refused(c, err, findingURL(id))
		return
	}
	c.Redirect(http.StatusSeeOther, findingURL(id)+"?said="+act)
}

func (s *Server) recheck(c *gin.Context, id string) {
	if s.idle(c) {
		return
	}
	ctx := c.Request.Context()
	if _, err := s.o.Auditor.Recheck(ctx, id, actorName(c)); err != nil {
		s.refused(c, unreadFor(ctx, err), findingURL(id))
		return
	}
	c.Redirect(http.StatusSeeOther, findingURL(id)+"?said=recheck")
}

// unreadFor is why a record could not be read, as whoever asks may see it: those
// are the store's own words.
func unreadFor(ctx context.Context, err error) error {
	if _, why := errors.AsType[*auditor.NotPossible](err); why && !sees(ctx) {
		return &auditor.NotPossible{Why: drift.NotShown}
	}
	if r, refused := errors.AsType[*reconciler.Refusal](err); refused && !sees(ctx) {
		return &reconciler.Refusal{Plan: r.Plan, Why: drift.NotShown, Next: r.Next}
	}
	return err
}

// actorName is how timelines name who asks.
func actorName(c *gin.Context) string { return access.ActorOf(c.Request.Context()).Name }

// call names the attempt by the button that was pressed, in the words of the
// audit log. Of a button that is not there the route's own name stays.
func call(c *gin.Context, act string) {
	word := map[string]string{"ack": "acknowledge", "mute": "mute", "unmute": "unmute", "recheck": "re-check", "cancel": "cancel", "resume": "resume"}[act]
	if a := access.AttemptOf(c.Request.Context()); a != nil && word != "" {
		a.Action = word
	}
}

// observation is what a button asks for.
func (s *Server) observation(c *gin.Context, act string) (drift.Observation, error) {
	o, until := drift.Observation{At: s.now(), Actor: actorName(c)}, c.PostForm("until")
	switch act {
	case "ack":
		o.Event = drift.Acknowledge
	case "unmute":
		o.Event = drift.Unmute
	case "mute":
		d, err := time.ParseDuration(until)
		if err != nil || d <= 0 || d > longestMute {
			return o, fmt.Errorf("mute until %q: choose for how long", until)
		}
		o.Event, o.Until = drift.Mute, o.At.Add(d)
	default:
		return o, fmt.Errorf("there is no act %q", act)
	}
	return o, nil
}

// idle answers where no auditor works in this process, and says so.
func (s *Server) idle(c *gin.Context) bool {
	if s.o.Auditor != nil {
		return false
	}
	s.problem(c, http.StatusServiceUnavailable, problem{Heading: "Nobody works here", Text: "This process shows the ledger and runs no checks.", Next: "Start plumbline serve, and act there."})
	return true
}

// refused answers for an act that the ledger or the auditor did not do.
func (s *Server) refused(c *gin.Context, err error, back string) {
	text := err.Error()
	status, heading, next := http.StatusInternalServerError, "This was not done", "Try again; if it stays so, look at the log."
	var (
		overlap  *ledger.OverlapError
		stale    *ledger.StaleError
		ended    *ledger.Ended
		refused  *drift.NotPossible
		told     *alerts.NotPossible
		desk     *auditor.NotPossible
		notFound *ledger.NotFoundError
		denied   *access.DeniedError
		fix      *reconciler.Refusal
	)
	switch {
	case c.Request.Context().Err() != nil:
		return // nobody waits for the answer
	case errors.As(err, &overlap):
		status, heading, next = http.StatusConflict, "It runs already", "Wait for the run, or cancel it."
	case errors.As(err, &stale):
		status, heading, next = http.StatusConflict, "It changed meanwhile", "Look at it as it is now, and act again."
	case errors.As(err, &fix):
		status, heading, text, next = http.StatusConflict, "This was not done", s.o.Lens.Scrub(whyRefused(fix)), s.o.Lens.Scrub(fix.Next)
	case errors.As(err, &desk):
		status, heading, next = http.StatusConflict, "This cannot be done", "Go back, and choose otherwise."
	case errors.As(err, &ended), errors.As(err, &refused), errors.As(err, &told):
		status, heading, next = http.StatusConflict, "This is no longer possible", "Look at it as it is now."
	case errors.As(err, &denied):
		status, heading, next = http.StatusForbidden, "You may not do this", "Ask an admin for the role."
	case errors.As(err, &notFound):
		status, heading, next = http.StatusNotFound, "It is not there", "It may have been pruned."
	default:
		s.o.Log.Error("act on a page", "path", c.Request.URL.Path, "error", drift.Keyless(s.o.Lens.Scrub(text)))
		text = s.o.textFor(c.Request.Context(), text)
	}
	links := []pageLink{{"Back", back}}
	if overlap != nil && overlap.Run != "" {
		links = slices.Insert(links, 0, pageLink{"The run", runURL(strings.TrimPrefix(overlap.Run, "#"))})
	}
	s.problem(c, status, problem{Heading: heading, Text: text, Next: next, Links: links})
}
