package drift_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/sources"
)

// legal is the life of a finding as words.md of the design tells it, written
// down a second time: a line for each state, what may happen, and what comes of it.
const legal = `
(none)        seen=confirmed
confirmed     seen=confirmed cleared=resolved acknowledge=acknowledged accept=acknowledged mute=muted fix-begun=fixing
regressed     seen=regressed cleared=resolved acknowledge=acknowledged accept=acknowledged mute=muted fix-begun=fixing
acknowledged  seen=acknowledged cleared=resolved acknowledge=acknowledged accept=acknowledged mute=muted fix-begun=fixing
muted         seen=muted cleared=resolved acknowledge=acknowledged accept=acknowledged mute=muted unmute=confirmed fix-begun=fixing
fixing        seen=fixing cleared=resolved fix-ended=confirmed
resolved      seen=regressed cleared=resolved
`

func legalMoves() map[string]string {
	moves := map[string]string{}
	for line := range strings.Lines(strings.TrimSpace(legal)) {
		words := strings.Fields(line)
		from := strings.Replace(words[0], "(none)", "", 1)
		for _, move := range words[1:] {
			event, to, _ := strings.Cut(move, "=")
			moves[from+" "+strings.ReplaceAll(event, "-", " ")] = to
		}
	}
	return moves
}

