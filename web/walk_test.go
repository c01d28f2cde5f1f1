package web_test

import (
	"database/sql"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	_ "modernc.org/sqlite"

	"plumbline/cmd/plumbline/service"
	"plumbline/configs"
)

const walkConfig = `
ledger: sqlite://%[1]s/ledger.db
defaults: {settle: 1s}
sources:
  shop: {kind: sqlite, url: "%[1]s/shop.db", team: shop}
  search: {kind: sqlite, url: "%[1]s/search.db", team: search}
  slow: {kind: sqlite, url: "%[1]s/search.db", team: search, limits: {records_per_second: 800}}
checks:
  orders-in-search:
    description: Orders found in the search carry the order's own status.
    severity: high
    team: shop
    owner: {source: shop, dataset: orders, key: [id], version: version}
    replica: {source: search, dataset: orders, key: [id], version: version}
    fields: [status, total]
  orders-slowly:
    owner: {source: shop, dataset: orders, key: [id]}
    replica: {source: slow, dataset: orders, key: [id]}
    fields: [status]
`

// walkStores makes two stores of 20,000 orders of which five differ, three of them
// in the same way, and returns the one with the copies.
func walkStores(t *testing.T, dir string) (search *sql.DB) {
	t.Helper()
	for _, name := range []string{"shop", "search"} {
		db, err := sql.Open("sqlite", filepath.Join(dir, name+".db"))
		if err != nil {
			t.Fatal(err)
		}
		for _, statement := range []string{
			"PRAGMA journal_mode=WAL",
			"CREATE TABLE orders (id INTEGER PRIMARY KEY NOT NULL, status TEXT NOT NULL, total TEXT NOT NULL, version INTEGER NOT NULL) STRICT",
			"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 20000) INSERT INTO orders SELECT i, 'paid', printf('%d.50', i), 7 FROM n",
		} {
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		if name == "search" {
			if _, err := db.ExecContext(t.Context(), "UPDATE orders SET status = 'pending', version = 6 WHERE id IN (11, 12, 13); UPDATE orders SET total = '0.00' WHERE id = 500; DELETE FROM orders WHERE id = 777"); err != nil {
				t.Fatal(err)
			}
			search = db
			t.Cleanup(func() { _ = db.Close() })
			continue
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return search
}

// walkService runs the whole of Plumbline on the two stores.
func walkService(t *testing.T, dir string) *service.Service {
	t.Helper()
	file := configs.File{Name: "plumbline.yaml", Data: fmt.Appendf(nil, walkConfig, dir)}
	load := func() (*configs.Config, error) {
		return configs.Parse([]configs.File{file}, func(string) (string, bool) { return "", false }, os.ReadFile)
	}
	config, err := load()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := service.Start(t.Context(), service.Options{Config: config, Load: load, Stamp: func() string { return "" }, Listener: listener, Version: "test",
		Scrub: func(s string) string { return s }, Log: service.NewLog(t.Output(), slog.LevelError, func(s string) string { return s }), ProbeEvery: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// A person looks at what drifted, reads a record again, takes on what is left,
// finds it by its address, and stops a run; nothing goes wrong on the way, and
// nothing is asked of anybody else.
func TestPersonWalksThroughThePages(t *testing.T) {
	t.Parallel()
	chromium := browser(t)
	dir := t.TempDir()
	search := walkStores(t, dir)
	home := walkService(t, dir).Address()
	b := open(t, chromium, home)
	b.look(1440, false)
	at := func(want string) {
		t.Helper()
		b.clean(want)
		if got := b.path(); !strings.HasPrefix(got, want) {
			t.Fatalf("at %s, want %s", got, want)
		}
	}
	says := func(words ...string) string {
		var all []string
		for _, w := range words {
			all = append(all, fmt.Sprintf("document.querySelector('main').innerText.toLowerCase().includes(%q)", strings.ToLower(w)))
		}
		return strings.Join(all, " && ")
	}

	b.visit("/")
	at("/")
	b.click("#live-checks a[href='/checks/orders-in-search']")
	at("/checks/orders-in-search")
	b.click("form[action='/checks/orders-in-search/runs'] button")
	at("/runs/")
	// The page follows the run by itself, its confirmation included.
	b.await("the run's end", says("drift", "coverage 100 %")+" && !document.querySelector('main').innerText.includes('confirming')")
	b.click(".crumb a[href='/checks/orders-in-search']")
	b.await("patterns", says(`status: owner "paid" replica "pending"`, "missing in the replica"))
	b.click("a[href*='pattern=status']")
	at("/findings?")
	b.await("three findings", "document.querySelectorAll('tbody tr').length === 3")
	b.click("tbody tr a[href^='/findings/F-']")
	at("/findings/F-")
	finding := b.path()
	b.await("the sides", says("paid", "pending", "stale", "owner: shop.orders"))

	// The copy is put right by its service; reading it again says so.
	if _, err := search.ExecContext(t.Context(), "UPDATE orders SET status = 'paid', version = 7 WHERE id IN (11, 12, 13)"); err != nil {
		t.Fatal(err)
	}
	b.click("form[action$='/recheck'] button")
	at(finding)
	b.await("it resolved", says("resolved", "both sides agree"))

	b.visit("/findings?check=orders-in-search&kind=missing")
	b.click("tbody tr a[href^='/findings/F-']")
	b.click("form[action$='/ack'] button")
	b.await("it is acknowledged", says("acknowledged by local user"))
	b.visit("/findings?state=acknowledged")
	at("/findings?state=acknowledged")
	b.await("one finding", "document.querySelectorAll('tbody tr').length === 1")

	// Many at once: the page asks first, and says how many.
	b.visit("/findings?check=orders-in-search&state=confirmed")
	n := ask[float64](b, "document.querySelectorAll('tbody tr').length")
	b.do("pick all", chromedp.Click(chromedp.CSS("input[data-all]")))
	b.await("the count", fmt.Sprintf("document.querySelector('[data-picked]').textContent === '%.0f picked'", n))
	b.click("button[name=act][value=ack]")
	at("/findings/many")
	b.await("the question", says(fmt.Sprintf("acknowledge %.0f findings?", n)))
	b.click("form[action='/findings/many/do'] button")
	at("/findings?")
	b.await("the answer", says(fmt.Sprintf("%.0f findings acknowledged", n)))

	// Typing / leads to the search.
	b.do("press /", chromedp.KeyEvent("/"))
	b.await("the search has the focus", "document.activeElement.id === 'search'")
	// A driven key leaves its character behind, where a person's does not.
	ask[string](b, "document.getElementById('search').value = ''")
	b.do("search", chromedp.SendKeys(chromedp.ID("search"), "777"+kb.Enter))
	b.await("the search's result", "location.search.includes('q=777') && document.querySelectorAll('tbody tr').length === 1")

	b.visit("/checks/orders-slowly")
	b.click("form[action='/checks/orders-slowly/runs'] button")
	at("/runs/")
	b.await("it reads", "document.getElementById('live-segments').innerText.includes('running')")
	b.click("form[action$='/cancel'] button")
	at("/runs/")
	b.await("it was cancelled", says("cancelled by local user"))
	b.await("what is over can be resumed", "document.querySelector(\"form[action$='/resume']\") !== null")

	b.visit("/sources")
	b.await("sources", says("shop", "up"))
	at("/sources")
}

// What is done about an incident anywhere shows on its page by itself, and a note
// that somebody writes meanwhile is not taken from them.
func TestIncidentPageFollowsWhatIsDoneElsewhere(t *testing.T) {
	t.Parallel()
	chromium := browser(t)
	dir := t.TempDir()
	walkStores(t, dir)
	home := walkService(t, dir).Address()
	b, other := open(t, chromium, home), open(t, chromium, home)
	b.visit("/incidents")
	b.await("none", "document.querySelector('main').innerText.includes('Nothing is open.')")
	other.visit("/checks/orders-in-search")
	other.click("form[action='/checks/orders-in-search/runs'] button")
	b.await("the incident", "document.querySelector('#live-incidents tbody a[href^=\"/incidents/I-\"]') !== null")
	b.click("#live-incidents tbody a[href^='/incidents/I-']")
	path := b.path()
	b.await("what differs", "document.querySelector('#live-what').innerText.includes('mismatch')")
	b.do("write a note", chromedp.SendKeys(chromedp.ID("note"), "on it"))
	ask[bool](b, "(document.activeElement.blur(), true)")

	other.visit(path)
	other.click("form[action$='/mute'] button")
	other.await("it is muted", "document.querySelector('main').innerText.includes('Muted by local user')")
	b.await("it waits for the note", "document.getElementById('live-status').textContent === 'newer data waits' && document.getElementById('note').value === 'on it'")
	b.click("form[action$='/ack'] button")
	b.await("it is acknowledged", "document.querySelector('#live-line').innerText.includes('acknowledged by local user')")
	other.await("it shows there", "document.querySelector('#live-line').innerText.includes('acknowledged by local user') && document.querySelector('#live-line').innerText.includes('on it')")
	other.click("form[action$='/unmute'] button")
	b.await("it is no longer muted", "!document.querySelector('main').innerText.includes('Muted by local user')")
	b.clean("incident")
	other.clean("incident")
}

// Who pauses the page reads it in peace, and is told that newer data waits.
func TestPausedPageStandsStill(t *testing.T) {
	t.Parallel()
	chromium := browser(t)
	dir := t.TempDir()
	walkStores(t, dir)
	home := walkService(t, dir).Address()
	b := open(t, chromium, home)
	b.visit("/checks/orders-in-search")
	b.do("pause", chromedp.Click(chromedp.ID("pause")))
	b.await("paused", "document.getElementById('live-status').textContent.startsWith('paused')")
	other := open(t, chromium, home)
	other.visit("/checks/orders-in-search")
	other.click("form[action='/checks/orders-in-search/runs'] button")
	b.await("it knows of newer data", "document.getElementById('live-status').textContent === 'paused, newer data waits'")
	if text := b.text("#live-runs"); !strings.Contains(text, "No run yet") {
		t.Errorf("a paused page changed: %s", text)
	}
	b.do("resume", chromedp.Click(chromedp.ID("pause")))
	b.await("it caught up", "!document.getElementById('live-runs').innerText.includes('No run yet')")
	b.clean("paused page")
}
