package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"plumbline/access"
	"plumbline/ledger"
)

// accountView is the page /account.
type accountView struct {
	Page     frame
	Name     string
	Role     string
	Rights   []string
	Wrong    string
	Shortest int
	Sessions []sessionRow
	Tokens   []tokenRow
	Scopes   []option
	Lives    []option
	Links    []linkRow
}

type sessionRow struct {
	Address, Agent, EndURL string
	Since, Used            moment
	Here                   bool // this very one
}

// tokenRow is a token on a page; the token itself is nowhere.
type tokenRow struct {
	ID, Name, Of, Role, Scopes string
	State                      sign
	Used, Expires              moment
	RevokeURL                  string // "" where it is over
}

type linkRow struct {
	Team, Person, Of string
	Since            moment
}

// tokenView shows a token, once.
type tokenView struct {
	Page                       frame
	Name, Plain, Scopes, Until string
}

func (s *Server) accountRoutes(r *routes) {
	r.reads("/account", access.Self, s.getAccount)
	r.acts("/account/password", access.Self, "change password", s.postPassword)
	r.acts("/account/sessions/:name/end", access.Self, "end session", s.endOwnSession)
	r.acts("/account/tokens", access.Self, "create token", s.postToken)
	r.acts("/account/tokens/:id/revoke", access.Self, "revoke token", s.revokeOwnToken)
	r.acts("/account/slack/unlink", access.Self, "unlink slack", s.unlinkOwn)
	r.reads("/link/slack", access.Self, s.getLink)
	r.acts("/link/slack", access.Self, "link slack", s.postLink)
}

func (s *Server) getAccount(c *gin.Context) { s.account(c, http.StatusOK, "") }

// account shows one's own account; wrong says what of a form was.
func (s *Server) account(c *gin.Context, status int, wrong string) {
	ctx := c.Request.Context()
	actor, now := access.ActorOf(ctx), s.now()
	v := accountView{Name: actor.Name, Role: string(actor.Role), Rights: rights(actor.Role), Wrong: wrong, Shortest: access.ShortestPassword, Lives: tokenLives()}
	for _, p := range access.Scopes() {
		if actor.Role.May(p) {
			v.Scopes = append(v.Scopes, option{Value: string(p), Name: scopeWords(p)})
		}
	}
	if actor.Account != "" {
		if err := s.ownThings(c, &v, actor, now); err != nil {
			s.broken(c, err)
			return
		}
	}
	v.Page = s.frame(c, "Your account", "/account")
	s.render(c, status, "account", v)
}

func (s *Server) ownThings(c *gin.Context, v *accountView, actor access.Actor, now time.Time) error {
	ctx := c.Request.Context()
	sessions, err := s.o.Ledger.Sessions(ctx, actor.Account)
	if err != nil {
		return err
	}
	for _, one := range sessions {
		v.Sessions = append(v.Sessions, sessionRow{Address: one.Address, Agent: shortened(one.Agent, 80), Since: at(one.CreatedAt, now, ""), Used: at(one.UsedAt, now, ""),
			Here: one.Name == actor.Session, EndURL: "/account/sessions/" + url.PathEscape(one.Name) + "/end"})
	}
	tokens, err := s.o.Ledger.Tokens(ctx, actor.Account)
	if err != nil {
		return err
	}
	for i := range tokens {
		v.Tokens = append(v.Tokens, tokenRowOf(&tokens[i], "/account/tokens/", now))
	}
	links, err := s.o.Ledger.SlackLinks(ctx, actor.Account)
	for _, link := range links {
		v.Links = append(v.Links, linkRowOf(link, now))
	}
	return err
}

func tokenRowOf(t *ledger.Token, path string, now time.Time) tokenRow {
	r := tokenRow{ID: t.ID, Name: t.Name, Of: t.CreatedBy, Role: string(t.Role), Scopes: access.ScopeWords(t.Scopes), Used: at(t.UsedAt, now, "never"), Expires: at(t.ExpiresAt, now, "")}
	switch state := t.State(now); state {
	case "valid":
		r.State, r.RevokeURL = sign{Tone: "ok", Icon: "ok", Word: state}, path+url.PathEscape(t.ID)+"/revoke"
	default:
		r.State = sign{Tone: "idle", Icon: "stop", Word: state}
	}
	return r
}

func linkRowOf(l ledger.SlackLink, now time.Time) linkRow {
	return linkRow{Team: l.Team, Person: l.Person, Of: l.AccountName, Since: at(l.LinkedAt, now, "")}
}

// rights says in words what a role may do.
func rights(r access.Role) []string {
	words := map[access.Permission]string{
		access.View: "see checks, runs, sources, and which fields of how many records differ", access.Values: "see values of records that no mask covers",
		access.Act: "run, re-check, cancel, acknowledge, mute, accept", access.Reveal: "see values under a mask, with a reason that is written down",
		access.Approve: "approve fixes", access.Audit: "read the audit log", access.Manage: "manage accounts, roles and tokens"}
	var list []string
	for _, p := range []access.Permission{access.View, access.Values, access.Act, access.Reveal, access.Approve, access.Audit, access.Manage} {
		if r.May(p) {
			list = append(list, words[p])
		}
	}
	return list
}

