package configs_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumbline/configs"
	"plumbline/reconciler"
	"plumbline/sources"
)

const fixesConfiguration = `
access: {data_key: "${PASSWORD} that encrypts"}
sources:
  catalog: {kind: postgres, url: "${CATALOG_URL}"}
  view: {kind: sqlite, url: "${VIEW_URL}", fix_url: "${VIEW_URL}?fixes"}
  basket: {kind: mongodb, url: "${BASKET_URL}", fix_url: "${BASKET_URL}"}
defaults:
  owner: {source: catalog, dataset: orders, key: [id]}
  fields: [{owner: email, replica: email, mask: hash}]
  fix: {max_records: 7, allow: [update, delete, triggers], approvals: 2}
checks:
  plain:
    replica: {source: view, dataset: orders, key: [id]}
  written:
    replicas:
      - {source: view, dataset: orders, key: [id]}
      - {source: basket, dataset: orders, key: [id], fix: {mode: apply, max_share: 0.5%, approvals: 0}}
      - {name: left, source: basket, dataset: others, key: [id], fix: {mode: off}}
    fix: {mode: propose, allow: [update]}
  asked:
    replica: {source: view, dataset: orders, key: [id]}
    fix:
      mode: propose
      by: request
      allow: [update, insert]
      request: {url: "http://orders/api/{key.id}?mail={owner.email}", method: PUT, headers: {Authorization: "Bearer ${PASSWORD}"}, body: '{"mail": {owner.email}}', accepted: [202], timeout: 3s, tries: 2}
`

func fixesOf(t *testing.T, text string) *configs.Config {
	t.Helper()
	c, err := configs.Parse([]configs.File{{Name: "fixes.yaml", Data: []byte(text)}}, environment, secretFile)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What a replica's fix does not say, its check says, and then defaults, key by key.
func TestFixesAreSaidInLevels(t *testing.T) {
	t.Parallel()
	c := fixesOf(t, fixesConfiguration)
	update := []reconciler.Allow{"update"}
	want := map[string]map[string]reconciler.Policy{
		"written": {
			"view":   {Mode: reconciler.ModePropose, By: reconciler.Write, Allow: update, MaxRecords: 7, MaxShare: 20, Approvals: 2},
			"basket": {Mode: reconciler.ModeApply, By: reconciler.Write, Allow: update, MaxRecords: 7, MaxShare: 0.5},
		},
		"asked": {"view": {Mode: reconciler.ModePropose, By: reconciler.Request, Allow: []reconciler.Allow{"update", "insert"}, MaxRecords: 7, MaxShare: 20, Approvals: 2,
			Request: &reconciler.RequestTemplate{Method: "PUT", URL: "http://orders/api/{key.id}?mail={owner.email}", Body: `{"mail": {owner.email}}`,
				Headers: map[string]sources.Secret{"Authorization": "Bearer hunter2"}, Accepted: []int{202}, Timeout: 3 * time.Second, Tries: 2}}},
	}
	if diff := cmp.Diff(want, c.Fixes, cmp.Comparer(func(a, b sources.Secret) bool { return a.Reveal() == b.Reveal() })); diff != "" {
		t.Errorf("fixes differ (-want +got):\n%s", diff)
	}
	for _, name := range [][2]string{{"plain", "view"}, {"written", "left"}, {"others", "view"}} {
		if p := c.Fix(name[0], name[1]); p.Mode != reconciler.ModeOff {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if p := c.Fix("written", "view"); p.Mode != reconciler.ModePropose || c.Sources["view"].FixURL.Reveal() != "sqlite:///var/lib/hunter2.db?fixes" {
		t.Errorf("found %+v", p)
	}
	var notes []string
	for _, n := range c.Notes {
		notes = append(notes, n.Path+" "+n.Message)
	}
	if len(notes) != 2 || !strings.HasPrefix(notes[0], "sources.basket.fix_url is the url") || !strings.HasPrefix(notes[1], "checks.asked.fix.request.url is http") {
		t.Errorf("the notes are %q", notes)
	}
}

// How a check may be put right changes its plans' hash, and neither what it
// compares nor where its runs stand.
func TestFixHash(t *testing.T) {
	t.Parallel()
	hashes := func(text string) (checks, fixes map[string]string, whole string) {
		c := fixesOf(t, text)
		checks, fixes = map[string]string{}, map[string]string{}
		for i := range c.Checks {
			checks[c.Checks[i].Name] = c.CheckHash(&c.Checks[i], []byte("key"))
			fixes[c.Checks[i].Name] = c.FixHash(&c.Checks[i], []byte("key"))
		}
		return checks, fixes, c.Hash([]byte("key"))
	}
	checks, fixes, whole := hashes(fixesConfiguration)
	for _, change := range []struct {
		from, to string
		changed  []string
	}{
		{"max_share: 0.5%", "max_share: 0.6%", []string{"written"}},
		{"tries: 2", "tries: 3", []string{"asked"}},
		{"Bearer ${PASSWORD}", "Bearer x${PASSWORD}", []string{"asked"}},
		{"max_records: 7", "max_records: 8", []string{"asked", "written"}},
		{"${VIEW_URL}?fixes", "${VIEW_URL}?others", []string{"asked", "plain", "written"}},
	} {
		if strings.Count(fixesConfiguration, change.from) != 1 {
			t.Fatalf("%q does not stand once in the configuration", change.from)
		}
		c, f, w := hashes(strings.Replace(fixesConfiguration, change.from, change.to, 1))
		if diff := cmp.Diff(checks, c); diff != "" {
			t.Errorf("%s changes what is compared:\n%s", change.to, diff)
		}
		if w == whole {
			t.Errorf("%s does not change the hash of the whole", change.to)
		}
		for check, hash := range f {
			if (hash != fixes[check]) != slices.Contains(change.changed, check) {
				t.Errorf("%s: the hash of fixes of %s changed: %v", change.to, check, hash != fixes[check])
			}
		}
	}
}
