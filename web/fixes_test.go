package web_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"plumbline/access"
	"plumbline/ledger"
	"plumbline/reconciler"
	"plumbline/web"
)

// Every state can be reached, and a page tells of it.
func TestPagesTellOfPlansInEveryState(t *testing.T) {
	t.Parallel()
	w := newFixWorld(t, "{mode: propose, approvals: 1}", 20)
	for _, state := range reconciler.PlanStates() {
		p := w.planIn(state)
		w.settled(p, state)
		for _, path := range []string{"/fixes/" + p.ID, "/fixes", "/fixes?state=" + url.QueryEscape(string(state)), "/fixes/" + p.ID + "/plan.json", "/api/v1/fixes/" + p.ID} {
			status, _, text := w.page(http.MethodGet, path, nil)
			if status != http.StatusOK || !strings.Contains(text, p.ID) || !strings.Contains(text, string(state)) {
				t.Errorf("%s of a plan that is %s: status %d, named %v", path, state, status, strings.Contains(text, p.ID))
			}
		}
		if state == reconciler.Draft {
			_, _, text := w.page(http.MethodGet, "/fixes/"+p.ID, nil)
			for _, want := range []string{"wrong-", "name-", "UPDATE", "✔ passes", p.Hash, "Ask for approval", "Rehearse", "Reject", "needs"} {
				if !strings.Contains(text, want) {
					t.Errorf("the page of a draft does not say %q", want)
				}
			}
		}
	}
	if list, _, err := w.ledger.Plans(t.Context(), ledger.PlanFilter{State: "live"}); err != nil || len(list) != 4 {
		t.Errorf("%d live plans, %v", len(list), err)
	}
	if text := tells(t, w.as(person("otto", access.Operator)), "/"); !strings.Contains(text, `<a href="/fixes">Fixes <span class="count">4</span></a>`) {
		t.Error("the bar does not count the live plans")
	}
}

// From a finding to a healed record and back, by the forms of the pages alone.
func TestPlansAreMadeAndTakenBackOnPages(t *testing.T) {
	t.Parallel()
	w := newFixWorld(t, "{mode: propose, approvals: 1}", 3)
	finding := w.take()
	ann, zoe := w.as(person("ann", access.Operator)), w.as(person("zoe", access.Approver))
	post := func(handler http.Handler, path string, values url.Values) (to string) {
		t.Helper()
		answer := sent(handler, http.MethodPost, path, values)
		if answer.StatusCode != http.StatusSeeOther {
			t.Fatalf("POST %s: status %d", path, answer.StatusCode)
		}
		to, _, _ = strings.Cut(answer.Header.Get("Location"), "?")
		return to
	}
	says := func(handler http.Handler, path string, wants ...string) {
		t.Helper()
		text := tells(t, handler, path)
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not say %q", path, want)
			}
		}
	}
	says(ann, "/findings/"+finding, "Plan a fix", `name="id" value="`+finding+`"`)
	says(ann, "/checks/names", "Plan a fix of all 3")
	plan := post(ann, "/fixes", url.Values{"id": {finding}})
	says(ann, "/findings/"+finding, plan)
	p := sure(w.ledger.Plan(t.Context(), strings.TrimPrefix(plan, "/fixes/")))
	hash := url.Values{"hash": {p.Hash}}
	post(ann, plan+"/ask", hash)
	says(ann, plan+"?confirm=approve", "Somebody", "waiting for approval", "must approve it")
	if strings.Contains(tells(t, ann, plan), "Approve 1 update") {
		t.Error("who drafted the plan is asked to approve it")
	}
	says(zoe, plan, "Approve 1 update…")
	says(zoe, plan+"?confirm=approve", "Yes, approve 1 update")
	post(zoe, plan+"/approve", hash)
	says(ann, plan+"?confirm=apply", "Yes, apply 1 update", "approved by zoe")
	if was := w.name(finding); !strings.HasPrefix(was, "wrong-") {
		t.Errorf("the record holds %s before anything was applied", was)
	}
	post(ann, plan+"/apply", hash)
	if is := w.name(finding); !strings.HasPrefix(is, "name-") {
		t.Errorf("the record holds %s after the plan was applied", is)
	}
	says(ann, plan, "applied", "verified", "Undo 1 record")
	undo := post(ann, plan+"/undo", nil)
	says(ann, undo, "takes back", "Back to")
	p = sure(w.ledger.Plan(t.Context(), strings.TrimPrefix(undo, "/fixes/")))
	hash = url.Values{"hash": {p.Hash}}
	post(zoe, undo+"/approve", hash)
	post(ann, undo+"/apply", hash)
	if is := w.name(finding); !strings.HasPrefix(is, "wrong-") {
		t.Errorf("the record holds %s after the plan was taken back", is)
	}
	says(ann, plan, "undone", "taken back by")
	told := map[string]bool{}
	entries, _, err := w.ledger.AuditEntries(t.Context(), ledger.AuditFilter{Limit: 500})
	w.must(err)
	for i := range entries {
		told[entries[i].Action+" "+entries[i].Actor] = true
	}
	for _, want := range []string{"draft fix ann", "ask approval ann", "approve fix zoe", "apply fix ann", "undo fix ann"} {
		if !told[want] {
			t.Errorf("the audit log does not tell %q: %v", want, told)
		}
	}
}

