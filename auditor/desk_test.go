package auditor_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"plumbline/access"
	"plumbline/alerts"
	"plumbline/auditor"
	"plumbline/ledger"
	"plumbline/sources"
)

// as is a context in which somebody attempts something.
func as(ctx context.Context, name string, role access.Role) context.Context {
	return access.With(ctx, &access.Attempt{Actor: access.Actor{Name: name, Role: role, Via: access.ByAPI}, Action: "test"})
}

// newDesk is a desk before a check of which 10 findings are open, in I-1.
func newDesk(t *testing.T) (*auditor.Desk, *ledger.Ledger) {
	t.Helper()
	told := func(check string) (alerts.Policy, bool) {
		return alerts.Policy{Check: check, Severity: "high"}, check == "records"
	}
	l, err := ledger.Open(t.Context(), ledgerURL(t, "sqlite"), ledger.Options{Policies: told})
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	s := newShop(sources.Limits{})
	for key := range int64(10) {
		put(s.owner, key, key)
	}
	put(s.owner, 100, 1)
	put(s.replica, 100, 1)
	a := start(t, auditor.Options{Ledger: l, Checks: []auditor.Check{{Check: s.check("records", 0)}}, Readers: s.find})
	runNow(t, a, l, "records")
	return auditor.NewDesk(l, a, nil), l
}

func TestDeskAsksWhoMayAct(t *testing.T) {
	t.Parallel()
	d, l := newDesk(t)
	soon := time.Now().Add(time.Hour)
	acts := map[string]func(context.Context) error{
		"acknowledge": func(ctx context.Context) error { _, err := d.Acknowledge(ctx, "I-1", 0, ""); return err },
		"mute":        func(ctx context.Context) error { _, err := d.Mute(ctx, "records", soon, false, ""); return err },
		"unmute":      func(ctx context.Context) error { return d.Unmute(ctx, "records") },
		"run":         func(ctx context.Context) error { _, err := d.Run(ctx, "records", nil); return err },
		"run a key":   func(ctx context.Context) error { _, err := d.RunKey(ctx, "records", "1"); return err },
		"recheck":     func(ctx context.Context) error { _, err := d.Recheck(ctx, "I-1"); return err },
	}
	for name, act := range acts {
		for who, ctx := range map[string]context.Context{"nobody": t.Context(), "a viewer": as(t.Context(), "vic", access.Viewer)} {
			var denied *access.DeniedError
			if err := act(ctx); !errors.As(err, &denied) || !auditor.Refused(err) {
				t.Errorf("%s by %s: %v", name, who, err)
			}
		}
	}
	if runs, _, err := l.Runs(t.Context(), ledger.RunFilter{}); err != nil || len(runs) != 1 {
		t.Errorf("there are %d runs, %v", len(runs), err)
	}
	i, err := l.Incident(t.Context(), "I-1")
	if err != nil || i.State != alerts.Open {
		t.Errorf("the incident is %+v, %v", i, err)
	}
}

func TestDeskMutesUntilATimeOrGrowth(t *testing.T) {
	t.Parallel()
	d, l := newDesk(t)
	ctx := as(t.Context(), "ann", access.Operator)
	now := time.Now()
	for name, row := range map[string]struct {
		until  time.Time
		grows  bool
		reason string
		check  string
	}{
		"no end":               {check: "records"},
		"the past":             {until: now.Add(-time.Second), check: "records"},
		"the far future":       {until: now.Add(auditor.LongestMute + time.Hour), check: "records"},
		"a reason too long":    {until: now.Add(time.Hour), reason: strings.Repeat("x", 1001), check: "records"},
		"a check of no config": {until: now.Add(time.Hour), check: "others"},
	} {
		if _, err := d.Mute(ctx, row.check, row.until, row.grows, row.reason); err == nil || !auditor.Refused(err) {
			t.Errorf("muted until %s: %v", name, err)
		}
	}
	if m, err := d.Mute(ctx, "records", now.Add(time.Hour), false, " a migration "); err != nil || m.Above != 0 || m.Actor != "ann" || m.Reason != "a migration" {
		t.Errorf("muted for an hour: %+v, %v", m, err)
	}
	m, err := d.Mute(ctx, "records", time.Time{}, true, "")
	if err != nil || m.Above != alerts.Growth(10) || !m.Until.IsZero() {
		t.Errorf("muted until it grows: %+v, %v", m, err)
	}
	mutes, err := l.Mutes(t.Context())
	if err != nil || mutes["records"] == nil || mutes["records"].Above != m.Above {
		t.Errorf("kept: %+v, %v", mutes["records"], err)
	}
	must(t, d.Unmute(ctx, "records"))
	if mutes, err := l.Mutes(t.Context()); err != nil || len(mutes) != 0 {
		t.Errorf("unmuted: %v, %v", mutes, err)
	}
	if _, err := l.AcceptBaseline(ctx, "records", "ann", ""); err != nil {
		t.Fatal(err)
	}
	if m, err = d.Mute(ctx, "records", time.Time{}, true, ""); err != nil || m.Above != alerts.Growth(0) {
		t.Errorf("with all taken as known, muted until it grows: %+v, %v", m, err)
	}
}

func TestDeskBeginsRuns(t *testing.T) {
	t.Parallel()
	d, l := newDesk(t)
	ctx := as(t.Context(), "ann", access.Operator)
	runs, err := d.Recheck(ctx, "I-1")
	if err != nil || len(runs) != 1 || runs[0].Actor != "ann" || runs[0].Trigger != ledger.ByPerson {
		t.Fatalf("begun %+v, %v", runs, err)
	}
	finished(t, l, runs[0].ID)
	one, err := d.RunKey(as(t.Context(), "ann", access.Operator), "records", "3")
	if err != nil || len(one) != 1 || len(one[0].Keys) != 1 {
		t.Fatalf("begun %+v, %v", one, err)
	}
	finished(t, l, one[0].ID)
	for name, err := range map[string]error{
		"a key that is none": second(d.RunKey(ctx, "records", "abc")),
		"no such check":      second(d.RunKey(ctx, "others", "1")),
		"no such incident":   second(d.Recheck(ctx, "I-9")),
		"nobody works here":  second(auditor.NewDesk(l, nil, nil).Run(ctx, "records", nil)),
	} {
		if err == nil || !auditor.Refused(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	list, _, err := l.AuditEntries(t.Context(), ledger.AuditFilter{Actor: "ann"})
	if begun := slices.DeleteFunc(list, func(e access.Entry) bool { return e.Outcome != access.Done }); err != nil || len(begun) != 2 {
		t.Errorf("the audit log has %+v, %v", begun, err)
	}
}

func second[T any](_ T, err error) error { return err }
