package web_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"plumbline/access"
	"plumbline/auditor"
	"plumbline/ledger"
	"plumbline/reconciler"
	"plumbline/web"
)

// fixWorld is an apiWorld of which records differ that may be put right. Nobody
// works on jobs any more: whoever applies a plan applies it to its end, so that
// every plan stays in the state into which it was put.
type fixWorld struct {
	*apiWorld
	desk     *auditor.Desk
	findings []string // open, each of a record that differs in its name
	keys     map[string]string
	// ann drafts, and zoe approves, the plans of planIn.
	ann, zoe *access.Actor
}

// fixesOf is a check of the shop's records with a policy for their fixes.
func fixesOf(policy string) string {
	return `
checks:
  names:
    settle: 0s
    owner: {source: shop, dataset: products, key: [id]}
    replica: {source: shop, dataset: items, key: [product]}
    fields: [name]
    fix: ` + policy + "\n"
}

// newFixWorld is a world of n records that differ.
func newFixWorld(t *testing.T, policy string, n int) *fixWorld {
	t.Helper()
	var statements strings.Builder
	statements.WriteString("CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;\n" +
		"CREATE TABLE items (product INTEGER PRIMARY KEY, name TEXT NOT NULL, note TEXT) WITHOUT ROWID;\n")
	for i := range 10*n + 1 {
		name := fmt.Sprintf("name-%d", i)
		fmt.Fprintf(&statements, "INSERT INTO products VALUES (%d, '%s');\n", i, name)
		if i < n {
			name = fmt.Sprintf("wrong-%d", i)
		}
		fmt.Fprintf(&statements, "INSERT INTO items VALUES (%d, '%s', 'kept');\n", i, name)
	}
	w := &fixWorld{apiWorld: newAPIWorld(t, statements.String(), fixesOf(policy)), keys: map[string]string{},
		ann: person("ann", access.Approver), zoe: person("zoe", access.Admin)}
	w.finished("names")
	if err := w.auditor.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	w.work.Process.ID = "" // another than the one that has left
	w.desk = auditor.NewDesk(w.ledger, nil, nil).Using(auditor.NewFixes(w.work))
	w.options.Desk = w.desk
	for after := ""; ; {
		list, next, err := w.ledger.Findings(t.Context(), ledger.FindingFilter{State: "open", Limit: 500, After: after})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range list {
			w.findings = append(w.findings, f.ID)
			w.keys[f.ID] = strings.TrimPrefix(f.KeyText, "id=")
		}
		if after = next; next == "" {
			break
		}
	}
	if len(w.findings) != n {
		t.Fatalf("%d findings, want %d", len(w.findings), n)
	}
	sure(w.ledger.CreateAccount(t.Context(), "ada", access.Admin, "a long word that nobody guesses")) // so that there is somebody else
	w.handler = w.as(person("ada", access.Admin))
	return w
}

// by is a context in which somebody acts.
func (w *fixWorld) by(name string, role access.Role) context.Context {
	return access.With(w.Context(), &access.Attempt{Actor: access.Actor{Name: name, Role: role, Via: access.ByAPI}})
}

// take is a finding that nobody has taken yet.
func (w *fixWorld) take() (finding string) {
	w.Helper()
	if len(w.findings) == 0 {
		w.Fatal("no finding is left")
	}
	finding, w.findings = w.findings[0], w.findings[1:]
	return finding
}

func (w *fixWorld) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// name is what a finding's record holds in the replica.
func (w *fixWorld) name(finding string) (name string) {
	w.Helper()
	w.must(w.shop.QueryRowContext(w.Context(), "SELECT name FROM items WHERE product = "+w.keys[finding]).Scan(&name))
	return name
}

// page asks for a page, or posts a form to one.
func (w *fixWorld) page(method, path string, form url.Values) (status int, location, text string) {
	w.Helper()
	answer := sent(w.handler, method, path, form)
	body, err := io.ReadAll(answer.Body)
	w.must(err)
	return answer.StatusCode, answer.Header.Get("Location"), string(body)
}

