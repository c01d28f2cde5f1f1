package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"plumbline/access"
	"plumbline/ledger"
	"plumbline/reconciler"
	"plumbline/web"
)

// identity is somebody who comes to a plan, by cookie or token.
type identity struct {
	name          string
	may           []access.Permission
	drafter       bool
	cookie, token string
}

func (who *identity) can(p access.Permission) bool { return slices.Contains(who.may, p) }

// identities are accounts of every role, tokens of single scopes, and nobody. Ann
// is who drafts the plans.
func (w *fixWorld) identities() (list []identity) {
	w.Helper()
	grants := map[access.Role][]access.Permission{access.Viewer: nil, access.Operator: {access.Act}, access.Approver: {access.Act, access.Approve}, access.Admin: {access.Act, access.Approve}}
	ids := map[string]string{}
	for name, role := range map[string]access.Role{"vic": access.Viewer, "otto": access.Operator, "ann": access.Approver, "abe": access.Approver, "bea": access.Admin} {
		const password = "a long word that nobody guesses"
		a := sure(w.ledger.CreateAccount(w.Context(), name, role, password))
		cookie, _, err := w.ledger.SignIn(w.Context(), name, password, "192.0.2.7", "test")
		w.must(err)
		ids[name] = a.ID
		list = append(list, identity{name: name, may: grants[role], drafter: name == "ann", cookie: cookie})
	}
	w.ann.Account = ids["ann"]
	for _, t := range []struct {
		owner  string
		role   access.Role
		scopes []access.Permission
	}{{"ann", access.Approver, []access.Permission{access.Act, access.Approve}}, {"bea", access.Admin, []access.Permission{access.Approve}},
		{"bea", access.Admin, []access.Permission{access.Act}}, {"bea", access.Admin, []access.Permission{access.View, access.Values}}} {
		plain, _, err := w.ledger.CreateToken(w.Context(), ledger.Token{Name: access.ScopeWords(t.scopes), Account: ids[t.owner], Role: t.role, Scopes: t.scopes})
		w.must(err)
		list = append(list, identity{name: t.owner + "'s token for " + access.ScopeWords(t.scopes), may: t.scopes, drafter: t.owner == "ann", token: plain})
	}
	return append(list, identity{name: "nobody"}, identity{name: "a wrong token", token: "plb_nothing"})
}

// attempt asks for an act on a plan through a page or the API.
func (w *fixWorld) attempt(handler http.Handler, who *identity, channel, act string, p *reconciler.Plan) (answer string) {
	path, body, kind := "/fixes/"+p.ID+"/"+act, url.Values{"hash": {p.Hash}}.Encode(), "application/x-www-form-urlencoded"
	if channel == "API" {
		path, body, kind = "/api/v1"+path, `{"hash":"`+p.Hash+`"}`, "application/json"
	}
	request := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8080"+path, strings.NewReader(body))
	request.RemoteAddr = "127.0.0.1:1024"
	request.Header.Set("Origin", "http://127.0.0.1:8080")
	request.Header.Set("Content-Type", kind)
	if who.cookie != "" {
		request.AddCookie(&http.Cookie{Name: "__Host-plumbline", Value: who.cookie})
	}
	if who.token != "" {
		request.Header.Set("Authorization", "Bearer "+who.token)
	}
	r := served(handler, request)
	location := r.Header.Get("Location")
	switch {
	case r.StatusCode == http.StatusUnauthorized, r.StatusCode == http.StatusForbidden, strings.HasPrefix(location, "/login"):
		return "denied"
	case r.StatusCode == http.StatusConflict:
		return "refused"
	case r.StatusCode == http.StatusOK, r.StatusCode == http.StatusAccepted, r.StatusCode == http.StatusSeeOther && strings.HasPrefix(location, "/fixes/"+p.ID):
		return "done"
	}
	return fmt.Sprintf("status %d, %s", r.StatusCode, location)
}

