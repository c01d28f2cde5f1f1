package web_test

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"plumbline/access"
	"plumbline/web"
)

// A finding is met, taken on, muted, and resolved by a read that found it equal.
func TestAPIFollowsAFindingThroughItsLife(t *testing.T) {
	t.Parallel()
	w := newAPIWorld(t, shopSQL, checksOfShop)
	run := w.finished("names")
	if run.Result != "drift" || run.Counts.Mismatch != 2 || run.Counts.Missing != 1 || run.Counts.Extra != 1 || run.Coverage != 1 || run.Actor != access.LocalUser {
		t.Fatalf("the run: %+v", run.RunBody)
	}
	open := fetched[findingList](w, "/api/v1/findings?check=names&state=open")
	if len(open.Items) != 4 || open.Next != "" {
		t.Fatalf("open findings: %+v", open)
	}
	big := fetched[findingList](w, "/api/v1/findings?q=9007199254740993").Items
	if len(big) != 1 || big[0].Key[0].Value.Text != "9007199254740993" || big[0].Fields[0].Owner.Text != "fig" || big[0].Fields[0].Replica.Text != "fog" {
		t.Fatalf("the finding of a key beyond a float's reach: %+v", big)
	}
	path := "/api/v1/findings/" + big[0].Finding
	acknowledged := posted[web.FindingDetailBody](w, path+"/ack", `{"note": "on it"}`)
	if acknowledged.State != "acknowledged" || acknowledged.Timeline[1].Note != "on it" || acknowledged.Timeline[1].Actor != access.LocalUser {
		t.Errorf("acknowledged: %+v", acknowledged)
	}
	muted := posted[web.FindingDetailBody](w, path+"/mute", `{"for_seconds": 3600}`)
	if left := time.Until(time.Time(muted.MutedUntil)); muted.State != "muted" || left < 59*time.Minute || left > time.Hour {
		t.Errorf("muted: %+v", muted)
	}
	if unmuted := posted[web.FindingDetailBody](w, path+"/unmute", ""); unmuted.State != "confirmed" || !time.Time(unmuted.MutedUntil).IsZero() {
		t.Errorf("unmuted: %+v", unmuted)
	}
	if again := posted[web.FindingDetailBody](w, path+"/recheck", ""); again.State != "confirmed" || again.Seen < 2 {
		t.Errorf("read again while it differs: %+v", again)
	}
	w.exec("UPDATE items SET name = 'fig' WHERE product = 9007199254740993")
	if healed := posted[web.FindingDetailBody](w, path+"/recheck", ""); healed.State != "resolved" || healed.Resolution != "equal" {
		t.Errorf("read again once it is equal: %+v", healed)
	}
	if all, open := fetched[findingList](w, "/api/v1/findings?state=all"), fetched[findingList](w, "/api/v1/findings?state=open"); len(all.Items) != 4 || len(open.Items) != 3 {
		t.Errorf("%d findings in all states, %d open", len(all.Items), len(open.Items))
	}
	if n := posted[web.ChangedBody](w, "/api/v1/checks/names/baseline", `{"note": "known"}`); n.Changed != 3 {
		t.Errorf("accepted %d findings, want 3", n.Changed)
	}
	if accepted := fetched[findingList](w, "/api/v1/findings?state=acknowledged"); len(accepted.Items) != 3 || !accepted.Items[0].Accepted {
		t.Errorf("the baseline: %+v", accepted)
	}
	summary := fetched[web.SummaryBody](w, "/api/v1/summary")
	if summary.OpenFindings != 3 || summary.Checks != 2 || summary.Drifted != 1 || summary.Unknown != 1 || len(summary.Processes) != 1 {
		t.Errorf("summary: %+v", summary)
	}
	check := fetched[web.CheckDetailBody](w, "/api/v1/checks/names")
	if check.Consistency != "Drifted" || check.OpenFindings != 3 || len(check.Patterns) != 3 || len(check.Rules) != 2 || check.Rules[1].Rule != "within 0.01" {
		t.Errorf("the check: %+v", check)
	}
}

