//go:build unix

package checks_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"plumbline/checks"
	"plumbline/sources"
)

// A real PostgreSQL and a real standby of it: what the standby says of its lag,
// and what comes of reading it while it replays nothing.
func TestAStandbyIsReadForAsLateAsItIs(t *testing.T) {
	t.Parallel()
	p := startFollower(t)
	p.write("CREATE TABLE goods AS SELECT i AS id, 'name ' || i AS name FROM generate_series(1, 1000) i; ALTER TABLE goods ADD PRIMARY KEY (id)")
	p.write("CREATE TABLE copies AS SELECT * FROM goods; ALTER TABLE copies ADD PRIMARY KEY (id)")
	p.caughtUp()
	watched := sources.Limits{MaxLag: time.Minute}
	for name, standby := range map[string]bool{"primary": false, "standby": true} {
		facts, _, err := p.open(name, watched, nil).Probe(t.Context())
		must(t, err)
		if facts.Standby != standby {
			t.Errorf("of the %s it is said: %+v", name, facts)
		}
	}
	for _, step := range []struct {
		name string
		run  func(*follower)
	}{
		{"caught up it is not late, however long ago its primary wrote", (*follower).testIdle},
		{"its lag is never said to be less than it is", (*follower).testLag},
		{"beyond the most lag reading waits and says why", (*follower).testBeyond},
		{"what it lacks is no difference", (*follower).testNoDifference},
	} {
		t.Run(step.name, func(t *testing.T) {
			own := *p
			own.t = t
			step.run(&own)
		})
	}
}

// testIdle: the trap is the time of the last transaction replayed, which an idle
// primary lets grow old.
func (p *follower) testIdle() {
	reader := p.open("standby", sources.Limits{MaxLag: time.Minute}, nil)
	p.wait("the last write to be old", func() bool {
		return p.holds("SELECT clock_timestamp() - pg_last_xact_replay_timestamp() > interval '1 second'")
	})
	if load := reader.Gauged(p.t.Context()); load.Err != nil || !load.Standby || !load.LagKnown || load.Lag != 0 {
		p.t.Errorf("a standby that has caught up says %+v", load)
	}
	p.pause()
	defer p.resume()
	if load := p.gauge("standby"); load.Lag != 0 || !load.LagKnown {
		p.t.Errorf("a standby that is paused, and lacks nothing, says %+v", load)
	}
}

func (p *follower) testLag() {
	p.pause()
	defer p.resume()
	for range 3 {
		wrote := time.Now()
		p.write("UPDATE copies SET name = name WHERE id = 1")
		p.lacking()
		asked := time.Now()
		if load := p.gauge("standby"); !load.Standby || !load.LagKnown || load.Lag < asked.Sub(wrote) {
			p.t.Errorf("%s after a write that it lacks, the standby says %+v", asked.Sub(wrote), load)
		}
	}
	var seen sources.Load
	p.wait("the primary to know", func() bool {
		seen = p.gauge("primary")
		return seen.Lag > 0
	})
	if seen.Standby || !seen.LagKnown {
		p.t.Errorf("the primary says %+v", seen)
	}
	p.t.Logf("the primary says that its standby is %s behind", seen.Lag)
}

func (p *follower) testBeyond() {
	p.pause()
	p.write("UPDATE copies SET name = 'written while it was late' WHERE id = 2")
	p.lacking()
	limits := sources.Limits{MaxLag: 100 * time.Millisecond}
	p.wait("a lag beyond the most", func() bool { return p.gauge("standby").Lag > limits.MaxLag })
	read := func(reader *sources.Reader) (name string, err error) {
		d := &sources.Dataset{Name: "copies", Key: []string{"id"}, Fields: []string{"name"}}
		err = reader.Lookup(p.t.Context(), d, []sources.Key{{sources.Int(2)}}, func(page *sources.Page) error {
			name = page.Records[0].Fields[0].AsText()
			return nil
		})
		return name, err
	}
	_, err := read(p.open("standby", limits, nil).Patient(time.Millisecond))
	if _, throttled := errors.AsType[*sources.ThrottledError](err); !throttled || !strings.Contains(err.Error(), "replication lag") {
		p.t.Errorf("a read that has no patience ended with %v", err)
	}
	var goOn sync.Once
	patient := p.open("standby", limits, func(w sources.Wait) {
		if w.Cause != sources.WaitLag || !strings.Contains(w.Reason, "> 0.1 s") {
			p.t.Errorf("it waits for %q: %s", w.Cause, w.Reason)
		}
		goOn.Do(p.resume)
	})
	name, err := read(patient)
	goOn.Do(func() {
		p.t.Error("reading did not wait")
		p.resume()
	})
	if err != nil || name != "written while it was late" {
		p.t.Errorf("what was read after waiting is %q, %v", name, err)
	}
}

// testNoDifference has owner and replica written at once, and the replica read on
// the standby, which replays nothing until its lag was waited for.
func (p *follower) testNoDifference() {
	p.write("UPDATE copies c SET name = g.name FROM goods g WHERE g.id = c.id")
	p.caughtUp()
	p.pause()
	p.write("UPDATE goods SET name = name || ', new' WHERE id <= 10; UPDATE copies SET name = name || ', new' WHERE id <= 10")
	p.lacking()
	side := func(source, table string) checks.Side {
		return checks.Side{Source: source, Kind: "postgres", Dataset: sources.Dataset{Name: table, Key: []string{"id"}}}
	}
	check := &checks.Check{Name: "goods", Owner: side("primary", "goods"), Edges: []checks.Edge{{Name: "standby", Rules: []checks.Rule{field("name", "name")},
		Settle: 100 * time.Millisecond, Replica: side("standby", "copies")}}}
	run := func(limits sources.Limits, o checks.Options) checks.EdgeRun {
		readers := map[string]*sources.Reader{"primary": p.open("primary", limits, nil), "standby": p.open("standby", limits, nil)}
		return checks.Run(p.t.Context(), check, 0, func(name string) (*sources.Reader, error) { return readers[name], nil }, o)
	}
	if trap := run(sources.Limits{}, checks.Options{}); trap.Result != checks.Drift || trap.Counts.Mismatch != 10 {
		p.t.Errorf("where nobody asks for the lag the run is %s: %+v, %v", trap.Result, trap.Counts, trap.ReasonList())
	}
	var mu sync.Mutex
	waits := 0
	got := run(sources.Limits{MaxLag: time.Minute}, checks.Options{Progress: func(at checks.Progress) {
		mu.Lock()
		defer mu.Unlock()
		if at.Phase != "settle" {
			return
		}
		if waits++; waits == 3 { // once to settle, then as the lag is
			p.resume()
		}
	}})
	if waits < 3 {
		p.resume()
	}
	if got.Result != checks.Clean || got.Counts.SuspectsCleared != 10 {
		p.t.Errorf("the run is %s after %d waits: %+v, %v", got.Result, waits, got.Counts, got.ReasonList())
	}
	p.t.Logf("the run waited %d times and took %s", waits, got.Duration)
}
