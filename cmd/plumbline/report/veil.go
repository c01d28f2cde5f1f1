package report

import (
	"plumbline/checks"
	"plumbline/drift"
	"plumbline/web"
)

// Veil is a finding without any value of a record: what leaves the house says
// which fields of which check differ, and no more.
func Veil(f web.FindingBody) web.FindingBody {
	whole := drift.Finding{Kind: checks.DifferenceKind(f.Kind), KeyText: f.KeyText, Fields: f.Fields, Reason: f.Reason, Pattern: f.Pattern}
	veiled := whole.Veil()
	f.KeyText, f.Fields, f.Reason, f.Pattern = veiled.KeyText, veiled.Fields, veiled.Reason, veiled.Pattern
	f.Key, f.ID = veilNamed(f.Key), veilNamed(f.ID)
	return f
}

// veilNamed hides the parts of a key as it hides the values of fields.
func veilNamed(named web.NamedBody) web.NamedBody {
	if named == nil {
		return nil
	}
	veiled := web.NamedBody{}
	for _, part := range named {
		one := drift.Finding{Fields: []drift.Field{{Owner: part.Value}}}
		veiled = append(veiled, drift.NamedValue{Name: part.Name, Value: one.Veil().Fields[0].Owner})
	}
	return veiled
}
