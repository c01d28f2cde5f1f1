package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"plumbline/access"
	"plumbline/auditor"
	"plumbline/drift"
	"plumbline/ledger"
)

// Bounds of a reason, in characters.
const (
	shortestReason = 5
	longestReason  = 500
)

var errReason = errors.New("a reason has at least five characters, and at most 500")

// reveal reads a finding's record now, without its masks, for whoever gave a
// reason. It is written down before anything is shown: where that fails, nothing is.
func (o Options) reveal(ctx context.Context, id, reason string) (*drift.Finding, *drift.Revealed, error) {
	if err := access.Require(ctx, access.Reveal); err != nil {
		return nil, nil, err
	}
	reason = strings.TrimSpace(reason)
	if n := utf8.RuneCountInString(reason); n < shortestReason || n > longestReason {
		return nil, nil, errReason
	}
	f, err := o.Ledger.Finding(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	shown, err := o.Auditor.Reveal(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	attempt := access.AttemptOf(ctx)
	attempt.Object, attempt.Detail = "finding "+f.ID, fmt.Sprintf("reason: %s; shown: %s", reason, revealedNames(shown))
	if err := o.Ledger.Attest(ctx, attempt, access.Done); err != nil {
		return nil, nil, err
	}
	return f, shown, nil
}

// revealedNames are the names of what was shown; no value is in them.
func revealedNames(r *drift.Revealed) string {
	var names []string
	for _, part := range r.Key {
		names = append(names, "key "+part.Name)
	}
	for _, part := range r.ID {
		names = append(names, "copy "+part.Name)
	}
	for i := range r.Fields {
		names = append(names, r.Fields[i].Title())
	}
	return strings.Join(names, ", ")
}

// revealView is the page that shows a record without its masks, once.
type revealView struct {
	Page                frame
	ID, URL, Until      string
	Owner, ReplicaTitle string
	Key                 []keyPart
	Fields              []fieldRow
	Equal               bool
	NoFields            string
	ReadAt              moment
}

func (s *Server) postReveal(c *gin.Context) {
	if s.idle(c) {
		return
	}
	f, shown, err := s.o.reveal(c.Request.Context(), c.Param("id"), c.PostForm("reason"))
	var why *auditor.NotPossible
	switch back := []pageLink{{c.Param("id"), findingURL(c.Param("id"))}}; {
	case errors.Is(err, errReason):
		s.problem(c, http.StatusUnprocessableEntity, problem{Heading: "Say why", Text: sentence(err.Error()), Next: "It is written to the audit log, with your name.", Links: back})
		return
	case errors.As(err, &why):
		s.problem(c, http.StatusConflict, problem{Heading: "It cannot be read now", Text: sentence(why.Error()), Next: "Look at the check and its sources, then try again.", Links: back})
		return
	case err != nil:
		s.refused(c, err, findingURL(c.Param("id")))
		return
	}
	v := revealView{ID: f.ID, URL: findingURL(f.ID), Owner: "owner", ReplicaTitle: f.Replica, Equal: shown.Equal,
		ReadAt: at(shown.ReadAt, s.now(), ""), NoFields: drift.KindWords(f.Kind, shown.Reason)}
	if check := s.o.Declared().Check(f.Check); check != nil {
		v.Owner = sideTitle(&check.Owner)
	}
	for _, part := range shown.Key {
		v.Key = append(v.Key, keyPart{"key " + part.Name, "", show(part.Value, true)})
	}
	for _, part := range shown.ID {
		v.Key = append(v.Key, keyPart{"copy " + part.Name, "", show(part.Value, true)})
	}
	for i := range shown.Fields {
		d := &shown.Fields[i]
		v.Fields = append(v.Fields, fieldRow{Name: d.Title(), Differs: true, Owner: show(d.Owner, true), Replica: show(d.Replica, true), Rule: d.Rule, Note: d.Note})
	}
	v.Page = s.frame(c, f.ID+" without masks", "/findings")
	s.render(c, http.StatusOK, "reveal", v)
}

type revealInput struct {
	ByID
	Body struct {
		Reason string `json:"reason" minLength:"5" maxLength:"500" doc:"Why. It is written to the audit log, with the fields' names and whoever asks."`
	}
}

// RevealedBody is a record without its masks. It is told once, and kept nowhere.
type RevealedBody struct {
	Finding string        `json:"finding"`
	Equal   bool          `json:"equal" doc:"It no longer differs, so no fields are shown."`
	Key     NamedBody     `json:"key"`
	ID      NamedBody     `json:"id"`
	Fields  []drift.Field `json:"fields" nullable:"false"`
	Reason  string        `json:"reason"`
	ReadAt  Instant       `json:"read_at"`
}

func (a *api) reveal(ctx context.Context, in *revealInput) (*answer[RevealedBody], error) {
	if a.Auditor == nil {
		return nil, nobodyWorks()
	}
	f, shown, err := a.Options.reveal(ctx, in.ID, in.Body.Reason)
	var missing *ledger.NotFoundError
	var why *auditor.NotPossible
	switch {
	case errors.Is(err, errReason):
		return nil, newProblem(http.StatusUnprocessableEntity, err.Error(), "say why: it is written to the audit log")
	case errors.As(err, &missing), errors.As(err, &why):
		return nil, a.problemOf(err)
	case err != nil:
		return nil, newProblem(http.StatusBadGateway, a.textFor(ctx, err.Error()), "nothing was shown: look at GET "+apiRoot+"/sources, then ask again")
	}
	return answered(RevealedBody{Finding: f.ID, Equal: shown.Equal, Key: NamedBody(shown.Key), ID: NamedBody(shown.ID), Fields: shown.Fields, Reason: shown.Reason, ReadAt: Instant(shown.ReadAt.Truncate(time.Millisecond))}), nil
}