// The API says and does what the pages do, and a key is done once.
func TestPlansAreMadeThroughTheAPI(t *testing.T) {
	t.Parallel()
	w := newFixWorld(t, "{mode: propose, approvals: 0}", 5)
	tried := posted[web.FixDraftBody](w.apiWorld, "/api/v1/fixes", `{"check":"names","dry_run":true}`)
	if !tried.DryRun || tried.Plan != "" || len(tried.PlanItems) != 5 || tried.Kinds.Updates != 5 || tried.PlanItems[0].Fields[0].Name != "name" {
		t.Errorf("the dry run says %+v", tried)
	}
	if list := fetched[web.FixListBody](w.apiWorld, "/api/v1/fixes"); len(list.Items) != 0 {
		t.Errorf("a dry run kept %+v", list.Items)
	}
	draft := func() *http.Response {
		return w.ask(http.StatusCreated, http.MethodPost, "/api/v1/fixes", `{"check":"names"}`, "Idempotency-Key", "once")
	}
	answer := draft()
	p := decoded[web.FixDraftBody](w.apiWorld, answer)
	if answer.Header.Get("Location") != "/api/v1/fixes/"+p.Plan || p.State != "draft" || p.Items != 5 || len(p.Hash) != 64 {
		t.Fatalf("a draft: %+v at %s", p, answer.Header.Get("Location"))
	}
	if again := decoded[web.FixDraftBody](w.apiWorld, draft()); again.Plan != p.Plan {
		t.Errorf("the same key drafted %s, then %s", p.Plan, again.Plan)
	}
	items := fetched[web.FixItemListBody](w.apiWorld, "/api/v1/fixes/"+p.Plan+"/items?limit=2")
	rest := fetched[web.FixItemListBody](w.apiWorld, "/api/v1/fixes/"+p.Plan+"/items?limit=10&after="+items.Next)
	if len(items.Items) != 2 || len(rest.Items) != 3 || rest.Next != "" || rest.Items[0].N != 3 || items.Items[0].Statement == "" {
		t.Errorf("the items: %d and %d, %+v", len(items.Items), len(rest.Items), rest)
	}
	rehearsed := posted[web.FixRehearsalBody](w.apiWorld, "/api/v1/fixes/"+p.Plan+"/rehearse", "")
	if rehearsed.Would.Pending != 5 {
		t.Errorf("rehearsed: %+v", rehearsed.Would)
	}
	path := "/api/v1/fixes/" + p.Plan
	w.ask(http.StatusUnprocessableEntity, http.MethodPost, path+"/apply", `{"hash":"short"}`)
	other := strings.Repeat("0", 64)
	refused := decoded[web.Problem](w.apiWorld, w.ask(http.StatusConflict, http.MethodPost, path+"/apply", `{"hash":"`+other+`"}`))
	if refused.NextStep == "" || !strings.Contains(refused.Detail, "hash") {
		t.Errorf("another hash: %+v", refused)
	}
	frozen := posted[web.FreezesBody](w.apiWorld, "/api/v1/freeze", `{"freeze":true,"reason":"migration"}`)
	if len(frozen.Frozen) != 1 || !frozen.Changed {
		t.Errorf("frozen: %+v", frozen)
	}
	if _, _, text := w.page(http.MethodGet, "/runs", nil); !strings.Contains(text, "All fixes are frozen") || !strings.Contains(text, "migration") {
		t.Error("a page does not say that fixes are frozen")
	}
	w.ask(http.StatusConflict, http.MethodPost, path+"/apply", `{"hash":"`+p.Hash+`"}`)
	posted[web.FreezesBody](w.apiWorld, "/api/v1/freeze", `{"freeze":false}`)
	applied := decoded[web.FixBody](w.apiWorld, w.ask(http.StatusAccepted, http.MethodPost, path+"/apply", `{"hash":"`+p.Hash+`"}`))
	if applied.State != "applied" || applied.Counts.Verified != 5 {
		t.Errorf("applied: %+v", applied)
	}
	w.ask(http.StatusNotFound, http.MethodGet, "/api/v1/fixes/P-999", "")
	w.ask(http.StatusUnprocessableEntity, http.MethodGet, "/api/v1/fixes/"+p.Plan+"/items?after=x", "")
	w.ask(http.StatusUnprocessableEntity, http.MethodGet, "/api/v1/fixes?state=done", "")
}

