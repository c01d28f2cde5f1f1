package service_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"plumbline/access"
	"plumbline/alerts"
	"plumbline/alerts/slack/slacktest"
	"plumbline/ledger"
)

// Fifty people press at once, or one whose connection stutters: it is done once.
func TestFiftyClicksAreOneEffect(t *testing.T) {
	t.Parallel()
	o := newOffice(t, false)
	door := o.door(false)
	root := o.drifted(door)
	value := "I-1:" + strconv.FormatInt(o.incident().Revision, 10)
	before := len(o.slack.Private(o.ann.ID))
	var clicks sync.WaitGroup
	for range 50 {
		clicks.Go(func() {
			ack, err := door.Click(t.Context(), o.ann, channel, root.TS, "ack", value)
			if err != nil || ack.Status != http.StatusOK {
				t.Errorf("a click: %d, %v", ack.Status, err)
			}
		})
	}
	clicks.Wait()
	o.await("49 are told", func() bool { return len(o.slack.Private(o.ann.ID)) == before+49 })
	o.root("cknowledged by ann")
	busy := 0 // where the machine is slow, some are told that nothing was done
	for _, m := range o.slack.Private(o.ann.ID)[before:] {
		if strings.Contains(m.Text, "nothing was done") {
			busy++
		}
	}
	if n := o.entries("acknowledge incident"); n[access.Done] != 1 || n[access.Denied] != 49-busy {
		t.Errorf("the audit log has %v, and %d were not taken", n, busy)
	}
	milestones, err := o.service.Ledger().Milestones(t.Context(), "I-1")
	acknowledged := slices.DeleteFunc(milestones, func(m alerts.Milestone) bool { return m.Event != alerts.WasAcknowledged })
	if err != nil || len(acknowledged) != 1 {
		t.Errorf("milestones: %+v, %v", acknowledged, err)
	}
}

// A request that is sent again, however often, is refused and does nothing; so is
// one sent after a restart.
func TestReplaysAreRefused(t *testing.T) {
	t.Parallel()
	o := newOffice(t, false)
	door := o.door(false)
	o.drifted(door)
	sent, err := door.CommandRequest(o.ann, channel, "ack I-1")
	if err != nil {
		t.Fatal(err)
	}
	if ack, err := door.Send(t.Context(), sent); err != nil || ack.Status != http.StatusOK {
		t.Fatalf("the first: %d, %v", ack.Status, err)
	}
	o.root("cknowledged by ann")
	replay := func(n int) {
		t.Helper()
		var replays sync.WaitGroup
		for range 20 {
			replays.Go(func() {
				for range n / 20 {
					if ack, err := door.Send(t.Context(), sent); err != nil || ack.Status != http.StatusUnauthorized {
						t.Errorf("a replay: %d, %v", ack.Status, err)
					}
				}
			})
		}
		replays.Wait()
	}
	replay(1000)
	if err := o.service.Stop(); err != nil {
		t.Fatal(err)
	}
	o.start()
	door = o.door(false)
	replay(20)
	if n := o.entries("acknowledge incident"); n[access.Done] != 1 || n[access.Denied] != 0 {
		t.Errorf("the audit log has %v", n)
	}
}

