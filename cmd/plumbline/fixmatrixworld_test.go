package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plumbline/access"
	"plumbline/auditor"
	"plumbline/cmd/plumbline/service"
	"plumbline/configs"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
)

// matrixConfig is of records that differ, and of a ledger, each of them a file.
const matrixConfig = `
ledger: "sqlite://DIR/plumbline.db"
sources:
  catalog: {kind: sqlite, url: "sqlite://DIR/catalog.db"}
  basket: {kind: sqlite, url: "sqlite://DIR/basket.db", fix_url: "sqlite://DIR/basket.db"}
defaults: {settle: 0s}
checks:
  prices:
    owner: {source: catalog, dataset: products, key: [id]}
    replica: {name: basket, source: basket, dataset: items, key: [id]}
    fields: [price]
    fix: {mode: propose, by: write, max_share: 100%, max_records: 1000}
`

// matrixRecords are more than plans are drafted of.
const matrixRecords = 200

// matrixWorld is a ledger with findings and people, on which commands work by
// themselves, and a desk at which plans are put into their states.
type matrixWorld struct {
	t        *testing.T
	config   string
	me       string // the name, as an account's, of who runs the test
	ledger   *ledger.Ledger
	desk     *auditor.Desk
	replica  *sql.DB
	findings []*drift.Finding // that no plan was drafted of
	tokens   map[string]string
	accounts map[string]string
}

func newMatrixWorld(t *testing.T) *matrixWorld {
	t.Helper()
	dir := t.TempDir()
	w := &matrixWorld{t: t, config: filepath.Join(dir, "plumbline.yaml"), tokens: map[string]string{}, accounts: map[string]string{}}
	w.me = strings.TrimSuffix(operator().Name, access.CommandName(""))
	records := func(table, price string) string {
		return fmt.Sprintf(`CREATE TABLE %s (id INTEGER PRIMARY KEY, price INTEGER NOT NULL) WITHOUT ROWID;
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO %[1]s SELECT i, %[3]s FROM n`, table, matrixRecords, price)
	}
	execute(t, filepath.Join(dir, "catalog.db"), records("products", "100 * i"))
	execute(t, filepath.Join(dir, "basket.db"), records("items", "100 * i + 7"))
	writeConfig(t, dir, strings.ReplaceAll(matrixConfig, "DIR", dir))
	var err error
	w.replica, err = sql.Open("sqlite", "file:"+filepath.Join(dir, "basket.db")+"?_pragma=busy_timeout(5000)")
	w.must(err)
	t.Cleanup(func() { w.must(w.replica.Close()) })
	c := &cli{configPath: w.config, now: time.Now}
	config, err := c.load()
	w.must(err)
	w.ledger, err = c.openLedger(t.Context(), config, true)
	w.must(err)
	t.Cleanup(func() { w.must(w.ledger.Close()) })
	lens := drift.Lens{Masker: drift.NewMasker(w.ledger.MaskKey()), Scrub: c.scrub}
	readers := newReaders(config, 0, nil)
	t.Cleanup(func() { w.must(readers.Close()) })
	w.find(config, readers, lens)
	w.people()
	w.desk = c.desk(config, w.ledger, readers, lens)
	return w
}

func (w *matrixWorld) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// find has the check run once; nobody works on jobs after that.
func (w *matrixWorld) find(config *configs.Config, readers *service.Readers, lens drift.Lens) {
	w.t.Helper()
	a, err := auditor.Start(w.t.Context(), auditor.Options{Ledger: w.ledger, Checks: service.Checks(config, w.ledger.MaskKey()), Hash: config.Hash(w.ledger.MaskKey()),
		Readers: readers.Find, Lens: lens})
	w.must(err)
	runs, err := a.Run(w.t.Context(), "prices", ledger.ByPerson, "root", nil)
	w.must(err)
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for state := runs[0].State; state != ledger.Finished; {
		select {
		case <-look.C:
		case <-ctx.Done():
			w.t.Fatal(errors.Join(ctx.Err(), errors.New("the run has not ended")))
		}
		run, err := w.ledger.Run(w.t.Context(), runs[0].ID)
		w.must(err)
		state = run.State
	}
	w.must(a.Stop(context.WithoutCancel(w.t.Context())))
	w.findings, _, err = w.ledger.Findings(w.t.Context(), ledger.FindingFilter{State: "open", Limit: 500})
	w.must(err)
	for _, p := range w.livePlans() { // that Plumbline itself drafted, and that would be in the way
		_, err := w.ledger.WithdrawPlan(w.t.Context(), p.ID, "not now", reconciler.Person{Name: "root"})
		w.must(err)
	}
	if len(w.findings) != matrixRecords {
		w.t.Fatalf("%d findings, want %d", len(w.findings), matrixRecords)
	}
}

func (w *matrixWorld) livePlans() []*reconciler.Plan {
	w.t.Helper()
	plans, _, err := w.ledger.Plans(w.t.Context(), ledger.PlanFilter{State: "live", Limit: 500})
	w.must(err)
	return plans
}

