package web_test

import (
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"plumbline/checks"
	"plumbline/sources"
	"plumbline/web"
)

// oneCheck declares a check with a single edge.
func oneCheck() *web.Declared {
	return &web.Declared{LoadedAt: shopNow(), Checks: []web.DeclaredCheck{check("orders-in-search", "shop", "high", side("shop", "postgres", "orders"), side("search", "mongodb", "orders"), "status", "total")}}
}

// saysAll checks what a page says and what it does not.
func saysAll(t *testing.T, url string, wants []string, lies ...string) {
	t.Helper()
	status, body := get(t, url)
	words := strings.Join(strings.Fields(html.UnescapeString(body)), " ")
	if status != http.StatusOK {
		t.Errorf("%s answers %d", url, status)
	}
	for _, want := range wants {
		if !strings.Contains(words, want) {
			t.Errorf("%s does not say %q", url, want)
		}
	}
	for _, lie := range lies {
		if strings.Contains(words, lie) {
			t.Errorf("%s says %q", url, lie)
		}
	}
}

// Where more differs than is kept, no page states a share or a number as if the
// kept were all.
func TestPagesSayWhatWasNotKept(t *testing.T) {
	t.Parallel()
	h := newHistoryOf(t, shopNow(), oneCheck(), 3)
	var differ []checks.Difference
	for i := range int64(10) {
		differ = append(differ, mismatch(i, "status", "paid", "pending"))
	}
	run := h.run("orders-in-search", "search", pass{equal: 90, differ: differ})
	home := h.serve(nil).URL
	saysAll(t, home+"/checks/orders-in-search", []string{"all 3 open + 7 not kept", "of 100 records, by the 3 findings kept; 7 more were counted and not kept",
		"at most 97 % · at least 3 differ", "at most 100 %"}, ">97 % · 3 differ")
	saysAll(t, home+"/", []string{"7 not kept", "3 not yet looked at, + 7 not kept", "· 3+"})
	saysAll(t, home+"/runs/"+run.ID, []string{"7 further differences were counted and not kept"})
}

// Each tile is a true sentence, whatever the numbers are.
func TestTilesAreTrue(t *testing.T) {
	t.Parallel()
	h := newHistory(t, shopNow(), oneCheck())
	h.declared.Checks[0].StaleAt = func(success time.Time) time.Time { return success.Add(75 * time.Minute) }
	home := h.serve(nil).URL
	saysAll(t, home+"/", []string{"nothing may be said of them"}, "every edge has been read", "all read on time")
	h.run("orders-in-search", "search", pass{equal: 90, differ: []checks.Difference{mismatch(1, "status", "paid", "pending")}})
	saysAll(t, home+"/", []string{"something is known of every edge", "no edge is failing or stale"})
	h.clock.pass(3 * time.Hour)
	saysAll(t, home+"/", []string{"1 edge is failing or stale"}, "no edge is failing")
	h.declared.Checks[0].Spec, h.declared.Checks[0].StaleAt = "", nil
	saysAll(t, home+"/", []string{"by hand"}, ">Paused<")
	h.declared = &web.Declared{LoadedAt: shopNow()}
	saysAll(t, home+"/", []string{"no check is configured"}, "something is known")
}

// A run of given keys is listed as such, and is no point of the trend.
func TestTheTrendIsOfWholeRuns(t *testing.T) {
	t.Parallel()
	h := newHistory(t, shopNow(), oneCheck())
	h.run("orders-in-search", "search", pass{equal: 90})
	h.clock.pass(time.Hour)
	h.run("orders-in-search", "search", pass{differ: []checks.Difference{mismatch(1, "status", "paid", "pending")}, keys: []sources.Key{{sources.Int(1)}}})
	home := h.serve(nil).URL
	saysAll(t, home+"/checks/orders-in-search", []string{"of the last 1 run<", "1 key alone"})
	saysAll(t, home+"/runs/2", []string{"Run #2"})
}

// A list that cannot go on from its address says so, and is no fault of ours.
func TestPagesRefuseCursorsThatAreNone(t *testing.T) {
	t.Parallel()
	h := newHistory(t, shopNow(), oneCheck())
	h.run("orders-in-search", "search", pass{equal: 1, differ: []checks.Difference{mismatch(1, "status", "paid", "pending")}})
	var log strings.Builder
	s := sure(web.New(web.Options{Ledger: h.ledger, Declared: func() *web.Declared { return h.declared }, Lens: h.lens, Now: h.clock.now,
		Log: slog.New(slog.NewTextHandler(&log, nil))}))
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	for _, path := range []string{"/findings?check=orders-in-search&after=garbage", "/findings?after=1.%00", "/runs?after=garbage"} {
		if status, body := get(t, server.URL+path); status != http.StatusBadRequest || !strings.Contains(body, "without after") || !strings.Contains(body, "Begin the list") {
			t.Errorf("%s answers %d", path, status)
		}
	}
	if log.Len() > 0 {
		t.Errorf("it is logged: %s", log.String())
	}
}

// Who asks for the headers alone gets them.
func TestHeadIsAnswered(t *testing.T) {
	t.Parallel()
	h := newHistory(t, shopNow(), oneCheck())
	home := h.serve(nil).URL
	for path, want := range map[string]int{"/": 200, "/checks/orders-in-search": 200, "/findings": 200, "/findings/F-0": 404, "/runs": 200, "/sources": 200,
		"/livez": 200, "/readyz": 200, "/metrics": 200, "/api/openapi.json": 200, "/nowhere": 404} {
		r, err := http.Head(home + path)
		if err != nil {
			t.Fatal(err)
		}
		if r.Body.Close(); r.StatusCode != want {
			t.Errorf("HEAD %s answers %d, want %d", path, r.StatusCode, want)
		}
	}
}
