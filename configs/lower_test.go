package configs_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/cockroachdb/apd/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"plumbline/checks"
	"plumbline/configs"
	"plumbline/sources"
)

const wholeConfiguration = `
ledger: postgres://plumbline:${PASSWORD}@ledger/plumbline
server: {listen: "[::1]:9090", public_url: "https://plumbline.example.com/", trusted_proxies: [10.1.0.0/16, "fd00::1"], metrics: ":9091"}
access: {audit_key: "${PASSWORD} that chains the log"}
alerts:
  slack: {token: "${SLACK_TOKEN}", signing_secret: "${SLACK_SIGNING_SECRET}", app_token: "${SLACK_APP_TOKEN:-}", channel: "#data", api_url: "http://127.0.0.1:9/api/"}
  webhooks:
    - {name: pager, url: "https://pager/${PASSWORD}", secret: "${PASSWORD}0123456789", all: true}
    - {name: tickets, url: "https://tickets", secret: "${PASSWORD}9876543210"}
  routes:
    - {checks: [pri*, cop*], severity: [critical], slack: "#oncall", webhooks: [tickets], mention: S0123456789}
    - {team: basket, webhooks: [tickets]}
  digest: {at: "07:30", zone: Europe/Oslo, webhooks: [pager]}
sources:
  catalog:
    kind: postgres
    url: ${file:/run/secrets/catalog}
    team: catalog
    limits: {connections: 2, page: 250ms, statement_timeout: 1m30s, records_per_second: 5000, max_lag: 0, max_active: 9}
  basket: {kind: mongodb, url: "${BASKET_URL}"}
  view: {kind: sqlite, url: "${VIEW_FILE:-sqlite:///tmp/view.db}"}
  members: {kind: http, url: "https://members/api", headers: {Authorization: "Bearer ${PASSWORD}"}}
  cache: {kind: redis, url: "redis://cache/3"}
  billing: {kind: mysql, url: "mysql://billing/shop"}
defaults:
  severity: high
  settle: 10s
  allow_empty: true
  schedule: "@hourly"
  alert: {above: {findings: 3, share: 0.5%}, repeat: 0}
checks:
  prices:
    schedule: CRON_TZ=Europe/Oslo */5 * * * *
    description: "Costs $${ nothing"
    team: ${TEAM:-basket}
    runbook: https://wiki.example.com/prices
    severity: critical
    alert: {slack: "#prices", webhooks: [tickets], mention: U0123456789, repeat: 1d}
    owner:
      source: catalog
      dataset: public.products
      scope: {tenant: eu, region: 3, open: true, code: "7", rate: 1.50}
      where: NOT discontinued
      key: [tenant, {field: id, as: uuid}]
      version: updated_at
      deleted_when: deleted_at IS NOT NULL
    replica:
      source: basket
      dataset: baskets
      unwind: items
      filter: {state: {$in: [open, 2, null]}}
      deleted_when: '{"gone": true}'
      key: [items.tenant, {field: items.productId, prefix: p-}]
      id: [_id, items.id]
      version: items.syncedAt
    fields:
      - name
      - {owner: title, replica: items.productName, fold: [case, space], trim: true, unicode: nfc}
      - {owner: price, replica: items.unitPrice, within: 0.01, within_percent: 0.5%}
      - {owner: state, replica: items.state, map: {1: ACTIVE, "1": TEXT, true: null}, mask: hash}
      - {owner: {field: changed, as: time, tz: Europe/Oslo}, replica: {field: items.syncedAt, as: time, tz: UTC}, within: 2s}
      - {owner: seen, replica: items.seen, precision: ms, null_equals: [absent, "", absent text, 0]}
      - {owner: tags, replica: items.tags, order: ignore, ignore: {until: 2027-01-31, reason: being renamed}}
    invariants:
      - {name: total, expr: "replica['items.total'] == owner.price * replica['items.quantity']"}
  copies:
    owner: {source: catalog, query: "SELECT day, sum(total) AS total FROM orders GROUP BY day", key: [day]}
    settle: 1h
    fields: [total]
    fix: {mode: off, allow: [update], max_share: 20%}
    sample: all
    replicas:
      - {source: view, dataset: totals, key: [day]}
      - {name: archive, source: view, dataset: old_totals, key: [day], missing: ignore, extra: ignore, settle: 0s,
         fields: [{owner: total, replica: sum}]}
      - {source: basket, dataset: totals, pipeline: [{$sort: {day: 1}}], key: [day], id: [n], missing: report, fields: []}
  users:
    sample: {keys: 5000, random: 40%, recent_by: changed}
    owner: {source: billing, dataset: users, key: [id]}
    fields: [email]
    replicas:
      - source: members
        list: {path: /members, items: $.data, next: $.page.next, page_size: 200, query: {size: "{page_size}", whole: true}}
        get: {path: "/members/{id}", item: $.member, absent: [404, 410]}
        batch: {path: /members, query: {ids: "{ids}"}}
        key: [customerId]
        deleted_when: state == 'gone'
      - {source: cache, dataset: "user:{id}", key: [id]}
      - {name: flat, source: cache, dataset: "user:{id}:flat", format: hash, key: [id]}
`

