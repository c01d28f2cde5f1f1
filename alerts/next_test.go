package alerts_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"plumbline/alerts"
	"plumbline/drift"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// counts are facts of an edge with so many findings, so many of them loud.
func counts(counted, loud int64) alerts.Facts {
	f := alerts.Facts{Counted: counted, Loud: loud, Edges: []alerts.EdgeFacts{{Replica: "search", Consistency: drift.InSync, Coverage: 1, Findings: counted}}}
	if counted > 0 {
		f.Edges[0].Consistency = drift.Drifted
		f.Kinds = []alerts.Count{{Name: "mismatch", N: counted}}
	}
	return f
}

func standing(c drift.Consistency, cause string, stale bool) alerts.Facts {
	return alerts.Facts{Edges: []alerts.EdgeFacts{{Replica: "search", Consistency: c, Cause: cause, Stale: stale}}}
}

func healed(f alerts.Facts, healed, fixed, known int64) alerts.Facts {
	f.Healed, f.Fixed, f.Known = healed, fixed, known
	return f
}

func by(f alerts.Facts, actor string) alerts.Facts {
	f.By = actor
	return f
}

// Each line of a life is what is known after some time, and what becomes of it.
func TestTheLifeOfAnIncident(t *testing.T) {
	t.Parallel()
	type line struct {
		after time.Duration
		facts alerts.Facts
		want  string // state, revision and milestones; "" is that nothing changes
	}
	mute := &alerts.Mute{Until: noon.Add(240 * time.Hour)}
	for _, life := range []struct {
		name   string
		kind   alerts.Kind
		policy alerts.Policy
		mute   *alerts.Mute
		lines  []line
	}{
		{"opens, changes, resolves", alerts.Drift, alerts.Policy{}, nil, []line{
			{0, counts(0, 0), ""},
			{0, counts(3, 3), "open 1 [opened]"},
			{time.Minute, counts(3, 3), ""},
			{time.Minute, counts(4, 4), "open 2 []"},
			{29 * time.Minute, healed(counts(0, 0), 4, 0, 0), "resolved 3 [resolved: 4 findings in sync again after 31 min]"},
			{time.Hour, counts(0, 0), ""}}},
		{"stays below the threshold, and above it until the end", alerts.Drift, alerts.Policy{Findings: 10, Share: 0.1}, nil, []line{
			{0, counts(10, 10), ""},
			{0, func() alerts.Facts { f := counts(11, 11); f.Compared = 1000; return f }(), ""},
			{0, func() alerts.Facts { f := counts(11, 11); f.Compared = 100; return f }(), "open 1 [opened]"},
			{0, counts(2, 2), "open 2 []"}}},
		{"does not open for what is quiet", alerts.Drift, alerts.Policy{}, nil, []line{{0, counts(5, 0), ""}}},
		{"comes back within a day", alerts.Drift, alerts.Policy{}, nil, []line{
			{0, counts(1, 1), "open 1 [opened]"},
			{0, counts(0, 0), "resolved 2 [resolved: no finding is left after 0 s]"},
			{24 * time.Hour, counts(2, 2), "open 3 [regressed]"},
			{0, healed(counts(0, 0), 1, 1, 0), "resolved 4 [resolved: 2 findings in sync again (1 fixed, 1 healed)]"},
			{24*time.Hour + 1, counts(1, 1), "open 1 [opened]"}}},
		{"grows, and a burst is told once", alerts.Drift, alerts.Policy{}, nil, []line{
			{0, counts(10, 10), "open 1 [opened]"},
			{time.Minute, counts(25, 25), "open 2 []"},
			{4 * time.Minute, counts(50, 50), "open 3 [grown: from 10 to 50]"},
			{time.Hour, counts(99, 99), "open 4 []"},
			{time.Hour, counts(100, 100), "open 5 [grown: from 50 to 100]"}}},
		{"is told again until somebody takes it on", alerts.Drift, alerts.Policy{Repeat: time.Hour}, nil, []line{
			{0, counts(1, 1), "open 1 [opened]"},
			{59 * time.Minute, counts(1, 1), ""},
			{time.Minute, counts(1, 1), "open 2 [repeated]"},
			{time.Minute, by(counts(1, 0), "ann"), "acknowledged 3 [acknowledged by ann: all findings are acknowledged or muted]"},
			{5 * time.Hour, counts(1, 0), ""},
			{0, counts(2, 1), "acknowledged 4 [grown: from 1 to 2]"}}},
		{"is not told again while it is muted", alerts.Drift, alerts.Policy{Repeat: time.Hour}, mute, []line{
			{0, counts(1, 1), "open 1 [opened]"}, {2 * time.Hour, counts(1, 1), ""}}},
		{"is loud again when the mutes of its findings end", alerts.Drift, alerts.Policy{}, nil, []line{
			{0, counts(2, 2), "open 1 [opened]"},
			{0, counts(2, 0), "acknowledged 2 [acknowledged: all findings are acknowledged or muted]"},
			{0, counts(2, 1), "open 3 [unmuted: 1 finding neither acknowledged nor muted]"}}},
		{"ends with what is taken as known", alerts.Drift, alerts.Policy{}, nil, []line{
			{0, counts(412, 412), "open 1 [opened]"},
			{time.Second, healed(counts(0, 0), 3, 0, 409), "resolved 2 [resolved: 3 findings in sync again, 409 taken as known after 1 s]"}}},
		{"does not end while findings were counted and not kept", alerts.Drift, alerts.Policy{}, nil, []line{
			{0, counts(1, 1), "open 1 [opened]"},
			{0, func() alerts.Facts { f := counts(0, 0); f.Omitted = 9; return f }(), "open 2 []"}}},
		{"cannot check: opens with a cause and ends when all is judged", alerts.Blind, alerts.Policy{}, nil, []line{
			{0, standing(drift.Unknown, "", false), ""},
			{0, standing(drift.Drifted, "12 segments were not read", false), ""},
			{0, standing(drift.Unknown, "owner catalog cannot be reached", false), "open 1 [opened]"},
			{0, counts(0, 0), "resolved 2 [resolved: the check can be judged again after 0 s]"},
			{time.Hour, standing(drift.InSync, "no run has succeeded yet", true), "open 3 [regressed]"},
			{0, standing(drift.Unknown, "", false), "open 4 []"}}},
		{"ends with the check", alerts.Blind, alerts.Policy{}, nil, []line{
			{0, standing(drift.Unknown, "x", false), "open 1 [opened]"},
			{0, alerts.Facts{}, "resolved 2 [resolved: the check is not configured any more]"}}},
	} {
		t.Run(life.name, func(t *testing.T) {
			t.Parallel()
			var is *alerts.Incident
			now := noon
			for n, line := range life.lines {
				now = now.Add(line.after)
				after, news, changed := alerts.Next(is, line.facts, life.kind, life.policy, life.mute, now)
				got := ""
				if changed {
					got = fmt.Sprintf("%s %d %s", after.State, after.Revision, said(news))
				} else if len(news) > 0 {
					t.Errorf("line %d: nothing changed and yet %s", n, said(news))
				}
				if got != line.want {
					t.Errorf("line %d: %q, not %q", n, got, line.want)
				}
				is = after
			}
		})
	}
}

