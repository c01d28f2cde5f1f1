package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"plumbline/alerts/slack/slacktest"
)

const slackConfig = `
server: {public_url: "http://127.0.0.1:1"}
sources: {shop: {kind: sqlite, url: "sqlite://shop.db", team: shop}}
defaults: {schedule: "@every 2s", settle: 0s, alert: {slack: "#data"}}
checks:
  prices: {owner: {source: shop, dataset: products, key: [id]}, replica: {source: shop, dataset: copies, key: [id]}, fields: [price]}
alerts:
  slack: {token: "%s", signing_secret: "%s", %s api_url: "%s"}
`

// workspace is a Slack beside a `plumbline serve`, and Ann in both.
type workspace struct {
	*served
	slack  *slacktest.Server
	door   *slacktest.Door
	ann    slacktest.Person
	cookie string
	pages  *http.Client
}

func newWorkspace(t *testing.T, socket bool) *workspace {
	t.Helper()
	w := &workspace{slack: slacktest.Start(t, slacktest.Options{}), ann: slacktest.Person{ID: "U0ANN", Name: "ann"},
		pages: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: 10 * time.Second}}
	dir := t.TempDir()
	shopIn(t, dir)
	app := ""
	if socket {
		app = `app_token: "` + slacktest.AppToken + `",`
	}
	writeConfig(t, dir, fmt.Sprintf(slackConfig, slacktest.Token, slacktest.SigningSecret, app, w.slack.API()))
	w.served = serveIn(t, dir)
	w.door = w.slack.Over(w.address)
	if socket {
		w.door = w.slack.OverSocket()
		w.await("a socket is open", func() bool { return w.slack.Sockets() > 0 })
	}
	return w
}

func (w *workspace) await(what string, holds func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	if err := w.slack.Await(ctx, what, holds); err != nil {
		w.t.Fatalf("%v\nlog:\n%s", err, w.logged())
	}
}

// post sends a form as a browser does from our own page.
func (w *workspace) post(path string, form url.Values) (location string) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.address+path, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Origin", w.address)
	request.Header.Set("Sec-Fetch-Site", "same-origin")
	status, location, body := w.answer(request)
	if status != http.StatusSeeOther {
		w.t.Fatalf("POST %s: %d %s\nlog:\n%s", path, status, body, w.logged())
	}
	return location
}

// page is what a page shows to whoever is signed in.
func (w *workspace) page(path string) string {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.address+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	status, _, body := w.answer(request)
	if status != http.StatusOK {
		w.t.Fatalf("GET %s: %d %s", path, status, body)
	}
	return body
}

func (w *workspace) answer(request *http.Request) (status int, location, body string) {
	w.t.Helper()
	if w.cookie != "" {
		request.Header.Set("Cookie", w.cookie)
	}
	response, err := w.pages.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	for _, c := range response.Cookies() {
		w.cookie = c.Name + "=" + c.Value
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return response.StatusCode, response.Header.Get("Location"), string(text)
}

// hears gives a command, and waits until Ann is told words in private.
func (w *workspace) hears(command string, words ...string) (text string) {
	w.t.Helper()
	before := len(w.slack.Private(w.ann.ID))
	ack, err := w.door.Command(w.t.Context(), w.ann, "data", command)
	for tries := 0; err == nil && tries < 5 && strings.Contains(string(ack.Body), "nothing was done"); tries++ { // the machine is busy: as she is told, again
		ack, err = w.door.Command(w.t.Context(), w.ann, "data", command)
	}
	if err != nil || ack.Status != http.StatusOK {
		w.t.Fatalf("%s: %d %s, %v\nlog:\n%s", command, ack.Status, ack.Body, err, w.logged())
	}
	w.await(fmt.Sprintf("%s: she is told %q", command, words), func() bool {
		for _, m := range w.slack.Private(w.ann.ID)[before:] {
			text = m.Text + "\n" + unescapedJSON(m.Blocks)
			if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) }) {
				return true
			}
		}
		return false
	})
	return text
}

// unescapedJSON is JSON without the escapes that Go writes for HTML.
func unescapedJSON(raw json.RawMessage) string {
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(raw))
}