// What a configuration says arrives in checks, whole and in the right types.
func TestLowering(t *testing.T) {
	t.Parallel()
	got, err := configs.Parse([]configs.File{{Name: "whole.yaml", Data: []byte(wholeConfiguration)}}, environment, secretFile)
	if err != nil {
		t.Fatal(err)
	}
	usual := configs.Limits{Connections: 4, Page: 500 * time.Millisecond, StatementTimeout: 30 * time.Second, MaxLag: 10 * time.Second, MaxActive: 25}
	want := &configs.Config{
		Ledger: "postgres://plumbline:hunter2@ledger/plumbline",
		Server: configs.Server{Listen: "[::1]:9090", PublicURL: "https://plumbline.example.com", Metrics: ":9091",
			TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::1/128")}},
		Alerts: wantAlerts(t), Access: configs.Access{AuditKey: "hunter2 that chains the log"},
		Schedules: map[string]string{"copies": "@hourly", "users": "@hourly", "prices": "CRON_TZ=Europe/Oslo */5 * * * *"},
		Sources: map[string]configs.Source{
			"catalog": {Name: "catalog", Kind: "postgres", URL: "postgres://reader:hunter2@catalog/shop", Team: "catalog",
				Limits: configs.Limits{Connections: 2, Page: 250 * time.Millisecond, StatementTimeout: 90 * time.Second, RecordsPerSecond: 5000, MaxActive: 9}},
			"basket": {Name: "basket", Kind: "mongodb", URL: "mongodb://reader:hunter2@basket/shop",
				Limits: usual},
			"view": {Name: "view", Kind: "sqlite", URL: "sqlite:///tmp/view.db",
				Limits: usual},
			"members": {Name: "members", Kind: "http", URL: "https://members/api", Headers: map[string]sources.Secret{"Authorization": "Bearer hunter2"}, Limits: usual},
			"cache":   {Name: "cache", Kind: "redis", URL: "redis://cache/3", Limits: usual},
			"billing": {Name: "billing", Kind: "mysql", URL: "mysql://billing/shop", Limits: usual},
		},
		Checks: []checks.Check{wantCopies(), wantPrices(t), wantUsers()},
	}
	same := cmp.Options{
		cmp.Comparer(func(a, b sources.Value) bool { return a.Equal(b) }),
		cmp.Comparer(func(a, b *apd.Decimal) bool { return a == nil && b == nil || a != nil && b != nil && a.Cmp(b) == 0 }),
		cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() }),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmp.Comparer(func(a, b sources.Secret) bool { return a.Reveal() == b.Reveal() }),
		cmpopts.IgnoreFields(checks.Invariant{}, "Program"), cmpopts.EquateEmpty(),
	}
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Errorf("configuration differs (-want +got):\n%s", diff)
	}
	if got.Checks[1].Edges[0].Invariants[0].Program == nil {
		t.Error("the invariant is not compiled")
	}
}

