package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"plumbline/reconciler"
	"plumbline/web"
)

// callers are how many ask at once that one plan be applied.
const callers = 50

// One plan is one effect, whoever asks for it, how often and of which process.
func TestOnePlanIsAppliedOnceHoweverManyAskForIt(t *testing.T) {
	t.Parallel()
	applyTogether(t, 10)
}

func TestSoakOnePlanIsAppliedOnceHoweverManyAskForIt(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return
	}
	applyTogether(t, 100)
}

// applyTogether has two processes with one ledger apply so many plans, each asked
// for by API, command and page of both at once. A trigger of the replica keeps
// every write to it.
func applyTogether(t *testing.T, rounds int) {
	dir := t.TempDir()
	replica := filepath.Join(dir, "replica.db")
	execute(t, filepath.Join(dir, "owner.db"), fmt.Sprintf(`CREATE TABLE products (id INTEGER PRIMARY KEY, price INTEGER NOT NULL);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO products SELECT i, 100 * i FROM n`, 2*rounds))
	execute(t, replica, fmt.Sprintf(`CREATE TABLE products (id INTEGER PRIMARY KEY, price INTEGER NOT NULL);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO products SELECT i, 100 * i + 7 FROM n;
		CREATE TABLE writes (id INTEGER NOT NULL, price INTEGER NOT NULL);
		CREATE TRIGGER kept AFTER UPDATE ON products BEGIN INSERT INTO writes VALUES (new.id, new.price); END`, 2*rounds))
	writeConfig(t, dir, fmt.Sprintf(`
ledger: %q
sources:
  owner: {kind: sqlite, url: "sqlite://owner.db"}
  replica: {kind: sqlite, url: "sqlite://replica.db", fix_url: "sqlite://replica.db"}
defaults: {settle: 0s}
checks:
  prices:
    schedule: "@every 5s"
    owner: {source: owner, dataset: products, key: [id]}
    replica: {name: replica, source: replica, dataset: products, key: [id]}
    fields: [price]
    fix: {mode: propose, by: write, allow: [update, triggers], max_share: 100%%, max_records: 1000, approvals: 0}
`, ownLedger(t)))
	world := &together{t: t, dir: dir, both: []*served{serveIn(t, dir), serveIn(t, dir)},
		remote: &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	var findings []string
	world.both[0].eventually("findings", func() (string, bool) {
		var page web.ListBody[web.FindingBody]
		if err := world.client(0).get(t.Context(), "/findings", url.Values{"check": {"prices"}, "limit": {"500"}}, &page); err != nil {
			return err.Error(), false
		}
		findings = findings[:0]
		for _, f := range page.Items {
			findings = append(findings, f.Finding)
		}
		return fmt.Sprint(len(findings), " findings"), len(findings) == 2*rounds
	})
	for n := range rounds {
		world.round(findings[2*n : 2*n+2])
	}
	db, err := sql.Open("sqlite", "file:"+replica)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var written, records, wrong int
	if err := db.QueryRowContext(t.Context(), `SELECT (SELECT count(*) FROM writes), (SELECT count(DISTINCT id) FROM writes), (SELECT count(*) FROM products WHERE price <> 100 * id)`).Scan(&written, &records, &wrong); err != nil {
		t.Fatal(err)
	}
	if written != 2*rounds || records != 2*rounds || wrong != 0 {
		t.Errorf("%d plans of two records: %d writes to %d records, and %d records are wrong still", rounds, written, records, wrong)
	}
}

// ownLedger makes a PostgreSQL database that is gone when the test ends.
func ownLedger(t *testing.T) string {
	t.Helper()
	server := os.Getenv("PLUMBLINE_TEST_POSTGRES_URL")
	if server == "" {
		t.Fatal("run `make test`, which starts a PostgreSQL, or set PLUMBLINE_TEST_POSTGRES_URL")
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	name := "together_" + strings.ToLower(rand.Text())
	if _, err := admin.ExecContext(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin.ExecContext(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
		_ = admin.Close() // everything was done
	})
	u.Path = "/" + name
	return u.String()
}

// together are two processes with one ledger, and those who ask them.
type together struct {
	t      *testing.T
	dir    string
	both   []*served
	remote *http.Client
}

func (w *together) client(n int) *client {
	return &client{do: w.remote.Do, base: w.both[n%len(w.both)].address}
}

// round drafts a plan and lets everybody apply it at once.
func (w *together) round(findings []string) {
	w.t.Helper()
	plan := &web.FixBody{}
	if err := w.client(0).post(w.t.Context(), "/fixes", web.FixRequestBody{Check: "prices", Findings: findings}, plan); err != nil {
		w.t.Fatal(err)
	}
	var group sync.WaitGroup
	problems := make([]error, callers)
	start := make(chan struct{})
	for i := range callers {
		group.Go(func() {
			<-start
			switch {
			case i < 2:
				problems[i] = w.byCommand(plan)
			case i%3 == 0:
				problems[i] = w.byPage(i, plan)
			default:
				_, problems[i] = postHash(w.t.Context(), w.client(i), plan, "apply") // what the command asks
			}
		})
	}
	close(start)
	group.Wait()
	for i, err := range problems {
		if err != nil {
			w.t.Errorf("caller %d of %s: %v", i, plan.Plan, err)
		}
	}
	w.both[1].eventually(plan.Plan+" is applied", func() (string, bool) {
		now := &web.FixBody{}
		if err := w.client(1).get(w.t.Context(), fixPath(plan.Plan), nil, now); err != nil {
			return err.Error(), false
		}
		return now.State, now.State == string(reconciler.Applied)
	})
}

func (w *together) byCommand(plan *web.FixBody) error {
	_, log, code := commandIn(w.t, w.dir, nil, "", "fix", "apply", plan.Plan)
	if code != 0 {
		return fmt.Errorf("exit code %d: %s", code, log)
	}
	return nil
}

// byPage presses the button of the plan's page.
func (w *together) byPage(n int, plan *web.FixBody) error {
	address := w.both[n%len(w.both)].address
	form := url.Values{"hash": {plan.Hash}}.Encode()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, address+"/fixes/"+plan.Plan+"/apply", strings.NewReader(form))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Origin", address)
	request.Header.Set("Sec-Fetch-Site", "same-origin")
	response, err := w.remote.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if want := "/fixes/" + plan.Plan + "?said=fix-apply"; response.StatusCode != http.StatusSeeOther || response.Header.Get("Location") != want {
		var body bytes.Buffer
		_, err := body.ReadFrom(response.Body)
		return fmt.Errorf("the page answered %d %s (%v): %s", response.StatusCode, response.Header.Get("Location"), err, body.String())
	}
	return nil
}
