package ledger_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/sources"
)

func cleanRun(t *testing.T, w *world) {
	r := w.scanned("search")
	if r.State != ledger.Finished || r.Result != checks.Clean || r.Coverage != 1 || r.Counts.Equal != 100 || r.Read != 100 {
		t.Errorf("got %+v", r)
	}
	e := w.edge("search")
	if e.Consistency != drift.InSync || e.LastRun != r.ID || e.Compared != 100 || e.Running != "" || !e.LastSuccess.Equal(w.clock.now()) {
		t.Errorf("got %+v", e)
	}
	if other := w.edge("cache"); other.Consistency != drift.Unknown || other.LastRun != "" {
		t.Errorf("another edge changed: %+v", other)
	}
}

func suspectsAreJudged(t *testing.T, w *world) {
	r := w.scanned("search", w.suspects(1, 2, 3, 4)...)
	if r.State != ledger.Settling || r.Result != checks.Incomplete || r.Pending != 4 || r.Coverage != 0.96 {
		t.Fatalf("while settling: %+v", r)
	}
	e := w.edge("search")
	if e.Consistency != drift.Unknown || e.Pending != 4 || e.Running != r.ID {
		t.Errorf("while settling: %+v", e)
	}
	if due := w.due("search"); len(due) != 0 {
		t.Errorf("due before they settled: %v", due)
	}
	w.clock.pass(settle)
	refs := got(w.DueEdges(t.Context(), w.clock.now()))(t)
	if want := []ledger.EdgeRef{{Check: "orders", Replica: "search"}}; !cmp.Equal(refs, want) {
		t.Errorf("due edges %v, want %v", refs, want)
	}
	due := w.due("search")
	if len(due) != 4 {
		t.Fatalf("due %v", due)
	}
	w.judge("search", w.differs(due[0], "paid", "pending"), cleared(due[1], checks.ClearedEqual), unread(due[2]))
	if r = w.again(r); r.State != ledger.Settling || r.Result != checks.Drift || r.Pending != 1 {
		t.Errorf("with one left: %+v", r)
	}
	w.judge("search", w.is(due[3], checks.Missing, ""))
	r = w.again(r)
	want := checks.Counts{OwnerRecords: 100, ReplicaRecords: 100, Equal: 97, Mismatch: 1, Missing: 1, Skipped: 1, SuspectsCleared: 1}
	if r.State != ledger.Finished || r.Result != checks.Drift || r.Pending != 0 || r.Counts != want || !r.FinishedAt.Equal(w.clock.now()) {
		t.Errorf("finished: %+v", r)
	}
	if r.Reasons["source search: timeout"] != 1 {
		t.Errorf("reasons %v", r.Reasons)
	}
	if f := found(w, due[0]); f.State != drift.Confirmed || f.Kind != checks.Mismatch || f.Fields[0].Owner.Text != "paid" || !f.FirstSeen.Equal(due[0].FirstSeen) {
		t.Errorf("finding %+v", f)
	}
	var missing *ledger.NotFoundError
	if _, err := w.Finding(t.Context(), named("search", due[1].Key, nil)); !errors.As(err, &missing) {
		t.Errorf("what was cleared has a finding: %v", err)
	}
	if e = w.edge("search"); e.Consistency != drift.Drifted || e.Pending != 0 || e.OpenFindings() != 2 {
		t.Errorf("finished: %+v", e)
	}
}

func found(w *world, s checks.Suspect) *drift.Finding {
	w.Helper()
	return got(w.Finding(w.Context(), named("search", s.Key, s.ID)))(w)
}

