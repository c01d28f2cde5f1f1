package ledger_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"plumbline/access"
	"plumbline/ledger"
)

func theFirstAccountIsSetUpOnce(t *testing.T, w *world) {
	if got(w.HasAccounts(t.Context()))(t) {
		t.Fatal("a new ledger has accounts")
	}
	code := got(w.MakeCode(t.Context(), ledger.SetUpCode, "", time.Hour))(t)
	other := got(w.MakeCode(t.Context(), ledger.SetUpCode, "", time.Hour))(t)
	if _, err := w.SetUp(t.Context(), "none", "ann", password); !errors.Is(err, ledger.ErrNoCode) {
		t.Errorf("without a code: %v", err)
	}
	if _, err := w.SetUp(t.Context(), code, "ann", "short"); !errors.As(err, new(*ledger.UnfitError)) {
		t.Errorf("with a short password: %v", err)
	}
	a := got(w.SetUp(t.Context(), code, "ann", password))(t)
	if a.Role != access.Admin || !got(w.HasAccounts(t.Context()))(t) {
		t.Errorf("got %+v", a)
	}
	for _, again := range []string{code, other} {
		if _, err := w.SetUp(t.Context(), again, "eve", password); !errors.Is(err, ledger.ErrNoCode) {
			t.Errorf("once there is an account: %v", err)
		}
	}
}

