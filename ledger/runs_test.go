package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/sources"
)

func (w *world) created(replica string) *ledger.Run {
	w.Helper()
	r := &ledger.Run{Check: "orders", Replica: replica, Trigger: ledger.ByPerson, Actor: "ada", Generation: 1}
	must(w, w.CreateRuns(w.Context(), []*ledger.Run{r}, noJobs))
	return r
}

func runsDoNotOverlap(t *testing.T, w *world) {
	first := w.created("search")
	var overlap *ledger.OverlapError
	err := w.CreateRuns(t.Context(), []*ledger.Run{{Check: "orders", Replica: "cache", Trigger: ledger.ByPerson}}, noJobs)
	if !errors.As(err, &overlap) || overlap.Run != "#1" {
		t.Errorf("got %v", err)
	}
	if !got(w.Active(t.Context(), "orders"))(t) || got(w.Active(t.Context(), "other"))(t) {
		t.Error("Active is wrong")
	}
	if got(w.CancelRun(t.Context(), first.ID, "ada"))(t); got(w.Active(t.Context(), "orders"))(t) {
		t.Error("a cancelled run is active")
	}
	second := w.scanned("search", w.suspects(1)...)
	if second.State != ledger.Settling || got(w.Active(t.Context(), "orders"))(t) {
		t.Error("a settling run keeps the next from beginning")
	}
	var missing *ledger.NotFoundError
	err = w.CreateRuns(t.Context(), []*ledger.Run{{Check: "orders", Replica: "nowhere"}}, noJobs)
	if !errors.As(err, &missing) || missing.Name != "orders/nowhere" {
		t.Errorf("got %v", err)
	}
}

// What a transaction was to write together with jobs is not written where those cannot be.
func jobsAndRunsComeTogether(t *testing.T, w *world) {
	broken := errors.New("no such queue")
	refuse := func(tx *ledger.Tx) error {
		if _, err := tx.SQL().ExecContext(t.Context(), `INSERT INTO settings (name, value) VALUES ('job', '')`); err != nil {
			return err
		}
		return broken
	}
	nothingHappened := func(what string, err error) {
		t.Helper()
		var jobs int
		must(t, w.DB().QueryRowContext(t.Context(), `SELECT COUNT(*) FROM settings WHERE name = 'job'`).Scan(&jobs))
		if !errors.Is(err, broken) || jobs != 0 {
			t.Errorf("%s: %v, %d jobs", what, err, jobs)
		}
	}
	nothingHappened("create", w.CreateRuns(t.Context(), []*ledger.Run{{Check: "orders", Replica: "search"}}, refuse))
	runs, _, err := w.Runs(t.Context(), ledger.RunFilter{})
	if must(t, err); len(runs) != 0 {
		t.Errorf("runs %v", runs)
	}
	was := got(w.Schedules(t.Context()))(t)[0]
	next := was
	next.SlotAt = was.SlotAt.Add(time.Minute)
	slot := []ledger.Slot{{Check: "orders", At: was.SlotAt, Outcome: ledger.SlotRun}}
	_, err = w.TakeSlot(t.Context(), was, next, slot, []*ledger.Run{{Check: "orders", Replica: "search"}}, refuse)
	nothingHappened("take a slot", err)
	if slots := got(w.Slots(t.Context(), "orders", time.Time{}))(t); len(slots) != 0 || !cmp.Equal(got(w.Schedules(t.Context()))(t)[0], was) {
		t.Errorf("slots %v", slots)
	}

	r := w.created("search")
	r = got(w.ClaimRun(t.Context(), r.ID, "worker"))(t)
	nothingHappened("plan", w.PlanRun(t.Context(), r, []ledger.Segment{{}}, refuse))
	if r = w.again(r); r.State != ledger.Queued || len(got(w.Segments(t.Context(), r.ID))(t)) != 0 {
		t.Errorf("planned: %+v", r)
	}
	got(w.CancelRun(t.Context(), r.ID, "ada"))(t)
	r = w.run("search", 1)
	must(t, w.FailSegment(t.Context(), w.segment(r, 0), "gone"))
	before := w.again(r)
	_, err = w.ResumeRun(t.Context(), r.ID, "ada", func(tx *ledger.Tx, _ []ledger.Segment) error { return refuse(tx) })
	nothingHappened("resume", err)
	if after := w.again(r); !cmp.Equal(before, after) {
		t.Errorf("resumed: %s", cmp.Diff(before, after))
	}
	func() {
		defer func() { _ = recover() }()
		_ = w.InTx(t.Context(), func(tx *ledger.Tx) error { panic("in a transaction") })
	}()
	must(t, w.Ping(t.Context())) // the connection came back
}

