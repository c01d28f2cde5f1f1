package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"plumbline/access"
	"plumbline/drift"
	"plumbline/ledger"
)

func whatPeopleDoIsInTheLog(t *testing.T, w *world) {
	by := func(do func(context.Context) error) {
		t.Helper()
		ctx, a := as(t.Context(), "ann")
		must(t, do(ctx))
		if !a.Recorded() {
			t.Errorf("after\n%s\nnothing was written", w.log())
		}
	}
	by(func(ctx context.Context) error {
		_, err := w.CreateAccount(ctx, "ben", access.Admin, password)
		return err
	})
	role, word := access.Approver, "another horse battery"
	w.account("root", access.Admin)
	w.clock.pass(time.Second)
	by(func(ctx context.Context) error {
		_, err := w.ChangeAccount(ctx, "ben", ledger.AccountChange{Role: &role, Password: &word})
		return err
	})
	w.clock.pass(time.Second)
	by(func(ctx context.Context) error { _, _, err := w.SignIn(ctx, "ben", word, here, ""); return err })
	ben := got(w.Account(t.Context(), "ben"))(t)
	w.clock.pass(time.Second)
	by(func(ctx context.Context) error { return w.EndSessions(ctx, ben.ID) })
	var token ledger.Token
	w.clock.pass(time.Second)
	by(func(ctx context.Context) (err error) {
		_, token, err = w.CreateToken(ctx, ledger.Token{Name: "ci", Account: "ben", Scopes: []access.Permission{access.View}})
		return err
	})
	w.clock.pass(time.Second)
	by(func(ctx context.Context) error { return w.RevokeToken(ctx, token.ID) })
	w.clock.pass(time.Second)
	by(func(ctx context.Context) error { return w.LinkSlack(ctx, "T1", "U1", "ben") })
	w.clock.pass(time.Second)
	by(func(ctx context.Context) error { return w.UnlinkSlack(ctx, "T1", "U1") })
	w.scanned("search", w.suspects(1, 2, 3)...)
	w.confirm("search")
	one := drift.Observation{Event: drift.Acknowledge, At: w.clock.now(), Actor: "ann", Note: "ticket"}
	by(func(ctx context.Context) error { _, err := w.Act(ctx, []string{id("search", 1)}, one, 0); return err })
	w.clock.pass(time.Second)
	mute := drift.Observation{Event: drift.Mute, At: w.clock.now(), Actor: "ann", Until: w.clock.now().Add(time.Hour)}
	by(func(ctx context.Context) error {
		_, err := w.Act(ctx, []string{id("search", 2), id("search", 3)}, mute, 0)
		return err
	})
	w.clock.pass(time.Second)
	by(func(ctx context.Context) error {
		_, err := w.ActAll(ctx, ledger.FindingFilter{Check: "orders", State: "muted"}, drift.Observation{Event: drift.Unmute, At: w.clock.now(), Actor: "ann"})
		return err
	})
	w.clock.pass(time.Second)
	by(func(ctx context.Context) error { _, err := w.AcceptBaseline(ctx, "orders", "ann", ""); return err })
	w.clock.pass(time.Second)
	r := &ledger.Run{Check: "orders", Replica: "cache", Trigger: ledger.ByPerson, Actor: "ann"}
	by(func(ctx context.Context) error { return w.CreateRuns(ctx, []*ledger.Run{r}, noJobs) })
	w.clock.pass(time.Second)
	by(func(ctx context.Context) error { _, err := w.CancelRun(ctx, r.ID, "ann"); return err })
	want := `ann: add account account ben: ok
ann: change account account ben: ok
ben: sign in account ben: ok
ann: end sessions account ben: ok
ann: create token token ci of account ben: ok
ann: revoke token token ci: ok
ann: link slack account ben: ok
ann: unlink slack slack user U1: ok
ann: acknowledge finding ` + id("search", 1) + `: ok
ann: mute 2 findings: ok
ann: unmute findings of check orders of state muted: ok
ann: accept baseline findings of check orders of state open: ok
ann: run check orders: ok
ann: cancel run run #` + fmt.Sprint(r.Number) + `: ok`
	if got := w.log(); got != want {
		t.Errorf("the log is\n%s\nand not\n%s", got, want)
	}
	for _, secret := range []string{password, word, "ticket"} {
		if n := w.count(`SELECT COUNT(*) FROM audit WHERE detail LIKE $1 OR object LIKE $2`, "%"+secret+"%", "%"+secret+"%"); n != 0 {
			t.Errorf("the log holds %q", secret)
		}
	}
}

