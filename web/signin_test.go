package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"plumbline/access"
	"plumbline/drift"
	"plumbline/ledger"
)

func (d *door) post(who caller, path string, values url.Values, header ...string) *httptest.ResponseRecorder {
	d.Helper()
	return d.ask(who, http.MethodPost, path, values.Encode(), header...)
}

// given is the cookie that an answer gives; nil for none.
func given(w *httptest.ResponseRecorder) *http.Cookie {
	for _, c := range w.Result().Cookies() {
		if c.Name == cookieName {
			return c
		}
	}
	return nil
}

func loginForm(name, word string) url.Values { return url.Values{"name": {name}, "password": {word}} }

// A wrong name is answered like a wrong password, to the byte.
func TestSigningInTellsNothingOfNames(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	nobody := d.caller("anonymous")
	known := d.post(nobody, "/login", loginForm("an operator", "wrong word entirely"))
	unknown := d.post(nobody, "/login", loginForm("somebody else", "wrong word entirely"))
	if known.Code != http.StatusUnauthorized || unknown.Code != known.Code || known.Body.String() != unknown.Body.String() || given(known) != nil {
		t.Errorf("known %d, unknown %d:\n%s\n%s", known.Code, unknown.Code, known.Body, unknown.Body)
	}
	if len(known.Header()) != len(unknown.Header()) {
		t.Errorf("headers %v and %v", known.Header(), unknown.Header())
	}
	for range 8 {
		known = d.post(nobody, "/login", loginForm("an operator", "wrong word entirely"))
	}
	if known.Code != http.StatusTooManyRequests || known.Header().Get("Retry-After") == "" {
		t.Errorf("after many wrong passwords: %d, Retry-After %q", known.Code, known.Header().Get("Retry-After"))
	}
}

// Signing in begins a session of its own, whatever cookie came along, and where
// it leads to is on this server.
func TestSigningInBeginsAnew(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	w := d.post(caller{cookie: "chosenbysomebodyelse"}, "/login", loginForm("an operator", password("an operator")))
	c := given(w)
	if w.Code != http.StatusSeeOther || c == nil || c.Value == "chosenbysomebodyelse" || len(c.Value) < 32 {
		t.Fatalf("status %d, cookie %v", w.Code, c)
	}
	if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge != 12*3600 {
		t.Errorf("the cookie is %+v", c)
	}
	if w := d.ask(caller{cookie: "chosenbysomebodyelse"}, http.MethodGet, "/account", ""); w.Code != http.StatusSeeOther {
		t.Errorf("a cookie that somebody chose opens the account: %d", w.Code)
	}
	// Who signs in with a session has another after it, and that one alone.
	before := d.caller("an operator")
	again := given(d.post(before, "/login", loginForm("an operator", password("an operator"))))
	if again == nil || again.Value == before.cookie || d.ask(before, http.MethodGet, "/account", "").Code != http.StatusSeeOther {
		t.Error("the session before goes on")
	}
	for next, want := range map[string]string{"/findings?state=open": "/findings?state=open", "//evil.example": "/", "/\\evil.example": "/", "https://evil.example/": "/",
		"/%09/evil.example": "/%09/evil.example", "javascript:alert(1)": "/", "": "/", "/login?next=/login": "/", "/\t/evil.example": "/", "evil": "/", "/link/slack?code=abc": "/link/slack?code=abc"} {
		if got := localPath(next); got != want {
			t.Errorf("after signing in %q leads to %q, want %q", next, got, want)
		}
		form := loginForm("an approver", password("an approver"))
		form.Set("next", next)
		if next == "//evil.example" {
			if got := d.post(d.caller("anonymous"), "/login", form).Header().Get("Location"); got != "/" {
				t.Errorf("signing in leads to %q", got)
			}
		}
	}
}

// A page that needs a session is come back to.
func TestSigningInLeadsBack(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	w := d.ask(d.caller("anonymous"), http.MethodGet, "/link/slack?code=abc", "")
	if want := "/login?next=%2Flink%2Fslack%3Fcode%3Dabc"; w.Header().Get("Location") != want {
		t.Errorf("leads to %q, want %q", w.Header().Get("Location"), want)
	}
	if page := d.ask(d.caller("anonymous"), http.MethodGet, w.Header().Get("Location"), "").Body.String(); !strings.Contains(page, `value="/link/slack?code=abc"`) || strings.Contains(page, "Overview") {
		t.Error("the page for signing in forgets where from, or shows what goes on")
	}
}