// Whoever was overtaken writes nothing.
func termsFence(t *testing.T, w *world) {
	r := w.created("search")
	old := got(w.ClaimRun(t.Context(), r.ID, "one"))(t)
	newer := got(w.ClaimRun(t.Context(), r.ID, "two"))(t)
	lost := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, ledger.ErrLostTerm) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	lost("plan", w.PlanRun(t.Context(), old, []ledger.Segment{{}}, noJobs))
	lost("end", w.EndRun(t.Context(), old, "no", checks.Error))
	must(t, w.PlanRun(t.Context(), newer, []ledger.Segment{{}}, noJobs))
	var ended *ledger.Ended
	if err := w.PlanRun(t.Context(), newer, []ledger.Segment{{}}, noJobs); !errors.As(err, &ended) {
		t.Errorf("planned twice: %v", err)
	}

	first, second := w.segment(r, 0), w.segment(r, 0)
	before := w.again(r)
	_, err := w.RecordSegment(t.Context(), first, ledger.Progress{Read: 1, Counts: checks.Counts{Equal: 1}, Suspects: w.suspects(1)}, w.clock.now(), settle, w.facts("search"))
	lost("record", err)
	lost("fail", w.FailSegment(t.Context(), first, "no"))
	lost("stop", w.StopSegment(t.Context(), first))
	if after := w.again(r); !cmp.Equal(before, after) {
		t.Errorf("whoever was overtaken wrote: %s", cmp.Diff(before, after))
	}
	w.record(second, "search", ledger.Progress{Read: 1, Done: true, Counts: checks.Counts{Equal: 1}, Suspects: w.suspects(1)})
	if _, err := w.RecordSegment(t.Context(), second, ledger.Progress{Read: 1}, w.clock.now(), settle, w.facts("search")); !errors.As(err, &ended) {
		t.Errorf("recorded after it was done: %v", err)
	}

	w.clock.pass(settle)
	term := got(w.ClaimEdge(t.Context(), "orders", "search", "one"))(t)
	if again := got(w.ClaimEdge(t.Context(), "orders", "search", "two"))(t); again != term+1 {
		t.Errorf("terms %d, %d", term, again)
	}
	due := w.due("search")
	vs := []checks.Verdict{w.differs(due[0], "a", "b")}
	lost("verdicts", w.RecordVerdicts(t.Context(), w.facts("search"), term, "one", vs, w.clock.now(), settle))
	lost("rechecks", w.RecordRechecks(t.Context(), w.facts("search"), term, "one", "", vs, w.clock.now()))
	if e := w.edge("search"); e.Pending != 1 || e.OpenFindings() != 0 {
		t.Errorf("whoever was overtaken wrote: %+v", e)
	}
}

