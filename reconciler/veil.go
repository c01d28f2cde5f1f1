package reconciler

import (
	"fmt"

	"plumbline/drift"
)

// Veil is a copy of the plan without any text that may quote a value of a record:
// what it is about, how far it is, and its hash stay.
func (p *Plan) Veil() *Plan {
	veiled := *p
	veiled.Choice = "1 record"
	if n := p.Items(); n != 1 {
		veiled.Choice = fmt.Sprintf("%d records", n)
	}
	veiled.Reason = drift.Unvalued(p.Reason)
	veiled.Left = nil
	for _, l := range p.Left {
		if len(veiled.Left) == 0 {
			veiled.Left = []LeftOut{{Reason: drift.NotShown, Example: l.Example}}
		}
		veiled.Left[0].N += l.N
	}
	return &veiled
}

// Veil is a copy of the item without any value of a record: what is done to which
// fields stays. Its hash covers values, so it goes too: nothing is to be guessed by it.
func (i *Item) Veil() *Item {
	veiled := Item{Plan: i.Plan, N: i.N, Finding: i.Finding, Kind: i.Kind, State: i.State, Note: drift.Unvalued(i.Note), Statement: drift.Unvalued(i.Statement),
		Fields: veilFields(i.Fields), Now: veilFields(i.Now), Until: i.Until, EndedAt: i.EndedAt, Term: i.Term}
	if i.KeyText != "" {
		veiled.KeyText = drift.Value{Type: "text"}.Veil().Text
	}
	return &veiled
}

func veilFields(list []Field) []Field {
	var veiled []Field
	for _, f := range list {
		veiled = append(veiled, Field{Name: f.Name, Now: f.Now.Veil(), Then: f.Then.Veil(), Rule: f.Rule})
	}
	return veiled
}
