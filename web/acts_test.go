package web_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"plumbline/access"
	"plumbline/auditor"
	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/web"
)

// form posts a form as a browser without script does, and follows where it leads.
func form(t *testing.T, home, path string, values url.Values) (status int, at, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, home+path, strings.NewReader(values.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Origin", home)
	r, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, r.Request.URL.RequestURI(), string(text)
}

// drifting is a ledger with five open findings of one check.
func drifting(t *testing.T) (h *history, home string, ids []string) {
	t.Helper()
	h = newHistory(t, shopNow(), &web.Declared{Checks: []web.DeclaredCheck{check("orders-in-search", "shop", "high", side("shop", "postgres", "orders"), side("search", "mongodb", "orders"), "status")}})
	var differ []checks.Difference
	for i := range int64(5) {
		differ = append(differ, mismatch(i, "status", "paid", "pending"))
	}
	h.run("orders-in-search", "search", pass{equal: 100, differ: differ})
	list, _, err := h.ledger.Findings(t.Context(), ledger.FindingFilter{})
	h.must(err)
	for _, f := range list {
		ids = append(ids, f.ID)
	}
	return h, h.serve(nil).URL, ids
}

func (h *history) state(id string) drift.State {
	h.t.Helper()
	f, err := h.ledger.Finding(h.t.Context(), id)
	h.must(err)
	return f.State
}

func TestFormsActWithoutScript(t *testing.T) {
	t.Parallel()
	h, home, ids := drifting(t)
	status, at, body := form(t, home, "/findings/"+ids[0]+"/mute", url.Values{"until": {"24h"}, "revision": {"1"}})
	if status != 200 || at != "/findings/"+ids[0]+"?said=mute" || !strings.Contains(body, "Muted.") || h.state(ids[0]) != drift.Muted {
		t.Errorf("mute: %d at %s, the finding is %s", status, at, h.state(ids[0]))
	}
	if _, _, body = form(t, home, "/findings/"+ids[0]+"/unmute", nil); !strings.Contains(body, "No longer muted.") || h.state(ids[0]) != drift.Confirmed {
		t.Errorf("unmute leaves it %s", h.state(ids[0]))
	}

	// Picking two asks about two, and changes nothing yet.
	_, _, body = form(t, home, "/findings/many", url.Values{"act": {"ack"}, "id": ids[1:3], "check": {"orders-in-search"}})
	if !strings.Contains(body, "Acknowledge 2 findings?") || h.state(ids[1]) != drift.Confirmed {
		t.Errorf("picking two: the finding is %s", h.state(ids[1]))
	}
	if _, at, _ = form(t, home, "/findings/many/do", url.Values{"act": {"ack"}, "id": ids[1:3], "check": {"orders-in-search"}}); at != "/findings?check=orders-in-search&said=ack-many.2" {
		t.Errorf("acknowledging two leads to %s", at)
	}
	if h.state(ids[1]) != drift.Acknowledged || h.state(ids[2]) != drift.Acknowledged || h.state(ids[3]) != drift.Confirmed {
		t.Error("not the two were acknowledged")
	}

	// Picking none asks about all that match, and says how many they are.
	_, _, body = form(t, home, "/findings/many", url.Values{"act": {"mute"}, "state": {"confirmed"}})
	if !strings.Contains(body, "Mute all that match: 3 findings?") {
		t.Error("it does not say how many match")
	}
	form(t, home, "/findings/many/do", url.Values{"act": {"mute"}, "state": {"confirmed"}, "all": {"1"}, "until": {"1h"}})
	if h.state(ids[3]) != drift.Muted || h.state(ids[1]) != drift.Acknowledged {
		t.Error("not what matched was muted")
	}

	_, _, body = form(t, home, "/checks/orders-in-search/baseline", nil)
	if !strings.Contains(body, "Take 5 findings of orders-in-search as known?") {
		t.Error("a baseline does not say of how many it is")
	}
	if f, err := h.ledger.Finding(t.Context(), ids[3]); err != nil || f.Accepted {
		t.Errorf("asking alone took it into the baseline, %v", err)
	}
	form(t, home, "/checks/orders-in-search/baseline", url.Values{"sure": {"1"}})
	if f, err := h.ledger.Finding(t.Context(), ids[3]); err != nil || !f.Accepted {
		t.Errorf("a baseline does not hold what drifts, %v", err)
	}
}

func TestRefusalsSayWhatToDoNext(t *testing.T) {
	t.Parallel()
	_, home, ids := drifting(t)
	for _, c := range []struct {
		path   string
		values url.Values
		status int
		says   string
	}{
		{"/findings/" + ids[0] + "/ack", url.Values{"revision": {"99"}}, 409, "changed meanwhile"},
		{"/findings/" + ids[0] + "/mute", url.Values{"until": {"never"}}, 400, "choose for how long"},
		{"/findings/" + ids[0] + "/mute", url.Values{"until": {"-1h"}}, 400, "choose for how long"},
		{"/findings/" + ids[0] + "/unmute", nil, 409, "no longer possible"},
		{"/findings/" + ids[0] + "/explode", nil, 400, "no act"},
		{"/findings/F-nothing/ack", nil, 404, "there is no finding"},
		{"/findings/" + ids[0] + "/recheck", nil, 503, "plumbline serve"},
		{"/checks/orders-in-search/runs", nil, 503, "plumbline serve"},
		{"/checks/nothing/runs", nil, 404, "no check of this name"},
		{"/checks/nothing/baseline", nil, 404, "no check of this name"},
		{"/runs/1/explode", nil, 404, "cannot do this"},
		{"/findings/many", url.Values{"act": {"explode"}}, 400, "cannot be done to many"},
		{"/sources", nil, 405, "cannot be done here"},
		{"/nowhere", nil, 404, "no such page"},
	} {
		status, _, body := form(t, home, c.path, c.values)
		if status != c.status || !strings.Contains(body, c.says) || !strings.Contains(body, "<nav") || !strings.Contains(body, `class="button"`) {
			t.Errorf("%s %v answers %d, want %d and %q", c.path, c.values, status, c.status, c.says)
		}
	}
}

// A ledger that is gone is told so, on a page with a way on.
func TestPagesSayWhenTheLedgerDoesNotAnswer(t *testing.T) {
	t.Parallel()
	h := newHistory(t, shopNow(), &web.Declared{Checks: []web.DeclaredCheck{check("a", "", "", side("x", "postgres", "t"), side("y", "postgres", "t"), "f")}})
	home := h.serve(nil).URL
	ctx := h.t.Context()
	if _, err := h.ledger.DB().ExecContext(ctx, "ALTER TABLE findings RENAME TO elsewhere"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/findings", "/findings/F-1"} {
		if status, body := get(t, home+path); status != 503 || !strings.Contains(body, "The ledger does not answer") || !strings.Contains(body, "Try again") {
			t.Errorf("%s answers %d", path, status)
		}
	}
	if status, _ := get(t, home+"/sources"); status != 200 {
		t.Errorf("the page of sources, which needs no finding, answers %d", status)
	}
}

// unreadable is an auditor that cannot read a record, for a reason in a store's words.
type unreadable struct{ web.Auditor }

func (unreadable) Recheck(context.Context, string, string) (*drift.Finding, error) {
	return nil, &auditor.NotPossible{Why: `the record could not be read: invalid date "canary 1970"`}
}

// Why a record cannot be read are the store's words, on pages as in the API.
func TestWhyARecordCannotBeReadIsForThoseWhoSeeValues(t *testing.T) {
	t.Parallel()
	h, _, ids := drifting(t)
	for _, who := range []*access.Actor{actor("otto", access.Operator), actor("otto: ci", access.Operator, access.View, access.Act)} {
		s, err := web.New(web.Options{Ledger: h.ledger, Auditor: unreadable{}, Actor: who, Declared: func() *web.Declared { return h.declared }, Lens: h.lens, Now: h.clock.now})
		h.must(err)
		for _, path := range []string{"/findings/" + ids[0] + "/recheck", "/api/v1/findings/" + ids[0] + "/recheck"} {
			r := mustPost(t, path, nil)
			if strings.HasPrefix(path, "/api/") {
				r.Header.Set("Content-Type", "application/json")
			}
			answer := served(s.Handler(), r)
			if text := string(sure(io.ReadAll(answer.Body))); answer.StatusCode != http.StatusConflict || strings.Contains(text, "canary") != who.May(access.Values) {
				t.Errorf("%s (%v) at %s: %d %s", who.Name, who.Scopes, path, answer.StatusCode, text)
			}
		}
	}
}
