package web

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"plumbline/access"
	"plumbline/ledger"
)

// guard knows who asks and lets through who may. It writes the entry of the audit
// log of every attempt that nobody else recorded.
type guard struct {
	Options
	routes *routes
	crowd  *crowd
	// refuse answers on a page for who may not see it; nil where there are no pages.
	refuse func(c *gin.Context, denied *access.DeniedError)

	mu    sync.Mutex
	asked time.Time
	known bool // there are accounts
}

func newGuard(o Options, r *routes) *guard {
	o = o.withDefaults()
	return &guard{Options: o, routes: r, crowd: newCrowd(o.Now)}
}

// cookieName is bound by its prefix to this host, to HTTPS or this machine, and
// to every path.
const cookieName = "__Host-plumbline"

// manner is how somebody showed who they are.
type manner int

const (
	unknown  manner = iota // nobody is known
	openDoor               // there are no accounts: whoever is on this machine
	byCookie
	byToken
	inside // called in this process
)

// admit finds out who asks, refuses who may not, and hands the attempt on. What
// is not served at all is answered without asking.
func (g *guard) admit(c *gin.Context) {
	need, served := g.routes.needOf(c)
	if served && forAnyone(c.Request.URL.Path) {
		c.Next()
		return
	}
	actor, how, err := g.who(c)
	if err != nil && served && need.Permission != access.Public {
		g.Log.Error("find out who asks", "path", c.FullPath(), "error", g.Lens.Scrub(err.Error()))
		writeProblem(c, newProblem(http.StatusServiceUnavailable, "the ledger does not say who asks", "try again; if it stays so, ask /readyz"))
		return
	}
	attempt := &access.Attempt{Actor: actor, Action: need.Action, Object: objectOf(c)}
	ctx := access.With(c.Request.Context(), attempt)
	c.Request = c.Request.WithContext(ctx)
	if !served {
		c.Next()
		return
	}
	c.Set(againKey, func() error { return g.again(c, need.Permission) })
	if actor.Anonymous() && need.Action != "" && !g.crowd.lets(actor.Address) {
		c.Header("Retry-After", "60")
		writeProblem(c, newProblem(http.StatusTooManyRequests, "too much was asked from this address without signing in", "wait a minute, and sign in"))
		return
	}
	if how == byCookie {
		g.crowd.knows(actor.Address)
	}
	ended := false
	defer func() {
		// A panic goes on to whoever answers it; what was attempted is written down all the same.
		g.settle(c, attempt, ended)
	}()
	switch err := access.Require(ctx, need.Permission); {
	case err != nil:
		g.deny(c, err)
	case changes(c.Request.Method) && how == byCookie && originless(c.Request):
		writeProblem(c, newProblem(http.StatusForbidden, "nothing says from which page this was sent",
			"a browser says so by itself; a program sends a token instead, as Authorization: Bearer …"))
	default:
		c.Next()
	}
	ended = true
}

// who finds out who asks. A token that is none is not passed over for a cookie.
func (g *guard) who(c *gin.Context) (access.Actor, manner, error) {
	via := access.ByPage
	if !isPage(c.Request.URL.Path) {
		via = access.ByAPI
	}
	address := g.address(c)
	nobody := access.Actor{Name: "not signed in", Via: via, Address: address}
	if g.Actor != nil {
		actor := *g.Actor
		return actor, inside, nil
	}
	if g.Ledger == nil {
		return nobody, unknown, errors.New("there is no ledger")
	}
	ctx := c.Request.Context()
	if scheme, plain, _ := strings.Cut(c.GetHeader("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		actor, err := g.Ledger.TokenActor(ctx, strings.TrimSpace(plain), address)
		if errors.Is(err, ledger.ErrNoToken) {
			return nobody, unknown, nil
		}
		return orNobody(actor, nobody, err), byToken, err
	}
	if cookie, err := c.Request.Cookie(cookieName); err == nil {
		actor, err := g.Ledger.SessionActor(ctx, cookie.Value, address)
		if err == nil {
			actor.Via = via
			return actor, byCookie, nil
		}
		if !errors.Is(err, ledger.ErrNoSession) {
			return nobody, unknown, err
		}
	}
	if !g.fromHere(c) {
		return nobody, unknown, nil
	}
	known, err := g.accounts(ctx)
	if err != nil || known {
		return nobody, unknown, err
	}
	return access.Local(via, address), openDoor, nil
}

func orNobody(actor, nobody access.Actor, err error) access.Actor {
	if err != nil {
		return nobody
	}
	return actor
}

// fromHere says whether a request comes from this machine, by a name of it, and
// on nobody else's behalf.
func (g *guard) fromHere(c *gin.Context) bool {
	for header := range c.Request.Header { // any of those that proxies add
		if strings.HasPrefix(header, "X-Forwarded-") || slices.Contains([]string{"Forwarded", "Via", "X-Real-Ip", "X-Client-Ip", "Cf-Connecting-Ip", "True-Client-Ip"}, header) {
			return false
		}
	}
	return loopbackHost(c.RemoteIP()) && loopbackHost(c.Request.Host)
}

// accountsFor is how long it stands that there are no accounts.
const accountsFor = time.Second

// accounts says whether anybody must sign in. That there are some stays so.
func (g *guard) accounts(ctx context.Context) (bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.Now()
	if age := now.Sub(g.asked); g.known || age >= 0 && age < accountsFor {
		return g.known, nil
	}
	known, err := g.Ledger.HasAccounts(ctx)
	if err != nil {
		return false, err
	}
	g.asked, g.known = now, known
	return known, nil
}

// made is told that this process just made an account.
func (g *guard) made() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.known = true
}

