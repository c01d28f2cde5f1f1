package web

import (
	"fmt"
	"strings"

	"plumbline/checks"
)

type ruleTable struct {
	Replica string
	Rows    []ruleRow
}

type ruleRow struct{ Owner, ReplicaField, Rule, Mask string }

type planSection struct {
	ID, Replica string
	Facts       []fact
	Statements  []fact
}

// definition says in words what a check compares.
func definition(c *DeclaredCheck) []fact {
	owner := &c.Owner
	facts := []fact{
		{Name: "owner", Text: sideTitle(owner) + " (" + owner.Kind + ")"},
		{Name: "query", Text: owner.Dataset.Query},
		{Name: "only where", Text: owner.Dataset.Where},
		{Name: "key", Text: strings.Join(owner.Dataset.Key, ", ")},
		{Name: "version", Text: owner.Version},
	}
	for i := range c.Edges {
		e := &c.Edges[i]
		text := replicaTitle(e) + " (" + e.Replica.Kind + ")"
		text += ", key " + strings.Join(e.Replica.Dataset.Key, ", ")
		if e.Copies() {
			text += ", each copy by " + strings.Join(e.Replica.Dataset.ID, ", ")
		}
		text += ", settles " + span(e.Settle)
		if e.IgnoreMissing {
			text += ", missing records ignored"
		}
		if e.IgnoreExtra {
			text += ", extra records ignored"
		}
		facts = append(facts, fact{Name: "replica", Text: text})
	}
	if !c.Check.Sample.All() {
		facts = append(facts, fact{Name: "sample", Text: sampleWords(c.Check.Sample, 0)})
	}
	if c.AllowEmpty {
		facts = append(facts, fact{Name: "empty owner", Text: "is a fact, not a fault"})
	}
	return present(facts)
}

func ruleTableOf(e *checks.Edge) ruleTable {
	t := ruleTable{Replica: e.Name}
	for i := range e.Rules {
		r := &e.Rules[i]
		words := r.Words()
		if !r.IgnoreUntil.IsZero() {
			words += ", ignored until " + r.IgnoreUntil.UTC().Format("2006-01-02") + ": " + r.IgnoreReason
		}
		t.Rows = append(t.Rows, ruleRow{r.Owner.Name, r.Replica.Name, words, maskWord(r.Mask)})
	}
	for i := range e.Invariants {
		t.Rows = append(t.Rows, ruleRow{Owner: "invariant " + e.Invariants[i].Name, Rule: e.Invariants[i].Expr, Mask: ""})
	}
	return t
}

func maskWord(m checks.Mask) string {
	switch m {
	case checks.MaskNone:
		return ""
	case checks.MaskPartial:
		return "partial"
	case checks.MaskHash:
		return "hash"
	}
	return "full"
}

func planSectionOf(m *edgeMemory, i int) planSection {
	p := planSection{ID: fmt.Sprintf("plan-%d", i), Replica: m.view.edge.Name}
	if m.last == nil {
		p.Facts = []fact{{Name: "plan", Text: "made when the first run begins"}}
	} else {
		p.Facts = planFacts(&m.last.Plan)
	}
	p.Facts = append(p.Facts, fact{Name: "statements", Text: "plumbline explain " + m.view.check.Name + " prints them, with the indexes that serve them"})
	return p
}

// planFacts says how a run reads, and why not faster.
func planFacts(plan *checks.Plan) []fact {
	if plan.Kind == "" {
		return []fact{{Name: "plan", Text: "not made yet"}}
	}
	words := map[checks.PlanKind]string{checks.PlanRanges: "ranges: both sides read the same ranges of keys, side by side",
		checks.PlanKeys: "keys: one side is read, and its keys looked up in the other"}[plan.Kind]
	if words == "" {
		words = string(plan.Kind)
	}
	if plan.Sampled != "" {
		words = plan.Words()
	}
	facts := []fact{{Name: "plan", Text: words}}
	for _, pass := range plan.Passes {
		text := "the " + string(pass.Drive) + " drives"
		if pass.Presence {
			text += ", to find what the other side lacks"
		}
		facts = append(facts, fact{Name: "pass", Text: text})
	}
	if plan.Raw {
		facts = append(facts, fact{Name: "bytes", Text: "records are first compared as the stores' own bytes"})
	}
	for _, why := range plan.Why {
		facts = append(facts, fact{Name: "why not faster", Text: why})
	}
	for _, blind := range plan.Blind {
		facts = append(facts, fact{Name: "cannot find", Text: blind})
	}
	return facts
}
