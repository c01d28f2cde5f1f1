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
		p := web.NewFixBody(&reconciler.Plan{ID: "P-7", Check: "prices", By: reconciler.Write, State: state, Needs: needs, Undoes: undoes, UndoneBy: undoneBy})
		return &p
	}
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
	} {
		var out bytes.Buffer
		if err := WriteFixLine(&out, p, terminal.NewStyle(false)); err != nil || !strings.HasSuffix(out.String(), want) {
			t.Errorf("of a plan that is %s it says %q, %v; want %q", p.State, out.String(), err, want)
		}
	}
}
