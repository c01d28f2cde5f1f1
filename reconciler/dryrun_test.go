package reconciler_test

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"plumbline/reconciler"
)

func TestDryRunsChangeNothing(t *testing.T) {
	t.Parallel()
	dryRuns(t, 10)
}

func TestSoakDryRunsChangeNothing(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return
	}
	dryRuns(t, 100)
}

// dryRuns proposes and rehearses plans, and their undoing, and asks PostgreSQL
// itself whether any of it changed a record, or locked one.
func dryRuns(t *testing.T, n int) {
	t.Helper()
	s := newShop(t, "postgres", nil)
	s.stock(8)
	var ids []int64
	for id := int64(1); id <= 7; id++ {
		s.replica.put(t, row{id: id, price: "1.00", title: "x", version: 1})
		ids = append(ids, id)
	}
	s.owner.drop(t, 7)
	findings := s.differing(ids...)
	p, _ := s.draft(findings)
	a := s.applier()
	a.Verify = s.seeing
	p = s.apply(p, a)
	for id := int64(1); id <= 3; id++ {
		s.replica.put(t, row{id: id, price: "1.00", title: "x", version: 1})
	}
	findings = s.differing(ids[:3]...)
	done := s.items(p)
	s.close() // a session that ends says what it changed
	before := s.changes(t)
	s.read()
	for range n {
		_, items, err := reconciler.Propose(t.Context(), s.edge, findings, "3 findings", known())
		must(t, err)
		rehearsed, err := reconciler.Rehearse(t.Context(), s.edge, items)
		must(t, err)
		if len(rehearsed) != 3 || rehearsed[0].State != reconciler.Pending {
			t.Fatalf("rehearsed %v", rehearsed)
		}
		if _, _, err := reconciler.ProposeUndo(t.Context(), s.edge, p, done, known()); err != nil {
			t.Fatal(err)
		}
	}
	s.close()
	if after := s.changes(t); after != before {
		t.Fatalf("%d dry runs made %q of %q", n, after, before)
	}
}

// changes is what PostgreSQL says was ever changed in the replica, and every
// record's own mark of its last change or lock.
func (s *shop) changes(t *testing.T) string {
	t.Helper()
	db := s.replica.(*sqlPlace).db
	db.SetMaxOpenConns(1)
	for deadline := time.Now().Add(20 * time.Second); ; runtime.Gosched() {
		var others int
		must(t, db.QueryRow(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`).Scan(&others))
		if others == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d sessions are open still", others)
		}
	}
	_, err := db.Exec(`SELECT pg_stat_force_next_flush()`)
	must(t, err)
	var changed, marks string
	must(t, db.QueryRow(`SELECT concat_ws(' ', n_tup_ins, n_tup_upd, n_tup_del, n_tup_hot_upd) FROM pg_stat_user_tables WHERE relname = 'items'`).Scan(&changed))
	must(t, db.QueryRow(`SELECT string_agg(concat_ws(' ', ctid, xmin, xmax, items::text), '; ' ORDER BY id) FROM items`).Scan(&marks))
	return strings.Join([]string{changed, marks}, ": ")
}
