package web

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"plumbline/checks"
	"plumbline/drift"
)

// findingView is the page /findings/{id}.
type findingView struct {
	Page                                   frame
	ID, Check, CheckURL, Replica           string
	Kind                                   sign
	States                                 []sign
	Facts                                  []fact
	Revision                               string
	RecheckURL, AckURL, MuteURL, UnmuteURL string
	RevealURL                              string // where anything is masked and can be read
	Until                                  []option
	Notes                                  []notice
	SidesTitle, Owner, ReplicaTitle        string
	ReadAt                                 moment
	Visible                                bool
	VisibleURL                             string
	Key                                    []keyPart
	Fields                                 []fieldRow
	NoFields, FieldsMore                   string
	Timeline                               []timelineRow
	Pattern, PatternURL, PatternMore       string
	Same                                   []sameRow
	Fix                                    fixEntry
}

type keyPart struct {
	Name, Copy string
	Value      shownValue
}

type fieldRow struct {
	Name                   string
	Differs                bool
	Owner, Replica         shownValue
	OwnerCopy, ReplicaCopy string
	Rule, Note             string
}

type timelineRow struct {
	Tone, Text, Note, RunURL string
	At                       moment
}

type sameRow struct {
	ID, URL, Key string
	State        sign
}

// muteChoices are how long a finding can be muted from the page.
func muteChoices() []option {
	return options("24h", "1h", "1 hour", "24h", "1 day", "168h", "1 week", "720h", "30 days")
}

// findingMemory is what the ledger holds of a finding for its page.
type findingMemory struct {
	finding  *drift.Finding
	timeline []drift.Transition
	same     []*drift.Finding // open findings of the same pattern, this one perhaps among them
	more     bool             // there are more of them
}

// findingPage builds the page of a finding.
func findingPage(declared *Declared, lens drift.Lens, m *findingMemory, query url.Values, now time.Time) findingView {
	f := m.finding
	v := findingView{ID: f.ID, Check: f.Check, CheckURL: checkURL(f.Check), Replica: f.Replica, Kind: signOfKind(f.Kind), Revision: strconv.FormatInt(f.Revision, 10),
		ReadAt: at(f.CheckedAt, now, "never"), Pattern: f.Pattern, Visible: query.Get("visible") != "", Owner: "owner", ReplicaTitle: f.Replica}
	v.States = []sign{signOfFinding(f.State)}
	if age, ok := signOfAge(f.Age); ok && f.State.Open() {
		v.States = append(v.States, age)
	}
	if f.Accepted {
		v.States = append(v.States, sign{Tone: "idle", Icon: "eye", Word: "in the baseline", Title: "it drifted when a baseline was taken, and is known"})
	}
	v.facts(f, now)
	v.acts(declared, f)
	v.sides(declared, lens, f)
	v.VisibleURL = with(findingURL(f.ID), query, "visible", map[bool]string{false: "1"}[v.Visible])
	for i := len(m.timeline) - 1; i >= 0; i-- {
		v.Timeline = append(v.Timeline, timelineRowOf(&m.timeline[i], now))
	}
	if !f.FirstSeen.IsZero() {
		v.Timeline = append(v.Timeline, timelineRow{Tone: "warn", Text: "first read as different", At: at(f.FirstSeen, now, "")})
	}
	for _, other := range m.same {
		if other.ID != f.ID && len(v.Same) < 5 {
			v.Same = append(v.Same, sameRow{other.ID, findingURL(other.ID), keyWords(declared, lens, other), signOfFinding(other.State)})
		}
	}
	if len(v.Same) > 0 {
		v.PatternURL, v.PatternMore = patternURL(f.Check, f.Replica, f.Pattern), "open the group"
	}
	return v
}

func (v *findingView) facts(f *drift.Finding, now time.Time) {
	if f.State.Open() {
		v.Facts = append(v.Facts, fact{Name: "drifting for", Text: span(now.Sub(f.FirstSeen))})
	} else {
		v.Facts = append(v.Facts, fact{Name: "drifted for", Text: span(f.ResolvedAt.Sub(f.FirstSeen))})
	}
	v.Facts = append(v.Facts, fact{Name: "seen", Text: several(f.Seen, "time", "times")}, fact{Name: "last seen", Moment: at(f.LastSeen, now, "")})
	if f.Regressions > 0 {
		v.Facts = append(v.Facts, fact{Name: "came back", Text: several(f.Regressions, "time", "times")})
	}
	if !f.MutedUntil.IsZero() {
		v.Facts = append(v.Facts, fact{Name: "muted until", Moment: at(f.MutedUntil, now, "")})
	}
}

func (v *findingView) acts(declared *Declared, f *drift.Finding) {
	c := declared.Check(f.Check)
	if c != nil && c.Edge(f.Replica) != nil && f.Whole() {
		v.RecheckURL = findingURL(f.ID) + "/recheck"
		if masked(f, drift.MasksOf(c.Check, c.Edge(f.Replica))) {
			v.RevealURL = findingURL(f.ID) + "/reveal"
		}
	}
	if f.State.Open() && f.State != drift.Fixing {
		v.MuteURL, v.Until = findingURL(f.ID)+"/mute", muteChoices()
		if f.State != drift.Acknowledged {
			v.AckURL = findingURL(f.ID) + "/ack"
		}
	}
	if f.State == drift.Muted {
		v.UnmuteURL, v.MuteURL = findingURL(f.ID)+"/unmute", ""
	}
}

