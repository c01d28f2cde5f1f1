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

// TestPeople is what a ledger promises of accounts and the audit log, on every engine.
func TestPeople(t *testing.T) {
	t.Parallel()
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			for _, promise := range []promise{
				{"the first account is set up once", theFirstAccountIsSetUpOnce},
				{"names are taken once", namesAreTakenOnce},
				{"an admin is left", anAdminIsLeft},
				{"sessions end", sessionsEnd},
				{"a change ends sessions", aChangeEndsSessions},
				{"tokens hold no more than their account", tokensHoldNoMore},
				{"tokens end", tokensEnd},
				{"codes are used once", codesAreUsedOnce},
				{"slack users act for accounts", slackUsersActForAccounts},
				{"what people do is in the log", whatPeopleDoIsInTheLog},
				{"entries come with what they tell of", entriesComeWithWhatTheyTellOf},
				{"the log is listed", theLogIsListed},
				{"the log is sealed and verified", theLogIsSealedAndVerified},
				{"what of people is over is pruned", whatOfPeopleIsOverIsPruned},
			} {
				t.Run(promise.name, func(t *testing.T) {
					t.Parallel()
					promise.holds(t, newWorld(t, engine))
				})
			}
		})
	}
}

const (
	password = "correct horse battery"
	here     = "192.0.2.1"
)

// as is a context in which somebody attempts something.
func as(ctx context.Context, name string) (context.Context, *access.Attempt) {
	a := &access.Attempt{Actor: access.Actor{Name: name, Role: access.Admin, Via: access.ByPage, Address: here}}
	return access.With(ctx, a), a
}

func (w *world) account(name string, role access.Role) ledger.Account {
	w.Helper()
	return got(w.CreateAccount(w.Context(), name, role, password))(w)
}

func (w *world) signIn(name string) (cookie string) {
	w.Helper()
	cookie, _, err := w.SignIn(w.Context(), name, password, here, "a browser")
	must(w, err)
	return cookie
}

// log is the audit log in a few words, the oldest first.
func (w *world) log() string {
	w.Helper()
	entries, next, err := w.AuditEntries(w.Context(), ledger.AuditFilter{Limit: 1000})
	must(w, err)
	if next != "" {
		w.Fatal("the log goes on")
	}
	var lines []string
	for i := len(entries) - 1; i >= 0; i-- {
		e := entries[i]
		lines = append(lines, fmt.Sprintf("%s: %s %s: %s", e.Actor, e.Action, e.Object, e.Outcome))
	}
	return strings.Join(lines, "\n")
}

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