// sent is what answers a request with a form.
func sent(handler http.Handler, method, path string, form url.Values) *http.Response {
	request := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(form.Encode()))
	request.RemoteAddr = "127.0.0.1:1024"
	request.Header.Set("Origin", "http://localhost")
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return served(handler, request)
}

// as lets a handler of its own answer somebody.
func (w *fixWorld) as(a *access.Actor) http.Handler {
	o := w.options
	o.Actor = a
	return sure(web.New(o)).Handler()
}

// person is an account that is not there, but acts.
func person(name string, role access.Role) *access.Actor {
	return &access.Actor{Name: name, Account: "A-" + name, Role: role, Via: access.ByPage}
}

// planIn puts a plan that ann drafted into a state, the ways people would.
func (w *fixWorld) planIn(state reconciler.PlanState) *reconciler.Plan {
	w.Helper()
	ann := access.With(w.Context(), &access.Attempt{Actor: *w.ann})
	zoe := access.With(w.Context(), &access.Attempt{Actor: *w.zoe})
	findings := []string{w.take()}
	if state == reconciler.PartlyApplied {
		findings = append(findings, w.take())
	}
	p, err := w.desk.DraftFix(ann, auditor.FixRequest{Findings: findings})
	w.must(err)
	if state == reconciler.Draft {
		return p
	}
	if state == reconciler.Expired {
		return sure(w.desk.WithdrawFix(ann, p.ID, "not now"))
	}
	p = sure(w.ledger.AskApproval(w.Context(), p.ID, p.Hash))
	if state == reconciler.Waiting {
		return p
	}
	p = sure(w.desk.ApproveFix(zoe, p.ID, p.Hash))
	if state == reconciler.Approved {
		return p
	}
	if state == reconciler.Applying || state == reconciler.Failed {
		p, _, err = w.ledger.BeginPlan(w.Context(), p.ID, p.Hash, p.CheckHash, reconciler.Person{Name: "zoe"}, func(*ledger.Tx) error { return nil })
		w.must(err)
		if state == reconciler.Failed {
			return w.failed(p)
		}
		return p
	}
	if state == reconciler.Stale || state == reconciler.PartlyApplied { // somebody was quicker
		w.exec("UPDATE items SET name = 'elsewhere' WHERE product = " + w.keys[findings[0]])
	}
	p = sure(w.desk.ApplyFix(ann, p.ID, p.Hash))
	if state == reconciler.Undone {
		undo := sure(w.desk.UndoFix(ann, p.ID))
		undo = sure(w.desk.ApproveFix(zoe, undo.ID, undo.Hash))
		w.settled(sure(w.desk.ApplyFix(ann, undo.ID, undo.Hash)), reconciler.Applied)
		p = sure(w.ledger.Plan(w.Context(), p.ID))
	}
	return p
}

// failed has the one record of a plan that is being applied fail.
func (w *fixWorld) failed(p *reconciler.Plan) *reconciler.Plan {
	w.Helper()
	_, _, err := w.ledger.ClaimPlan(w.Context(), p.ID, "test")
	w.must(err)
	journal := w.ledger.FixJournal()
	item := sure(journal.ClaimItem(w.Context(), p.ID, "test", time.Minute))
	item.Note = "the store did not take never-this"
	w.must(journal.Settle(w.Context(), item, reconciler.ItemFailed))
	return sure(w.ledger.EndPlan(w.Context(), p.ID))
}

// settled fails the test where a plan did not come to a state.
func (w *fixWorld) settled(p *reconciler.Plan, want reconciler.PlanState) {
	w.Helper()
	if p.State != want {
		items, _ := w.ledger.PlanItems(w.Context(), p.ID, ledger.ItemFilter{Limit: 10})
		w.Fatalf("%s is %s, want %s: %s %+v", p.ID, p.State, want, p.Reason, items)
	}
}

func fixRequestOf(pattern string) auditor.FixRequest {
	return auditor.FixRequest{Check: "names", Pattern: pattern}
}
