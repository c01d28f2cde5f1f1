package web_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"plumbline/alerts"
	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
	"plumbline/sources"
	"plumbline/web"
)

// payloads are texts that would run, or ask somebody else, wherever a page took
// them for more than text. Each sets the same global, so that one look tells.
func payloads() []string {
	act := "window.ran=1"
	shapes := []string{
		`<script>%s</script>`, `<ScRiPt>%s</sCrIpT>`, `"><script>%s</script>`, `'><script>%s</script>`, `</title><script>%s</script>`,
		`</textarea><script>%s</script>`, `--><script>%s</script>`, `]]><script>%s</script>`, `</svg><script>%s</script>`, `</style><script>%s</script>`,
		`<img src=x onerror=%s>`, `<img src=x onerror="%s">`, `"><img src=x onerror=%s>`, `' onmouseover='%s`, `" autofocus onfocus="%s`,
		`<svg onload=%s>`, `<svg/onload=%s>`, `<svg><script>%s</script></svg>`, `<svg><animate onbegin=%s attributeName=x dur=1s>`, `<body onload=%s>`,
		`<iframe srcdoc="<script>parent.%s</script>">`, `<iframe src="javascript:parent.%s">`, `<a href="javascript:%s">x</a>`, `javascript:%s`, `JaVaScRiPt:%s`,
		`<details open ontoggle=%s>`, `<video><source onerror="%s">`, `<math><mtext></p><script>%s</script>`, `<object data="javascript:%s">`, `<embed src="javascript:%s">`,
		`<form action="javascript:%s"><button>x</button></form>`, `<button hx-get="/" hx-on:click="%s">x</button>`, `<div hx-get="/x" hx-trigger="load" hx-on::load="%s">`,
		`<div hx-vals='js:{x:%s}' hx-get="/" hx-trigger="load">`, `<input onfocus=%s autofocus>`, `<meta http-equiv=refresh content="0;url=javascript:%s">`,
		`<link rel=stylesheet href="http://198.51.100.7/%s">`, `<base href="http://198.51.100.7/"><i>%s`, `<style>@import "http://198.51.100.7/%s"</style>`, `<img src="http://198.51.100.7/%s">`,
		`{{.}}{{"%s"}}`, `${%s}`, `<%%= %s %%>`, `&lt;script&gt;%s&lt;/script&gt;`, `&#60;script&#62;%s&#60;/script&#62;`, `\u003cscript\u003e%s\u003c/script\u003e`,
		"<script\x00>%s</script>", "<scr\nipt>%s</script>", "\u202e<script>%s</script>", "<script\u2028>%s</script>",
	}
	var list []string
	for _, shape := range shapes {
		list = append(list, fmt.Sprintf(shape, act), fmt.Sprintf(shape, "alert(document.domain)"))
	}
	return list
}

