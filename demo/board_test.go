package demo

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/sources"
)

func aCheck() *checks.Check {
	return &checks.Check{Name: "prices", Owner: checks.Side{Source: "catalog"},
		Edges: []checks.Edge{{Name: "basket", Replica: checks.Side{Source: "basket"}, Settle: 4 * time.Second}}}
}

func aState() *checkState { return newCheckState(aCheck(), 5*time.Second) }

// aFinding is one of key k at a revision of its life.
func aFinding(k, revision int64, state drift.State) *drift.Finding {
	f := &drift.Finding{ID: "F-" + number(k), Check: "prices", Replica: "basket", Key: sources.Key{sources.Int(k)}, Kind: checks.Mismatch,
		State: state, Revision: revision, FirstSeen: opened(), ConfirmedAt: opened().Add(4 * time.Second), LastSeen: opened().Add(4 * time.Second)}
	if !state.Open() {
		f.ResolvedAt = opened().Add(30 * time.Second)
	}
	return f
}

func aRun(number, compared int64, state ledger.RunState) *ledger.Run {
	return &ledger.Run{ID: fmt.Sprint("R", number), Number: number, Check: "prices", Replica: "basket", State: state, Result: checks.Drift,
		CreatedAt: opened(), FinishedAt: opened().Add(9 * time.Second), Counts: checks.Counts{Equal: compared, SuspectsCleared: 2}}
}

func keysOf(list []*finding) (keys []string) {
	for _, f := range list {
		keys = append(keys, f.Key.String())
	}
	return keys
}

func TestFindingsAreToldOnce(t *testing.T) {
	t.Parallel()
	came := func(f *drift.Finding, regressions int64) *drift.Finding {
		f.Regressions = regressions
		return f
	}
	s := aState()
	for i, step := range []struct {
		list                 []*drift.Finding
		fresh, healed, acted []string
		open                 int
	}{
		{nil, nil, nil, nil, 0},
		{[]*drift.Finding{aFinding(2, 1, drift.Confirmed), aFinding(1, 1, drift.Confirmed)}, []string{"1", "2"}, nil, nil, 2},
		{[]*drift.Finding{aFinding(1, 1, drift.Confirmed)}, nil, nil, nil, 2},
		{[]*drift.Finding{aFinding(1, 2, drift.Confirmed)}, nil, nil, nil, 2}, // only seen again
		{[]*drift.Finding{aFinding(1, 3, drift.Acknowledged)}, nil, nil, []string{"1"}, 2},
		{[]*drift.Finding{aFinding(1, 4, drift.Resolved)}, nil, []string{"1"}, nil, 1},
		{[]*drift.Finding{aFinding(1, 5, drift.Resolved)}, nil, nil, nil, 1},
		{[]*drift.Finding{came(aFinding(1, 6, drift.Regressed), 1)}, []string{"1"}, nil, nil, 2},
		{[]*drift.Finding{came(aFinding(1, 9, drift.Regressed), 2)}, []string{"1"}, nil, nil, 2}, // healed and came back between two looks
		{[]*drift.Finding{aFinding(3, 2, drift.Resolved)}, []string{"3"}, []string{"3"}, nil, 2}, // came and healed between two looks
	} {
		n := s.take(step.list)
		if !slices.Equal(keysOf(n.fresh), step.fresh) || !slices.Equal(keysOf(n.healed), step.healed) || !slices.Equal(keysOf(n.acted), step.acted) || len(s.open()) != step.open {
			t.Errorf("step %d: new %v, healed %v, acted %v, %d open; want %v, %v, %v, %d", i, keysOf(n.fresh), keysOf(n.healed), keysOf(n.acted),
				len(s.open()), step.fresh, step.healed, step.acted, step.open)
		}
	}
	if s.confirmed != 5 || s.healed != 2 {
		t.Errorf("%d confirmed, %d healed", s.confirmed, s.healed)
	}
}

func TestRunsAreCountedOnceTheyAreFinished(t *testing.T) {
	t.Parallel()
	s := aState()
	for _, r := range []*ledger.Run{aRun(1, 10, ledger.Running), aRun(2, 10, ledger.Finished), aRun(1, 10, ledger.Settling), aRun(1, 10, ledger.Finished), aRun(2, 10, ledger.Finished)} {
		s.takeRun(r)
	}
	if s.runs != 2 || s.compared != 20 || s.cleared != 4 || s.last.Number != 2 {
		t.Errorf("%d runs, %d compared, %d cleared, the last is %d", s.runs, s.compared, s.cleared, s.last.Number)
	}
}

