package report

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode"

	"plumbline/cmd/plumbline/terminal"
	"plumbline/drift"
	"plumbline/reconciler"
	"plumbline/sources"
	"plumbline/web"
)

// hostilePlan has a payload wherever what people or stores wrote can stand.
func hostilePlan(p string, state reconciler.PlanState) (*web.FixBody, []web.FixItemBody) {
	who := reconciler.Person{Name: p}
	plan := web.NewFixBody(&reconciler.Plan{ID: "P-7", Check: p, Replica: p, By: reconciler.Write, State: state, Choice: p, DraftedBy: who, BegunBy: who, Reason: p, Needs: 2,
		Approvals: []reconciler.Approval{{By: who}}, Left: []reconciler.LeftOut{{Reason: p, N: 2, Example: p}}, Checklist: []reconciler.Safety{{Name: p, Words: p}},
		Kinds: map[sources.ChangeKind]int64{sources.Update: 1}, Counts: map[reconciler.ItemState]int64{reconciler.ItemStale: 1}})
	field := reconciler.Field{Name: p, Now: drift.Value{Type: "text", Text: p}, Then: drift.Value{Type: "text", Text: p}, Rule: p}
	return &plan, web.NewFixItemBodies([]reconciler.Item{{N: 1, KeyText: p, Kind: sources.Update, Fields: []reconciler.Field{field}, Now: []reconciler.Field{field},
		Statement: p, Note: p, State: reconciler.ItemStale}})
}

func TestNothingActsInWhatIsToldOfPlans(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	style := terminal.NewStyle(false)
	for n, p := range hostile(rand.New(rand.NewPCG(seed, 0)), 200) {
		plan, items := hostilePlan(p, reconciler.PlanStates()[n%10])
		stopped := &web.FreezesBody{Frozen: []web.FreezeBody{{Check: p, By: p, Reason: p}}, Paused: []web.PauseBody{{Check: p, Reason: p}}}
		for name, write := range map[string]func(io.Writer) error{
			"list":    func(w io.Writer) error { return WriteFixes(w, []web.FixBody{*plan}, true, stopped, time.Now(), style) },
			"show":    func(w io.Writer) error { return WriteFix(w, plan, items, FixView{Statements: true, Style: style}) },
			"dry run": func(w io.Writer) error { return WriteFix(w, plan, items, FixView{DryRun: true, Style: style}) },
			"line":    func(w io.Writer) error { return WriteFixLine(w, plan, style) },
			"outcome": func(w io.Writer) error { return WriteOutcome(w, plan, items, style) },
			"rehearsal": func(w io.Writer) error {
				return WriteRehearsal(w, &web.FixRehearsalBody{FixBody: *plan, PlanItems: items}, 1, style)
			},
		} {
			var out bytes.Buffer
			if err := write(&out); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, r := range strings.ReplaceAll(out.String(), "\n", "") {
				if !unicode.IsPrint(r) {
					t.Fatalf("%s of payload %d holds %+q:\n%q", name, n, r, out.String())
				}
			}
		}
	}
}