// hostileHistory is a ledger in which everything that people or stores wrote is a
// payload: values, keys, ids, names of checks, fields and sources, errors, notes.
func hostileHistory(t *testing.T, list []string) *history {
	t.Helper()
	now := time.Date(2027, 1, 9, 10, 58, 3, 0, time.UTC)
	owner, replica := side(list[0], list[1], list[2]), side(list[10], list[11], list[12])
	owner.Dataset.Key, replica.Dataset.Key, replica.Dataset.ID = []string{list[3]}, []string{list[13]}, []string{list[14]}
	c := check(list[4], list[5], "high", owner, replica, list[6])
	c.Description, c.Runbook, c.Spec = list[7], list[24], list[8]
	c.Edges[0].Name = list[15]
	c.Edges[0].Invariants = []checks.Invariant{{Name: list[16], Expr: list[17]}}
	d := &web.Declared{Checks: []web.DeclaredCheck{c}, LastReloadError: list[18], Notices: []string{list[19]},
		Sources: []web.DeclaredSource{{Name: list[0], Kind: list[1], Team: list[20], Connections: 4}, {Name: list[10], Kind: list[11], Team: list[21], Connections: 4}}}
	h := newHistory(t, now.Add(-2*time.Hour), d)
	h.targets = func(*web.DeclaredCheck) []alerts.Target {
		return []alerts.Target{{Integration: "slack", Address: list[41]}, {Integration: "webhook", Address: list[42]}}
	}
	var differ []checks.Difference
	for i, p := range list {
		other := list[(i+1)%len(list)]
		differ = append(differ, checks.Difference{Kind: checks.Mismatch, Key: sources.Key{sources.Text(p)}, ID: sources.Key{sources.Text(other)}, Reason: p, Age: checks.Stale,
			Fields: []checks.FieldDifference{{Owner: list[6], Replica: list[6], OwnerValue: sources.Text(p), ReplicaValue: sources.Text(other), Rule: list[22], Note: p}}})
	}
	h.run(list[4], list[15], pass{equal: 100, differ: differ, segments: 2, reasons: map[string]int64{list[30]: 2}, waits: map[string]int64{list[31]: 1500}})
	h.run(list[4], list[15], pass{equal: 100, differ: differ, segments: 2, failed: list[32]})
	h.run(list[4], list[15], pass{failure: list[33]})
	open, _, err := h.ledger.Findings(t.Context(), ledger.FindingFilter{Limit: 1})
	h.must(err)
	_, err = h.ledger.Act(t.Context(), []string{open[0].ID}, drift.Observation{Event: drift.Acknowledge, At: h.clock.now(), Actor: list[34], Note: list[35]}, 0)
	h.must(err)
	if send, _, err := h.ledger.ClaimDelivery(t.Context(), []string{"slack", "webhook"}); err != nil || send == nil {
		t.Fatalf("nothing is to be sent: %v", err)
	} else {
		h.must(h.ledger.SettleDelivery(t.Context(), send, alerts.Receipt{}, &alerts.RefusedError{Why: list[47], Do: list[48]}))
	}
	h.must(h.ledger.MuteCheck(t.Context(), alerts.Mute{Check: list[4], Until: now.Add(time.Hour), Actor: list[43], Reason: list[44], At: now.Add(-time.Minute)}))
	told, _, err := h.ledger.Incidents(t.Context(), ledger.IncidentFilter{})
	h.must(err)
	for _, i := range told {
		_, err := h.ledger.AcknowledgeIncident(t.Context(), i.ID, list[45], list[46], 0)
		h.must(err)
	}
	c.Fix = map[string]reconciler.Policy{list[15]: {Mode: reconciler.ModePropose, By: reconciler.Write, Approvals: 1}}
	h.declared.Checks[0] = c
	hostileFixes(h, list)
	h.sources = map[string]web.SourceState{
		list[0]:  {State: web.SourceDown, Since: now.Add(-time.Hour), ProbedAt: now, Why: list[36], Today: map[string]time.Duration{list[37]: time.Second}},
		list[10]: {State: web.SourceUp, ProbedAt: now, Facts: sources.Facts{Product: list[38], Version: list[39], Notes: []string{list[40]}}}}
	h.clock.set(now)
	return h
}

// hostileFixes are plans in which everything that people or stores wrote is a payload.
func hostileFixes(h *history, list []string) {
	h.t.Helper()
	ctx := h.t.Context()
	h.must(h.ledger.FreezeFixes(ctx, reconciler.Freeze{Check: list[4], By: list[51], Reason: list[52], At: h.clock.now()}))
	h.must(h.ledger.UnfreezeFixes(ctx, list[4]))
	h.must(h.ledger.PauseFixes(ctx, reconciler.Pause{Check: list[4], Reason: list[53], At: h.clock.now()}))
	findings, _, err := h.ledger.Findings(ctx, ledger.FindingFilter{State: "open", Limit: 60})
	h.must(err)
	for n := range 2 {
		p, items := draftOf(list[4], list[15], findings[30*n:30*n+30])
		p.Choice, p.DraftedBy, p.Left, p.Checklist = list[49], reconciler.Person{Name: list[50]}, []reconciler.LeftOut{{Reason: list[54], N: 3, Example: list[58]}}, []reconciler.Safety{{Name: list[59], Words: list[55]}}
		h.must(h.ledger.KeepPlan(ctx, p, items))
		if n == 0 {
			_, err := h.ledger.WithdrawPlan(ctx, p.ID, list[56], reconciler.Person{Name: list[60]})
			h.must(err)
			continue
		}
		h.begun(p)
		h.settle(p, reconciler.ItemStale, list[57], []reconciler.Field{{Name: list[61], Now: drift.Value{Type: "text", Text: list[62]}}})
	}
	h.must(h.ledger.FreezeFixes(ctx, reconciler.Freeze{Check: list[4], By: list[51], Reason: list[52], At: h.clock.now()}))
}

