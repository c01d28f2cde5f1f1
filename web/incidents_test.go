package web_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"plumbline/access"
	"plumbline/alerts"
	"plumbline/checks"
	"plumbline/ledger"
	"plumbline/web"
)

// onlyIncident is the one incident that is open.
func (h *history) onlyIncident() *alerts.Incident {
	h.t.Helper()
	list, _, err := h.ledger.Incidents(h.t.Context(), ledger.IncidentFilter{State: "open"})
	h.must(err)
	if len(list) != 1 {
		h.t.Fatalf("%d open incidents, want one", len(list))
	}
	return list[0]
}

// heal reads what is open of an edge again, and finds that both sides agree.
func (h *history) heal(check, replica string) {
	h.t.Helper()
	ctx, facts := h.t.Context(), h.facts(check, replica)
	open, err := h.ledger.OpenKeys(ctx, check, replica, 1000, h.clock.now())
	h.must(err)
	term, err := h.ledger.ClaimEdge(ctx, check, replica, "test")
	h.must(err)
	var verdicts []checks.Verdict
	for i := range open {
		verdicts = append(verdicts, checks.Verdict{Suspect: &open[i], Outcome: checks.Cleared, Cleared: checks.ClearedEqual, Counts: checks.Counts{Equal: 1}})
	}
	h.clock.pass(time.Second)
	h.must(h.ledger.RecordRechecks(ctx, facts, term, "test", "", verdicts, h.clock.now()))
}

// says fails for each text that a page does not hold.
func says(t *testing.T, home, path string, texts ...string) {
	t.Helper()
	status, body := get(t, home+path)
	if status != http.StatusOK {
		t.Errorf("%s answers %d", path, status)
	}
	for _, text := range texts {
		if !strings.Contains(body, text) {
			t.Errorf("%s does not say %q", path, text)
		}
	}
}

// saysNot fails for each text that a page holds.
func saysNot(t *testing.T, home, path string, texts ...string) {
	t.Helper()
	_, body := get(t, home+path)
	for _, text := range texts {
		if strings.Contains(body, text) {
			t.Errorf("%s says %q", path, text)
		}
	}
}

func TestIncidentPageSaysWhatPeopleAreTold(t *testing.T) {
	t.Parallel()
	h, home, ids := drifting(t)
	i := h.onlyIncident()
	path := "/incidents/" + i.ID
	says(t, home, "/incidents", i.ID, "orders-in-search", "shop · high", ">5<")
	says(t, home, path, i.ID, "Drift:", "nobody took on", "mismatch", "status", "/findings?check=orders-in-search&amp;kind=mismatch", "/findings?check=orders-in-search&amp;field=status",
		"shop.orders → search.orders", "opened", `id="fix"`, "Update 5 records in search (status) to what the owner says.", "Plumbline writes nothing here", "Nobody is told",
		`action="`+path+`/ack"`, `action="`+path+`/recheck"`, `action="`+path+`/mute"`, "until it grows")
	says(t, home, "/checks/orders-in-search", "Open incidents", i.ID, `action="/checks/orders-in-search/mute"`)
	says(t, home, "/findings/"+ids[0], `<a href="`+path+`">`+i.ID)
	says(t, home, "/", "Incidents", "0 acknowledged")
	saysNot(t, home, path, ">pending<", ">paid<")

	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for from, to := range map[string]string{"/i/" + i.ID: path, "/i/" + i.ID + "/fix": path + "#fix"} {
		r, err := client.Get(home + from)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusFound || r.Header.Get("Location") != to {
			t.Errorf("%s leads to %s with %d", from, r.Header.Get("Location"), r.StatusCode)
		}
	}
	if status, body := get(t, home+"/incidents/I-999"); status != 404 || !strings.Contains(body, "There is no such incident") {
		t.Errorf("an incident that is not there answers %d", status)
	}
}