// Whoever reads of a plan learns what to do next, by what may be done.
func TestAPlanSaysWhatToDoNext(t *testing.T) {
	t.Parallel()
	plan := func(state reconciler.PlanState, needs int, undoes, undoneBy string) *web.FixBody {
		counts := map[reconciler.PlanState]map[reconciler.ItemState]int64{reconciler.Applied: {reconciler.ItemVerified: 1}, reconciler.Undone: {reconciler.ItemVerified: 1},
			reconciler.PartlyApplied: {reconciler.ItemVerified: 1, reconciler.ItemFailed: 1, reconciler.Pending: 3}, reconciler.Failed: {reconciler.ItemFailed: 2},
			reconciler.Stale: {reconciler.ItemStale: 1}}[state]
		p := web.NewFixBody(&reconciler.Plan{ID: "P-7", Check: "prices", By: reconciler.Write, State: state, Needs: needs, Undoes: undoes, UndoneBy: undoneBy,
			DraftedBy: reconciler.Person{Name: "ann"}, Counts: counts})
		return &p
	}
	proposed := plan(reconciler.Waiting, 1, "", "")
	proposed.Auto, proposed.DraftedBy = true, "plumbline"
	for want, p := range map[string]*web.FixBody{
		"fix ask P-7 tells others of it; plumbline fix approve P-7, by somebody else\n": plan(reconciler.Draft, 1, "", ""),
		"Next: plumbline fix approve P-7, by somebody else\n":                           plan(reconciler.Waiting, 1, "", ""),
		"Next: plumbline fix apply P-7\n":                                               plan(reconciler.Draft, 0, "", ""),
		"Nothing was written.\nNext: plumbline fix apply P-7\n":                         plan(reconciler.Approved, 1, "", ""),
		"Next: plumbline fix undo P-7 takes it back\n":                                  plan(reconciler.Applied, 1, "", ""),
		"P-7 is applied: P-8 is to take it back\n":                                      plan(reconciler.Applied, 1, "", "P-8"),
		"P-7 is undone: taken back by P-8\n":                                            plan(reconciler.Undone, 1, "", "P-8"),
		"Next: plumbline fix plan prices drafts it again\n":                             plan(reconciler.Expired, 1, "", ""),
		"Next: plumbline fix undo P-6 drafts it again\n":                                plan(reconciler.Stale, 1, "P-6", ""),
		"Next: plumbline fix plan prices drafts what is left again\n":                   plan(reconciler.Stale, 1, "", ""),
		"P-7 is waiting for approval: 0 of 1 approval given\nNothing was written.\nNext: plumbline fix approve P-7, by whoever may approve\n":                                                             proposed,
		"\nNext: plumbline fix apply P-7 goes on with what is left; plumbline fix undo P-7 takes it back\n":                                                                                               plan(reconciler.PartlyApplied, 1, "", ""),
		"\nNext: plumbline fix plan prices drafts what is left again\n":                                                                                                                                   plan(reconciler.Failed, 1, "", ""),
		"P-7 is draft: 0 of 1 approval given (ann drafted it and cannot approve it)\nNothing was written.\nNext: plumbline fix ask P-7 tells others of it; plumbline fix approve P-7, by somebody else\n": plan(reconciler.Draft, 1, "", ""),
	} {
		var out bytes.Buffer
		if err := WriteFixLine(&out, p, terminal.NewStyle(false)); err != nil || !strings.HasSuffix(out.String(), want) {
			t.Errorf("of a plan that is %s it says %q, %v; want %q", p.State, out.String(), err, want)
		}
	}
}

// What differs far behind is what is shown of it, and a key is made visible once.
func TestAPlanShowsWhereLongTextsPartAndKeysAsTheyAre(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", 5000)
	field := reconciler.Field{Name: "title", Now: drift.Value{Type: "text", Text: long + "!"}, Then: drift.Value{Type: "text", Text: long}}
	plan, _ := hostilePlan("prices", reconciler.Draft)
	items := web.NewFixItemBodies([]reconciler.Item{{N: 1, KeyText: `tenant=c\nd sku="b'\""`, Kind: sources.Update, Fields: []reconciler.Field{field}}})
	var out bytes.Buffer
	if err := WriteFix(&out, plan, items, FixView{Style: terminal.NewStyle(false)}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"…üüüüüüüü!", "→  …üüüüüüüü\n", `tenant=c\nd sku="b'\"" `} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %s:\n%s", want, out.String())
		}
	}
}

// Whoever lets fixes go on is not told that they do while another freeze holds.
func TestWhatIsFrozenIsSaidAsItStands(t *testing.T) {
	t.Parallel()
	frozen := func(changed bool, checks ...string) *web.FreezesBody {
		now := &web.FreezesBody{Changed: changed}
		for _, check := range checks {
			now.Frozen = append(now.Frozen, web.FreezeBody{Check: check, By: "ann"})
		}
		return now
	}
	for _, row := range []struct {
		check  string
		freeze bool
		now    *web.FreezesBody
		want   string
	}{
		{"prices", true, frozen(true, "prices"), "fixes of prices are frozen: nothing is written until somebody unfreezes them\nfrozen: fixes of prices, by ann"},
		{"", true, frozen(false, ""), "fixes were frozen already, and stay so\nfrozen: all fixes, by ann"},
		{"prices", false, frozen(true), "fixes of prices are not frozen any more: what was being applied goes on by itself\n"},
		{"prices", false, frozen(true, "orders"), "fixes of prices are not frozen any more: "},
		{"prices", false, frozen(true, ""), "that freeze is lifted, and another still holds\nfrozen: all fixes, by ann"},
		{"", false, frozen(true, "prices"), "that freeze is lifted, and another still holds\nfrozen: fixes of prices, by ann"},
		{"prices", false, frozen(false, ""), "there was no freeze of fixes of prices alone\nfrozen: all fixes, by ann"},
		{"", false, frozen(false), "there was no freeze of all fixes\n"},
	} {
		var out bytes.Buffer
		if err := WriteFrozen(&out, row.check, row.freeze, row.now); err != nil || !strings.HasPrefix(out.String(), row.want) {
			t.Errorf("%q, freeze %v: it says %q, %v; want %q", row.check, row.freeze, out.String(), err, row.want)
		}
	}
}