func runsAreCancelled(t *testing.T, w *world) {
	w.created("search")
	queued := got(w.CancelRun(t.Context(), "#1", "ada"))(t)
	if queued.State != ledger.Finished || queued.Result != checks.Cancelled || queued.CancelledBy != "ada" {
		t.Errorf("a queued run: %+v", queued)
	}
	var ended *ledger.Ended
	if _, err := w.CancelRun(t.Context(), queued.ID, "bob"); !errors.As(err, &ended) {
		t.Errorf("cancelled twice: %v", err)
	}
	if _, err := w.ClaimRun(t.Context(), queued.ID, "worker"); !errors.As(err, &ended) {
		t.Errorf("claimed after it was cancelled: %v", err)
	}

	r := w.run("search", 3)
	s := w.segment(r, 0)
	w.record(s, "search", ledger.Progress{Next: position(50), Read: 50, Counts: checks.Counts{Equal: 49}, Suspects: w.suspects(1)})
	if r = got(w.CancelRun(t.Context(), r.ID, "ada"))(t); r.State != ledger.Running || !r.CancelRequested {
		t.Errorf("a running run: %+v", r)
	}
	if _, _, err := w.ClaimSegment(t.Context(), r.ID, 1, "worker"); !errors.As(err, &ended) {
		t.Errorf("a segment nobody had begun is begun: %v", err)
	}
	if !w.record(s, "search", ledger.Progress{Next: position(60), Read: 10, Counts: checks.Counts{Equal: 10}}) {
		t.Error("the worker is not told")
	}
	must(t, w.StopSegment(t.Context(), s))
	r = w.again(r)
	if r.State != ledger.Finished || r.Result != checks.Cancelled || r.Unread != 240 || r.Pending != 1 || r.Counts.Equal != 59 {
		t.Errorf("stopped: %+v", r)
	}
	if e := w.edge("search"); e.LastRun != "" {
		t.Errorf("a cancelled run says something of its edge: %+v", e)
	}
	w.confirm("search") // what was seen is not forgotten
	if f := w.finding("search", 1); f.State != drift.Confirmed {
		t.Errorf("got %+v", f)
	}
	if r = w.again(r); r.Result != checks.Cancelled || r.Pending != 0 || r.Counts.Mismatch != 1 {
		t.Errorf("after its suspect was judged: %+v", r)
	}

	settling := w.scanned("search", w.suspects(2)...)
	if settling = got(w.CancelRun(t.Context(), settling.ID, "ada"))(t); settling.State != ledger.Finished || settling.Result != checks.Cancelled {
		t.Errorf("a settling run: %+v", settling)
	}
}

func runsAreListed(t *testing.T, w *world) {
	for i := range 7 {
		replica := []string{"search", "cache"}[i%2]
		if i == 6 {
			w.created(replica)
			continue
		}
		w.clock.pass(time.Minute)
		w.scanned(replica, w.suspects(make([]int, i%3)...)...)
	}
	numbers := func(f ledger.RunFilter) (list []int64) {
		t.Helper()
		for {
			runs, next, err := w.Runs(t.Context(), f)
			must(t, err)
			for _, r := range runs {
				list = append(list, r.Number)
			}
			if next == "" {
				return list
			}
			f.After = next
		}
	}
	for _, row := range []struct {
		f    ledger.RunFilter
		want []int64
	}{
		{ledger.RunFilter{Limit: 3}, []int64{7, 6, 5, 4, 3, 2, 1}},
		{ledger.RunFilter{Replica: "cache", Limit: 1}, []int64{6, 4, 2}},
		{ledger.RunFilter{Check: "orders", Result: "clean", Limit: 1}, []int64{4, 1}},
		{ledger.RunFilter{Result: "incomplete"}, []int64{6, 5, 3, 2}},
		{ledger.RunFilter{State: "settling"}, []int64{6, 5, 3, 2}},
		{ledger.RunFilter{State: "active"}, []int64{7}},
		{ledger.RunFilter{State: "finished", Limit: 1}, []int64{4, 1}},
		{ledger.RunFilter{Check: "other"}, nil},
	} {
		if list := numbers(row.f); !cmp.Equal(list, row.want) {
			t.Errorf("%+v: got %v, want %v", row.f, list, row.want)
		}
	}
	var bad *ledger.CursorError
	if _, _, err := w.Runs(t.Context(), ledger.RunFilter{After: "x' OR 1=1"}); !errors.As(err, &bad) {
		t.Errorf("got %v", err)
	}
	if r := got(w.Run(t.Context(), "#3"))(t); r.Number != 3 || r.Plan.Kind != checks.PlanRanges || !r.Plan.Raw || len(r.Plan.Passes) != 1 || r.Plan.Why[0] != "bytes: no" {
		t.Errorf("got %+v", r)
	}
	for _, unknown := range []string{"#99", "#x", "nowhere", "#"} {
		if _, err := w.Run(t.Context(), unknown); !errors.As(err, new(*ledger.NotFoundError)) {
			t.Errorf("%s: %v", unknown, err)
		}
	}
}