// masked says whether a finding's key, id or fields are shown otherwise than they are.
func masked(f *drift.Finding, masks drift.Masks) bool {
	return masks.HidesKey() || slices.ContainsFunc(f.Fields, func(d drift.Field) bool { return d.Owner.Masked || d.Replica.Masked })
}

// sides lays the last read of both sides out side by side.
func (v *findingView) sides(declared *Declared, lens drift.Lens, f *drift.Finding) {
	v.SidesTitle = "Owner and replica"
	if !f.State.Open() {
		v.SidesTitle = "How it differed"
		v.Notes = append(v.Notes, notice{"ok", "ok", "Resolved: " + resolutionWords(f.Resolution)})
	}
	if age, ok := signOfAge(f.Age); ok && f.State.Open() {
		v.Notes = append(v.Notes, notice{age.Tone, age.Icon, "Verdict " + age.Word + ": " + age.Title + "."})
	}
	key, id, known := identity(declared, lens, f)
	if !known {
		v.Notes = append(v.Notes, notice{"warn", "warn", "The check or the replica is no longer configured: its key is not shown, since nobody can say what was masked, and it cannot be read again."})
	}
	for _, part := range key {
		v.Key = append(v.Key, keyPart{"key " + part.Name, copyText(part.Value), show(part.Value, v.Visible)})
	}
	for _, part := range id {
		v.Key = append(v.Key, keyPart{"copy " + part.Name, copyText(part.Value), show(part.Value, v.Visible)})
	}
	odd := false
	for i := range f.Fields {
		d := &f.Fields[i]
		v.Fields = append(v.Fields, fieldRow{Name: d.Title(), Differs: true, Owner: show(d.Owner, v.Visible), Replica: show(d.Replica, v.Visible),
			OwnerCopy: copyText(d.Owner), ReplicaCopy: copyText(d.Replica), Rule: d.Rule, Note: d.Note})
		odd = odd || hides(d.Owner) || hides(d.Replica)
	}
	if odd && !v.Visible {
		v.Notes = append(v.Notes, notice{"info", "eye", "Some values hold spaces or characters that do not show. The button below writes them out."})
	}
	v.NoFields = drift.KindWords(f.Kind, f.Reason)
	c := declared.Check(f.Check)
	if c == nil {
		return
	}
	v.Owner = sideTitle(&c.Owner)
	edge := c.Edge(f.Replica)
	if edge == nil {
		return
	}
	v.ReplicaTitle = replicaTitle(edge)
	if equal := len(edge.Rules) - len(f.Fields); equal > 0 && f.Kind == checks.Mismatch {
		v.FieldsMore = several(int64(equal), "other field agreed", "other fields agreed") + " when it was last read."
	}
	if f.Kind == checks.Missing || f.Kind == checks.Extra {
		has, lacks := v.Owner, v.ReplicaTitle
		if f.Kind == checks.Extra {
			has, lacks = lacks, has
		}
		v.NoFields = fmt.Sprintf("%s has this record and %s does not.", has, lacks)
		if f.Reason != "" { // it may be there, and marked deleted
			v.NoFields = fmt.Sprintf("%s has this record: %s.", has, drift.Visible(f.Reason))
		}
	}
}

func resolutionWords(resolution string) string {
	words := map[string]string{
		checks.ClearedEqual:      "it was read again, and both sides agree.",
		checks.ClearedGone:       "the copy is no longer there.",
		checks.ClearedOutOfScope: "the check is no longer about this record.",
		checks.ClearedIgnored:    "only one side has it, which the check does not report.",
		"not delivered":          "a complete run no longer met it.",
	}[resolution]
	if words == "" {
		return resolution + "."
	}
	return words
}

func timelineRowOf(t *drift.Transition, now time.Time) timelineRow {
	r := timelineRow{Tone: signOfFinding(t.To).Tone, Note: t.Note, At: at(t.At, now, "")}
	switch {
	case t.Event == drift.Seen && t.From == "":
		r.Text = "confirmed"
	case t.Event == drift.Seen && t.To == drift.Regressed:
		r.Text = "came back"
	case t.Event == drift.Seen:
		r.Text = "differs in another way"
	case t.To == drift.Resolved:
		r.Text = "resolved"
	case t.Event == drift.Accept:
		r.Text = "taken into the baseline"
	case t.Event == drift.Unmute:
		r.Text = "no longer muted"
	default:
		r.Text = string(t.To)
	}
	if t.Actor != "" && t.Actor != drift.Plumbline {
		r.Text += " by " + t.Actor
	}
	if t.Run != "" {
		r.RunURL = runURL(t.Run)
	}
	return r
}
