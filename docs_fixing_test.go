package plumbline

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumbline/cmd/plumbline/report"
	"plumbline/cmd/plumbline/terminal"
	"plumbline/drift"
	"plumbline/reconciler"
	"plumbline/sources"
	"plumbline/web"
)

const fixingDoc = "docs/fixing.md"

// tableOf are the words in the first column of the table under a heading.
func tableOf(t *testing.T, doc, heading string) (words []string) {
	t.Helper()
	_, rest, found := strings.Cut(doc, heading+"\n")
	if !found {
		t.Fatalf("%s has no %q", fixingDoc, heading)
	}
	section := regexp.MustCompile(`(?m)^#`).Split(rest, 2)[0]
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(section, -1) {
		words = append(words, row[1])
	}
	return words
}

// The tables of docs/fixing.md have the words that the configuration, the plans
// and their checklists have, and no others.
func TestFixingDocHasTheWords(t *testing.T) {
	t.Parallel()
	doc := read(t, fixingDoc)
	allow := []string{string(sources.Update), string(sources.Delete), string(sources.Insert), string(reconciler.AllowOwner)}
	for _, hazard := range sources.HazardKinds() {
		allow = append(allow, string(hazard))
	}
	var lines, items, plans []string
	for _, file := range []string{"guard.go", "draft.go", "undo.go"} {
		for _, call := range regexp.MustCompile(`g\.(?:pass|fail)\("([a-z_]+)"`).FindAllStringSubmatch(read(t, "reconciler/"+file), -1) {
			if !slices.Contains(lines, call[1]) {
				lines = append(lines, call[1])
			}
		}
	}
	for _, s := range reconciler.ItemStates() {
		items = append(items, string(s))
	}
	for _, s := range reconciler.PlanStates() {
		plans = append(plans, string(s))
	}
	modes := []string{string(reconciler.ModeOff), string(reconciler.ModePropose), string(reconciler.ModeApply)}
	for heading, want := range map[string][]string{"## Switching it on": modes, "### What a fix may do": allow, "### The checklist": lines,
		"### What may become of a record": items, "### What may become of a plan": plans} {
		got := tableOf(t, doc, heading)
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s, under %q (-want +got):\n%s", fixingDoc, heading, diff)
		}
	}
}

// The pictures of docs/fixing.md are there, and its links lead somewhere.
func TestFixingDocLeadsSomewhere(t *testing.T) {
	t.Parallel()
	doc := read(t, fixingDoc)
	for _, link := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(strings.ReplaceAll(doc, "\n", " "), -1) {
		file, place, within := strings.Cut(link[1], "#")
		if within && file == "" {
			heading := "(?mi)^#+ " + strings.ReplaceAll(regexp.QuoteMeta(place), "-", "[ -]") + "$"
			if !regexp.MustCompile(heading).MatchString(doc) {
				t.Errorf("%s has no heading for #%s", fixingDoc, place)
			}
			continue
		}
		if _, err := os.Stat(filepath.Join("docs", file)); err != nil {
			t.Errorf("%s points at %s: %v", fixingDoc, file, err)
		}
	}
}

// The plan that docs/fixing.md shows is what the command would write.
func TestFixingDocShowsWhatIsWritten(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 10, 47, 0, 0, time.UTC)
	value := func(kind, text string) drift.Value { return drift.Value{Type: kind, Text: text} }
	plan := web.NewFixBody(&reconciler.Plan{ID: "P-77", Number: 77, Check: "orders-in-search", Replica: "search", By: reconciler.Write, State: reconciler.Draft,
		Hash: strings.Repeat("5e1f0c97", 8), Choice: "2 findings", DraftedBy: reconciler.Person{Name: "olga"}, DraftedAt: now, ExpiresAt: now.Add(reconciler.DraftFor), Needs: 1,
		StopOnError: true, Counts: map[reconciler.ItemState]int64{reconciler.Pending: 2}, Kinds: map[sources.ChangeKind]int64{sources.Update: 2},
		Checklist: []reconciler.Safety{{Name: "share", OK: true, Words: "3.25 % of the replica differs (27 of 831 records); up to 20 % may"},
			{Name: "hazards", OK: true, Words: "writing touches nothing but the records themselves"}},
		Left: []reconciler.LeftOut{{Reason: "it is duplicate, and which record is right, nobody can say", N: 1, Example: "F-b45dcf7436"}}})
	items := web.NewFixItemBodies([]reconciler.Item{
		{N: 1, Finding: "F-fad6bbf290", KeyText: "id=12", Kind: sources.Update, State: reconciler.Pending, Fields: []reconciler.Field{
			{Name: "status", Now: value("text", "paid"), Then: value("text", "shipped")}, {Name: "version", Now: value("int", "1"), Then: value("int", "2")}}},
		{N: 2, Finding: "F-dfe06fe77f", KeyText: "id=340", Kind: sources.Update, State: reconciler.Pending, Fields: []reconciler.Field{
			{Name: "total", Now: value("text", "66.17"), Then: value("text", "61.17")}}}})
	var out strings.Builder
	if err := report.WriteFix(&out, &plan, items, report.FixView{Now: now, Style: terminal.NewStyle(false)}); err != nil {
		t.Fatal(err)
	}
	want, doc := "```text\n"+out.String()+"```\n", read(t, fixingDoc)
	before, rest, found := strings.Cut(doc, fmt.Sprintf(beginShown, "plan"))
	got, after, ended := strings.Cut(rest, endShown)
	switch {
	case !found || !ended:
		t.Fatalf("%s has no place for a plan", fixingDoc)
	case *update:
		if err := os.WriteFile(fixingDoc, []byte(before+fmt.Sprintf(beginShown, "plan")+want+endShown+after), 0o644); err != nil {
			t.Fatal(err)
		}
	case got != want:
		t.Errorf("%s is out of date: go test . -run %s -update (-want +got):\n%s", fixingDoc, t.Name(), cmp.Diff(want, got))
	}
}