// Where fixes are off, pages say so and how they are switched on; nothing is drafted.
func TestPagesSayThatFixesAreOff(t *testing.T) {
	t.Parallel()
	w := newFixWorld(t, "{mode: 'off'}", 2)
	told, _, err := w.ledger.Incidents(t.Context(), ledger.IncidentFilter{})
	w.must(err)
	for _, path := range []string{"/checks/names", "/findings/" + w.findings[0], "/incidents/" + told[0].ID} {
		_, _, text := w.page(http.MethodGet, path, nil)
		if !strings.Contains(text, "set fix.mode to propose") || strings.Contains(text, `action="/fixes"`) {
			t.Errorf("%s does not say how fixes are switched on, or offers one", path)
		}
	}
	status, _, text := w.page(http.MethodPost, "/fixes", url.Values{"id": {w.findings[0]}})
	if status != http.StatusConflict || !strings.Contains(text, "fix.mode") {
		t.Errorf("a plan is drafted though fixes are off: %d", status)
	}
}

// Who may not see values sees none of a plan's, wherever it is told of.
func TestPlansShowNoValuesToThoseWhoMayNotSeeThem(t *testing.T) {
	t.Parallel()
	w := newFixWorld(t, "{mode: propose, approvals: 1}", 8)
	pattern := sure(w.ledger.Finding(t.Context(), w.findings[0])).Pattern
	if _, err := w.desk.DraftFix(w.by("ann", access.Operator), fixRequestOf(pattern)); err != nil {
		t.Fatal(err)
	}
	for _, state := range []reconciler.PlanState{reconciler.Draft, reconciler.Stale, reconciler.Failed} {
		w.planIn(state)
	}
	list, _, err := w.ledger.Plans(t.Context(), ledger.PlanFilter{})
	w.must(err)
	blind, seeing, met := w.as(person("vera", access.Viewer)), w.as(person("otto", access.Operator)), 0
	paths := []string{"/fixes", "/api/v1/fixes"}
	for _, p := range list {
		paths = append(paths, "/fixes/"+p.ID, "/fixes/"+p.ID+"?visible=1", "/fixes/"+p.ID+"/plan.json", "/api/v1/fixes/"+p.ID, "/api/v1/fixes/"+p.ID+"/items")
	}
	for _, path := range paths {
		for _, value := range []string{"wrong-", "name-", "elsewhere", "never", "kept"} {
			if strings.Contains(tells(t, blind, path), value) {
				t.Errorf("%s tells vera of %s", path, value)
			}
			if strings.Contains(tells(t, seeing, path), value) {
				met++
			}
		}
	}
	if met == 0 {
		t.Error("otto sees no value either: the test proves nothing")
	}
	token := &access.Actor{Name: "ci", Account: "A-ci", Role: access.Admin, Scopes: []access.Permission{access.View, access.Act}, Via: access.ByAPI}
	body := sure(json.Marshal(map[string]any{"check": "names", "pattern": pattern, "dry_run": true}))
	if answer := handOver(w.as(token), http.MethodPost, "/api/v1/fixes", string(body)); answer.StatusCode != http.StatusForbidden {
		t.Errorf("a token without values chooses by a pattern: %d", answer.StatusCode)
	}
}