const againKey = "plumbline/again"

// again says whether whoever asked still may: an answer that lasts, lasts no
// longer than that.
func (g *guard) again(c *gin.Context, p access.Permission) error {
	actor, _, err := g.who(c)
	if err != nil {
		return err
	}
	return access.Require(access.With(c.Request.Context(), &access.Attempt{Actor: actor}), p)
}

// still says whether whoever asked may still read on.
func still(c *gin.Context) bool {
	again, ok := c.Get(againKey)
	return !ok || again.(func() error)() == nil
}

// leave says how one comes to do what one may not.
func leave(denied *access.DeniedError) string {
	if denied.Actor.Scopes != nil && denied.Needs == access.Reveal {
		return "sign in with an account of the role " + string(access.Least(access.Reveal)) + ", and ask on the finding's page"
	}
	return "ask an admin for the role, or use a token with the scope"
}

// deny answers who may not.
func (g *guard) deny(c *gin.Context, err error) {
	denied, ok := errors.AsType[*access.DeniedError](err)
	if !ok {
		writeProblem(c, newProblem(http.StatusForbidden, err.Error(), "ask an admin"))
		return
	}
	if g.refuse != nil && isPage(c.Request.URL.Path) {
		g.refuse(c, denied)
		c.Abort()
		return
	}
	if denied.Actor.Anonymous() {
		c.Header("WWW-Authenticate", `Bearer realm="plumbline"`)
		writeProblem(c, newProblem(http.StatusUnauthorized, "nobody is signed in, or the token is none that is valid",
			"send a token as Authorization: Bearer …: plumbline token add makes one, and so does the page /account"))
		return
	}
	writeProblem(c, newProblem(http.StatusForbidden, err.Error(), leave(denied)))
}

// attestWithin bounds how long writing an entry of the audit log may take.
const attestWithin = 5 * time.Second

// settle writes the entry of an attempt that nobody recorded.
func (g *guard) settle(c *gin.Context, a *access.Attempt, ended bool) {
	if a.Action == "" || a.Recorded() {
		return
	}
	outcome := access.Done
	switch status := c.Writer.Status(); {
	case !ended, status >= http.StatusBadRequest && status != http.StatusUnauthorized && status != http.StatusForbidden:
		outcome = access.Failed
	case status >= http.StatusBadRequest:
		outcome = access.Denied
	}
	// It is to be known even where whoever asked has gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request.Context()), attestWithin)
	defer cancel()
	if g.Ledger == nil {
		return
	}
	if err := g.Ledger.Attest(ctx, a, outcome); err != nil {
		g.Log.Error("write to the audit log", "action", a.Action, "actor", a.Actor.Name, "outcome", string(outcome), "error", g.Lens.Scrub(err.Error()))
		return
	}
	a.Record()
}

// objectOf names what a request is about, by its path.
func objectOf(c *gin.Context) string {
	for _, kind := range []struct{ path, word string }{{"/checks/:name", "check "}, {"/findings/:id", "finding "}, {"/runs/:id", "run "}, {"/incidents/:id", "incident "}, {"/fixes/:id", "plan "}} {
		if _, rest, found := strings.Cut(c.FullPath(), kind.path); found && (rest == "" || rest[0] == '/') {
			return kind.word + c.Param(kind.path[strings.IndexByte(kind.path, ':')+1:])
		}
	}
	return ""
}

// isPage says whether a path is one of a person's, and not of a program's.
func isPage(path string) bool {
	for _, program := range []string{"/api/", "/metrics", "/livez", "/readyz", "/slack/", "/static/"} {
		if strings.HasPrefix(path, program) {
			return false
		}
	}
	return true
}

// forAnyone says whether a path is the same for everybody, so that nobody is asked
// who they are and no ledger is waited for: what pages are made of, whether the
// process lives, and Slack, which signs what it sends. What is done for Slack is
// written down by whoever does it, on behalf of the person it is from; what is
// refused there would fill the log.
func forAnyone(path string) bool {
	return strings.HasPrefix(path, "/static/") || path == "/livez" || strings.HasPrefix(path, "/slack/")
}

// changes says whether a method may change something.
func changes(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// originless says whether a request says nothing of the page that sent it. No
// browser sends such a one, and none is taken on the word of a cookie.
func originless(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == ""
}
