package service_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"plumbline/access"
	"plumbline/alerts/slack/slacktest"
	"plumbline/ledger"
	"plumbline/reconciler"
	"plumbline/sources"
)

// planned keeps a plan of the one finding, drafted by ann, in a state.
func (o *office) planned(state reconciler.PlanState) *reconciler.Plan {
	o.t.Helper()
	l := o.service.Ledger()
	findings, _, err := l.Findings(o.t.Context(), ledger.FindingFilter{Check: "prices"})
	if err != nil || len(findings) != 1 {
		o.t.Fatalf("findings: %v, %v", findings, err)
	}
	p := &reconciler.Plan{Check: "prices", Replica: findings[0].Replica, By: reconciler.Write, State: state, CheckHash: "c", Needs: 1,
		DraftedBy: reconciler.Person{Account: "A-ann", Name: "ann"}, DraftedAt: time.Now()}
	i := reconciler.Item{Finding: findings[0].ID, Key: findings[0].Key, Kind: sources.Update, KeyText: "id=2",
		Before: &sources.Image{Exists: true, Native: []byte("19.00")}, After: &sources.Image{Exists: true, Native: []byte("20.00")}}
	i.Hash = reconciler.ItemHash(p.Check, p.Replica, p.CheckHash, p.Undoes, &i)
	p.Hash = reconciler.PlanHash([]string{i.Hash})
	if err := l.KeepPlan(o.t.Context(), p, []reconciler.Item{i}); err != nil {
		o.t.Fatal(err)
	}
	return p
}

// Plans are told of and listed in Slack, and fixes frozen; they are approved on
// their pages alone.
func TestFixesAreToldOfAndFrozenInSlack(t *testing.T) {
	t.Parallel()
	o := newOffice(t, false)
	door := o.door(false)
	root := o.drifted(door)
	bob := slacktest.Person{ID: "U0BOB", Name: "bob"}
	l := o.service.Ledger()
	if _, err := l.CreateAccount(t.Context(), bob.Name, access.Approver, "correct horse battery"); err != nil {
		t.Fatal(err)
	}
	if err := l.LinkSlack(t.Context(), slacktest.Team, bob.ID, bob.Name); err != nil {
		t.Fatal(err)
	}
	o.hears(door, o.ann, "plans", "No plan of fixes is live")
	p := o.planned(reconciler.Waiting)
	o.await("the root message tells of the plan", func() bool {
		roots := o.slack.Roots(channel)
		at := slices.IndexFunc(roots, func(m slacktest.Message) bool { return m.TS == root.TS })
		said := string(roots[at].Blocks)
		return strings.Contains(said, "1 update, waits for approval, drafted by ann") && strings.Contains(said, "Open to approve") &&
			strings.Contains(said, "/fixes/"+p.ID) && !strings.Contains(said, "Review fix")
	})
	o.await("the thread tells of it, with a link", func() bool {
		return slices.ContainsFunc(o.slack.Messages(channel), func(m slacktest.Message) bool {
			said := string(m.Blocks)
			return m.ThreadTS == root.TS && strings.Contains(said, "Plan waits for approval, drafted") && strings.Contains(said, "/fixes/"+p.ID)
		})
	})
	said := o.hears(door, o.vic, "plans", "1 live plan", p.ID, "1 update", "waits for approval", "until")
	if strings.Contains(said, "19.00") || strings.Contains(said, "20.00") || strings.Contains(said, "id=2") {
		t.Errorf("a value is shown: %s", said)
	}
	o.hears(door, o.vic, "fix prices", "Plan a fix", "/checks/prices")
	o.hears(door, o.vic, "fix price", "no check of that name")

	stranger := slacktest.Person{ID: "U0STRANGE", Name: "stranger"}
	frozen := func() int {
		t.Helper()
		list, err := l.Freezes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	o.hears(door, stranger, "freeze all", "You are not linked")
	o.hears(door, o.vic, "freeze prices", "needs the role operator")
	o.hears(door, o.ann, "freeze price", "There is no check of that name")
	if n := frozen(); n != 0 {
		t.Fatalf("%d freezes by who may not", n)
	}
	o.hears(door, o.ann, "freeze prices the month is closed", "Fixes of `prices` are frozen")
	o.hears(door, o.ann, "freeze all", "All fixes are frozen")
	o.hears(door, o.ann, "plans", "Fixes of `prices` are frozen by ann: the month is closed", "Fixes are frozen by ann")
	o.await("the root message tells of the freeze", func() bool {
		return slices.ContainsFunc(o.slack.Roots(channel), func(m slacktest.Message) bool {
			return m.TS == root.TS && strings.Contains(string(m.Blocks), "Fixes are frozen")
		})
	})
	o.hears(door, stranger, "unfreeze all", "You are not linked")
	o.hears(door, o.ann, "unfreeze all", "needs the role approver")
	if n := frozen(); n != 2 {
		t.Fatalf("%d freezes, of two", n)
	}
	o.hears(door, bob, "unfreeze all", "The freeze of all fixes is lifted, and others hold", "Fixes of `prices` are frozen by ann")
	o.hears(door, bob, "unfreeze prices", "Fixes of `prices` may be made again")
	if n := frozen(); n != 0 {
		t.Errorf("%d freezes are left", n)
	}
	for _, words := range []string{"approve " + p.ID, "apply " + p.ID} {
		o.hears(door, bob, words, "There is no such command")
	}
	if now, err := l.Plan(t.Context(), p.ID); err != nil || now.State != reconciler.Waiting || len(now.Approvals) != 0 {
		t.Errorf("the plan is %+v, %v", now, err)
	}
	for action, want := range map[string]map[access.Outcome]int{
		"freeze fixes": {access.Done: 2, access.Denied: 3}, "unfreeze fixes": {access.Done: 2, access.Denied: 2},
	} {
		n := o.entries(action)
		for outcome, count := range want {
			if n[outcome] != count {
				t.Errorf("the audit log has %v of %q, want %v", n, action, want)
			}
		}
	}
}
