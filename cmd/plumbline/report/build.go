package report

import (
	"math"

	"plumbline/checks"
	"plumbline/drift"
)

// Builder makes the parts of a report, hiding what may not be shown.
type Builder struct{ drift.Lens }

// Run makes the report of one edge. share is the share of the whole dataset
// that the run set out to compare; 0 when unknown.
func (b Builder) Run(check *checks.Check, edge *checks.Edge, run *checks.EdgeRun, share float64) *Run {
	masks := drift.MasksOf(check, edge)
	tell := func(text string) string { return b.Text(text, masks) }
	c := run.Counts
	out := &Run{ID: run.ID, Check: run.Check, Result: run.Result, StartedAt: Time(run.StartedAt),
		Duration: math.Round(run.Duration.Seconds()*1000) / 1000, Replica: run.Replica, Coverage: run.Coverage(),
		Plan: string(run.Plan.Kind), Pending: run.Pending, Omitted: run.Omitted, Unread: run.Unread,
		Findings: []Finding{}, Reasons: []string{},
		Sources: Sides{Owner: check.Owner.Source, Replica: edge.Replica.Source},
		Counts: Counts{OwnerRecords: c.OwnerRecords, ReplicaRecords: c.ReplicaRecords, Compared: c.Compared(), Equal: c.Equal,
			Mismatch: c.Mismatch, Missing: c.Missing, Extra: c.Extra, Duplicate: c.Duplicate, Unreadable: c.Unreadable,
			Skipped: c.Skipped, SuspectsCleared: c.SuspectsCleared, Unsettled: c.Unsettled}}
	switch scope := run.ScopeShare(); {
	case run.Sampled != nil && scope > 0:
		out.ScopeShare = &scope
	case run.Sampled == nil && share > 0:
		whole := share * out.Coverage
		out.ScopeShare = &whole
	}
	if run.Err != nil {
		out.Error = tell(run.Err.Error())
	}
	for _, reason := range run.ReasonList() {
		out.Reasons = append(out.Reasons, tell(reason))
	}
	if run.Plan.Kind != "" {
		out.PlanDetail = run.Plan.Words()
	}
	out.DriftRate, out.ExtraRate, out.Sample = rateOf(run.DriftRate()), rateOf(run.ExtraRate()), sampleOf(run)
	for i := range run.Differences {
		out.Findings = append(out.Findings, b.finding(check, edge, run, &run.Differences[i], masks, tell))
	}
	return out
}

func (b Builder) finding(check *checks.Check, edge *checks.Edge, run *checks.EdgeRun, d *checks.Difference, masks drift.Masks, tell func(string) string) Finding {
	name := checks.FindingID(run.Check, run.Replica, d.Key, d.ID)
	if masks.HidesRecord() { // keys could be tried out on that one
		name = b.Masker.FindingID(run.Check, run.Replica, d.Key, d.ID)
	}
	f := Finding{Finding: name, Kind: d.Kind, State: "confirmed",
		Key: b.Key(check, d.Key, masks), Replica: run.Replica, ID: b.ID(edge, d.ID, masks),
		FirstSeen: Time(d.FirstSeen), LastSeen: Time(d.LastSeen), Fields: b.Fields(d), Reason: tell(d.Reason)}
	if !masks.HidesKey() && d.Key.Whole() {
		f.keyText = checks.KeyText(check, d.Key)
	}
	return f
}