// Lists are whole and in order however small their pages are.
func TestAPIListsPageByPage(t *testing.T) {
	t.Parallel()
	w := newAPIWorld(t, shopSQL, checksOfShop)
	for range 3 {
		w.finished("names")
	}
	whole := fetched[findingList](w, "/api/v1/findings")
	var ids, paged []string
	for _, f := range whole.Items {
		ids = append(ids, f.Finding)
	}
	for after, first := "", true; first || after != ""; first = false {
		page := fetched[findingList](w, "/api/v1/findings?limit=1&after="+url.QueryEscape(after))
		for _, f := range page.Items {
			paged = append(paged, f.Finding)
		}
		after = page.Next
	}
	if len(ids) != 4 || !slices.Equal(ids, paged) {
		t.Errorf("findings: whole %v, page by page %v", ids, paged)
	}
	var numbers []int64
	for after, first := "", true; first || after != ""; first = false {
		page := fetched[runList](w, "/api/v1/runs?check=names&limit=2&after="+url.QueryEscape(after))
		for _, r := range page.Items {
			numbers = append(numbers, r.Number)
		}
		after = page.Next
	}
	if !slices.Equal(numbers, []int64{3, 2, 1}) {
		t.Errorf("runs: %v", numbers)
	}
	checks := fetched[web.ListBody[web.CheckBody]](w, "/api/v1/checks?limit=1")
	rest := fetched[web.ListBody[web.CheckBody]](w, "/api/v1/checks?limit=1&after="+checks.Next)
	if checks.Items[0].Name != "names" || rest.Items[0].Name != "secrets" || rest.Next != "" {
		t.Errorf("checks: %+v then %+v", checks, rest)
	}
	for _, name := range []string{"%232", "2"} {
		if second := fetched[web.RunDetailBody](w, "/api/v1/runs/"+name); second.Number != 2 || len(second.SegmentList) != second.Segments {
			t.Errorf("run %s: %+v", name, second)
		}
	}
}

// Whatever is masked is in no answer, be it a value, a key or a check that is no
// longer configured.
func TestAPIShowsNothingMasked(t *testing.T) {
	t.Parallel()
	w := newAPIWorld(t, shopSQL, checksOfShop)
	w.finished("secrets")
	paths := []string{"/api/v1/findings", "/api/v1/runs", "/api/v1/checks", "/api/v1/checks/secrets", "/api/v1/summary", "/api/v1/sources"}
	found := fetched[findingList](w, "/api/v1/findings").Items
	if len(found) != 1 || !found[0].Key[0].Value.Masked || !strings.HasPrefix(found[0].Fields[0].Owner.Text, "#") {
		t.Fatalf("the finding: %+v", found)
	}
	paths = append(paths, "/api/v1/findings/"+found[0].Finding)
	none := func(when string) {
		for _, path := range paths {
			answer := handOver(w.handler, http.MethodGet, path, "")
			text, err := io.ReadAll(answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "canary") {
				t.Errorf("%s, %s tells what is masked: %s", when, path, text)
			}
		}
	}
	none("while it is configured")
	w.declared = &web.Declared{LoadedAt: time.Now()}
	none("once its check is no longer configured")
}