// said are milestones in words.
func said(news []alerts.Milestone) string {
	var words []string
	for _, m := range news {
		w := string(m.Event)
		if m.Actor != "" {
			w += " by " + m.Actor
		}
		if m.Note != "" {
			w += ": " + m.Note
		}
		words = append(words, w)
	}
	return "[" + strings.Join(words, "; ") + "]"
}

// Whatever happens, an incident keeps to its laws.
func TestIncidentsKeepToTheirLaws(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	legal := map[alerts.Event][]alerts.State{
		alerts.WasOpened: {""}, alerts.WasRegressed: {alerts.Resolved}, alerts.WasAcknowledged: {alerts.Open, alerts.Acknowledged},
		alerts.HasGrown: {alerts.Open, alerts.Acknowledged}, alerts.WasRepeated: {alerts.Open}, alerts.WasResolved: {alerts.Open, alerts.Acknowledged},
		alerts.WasUnmuted: {alerts.Open, alerts.Acknowledged}, alerts.WasMuted: {alerts.Open, alerts.Acknowledged},
	}
	for range 500 {
		kind := []alerts.Kind{alerts.Drift, alerts.Blind}[random.IntN(2)]
		p := alerts.Policy{Findings: random.Int64N(3), Repeat: time.Duration(random.IntN(3)) * time.Hour}
		var is *alerts.Incident
		now := noon
		for range 60 {
			now = now.Add(time.Duration(random.Int64N(int64(time.Hour))))
			if random.IntN(20) == 0 {
				now = now.Add(alerts.Regress)
			}
			var m *alerts.Mute
			if random.IntN(3) == 0 {
				m = &alerts.Mute{Above: random.Int64N(8)}
			}
			before, state := is, alerts.State("")
			if is != nil {
				state = is.State
			}
			var news []alerts.Milestone
			changed := false
			if is != nil && random.IntN(6) == 0 {
				var err error
				is, news, err = is.Acknowledge("ann", "", now)
				if (err != nil) != (state == alerts.Resolved) || err != nil && !errors.As(err, new(*alerts.NotPossible)) {
					t.Fatalf("acknowledging what is %s: %v", state, err)
				}
				changed = len(news) > 0
			} else {
				f := counts(random.Int64N(8), 0)
				f.Loud = random.Int64N(f.Counted + 1)
				f.Edges[0].Consistency = []drift.Consistency{drift.InSync, drift.Drifted, drift.Unknown}[random.IntN(3)]
				f.Edges[0].Cause = []string{"", "owner catalog cannot be reached"}[random.IntN(2)]
				is, news, changed = alerts.Next(is, f, kind, p, m, now)
				if again, more, anew := alerts.Next(is, f, kind, p, m, now); again != is || len(more) > 0 || anew {
					if is == nil || !(is.State == alerts.Acknowledged && is.AcknowledgedBy == "") && !(state == alerts.Resolved || state == "") || more[0].Event != alerts.WasAcknowledged {
						t.Fatalf("the same facts again made %s of %+v", said(more), is)
					}
				}
			}
			switch {
			case is == nil:
				continue
			case before != nil && before != is && before.State == state && is.Revision < before.Revision && is.Number == before.Number && is.OpenedAt.Equal(before.OpenedAt):
				t.Fatalf("revision %d came after %d", is.Revision, before.Revision)
			case changed && before != nil && is.OpenedAt.Equal(before.OpenedAt) && is.Revision != before.Revision+1:
				t.Fatalf("a change made revision %d of %d", is.Revision, before.Revision)
			case !changed && (len(news) > 0 || before != nil && is.Revision != before.Revision):
				t.Fatalf("nothing changed and yet %s", said(news))
			case is.State != state && len(news) == 0:
				t.Fatalf("it went from %s to %s without a word", state, is.State)
			case (is.State == alerts.Resolved) != !is.ResolvedAt.IsZero(), (is.State == alerts.Resolved) != (is.Resolution != ""):
				t.Fatalf("it is %s since %s: %q", is.State, is.ResolvedAt, is.Resolution)
			case is.Peak < is.Facts.Counted, is.Told > is.Peak:
				t.Fatalf("peak %d, told %d of %d", is.Peak, is.Told, is.Facts.Counted)
			}
			for _, m := range news {
				from := state
				if m.Event == alerts.WasOpened {
					from = "" // it may follow one that was resolved long ago
				}
				if !has(legal[m.Event], from) {
					t.Fatalf("%s happened to what was %q", m.Event, state)
				}
			}
		}
	}
}

func has(states []alerts.State, s alerts.State) bool {
	for _, one := range states {
		if one == s {
			return true
		}
	}
	return false
}

func TestADurationIsSaidAsPeopleSayIt(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{0: "0 s", 40 * time.Second: "40 s", 31 * time.Minute: "31 min", 185 * time.Minute: "3 h 5 min",
		52 * time.Hour: "2 d 4 h", 48 * time.Hour: "2 d", -time.Hour: "0 s", 59*time.Second + 700*time.Millisecond: "1 min"} {
		if got := alerts.Lasted(d); got != want {
			t.Errorf("%v is %q, not %q", d, got, want)
		}
	}
}