func tokensHoldNoMore(t *testing.T, w *world) {
	w.account("root", access.Admin)
	ann := w.account("ann", access.Approver)
	scopes := []access.Permission{access.View, access.Act, access.Manage}
	plain, made, err := w.CreateToken(t.Context(), ledger.Token{Name: "ci", Account: "ann", Role: access.Admin, Scopes: scopes})
	must(t, err)
	if made.Role != access.Approver || made.Account != ann.ID || !made.ExpiresAt.Equal(w.clock.now().Add(90*24*time.Hour)) || !strings.HasPrefix(plain, access.TokenPrefix) {
		t.Errorf("made %+v", made)
	}
	a := got(w.TokenActor(t.Context(), plain, here))(t)
	if a.Name != "ann (token ci)" || a.Account != ann.ID || a.Token != made.ID || a.Via != access.ByAPI || !a.May(access.Act) || a.May(access.Manage) || a.May(access.Values) {
		t.Errorf("got %+v", a)
	}
	viewer, admin, yes := access.Viewer, access.Admin, true
	got(w.ChangeAccount(t.Context(), "ann", ledger.AccountChange{Role: &viewer}))(t)
	if a := got(w.TokenActor(t.Context(), plain, here))(t); a.May(access.Act) || !a.May(access.View) {
		t.Errorf("after its account became a viewer: %+v", a)
	}
	got(w.ChangeAccount(t.Context(), "ann", ledger.AccountChange{Role: &admin}))(t)
	if a := got(w.TokenActor(t.Context(), plain, here))(t); a.May(access.Manage) {
		t.Errorf("after its account became an admin: %+v", a)
	}
	got(w.ChangeAccount(t.Context(), "ann", ledger.AccountChange{Disabled: &yes}))(t)
	if _, err := w.TokenActor(t.Context(), plain, here); !errors.Is(err, ledger.ErrNoToken) {
		t.Errorf("after its account was disabled: %v", err)
	}
	own, _, err := w.CreateToken(t.Context(), ledger.Token{Name: "prometheus", Role: access.Viewer, Scopes: []access.Permission{access.Scrape}})
	must(t, err)
	if a := got(w.TokenActor(t.Context(), own, here))(t); a.Name != "token prometheus" || a.Account != "" || !a.May(access.Scrape) || a.May(access.View) {
		t.Errorf("got %+v", a)
	}
	for _, bad := range []ledger.Token{{Name: "x", Role: access.Viewer}, {Name: "", Role: access.Viewer, Scopes: scopes}, {Name: "x", Scopes: scopes},
		{Name: "x", Role: access.Viewer, Scopes: []access.Permission{access.Reveal}}, {Name: "x", Role: access.Viewer, Scopes: scopes, ExpiresAt: w.clock.now()}} {
		if _, _, err := w.CreateToken(t.Context(), bad); !errors.As(err, new(*ledger.UnfitError)) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, _, err := w.CreateToken(t.Context(), ledger.Token{Name: "x", Account: "eve", Scopes: scopes}); !errors.As(err, new(*ledger.NotFoundError)) {
		t.Errorf("for nobody: %v", err)
	}
}

func tokensEnd(t *testing.T, w *world) {
	make := func(life time.Duration) (string, ledger.Token) {
		plain, made, err := w.CreateToken(t.Context(), ledger.Token{Name: "ci", Role: access.Viewer, Scopes: []access.Permission{access.View}, ExpiresAt: w.clock.now().Add(life)})
		must(t, err)
		return plain, made
	}
	none := func(plain, when string) {
		t.Helper()
		if _, err := w.TokenActor(t.Context(), plain, here); !errors.Is(err, ledger.ErrNoToken) {
			t.Errorf("%s: %v", when, err)
		}
	}
	revoked, made := make(time.Hour)
	got(w.TokenActor(t.Context(), revoked, here))(t)
	must(t, w.RevokeToken(t.Context(), made.ID))
	must(t, w.RevokeToken(t.Context(), made.ID))
	none(revoked, "after it was revoked")
	if err := w.RevokeToken(t.Context(), "T-nothing"); !errors.As(err, new(*ledger.NotFoundError)) {
		t.Errorf("got %v", err)
	}
	short, _ := make(time.Hour)
	w.clock.pass(59 * time.Minute)
	got(w.TokenActor(t.Context(), short, here))(t)
	if used := got(w.Tokens(t.Context(), ""))(t)[0].UsedAt; !used.Equal(w.clock.now()) && !got(w.Tokens(t.Context(), ""))(t)[1].UsedAt.Equal(w.clock.now()) {
		t.Errorf("used at %s", used)
	}
	w.clock.pass(time.Minute)
	none(short, "after it expired")
	none("", "nothing")
	none("plb_guess", "a guess")
	none(made.ID, "its id")
	ahead, _ := make(time.Hour)
	w.clock.pass(-30 * time.Minute)
	none(ahead, "after the clock was set back")
}

func codesAreUsedOnce(t *testing.T, w *world) {
	code := got(w.MakeCode(t.Context(), ledger.SlackLinkCode, "T1 U1", 10*time.Minute))(t)
	if subject := got(w.LookCode(t.Context(), ledger.SlackLinkCode, code))(t); subject != "T1 U1" {
		t.Errorf("it is for %q", subject)
	}
	if _, err := w.UseCode(t.Context(), ledger.SetUpCode, code); !errors.Is(err, ledger.ErrNoCode) {
		t.Errorf("for another purpose: %v", err)
	}
	if subject := got(w.UseCode(t.Context(), ledger.SlackLinkCode, code))(t); subject != "T1 U1" {
		t.Errorf("it is for %q", subject)
	}
	for range 2 {
		if _, err := w.UseCode(t.Context(), ledger.SlackLinkCode, code); !errors.Is(err, ledger.ErrNoCode) {
			t.Errorf("used again: %v", err)
		}
	}
	late := got(w.MakeCode(t.Context(), ledger.SlackLinkCode, "T1 U1", 10*time.Minute))(t)
	w.clock.pass(10 * time.Minute)
	if _, err := w.LookCode(t.Context(), ledger.SlackLinkCode, late); !errors.Is(err, ledger.ErrNoCode) {
		t.Errorf("after it expired: %v", err)
	}
}

func slackUsersActForAccounts(t *testing.T, w *world) {
	w.account("root", access.Admin)
	ann := w.account("ann", access.Operator)
	unlinked := func(team, person string) {
		t.Helper()
		if _, err := w.SlackActor(t.Context(), team, person); !errors.Is(err, ledger.ErrNotLinked) {
			t.Errorf("%s %s: %v", team, person, err)
		}
	}
	unlinked("T1", "U1")
	must(t, w.LinkSlack(t.Context(), "T1", "U1", ann.ID))
	a := got(w.SlackActor(t.Context(), "T1", "U1"))(t)
	if a.Account != ann.ID || a.Name != "ann" || a.Role != access.Operator || a.Via != access.BySlack {
		t.Errorf("got %+v", a)
	}
	unlinked("T2", "U1")
	if links := got(w.SlackLinks(t.Context(), ann.ID))(t); len(links) != 1 || links[0].AccountName != "ann" || links[0].Team != "T1" {
		t.Errorf("got %+v", links)
	}
	must(t, w.LinkSlack(t.Context(), "T1", "U1", "root"))
	if links := got(w.SlackLinks(t.Context(), ""))(t); len(links) != 1 || links[0].AccountName != "root" {
		t.Errorf("got %+v", links)
	}
	must(t, w.LinkSlack(t.Context(), "T1", "U1", "ann"))
	yes := true
	got(w.ChangeAccount(t.Context(), "ann", ledger.AccountChange{Disabled: &yes}))(t)
	unlinked("T1", "U1")
	must(t, w.UnlinkSlack(t.Context(), "T1", "U1"))
	if err := w.UnlinkSlack(t.Context(), "T1", "U1"); !errors.As(err, new(*ledger.NotFoundError)) {
		t.Errorf("unlinked twice: %v", err)
	}
	if err := w.LinkSlack(t.Context(), "T1", "U1", "eve"); !errors.As(err, new(*ledger.NotFoundError)) {
		t.Errorf("linked to nobody: %v", err)
	}
}

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
	if _, _, err := other.VerifyAudit(t.Context(), nil); !errors.As(err, new(*access.BrokenError)) {
		t.Errorf("with another key: %v", err)
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
