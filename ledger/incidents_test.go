package ledger_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"plumbline/access"
	"plumbline/alerts"
	"plumbline/drift"
	"plumbline/ledger"
)

func TestAnIncidentOpensWithItsFindingsAndEndsWithThem(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, engine string) {
		w := alertWorld(t, engine, nil)
		w.drifts("search", 1, 2, 3)
		i := w.incident(alerts.Drift)
		if i == nil || i.State != alerts.Open || i.Facts.Counted != 3 || i.Facts.Loud != 3 || i.ID != "I-1" {
			t.Fatalf("three findings made %+v", i)
		}
		if len(i.Facts.Fields) != 1 || i.Facts.Fields[0] != (alerts.Count{Name: "status", N: 3}) || i.Facts.Kinds[0].Name != "mismatch" {
			t.Errorf("it names %v and %v", i.Facts.Fields, i.Facts.Kinds)
		}
		w.clock.pass(31 * time.Minute)
		w.drifts("cache", 1)
		w.heals("search", 1, 2, 3)
		if i = w.incident(alerts.Drift); i.State != alerts.Open || i.Facts.Counted != 1 || i.Facts.Healed != 3 {
			t.Errorf("with one finding left it is %+v", i)
		}
		w.heals("cache", 1)
		if i = w.incident(alerts.Drift); i.State != alerts.Resolved || i.Resolution != "4 findings in sync again after 31 min" {
			t.Errorf("without findings it is %s: %q", i.State, i.Resolution)
		}
		w.clock.pass(time.Hour)
		w.drifts("search", 2)
		if i = w.incident(alerts.Drift); i.ID != "I-1" || i.State != alerts.Open || i.Regressed != 1 || i.Resolution != "" {
			t.Errorf("an hour later it is %+v", i)
		}
		w.heals("search", 2)
		w.clock.pass(alerts.Regress + time.Second)
		w.drifts("search", 2)
		if i = w.incident(alerts.Drift); i.ID != "I-2" {
			t.Errorf("after a day of quiet it is %s", i.ID)
		}
		if got := w.events("I-1"); got != "opened resolved regressed resolved" {
			t.Errorf("its life was %q", got)
		}
		w.recount()
	})
}

func TestNothingIsToldBelowTheThreshold(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", func(p *alerts.Policy) { p.Findings = 2 })
	w.drifts("search", 1, 2)
	if i := w.incident(alerts.Drift); i != nil {
		t.Fatalf("two findings of more than two made %+v", i)
	}
	w.drifts("cache", 1)
	if i := w.incident(alerts.Drift); i == nil || i.First != 3 {
		t.Errorf("three made %+v", i)
	}
}

func TestABaselineResolvesAnIncidentAndNewDriftBesideItOpensOne(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", nil)
	w.drifts("search", upTo(1200)...)
	if n := got(w.AcceptBaseline(t.Context(), "orders", "ann", "old mess"))(t); n != 1200 {
		t.Fatalf("accepted %d", n)
	}
	i := w.incident(alerts.Drift)
	if i.State != alerts.Resolved || i.Resolution != "1200 findings taken as known after 0 s" || i.Facts.Accepted != 1200 {
		t.Errorf("a baseline left it %s: %q, %+v", i.State, i.Resolution, i.Facts)
	}
	w.clock.pass(2 * alerts.Regress)
	w.drifts("search", 2000)
	if i := w.incident(alerts.Drift); i.ID != "I-2" || i.Facts.Counted != 1 || i.Facts.Accepted != 1200 {
		t.Errorf("one new finding beside them made %+v", i)
	}
	w.recount()
}

