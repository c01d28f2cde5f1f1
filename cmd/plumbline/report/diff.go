package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"plumbline/checks"
	"plumbline/cmd/plumbline/terminal"
	"plumbline/drift"
)

// Diff is one key on both sides, read once.
type Diff struct {
	SchemaVersion int    `json:"schema_version"`
	Check         string `json:"check"`
	// Result is equal, differs, or absent where neither side has the key.
	Result string `json:"result"`
	Copies []Copy `json:"copies"`
}

// Copy is one copy of the key's record beside the owner's.
type Copy struct {
	Replica string      `json:"replica"`
	Sources Sides       `json:"sources"`
	ReadAt  Time        `json:"read_at"`
	Key     drift.Named `json:"key"`
	ID      drift.Named `json:"id"`
	// Result is equal, differs, not compared, or absent.
	Result  string                `json:"result"`
	Kind    checks.DifferenceKind `json:"kind"`
	Note    string                `json:"note"`
	Owner   bool                  `json:"owner_has_it"`
	Has     bool                  `json:"replica_has_it"`
	Fields  []ComparedField       `json:"fields"`
	Ignored int                   `json:"fields_ignored"`
}

// ComparedField is one compared field, equal or not.
type ComparedField struct {
	drift.Field
	Equal bool `json:"equal"`
}

// Copy makes one copy of a diff.
func (b Builder) Copy(check *checks.Check, edge *checks.Edge, pair *checks.Pair, readAt time.Time) Copy {
	masks := drift.MasksOf(check, edge)
	c := Copy{Replica: edge.Name, Sources: Sides{check.Owner.Source, edge.Replica.Source}, ReadAt: Time(readAt),
		Key: b.Key(check, pair.Key, masks), ID: drift.Named{}, Kind: pair.Kind, Note: b.Scrub(masks.Message(pair.Note)),
		Owner: pair.Owner != nil, Has: pair.Replica != nil, Fields: []ComparedField{}}
	if pair.Replica != nil {
		c.ID = b.ID(edge, pair.Replica.ID, masks)
	}
	switch {
	case pair.Kind != "":
		c.Result = "differs"
	case !c.Owner && !c.Has:
		c.Result = "absent"
	case pair.Note != "":
		c.Result = "not compared"
	default:
		c.Result = "equal"
	}
	compared := 0
	for i := range pair.Fields {
		f := &pair.Fields[i]
		c.Fields = append(c.Fields, ComparedField{b.Field(&f.FieldDifference), f.Equal})
		if f.Owner != "" || f.Replica != "" {
			compared++
		}
	}
	c.Ignored = max(0, len(edge.Rules)-compared)
	return c
}

// Add adds a copy; the diff's result is that of its worst copy.
func (d *Diff) Add(c Copy) {
	d.Copies = append(d.Copies, c)
	worst := []string{"equal", "absent", "not compared", "differs"}
	rank := func(result string) int { return slices.Index(worst, result) }
	if len(d.Copies) == 1 || rank(c.Result) > rank(d.Result) {
		d.Result = c.Result
	}
}

// HidesKey says whether part of the key is masked.
func (d *Diff) HidesKey() bool {
	return slices.ContainsFunc(d.Copies, func(c Copy) bool {
		return slices.ContainsFunc(c.Key, func(part drift.NamedValue) bool { return part.Value.Masked })
	})
}

// diffColumns is how wide a value is shown side by side.
const diffColumns = 60

// WriteDiff writes each copy side by side with its owner: fields that differ
// first, equal ones folded unless all are asked for.
func WriteDiff(w io.Writer, d *Diff, all bool, style terminal.Style) error {
	var b strings.Builder
	for i := range d.Copies {
		if i > 0 {
			b.WriteByte('\n')
		}
		writeCopy(&b, d.Check, &d.Copies[i], all, style)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeCopy(b *strings.Builder, check string, c *Copy, all bool, style terminal.Style) {
	title := fmt.Sprintf("%s in %s  %s", check, c.Replica, c.Key.Words())
	if len(c.ID) > 0 {
		title += "  copy " + c.ID.Words()
	}
	words := c.Result
	if c.Kind != "" {
		words = string(c.Kind)
	}
	if c.Note != "" {
		words += ": " + drift.Visible(c.Note)
	}
	fmt.Fprintf(b, "%s: %s\n", style.Strong(title), resultColour(c, style)(words))
	if !c.Owner && !c.Has {
		return
	}
	var t terminal.Table
	t.Row("  FIELD", "OWNER "+c.Sources.Owner, "REPLICA "+c.Sources.Replica, "RULE")
	equal := 0
	for _, wanted := range []bool{false, true} { // what differs comes first
		for i := range c.Fields {
			f := &c.Fields[i]
			if f.Equal != wanted {
				continue
			}
			if f.Equal && !all {
				equal++
				continue
			}
			writeField(&t, c, f, style)
		}
	}
	if len(c.Fields) > equal {
		_, _ = t.WriteTo(b) // a strings.Builder takes everything
	}
	var folded []string
	if equal > 0 {
		folded = append(folded, fmt.Sprintf("%d equal", equal))
	}
	if c.Ignored > 0 {
		folded = append(folded, fmt.Sprintf("%d ignored", c.Ignored))
	}
	if len(folded) > 0 {
		more := ""
		if equal > 0 {
			more = " (--all)"
		}
		fmt.Fprintf(b, "… %s%s\n", strings.Join(folded, ", "), more)
	}
}

func writeField(t *terminal.Table, c *Copy, f *ComparedField, style terminal.Style) {
	mark, colour := "≠ ", style.Bad
	compared := c.Owner && c.Has && c.Kind != checks.Unreadable
	switch {
	case f.Equal:
		mark, colour = "= ", func(s string) string { return s }
	case !compared:
		mark = "  "
	}
	side := func(has bool, v drift.Value) string {
		if !has {
			return "–"
		}
		return drift.Shorten(v.Whole(), diffColumns)
	}
	rule := drift.Visible(f.Rule)
	if f.Note != "" {
		rule += " (" + drift.Visible(f.Note) + ")"
	}
	if f.Owner.Masked && !f.Equal && f.Note == "" && compared {
		rule += ", masked: the values differ"
	}
	t.Row(mark+drift.Visible(f.Title()), side(c.Owner, f.Owner), side(c.Has, f.Replica), rule)
	t.Style(0, colour)
}

func resultColour(c *Copy, style terminal.Style) func(string) string {
	switch c.Result {
	case "equal":
		return style.Good
	case "differs":
		return style.Bad
	}
	return style.Doubt
}
