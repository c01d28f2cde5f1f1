package alerts

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"plumbline/reconciler"
	"plumbline/sources"
)

// Plan is what is told of a plan of fixes: who, how many and how far, and no
// value of a record.
type Plan struct {
	ID      string               `json:"id"` // P-77
	Replica string               `json:"replica"`
	State   reconciler.PlanState `json:"state"`
	// Undoes is the plan that it takes back; "" for a plan of fixes.
	Undoes string `json:"undoes"`
	// Auto: Plumbline drafted it by itself.
	Auto bool `json:"auto"`
	// By is who drafted it, ApprovedBy who approved it so far, of Needs people.
	By         string   `json:"by"`
	Needs      int      `json:"needs"`
	ApprovedBy []string `json:"approved_by"`
	// BegunBy is who had it applied; "" before.
	BegunBy string `json:"begun_by"`
	// UndoneBy is the plan that takes it back, or is to; "" for none.
	UndoneBy string `json:"undone_by"`
	// EndedAt is when it was over, where that is lately; it is not kept.
	EndedAt time.Time `json:"-"`
	// Kinds count its items by what they do, Counts by what became of them.
	Kinds  map[sources.ChangeKind]int64   `json:"kinds"`
	Counts map[reconciler.ItemState]int64 `json:"counts"`
}

