package configs_test

import (
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"plumbline/checks"
	"plumbline/configs"
)

// The configuration that testdata/bad/later.txtar holds as everything.yaml has
// every key there is; with the one source it does not declare it loads.
func TestEveryKeyIsUnderstood(t *testing.T) {
	t.Parallel()
	archive, err := txtar.ParseFile("testdata/bad/later.txtar")
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, f := range archive.Files {
		if f.Name == "everything.yaml" {
			text = strings.Replace(string(f.Data), "sources:\n", "sources:\n  cache: {kind: redis, url: redis://cache}\n", 1)
		}
	}
	c, err := configs.Parse([]configs.File{{Name: "everything.yaml", Data: []byte(text)}}, environment, secretFile)
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]checks.Check{}
	for _, check := range c.Checks {
		by[check.Name] = check
	}
	members, session := by["loyalty-customers"].Edges[0].Replica.Dataset, by["session-cache"].Edges[0].Replica.Dataset
	if len(by) != 3 || members.Endpoint == nil || members.Endpoint.Get.Path != "/members/{customerId}" || session.Name != "user:{id}" || session.Format != "json" {
		t.Errorf("got %v, %+v and %+v", by, members, session)
	}
	if !by["basket-prices"].Sample.All() {
		t.Errorf("a sample of all is %+v", by["basket-prices"].Sample)
	}
}

// Shares that are not written have what the written ones leave; without a field
// that says when a record changed, nothing is recent, and a note says so.
func TestSharesOfASample(t *testing.T) {
	t.Parallel()
	for sample, want := range map[string]checks.Sample{
		"all":                                       {},
		"{keys: 100, recent_by: at}":                {Keys: 100, Recent: 0.5, Rolling: 0.3, Random: 0.2, RecentBy: "at"},
		"{keys: 100}":                               {Keys: 100, Rolling: 0.6, Random: 0.4},
		"{keys: 100, random: 100%}":                 {Keys: 100, Random: 1},
		"{keys: 100, recent: 100%}":                 {Keys: 100, Rolling: 0.6, Random: 0.4},
		"{keys: 100, recent: 20%, recent_by: at}":   {Keys: 100, Recent: 0.2, Rolling: 0.48, Random: 0.32, RecentBy: "at"},
		"{keys: 100, rolling: 50%, random: 50%}":    {Keys: 100, Rolling: 0.5, Random: 0.5},
		"{keys: 500000, random: 20%, rolling: 80%}": {Keys: 500000, Rolling: 0.8, Random: 0.2},
	} {
		text := "checks:\n  a:\n    sample: " + sample + "\n    owner: {source: s, dataset: a, key: [id]}\n    replica: {source: s, dataset: b, key: [id]}\n" +
			"    fields: []\nsources: {s: {kind: sqlite, url: \"${VIEW_URL}\"}}\n"
		c, err := configs.Parse([]configs.File{{Name: "a.yaml", Data: []byte(text)}}, environment, secretFile)
		if err != nil {
			t.Fatal(sample, err)
		}
		got := c.Checks[0].Sample
		near := func(a, b float64) bool { return a-b < 1e-12 && b-a < 1e-12 }
		if got.Keys != want.Keys || got.RecentBy != want.RecentBy || !near(got.Recent, want.Recent) || !near(got.Rolling, want.Rolling) || !near(got.Random, want.Random) {
			t.Errorf("%s is %+v", sample, got)
		}
		if noted := len(c.Notes) > 0; noted != (want.Keys > 0 && want.RecentBy == "" && !strings.Contains(sample, "random: ")) {
			t.Errorf("%s has the notes %v", sample, c.Notes)
		}
	}
}
