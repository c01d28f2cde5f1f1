package web_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"plumbline/access"
	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/sources"
	"plumbline/web"
)

// actor is who asks the handler, as its options may have it.
func actor(name string, role access.Role, scopes ...access.Permission) *access.Actor {
	return &access.Actor{Name: name, Account: name, Role: role, Scopes: scopes, Via: access.ByPage}
}

// canaries are values of records, each in a place of its own: keys, ids, fields,
// reasons, notes and the errors of stores.
type canaries struct{ n int }

func (c *canaries) next() string {
	c.n++
	return fmt.Sprintf("Canary%03dAda", c.n)
}

func canaryHistory(t *testing.T) (h *history, c *canaries) {
	t.Helper()
	c = &canaries{}
	now := time.Date(2027, 1, 9, 10, 58, 3, 0, time.UTC)
	owner, replica := side("crm", "postgres", "customers"), side("billing", "mongodb", "customers")
	replica.Dataset.ID = []string{"_id"}
	declared := check("customers", "finance", "high", owner, replica, "email", "name")
	declared.Edges[0].Rules[1].Mask = checks.MaskPartial
	d := &web.Declared{Checks: []web.DeclaredCheck{declared}, Sources: []web.DeclaredSource{{Name: "crm", Kind: "postgres"}, {Name: "billing", Kind: "mongodb"}}}
	h = newHistory(t, now.Add(-2*time.Hour), d)
	var differ []checks.Difference
	kinds := []checks.DifferenceKind{checks.Mismatch, checks.Missing, checks.Extra, checks.Duplicate, checks.Unreadable}
	for i := range 25 {
		one := checks.Difference{Kind: kinds[i%5], Key: sources.Key{sources.Text(c.next())}, ID: sources.Key{sources.Text(c.next())}, Reason: c.next()}
		if one.Kind == checks.Mismatch {
			one.Fields = []checks.FieldDifference{{Owner: "email", Replica: "email", OwnerValue: sources.Text(c.next()), ReplicaValue: sources.Text(c.next()), Rule: "exact", Note: c.next()},
				{Owner: "name", Replica: "name", OwnerValue: sources.Text(c.next()), ReplicaValue: sources.Text(c.next()), Rule: "exact", Mask: checks.MaskPartial}}
		}
		differ = append(differ, one)
	}
	h.run("customers", "billing", pass{equal: 100, differ: differ, segments: 2, reasons: map[string]int64{"cannot read " + c.next(): 2, c.next(): 1}, waits: map[string]int64{"crm: " + c.next(): 1500}})
	h.run("customers", "billing", pass{equal: 100, differ: differ, segments: 2, failed: "syntax error near " + c.next()})
	h.run("customers", "billing", pass{failure: "connect to crm: no such host " + c.next()})
	h.sources = map[string]web.SourceState{"crm": {State: web.SourceDown, Since: now.Add(-time.Hour), ProbedAt: now, Why: "refused " + c.next(), Waited: map[string]time.Duration{c.next(): time.Second}, Today: map[string]time.Duration{c.next(): time.Second}},
		"billing": {State: web.SourceUp, ProbedAt: now, Facts: sources.Facts{Product: "MongoDB", Notes: []string{c.next()}}}}
	h.clock.set(now)
	return h, c
}

// as is a server for somebody: every request is theirs.
func (h *history) as(a *access.Actor) http.Handler {
	h.t.Helper()
	s, err := web.New(web.Options{Ledger: h.ledger, Actor: a, Declared: func() *web.Declared { return h.declared }, Sources: func() map[string]web.SourceState { return h.sources },
		Metrics: web.NewMetrics("test"), Lens: h.lens, Version: "test", Now: h.clock.now})
	h.must(err)
	return s.Handler()
}

// everywhere are the addresses at which anything is told of records.
func (h *history) everywhere() []string {
	h.t.Helper()
	paths := []string{"/", "/checks/customers", "/findings?state=all", "/findings?state=open&kind=mismatch&field=email", "/runs", "/sources", "/metrics", "/readyz", "/incidents",
		"/api/v1/checks", "/api/v1/checks/customers", "/api/v1/findings?limit=500", "/api/v1/findings?field=email", "/api/v1/runs", "/api/v1/sources", "/api/v1/summary", "/api/v1/incidents", "/api/openapi.json", "/nowhere"}
	list, _, err := h.ledger.Findings(h.t.Context(), ledger.FindingFilter{Limit: 500})
	h.must(err)
	for _, f := range list {
		paths = append(paths, "/findings/"+f.ID, "/findings/"+f.ID+"?visible=1", "/api/v1/findings/"+f.ID, "/findings?q="+f.ID)
	}
	runs, _, err := h.ledger.Runs(h.t.Context(), ledger.RunFilter{})
	h.must(err)
	for _, r := range runs {
		paths = append(paths, "/runs/"+r.ID, "/api/v1/runs/"+r.ID)
	}
	return paths
}

