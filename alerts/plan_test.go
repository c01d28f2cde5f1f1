package alerts_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"plumbline/alerts"
	"plumbline/reconciler"
	"plumbline/sources"
)

// plan is one of ten updates, of which so many came to each state of items.
func plan(id string, state reconciler.PlanState, came map[reconciler.ItemState]int64) alerts.Plan {
	return alerts.Plan{ID: id, Replica: "search", State: state, By: "ann", Needs: 1, Kinds: map[sources.ChangeKind]int64{sources.Update: 10}, Counts: came, EndedAt: noon.Add(time.Hour)}
}

func proposed(id string, state reconciler.PlanState) alerts.Plan {
	p := plan(id, state, nil)
	p.Auto, p.By = true, "plumbline"
	return p
}

func fixing(f alerts.Facts, plans ...alerts.Plan) alerts.Facts {
	f.Plans = plans
	return f
}

// Each line is what is known of fixes next, and the milestones that follow.
func TestAPlanIsToldWhenItNeedsSomebodyAndWhenItIsOver(t *testing.T) {
	t.Parallel()
	some := map[reconciler.ItemState]int64{reconciler.ItemVerified: 7, reconciler.ItemStale: 3}
	stop := &alerts.Stop{By: "bob", Reason: "month end", At: noon}
	frozen := func(f alerts.Facts, s *alerts.Stop) alerts.Facts { f.Frozen = s; return f }
	paused := func(f alerts.Facts, s *alerts.Stop) alerts.Facts { f.Paused = s; return f }
	approved := plan("P-1", reconciler.Approved, nil)
	approved.ApprovedBy = []string{"bob", "eve"}
	begun := plan("P-1", reconciler.PartlyApplied, some)
	begun.BegunBy = "ann"
	undo := plan("P-2", reconciler.Waiting, nil)
	undo.Undoes = "P-1"
	undone := begun
	undone.State, undone.UndoneBy = reconciler.Undone, "P-2"
	for _, life := range []struct {
		name  string
		lines []alerts.Facts
		want  []string // of each line; "" is nothing told, "-" nothing changed
	}{
		{"from the draft to the end", []alerts.Facts{
			fixing(counts(10, 10), plan("P-1", reconciler.Draft, nil)),
			fixing(counts(10, 10), plan("P-1", reconciler.Waiting, nil)),
			fixing(counts(10, 10), plan("P-1", reconciler.Waiting, nil)),
			fixing(counts(10, 10), approved),
			fixing(counts(10, 10), plan("P-1", reconciler.Applying, nil)),
			fixing(counts(3, 3), begun),
			fixing(counts(3, 3), undo, begun),
			fixing(counts(3, 3), plan("P-2", reconciler.Applied, nil), undone),
		}, []string{"", "plan waiting for approval by ann: P-1, 10 updates", "-", "plan approved by bob and eve: P-1, 10 updates", "",
			"plan partly applied by ann: P-1, 7 of 10 updates done, 3 stale", "plan waiting for approval by ann: P-2, 10 updates, to undo P-1",
			"plan undone: P-1, 7 of 10 updates done, 3 stale, by P-2; plan applied: P-2, 10 updates"}},
		{"a proposal is told once, however often it is drafted anew", []alerts.Facts{
			fixing(counts(10, 10), proposed("P-1", reconciler.Waiting)),
			counts(10, 10),
			fixing(counts(10, 10), proposed("P-2", reconciler.Waiting)),
			fixing(counts(10, 10), plan("P-3", reconciler.Waiting, nil), proposed("P-2", reconciler.Waiting)),
		}, []string{"plan waiting for approval by plumbline: P-1, 10 updates", "", "", "plan waiting for approval by ann: P-3, 10 updates"}},
		{"what nobody had to approve is told once it is over", []alerts.Facts{
			fixing(counts(10, 10), func() alerts.Plan { p := proposed("P-1", reconciler.Approved); p.Needs = 0; return p }()),
			fixing(counts(10, 10), proposed("P-1", reconciler.Applying)),
			fixing(counts(10, 10), proposed("P-1", reconciler.Failed)),
		}, []string{"", "", "plan failed: P-1, 10 updates"}},
		{"frozen, let go, paused and resumed", []alerts.Facts{
			frozen(counts(10, 10), stop), counts(10, 10), paused(counts(10, 10), &alerts.Stop{Reason: "not seen in effect"}), counts(10, 10),
		}, []string{"fixes frozen by bob: month end", "fixes unfrozen", "fixes paused: not seen in effect", "fixes resumed"}},
	} {
		t.Run(life.name, func(t *testing.T) {
			t.Parallel()
			i, _, _ := alerts.Next(nil, counts(10, 10), alerts.Drift, alerts.Policy{}, nil, noon)
			for n, f := range life.lines {
				if i != nil {
					f.Asked = i.Facts.Asked // as the ledger keeps it
				}
				next, news, changed := alerts.Next(i, f, alerts.Drift, alerts.Policy{}, nil, noon.Add(time.Duration(n)*time.Second))
				if got := told(news, changed); got != life.want[n] {
					t.Errorf("line %d: told %q, want %q", n, got, life.want[n])
				}
				i = next
			}
		})
	}
}

