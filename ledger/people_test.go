package ledger_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"plumbline/access"
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
