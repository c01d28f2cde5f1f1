package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"plumbline/checks"
	"plumbline/cmd/plumbline/terminal"
	"plumbline/configs"
	"plumbline/drift"
)

// Explanation is how a check would be read.
type Explanation struct {
	SchemaVersion int             `json:"schema_version"`
	Check         string          `json:"check"`
	Edges         []ExplainedEdge `json:"edges"`
}

// ExplainedEdge is how one edge would be read.
type ExplainedEdge struct {
	Replica string `json:"replica"`
	Plan    string `json:"plan"`
	Words   string `json:"plan_detail"`
	// Why says why no faster plan is taken, Blind what this one cannot find.
	Why   []string `json:"why_not_faster"`
	Blind []string `json:"cannot_find"`
	// Records and LookedUp are about how many are scanned and looked up; 0 when unknown.
	Records       int64         `json:"records_scanned"`
	LookedUp      int64         `json:"records_looked_up"`
	Bytes         int64         `json:"bytes"`
	Pages         int64         `json:"pages"`
	Seconds       float64       `json:"seconds"`
	Segments      int64         `json:"segments"`
	SettleSeconds float64       `json:"settle_seconds"`
	Owner         ExplainedSide `json:"owner"`
	ReplicaSide   ExplainedSide `json:"replica_side"`
}

// ExplainedSide is what one side is asked.
type ExplainedSide struct {
	Source      string               `json:"source"`
	Dataset     string               `json:"dataset"`
	Records     int64                `json:"records"`
	Connections int                  `json:"connections"`
	Statements  []ExplainedStatement `json:"statements"`
	Warnings    []string             `json:"warnings"`
}

// ExplainedStatement is one statement and how the store would run it.
type ExplainedStatement struct {
	Purpose string `json:"purpose"`
	Text    string `json:"text"`
	Plan    string `json:"plan"`
	Index   string `json:"index"`
	Sorts   bool   `json:"sorts"`
	Records int64  `json:"records"`
	Bytes   int64  `json:"bytes"`
}

// Explain takes the plan and keeps the statements that it sends.
func (e *ExplainedEdge) Explain(plan checks.Plan, owner, replica ExplainedSide) {
	e.Plan, e.Words = string(plan.Kind), plan.Words()
	e.Why, e.Blind = append([]string{}, plan.Why...), append([]string{}, plan.Blind...)
	owner.keep(plan.Scans(checks.OwnerSide))
	replica.keep(plan.Scans(checks.ReplicaSide))
	e.Owner, e.ReplicaSide = owner, replica
}

// keep leaves out what is sent only to scan, where the side is not scanned.
// Look-ups are sent in every plan: they confirm what differs.
func (s *ExplainedSide) keep(scanned bool) {
	kept := []ExplainedStatement{}
	for _, statement := range s.Statements {
		if scanned || statement.Purpose == "lookup" {
			kept = append(kept, statement)
		}
	}
	s.Statements = kept
}

// scanPage and lookupPage are about how many records a page comes to hold once
// it has sized itself.
const (
	scanPage   = 10_000
	lookupPage = 1_000
)

// Estimate says about how long a run takes: its pages at the page time, one
// after the other on the slower side, or its records at the allowed rate.
func (e *ExplainedEdge) Estimate(cost checks.Cost, owner, replica configs.Limits) {
	e.Records, e.LookedUp, e.Segments = cost.Scanned, cost.LookedUp, cost.Segments
	for _, side := range []ExplainedSide{e.Owner, e.ReplicaSide} {
		for _, s := range side.Statements {
			if s.Purpose == "scan" {
				e.Bytes += s.Bytes
			}
		}
	}
	e.Pages = (cost.Scanned+scanPage-1)/scanPage + (cost.LookedUp+lookupPage-1)/lookupPage
	took := time.Duration(e.Pages) * max(owner.Page, replica.Page)
	for _, l := range []configs.Limits{owner, replica} {
		if l.RecordsPerSecond > 0 {
			took = max(took, time.Duration(float64(cost.Scanned+cost.LookedUp)/float64(l.RecordsPerSecond)*float64(time.Second)))
		}
	}
	e.Seconds = took.Seconds()
}

