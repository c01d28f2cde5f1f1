package ledger_test

import (
	"bytes"
	"fmt"
	"testing"

	"plumbline/checks"
	"plumbline/ledger"
	"plumbline/sources"
)

// A key counts as drawn at random in the runs that drew it so, and in no other
// that meets it.
func randomKeysCountWhereTheyWereDrawn(t *testing.T, w *world) {
	plain := w.scanned("search", w.suspects(1, 2, 3)...)
	drawn := w.suspects(1, 2)
	drawn[0].Random, drawn[1].Random = checks.OwnerSide, checks.OwnerSide
	random := w.scanned("search", drawn...)
	w.clock.pass(settle)
	var vs []checks.Verdict
	for _, s := range w.due("search") {
		v := w.differs(s, "paid", "pending")
		if s.Key[0].AsInt() == 2 {
			v = cleared(s, checks.ClearedEqual)
		}
		if s.Random != "" {
			v.Counts.RandomKeys = 1
			v.Counts.RandomDrift = v.Counts.Mismatch
		}
		vs = append(vs, v)
	}
	w.judge("search", vs...)
	for _, row := range []struct {
		r             *ledger.Run
		judged, drift int64
	}{{plain, 0, 0}, {random, 2, 1}} {
		if r := w.again(row.r); r.State != ledger.Finished || r.Counts.RandomKeys != row.judged || r.Counts.RandomDrift != row.drift {
			t.Errorf("run #%d is %s, %+v", r.Number, r.State, r.Counts)
		}
	}
	// A finding that is open counts at once, also of a key drawn at random.
	late := w.suspect(1)
	late.Random = checks.OwnerSide
	if r := w.scanned("search", late); r.State != ledger.Finished || r.Counts.Mismatch != 1 || r.Counts.RandomKeys != 1 || r.Counts.RandomDrift != 1 {
		t.Errorf("%s, %+v", r.State, r.Counts)
	}
}

// Drawn keys are kept with their segments, for whoever claims one, and are
// nowhere in clear.
func drawnKeysAreKept(t *testing.T, w *world) {
	r := &ledger.Run{Check: "orders", Replica: "search", Trigger: ledger.ByPerson, Actor: "ada", Generation: 1,
		Asked: ledger.Asked{Sample: 3}, Sample: checks.Sample{Keys: 3, Random: 1}}
	must(t, w.CreateRuns(t.Context(), []*ledger.Run{r}, noJobs))
	if r.Seed == 0 {
		t.Error("a run has no seed")
	}
	r = got(w.ClaimRun(t.Context(), r.ID, "worker"))(t)
	keys := []sources.Key{{sources.Text("canary-1")}, {sources.Text("canary-2")}, {sources.Text("canary-3")}}
	r.Drawn = &checks.Sampled{Seed: r.Seed, Drawn: map[checks.Role]int64{checks.OwnerSide: 3}, Random: map[checks.Role]int64{checks.OwnerSide: 3},
		Population: map[checks.Role]int64{checks.OwnerSide: 1 << 40}}
	must(t, w.PlanRun(t.Context(), r, []ledger.Segment{{Plan: checks.Segment{Pass: checks.Pass{Drive: checks.OwnerSide}, Keys: keys,
		Stratum: checks.StratumRandom, Estimate: 3}}}, noJobs))
	s := w.segment(r, 0)
	if fmt.Sprint(s.Plan.Keys) != fmt.Sprint(keys) || s.Plan.Stratum != checks.StratumRandom || !s.Drawn {
		t.Errorf("%+v", s)
	}
	w.record(s, "search", ledger.Progress{Read: 1, Next: position(1), Counts: checks.Counts{Equal: 1, RandomKeys: 1}})
	if s = w.segment(r, 0); len(s.Plan.Keys) != 3 || fmt.Sprint(s.Plan.Span.After) != fmt.Sprint(position(1)) || s.Counts.RandomKeys != 1 {
		t.Errorf("resumed: %+v", s)
	}
	listed := got(w.Segments(t.Context(), r.ID))(t)
	if len(listed) != 1 || !listed[0].Drawn || listed[0].Plan.Keys != nil {
		t.Errorf("%+v", listed)
	}
	if r = w.again(r); r.Asked.Sample != 3 || r.Sample.Keys != 3 || r.Drawn.Seed != r.Seed || r.Drawn.Population[checks.OwnerSide] != 1<<40 {
		t.Errorf("%+v", r)
	}
	var kept []byte
	must(t, w.DB().QueryRowContext(t.Context(), `SELECT drawn FROM segments WHERE run = $1`, r.ID).Scan(&kept))
	if len(kept) == 0 || bytes.Contains(kept, []byte("canary")) {
		t.Errorf("kept as %q", kept)
	}
}
