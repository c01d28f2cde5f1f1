package service_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plumbline/access"
	"plumbline/alerts/slack/slacktest"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
	"plumbline/sources"
)

// Whoever asks in Slack, linked with whatever role or not at all, by a command, a
// button or a form, and whatever state a plan is in: it is neither approved nor
// applied, and the audit log holds nothing of that kind.
func TestNothingInSlackApprovesOrAppliesAPlan(t *testing.T) {
	t.Parallel()
	o := newOffice(t, false)
	findings := o.manyDrift(20)
	root := o.root("prices")
	people := []slacktest.Person{o.vic, o.ann, {ID: "U0BOB", Name: "bob"}, {ID: "U0DAN", Name: "dan"}, {ID: "U0BEA", Name: "bea"}, {ID: "U0STRANGE", Name: "stranger"}}
	for name, role := range map[string]access.Role{"bob": access.Approver, "dan": access.Approver, "bea": access.Admin} {
		if _, err := o.service.Ledger().CreateAccount(t.Context(), name, role, "correct horse battery"); err != nil {
			t.Fatal(err)
		}
		if err := o.service.Ledger().LinkSlack(t.Context(), slacktest.Team, "U0"+strings.ToUpper(name), name); err != nil {
			t.Fatal(err)
		}
	}
	door := o.door(false)
	cells, deviations := 0, 0
	for _, state := range reconciler.PlanStates() {
		p := o.planIn(state, &findings)
		entries := o.entriesOf(p)
		for _, person := range people {
			for way, ask := range slackWays(t.Context(), door, person, root.TS, p) {
				cells++
				ack, err := ask()
				for tries := 0; err == nil && tries < 5 && strings.Contains(string(ack.Body), "nothing was done"); tries++ { // the machine is busy: as they are told, again
					ack, err = ask()
				}
				if err != nil || ack.Status != http.StatusOK && ack.Status != http.StatusUnauthorized {
					t.Fatalf("%s, %s: %d %s, %v\n%s", person.Name, way, ack.Status, ack.Body, err, o.log)
				}
				o.settled()
				now, err := o.service.Ledger().Plan(t.Context(), p.ID)
				if err != nil {
					t.Fatal(err)
				}
				if now.State != p.State || now.Hash != p.Hash || now.Revision != p.Revision || len(now.Approvals) != len(p.Approvals) {
					deviations++
					t.Errorf("%s, by %s: a plan that was %s is %s, its hash was %s and is %s", person.Name, way, p.State, now.State, p.Hash, now.Hash)
					p = now
				}
				if n := o.entriesOf(p); n != entries {
					deviations++
					t.Errorf("%s, by %s, of a plan that is %s: the audit log has %d entries of it that are ok, and had %d", person.Name, way, state, n, entries)
					entries = n
				}
			}
		}
	}
	for _, person := range people {
		o.hears(door, person, "approve P-1", "There is no such command")
	}
	t.Logf("%d people × 7 ways × %d states: %d cells, %d deviations", len(people), len(reconciler.PlanStates()), cells, deviations)
	if cells != 7*len(people)*len(reconciler.PlanStates()) {
		t.Errorf("%d cells: the matrix is not whole", cells)
	}
}

// slackWays are all ways in which somebody may try to have a plan approved or applied.
func slackWays(ctx context.Context, door *slacktest.Door, who slacktest.Person, ts string, p *reconciler.Plan) map[string]func() (slacktest.Ack, error) {
	ways := map[string]func() (slacktest.Ack, error){}
	for _, act := range []string{"approve", "apply"} {
		ways["/plumbline "+act] = func() (slacktest.Ack, error) { return door.Command(ctx, who, channel, act+" "+p.ID) }
		ways["the button "+act] = func() (slacktest.Ack, error) { return door.Click(ctx, who, channel, ts, act, p.ID+":"+p.Hash) }
		ways["the form "+act] = func() (slacktest.Ack, error) {
			payload, err := json.Marshal(map[string]any{"type": "view_submission", "team": map[string]string{"id": slacktest.Team},
				"user": map[string]string{"id": who.ID, "team_id": slacktest.Team}, "container": map[string]string{"channel_id": "C000000DATA"},
				"view": map[string]string{"callback_id": act, "private_metadata": p.ID + ":" + p.Hash}, "trigger_id": fmt.Sprint(time.Now().UnixNano())})
			if err != nil {
				return slacktest.Ack{}, err
			}
			return door.Send(ctx, door.SignedAt("/slack/interactions", []byte(url.Values{"payload": {string(payload)}}.Encode()), time.Now()))
		}
	}
	ways["the button ack of a plan"] = func() (slacktest.Ack, error) { return door.Click(ctx, who, channel, ts, "ack", p.ID+":1") }
	return ways
}

// manyDrift has the first n records drift and waits until they are found.
func (o *office) manyDrift(n int) (findings []*drift.Finding) {
	o.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(o.dir, "shop.db"))
	if err != nil {
		o.t.Fatal(err)
	}
	for i := 2; i < n+2 && err == nil; i++ {
		_, err = db.ExecContext(o.t.Context(), `INSERT OR REPLACE INTO products VALUES ($1, '20.00'); INSERT OR REPLACE INTO copies VALUES ($1, '19.00')`, i)
	}
	if err != nil {
		o.t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		o.t.Fatal(err)
	}
	o.hears(o.door(false), o.ann, "run prices", "Started run #1 of `prices`")
	o.told(o.ann, 0, "the run's end", "Run #1 of", fmt.Sprintf("drift, %d findings", n))
	findings, _, err = o.service.Ledger().Findings(o.t.Context(), ledger.FindingFilter{Check: "prices", Limit: 500})
	if err != nil || len(findings) != n {
		o.t.Fatalf("%d findings, want %d: %v", len(findings), n, err)
	}
	return findings
}

