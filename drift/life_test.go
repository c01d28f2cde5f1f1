package drift

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumbline/checks"
	"plumbline/sources"
)

// expected is the life of a finding once more, as a person would write it down:
// a line for each state, a column for each event. "-" is refused, "=" changes
// nothing at all.
const expected = `
               seen          cleared   not-read  acknowledge   accept        mute   unmute     fix-begun  fix-ended
none           confirmed     =         =         -             -             -      -          -          -
confirmed      confirmed     resolved  =         acknowledged  acknowledged  muted  -          fixing     -
regressed      regressed     resolved  =         acknowledged  acknowledged  muted  -          fixing     -
acknowledged   acknowledged  resolved  =         acknowledged  acknowledged  muted  -          fixing     -
muted          muted         resolved  =         acknowledged  acknowledged  muted  confirmed  fixing     -
fixing         fixing        resolved  =         -             -             -      -          -          confirmed
resolved       regressed     resolved  =         -             -             -      -          -          -
`

func expectedLife(t *testing.T) map[State]map[Event]string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(expected), "\n")
	events := strings.Fields(lines[0])
	if len(events) != len(Events()) || len(lines)-2 != len(States()) {
		t.Fatalf("the table has %d events and %d states", len(events), len(lines)-2)
	}
	life := map[State]map[Event]string{}
	for _, line := range lines[1:] {
		words := strings.Fields(line)
		state := State(strings.TrimPrefix(words[0], "none"))
		life[state] = map[Event]string{}
		for i, to := range words[1:] {
			life[state][Event(strings.ReplaceAll(events[i], "-", " "))] = to
		}
	}
	return life
}

var lifeBegan = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// randomObservation is anything that may happen to a finding at a time.
func randomObservation(r *rand.Rand, at time.Time) Observation {
	o := Observation{Event: Events()[r.IntN(len(Events()))], At: at, Actor: []string{Plumbline, "ada"}[r.IntN(2)], Run: fmt.Sprint("R", r.IntN(9))}
	switch o.Event {
	case Seen:
		kinds := []checks.DifferenceKind{checks.Mismatch, checks.Missing, checks.Duplicate}
		o.FirstSeen = at.Add(-time.Duration(r.IntN(60)) * time.Second)
		o.Finding = &Finding{ID: "F-1", Check: "orders", Replica: "search", Key: sources.Key{sources.Int(1)}, KeyText: "id=1",
			Kind: kinds[r.IntN(3)], Reason: fmt.Sprint("reason ", r.IntN(5)), Pattern: fmt.Sprint("pattern ", r.IntN(5)),
			// A read knows nothing of the life; whatever stands here is not taken over.
			State: Muted, Seen: 77, Regressions: 77, Revision: 77, MutedUntil: at, Accepted: true}
	case Cleared:
		o.Resolution = []string{checks.ClearedEqual, checks.ClearedGone, checks.ClearedOutOfScope}[r.IntN(3)]
	case Mute:
		o.Until = at.Add(time.Hour)
	}
	return o
}

