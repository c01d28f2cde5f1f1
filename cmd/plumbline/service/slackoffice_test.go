package service_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plumbline/access"
	"plumbline/alerts"
	"plumbline/alerts/slack/slacktest"
	"plumbline/cmd/plumbline/service"
	"plumbline/configs"
	"plumbline/ledger"
)

// logged is a log that may be read while it is written.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// office is a Plumbline that serves a small shop whose copy 2 drifts, in a
// workspace of Slack. Ann, an operator, and Vic, a viewer, are linked.
type office struct {
	t       *testing.T
	dir     string
	listen  string // "" is a free port of this machine
	slack   *slacktest.Server
	service *service.Service
	log     *logged
	ann     slacktest.Person
	vic     slacktest.Person
}

const channel = "data"

const officeConfig = `
server: {public_url: "http://127.0.0.1:1"}
sources: {shop: {kind: sqlite, url: "sqlite://SHOP", team: shop}}
defaults: {settle: 0s, alert: {slack: "#data"}}
checks:
  prices: {owner: {source: shop, dataset: products, key: [id]}, replica: {source: shop, dataset: copies, key: [id]}, fields: [price]}
alerts:
  slack: {token: "%s", signing_secret: "%s", %s api_url: "%s"}
`

func newOffice(t *testing.T, socket bool) *office {
	t.Helper()
	o := &office{t: t, dir: t.TempDir(), slack: slacktest.Start(t, slacktest.Options{}), log: &logged{},
		ann: slacktest.Person{ID: "U0ANN", Name: "ann"}, vic: slacktest.Person{ID: "U0VIC", Name: "vic"}}
	shop := filepath.Join(o.dir, "shop.db")
	db, err := sql.Open("sqlite", shop)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(`CREATE TABLE products (id INTEGER PRIMARY KEY, price TEXT); CREATE TABLE copies (id INTEGER PRIMARY KEY, price TEXT);
		INSERT INTO products VALUES (1, '10.00'), (2, '20.00'), (3, '30.00'); INSERT INTO copies VALUES (1, '10.00'), (2, '19.00'), (3, '30.00')`)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	app := ""
	if socket {
		app = `app_token: "` + slacktest.AppToken + `",`
	}
	text := fmt.Sprintf(strings.Replace(officeConfig, "SHOP", shop, 1), slacktest.Token, slacktest.SigningSecret, app, o.slack.API())
	if err := os.WriteFile(filepath.Join(o.dir, "plumbline.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o.start()
	l := o.service.Ledger()
	for _, who := range []struct {
		person slacktest.Person
		role   access.Role
	}{{o.ann, access.Operator}, {o.vic, access.Viewer}} {
		if _, err := l.CreateAccount(t.Context(), who.person.Name, who.role, "correct horse battery"); err != nil {
			t.Fatal(err)
		}
		if err := l.LinkSlack(t.Context(), slacktest.Team, who.person.ID, who.person.Name); err != nil {
			t.Fatal(err)
		}
	}
	if socket {
		o.await("a socket is open", func() bool { return o.slack.Sockets() > 0 })
	}
	return o
}

func (o *office) load() (*configs.Config, error) {
	return configs.Load(filepath.Join(o.dir, "plumbline.yaml"), os.LookupEnv, os.ReadFile)
}

func (o *office) start() {
	o.t.Helper()
	config, err := o.load()
	if err != nil {
		o.t.Fatal(err)
	}
	if o.listen == "" {
		o.listen = "127.0.0.1:0"
	}
	o.service, err = service.Start(o.t.Context(), service.Options{Config: config, Load: o.load, Stamp: func() string { return "" }, Listen: o.listen,
		Version: "test", Scrub: func(s string) string { return s }, Log: service.NewLog(o.log, slog.LevelDebug, func(s string) string { return s })})
	if err != nil {
		o.t.Fatal(err)
	}
	running := o.service
	o.t.Cleanup(func() {
		if err := running.Stop(); err != nil {
			o.t.Error(err)
		}
		if o.t.Failed() {
			o.t.Log(o.log.String())
		}
	})
}

func (o *office) await(what string, holds func() bool) {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), time.Minute)
	defer cancel()
	if err := o.slack.Await(ctx, what, holds); err != nil {
		o.t.Fatalf("%v\nprivate: %+v\nmessages: %+v\nlog:\n%s", err, o.slack.Private(""), o.slack.Messages(""), o.log)
	}
}

func (o *office) door(socket bool) *slacktest.Door {
	if socket {
		return o.slack.OverSocket()
	}
	return o.slack.Over(o.service.Address())
}

// hears gives a command and waits until its person is told words in private.
func (o *office) hears(door *slacktest.Door, p slacktest.Person, command string, words ...string) string {
	o.t.Helper()
	before := len(o.slack.Private(p.ID))
	ack, err := door.Command(o.t.Context(), p, channel, command)
	for tries := 0; err == nil && tries < 5 && strings.Contains(string(ack.Body), "nothing was done"); tries++ { // the machine is busy: as they are told, again
		ack, err = door.Command(o.t.Context(), p, channel, command)
	}
	if err != nil || ack.Status != http.StatusOK {
		o.t.Fatalf("%s: %d %s, %v\n%s", command, ack.Status, ack.Body, err, o.log)
	}
	return o.told(p, before, command, words...)
}

// told waits until a person was told words in private, after the first some messages.
func (o *office) told(p slacktest.Person, before int, what string, words ...string) (text string) {
	o.t.Helper()
	o.await(fmt.Sprintf("%s: %s is told %q", what, p.Name, words), func() bool {
		for _, m := range o.slack.Private(p.ID)[before:] {
			text = m.Text + "\n" + string(m.Blocks)
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
				return true
			}
		}
		return false
	})
	return text
}

// drifted runs the check, and returns the incident's root message.
func (o *office) drifted(door *slacktest.Door) slacktest.Message {
	o.t.Helper()
	o.hears(door, o.ann, "run prices", "Started run #1 of `prices`")
	o.told(o.ann, 0, "the run's end", "Run #1 of", "drift, 1 finding")
	return o.root("prices")
}

// root waits until the one root message says something.
func (o *office) root(words string) (root slacktest.Message) {
	o.t.Helper()
	o.await("the root message says "+words, func() bool {
		roots := o.slack.Roots(channel)
		if len(roots) != 1 {
			return false
		}
		root = roots[0]
		return strings.Contains(root.Text+string(root.Blocks), words)
	})
	return root
}

// entries counts the audit log's entries of an action by their outcomes.
func (o *office) entries(action string) map[access.Outcome]int {
	o.t.Helper()
	counts := map[access.Outcome]int{}
	for after := ""; ; {
		list, next, err := o.service.Ledger().AuditEntries(o.t.Context(), ledger.AuditFilter{Action: action, After: after, Limit: 200})
		if err != nil {
			o.t.Fatal(err)
		}
		for i := range list {
			counts[list[i].Outcome]++
		}
		if after = next; after == "" {
			return counts
		}
	}
}

func (o *office) incident() *alerts.Incident {
	o.t.Helper()
	i, err := o.service.Ledger().Incident(o.t.Context(), "I-1")
	if err != nil {
		o.t.Fatal(err)
	}
	return i
}