// A finding is resolved by a read that found its record equal, and comes back as regressed.
func findingsLive(t *testing.T, w *world) {
	w.scanned("search", w.suspects(1)...)
	w.confirm("search")
	known := got(w.OpenKeys(t.Context(), "orders", "search", 10, w.clock.pass(time.Second)))(t)
	if len(known) != 1 || !known[0].Known || !known[0].Key.Equal(key(1)) {
		t.Fatalf("open keys %+v", known)
	}
	w.recheck("search", unread(known[0]))
	if f := w.finding("search", 1); f.State != drift.Confirmed || f.Revision != 1 {
		t.Errorf("after a read that failed: %+v", f)
	}
	if again := got(w.OpenKeys(t.Context(), "orders", "search", 10, w.clock.now()))(t); len(again) != 0 {
		t.Errorf("it would be read over and over: %v", again)
	}
	w.clock.pass(time.Second)
	w.recheck("search", cleared(known[0], checks.ClearedEqual))
	if f := w.finding("search", 1); f.State != drift.Resolved || f.Resolution != checks.ClearedEqual || !f.ResolvedAt.Equal(w.clock.now()) {
		t.Errorf("after it was equal: %+v", f)
	}
	w.clock.pass(time.Hour)
	r := w.scanned("search", w.suspects(1)...)
	if r.Pending != 1 || r.Counts.Mismatch != 0 {
		t.Errorf("what was resolved is counted at once: %+v", r)
	}
	w.confirm("search")
	f := w.finding("search", 1)
	if f.State != drift.Regressed || f.Regressions != 1 || f.Seen != 2 {
		t.Errorf("after it came back: %+v", f)
	}
	lines := got(w.Timeline(t.Context(), f.ID))(t)
	var to []drift.State
	for _, l := range lines {
		to = append(to, l.To)
	}
	if want := []drift.State{drift.Confirmed, drift.Resolved, drift.Regressed}; !cmp.Equal(to, want) {
		t.Errorf("timeline %v, want %v", to, want)
	}
}

// Known drift is counted as it is met, without settling.
func openFindingsCountAtOnce(t *testing.T, w *world) {
	w.scanned("search", w.suspects(1, 2)...)
	w.confirm("search")
	w.clock.pass(time.Hour)
	r := w.run("search", 1)
	s := w.segment(r, 0)
	w.record(s, "search", ledger.Progress{Read: 50, Next: position(50), Counts: checks.Counts{Equal: 49}, Suspects: w.suspects(1)})
	w.record(s, "search", ledger.Progress{Read: 50, Done: true, Counts: checks.Counts{Equal: 48}, Suspects: w.suspects(1, 2)})
	r = w.again(r)
	if r.State != ledger.Finished || r.Result != checks.Drift || r.Counts.Mismatch != 2 || r.Counts.Equal != 97 {
		t.Errorf("got %+v", r)
	}
	f := w.finding("search", 1)
	if f.Seen != 2 || !f.LastSeen.Equal(w.clock.now()) {
		t.Errorf("met twice in a run, and seen again once: %+v", f)
	}
	segments := got(w.Segments(t.Context(), r.ID))(t)
	if segments[0].Counts.Mismatch != 2 || segments[0].State != ledger.SegmentDone || segments[0].Read != 100 {
		t.Errorf("segment %+v", segments[0])
	}
}

// A suspect that two runs meet keeps its times, and counts in both.
func suspectsBelongToAllRunsThatMeetThem(t *testing.T, w *world) {
	first := w.scanned("search", w.suspects(1)...)
	seen := w.clock.now()
	w.clock.pass(10 * time.Second)
	second := w.scanned("search", w.suspects(1, 2)...)
	if e := w.edge("search"); e.Pending != 2 {
		t.Errorf("pending %d, want 2", e.Pending)
	}
	w.clock.pass(20 * time.Second)
	due := w.due("search")
	if len(due) != 1 || !due[0].FirstSeen.Equal(seen) || !due[0].Since.Equal(seen) {
		t.Fatalf("due %+v", due)
	}
	w.judge("search", w.differs(due[0], "a", "b"))
	first, second = w.again(first), w.again(second)
	if first.State != ledger.Finished || first.Counts.Mismatch != 1 || second.State != ledger.Settling || second.Counts.Mismatch != 1 || second.Pending != 1 {
		t.Errorf("first %+v\nsecond %+v", first, second)
	}
	w.confirm("search")
	if second = w.again(second); second.State != ledger.Finished || second.Counts.Mismatch != 2 || second.Counts.Compared() != 100 {
		t.Errorf("second %+v", second)
	}
}

// What a scan meets after it was taken to be judged is not cleared by an older read.
func suspectsMetWhileJudgedAreJudgedAgain(t *testing.T, w *world) {
	first := w.scanned("search", w.suspects(1)...)
	w.clock.pass(settle)
	term := got(w.ClaimEdge(t.Context(), "orders", "search", "worker"))(t)
	due := w.due("search")
	second := w.scanned("search", w.suspects(1)...) // after due was read again
	must(t, w.RecordVerdicts(t.Context(), w.facts("search"), term, "worker", []checks.Verdict{cleared(due[0], checks.ClearedEqual)}, w.clock.now(), settle))
	if a, b := w.again(first), w.again(second); a.Pending != 1 || b.Pending != 1 || a.Counts.SuspectsCleared != 0 {
		t.Fatalf("first %+v\nsecond %+v", a, b)
	}
	w.clock.pass(settle)
	w.judge("search", cleared(w.due("search")[0], checks.ClearedEqual))
	if a, b := w.again(first), w.again(second); a.State != ledger.Finished || b.State != ledger.Finished || b.Counts.SuspectsCleared != 1 {
		t.Errorf("first %+v\nsecond %+v", a, b)
	}
}

