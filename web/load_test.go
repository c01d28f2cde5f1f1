package web_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plumbline/checks"
	"plumbline/ledger"
	"plumbline/web"
)

func crowdedDeclared() *web.Declared {
	d := &web.Declared{}
	for i := range 10 {
		source := fmt.Sprintf("service-%d", i)
		d.Checks = append(d.Checks, check(fmt.Sprintf("check-%d", i), fmt.Sprintf("team-%d", i%3), "high", side("owner", "postgres", "public.things"), side(source, "mongodb", "things"), "status", "total", "name"))
		d.Sources = append(d.Sources, web.DeclaredSource{Name: source, Kind: "mongodb", Connections: 4})
	}
	return d
}

// crowded is a ledger of many findings in ten checks, with a day of history.
func crowded(t *testing.T, findings int) *history {
	t.Helper()
	d := crowdedDeclared()
	h := newHistory(t, shopNow().Add(-24*time.Hour), d)
	for half := range 47 {
		h.clock.set(shopNow().Add(-24 * time.Hour).Add(time.Duration(half) * 30 * time.Minute))
		for _, c := range d.Checks {
			h.run(c.Name, c.Edges[0].Name, pass{equal: 1000})
		}
	}
	begin := time.Now()
	for i, c := range d.Checks {
		var differ []checks.Difference
		for n := range findings / 10 {
			id := int64(i*1_000_000 + n)
			switch n % 20 {
			case 0:
				differ = append(differ, oneSided(checks.Missing, id))
			case 1:
				differ = append(differ, oneSided(checks.Extra, id))
			case 2, 3:
				differ = append(differ, mismatch(id, "name", fmt.Sprintf("name %d", n), "name"))
			default:
				differ = append(differ, mismatch(id, "status", fmt.Sprintf("state %d", n%37), "pending"))
			}
		}
		for part := range slices.Chunk(differ, 5000) {
			h.run(c.Name, c.Edges[0].Name, pass{equal: 1000, differ: part})
		}
	}
	t.Logf("%d findings recorded in %s", findings, time.Since(begin).Round(time.Millisecond))
	h.clock.set(shopNow())
	return h
}