// What was taken is done after a restart, though nobody was there to do it.
func TestWhatWasTakenIsDoneAfterARestart(t *testing.T) {
	t.Parallel()
	o := newOffice(t, false)
	o.drifted(o.door(false))
	if err := o.service.Stop(); err != nil {
		t.Fatal(err)
	}
	config, err := o.load()
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(t.Context(), config.Ledger.Reveal(), ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"teams":[%q],"user":%q,"channel":"C000000DATA","order":{"verb":"ack","what":"I-1"}}`, slacktest.Team, o.ann.ID)
	if fresh, err := l.TakeRequest(t.Context(), []byte("one"), "command", body); err != nil || !fresh {
		t.Fatalf("taken %v, %v", fresh, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	o.start()
	o.root("cknowledged by ann")
	o.told(o.ann, 0, "the restart", "is yours")
}

// Whatever is not a request of our workspace's own gets 401, whoever sends it, and
// the log holds nothing by which one could be made.
func TestBadRequestsAreRefused(t *testing.T) {
	t.Parallel()
	o := newOffice(t, false)
	door := o.door(false)
	o.drifted(door)
	good, err := door.CommandRequest(o.ann, channel, "ack I-1")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	changed := func(change func(*slacktest.Sent)) slacktest.Sent {
		sent := good
		sent.Header, sent.Body = good.Header.Clone(), bytes.Clone(good.Body)
		change(&sent)
		return sent
	}
	var secrets []string
	for name, sent := range map[string]slacktest.Sent{
		"unsigned": changed(func(s *slacktest.Sent) { s.Header.Del("X-Slack-Signature"); s.Header.Del("X-Slack-Request-Timestamp") }),
		"expired":  door.SignedAt("/slack/commands", good.Body, now.Add(-6*time.Minute)),
		"future":   door.SignedAt("/slack/commands", good.Body, now.Add(6*time.Minute)),
		"tampered": changed(func(s *slacktest.Sent) { s.Body = bytes.Replace(s.Body, []byte("I-1"), []byte("I-2"), 1) }),
		"re-encoded": changed(func(s *slacktest.Sent) {
			s.Body = bytes.Replace(s.Body, []byte("%2Fplumbline"), []byte("/plumbline"), 1)
		}),
		"malformed JSON":  door.SignedAt("/slack/interactions", []byte("payload=%7B%22type%22"), now),
		"no payload":      door.SignedAt("/slack/interactions", []byte("a=b"), now),
		"nobody":          door.SignedAt("/slack/interactions", []byte("payload=%7B%22type%22%3A%22block_actions%22%7D"), now),
		"a bad form":      door.SignedAt("/slack/commands", []byte("command=%zz"), now),
		"an empty body":   door.SignedAt("/slack/commands", nil, now),
		"a megabyte":      door.SignedAt("/slack/commands", append([]byte("command=%2Fplumbline&text="), bytes.Repeat([]byte("x"), 1<<20)...), now),
		"a forged answer": changed(func(s *slacktest.Sent) { s.Header.Set("X-Slack-Signature", "v0="+strings.Repeat("0", 64)) }),
	} {
		ack, err := door.Send(t.Context(), sent)
		if err != nil || ack.Status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s, %v", name, ack.Status, ack.Body, err)
		}
		if strings.Contains(string(ack.Body), name) {
			t.Errorf("%s: it is told why", name)
		}
		secrets = append(secrets, slacktest.Signature(slacktest.SigningSecret, sent.Header.Get("X-Slack-Request-Timestamp"), sent.Body)[3:])
	}
	o.hears(door, o.ann, "show I-1", "open")
	if err := o.service.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, secret := range append(secrets, slacktest.SigningSecret, slacktest.Token, "/respond/") {
		if strings.Contains(o.log.String(), secret) {
			t.Errorf("the log holds %s", secret)
		}
	}
}

// While the ledger takes no write, whoever asks is answered in time and told that
// nothing was done.
func TestASlowLedgerIsSaid(t *testing.T) {
	t.Parallel()
	o := newOffice(t, false)
	door := o.door(false)
	o.drifted(door)
	held, err := o.service.Ledger().DB().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ack, err := door.Command(t.Context(), o.ann, channel, "ack I-1")
	if err != nil || ack.Status != http.StatusOK || !strings.Contains(string(ack.Body), "nothing was done") {
		t.Errorf("a command while the ledger is held: %d %s, %v", ack.Status, ack.Body, err)
	}
	before := len(o.slack.Private(o.ann.ID))
	root := o.slack.Roots(channel)[0]
	if ack, err = door.Click(t.Context(), o.ann, channel, root.TS, "ack", ""); err != nil || ack.Status != http.StatusOK {
		t.Errorf("a click while the ledger is held: %d %s, %v", ack.Status, ack.Body, err)
	}
	o.told(o.ann, before, "a click while the ledger is held", "nothing was done")
	if err := held.Rollback(); err != nil {
		t.Fatal(err)
	}
	o.hears(door, o.ann, "show I-1", "open")
}
