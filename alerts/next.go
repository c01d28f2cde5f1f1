package alerts

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"plumbline/drift"
)

// Pause is the least time between two tellings of growth: a burst is news once.
const Pause = 5 * time.Minute

// NotPossible is an act that the incident's state does not allow.
type NotPossible struct {
	Incident string
	State    State
	Act      string // a verb: acknowledge
}

func (e *NotPossible) Error() string {
	if e.State == Resolved {
		return fmt.Sprintf("%s is resolved: there is nothing to %s", e.Incident, e.Act)
	}
	return fmt.Sprintf("%s is %s: there is nothing to %s", e.Incident, e.State, e.Act)
}

// Next is an incident's life: what facts make of the newest incident of a check
// and kind; before is nil where there was none. news are the milestones that
// follow, in order. changed says whether anything that is told of it changed, and
// with it its revision; after may differ from before without. A new incident has
// no id yet. m is the mute that is kept of the check, nil for none.
//
//	before                     | facts                        | after
//	none, or long resolved     | enough to be told            | a new one, open
//	resolved within Regress    | enough to be told            | the same, open again
//	open or acknowledged       | nothing is left              | resolved
//	open                       | all that is left is quiet    | acknowledged
//	acknowledged by being quiet| something is loud again      | open
//	open or acknowledged       | twice what was told          | the same, grown
//	open, told Repeat ago      | any, and no mute             | the same, told again
//	any but long resolved      | a plan of fixes came further | the same, told so
func Next(before *Incident, f Facts, kind Kind, p Policy, m *Mute, now time.Time) (after *Incident, news []Milestone, changed bool) {
	by := f.By
	f.By = ""
	if before == nil || before.State == Resolved {
		if !opens(kind, &f, &p) {
			return before.after(&f, now)
		}
		if before == nil || now.Sub(before.ResolvedAt) > Regress {
			return begin(&f, kind, p.Check, now)
		}
		return regress(before, &f, now)
	}
	i := *before
	i.Facts = f
	i.Peak = max(i.Peak, f.Counted)
	news = i.fixNews(&before.Facts, now)
	f.Asked = i.Facts.Asked
	switch {
	case !present(kind, &f):
		news = append(news, i.resolve(now))
	case kind == Drift && i.State == Open && f.Loud == 0 && f.Fixing == 0 && f.Omitted == 0:
		i.State, i.AcknowledgedBy, i.AcknowledgedAt = Acknowledged, by, now
		i.Told = f.Extent()
		news = append(news, Milestone{Event: WasAcknowledged, At: now, Actor: by, Counted: f.Counted, Note: "all findings are acknowledged or muted"})
	case kind == Drift && i.State == Acknowledged && i.AcknowledgedBy == "" && f.Loud > 0:
		i.State, i.AcknowledgedAt = Open, time.Time{}
		news = append(news, i.tell(WasUnmuted, now, fmt.Sprintf("%s neither acknowledged nor muted", findings(f.Loud))))
	case kind == Drift && f.Extent() >= 2*max(i.Told, 1) && now.Sub(i.ToldAt).Abs() >= Pause: // ahead of now, where a clock was set back
		news = append(news, i.tell(HasGrown, now, fmt.Sprintf("from %d to %d", i.Told, f.Extent())))
	case i.State == Open && p.Repeat > 0 && now.Sub(i.ToldAt).Abs() >= p.Repeat && !m.On(f.Extent(), now):
		news = append(news, i.tell(WasRepeated, now, ""))
	}
	changed = len(news) > 0 || !sameTold(kind, &before.Facts, &f)
	if changed {
		i.Revision++
		i.ChangedAt = now
	}
	if !changed && sameKept(&before.Facts, &f) {
		return before, nil, false
	}
	return &i, news, changed
}

// opens says whether there is enough to be told of.
func opens(kind Kind, f *Facts, p *Policy) bool {
	switch kind {
	case Blind:
		return slices.ContainsFunc(f.Edges, func(e EdgeFacts) bool { return e.Blind() })
	case Schema:
		return slices.ContainsFunc(f.Edges, func(e EdgeFacts) bool { return len(e.Schema) > 0 })
	}
	return f.Loud > 0 && p.Above(f)
}