// measure has ten readers ask for every page in turn, and returns each page's
// 95th percentile and its size.
func measure(t *testing.T, home string, pages map[string]string, rounds int) (p95 map[string]time.Duration) {
	t.Helper()
	const readers = 10
	var mu sync.Mutex
	took := map[string][]time.Duration{}
	var all sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: readers}}
	for reader := range readers {
		all.Go(func() {
			for round := range rounds {
				i := 0
				for name, path := range pages {
					if i++; i == 1 && round == 0 {
						time.Sleep(time.Duration(reader) * time.Millisecond) // nobody begins at the same instant
					}
					begin := time.Now()
					status, body := fetch(t, client, home+path)
					d := time.Since(begin)
					if status != http.StatusOK || len(body) > 300<<10 {
						t.Errorf("%s answers %d with %d bytes", name, status, len(body))
					}
					mu.Lock()
					took[name] = append(took[name], d)
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	p95 = map[string]time.Duration{}
	for name, list := range took {
		slices.Sort(list)
		p95[name] = list[len(list)*95/100]
		t.Logf("%-22s p50 %6s  p95 %6s  max %6s", name, list[len(list)/2].Round(time.Millisecond/10), p95[name].Round(time.Millisecond/10), list[len(list)-1].Round(time.Millisecond/10))
	}
	return p95
}

func fetch(t *testing.T, client *http.Client, url string) (status int, body string) {
	t.Helper()
	r, err := client.Get(url)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer r.Body.Close()
	var b strings.Builder
	if _, err := io.Copy(&b, r.Body); err != nil {
		t.Error(err)
	}
	return r.StatusCode, b.String()
}

// crowdedPages are the ways to look at many findings.
func crowdedPages(h *history) map[string]string {
	h.t.Helper()
	deep := ledger.FindingFilter{State: "open", Limit: 500}
	for range 6 {
		_, next, err := h.ledger.Findings(h.t.Context(), deep)
		h.must(err)
		if next == "" {
			break
		}
		deep.After = next
	}
	one, _, err := h.ledger.Findings(h.t.Context(), ledger.FindingFilter{Check: "check-4", Kind: "mismatch", Limit: 1})
	h.must(err)
	runs, _, err := h.ledger.Runs(h.t.Context(), ledger.RunFilter{Limit: 1})
	h.must(err)
	patterns, err := h.ledger.Patterns(h.t.Context(), "check-4", "service-4", 1)
	h.must(err)
	told, _, err := h.ledger.Incidents(h.t.Context(), ledger.IncidentFilter{Check: "check-4", State: "open"})
	h.must(err)
	return map[string]string{
		"incidents": "/incidents", "incidents of a team": "/incidents?state=all&team=team-1", "incident": "/incidents/" + told[0].ID,
		"overview": "/", "check": "/checks/check-4", "findings": "/findings", "of a check": "/findings?check=check-4", "of a kind": "/findings?kind=extra",
		"of a check and kind": "/findings?check=check-4&kind=missing&state=confirmed", "of a pattern": "/findings?check=check-4&replica=service-4&pattern=" + url.QueryEscape(patterns[0].Words),
		"of a field": "/findings?check=check-4&field=status", "resolved": "/findings?state=resolved", "by key": "/findings?q=4000123", "by what is not there": "/findings?q=nothing-of-the-kind",
		"far down": "/findings?after=" + url.QueryEscape(deep.After), "finding": "/findings/" + one[0].ID, "runs": "/runs", "run": "/runs/" + runs[0].ID, "sources": "/sources",
	}
}

func pagesStayQuick(t *testing.T, findings, rounds int, within time.Duration) {
	h := crowded(t, findings)
	pages := crowdedPages(h)
	home := h.serve(nil).URL
	for name, d := range measure(t, home, pages, rounds) {
		if within > 0 && d > within {
			t.Errorf("%s takes %s at the 95th percentile", name, d)
		}
	}
}

// The time is judged in the long count alone, since tests run side by side.
func TestPagesOverManyFindings(t *testing.T) { pagesStayQuick(t, 3_000, 2, 0) }

func TestSoakPagesStayQuickWithManyFindings(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return // make soak runs it
	}
	pagesStayQuick(t, 200_000, 20, 200*time.Millisecond)
}

// Of a thousand checks a page shows a part, and is as light and nearly as quick.
func TestOverviewHoldsAThousandChecks(t *testing.T) {
	t.Parallel()
	d := &web.Declared{}
	for i := range 1000 {
		owner, replica := fmt.Sprintf("owner-%d", i%17), fmt.Sprintf("replica-%d", i%90)
		d.Checks = append(d.Checks, check(fmt.Sprintf("check-%03d", i), fmt.Sprintf("team-%d", i%20), "high", side(owner, "postgres", "public.things"), side(replica, "mongodb", "things"), "status"))
	}
	h := newHistory(t, shopNow().Add(-time.Hour), d)
	for i := 0; i < 1000; i += 10 {
		h.run(d.Checks[i].Name, d.Checks[i].Edges[0].Name, pass{equal: 10})
	}
	h.clock.set(shopNow())
	home := h.serve(nil).URL
	begin := time.Now()
	status, body := get(t, home+"/")
	t.Logf("%d bytes in %s", len(body), time.Since(begin).Round(time.Millisecond))
	if rows := strings.Count(body, "<td class=\"full named\">"); status != http.StatusOK || rows != 50 || len(body) > 200<<10 {
		t.Errorf("the overview answers %d with %d rows in %d bytes", status, rows, len(body))
	}
	for _, says := range []string{"1 to 50 of 1000", "further pairs are not drawn", "page=2"} {
		if !strings.Contains(body, says) {
			t.Errorf("the overview does not say %q", says)
		}
	}
	if _, body := get(t, home+"/?page=20"); !strings.Contains(body, "951 to 1000 of 1000") || !strings.Contains(body, "check-990") {
		t.Error("the last page is not the last")
	}
	if _, body := get(t, home+"/?q=check-990"); strings.Count(body, "<td class=\"full named\">") != 1 {
		t.Error("a check is not found by its name")
	}
	if status, body := get(t, home+"/findings"); status != http.StatusOK || len(body) > 200<<10 {
		t.Errorf("the findings answer %d in %d bytes", status, len(body))
	}
}
