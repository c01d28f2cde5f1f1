package web

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"plumbline/access"
	"plumbline/ledger"
)

// Every route, for everybody: each comes to what the route's declared permission
// and the table above say, and every answer is locked down.
func TestEveryRouteLetsInWhoMayAndNobodyElse(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	list, needs := d.routes()
	cells, denied := 0, 0
	for _, who := range d.callers {
		for _, route := range list {
			p := needs[route.Method+" "+route.Path].Permission
			w := d.ask(who, route.Method, pathOf(route.Path), "")
			cells++
			want := !who.allowed(p)
			if want {
				denied++
			}
			if got := turned(w); got != want {
				t.Errorf("%s, %s %s (needs %s): turned away %v, want %v (status %d)", who.name, route.Method, route.Path, p, got, want, w.Code)
			}
			if strings.HasPrefix(route.Path, "/api/") && want && w.Header().Get("Content-Type") != problemType {
				t.Errorf("%s, %s %s: denied with %s", who.name, route.Method, route.Path, w.Header().Get("Content-Type"))
			}
			for name, begins := range map[string]string{"Content-Security-Policy": "default-src 'self'; object-src 'none'", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
				"Referrer-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Strict-Transport-Security": "max-age=31536000", "Cache-Control": "no-store"} {
				if got := w.Header().Get(name); !strings.HasPrefix(got, begins) {
					t.Errorf("%s %s answers %s with %s: %q", route.Method, route.Path, who.name, name, got)
				}
			}
		}
	}
	t.Logf("%d routes × %d callers: %d cells, %d of them denied", len(list), len(d.callers), cells, denied)
	if len(list) < 60 || len(d.callers) < 15 {
		t.Errorf("%d routes and %d callers: the matrix is not whole", len(list), len(d.callers))
	}
}

// A route that does not say what it needs is no route: the server is not made.
func TestUndeclaredRouteIsRefused(t *testing.T) {
	t.Parallel()
	nothing := func(*gin.Context) {}
	for name, add := range map[string]func(*routes){
		"not declared":          func(r *routes) { r.engine.GET("/more", nothing) },
		"needs nothing":         func(r *routes) { r.reads("/more", "", nothing) },
		"changes without name":  func(r *routes) { r.acts("/more", access.Act, "", nothing) },
		"declared, not served":  func(r *routes) { r.declare(http.MethodGet, "/more", need{Permission: access.View}) },
		"another method of one": func(r *routes) { r.engine.DELETE("/known", nothing) },
	} {
		r := newRoutes(gin.New())
		r.reads("/known", access.View, nothing)
		if err := r.whole(); err != nil {
			t.Fatalf("%s, before: %v", name, err)
		}
		add(r)
		if err := r.whole(); err == nil {
			t.Errorf("%s: the routes pass for whole", name)
		}
	}
}

// What changes something is done for a page of ours or for a token, and for
// nothing else: not for a page of another site, not for a bare cookie, not by GET.
func TestNothingIsChangedFromElsewhere(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	admin := d.caller("an admin")
	list, _ := d.routes()
	before, refused := d.done("ok"), 0
	for _, route := range list {
		if route.Method != http.MethodPost {
			continue
		}
		path := pathOf(route.Path)
		for _, elsewhere := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}, {"Origin", "http://127.0.0.1:9999"}, {"Origin", ""}} {
			w := d.ask(admin, http.MethodPost, path, "", elsewhere...)
			bare := elsewhere[1] == "" && strings.HasPrefix(path, "/slack/")
			if refused++; (w.Code != http.StatusForbidden) != bare {
				t.Errorf("POST %s with %q: status %d", path, elsewhere, w.Code)
			}
		}
		if w := d.ask(admin, http.MethodGet, path, ""); w.Code < 300 && !slices.ContainsFunc(list, func(r gin.RouteInfo) bool { return r.Method == http.MethodGet && r.Path == route.Path }) {
			t.Errorf("GET %s: status %d", path, w.Code)
		}
		for _, method := range []string{http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodTrace} {
			if w := d.ask(admin, method, path, "echo"); w.Code != http.StatusMethodNotAllowed || strings.Contains(w.Body.String(), "echo") && method == http.MethodTrace {
				t.Errorf("%s %s: status %d", method, path, w.Code)
			}
		}
	}
	// Slack signs what it sends: what says nothing of its page comes to it, and to nothing else.
	if after := d.done("ok"); after != before || d.slack != 2 {
		t.Errorf("%d acts were done from elsewhere, %d requests came to Slack's", after-before, d.slack)
	}
	t.Logf("%d requests from elsewhere, all refused but %d that Slack's own signature is to decide", refused, d.slack)
	for _, path := range []string{"/api/v1/findings/F-1/ack", "/api/v1/findings/ack", "/api/v1/checks/orders/runs", "/api/v1/findings/F-1/reveal"} {
		if w := d.ask(admin, http.MethodPost, path, `{"note":"x"}`, "Content-Type", "text/plain"); w.Code != http.StatusUnsupportedMediaType {
			t.Errorf("%s takes a body of text/plain: %d", path, w.Code)
		}
	}
}

