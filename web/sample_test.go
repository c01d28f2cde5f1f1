package web_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"plumbline/web"
)

const checksOfSamples = `
checks:
  names:
    settle: 0s
    owner: {source: shop, dataset: products, key: [id]}
    replica: {source: shop, dataset: items, key: [product]}
    fields: [name]
    sample: {keys: 50, recent: 0%, rolling: 40%, random: 60%}
`

const samplesSQL = `
CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE items (product INTEGER PRIMARY KEY, name TEXT NOT NULL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 500) INSERT INTO products SELECT 7*i, 'name' FROM n;
INSERT INTO items SELECT id, name FROM products;
`

// asked begins a run by a request and waits until it has its last word.
func (w *apiWorld) asked(check, body string) web.RunDetailBody {
	w.Helper()
	started := decoded[runList](w, w.ask(http.StatusAccepted, http.MethodPost, "/api/v1/checks/"+check+"/runs", body))
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		run := fetched[web.RunDetailBody](w, "/api/v1/runs/"+started.Items[0].ID)
		if run.State == "finished" {
			return run
		}
		if time.Now().After(deadline) {
			w.Fatalf("run %s is still %s", run.ID, run.State)
		}
	}
}

// The API and the pages say of a sample what was drawn, how much it leaves open,
// and since when every key was compared.
func TestSamplesAreTold(t *testing.T) {
	t.Parallel()
	w := newAPIWorld(t, samplesSQL, checksOfSamples)
	run := w.asked("names", "")
	owner := run.Sample.Sides[0]
	if run.Result != "clean" || run.Sample.Keys != 50 || run.Sample.Seed == "0" || owner.Side != "owner" || owner.Random != 30 || owner.Drawn <= 30 || owner.Drawn > 50 ||
		run.Counts.RandomKeys != 30 || run.Counts.RandomReplica != 30 || run.DriftRate == nil || run.DriftRate.Of != "owner keys" || run.DriftRate.Keys != 30 ||
		run.DriftRate.Confidence != 0.95 || run.ExtraRate == nil || run.ExtraRate.Of != "replica keys" || run.ScopeShare == nil || *run.ScopeShare > 0.11 || run.Coverage != 1 {
		t.Errorf("%+v", run)
	}
	strata := map[string]bool{}
	for _, s := range run.SegmentList {
		strata[s.Side+" "+s.Stratum] = true
	}
	for _, want := range []string{"owner rolling", "owner random", "replica rolling", "replica random"} {
		if !strata[want] {
			t.Errorf("no segment of %s: %v", want, strata)
		}
	}
	check := fetched[web.CheckDetailBody](w, "/api/v1/checks/names")
	edge := check.Edges[0]
	if check.Consistency != "In sample" || check.Bound != max(run.DriftRate.High, run.ExtraRate.High) || edge.Bound != check.Bound || edge.ScopeShare == nil ||
		len(check.Rolling) != 2 || check.Rolling[0].Side != "owner" || check.Rolling[0].Cycle != 1 || check.Rolling[0].WithinSeconds != 0 || check.Rolling[0].Visited == 0 {
		t.Errorf("%+v", check)
	}
	if sum := fetched[web.SummaryBody](w, "/api/v1/summary"); sum.InSample != 1 || sum.InSync != 0 || sum.Unknown != 0 {
		t.Errorf("%+v", sum)
	}
	pages := sure(web.New(w.options)).Handler()
	read := func(path string) string {
		answer := handOver(pages, http.MethodGet, path, "")
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %v", path, answer.StatusCode, err)
		}
		return string(text)
	}
	holds := func(path string, parts ...string) {
		t.Helper()
		text := read(path)
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("%s lacks %q", path, part)
			}
		}
		if strings.Contains(text, ">In sync<") && path != "/" {
			t.Errorf("%s says In sync", path)
		}
	}
	holds("/", "In sample: ≤ ", " % sample")
	holds("/checks/names", "In sample: ≤ ", "rolling, owner", "not every key was compared yet; cycle 1", "share of all")
	holds("/runs/"+run.ID, "Sample", "of owner keys differ (95 %: 0 % to ", "told from 30 keys drawn at random", "of replica keys have no owner", run.Sample.Seed, "rolling")
	for n := 0; fetched[web.CheckDetailBody](w, "/api/v1/checks/names").Rolling[0].SeenSince == (web.Instant{}); n++ {
		if n > 40 {
			t.Fatal("no cycle is ever complete")
		}
		w.asked("names", "")
	}
	holds("/checks/names", "every key that was there throughout was compared within ")
}

// What a run is asked for comes by the API, and what cannot be is refused.
func TestRunsAreAskedForByTheAPI(t *testing.T) {
	t.Parallel()
	w := newAPIWorld(t, samplesSQL, checksOfSamples)
	if run := w.asked("names", `{"full": true}`); run.Counts.Compared != 500 || run.Sample != nil || run.ExtraRate != nil || *run.ScopeShare != 1 {
		t.Errorf("%+v", run)
	}
	if run := w.asked("names", `{"sample": 10}`); run.Sample.Keys != 10 || run.Sample.Sides[0].Random != 6 {
		t.Errorf("%+v", run)
	}
	w.exec("UPDATE items SET name = 'other'")
	if run := w.asked("names", `{"full": true, "stop_after": 3}`); run.Result != "drift" || run.Coverage >= 1 && run.Counts.Compared < 500 || run.StopAfter != 3 {
		t.Errorf("%+v", run)
	}
	for body, status := range map[string]int{`{"sample": 0}`: 422, `{"sample": 2000000}`: 422, `{"since": "tomorrow"}`: 422, `{"since": "1h"}`: 409, `{"sample": 5, "full": true}`: 409,
		`{"stop_after": -1}`: 422, `{"keys": [[{"text": "7"}]], "full": true}`: 409} {
		answer := handOver(w.handler, http.MethodPost, "/api/v1/checks/names/runs", body)
		if text, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != status {
			t.Error(fmt.Sprint(body, ": ", answer.StatusCode, " ", string(text), err))
		}
	}
}
