package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"plumbline/cmd/plumbline/terminal"
	"plumbline/drift"
	"plumbline/reconciler"
	"plumbline/web"
)

// WriteFixes writes plans as a table, and what keeps fixes from being made; more
// says that there are others.
func WriteFixes(w io.Writer, list []web.FixBody, more bool, stopped *web.FreezesBody, now time.Time, style terminal.Style) error {
	var t terminal.Table
	t.Row("PLAN", "CHECK", "REPLICA", "STATE", "WHAT", "CAME OF IT", "DRAFTED BY", "AGE")
	for i := range list {
		p := &list[i]
		t.Row(p.Plan, drift.Visible(p.Check), drift.Visible(p.Replica), p.State, kindWords(p), OutcomeWords(&p.Counts), drift.Visible(p.DraftedBy), Ago(time.Time(p.DraftedAt), now))
		t.Style(3, planColour(p.State, style))
	}
	var b strings.Builder
	_, _ = t.WriteTo(&b) // a strings.Builder takes everything
	switch {
	case len(list) == 0:
		b.WriteString("no plan matches\n")
	case more:
		b.WriteString("… and more: --limit shows more\n")
	}
	if words := StopWords(stopped); words != "" {
		b.WriteString("\n" + words)
	}
	if len(list) > 0 {
		b.WriteString("\nNext: plumbline fix show " + list[0].Plan + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// kindWords say what a plan does: 412 updates, 3 deletes.
func kindWords(p *web.FixBody) string {
	var words []string
	for _, k := range []struct {
		n    int64
		what string
	}{{p.Kinds.Updates, "update"}, {p.Kinds.Inserts, "insert"}, {p.Kinds.Deletes, "delete"}} {
		if k.n > 0 {
			words = append(words, terminal.Plural(k.n, k.what))
		}
	}
	text := strings.Join(words, ", ")
	if text == "" {
		text = "nothing"
	}
	if p.Undoes != "" {
		text += ", to undo " + p.Undoes
	}
	return text
}

// OutcomeWords say what came of items: 409 verified, 3 stale. Those that nothing
// was done to yet are counted where some were.
func OutcomeWords(n *web.FixCountsBody) string {
	var words []string
	for _, k := range []struct {
		n    int64
		what string
	}{{n.Verified, "verified"}, {n.Applied, "applied"}, {n.Sent, "sent"}, {n.Stale, "stale"}, {n.Failed, "failed"}, {n.Doubtful, "doubtful"}} {
		if k.n > 0 {
			words = append(words, terminal.Count(k.n)+" "+k.what)
		}
	}
	if n.Pending > 0 && len(words) > 0 {
		words = append(words, terminal.Count(n.Pending)+" pending")
	}
	return strings.Join(words, ", ")
}

func planColour(state string, style terminal.Style) func(string) string {
	switch reconciler.PlanState(state) {
	case reconciler.Applied:
		return style.Good
	case reconciler.Failed:
		return style.Bad
	case reconciler.Expired, reconciler.Undone:
		return func(text string) string { return text }
	}
	return style.Doubt
}

// StopWords are lines that say what keeps fixes from being made; "" is nothing.
func StopWords(stopped *web.FreezesBody) string {
	var b strings.Builder
	for _, f := range stopped.Frozen {
		what := "frozen: all fixes"
		if f.Check != "" {
			what = "frozen: fixes of " + drift.Visible(f.Check)
		}
		fmt.Fprintf(&b, "%s, by %s since %s%s\n", what, drift.Visible(f.By), f.FrozenAt, because(f.Reason))
	}
	for _, p := range stopped.Paused {
		fmt.Fprintf(&b, "paused: automatic fixes of %s, since %s%s\n", drift.Visible(p.Check), p.PausedAt, because(p.Reason))
	}
	return b.String()
}

// WriteFrozen says what came of freezing fixes, or of letting them go on: those
// of a check, or all where check is "".
func WriteFrozen(w io.Writer, check string, frozen bool, now *web.FreezesBody) error {
	what := "fixes"
	if check != "" {
		what = "fixes of " + drift.Visible(check)
	}
	others := slices.ContainsFunc(now.Frozen, func(f web.FreezeBody) bool { return check == "" || f.Check == "" })
	var text string
	switch {
	case frozen && !now.Changed:
		text = what + " were frozen already, and stay so"
	case frozen:
		text = what + " are frozen: nothing is written until somebody unfreezes them"
	case !now.Changed && check == "":
		text = "there was no freeze of all fixes"
	case !now.Changed:
		text = "there was no freeze of " + what + " alone"
	case others:
		text = "that freeze is lifted, and another still holds"
	default:
		text = what + " are not frozen any more: what was being applied goes on by itself"
	}
	_, err := io.WriteString(w, text+"\n"+StopWords(now))
	return err
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + drift.Visible(reason)
}

// FixView is how a plan is shown.
type FixView struct {
	// Limit is how many items at most were asked for, 0 all; State that of those asked for.
	Limit      int
	State      string
	Statements bool
	DryRun     bool
	Now        time.Time
	Style      terminal.Style
}

// WriteFix writes a plan: where it is, what was looked at before, what it does to
// which record, and what to do next.
func WriteFix(w io.Writer, p *web.FixBody, items []web.FixItemBody, v FixView) error {
	var b strings.Builder
	b.WriteString(fixHead(p, v))
	b.WriteString(checklist(p.Checklist, v.Style))
	if v.Limit > 0 && len(items) > v.Limit {
		items = items[:v.Limit]
	}
	b.WriteString("\n" + itemTable(items, v.Style))
	if v.Statements {
		b.WriteString(statements(items))
	}
	if more := p.Items - int64(len(items)); more > 0 && v.State == "" {
		fmt.Fprintf(&b, "… %s more: --limit 0 shows all\n", terminal.Count(more))
	}
	b.WriteString(leftOut(p.LeftOut))
	if next := fixNext(p, v.DryRun); next != "" {
		b.WriteString("\n" + next)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func fixHead(p *web.FixBody, v FixView) string {
	var b strings.Builder
	name := p.Plan
	if v.DryRun {
		name = "Dry run"
	}
	fmt.Fprintf(&b, "%s  %s in %s: %s", v.Style.Strong(name), drift.Visible(p.Check), drift.Visible(p.Replica), kindWords(p))
	if p.By == string(reconciler.Request) {
		b.WriteString(", asked of the service")
	}
	if p.Choice != "" && p.Undoes == "" {
		fmt.Fprintf(&b, " (%s)", drift.Visible(p.Choice))
	}
	b.WriteByte('\n')
	if v.DryRun {
		return b.String()
	}
	fmt.Fprintf(&b, "state    %s%s\n", planColour(p.State, v.Style)(p.State), stateWords(p))
	if words := OutcomeWords(&p.Counts); words != "" {
		fmt.Fprintf(&b, "so far   %s\n", words)
	}
	fmt.Fprintf(&b, "drafted  %s by %s\n", p.DraftedAt, drift.Visible(p.DraftedBy))
	fmt.Fprintf(&b, "hash     %s\n", p.Hash)
	return b.String()
}

// stateWords say more of the state that a plan is in.
func stateWords(p *web.FixBody) string {
	var words []string
	switch reconciler.PlanState(p.State) {
	case reconciler.Draft, reconciler.Waiting:
		if p.Needs > 0 {
			given := fmt.Sprintf("%d of %s given", len(p.Approvals), terminal.Plural(int64(p.Needs), "approval"))
			if !p.Auto {
				given += fmt.Sprintf(" (%s drafted it and cannot approve it)", drift.Visible(p.DraftedBy))
			}
			words = append(words, given)
		} else {
			words = append(words, "whoever may approve may apply it at once")
		}
	case reconciler.Applying, reconciler.Applied, reconciler.PartlyApplied, reconciler.Stale, reconciler.Failed:
		if p.BegunBy != "" {
			words = append(words, "by "+drift.Visible(p.BegunBy))
		}
	}
	if len(p.Approvals) > 0 {
		names := make([]string, len(p.Approvals))
		for i, a := range p.Approvals {
			names[i] = drift.Visible(a.By)
		}
		words = append(words, "approved by "+strings.Join(names, " and "))
	}
	if until := p.ExpiresAt.String(); until != "" {
		words = append(words, "until "+until)
	}
	switch {
	case p.UndoneBy != "" && p.State == string(reconciler.Undone):
		words = append(words, "taken back by "+p.UndoneBy)
	case p.UndoneBy != "":
		words = append(words, p.UndoneBy+" is to take it back")
	}
	if p.Reason != "" {
		words = append(words, drift.Visible(p.Reason))
	}
	if len(words) == 0 {
		return ""
	}
	return ": " + strings.Join(words, ", ")
}

func checklist(list []web.FixSafetyBody, style terminal.Style) string {
	if len(list) == 0 {
		return ""
	}
	var t terminal.Table
	for _, s := range list {
		sign, colour := "✔", style.Good
		if !s.OK {
			sign, colour = "✘", style.Bad
		}
		t.Row(sign, strings.ReplaceAll(drift.Visible(s.Name), "_", " "), drift.Visible(s.Words))
		t.Style(0, colour)
	}
	var b strings.Builder
	b.WriteByte('\n')
	_, _ = t.WriteTo(&b) // a strings.Builder takes everything
	return b.String()
}

func leftOut(list []web.FixLeftOutBody) string {
	if len(list) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\nleft out\n")
	for _, l := range list {
		fmt.Fprintf(&b, "  %s: %s (such as %s)\n", terminal.Plural(l.Count, "finding"), drift.Visible(l.Reason), drift.Visible(l.Example))
	}
	return b.String()
}

// fixNext says what to do next with a plan.
func fixNext(p *web.FixBody, dry bool) string {
	if dry {
		return "Nothing was kept and nothing was written.\nNext: the same command without --dry-run drafts the plan\n"
	}
	switch reconciler.PlanState(p.State) {
	case reconciler.Draft, reconciler.Waiting:
		next := "plumbline fix approve " + p.Plan + ", by somebody else"
		if p.Auto {
			next = "plumbline fix approve " + p.Plan + ", by whoever may approve"
		}
		if p.Needs == 0 {
			next = "plumbline fix apply " + p.Plan
		} else if p.State == string(reconciler.Draft) {
			next = "plumbline fix ask " + p.Plan + " tells others of it; " + next
		}
		return "Nothing was written.\nNext: " + next + "\n"
	case reconciler.Approved:
		return "Nothing was written.\nNext: plumbline fix apply " + p.Plan + "\n"
	case reconciler.Expired:
		if p.Undoes == "" {
			return "Next: plumbline fix plan " + ShellWord(p.Check) + " drafts it again\n"
		}
		return "Next: plumbline fix undo " + p.Undoes + " drafts it again\n"
	case reconciler.Applying:
		return ""
	}
	if next := outcomeNext(p); next != "" {
		return "Next: " + next + "\n"
	}
	return ""
}

// WriteFixLine writes where a plan is in a line, and what to do next.
func WriteFixLine(w io.Writer, p *web.FixBody, style terminal.Style) error {
	_, err := fmt.Fprintf(w, "%s is %s%s\n%s", p.Plan, planColour(p.State, style)(p.State), stateWords(p), fixNext(p, false))
	return err
}
