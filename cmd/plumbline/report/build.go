package report

import (
	"math"

	"plumbline/checks"
	"plumbline/sources"
)

// Builder makes the parts of a report, hiding what may not be shown.
type Builder struct {
	Masker *Masker
	// Scrub takes secrets out of texts that stores and drivers wrote.
	Scrub func(string) string
}

// Run makes the report of one edge. share is the share of the whole dataset
// that the run set out to compare; 0 when unknown.
func (b Builder) Run(check *checks.Check, edge *checks.Edge, run *checks.EdgeRun, share float64) *Run {
	masks := MasksOf(check, edge)
	tell := func(text string) string { return b.Scrub(masks.Message(text)) }
	c := run.Counts
	out := &Run{ID: run.ID, Check: run.Check, Result: run.Result, StartedAt: Time(run.StartedAt),
		Duration: math.Round(run.Duration.Seconds()*1000) / 1000, Replica: run.Replica, Coverage: run.Coverage(),
		Plan: string(run.Plan.Kind), Pending: run.Pending, Omitted: run.Omitted, Unread: run.Unread,
		Findings: []Finding{}, Reasons: []string{},
		Sources: Sides{Owner: check.Owner.Source, Replica: edge.Replica.Source},
		Counts: Counts{OwnerRecords: c.OwnerRecords, ReplicaRecords: c.ReplicaRecords, Compared: c.Compared(), Equal: c.Equal,
			Mismatch: c.Mismatch, Missing: c.Missing, Extra: c.Extra, Duplicate: c.Duplicate, Unreadable: c.Unreadable,
			Skipped: c.Skipped, SuspectsCleared: c.SuspectsCleared, Unsettled: c.Unsettled}}
	if share > 0 {
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
	if rate, ok := run.DriftRate(); ok {
		out.DriftRate = &DriftRate{rate.Estimate, rate.Low, rate.High, rate.Confidence, rate.Of}
	}
	for i := range run.Differences {
		out.Findings = append(out.Findings, b.finding(check, run, &run.Differences[i], masks, tell))
	}
	return out
}

func (b Builder) finding(check *checks.Check, run *checks.EdgeRun, d *checks.Difference, masks Masks, tell func(string) string) Finding {
	f := Finding{Finding: checks.FindingID(run.Check, run.Replica, d.Key, d.ID), Kind: d.Kind, State: "confirmed",
		Key: b.named(run.OwnerKey, d.Key, masks.key), Replica: run.Replica, ID: b.named(run.ReplicaID, d.ID, masks.id),
		FirstSeen: Time(d.FirstSeen), LastSeen: Time(d.LastSeen), Fields: []Field{}, Reason: tell(d.Reason)}
	if !masks.HidesKey() && d.Key.Whole() {
		f.keyText = checks.KeyText(check, d.Key)
	}
	for i := range d.Fields {
		f.Fields = append(f.Fields, b.Field(&d.Fields[i]))
	}
	return f
}

// Field makes one field, under its own mask.
func (b Builder) Field(d *checks.FieldDifference) Field {
	return Field{OwnerField: d.Owner, ReplicaField: d.Replica, Owner: b.Masker.Show(d.OwnerValue, d.Mask),
		Replica: b.Masker.Show(d.ReplicaValue, d.Mask), Rule: d.Rule, Note: b.Scrub(note(d.Note, d.Mask))}
}

// Key makes the parts of a key of an edge.
func (b Builder) Key(check *checks.Check, key sources.Key, masks Masks) Named {
	return b.named(check.Owner.Dataset.Key, key, masks.key)
}

// ID makes the parts of a copy's own identity.
func (b Builder) ID(edge *checks.Edge, id sources.Key, masks Masks) Named {
	return b.named(edge.Replica.Dataset.ID, id, masks.id)
}

func (b Builder) named(names []string, values sources.Key, masks []checks.Mask) Named {
	named := Named{}
	for i := range min(len(names), len(values)) {
		named = append(named, NamedValue{names[i], b.Masker.Show(values[i], masks[i])})
	}
	return named
}