func renewedSuspectsWaitAgain(t *testing.T, w *world) {
	r := w.scanned("search", w.suspects(1)...)
	w.clock.pass(settle)
	due := w.due("search")
	follow := due[0]
	follow.Owner, follow.Since, follow.Restarts = sources.FingerprintOf([]sources.Value{sources.Int(2)}), w.clock.now(), 1
	w.judge("search", checks.Verdict{Suspect: &due[0], Outcome: checks.Renewed, Follow: &follow})
	if r = w.again(r); r.Pending != 1 || r.State != ledger.Settling {
		t.Errorf("got %+v", r)
	}
	if early := w.due("search"); len(early) != 0 {
		t.Errorf("due at once: %v", early)
	}
	w.clock.pass(settle)
	again := w.due("search")
	if len(again) != 1 || again[0].Restarts != 1 || again[0].Owner != follow.Owner || !again[0].FirstSeen.Equal(due[0].FirstSeen) {
		t.Errorf("got %+v, want %+v", again, follow)
	}
}

// A copy that went away asks whether its key has any copy left.
func followedSuspects(t *testing.T, w *world) {
	w.check.Edges[0].Replica.Dataset.ID = []string{"copy"}
	s := w.suspect(1)
	s.ID = sources.Key{sources.Text("x")}
	r := w.scanned("search", s)
	w.clock.pass(settle)
	gone := cleared(w.due("search")[0], checks.ClearedGone)
	gone.Follow = &checks.Suspect{Key: key(1), FirstSeen: s.FirstSeen, Since: w.clock.now()}
	w.judge("search", gone)
	if r = w.again(r); r.Pending != 1 || r.Counts.SuspectsCleared != 1 || w.edge("search").Pending != 1 {
		t.Errorf("got %+v", r)
	}
	w.clock.pass(settle)
	due := w.due("search")
	if len(due) != 1 || len(due[0].ID) != 0 {
		t.Fatalf("due %+v", due)
	}
	w.judge("search", w.is(due[0], checks.Missing, ""))
	if r = w.again(r); r.State != ledger.Finished || r.Counts.Missing != 1 || w.edge("search").Pending != 0 {
		t.Errorf("got %+v", r)
	}
}

// A missing key of which a copy appears that differs is one finding less and one more.
func aKeyThatIsThereAfterAll(t *testing.T, w *world) {
	w.check.Edges[0].Replica.Dataset.ID = []string{"copy"}
	w.scanned("search", w.suspects(1)...)
	w.clock.pass(settle)
	w.judge("search", w.is(w.due("search")[0], checks.Missing, ""))
	v := w.differs(checks.Suspect{Key: key(1), Known: true}, "a", "b")
	v.Difference.ID = sources.Key{sources.Text("x")}
	w.recheck("search", v)
	if f := w.finding("search", 1); f.State != drift.Resolved {
		t.Errorf("the key: %+v", f)
	}
	copied := got(w.Finding(t.Context(), named("search", key(1), sources.Key{sources.Text("x")})))(t)
	if copied.State != drift.Confirmed || copied.KeyText != "id=1 copy=x" {
		t.Errorf("the copy: %+v", copied)
	}
}