// A hundred payloads stand in everything a page shows. None runs, none asks
// anybody, the policy has nothing to stop, and the text is there to be read.
func TestHostileTextIsShownAndNeverRuns(t *testing.T) {
	t.Parallel()
	chromium := browser(t)
	list := payloads()
	if len(list) != 100 {
		t.Fatalf("%d payloads", len(list))
	}
	h := hostileHistory(t, list)
	b := open(t, chromium, h.serve(nil).URL)
	quiet := func(where string) {
		t.Helper()
		b.clean(where)
		if ask[bool](b, "'ran' in window") {
			t.Fatalf("%s: a payload ran", where)
		}
	}
	shows := func(where string, texts ...string) {
		t.Helper()
		// Control characters are written out, or are the parser's to drop.
		script := "(function(){const all=document.documentElement.textContent.replace(/[\\s\\u0000\\ufffd]+/g,'');return %q.split('\\u0001').filter(t=>!all.includes(t.replace(/[\\s\\u0000\\ufffd]+/g,''))).join(' | ')})()"
		if missing := ask[string](b, fmt.Sprintf(script, strings.Join(texts, "\x01"))); missing != "" {
			t.Errorf("%s does not show %s", where, missing)
		}
	}
	refresh := func(where string) { // as a live page does
		t.Helper()
		ask[bool](b, "(document.getElementById('live-status').textContent = 'waits', document.body.addEventListener('htmx:afterSettle', () => { document.documentElement.dataset.fresh = 1 }), htmx.trigger(document.getElementById('live'), 'refresh'), true)")
		b.await("the refreshed "+where, "document.documentElement.dataset.fresh === '1'")
		quiet("refreshed " + where)
	}
	b.visit("/")
	quiet("overview")
	refresh("overview")
	shows("overview", list[4], list[2], list[12], list[5], list[18], list[19], list[33])
	b.visit("/checks/" + url.PathEscape(list[4]))
	quiet("check")
	refresh("check")
	shows("check", list[4], list[7], list[6], list[8], list[16], list[17], list[33])
	b.visit("/incidents")
	quiet("incidents")
	refresh("incidents")
	shows("incidents", list[4], list[5], list[45], list[47], list[48])
	told, _, err := h.ledger.Incidents(t.Context(), ledger.IncidentFilter{})
	h.must(err)
	if len(told) != 2 {
		t.Errorf("%d incidents, want one that drifts and one that cannot be checked", len(told))
	}
	for _, i := range told {
		b.visit("/incidents/" + i.ID)
		quiet("incident")
		refresh("incident")
		shows("incident "+i.ID, list[4], list[5], list[15], list[41], list[42], list[43], list[44], list[45], list[46], list[47], list[48])
	}
	b.visit("/fixes")
	quiet("fixes")
	refresh("fixes")
	shows("fixes", list[4], list[15], list[49], list[50], list[51], list[52], list[53])
	plans, _, err := h.ledger.Plans(h.t.Context(), ledger.PlanFilter{})
	h.must(err)
	for _, p := range plans {
		b.visit("/fixes/" + p.ID)
		quiet("plan")
		refresh("plan " + p.ID)
		shows("plan "+p.ID, list[4], list[15], list[6], list[50], list[53], list[54], list[55])
		if p.State == reconciler.Expired {
			shows("plan "+p.ID, list[56])
			continue
		}
		b.visit("/fixes/" + p.ID + "?visible=1")
		quiet("plan, spelt out")
		b.visit("/fixes/" + p.ID + "?state=stale")
		quiet("stale records of a plan")
		shows("stale records of plan "+p.ID, list[57])
	}
	b.visit("/runs")
	quiet("runs")
	shows("runs", list[4], list[15], list[33])
	runs, _, err := h.ledger.Runs(t.Context(), ledger.RunFilter{})
	h.must(err)
	for _, r := range runs {
		b.visit("/runs/" + r.ID)
		quiet("run")
	}
	b.visit("/runs/" + runs[len(runs)-1].ID)
	shows("run", list[30], list[31])
	b.visit("/sources")
	quiet("sources")
	shows("sources", list[0], list[1], list[20], list[36], list[37], list[38], list[40])
	seen := 0
	for after := ""; ; {
		page, next, err := h.ledger.Findings(t.Context(), ledger.FindingFilter{After: after})
		h.must(err)
		b.visit("/findings?after=" + url.QueryEscape(after))
		quiet("findings")
		refresh("findings")
		for i, f := range page {
			visible := []string{"", "?visible=1"}[i%2]
			b.visit("/findings/" + f.ID + visible)
			quiet("finding " + f.ID)
			if key := f.Key[0].AsText(); visible == "" {
				shows("finding "+f.ID, key)
			}
			seen++
		}
		if after = next; next == "" {
			break
		}
	}
	if seen != len(list) {
		t.Errorf("%d findings, want one for each of %d payloads", seen, len(list))
	}
	for i, p := range list {
		e := url.QueryEscape(p)
		b.visit([]string{"/findings?q=" + e, "/findings?check=" + e + "&replica=" + e, "/findings?pattern=" + e + "&field=" + e, "/findings?state=" + e + "&kind=" + e,
			"/?q=" + e + "&team=" + e + "&state=" + e, "/runs?check=" + e + "&result=" + e, "/?said=" + e, "/findings?visible=" + e,
			"/incidents?check=" + e + "&team=" + e, "/incidents?state=" + e + "&kind=" + e, "/fixes?check=" + e + "&finding=" + e, "/fixes/P-1?state=" + e + "&confirm=" + e + "&after=" + e}[i%12])
		quiet("address with " + p)
	}
	for _, path := range []string{"/checks/", "/findings/", "/incidents/", "/fixes/", "/runs/", "/"} {
		b.visit(path + url.PathEscape(list[10]))
		b.forget() // the browser calls the 404 an error
		quiet("nothing at " + path)
		shows("nothing at "+path, list[10])
	}
}

