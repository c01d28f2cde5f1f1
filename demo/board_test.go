package demo

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"plumbline/checks"
	"plumbline/sources"
)

func aCheck() *checks.Check {
	return &checks.Check{Name: "prices", Owner: checks.Side{Source: "catalog"},
		Edges: []checks.Edge{{Name: "basket", Replica: checks.Side{Source: "basket"}, Settle: 4 * time.Second}}}
}

func aRun(result checks.Result, compared int64, keys ...int64) checks.EdgeRun {
	run := checks.EdgeRun{Check: "prices", Replica: "basket", Result: result, StartedAt: opened(), OwnerKey: []string{"id"},
		Counts: checks.Counts{Equal: compared - int64(len(keys)), Mismatch: int64(len(keys)), SuspectsCleared: 2}}
	for _, k := range keys {
		run.Differences = append(run.Differences, checks.Difference{Kind: checks.Mismatch, Key: sources.Key{sources.Int(k)},
			FirstSeen: opened(), LastSeen: opened().Add(4 * time.Second)})
	}
	return run
}

func keysOf(list []*finding) (keys []string) {
	for _, f := range list {
		keys = append(keys, f.difference.Key.String())
	}
	return keys
}

func TestFindingsEndOnlyByARunThatComparedEverything(t *testing.T) {
	t.Parallel()
	unsettled := aRun(checks.Incomplete, 10)
	unsettled.Counts.Skipped, unsettled.Counts.Unsettled = 1, 1
	omitted := aRun(checks.Drift, 10, 3)
	omitted.Omitted = 1
	s := newCheckState(aCheck())
	for i, step := range []struct {
		run           checks.EdgeRun
		fresh, healed []string
		word          string
	}{
		{aRun(checks.Incomplete, 0), nil, nil, "Unknown"},
		{aRun(checks.Clean, 10), nil, nil, "In sync"},
		{aRun(checks.Drift, 10, 1, 2), []string{"1", "2"}, nil, "Drifted"},
		{unsettled, nil, nil, "Drifted"},
		{omitted, []string{"3"}, nil, "Drifted"},
		{aRun(checks.Drift, 10, 2, 3), nil, []string{"1"}, "Drifted"},
		{aRun(checks.Clean, 10), nil, []string{"2", "3"}, "In sync"},
		{aRun(checks.Drift, 10, 2), []string{"2"}, nil, "Drifted"},
	} {
		fresh, healed := s.take(step.run)
		if !slices.Equal(keysOf(fresh), step.fresh) || !slices.Equal(keysOf(healed), step.healed) || s.consistency() != step.word {
			t.Errorf("run %d: new %v, healed %v, %s; want %v, %v, %s", i, keysOf(fresh), keysOf(healed), s.consistency(), step.fresh, step.healed, step.word)
		}
	}
	if s.confirmed != 4 || s.healed != 3 || s.cleared != 16 {
		t.Errorf("%d confirmed, %d healed, %d cleared", s.confirmed, s.healed, s.cleared)
	}
}

func TestTruthTellsFoundFromMissed(t *testing.T) {
	t.Parallel()
	at := func(seconds int) time.Time { return opened().Add(time.Duration(seconds) * time.Second) }
	here := place{"prices", "1"}
	for _, test := range []struct {
		name  string
		fault fault
		found bool // by a run from second 10 to second 15
		due   int
		want  tally
	}{
		{"found", fault{at: at(1), from: at(1)}, true, 20, tally{letIn: 1, found: 1}},
		{"passed over", fault{at: at(1), from: at(1)}, false, 0, tally{letIn: 1, missed: 1}},
		{"found once and then passed over", fault{at: at(1), from: at(1), found: at(5)}, false, 0, tally{letIn: 1, missed: 1}},
		{"healed while the run went on", fault{at: at(1), from: at(1), healed: at(12)}, false, 20, tally{letIn: 1, healed: 1}},
		{"did not show when the run began", fault{at: at(9), from: at(11)}, false, 5, tally{letIn: 1, young: 1}},
		{"old enough to have been found", fault{at: at(9), from: at(11)}, false, 20, tally{letIn: 1, missed: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.fault.places = []place{here}
			w := &truth{faults: []*fault{&test.fault}}
			found := map[string]bool{}
			if test.found {
				found["1"] = true
				if w.explain("prices", "1", at(10), at(14)) == nil {
					t.Error("the fault does not explain what is due to it")
				}
			}
			w.judge("prices", found, at(10), at(15))
			if got := w.tally(at(test.due)); got != test.want {
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
			c := aCheck()
			v := newView(&screen{out: &out, color: color, interactive: interactive, width: 60}, began, &truth{}, []checks.Check{*c})
			v.welcome(Options{Seed: 1}, "somewhere", 1234)
			v.status(began, 12, 3)
			v.run(aRun(checks.Drift, 1000, 1, 2, 3, 4, 5, 6), began.Add(5*time.Second))
			v.run(aRun(checks.Clean, 1000), began.Add(10*time.Second))
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
			for _, want := range []string{"confirmed", "and 2 more", "healed", "In sync", "1:10:00"} {
				if !strings.Contains(text, want) {
					t.Errorf("%q is nowhere in\n%s", want, text)
				}
			}
		}
	}
}