// What ends a right ends it at once: signing out, another role, being disabled.
func TestRightsEndAtOnce(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	opens := func(who caller, path string) bool { return d.ask(who, http.MethodGet, path, "").Code == http.StatusOK }
	operator, approver := d.caller("an operator"), d.caller("an approver")
	w := d.post(operator, "/logout", nil)
	if c := given(w); w.Code != http.StatusSeeOther || c == nil || c.MaxAge >= 0 || opens(operator, "/") {
		t.Errorf("after signing out the cookie is %v, and opens %v", given(w), opens(operator, "/"))
	}
	account, err := d.ledger.Account(t.Context(), "an approver")
	d.must(err)
	plain, _, err := d.ledger.CreateToken(t.Context(), ledger.Token{Name: "log", Account: account.ID, Role: access.Approver, Scopes: []access.Permission{access.Audit}})
	d.must(err)
	token := caller{token: plain}
	if !opens(approver, "/audit") || !opens(token, "/api/v1/audit") {
		t.Fatal("an approver does not see the audit log")
	}
	admin := d.caller("an admin")
	if w := d.post(admin, "/access/accounts/"+account.ID+"/role", url.Values{"role": {"viewer"}}); w.Code != http.StatusSeeOther {
		t.Fatalf("change a role: %d", w.Code)
	}
	if opens(approver, "/audit") || opens(token, "/api/v1/audit") {
		t.Error("a viewer still sees the audit log")
	}
	d.post(admin, "/access/accounts/"+account.ID+"/role", url.Values{"role": {"approver"}})
	d.post(admin, "/access/accounts/"+account.ID+"/disable", nil)
	if opens(token, "/api/v1/audit") || d.post(d.caller("anonymous"), "/login", loginForm("an approver", password("an approver"))).Code != http.StatusUnauthorized {
		t.Error("a disabled account still acts")
	}
	if w := d.post(admin, "/access/accounts/"+d.idOf("an admin")+"/role", url.Values{"role": {"viewer"}}); w.Code != http.StatusConflict {
		t.Errorf("the last admin goes: %d", w.Code)
	}
}

func (d *door) idOf(name string) string {
	d.Helper()
	a, err := d.ledger.Account(d.Context(), name)
	d.must(err)
	return a.ID
}

// People act on what is their own: sessions, tokens and links of others are not there.
func TestOwnThingsAlone(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ctx := t.Context()
	tokens, err := d.ledger.Tokens(ctx, d.idOf("an admin"))
	d.must(err)
	sessions, err := d.ledger.Sessions(ctx, d.idOf("an admin"))
	d.must(err)
	d.must(d.ledger.LinkSlack(ctx, "T1", "U1", d.idOf("an admin")))
	viewer := d.caller("an viewer")
	for path, values := range map[string]url.Values{"/account/tokens/" + tokens[0].ID + "/revoke": nil, "/account/sessions/" + sessions[0].Name + "/end": nil,
		"/account/slack/unlink": {"team": {"T1"}, "person": {"U1"}}} {
		if w := d.post(viewer, path, values); w.Code != http.StatusNotFound {
			t.Errorf("%s of another: %d", path, w.Code)
		}
	}
	if w := d.ask(d.caller("token metrics"), http.MethodGet, "/metrics", ""); w.Code != http.StatusOK {
		t.Errorf("the token is gone: %d", w.Code)
	}
	w := d.post(viewer, "/account/tokens", url.Values{"name": {"ci"}, "life": {"24h"}, "scope": {"view", "manage"}})
	plain := regexp.MustCompile(`plb_[a-z0-9]+`).FindString(w.Body.String())
	if plain == "" || strings.Contains(d.ask(viewer, http.MethodGet, "/account", "").Body.String(), plain) {
		t.Fatal("the token is not shown once")
	}
	if d.ask(caller{token: plain}, http.MethodGet, "/access", "").Code != http.StatusForbidden || d.ask(caller{token: plain}, http.MethodGet, "/api/v1/checks", "").Code != http.StatusOK {
		t.Error("a viewer's token does more than a viewer, or less than its scopes")
	}
	d.post(viewer, "/account/password", url.Values{"old": {"wrong word entirely"}, "password": {"another long word"}, "again": {"another long word"}})
	if d.ask(viewer, http.MethodGet, "/account", "").Code != http.StatusOK {
		t.Error("a wrong old password changes it")
	}
	d.post(viewer, "/account/password", url.Values{"old": {password("an viewer")}, "password": {"another long word"}, "again": {"another long word"}})
	if d.ask(viewer, http.MethodGet, "/account", "").Code != http.StatusSeeOther || d.post(d.caller("anonymous"), "/login", loginForm("an viewer", "another long word")).Code != http.StatusSeeOther {
		t.Error("the password is not changed, or its sessions go on")
	}
}

