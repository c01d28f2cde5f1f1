package ledger_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"plumbline/alerts"
	"plumbline/checks"
	"plumbline/ledger"
)

// fleet is a ledger of many checks whose incidents are told in a few channels.
type fleet struct {
	*world
	names      []string
	channels   *channels
	outbox     *dying
	dispatcher *alerts.Dispatcher
	random     *rand.Rand
	open       map[string]map[int]bool // the keys that drift, by check
}

func newFleet(t testing.TB, size int, seed uint64, faults float64) *fleet {
	t.Helper()
	c := newClock()
	policy := policies(nil)
	f := &fleet{random: rand.New(rand.NewPCG(seed, 2)), open: map[string]map[int]bool{}}
	f.world = openWorld(t, address(t, "sqlite"), c, ledger.Options{Policies: func(check string) (alerts.Policy, bool) {
		p, ok := policy(check)
		p.Targets[0].Address = "#" + check[len(check)-1:]
		p.Repeat = 4 * time.Hour
		return p, ok
	}})
	var edges []ledger.Edge
	for n := range size {
		name := fmt.Sprintf("check-%02d", n)
		f.names = append(f.names, name)
		f.open[name] = map[int]bool{}
		edges = append(edges, ledger.Edge{Check: name, Replica: "search"})
	}
	must(t, f.Declare(t.Context(), 2, edges, nil))
	f.channels = newChannels(c.now, seed, faults)
	f.outbox = &dying{Outbox: f.Ledger, random: f.random, often: faults / 20}
	f.dispatcher = alerts.NewDispatcher(alerts.DispatcherOptions{Outbox: f.outbox, Senders: map[string]alerts.Sender{"slack": f.channels}, Now: c.now})
	return f
}

// reads records what reading some keys of a check came to.
func (f *fleet) reads(check string, drifting bool, keys ...int) {
	f.Helper()
	facts := f.facts("search")
	named := *facts.Check
	named.Name = check
	facts.Check = &named
	var vs []checks.Verdict
	for _, n := range keys {
		v := cleared(f.suspect(n), checks.ClearedEqual)
		if drifting {
			v = f.differs(f.suspect(n), "paid", "pending")
			f.open[check][n] = true
		} else {
			delete(f.open[check], n)
		}
		vs = append(vs, v)
	}
	term := got(f.ClaimEdge(f.Context(), check, "search", "worker"))(f)
	must(f, f.RecordRechecks(f.Context(), facts, term, "worker", "", vs, f.clock.now()))
}

// heal ends all drift of a check.
func (f *fleet) heal(check string) {
	f.Helper()
	var keys []int
	for n := range f.open[check] {
		keys = append(keys, n)
	}
	f.reads(check, false, keys...)
}

// happen lets something happen to some check.
func (f *fleet) happen() {
	f.Helper()
	n := f.random.IntN(len(f.names))
	check := f.names[n]
	if f.random.IntN(300) == 0 {
		f.clock.pass(alerts.Regress + time.Hour) // what comes back now is another incident
	}
	switch f.random.IntN(10) {
	case 0, 1, 2, 3:
		f.reads(check, true, f.random.IntN(200), f.random.IntN(200))
	case 4, 5:
		f.heal(check)
	case 6:
		list, _, err := f.Incidents(f.Context(), ledger.IncidentFilter{Check: check, State: "open"})
		must(f, err)
		for _, i := range list {
			_, err := f.AcknowledgeIncident(f.Context(), i.ID, "ann", "", 0)
			must(f, err)
		}
	case 7:
		if n%2 == 0 { // the others are never muted, and told all
			must(f, f.MuteCheck(f.Context(), alerts.Mute{Check: check, Until: f.clock.now().Add(time.Minute), Actor: "ann"}))
		}
	case 8:
		must(f, f.UnmuteCheck(f.Context(), check, "bob"))
	default:
		for i := range f.open[check] {
			f.reads(check, false, i)
			break
		}
	}
}