// The instrument of the tests above notices what they are to rule out.
func TestBrowserNoticesWhatMustNotHappen(t *testing.T) {
	t.Parallel()
	chromium := browser(t)
	h := newHistory(t, shopNow(), &web.Declared{})
	b := open(t, chromium, h.serve(nil).URL)
	for _, c := range []struct{ what, script, notices string }{
		{"an inline handler", `document.body.insertAdjacentHTML('beforeend', '<img src="/static/nothing" onerror="window.ran=1">')`, "Content Security Policy"},
		{"an inline style", `document.body.insertAdjacentHTML('beforeend', '<i style="color:red">x</i>')`, "Content Security Policy"},
		{"a request elsewhere", `new Image().src = 'http://198.51.100.7/x'`, "198.51.100.7"},
		{"an error on the console", `console.error('something broke')`, "something broke"},
		{"a dialog", `setTimeout(() => alert('hello'))`, "dialog: hello"},
	} {
		b.visit("/")
		b.forget()
		ask[string](b, "("+c.script+", '')")
		deadline := time.Now().Add(10 * time.Second)
		for !strings.Contains(strings.Join(b.noticed(), " "), c.notices) {
			if time.Now().After(deadline) {
				t.Fatalf("%s was not noticed: %q", c.what, b.noticed())
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}
