package slack

import (
	"strings"
	"testing"
	"time"

	"plumbline/alerts"
	"plumbline/drift"
)

func TestCannotCheckSaysWhatWasRead(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 10, 55, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		edge alerts.EdgeFacts
		want string
	}{
		"nothing":       {alerts.EdgeFacts{Coverage: 0}, "No statement about this data is possible"},
		"most of it":    {alerts.EdgeFacts{Coverage: 0.931}, "No difference was seen in what was read (93.1 %)"},
		"all, long ago": {alerts.EdgeFacts{Coverage: 0.5, Stale: true}, "No statement about this data is possible"},
	} {
		c.edge.Replica, c.edge.Consistency, c.edge.Cause = "cache", drift.Unknown, "replica cache did not answer in time"
		d := &alerts.Delivery{Step: alerts.Post, Now: now, Policy: alerts.Policy{Check: "prices", Severity: "high"},
			Incident: &alerts.Incident{ID: "I-1", Check: "prices", Kind: alerts.Blind, State: alerts.Open, OpenedAt: now, Revision: 1,
				Facts: alerts.Facts{Edges: []alerts.EdgeFacts{c.edge}}}}
		if text := Render(d, "").Plain(); !strings.Contains(text, c.want) {
			t.Errorf("%s was read, and it says\n%s", name, text)
		}
	}
}

func TestAMuteThatEndsWakesNobodyWhereSomebodyIsAtIt(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	for taken, pings := range map[string]bool{"": true, "ann": false} {
		d := &alerts.Delivery{Step: alerts.Reply, Now: now, Policy: alerts.Policy{Check: "prices", Severity: "high"},
			Target: alerts.Target{Integration: "slack", Address: "#data", Mention: "S0ONCALL1"}, Ref: alerts.Ref{Channel: "C1", TS: "1.1"},
			Milestones: []alerts.Milestone{{Event: alerts.WasUnmuted, At: now, Actor: drift.Plumbline, Counted: 3, Note: "its time is over"}},
			Incident:   &alerts.Incident{ID: "I-1", Check: "prices", Kind: alerts.Drift, State: alerts.Open, AcknowledgedBy: taken, OpenedAt: now, Revision: 1}}
		if got := Render(d, "").Mention != ""; got != pings {
			t.Errorf("taken on by %q: pings is %v", taken, got)
		}
	}
}

func TestWhatComesAndGoesCallsEverMoreSeldom(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	calls := 0
	for times := range int64(100) {
		d := &alerts.Delivery{Step: alerts.Reply, Now: now, Policy: alerts.Policy{Check: "prices", Severity: "high"},
			Target: alerts.Target{Integration: "slack", Address: "#data", Mention: "S0ONCALL1"}, Ref: alerts.Ref{Channel: "C1", TS: "1.1"},
			Milestones: []alerts.Milestone{{Event: alerts.WasRegressed, At: now, Counted: 3}},
			Incident:   &alerts.Incident{ID: "I-1", Check: "prices", Kind: alerts.Blind, State: alerts.Open, Regressed: times + 1, OpenedAt: now, Revision: 1}}
		if m := Render(d, ""); m.Mention != "" {
			calls++
		} else if times < 2 {
			t.Errorf("nobody is called the %d. time", times+1)
		}
	}
	if calls != 7 { // 1, 2, 4, 8, 16, 32, 64
		t.Errorf("100 returns called %d times", calls)
	}
}