// A Slack user is linked by whoever is signed in and says so; once for a link.
func TestSlackUsersAreLinkedOnce(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	code, err := d.ledger.MakeCode(t.Context(), ledger.SlackLinkCode, "T9 U9", time.Minute)
	d.must(err)
	operator := d.caller("an operator")
	if page := d.ask(operator, http.MethodGet, "/link/slack?code="+code, "").Body.String(); !strings.Contains(page, "U9") || !strings.Contains(page, "an operator") {
		t.Error("the page does not say who is linked to whom")
	}
	if w := d.post(operator, "/link/slack", url.Values{"code": {code}}); w.Header().Get("Location") != "/account?said=linked" {
		t.Errorf("linking: %d", w.Code)
	}
	if w := d.post(d.caller("an admin"), "/link/slack", url.Values{"code": {code}}); w.Code != http.StatusGone {
		t.Errorf("a used link: %d", w.Code)
	}
	if a, err := d.ledger.SlackActor(t.Context(), "T9", "U9"); err != nil || a.Name != "an operator" {
		t.Errorf("U9 acts for %v, %v", a.Name, err)
	}
}

// While there are no accounts, whoever is on this machine does everything, and
// nobody else anything; the first account closes that door.
func TestFirstAccountClosesTheDoor(t *testing.T) {
	t.Parallel()
	l, err := ledger.Open(t.Context(), templates.URL(t, "sqlite"), ledger.Options{})
	d := &door{T: t, ledger: l}
	d.must(err)
	t.Cleanup(func() { d.must(l.Close()) })
	d.server, err = New(Options{Ledger: l, Lens: drift.Lens{Masker: drift.NewMasker(l.MaskKey()), Scrub: func(s string) string { return s }}, PublicURL: "https://plumbline.example.com"})
	d.must(err)
	here := caller{}
	if w := d.ask(here, http.MethodGet, "/access", ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "no sign-in") {
		t.Fatalf("whoever is here: %d", w.Code)
	}
	for _, from := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-Ip", "Forwarded", "Via", "Cf-Connecting-Ip"} {
		if w := d.ask(here, http.MethodGet, "/", "", from, "127.0.0.1"); w.Code != http.StatusSeeOther {
			t.Errorf("on behalf of another by %s: %d", from, w.Code)
		}
	}
	far := httptest.NewRequest(http.MethodGet, "http://plumbline.example.com/findings", nil)
	far.RemoteAddr = "192.0.2.1:1024"
	answer := httptest.NewRecorder()
	d.server.Handler().ServeHTTP(answer, far)
	if answer.Code != http.StatusSeeOther {
		t.Errorf("from elsewhere: %d", answer.Code)
	}
	if w := d.post(here, "/findings/F-1/ack", nil, "Origin", ""); w.Code != http.StatusNotFound {
		t.Errorf("a program's POST, which says nothing of a page: %d", w.Code)
	}
	if w := d.post(here, "/access/accounts", url.Values{"name": {"ada"}, "role": {"viewer"}, "password": {"a long enough word"}}); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("a first account that is no admin: %d", w.Code)
	}
	code, err := l.MakeCode(t.Context(), ledger.SetUpCode, "", time.Hour)
	d.must(err)
	if w := d.ask(here, http.MethodGet, "/setup?code=wrong", ""); w.Code != http.StatusGone {
		t.Errorf("a wrong set-up code: %d", w.Code)
	}
	form := url.Values{"code": {code}, "name": {"ada"}, "password": {"short"}, "again": {"short"}}
	if w := d.post(here, "/setup", form); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("a short password: %d", w.Code)
	}
	form.Set("password", "a long enough word")
	form.Set("again", "a long enough word")
	if w := d.ask(here, http.MethodGet, "/setup?code="+code, ""); w.Code != http.StatusOK {
		t.Errorf("the set-up code: %d", w.Code)
	}
	spare, err := l.MakeCode(t.Context(), ledger.SetUpCode, "", time.Hour)
	d.must(err)
	w := d.post(here, "/setup", form)
	if w.Code != http.StatusSeeOther || given(w) == nil {
		t.Fatalf("set up: %d", w.Code)
	}
	if w := d.ask(here, http.MethodGet, "/setup?code="+spare, ""); w.Code != http.StatusGone {
		t.Errorf("a code that was not used, once there is an account: %d", w.Code)
	}
	if d.ask(here, http.MethodGet, "/access", "").Code != http.StatusSeeOther {
		t.Error("the door stays open")
	}
	if d.ask(caller{cookie: given(w).Value}, http.MethodGet, "/access", "").Code != http.StatusOK {
		t.Error("the first account is not signed in")
	}
	if w := d.post(here, "/setup", form); w.Code != http.StatusGone {
		t.Errorf("set up twice: %d", w.Code)
	}
}