func wantAlerts(t *testing.T) configs.Alerts {
	oslo, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		t.Fatal(err)
	}
	return configs.Alerts{
		Slack: &configs.Slack{Token: "xoxb-hunter2", SigningSecret: "hunter2", Channel: "#data", APIURL: "http://127.0.0.1:9/api"},
		Webhooks: []configs.Webhook{{Name: "pager", URL: "https://pager/hunter2", Secret: "hunter20123456789", All: true},
			{Name: "tickets", URL: "https://tickets", Secret: "hunter29876543210"}},
		Routes: []configs.Route{{Checks: []string{"pri*", "cop*"}, Severity: []string{"critical"}, Slack: "#oncall", Webhooks: []string{"tickets"}, Mention: "S0123456789"},
			{Team: "basket", Webhooks: []string{"tickets"}}},
		Digest: &configs.Digest{At: "07:30", Zone: oslo, Slack: "#data", Webhooks: []string{"pager"}},
		Checks: map[string]configs.Alert{"copies": {Findings: 3, Share: 0.005}, "users": {Findings: 3, Share: 0.005},
			"prices": {Slack: "#prices", Webhooks: []string{"tickets"}, Mention: "U0123456789", Findings: 3, Share: 0.005, Repeat: 24 * time.Hour}},
	}
}

func wantPrices(t *testing.T) checks.Check {
	oslo, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		t.Fatal(err)
	}
	plain := func(owner, replica string) checks.Rule {
		return checks.Rule{Owner: checks.FieldRef{Name: owner}, Replica: checks.FieldRef{Name: replica}, Precision: -1}
	}
	title, price, state := plain("title", "items.productName"), plain("price", "items.unitPrice"), plain("state", "items.state")
	title.FoldCase, title.FoldSpace, title.TrimLeft, title.TrimRight, title.NFC = true, true, true, true, true
	price.Within, price.WithinPercent = apd.New(1, -2), apd.New(5, -1)
	state.Mask = checks.MaskHash
	state.Map = []checks.MapPair{{Owner: sources.Int(1), Replica: sources.Text("ACTIVE")},
		{Owner: sources.Text("1"), Replica: sources.Text("TEXT")}, {Owner: sources.Bool(true), Replica: sources.Null()}}
	changed, seen, tags := plain("changed", "items.syncedAt"), plain("seen", "items.seen"), plain("tags", "items.tags")
	changed.Owner.As, changed.Owner.Zone = sources.KindTime, oslo
	changed.Replica.As, changed.Replica.Zone = sources.KindTime, time.UTC
	changed.WithinTime = 2 * time.Second
	seen.Precision = 3
	seen.NullEquals = []sources.Value{{}, sources.Text(""), sources.Text("absent text"), sources.Int(0)}
	tags.AnyOrder, tags.IgnoreUntil, tags.IgnoreReason = true, time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC), "being renamed"
	return checks.Check{
		Name: "prices", Description: "Costs ${ nothing", Severity: "critical", Team: "basket", Runbook: "https://wiki.example.com/prices", AllowEmpty: true,
		Owner: checks.Side{Source: "catalog", Kind: "postgres", Version: "updated_at",
			Forms: []checks.KeyForm{{}, {As: sources.KindUUID}},
			Dataset: sources.Dataset{Name: "public.products", Key: []string{"tenant", "id"}, Where: "NOT discontinued", DeletedWhen: "deleted_at IS NOT NULL",
				Scope: []sources.Condition{{Field: "code", Value: sources.Text("7")}, {Field: "open", Value: sources.Bool(true)},
					{Field: "rate", Value: sources.Decimal("15", -1, 2)}, {Field: "region", Value: sources.Int(3)}, {Field: "tenant", Value: sources.Text("eu")}}}},
		Edges: []checks.Edge{{Name: "basket", Settle: 10 * time.Second, IgnoreMissing: true,
			Replica: checks.Side{Source: "basket", Kind: "mongodb", Version: "items.syncedAt",
				Forms: []checks.KeyForm{{}, {As: sources.KindText, Prefix: "p-"}},
				Dataset: sources.Dataset{Name: "baskets", Unwind: "items", Key: []string{"items.tenant", "items.productId"}, ID: []string{"_id", "items.id"},
					Filter: `{"state":{"$in":["open",2,null]}}`, DeletedWhen: `{"gone": true}`}},
			Rules:      []checks.Rule{plain("name", "items.name"), title, price, state, changed, seen, tags},
			Invariants: []checks.Invariant{{Name: "total", Expr: "replica['items.total'] == owner.price * replica['items.quantity']"}},
		}},
	}
}