// Each wrong request is a problem of RFC 9457 that says what to do.
func TestAPIProblems(t *testing.T) {
	t.Parallel()
	w := newAPIWorld(t, shopSQL, checksOfShop)
	w.finished("names")
	finding := fetched[findingList](w, "/api/v1/findings").Items[0].Finding
	run := fetched[runList](w, "/api/v1/runs").Items[0].ID
	for _, row := range []struct {
		name, method, path, body string
		status                   int
		says                     string
	}{
		{"no such route", "GET", "/api/v1/nothing", "", 404, "/api/openapi.json"},
		{"another method", "DELETE", "/api/v1/runs", "", 405, "/api/openapi.json"},
		{"no such check", "GET", "/api/v1/checks/nmes", "", 404, `did you mean "names"`},
		{"a run of no such check", "POST", "/api/v1/checks/other/runs", "", 404, "list them"},
		{"no such finding", "GET", "/api/v1/findings/F-0", "", 404, "/api/v1/findings"},
		{"no such run", "GET", "/api/v1/runs/none", "", 404, "/api/v1/runs"},
		{"no such state", "GET", "/api/v1/findings?state=odd", "", 422, "state"},
		{"a cursor that is none", "GET", "/api/v1/findings?after=garbage", "", 422, "without after"},
		{"a cursor that no store takes", "GET", "/api/v1/findings?after=1.%00%ff", "", 422, "without after"},
		{"a cursor of runs that is none", "GET", "/api/v1/runs?after=garbage", "", 422, "without after"},
		{"no such parameter", "GET", "/api/v1/findings?chekc=names", "", 422, "chekc"},
		{"too long a page", "GET", "/api/v1/runs?limit=501", "", 422, "limit"},
		{"a broken body", "POST", "/api/v1/findings/" + finding + "/ack", "{", 400, "/api/openapi.json"},
		{"an unknown member", "POST", "/api/v1/findings/" + finding + "/ack", `{"nope": 1}`, 422, "nope"},
		{"an old revision", "POST", "/api/v1/findings/" + finding + "/ack", `{"revision": 99}`, 409, "decide again"},
		{"a mute without end", "POST", "/api/v1/findings/" + finding + "/mute", `{}`, 422, "for_seconds"},
		{"a mute that is over", "POST", "/api/v1/findings/" + finding + "/mute", `{"until": "2020-01-01T00:00:00Z"}`, 422, "for_seconds"},
		{"a mute with two ends", "POST", "/api/v1/findings/" + finding + "/mute", `{"until": "2099-01-01T00:00:00Z", "for_seconds": 60}`, 422, "both"},
		{"a mute for ever", "POST", "/api/v1/findings/" + finding + "/mute", `{"until": "9999-01-01T00:00:00Z"}`, 422, "ten years"},
		{"a mute of none", "POST", "/api/v1/findings/mute", `{"findings": [], "for_seconds": 60}`, 422, "findings"},
		{"a mute of many without end", "POST", "/api/v1/findings/mute", `{"findings": ["` + finding + `"]}`, 422, "for_seconds"},
		{"one of many that is not there", "POST", "/api/v1/findings/ack", `{"findings": ["` + finding + `", "F-0"]}`, 404, "F-0"},
		{"a run of no such number", "GET", "/api/v1/runs/999", "", 404, "/api/v1/runs"},
		{"unmuting what is not muted", "POST", "/api/v1/findings/" + finding + "/unmute", "", 409, "timeline"},
		{"cancelling what has ended", "POST", "/api/v1/runs/" + run + "/cancel", "", 409, "result"},
		{"resuming what was read whole", "POST", "/api/v1/runs/" + run + "/resume", "", 409, "result"},
		{"half a key", "POST", "/api/v1/checks/names/runs", `{"keys": [[]]}`, 422, "id"},
		{"a key of no kind", "POST", "/api/v1/checks/names/runs", `{"keys": [[{"type": "odd", "text": "1"}]]}`, 422, "type"},
		{"a key that is none", "POST", "/api/v1/checks/names/runs", `{"keys": [[{"type": "int", "text": "one"}]]}`, 422, "findings"},
		{"a key that the owner's kind is not", "POST", "/api/v1/checks/names/runs", `{"keys": [[{"text": "one"}]]}`, 422, "cannot be read as int"},
		{"an empty key", "POST", "/api/v1/checks/names/runs", `{"keys": [[{"text": ""}]]}`, 422, "id"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := *w
			w.T = t
			answer := w.ask(row.status, row.method, row.path, row.body)
			if kind := answer.Header.Get("Content-Type"); kind != "application/problem+json" {
				t.Errorf("content type %q", kind)
			}
			problem := decoded[web.Problem](&w, answer)
			if problem.Status != row.status || problem.Title == "" || problem.Detail == "" || problem.NextStep == "" ||
				!strings.Contains(problem.Detail+problem.NextStep, row.says) {
				t.Errorf("want a problem that says %q: %+v", row.says, problem)
			}
		})
	}
}

// A run of given keys compares those alone, each read as what the owner declares.
func TestAPIRunsGivenKeys(t *testing.T) {
	t.Parallel()
	w := newAPIWorld(t, shopSQL, checksOfShop)
	answer := w.ask(http.StatusAccepted, http.MethodPost, "/api/v1/checks/names/runs", `{"keys": [[{"text": "2"}], [{"type": "text", "text": "1"}], [{"type": "int", "text": "9007199254740993"}]]}`)
	id := decoded[runList](w, answer).Items[0].ID
	var run web.RunDetailBody
	for deadline := time.Now().Add(2 * time.Minute); run.State != "finished" && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		run = fetched[web.RunDetailBody](w, "/api/v1/runs/"+id)
	}
	if run.Counts.Compared != 3 || run.Counts.Mismatch != 2 || run.Keys != 3 || len(run.Reasons) != 0 {
		t.Errorf("compared %+v", run.RunBody)
	}
}