func seed(t *testing.T) uint64 {
	t.Helper()
	s := uint64(time.Now().UnixNano())
	if given := os.Getenv("PLUMBLINE_TEST_SEED"); given != "" {
		var err error
		if s, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("PLUMBLINE_TEST_SEED=%d repeats this", s)
	return s
}

func observation(r *rand.Rand, at time.Time) drift.Observation {
	o := drift.Observation{Event: drift.Events()[r.IntN(len(drift.Events()))], At: at, Actor: "ada", Run: "r1"}
	if r.IntN(2) == 0 { // reads are most of what happens
		o.Event = []drift.Event{drift.Seen, drift.Cleared, drift.NotRead}[r.IntN(3)]
	}
	switch o.Event {
	case drift.Seen:
		o.FirstSeen = at.Add(-time.Duration(r.IntN(60)) * time.Second)
		o.Finding = &drift.Finding{ID: "F-1", Check: "c", Replica: "r", Key: sources.Key{sources.Int(1)}, KeyText: "id=1",
			Kind: []checks.DifferenceKind{checks.Mismatch, checks.Missing, checks.Duplicate}[r.IntN(3)],
			// A read knows nothing of a life; whatever stands here is not taken over.
			State: drift.Muted, Seen: 77, Regressions: 77, Revision: 77, MutedUntil: at, Accepted: true}
	case drift.Cleared:
		o.Resolution = []string{checks.ClearedEqual, checks.ClearedGone, checks.ClearedOutOfScope}[r.IntN(3)]
	case drift.Mute:
		o.Until = at.Add(time.Hour)
	}
	return o
}

// Whatever happens, in whatever order: only legal moves, nothing resolved that
// was not read, and every change named.
func TestLifeOverRandomHistories(t *testing.T) {
	t.Parallel()
	s := seed(t)
	r := rand.New(rand.NewPCG(s, 1))
	moves := legalMoves()
	met := map[string]bool{}
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for history := range 100_000 {
		var f *drift.Finding
		at := begin
		for range 1 + r.IntN(20) {
			at = at.Add(time.Duration(1+r.IntN(600)) * time.Second)
			o := observation(r, at)
			after, line, changed, err := drift.Next(f, o)
			if why := wrong(f, after, o, line, changed, err, moves); why != "" {
				t.Fatalf("seed %d, history %d, %s: %s\nbefore %+v\nafter  %+v", s, history, o.Event, why, f, after)
			}
			if f != nil && err == nil {
				met[string(f.State)+" "+string(o.Event)] = true
			}
			f = after
		}
	}
	for move := range moves {
		if !strings.HasPrefix(move, " ") && !met[move] {
			t.Errorf("no history has met %s", move)
		}
	}
}

// wrong says which law a step broke; "" for none.
func wrong(before, after *drift.Finding, o drift.Observation, line drift.Transition, changed bool, err error, moves map[string]string) string {
	from := drift.State("")
	if before != nil {
		from = before.State
	}
	if o.Event == drift.NotRead {
		if err != nil || changed || after != before {
			return "what was not read changed something"
		}
		return ""
	}
	to, allowed := moves[string(from)+" "+string(o.Event)]
	if !allowed {
		var refused *drift.NotPossible
		switch {
		case before == nil && o.Event == drift.Cleared:
			if err != nil || after != nil || changed {
				return "clearing what never differed made something"
			}
		case !errors.As(err, &refused):
			return fmt.Sprintf("an illegal move was not refused: %v", err)
		case after != before || changed:
			return "a refused move changed something"
		}
		return ""
	}
	switch {
	case err != nil:
		return "a legal move was refused: " + err.Error()
	case string(after.State) != to:
		return fmt.Sprintf("went to %s, want %s", after.State, to)
	case after.State == drift.Resolved && from != drift.Resolved && o.Event != drift.Cleared:
		return "resolved by something other than a read"
	case after.Revision != revision(before)+map[bool]int64{true: 1}[changed]:
		return "the revision did not rise with the timeline"
	case from != after.State && !changed:
		return "a change of state is no line of the timeline"
	case changed && (line.From != from || line.To != after.State || !line.At.Equal(o.At) || line.Actor == "" || line.Event != o.Event):
		return fmt.Sprintf("the timeline says %+v", line)
	case (after.State == drift.Muted) == after.MutedUntil.IsZero():
		return "muted until never, or not muted until some time"
	case (after.State == drift.Resolved) == after.ResolvedAt.IsZero():
		return "resolved at no time, or open and resolved at some"
	case before != nil && after.Seen < before.Seen, before != nil && after.Regressions < before.Regressions:
		return "a count fell"
	case before != nil && (after.Regressions > before.Regressions) != (from == drift.Resolved && after.State == drift.Regressed):
		return "regressions do not count the times it came back"
	case before != nil && (after.ID != before.ID || !after.Key.Equal(before.Key)):
		return "it became another finding"
	case o.Event == drift.Seen && (from == "" || from == drift.Resolved) && !after.FirstSeen.Equal(o.FirstSeen):
		return "a new life does not begin when the difference was first read"
	case o.Event == drift.Seen && from.Open() && !after.FirstSeen.Equal(before.FirstSeen):
		return "an open finding was first seen anew"
	case o.Event == drift.Seen && (after.Kind != o.Finding.Kind || after.KeyText != o.Finding.KeyText || !after.LastSeen.Equal(o.At) || !after.CheckedAt.Equal(o.At)):
		return "it does not hold what was read, or when"
	case o.Event != drift.Seen && (after.Kind != before.Kind || after.Seen != before.Seen || !after.LastSeen.Equal(before.LastSeen)):
		return "what was seen changed and nothing was seen"
	case o.Event == drift.Cleared && !after.CheckedAt.Equal(o.At), o.Event != drift.Cleared && o.Event != drift.Seen && !after.CheckedAt.Equal(before.CheckedAt):
		return "when it was last read is not when it was"
	}
	return ""
}

// A read that came to no last word moves no finding.
func TestOnlyLastWordsAreObserved(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	suspect, read := &checks.Suspect{FirstSeen: at}, &drift.Finding{ID: "F-1"}
	for outcome, want := range map[checks.Outcome]drift.Event{checks.Confirmed: drift.Seen, checks.Cleared: drift.Cleared,
		checks.Renewed: "", checks.Unsettled: "", checks.Unread: ""} {
		o, ok := drift.Observe(&checks.Verdict{Suspect: suspect, Outcome: outcome, Cleared: checks.ClearedGone}, read, at, "R1")
		if ok != (want != "") || o.Event != want {
			t.Errorf("%s: got %+v, %v", outcome, o, ok)
		}
		if o.Event == drift.Seen && (o.Finding != read || !o.FirstSeen.Equal(at)) || o.Event == drift.Cleared && o.Resolution != checks.ClearedGone {
			t.Errorf("%s: got %+v", outcome, o)
		}
	}
}

func TestStatesAndEventsAreAllInTheTable(t *testing.T) {
	t.Parallel()
	moves := legalMoves()
	for _, s := range drift.States() {
		if _, ok := moves[string(s)+" seen"]; !ok {
			t.Errorf("the table does not know %s", s)
		}
	}
	if slices.Contains(drift.States(), "") {
		t.Error("no state has no name")
	}
}

func revision(f *drift.Finding) int64 {
	if f == nil {
		return 0
	}
	return f.Revision
}