func namesAreTakenOnce(t *testing.T, w *world) {
	a := w.account("Ann", access.Viewer)
	for _, alike := range []string{"Ann", "ann", "ANN", "\uff21nn"} {
		if _, err := w.CreateAccount(t.Context(), alike, access.Viewer, password); !errors.As(err, new(*ledger.NameTakenError)) {
			t.Errorf("%q: %v", alike, err)
		}
	}
	for _, by := range []string{"aNN", a.ID} {
		if found := got(w.Account(t.Context(), by))(t); found != a {
			t.Errorf("%s finds %+v", by, found)
		}
	}
	if _, err := w.Account(t.Context(), "ben"); !errors.As(err, new(*ledger.NotFoundError)) {
		t.Errorf("got %v", err)
	}
	for _, bad := range []struct {
		name string
		role access.Role
		word string
	}{{"", access.Viewer, password}, {"ben", "owner", password}, {"ben", access.Viewer, "short"}, {"correct", access.Viewer, password}, {"plumbline", access.Viewer, password}} {
		if _, err := w.CreateAccount(t.Context(), bad.name, bad.role, bad.word); !errors.As(err, new(*ledger.UnfitError)) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if n := w.count(`SELECT COUNT(*) FROM accounts WHERE password LIKE '%correct%'`); n != 0 {
		t.Error("a password is kept in clear")
	}
}

func anAdminIsLeft(t *testing.T, w *world) {
	ann, ben := w.account("ann", access.Admin), w.account("ben", access.Admin)
	viewer, yes, odd := access.Viewer, true, access.Role("owner")
	got(w.ChangeAccount(t.Context(), ben.ID, ledger.AccountChange{Role: &viewer}))(t)
	for _, c := range []ledger.AccountChange{{Role: &viewer}, {Disabled: &yes}, {Role: &viewer, Disabled: &yes}} {
		if _, err := w.ChangeAccount(t.Context(), ann.ID, c); !errors.As(err, new(*ledger.LastAdminError)) {
			t.Errorf("got %v", err)
		}
	}
	if _, err := w.ChangeAccount(t.Context(), ann.ID, ledger.AccountChange{Role: &odd}); !errors.As(err, new(*ledger.UnfitError)) {
		t.Errorf("got %v", err)
	}
	if a := got(w.Account(t.Context(), "ann"))(t); a.Role != access.Admin || a.Disabled {
		t.Errorf("what was refused was done: %+v", a)
	}
	got(w.ChangeAccount(t.Context(), "ben", ledger.AccountChange{Disabled: &yes}))(t)
}

func sessionsEnd(t *testing.T, w *world) {
	ann := w.account("ann", access.Operator)
	cookie := w.signIn("Ann")
	if cookie == w.signIn("ann") {
		t.Fatal("two sessions have one cookie")
	}
	a := got(w.SessionActor(t.Context(), cookie, here))(t)
	if a.Account != ann.ID || a.Name != "ann" || a.Role != access.Operator || a.Via != access.ByPage || a.Address != here || a.Session == "" || a.Scopes != nil {
		t.Errorf("got %+v", a)
	}
	list := got(w.Sessions(t.Context(), ann.ID))(t)
	if len(list) != 2 || list[0].Agent != "a browser" || list[0].Address != here {
		t.Errorf("got %+v", list)
	}
	if w.count(`SELECT COUNT(*) FROM sessions WHERE name = $1`, cookie) != 0 {
		t.Error("the cookie is kept")
	}
	if _, err := w.SessionActor(t.Context(), a.Session, here); !errors.Is(err, ledger.ErrNoSession) {
		t.Errorf("a session's name opens it: %v", err)
	}
	must(t, w.EndSession(t.Context(), ann.ID, a.Session))
	if _, err := w.SessionActor(t.Context(), cookie, here); !errors.Is(err, ledger.ErrNoSession) {
		t.Errorf("after it was ended: %v", err)
	}
	if err := w.EndSession(t.Context(), ann.ID, a.Session); !errors.As(err, new(*ledger.NotFoundError)) {
		t.Errorf("ended twice: %v", err)
	}
	idle := w.signIn("ann")
	w.clock.pass(59 * time.Minute)
	got(w.SessionActor(t.Context(), idle, here))(t)
	w.clock.pass(59 * time.Minute)
	got(w.SessionActor(t.Context(), idle, here))(t)
	w.clock.pass(time.Hour)
	if _, err := w.SessionActor(t.Context(), idle, here); !errors.Is(err, ledger.ErrNoSession) {
		t.Errorf("after an idle hour: %v", err)
	}
	busy := w.signIn("ann")
	for range 23 {
		w.clock.pass(30 * time.Minute)
		got(w.SessionActor(t.Context(), busy, here))(t)
	}
	w.clock.pass(30 * time.Minute)
	if _, err := w.SessionActor(t.Context(), busy, here); !errors.Is(err, ledger.ErrNoSession) {
		t.Errorf("after 12 hours: %v", err)
	}
	late := w.signIn("ann")
	w.clock.pass(-2 * time.Hour)
	if _, err := w.SessionActor(t.Context(), late, here); !errors.Is(err, ledger.ErrNoSession) {
		t.Errorf("after the clock was set back: %v", err)
	}
}

func aChangeEndsSessions(t *testing.T, w *world) {
	w.account("root", access.Admin)
	ann := w.account("ann", access.Operator)
	viewer, yes, no, word := access.Viewer, true, false, "another horse battery"
	for _, c := range []ledger.AccountChange{{Role: &viewer}, {Disabled: &yes}, {Disabled: &no}, {Password: &word}} {
		open := !ann.Disabled
		cookie := ""
		if open {
			cookie = w.signIn("ann")
		}
		ann = got(w.ChangeAccount(t.Context(), "ann", c))(t)
		if _, err := w.SessionActor(t.Context(), cookie, here); !errors.Is(err, ledger.ErrNoSession) {
			t.Errorf("after %+v: %v", c, err)
		}
		if _, _, err := w.SignIn(t.Context(), "ann", password, here, ""); (err == nil) != (!ann.Disabled && c.Password == nil) {
			t.Errorf("signing in after %+v: %v", c, err)
		}
	}
	must(t, w.EndSessions(t.Context(), ann.ID))
	if left := got(w.Sessions(t.Context(), ann.ID))(t); len(left) != 0 {
		t.Errorf("left %+v", left)
	}
	if err := w.CheckOwnPassword(t.Context(), ann.ID, password, here); !errors.Is(err, ledger.ErrWrongPassword) {
		t.Errorf("the old password: %v", err)
	}
	must(t, w.CheckOwnPassword(t.Context(), ann.ID, word, here))
	// A change of nothing ends nothing.
	cookie, _, err := w.SignIn(t.Context(), "ann", word, here, "")
	must(t, err)
	got(w.ChangeAccount(t.Context(), "ann", ledger.AccountChange{Role: &viewer}))(t)
	got(w.SessionActor(t.Context(), cookie, here))(t)
}

func whatOfPeopleIsOverIsPruned(t *testing.T, w *world) {
	w.account("ann", access.Admin)
	left := func() string {
		return fmt.Sprint(w.count(`SELECT COUNT(*) FROM sessions`), w.count(`SELECT COUNT(*) FROM sign_ins`), w.count(`SELECT COUNT(*) FROM codes`), w.count(`SELECT COUNT(*) FROM tokens`))
	}
	w.signIn("ann")
	if _, _, err := w.SignIn(t.Context(), "eve", password, here, ""); !errors.Is(err, ledger.ErrWrongPassword) {
		t.Fatal(err)
	}
	got(w.MakeCode(t.Context(), ledger.SetUpCode, "", time.Hour))(t)
	_, _, err := w.CreateToken(t.Context(), ledger.Token{Name: "ci", Role: access.Viewer, Scopes: []access.Permission{access.View}})
	must(t, err)
	for _, step := range []struct {
		pass time.Duration
		left string
	}{{0, "1 4 1 1"}, {61 * time.Minute, "0 4 1 1"}, {26 * time.Hour, "0 1 0 1"}, {40 * 24 * time.Hour, "0 0 0 1"}, {150 * 24 * time.Hour, "0 0 0 0"}} {
		w.clock.pass(step.pass)
		got(w.Prune(t.Context(), w.clock.now(), ledger.Retention{}))(t)
		if got := left(); got != step.left {
			t.Errorf("after another %s: %s left, not %s", step.pass, got, step.left)
		}
	}
}