// Stop is what keeps fixes from being made.
type Stop struct {
	By     string    `json:"by"` // who froze them; "" where Plumbline paused them
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// mostPlans is how many plans an incident tells of.
const mostPlans = 5

// The milestones of fixes. That of a plan is PlanBecame a state.
const (
	FixesFrozen   Event = "fixes frozen"
	FixesUnfrozen Event = "fixes unfrozen"
	FixesPaused   Event = "fixes paused"
	FixesResumed  Event = "fixes resumed"
)

// PlanBecame is the milestone of a plan that came to a state.
func PlanBecame(s reconciler.PlanState) Event { return Event("plan " + string(s)) }

// told says whether a plan that came to its state is worth a sound. That a plan
// is drafted or under way is seen in the message; approval that nobody had to
// give, in what came of it.
func (p *Plan) told() bool {
	switch p.State {
	case reconciler.Draft, reconciler.Applying, reconciler.Expired:
		return false
	case reconciler.Approved:
		return p.Needs > 0
	}
	return true
}

// Live is the newest plan of which something may still be made; nil where there is none.
func (f *Facts) Live() *Plan {
	for i := range f.Plans {
		if f.Plans[i].State.Live() {
			return &f.Plans[i]
		}
	}
	return nil
}

// KeepPlans sets the plans that are told of with the incident before, nil for
// none. given are live, or were begun and ended lately, the newest first; of
// those only what ended since the incident opened matters to it. What it told of
// that is older than given stays.
func (f *Facts) KeepPlans(given []Plan, before *Incident) {
	f.Plans = nil
	for _, p := range given {
		if p.State.Live() || before != nil && !p.EndedAt.Before(before.OpenedAt) {
			f.Plans = append(f.Plans, p)
		}
	}
	if before != nil {
		for _, p := range before.Facts.Plans {
			known := slices.ContainsFunc(given, func(g Plan) bool { return g.ID == p.ID })
			if !known && !p.State.Live() {
				f.Plans = append(f.Plans, p)
			}
		}
	}
	f.Plans = f.Plans[:min(len(f.Plans), mostPlans)]
}

// fixNews are the milestones of fixes between two facts. i.Facts are the newer
// ones, and keep that a plan of Plumbline's own was told to wait for approval:
// each of those expires and is drafted anew while nobody looks, and is told once.
func (i *Incident) fixNews(before *Facts, now time.Time) (news []Milestone) {
	f := &i.Facts
	add := func(e Event, actor, note string) {
		news = append(news, Milestone{Event: e, At: now, Actor: actor, Counted: f.Counted, Note: note})
	}
	for n := len(f.Plans) - 1; n >= 0; n-- { // the oldest first
		p := &f.Plans[n]
		was := slices.IndexFunc(before.Plans, func(b Plan) bool { return b.ID == p.ID })
		if !p.told() || was >= 0 && before.Plans[was].State == p.State {
			continue
		}
		if p.State == reconciler.Waiting && p.Auto {
			if f.Asked {
				continue
			}
			f.Asked = true
		}
		add(PlanBecame(p.State), p.actor(), p.Words())
	}
	if a, b := before.Frozen, f.Frozen; (a == nil) != (b == nil) {
		if b != nil {
			add(FixesFrozen, b.By, b.Reason)
		} else {
			add(FixesUnfrozen, "", "")
		}
	}
	if a, b := before.Paused, f.Paused; (a == nil) != (b == nil) {
		if b != nil {
			add(FixesPaused, "", b.Reason)
		} else {
			add(FixesResumed, "", "")
		}
	}
	return news
}

// actor is who brought a plan to its state.
func (p *Plan) actor() string {
	switch p.State {
	case reconciler.Waiting:
		return p.By
	case reconciler.Approved:
		return strings.Join(p.ApprovedBy, " and ")
	case reconciler.Applied, reconciler.PartlyApplied:
		return p.BegunBy
	}
	return ""
}

// Words are a plan in a few words: its name, what it does or did, and what it
// takes back.
func (p *Plan) Words() string {
	words := p.ID + ", " + p.What()
	if p.State == reconciler.Undone && p.UndoneBy != "" {
		words += ", by " + p.UndoneBy
	}
	if p.Undoes != "" {
		words += ", to undo " + p.Undoes
	}
	return words
}

// What says what a plan is to do, and once it was begun, what came of it.
func (p *Plan) What() string {
	var kinds []string
	for _, k := range []sources.ChangeKind{sources.Update, sources.Insert, sources.Delete} {
		if n := p.Kinds[k]; n > 0 {
			kinds = append(kinds, countOf(n, string(k)))
		}
	}
	if len(kinds) == 0 {
		kinds = []string{"no change"}
	}
	what := strings.Join(kinds, ", ")
	if !p.begun() {
		return what
	}
	var total, done int64
	for state, n := range p.Counts {
		total += n
		if state == reconciler.ItemApplied || state == reconciler.ItemVerified || state == reconciler.ItemSent {
			done += n
		}
	}
	if done == total {
		return what
	}
	what = fmt.Sprintf("%d of %s done", done, what)
	for _, state := range []reconciler.ItemState{reconciler.ItemStale, reconciler.ItemFailed, reconciler.Doubtful, reconciler.Pending} {
		if n := p.Counts[state]; n > 0 {
			what += fmt.Sprintf(", %d %s", n, state)
		}
	}
	return what
}

// begun says whether the plan was ever applied.
func (p *Plan) begun() bool {
	switch p.State {
	case reconciler.Draft, reconciler.Waiting, reconciler.Approved, reconciler.Expired:
		return false
	}
	return true
}

func countOf(n int64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// samePlans says whether two lists of plans are told in the same words.
func samePlans(a, b []Plan) bool {
	return slices.EqualFunc(a, b, func(x, y Plan) bool {
		return x.ID == y.ID && x.State == y.State && x.UndoneBy == y.UndoneBy && x.BegunBy == y.BegunBy &&
			slices.Equal(x.ApprovedBy, y.ApprovedBy) && maps.Equal(x.Counts, y.Counts)
	})
}

// sameStop says whether two stops are told in the same words.
func sameStop(a, b *Stop) bool {
	return a == b || a != nil && b != nil && a.By == b.By && a.Reason == b.Reason && a.At.Equal(b.At)
}

// sameFixes says whether all that is told of fixes is the same.
func sameFixes(a, b *Facts) bool {
	return samePlans(a.Plans, b.Plans) && sameStop(a.Frozen, b.Frozen) && sameStop(a.Paused, b.Paused)
}