// people makes the accounts and tokens of the matrix.
func (w *matrixWorld) people() {
	w.t.Helper()
	for name, role := range map[string]access.Role{"vic": access.Viewer, "otto": access.Operator, "ann": access.Approver, "abe": access.Approver,
		"zoe": access.Approver, "bea": access.Admin, w.me: access.Approver} {
		a, err := w.ledger.CreateAccount(w.t.Context(), name, role, "correct horse battery")
		w.must(err)
		w.accounts[name] = a.ID
		w.token(name, ledger.Token{Name: "cli", Account: a.ID, Role: role, Scopes: []access.Permission{access.View, access.Values, access.Act, access.Approve}})
	}
	w.token("abe to act", ledger.Token{Name: "act", Account: w.accounts["abe"], Role: access.Approver, Scopes: []access.Permission{access.View, access.Values, access.Act}})
	w.token("abe to approve", ledger.Token{Name: "approve", Account: w.accounts["abe"], Role: access.Approver, Scopes: []access.Permission{access.View, access.Approve}})
	for who, name := range map[string]string{"ci": "ci", "called ann": "ann"} {
		w.token(who, ledger.Token{Name: name, Role: access.Approver, Scopes: []access.Permission{access.View, access.Values, access.Act, access.Approve}})
	}
}

func (w *matrixWorld) token(who string, t ledger.Token) {
	w.t.Helper()
	plain, _, err := w.ledger.CreateToken(w.t.Context(), t)
	w.must(err)
	w.tokens[who] = plain
}

// by is a context in which somebody acts at the desk.
func (w *matrixWorld) by(name string) context.Context {
	a := access.Actor{Account: w.accounts[name], Name: name, Role: access.Approver, Via: access.ByCommand}
	if name == byNoToken {
		a = operator()
		a.Role = commandRole
	}
	return access.With(w.t.Context(), &access.Attempt{Actor: a, Action: "test"})
}

// planIn puts a plan of records of its own into a state, the ways people would.
func (w *matrixWorld) planIn(state reconciler.PlanState, drafter string) (p *reconciler.Plan) {
	w.t.Helper()
	if drafter == "" {
		drafter = "ann"
	}
	step := func(next *reconciler.Plan, err error) {
		w.t.Helper()
		w.must(err)
		p = next
	}
	n := 1
	if state == reconciler.PartlyApplied {
		n = 2
	}
	findings := w.findings[:n]
	w.findings = w.findings[n:]
	var ids []string
	for _, f := range findings {
		ids = append(ids, f.ID)
	}
	step(w.desk.DraftFix(w.by(drafter), auditor.FixRequest{Findings: ids}))
	defer func() {
		w.t.Helper()
		if p = w.plan(p.ID); p.State != state {
			w.t.Fatalf("%s is %s, want %s: %s", p.ID, p.State, state, p.Reason)
		}
	}()
	switch state {
	case reconciler.Draft:
		return p
	case reconciler.Waiting:
		step(w.desk.AskApproval(w.by(drafter), p.ID, p.Hash))
		return p
	case reconciler.Expired:
		step(w.desk.WithdrawFix(w.by(drafter), p.ID, "not now"))
		return p
	}
	step(w.desk.ApproveFix(w.by("zoe"), p.ID, p.Hash))
	switch state {
	case reconciler.Approved:
		return p
	case reconciler.Applying, reconciler.Failed:
		_, _, err := w.ledger.BeginPlan(w.t.Context(), p.ID, p.Hash, p.CheckHash, p.DraftedBy, func(*ledger.Tx) error { return nil })
		w.must(err)
		if state == reconciler.Failed {
			w.fail(p)
		}
		return p
	case reconciler.PartlyApplied, reconciler.Stale: // somebody was quicker
		_, err := w.replica.ExecContext(w.t.Context(), `UPDATE items SET price = price + 1 WHERE id = `+strings.TrimPrefix(findings[0].KeyText, "id="))
		w.must(err)
	}
	step(w.desk.ApplyFix(w.by(drafter), p.ID, p.Hash))
	if state == reconciler.Undone {
		undo, err := w.desk.UndoFix(w.by(drafter), p.ID)
		w.must(err)
		_, err = w.desk.ApproveFix(w.by("zoe"), undo.ID, undo.Hash)
		w.must(err)
		_, err = w.desk.ApplyFix(w.by(drafter), undo.ID, undo.Hash)
		w.must(err)
	}
	return p
}

// fail has the one record of a plan that is being applied fail.
func (w *matrixWorld) fail(p *reconciler.Plan) {
	w.t.Helper()
	_, _, err := w.ledger.ClaimPlan(w.t.Context(), p.ID, "test")
	w.must(err)
	journal := w.ledger.FixJournal()
	item, err := journal.ClaimItem(w.t.Context(), p.ID, "test", time.Minute)
	w.must(err)
	item.Note = "the store did not take it"
	w.must(journal.Settle(w.t.Context(), item, reconciler.ItemFailed))
	_, err = w.ledger.EndPlan(w.t.Context(), p.ID)
	w.must(err)
}

func (w *matrixWorld) plan(id string) *reconciler.Plan {
	w.t.Helper()
	p, err := w.ledger.Plan(w.t.Context(), id)
	w.must(err)
	return p
}

// records is what tells one state of the replica from another.
func (w *matrixWorld) records() (told string) {
	w.t.Helper()
	w.must(w.replica.QueryRowContext(w.t.Context(), `SELECT group_concat(id || ':' || price) FROM (SELECT * FROM items ORDER BY id)`).Scan(&told))
	return told
}
