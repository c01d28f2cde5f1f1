package configs_test

import (
	"strings"
	"testing"

	"plumbline/configs"
)

func hashOf(t *testing.T, key string, texts ...string) string {
	t.Helper()
	var files []configs.File
	for i, text := range texts {
		files = append(files, configs.File{Name: string(rune('a'+i)) + ".yaml", Data: []byte(text)})
	}
	c, err := configs.Parse(files, environment, secretFile)
	if err != nil {
		t.Fatal(err)
	}
	return c.Hash([]byte(key))
}

// One meaning has one hash, however it is written.
func TestHashIsOfTheMeaning(t *testing.T) {
	t.Parallel()
	want := hashOf(t, "key", wholeConfiguration)
	head, checks, found := strings.Cut(wholeConfiguration, "\nchecks:\n")
	if !found {
		t.Fatal("the configuration has no checks")
	}
	for name, texts := range map[string][]string{
		"the same":            {wholeConfiguration},
		"comments and spaces": {"# a comment\n" + strings.ReplaceAll(wholeConfiguration, ": {", ":   {")},
		"two files":           {"checks:\n" + checks, head},
		"a default written":   {strings.Replace(wholeConfiguration, `url: "${BASKET_URL}"`, `url: "${BASKET_URL}", limits: {page: 500ms}`, 1)},
		"another spelling":    {strings.Replace(wholeConfiguration, "1m30s", "90s", 1)},
		"another ledger":      {strings.Replace(wholeConfiguration, "@ledger/", "@elsewhere/", 1)},
		"another address":     {strings.Replace(wholeConfiguration, "[::1]:9090", "127.0.0.1:9191", 1)},
		"another channel":     {strings.Replace(wholeConfiguration, "#prices", "#cost", 1)},
		"another threshold":   {strings.Replace(wholeConfiguration, "findings: 3", "findings: 4", 1)},
		"another audit key":   {strings.Replace(wholeConfiguration, "that chains", "that binds", 1)},
	} {
		if texts[0] == wholeConfiguration && name != "the same" {
			t.Errorf("%s: nothing is replaced", name)
		}
		if got := hashOf(t, "key", texts...); got != want {
			t.Errorf("%s: another hash", name)
		}
	}
	if len(want) != 64 || hashOf(t, "another key", wholeConfiguration) == want {
		t.Errorf("%q does not depend on the key", want)
	}
}

// Another meaning has another hash.
func TestHashTellsEveryDifference(t *testing.T) {
	t.Parallel()
	seen := map[string]string{hashOf(t, "key", wholeConfiguration): "the configuration as it is"}
	for _, change := range [][2]string{
		{"${BASKET_URL}", "${CATALOG_URL}"}, {"connections: 2", "connections: 3"}, {"page: 250ms", "page: 251ms"}, {"team: catalog", "team: catalogue"},
		{"kind: mongodb", "kind: mongodb, team: basket"}, {"settle: 10s", "settle: 11s"}, {"allow_empty: true", "allow_empty: false"},
		{`schedule: "@hourly"`, `schedule: "@daily"`}, {"Europe/Oslo */5", "Europe/Oslo */6"}, {"severity: critical", "severity: low"},
		{"region: 3", "region: 4"}, {"tenant: eu", "tenant: us"}, {"rate: 1.50", "rate: 1.51"}, {`code: "7"`, "code: 7"},
		{"NOT discontinued", "discontinued"}, {"as: uuid", "as: text"}, {"prefix: p-", "prefix: q-"}, {"id: [_id, items.id]", "id: [items.id, _id]"},
		{"fold: [case, space]", "fold: [case]"}, {"trim: true", "trim: left"}, {"within: 0.01", "within: 0.02"}, {"within_percent: 0.5%", "within_percent: 0.6%"},
		{`{1: ACTIVE, "1": TEXT`, `{2: ACTIVE, "1": TEXT`}, {"mask: hash", "mask: full"}, {"tz: Europe/Oslo}, replica", "tz: Europe/Paris}, replica"}, {"within: 2s", "within: 3s"},
		{"precision: ms", "precision: us"}, {"absent text, 0]", "absent text, 1]"}, {"until: 2027-01-31", "until: 2027-02-01"},
		{"owner.price * ", "owner.price + "}, {"name: archive", "name: archives"}, {"extra: ignore", "extra: report"}, {"{$sort: {day: 1}}", "{$sort: {day: -1}}"},
		{"  copies:\n", "  copied:\n"}, {"max_active: 9", "max_active: 8"}, {"Bearer ${PASSWORD}", "Basic ${PASSWORD}"}, {"keys: 5000", "keys: 5001"},
		{"random: 40%", "random: 41%"}, {"recent_by: changed", "recent_by: created"}, {"absent: [404, 410]", "absent: [404]"}, {"$.page.next", "$.page.after"},
		{"item: $.member", "item: $.user"}, {"format: hash", "format: text"}, {"whole: true", "whole: false"}, {"user:{id}:flat", "users:{id}:flat"},
	} {
		if strings.Count(wholeConfiguration, change[0]) != 1 {
			t.Errorf("%q stands %d times in the configuration", change[0], strings.Count(wholeConfiguration, change[0]))
			continue
		}
		hash := hashOf(t, "key", strings.Replace(wholeConfiguration, change[0], change[1], 1))
		if other, twice := seen[hash]; twice {
			t.Errorf("%q has the hash of %s", change[1], other)
		}
		seen[hash] = change[1]
	}
}

// A check's own hash changes with it and its sources alone.
func TestCheckHash(t *testing.T) {
	t.Parallel()
	hashes := func(text string) map[string]string {
		c, err := configs.Parse([]configs.File{{Name: "c.yaml", Data: []byte(text)}}, environment, secretFile)
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]string{}
		for i := range c.Checks {
			all[c.Checks[i].Name] = c.CheckHash(&c.Checks[i], []byte("key"))
		}
		return all
	}
	before := hashes(wholeConfiguration)
	for _, change := range []struct {
		from, to string
		changed  map[string]bool
	}{
		{"/tmp/view.db", "/tmp/other.db", map[string]bool{"copies": true}},
		{"connections: 2", "connections: 3", nil},
		{"settle: 1h", "settle: 2h", map[string]bool{"copies": true}},
		{"trim: true", "trim: left", map[string]bool{"prices": true}},
		{"Europe/Oslo */5", "Europe/Oslo */6", nil},
		{"max_active: 9", "max_active: 8", nil},
		{"Bearer ${PASSWORD}", "Basic ${PASSWORD}", map[string]bool{"users": true}},
		{"keys: 5000", "keys: 5001", map[string]bool{"users": true}},
		{"page_size: 200", "page_size: 100", map[string]bool{"users": true}},
	} {
		if strings.Count(wholeConfiguration, change.from) != 1 {
			t.Fatalf("%q does not stand once in the configuration", change.from)
		}
		for check, hash := range hashes(strings.Replace(wholeConfiguration, change.from, change.to, 1)) {
			if (hash != before[check]) != change.changed[check] {
				t.Errorf("%s instead of %s: the hash of %s changed: %v", change.to, change.from, check, hash != before[check])
			}
		}
	}
}