func told(news []alerts.Milestone, changed bool) string {
	if !changed {
		return "-"
	}
	var list []string
	for _, m := range news {
		text := string(m.Event)
		if m.Actor != "" {
			text += " by " + m.Actor
		}
		if m.Note != "" {
			text += ": " + m.Note
		}
		list = append(list, text)
	}
	return strings.Join(list, "; ")
}

func TestAResolvedIncidentStillTellsOfItsPlans(t *testing.T) {
	t.Parallel()
	i, _, _ := alerts.Next(nil, fixing(counts(10, 10), plan("P-1", reconciler.Applying, nil)), alerts.Drift, alerts.Policy{}, nil, noon)
	f := fixing(healed(counts(0, 0), 1, 9, 0), plan("P-1", reconciler.Applying, nil))
	f.FixedBy = []string{"P-1"}
	i, news, _ := alerts.Next(i, f, alerts.Drift, alerts.Policy{}, nil, noon)
	if want := "resolved: 10 findings in sync again after 0 s (9 fixed by plan P-1, 1 healed)"; told(news, true) != want {
		t.Fatalf("told %q, want %q", told(news, true), want)
	}
	resolved := i.Resolution
	f = fixing(counts(0, 0), plan("P-1", reconciler.Applied, map[reconciler.ItemState]int64{reconciler.ItemVerified: 10}))
	i, news, changed := alerts.Next(i, f, alerts.Drift, alerts.Policy{}, nil, noon.Add(time.Minute))
	if want := "plan applied: P-1, 10 updates"; told(news, changed) != want || i.State != alerts.Resolved || i.Resolution != resolved || i.Facts.Fixed != 9 {
		t.Errorf("told %q, want %q; the incident is %+v", told(news, changed), want, i)
	}
	if _, _, changed = alerts.Next(i, f, alerts.Drift, alerts.Policy{}, nil, noon.Add(2*time.Minute)); changed {
		t.Error("the same facts change it again")
	}
	f.Plans = nil
	if after, _, changed := alerts.Next(i, f, alerts.Drift, alerts.Policy{}, nil, noon.Add(25*time.Hour)); changed || after != i {
		t.Error("an incident that was resolved long ago changes")
	}
}

func TestAnIncidentKeepsThePlansThatWereAppliedSinceItOpened(t *testing.T) {
	t.Parallel()
	before := &alerts.Incident{OpenedAt: noon, Facts: alerts.Facts{Plans: []alerts.Plan{
		plan("P-4", reconciler.Waiting, nil), plan("P-3", reconciler.Applying, nil), plan("P-2", reconciler.Applied, nil)}}}
	old := plan("P-1", reconciler.Applied, nil)
	old.EndedAt = noon.Add(-time.Second)
	for name, row := range map[string]struct {
		given  []alerts.Plan
		before *alerts.Incident
		want   string
	}{
		"none before":                    {[]alerts.Plan{plan("P-5", reconciler.Draft, nil), plan("P-2", reconciler.Applied, nil)}, nil, "P-5 draft"},
		"what expired is forgotten":      {[]alerts.Plan{plan("P-3", reconciler.Failed, nil)}, before, "P-3 failed, P-2 applied"},
		"what ended before is not of it": {[]alerts.Plan{plan("P-5", reconciler.Draft, nil), old}, before, "P-5 draft, P-2 applied"},
	} {
		var f alerts.Facts
		f.KeepPlans(row.given, row.before)
		var got []string
		for _, p := range f.Plans {
			got = append(got, fmt.Sprintf("%s %s", p.ID, p.State))
		}
		if strings.Join(got, ", ") != row.want {
			t.Errorf("%s: %v, want %s", name, got, row.want)
		}
	}
}
