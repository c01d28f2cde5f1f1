package service_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"plumbline/access"
	"plumbline/alerts"
	"plumbline/alerts/slack/slacktest"
	"plumbline/cmd/plumbline/service"
	"plumbline/configs"
	"plumbline/ledger"
)

// logged is a log that may be read while it is written.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// office is a Plumbline that serves a small shop whose copy 2 drifts, in a
// workspace of Slack. Ann, an operator, and Vic, a viewer, are linked.
type office struct {
	t       *testing.T
	dir     string
	slack   *slacktest.Server
	service *service.Service
	log     *logged
	ann     slacktest.Person
	vic     slacktest.Person
}

const channel = "data"

const officeConfig = `
server: {public_url: "http://127.0.0.1:1"}
sources: {shop: {kind: sqlite, url: "sqlite://SHOP", team: shop}}
defaults: {settle: 0s, alert: {slack: "#data"}}
checks:
  prices: {owner: {source: shop, dataset: products, key: [id]}, replica: {source: shop, dataset: copies, key: [id]}, fields: [price]}
alerts:
  slack: {token: "%s", signing_secret: "%s", %s api_url: "%s"}
`

func newOffice(t *testing.T, socket bool) *office {
	t.Helper()
	o := &office{t: t, dir: t.TempDir(), slack: slacktest.Start(t, slacktest.Options{}), log: &logged{},
		ann: slacktest.Person{ID: "U0ANN", Name: "ann"}, vic: slacktest.Person{ID: "U0VIC", Name: "vic"}}
	shop := filepath.Join(o.dir, "shop.db")
	db, err := sql.Open("sqlite", shop)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(`CREATE TABLE products (id INTEGER PRIMARY KEY, price TEXT); CREATE TABLE copies (id INTEGER PRIMARY KEY, price TEXT);
		INSERT INTO products VALUES (1, '10.00'), (2, '20.00'), (3, '30.00'); INSERT INTO copies VALUES (1, '10.00'), (2, '19.00'), (3, '30.00')`)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	app := ""
	if socket {
		app = `app_token: "` + slacktest.AppToken + `",`
	}
	text := fmt.Sprintf(strings.Replace(officeConfig, "SHOP", shop, 1), slacktest.Token, slacktest.SigningSecret, app, o.slack.API())
	if err := os.WriteFile(filepath.Join(o.dir, "plumbline.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o.start()
	l := o.service.Ledger()
	for _, who := range []struct {
		person slacktest.Person
		role   access.Role
	}{{o.ann, access.Operator}, {o.vic, access.Viewer}} {
		if _, err := l.CreateAccount(t.Context(), who.person.Name, who.role, "correct horse battery"); err != nil {
			t.Fatal(err)
		}
		if err := l.LinkSlack(t.Context(), slacktest.Team, who.person.ID, who.person.Name); err != nil {
			t.Fatal(err)
		}
	}
	if socket {
		o.await("a socket is open", func() bool { return o.slack.Sockets() > 0 })
	}
	return o
}

func (o *office) load() (*configs.Config, error) {
	return configs.Load(filepath.Join(o.dir, "plumbline.yaml"), os.LookupEnv, os.ReadFile)
}

func (o *office) start() {
	o.t.Helper()
	config, err := o.load()
	if err != nil {
		o.t.Fatal(err)
	}
	o.service, err = service.Start(o.t.Context(), service.Options{Config: config, Load: o.load, Stamp: func() string { return "" }, Listen: "127.0.0.1:0",
		Version: "test", Scrub: func(s string) string { return s }, Log: service.NewLog(o.log, slog.LevelDebug, func(s string) string { return s })})
	if err != nil {
		o.t.Fatal(err)
	}
	running := o.service
	o.t.Cleanup(func() {
		if err := running.Stop(); err != nil {
			o.t.Error(err)
		}
		if o.t.Failed() {
			o.t.Log(o.log.String())
		}
	})
}

func (o *office) await(what string, holds func() bool) {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), time.Minute)
	defer cancel()
	if err := o.slack.Await(ctx, what, holds); err != nil {
		o.t.Fatalf("%v\nprivate: %+v\nmessages: %+v\nlog:\n%s", err, o.slack.Private(""), o.slack.Messages(""), o.log)
	}
}

func (o *office) door(socket bool) *slacktest.Door {
	if socket {
		return o.slack.OverSocket()
	}
	return o.slack.Over(o.service.Address())
}