func TestAnAcknowledgementReachesTheFindingsAndTheOtherWayRound(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, engine string) {
		w := alertWorld(t, engine, nil)
		w.drifts("search", 1, 2)
		i := w.incident(alerts.Drift)
		attempt := &access.Attempt{Actor: access.Local(access.ByPage, ""), Action: "acknowledge incident"}
		ctx := access.With(t.Context(), attempt)
		acked := got(w.AcknowledgeIncident(ctx, i.ID, "ann", "mine", i.Revision))(t)
		if acked.State != alerts.Acknowledged || acked.AcknowledgedBy != "ann" || !attempt.Recorded() {
			t.Fatalf("it is %+v, recorded %v", acked, attempt.Recorded())
		}
		var stale *ledger.StaleError
		if _, err := w.AcknowledgeIncident(t.Context(), i.ID, "bob", "", i.Revision); !errors.As(err, &stale) {
			t.Errorf("bob's click on the same message: %v", err)
		}
		if again := got(w.AcknowledgeIncident(t.Context(), i.ID, "ann", "", i.Revision))(t); again.Revision != acked.Revision {
			t.Errorf("ann's second click made revision %d of %d", again.Revision, acked.Revision)
		}
		w.sweep()
		if f := w.finding("search", 1); f.State != drift.Acknowledged {
			t.Errorf("its finding is %s", f.State)
		}
		w.drifts("search", 3)
		if i = w.incident(alerts.Drift); i.State != alerts.Acknowledged || i.Facts.Loud != 1 {
			t.Errorf("a new finding made it %+v", i)
		}
		w.heals("search", 1, 2, 3)
		var not *alerts.NotPossible
		if _, err := w.AcknowledgeIncident(t.Context(), i.ID, "bob", "", 0); !errors.As(err, &not) {
			t.Errorf("what is resolved was acknowledged: %v", err)
		}
		w.clock.pass(48 * time.Hour)
		w.drifts("search", 5)
		_, err := w.Act(t.Context(), []string{id("search", 5)}, drift.Observation{Event: drift.Acknowledge, At: w.clock.now(), Actor: "bob"}, 0)
		must(t, err)
		if i = w.incident(alerts.Drift); i.ID != "I-2" || i.State != alerts.Acknowledged || i.AcknowledgedBy != "bob" {
			t.Errorf("the finding's acknowledgement made %+v", i)
		}
		if _, err := w.AcknowledgeIncident(t.Context(), "I-77", "bob", "", 0); !errors.As(err, new(*ledger.NotFoundError)) {
			t.Errorf("I-77: %v", err)
		}
	})
}

func TestFindingsWhoseMutesEndAreLoudAgain(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", nil)
	w.drifts("search", 1)
	_, err := w.Act(t.Context(), []string{id("search", 1)}, drift.Observation{Event: drift.Mute, At: w.clock.now(), Actor: "ann", Until: w.clock.now().Add(time.Hour)}, 0)
	must(t, err)
	if i := w.incident(alerts.Drift); i.State != alerts.Acknowledged || i.AcknowledgedBy != "" {
		t.Fatalf("with its finding muted it is %+v", i)
	}
	got(w.UnmuteDue(t.Context(), w.clock.pass(2*time.Hour)))(t)
	if i := w.incident(alerts.Drift); i.State != alerts.Open || w.events(i.ID) != "opened acknowledged unmuted" {
		t.Errorf("later it is %s: %s", i.State, w.events(i.ID))
	}
}