// Reasons may hold keys, so that no two are alike: as many as anybody reads are kept.
func reasonsAreBounded(t *testing.T, w *world) {
	r := w.run("search", 1)
	s := w.segment(r, 0)
	reasons := map[string]int64{"\x00bad\xff": 1}
	for i := range 200 {
		reasons[fmt.Sprintf("record %d is larger than we read", i)] = 2
	}
	w.record(s, "search", ledger.Progress{Done: true, Reasons: reasons, Counts: checks.Counts{Skipped: 401}, Waits: map[string]int64{"lag": 5}})
	r = w.again(r)
	total := int64(0)
	for _, n := range r.Reasons {
		total += n
	}
	if len(r.Reasons) > 51 || total != 401 || r.Result != checks.Incomplete || r.Waits["lag"] != 5 {
		t.Errorf("%d reasons, %d times; %+v", len(r.Reasons), total, r)
	}
}

func slotsAreTakenOnce(t *testing.T, w *world) {
	was := got(w.Schedules(t.Context()))(t)[0]
	next := was
	next.SlotAt, next.DueAt = was.SlotAt.Add(time.Minute), was.DueAt.Add(time.Minute)
	take := func(was, next ledger.Schedule, slots ...ledger.Slot) (bool, []ledger.Slot, []*ledger.Run) {
		t.Helper()
		runs := []*ledger.Run{{Check: "orders", Replica: "search", SlotAt: was.SlotAt}, {Check: "orders", Replica: "cache", SlotAt: was.SlotAt}}
		jobs := 0
		taken := got(w.TakeSlot(t.Context(), was, next, slots, runs, func(*ledger.Tx) error { jobs++; return nil }))(t)
		if jobs > 1 {
			t.Errorf("jobs called %d times", jobs)
		}
		return taken, slots, runs
	}
	slot := ledger.Slot{Check: "orders", At: was.SlotAt, Outcome: ledger.SlotRun}
	missed := ledger.Slot{Check: "orders", At: was.SlotAt.Add(-time.Hour), Until: was.SlotAt.Add(-time.Minute), Outcome: ledger.SlotMissed, Reason: "nobody was there"}
	taken, _, runs := take(was, next, missed, slot)
	if !taken || runs[0].ID == "" || runs[1].Number != 2 {
		t.Errorf("taken %v, runs %+v", taken, runs)
	}
	if taken, _, _ := take(was, next, slot); taken {
		t.Error("a slot is taken twice")
	}
	slot.Until = slot.At
	if slots := got(w.Slots(t.Context(), "orders", time.Time{}))(t); !cmp.Equal(slots, []ledger.Slot{missed, slot}) {
		t.Errorf("slots %v", slots)
	}

	after := next
	after.SlotAt = next.SlotAt.Add(time.Minute)
	taken, slots, runs := take(next, after, ledger.Slot{Check: "orders", At: next.SlotAt, Outcome: ledger.SlotRun})
	if !taken || slots[0].Outcome != ledger.SlotSkipped || slots[0].Reason != "run #1 is still going" || runs[0].ID != "" {
		t.Errorf("while it runs: %v %+v %+v", taken, slots, runs[0])
	}
	for _, r := range []string{"#1", "#2"} {
		got(w.CancelRun(t.Context(), r, "ada"))(t)
	}
	// A clock that was set back: the slot is accounted for already.
	must(t, w.Declare(t.Context(), 1, []ledger.Edge{{Check: "orders", Replica: "search"}, {Check: "orders", Replica: "cache"}},
		[]ledger.Schedule{{Check: "orders", Spec: "@every 2m", SlotAt: was.SlotAt, DueAt: was.DueAt}}))
	back := got(w.Schedules(t.Context()))(t)[0]
	if !back.SlotAt.Equal(was.SlotAt) {
		t.Fatalf("a changed spec does not move the next slot: %+v", back)
	}
	to := back
	to.SlotAt = back.SlotAt.Add(time.Minute)
	if taken, _, runs := take(back, to, slot); taken || runs[0].ID != "" {
		t.Errorf("a slot is run twice: %+v", runs[0])
	}
	if now := got(w.Schedules(t.Context()))(t)[0]; !now.SlotAt.Equal(to.SlotAt) {
		t.Errorf("the schedule hangs at %v", now.SlotAt)
	}
}