// Of a record that differs and is held twice there is one finding, and neither
// answer speaks for the other.
func recordsHeldTwice(t *testing.T, w *world) {
	twin := w.suspect(1)
	twin.Duplicate = true
	r := w.scanned("search", twin, w.suspect(1))
	if r.Pending != 2 {
		t.Fatalf("pending %d, want 2", r.Pending)
	}
	w.clock.pass(settle)
	w.judge("search", w.is(twin, checks.Duplicate, "the owner has 2 records of this key"))
	w.judge("search", cleared(w.suspect(1), checks.ClearedEqual))
	if f := w.finding("search", 1); f.Kind != checks.Duplicate || f.State != drift.Confirmed {
		t.Errorf("equal values resolved a duplicate: %+v", f)
	}
	if r = w.again(r); r.State != ledger.Finished || r.Counts.Duplicate != 1 || r.Result != checks.Drift {
		t.Errorf("got %+v", r)
	}
	known := got(w.OpenKeys(t.Context(), "orders", "search", 10, w.clock.pass(time.Second)))(t)
	if len(known) != 1 || !known[0].Duplicate {
		t.Fatalf("open keys %+v", known)
	}
	w.recheck("search", w.is(known[0], checks.Duplicate, "the owner has 3 records of this key"), w.differs(w.suspect(1), "a", "b"))
	if f := w.finding("search", 1); f.Kind != checks.Duplicate || f.Reason != "the owner has 3 records of this key" {
		t.Errorf("got %+v", f)
	}
	w.recheck("search", cleared(known[0], checks.ClearedEqual))
	if f := w.finding("search", 1); f.State != drift.Resolved {
		t.Errorf("got %+v", f)
	}
}

func unreadableRecordsWithoutAKey(t *testing.T, w *world) {
	d := checks.Difference{Kind: checks.Unreadable, Key: sources.Key{sources.Null()}, Reason: "replica: a name twice", FirstSeen: w.clock.now()}
	meets := func(settled ...checks.Difference) *ledger.Run {
		r := w.run("search", 1)
		w.record(w.segment(r, 0), "search", ledger.Progress{Done: true, Read: 100, Settled: settled,
			Counts: checks.Counts{Equal: 100 - int64(len(settled)), Unreadable: int64(len(settled))}})
		return w.again(r)
	}
	state := func() drift.State {
		return got(w.Finding(t.Context(), named("search", d.Key, nil)))(t).State
	}
	if r := meets(d); r.Result != checks.Drift || state() != drift.Confirmed {
		t.Errorf("got %+v", r)
	}
	if known := got(w.OpenKeys(t.Context(), "orders", "search", 10, w.clock.pass(time.Hour)))(t); len(known) != 0 {
		t.Errorf("it is looked up without a key: %v", known)
	}
	if meets(d); state() != drift.Confirmed {
		t.Error("a run that met it resolved it")
	}
	w.clock.pass(time.Hour)
	r := w.run("search", 2)
	w.record(w.segment(r, 0), "search", ledger.Progress{Done: true, Read: 100, Counts: checks.Counts{Equal: 100}})
	must(t, w.FailSegment(t.Context(), w.segment(r, 1), "source search: gone"))
	if state() != drift.Confirmed {
		t.Error("a run that did not read everything resolved it")
	}
	w.clock.pass(time.Hour)
	if meets(); state() != drift.Resolved {
		t.Error("a run that read everything and did not meet it left it open")
	}
}

// Beyond the cap findings are counted and not kept; those known already win.
func findingsAreCapped(t *testing.T, w *world) {
	w.check.Findings = 3
	w.scanned("search", w.suspects(1, 2)...)
	w.confirm("search")
	w.recheck("search", cleared(checks.Suspect{Key: key(1), Known: true}, checks.ClearedEqual))
	r := w.scanned("search", w.suspects(1, 2, 3, 4, 5, 6)...)
	w.confirm("search")
	r = w.again(r)
	if r.Counts.Mismatch != 6 {
		t.Errorf("got %+v", r)
	}
	e := w.edge("search")
	if open := e.OpenFindings(); open+r.Omitted != 6 || open < 3 || open > 4 { // one more where the known one came last
		t.Errorf("%d open and %d omitted of 6", open, r.Omitted)
	}
	if f := w.finding("search", 2); f.State != drift.Confirmed {
		t.Errorf("known drift was dropped: %+v", f)
	}
	if f := w.finding("search", 1); f.State != drift.Regressed {
		t.Errorf("known drift that came back was dropped: %+v", f)
	}
}

