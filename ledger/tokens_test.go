package ledger_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"plumbline/access"
	"plumbline/ledger"
)

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
