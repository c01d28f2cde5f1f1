package web

import (
	"context"
	"fmt"
	"math"
	"time"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/sources"
)

// shown hides what may not be shown of one edge.
type shown struct {
	lens  drift.Lens
	check *checks.Check // nil where it is no longer declared: then nothing tells what may be shown
	edge  *checks.Edge
	masks drift.Masks
}

func (a *api) lensOf(ctx context.Context, declared *Declared, check, replica string) shown {
	s := shown{lens: a.lensFor(ctx)}
	if c := declared.Check(check); c != nil {
		if edge := c.Edge(replica); edge != nil {
			s.check, s.edge, s.masks = c.Check, edge, drift.MasksOf(c.Check, edge)
		}
	}
	return s
}

// text is a message of the engine or a store.
func (s shown) text(text string) string {
	if text == "" || s.check != nil || s.lens.Veiled() {
		return s.lens.Text(text, s.masks)
	}
	return "not shown: its check is no longer configured, so nothing says what may be"
}

// key and id name the parts of a key and an id. Of an edge that is no longer
// declared every part is hidden, and its name is its place.
func (s shown) key(key sources.Key) NamedBody {
	if s.check == nil {
		return s.hidden(key)
	}
	return NamedBody(s.lens.Key(s.check, key, s.masks))
}

func (s shown) id(id sources.Key) NamedBody {
	if s.check == nil {
		return s.hidden(id)
	}
	return NamedBody(s.lens.ID(s.edge, id, s.masks))
}

func (s shown) hidden(key sources.Key) NamedBody {
	named := NamedBody{}
	for i, v := range key {
		named = append(named, drift.NamedValue{Name: fmt.Sprint(i + 1), Value: s.lens.Masker.Show(v, checks.MaskFull)})
	}
	return named
}

func (a *api) runBody(ctx context.Context, declared *Declared, r *ledger.Run) RunBody {
	r = shownRun(ctx, r)
	edge := r.EdgeRun()
	s := a.lensOf(ctx, declared, r.Check, r.Replica)
	body := RunBody{ID: r.ID, Number: r.Number, Check: r.Check, Replica: r.Replica, State: string(r.State), Result: string(r.Result),
		Error: s.text(r.Error), Trigger: string(r.Trigger), Actor: r.Actor, SlotAt: Instant(r.SlotAt), CreatedAt: Instant(r.CreatedAt),
		StartedAt: Instant(r.StartedAt), EndedAt: Instant(r.EndedAt), FinishedAt: Instant(r.FinishedAt),
		DurationSeconds: duration(r, a.Now()), Coverage: edge.Coverage(), Plan: string(r.Plan.Kind), SuspectsPending: r.Pending,
		Counts: countsBody(&r.Counts), FindingsOmitted: r.Omitted, Unread: r.Unread, Reasons: []string{}, WaitSeconds: map[string]float64{},
		Read: r.Read, Estimate: r.Estimate, Keys: len(r.Keys), Segments: r.Segments, SegmentsDone: r.SegmentsDone,
		CancelRequested: r.CancelRequested, CancelledBy: r.CancelledBy, Shape: r.Shape}
	if r.Plan.Kind != "" {
		body.PlanDetail = r.Plan.Words()
	}
	body.DriftRate, body.ExtraRate = rateBody(edge.DriftRate()), rateBody(edge.ExtraRate())
	body.Sample, body.ScopeShare = sampleBody(r), unlessZero(r.ScopeShare())
	body.SinceSeconds, body.StopAfter = seconds(r.Asked.Since), r.Asked.StopAfter
	for _, reason := range edge.ReasonList() {
		body.Reasons = append(body.Reasons, s.text(reason))
	}
	for reason, ms := range r.Waits {
		body.WaitSeconds[s.text(reason)] += float64(ms) / 1000
	}
	return body
}

// duration is how long a run has been at it, or was until its scan ended.
func duration(r *ledger.Run, now time.Time) float64 {
	switch {
	case r.StartedAt.IsZero():
		return 0
	case r.EndedAt.IsZero() && r.State == ledger.Running:
		return seconds(now.Sub(r.StartedAt))
	case r.EndedAt.IsZero():
		return 0
	}
	return seconds(r.EndedAt.Sub(r.StartedAt))
}

// seconds are to the millisecond.
func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*1000) / 1000 }

func countsBody(c *checks.Counts) CountsBody {
	return CountsBody{OwnerRecords: c.OwnerRecords, ReplicaRecords: c.ReplicaRecords, Compared: c.Compared(), Equal: c.Equal,
		Mismatch: c.Mismatch, Missing: c.Missing, Extra: c.Extra, Duplicate: c.Duplicate, Unreadable: c.Unreadable,
		Skipped: c.Skipped, SuspectsCleared: c.SuspectsCleared, Unsettled: c.Unsettled, RandomKeys: c.RandomKeys, RandomDrift: c.RandomDrift,
		RandomReplica: c.RandomReplicaKeys, RandomExtras: c.RandomExtras}
}

