package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"plumbline/access"
	"plumbline/ledger"
)

// signInView is the page /login, and /setup where Code is not "".
type signInView struct {
	Page      frame
	Next      string
	Code      string
	Wrong     string
	NoAccount bool
	Shortest  int
}

// accessRoutes are the pages on which people show who they are, and say who else may.
func (s *Server) accessRoutes(r *routes) {
	r.reads("/login", access.Public, s.getLogin)
	r.acts("/login", access.Public, "sign in", s.postLogin)
	r.acts("/logout", access.Public, "sign out", s.postLogout)
	r.reads("/setup", access.Public, s.getSetUp)
	r.acts("/setup", access.Public, "set up", s.postSetUp)
	s.accountRoutes(r)
	s.manageRoutes(r)
	r.reads("/audit", access.Audit, s.getAudit)
	r.reads("/audit/export", access.Audit, s.exportAudit)
}

func (s *Server) getLogin(c *gin.Context) {
	next := localPath(c.Query("next"))
	if access.ActorOf(c.Request.Context()).May(access.View) {
		c.Redirect(http.StatusSeeOther, next)
		return
	}
	s.login(c, http.StatusOK, next, "")
}

func (s *Server) login(c *gin.Context, status int, next, wrong string) {
	known, err := s.guard.accounts(c.Request.Context())
	if err != nil {
		s.broken(c, err)
		return
	}
	s.render(c, status, "login", signInView{Page: s.frame(c, "Sign in", ""), Next: next, Wrong: wrong, NoAccount: !known})
}

// postLogin signs in. What it answers to a wrong name is what it answers to a
// wrong password.
func (s *Server) postLogin(c *gin.Context) {
	ctx, next := c.Request.Context(), localPath(c.PostForm("next"))
	before := access.ActorOf(ctx)
	cookie, _, err := s.o.Ledger.SignIn(ctx, c.PostForm("name"), c.PostForm("password"), s.guard.address(c), c.Request.UserAgent())
	var locked *ledger.LockedError
	switch {
	case errors.As(err, &locked):
		c.Header("Retry-After", strconv.Itoa(int(max(1, locked.Until.Sub(s.now()).Seconds()+1))))
		s.login(c, http.StatusTooManyRequests, next, "Too many passwords were wrong. Wait a while, then try again.")
		return
	case errors.Is(err, ledger.ErrWrongPassword):
		s.login(c, http.StatusUnauthorized, next, "The name or the password is wrong.")
		return
	case err != nil:
		s.broken(c, err)
		return
	}
	s.endQuietly(c, before)
	setCookie(c, cookie)
	c.Redirect(http.StatusSeeOther, next)
}

// endQuietly ends the session with which somebody came who signs in anew. That it
// is over is no act of its own.
func (s *Server) endQuietly(c *gin.Context, before access.Actor) {
	if before.Session == "" {
		return
	}
	if err := s.o.Ledger.EndSession(access.With(c.Request.Context(), nil), before.Account, before.Session); err != nil {
		s.o.Log.Warn("end the session before", "error", s.o.Lens.Scrub(err.Error()))
	}
}

// postLogout ends the session, on the ledger and in the browser.
func (s *Server) postLogout(c *gin.Context) {
	ctx := c.Request.Context()
	if a := access.ActorOf(ctx); a.Session != "" {
		err := s.o.Ledger.EndSession(ctx, a.Account, a.Session)
		if _, over := errors.AsType[*ledger.NotFoundError](err); err != nil && !over {
			s.broken(c, err)
			return
		}
	}
	clearCookie(c)
	c.Redirect(http.StatusSeeOther, "/login")
}

func (s *Server) getSetUp(c *gin.Context) {
	ctx, code := c.Request.Context(), c.Query("code")
	_, err := s.o.Ledger.LookCode(ctx, ledger.SetUpCode, code)
	if err == nil { // an account that was made elsewhere ends it too
		var known bool
		if known, err = s.guard.accounts(ctx); known && err == nil {
			err = ledger.ErrNoCode
		}
	}
	if err != nil {
		s.noCode(c, err)
		return
	}
	s.setUp(c, http.StatusOK, code, "")
}

