package web

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"plumbline/access"
	"plumbline/auditor"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/ledger/ledgertest"
)

// allowed is who may do what, written down a second time: what the routes declare
// is measured by it.
func allowed() map[access.Role]string {
	return map[access.Role]string{
		"":              "public",
		access.Viewer:   "public self view metrics",
		access.Operator: "public self view metrics values act reveal",
		access.Approver: "public self view metrics values act reveal approve audit",
		access.Admin:    "public self view metrics values act reveal approve audit manage",
	}
}

// caller is somebody who asks, and what they may do.
type caller struct {
	name          string
	may           string // permissions, divided by spaces
	cookie, token string
}

func (c *caller) allowed(p access.Permission) bool {
	return slices.Contains(strings.Fields(c.may), string(p))
}

// door is a whole server with accounts, and everybody who may come to it.
type door struct {
	*testing.T
	ledger  *ledger.Ledger
	server  *Server
	callers []caller
	slack   int // requests that came to where Slack's go
}

// password is that of an account, by its name.
func password(name string) string { return "a long word for " + strings.Repeat("x", len(name)) }

// templates are what the ledgers of the tests are copied from.
var templates = &ledgertest.Templates{}

func newDoor(t *testing.T) *door {
	t.Helper()
	d := &door{T: t}
	now := time.Date(2027, 1, 9, 10, 58, 3, 0, time.UTC)
	var err error
	d.ledger, err = ledger.Open(t.Context(), templates.URL(t, "sqlite"), ledger.Options{Now: func() time.Time { return now }})
	d.must(err)
	t.Cleanup(func() { d.must(d.ledger.Close()) })
	for _, role := range access.Roles() {
		name := "an " + string(role)
		a, err := d.ledger.CreateAccount(t.Context(), name, role, password(name))
		d.must(err)
		d.callers = append(d.callers, caller{name: name, may: allowed()[role], cookie: d.signIn(name)})
		if role != access.Admin {
			continue
		}
		for _, scope := range access.Scopes() {
			plain, _, err := d.ledger.CreateToken(t.Context(), ledger.Token{Name: string(scope), Account: a.ID, Role: role, Scopes: []access.Permission{scope}})
			d.must(err)
			d.callers = append(d.callers, caller{name: "token " + string(scope), may: "public " + string(scope), token: plain})
		}
	}
	plain, _, err := d.ledger.CreateToken(t.Context(), ledger.Token{Name: "all", Role: access.Viewer, Scopes: access.Scopes()})
	d.must(err)
	d.callers = append(d.callers, caller{name: "anonymous", may: allowed()[""]}, caller{name: "wrong token", may: allowed()[""], token: "plb_nothing"},
		caller{name: "old cookie", may: allowed()[""], cookie: "gone"}, caller{name: "viewer's token of all scopes", may: "public view metrics", token: plain})
	events := NewEvents()
	events.Close() // so that a stream ends at once
	lens := drift.Lens{Masker: drift.NewMasker(d.ledger.MaskKey()), Scrub: func(s string) string { return s }}
	d.server, err = New(Options{Ledger: d.ledger, Lens: lens, Desk: auditor.NewDesk(d.ledger, nil, func() time.Time { return now }), Events: events, PublicURL: "https://plumbline.example.com",
		Slack: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			d.slack++
			w.WriteHeader(http.StatusNoContent)
		}), Version: "test", Now: func() time.Time { return now }})
	d.must(err)
	return d
}

func (d *door) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

func (d *door) signIn(name string) (cookie string) {
	d.Helper()
	cookie, _, err := d.ledger.SignIn(d.Context(), name, password(name), "192.0.2.7", "test")
	d.must(err)
	return cookie
}

// caller finds one by name.
func (d *door) caller(name string) caller {
	d.Helper()
	i := slices.IndexFunc(d.callers, func(c caller) bool { return c.name == name })
	if i < 0 {
		d.Fatalf("there is no caller %s", name)
	}
	return d.callers[i]
}

// ask sends a request as its caller would, from a page of ours.
func (d *door) ask(who caller, method, path, body string, header ...string) *httptest.ResponseRecorder {
	d.Helper()
	r := httptest.NewRequest(method, "http://127.0.0.1:8080"+path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:1024"
	r.Header.Set("Origin", "http://127.0.0.1:8080")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if strings.HasPrefix(path, "/api/") {
		r.Header.Set("Content-Type", "application/json")
	}
	if who.cookie != "" {
		r.AddCookie(&http.Cookie{Name: cookieName, Value: who.cookie})
	}
	if who.token != "" {
		r.Header.Set("Authorization", "Bearer "+who.token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i+1] == "" {
			r.Header.Del(header[i])
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	d.server.Handler().ServeHTTP(w, r)
	return w
}

// routes are the server's own, with what each declares; what ends a session is last.
func (d *door) routes() (list []gin.RouteInfo, needs map[string]need) {
	list = d.server.engine.Routes()
	rank := func(r gin.RouteInfo) int { return slices.Index([]string{"/logout"}, r.Path) }
	slices.SortStableFunc(list, func(a, b gin.RouteInfo) int { return rank(a) - rank(b) })
	return list, d.server.guard.routes.needs
}

// pathOf is a route's path with something in the place of its parameters.
func pathOf(route string) string {
	return strings.NewReplacer(":name", "orders", ":id", "F-1", ":act", "ack", "*file", "0/app.css").Replace(route)
}

// turned says whether the guard turned somebody away: a form for a password that
// was wrong is none of that.
func turned(w *httptest.ResponseRecorder) bool {
	switch w.Code {
	case http.StatusSeeOther:
		return strings.HasPrefix(w.Header().Get("Location"), "/login?next=")
	case http.StatusUnauthorized, http.StatusForbidden:
		return !strings.Contains(w.Body.String(), `name="password"`)
	}
	return false
}

// done counts the entries of the audit log, of one outcome or of all.
func (d *door) done(outcome string) (n int) {
	d.Helper()
	where, args := "", []any{}
	if outcome != "" {
		where, args = " WHERE outcome = $1", []any{outcome}
	}
	d.must(d.ledger.DB().QueryRowContext(d.Context(), "SELECT COUNT(*) FROM audit"+where, args...).Scan(&n))
	return n
}
