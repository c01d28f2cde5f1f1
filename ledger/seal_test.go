package ledger_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"plumbline/access"
	"plumbline/ledger"
)

// Several processes seal one log at once while people act: each entry is sealed
// once, without a gap and without a fork.
func TestProcessesSealOneLog(t *testing.T) {
	t.Parallel()
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			const each, writers = 60, 2
			url, clock := address(t, engine), newClock()
			var ws []*world
			for range 3 {
				ws = append(ws, openWorld(t, url, clock, ledger.Options{}))
			}
			var writing, sealing sync.WaitGroup
			var sealed, going atomic.Int64
			going.Store(1)
			for _, w := range ws {
				for range writers {
					writing.Go(func() {
						for n := range each {
							a := &access.Attempt{Actor: access.Actor{Name: "ann"}, Action: "mute", Object: fmt.Sprint(n)}
							if err := w.Attest(t.Context(), a, access.Done); err != nil {
								t.Error(err)
								return
							}
						}
					})
				}
				sealing.Go(func() {
					for last := false; !last; {
						last = going.Load() == 0
						n, _, err := w.SealAudit(t.Context())
						if err != nil {
							t.Error(err)
							return
						}
						sealed.Add(int64(n))
					}
				})
			}
			writing.Wait()
			going.Store(0)
			sealing.Wait()
			const all = 3 * each * writers
			head, unsealed, err := ws[0].VerifyAudit(t.Context(), nil)
			if err != nil || head.Number != all || unsealed != 0 || sealed.Load() != all {
				t.Errorf("%d of %d sealed, head %v, %d not, %v", sealed.Load(), all, head, unsealed, err)
			}
		})
	}
}

// A chain of a ledger on which anything was changed by hand is found broken.
func TestAnEntryChangedByHandIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite")
	for n := range 20 {
		ctx, a := as(t.Context(), "ann")
		a.Action, a.Object, a.Detail = "mute", fmt.Sprint("finding ", n), "until"
		must(t, w.Attest(ctx, a, access.Done))
	}
	_, head, err := w.SealAudit(t.Context())
	must(t, err)
	for _, change := range []string{
		`id = 'x'`, `number = 100`, `at = at + 1`, `actor = 'ben'`, `account = 'x'`, `role = 'viewer'`, `via = 'api'`, `address = ''`, `action = 'unmute'`,
		`object = 'finding'`, `outcome = 'denied'`, `detail = ''`, `seal = x'00'`,
	} {
		tx := got(w.DB().BeginTx(t.Context(), nil))(t)
		_, err := tx.ExecContext(t.Context(), `CREATE TABLE kept AS SELECT * FROM audit WHERE number = 7`)
		must(t, err)
		_, err = tx.ExecContext(t.Context(), `UPDATE audit SET `+change+` WHERE number = 7`)
		must(t, err)
		must(t, tx.Commit())
		if _, _, err := w.VerifyAudit(t.Context(), &head); err == nil {
			t.Errorf("%s is not found", change)
		}
		for _, statement := range []string{`DELETE FROM audit WHERE object IN ('finding', (SELECT object FROM kept)) OR id = 'x'`, `INSERT INTO audit SELECT * FROM kept`, `DROP TABLE kept`} {
			_, err := w.DB().ExecContext(t.Context(), statement)
			must(t, err)
		}
		if _, _, err := w.VerifyAudit(t.Context(), &head); err != nil {
			t.Fatalf("put back after %s: %v", change, err)
		}
	}
}