func scopeWords(p access.Permission) string {
	switch p {
	case access.View:
		return "view: names, counts and states"
	case access.Values:
		return "values: of records"
	case access.Act:
		return "act: run, acknowledge, mute"
	case access.Approve:
		return "approve: fixes"
	case access.Audit:
		return "audit: read the audit log"
	case access.Manage:
		return "manage: accounts"
	case access.Scrape:
		return "metrics: scrape /metrics"
	}
	return string(p)
}

// tokenLives are how long a token made on a page may live, in hours.
func tokenLives() []option {
	return options("2160h", "24h", "1 day", "168h", "1 week", "720h", "30 days", "2160h", "90 days", "8760h", "1 year")
}

// ownAccount answers for those who have none, which is while nobody need sign in.
func (s *Server) ownAccount(c *gin.Context) (account string, ok bool) {
	if account = access.ActorOf(c.Request.Context()).Account; account != "" {
		return account, true
	}
	s.problem(c, http.StatusConflict, problem{Heading: "You have no account", Text: "There are no accounts: anybody on this machine acts as the local user.",
		Next: "Make the first account.", Links: []pageLink{{"Accounts", "/access"}}})
	return "", false
}

// postPassword changes one's password, for who knows the old one, and signs in anew.
func (s *Server) postPassword(c *gin.Context) {
	account, ok := s.ownAccount(c)
	if !ok {
		return
	}
	ctx, password := c.Request.Context(), c.PostForm("password")
	if password != c.PostForm("again") {
		s.account(c, http.StatusUnprocessableEntity, "The two new passwords differ.")
		return
	}
	if err := s.o.Ledger.CheckOwnPassword(ctx, account, c.PostForm("old"), s.guard.address(c)); err != nil {
		s.wrongAccount(c, err)
		return
	}
	changed, err := s.o.Ledger.ChangeAccount(ctx, account, ledger.AccountChange{Password: &password})
	if err != nil {
		s.wrongAccount(c, err)
		return
	}
	clearCookie(c) // its sessions are over, this one too
	s.problem(c, http.StatusOK, problem{Heading: "The password was changed", Text: "All sessions of " + changed.Name + " are over, and its tokens go on.",
		Next: "Sign in with the new password.", Links: []pageLink{{"Sign in", "/login"}}})
}

// wrongAccount answers with the page and what of its form was wrong.
func (s *Server) wrongAccount(c *gin.Context, err error) {
	var unfit *ledger.UnfitError
	var locked *ledger.LockedError
	switch {
	case errors.As(err, &unfit):
		s.account(c, http.StatusUnprocessableEntity, sentence(unfit.Error()))
	case errors.Is(err, ledger.ErrWrongPassword):
		s.account(c, http.StatusUnprocessableEntity, "The old password is wrong.")
	case errors.As(err, &locked):
		s.account(c, http.StatusTooManyRequests, "Too many passwords were wrong. Wait a while, then try again.")
	default:
		s.refused(c, err, "/account")
	}
}

func (s *Server) endOwnSession(c *gin.Context) {
	account, ok := s.ownAccount(c)
	if !ok {
		return
	}
	ctx, name := c.Request.Context(), c.Param("name")
	if err := s.o.Ledger.EndSession(ctx, account, name); err != nil {
		s.refused(c, err, "/account")
		return
	}
	if name == access.ActorOf(ctx).Session {
		clearCookie(c)
	}
	c.Redirect(http.StatusSeeOther, "/account?said=session-ended")
}

// postToken makes a token and shows it, this once.
func (s *Server) postToken(c *gin.Context) {
	account, ok := s.ownAccount(c)
	if !ok {
		return
	}
	ctx := c.Request.Context()
	life, err := time.ParseDuration(c.PostForm("life"))
	if err != nil || !slices.ContainsFunc(tokenLives(), func(o option) bool { return o.Value == c.PostForm("life") }) {
		s.account(c, http.StatusUnprocessableEntity, "Choose for how long the token is to live.")
		return
	}
	scopes, err := access.ParseScopes(strings.Join(c.PostFormArray("scope"), ","))
	if err != nil {
		s.account(c, http.StatusUnprocessableEntity, "Choose what the token may do.")
		return
	}
	plain, made, err := s.o.Ledger.CreateToken(ctx, ledger.Token{Name: c.PostForm("name"), Account: account, Role: access.ActorOf(ctx).Role, Scopes: scopes, ExpiresAt: s.o.Now().Add(life)})
	if err != nil {
		s.wrongAccount(c, err)
		return
	}
	s.render(c, http.StatusOK, "token", tokenView{Page: s.frame(c, "A new token", "/account"), Name: made.Name, Plain: plain,
		Scopes: access.ScopeWords(made.Scopes), Until: made.ExpiresAt.UTC().Format("2006-01-02 15:04 UTC")})
}

// revokeOwnToken ends a token of one's own; that of another is not there.
func (s *Server) revokeOwnToken(c *gin.Context) {
	account, ok := s.ownAccount(c)
	if !ok {
		return
	}
	ctx, id := c.Request.Context(), c.Param("id")
	own, err := s.o.Ledger.Tokens(ctx, account)
	if err == nil && !slices.ContainsFunc(own, func(t ledger.Token) bool { return t.ID == id }) {
		err = &ledger.NotFoundError{What: "token", Name: id}
	}
	if err == nil {
		err = s.o.Ledger.RevokeToken(ctx, id)
	}
	if err != nil {
		s.refused(c, err, "/account")
		return
	}
	c.Redirect(http.StatusSeeOther, "/account?said=token-revoked")
}
