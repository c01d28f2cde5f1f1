package slack

import (
	"time"

	"plumbline/alerts"
	"plumbline/checks"
	"plumbline/drift"
	"plumbline/reconciler"
	"plumbline/sources"
)

// Sample is a delivery to show what messages look like.
type Sample struct {
	Name     string
	Delivery alerts.Delivery
}

// Samples are one delivery of each kind, for the documentation and for a preview
// without a ledger, as if it were now.
func Samples(now time.Time) []Sample {
	opened := now.Add(-14 * time.Minute)
	incident := func(change func(*alerts.Incident)) *alerts.Incident {
		i := &alerts.Incident{
			ID: "I-204", Number: 204, Check: "basket-prices", Kind: alerts.Drift, State: alerts.Open,
			OpenedAt: opened, ChangedAt: now, First: 412, Peak: 412, Told: 412, ToldAt: opened, Revision: 7,
			Facts: sampleFacts(412, opened),
		}
		change(i)
		return i
	}
	policy := alerts.Policy{
		Check: "basket-prices", Description: "Items in baskets carry the catalog's current name and price.",
		Severity: "high", Team: "basket", Runbook: "https://wiki.example.com/basket-prices",
		Owner: "catalog.public.products", Replicas: []string{"basket.baskets", "search.products"},
	}
	target := alerts.Target{Integration: "slack", Address: "#basket", Mention: "S0ONCALL"}
	sample := func(name string, step alerts.Step, i *alerts.Incident) Sample {
		return Sample{Name: name, Delivery: alerts.Delivery{
			ID: "sample-" + name, Step: step, Target: target, Incident: i, Policy: policy, Now: now,
		}}
	}
	growing := func(i *alerts.Incident) {
		i.State, i.AcknowledgedBy, i.AcknowledgedAt = alerts.Acknowledged, "ann", now.Add(-9*time.Minute)
		i.Facts, i.Peak, i.Revision = sampleFacts(530, opened), 530, 9
	}
	resolved := func(i *alerts.Incident) {
		i.State, i.OpenedAt, i.ResolvedAt = alerts.Resolved, now.Add(-31*time.Minute), now
		i.Facts = sampleFacts(0, now)
		i.Facts.Fixed, i.Facts.Healed, i.Peak, i.Revision = 527, 3, 530, 12
		i.Facts.FixedBy = []string{"P-77"}
		i.Facts.Plans = []alerts.Plan{samplePlan(reconciler.Applied)}
		i.Resolution = "530 findings in sync again after 31 min (527 fixed by plan P-77, 3 healed)"
	}

	first := sample("initial", alerts.Post, incident(func(*alerts.Incident) {}))
	grown := sample("acknowledged and growing", alerts.Edit, incident(growing))
	muted := sample("muted", alerts.Edit, incident(growing))
	muted.Delivery.Muted = &alerts.Mute{
		Check: "basket-prices", Until: now.Add(4 * time.Hour), Actor: "ann", Reason: "the import is being repeated", At: now,
	}
	planned := sample("a plan waits for approval", alerts.Edit, incident(func(i *alerts.Incident) {
		growing(i)
		i.Facts.Plans, i.Revision = []alerts.Plan{samplePlan(reconciler.Waiting)}, 10
	}))
	ended := sample("resolved", alerts.Edit, incident(resolved))
	back := sample("regressed", alerts.Edit, incident(func(i *alerts.Incident) {
		i.Regressed, i.Told, i.Peak, i.Facts, i.Revision = 1, 3, 530, sampleFacts(3, opened), 15
	}))
	thread := sample("thread", alerts.Reply, incident(func(i *alerts.Incident) {
		growing(i)
		i.Facts, i.Peak, i.Told = sampleFacts(1024, opened), 1024, 1024
	}))
	thread.Delivery.Milestones = []alerts.Milestone{
		{Event: alerts.WasAcknowledged, At: now.Add(-9 * time.Minute), Actor: "ann", Counted: 412, Note: "looking at the price import"},
		{Event: alerts.HasGrown, At: now, Counted: 1024},
	}
	fixing := sample("thread of a fix", alerts.Reply, incident(growing))
	waiting, applied := samplePlan(reconciler.Waiting), samplePlan(reconciler.PartlyApplied)
	fixing.Delivery.Milestones = []alerts.Milestone{
		{Event: alerts.PlanBecame(waiting.State), At: now.Add(-8 * time.Minute), Actor: "ann", Counted: 530, Note: waiting.Words()},
		{Event: alerts.PlanBecame(reconciler.Approved), At: now.Add(-5 * time.Minute), Actor: "bob", Counted: 530, Note: waiting.Words()},
		{Event: alerts.PlanBecame(applied.State), At: now, Actor: "ann", Counted: 6, Note: applied.Words()},
	}
	return []Sample{first, grown, planned, muted, ended, back, sampleBlind(now, target), sampleSchema(now, target), thread, fixing, sampleDigest(now, target)}
}