func wantCopies() checks.Check {
	side := func(source, kind, dataset string) checks.Side {
		return checks.Side{Source: source, Kind: kind, Forms: []checks.KeyForm{{}}, Dataset: sources.Dataset{Name: dataset, Key: []string{"day"}}}
	}
	owner := side("catalog", "postgres", "")
	owner.Dataset.Query = "SELECT day, sum(total) AS total FROM orders GROUP BY day"
	archive := side("view", "sqlite", "old_totals")
	pipeline := side("basket", "mongodb", "totals")
	pipeline.Dataset.Pipeline, pipeline.Dataset.ID = `[{"$sort":{"day":1}}]`, []string{"n"}
	rule := func(replica string) []checks.Rule {
		return []checks.Rule{{Owner: checks.FieldRef{Name: "total"}, Replica: checks.FieldRef{Name: replica}, Precision: -1}}
	}
	return checks.Check{Name: "copies", Severity: "high", AllowEmpty: true, Owner: owner, Edges: []checks.Edge{
		{Name: "view", Replica: side("view", "sqlite", "totals"), Rules: rule("total"), Settle: time.Hour},
		{Name: "archive", Replica: archive, Rules: rule("sum"), IgnoreMissing: true, IgnoreExtra: true},
		{Name: "basket", Replica: pipeline, Settle: time.Hour},
	}}
}

func wantUsers() checks.Check {
	rules := []checks.Rule{{Owner: checks.FieldRef{Name: "email"}, Replica: checks.FieldRef{Name: "email"}, Precision: -1}}
	side := func(source, kind string, d sources.Dataset) checks.Side {
		return checks.Side{Source: source, Kind: kind, Forms: []checks.KeyForm{{}}, Dataset: d}
	}
	edge := func(name string, replica checks.Side) checks.Edge {
		return checks.Edge{Name: name, Replica: replica, Rules: rules, Settle: 10 * time.Second}
	}
	members := sources.Dataset{Key: []string{"customerId"}, DeletedWhen: "state == 'gone'", Endpoint: &sources.Endpoint{
		List:  &sources.Listing{Path: "/members", Query: map[string]string{"size": "{page_size}", "whole": "true"}, Items: "$.data", Next: "$.page.next", PageSize: 200},
		Get:   &sources.Getting{Path: "/members/{customerId}", Item: "$.member", Absent: []int{404, 410}},
		Batch: &sources.Batching{Path: "/members", Query: map[string]string{"ids": "{ids}"}, Items: "$", Size: 100}}}
	return checks.Check{Name: "users", Severity: "high", AllowEmpty: true, Sample: checks.Sample{Keys: 5000, Recent: 0.375, Rolling: 0.225, Random: 0.4, RecentBy: "changed"},
		Owner: side("billing", "mysql", sources.Dataset{Name: "users", Key: []string{"id"}}),
		Edges: []checks.Edge{edge("members", side("members", "http", members)),
			edge("cache", side("cache", "redis", sources.Dataset{Name: "user:{id}", Format: sources.FormatJSON, Key: []string{"id"}})),
			edge("flat", side("cache", "redis", sources.Dataset{Name: "user:{id}:flat", Format: sources.FormatHash, Key: []string{"id"}})),
		}}
}

// A check says whether it has one replica or several; defaults never turn that around.
func TestReplicaBeatsDefaultReplicas(t *testing.T) {
	t.Parallel()
	text := `
sources: {shop: {kind: sqlite, url: "${VIEW_URL}"}}
defaults:
  owner: {source: shop, dataset: orders, key: [id]}
  replicas: [{source: shop, dataset: a, key: [id]}, {name: b, source: shop, dataset: b, key: [id]}]
  fields: [total]
checks:
  one: {replica: {source: shop, dataset: c, key: [id]}}
  two: {fields: []}
`
	c, err := configs.Parse([]configs.File{{Name: "defaults.yaml", Data: []byte(text)}}, environment, secretFile)
	if err != nil {
		t.Fatal(err)
	}
	one, two := c.Checks[0], c.Checks[1]
	if len(one.Edges) != 1 || one.Edges[0].Replica.Dataset.Name != "c" || len(one.Edges[0].Rules) != 1 {
		t.Errorf("one has %+v", one.Edges)
	}
	if len(two.Edges) != 2 || len(two.Edges[0].Rules) != 0 || two.Edges[1].Name != "b" {
		t.Errorf("two has %+v", two.Edges)
	}
}