// planIn keeps a plan that dan drafted, and bea approved, and puts it into a state.
// What became of its records is said, and nothing is written.
func (o *office) planIn(state reconciler.PlanState, findings *[]*drift.Finding) *reconciler.Plan {
	o.t.Helper()
	outcomes := map[reconciler.PlanState][]reconciler.ItemState{reconciler.Applied: {reconciler.ItemApplied}, reconciler.Undone: {reconciler.ItemApplied},
		reconciler.PartlyApplied: {reconciler.ItemApplied, reconciler.ItemStale}, reconciler.Stale: {reconciler.ItemStale}, reconciler.Failed: {reconciler.ItemFailed}}[state]
	var items []reconciler.Item
	for range max(1, len(outcomes)) {
		f := (*findings)[0]
		*findings = (*findings)[1:]
		items = append(items, reconciler.Item{Finding: f.ID, Key: f.Key, Kind: sources.Update, KeyText: f.KeyText,
			Before: &sources.Image{Exists: true, Native: []byte("19.00")}, After: &sources.Image{Exists: true, Native: []byte("20.00")}})
	}
	first := reconciler.Draft
	if state == reconciler.Waiting {
		first = state
	}
	p := o.keep(&reconciler.Plan{Replica: (*findings)[0].Replica, State: first}, items)
	switch state {
	case reconciler.Draft, reconciler.Waiting:
	case reconciler.Expired:
		o.must(o.service.Ledger().WithdrawPlan(o.t.Context(), p.ID, "not now", p.DraftedBy))
	case reconciler.Approved:
		o.must(o.service.Ledger().ApprovePlan(o.t.Context(), p.ID, p.Hash, o.account("bea")))
	default:
		o.work(p, outcomes)
	}
	if state == reconciler.Undone {
		items[0].Before, items[0].After = items[0].After, items[0].Before
		o.work(o.keep(&reconciler.Plan{Replica: p.Replica, State: first, Undoes: p.ID}, items), outcomes)
	}
	p = o.must(o.service.Ledger().Plan(o.t.Context(), p.ID))
	if p.State != state {
		o.t.Fatalf("%s is %s, want %s", p.ID, p.State, state)
	}
	return p
}

func (o *office) must(p *reconciler.Plan, err error) *reconciler.Plan {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
	return p
}

// account is who has an account of that name.
func (o *office) account(name string) reconciler.Person {
	o.t.Helper()
	a, err := o.service.Ledger().Account(o.t.Context(), name)
	if err != nil {
		o.t.Fatal(err)
	}
	return reconciler.Person{Account: a.ID, Name: a.Name}
}

// keep keeps a plan that dan drafted just now.
func (o *office) keep(p *reconciler.Plan, items []reconciler.Item) *reconciler.Plan {
	o.t.Helper()
	p.Check, p.By, p.CheckHash, p.Needs, p.DraftedAt = "prices", reconciler.Write, "c", 1, time.Now()
	p.DraftedBy = o.account("dan")
	var hashes []string
	for i := range items {
		items[i].Hash = reconciler.ItemHash(p.Check, p.Replica, p.CheckHash, p.Undoes, &items[i])
		hashes = append(hashes, items[i].Hash)
	}
	p.Hash = reconciler.PlanHash(hashes)
	return o.must(p, o.service.Ledger().KeepPlan(o.t.Context(), p, items))
}

// work approves and begins a plan and, unless outcomes is nil, ends it with them.
func (o *office) work(p *reconciler.Plan, outcomes []reconciler.ItemState) {
	o.t.Helper()
	l, ctx := o.service.Ledger(), o.t.Context()
	o.must(l.ApprovePlan(ctx, p.ID, p.Hash, o.account("bea")))
	begun, _, err := l.BeginPlan(ctx, p.ID, p.Hash, p.CheckHash, p.DraftedBy, func(*ledger.Tx) error { return nil })
	o.must(begun, err)
	if outcomes == nil {
		return
	}
	claimed, _, err := l.ClaimPlan(ctx, p.ID, "test")
	o.must(claimed, err)
	journal := l.FixJournal()
	for _, outcome := range outcomes {
		item, err := journal.ClaimItem(ctx, p.ID, "test", time.Minute)
		if err == nil && outcome == reconciler.ItemApplied {
			err = journal.Intend(ctx, item, time.Now().Add(15*time.Second))
		}
		if err == nil {
			err = journal.Settle(ctx, item, outcome)
		}
		o.must(nil, err)
	}
	o.must(l.EndPlan(ctx, p.ID))
}

// settled waits until every request of Slack that was taken is done.
func (o *office) settled() {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), time.Minute)
	defer cancel()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for waiting := -1; waiting != 0; {
		select {
		case <-look.C:
		case <-ctx.Done():
			o.t.Fatalf("%d requests wait still\n%s", waiting, o.log)
		}
		if err := o.service.Ledger().DB().QueryRowContext(ctx, `SELECT COUNT(*) FROM inbox WHERE due_at > 0`).Scan(&waiting); err != nil {
			o.t.Fatal(err)
		}
	}
}

// entriesOf counts what the audit log holds of a plan that was done.
func (o *office) entriesOf(p *reconciler.Plan) int {
	o.t.Helper()
	list, _, err := o.service.Ledger().AuditEntries(o.t.Context(), ledger.AuditFilter{Outcome: string(access.Done), Object: "fix " + p.ID, Limit: 500})
	if err != nil {
		o.t.Fatal(err)
	}
	return len(list)
}