// Whatever is observed in whatever order, a finding lives by the table: what was
// not read changes nothing, only a read resolves, revisions rise, who it is
// stays, and each return is counted.
func TestEveryHistoryIsALife(t *testing.T) {
	t.Parallel()
	life := expectedLife(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	visited := map[string]int{}
	for n := range 100_000 {
		r := rand.New(rand.NewPCG(seed, uint64(n)))
		var f *Finding
		regressions, seen := int64(0), int64(0)
		at := lifeBegan
		for range 1 + r.IntN(12) {
			at = at.Add(time.Duration(r.IntN(100)) * time.Second)
			o := randomObservation(r, at)
			state := State("")
			var before *Finding
			if f != nil {
				state = f.State
				kept := *f
				before = &kept
			}
			want := life[state][o.Event]
			after, line, changed, err := Next(f, o)
			if why := judgeStep(before, f, after, o, line, changed, err, want); why != "" {
				t.Fatalf("seed %d, history %d: %s of what is %q: %s\nbefore %+v\nafter %+v\nline %+v", seed, n, o.Event, state, why, before, after, line)
			}
			visited[string(state)+"/"+string(o.Event)]++
			if err == nil && o.Event == Seen {
				seen++
				if state == Resolved {
					regressions++
				}
			}
			if f = after; f != nil && (f.Regressions != regressions || f.Seen != seen) {
				t.Fatalf("seed %d, history %d: %d regressions and seen %d times, want %d and %d", seed, n, f.Regressions, f.Seen, regressions, seen)
			}
		}
	}
	for state, events := range life {
		for event := range events {
			if visited[string(state)+"/"+string(event)] == 0 {
				t.Errorf("no history saw %s of what is %q", event, state)
			}
		}
	}
}

// judgeStep says what is wrong with one step of a life; "" where nothing is.
func judgeStep(before, input, after *Finding, o Observation, line Transition, changed bool, err error, want string) string {
	if !cmp.Equal(before, input) {
		return "what went in was changed"
	}
	var refused *NotPossible
	switch {
	case want == "-":
		if !errors.As(err, &refused) || changed || after != input {
			return fmt.Sprintf("it is not refused: %v", err)
		}
		if refused.Event != o.Event || before != nil && !strings.Contains(err.Error(), before.ID) {
			return "the refusal does not say what: " + err.Error()
		}
		return ""
	case err != nil:
		return "it is refused: " + err.Error()
	case want == "=":
		if changed || after != input {
			return "it changes something"
		}
		return ""
	case string(after.State) != want:
		return "it leads to " + string(after.State)
	case !slices.Contains(States(), after.State):
		return "no such state"
	}
	from, revision := State(""), int64(0)
	if before != nil {
		from, revision = before.State, before.Revision
	}
	switch {
	case after.Revision != revision+1:
		return "the revision does not rise by one"
	case after.State != from && !changed:
		return "a new state makes no line in the timeline"
	case changed && (line.From != from || line.To != after.State || line.Event != o.Event || line.At != o.At || line.Actor != o.Actor || line.Run != o.Run):
		return "the line does not say who did what and when"
	case from.Open() && after.State == Resolved && (o.Event != Cleared || after.Resolution != o.Resolution || after.ResolvedAt != o.At):
		return "it is resolved by what was no read, or without saying why"
	case after.State.Open() && (after.Resolution != "" || !after.ResolvedAt.IsZero()):
		return "it is open and says why it was resolved"
	case after.State == Muted != !after.MutedUntil.IsZero():
		return "it is muted until no time, or not muted until some time"
	case before != nil && (after.ID != before.ID || after.Check != before.Check || after.Replica != before.Replica || !after.Key.Equal(before.Key)):
		return "it is another finding"
	}
	if o.Event == Seen {
		return judgeSeen(before, after, o, from)
	}
	read := *before
	read.CheckedAt = after.CheckedAt
	if o.Event == Cleared && after.CheckedAt != o.At {
		return "it does not say when it was read"
	}
	if o.Event != Cleared && after.CheckedAt != before.CheckedAt {
		return "it says it was read"
	}
	if after.Kind != before.Kind || after.LastSeen != before.LastSeen || after.Seen != before.Seen || after.FirstSeen != before.FirstSeen || after.Pattern != before.Pattern {
		return "it changes what was seen"
	}
	return ""
}

func judgeSeen(before, after *Finding, o Observation, from State) string {
	switch {
	case after.Kind != o.Finding.Kind || after.Reason != o.Finding.Reason || after.Pattern != o.Finding.Pattern || after.KeyText != o.Finding.KeyText:
		return "it does not hold what was read"
	case after.LastSeen != o.At || after.CheckedAt != o.At:
		return "it does not say when it was seen"
	case !from.Open() && (after.FirstSeen != o.FirstSeen || after.ConfirmedAt != o.At || after.Accepted):
		return "a new life does not begin anew"
	case from.Open() && (after.FirstSeen != before.FirstSeen || after.ConfirmedAt != before.ConfirmedAt || after.Accepted != before.Accepted):
		return "a life begins anew within"
	}
	return ""
}

// A read that came to no last word moves no finding.
func TestOnlyLastWordsAreObserved(t *testing.T) {
	t.Parallel()
	suspect := &checks.Suspect{FirstSeen: lifeBegan}
	read := &Finding{ID: "F-1"}
	for _, row := range []struct {
		verdict checks.Verdict
		want    Event
	}{
		{checks.Verdict{Suspect: suspect, Outcome: checks.Confirmed}, Seen},
		{checks.Verdict{Suspect: suspect, Outcome: checks.Cleared, Cleared: checks.ClearedGone}, Cleared},
		{checks.Verdict{Suspect: suspect, Outcome: checks.Renewed}, ""},
		{checks.Verdict{Suspect: suspect, Outcome: checks.Unsettled}, ""},
		{checks.Verdict{Suspect: suspect, Outcome: checks.Unread}, ""},
	} {
		o, ok := Observe(&row.verdict, read, lifeBegan, "R1")
		if ok != (row.want != "") || o.Event != row.want {
			t.Errorf("%s: got %+v, %v", row.verdict.Outcome, o, ok)
		}
		if o.Event == Seen && (o.Finding != read || o.FirstSeen != lifeBegan) || o.Event == Cleared && o.Resolution != checks.ClearedGone {
			t.Errorf("%s: got %+v", row.verdict.Outcome, o)
		}
	}
}

func TestStandings(t *testing.T) {
	t.Parallel()
	at := lifeBegan
	for _, row := range []struct {
		name   string
		was    Consistency
		result checks.Result
		open   int64
		want   Consistency
		ok     bool // it counts as a success
	}{
		{"all equal", Unknown, checks.Clean, 0, InSync, true},
		{"all equal that was read, with drift known elsewhere", InSync, checks.Clean, 1, Drifted, true},
		{"drift", InSync, checks.Drift, 3, Drifted, true},
		{"drift that was omitted", InSync, checks.Drift, 0, Drifted, true},
		{"half of it read", InSync, checks.Incomplete, 0, Unknown, false},
		{"half of it read, with drift known", Drifted, checks.Incomplete, 2, Drifted, false},
		{"nothing read", InSync, checks.Error, 0, Unknown, false},
		{"nothing read, with drift known", Drifted, checks.Error, 2, Unknown, false},
		{"cancelled", InSync, checks.Cancelled, 0, InSync, true},
	} {
		was := Standing{Consistency: row.was, Since: at, LastRun: "R1", LastResult: checks.Clean, LastSuccess: at, Coverage: 1}
		now := at.Add(time.Hour)
		next := was.Conclude("R2", row.result, "why", 0.5, row.open, now)
		if next.Consistency != row.want || (next.LastSuccess == now) != (row.ok && row.result != checks.Cancelled) {
			t.Errorf("%s: got %+v", row.name, next)
		}
		if (next.Since == now) != (row.want != row.was) {
			t.Errorf("%s: since %v", row.name, next.Since)
		}
		if row.result == checks.Cancelled && next != was {
			t.Errorf("%s: it changed to %+v", row.name, next)
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	at := lifeBegan
	for _, row := range []struct {
		name     string
		s        Standing
		now      time.Duration
		interval time.Duration
		want     Health
	}{
		{"no schedule", Standing{LastResult: checks.Error}, 0, 0, Paused},
		{"new", Standing{}, time.Minute, time.Minute, OK},
		{"new, and never run", Standing{}, 4 * time.Minute, time.Minute, Stale},
		{"in time", Standing{LastResult: checks.Clean, LastSuccess: at.Add(time.Hour)}, time.Hour + 3*time.Minute, time.Minute, OK},
		{"late", Standing{LastResult: checks.Drift, LastSuccess: at}, time.Hour, time.Minute, Stale},
		{"failing", Standing{LastResult: checks.Error, LastSuccess: at}, time.Minute, time.Minute, Failing},
		{"incomplete", Standing{LastResult: checks.Incomplete, LastSuccess: at}, time.Hour, time.Minute, Failing},
	} {
		if got := row.s.Health(at.Add(row.now), at, row.interval); got != row.want {
			t.Errorf("%s: got %s, want %s", row.name, got, row.want)
		}
	}
}