// present says whether anything is left of what an incident is about.
func present(kind Kind, f *Facts) bool {
	switch kind {
	case Blind:
		return slices.ContainsFunc(f.Edges, func(e EdgeFacts) bool { return len(e.Schema) == 0 && (e.Stale || e.Consistency == drift.Unknown) })
	case Schema:
		return opens(kind, f, nil)
	}
	return f.Counted > 0 || f.Omitted > 0
}

func begin(f *Facts, kind Kind, check string, now time.Time) (*Incident, []Milestone, bool) {
	i := &Incident{Check: check, Kind: kind, State: Open, OpenedAt: now, ChangedAt: now, Facts: *f, First: f.Counted, Peak: f.Counted, Revision: 1}
	return i, []Milestone{i.tell(WasOpened, now, "")}, true
}

func regress(before *Incident, f *Facts, now time.Time) (*Incident, []Milestone, bool) {
	i := *before
	i.State, i.Facts, i.ChangedAt, i.ResolvedAt, i.Resolution = Open, *f, now, time.Time{}, ""
	i.AcknowledgedBy, i.AcknowledgedAt = "", time.Time{}
	i.Peak = max(i.Peak, f.Counted)
	i.Regressed++
	i.Revision++
	news := i.fixNews(&before.Facts, now)
	return &i, append(news, i.tell(WasRegressed, now, "")), true
}

// after is a resolved incident, nil for none, of which fixes are told: what was
// fixed may be taken back, and the last step of a plan comes after what it healed.
func (i *Incident) after(f *Facts, now time.Time) (*Incident, []Milestone, bool) {
	if i == nil || i.Kind != Drift || now.Sub(i.ResolvedAt) > Regress {
		return i, nil, false
	}
	next := *i
	next.Facts.Plans, next.Facts.Asked, next.Facts.Frozen, next.Facts.Paused = f.Plans, f.Asked, f.Frozen, f.Paused
	if sameFixes(&i.Facts, &next.Facts) {
		return i, nil, false
	}
	news := next.fixNews(&i.Facts, now)
	next.ChangedAt = now
	next.Revision++
	return &next, news, true
}

// tell makes what is now the last that was told as news.
func (i *Incident) tell(event Event, now time.Time, note string) Milestone {
	i.Told, i.ToldAt = i.Facts.Extent(), now
	return Milestone{Event: event, At: now, Counted: i.Told, Note: note}
}

func (i *Incident) resolve(now time.Time) Milestone {
	i.State, i.ResolvedAt, i.Resolution = Resolved, now, i.resolution(now)
	return Milestone{Event: WasResolved, At: now, Counted: i.Facts.Counted, Note: i.Resolution}
}

// resolution says in words why an incident is over.
func (i *Incident) resolution(now time.Time) string {
	f := &i.Facts
	if len(f.Edges) == 0 {
		return "the check is not configured any more"
	}
	switch {
	case i.Kind == Schema:
		return "the two sides can be compared again" + i.lasted(now)
	case i.Kind == Blind && opens(Schema, f, nil):
		return "the stores answer; what keeps the check from being judged is that a schema changed"
	case i.Kind == Blind:
		return "the check can be judged again" + i.lasted(now)
	}
	synced := f.Healed + f.Fixed
	var parts []string
	switch {
	case synced > 0 && f.Known > 0:
		return fmt.Sprintf("%s in sync again, %d taken as known%s", findings(synced), f.Known, i.lasted(now))
	case synced > 0:
		if f.Fixed > 0 {
			parts = append(parts, fmt.Sprintf("%d fixed", f.Fixed)+f.byPlans())
			if f.Healed > 0 {
				parts = append(parts, fmt.Sprintf("%d healed", f.Healed))
			}
			return fmt.Sprintf("%s in sync again%s (%s)", findings(synced), i.lasted(now), strings.Join(parts, ", "))
		}
		return findings(synced) + " in sync again" + i.lasted(now)
	case f.Known > 0:
		return findings(f.Known) + " taken as known" + i.lasted(now)
	}
	return "no finding is left" + i.lasted(now)
}

// byPlans names the plans by which findings were fixed.
func (f *Facts) byPlans() string {
	switch n := len(f.FixedBy); {
	case n == 0:
		return ""
	case n == 1:
		return " by plan " + f.FixedBy[0]
	case n > 3:
		return fmt.Sprintf(" by %d plans", n)
	}
	return " by plans " + strings.Join(f.FixedBy, ", ")
}