// What is done on the page is in the ledger, and what is done elsewhere is on the page.
func TestAcknowledgementIsOneOnPageAndLedger(t *testing.T) {
	t.Parallel()
	h, home, _ := drifting(t)
	i := h.onlyIncident()
	path := "/incidents/" + i.ID
	revision := strconv.FormatInt(i.Revision, 10)
	if status, _, body := form(t, home, path+"/ack", url.Values{"revision": {strconv.FormatInt(i.Revision+7, 10)}}); status != 409 || !strings.Contains(body, "changed meanwhile") {
		t.Errorf("an old revision answers %d", status)
	}
	if status, _, _ := form(t, home, path+"/ack", nil); status != 400 {
		t.Errorf("no revision answers %d", status)
	}
	status, at, body := form(t, home, path+"/ack", url.Values{"revision": {revision}, "note": {"the importer is being mended"}})
	if status != 200 || at != path+"?said=ack" || !strings.Contains(body, "Acknowledged.") {
		t.Errorf("acknowledge: %d at %s", status, at)
	}
	if i = h.onlyIncident(); i.State != alerts.Acknowledged || i.AcknowledgedBy != access.LocalUser {
		t.Errorf("the ledger has it %s by %q", i.State, i.AcknowledgedBy)
	}
	says(t, home, path, "acknowledged by local user", "the importer is being mended")
	saysNot(t, home, path, `action="`+path+`/ack"`)
	h.clock.pass(2 * time.Second) // what every page shows is counted once a second
	says(t, home, "/", "all acknowledged")
	if status, _, _ = form(t, home, path+"/ack", url.Values{"revision": {revision}}); status != 200 || h.onlyIncident().Revision != i.Revision {
		t.Errorf("acknowledging twice answers %d, and leaves revision %d", status, h.onlyIncident().Revision)
	}

	h, home, ids := drifting(t)
	i = h.onlyIncident()
	if _, err := h.ledger.AcknowledgeIncident(t.Context(), i.ID, "ada", "seen in Slack", 0); err != nil {
		t.Fatal(err)
	}
	says(t, home, "/incidents/"+i.ID, "acknowledged by ada", "seen in Slack")
	if status, _, body := form(t, home, "/incidents/"+i.ID+"/ack", url.Values{"revision": {revision}}); status != 409 || !strings.Contains(body, "changed meanwhile") {
		t.Errorf("what somebody else took on answers %d", status)
	}
	says(t, home, "/incidents", "by ada")
	says(t, home, "/findings/"+ids[0], "acknowledged by ada")
}

func TestChecksAreMutedFromTheirPages(t *testing.T) {
	t.Parallel()
	h, home, _ := drifting(t)
	i := h.onlyIncident()
	mute := func() *alerts.Mute {
		mutes, err := h.ledger.Mutes(t.Context())
		h.must(err)
		return mutes["orders-in-search"]
	}
	for _, choice := range []string{"", "-1h", "never", "999999h"} {
		if status, _, body := form(t, home, "/checks/orders-in-search/mute", url.Values{"until": {choice}}); status != 400 && status != 409 || mute() != nil {
			t.Errorf("mute until %q answers %d: %s", choice, status, body)
		}
	}
	status, at, body := form(t, home, "/checks/orders-in-search/mute", url.Values{"until": {"4h"}, "reason": {"planned import"}})
	if status != 200 || at != "/checks/orders-in-search?said=mute" || !strings.Contains(body, "Muted by local user, until 2027-01-09 14:5") || !strings.Contains(body, "planned import") {
		t.Errorf("mute: %d at %s", status, at)
	}
	if m := mute(); m == nil || m.Actor != access.LocalUser || m.Reason != "planned import" || !m.Until.After(h.clock.now()) {
		t.Errorf("the ledger has the mute %+v", m)
	}
	says(t, home, "/incidents/"+i.ID, "Muted by local user", "planned import", `action="/incidents/`+i.ID+`/unmute"`)
	says(t, home, "/", "muted for 4 h")
	says(t, home, "/incidents", "muted")
	if _, at, _ = form(t, home, "/incidents/"+i.ID+"/unmute", nil); at != "/incidents/"+i.ID+"?said=unmute" || mute() != nil {
		t.Errorf("unmute leads to %s and leaves %+v", at, mute())
	}
	if _, _, body = form(t, home, "/incidents/"+i.ID+"/mute", url.Values{"until": {"grows"}}); !strings.Contains(body, "until more than 5 records differ") || mute() == nil || mute().Above != 5 {
		t.Errorf("until it grows leaves %+v", mute())
	}
	if status, _, _ := form(t, home, "/checks/nothing/mute", url.Values{"until": {"4h"}}); status != 404 {
		t.Errorf("a check that is not there answers %d", status)
	}
}

