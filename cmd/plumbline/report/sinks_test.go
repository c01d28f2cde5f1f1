package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"plumbline/checks"
	"plumbline/cmd/plumbline/terminal"
	"plumbline/drift"
	"plumbline/sources"
)

// hostile makes n payloads that act on something: terminals, spreadsheets, XML,
// Markdown, line formats.
func hostile(random *rand.Rand, n int) []string {
	parts := []string{"\x1b[2J", "\x1b]0;title\x07", "\u009b31m", "\x00", "\x7f", "\r", "\n", "\t", "=1+1", "+1", "-1", "@SUM(A1)", "=cmd|'/c calc'!A0",
		"\u202e", "\u2066", "\u200b", "\ufeff", "\ufffe", "\uffff", "\xff", "\xc0\xaf", "\xed\xa0\x80", "\U000e0041", "]]>", "</failure>", "<!--", "&amp;",
		"|", "`", "``` \n", "[x](javascript:y)", "@everyone", "\"", "'", ",", "\\", "\\x1b", "plain", "你好", "e\u0301"}
	all := make([]string, n)
	for i := range all {
		for range 1 + random.IntN(4) {
			all[i] += parts[random.IntN(len(parts))]
		}
	}
	return all
}

// hostileRun has the payloads wherever data can stand.
func hostileRun(payloads []string) *Run {
	check := &checks.Check{Name: "check", Owner: checks.Side{Source: "owner"}, Edges: []checks.Edge{{Name: "copy"}}}
	check.Owner.Dataset.Key = []string{"id"}
	check.Edges[0].Replica.Dataset.ID = []string{"copy"}
	run := checks.EdgeRun{ID: "RUN", Check: "check", Replica: "copy", Result: checks.Drift, OwnerKey: []string{"id"}, ReplicaID: []string{"copy"},
		Reasons: map[string]int64{}, Err: errors.New(payloads[0])}
	for _, p := range payloads {
		text := sources.Text(p)
		run.Differences = append(run.Differences, checks.Difference{Kind: checks.Mismatch, Key: sources.Key{text}, ID: sources.Key{text}, Reason: p,
			Fields: []checks.FieldDifference{{Owner: p, Replica: "x", OwnerValue: text, ReplicaValue: sources.Bytes([]byte(p)), Rule: p, Note: p}}},
			checks.Difference{Kind: checks.Unreadable, Key: sources.Key{text}, Reason: p})
		run.Reasons[p]++
		run.Counts.Mismatch++
	}
	return Builder{drift.Lens{Masker: drift.NewMasker(drift.NewMaskKey()), Scrub: func(s string) string { return s }}}.Run(check, &check.Edges[0], &run, 1)
}

// TestNothingActsInAnySink writes 500 payloads to every format: no control
// character but the ends of lines, no invalid byte, no formula.
func TestNothingActsInAnySink(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	payloads := hostile(rand.New(rand.NewPCG(seed, 0)), 500)
	for start := 0; start < len(payloads); start += 5 { // few at a time, so that patterns are not folded away
		runs := []*Run{hostileRun(payloads[start : start+5])}
		for name, write := range map[string]func(io.Writer) error{
			"table":  func(w io.Writer) error { return WriteTable(w, runs, terminal.NewStyle(false)) },
			"json":   func(w io.Writer) error { return WriteJSON(w, New(runs)) },
			"ndjson": func(w io.Writer) error { return WriteNDJSON(w, runs[0]) },
			"csv":    func(w io.Writer) error { return WriteCSV(w, runs) },
			"junit":  func(w io.Writer) error { return WriteJUnit(w, runs) },
			"md":     func(w io.Writer) error { return WriteMarkdown(w, New(runs)) },
			"diff":   func(w io.Writer) error { return WriteDiff(w, hostileDiff(runs[0]), true, terminal.NewStyle(false)) },
		} {
			var out bytes.Buffer
			if err := write(&out); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			text := out.String()
			if name == "csv" {
				text = strings.ReplaceAll(text, "\r\n", "\n")
				expectNoFormula(t, out.Bytes())
			}
			if !utf8.ValidString(text) {
				t.Errorf("%s: invalid UTF-8 for %q", name, payloads[start:start+5])
			}
			if i := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
				t.Errorf("%s: %q for %q", name, text[max(0, i-20):i+4], payloads[start:start+5])
			}
			expectParses(t, name, out.Bytes())
		}
	}
}

func hostileDiff(run *Run) *Diff {
	d := &Diff{Check: run.Check}
	for i := range run.Findings {
		f := &run.Findings[i]
		c := Copy{Replica: run.Replica, Key: f.Key, ID: f.ID, Result: "differs", Kind: f.Kind, Note: f.Reason, Owner: true, Has: true}
		for _, field := range f.Fields {
			c.Fields = append(c.Fields, ComparedField{Field: field})
		}
		d.Add(c)
	}
	return d
}

func expectNoFormula(t *testing.T, data []byte) {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.Contains("=+-@\t\r", cell[:1]) {
				t.Errorf("a spreadsheet would calculate %q", cell)
			}
		}
	}
}

func expectParses(t *testing.T, name string, data []byte) {
	t.Helper()
	var err error
	switch name {
	case "json":
		err = json.Unmarshal(data, new(any))
	case "ndjson":
		decoder := json.NewDecoder(bytes.NewReader(data))
		for err == nil {
			err = decoder.Decode(new(any))
		}
	case "junit":
		decoder := xml.NewDecoder(bytes.NewReader(data))
		for err == nil {
			_, err = decoder.Token()
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		t.Errorf("%s: %v in\n%s", name, err, data)
	}
}

// TestJSONIsExact: what is escaped for terminals reads back as it was.
func TestJSONIsExact(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"\x1b[31m", "\u202e", "\U000e0041", "\u009b", "<&>", "\u2028", "9182736450192837465", "0.10"} {
		var out bytes.Buffer
		if err := WriteJSON(&out, drift.Value{Type: "text", Text: text}); err != nil {
			t.Fatal(err)
		}
		var back drift.Value
		if err := json.Unmarshal(out.Bytes(), &back); err != nil || back.Text != text {
			t.Errorf("%q came back as %q, %v", text, back.Text, err)
		}
	}
}

func TestTimesAreUTCToTheMillisecond(t *testing.T) {
	t.Parallel()
	oslo := time.FixedZone("", 7200)
	if got := Time(time.Date(2026, 6, 1, 12, 0, 0, 123456789, oslo)).String(); got != "2026-06-01T10:00:00.123Z" {
		t.Errorf("got %s", got)
	}
}
