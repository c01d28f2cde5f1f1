package web_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plumbline/alerts"
	"plumbline/auditor"
	"plumbline/configs"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/sources"
	"plumbline/sources/all"
	"plumbline/web"
)

// apiWorld is a shop of two SQLite tables with an auditor at work on a ledger of
// its own, and the API in front of it. Nothing is on a schedule.
type apiWorld struct {
	*testing.T
	shop     *sql.DB
	ledger   *ledger.Ledger
	auditor  *auditor.Auditor
	declared *web.Declared
	work     auditor.Options // what the auditor works with
	options  web.Options
	handler  http.Handler
}

// checksOfShop are the checks of most worlds: names drift, secrets are masked,
// and slow reads so little at once that it can be met while it runs.
const checksOfShop = `
checks:
  names:
    settle: 0s
    team: catalog
    owner: {source: shop, dataset: products, key: [id]}
    replica: {source: shop, dataset: items, key: [product]}
    fields: [name, {owner: price, replica: price, within: 0.01}]
  secrets:
    settle: 0s
    owner: {source: shop, dataset: people, key: [email]}
    replica: {source: shop, dataset: copies, key: [email]}
    fields: [{owner: email, replica: email, mask: full}, {owner: pin, replica: pin, mask: hash}]
`

const shopSQL = `
CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE items (product INTEGER PRIMARY KEY, name TEXT NOT NULL, price TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE people (email TEXT PRIMARY KEY, pin TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE copies (email TEXT PRIMARY KEY, pin TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO products VALUES (1,'apple','1.00'),(2,'pear','2.50'),(3,'plum','3.00'),(9007199254740993,'fig','4.00');
INSERT INTO items VALUES (1,'apple','1.00'),(2,'bear','2.50'),(9007199254740993,'fog','4.00'),(900,'ghost','1.00');
INSERT INTO people VALUES ('canary-one@example.com','canary-1111'),('canary-two@example.com','canary-2222');
INSERT INTO copies VALUES ('canary-one@example.com','canary-3333'),('canary-two@example.com','canary-2222');
`