func whatIsDeclared(t *testing.T, w *world) {
	w.scanned("cache", w.suspects(1)...)
	w.confirm("cache")
	r := w.run("cache", 2)
	s := w.segment(r, 0)
	begun := w.edge("search").Begun
	before := got(w.Schedules(t.Context()))(t)[0]
	w.clock.pass(time.Hour)
	must(t, w.Declare(t.Context(), 2, []ledger.Edge{{Check: "orders", Replica: "search"}},
		[]ledger.Schedule{{Check: "orders", Spec: before.Spec, SlotAt: before.SlotAt.Add(time.Hour)}}))
	if now := got(w.Schedules(t.Context()))(t)[0]; !now.SlotAt.Equal(before.SlotAt) || now.Generation != 2 {
		t.Errorf("the same spec moved the slot: %+v", now)
	}
	if edges := got(w.Edges(t.Context()))(t); len(edges) != 1 || edges[0].Replica != "search" || !edges[0].Begun.Equal(begun) {
		t.Errorf("edges %+v", edges)
	}
	if e := w.edge("cache"); e.Declared || e.OpenFindings() != 1 {
		t.Errorf("what is no longer declared: %+v", e)
	}
	if r = w.again(r); r.State != ledger.Finished || r.Result != checks.Cancelled {
		t.Errorf("its run goes on: %+v", r)
	}
	if _, err := w.RecordSegment(t.Context(), s, ledger.Progress{Read: 1}, w.clock.now(), settle, w.facts("cache")); !errors.As(err, new(*ledger.Ended)) {
		t.Errorf("its segment goes on: %v", err)
	}
	must(t, w.Declare(t.Context(), 3, nil, nil))
	if edges, schedules := got(w.Edges(t.Context()))(t), got(w.Schedules(t.Context()))(t); len(edges)+len(schedules) != 0 {
		t.Errorf("edges %v, schedules %v", edges, schedules)
	}
}

func generations(t *testing.T, w *world) {
	join := func(id, hash string) int64 {
		t.Helper()
		w.clock.pass(time.Second)
		return got(w.Join(t.Context(), ledger.Process{ID: id, Host: "here", PID: 7, Version: "v1", Listen: "127.0.0.1:8080", StartedAt: w.clock.now()}, hash))(t)
	}
	if a, b, c, d := join("a", "x"), join("b", "x"), join("c", "y"), join("a", "x"); a != 1 || b != 1 || c != 2 || d != 3 {
		t.Errorf("generations %d, %d, %d, %d", a, b, c, d)
	}
	if newest := got(w.Heartbeat(t.Context(), "b"))(t); newest != 3 {
		t.Errorf("newest %d", newest)
	}
	must(t, w.Leave(t.Context(), "b"))
	if _, err := w.Heartbeat(t.Context(), "b"); !errors.As(err, new(*ledger.NotFoundError)) {
		t.Errorf("got %v", err)
	}
	list := got(w.Processes(t.Context()))(t)
	if len(list) != 2 || list[0].ID != "a" || list[0].Generation != 3 || list[0].PID != 7 || list[1].Listen != "127.0.0.1:8080" {
		t.Errorf("processes %+v", list)
	}
	w.clock.pass(25 * time.Hour)
	if join("d", "y"); len(got(w.Processes(t.Context()))(t)) != 1 {
		t.Error("processes that were not heard of for a day are listed")
	}
}