// An entry is written with the change it tells of, or neither is.
func entriesComeWithWhatTheyTellOf(t *testing.T, w *world) {
	w.account("root", access.Admin)
	ctx, a := as(t.Context(), "ann")
	broken := errors.New("broken")
	r := &ledger.Run{Check: "orders", Replica: "search", Trigger: ledger.ByPerson, Actor: "ann"}
	if err := w.CreateRuns(ctx, []*ledger.Run{r}, func(*ledger.Tx) error { return broken }); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if a.Recorded() || w.log() != "" {
		t.Errorf("what was undone is told of: %s", w.log())
	}
	must(t, w.Attest(ctx, a, access.Failed))
	if !a.Recorded() || w.count(`SELECT COUNT(*) FROM audit WHERE outcome = 'failed'`) != 1 {
		t.Errorf("the log is %s", w.log())
	}
	// Plumbline's own acts are no person's.
	must(t, w.CreateRuns(t.Context(), []*ledger.Run{r}, noJobs))
	if n := w.count(`SELECT COUNT(*) FROM audit`); n != 1 {
		t.Errorf("%d entries", n)
	}
	long := &access.Attempt{Actor: access.Actor{Name: "ann\x00\xff"}, Object: strings.Repeat("é", 5000), Detail: strings.Repeat("x", 5000)}
	must(t, w.Attest(t.Context(), long, access.Denied))
	_, _, err := w.SealAudit(t.Context())
	must(t, err)
	_, _, err = w.VerifyAudit(t.Context(), nil)
	must(t, err)
}

func theLogIsListed(t *testing.T, w *world) {
	for i := range 25 {
		if i%3 == 0 {
			w.clock.pass(time.Second)
		}
		a := &access.Attempt{Actor: access.Actor{Name: []string{"ann", "ben"}[i%2]}, Action: "mute", Object: fmt.Sprintf("finding F-%d", i)}
		must(t, w.Attest(t.Context(), a, []access.Outcome{access.Done, access.Denied, access.Failed}[i%3]))
	}
	seen := map[string]bool{}
	for f := (ledger.AuditFilter{Limit: 4}); ; {
		list, next, err := w.AuditEntries(t.Context(), f)
		must(t, err)
		for _, e := range list {
			seen[e.Object] = true
		}
		if f.After = next; next == "" {
			break
		}
	}
	if len(seen) != 25 {
		t.Errorf("listed %d", len(seen))
	}
	for n, f := range map[int]ledger.AuditFilter{13: {Actor: "ann"}, 8: {Outcome: "denied"}, 1: {Object: "finding F-7"}, 25: {Action: "mute"}, 0: {Action: "mute", Actor: "eve"}} {
		if list, _, err := w.AuditEntries(t.Context(), f); err != nil || len(list) != n {
			t.Errorf("%+v chooses %d, %v", f, len(list), err)
		}
	}
	if _, _, err := w.AuditEntries(t.Context(), ledger.AuditFilter{After: "nonsense"}); !errors.As(err, new(*ledger.CursorError)) {
		t.Errorf("got %v", err)
	}
}

