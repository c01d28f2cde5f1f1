package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"plumbline/alerts"
	"plumbline/checks"
	"plumbline/reconciler"
)

func signOfIncident(i *alerts.Incident) sign {
	switch {
	case i.State == alerts.Resolved:
		return sign{Tone: "ok", Icon: "ok", Word: "resolved"}
	case i.State == alerts.Acknowledged:
		return sign{Tone: "info", Icon: "eye", Word: "acknowledged", Title: "somebody takes it on"}
	case i.Kind == alerts.Blind:
		return sign{Tone: "unknown", Icon: "unknown", Word: "open", Title: "nothing can be said about the data"}
	case i.Kind == alerts.Schema:
		return sign{Tone: "unknown", Icon: "unknown", Word: "open", Title: "a schema changed, and nothing is compared"}
	}
	return sign{Tone: "drift", Icon: "drift", Word: "open", Title: "nobody has taken it on yet"}
}

// incidentWords say what an incident is about, before the name of its check.
func incidentWords(k alerts.Kind) string {
	switch k {
	case alerts.Blind:
		return "Cannot check"
	case alerts.Schema:
		return "Schema changed"
	}
	return "Drift"
}

// growing says whether an incident has never counted more than it does now, and
// began with less.
func growing(i *alerts.Incident) bool {
	return i.State != alerts.Resolved && i.Kind == alerts.Drift && i.Facts.Counted > i.First && i.Facts.Counted >= i.Peak
}

// milestoneRowOf is one line of an incident's life.
func milestoneRowOf(m *alerts.Milestone, kind alerts.Kind) timelineRow {
	tone, text := "warn", string(m.Event)
	switch m.Event {
	case alerts.WasOpened:
		tone, text = "drift", "opened"
		if kind != alerts.Drift {
			tone = "warn"
		}
	case alerts.WasRegressed:
		tone, text = "drift", "came back"
	case alerts.WasAcknowledged:
		tone, text = "info", "acknowledged"
	case alerts.HasGrown:
		tone, text = "drift", "grew"
	case alerts.WasRepeated:
		text = "told again: it is still open and nobody has taken it on"
	case alerts.WasMuted:
		tone, text = "info", "its check was muted"
	case alerts.WasUnmuted:
		tone, text = "info", "its check was unmuted"
	case alerts.WasResolved:
		tone, text = "ok", "resolved"
	}
	if m.Actor != "" {
		text += " by " + m.Actor
	}
	if kind == alerts.Drift && m.Event != alerts.WasResolved && !ofFixes(m.Event) {
		text += ", " + several(m.Counted, "record", "records")
	}
	return timelineRow{Tone: tone, Text: text, Note: m.Note}
}

// ofFixes says whether a milestone is of a plan of fixes, or of what keeps them
// from being made.
func ofFixes(e alerts.Event) bool {
	switch e {
	case alerts.FixesFrozen, alerts.FixesUnfrozen, alerts.FixesPaused, alerts.FixesResumed:
		return true
	}
	return slices.ContainsFunc(reconciler.PlanStates(), func(s reconciler.PlanState) bool { return e == alerts.PlanBecame(s) })
}

// targetWords name a target as people do.
func targetWords(integration, address string) string {
	name := map[string]string{"slack": "Slack", "webhook": "webhook"}[integration]
	if name == "" {
		name = integration
	}
	return strings.TrimSpace(name + " " + address)
}

// remedies say what would put right what an incident counts: what would change,
// and on which side.
func remedies(facts *alerts.Facts) []string {
	where := differing(facts)
	var list []string
	for _, kind := range facts.Kinds {
		n := several(kind.N, "record", "records")
		switch checks.DifferenceKind(kind.Name) {
		case checks.Mismatch:
			list = append(list, fmt.Sprintf("Update %s in %s%s to what the owner says.", n, where, fieldWords(facts.Fields)))
		case checks.Missing:
			list = append(list, fmt.Sprintf("Insert %s into %s that only the owner has.", n, where))
		case checks.Extra:
			list = append(list, fmt.Sprintf("Delete %s from %s that the owner does not have; or, if the owner lost something, bring it back there.", n, where))
		case checks.Duplicate:
			list = append(list, fmt.Sprintf("Keep one of each where a side has a record more than once: %s.", n))
		case checks.Unreadable:
			list = append(list, fmt.Sprintf("Write anew what cannot be read as what it should be: %s.", n))
		}
	}
	return list
}

// differing names the replicas in which anything differs.
func differing(facts *alerts.Facts) string {
	var names []string
	for i := range facts.Edges {
		if facts.Edges[i].Findings > 0 {
			names = append(names, facts.Edges[i].Replica)
		}
	}
	if len(names) == 0 {
		return "the replica"
	}
	return strings.Join(names, ", ")
}

// fieldWords name the fields that differ most often.
func fieldWords(fields []alerts.Count) string {
	const most = 5
	if len(fields) == 0 {
		return ""
	}
	sorted := slices.SortedFunc(slices.Values(fields), func(a, b alerts.Count) int { return -cmp.Compare(a.N, b.N) })
	var names []string
	for _, f := range sorted[:min(most, len(sorted))] {
		names = append(names, f.Name)
	}
	words := " (" + strings.Join(names, ", ")
	if more := len(sorted) - most; more > 0 {
		words += fmt.Sprintf(" and %d more fields", more)
	}
	return words + ")"
}