// A check that cannot be made says so, and makes no statement about the data.
func TestIncidentOfABlindCheckSaysThatNothingIsKnown(t *testing.T) {
	t.Parallel()
	h := newHistory(t, shopNow(), &web.Declared{Checks: []web.DeclaredCheck{check("a", "team", "high", side("x", "postgres", "t"), side("y", "postgres", "t"), "f")}})
	for range 3 {
		h.run("a", "y", pass{failure: "connect to y: connection refused"})
	}
	home := h.serve(nil).URL
	i := h.onlyIncident()
	if i.Kind != alerts.Blind {
		t.Fatalf("an incident of kind %q", i.Kind)
	}
	path := "/incidents/" + i.ID
	says(t, home, path, "Cannot check:", "No statement about the data is possible", "/sources", "Nothing can be said about the data before it can be read")
	saysNot(t, home, path, "differ now", "connection refused")
	says(t, home, "/incidents?kind=cannot+check", i.ID, "not known")
	saysNot(t, home, "/incidents?kind=drift", i.ID)
}

// Lists of incidents are whole and in order, by state, kind and team.
func TestIncidentsAreListedPageByPage(t *testing.T) {
	t.Parallel()
	d := &web.Declared{}
	for n := range 61 {
		d.Checks = append(d.Checks, check(fmt.Sprintf("check-%02d", n), []string{"red", "blue"}[n%2], "low", side("x", "postgres", "t"), side("y", "postgres", "t"), "f"))
	}
	h := newHistory(t, shopNow(), d)
	for _, c := range d.Checks {
		h.run(c.Name, "y", pass{equal: 10, differ: []checks.Difference{mismatch(1, "f", "a", "b")}})
	}
	h.heal("check-00", "y")
	home := h.serve(nil).URL
	link, row := regexp.MustCompile(`href="(/incidents\?[^"]*)" rel="next"`), regexp.MustCompile(`<a class="strong nowrap" href="/incidents/(I-[0-9]+)">`)
	walk := func(path string) (ids []string) {
		for path != "" {
			_, body := get(t, home+path)
			open, _, _ := strings.Cut(body, `id="live-late"`)
			rows := row.FindAllStringSubmatch(open, -1)
			if len(rows) > 50 {
				t.Errorf("%s lists %d", path, len(rows))
			}
			for _, m := range rows {
				ids = append(ids, m[1])
			}
			path = ""
			if next := link.FindStringSubmatch(body); next != nil {
				path = strings.ReplaceAll(next[1], "&amp;", "&")
			}
		}
		return ids
	}
	for path, want := range map[string]int{"/incidents": 60, "/incidents?team=blue": 30, "/incidents?state=all&team=red": 31, "/incidents?state=resolved": 1, "/incidents?state=all": 61,
		"/incidents?check=check-07": 1, "/incidents?state=acknowledged": 0, "/incidents?team=none": 0} {
		ids := walk(path)
		known := slices.Clone(ids)
		slices.Sort(known)
		if len(ids) != want || len(slices.Compact(known)) != want {
			t.Errorf("%s lists %d incidents, want %d, each once", path, len(ids), want)
		}
	}
	says(t, home, "/incidents", "Resolved of late", "check-00")
	h.heal("check-01", "y")
	gone, _, err := h.ledger.Incidents(t.Context(), ledger.IncidentFilter{Check: "check-01"})
	h.must(err)
	if status, _, body := form(t, home, "/incidents/"+gone[0].ID+"/ack", url.Values{"revision": {"1"}}); status != 409 || !strings.Contains(body, "no longer possible") {
		t.Errorf("acknowledging what is resolved answers %d", status)
	}
	if status, body := get(t, home+"/incidents?after=nonsense"); status != 400 || !strings.Contains(body, "does not go on from here") {
		t.Errorf("a cut off cursor answers %d", status)
	}
}

