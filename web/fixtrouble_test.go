package web_test

import (
	"net/http"
	"strings"
	"testing"

	"plumbline/access"
	"plumbline/reconciler"
	"plumbline/web"
)

// What took a plan back is not taken back itself, so its page offers no undo.
func TestThePageOfAnUndoOffersNoUndo(t *testing.T) {
	t.Parallel()
	w := newFixWorld(t, "{mode: propose, approvals: 1}", 1)
	ann := w.as(w.ann)
	p := w.planIn(reconciler.Applied)
	if text := tells(t, ann, "/fixes/"+p.ID); !strings.Contains(text, "Undo 1 record") {
		t.Error("an applied plan offers no undo")
	}
	undo := sure(w.desk.UndoFix(w.by("ann", access.Operator), p.ID))
	undo = sure(w.desk.ApproveFix(w.by("zoe", access.Admin), undo.ID, undo.Hash))
	w.settled(sure(w.desk.ApplyFix(w.by("ann", access.Operator), undo.ID, undo.Hash)), reconciler.Applied)
	if text := tells(t, ann, "/fixes/"+undo.ID); strings.Contains(text, "/undo") {
		t.Error("a plan that took another back offers to be taken back, which is refused")
	}
}

// Without accounts nobody else can approve: the page names the way out, a command
// that there is.
func TestThePageOfAPlanNamesTheWayToASecondPerson(t *testing.T) {
	t.Parallel()
	w := newFixWorld(t, "{mode: propose, approvals: 1}", 1)
	p := w.planIn(reconciler.Draft)
	local := access.Local(access.ByPage, "127.0.0.1")
	if text := tells(t, w.as(&local), "/fixes/"+p.ID); !strings.Contains(text, "plumbline user add") {
		t.Error("it does not say how accounts are made")
	}
}

// A store that does not answer is no fault of ours: whoever drafts a plan is told
// so, and in the store's words only who may see values.
func TestAStoreThatDoesNotAnswerIsToldToWhoeverDraftsAPlan(t *testing.T) {
	t.Parallel()
	w := newFixWorld(t, "{mode: propose, approvals: 1}", 2)
	applied, drafted := w.planIn(reconciler.Applied), w.planIn(reconciler.Draft)
	w.exec("ALTER TABLE items RENAME TO things")
	token := &access.Actor{Name: "ci", Account: "A-ci", Role: access.Admin, Scopes: []access.Permission{access.View, access.Act, access.Approve}, Via: access.ByAPI}
	for _, path := range []string{"/api/v1/fixes", "/api/v1/fixes/" + applied.ID + "/undo", "/api/v1/fixes/" + drafted.ID + "/rehearse"} {
		body := ""
		if path == "/api/v1/fixes" {
			body = `{"check":"names"}`
		}
		p := decoded[web.Problem](w.apiWorld, w.ask(http.StatusBadGateway, http.MethodPost, path, body))
		if !strings.Contains(p.Detail, "items") || !strings.Contains(p.NextStep, "/sources") {
			t.Errorf("%s: %+v", path, p)
		}
		answer := handOver(w.as(token), http.MethodPost, path, body)
		if p := decoded[web.Problem](w.apiWorld, answer); answer.StatusCode != http.StatusBadGateway || strings.Contains(p.Detail, "items") {
			t.Errorf("%s, by who may see no values: %d %+v", path, answer.StatusCode, p)
		}
	}
}

// A secret that stands in the address of a request is not shown with its plan.
func TestStatementsShowNoSecrets(t *testing.T) {
	t.Parallel()
	w := newFixWorld(t, "{mode: propose, approvals: 1}", 1)
	p := w.planIn(reconciler.Draft)
	w.options.Lens.Scrub = func(text string) string { return strings.ReplaceAll(text, "UPDATE", "***") }
	shown := w.as(w.ann)
	for _, path := range []string{"/fixes/" + p.ID, "/fixes/" + p.ID + "/plan.json", "/api/v1/fixes/" + p.ID + "/items"} {
		if text := tells(t, shown, path); strings.Contains(text, "UPDATE") || !strings.Contains(text, "*** ") {
			t.Errorf("%s shows a secret:\n%s", path, text)
		}
	}
}

// Whoever lets fixes go on learns that what was being applied does so at once.
func TestLiftingAFreezeSaysThatPlansGoOn(t *testing.T) {
	t.Parallel()
	w := newFixWorld(t, "{mode: propose, approvals: 1}", 1)
	if err := w.desk.FreezeFixes(w.by("ann", access.Operator), "", "a look"); err != nil {
		t.Fatal(err)
	}
	answer := sent(w.as(w.zoe), http.MethodPost, "/unfreeze", nil)
	if text := tells(t, w.as(w.zoe), answer.Header.Get("Location")); !strings.Contains(text, "goes on by itself") {
		t.Error("it does not say that plans go on by themselves")
	}
}

// Whoever is refused learns of which plan, by the API as on its page.
func TestARefusalNamesItsPlan(t *testing.T) {
	t.Parallel()
	w := newFixWorld(t, "{mode: propose, approvals: 1}", 1)
	p := w.planIn(reconciler.Draft)
	refused := decoded[web.Problem](w.apiWorld, w.ask(http.StatusConflict, http.MethodPost, "/api/v1/fixes/"+p.ID+"/apply", `{"hash":"`+p.Hash+`"}`))
	if refused.Detail != p.ID+": it is draft: it cannot be applied" || refused.NextStep != "Let somebody approve it first." {
		t.Errorf("the API says %q, %q", refused.Detail, refused.NextStep)
	}
}