// Whoever comes, whichever way, to a plan in whatever state: it is approved by
// people who may and did not draft it, while it waits for that; it is applied by
// people who may act, once it is approved. Nothing else moves it.
func TestPlansAreApprovedAndAppliedByWhoMayAlone(t *testing.T) {
	t.Parallel()
	w := newFixWorld(t, "{mode: propose, approvals: 1}", 60)
	people := w.identities()
	w.options.Actor = nil
	handler := sure(web.New(w.options)).Handler()
	cells, done := 0, 0
	for _, state := range reconciler.PlanStates() {
		p := w.planIn(state)
		w.settled(p, state)
		for _, channel := range []string{"page", "API"} {
			for _, act := range []string{"approve", "apply"} {
				for i := range people {
					who := &people[i]
					want, moves := wanted(who, act, state)
					before := sure(w.ledger.Plan(t.Context(), p.ID))
					got := w.attempt(handler, who, channel, act, p)
					after := sure(w.ledger.Plan(t.Context(), p.ID))
					cells++
					if got != want {
						t.Errorf("%s, by the %s, wants to %s a plan that is %s: %s, want %s", who.name, channel, act, state, got, want)
					}
					moved := after.State != before.State
					if moved != moves || !moved && after.Revision != before.Revision {
						t.Errorf("%s, by the %s, wants to %s a plan that is %s: it went from %s to %s", who.name, channel, act, state, before.State, after.State)
					}
					if moved {
						done++
						p = w.planIn(state)
					}
				}
			}
		}
	}
	t.Logf("%d identities × 2 channels × 2 acts × %d states: %d cells, %d of them done", len(people), len(reconciler.PlanStates()), cells, done)
	if cells < 400 || done < 30 {
		t.Errorf("%d cells, %d done: the matrix is not whole", cells, done)
	}
}

// wanted is what somebody's act on a plan that needs one approval is to come to,
// and whether it changes the plan: of one that was begun, whoever may apply it is
// told what became of it.
func wanted(who *identity, act string, state reconciler.PlanState) (answer string, moves bool) {
	needs := map[string]access.Permission{"approve": access.Approve, "apply": access.Act}[act]
	switch {
	case !who.can(needs):
		return "denied", false
	case act == "approve" && !who.drafter && (state == reconciler.Draft || state == reconciler.Waiting):
		return "done", true
	case act == "apply" && (state == reconciler.Approved || state == reconciler.Applying):
		return "done", true
	case act == "apply" && slices.Contains([]reconciler.PlanState{reconciler.Applied, reconciler.PartlyApplied, reconciler.Stale, reconciler.Failed}, state):
		return "done", false
	}
	return "refused", false
}

// Where no second person is needed, whoever may approve applies a plan at once,
// and nobody else.
func TestPlansWithoutApprovalAreAppliedByApprovers(t *testing.T) {
	t.Parallel()
	w := newFixWorld(t, "{mode: propose, approvals: 0}", 30)
	people := w.identities()
	w.options.Actor = nil
	handler := sure(web.New(w.options)).Handler()
	for _, state := range []reconciler.PlanState{reconciler.Draft, reconciler.Waiting} {
		p := w.planIn(state)
		for _, channel := range []string{"page", "API"} {
			for i := range people {
				who, want := &people[i], "denied"
				if who.can(access.Act) && who.can(access.Approve) {
					want = "done"
				}
				if got := w.attempt(handler, who, channel, "apply", p); got != want {
					t.Errorf("%s, by the %s, wants to apply a plan that is %s: %s, want %s", who.name, channel, state, got, want)
				}
				if after := sure(w.ledger.Plan(t.Context(), p.ID)); (after.State == reconciler.Applied) != (want == "done") {
					t.Errorf("%s, by the %s, wants to apply a plan that is %s: it is %s", who.name, channel, state, after.State)
				} else if want == "done" {
					p = w.planIn(state)
				}
			}
		}
	}
}