func (s *Server) setUp(c *gin.Context, status int, code, wrong string) {
	s.render(c, status, "setup", signInView{Page: s.frame(c, "Make the first account", ""), Code: code, Wrong: wrong, Shortest: access.ShortestPassword})
}

// noCode answers for a link that is none, was used or has expired.
func (s *Server) noCode(c *gin.Context, err error) {
	if !errors.Is(err, ledger.ErrNoCode) {
		s.broken(c, err)
		return
	}
	s.problem(c, http.StatusGone, problem{Heading: "This link cannot be used", Text: ledger.ErrNoCode.Error() + ".",
		Next: "plumbline user add makes accounts on the machine of the ledger.", Links: []pageLink{{"Sign in", "/login"}}})
}

// postSetUp makes the first account and signs in to it.
func (s *Server) postSetUp(c *gin.Context) {
	ctx, code, name, password := c.Request.Context(), c.PostForm("code"), c.PostForm("name"), c.PostForm("password")
	if password != c.PostForm("again") {
		s.setUp(c, http.StatusUnprocessableEntity, code, "The two passwords differ.")
		return
	}
	account, err := s.o.Ledger.SetUp(ctx, code, name, password)
	var unfit *ledger.UnfitError
	switch {
	case errors.As(err, &unfit):
		s.setUp(c, http.StatusUnprocessableEntity, code, sentence(unfit.Error()))
		return
	case err != nil:
		s.noCode(c, err)
		return
	}
	s.guard.made()
	cookie, _, err := s.o.Ledger.SignIn(access.With(ctx, &access.Attempt{Actor: access.ActorOf(ctx), Action: "sign in"}), account.Name, password, s.guard.address(c), c.Request.UserAgent())
	if err != nil {
		s.o.Log.Warn("sign in after set-up", "error", s.o.Lens.Scrub(err.Error()))
		c.Redirect(http.StatusSeeOther, "/login")
		return
	}
	setCookie(c, cookie)
	c.Redirect(http.StatusSeeOther, "/access?said=set-up")
}

// denied answers on a page for who may not see it: who has not signed in is asked
// to, and comes back.
func (s *Server) denied(c *gin.Context, denied *access.DeniedError) {
	if denied.Actor.Anonymous() {
		if c.Request.Method == http.MethodGet || c.Request.Method == http.MethodHead {
			c.Redirect(http.StatusSeeOther, "/login?"+url.Values{"next": {localPath(c.Request.URL.RequestURI())}}.Encode())
			return
		}
		s.problem(c, http.StatusUnauthorized, problem{Heading: "Sign in first", Text: "Nobody is signed in, or the session is over. Nothing was changed.",
			Next: "Sign in, go back to the page and act again.", Links: []pageLink{{"Sign in", "/login"}}})
		return
	}
	next := "Ask an admin for the role."
	if denied.Actor.Scopes != nil {
		next = "Use a token with the scope."
	}
	s.problem(c, http.StatusForbidden, problem{Heading: "You may not do this", Text: sentence(denied.Error()), Next: next})
}

// sessionSeconds is how long a browser keeps the cookie: as long as a session
// lasts at most. The ledger decides before that.
const sessionSeconds = int(12 * time.Hour / time.Second)

func setCookie(c *gin.Context, value string) { cookie(c, value, sessionSeconds) }

func clearCookie(c *gin.Context) { cookie(c, "", -1) }

// cookie sets the cookie of a session. Lax lets a link from Slack lead to a page;
// what changes something needs more than the cookie.
func cookie(c *gin.Context, value string, seconds int) {
	http.SetCookie(c.Writer, &http.Cookie{Name: cookieName, Value: value, Path: "/", MaxAge: seconds, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// localPath is where to go on after signing in: a path of ours, or else the
// overview. What a browser could read as another host is none.
func localPath(next string) string {
	u, err := url.Parse(next)
	bad := err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || u.User != nil || !strings.HasPrefix(next, "/") ||
		strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\t\r\n") || strings.HasPrefix(u.Path, "//")
	if bad || strings.HasPrefix(next, "/login") || strings.HasPrefix(next, "/logout") {
		return "/"
	}
	return next
}

// sentence begins a message with a capital and ends it with a stop.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