// Where a segment fails, what the others read stands, and the run is incomplete.
func failedSegments(t *testing.T, w *world) {
	r := w.run("search", 3)
	w.record(w.segment(r, 0), "search", ledger.Progress{Done: true, Read: 100, Counts: checks.Counts{Equal: 100}})
	s := w.segment(r, 1)
	w.record(s, "search", ledger.Progress{Next: position(140), Read: 40, Counts: checks.Counts{Equal: 40}})
	must(t, w.FailSegment(t.Context(), s, "source search: connection refused"))
	must(t, w.FailSegment(t.Context(), w.segment(r, 2), "source search: connection refused"))
	r = w.again(r)
	if r.State != ledger.Finished || r.Result != checks.Incomplete || r.Unread != 160 || r.Coverage != 140.0/300 || r.Reasons["source search: connection refused"] != 2 {
		t.Errorf("got %+v", r)
	}
	if e := w.edge("search"); e.Consistency != drift.Unknown || e.LastError != "source search: connection refused (2 times)" || !e.LastSuccess.IsZero() {
		t.Errorf("got %+v", e)
	}

	var left []ledger.Segment
	r = got(w.ResumeRun(t.Context(), r.ID, "ada", func(_ *ledger.Tx, segments []ledger.Segment) error {
		left = segments
		return nil
	}))(t)
	if r.State != ledger.Running || r.Unread != 0 || len(r.Reasons) != 0 || r.Actor != "ada" {
		t.Errorf("resumed: %+v", r)
	}
	if len(left) != 2 || left[0].N != 1 || !sources.Key(left[0].Plan.Span.After).Equal(key(140)) || !sources.Key(left[0].From).Equal(key(100)) {
		t.Fatalf("left %+v", left)
	}
	if _, _, err := w.ClaimSegment(t.Context(), r.ID, 0, "worker"); !errors.As(err, new(*ledger.Ended)) {
		t.Errorf("a segment that was read may be read again: %v", err)
	}
	w.record(w.segment(r, 1), "search", ledger.Progress{Done: true, Read: 60, Counts: checks.Counts{Equal: 60}})
	w.record(w.segment(r, 2), "search", ledger.Progress{Done: true, Read: 100, Counts: checks.Counts{Equal: 100}})
	if r = w.again(r); r.Result != checks.Clean || r.Coverage != 1 || r.Counts.Equal != 300 || r.SegmentsDone != 3 {
		t.Errorf("after it was resumed: %+v", r)
	}
	if _, err := w.ResumeRun(t.Context(), r.ID, "ada", nil); !errors.As(err, new(*ledger.Ended)) {
		t.Errorf("a run that read everything is resumed: %v", err)
	}
}

func nothingCouldBeRead(t *testing.T, w *world) {
	r := w.run("search", 1)
	must(t, w.FailSegment(t.Context(), w.segment(r, 0), "source shop: access denied"))
	if r = w.again(r); r.Result != checks.Error || r.Error != "source shop: access denied" || r.Coverage != 0 {
		t.Errorf("got %+v", r)
	}
	other := &ledger.Run{Check: "orders", Replica: "cache", Trigger: ledger.ByPerson, Actor: "ada"}
	must(t, w.CreateRuns(t.Context(), []*ledger.Run{other}, noJobs))
	other = got(w.ClaimRun(t.Context(), other.ID, "worker"))(t)
	must(t, w.EndRun(t.Context(), other, "the owner has no records in scope", checks.Incomplete))
	if other = w.again(other); other.State != ledger.Finished || other.Result != checks.Incomplete || other.Error != "" || len(other.Reasons) != 1 {
		t.Errorf("got %+v", other)
	}
	if e := w.edge("cache"); e.Consistency != drift.Unknown || e.LastError != "the owner has no records in scope" || e.LastResult != checks.Incomplete {
		t.Errorf("got %+v", e)
	}
}

// Runs of given keys judge those, and say nothing of the edge.
func runsOfGivenKeys(t *testing.T, w *world) {
	busy := w.run("search", 1)
	r := &ledger.Run{Check: "orders", Replica: "search", Trigger: ledger.ByPerson, Actor: "ada", Keys: []sources.Key{key(7), {sources.Text("x,y")}}}
	must(t, w.CreateRuns(t.Context(), []*ledger.Run{r}, noJobs))
	r = w.begin(r.ID, 1)
	if len(r.Keys) != 2 || !r.Keys[1].Equal(sources.Key{sources.Text("x,y")}) {
		t.Errorf("keys %v", r.Keys)
	}
	w.record(w.segment(r, 0), "search", ledger.Progress{Done: true, Counts: checks.Counts{Equal: 2}})
	if r = w.again(r); r.Result != checks.Clean {
		t.Errorf("got %+v", r)
	}
	if e := w.edge("search"); e.Consistency != drift.Unknown || e.LastRun != "" || e.Running != busy.ID {
		t.Errorf("got %+v", e)
	}
	if history := got(w.History(t.Context(), w.clock.now().Add(-time.Hour)))(t); len(history) != 0 {
		t.Errorf("history %v", history)
	}
}
