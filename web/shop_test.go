package web_test

import (
	"fmt"
	"testing"
	"time"

	"plumbline/access"
	"plumbline/alerts"
	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
	"plumbline/sources"
	"plumbline/web"
)

// shopNow is when the pages of the shop are looked at.
func shopNow() time.Time { return time.Date(2027, 1, 9, 10, 58, 3, 0, time.UTC) }

func shopDeclared() *web.Declared {
	d := &web.Declared{LoadedAt: shopNow().Add(-26 * time.Hour), Checks: []web.DeclaredCheck{
		check("customers-in-billing", "finance", "critical", side("crm", "postgres", "public.customers"), side("billing", "mongodb", "customers"), "email", "name", "vat_id"),
		check("customers-in-orders", "fulfilment", "medium", side("crm", "postgres", "public.customers"), side("orders-db", "postgres", "public.customers"), "name", "city"),
		check("orders-in-search", "fulfilment", "high", side("orders-db", "postgres", "public.orders"), side("search", "mongodb", "orders"), "status", "total", "currency", "customer_id"),
		check("prices-in-baskets", "basket", "high", side("catalog", "postgres", "public.products"), side("basket", "mongodb", "baskets"), "name", "price"),
		check("products-in-search", "catalog", "medium", side("catalog", "postgres", "public.products"), side("search", "mongodb", "products"), "name", "price", "state"),
		check("stock-in-catalog", "warehouse", "low", side("warehouse", "sqlite", "stock"), side("catalog", "postgres", "public.stock"), "quantity"),
	}, Sources: []web.DeclaredSource{
		{Name: "basket", Kind: "mongodb", Team: "basket", Connections: 4}, {Name: "billing", Kind: "mongodb", Team: "finance", Connections: 4},
		{Name: "catalog", Kind: "postgres", Team: "catalog", Connections: 4}, {Name: "crm", Kind: "postgres", Team: "finance", Connections: 4},
		{Name: "orders-db", Kind: "postgres", Team: "fulfilment", Connections: 4}, {Name: "search", Kind: "mongodb", Team: "search", Connections: 4},
		{Name: "warehouse", Kind: "sqlite", Team: "warehouse", Connections: 1}}}
	d.Check("customers-in-billing").Edges[0].Rules[0].Mask = checks.MaskPartial
	orders := d.Check("orders-in-search")
	orders.Description = "Orders found in the search carry the order's own status, total and currency."
	orders.Runbook = "https://wiki.example.com/orders-in-search"
	orders.Fix = map[string]reconciler.Policy{"search": {Mode: reconciler.ModePropose, By: reconciler.Write, Approvals: 1}}
	orders.Owner.Version, orders.Edges[0].Replica.Version = "updated_at", "updated_at"
	return d
}

// lateOrders are orders whose status did not reach the search.
func lateOrders(n int) []checks.Difference {
	var list []checks.Difference
	for i := range n {
		id := int64(9182736450192837 + i*31)
		d := mismatch(id, "status", "paid", "pending")
		if i%13 == 5 {
			d = mismatch(id, "status", "shipped", "paid ")
		}
		if i == 3 {
			d.Fields = append(d.Fields, checks.FieldDifference{Owner: "total", Replica: "total", OwnerValue: sources.Text("129.90"), ReplicaValue: sources.Text("119.90"), Rule: "exact"})
		}
		d.Age, d.OwnerVersion, d.ReplicaVersion = checks.Stale, sources.Int(7), sources.Int(6)
		list = append(list, d)
	}
	return append(list, oneSided(checks.Missing, 77))
}

// shopTold has people told, and some of them act.
func shopTold(h *history) {
	h.t.Helper()
	ctx := h.t.Context()
	h.clock.set(shopNow().Add(-8 * time.Minute))
	h.sendAll()
	h.clock.set(shopNow().Add(-5 * time.Minute))
	h.must(h.ledger.MuteCheck(ctx, alerts.Mute{Check: "orders-in-search", Until: shopNow().Add(3 * time.Hour), Actor: "ada", Reason: "the importer is being mended", At: h.clock.now()}))
	open, _, err := h.ledger.Incidents(ctx, ledger.IncidentFilter{Check: "customers-in-billing", State: "open"})
	h.must(err)
	for _, i := range open {
		_, err := h.ledger.AcknowledgeIncident(ctx, i.ID, "ada", "asked the customer", 0)
		h.must(err)
	}
	h.sendAll() // for two minutes at most
	h.clock.set(shopNow())
}

// sendAll sends whatever is due within a minute or two.
func (h *history) sendAll() {
	h.t.Helper()
	until := h.clock.now().Add(2 * time.Minute)
	for sent := 0; ; sent++ {
		d, next, err := h.ledger.ClaimDelivery(h.t.Context(), []string{"slack", "webhook"})
		h.must(err)
		switch {
		case d != nil:
			ref := alerts.Ref{}
			if d.Target.Integration == "slack" {
				ref = alerts.Ref{Channel: "C0" + d.Target.Address, TS: fmt.Sprintf("%d.%06d", h.clock.now().Unix(), sent)}
			}
			h.must(h.ledger.SettleDelivery(h.t.Context(), d, alerts.Receipt{Ref: ref}, nil))
		case next.IsZero() || next.After(until):
			return
		default:
			h.clock.set(next)
		}
	}
}