// A proxy is believed where it is trusted, and nobody before it.
func TestTrustedProxiesNameTheAddress(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	o := d.server.o
	o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	var err error
	d.server, err = New(o)
	d.must(err)
	d.ask(d.caller("anonymous"), http.MethodPost, "/api/v1/findings/F-1/ack", "", "X-Forwarded-For", "203.0.113.9, 198.51.100.4")
	denied, _, err := d.ledger.AuditEntries(t.Context(), ledger.AuditFilter{Outcome: "denied"})
	if err != nil || len(denied) != 1 || denied[0].Address != "198.51.100.4" {
		t.Errorf("entries %+v, %v", denied, err)
	}
}

// An answer that lasts ends with the right to it.
func TestAnswersThatLastEndWithTheSession(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	viewer := d.caller("an viewer")
	engine := gin.New()
	r := newRoutes(engine)
	d.must(newGuard(d.server.o, r).stand(engine))
	before, after := false, true
	r.reads("/lasts", access.View, func(c *gin.Context) {
		before = still(c)
		d.must(d.ledger.EndSessions(c.Request.Context(), access.ActorOf(c.Request.Context()).Account))
		after = still(c)
	})
	request := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/lasts", nil)
	request.AddCookie(&http.Cookie{Name: cookieName, Value: viewer.cookie})
	engine.ServeHTTP(httptest.NewRecorder(), request)
	if !before || after {
		t.Errorf("it may be read before the session ended: %v, and after: %v", before, after)
	}
}

// Addresses of one network of IPv6 are one crowd, and one that is none is too.
func TestCrowdsAreOfNetworks(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 1, 9, 10, 58, 3, 0, time.UTC)
	c := newCrowd(func() time.Time { return now })
	lets := func(address string) (n int) {
		for c.lets(address) {
			n++
		}
		return n
	}
	if n := lets("2001:db8::1"); n != crowdOfOne || c.lets("2001:db8::2") || c.lets("2001:db8::ffff:1") || !c.lets("2001:db8:0:1::1") {
		t.Errorf("%d attempts of one network", n)
	}
	if n := lets("192.0.2.1"); n != crowdOfOne || !c.lets("192.0.2.2") || c.lets("::ffff:192.0.2.1") {
		t.Errorf("%d attempts of one address", n)
	}
	if n := lets("no address"); n != crowdOfOne || c.lets("none either") {
		t.Errorf("%d attempts of nowhere", n)
	}
	now = now.Add(time.Minute)
	all := 0
	for i := range 100 {
		all += lets(fmt.Sprintf("198.51.100.%d", i))
	}
	if all != crowdOfAll {
		t.Errorf("%d attempts of all in a minute", all)
	}
}