// WriteExplanation writes it for people.
func WriteExplanation(w io.Writer, x *Explanation, style terminal.Style) error {
	var b strings.Builder
	for i := range x.Edges {
		if i > 0 {
			b.WriteByte('\n')
		}
		writeExplained(&b, x.Check, &x.Edges[i], style)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeExplained(b *strings.Builder, check string, e *ExplainedEdge, style terminal.Style) {
	fmt.Fprintf(b, "%s\n", style.Strong(check+" in "+e.Replica))
	fmt.Fprintf(b, "plan     %s\n", e.Words)
	for _, why := range e.Why {
		fmt.Fprintf(b, "         not faster: %s\n", drift.Visible(why))
	}
	for _, blind := range e.Blind {
		fmt.Fprintf(b, "         %s %s\n", style.Doubt("cannot find"), drift.Visible(blind))
	}
	writeSide(b, "owner", &e.Owner, style)
	writeSide(b, "replica", &e.ReplicaSide, style)
	fmt.Fprintf(b, "cost     %s\n", strings.Join(e.costWords(), ", "))
	fmt.Fprintf(b, "confirm  what differs is read again after %s, the replica first\n", time.Duration(e.SettleSeconds*float64(time.Second)))
}

// planColumns and statementColumns are how much of a store's own plan and of a
// statement is shown; the JSON has the whole.
const (
	planColumns      = 300
	statementColumns = 600
)

func writeSide(b *strings.Builder, role string, s *ExplainedSide, style terminal.Style) {
	size := "unknown size"
	if s.Records > 0 {
		size = "about " + terminal.Plural(s.Records, "record")
	}
	fmt.Fprintf(b, "%s %s, %s, %s\n", terminal.Pad(role, 8), s.Source, drift.Visible(s.Dataset), size)
	for _, statement := range s.Statements {
		fmt.Fprintf(b, "  %s %s\n", terminal.Pad(statement.Purpose, 7), drift.Shorten(drift.Visible(oneLine(statement.Text)), statementColumns))
		index := style.Doubt("uses no index")
		if statement.Index != "" {
			index = "served by " + drift.Visible(statement.Index)
		}
		words := []string{index}
		if statement.Sorts {
			words = append(words, style.Bad("each page sorts the table"))
		}
		if statement.Plan != "" {
			words = append(words, drift.Shorten(drift.Visible(oneLine(statement.Plan)), planColumns))
		}
		fmt.Fprintf(b, "          -- %s\n", strings.Join(words, "; "))
	}
	for _, warning := range s.Warnings {
		fmt.Fprintf(b, "          %s %s\n", style.Doubt("!"), drift.Visible(warning))
	}
}

func (e *ExplainedEdge) costWords() []string {
	words := []string{"size unknown"}
	if e.Records > 0 || e.LookedUp > 0 {
		words = nil
		if e.Records > 0 {
			words = append(words, "about "+terminal.Plural(e.Records, "record")+" scanned")
		}
		if e.LookedUp > 0 {
			words = append(words, "about "+terminal.Plural(e.LookedUp, "record")+" looked up")
		}
		if e.Bytes > 0 {
			words = append(words, fmt.Sprintf("%.1f MB", float64(e.Bytes)/1e6))
		}
		words = append(words, fmt.Sprintf("about %s in %s", terminal.Plural(e.Pages, "page"), terminal.Plural(e.Segments, "segment")),
			fmt.Sprintf("about %s at the page time", time.Duration(e.Seconds*float64(time.Second)).Round(time.Second/10)))
	}
	return append(words, fmt.Sprintf("at most %d and %d connections", e.Owner.Connections, e.ReplicaSide.Connections))
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