// samplePlan is a plan of 527 updates in a state.
func samplePlan(state reconciler.PlanState) alerts.Plan {
	p := alerts.Plan{ID: "P-77", Replica: "basket", State: state, By: "ann", Needs: 1, Kinds: map[sources.ChangeKind]int64{sources.Update: 527},
		Counts: map[reconciler.ItemState]int64{reconciler.Pending: 527}}
	switch state {
	case reconciler.Applied:
		p.ApprovedBy, p.BegunBy, p.Counts = []string{"bob"}, "ann", map[reconciler.ItemState]int64{reconciler.ItemVerified: 527}
	case reconciler.PartlyApplied:
		p.ApprovedBy, p.BegunBy = []string{"bob"}, "ann"
		p.Counts = map[reconciler.ItemState]int64{reconciler.ItemVerified: 524, reconciler.ItemStale: 3}
	}
	return p
}

func sampleFacts(counted int64, opened time.Time) alerts.Facts {
	f := alerts.Facts{
		Counted: counted, Loud: counted, Compared: 1_200_113,
		Edges: []alerts.EdgeFacts{
			{Replica: "basket", Consistency: drift.Drifted, Since: opened, Coverage: 1, Findings: counted},
			{Replica: "search", Consistency: drift.InSync, Since: opened.Add(-time.Hour), Coverage: 1},
		},
	}
	if counted == 0 {
		f.Edges[0].Consistency = drift.InSync
		return f
	}
	f.Kinds = []alerts.Count{{Name: string(checks.Mismatch), N: max(1, counted-3)}, {Name: string(checks.Missing), N: min(3, counted-1)}}
	f.Fields = []alerts.Count{{Name: "price", N: max(1, counted-3)}, {Name: "name", N: 1}}
	return f
}

func sampleBlind(now time.Time, target alerts.Target) Sample {
	since := now.Add(-6 * time.Minute)
	return Sample{Name: "cannot check", Delivery: alerts.Delivery{
		ID: "sample-blind", Step: alerts.Post, Target: target, Now: now,
		Policy: alerts.Policy{
			Check: "session-cache", Severity: "medium", Team: "identity",
			Owner: "catalog.public.users", Replicas: []string{"cache.user:{id}"},
		},
		Incident: &alerts.Incident{
			ID: "I-205", Number: 205, Check: "session-cache", Kind: alerts.Blind, State: alerts.Open,
			OpenedAt: since, ChangedAt: since, Revision: 1,
			Facts: alerts.Facts{Edges: []alerts.EdgeFacts{
				{Replica: "cache", Consistency: drift.Unknown, Since: since, Cause: "the replica cache could not be read"},
			}},
		},
	}}
}

func sampleSchema(now time.Time, target alerts.Target) Sample {
	since := now.Add(-3 * time.Minute)
	return Sample{Name: "schema changed", Delivery: alerts.Delivery{
		ID: "sample-schema", Step: alerts.Post, Target: target, Now: now,
		Policy: alerts.Policy{
			Check: "basket-prices", Severity: "high", Team: "basket",
			Owner: "catalog.public.products", Replicas: []string{"basket.baskets[items]"},
		},
		Incident: &alerts.Incident{
			ID: "I-206", Number: 206, Check: "basket-prices", Kind: alerts.Schema, State: alerts.Open,
			OpenedAt: since, ChangedAt: since, Revision: 1,
			Facts: alerts.Facts{Edges: []alerts.EdgeFacts{{Replica: "basket", Consistency: drift.Unknown, Since: since, SchemaSince: since,
				Schema: []string{"items.unitPrice is now text in basket.baskets[items], was decimal"}}}},
		},
	}}
}

func sampleDigest(now time.Time, target alerts.Target) Sample {
	return Sample{Name: "digest", Delivery: alerts.Delivery{
		ID: "sample-digest", Step: alerts.Notice, Target: target, Now: now,
		Digest: &alerts.Digest{
			From: now.Add(-24 * time.Hour), To: now, Checks: 45, Runs: 6_480, Compared: 1_904_233,
			Opened: 3, Resolved: 2, Median: 24 * time.Minute, Coverage: 0.992,
			Open: []alerts.Line{{
				Incident: "I-204", Check: "basket-prices", Kind: alerts.Drift, Severity: "high", Counted: 530,
				Since: now.Add(-14 * time.Minute), State: alerts.Acknowledged,
			}},
			Stale: []string{"session-cache"},
		},
	}}
}