func TestTruthTellsFoundFromMissed(t *testing.T) {
	t.Parallel()
	at := func(seconds int) time.Time { return opened().Add(time.Duration(seconds) * time.Second) }
	here := place{"prices", "1"}
	for _, test := range []struct {
		name  string
		fault fault
		found bool // by a finding seen from second 10 to 14
		now   int
		want  tally
	}{
		{"found", fault{at: at(1), from: at(1)}, true, 20, tally{letIn: 1, found: 1}},
		{"passed over", fault{at: at(1), from: at(1)}, false, 20, tally{letIn: 1, missed: 1}},
		{"passed over until it healed", fault{at: at(1), from: at(1), healed: at(15)}, false, 20, tally{letIn: 1, missed: 1}},
		{"healed before it was due", fault{at: at(1), from: at(1), healed: at(10)}, false, 20, tally{letIn: 1, healed: 1}},
		{"never showed", fault{at: at(1), healed: at(19)}, false, 20, tally{letIn: 1, healed: 1}},
		{"not yet due", fault{at: at(9), from: at(11)}, false, 20, tally{letIn: 1, young: 1}},
		{"due by now", fault{at: at(9), from: at(11)}, false, 22, tally{letIn: 1, missed: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.fault.places = []place{here}
			w := &truth{faults: []*fault{&test.fault}}
			if test.found && w.explain("prices", "1", at(10), at(14)) == nil {
				t.Error("the fault does not explain what is due to it")
			}
			if got := w.tally(at(test.now), 10*time.Second); got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
		})
	}
}

func TestTruthExplainsNothingElse(t *testing.T) {
	t.Parallel()
	at := func(seconds int) time.Time { return opened().Add(time.Duration(seconds) * time.Second) }
	w := &truth{faults: []*fault{{kind: lostEvent, places: []place{{"prices", "1"}}, at: at(10), healed: at(20)}}}
	for _, test := range []struct {
		check, key  string
		first, last int
		want        bool
	}{
		{"prices", "1", 11, 15, true},
		{"prices", "1", 9, 11, true},
		{"prices", "1", 19, 23, true},
		{"prices", "1", 1, 9, false},
		{"prices", "1", 21, 25, false},
		{"prices", "2", 11, 15, false},
		{"names", "1", 11, 15, false},
	} {
		if got := w.explain(test.check, test.key, at(test.first), at(test.last)) != nil; got != test.want {
			t.Errorf("%s %s from %d to %d s: explained %v", test.check, test.key, test.first, test.last, got)
		}
	}
}

func TestScreenKeepsToItsWidth(t *testing.T) {
	t.Parallel()
	for _, color := range []bool{false, true} {
		for _, interactive := range []bool{false, true} {
			var out bytes.Buffer
			began := opened()
			state := aState()
			v := newView(&screen{out: &out, color: color, interactive: interactive, width: 60}, began, &truth{}, []*checkState{state})
			v.welcome(Options{Seed: 1}, "somewhere", "http://127.0.0.1:8080", 1234)
			v.status(began, 12, 3)
			var fresh, healed []*drift.Finding
			for k := range int64(6) {
				fresh, healed = append(fresh, aFinding(k, 1, drift.Confirmed)), append(healed, aFinding(k, 2, drift.Resolved))
			}
			v.findings(state, fresh, began.Add(5*time.Second))
			v.run(state, aRun(1, 1000, ledger.Finished), began.Add(6*time.Second))
			v.edge(state, ledger.Edge{Check: "prices", Standing: drift.Standing{Consistency: drift.Drifted}, Pending: 3}, began.Add(6*time.Second))
			v.outage("loyalty", true, began.Add(7*time.Second))
			v.board(began.Add(8 * time.Second))
			v.findings(state, healed, began.Add(9*time.Second))
			v.edge(state, ledger.Edge{Check: "prices", Standing: drift.Standing{Consistency: drift.Unknown, LastError: strings.Repeat("no answer ", 20)}}, began.Add(10*time.Second))
			v.edge(state, ledger.Edge{Check: "prices", Standing: drift.Standing{Consistency: drift.InSync}, Compared: 1000}, began.Add(11*time.Second))
			v.status(began, 12, 3)
			v.board(began.Add(70 * time.Minute))
			v.farewell(v.result(began), began.Add(time.Hour))
			text := out.String()
			if strings.Contains(text, "\x1b[0m") != color || strings.ContainsAny(text, "\r") != interactive {
				t.Errorf("color %v, interactive %v: %q", color, interactive, text)
			}
			for _, line := range strings.Split(text, "\n") {
				line = line[strings.LastIndex(line, "\r\x1b[K")+1:]
				line = strings.TrimPrefix(line, "\x1b[K")
				if visible(line) > 60 {
					t.Errorf("%d characters: %q", visible(line), line)
				}
			}
			for _, want := range []string{"confirmed", "and 2 more", "cleared", "healed", "In sync", "Unknown", "loyalty locks", "1:10:00"} {
				if !strings.Contains(text, want) {
					t.Errorf("%q is nowhere in\n%s", want, text)
				}
			}
		}
	}
}