// lasted is how long an incident lasted; nothing for one that came and went.
func (i *Incident) lasted(now time.Time) string {
	if i.Regressed > 0 {
		return ""
	}
	return " after " + Lasted(now.Sub(i.OpenedAt))
}

// Lasted is a duration as a person says it: 40 s, 31 min, 3 h 5 min, 2 d 4 h.
func Lasted(d time.Duration) string {
	two := func(n int64, unit string, rest int64, of string) string {
		if rest == 0 {
			return fmt.Sprintf("%d %s", n, unit)
		}
		return fmt.Sprintf("%d %s %d %s", n, unit, rest, of)
	}
	switch d = max(d, 0).Round(time.Second); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int64(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int64(d.Minutes()))
	case d < 24*time.Hour:
		return two(int64(d.Hours()), "h", int64(d.Minutes())%60, "min")
	}
	return two(int64(d.Hours())/24, "d", int64(d.Hours())%24, "h")
}

func findings(n int64) string {
	if n == 1 {
		return "1 finding"
	}
	return fmt.Sprintf("%d findings", n)
}

// sameTold says whether two facts are told in the same words.
func sameTold(kind Kind, a, b *Facts) bool {
	edge := func(x, y EdgeFacts) bool {
		if x.Replica != y.Replica || x.Consistency != y.Consistency || x.Cause != y.Cause || x.Stale != y.Stale || !slices.Equal(x.Schema, y.Schema) {
			return false
		}
		return x.Findings == y.Findings && permille(x.Coverage) == permille(y.Coverage) || kind != Drift
	}
	if !slices.EqualFunc(a.Edges, b.Edges, edge) {
		return false
	}
	return kind != Drift || sameFixes(a, b) && a.Counted == b.Counted && a.Loud == b.Loud && a.Accepted == b.Accepted && a.Omitted == b.Omitted &&
		slices.Equal(a.Kinds, b.Kinds) && slices.Equal(a.Fields, b.Fields)
}

func permille(share float64) int64 { return int64(math.Round(share * 1000)) }

// sameKept says whether two facts that are told in the same words are the same.
func sameKept(a, b *Facts) bool {
	return sameFixes(a, b) && a.Asked == b.Asked && slices.Equal(a.FixedBy, b.FixedBy) &&
		a.Counted == b.Counted && a.Loud == b.Loud && a.Fixing == b.Fixing && a.Compared == b.Compared && a.Pending == b.Pending && a.Healed == b.Healed &&
		a.Fixed == b.Fixed && a.Known == b.Known && a.Accepted == b.Accepted && a.Omitted == b.Omitted && slices.Equal(a.Kinds, b.Kinds) &&
		slices.Equal(a.Fields, b.Fields) && slices.EqualFunc(a.Edges, b.Edges, func(x, y EdgeFacts) bool {
		return x.Since.Equal(y.Since) && x.Replica == y.Replica && x.Consistency == y.Consistency && x.Cause == y.Cause && x.Stale == y.Stale && slices.Equal(x.Schema, y.Schema) &&
			x.Findings == y.Findings && x.Coverage == y.Coverage
	})
}

// Acknowledge is the incident once somebody takes it on. *NotPossible where it is
// resolved; what is acknowledged already stays with whom it is.
func (i *Incident) Acknowledge(actor, note string, now time.Time) (after *Incident, news []Milestone, err error) {
	if i.State == Resolved {
		return i, nil, &NotPossible{i.ID, i.State, "acknowledge"}
	}
	if i.State == Acknowledged && i.AcknowledgedBy != "" {
		return i, nil, nil
	}
	next := *i
	next.State, next.AcknowledgedBy, next.AcknowledgedAt, next.ChangedAt = Acknowledged, actor, now, now
	next.Told, next.ToldAt = i.Facts.Extent(), now
	next.Revision++
	return &next, []Milestone{{Event: WasAcknowledged, At: now, Actor: actor, Counted: i.Facts.Counted, Note: note}}, nil
}

// Quiet is the incident once its check was muted, or the mute lifted: event says
// which. A resolved one stays as it is.
func (i *Incident) Quiet(event Event, actor, note string, now time.Time) (after *Incident, news []Milestone) {
	if i.State == Resolved {
		return i, nil
	}
	next := *i
	next.ChangedAt = now
	next.Told, next.ToldAt = i.Facts.Extent(), now
	next.Revision++
	return &next, []Milestone{{Event: event, At: now, Actor: actor, Counted: i.Facts.Counted, Note: note}}
}