// A page of another site may neither act nor read.
func TestAPIRefusesOtherSites(t *testing.T) {
	t.Parallel()
	w := newAPIWorld(t, shopSQL, checksOfShop)
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "http://elsewhere.example"}} {
		answer := w.ask(http.StatusForbidden, http.MethodPost, "/api/v1/checks/names/runs", "", header...)
		if problem := decoded[web.Problem](w, answer); problem.Type == "" || problem.NextStep == "" || answer.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%v: %+v", header, problem)
		}
	}
	if runs := fetched[runList](w, "/api/v1/runs"); len(runs.Items) != 0 {
		t.Errorf("a run was begun from another site: %+v", runs)
	}
}

// Where nobody works, what needs somebody says so, and the rest is answered.
func TestAPIWithoutAnAuditor(t *testing.T) {
	t.Parallel()
	w := newAPIWorld(t, shopSQL, checksOfShop)
	w.finished("names")
	alone := w.options
	alone.Auditor, alone.Metrics = nil, nil
	w.handler = sure(web.NewAPI(alone))
	finding := fetched[findingList](w, "/api/v1/findings").Items[0].Finding
	for _, path := range []string{"/checks/names/runs", "/findings/" + finding + "/recheck"} {
		problem := decoded[web.Problem](w, w.ask(http.StatusServiceUnavailable, http.MethodPost, "/api/v1"+path, ""))
		if !strings.Contains(problem.NextStep, "plumbline serve") {
			t.Errorf("%s: %+v", path, problem)
		}
	}
	posted[web.FindingDetailBody](w, "/api/v1/findings/"+finding+"/ack", "")
}

// panics is an Auditor of which everything panics.
type panics struct{ web.Auditor }

// A panic ends its request alone, with a problem.
func TestAPISurvivesAPanic(t *testing.T) {
	t.Parallel()
	w := newAPIWorld(t, shopSQL, checksOfShop)
	w.options.Auditor = panics{}
	w.handler = sure(web.NewAPI(w.options))
	for _, header := range [][]string{nil, {"Idempotency-Key", "one"}} {
		problem := decoded[web.Problem](w, w.ask(http.StatusInternalServerError, http.MethodPost, "/api/v1/checks/names/runs", "", header...))
		if problem.NextStep == "" {
			t.Errorf("%+v", problem)
		}
	}
	w.options.Auditor = w.auditor
	w.handler = sure(web.NewAPI(w.options))
	w.ask(http.StatusAccepted, http.MethodPost, "/api/v1/checks/names/runs", "", "Idempotency-Key", "one")
}

// Findings and runs have the keys of the contract.
func TestAPIKeepsTheContract(t *testing.T) {
	t.Parallel()
	w := newAPIWorld(t, shopSQL, checksOfShop)
	w.finished("names")
	first := func(path string) map[string]any {
		list := fetched[web.ListBody[map[string]any]](w, path)
		return list.Items[0]
	}
	finding, run := first("/api/v1/findings?kind=mismatch"), first("/api/v1/runs")
	for _, row := range []struct {
		what string
		got  map[string]any
		keys []string
	}{
		{"a finding", finding, []string{"finding", "check", "replica", "kind", "state", "key", "id", "first_seen", "last_seen", "fields"}},
		{"a key", finding["key"].(map[string]any)["id"].(map[string]any), []string{"type", "text"}},
		{"a field", finding["fields"].([]any)[0].(map[string]any), []string{"owner_field", "replica_field", "owner", "replica", "rule"}},
		{"a run", run, []string{"id", "number", "check", "replica", "state", "result", "error", "trigger", "started_at", "duration_seconds",
			"coverage", "plan", "suspects_pending", "counts", "drift_rate", "findings_omitted"}},
		{"counts", run["counts"].(map[string]any), []string{"owner_records", "replica_records", "compared", "equal", "mismatch", "missing", "extra",
			"duplicate", "unreadable", "skipped", "suspects_cleared"}},
		{"a drift rate", run["drift_rate"].(map[string]any), []string{"estimate", "low", "high", "confidence", "of"}},
	} {
		for _, key := range row.keys {
			if _, ok := row.got[key]; !ok {
				t.Errorf("%s lacks %s: %v", row.what, key, row.got)
			}
		}
	}
}