func segmentBody(g *ledger.Segment, s shown) SegmentBody {
	return SegmentBody{Number: g.N, State: string(g.State), Side: string(g.Plan.Pass.Drive), Stratum: string(g.Plan.Stratum), Worker: g.Worker, Term: g.Term, Attempts: g.Attempts, Read: g.Read,
		Counts: countsBody(&g.Counts), Error: s.text(g.Error), StartedAt: Instant(g.StartedAt), EndedAt: Instant(g.EndedAt)}
}

func (a *api) findingBody(ctx context.Context, declared *Declared, f *drift.Finding) FindingBody {
	f = shownFinding(ctx, f)
	s := a.lensOf(ctx, declared, f.Check, f.Replica)
	body := FindingBody{Finding: f.ID, Check: f.Check, Replica: f.Replica, Kind: string(f.Kind), State: string(f.State), Resolution: f.Resolution,
		Key: s.key(f.Key), ID: s.id(f.CopyID), FirstSeen: Instant(f.FirstSeen), ConfirmedAt: Instant(f.ConfirmedAt), LastSeen: Instant(f.LastSeen),
		CheckedAt: Instant(f.CheckedAt), ResolvedAt: Instant(f.ResolvedAt), KeyText: f.KeyText, Fields: f.Fields, Reason: a.Lens.Scrub(f.Reason), Age: string(f.Age),
		Pattern: f.Pattern, Seen: f.Seen, Regressions: f.Regressions, MutedUntil: Instant(f.MutedUntil), Accepted: f.Accepted, Revision: f.Revision}
	if body.Fields == nil {
		body.Fields = []drift.Field{}
	}
	return body
}

func sideBody(s *checks.Side) SideBody {
	return SideBody{Source: s.Source, Kind: s.Kind, Dataset: s.Dataset.Title(), Key: append([]string{}, s.Dataset.Key...), ID: append([]string{}, s.Dataset.ID...)}
}

// edgeBody is an edge of a check with what is remembered of it; one that was
// never read is Unknown.
func edgeBody(c *DeclaredCheck, edge *checks.Edge, known ledger.Edge, now time.Time) EdgeBody {
	consistency, health := known.Consistency, c.health(&known, now)
	if consistency == "" {
		consistency = drift.Unknown
	}
	body := EdgeBody{Replica: edge.Name, Side: sideBody(&edge.Replica), SettleSeconds: seconds(edge.Settle), Consistency: string(consistency),
		Since: Instant(known.Since), Health: string(health), Coverage: known.Coverage, Bound: known.Bound, ScopeShare: scopeShare(&known), LastRun: known.LastRun, LastResult: string(known.LastResult),
		LastError: known.LastError, LastRunAt: Instant(known.LastAt), LastSuccessAt: Instant(known.LastSuccess), OpenFindings: known.OpenFindings(), FindingsOmitted: known.Omitted,
		Open: []TallyBody{}, OldestOpenAt: Instant(known.OldestOpen), SuspectsPending: known.Pending, RunningRun: known.Running}
	for _, t := range known.Open {
		body.Open = append(body.Open, TallyBody{t.Kind, string(t.State), t.N})
	}
	return body
}

func sourceBody(declared *Declared, s *DeclaredSource, state SourceState) SourceBody {
	body := SourceBody{Name: s.Name, Kind: s.Kind, Team: s.Team, UsedBy: declared.UsedBy(s.Name), State: state.State, Since: Instant(state.Since),
		ProbedAt: Instant(state.ProbedAt), Error: state.Why, LatencySeconds: math.Round(state.Latency.Seconds()*1e6) / 1e6,
		Product: state.Facts.Product, Version: state.Facts.Version, Standby: state.Facts.Standby,
		Notes: append([]string{}, state.Facts.Notes...), Connections: s.Connections, RecordsPerSecond: s.RecordsPerSecond, FixURL: s.FixURL,
		WaitSeconds: map[string]float64{}, WaitSecondsToday: map[string]float64{}, Active: state.Active, Throttled: state.Throttled, ThrottledSince: Instant(state.ThrottledSince)}
	if body.State == "" {
		body.State = SourceUnknown
	}
	body.ReadOnly = body.State == SourceUp && !state.Facts.CanWrite
	for reason, waited := range state.Waited {
		body.WaitSeconds[reason] = seconds(waited)
	}
	for reason, waited := range state.Today {
		body.WaitSecondsToday[reason] = seconds(waited)
	}
	if state.Lag != nil {
		lag := seconds(*state.Lag)
		body.LagSeconds = &lag
	}
	return body
}
