package service_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"plumbline/access"
	"plumbline/alerts"
	"plumbline/alerts/slack/slacktest"
	"plumbline/ledger"
)

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