// Where people cannot be told, every page says so to those who can mend it.
func TestPagesSayWhereNobodyCanBeTold(t *testing.T) {
	t.Parallel()
	h := newHistory(t, shopNow(), &web.Declared{Checks: []web.DeclaredCheck{check("a", "team", "high", side("x", "postgres", "t"), side("y", "postgres", "t"), "f")}})
	h.targets = func(*web.DeclaredCheck) []alerts.Target {
		return []alerts.Target{{Integration: "slack", Address: "#basket"}}
	}
	h.run("a", "y", pass{equal: 10, differ: []checks.Difference{mismatch(1, "f", "a", "b")}})
	home := h.serve(nil).URL
	i := h.onlyIncident()
	says(t, home, "/incidents/"+i.ID, "Slack #basket", "waits", "not yet")
	d, _, err := h.ledger.ClaimDelivery(t.Context(), []string{"slack"})
	h.must(err)
	if d == nil {
		t.Fatal("nothing is to be sent")
	}
	h.must(h.ledger.SettleDelivery(t.Context(), d, alerts.Receipt{}, &alerts.RefusedError{Why: "channel_not_found", Do: "invite the bot to the channel"}))
	h.clock.pass(6 * time.Second)
	for _, path := range []string{"/", "/sources", "/incidents/" + i.ID} {
		says(t, home, path, "Slack takes no messages to #basket: channel_not_found: invite the bot to the channel.")
	}
	says(t, home, "/incidents/"+i.ID, "not delivered")
	for {
		h.clock.pass(time.Hour)
		if d, _, err = h.ledger.ClaimDelivery(t.Context(), []string{"slack"}); d != nil || err != nil {
			break
		}
	}
	h.must(errors.Join(err, h.ledger.SettleDelivery(t.Context(), d, alerts.Receipt{Ref: alerts.Ref{Channel: "C1", TS: "1.1"}}, nil)))
	h.clock.pass(6 * time.Second)
	saysNot(t, home, "/", "takes no messages")
	says(t, home, "/incidents/"+i.ID, "up to date")
}

// Who may not act sees what is told, and nothing to press; pressing it all the
// same changes nothing.
func TestIncidentsAreReadByThoseWhoMayNotAct(t *testing.T) {
	t.Parallel()
	h, home, _ := drifting(t)
	i := h.onlyIncident()
	path := "/incidents/" + i.ID
	viewer := access.Actor{Account: "1", Name: "vera", Role: access.Viewer, Via: access.ByPage}
	s, err := web.New(web.Options{Ledger: h.ledger, Declared: func() *web.Declared { return h.declared }, Lens: h.lens, Now: h.clock.now, Actor: &viewer})
	h.must(err)
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	for _, page := range []string{"/incidents", path, "/checks/orders-in-search"} {
		says(t, server.URL, page, i.ID)
		for _, act := range []string{"ack", "recheck", "mute", "unmute"} {
			saysNot(t, server.URL, page, `/`+act+`"`)
		}
	}
	for _, act := range []string{path + "/ack", path + "/mute", path + "/unmute", path + "/recheck", "/checks/orders-in-search/mute", "/checks/orders-in-search/unmute"} {
		if status, _, _ := form(t, server.URL, act, url.Values{"revision": {"1"}, "until": {"4h"}}); status != http.StatusForbidden {
			t.Errorf("%s answers %d to a viewer", act, status)
		}
	}
	if now := h.onlyIncident(); now.Revision != i.Revision || now.State != alerts.Open {
		t.Errorf("a viewer left it %s at revision %d", now.State, now.Revision)
	}
	says(t, home, path, `action="`+path+`/ack"`)
}