// shop is a day of a shop with several services: most of it is well, orders began
// to drift an hour ago, one store is down, and one run is under way.
func shop(t testing.TB) *history {
	h := newHistory(t, shopNow().Add(-24*time.Hour), shopDeclared())
	h.targets = func(c *web.DeclaredCheck) []alerts.Target {
		return []alerts.Target{{Integration: "slack", Address: "#" + c.Team}, {Integration: "webhook", Address: "oncall"}}
	}
	customer := mismatch(41, "email", "ada@example.com", "ada@example.org")
	customer.Fields[0].Mask = checks.MaskPartial
	begin := shopNow().Add(-24 * time.Hour)
	for half := range 48 {
		h.clock.set(begin.Add(time.Duration(half)*30*time.Minute + 90*time.Second))
		orders := pass{equal: 1_118_204, segments: 4, took: 38 * time.Second}
		if half >= 44 {
			orders.differ = lateOrders(20 * (half - 43))
			orders.cleared = lateOrders(120)[100:107]
			orders.waits = map[string]int64{"replica lag 3.5 s > 1 s": 3200}
		}
		h.run("orders-in-search", "search", orders)
		billing := pass{equal: 48_211, took: 4 * time.Second}
		if half == 20 || half >= 41 {
			billing.differ = []checks.Difference{customer}
		}
		h.run("customers-in-billing", "billing", billing)
		customers := pass{equal: 48_212, segments: 3, took: 5 * time.Second}
		if half%11 == 4 || half == 47 {
			customers.failed = "read a page of orders-db: statement timeout after 30 s at 50 records"
		}
		h.run("customers-in-orders", "orders-db", customers)
		baskets := pass{equal: 9_314, took: 2 * time.Second}
		if half >= 45 {
			baskets.failure = "connect to basket: dial tcp 127.0.0.1:27017: connect: connection refused"
		}
		h.run("prices-in-baskets", "basket", baskets)
		h.run("products-in-search", "search", pass{equal: 20_418, took: 3 * time.Second})
		if half > 18 {
			stock := pass{equal: 5_120, took: time.Second}
			if half == 25 {
				stock.differ = []checks.Difference{mismatch(12, "quantity", "4", "5"), mismatch(13, "quantity", "0", "1")}
			}
			h.run("stock-in-catalog", "catalog", stock)
			if half == 26 {
				h.heal("stock-in-catalog", "catalog")
			}
		}
	}
	h.clock.set(shopNow().Add(-95 * time.Second))
	h.run("orders-in-search", "search", pass{equal: 1_118_204, differ: lateOrders(84), segments: 120, took: 100 * time.Second, leave: "running", waits: map[string]int64{"replica lag 3.5 s > 1 s": 3200, "active queries 31 > 25": 800}})
	h.clock.set(shopNow())
	if _, err := h.ledger.Heartbeat(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	list, _, err := h.ledger.Findings(t.Context(), ledger.FindingFilter{Check: "orders-in-search", State: "open", Limit: 9})
	h.must(err)
	for i, f := range list {
		o := drift.Observation{Event: drift.Acknowledge, At: shopNow().Add(-9 * time.Minute), Actor: access.LocalUser}
		if i%3 == 2 {
			o.Event, o.Until = drift.Mute, shopNow().Add(24*time.Hour)
		}
		if i%3 != 0 {
			_, err := h.ledger.Act(t.Context(), []string{f.ID}, o, 0)
			h.must(err)
		}
	}
	shopTold(h)
	lag := 120 * time.Millisecond
	asked := shopNow().Add(-8 * time.Second)
	up := func(latency time.Duration, product, version string) web.SourceState {
		return web.SourceState{State: web.SourceUp, ProbedAt: asked, Latency: latency, Facts: sources.Facts{Product: product, Version: version}}
	}
	h.sources = map[string]web.SourceState{
		"basket":  {State: web.SourceDown, Since: shopNow().Add(-106 * time.Minute), ProbedAt: asked, Why: "dial tcp 127.0.0.1:27017: connect: connection refused"},
		"billing": up(21*time.Millisecond, "MongoDB", "7.0.1"), "catalog": up(8*time.Millisecond, "PostgreSQL", "15.8"), "crm": up(11*time.Millisecond, "PostgreSQL", "16.1"),
		"orders-db": up(9*time.Millisecond, "PostgreSQL", "15.8"), "search": up(14*time.Millisecond, "MongoDB", "7.0.1"), "warehouse": up(300*time.Microsecond, "SQLite", "3.50.4")}
	billing, orders := h.sources["billing"], h.sources["orders-db"]
	billing.Facts.CanWrite, billing.Facts.Notes = true, []string{"the role may write to the database shop"}
	orders.Facts.Standby, orders.Lag, orders.InUse, orders.Today = true, &lag, 2, map[string]time.Duration{"replica lag": 12 * time.Second}
	h.sources["billing"], h.sources["orders-db"] = billing, orders
	shopFixes(h)
	return h
}
