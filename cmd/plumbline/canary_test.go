package main

import (
	"bytes"
	"database/sql"
	"encoding/base32"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plumbline/alerts/slack/slacktest"
)

// canaries are texts that must come out nowhere. Each is planted once.
type canaries struct {
	random  *rand.Rand
	secrets []string
	values  []string // personal, without a mask
	masked  []string // personal, under a mask
}

func (c *canaries) draw(kind string) string {
	b := make([]byte, 10)
	for i := range b {
		b[i] = byte(c.random.Uint32())
	}
	return kind + strings.ToLower(base32.StdEncoding.EncodeToString(b))
}

func (c *canaries) secret() string { return c.planted(&c.secrets, "sec") }
func (c *canaries) value() string  { return c.planted(&c.values, "per") }
func (c *canaries) hidden() string { return c.planted(&c.masked, "msk") }

func (c *canaries) planted(list *[]string, kind string) string {
	*list = append(*list, c.draw(kind))
	return (*list)[len(*list)-1]
}

// in names those of a list that a text holds.
func in(list []string, text []byte) (found []string) {
	lower := bytes.ToLower(text)
	for _, canary := range list {
		if bytes.Contains(lower, []byte(canary)) {
			found = append(found, canary)
		}
	}
	return found
}

// gathered is what a webhook was sent.
type gathered struct {
	mu   sync.Mutex
	body bytes.Buffer
}

func (g *gathered) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	fmt.Fprintln(&g.body, r.Header)
	_, _ = io.Copy(&g.body, io.LimitReader(r.Body, 1<<20))
}

func (g *gathered) text() []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	return bytes.Clone(g.body.Bytes())
}