// A clock that was set back makes nobody wait longer than it takes to settle.
func aClockSetBack(t *testing.T, w *world) {
	w.scanned("search", w.suspects(1)...)
	w.clock.pass(-24 * time.Hour)
	if due := got(w.DueEdges(t.Context(), w.clock.now()))(t); len(due) != 0 {
		t.Errorf("judged before it settled by any clock: %v", due)
	}
	now := w.clock.pass(settle)
	if due := got(w.DueEdges(t.Context(), now))(t); len(due) != 1 {
		t.Fatalf("due %v", due)
	}
	due := w.due("search")
	if len(due) != 1 || due[0].Since.After(now) || due[0].FirstSeen.After(now) {
		t.Errorf("due %+v", due)
	}
}

func historyIsKeptByHalfHours(t *testing.T, w *world) {
	start := w.clock.now()
	w.scanned("search")
	w.scanned("cache")
	w.scanned("search", w.suspects(1)...)
	w.confirm("search")
	w.clock.pass(29 * time.Minute)
	r := w.run("search", 1)
	must(t, w.FailSegment(t.Context(), w.segment(r, 0), "gone"))
	w.clock.pass(time.Minute)
	w.scanned("search")
	want := []ledger.Bucket{
		{Check: "orders", Replica: "cache", At: start, Worst: "clean", Runs: 1, Compared: 100, Coverage: 1},
		{Check: "orders", Replica: "search", At: start, Worst: "error", Runs: 3},
		{Check: "orders", Replica: "search", At: start.Add(30 * time.Minute), Worst: "clean", Runs: 1, Compared: 100, Coverage: 1},
	}
	if history := got(w.History(t.Context(), start.Add(time.Minute)))(t); !cmp.Equal(history, want) {
		t.Errorf("history: %s", cmp.Diff(want, history))
	}
	if history := got(w.EdgeHistory(t.Context(), "other", start))(t); len(history) != 0 {
		t.Errorf("history %v", history)
	}
}

// Positions and keys of every kind come back as they were.
func positionsComeBack(t *testing.T, w *world) {
	r := w.created("search")
	r = got(w.ClaimRun(t.Context(), r.ID, "worker"))(t)
	spans := []sources.Span{
		{},
		{UpTo: sources.Position{sources.Text("a\x00b"), sources.Null()}},
		{After: sources.Position{sources.Bytes([]byte{0, 255})}, UpTo: sources.Position{sources.Value{}, sources.Int(-1)}},
		{After: sources.Position{}},
	}
	var segments []ledger.Segment
	for i, span := range spans {
		segments = append(segments, ledger.Segment{N: i, Plan: checks.Segment{Pass: checks.Pass{Drive: checks.ReplicaSide, Presence: i == 1}, Span: span, Estimate: 5}})
	}
	must(t, w.PlanRun(t.Context(), r, segments, noJobs))
	for i, s := range got(w.Segments(context.Background(), r.ID))(t) {
		back := s.Plan.Span
		if (back.After == nil) != (spans[i].After == nil) || (back.UpTo == nil) != (spans[i].UpTo == nil) ||
			!sources.Key(back.After).Equal(sources.Key(spans[i].After)) || !sources.Key(back.UpTo).Equal(sources.Key(spans[i].UpTo)) {
			t.Errorf("segment %d: got %v, want %v", i, back, spans[i])
		}
		if s.Plan.Pass.Drive != checks.ReplicaSide || s.Plan.Pass.Presence != (i == 1) || s.Plan.Estimate != 5 {
			t.Errorf("segment %d: %+v", i, s.Plan)
		}
	}
}