func theLogIsSealedAndVerified(t *testing.T, w *world) {
	write := func(n int) {
		for i := range n {
			must(t, w.Attest(t.Context(), &access.Attempt{Actor: access.Actor{Name: "ann"}, Action: "mute", Object: fmt.Sprint(i)}, access.Done))
		}
	}
	write(7)
	if head, unsealed, err := w.VerifyAudit(t.Context(), nil); err != nil || head.Number != 0 || unsealed != 7 {
		t.Errorf("before it is sealed: %v %d %v", head, unsealed, err)
	}
	sealed, early, err := w.SealAudit(t.Context())
	if err != nil || sealed != 7 || early.Number != 7 {
		t.Fatal(sealed, early, err)
	}
	if sealed, again, err := w.SealAudit(t.Context()); err != nil || sealed != 0 || again.String() != early.String() {
		t.Errorf("sealed again: %d %v %v", sealed, again, err)
	}
	write(600)
	if sealed, head, err := w.SealAudit(t.Context()); err != nil || sealed != 600 || head.Number != 607 {
		t.Errorf("sealed %d %v %v", sealed, head, err)
	}
	head, unsealed, err := w.VerifyAudit(t.Context(), &early)
	if err != nil || head.Number != 607 || unsealed != 0 {
		t.Errorf("got %v %d %v", head, unsealed, err)
	}
	n := int64(0)
	must(t, w.WalkAudit(t.Context(), func(e *access.Entry) error {
		if n++; e.Number != n {
			t.Errorf("entry %d is numbered %d", n, e.Number)
		}
		return nil
	}))
	other := openWorld(t, w.url, w.clock, ledger.Options{AuditKey: []byte("another key")})
	if _, _, err := other.VerifyAudit(t.Context(), nil); !errors.As(err, new(*ledger.WrongAuditKeyError)) {
		t.Errorf("with another key: %v", err)
	}
	write(1)
	if _, _, err := other.SealAudit(t.Context()); !errors.As(err, new(*ledger.WrongAuditKeyError)) {
		t.Errorf("sealed with another key: %v", err)
	}
	if sealed, head, err := w.SealAudit(t.Context()); err != nil || sealed != 1 || head.Number != 608 {
		t.Errorf("after another key was given: %d %v %v", sealed, head, err)
	}
	if _, _, err := w.VerifyAudit(t.Context(), nil); err != nil {
		t.Errorf("after another key was given: %v", err)
	}
	broken := func(what string, want *access.Head, at int64) {
		t.Helper()
		_, _, err := w.VerifyAudit(t.Context(), want)
		if b, ok := errors.AsType[*access.BrokenError](err); !ok || b.Number != at {
			t.Errorf("%s: %v", what, err)
		}
	}
	kept := ""
	must(t, w.DB().QueryRowContext(t.Context(), `SELECT value FROM settings WHERE name = 'audit head'`).Scan(&kept))
	set := func(head string) {
		t.Helper()
		_, err := w.DB().ExecContext(t.Context(), `UPDATE settings SET value = $1 WHERE name = 'audit head'`, head)
		must(t, err)
	}
	set(early.String())
	broken("the head set back", nil, 8)
	set(kept)
	_, err = w.DB().ExecContext(t.Context(), `DELETE FROM audit WHERE number > 600`)
	must(t, err)
	broken("the tail removed", nil, 601)
	var last []byte
	must(t, w.DB().QueryRowContext(t.Context(), `SELECT seal FROM audit WHERE number = 600`).Scan(&last))
	set(access.Head{Number: 600, Seal: last}.String())
	if _, _, err := w.VerifyAudit(t.Context(), nil); err != nil {
		t.Errorf("with the ledger's own head changed along, only a head kept elsewhere can tell: %v", err)
	}
	broken("and a head was kept", &head, 601)
	_, err = w.DB().ExecContext(t.Context(), `UPDATE audit SET object = 'x' WHERE number = 300`)
	must(t, err)
	broken("an entry changed", nil, 300)
}
