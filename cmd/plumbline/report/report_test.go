package report

import (
	"fmt"
	"strings"
	"testing"

	"plumbline/checks"
	"plumbline/drift"
)

func TestOutcome(t *testing.T) {
	t.Parallel()
	const clean, drift, incomplete, broken, cancelled = checks.Clean, checks.Drift, checks.Incomplete, checks.Error, checks.Cancelled
	for _, row := range []struct {
		results []checks.Result
		failOn  string
		overall checks.Result
		code    int
	}{
		{nil, "drift,incomplete", broken, 2},
		{[]checks.Result{clean}, "drift,incomplete", clean, 0},
		{[]checks.Result{clean, incomplete}, "drift,incomplete", incomplete, 3},
		{[]checks.Result{incomplete, drift, clean}, "drift,incomplete", drift, 1},
		{[]checks.Result{drift, broken, incomplete}, "drift,incomplete", broken, 2},
		{[]checks.Result{broken, cancelled, drift}, "drift,incomplete", cancelled, 130},
		{[]checks.Result{drift, incomplete}, "incomplete", drift, 3},
		{[]checks.Result{drift, incomplete}, " drift ", drift, 1},
		{[]checks.Result{incomplete}, "drift", incomplete, 0},
		{[]checks.Result{drift, incomplete}, "none", drift, 0},
		{[]checks.Result{drift, broken}, "none", broken, 2},
		{[]checks.Result{cancelled}, "none", cancelled, 130},
	} {
		var runs []*Run
		for _, r := range row.results {
			runs = append(runs, &Run{Result: r})
		}
		failOn, err := ParseFailOn(row.failOn)
		if err != nil {
			t.Fatal(err)
		}
		if got, code := Overall(runs), failOn.ExitCode(runs); got != row.overall || code != row.code {
			t.Errorf("%v, --fail-on %s: got %s and %d, want %s and %d", row.results, row.failOn, got, code, row.overall, row.code)
		}
	}
	for _, wrong := range []string{"", "drfit", "none,drift", "drift,,incomplete", "all"} {
		if _, err := ParseFailOn(wrong); err == nil {
			t.Errorf("--fail-on %q was accepted", wrong)
		}
	}
}

func TestPatternsGroupWhatDiffersAlike(t *testing.T) {
	t.Parallel()
	run := &Run{}
	finding := func(field, owner, replica string) {
		run.Findings = append(run.Findings, Finding{Kind: checks.Mismatch, Fields: []drift.Field{
			{OwnerField: field, ReplicaField: field, Owner: drift.Value{Type: "text", Text: owner}, Replica: drift.Value{Type: "text", Text: replica}}}})
	}
	for range 412 {
		finding("status", "paid", "pending")
	}
	for i := range 20 {
		finding("price", fmt.Sprint(i), fmt.Sprint(i+1))
	}
	run.Findings = append(run.Findings, Finding{Kind: checks.Missing}, Finding{Kind: checks.Missing}, Finding{Kind: checks.Unreadable, Reason: "owner: too deep"})
	var got []string
	for _, p := range Patterns(run) {
		got = append(got, fmt.Sprintf("%s ×%d", p.Words, p.Records))
	}
	want := []string{`status: owner "paid" replica "pending" ×412`, `price: 17 other pairs of values, such as owner "11" replica "12" ×17`, "missing in the replica ×2",
		`price: owner "0" replica "1" ×1`, `price: owner "1" replica "2" ×1`, `price: owner "10" replica "11" ×1`, "unreadable: owner: too deep ×1"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestShellWord(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"42": "42", "a b": "'a b'", "it's": `'it'\''s'`, "$(rm -rf)": "'$(rm -rf)'", "-5": "-5", "": "''",
		"a\nb": `$'a\nb'`, "a,b:c@d/e": "a,b:c@d/e", "\x1b'": `$'\x1b\''`,
	} {
		if got := ShellWord(text); got != want {
			t.Errorf("ShellWord(%q) = %s, want %s", text, got, want)
		}
	}
}

func TestPercentIsWholeOnlyWhenItIs(t *testing.T) {
	t.Parallel()
	for share, want := range map[float64]string{1: "100 %", 0.99999: "99.9 %", 0.931: "93.1 %", 0: "0.0 %"} {
		if got := percent(share); got != want {
			t.Errorf("percent(%v) = %s, want %s", share, got, want)
		}
	}
}

func TestCodeSpansHold(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain": "`plain`", "a|b": "`a\\|b`", "`x`": "`` `x` ``", "``": "``` `` ```", "": "`  `", " x": "`  x `",
	} {
		if got := code(drift.Visible(text)); got != want {
			t.Errorf("code(%q) = %s, want %s", text, got, want)
		}
	}
}
