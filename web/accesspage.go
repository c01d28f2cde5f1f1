package web

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"plumbline/access"
	"plumbline/ledger"
)

// accessView is the page /access.
type accessView struct {
	Page     frame
	Wrong    string
	Accounts []accountRow
	Roles    []option
	Tokens   []tokenRow
	Links    []linkRow
	Shortest int
	First    bool // no account yet: the first is an admin
}

type accountRow struct {
	Name, URL string
	Self      bool
	Disabled  bool
	State     sign
	Roles     []option
	Seen      moment
	Since     moment
}

func (s *Server) manageRoutes(r *routes) {
	r.reads("/access", access.Manage, s.getAccess)
	r.acts("/access/accounts", access.Manage, "add account", s.postNewAccount)
	r.acts("/access/accounts/:id/:act", access.Manage, "change account", s.changeAccount)
	r.acts("/access/tokens/:id/revoke", access.Manage, "revoke token", s.revokeToken)
	r.acts("/access/slack/unlink", access.Manage, "unlink slack", s.unlinkSlack)
}

func (s *Server) getAccess(c *gin.Context) { s.access(c, http.StatusOK, "") }

// access shows who may do what; wrong says what of a form was.
func (s *Server) access(c *gin.Context, status int, wrong string) {
	ctx, now := c.Request.Context(), s.now()
	v := accessView{Wrong: wrong, Shortest: access.ShortestPassword, Roles: roleOptions(access.Viewer)}
	accounts, err := s.o.Ledger.Accounts(ctx)
	if err != nil {
		s.broken(c, err)
		return
	}
	names := map[string]string{}
	for i := range accounts {
		a := &accounts[i]
		names[a.ID] = a.Name
		row := accountRow{Name: a.Name, URL: "/access/accounts/" + url.PathEscape(a.ID), Self: a.ID == access.ActorOf(ctx).Account, Disabled: a.Disabled,
			State: sign{Tone: "ok", Icon: "ok", Word: "active"}, Roles: roleOptions(a.Role), Seen: at(a.SeenAt, now, "never"), Since: at(a.CreatedAt, now, "")}
		if a.Disabled {
			row.State = sign{Tone: "idle", Icon: "stop", Word: "disabled"}
		}
		v.Accounts = append(v.Accounts, row)
	}
	if v.First = len(accounts) == 0; v.First {
		v.Roles = []option{{Value: string(access.Admin), Name: string(access.Admin), Chosen: true}}
	}
	tokens, err := s.o.Ledger.Tokens(ctx, "")
	if err != nil {
		s.broken(c, err)
		return
	}
	for i := range tokens {
		row := tokenRowOf(&tokens[i], "/access/tokens/", now)
		if name := names[tokens[i].Account]; name != "" {
			row.Of = name
		}
		v.Tokens = append(v.Tokens, row)
	}
	links, err := s.o.Ledger.SlackLinks(ctx, "")
	if err != nil {
		s.broken(c, err)
		return
	}
	for _, link := range links {
		v.Links = append(v.Links, linkRowOf(link, now))
	}
	v.Page = s.frame(c, "Access", "/access")
	s.render(c, status, "access", v)
}

func roleOptions(chosen access.Role) []option {
	var list []option
	for _, r := range access.Roles() {
		list = append(list, option{string(r), string(r), r == chosen})
	}
	return list
}

func (s *Server) postNewAccount(c *gin.Context) {
	ctx := c.Request.Context()
	role, err := access.ParseRole(c.PostForm("role"))
	if err != nil {
		s.access(c, http.StatusUnprocessableEntity, sentence(err.Error()))
		return
	}
	if access.ActorOf(ctx).Account == "" { // the door closes behind the first: an admin must be inside
		known, err := s.o.Ledger.HasAccounts(ctx)
		if err != nil {
			s.broken(c, err)
			return
		}
		if !known && role != access.Admin {
			s.access(c, http.StatusUnprocessableEntity, "The first account is an admin.")
			return
		}
	}
	made, err := s.o.Ledger.CreateAccount(ctx, c.PostForm("name"), role, c.PostForm("password"))
	if err != nil {
		s.wrongAccess(c, err)
		return
	}
	s.guard.made()
	if access.ActorOf(ctx).Account == "" {
		s.problem(c, http.StatusOK, problem{Heading: "The account " + made.Name + " is made", Text: "From now on everybody signs in.",
			Next: "Sign in with its password.", Links: []pageLink{{"Sign in", "/login"}}})
		return
	}
	c.Redirect(http.StatusSeeOther, "/access?said=account-added")
}

// changeAccount does what a button beside an account says.
func (s *Server) changeAccount(c *gin.Context) {
	ctx, id, act := c.Request.Context(), c.Param("id"), c.Param("act")
	no, yes := false, true
	var change ledger.AccountChange
	words := act
	switch act {
	case "role":
		role, err := access.ParseRole(c.PostForm("role"))
		if err != nil {
			s.access(c, http.StatusUnprocessableEntity, sentence(err.Error()))
			return
		}
		change.Role, words = &role, "change role"
	case "disable":
		change.Disabled, words = &yes, "disable account"
	case "enable":
		change.Disabled, words = &no, "enable account"
	case "password":
		password := c.PostForm("password")
		change.Password, words = &password, "reset password"
	case "sessions":
		words = "end sessions"
	default:
		s.problem(c, http.StatusNotFound, problem{Heading: "An account cannot do this", Text: act, Next: "Go back to the page and use its buttons."})
		return
	}
	access.AttemptOf(ctx).Action = words
	account, err := s.o.Ledger.Account(ctx, id)
	if err != nil {
		s.wrongAccess(c, err)
		return
	}
	access.AttemptOf(ctx).Object = "account " + account.Name
	if act == "sessions" {
		err = s.o.Ledger.EndSessions(ctx, account.ID)
	} else {
		_, err = s.o.Ledger.ChangeAccount(ctx, account.ID, change)
	}
	if err != nil {
		s.wrongAccess(c, err)
		return
	}
	c.Redirect(http.StatusSeeOther, "/access?said=account-changed")
}

// wrongAccess answers with the page and what of its form was wrong.
func (s *Server) wrongAccess(c *gin.Context, err error) {
	var unfit *ledger.UnfitError
	var taken *ledger.NameTakenError
	var last *ledger.LastAdminError
	switch {
	case errors.As(err, &unfit):
		s.access(c, http.StatusUnprocessableEntity, sentence(unfit.Error()))
	case errors.As(err, &taken):
		s.access(c, http.StatusConflict, sentence(taken.Error()))
	case errors.As(err, &last):
		s.access(c, http.StatusConflict, sentence(last.Error()))
	default:
		s.refused(c, err, "/access")
	}
}

func (s *Server) revokeToken(c *gin.Context) {
	if err := s.o.Ledger.RevokeToken(c.Request.Context(), c.Param("id")); err != nil {
		s.refused(c, err, "/access")
		return
	}
	c.Redirect(http.StatusSeeOther, "/access?said=token-revoked")
}

func (s *Server) unlinkSlack(c *gin.Context) {
	if err := s.o.Ledger.UnlinkSlack(c.Request.Context(), c.PostForm("team"), c.PostForm("person")); err != nil {
		s.refused(c, err, "/access")
		return
	}
	c.Redirect(http.StatusSeeOther, "/access?said=unlinked")
}