// step sends one thing, and lets time pass to when the next is due, but no longer
// than most.
func (f *fleet) step(most time.Duration) (worked bool) {
	f.Helper()
	worked, next, err := f.dispatcher.Step(f.Context())
	if err != nil && !errors.Is(err, errDied) {
		f.Fatal(err)
	}
	if worked || err != nil {
		return true
	}
	pause := most
	if until := next.Sub(f.clock.now()); !next.IsZero() && until < pause {
		pause = max(until, time.Millisecond)
	}
	f.clock.pass(pause)
	return false
}

// settleDown sends until nothing is due any more.
func (f *fleet) settleDown() {
	f.Helper()
	for range 100_000 {
		if f.step(time.Minute) {
			continue
		}
		queue := int64(0)
		for _, o := range got(f.Outlets(f.Context()))(f) {
			queue += o.Queue
		}
		if queue == 0 {
			return
		}
	}
	f.Fatal("what is due never ends")
}

// judge holds what the channels show against what the ledger holds.
func (f *fleet) judge() {
	f.Helper()
	for i, what := range f.channels.wrong {
		if i < 10 {
			f.Error(what)
		}
	}
	list, _, err := f.Incidents(f.Context(), ledger.IncidentFilter{Limit: 100_000})
	must(f, err)
	for _, i := range list {
		channel := "#" + i.Check[len(i.Check)-1:]
		last := int64(len(got(f.Milestones(f.Context(), i.ID))(f)))
		muted := int(i.Check[len(i.Check)-1]-'0')%2 == 0
		shown := f.channels.live(i.ID, channel)
		states := got(f.DeliveryStates(f.Context(), i.ID))(f)
		if i.State != alerts.Resolved && len(shown) == 0 {
			f.Errorf("%s is %s and nobody was told: %+v", i.ID, i.State, states)
		}
		for _, m := range shown {
			if len(states) > 0 && m.ts != states[0].Ref.TS {
				continue // a second root, made since an answer was lost
			}
			if m.revision != i.Revision || m.state != i.State {
				f.Errorf("%s is %s at revision %d and shows as %s at %d: %+v", i.ID, i.State, i.Revision, m.state, m.revision, states)
			}
			for n := int64(1); n <= last; n++ {
				if m.told[n] == 0 && !muted {
					f.Errorf("milestone %d of %s was never told", n, i.ID)
				}
			}
			for n, times := range m.told {
				if times > 2 || times == 2 && f.channels.lost[i.ID+channel] == 0 && f.outbox.deaths == 0 {
					f.Errorf("milestone %d of %s was told %d times", n, i.ID, times)
				}
			}
		}
		key := i.ID + channel
		if roots := f.channels.posts[key] - f.channels.deleted[key]; roots > 1 {
			f.Errorf("%s has %d root messages, with %d answers lost", i.ID, roots, f.channels.lost[key])
		}
	}
	f.Logf("%d incidents, %d sends, of which %d failed and %d found what was doubtful; %d deaths, %d refusals", len(list), f.channels.sends, f.channels.failures,
		f.channels.found, f.outbox.deaths, f.channels.refusals)
}

func TestEveryChangeIsToldWhateverFails(t *testing.T) {
	t.Parallel()
	everyChangeIsTold(t, 400)
}

func TestSoakEveryChangeIsToldWhateverFails(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return // make soak runs it
	}
	everyChangeIsTold(t, 10_000)
}

func everyChangeIsTold(t *testing.T, sends int) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	f := newFleet(t, 20, seed, 0.3)
	swept := f.clock.now()
	for f.channels.sends < sends {
		if f.random.IntN(4) == 0 {
			f.happen()
		}
		f.step(5 * time.Second)
		if f.clock.now().Sub(swept) >= 5*time.Second {
			f.sweep()
			swept = f.clock.now()
		}
	}
	f.channels.faults, f.outbox.often = 0, 0
	f.clock.pass(10 * time.Minute) // for mutes to end
	f.sweep()
	f.settleDown()
	f.judge()
}

