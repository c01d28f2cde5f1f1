package ledger_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"plumbline/reconciler"
)

// tampering is one way in which other hands change a plan in the database, given
// another plan that was approved, an item and one beside it.
type tampering struct {
	what       string
	statements []string // $1 is the plan, $2 the other, $3 and $4 the items
}

func tamperings() (list []tampering) {
	set := func(table, what, change, where string) {
		list = append(list, tampering{what, []string{`UPDATE ` + table + ` SET ` + change + ` WHERE ` + where}})
	}
	for _, change := range []string{`replica = 'cache'`, `route = 'request'`, `undoes = $2`, `hash = (SELECT hash FROM plans WHERE id = $2)`, `check_hash = 'another'`,
		`choice = '1 finding'`, `auto = TRUE`, `drafted_by = 'b1'`, `drafted_name = 'ben'`, `drafted_at = drafted_at + 1`, `needs = 0`, `needs = 2`, `stop_on_error = FALSE`,
		`kinds = '{"update":1}'`, `left_out = '[]'`, `checklist = '[]'`, `number = number + 1000000`, `seal = (SELECT seal FROM plans WHERE id = $2)`,
		`seal = (SELECT seal FROM plan_approvals WHERE plan = $2)`} {
		set("plans", "plan: "+change, change, `id = $1`)
	}
	other := func(column string) string {
		return column + ` = (SELECT ` + column + ` FROM plan_items WHERE plan = $2 AND n = 1)`
	}
	for _, change := range []string{other("finding"), `kind = 'delete'`, other("hash"), other("content"), `content = NULL`, other("hash") + `, ` + other("content"),
		`content = (SELECT content FROM plan_items WHERE plan = $1 AND n = $4)`, other("key_text"), `fields = '[]'`, `statement = 'SELECT 1'`, `n = n + 100`} {
		set("plan_items", "item: "+change, change, `plan = $1 AND n = $3`)
	}
	for _, change := range []string{`account = 'e1'`, `name = 'eve'`, `hash = (SELECT hash FROM plans WHERE id = $2)`, `at = at + 1`,
		`seal = (SELECT seal FROM plan_approvals WHERE plan = $2)`} {
		set("plan_approvals", "approval: "+change, change, `plan = $1`)
	}
	const columns = `n, finding, kind, hash, content, key_text, fields, statement, state, note, now_fields, until_at, held_until, worker, term, ended_at, fixing`
	return append(list,
		tampering{"an item removed", []string{`DELETE FROM plan_items WHERE plan = $1 AND n = $3`}},
		tampering{"the last item removed", []string{`DELETE FROM plan_items WHERE plan = $1 AND n = (SELECT MAX(n) FROM plan_items WHERE plan = $1)`}},
		tampering{"an item added", []string{`INSERT INTO plan_items (plan, ` + columns + `) SELECT $1, (SELECT MAX(n) + 1 FROM plan_items WHERE plan = $1), ` + columns[3:] +
			` FROM plan_items WHERE plan = $2 AND n = 1`}},
		tampering{"items in another order", []string{`UPDATE plan_items SET n = -1 WHERE plan = $1 AND n = $3`, `UPDATE plan_items SET n = $3 WHERE plan = $1 AND n = $4`,
			`UPDATE plan_items SET n = $4 WHERE plan = $1 AND n = -1`}},
		tampering{"another plan's items, hash and approval", []string{`DELETE FROM plan_items WHERE plan = $1`, `INSERT INTO plan_items (plan, ` + columns + `) SELECT $1, ` + columns +
			` FROM plan_items WHERE plan = $2`, `UPDATE plans SET hash = (SELECT hash FROM plans WHERE id = $2) WHERE id = $1`, `DELETE FROM plan_approvals WHERE plan = $1`,
			`INSERT INTO plan_approvals (plan, account, name, hash, at, seal) SELECT $1, account, name, hash, at, seal FROM plan_approvals WHERE plan = $2`}},
		tampering{"another plan's items, hash, approval and seal", []string{`DELETE FROM plan_items WHERE plan = $1`, `INSERT INTO plan_items (plan, ` + columns + `) SELECT $1, ` + columns +
			` FROM plan_items WHERE plan = $2`, `UPDATE plans SET hash = (SELECT hash FROM plans WHERE id = $2), seal = (SELECT seal FROM plans WHERE id = $2) WHERE id = $1`,
			`DELETE FROM plan_approvals WHERE plan = $1`,
			`INSERT INTO plan_approvals (plan, account, name, hash, at, seal) SELECT $1, account, name, hash, at, seal FROM plan_approvals WHERE plan = $2`}},
		tampering{"an approval removed", []string{`DELETE FROM plan_approvals WHERE plan = $1`}},
		tampering{"an approval copied from another plan", []string{`DELETE FROM plan_approvals WHERE plan = $1`,
			`INSERT INTO plan_approvals (plan, account, name, hash, at, seal) SELECT $1, account, name, hash, at, seal FROM plan_approvals WHERE plan = $2`}},
		tampering{"needs none, and nobody approved it", []string{`UPDATE plans SET needs = 0 WHERE id = $1`, `DELETE FROM plan_approvals WHERE plan = $1`}},
	)
}