func TestWhatCannotBeCheckedIsAnIncidentOfItsOwnWithoutTheStoresWords(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", nil)
	w.drifts("search", 1)
	w.fails("search", `source search: scan orders: tried 3 times: no answer within 35s: value "ada@example.com"`)
	i := w.incident(alerts.Blind)
	if i == nil || i.State != alerts.Open || len(i.Facts.Edges) != 2 {
		t.Fatalf("a source that is down made %+v", i)
	}
	if e := i.Facts.Edges[1]; e.Cause != "replica search did not answer in time" || e.Consistency != drift.Unknown || i.Facts.Edges[0].Cause != "" {
		t.Errorf("its edges are %+v", i.Facts.Edges)
	}
	if d := w.incident(alerts.Drift); d.State != alerts.Open {
		t.Errorf("the drift is %s", d.State)
	}
	w.fails("search", `source "; drop": boom`)
	if e := w.incident(alerts.Blind).Facts.Edges[1]; e.Cause != "a source could not be read" {
		t.Errorf("a source that nobody named is told as %q", e.Cause)
	}
	w.scanned("search")
	if i = w.incident(alerts.Blind); i.State != alerts.Open {
		t.Errorf("while cache was never read it is %s", i.State)
	}
	w.scanned("cache")
	if i = w.incident(alerts.Blind); i.State != alerts.Resolved || i.Resolution != "the check can be judged again after 0 s" {
		t.Errorf("after a clean run it is %s: %q", i.State, i.Resolution)
	}
}

func TestACheckThatGoesStaleIsToldOfByTheSweep(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", func(p *alerts.Policy) {
		p.StaleAt = func(success time.Time) time.Time { return success.Add(150 * time.Second) }
	})
	w.scanned("search")
	w.scanned("cache")
	w.sweep()
	w.clock.pass(2 * time.Minute)
	w.sweep()
	if i := w.incident(alerts.Blind); i != nil {
		t.Fatalf("before it was stale it made %+v", i)
	}
	w.clock.pass(time.Minute)
	w.sweep()
	i := w.incident(alerts.Blind)
	if i == nil || !i.Facts.Edges[0].Stale || i.Facts.Edges[0].Cause != "no run has succeeded since 2026-03-01 12:00 UTC" {
		t.Fatalf("when it was stale it made %+v", i)
	}
	w.sweep()
	if again := w.incident(alerts.Blind); again.Revision != i.Revision {
		t.Errorf("a second sweep made revision %d", again.Revision)
	}
	w.scanned("search")
	w.scanned("cache")
	if i = w.incident(alerts.Blind); i.State != alerts.Resolved {
		t.Errorf("after a run it is %s", i.State)
	}
}

func TestACheckThatIsNotConfiguredAnyMoreEndsItsIncidents(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", nil)
	w.drifts("search", 1)
	must(t, w.Declare(t.Context(), 2, nil, nil))
	if i := w.incident(alerts.Drift); i.State != alerts.Resolved || i.Resolution != "the check is not configured any more" {
		t.Errorf("it is %s: %q", i.State, i.Resolution)
	}
}

func TestWithoutPoliciesNobodyIsToldAndWithThemTheSweepCatchesUp(t *testing.T) {
	t.Parallel()
	url, c := address(t, "sqlite"), newClock()
	w := openWorld(t, url, c, ledger.Options{})
	w.drifts("search", 1, 2)
	w.sweep()
	if i := w.incident(alerts.Drift); i != nil {
		t.Fatalf("without policies there is %+v", i)
	}
	with := openWorld(t, url, c, ledger.Options{Policies: policies(nil)})
	with.sweep()
	if i := with.incident(alerts.Drift); i == nil || i.First != 2 {
		t.Errorf("once there are policies there is %+v", i)
	}
}

