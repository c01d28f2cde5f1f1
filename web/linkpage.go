package web

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"plumbline/ledger"
)

// unlinkOwn takes a Slack user from one's own account.
func (s *Server) unlinkOwn(c *gin.Context) {
	account, ok := s.ownAccount(c)
	if !ok {
		return
	}
	ctx, team, person := c.Request.Context(), c.PostForm("team"), c.PostForm("person")
	own, err := s.o.Ledger.SlackLinks(ctx, account)
	if err == nil && !slices.ContainsFunc(own, func(l ledger.SlackLink) bool { return l.Team == team && l.Person == person }) {
		err = &ledger.NotFoundError{What: "linked Slack user", Name: person}
	}
	if err == nil {
		err = s.o.Ledger.UnlinkSlack(ctx, team, person)
	}
	if err != nil {
		s.refused(c, err, "/account")
		return
	}
	c.Redirect(http.StatusSeeOther, "/account?said=unlinked")
}

// linkView asks whether a Slack user is to act for one's account.
type linkView struct {
	Page                             frame
	Code, Team, Person, Name, Before string
}

func (s *Server) getLink(c *gin.Context) {
	if _, ok := s.ownAccount(c); !ok {
		return
	}
	ctx, code := c.Request.Context(), c.Query("code")
	subject, err := s.o.Ledger.LookCode(ctx, ledger.SlackLinkCode, code)
	if err != nil {
		s.noLink(c, err)
		return
	}
	v := linkView{Code: code, Name: actorName(c)}
	v.Team, v.Person, _ = strings.Cut(subject, " ")
	links, err := s.o.Ledger.SlackLinks(ctx, "")
	if err != nil {
		s.broken(c, err)
		return
	}
	for _, l := range links {
		if l.Team == v.Team && l.Person == v.Person && l.AccountName != v.Name {
			v.Before = l.AccountName
		}
	}
	v.Page = s.frame(c, "Link a Slack user", "/account")
	s.render(c, http.StatusOK, "link", v)
}

func (s *Server) noLink(c *gin.Context, err error) {
	if !errors.Is(err, ledger.ErrNoCode) {
		s.broken(c, err)
		return
	}
	s.problem(c, http.StatusGone, problem{Heading: "This link cannot be used", Text: sentence(err.Error()),
		Next: "Say /plumbline link in Slack, and open the new link within ten minutes.", Links: []pageLink{{"Your account", "/account"}}})
}

func (s *Server) postLink(c *gin.Context) {
	account, ok := s.ownAccount(c)
	if !ok {
		return
	}
	ctx := c.Request.Context()
	subject, err := s.o.Ledger.UseCode(ctx, ledger.SlackLinkCode, c.PostForm("code"))
	if err != nil {
		s.noLink(c, err)
		return
	}
	team, person, _ := strings.Cut(subject, " ")
	if err := s.o.Ledger.LinkSlack(ctx, team, person, account); err != nil {
		s.refused(c, err, "/account")
		return
	}
	c.Redirect(http.StatusSeeOther, "/account?said=linked")
}