// 100 secrets and 100 personal values are planted in addresses, rows, keys and
// errors. None comes out in Slack, in webhooks, metrics, logs or exports, nor on
// a page or in an answer for those without the right; what a mask covers is not
// even in the ledger.
func TestNothingPlantedComesOut(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	c := &canaries{random: rand.New(rand.NewPCG(seed, 6))}
	dir := t.TempDir()
	slack := slacktest.Start(t, slacktest.Options{Token: "xoxb-" + c.secret(), SigningSecret: c.secret(), Unpaced: true,
		Channels: []slacktest.Channel{{ID: "C0PRIVACY0", Name: "privacy"}}})
	webhook := &gathered{}
	receiver := httptest.NewServer(webhook)
	t.Cleanup(receiver.Close)
	plantRows(t, c, dir)
	password := "a long enough passphrase"
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	writeConfig(t, dir, plantedConfig(t, c, slack, receiver.URL))
	if len(c.secrets) != 100 || len(c.values)+len(c.masked) != 100 {
		t.Fatalf("%d secrets and %d + %d values are planted, want 100 and 100", len(c.secrets), len(c.values), len(c.masked))
	}

	command(t, dir, "user", "add", "root", "--role", "admin", "--password-file", "password")
	viewer := token(t, dir, "eyes", "view,metrics")
	reader := token(t, dir, "reader", "view,values")
	s := serveIn(t, dir, "--log-level", "debug")
	client := &bearer{t, s.address}
	s.eventually("everything is found and told", func() (string, bool) {
		open := client.body(viewer, "/api/v1/findings?state=open&limit=500")
		found := strings.Count(open, `"finding":"F-`)
		told, posted := webhook.text(), len(slack.Roots("C0PRIVACY0"))
		return fmt.Sprintf("%d findings, %d messages, %d bytes sent", found, posted, len(told)),
			found >= 60 && posted >= 4 && bytes.Contains(told, []byte("cannot check"))
	})

	// The instrument notices: who may see values sees them.
	var seen []string
	for _, page := range client.crawl(reader) {
		seen = append(seen, in(c.values, page)...)
	}
	slices.Sort(seen)
	if seen = slices.Compact(seen); len(seen) < 20 {
		t.Errorf("who may see values sees %d of %d that no mask covers: the test looks in the wrong places", len(seen), len(c.values))
	}

	all := slices.Concat(c.secrets, c.values, c.masked)
	for where, text := range client.crawl(viewer) {
		nothing(t, where+" for a viewer", all, text)
	}
	for where, text := range client.crawl(reader) {
		nothing(t, where+" for an operator", slices.Concat(c.secrets, c.masked), text)
	}
	for _, asked := range [][]string{{"findings", "export"}, {"findings", "export", "-o", "csv"}, {"findings", "list", "-o", "json"}, {"runs", "list", "-o", "json"},
		{"audit", "export"}, {"audit", "export", "-o", "csv"}, {"alerts", "preview", "mails"}} {
		hidden := all
		if asked[0] == "findings" && asked[1] == "list" || asked[0] == "runs" { // for the person at the terminal, who holds the ledger
			hidden = slices.Concat(c.secrets, c.masked)
		}
		nothing(t, "plumbline "+strings.Join(asked, " "), hidden, command(t, dir, asked...))
	}
	var sent bytes.Buffer
	for _, r := range slack.Requests("") {
		fmt.Fprintln(&sent, r.Method, r.Form.Encode(), r.Form)
	}
	nothing(t, "Slack", all, sent.Bytes())
	nothing(t, "the webhook", all, webhook.text())
	nothing(t, "/metrics", all, []byte(client.body(viewer, "/metrics")))
	s.stop(os.Interrupt)
	nothing(t, "the log", all, []byte(s.logged()))
	files, err := filepath.Glob(filepath.Join(dir, "plumbline.db*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		nothing(t, filepath.Base(file), slices.Concat(c.secrets, c.masked), text)
	}
}

func nothing(t *testing.T, where string, list []string, text []byte) {
	t.Helper()
	for _, canary := range in(list, text) {
		at := bytes.Index(bytes.ToLower(text), []byte(canary))
		t.Errorf("%s came out in %s: …%s…", canary, where, text[max(0, at-120):min(len(text), at+len(canary)+40)])
	}
}

// plantRows makes an owner and a replica that differ in personal values.
func plantRows(t *testing.T, c *canaries, dir string) {
	t.Helper()
	for _, name := range []string{"owner", "replica"} {
		db, err := sql.Open("sqlite", filepath.Join(dir, name+".db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		run := func(statement string, args ...any) {
			if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
				t.Fatal(err)
			}
		}
		run(`CREATE TABLE people (id INTEGER PRIMARY KEY, mail TEXT, phone TEXT, ssn TEXT, iban TEXT, age TEXT)`)
		run(`CREATE TABLE mails (mail TEXT PRIMARY KEY, n INTEGER)`)
		run(`CREATE TABLE secret_mails (mail TEXT PRIMARY KEY, n INTEGER)`)
		for id := range 15 {
			run(`INSERT INTO people VALUES (?, ?, 'same', 'same', 'same', '1')`, id, c.value())
		}
		for id := range 10 {
			run(`INSERT INTO people VALUES (?, 'same', ?, 'same', 'same', '1')`, 100+id, c.hidden())
		}
		for id := range 4 {
			run(`INSERT INTO people VALUES (?, 'same', 'same', ?, 'same', '1')`, 200+id, c.hidden())
			run(`INSERT INTO people VALUES (?, 'same', 'same', 'same', ?, '1')`, 300+id, c.hidden())
		}
		for n := range 5 { // each side has its own, so they are missing and extra
			run(`INSERT INTO mails VALUES (?, ?)`, c.value(), n)
			run(`INSERT INTO secret_mails VALUES (?, ?)`, c.hidden(), n)
		}
		if name == "owner" { // cannot be read as they are declared
			for id := range 10 {
				run(`INSERT INTO people VALUES (?, 'same', 'same', 'same', 'same', ?)`, 400+id, c.value())
			}
		} else {
			for id := range 10 {
				run(`INSERT INTO people VALUES (?, 'same', 'same', 'same', 'same', '1')`, 400+id)
			}
		}
	}
}

// plantError makes a table in PostgreSQL that a condition cannot be asked of: the
// server's error quotes a value. It returns the database and the table.
func plantError(t *testing.T, c *canaries) (address, table string) {
	t.Helper()
	address = os.Getenv("PLUMBLINE_TEST_POSTGRES_URL")
	if address == "" {
		t.Fatal("run `make test`, which starts a PostgreSQL, or set PLUMBLINE_TEST_POSTGRES_URL")
	}
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	table = c.draw("quoted_")
	t.Cleanup(func() {
		if _, err := db.Exec("DROP TABLE " + table); err != nil {
			t.Error(err)
		}
		db.Close()
	})
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE "+table+" (id bigint PRIMARY KEY, note text NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	for id := 0; len(c.values)+len(c.masked) < 100; id++ {
		if _, err := db.ExecContext(t.Context(), "INSERT INTO "+table+" VALUES ($1, $2)", id, c.value()); err != nil {
			t.Fatal(err)
		}
	}
	return address, table
}

// plantedConfig declares the checks of what was planted, and sources that do not
// answer, with secrets wherever a configuration holds one.
func plantedConfig(t *testing.T, c *canaries, slack *slacktest.Server, receiver string) string {
	t.Helper()
	address, table := plantError(t, c)
	var text strings.Builder
	fmt.Fprintf(&text, `
server: {public_url: "https://plumbline.example.com"}
access: {audit_key: %s, data_key: %s}
alerts:
  slack: {token: %s, signing_secret: %s, channel: "#privacy", api_url: %q}
  webhooks:
    - {name: all, url: "%s/%s", secret: %s, all: true}
`, c.secret(), c.secret(), "xoxb-"+c.secrets[0], c.secrets[1], slack.URL+"/api/", receiver, c.secret(), c.secret())
	for i := range 10 {
		fmt.Fprintf(&text, "    - {name: hook%d, url: \"http://127.0.0.1:1/%s\", secret: %s}\n", i, c.secret(), c.secret())
	}
	fmt.Fprintf(&text, "  routes: [{webhooks: [hook0]}]\nsources:\n")
	fmt.Fprintf(&text, "  owner: {kind: sqlite, url: owner.db}\n  replica: {kind: sqlite, url: replica.db}\n  pg: {kind: postgres, url: %q}\n", address)
	down := 0
	for ; len(c.secrets) < 100; down++ {
		kind, scheme := "postgres", "postgres"
		if down%2 == 1 {
			kind, scheme = "mongodb", "mongodb"
		}
		fmt.Fprintf(&text, "  down%d: {kind: %s, url: \"%s://reader:%s@127.0.0.1:1/shop\"}\n", down, kind, scheme, c.secret())
	}
	text.WriteString(`
defaults: {schedule: "@every 2s", settle: 0s}
checks:
  people:
    owner: {source: owner, dataset: people, key: [id]}
    replica: {source: replica, dataset: people, key: [id]}
    fields:
      - mail
      - {owner: phone, replica: phone, mask: full}
      - {owner: ssn, replica: ssn, mask: hash}
      - {owner: iban, replica: iban, mask: partial}
      - {owner: {field: age, as: int}, replica: {field: age, as: int}}
  mails:
    owner: {source: owner, dataset: mails, key: [mail]}
    replica: {source: replica, dataset: mails, key: [mail]}
    fields: [n]
  secret-mails:
    owner: {source: owner, dataset: secret_mails, key: [{field: mail, mask: full}]}
    replica: {source: replica, dataset: secret_mails, key: [mail]}
    fields: [n]
  quoted:
    owner: {source: pg, dataset: ` + table + `, key: [id], where: "CAST(note AS numeric) > 0"}
    replica: {source: replica, dataset: people, key: [id]}
    fields: []
`)
	for i := range 2 {
		fmt.Fprintf(&text, "  blind%d:\n    owner: {source: down%d, dataset: orders, key: [id]}\n    replica: {source: replica, dataset: people, key: [id]}\n    fields: []\n", i, i)
	}
	return text.String()
}