// Whatever is attempted is in the audit log, done or not, with who and what.
func TestEveryAttemptIsInTheAuditLog(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	list, needs := d.routes()
	for _, who := range []string{"an admin", "a viewer", "anonymous"} {
		caller := d.caller(strings.Replace(who, "a viewer", "an viewer", 1))
		for _, route := range list {
			if route.Method != http.MethodPost {
				continue
			}
			n := needs["POST "+route.Path]
			before := d.done("")
			w := d.ask(caller, http.MethodPost, pathOf(route.Path), "")
			want := 1
			if n.Action == slackAction { // written down by who does what Slack asks
				want = 0
			}
			if made := d.done("") - before; made != want {
				t.Errorf("%s, POST %s (%s): %d entries, want %d (status %d)", who, route.Path, n.Action, made, want, w.Code)
			}
			if !caller.allowed(n.Permission) {
				denied, _, err := d.ledger.AuditEntries(t.Context(), ledger.AuditFilter{Action: n.Action, Outcome: "denied"})
				if err != nil || len(denied) == 0 || denied[0].Address != "127.0.0.1" {
					t.Errorf("%s, POST %s: no entry that %s was denied, %v", who, route.Path, n.Action, err)
				}
			}
		}
	}
	entries, _, err := d.ledger.AuditEntries(t.Context(), ledger.AuditFilter{Object: "finding F-1", Actor: "an admin"})
	if err != nil || len(entries) == 0 {
		t.Errorf("no entry says of which finding it is: %v", err)
	}
}

// Who asks too much without signing in is told to wait, whatever they say of
// where they come from; nobody else waits for that.
func TestSpoofedAddressesChangeNothing(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	nobody, answers := d.caller("anonymous"), map[int]int{}
	for i := range 1000 {
		spoofed := fmt.Sprintf("198.51.%d.%d", i/250, i%250)
		w := d.ask(nobody, http.MethodPost, "/api/v1/findings/F-1/ack", "", "X-Forwarded-For", spoofed, "X-Real-Ip", spoofed, "Forwarded", "for="+spoofed)
		answers[w.Code]++
	}
	if answers[http.StatusUnauthorized] != crowdOfOne || answers[http.StatusTooManyRequests] != 1000-crowdOfOne {
		t.Errorf("answers: %v", answers)
	}
	var elsewhere int
	d.must(d.ledger.DB().QueryRowContext(t.Context(), `SELECT COUNT(*) FROM audit WHERE address NOT IN ('127.0.0.1', '')`).Scan(&elsewhere))
	if elsewhere > 0 {
		t.Errorf("%d entries are counted to an address that somebody made up", elsewhere)
	}
	if w := d.ask(d.caller("an admin"), http.MethodGet, "/access", ""); w.Code != http.StatusOK {
		t.Errorf("an admin is kept out: %d", w.Code)
	}
}

// A flood from many addresses leaves those their way in who were signed in from where they are.
func TestAFloodKeepsNobodyOutWhoWasIn(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 1, 9, 10, 58, 3, 0, time.UTC)
	c := newCrowd(func() time.Time { return now })
	c.knows("192.0.2.7")
	refused := 0
	for i := range crowdOfAll + 100 {
		if !c.lets(fmt.Sprintf("198.51.%d.%d", i/250, i%250)) {
			refused++
		}
	}
	if refused != 100 {
		t.Errorf("%d of the flood were refused, want 100", refused)
	}
	for range crowdOfOne {
		if !c.lets("192.0.2.7") {
			t.Fatal("who was signed in there is kept out")
		}
	}
	if c.lets("192.0.2.7") {
		t.Error("there is no bound for who was signed in")
	}
	d := newDoor(t)
	d.ask(d.caller("an viewer"), http.MethodGet, "/runs", "")
	if _, known := d.server.guard.crowd.known[network("127.0.0.1")]; !known {
		t.Error("nobody notes from where people were signed in")
	}
}

// What is longer than any form is not read.
func TestLongRequestsAreRefused(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	long := "name=" + strings.Repeat("x", bodyBytes)
	for _, path := range []string{"/login", "/setup", "/findings/many", "/api/v1/findings/ack"} {
		if w := d.ask(d.caller("an admin"), http.MethodPost, path, long); w.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("POST %s: status %d", path, w.Code)
		}
	}
}

// Probes learn the status and no more.
func TestProbesLearnNothing(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	for _, path := range []string{"/livez", "/readyz"} {
		w := d.ask(d.caller("anonymous"), http.MethodGet, path, "")
		body, err := io.ReadAll(w.Body)
		d.must(err)
		if len(body) > 120 || strings.Contains(string(body), "yaml") {
			t.Errorf("%s says %s", path, body)
		}
	}
}
