package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"plumbline/alerts"
)

func TestADigestSaysWhatHappenedInADay(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, engine string) {
		w := alertWorld(t, engine, nil)
		from := w.clock.now()
		w.scanned("search")
		w.scanned("cache")
		w.drifts("search", 1)
		w.clock.pass(24 * time.Minute)
		w.heals("search", 1)
		w.clock.pass(time.Hour)
		w.fails("cache", "source cache: probe: dial tcp: connection refused")
		to := w.clock.pass(22 * time.Hour)
		d := got(w.Digest(t.Context(), from, to))(t)
		text := fmt.Sprintf("%d checks, %d compared, %d runs, %d opened, %d resolved, %s, open %d, unheard %d, %v", d.Checks, d.Compared, d.Runs, d.Opened, d.Resolved,
			d.Median, len(d.Open), len(d.Unheard), d.Results)
		if text != "1 checks, 200 compared, 3 runs, 2 opened, 1 resolved, 24m0s, open 1, unheard 1, map[clean:2 error:1]" {
			t.Errorf("the day was: %s", text)
		}
		if d.Open[0].Kind != alerts.Blind || d.Open[0].Severity != "high" || d.Unheard[0].Incident != "I-1" {
			t.Errorf("it names %+v and %+v", d.Open, d.Unheard)
		}
	})
}

func TestADigestIsSentOnceADayToEachTarget(t *testing.T) {
	t.Parallel()
	w := alertWorld(t, "sqlite", nil)
	targets := []alerts.Target{{Integration: "slack", Address: "#a"}, {Integration: "webhook", Address: "pager"}}
	at := w.clock.now().Add(time.Hour)
	for range 3 {
		must(t, w.QueueDigest(t.Context(), "2026-03-01", at, targets, alerts.Digest{Checks: 45}))
	}
	if w.claim() != nil {
		t.Error("it was sent before its time")
	}
	w.clock.pass(2 * time.Hour)
	d := w.claim("slack")
	if d == nil || d.Step != alerts.Notice || d.Digest.Checks != 45 || d.Digest.Day != "2026-03-01" || d.Incident != nil {
		t.Fatalf("it is %+v", d)
	}
	w.settled(d, alerts.Receipt{}, alerts.ErrLost)
	w.clock.pass(time.Minute)
	again := w.claim("slack")
	if again == nil || again.ID != d.ID || again.Doubtful.IsZero() {
		t.Fatalf("tried again it is %+v", again)
	}
	w.settled(again, alerts.Receipt{}, nil)
	must(t, w.QueueDigest(t.Context(), "2026-03-02", at.Add(24*time.Hour), targets, alerts.Digest{}))
	if d := w.claim("webhook"); d != nil {
		t.Errorf("yesterday's, which could not be sent, is sent still: %+v", d)
	}
	w.clock.pass(48 * time.Hour)
	if got := w.told(); got != "notice, notice" {
		t.Errorf("the next day: %q", got)
	}
}