func TestAfterAnOutageThereIsOneMessageForEachIncidentStillOpen(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	f := newFleet(t, 20, seed, 0)
	for _, check := range f.names[:5] {
		f.reads(check, true, 1, 2)
	}
	f.settleDown()
	before := len(f.channels.messages)
	f.channels.down = true
	for end := f.clock.now().Add(6 * time.Hour); f.clock.now().Before(end); {
		if f.random.IntN(3) == 0 {
			f.happen()
		}
		f.step(3 * time.Minute)
		f.sweep()
	}
	f.channels.down = false
	f.clock.pass(10 * time.Minute) // the longest pause after a failure
	f.sweep()
	f.channels.sends = 0
	f.settleDown()
	f.judge()
	open, _, err := f.Incidents(t.Context(), ledger.IncidentFilter{State: "open", Limit: 1000})
	must(t, err)
	fresh := 0
	for _, i := range open {
		if n := f.channels.posts[i.ID+"#"+i.Check[len(i.Check)-1:]]; n != 1 {
			t.Errorf("%s has %d messages", i.ID, n)
		}
		fresh++
	}
	for _, m := range f.channels.messages[:before] {
		if got(f.Incident(t.Context(), m.incident))(t).State != alerts.Resolved {
			fresh--
		}
	}
	if made := len(f.channels.messages) - before; made != fresh {
		t.Errorf("%d new messages for %d incidents that opened in the outage and are open", made, fresh)
	}
	t.Logf("%d incidents open, %d of them new; %d requests after the outage", len(open), fresh, f.channels.sends)
}

func TestABurstIsOneMessageAndARestartSendsNothing(t *testing.T) {
	t.Parallel()
	testBurst(t, 10_000)
}

func TestSoakABurstIsOneMessageAndARestartSendsNothing(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return // make soak runs it
	}
	testBurst(t, 50_000)
}

func testBurst(t *testing.T, findings int) {
	f := newFleet(t, 1, 1, 0)
	const batch = 1000
	keys := make([]int, batch)
	for from := 0; from < findings; from += batch {
		for i := range keys {
			keys[i] = from + i
		}
		f.reads(f.names[0], true, keys...)
		for end := f.clock.now().Add(time.Second); f.clock.now().Before(end); {
			f.step(time.Second)
		}
	}
	f.settleDown()
	f.clock.pass(alerts.Pause)
	f.sweep() // that it has grown is told once
	f.settleDown()
	f.judge()
	i := f.incident(alerts.Drift)
	if len(f.channels.messages) != 1 || f.channels.sends > 12 {
		t.Errorf("%d findings made %d messages by %d sends", findings, len(f.channels.messages), f.channels.sends)
	}
	t.Logf("%d findings, %d of them kept: %d sends in %s", findings, i.Facts.Counted, f.channels.sends, f.clock.now().Sub(i.OpenedAt))

	sends := f.channels.sends
	again := openWorldOf(t, f)
	again.sweep()
	again.settleDown()
	if f.channels.sends != sends {
		t.Errorf("a restart sent %d times", f.channels.sends-sends)
	}
	f.clock.pass(time.Hour)
	f.reads(f.names[0], false, 1, 2, 3)
	f.reads(f.names[0], false, 4, 5)
	third := openWorldOf(t, f)
	third.sweep()
	third.settleDown()
	if f.channels.sends != sends+1 {
		t.Errorf("changes while it was down were told in %d sends", f.channels.sends-sends)
	}
}

// openWorldOf is a fleet's ledger as another process opens it.
func openWorldOf(t testing.TB, f *fleet) *fleet {
	t.Helper()
	policy := policies(func(p *alerts.Policy) { p.Targets[0].Address = "#" + f.names[0][len(f.names[0])-1:] })
	l, err := ledger.Open(t.Context(), f.url, ledger.Options{Now: f.clock.now, Policies: policy})
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	again := *f
	again.world = &world{TB: t, Ledger: l, url: f.url, clock: f.clock, check: f.check, lens: f.lens}
	again.outbox = &dying{Outbox: l, random: f.random}
	again.dispatcher = alerts.NewDispatcher(alerts.DispatcherOptions{Outbox: again.outbox, Senders: map[string]alerts.Sender{"slack": f.channels}, Now: f.clock.now})
	return &again
}