// hears gives a command and waits until its person is told words in private.
func (o *office) hears(door *slacktest.Door, p slacktest.Person, command string, words ...string) string {
	o.t.Helper()
	before := len(o.slack.Private(p.ID))
	ack, err := door.Command(o.t.Context(), p, channel, command)
	if err != nil || ack.Status != http.StatusOK {
		o.t.Fatalf("%s: %d %s, %v\n%s", command, ack.Status, ack.Body, err, o.log)
	}
	return o.told(p, before, command, words...)
}

// told waits until a person was told words in private, after the first some messages.
func (o *office) told(p slacktest.Person, before int, what string, words ...string) (text string) {
	o.t.Helper()
	o.await(fmt.Sprintf("%s: %s is told %q", what, p.Name, words), func() bool {
		for _, m := range o.slack.Private(p.ID)[before:] {
			text = m.Text + "\n" + string(m.Blocks)
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
				return true
			}
		}
		return false
	})
	return text
}

// drifted runs the check, and returns the incident's root message.
func (o *office) drifted(door *slacktest.Door) slacktest.Message {
	o.t.Helper()
	o.hears(door, o.ann, "run prices", "Started run #1 of `prices`")
	o.told(o.ann, 0, "the run's end", "Run #1 of", "drift, 1 finding")
	return o.root("prices")
}

// root waits until the one root message says something.
func (o *office) root(words string) (root slacktest.Message) {
	o.t.Helper()
	o.await("the root message says "+words, func() bool {
		roots := o.slack.Roots(channel)
		if len(roots) != 1 {
			return false
		}
		root = roots[0]
		return strings.Contains(root.Text+string(root.Blocks), words)
	})
	return root
}

// entries counts the audit log's entries of an action by their outcomes.
func (o *office) entries(action string) map[access.Outcome]int {
	o.t.Helper()
	counts := map[access.Outcome]int{}
	for after := ""; ; {
		list, next, err := o.service.Ledger().AuditEntries(o.t.Context(), ledger.AuditFilter{Action: action, After: after, Limit: 200})
		if err != nil {
			o.t.Fatal(err)
		}
		for i := range list {
			counts[list[i].Outcome]++
		}
		if after = next; after == "" {
			return counts
		}
	}
}

func (o *office) incident() *alerts.Incident {
	o.t.Helper()
	i, err := o.service.Ledger().Incident(o.t.Context(), "I-1")
	if err != nil {
		o.t.Fatal(err)
	}
	return i
}

// Every command and every button does what it says, over HTTP and over a socket.
func TestEverythingCanBeDoneInSlack(t *testing.T) {
	t.Parallel()
	for _, socket := range []bool{false, true} {
		t.Run(map[bool]string{false: "over HTTP", true: "over a socket"}[socket], func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, socket)
			door := o.door(socket)
			o.hears(door, o.ann, "", "1 check", "unknown")
			root := o.drifted(door)
			o.hears(door, o.ann, "status", "1 drifted", "I-1", "prices")
			o.hears(door, o.ann, "check prices", "shop", "1 finding")
			o.hears(door, o.ann, "check price", "no check of that name", "Did you mean prices?")
			o.hears(door, o.ann, "sources", "1 source", "sqlite")
			o.hears(door, o.ann, "show I-1", "I-1", "1 finding")
			findings, _, err := o.service.Ledger().Findings(t.Context(), ledger.FindingFilter{Check: "prices"})
			if err != nil || len(findings) != 1 {
				t.Fatalf("findings: %v, %v", findings, err)
			}
			if said := o.hears(door, o.ann, "show "+findings[0].ID, "mismatch", "differs in `price`"); strings.Contains(said, "19.00") || strings.Contains(said, "20.00") {
				t.Errorf("a value is shown: %s", said)
			}
			o.hears(door, o.ann, "run prices key 2", "Started run #2")
			o.told(o.ann, 0, "the end of the key's run", "Run #2 of")
			o.hears(door, o.ann, "help", "/plumbline status")
			o.hears(door, o.ann, "stauts", "Did you mean `/plumbline status`?")
			o.hears(door, o.ann, "link", "Link your account", "/link/slack?code=")
			o.hears(door, o.ann, "mute prices 2h a migration", "is muted until")
			o.hears(door, o.ann, "unmute prices", "is heard again")
			o.hears(door, o.ann, "mute prices until-grows", "until more than 1 differ")
			o.hears(door, o.ann, "unmute prices", "is heard again")
			if _, err := door.Command(t.Context(), o.ann, channel, "sources --share"); err != nil {
				t.Fatal(err)
			}
			o.await("the channel is told", func() bool {
				return slices.ContainsFunc(o.slack.Messages(channel), func(m slacktest.Message) bool { return strings.Contains(m.Text, "1 source") })
			})

			press := func(action string) {
				t.Helper()
				if _, err := door.Click(t.Context(), o.ann, channel, root.TS, action, ""); err != nil {
					t.Fatal(err)
				}
			}
			rootSays := func(words string) {
				t.Helper()
				o.await(words, func() bool {
					roots := o.slack.Roots(channel)
					at := slices.IndexFunc(roots, func(m slacktest.Message) bool { return m.TS == root.TS })
					return strings.Contains(roots[at].Text+string(roots[at].Blocks), words)
				})
			}
			for _, choice := range []string{"1 hour", "Until it grows"} {
				rootSays("Mute…")
				if _, err := door.Choose(t.Context(), o.ann, channel, root.TS, "mute", choice); err != nil {
					t.Fatal(err)
				}
				rootSays("Unmute")
				press("unmute")
			}
			rootSays("Mute…")
			press("open")
			press("recheck")
			o.await("the check ran again", func() bool {
				runs, _, err := o.service.Ledger().Runs(t.Context(), ledger.RunFilter{State: "finished"})
				return err == nil && len(runs) == 3
			})
			press("ack")
			rootSays("cknowledged by ann")
			if i := o.incident(); i.State != alerts.Acknowledged || i.AcknowledgedBy != "ann" {
				t.Errorf("the incident is %+v", i)
			}
			before := len(o.slack.Private(o.ann.ID))
			if _, err := door.Click(t.Context(), o.ann, channel, root.TS, "ack", "I-1:1"); err != nil {
				t.Fatal(err)
			}
			o.told(o.ann, before, "a second acknowledgement", "I-1 is already acknowledged by ann")
			o.hears(door, o.ann, "ack I-1 it is mine", "already acknowledged by ann")
			if n := o.entries("acknowledge incident"); n[access.Done] != 1 || n[access.Denied] != 2 {
				t.Errorf("the audit log has %v of acknowledging", n)
			}
		})
	}
}

