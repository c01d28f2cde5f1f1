package web

import (
	"context"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"plumbline/access"
	"plumbline/alerts"
	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
)

func (a *api) checks(h huma.API) {
	serve(a, h, get("list-checks", "/checks", access.View, "Checks with what is remembered of them"), a.listChecks)
	serve(a, h, get("get-check", "/checks/{name}", access.View, "A check with its rules, patterns and history"), a.getCheck)
	serve(a, h, get("list-sources", "/sources", access.View, "Sources as this process last saw them"), a.listSources)
	serve(a, h, get("get-summary", "/summary", access.View, "Everything in a few numbers"), a.summary)
}

type checksInput struct {
	Team string `query:"team"`
	Paging
}

func (a *api) listChecks(ctx context.Context, in *checksInput) (*answer[ListBody[CheckBody]], error) {
	known, err := a.edges(ctx)
	if err != nil {
		return nil, a.problemOf(err)
	}
	body := ListBody[CheckBody]{Items: []CheckBody{}}
	declared := a.Declared()
	for i := range declared.Checks {
		c := &declared.Checks[i]
		if c.Name <= in.After && in.After != "" || in.Team != "" && c.Team != in.Team {
			continue
		}
		if len(body.Items) == in.Limit {
			body.Next = body.Items[len(body.Items)-1].Name
			break
		}
		body.Items = append(body.Items, a.checkBody(ctx, c, known))
	}
	return answered(body), nil
}

type edgeName struct{ check, replica string }

// edges is what is remembered of each edge.
func (a *api) edges(ctx context.Context) (map[edgeName]ledger.Edge, error) {
	list, err := a.Ledger.Edges(ctx)
	if err != nil {
		return nil, err
	}
	known := make(map[edgeName]ledger.Edge, len(list))
	for _, e := range list {
		known[edgeName{e.Check, e.Replica}] = e
	}
	return known, nil
}

func (a *api) checkBody(ctx context.Context, c *DeclaredCheck, known map[edgeName]ledger.Edge) CheckBody {
	body := CheckBody{Name: c.Name, Description: c.Description, Severity: c.Severity, Team: c.Team, Runbook: c.Runbook, Schedule: c.Spec,
		IntervalSeconds: c.Interval.Seconds(), Owner: sideBody(&c.Owner), Edges: []EdgeBody{}}
	if a.Auditor != nil {
		body.NextRunAt = Instant(a.Auditor.Next(c.Name))
	}
	states := a.Sources()
	for i := range c.Edges {
		edge := edgeBody(c, &c.Edges[i], known[edgeName{c.Name, c.Edges[i].Name}], a.Now())
		n := known[edgeName{c.Name, c.Edges[i].Name}]
		health, _ := c.throttled(&c.Edges[i], &n, drift.Health(edge.Health), states)
		edge.Health = string(health)
		edge.LastError = a.lensFor(ctx).Text(edge.LastError, drift.MasksOf(c.Check, &c.Edges[i]))
		body.OpenFindings += edge.OpenFindings
		body.Consistency = worse(body.Consistency, edge.Consistency, string(drift.InSync), string(drift.InSample), string(drift.Unknown), string(drift.Drifted))
		body.Health = worse(body.Health, edge.Health, string(drift.Paused), string(drift.OK), string(drift.Throttled), string(drift.Stale), string(drift.Failing))
		body.Edges = append(body.Edges, edge)
	}
	for i := range body.Edges {
		if body.Consistency == string(drift.InSample) {
			body.Bound = max(body.Bound, body.Edges[i].Bound)
		}
	}
	return body
}

// worse is whichever of two words stands later in order.
func worse(one, other string, order ...string) string {
	if slices.Index(order, other) > slices.Index(order, one) {
		return other
	}
	return one
}

func (a *api) getCheck(ctx context.Context, in *ByName) (*answer[CheckDetailBody], error) {
	declared := a.Declared()
	c := declared.Check(in.Name)
	if c == nil {
		return nil, noCheck(in.Name, declared)
	}
	known, err := a.edges(ctx)
	if err != nil {
		return nil, a.problemOf(err)
	}
	body := CheckDetailBody{CheckBody: a.checkBody(ctx, c, known), Rules: []RuleBody{}, Invariants: []InvariantBody{}, Patterns: []PatternBody{},
		Fields: []FieldTallyBody{}, Rolling: []RollingBody{}, History: []BucketBody{}}
	for i := range c.Edges {
		rules(&body, &c.Edges[i])
		tallies, err := a.Ledger.FieldTallies(ctx, c.Name, c.Edges[i].Name)
		if err != nil {
			return nil, a.problemOf(err)
		}
		for _, t := range tallies {
			body.Fields = append(body.Fields, FieldTallyBody{c.Edges[i].Name, t.Field, t.Open})
		}
	}
	rolling, err := a.Ledger.Rolling(ctx, c.Name)
	if err != nil {
		return nil, a.problemOf(err)
	}
	for i := range rolling {
		body.Rolling = append(body.Rolling, rollingBody(&rolling[i], a.Now()))
	}
	changes, err := a.Ledger.SchemaChanges(ctx, c.Name, a.Now().Add(-ledger.SchemaChangesKept))
	if err != nil {
		return nil, a.problemOf(err)
	}
	body.SchemaChanges = schemaChangeBodies(changes)
	const mostPatterns = 200
	patterns, err := a.Ledger.Patterns(ctx, c.Name, "", mostPatterns)
	if err != nil {
		return nil, a.problemOf(err)
	}
	for _, p := range patterns {
		body.Patterns = append(body.Patterns, PatternBody{p.Replica, p.Words, p.Open, Instant(p.FirstSeen), Instant(p.LastSeen), p.Example})
	}
	history, err := a.Ledger.EdgeHistory(ctx, c.Name, a.Now().Add(-24*time.Hour))
	if err != nil {
		return nil, a.problemOf(err)
	}
	for _, b := range history {
		body.History = append(body.History, BucketBody{b.Replica, Instant(b.At), b.Worst, b.Runs, b.Differences, b.Compared, b.Coverage})
	}
	return answered(body), nil
}