func newAPIWorld(t *testing.T, statements, checksYAML string) *apiWorld {
	t.Helper()
	dir := t.TempDir()
	w := &apiWorld{T: t}
	file := filepath.Join(dir, "shop.db")
	w.shop = sure(sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(wal)&_pragma=busy_timeout(5000)"))
	t.Cleanup(func() { w.shop.Close() })
	w.exec(statements)
	config := sure(configs.Parse([]configs.File{{Name: "plumbline.yaml", Data: fmt.Appendf(nil, "sources: {shop: {kind: sqlite, url: %q, fix_url: %[1]q}}\n%[2]s", "sqlite://"+file, checksYAML)}},
		func(string) (string, bool) { return "", false }, nil))
	w.declared = &web.Declared{LoadedAt: time.Now(), Sources: []web.DeclaredSource{{Name: "shop", Kind: "sqlite", Connections: 4, FixURL: true}}}
	var list []auditor.Check
	for i := range config.Checks {
		fixes := config.Fixes[config.Checks[i].Name]
		list = append(list, auditor.Check{Check: &config.Checks[i], Fixes: fixes})
		w.declared.Checks = append(w.declared.Checks, web.DeclaredCheck{Check: &config.Checks[i], Fix: fixes})
	}
	metrics, events := web.NewMetrics("v0"), web.NewEvents()
	metrics.Declare(w.declared)
	w.ledger = sure(ledger.Open(t.Context(), templates.URL(t, "sqlite"), ledger.Options{Watch: events.Publish, Policies: w.policy}))
	t.Cleanup(func() {
		if err := w.ledger.Close(); err != nil {
			t.Error(err)
		}
	})
	source := sure(all.Kinds()["sqlite"](sources.Options{Name: "shop", URL: config.Sources["shop"].URL}))
	reader := sources.NewReader("shop", source, sources.Limits{}, metrics.Waited)
	reader.OnQuery(metrics.Queried)
	t.Cleanup(func() { reader.Close() })
	lens := drift.Lens{Masker: drift.NewMasker(w.ledger.MaskKey()), Scrub: func(text string) string { return text }}
	w.work = auditor.Options{Ledger: w.ledger, Checks: list, Hash: "one", Readers: func(string) (*sources.Reader, error) { return reader, nil }, Lens: lens, Observer: metrics,
		Fixing: auditor.Fixing{CanHide: true, Fixer: func(name string) (*sources.Fixer, func() error, error) {
			source, err := all.Kinds()["sqlite"](sources.Options{Name: name, URL: config.Sources[name].FixURL, Connections: 2, Writable: true})
			if err != nil {
				return nil, nil, err
			}
			fixer := sources.NewFixer(name, source, sources.Limits{})
			return fixer, fixer.Close, nil
		}}}
	w.auditor = sure(auditor.Start(t.Context(), w.work))
	t.Cleanup(func() {
		if err := w.auditor.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	w.options = web.Options{Ledger: w.ledger, Auditor: w.auditor, Desk: auditor.NewDesk(w.ledger, w.auditor, nil), Declared: func() *web.Declared { return w.declared }, Metrics: metrics,
		Events: events, Lens: lens, Version: "v0"}
	w.handler = sure(web.NewAPI(w.options))
	return w
}

// policy tells nobody of a check's incidents, which are then on pages and API alone.
func (w *apiWorld) policy(name string) (alerts.Policy, bool) {
	return alerts.Policy{Check: name}, w.declared.Check(name) != nil
}

func sure[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (w *apiWorld) exec(statements string) {
	w.Helper()
	if _, err := w.shop.Exec(statements); err != nil {
		w.Fatal(err)
	}
}

// ask sends a request and returns the answer, whose status must be want.
func (w *apiWorld) ask(want int, method, path, body string, header ...string) *http.Response {
	w.Helper()
	answer := handOver(w.handler, method, path, body, header...)
	if answer.StatusCode != want {
		text, _ := io.ReadAll(answer.Body)
		w.Fatalf("%s %s: status %d, want %d: %s", method, path, answer.StatusCode, want, text)
	}
	return answer
}

func handOver(handler http.Handler, method, path, body string, header ...string) *http.Response {
	request := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
	request.RemoteAddr = "127.0.0.1:1024"
	request.Header.Set("Origin", "http://localhost")
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	return served(handler, request)
}

func served(handler http.Handler, request *http.Request) *http.Response {
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	return answer.Result()
}

// read decodes an answer, which must hold nothing that T does not know.
func decoded[T any](w *apiWorld, answer *http.Response) (out T) {
	w.Helper()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		w.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&out); err != nil {
		w.Fatalf("%v in %s", err, text)
	}
	return out
}

func fetched[T any](w *apiWorld, path string) T {
	w.Helper()
	return decoded[T](w, w.ask(http.StatusOK, http.MethodGet, path, ""))
}

func posted[T any](w *apiWorld, path, body string) T {
	w.Helper()
	return decoded[T](w, w.ask(http.StatusOK, http.MethodPost, path, body))
}

type (
	findingList = web.ListBody[web.FindingBody]
	runList     = web.ListBody[web.RunBody]
)

// finished begins a run of a check and waits until it has its last word.
func (w *apiWorld) finished(check string) web.RunDetailBody {
	w.Helper()
	answer := w.ask(http.StatusAccepted, http.MethodPost, "/api/v1/checks/"+check+"/runs", "")
	started := decoded[runList](w, answer)
	location := answer.Header.Get("Location")
	if len(started.Items) != 1 || location != "/api/v1/runs/"+started.Items[0].ID {
		w.Fatalf("one run and its location: %v, %q", started.Items, location)
	}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		run := fetched[web.RunDetailBody](w, location)
		if run.State == "finished" {
			return run
		}
		if time.Now().After(deadline) {
			w.Fatalf("run %s is still %s", run.ID, run.State)
		}
	}
}