// root waits until the incident's root message says something.
func (w *workspace) root(words string) (root slacktest.Message) {
	w.t.Helper()
	w.await("the root message says "+words, func() bool {
		roots := slices.DeleteFunc(w.slack.Roots("data"), func(m slacktest.Message) bool { return len(m.Metadata) == 0 || string(m.Metadata) == "null" })
		if len(roots) == 0 {
			return false
		}
		root = roots[0]
		return strings.Contains(root.Text+unescapedJSON(root.Blocks), words)
	})
	return root
}

func (w *workspace) press(root slacktest.Message, action string) {
	w.t.Helper()
	if ack, err := w.door.Click(w.t.Context(), w.ann, "data", root.TS, action, ""); err != nil || ack.Status != http.StatusOK {
		w.t.Fatalf("press %s: %d, %v\nlog:\n%s", action, ack.Status, err, w.logged())
	}
}

// The first account is made by the link that serve writes, a Slack user is linked
// to it on a page, and then every command and button does what it says; a click
// shows on the page, and what is done on the page shows in Slack.
func TestSlackFromTheFirstAccountToTheLastWord(t *testing.T) {
	t.Parallel()
	for _, socket := range []bool{false, true} {
		t.Run(map[bool]string{false: "over HTTP", true: "over a socket"}[socket], func(t *testing.T) {
			t.Parallel()
			w := newWorkspace(t, socket)
			w.hears("link", "There are no accounts yet")
			found := regexp.MustCompile(`no accounts yet: make the first at http://\S+/setup\?code=(\S+) `).FindStringSubmatch(w.said)
			if found == nil {
				t.Fatalf("it said %q", w.said)
			}
			w.post("/setup", url.Values{"code": {found[1]}, "name": {"ann"}, "password": {"correct horse battery"}, "again": {"correct horse battery"}})
			w.hears("status", "You are not linked")
			link := regexp.MustCompile(`/link/slack\?code=([a-z0-9]+)`).FindStringSubmatch(w.hears("link", "Link your account"))
			if link == nil || !strings.Contains(w.page(link[0]), w.ann.ID) {
				t.Fatalf("the link is %q", link)
			}
			w.post("/link/slack", url.Values{"code": {link[1]}})

			root := w.root("Drift")
			for command, words := range map[string][]string{
				"":                                {"1 check", "1 drifted"},
				"status":                          {"prices", "I-1"},
				"check prices":                    {"1 finding", "shop"},
				"sources":                         {"1 source", "sqlite"},
				"show I-1":                        {"1 finding"},
				"help":                            {"/plumbline unmute"},
				"mute prices 1d until the import": {"is muted until"},
				"nonsense":                        {"There is no such command"},
				"show F-0000000000":               {"There is no finding"},
			} {
				w.hears(command, words...)
			}
			w.root("Unmute")
			w.hears("unmute prices", "is heard again")
			w.root("Mute…")
			if _, err := w.door.Choose(t.Context(), w.ann, "data", root.TS, "mute", "4 hours"); err != nil {
				t.Fatal(err)
			}
			w.press(w.root("Unmute"), "unmute")
			w.root("Mute…")
			w.post("/checks/prices/mute", url.Values{"until": {"1h"}})
			w.root("Unmute")
			w.post("/checks/prices/unmute", nil)
			w.press(w.root("Mute…"), "recheck")
			w.press(root, "open")
			w.press(root, "ack")
			w.root("acknowledged by ann")
			if page := w.page("/incidents/I-1"); !strings.Contains(page, "ann") {
				t.Errorf("the page of the incident does not show the click: %s", page)
			}
			w.hears("ack I-1", "already acknowledged by ann")
			if page := w.page("/audit"); strings.Count(page, "acknowledge incident") < 2 || !strings.Contains(page, "slack") {
				t.Errorf("the audit log does not show it: %s", page)
			}
			w.hears("run prices", "un #") // begun, or told which goes by the schedule

			execute(t, filepath.Join(w.cmd.Dir, "shop.db"), `UPDATE copies SET price = '20.00' WHERE id = 2`)
			w.root("Resolved")
			w.hears("show I-1", "resolved")
			if text := w.logged(); strings.Contains(text, found[1]) || strings.Contains(text, link[1]) || strings.Contains(text, slacktest.SigningSecret) || !strings.Contains(text, "audit head") {
				t.Errorf("the log holds a secret, or no head:\n%s", text)
			}
		})
	}
}