// Who is not linked, may not, or is of another workspace does nothing.
func TestOnlyWhoMayActsInSlack(t *testing.T) {
	t.Parallel()
	o := newOffice(t, false)
	door := o.door(false)
	root := o.drifted(door)
	stranger := slacktest.Person{ID: "U0STRANGE", Name: "stranger"}
	foreigner := slacktest.Person{ID: o.ann.ID, Name: "ann", Team: "T0FOREIGN"}
	o.hears(door, stranger, "ack I-1", "You are not linked", "/plumbline link")
	o.hears(door, stranger, "status", "You are not linked")
	o.hears(door, stranger, "help", "/plumbline ack")
	o.hears(door, stranger, "link", "/link/slack?code=")
	o.hears(door, o.vic, "status", "1 drifted")
	o.hears(door, o.vic, "ack I-1", "needs the role operator")
	o.hears(door, o.vic, "run prices", "needs the role operator")
	o.hears(door, o.vic, "mute prices 1h", "needs the role operator")
	for _, p := range []slacktest.Person{stranger, o.vic} {
		before := len(o.slack.Private(p.ID))
		if _, err := door.Click(t.Context(), p, channel, root.TS, "ack", ""); err != nil {
			t.Fatal(err)
		}
		o.told(p, before, "a click")
	}
	for range 20 {
		ack, err := door.Click(t.Context(), foreigner, channel, root.TS, "ack", "")
		if err != nil || ack.Status != http.StatusUnauthorized {
			t.Fatalf("a foreigner's click: %d, %v", ack.Status, err)
		}
		if ack, err = door.Command(t.Context(), foreigner, channel, "ack I-1"); err != nil || ack.Status != http.StatusUnauthorized {
			t.Fatalf("a foreigner's command: %d, %v", ack.Status, err)
		}
	}
	o.hears(door, o.ann, "status", "1 drifted") // all that came before is done
	if i := o.incident(); i.State != alerts.Open {
		t.Errorf("the incident is %+v", i)
	}
	if n := o.entries("acknowledge incident"); n[access.Done] != 0 || n[access.Denied] != 4 {
		t.Errorf("the audit log has %v of acknowledging", n)
	}
	if mutes, err := o.service.Ledger().Mutes(t.Context()); err != nil || len(mutes) != 0 {
		t.Errorf("muted: %v, %v", mutes, err)
	}
}

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
	if n := o.entries("acknowledge incident"); n[access.Done] != 1 || n[access.Denied] != 49 {
		t.Errorf("the audit log has %v", n)
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