func tells(t *testing.T, handler http.Handler, path string) string {
	t.Helper()
	answer := handOver(handler, http.MethodGet, path, "")
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Who may not see values sees none, wherever a page or the API tells of records;
// who may sees them there.
func TestValuesAreForThoseWhoMaySeeThem(t *testing.T) {
	t.Parallel()
	h, c := canaryHistory(t)
	paths := h.everywhere()
	for _, blind := range []*access.Actor{actor("vera", access.Viewer), actor("vera: ci", access.Admin, access.View, access.Act, access.Audit, access.Scrape)} {
		handler := h.as(blind)
		for _, path := range paths {
			if text := tells(t, handler, path); strings.Contains(text, "Canary") {
				t.Errorf("%s is told %.300s at %s", blind.Name, text[strings.Index(text, "Canary"):], path)
			}
		}
	}
	seeing, met := h.as(actor("otto", access.Operator)), map[string]bool{}
	for _, path := range paths {
		for _, word := range strings.FieldsFunc(tells(t, seeing, path), func(r rune) bool { return r < '0' || r > 'z' }) {
			if i := strings.Index(word, "Canary"); i >= 0 && len(word) >= i+12 {
				met[word[i:i+12]] = true
			}
		}
	}
	masked := 10 // of the five findings with a field under a mask
	t.Logf("%d values were planted; who may sees %d of them on %d addresses, who may not sees none", c.n, len(met), len(paths))
	if len(met) < c.n-masked-10 {
		t.Errorf("who may sees only %d of %d values: the test looks at too little", len(met), c.n)
	}
}

// Nothing that can be asked for tells whether a record holds a value.
func TestValuesCannotBeGuessed(t *testing.T) {
	t.Parallel()
	h, _ := canaryHistory(t)
	list, _, err := h.ledger.Findings(t.Context(), ledger.FindingFilter{Kind: "mismatch"})
	h.must(err)
	f := list[0]
	viewer := h.as(actor("vera", access.Viewer))
	count := func(query string) int {
		var body struct{ Items []json.RawMessage }
		h.must(json.Unmarshal([]byte(tells(t, viewer, "/api/v1/findings?"+query)), &body))
		return len(body.Items)
	}
	key := f.Key[0].AsText()
	for _, guess := range []string{key, key[:7], strings.ToLower(key), "canary"} {
		if n := count("q=" + guess); n != 0 {
			t.Errorf("searching %q finds %d", guess, n)
		}
	}
	if n := count("q=" + strings.ToLower(f.ID)); n != 1 {
		t.Errorf("searching the id finds %d", n)
	}
	if n := count("q=" + f.ID + "&kind=missing"); n != 0 {
		t.Errorf("searching the id of another kind finds %d", n)
	}
	if text := tells(t, viewer, "/api/v1/findings?limit=500"); strings.Contains(text, checks.FindingID(f.Check, f.Replica, f.Key, f.CopyID)) {
		t.Error("keys can be tried out on the ids of findings, which everybody sees")
	}
	pattern := url.QueryEscape(f.Pattern)
	for _, path := range []string{"/api/v1/findings?pattern=" + pattern, "/findings?pattern=" + pattern, "/api/v1/findings?pattern=x"} {
		if answer := handOver(viewer, http.MethodGet, path, ""); answer.StatusCode != http.StatusForbidden {
			t.Errorf("%s: status %d", path, answer.StatusCode)
		}
	}
	acting := h.as(actor("vera: ci", access.Operator, access.View, access.Act))
	for _, filter := range []url.Values{{"q": {key}}, {"pattern": {f.Pattern}}} {
		filter.Set("act", "ack")
		filter.Set("all", "1")
		request := mustPost(t, "/findings/many/do", filter)
		if answer := served(acting, request); answer.StatusCode != http.StatusForbidden {
			t.Errorf("acting on all that hold %v: status %d", filter, answer.StatusCode)
		}
		counted := served(acting, mustPost(t, "/findings/many", filter))
		if text := string(sure(io.ReadAll(counted.Body))); counted.StatusCode != http.StatusForbidden && !strings.Contains(text, "match: 0 findings") {
			t.Errorf("counting all that hold %v: status %d", filter, counted.StatusCode)
		}
	}
	if after, err := h.ledger.Finding(t.Context(), f.ID); err != nil || after.State != drift.Confirmed {
		t.Errorf("a guess changed %s to %s, %v", f.ID, after.State, err)
	}
}

func mustPost(t *testing.T, path string, form url.Values) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost"+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.RemoteAddr = "127.0.0.1:1024"
	r.Header.Set("Origin", "http://localhost")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// What is under a mask is shown to who may reveal it and says why, once; it is
// written down, without the values.
func TestRevealIsShownOnceAndWrittenDown(t *testing.T) {
	t.Parallel()
	w := newAPIWorld(t, shopSQL, checksOfShop)
	w.finished("secrets")
	found := fetched[findingList](w, "/api/v1/findings?check=secrets").Items
	if len(found) != 1 {
		t.Fatalf("findings: %+v", found)
	}
	path := "/api/v1/findings/" + found[0].Finding + "/reveal"
	with := func(a *access.Actor) http.Handler {
		o := w.options
		o.Actor = a
		return sure(web.New(o)).Handler()
	}
	operator := with(actor("otto", access.Operator))
	for _, row := range []struct {
		name    string
		handler http.Handler
		body    string
		want    int
	}{
		{"a viewer", with(actor("vera", access.Viewer)), `{"reason": "ticket 4411"}`, 403},
		{"a token of every scope", with(&access.Actor{Name: "ci", Role: access.Admin, Scopes: access.Scopes(), Token: "T-1", Via: access.ByAPI}), `{"reason": "ticket 4411"}`, 403},
		{"no reason", operator, `{"reason": "   x  "}`, 422},
		{"an operator", operator, `{"reason": "ticket 4411"}`, 200},
	} {
		answer := handOver(row.handler, http.MethodPost, path, row.body)
		text := string(sure(io.ReadAll(answer.Body)))
		if answer.StatusCode != row.want || strings.Contains(text, "canary") != (row.want == 200) {
			t.Errorf("%s: %d %s", row.name, answer.StatusCode, text)
		}
		if row.want == 200 && (!strings.Contains(text, "canary-1111") || !strings.Contains(text, "canary-3333") || !strings.Contains(text, "canary-one@example.com") || answer.Header.Get("Cache-Control") != "no-store") {
			t.Errorf("revealed: %s", text)
		}
	}
	if answer := handOver(operator, http.MethodPost, path, `{"reason": "ticket 4411"}`, "Idempotency-Key", "one"); answer.StatusCode != http.StatusBadRequest {
		t.Errorf("with a key by which the answer would be kept: %d", answer.StatusCode)
	}
	page := served(operator, mustPost(t, "/findings/"+found[0].Finding+"/reveal", url.Values{"reason": {"ticket 4412"}}))
	if text := string(sure(io.ReadAll(page.Body))); page.StatusCode != 200 || !strings.Contains(text, "canary-1111") {
		t.Errorf("the page: %d", page.StatusCode)
	}
	if text := string(sure(io.ReadAll(handOver(operator, http.MethodGet, "/findings/"+found[0].Finding, "").Body))); strings.Contains(text, "canary") || !strings.Contains(text, "Reveal what is masked") {
		t.Error("the finding's page shows what was revealed, or does not offer it")
	}
	entries, _, err := w.ledger.AuditEntries(t.Context(), ledger.AuditFilter{Action: "reveal"})
	if err != nil || len(entries) != 6 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	outcomes := map[access.Outcome]int{}
	for _, e := range entries {
		outcomes[e.Outcome]++
		if strings.Contains(e.Object+e.Detail, "canary") || e.Outcome == access.Done && (!strings.Contains(e.Detail, "pin") || !strings.Contains(e.Detail, "ticket 441")) {
			t.Errorf("entry %+v", e)
		}
	}
	if outcomes[access.Done] != 2 || outcomes[access.Denied] != 2 || outcomes[access.Failed] != 2 {
		t.Errorf("outcomes %v", outcomes)
	}
}

// An answer that is kept for whoever asks again is for them alone.
func TestKeptAnswersAreForWhoeverAsked(t *testing.T) {
	t.Parallel()
	h, _ := canaryHistory(t)
	list, _, err := h.ledger.Findings(t.Context(), ledger.FindingFilter{Kind: "mismatch"})
	h.must(err)
	path := "/api/v1/findings/" + list[0].ID + "/mute"
	said := map[string]bool{}
	for _, a := range []*access.Actor{actor("otto", access.Operator), actor("otto", access.Operator), actor("anna", access.Operator), actor("otto", access.Operator, access.View, access.Act)} {
		answer := handOver(h.as(a), http.MethodPost, path, `{"for_seconds": 60}`, "Idempotency-Key", "one")
		text := string(sure(io.ReadAll(answer.Body)))
		replayed := answer.Header.Get("Idempotency-Replayed") == "true"
		if first := a.Name + access.ScopeWords(a.Scopes); replayed != said[first] {
			t.Errorf("%s is given the answer of another: %v", first, replayed)
		} else {
			said[first] = true
		}
		if strings.Contains(text, "Canary") != a.May(access.Values) {
			t.Errorf("%s (%v) is told %s", a.Name, a.Scopes, text)
		}
	}
	entries, _, err := h.ledger.AuditEntries(t.Context(), ledger.AuditFilter{Action: "mute"})
	if err != nil || len(entries) != 3 {
		t.Errorf("%d entries for three acts and a replay, %v", len(entries), err)
	}
	kept := 0
	h.must(h.ledger.DB().QueryRowContext(t.Context(), `SELECT COUNT(*) FROM answers WHERE instr(CAST(body AS TEXT), 'Canary') > 0`).Scan(&kept))
	if kept > 0 {
		t.Errorf("%d kept answers can be read by whoever reads the ledger's file", kept)
	}
}
