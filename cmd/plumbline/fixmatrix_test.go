package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"plumbline/access"
	"plumbline/ledger"
	"plumbline/reconciler"
)

// matrix is what each act of each person on a plan comes to that needs one
// approval, a letter for each state of a plan in the order of its life:
//
//	.  refused (exit code 2), and the plan stays as it is
//	A  done, and the plan is approved
//	D  done, and the plan is applied
//	=  told that it is done, and the plan stays as it is
//	1  told that a record failed (exit code 1), and it stays
//	3  told that a record is stale (exit code 3), and it stays
//
// Plans are drafted by ann unless the person says otherwise, and zoe approved those
// that are approved. "me" is whoever of this operating system runs the test.
func matrix(me string) []*matrixRow {
	const nothing, applies = "..........", "..DD=331.."
	return []*matrixRow{
		{who: "vic, a viewer", token: "vic", approve: nothing, apply: nothing},
		{who: "otto, an operator", token: "otto", approve: nothing, apply: applies},
		{who: "ann, who drafted it", token: "ann", approve: nothing, apply: applies},
		{who: "abe, another approver", token: "abe", approve: "AA........", apply: applies},
		{who: "zoe, who approved it", token: "zoe", approve: "AA==......", apply: applies},
		{who: "abe without the scope approve", token: "abe to act", approve: nothing, apply: applies},
		{who: "abe with the scopes view and approve", token: "abe to approve", approve: "AA........", apply: nothing},
		{who: "bea, an admin", token: "bea", approve: "AA........", apply: applies},
		{who: "a token of nobody's", token: "ci", approve: "AA........", apply: applies},
		{who: "a token of nobody's that is called ann", token: "called ann", approve: nothing, apply: applies},
		{who: "no token", approve: nothing, apply: applies},
		{who: "no token, and an account of that name drafted it", drafter: me, approve: nothing, apply: applies},
		{who: "no token, who drafted it so", drafter: byNoToken, approve: nothing, apply: applies},
		{who: "an approver of that name, and no token drafted it", token: me, drafter: byNoToken, approve: nothing, apply: applies},
	}
}

// byNoToken is the drafter that came without a token.
const byNoToken = "no token"

type matrixRow struct {
	who            string
	token          string // "" comes with none
	drafter        string // "" is ann
	approve, apply string
}

// Whoever comes by a command to a plan in whatever state: what becomes of it is in
// the matrix, and nothing else moves a plan or writes a record.
func TestPlansAreApprovedAndAppliedByCommandsOfWhoMayAlone(t *testing.T) {
	t.Parallel()
	w := newMatrixWorld(t)
	cells, moved, deviations := 0, 0, 0
	for n, state := range reconciler.PlanStates() {
		plans := map[string]*reconciler.Plan{}
		for _, row := range matrix(w.me) {
			for _, act := range []string{"approve", "apply"} {
				letter := map[string]string{"approve": row.approve, "apply": row.apply}[act][n]
				p := plans[row.drafter]
				if p == nil {
					p = w.planIn(state, row.drafter)
					plans[row.drafter] = p
				}
				cells++
				moves, wrong := w.cell(row, act, letter, p)
				if wrong != "" {
					deviations++
					t.Errorf("%s: %s a plan that is %s: %s", row.who, act, state, wrong)
				}
				if moves {
					moved++
					delete(plans, row.drafter)
				}
			}
		}
	}
	t.Logf("%d identities × 2 acts × %d states: %d cells, %d plans moved, %d deviations", len(matrix(w.me)), len(reconciler.PlanStates()), cells, moved, deviations)
	done := 0
	for _, row := range matrix(w.me) {
		done += strings.Count(row.approve, "A") + strings.Count(row.apply, "D")
	}
	if cells != 20*len(matrix(w.me)) || moved != done {
		t.Errorf("%d cells, and %d plans moved of %d: the matrix is not whole", cells, moved, done)
	}
}

// cell has somebody act on a plan, and says what was not as its letter says; moves
// is whether the plan has moved.
func (w *matrixWorld) cell(row *matrixRow, act string, letter byte, p *reconciler.Plan) (moves bool, wrong string) {
	w.t.Helper()
	code, state, approvals := map[byte]int{'.': 2, 'A': 0, 'D': 0, '=': 0, '1': 1, '3': 3}[letter], p.State, len(p.Approvals)
	switch letter {
	case 'A':
		state, approvals = reconciler.Approved, approvals+1
	case 'D':
		state = reconciler.Applied
	}
	records, entries := w.records(), w.entries(act+" fix", p)
	got, said := w.as(row.token, "fix", act, p.ID)
	after := w.plan(p.ID)
	moves = after.State != p.State
	var problems []string
	differs := func(differs bool, format string, args ...any) {
		if differs {
			problems = append(problems, fmt.Sprintf(format, args...))
		}
	}
	differs(got != code, "exit code %d, want %d: %s", got, code, said)
	differs(after.State != state, "it is %s, want %s", after.State, state)
	differs(after.Hash != p.Hash, "its hash was %s and is %s", p.Hash, after.Hash)
	differs(len(after.Approvals) != approvals, "%d approvals, want %d", len(after.Approvals), approvals)
	differs(letter != 'A' && letter != 'D' && after.Revision != p.Revision, "it was changed in something")
	differs((w.records() != records) != (letter == 'D'), "records of the replica went from %s to %s", records, w.records())
	ok := w.entries(act+" fix", p) - entries
	differs(letter == '.' && ok != 0 || letter == 'A' && ok != 1, "the audit log has %d more entries of it that are ok", ok)
	return moves || after.Revision != p.Revision, strings.Join(problems, "; ")
}

// as runs a command in this process with somebody's token, and returns its exit
// code and what it wrote.
func (w *matrixWorld) as(token string, args ...string) (code int, said string) {
	var both bytes.Buffer
	env := []string{"PLUMBLINE_TOKEN=" + w.tokens[token]}
	code = run(w.t.Context(), process{args: append(args, "-c", w.config), stdin: strings.NewReader(""), stdout: &both, stderr: &both, env: env})
	return code, both.String()
}

// entries counts what the audit log holds of an act on a plan that was done.
func (w *matrixWorld) entries(action string, p *reconciler.Plan) int {
	w.t.Helper()
	list, _, err := w.ledger.AuditEntries(w.t.Context(), ledger.AuditFilter{Action: action, Object: "fix " + p.ID, Outcome: string(access.Done), Limit: 500})
	w.must(err)
	return len(list)
}