// tamper changes a plan in one of the ways; it fails where that changed nothing.
func (w *world) tamper(by tampering, p, other *reconciler.Plan, n, beside int) {
	w.Helper()
	tx := got(w.DB().BeginTx(w.Context(), nil))(w)
	var changed int64
	for _, s := range by.statements {
		// Parameters are written out: the engines disagree on those that are not used.
		for place, v := range map[string]string{"$1": "'" + p.ID + "'", "$2": "'" + other.ID + "'", "$3": fmt.Sprint(n), "$4": fmt.Sprint(beside)} {
			s = strings.ReplaceAll(s, place, v)
		}
		changed += got(got(tx.ExecContext(w.Context(), s))(w).RowsAffected())(w)
	}
	must(w, tx.Commit())
	if changed == 0 {
		w.Fatalf("%s changed nothing", by.what)
	}
}

// tampered has so many plans changed by other hands once they were approved, or
// begun: none is applied.
func tampered(t *testing.T, engine string, plans int) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	w := newWorld(t, engine)
	other := w.approved(900, 901)
	ways := tamperings()
	for trial := range plans {
		by := ways[trial%len(ways)]
		if trial%50 == 49 {
			w.clock.pass(time.Minute)
			other = w.approved(900, 901)
		}
		var keys []int
		for first := 1 + random.IntN(800); len(keys) < 2+trial%4; {
			keys = append(keys, first+len(keys))
		}
		p := w.approved(keys...)
		n := 1 + random.IntN(len(keys))
		beside := n%len(keys) + 1
		begun := random.IntN(2) == 0
		if begun {
			p = w.beginPlan(p)
		}
		w.tamper(by, p, other, n, beside)
		hash := got(w.Plan(t.Context(), p.ID))(t).Hash
		var err error
		if begun {
			_, _, err = w.ClaimPlan(t.Context(), p.ID, "worker")
			if now := w.planNow(p); now.State == reconciler.Applying {
				t.Errorf("seed %d, trial %d: after %s it is still being applied", seed, trial, by.what)
			}
			if i, err := w.FixJournal().ClaimItem(t.Context(), p.ID, "worker", time.Minute); err == nil {
				t.Errorf("seed %d, trial %d: after %s item %d was given to a worker", seed, trial, by.what, i.N)
			}
		} else {
			_, _, err = w.BeginPlan(t.Context(), p.ID, hash, checkHash, ann(), noJobs)
		}
		refusedWith(t, fmt.Sprintf("seed %d, trial %d, %d items (%s), begun %v: %s", seed, trial, len(keys), fmt.Sprint(keys), begun, by.what), err)
		if t.Failed() {
			return
		}
	}
	t.Logf("%s: %d plans were changed in %d ways, seed %d", engine, plans, len(ways), seed)
}

func TestPlansChangedByOtherHandsAreRefused(t *testing.T) {
	t.Parallel()
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			tampered(t, engine, 100)
		})
	}
}

func TestSoakPlansChangedByOtherHandsAreRefused(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return
	}
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) { tampered(t, engine, 1000) })
	}
}

// An item that is changed once its plan was claimed is given with another hash
// than was approved.
func TestAnItemChangedWhileItsPlanIsAppliedHasAnotherHash(t *testing.T) {
	t.Parallel()
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, engine)
			w.open(1, 2, 3)
			other := w.approved(7)
			p := w.applying(1, 2, 3)
			_, hashes := got2(w.ClaimPlan(t.Context(), p.ID, "worker"))(t)
			for n, change := range []string{`content = (SELECT content FROM plan_items WHERE plan = $2 AND n = 1)`, `content = NULL`, `kind = 'delete'`} {
				w.tamper(tampering{change, []string{`UPDATE plan_items SET ` + change + ` WHERE plan = $1 AND n = $3`}}, p, other, n+1, 0)
				i := w.claimItem(p, "worker")
				if hash := reconciler.ItemHash(p.Check, p.Replica, p.CheckHash, p.Undoes, i); i.N != n+1 || hash == hashes[n] {
					t.Errorf("after %s item %d has the hash that was approved", change, i.N)
				}
			}
		})
	}
}
