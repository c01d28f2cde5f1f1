package report

import (
	"fmt"
	"strings"
	"testing"

	"plumbline/checks"
	"plumbline/cmd/plumbline/terminal"
	"plumbline/sources"
)

func TestMasksShowNoMoreThanTheyMay(t *testing.T) {
	t.Parallel()
	masker := NewMasker()
	email := sources.Text("ada@example.com")
	for _, row := range []struct {
		value sources.Value
		mask  checks.Mask
		want  Value
	}{
		{email, checks.MaskNone, Value{Type: "text", Text: "ada@example.com"}},
		{email, checks.MaskPartial, Value{Type: "text", Text: "a***m", Masked: true}},
		{email, checks.MaskFull, Value{Type: "text", Text: "***", Masked: true}},
		{sources.Text("1234567"), checks.MaskPartial, Value{Type: "text", Text: "***", Masked: true}},
		{sources.Text("你好你好你好你好"), checks.MaskPartial, Value{Type: "text", Text: "你***好", Masked: true}},
		{sources.Int(4111111111111111), checks.MaskPartial, Value{Type: "int", Text: "4***1", Masked: true}},
		{sources.Null(), checks.MaskFull, Value{Type: "null", Masked: true}},
		{sources.Value{}, checks.MaskHash, Value{Type: "absent", Masked: true}},
		{sources.Text("\xff"), checks.MaskNone, Value{Type: "text", Text: "\xff", Base64: "/w=="}},
		{sources.Text("\xff"), checks.MaskFull, Value{Type: "text", Text: "***", Masked: true}},
	} {
		if got := masker.Show(row.value, row.mask); got != row.want {
			t.Errorf("%v under %d: got %+v, want %+v", row.value, row.mask, got, row.want)
		}
	}
	first, again, other := masker.Show(email, checks.MaskHash), masker.Show(email, checks.MaskHash), masker.Show(sources.Text("x"), checks.MaskHash)
	if first != again || first == other || len(first.Text) != 9 || first.Text[0] != '#' {
		t.Errorf("hashes %v, %v, %v", first, again, other)
	}
	if elsewhere := NewMasker().Show(email, checks.MaskHash); elsewhere == first {
		t.Error("two processes hash alike: the key is not random")
	}
}

func TestNotesOfMaskedFieldsHoldNoValue(t *testing.T) {
	t.Parallel()
	hidden := "masked: the reason is not shown"
	for text, want := range map[string]string{
		"": "",
		"the map has no entry for the owner's value":     "the map has no entry for the owner's value",
		"owner has int, replica has text: declare as":    "owner has int, replica has text: declare as",
		"one side has a time without a zone: declare tz": "one side has a time without a zone: declare tz",
		"does not hold": "does not hold",
		`owner's text "secret" cannot be read as int`:               hidden,
		"cannot be told: secret is no number":                       hidden,
		`replica's text "secret: declare as" cannot: declare as`:    hidden,
		`owner's text "does not hold" cannot be read as uuid: x, y`: hidden,
	} {
		if got := note(text, checks.MaskHash); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
		if got := note(text, checks.MaskNone); got != text {
			t.Errorf("%q without a mask: got %q", text, got)
		}
	}
}

func TestMasksOfKeysComeFromTheRulesThatNameThem(t *testing.T) {
	t.Parallel()
	rule := func(owner, replica string, mask checks.Mask) checks.Rule {
		return checks.Rule{Owner: checks.FieldRef{Name: owner}, Replica: checks.FieldRef{Name: replica}, Mask: mask}
	}
	check := &checks.Check{Edges: []checks.Edge{{Rules: []checks.Rule{rule("email", "mail", checks.MaskPartial), rule("x", "tenant", checks.MaskFull), rule("y", "copy", checks.MaskHash)}}}}
	check.Owner.Dataset.Key = []string{"email", "region", "plain"}
	check.Edges[0].Replica.Dataset.Key = []string{"address", "tenant", "plain"}
	check.Edges[0].Replica.Dataset.ID = []string{"copy", "address", "other"}
	m := MasksOf(check, &check.Edges[0])
	if got, want := fmt.Sprint(m.key, m.id), fmt.Sprint([]checks.Mask{checks.MaskPartial, checks.MaskFull, checks.MaskNone},
		[]checks.Mask{checks.MaskHash, checks.MaskPartial, checks.MaskNone}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := m.Message("source a: scan b: key ada@example.com is odd"); got != "source a: scan b: key *** (masked)" {
		t.Errorf("got %q", got)
	}
	if got := (Masks{}).Message("key 42: neither side has it"); got != "key 42: neither side has it" {
		t.Errorf("got %q", got)
	}
}

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
		run.Findings = append(run.Findings, Finding{Kind: checks.Mismatch, Fields: []Field{
			{OwnerField: field, ReplicaField: field, Owner: Value{Type: "text", Text: owner}, Replica: Value{Type: "text", Text: replica}}}})
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

func TestShownValues(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		value        Value
		shown, whole string
	}{
		{Value{Type: "text", Text: "paid"}, `"paid"`, "paid"},
		{Value{Type: "text", Text: ""}, `""`, `""`},
		{Value{Type: "text", Text: "null"}, `"null"`, `"null"`},
		{Value{Type: "null"}, "null", "null"},
		{Value{Type: "absent"}, "absent", "absent"},
		{Value{Type: "text", Text: " x"}, `" x"`, `" x"`},
		{Value{Type: "text", Text: `a"b`}, `"a\"b"`, `"a\"b"`},
		{Value{Type: "int", Text: "9182736450192837465"}, "9182736450192837465", "9182736450192837465"},
		{Value{Type: "bytes", Text: `\x6869`}, `\x6869`, `\x6869`},
		{Value{Type: "text", Text: "***", Masked: true}, "***", "***"},
		{Value{Type: "text", Text: strings.Repeat("x", 50)}, `"` + strings.Repeat("x", 39) + `…"`, strings.Repeat("x", 50)},
	} {
		if got := shown(row.value); got != row.shown {
			t.Errorf("shown(%+v) = %s, want %s", row.value, got, row.shown)
		}
		if got := ShownWhole(row.value); got != row.whole {
			t.Errorf("ShownWhole(%+v) = %s, want %s", row.value, got, row.whole)
		}
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
		if got := code(terminal.Visible(text)); got != want {
			t.Errorf("code(%q) = %s, want %s", text, got, want)
		}
	}
}
