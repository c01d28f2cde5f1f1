package report

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"plumbline/cmd/plumbline/terminal"
	"plumbline/drift"
	"plumbline/reconciler"
	"plumbline/web"
)

// itemColumns is how wide a key or a value of a plan's record is shown.
const itemColumns = 40

// itemTable shows what is done to which record, a line per field; "" for none.
func itemTable(items []web.FixItemBody, style terminal.Style) string {
	if len(items) == 0 {
		return "no records\n"
	}
	var t terminal.Table
	t.Row("N", "RECORD", "DO", "FIELD", "NOW", "→", "WILL BE", "STATE", "NOTE")
	for i := range items {
		item := &items[i]
		head := []string{fmt.Sprint(item.N), itemWords(item), item.Kind}
		tail := []string{item.State, drift.Visible(item.Note)}
		if len(item.Fields) == 0 {
			t.Row(append(append(head, "(whole record)", "", "", ""), tail...)...)
			t.Style(7, itemColour(item.State, style))
		}
		for n, f := range item.Fields {
			if n > 0 {
				head, tail = []string{"", "", ""}, []string{"", ""}
			}
			was, then := apart(f.Now.Whole(), f.Then.Whole())
			t.Row(append(append(head, drift.Visible(f.Name), was, "→", then), tail...)...)
			if n == 0 {
				t.Style(7, itemColour(item.State, style))
			}
		}
	}
	var b strings.Builder
	_, _ = t.WriteTo(&b) // a strings.Builder takes everything
	b.WriteString(threeWays(items))
	return b.String()
}

func shown(v drift.Value) string { return drift.Shorten(v.Whole(), itemColumns) }

// itemWords are an item's key, which is visible text already where it is ours.
func itemWords(item *web.FixItemBody) string {
	text := item.KeyText
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || !utf8.ValidString(text) {
		text = drift.Visible(text)
	}
	return drift.Shorten(text, itemColumns)
}

// sharedColumns is how much is shown of what two long texts have in common before
// they part.
const sharedColumns = 8

// apart shortens two visible texts. Where they differ only in what would be cut
// off, they are shown from shortly before there: who approves sees a difference.
func apart(a, b string) (string, string) {
	shortA, shortB := drift.Shorten(a, itemColumns), drift.Shorten(b, itemColumns)
	if shortA != shortB || a == b {
		return shortA, shortB
	}
	one, two := []rune(a), []rune(b)
	n := 0
	for n < len(one) && n < len(two) && one[n] == two[n] {
		n++
	}
	n -= sharedColumns
	return drift.Shorten("…"+string(one[n:]), itemColumns), drift.Shorten("…"+string(two[n:]), itemColumns)
}

// threeWays shows records that were to be taken back and that somebody changed
// since: as they were before the fix, after it, and as they are now.
func threeWays(items []web.FixItemBody) string {
	var t terminal.Table
	t.Row("CHANGED SINCE", "FIELD", "BEFORE THE FIX", "AFTER IT", "NOW")
	rows := 0
	for i := range items {
		for _, now := range items[i].NowFields {
			before, after := "", ""
			for _, f := range items[i].Fields {
				if f.Name == now.Name { // the undo goes from what the fix wrote to what was before
					before, after = shown(f.Then), shown(f.Now)
				}
			}
			t.Row(itemWords(&items[i]), drift.Visible(now.Name), before, after, shown(now.Now))
			rows++
		}
	}
	if rows == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteByte('\n')
	_, _ = t.WriteTo(&b) // a strings.Builder takes everything
	return b.String()
}

func statements(items []web.FixItemBody) string {
	var b strings.Builder
	for i := range items {
		if items[i].Statement != "" {
			text := strings.ReplaceAll(drift.Lines(items[i].Statement), "\n", "\n   ")
			fmt.Fprintf(&b, "\n%-2d %s\n", items[i].N, text)
		}
	}
	return b.String()
}

func itemColour(state string, style terminal.Style) func(string) string {
	switch reconciler.ItemState(state) {
	case reconciler.ItemApplied, reconciler.ItemVerified, reconciler.ItemSent:
		return style.Good
	case reconciler.ItemFailed:
		return style.Bad
	case reconciler.Pending:
		return func(text string) string { return text }
	}
	return style.Doubt
}

// WriteRehearsal writes what applying a plan now would come to.
func WriteRehearsal(w io.Writer, r *web.FixRehearsalBody, limit int, style terminal.Style) error {
	var changed []web.FixItemBody
	for _, item := range r.PlanItems {
		if item.State != string(reconciler.Pending) {
			changed = append(changed, item)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s now: %s of %s as planned", r.Plan, terminal.Count(r.Would.Pending), terminal.Plural(int64(len(r.PlanItems)), "record"))
	if words := OutcomeWords(&web.FixCountsBody{Stale: r.Would.Stale, Failed: r.Would.Failed}); words != "" {
		b.WriteString(", " + words)
	}
	b.WriteString(". Nothing was written.\n")
	if n := len(changed); n > 0 {
		if limit > 0 {
			changed = changed[:min(n, limit)]
		}
		b.WriteString("\n" + itemTable(changed, style))
		if more := n - len(changed); more > 0 {
			fmt.Fprintf(&b, "… %s more: --limit 0 shows all\n", terminal.Count(int64(more)))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteOutcome writes what came of a plan that was applied: left are items that
// were not done.
func WriteOutcome(w io.Writer, p *web.FixBody, left []web.FixItemBody, style terminal.Style) error {
	var b strings.Builder
	words := OutcomeWords(&p.Counts)
	if words == "" {
		words = terminal.Count(p.Counts.Pending) + " pending"
	}
	fmt.Fprintf(&b, "%s  %s in %s is %s: %s\n", style.Strong(p.Plan), drift.Visible(p.Check), drift.Visible(p.Replica), planColour(p.State, style)(p.State), words)
	if p.Reason != "" {
		b.WriteString(drift.Visible(p.Reason) + "\n")
	}
	if len(left) > 0 {
		b.WriteString("\n" + itemTable(left, style))
	}
	if n := p.Counts.Stale + p.Counts.Failed + p.Counts.Doubtful + p.Counts.Pending - int64(len(left)); n > 0 {
		fmt.Fprintf(&b, "… %s more: plumbline fix show %s --limit 0\n", terminal.Count(n), p.Plan)
	}
	if next := outcomeNext(p); next != "" {
		b.WriteString("\nNext: " + next + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// outcomeNext says what to do after a plan was applied.
func outcomeNext(p *web.FixBody) string {
	var next []string
	switch {
	case p.State == string(reconciler.Undone):
		return ""
	case p.Counts.Pending+p.Counts.Doubtful > 0:
		next = append(next, "plumbline fix apply "+p.Plan+" goes on with what is left")
	case p.Counts.Stale+p.Counts.Failed > 0 && p.Undoes == "":
		next = append(next, "plumbline fix plan "+ShellWord(p.Check)+" drafts what is left again")
	case p.Counts.Stale+p.Counts.Failed > 0 && p.Counts.Applied+p.Counts.Verified == 0:
		next = append(next, "plumbline fix undo "+p.Undoes+" drafts it again")
	}
	if p.Undoes == "" && p.UndoneBy == "" && p.By == string(reconciler.Write) && p.Counts.Applied+p.Counts.Verified > 0 {
		next = append(next, "plumbline fix undo "+p.Plan+" takes it back")
	}
	return strings.Join(next, "; ")
}