// rules adds how an edge's fields are compared.
func rules(body *CheckDetailBody, edge *checks.Edge) {
	masks := map[checks.Mask]string{checks.MaskNone: "none", checks.MaskPartial: "partial", checks.MaskHash: "hash", checks.MaskFull: "full"}
	for i := range edge.Rules {
		r := &edge.Rules[i]
		body.Rules = append(body.Rules, RuleBody{edge.Name, r.Owner.Name, r.Replica.Name, r.Words(), masks[r.Mask]})
	}
	for _, v := range edge.Invariants {
		body.Invariants = append(body.Invariants, InvariantBody{edge.Name, v.Name, v.Expr})
	}
}

func (a *api) listSources(ctx context.Context, in *Paging) (*answer[ListBody[SourceBody]], error) {
	declared, states := a.Declared(), a.sourcesFor(ctx)
	body := ListBody[SourceBody]{Items: []SourceBody{}}
	for i := range declared.Sources {
		s := &declared.Sources[i]
		if s.Name <= in.After && in.After != "" {
			continue
		}
		if len(body.Items) == in.Limit {
			body.Next = body.Items[len(body.Items)-1].Name
			break
		}
		body.Items = append(body.Items, sourceBody(declared, s, states[s.Name]))
	}
	return answered(body), nil
}

func (a *api) summary(ctx context.Context, _ *struct{}) (*answer[SummaryBody], error) {
	sum, err := a.Ledger.Summary(ctx)
	if err != nil {
		return nil, a.problemOf(err)
	}
	known, err := a.edges(ctx)
	if err != nil {
		return nil, a.problemOf(err)
	}
	processes, err := a.Ledger.Processes(ctx)
	if err != nil {
		return nil, a.problemOf(err)
	}
	incidents, err := a.Ledger.OpenIncidents(ctx)
	if err != nil {
		return nil, a.problemOf(err)
	}
	declared := a.Declared()
	body := SummaryBody{Incidents: IncidentCountsBody{incidents.Of(), incidents.Of(alerts.Acknowledged), incidents.OfKind(alerts.Drift), incidents.OfKind(alerts.Blind), incidents.OfKind(alerts.Schema)}, Checks: len(declared.Checks), OpenFindings: sum.OpenFindings(), FindingsByState: map[string]int64{}, NewFindings24h: sum.New,
		OldestOpen: sum.OldestOpen, OldestOpenAt: Instant(sum.OldestSince), SuspectsPending: sum.Suspects, Processes: []ProcessBody{},
		Version: a.Version, ConfigLoadedAt: Instant(declared.LoadedAt), ConfigReloadError: declared.LastReloadError}
	for _, t := range sum.Open {
		body.FindingsByState[string(t.State)] += t.N
	}
	for i := range declared.Checks {
		for _, edge := range a.checkBody(ctx, &declared.Checks[i], known).Edges {
			body.count(&edge)
		}
	}
	for _, p := range processes {
		if time.Time(body.HeartbeatAt).Before(p.Heartbeat) {
			body.HeartbeatAt = Instant(p.Heartbeat)
		}
		body.Processes = append(body.Processes, ProcessBody{p.ID, p.Host, p.PID, p.Version, p.Listen, p.Generation, Instant(p.StartedAt), Instant(p.Heartbeat)})
	}
	return answered(body), nil
}

func (b *SummaryBody) count(e *EdgeBody) {
	b.Edges++
	b.FindingsOmitted += e.FindingsOmitted
	switch drift.Consistency(e.Consistency) {
	case drift.InSync:
		b.InSync++
	case drift.InSample:
		b.InSample++
	case drift.Drifted:
		b.Drifted++
	default:
		b.Unknown++
	}
	if h := drift.Health(e.Health); h == drift.Failing || h == drift.Stale {
		b.Failing++
	}
}
