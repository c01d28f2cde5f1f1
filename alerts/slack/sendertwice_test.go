package slack_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"plumbline/alerts"
	"plumbline/alerts/slack/slacktest"
)

// A post, a reply and a digest whose answers were lost are found, and not made
// again; the channel is known by its name alone.
func TestSenderFindsWhatWasMadeAfterAll(t *testing.T) {
	t.Parallel()
	server := slacktest.Start(t, slacktest.Options{Unpaced: true})
	for i := range 250 { // more than a page of others
		d := delivery(t, "initial")
		d.ID, d.Incident.ID = fmt.Sprintf("other-%d", i), fmt.Sprintf("I-%d", 1000+i)
		if _, err := sender(server).Send(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	root, err := sender(server).Send(t.Context(), delivery(t, "initial"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"initial", "thread", "digest"} {
		d := delivery(t, name)
		if d.Step == alerts.Reply {
			d.Ref = root.Ref
		}
		if d.Step != alerts.Post {
			server.Script("chat.postMessage", slacktest.LostAfter)
			if _, err := sender(server).Send(t.Context(), d); !errors.Is(err, alerts.ErrLost) {
				t.Fatal(err)
			}
		}
		before := len(server.Messages("basket"))
		d.Doubtful = time.Now().Add(-2 * time.Second)
		got, err := sender(server).Send(t.Context(), d) // a sender that has met no channel
		if err != nil || !got.Found || got.Ref.TS == "" || got.Ref.Channel != "C0000BASKET" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if after := len(server.Messages("basket")); after != before {
			t.Errorf("%s: %d messages became %d", name, before, after)
		}
		if d.Step != alerts.Notice && got.Ref != root.Ref {
			t.Errorf("%s: found %+v, the root is %+v", name, got.Ref, root.Ref)
		}
	}
}

func TestSenderMakesAnewWhatWasNotMade(t *testing.T) {
	t.Parallel()
	server := slacktest.Start(t, slacktest.Options{Unpaced: true})
	d := delivery(t, "initial")
	server.Script("chat.postMessage", slacktest.LostBefore)
	if _, err := sender(server).Send(t.Context(), d); !errors.Is(err, alerts.ErrLost) {
		t.Fatal(err)
	}
	d.Doubtful, d.Lost = time.Now(), 1
	got, err := sender(server).Send(t.Context(), d)
	if err != nil || got.Found || len(server.Roots("basket")) != 1 {
		t.Errorf("%+v, %v, %d roots", got, err, len(server.Roots("basket")))
	}
}

// What is muted, or over, meanwhile is looked for and not made: nobody is to hear of it.
func TestSenderMakesNothingAnewThatNobodyIsToHearOf(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(d *alerts.Delivery){
		"muted":    func(d *alerts.Delivery) { d.Muted = &alerts.Mute{Check: d.Incident.Check} },
		"resolved": func(d *alerts.Delivery) { d.Incident.State = alerts.Resolved },
	} {
		server := slacktest.Start(t, slacktest.Options{Unpaced: true})
		d := delivery(t, "initial")
		d.Doubtful, d.Lost = time.Now(), 1
		change(d)
		if got, err := sender(server).Send(t.Context(), d); err != nil || got.Ref.TS != "" || len(server.Roots("basket")) != 0 {
			t.Errorf("%s: %+v, %v, %d roots", name, got, err, len(server.Roots("basket")))
		}
	}
}

// Where the history cannot be read, a lost root is made once more and not a third
// time.
func TestSenderMakesTwoRootsAtMostWithoutHistory(t *testing.T) {
	t.Parallel()
	server := slacktest.Start(t, slacktest.Options{Unpaced: true, NoHistory: true})
	server.Script("chat.postMessage", slacktest.LostAfter, slacktest.LostAfter)
	d := delivery(t, "initial")
	for range 2 {
		if _, err := sender(server).Send(t.Context(), d); !errors.Is(err, alerts.ErrLost) {
			t.Fatal(err)
		}
		d.Doubtful, d.Lost = time.Now(), d.Lost+1
	}
	_, err := sender(server).Send(t.Context(), d)
	if r, ok := errors.AsType[*alerts.RefusedError](err); !ok || !strings.Contains(r.Do, "channels:history") {
		t.Errorf("%T %v", err, err)
	}
	roots := server.Roots("basket")
	if len(roots) != 2 {
		t.Fatalf("%d roots", len(roots))
	}
	reply := delivery(t, "thread") // told twice rather than not
	reply.Ref, reply.Doubtful, reply.Lost = alerts.Ref{Channel: roots[0].Channel, TS: roots[0].TS}, time.Now(), 5
	if _, err := sender(server).Send(t.Context(), reply); err != nil || len(server.Replies("basket", roots[0].TS)) != 1 {
		t.Error(err)
	}
}

// While the history is only out of order, nothing is made at all.
func TestSenderWaitsForTheHistory(t *testing.T) {
	t.Parallel()
	server := slacktest.Start(t, slacktest.Options{Unpaced: true})
	d := delivery(t, "initial")
	d.Doubtful, d.Lost = time.Now(), 1
	for _, code := range []string{"ratelimited", "internal_error"} {
		server.Refuse("conversations.history", code)
		_, err := sender(server).Send(t.Context(), d)
		if _, ok := errors.AsType[*alerts.RetryError](err); !ok {
			t.Errorf("%s: %T %v", code, err, err)
		}
	}
	if n := len(server.Roots("basket")); n != 0 {
		t.Errorf("%d roots", n)
	}
}

// With 30 % of all requests broken every incident is told, in one root: what was
// lost is found. The time is simulated, one message a second and what Retry-After
// asks are kept.
func TestSenderTellsEveryIncidentOnceThroughFaults(t *testing.T) {
	t.Parallel()
	tellThroughFaults(t, 200, false)
}

// Without the right to read the history an incident has two roots at most.
func TestSenderTellsEveryIncidentTwiceAtMostWithoutHistory(t *testing.T) {
	t.Parallel()
	tellThroughFaults(t, 200, true)
}

func TestSoakSenderTellsTenThousandIncidentsThroughFaults(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return
	}
	t.Parallel()
	tellThroughFaults(t, 10_000, false)
	tellThroughFaults(t, 10_000, true)
}

func tellThroughFaults(t *testing.T, incidents int, blind bool) {
	t.Helper()
	seed := rand.Uint64()
	var passed atomic.Int64
	start := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	now := func() time.Time { return start.Add(time.Duration(passed.Load())) }
	server := slacktest.Start(t, slacktest.Options{NoHistory: blind, Now: now, Faults: slacktest.Faults{Share: 0.3, Seed: seed}})
	send := sender(server)
	given := 0
	for n := range incidents {
		d := delivery(t, "initial")
		d.ID, d.Incident.ID = fmt.Sprintf("d-%d", n), fmt.Sprintf("I-%d", n)
		for {
			passed.Add(int64(time.Second))
			began := now()
			_, err := send.Send(t.Context(), d)
			if retry, ok := errors.AsType[*alerts.RetryError](err); ok {
				passed.Add(int64(retry.After))
				continue
			}
			if _, refused := errors.AsType[*alerts.RefusedError](err); refused && blind && d.Lost == 2 {
				given++
				break
			}
			if err == nil {
				break
			}
			if !errors.Is(err, alerts.ErrLost) {
				t.Fatalf("seed %d: %T %v", seed, err, err)
			}
			if d.Lost++; d.Doubtful.IsZero() {
				d.Doubtful = began
			}
		}
	}
	roots := map[string]int{}
	for _, m := range server.Roots("basket") {
		roots[string(m.Metadata)]++
	}
	most, twice := 1, 0
	if blind {
		most = 2
	}
	for metadata, n := range roots {
		if n > 1 {
			twice++
		}
		if n > most {
			t.Errorf("seed %d: %d roots of %s", seed, n, metadata)
		}
	}
	if len(roots)+given < incidents {
		t.Errorf("seed %d: %d incidents told of %d, %d given up", seed, len(roots), incidents, given)
	}
	t.Logf("%d incidents, %d requests, %d in two roots, %d given up after two lost answers", incidents, len(server.Requests("")), twice, given)
}
