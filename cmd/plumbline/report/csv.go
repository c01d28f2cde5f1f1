package report

import (
	"encoding/csv"
	"io"
	"plumbline/drift"
	"strings"
)

// WriteCSV writes one row per differing field, and one for a finding without
// fields, as RFC 4180 has it. Cells are made visible, and one that a
// spreadsheet would take for a formula begins with an apostrophe; the JSON
// holds the exact values.
func WriteCSV(w io.Writer, runs []*Run) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	rows := [][]string{{"check", "replica", "finding", "kind", "state", "key", "id", "owner_field", "replica_field",
		"owner_type", "owner_value", "replica_type", "replica_value", "rule", "note", "first_seen", "last_seen"}}
	for _, run := range runs {
		for i := range run.Findings {
			f := &run.Findings[i]
			fields := f.Fields
			if len(fields) == 0 {
				fields = []drift.Field{{Note: f.Reason}}
			}
			for _, d := range fields {
				rows = append(rows, []string{run.Check, run.Replica, f.Finding, string(f.Kind), f.State, plainKey(f.Key), plainKey(f.ID),
					d.OwnerField, d.ReplicaField, d.Owner.Type, d.Owner.Text, d.Replica.Type, d.Replica.Text, d.Rule, d.Note,
					f.FirstSeen.String(), f.LastSeen.String()})
			}
		}
	}
	for _, row := range rows {
		for i := range row {
			row[i] = cellText(row[i])
		}
	}
	return out.WriteAll(rows)
}

// cellText is text that no spreadsheet calculates and no terminal acts on.
func cellText(text string) string {
	if text != "" && strings.Contains("=+-@\t\r\n", text[:1]) {
		return "'" + drift.Visible(text)
	}
	return drift.Visible(text)
}

// plainKey is the values of a key divided by commas.
func plainKey(key drift.Named) string {
	parts := make([]string, len(key))
	for i, part := range key {
		parts[i] = part.Value.Text
	}
	return strings.Join(parts, ",")
}
