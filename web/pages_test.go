package web_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"plumbline/access"
	"plumbline/ledger"
)

// shopPages are the pages of the shop that a person walks through.
func shopPages(h *history) map[string]string {
	h.t.Helper()
	runs, _, err := h.ledger.Runs(h.t.Context(), ledger.RunFilter{Check: "orders-in-search"})
	h.must(err)
	list, _, err := h.ledger.Findings(h.t.Context(), ledger.FindingFilter{Check: "orders-in-search", Kind: "mismatch", State: "open", Query: "9182736450192930"})
	h.must(err)
	if len(runs) == 0 || len(list) == 0 {
		h.t.Fatalf("%d runs and %d findings", len(runs), len(list))
	}
	open, _, err := h.ledger.Incidents(h.t.Context(), ledger.IncidentFilter{Check: "orders-in-search", State: "open"})
	h.must(err)
	if len(open) != 1 {
		h.t.Fatalf("%d open incidents", len(open))
	}
	drift := open[0]
	plans, _, err := h.ledger.Plans(h.t.Context(), ledger.PlanFilter{State: "waiting for approval"})
	h.must(err)
	if len(plans) != 1 {
		h.t.Fatalf("%d plans wait for approval", len(plans))
	}
	return map[string]string{"overview": "/", "check": "/checks/orders-in-search", "findings": "/findings?check=orders-in-search", "finding": "/findings/" + list[0].ID + "?visible=1",
		"incidents": "/incidents", "incident": "/incidents/" + drift.ID, "fixes": "/fixes", "fix": "/fixes/" + plans[0].ID, "runs": "/runs", "run": "/runs/" + runs[0].ID, "sources": "/sources", "missing": "/nowhere"}
}

func get(t testing.TB, url string) (status int, body string) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(text)
}

// Without script a page says all it has to say.
func TestPagesSayWhatTheLedgerHolds(t *testing.T) {
	t.Parallel()
	h := shop(t)
	home := h.serve(nil).URL
	pages := shopPages(h)
	for name, wants := range map[string][]string{
		"overview":  {"orders-in-search", "Drifted", "Unknown", "In sync", "connection refused", "suspects pending", "in 3 min"},
		"check":     {"Orders found in the search", "fulfilment", "wiki.example.com", "status: owner &#34;paid&#34; replica &#34;pending&#34;", "missing in the replica", "public.orders", "running"},
		"findings":  {"F-", "id=91827364501", "acknowledged", "muted", "confirmed", "Next"},
		"finding":   {"129.90", "119.90", "stale", "Timeline", "id=", "9182736450192930"},
		"incidents": {"orders-in-search", "cannot check", "Resolved of late", "growing", "acknowledged"},
		"incident":  {"By field", "status", "What would put it right", "Slack #fulfilment", "up to date", "webhook oncall", "runbook", "Muted by ada", "the importer is being mended", "grew"},
		"fixes":     {"waiting for approval", "partly applied", "12 updates", "Freeze fixes", "5 applied, 1 stale"},
		"fix":       {"12 updates", "ada", "1 approval (not ada)", "✔ passes", "pending", "paid", "updateOne", "Left out", "Download plan.json"},
		"runs":      {"orders-in-search", "incomplete", "error", "running"},
		"run":       {"120 segments", "replica lag 3.5 s", "Cancel", "ranges"},
		"sources":   {"down", "connection refused", "can write", "prices-in-baskets", "12 s replica lag", "standby"},
		"missing":   {"no such page", "Overview"},
	} {
		status, body := get(t, home+pages[name])
		if want := map[string]int{"missing": 404}[name]; status != 200 && status != want {
			t.Errorf("%s answers %d", name, status)
		}
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%s does not say %q", name, want)
			}
		}
		if strings.Contains(body, "ada@example") {
			t.Errorf("%s shows a masked value", name)
		}
	}
}

// What a page loads is small, and its script smaller still.
func TestPagesAreLight(t *testing.T) {
	t.Parallel()
	h := shop(t)
	home := h.serve(nil).URL
	asset := regexp.MustCompile(`(?:src|href)="(/static/[^"]+)"`)
	for name, path := range shopPages(h) {
		_, body := get(t, home+path)
		total, script := len(body), 0
		for _, m := range asset.FindAllStringSubmatch(body, -1) {
			status, content := get(t, home+m[1])
			if status != 200 {
				t.Errorf("%s loads %s: %d", name, m[1], status)
			}
			total += len(content)
			if strings.HasSuffix(m[1], "/app.js") {
				script += len(content)
			}
		}
		t.Logf("%s: %d bytes, of them %d of the page and %d of script", name, total, len(body), script)
		if total > 300<<10 || script > 60<<10 || script == 0 {
			t.Errorf("%s weighs %d bytes, its script %d", name, total, script)
		}
	}
}

// The pages' pictures in the documentation are these.
func TestPagesLookRight(t *testing.T) {
	t.Parallel()
	chromium := browser(t)
	h := shop(t)
	server := h.serve(nil)
	update := os.Getenv("PLUMBLINE_UPDATE_SCREENSHOTS") != ""
	local, zoe := open(t, chromium, server.URL), open(t, chromium, h.serveTo(actor("zoe", access.Approver)).URL)
	for name, path := range shopPages(h) {
		b := local
		if name == "fixes" || name == "fix" { // which are about more people than one
			b = zoe
		}
		for _, width := range []int64{1440, 390} {
			for _, colours := range []string{"light", "dark"} {
				b.look(width, colours == "dark")
				b.visit(path)
				if name == "missing" { // whose answer the browser's console calls an error
					b.forget()
				}
				b.clean(name)
				if wide := ask[float64](b, "document.documentElement.scrollWidth"); wide > float64(width) {
					t.Errorf("%s is %v wide on a screen of %d", name, wide, width)
				}
				if name == "check" {
					b.await("the chart", "document.querySelector('.chart canvas') !== null")
				}
				if update && name != "missing" {
					file := filepath.Join("..", "docs", "images", name+"-"+colours+map[int64]string{390: "-narrow"}[width]+".png")
					if err := os.WriteFile(file, b.picture(map[int64]float64{1440: 1200, 390: 1500}[width]), 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
}
