package report

import (
	"strings"
	"testing"
	"time"

	"plumbline/cmd/plumbline/terminal"
	"plumbline/drift"
	"plumbline/sources"
	"plumbline/web"
)

// The words of a pattern are visible already, and values are no HTML.
func TestFindingsAreEscapedOnce(t *testing.T) {
	t.Parallel()
	document, err := sources.DocumentOf([]sources.Field{{Name: "<b>", Value: sources.Text("R&D")}})
	if err != nil {
		t.Fatal(err)
	}
	field := drift.Field{OwnerField: "note", ReplicaField: "note", Rule: "exact",
		Owner: drift.Value{Type: "text", Text: "a\tb\\n"}, Replica: drift.Value{Type: "document", Text: document.String()}}
	f := web.FindingBody{Finding: "F-1", Check: "notes", Fields: []drift.Field{field}, Pattern: drift.PairWords(&field)}
	for format, write := range map[string]func(*strings.Builder) error{
		"table": func(b *strings.Builder) error {
			return WriteFindings(b, []web.FindingBody{f}, false, time.Now(), terminal.Style{})
		},
		"md": func(b *strings.Builder) error { return WriteFindingMarkdown(b, &f) },
		"csv": func(b *strings.Builder) error {
			rows, err := FindingsCSV(b)
			if err != nil {
				return err
			}
			return WriteFindingCSV(rows, &f)
		},
		"json": func(b *strings.Builder) error { return WriteLine(b, &f) },
	} {
		var b strings.Builder
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), `\u003c`) || strings.Contains(b.String(), `\u0026`) {
			t.Errorf("%s holds HTML escapes: %s", format, b.String())
		}
		if (format == "table" || format == "md") && !strings.Contains(b.String(), `"a\tb\\n"`) {
			t.Errorf("%s does not hold the words of the pattern as they are: %s", format, b.String())
		}
	}
}

// A run that kept less than it counted says so.
func TestRunsSayWhatWasNotKept(t *testing.T) {
	t.Parallel()
	for omitted, want := range map[int64]bool{0: false, 40_000: true} {
		var b strings.Builder
		run := web.RunDetailBody{RunBody: web.RunBody{State: "finished", Result: "drift", FindingsOmitted: omitted}}
		if err := WriteRun(&b, &run, terminal.Style{}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(b.String(), "40,000 further differences counted and not kept as findings"); got != want {
			t.Errorf("%d not kept: %s", omitted, b.String())
		}
	}
}