func TestMutesKeepAnIncidentQuietUntilTheirTimeOrUntilItGrows(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", nil)
	w.drifts("search", upTo(10)...)
	until := w.clock.now().Add(time.Hour)
	must(t, w.MuteCheck(t.Context(), alerts.Mute{Check: "orders", Until: until, Actor: "ann", Reason: "rolling out"}))
	if m := got(w.Mutes(t.Context()))(t)["orders"]; m == nil || !m.Until.Equal(until) || m.Actor != "ann" || !m.At.Equal(w.clock.now()) {
		t.Fatalf("the mute is %+v", m)
	}
	w.clock.pass(2 * time.Hour)
	w.sweep()
	must(t, w.MuteCheck(t.Context(), alerts.Mute{Check: "orders", Above: alerts.Growth(10), Actor: "ann"}))
	w.drifts("search", 11)
	if len(got(w.Mutes(t.Context()))(t)) != 1 {
		t.Error("a tenth more ended the mute")
	}
	w.drifts("search", 12)
	if len(got(w.Mutes(t.Context()))(t)) != 0 {
		t.Error("more than a tenth more did not end the mute")
	}
	if got := w.events("I-1"); got != "opened muted unmuted muted unmuted" {
		t.Errorf("its life was %q", got)
	}
	list := got(w.Milestones(t.Context(), "I-1"))(t)
	if notes := list[2].Note + "; " + list[4].Note; notes != "its time is over; more than 11 findings are counted" {
		t.Errorf("the mutes ended since %s", notes)
	}
	must(t, w.MuteCheck(t.Context(), alerts.Mute{Check: "orders", Actor: "ann"}))
	must(t, w.UnmuteCheck(t.Context(), "orders", "bob"))
	must(t, w.UnmuteCheck(t.Context(), "orders", "bob"))
	if got := w.events("I-1"); !strings.HasSuffix(got, "muted unmuted muted unmuted") {
		t.Errorf("its life was %q", got)
	}
	for what, err := range map[string]error{"mute": w.MuteCheck(t.Context(), alerts.Mute{Check: "none"}), "unmute": w.UnmuteCheck(t.Context(), "none", "ann")} {
		if !errors.As(err, new(*ledger.NotFoundError)) {
			t.Errorf("%s a check that is not there: %v", what, err)
		}
	}
}

func TestOpenIncidentsAreToldAgainUntilSomebodyTakesThemOn(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", func(p *alerts.Policy) { p.Repeat = 4 * time.Hour })
	w.drifts("search", 1)
	for range 24 {
		w.clock.pass(30 * time.Minute)
		w.sweep()
	}
	if got := w.events("I-1"); got != "opened repeated repeated repeated" {
		t.Errorf("in half a day: %q", got)
	}
	got(w.AcknowledgeIncident(t.Context(), "I-1", "ann", "", 0))(t)
	w.clock.pass(5 * time.Hour)
	w.sweep()
	if got := w.events("I-1"); got != "opened repeated repeated repeated acknowledged" {
		t.Errorf("and then: %q", got)
	}
}

func TestIncidentsAreListedInPages(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", nil)
	for range 5 {
		w.drifts("search", 1)
		w.heals("search", 1)
		w.clock.pass(25 * time.Hour)
	}
	w.drifts("search", 1)
	var seen []string
	f := ledger.IncidentFilter{Check: "orders", Limit: 4}
	for {
		list, next, err := w.Incidents(t.Context(), f)
		must(t, err)
		for _, i := range list {
			seen = append(seen, i.ID)
		}
		if f.After = next; next == "" {
			break
		}
	}
	if !slices.Equal(seen, []string{"I-6", "I-5", "I-4", "I-3", "I-2", "I-1"}) {
		t.Errorf("in pages of four: %v", seen)
	}
	for state, n := range map[string]int{"open": 1, "resolved": 5, "acknowledged": 0} {
		if list, _, err := w.Incidents(t.Context(), ledger.IncidentFilter{State: state}); err != nil || len(list) != n {
			t.Errorf("%s: %d, %v", state, len(list), err)
		}
	}
	if _, _, err := w.Incidents(t.Context(), ledger.IncidentFilter{After: "x"}); !errors.As(err, new(*ledger.CursorError)) {
		t.Errorf("a bad cursor: %v", err)
	}
	w.clock.pass(91 * 24 * time.Hour)
	got(w.Prune(t.Context(), w.clock.now(), ledger.Retention{}))(t)
	if list, _, err := w.Incidents(context.Background(), ledger.IncidentFilter{}); err != nil || len(list) != 1 || len(got(w.Milestones(t.Context(), "I-1"))(t)) != 0 {
		t.Errorf("after 91 days there are %d, %v", len(list), err)
	}
}
